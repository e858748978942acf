// Administration, forgotten passwords and the end of a session: usable by everybody, and what the script adds.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { PASSWORD, addAccount, addPerson, axe, browser, fill, keepKey, setUp, shot, signIn, start } from "./kinchart.mjs";

describe("administration", { concurrency: false }, () => {
  let program, chrome, state;
  before(async () => {
    program = await start();
    chrome = await browser();
    const context = await chrome.newContext();
    const page = await context.newPage();
    await setUp(page, program);
    await keepKey(page, program);
    await addPerson(page, program);
    await addAccount(program, "ben", "Ben Example with a rather long name");
    await page.goto(`${program.url}/admin/users`);
    const user = await page.getByRole("link", { name: /Ben Example/ }).getAttribute("href");
    await page.goto(`${program.url}/directory/practitioners/new`);
    await fill(page, { name: "Dr Lovelace" });
    await page.locator("main form button.main").click();
    state = { user, cookies: await context.storageState() };
    await context.close();
  });
  after(async () => {
    await chrome?.close();
    await program?.stop();
  });

  const pages = () => [
    ["admin", "/admin"], ["users", "/admin/users"], ["user-new", "/admin/users/new"], ["user", state.user], ["user-delete", `${state.user}/delete`],
    ["sessions", "/admin/sessions"], ["signup", "/admin/signup"], ["directory", "/admin/directory"], ["codes", "/admin/codes"], ["health", "/admin/health"],
    ["jobs", "/admin/jobs"], ["audit", "/admin/audit"], ["activity", "/settings/activity?from=2026-05&to=2026-04"], ["dead-link", "/reset/x"], ["connections", "/admin/connections"], ["admin-trash", "/admin/trash"],
    ["address", "/settings/address"], ["notices", "/settings/notices"], ["own-sessions", "/settings/sessions"], ["forgot", "/forgot"],
  ];

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1280]) {
      test(`axe finds nothing in ${colorScheme} at ${width} px`, async () => {
        const context = await chrome.newContext({ colorScheme, viewport: { width, height: 800 }, storageState: state.cookies });
        const page = await context.newPage();
        const found = [];
        const look = async (name) => {
          found.push(...(await axe(page)).map((line) => `${name}: ${line}`));
          const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          if (over > 0) found.push(`${name}: ${over} px wider than the window`);
          await shot(page, `${colorScheme}-${width}-${name}`);
        };
        for (const [name, path] of pages()) {
          await page.goto(program.url + path);
          await look(name);
          const current = page.locator("nav.sections [aria-current]");
          if (await current.count()) {
            const box = await current.boundingBox();
            if (box.x < 0 || box.x + box.width > width) found.push(`${name}: the current section is out of sight`);
          }
        }
        await page.goto(program.url + state.user);
        await page.getByRole("button", { name: "Make a link" }).click();
        await page.locator("#made").waitFor();
        await look("user-link");
        const link = await page.locator("#made").inputValue();
        await page.goto(`${program.url}/admin/users/new`);
        await page.evaluate(() => document.querySelector("main form").setAttribute("novalidate", ""));
        await page.locator("main form .actions button.main").click();
        await page.locator("#summary").waitFor();
        await look("user-new-failed");
        await context.clearCookies();
        await page.goto(link);
        await look("reset");
        await context.close();
        assert.equal(found.length, 0, [...new Set(found)].slice(0, 60).join("\n"));
      });
    }
  }

  test("an account is made with a link, and its person sets the password", async () => {
    const context = await chrome.newContext({ storageState: state.cookies });
    const page = await context.newPage();
    await page.goto(`${program.url}/admin/users/new`);
    await fill(page, { full_name: "Nan Example", username: "nan", role: "guest" });
    await page.locator("main form .actions button.main").click();
    const link = await page.locator("#made").inputValue();
    await page.goto(`${program.url}/admin/users`);
    assert.ok(await page.getByText("Nan Example").isVisible());
    const other = await chrome.newContext();
    const theirs = await other.newPage();
    await theirs.goto(link);
    await fill(theirs, { password: PASSWORD, password_again: PASSWORD });
    await theirs.locator("main form button.main").click();
    await theirs.getByRole("link", { name: "Sign in" }).click();
    await signIn(theirs, program, "nan");
    await theirs.getByRole("link", { name: "Read it" }).click();
    assert.match(await theirs.locator("main").innerText(), /Ada Owner, an administrator, made a link/);
    await theirs.goto(link);
    assert.match(await theirs.locator("main").innerText(), /This link opens nothing/);
    await other.close();
    await context.close();
  });

  test("a page says before its session ends, and goes on with a click", async () => {
    const context = await chrome.newContext({ storageState: state.cookies });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${program.url}/patients/new`);
    const notice = page.locator("#ending");
    assert.equal(await notice.isVisible(), false);
    await page.clock.fastForward("27:30");
    await page.clock.runFor(1500);
    assert.match(await notice.innerText(), /signed out soon/);
    await shot(page, "ending");
    assert.deepEqual(await axe(page), []);
    const asked = page.waitForResponse((response) => new URL(response.url()).pathname === "/session");
    await notice.getByRole("button", { name: "Stay signed in" }).click();
    assert.equal((await asked).status(), 200);
    await page.clock.runFor(1500);
    assert.equal(await notice.isVisible(), false);
    // What somebody was writing stays; a page that was only read goes.
    await page.locator("[name=first_name]").fill("Half written");
    await page.clock.fastForward("31:00");
    await page.clock.runFor(1500);
    assert.match(await notice.innerText(), /You are signed out. What stands here is not lost/);
    assert.equal(await page.locator("[name=first_name]").inputValue(), "Half written");
    await page.goto(`${program.url}/settings/sessions`);
    await page.clock.fastForward("31:00");
    await page.clock.runFor(1500);
    assert.equal(await page.locator("main").innerText(), "");
    assert.deepEqual(await axe(page), []);
    await shot(page, "ended");
    assert.equal(await notice.getByRole("link", { name: "Sign in again" }).getAttribute("href"), "/login?next=%2Fsettings%2Fsessions");
    await context.close();
  });

  test("a click in another tab counts for this one", async () => {
    const context = await chrome.newContext({ storageState: state.cookies });
    const [one, two] = [await context.newPage(), await context.newPage()];
    await one.clock.install();
    await one.goto(`${program.url}/patients/new`);
    await one.clock.fastForward("27:30");
    await one.clock.runFor(1500);
    assert.match(await one.locator("#ending").innerText(), /signed out soon/);
    await two.goto(`${program.url}/patients`);
    await one.waitForTimeout(200);
    await one.clock.runFor(1500);
    assert.equal(await one.locator("#ending").isVisible(), false);
    await context.close();
  });

  test("signing out in one tab empties the others", async () => {
    const context = await chrome.newContext();
    const [one, two] = [await context.newPage(), await context.newPage()];
    await signIn(one, program, "ada");
    await two.goto(`${program.url}/settings/sessions`);
    assert.match(await two.locator("main").innerText(), /Signed-in devices/);
    await one.getByRole("button", { name: "Sign out" }).first().click();
    await one.waitForURL("**/login");
    await two.getByRole("link", { name: "Sign in again" }).waitFor();
    assert.equal(await two.locator("main").innerText(), "");
    await context.close();
  });
});
