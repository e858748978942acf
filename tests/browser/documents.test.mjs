// Documents in a real browser, with JavaScript and without: with a record, dropped, filed, found by their words; and the key they are kept under.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { addPerson, browser, fill, keepKey, setUp, shot, start } from "./kinchart.mjs";

const letter = (name, words) => ({ name, mimeType: "text/plain", buffer: Buffer.from(words) });

for (const javaScriptEnabled of [true, false]) {
  const suffix = javaScriptEnabled ? "" : "-without-js";
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", { concurrency: false }, () => {
    let program, chrome, page, patient;
    before(async () => {
      program = await start();
      chrome = await browser();
      const context = await chrome.newContext({ javaScriptEnabled, viewport: { width: 1280, height: 900 } });
      page = await context.newPage();
      await setUp(page, program);
    });
    after(async () => {
      await chrome?.close();
      await program?.stop();
    });

    test("the first thing after the setup is the key, and a reminder stays until a copy is kept", async () => {
      assert.equal(new URL(page.url()).pathname, "/settings/key");
      assert.ok((await page.locator(".secret span").allTextContents()).join("").length >= 40);
      await shot(page, "key" + suffix);
      await page.goto(program.url + "/patients");
      assert.equal(await page.locator(".reminder").count(), 1);
      await keepKey(page, program);
      await page.goto(program.url + "/patients");
      assert.equal(await page.locator(".reminder").count(), 0);
      patient = await addPerson(page, program);
    });

    test("a record is saved with its documents, and what is wrong loses none", async () => {
      await page.goto(`${program.url}${patient}/medications/new`);
      await fill(page, { dosage: "500 mg" });
      await page.setInputFiles("#f-file", [letter("plan.txt", "Take it with the zanzibar soup."), letter("other.txt", "Nothing.")]);
      await page.locator("main form.record .actions button.main").click();
      await page.locator("#summary").waitFor();
      assert.equal(await page.locator("[name=dosage]").inputValue(), "500 mg");
      assert.equal(await page.locator(".held li").count(), 2, "both are held on to");
      await shot(page, "record-with-documents" + suffix);
      await page.locator(".held li", { hasText: "other.txt" }).locator("input").check();
      await fill(page, { medication_name: "Metformin" });
      await page.locator("main form.record .actions button.main").click();
      await page.waitForURL(/medications\/[0-9a-f-]{36}$/);
      assert.equal(await page.getByRole("link", { name: "plan.txt" }).count(), 1);
      assert.equal(await page.getByRole("link", { name: "other.txt" }).count(), 0, "it was left out");
    });

    test("what is inside is found", async () => {
      const line = page.locator("main", { hasText: "zanzibar soup" });
      for (let tries = 0; tries < 60; tries++) {
        await page.goto(`${program.url}/search?q=zanzibar`);
        if (await line.count()) break;
        // What is inside is read in the background.
        await page.waitForTimeout(500);
      }
      assert.equal(await line.count(), 1, "the line stands there");
      await shot(page, "search-inside" + suffix);
    });

    test("the inbox: drop first, file later", async () => {
      await page.goto(program.url + "/inbox");
      await page.setInputFiles("#f-file", [letter("scan.txt", "A scan."), letter("card.txt", "A card.")]);
      await page.locator("form.upload button.main").click();
      await page.getByRole("link", { name: "scan.txt" }).first().waitFor();
      await shot(page, "inbox" + suffix);
      await page.getByRole("link", { name: "scan.txt" }).first().click();
      await page.locator("a[href^='/inbox/file']").first().click();
      await shot(page, "inbox-file" + suffix);
      assert.ok(await page.getByText("Grace").count(), "she can be chosen");
    });

    if (javaScriptEnabled) {
      test("documents are dropped on the form", async () => {
        await page.goto(`${program.url}${patient}/files`);
        const data = await page.evaluateHandle(() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["Dropped."], "dropped.txt", { type: "text/plain" }));
          return transfer;
        });
        await page.dispatchEvent("form.upload", "drop", { dataTransfer: data });
        assert.equal(await page.locator("#f-file").evaluate((input) => input.files[0].name), "dropped.txt");
        await page.locator("form.upload button.main").click();
        await page.getByRole("link", { name: "dropped.txt" }).first().waitFor();
      });
    }
  });
}
