// What people do, in a real browser, with JavaScript and without.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { PASSWORD, addPerson, browser, fill, fillByLabels, kinds, root, setUp, shot, signIn, start } from "./kinchart.mjs";

for (const javaScriptEnabled of [true, false]) {
  const suffix = javaScriptEnabled ? "" : "-without-js";
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", { concurrency: false }, () => {
    let program, chrome, context, page, patient;
    const problems = [];
    before(async () => {
      program = await start();
      chrome = await browser();
      context = await chrome.newContext({ javaScriptEnabled, viewport: { width: 1280, height: 900 } });
      page = await context.newPage();
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => { if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) problems.push(message.text()); });
      page.on("requestfailed", (request) => { if (!/ERR_ABORTED/.test(request.failure()?.errorText)) problems.push(`${request.url()} ${request.failure()?.errorText}`); });
      page.on("request", (request) => { if (!request.url().startsWith(program.url) && !request.url().startsWith("data:")) problems.push(`asks ${request.url()}`); });
    });
    after(async () => {
      await chrome?.close();
      await program?.stop();
      assert.deepEqual(problems, [], "the browser complained");
    });

    test("the first start leads through the setup", async () => {
      await page.goto(program.url);
      await shot(page, "setup" + suffix);
      await fill(page, { code: "0000-0000-0000-0000", full_name: "Ada", username: "ada", password: PASSWORD, password_again: PASSWORD });
      await page.locator("main form button.main").click();
      assert.equal(await page.locator("#summary").count(), 1, "a wrong code is told");
      await setUp(page, program);
      assert.notEqual(new URL(page.url()).pathname, "/setup");
      await page.goto(program.url + "/setup");
      assert.equal(await page.locator("[name=code]").count(), 0, "there is only one first account");
    });

    test("signing out and in again", async () => {
      await page.goto(program.url + "/");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.goto(program.url + "/patients");
      assert.equal(new URL(page.url()).pathname, "/login");
      await fill(page, { username: "ada", password: "not the password" });
      await page.locator("main form button.main").click();
      assert.ok(await page.locator("#summary").isVisible());
      assert.equal(await page.locator("#username").inputValue(), "ada", "the name is kept");
      await shot(page, "login-error" + suffix);
      await signIn(page, program);
      assert.equal(new URL(page.url()).pathname, "/patients", "on to where one wanted to go");
    });

    test("a person is added", async () => {
      await page.goto(program.url + "/patients");
      await shot(page, "everyone-empty" + suffix);
      patient = await addPerson(page, program);
      await shot(page, "home-empty" + suffix);
    });

    test("one record of every kind is added by its labels", async () => {
      const all = await kinds(page, program, patient);
      assert.ok(all.length >= 15, `the menu has only ${all.length} kinds`);
      const failed = [];
      for (const kind of all) {
        const name = kind.path.split("/").pop();
        await page.goto(program.url + kind.path);
        await shot(page, `${name}-list-empty${suffix}`);
        await page.locator(`main a[href="${kind.path}/new"]`).first().click();
        await page.waitForURL("**/new");
        const written = await fillByLabels(page, "Mark" + name.replace(/\W/g, ""));
        await page.locator("main form.record .actions button.main").click();
        // What a rule of the kind refuses is corrected at the field it names, as a person would.
        for (let round = 0; round < 4 && /\/new$|^[^?]*\/[a-z-]+$/.test(page.url()) && (await page.locator("#summary").count()); round++) {
          if (round === 0) await shot(page, `${name}-form-error${suffix}`);
          await correct(page);
          await page.locator("main form.record .actions button.main").click();
        }
        if (!/\/[0-9a-f-]{36}$/.test(new URL(page.url()).pathname)) {
          failed.push(`${kind.label}: ${await page.locator("#summary").allTextContents()}`);
          continue;
        }
        const text = await page.locator("main").innerText();
        // What stood in a number's place was corrected; of the rest, something must be there.
        const marks = Object.values(written).filter((value) => value.startsWith("Mark"));
        if (!marks.some((value) => text.includes(value))) failed.push(`${kind.label}: nothing that was written is on its page`);
        await shot(page, `${name}-one${suffix}`);
        await page.goto(program.url + kind.path);
        assert.ok((await page.locator("table tbody tr").count()) >= 1, kind.label);
        await shot(page, `${name}-list-one${suffix}`);
      }
      assert.deepEqual(failed, []);
      await page.goto(program.url + patient);
      await shot(page, "home-many" + suffix);
      await page.goto(program.url + patient + "/timeline");
      await shot(page, "timeline-many" + suffix);
    });

    test("a failed form keeps what was typed, says what is wrong and where", async () => {
      await page.goto(`${program.url}${patient}/allergies/new`);
      const notes = page.locator("main [name=notes]");
      if (!(await notes.isVisible())) await page.locator("main details.more > summary").first().click();
      await notes.fill("Kept though the form failed");
      await page.locator("main form.record .actions button.main").click();
      const summary = page.locator("#summary");
      await summary.waitFor();
      assert.equal(await summary.getAttribute("role"), "alert");
      if (javaScriptEnabled) assert.equal(await page.evaluate(() => document.activeElement.id), "summary", "the summary has the focus");
      const link = summary.locator("a").first();
      const target = (await link.getAttribute("href")).slice(1);
      const input = page.locator(`[id="${target}"]`);
      assert.equal(await input.getAttribute("aria-invalid"), "true");
      const message = await page.locator(`[id="${await input.getAttribute("aria-describedby")}"] .error`).innerText();
      assert.ok((await summary.innerText()).includes(message), "the same words above and at the field");
      await link.click();
      await shot(page, "form-error" + suffix);
      await fill(page, { allergen: "Corrected penicillin", reaction: "Rash" });
      await page.locator("main form.record .actions button.main").click();
      await page.waitForURL(/allergies\/[0-9a-f-]{36}$/);
      assert.ok((await page.locator("main").innerText()).includes("Kept though the form failed"));
    });

    test("search finds it from any page", async () => {
      await page.goto(program.url + "/patients");
      const search = page.getByRole("searchbox").first();
      await search.fill("CORRECTED penic");
      await search.press("Enter");
      await page.waitForURL("**/search?**");
      await page.getByRole("link", { name: /Corrected penicillin/ }).click();
      await page.waitForURL(/allergies\/[0-9a-f-]{36}$/);
      await page.goto(program.url + "/search?q=nothing-at-all-like-this");
      await shot(page, "search-nothing" + suffix);
    });

    test("what is deleted comes back with one click", async () => {
      await page.goto(`${program.url}${patient}/allergies?q=Corrected`);
      await page.getByRole("link", { name: /Corrected penicillin/ }).click();
      await page.locator("main form[action$='/delete'] button").click();
      await page.waitForURL("**/allergies?undo=**");
      assert.equal(await page.getByRole("link", { name: /Corrected penicillin/ }).count(), 0);
      await shot(page, "undo" + suffix);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.waitForURL(/allergies\/[0-9a-f-]{36}$/);
      assert.ok((await page.locator("h1").innerText()).includes("Corrected penicillin"));
    });

    test("an import shows what it would do, and does it", async () => {
      await page.goto(program.url + "/import");
      await page.locator("input[type=file]").setInputFiles(join(root, "tests", "data", "small-bundle.json"));
      await page.locator("main form button.main").click();
      await page.waitForURL(/\/import\/[^/]+$/);
      assert.ok((await page.locator("main").innerText()).includes("Nothing has been changed yet"));
      await shot(page, "import-preview" + suffix);
      await page.getByRole("button", { name: "Import now" }).click();
      await page.getByRole("heading", { name: "Imported", exact: true }).waitFor();
      await shot(page, "import-done" + suffix);
      await page.getByRole("link", { name: /Imported Testperson/ }).click();
      await page.waitForURL(/\/patients\/[0-9a-f-]{36}$/);
      const home = await page.locator("main").innerText();
      assert.ok(home.includes("Bee venom") && home.includes("Hay fever"), home);
      // The same file again changes nothing.
      await page.goto(program.url + "/import");
      await page.locator("input[type=file]").setInputFiles(join(root, "tests", "data", "small-bundle.json"));
      await page.locator("main form button.main").click();
      await page.waitForURL(/\/import\/[^/]+$/);
      assert.ok((await page.locator("main").innerText()).includes("already here"));
    });

    test("a session that ended keeps the form", async () => {
      await page.goto(`${program.url}${patient}/allergies/new`);
      await fill(page, { allergen: "Kept over the sign-in", reaction: "Hives & swelling \"a lot\"" });
      await context.clearCookies();
      await page.locator("main form.record .actions button.main").click();
      await page.locator("#password").waitFor();
      await shot(page, "session-ended" + suffix);
      await fill(page, { username: "ada", password: PASSWORD });
      await page.locator("main form button.main").click();
      // Either it is saved at once, or one more button sends it.
      const send = page.locator("main form button.main");
      if (!/allergies\/[0-9a-f-]{36}$/.test(page.url())) await send.click();
      await page.waitForURL(/allergies\/[0-9a-f-]{36}$/);
      const text = await page.locator("main").innerText();
      assert.ok(text.includes("Kept over the sign-in") && text.includes("Hives & swelling \"a lot\""), text);
    });
  });
}

/** Empties or mends each field that the summary names; an unusual value is confirmed. */
async function correct(page) {
  const ids = await page.locator("#summary a").evaluateAll((all) => all.map((a) => a.getAttribute("href").slice(1)));
  for (const id of ids) {
    const control = page.locator(`[id="${id}"]`);
    const keep = page.locator(`[id="${id}-keep"]`);
    if (await keep.count()) { await keep.check(); continue; }
    const message = await page.locator(`[id="${id}-d"] .error`).innerText().catch(() => "");
    const hint = await page.locator(`[id="${id}-d"]`).innerText().catch(() => "");
    if ((await control.evaluate((e) => e.tagName)) === "SELECT") { await control.selectOption({ index: 1 }); continue; }
    const range = message.match(/from (-?\d[\d.]*\d|\d) to (\d[\d.]*\d|\d)|expected is (\d[\d.]*\d|\d) to (\d[\d.]*\d|\d)/);
    if (range) await control.fill(String(Math.round((Number(range[1] ?? range[3]) + Number(range[2] ?? range[4])) / 2)));
    else if (/^write a number/i.test(message)) await control.fill(/systolic/.test(id) ? "120" : "70");
    else if (/fill this in/i.test(message)) await control.fill(/2021/.test(hint) ? "2024-02-03" : "Filled in");
    else if (/such as 2021/.test(message)) await control.fill("2024-02-03");
    else await control.fill("");
  }
}
