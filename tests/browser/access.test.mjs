// Usable by everybody: axe-core on every main page, in light and dark, narrow and wide; no page wider than a phone; all by keyboard.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { addPerson, axe, browser, fill, fillByLabels, kinds, setUp, shot, start } from "./kinchart.mjs";

describe("every page", { concurrency: false }, () => {
  let program, chrome, state, patient, all;
  before(async () => {
    program = await start();
    chrome = await browser();
    const context = await chrome.newContext();
    const page = await context.newPage();
    await setUp(page, program);
    patient = await addPerson(page, program);
    all = await kinds(page, program, patient);
    // A few records, so that lists and pages have something to show.
    for (const [kind, values] of [
      ["allergies", { allergen: "Penicillin", reaction: "Rash", severity: "severe" }],
      ["medications", { medication_name: "Metformin", dosage: "500 mg" }],
      ["vitals", { systolic_bp: "120", diastolic_bp: "80" }],
    ]) {
      await page.goto(`${program.url}${patient}/${kind}/new`);
      await fill(page, values);
      await page.locator("main form.record .actions button.main").click();
      await page.waitForURL(/[0-9a-f-]{36}$/);
    }
    const record = new URL(page.url()).pathname;
    const letter = { name: "letter.txt", mimeType: "text/plain", buffer: Buffer.from("Dear Ada, all is well.") };
    for (const place of [`${patient}/files`, "/inbox"]) {
      await page.goto(program.url + place);
      await page.setInputFiles("#f-file", letter);
      await page.locator("form.upload button.main").click();
      await page.getByRole("link", { name: "letter.txt" }).first().waitFor();
    }
    const waiting = await page.getByRole("link", { name: "letter.txt" }).first().getAttribute("href");
    await page.goto(`${program.url}${patient}/files`);
    const document = await page.getByRole("link", { name: "letter.txt" }).first().getAttribute("href");
    state = { record, document, waiting, cookies: await context.storageState() };
    await context.close();
  });
  after(async () => {
    await chrome?.close();
    await program?.stop();
  });

  const pages = () => [
    ["everyone", "/patients"], ["person-new", "/patients/new"], ["search", "/search?q=met"], ["tags", "/tags"], ["import", "/import"],
    ["practitioners", "/directory/practitioners"], ["practitioner-new", "/directory/practitioners/new"],
    ["home", patient], ["person-edit", `${patient}/edit`], ["timeline", `${patient}/timeline`], ["trash", `${patient}/trash`], ["kept", `${patient}/kept`],
    ["record", state.record], ["record-edit", `${state.record}/edit`], ["record-history", `${state.record}/history`], ["record-links", `${state.record}/links`],
    ["documents", `${patient}/files`], ["document", state.document], ["inbox", "/inbox"], ["inbox-document", state.waiting],
    ["key", "/settings/key"], ["key-shown", "/settings/key?show=1"], ["paperless", "/settings/paperless"],
    ["not-found", "/nowhere"],
    ...all.flatMap(({ path }) => [[`${path.split("/").pop()}-list`, path], [`${path.split("/").pop()}-new`, `${path}/new`]]),
  ];

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280]) {
      test(`axe finds nothing in ${colorScheme} at ${width} px`, async () => {
        const context = await chrome.newContext({ colorScheme, viewport: { width, height: 800 }, storageState: state.cookies });
        const page = await context.newPage();
        const found = [];
        for (const [name, path] of pages()) {
          await page.goto(program.url + path);
          found.push(...(await axe(page)).map((line) => `${name}: ${line}`));
          const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (over > 0) found.push(`${name}: ${over} px wider than the window`);
          await shot(page, `${colorScheme}-${width}-${name}`);
        }
        // Signed out, and a failed form.
        await page.goto(`${program.url}${patient}/conditions/new`);
        await page.locator("main form.record .actions button.main").click();
        await page.locator("#summary").waitFor();
        found.push(...(await axe(page)).map((line) => `failed form: ${line}`));
        await shot(page, `${colorScheme}-${width}-failed-form`);
        await context.clearCookies();
        await page.goto(program.url + "/login");
        found.push(...(await axe(page)).map((line) => `login: ${line}`));
        await shot(page, `${colorScheme}-${width}-login`);
        await context.close();
        const lines = [...new Set(found)];
        assert.equal(lines.length, 0, `${lines.length} findings:\n${lines.slice(0, 60).join("\n")}`);
      });
    }
  }

  test("targets are 44 px on a phone", async () => {
    const context = await chrome.newContext({ viewport: { width: 360, height: 800 }, hasTouch: true, isMobile: true, storageState: state.cookies });
    const page = await context.newPage();
    const small = [];
    for (const [name, path] of pages()) {
      await page.goto(program.url + path);
      small.push(...(await page.evaluate(() =>
        [...document.querySelectorAll("main button, main a.button, main input:not([type=hidden]):not([type=radio]):not([type=checkbox]), main select")]
          .filter((e) => e.checkVisibility() && !e.matches(".link, .first, [aria-hidden=true]"))
          .map((e) => ({ box: e.getBoundingClientRect(), what: `${e.tagName} ${e.name || e.textContent.trim()}` }))
          .filter(({ box }) => box.height > 0 && box.height < 43.5)
          .map(({ box, what }) => `${what}: ${Math.round(box.height)} px`))).map((line) => `${name}: ${line}`));
    }
    await context.close();
    assert.equal(small.length, 0, small.slice(0, 40).join("\n"));
  });

  test("a record is added with the keyboard alone", async () => {
    const context = await chrome.newContext({ viewport: { width: 1280, height: 900 }, storageState: state.cookies });
    const page = await context.newPage();
    await page.goto(`${program.url}${patient}/allergies`);
    // The first stop leads past the menu.
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    const tabTo = async (wanted, most = 80) => {
      for (let i = 0; i < most; i++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
          const e = document.activeElement;
          const style = getComputedStyle(e);
          return { name: e.name ?? "", text: e.textContent.trim(), seen: style.outlineStyle !== "none" || style.boxShadow !== "none", tag: e.tagName };
        });
        if (wanted(at)) {
          assert.ok(at.seen, `one cannot see that ${at.tag} ${at.name || at.text} has the focus`);
          return;
        }
      }
      assert.fail("the keyboard does not get there");
    };
    await tabTo((at) => at.tag === "A" && /add allergy/i.test(at.text));
    await page.keyboard.press("Enter");
    await page.waitForURL("**/allergies/new");
    await tabTo((at) => at.name === "allergen");
    await page.keyboard.type("Typed by keyboard");
    await page.keyboard.press("Escape");
    await tabTo((at) => at.name === "reaction");
    await page.keyboard.type("Itching");
    await page.keyboard.press("Enter");
    await page.waitForURL(/allergies\/[0-9a-f-]{36}$/);
    assert.ok((await page.locator("h1").innerText()).includes("Typed by keyboard"));
    await context.close();
  });
});
