// A link for a professional, from its making to its end: one browser makes it, another one without an account opens it.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { addPerson, axe, browser, fill, setUp, shot, start } from "./kinchart.mjs";

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", { concurrency: false }, () => {
    const suffix = javaScriptEnabled ? "" : "-without-js";
    let program, chrome, page, patient, address, passcode, visitor;
    before(async () => {
      program = await start();
      chrome = await browser();
      page = await (await chrome.newContext({ javaScriptEnabled, viewport: { width: 1280, height: 900 } })).newPage();
      visitor = await (await chrome.newContext({ javaScriptEnabled, viewport: { width: 360, height: 740 } })).newPage();
      await setUp(page, program);
      patient = await addPerson(page, program);
    });
    after(async () => {
      await chrome?.close();
      await program?.stop();
    });

    test("two clicks make it", async () => {
      await page.goto(program.url + patient);
      await page.getByRole("link", { name: "Links for professionals" }).click();
      await page.getByRole("button", { name: "Make link" }).click();
      address = await page.getByLabel("Address").first().inputValue();
      passcode = await page.locator("#made-passcode").inputValue();
      assert.match(passcode, /^[a-z2-9]{4}-[a-z2-9]{4}$/);
      await shot(page, "link-made" + suffix);
      if (javaScriptEnabled) assert.deepEqual(await axe(page), []);
    });

    test("a doctor opens it on a phone", async () => {
      await visitor.goto(address);
      assert.ok(!(await visitor.content()).includes("Hopper"), "no name before the passcode");
      if (javaScriptEnabled) assert.deepEqual(await axe(visitor), []);
      await fill(visitor, { passcode: "not-this-one" });
      await visitor.getByRole("button", { name: "Open the record" }).click();
      assert.ok(await visitor.getByText("4 more tries").isVisible());
      await shot(visitor, "link-door" + suffix);
      await fill(visitor, { passcode: passcode.toUpperCase() });
      await visitor.getByRole("button", { name: "Open the record" }).click();
      await visitor.waitForURL("**/summary");
      assert.ok(await visitor.getByRole("heading", { name: "Grace Hopper" }).isVisible());
      const over = await visitor.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(over, 0, "fits a phone");
      if (javaScriptEnabled) assert.deepEqual(await axe(visitor), []);
      await shot(visitor, "link-summary" + suffix);
    });

    test("clicking the link in a mail again comes back to the visit", async () => {
      const mail = await visitor.context().newPage();
      await mail.route("https://mail.example.org/", (route) => route.fulfill({ contentType: "text/html", body: `<a href="${address}">link</a>` }));
      await mail.goto("https://mail.example.org/");
      await mail.getByRole("link").click();
      await mail.waitForURL("**/summary");
      await mail.close();
    });

    test("the owner sees it and ends it at once", async () => {
      await page.goto(program.url + patient + "/looks");
      assert.ok(await page.getByText("read the summary").first().isVisible());
      assert.ok(await page.getByText("gave a wrong passcode").isVisible());
      if (javaScriptEnabled) assert.deepEqual(await axe(page), []);
      await shot(page, "looks" + suffix);
      await page.goto(program.url + patient + "/links");
      await page.getByRole("button", { name: /^Withdraw/ }).click();
      await visitor.goto(address + "/summary");
      assert.ok(await visitor.getByRole("heading", { name: /opens nothing/ }).isVisible());
    });
  });
}
