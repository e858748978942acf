// Six stories of a family that shares its records: each person in a browser of their own, clicking what they read.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { addAccount, addPerson, axe, browser, fill, shot, signIn, start } from "./kinchart.mjs";

/** A day from today, as a form takes it. */
const day = (ahead) => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", { concurrency: false }, () => {
    const suffix = javaScriptEnabled ? "" : "-without-js";
    const people = { maria: "Maria Weber", rosa: "Rosa Weber", jonas: "Jonas Weber" };
    const pages = {};
    let program, chrome, maria, rosa, jonas, mia;

    before(async () => {
      program = await start();
      chrome = await browser();
      for (const [name, fullName] of Object.entries(people)) {
        await addAccount(program, name, fullName);
        pages[name] = await (await chrome.newContext({ javaScriptEnabled, viewport: { width: 1280, height: 900 } })).newPage();
        await signIn(pages[name], program, name);
      }
      ({ maria, rosa, jonas } = pages);
      mia = await addPerson(maria, program, "Mia", "Weber");
      await addRecord(maria, mia, "Allergies", "Add allergy", { allergen: "Hazelnut", reaction: "Hives", severity: "severe" });
      await addRecord(maria, mia, "Medications", "Add medication", { medication_name: "Cetirizine", dosage: "5 mg" });
    });
    after(async () => {
      await chrome?.close();
      await program?.stop();
    });

    /** A page that nobody has looked at with axe before. */
    const look = async (page, name) => {
      await shot(page, `story-${name}${suffix}`);
      if (javaScriptEnabled) assert.deepEqual(await axe(page), [], name);
      const { width, height } = page.viewportSize();
      for (const narrow of [width, 360]) {
        await page.setViewportSize({ width: narrow, height });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert.equal(over, 0, `${name} fits a window of ${narrow} px`);
      }
      await page.setViewportSize({ width, height });
    };
    const menu = (page) => page.getByRole("navigation", { name: /’s records$/ });
    const open = async (page, patient, link) => {
      await page.goto(program.url + patient);
      await menu(page).getByRole("link", { name: link }).first().click();
    };
    async function addRecord(page, patient, list, add, values) {
      await open(page, patient, list);
      await page.getByRole("main").getByRole("link", { name: add }).first().click();
      await page.waitForURL("**/new");
      await fill(page, values);
      await page.getByRole("button", { name: /^Save (?!and)/ }).click();
      await page.waitForURL(/\/[0-9a-f-]{36}$/);
    }
    /** Opens the invitation that waits, and leaves it open to be looked at. */
    const openInvitation = async (page, from) => {
      await page.goto(program.url + "/");
      await page.getByRole("link", { name: "Invitations" }).first().click();
      await page.getByRole("link", { name: `Look and answer (${from})` }).first().click();
      await page.getByRole("heading", { name: `${from} invites you` }).waitFor();
    };
    const accept = async (page) => {
      await page.getByRole("button", { name: "Accept" }).click();
      await page.waitForURL(/done=accepted/);
    };
    /** The answer to an address typed by hand. */
    const status = async (page, path) => (await page.goto(program.url + path)).status();

    test("a grandmother sees the allergies only, for some days", async () => {
      await open(maria, mia, "Who sees this");
      await look(maria, "share-form");
      await maria.getByLabel("User name or e-mail address").first().fill("rosa");
      await maria.getByLabel("Only what I tick").check();
      const exactly = maria.locator("summary", { hasText: "Exactly which records" });
      if (!(await exactly.evaluate((summary) => summary.parentElement.open))) await exactly.click();
      await maria.getByRole("group", { name: "Kinds of record" }).getByLabel("Allergies").check();
      // From tomorrow on, so that it begins by a change, and ends by itself two days later.
      await maria.getByLabel("From", { exact: true }).fill(day(1));
      await maria.getByLabel("Until, that day included").fill(day(2));
      await maria.getByLabel("A word to them").fill("For the weekend with you");
      await maria.getByRole("button", { name: "Invite", exact: true }).click();
      await maria.getByText("The invitation is made").waitFor();
      await look(maria, "invitation-sent");

      await openInvitation(rosa, "Maria Weber");
      const offer = await rosa.getByRole("main").innerText();
      assert.match(offer, /Mia Weber/);
      assert.match(offer, /Only allergies/);
      assert.match(offer, /from .+ until /);
      assert.match(offer, /For the weekend with you/);
      assert.equal(await status(rosa, mia), 404, "nothing is open before");
      await rosa.goBack();
      await look(rosa, "invitation-received");
      await accept(rosa);
      await look(rosa, "invitation-accepted");
      assert.equal(await status(rosa, mia), 404, "it begins tomorrow");

      await maria.reload();
      await maria.getByRole("link", { name: "Change (Rosa Weber)" }).click();
      await look(maria, "share-change");
      await maria.getByLabel("From", { exact: true }).fill("");
      await maria.getByRole("button", { name: "Save" }).click();
      await maria.waitForURL("**/sharing?done=changed");

      await rosa.goto(program.url + "/patients");
      await rosa.getByRole("link", { name: /Mia Weber/ }).first().click();
      await look(rosa, "home-of-a-part");
      const links = await menu(rosa).getByRole("link").allInnerTexts();
      assert.ok(links.some((link) => link.startsWith("Allergies")) && !links.some((link) => /Medications|Who sees|Import|Links for|Trash/.test(link)), links.join(", "));
      await menu(rosa).getByRole("link", { name: "Allergies" }).click();
      await rosa.getByRole("link", { name: "Hazelnut" }).click();
      const buttons = await rosa.getByRole("main").locator("button, a.button").allInnerTexts();
      assert.deepEqual(buttons, [], "nothing to change");
      const allergy = new URL(rosa.url()).pathname;
      assert.equal(await status(rosa, allergy + "/edit"), 403);
      assert.equal(await status(rosa, mia + "/allergies/new"), 403);
      assert.equal(await status(rosa, mia + "/medications"), 404);
      await rosa.goto(program.url + mia + "/timeline");
      assert.ok(!(await rosa.content()).includes("Cetirizine"));
      await rosa.getByRole("searchbox").first().fill("Cetirizine");
      await rosa.getByRole("searchbox").first().press("Enter");
      await rosa.waitForURL("**/search?**");
      assert.equal(await rosa.getByRole("link", { name: /Cetirizine/ }).count(), 0);
      await rosa.getByRole("searchbox").first().fill("Hazelnut");
      await rosa.getByRole("searchbox").first().press("Enter");
      await rosa.getByRole("link", { name: /Hazelnut/ }).waitFor();
    });

    test("a son keeps his father’s medications", async () => {
      const walter = await addPerson(maria, program, "Walter", "Weber");
      await addRecord(maria, walter, "Conditions", "Add condition", { diagnosis: "High blood pressure" });
      await open(maria, walter, "Who sees this");
      await maria.getByLabel("User name or e-mail address").first().fill("jonas");
      await maria.getByLabel("What may they do?").selectOption({ label: "May look and write" });
      await maria.getByRole("group", { name: "What can be seen?" }).getByLabel("Medications alone").check();
      await maria.getByRole("button", { name: "Invite", exact: true }).click();
      await openInvitation(jonas, "Maria Weber");
      assert.match(await jonas.getByRole("main").innerText(), /May look and write/);
      await accept(jonas);
      await jonas.goto(program.url + "/patients");
      await jonas.getByRole("link", { name: /Walter Weber/ }).first().click();
      await look(jonas, "home-to-write");
      await addRecord(jonas, walter, "Medications", "Add medication", { medication_name: "Ramipril", dosage: "2.5 mg" });
      assert.equal(await menu(jonas).getByRole("link", { name: "Conditions" }).count(), 0);
      for (const [path, expected] of [["/conditions", 404], ["/conditions/new", 404], ["/edit", 403], ["/sharing", 403], ["/looks", 403], ["/links", 403]]) {
        assert.equal(await status(jonas, walter + path), expected, path);
      }
      await open(maria, walter, "Medications");
      await maria.getByRole("link", { name: "Ramipril" }).click();
      assert.match(await maria.getByRole("main").innerText(), /Jonas Weber/, "who wrote it");
    });

    test("two parents keep three children", async () => {
      const children = [mia, await addPerson(maria, program, "Ben", "Weber"), await addPerson(maria, program, "Lea", "Weber")];
      for (const child of children) {
        await open(maria, child, "Who sees this");
        const offer = maria.locator("form[action$='/sharing/owner']");
        await offer.getByLabel("User name or e-mail address").fill("jonas");
        await offer.getByLabel("Own it together with me").check();
        await offer.getByRole("button", { name: "Offer it" }).click();
        await maria.waitForURL("**/sharing?done=invited");
        await openInvitation(jonas, "Maria Weber");
        assert.match(await jonas.getByRole("main").innerText(), /you own the records together/);
        await accept(jonas);
      }
      await look(maria, "ownership-offered");
      await maria.goto(program.url + "/sharing");
      await look(maria, "sharing");
      await maria.getByRole("link", { name: "Households" }).click();
      await look(maria, "household-alone");
      await maria.locator("summary", { hasText: "Invite somebody" }).click();
      await maria.getByLabel("User name or e-mail address").fill("jonas");
      await maria.getByLabel("Role", { exact: true }).selectOption({ label: "Keeper" });
      await maria.getByRole("button", { name: "Invite", exact: true }).click();
      await maria.waitForURL("**/household?done=invited");
      await openInvitation(jonas, "Maria Weber");
      await look(jonas, "household-offered");
      await accept(jonas);
      await maria.goto(program.url + "/household");
      await look(maria, "household");
      await maria.getByRole("link", { name: "Remove (Jonas Weber)" }).click();
      await look(maria, "household-leave");
      await maria.getByRole("link", { name: "Cancel" }).click();

      for (const [place, name] of ["Mia", "Ben", "Lea"].entries()) {
        await jonas.goto(program.url + "/patients");
        assert.ok(await jonas.getByRole("link", { name: new RegExp(`${name} Weber`) }).first().isVisible());
        await addRecord(jonas, children[place], "Vitals", "Add vitals", { weight: String(12 + place) });
      }
      await open(jonas, mia, "Who sees this");
      assert.match(await jonas.getByRole("main").innerText(), /Owned together by Maria Weber, Jonas Weber/);
      assert.ok(await jonas.getByText("Rosa Weber").first().isVisible(), "an owner sees all shares");
      await open(maria, mia, "Vitals");
      assert.ok(await maria.getByRole("cell", { name: /12/ }).first().isVisible());
    });

    test("an aunt shows what runs in the family", async () => {
      const own = await addPerson(rosa, program, "Rosa", "Weber");
      await addRelative(rosa, own, { name: "Heinrich Weber", relationship: "father" }, ["Bowel cancer", "52"]);
      await addRelative(rosa, own, { name: "Elfriede Vogt", relationship: "mother" }, ["Asthma", "9"]);
      await open(rosa, own, "Family tree");
      await look(rosa, "family-tree");
      await rosa.getByRole("link", { name: "Show relatives to somebody" }).click();
      await rosa.getByRole("button", { name: "Tick the father’s side" }).click();
      assert.ok(await rosa.getByLabel(/Heinrich Weber/).isChecked());
      assert.ok(!(await rosa.getByLabel(/Elfriede Vogt/).isChecked()));
      await look(rosa, "family-share");
      await rosa.getByLabel("User name or e-mail address").fill("maria");
      await rosa.getByLabel("A word to them").fill("Your grandfather");
      await rosa.getByRole("button", { name: "Invite", exact: true }).click();
      await rosa.waitForURL("**/invitations?done=invited");

      await openInvitation(maria, "Rosa Weber");
      const offer = await maria.getByRole("main").innerText();
      assert.ok(/Heinrich Weber/.test(offer) && !/Elfriede/.test(offer), offer);
      await look(maria, "family-offered");
      await accept(maria);
      await maria.goto(program.url + "/sharing");
      await maria.getByRole("link", { name: "Shared family history" }).click();
      const shown = await maria.getByRole("main").innerText();
      assert.ok(/Bowel cancer, at 52/.test(shown) && /Your grandfather/.test(shown) && !/Elfriede|Asthma/.test(shown), shown);
      await look(maria, "family-received");
      await maria.getByRole("link", { name: "Take over Heinrich Weber" }).click();
      await look(maria, "family-take");
      await maria.getByLabel("Into whose family history").selectOption({ label: "Mia Weber" });
      await maria.getByLabel("Who this is in that family").selectOption({ label: "grandfather, mother’s side" });
      await maria.getByRole("button", { name: "Take over" }).click();
      await maria.waitForURL(/family-members\/[0-9a-f-]{36}$/);
      const taken = await maria.getByRole("main").innerText();
      assert.ok(/Heinrich Weber/.test(taken) && /Rosa Weber/.test(taken), `the source is named: ${taken}`);
    });

    async function addRelative(page, patient, values, [condition, age]) {
      await open(page, patient, "Family history");
      await page.getByRole("main").getByRole("link", { name: "Add relative" }).first().click();
      await page.waitForURL("**/new");
      await fill(page, values);
      const row = page.getByRole("group").filter({ has: page.locator("[name='family_conditions.0.condition_name']") }).last();
      await row.locator("[name='family_conditions.0.condition_name']").fill(condition);
      await row.locator("[name='family_conditions.0.diagnosis_age']").fill(age);
      await page.getByRole("button", { name: /^Save (?!and)/ }).click();
      await page.waitForURL(/\/[0-9a-f-]{36}$/);
    }

    test("a doctor without an account reads for an hour", async () => {
      const doctor = await (await chrome.newContext({ javaScriptEnabled, viewport: { width: 360, height: 740 } })).newPage();
      await open(maria, mia, "Links for professionals");
      await maria.getByLabel("How long?").selectOption({ label: "1 hour" });
      await maria.getByLabel("For whom?").fill("Dr. Lind");
      await maria.getByRole("button", { name: "Make link" }).click();
      const address = await maria.getByLabel("Address").first().inputValue();
      const passcode = await maria.locator("#made-passcode").inputValue();
      await doctor.goto(address);
      await doctor.getByLabel("Passcode").fill(passcode);
      await doctor.getByRole("button", { name: "Open the record" }).click();
      await doctor.getByRole("heading", { name: "Mia Weber" }).waitFor();
      const summary = await doctor.getByRole("main").innerText();
      assert.ok(/Hazelnut/.test(summary) && /Heinrich Weber/.test(summary), summary);
      await look(doctor, "summary-on-a-phone");

      await maria.goto(program.url + mia + "/links");
      assert.ok(await maria.getByText("opened once").isVisible());
      await look(maria, "link-opened");
      await maria.getByRole("button", { name: "Withdraw the link for Dr. Lind" }).click();
      await doctor.reload();
      await doctor.getByRole("heading", { name: /opens nothing/ }).waitFor();
      await doctor.goto(address);
      assert.ok(await doctor.getByRole("heading", { name: /opens nothing/ }).isVisible());
      await doctor.context().close();
    });

    test("the owner reads who looked", async () => {
      await open(maria, mia, "Who looked");
      const main = maria.getByRole("main");
      await look(maria, "who-looked");
      for (const line of ["Rosa Weber looked at the allergy: Hazelnut", "Somebody with the link “Dr. Lind” read the summary", "Maria Weber withdrew a link: Dr. Lind", "Maria Weber shared the record with somebody: Rosa Weber", "Jonas Weber became an owner"]) {
        assert.ok((await main.innerText()).replace(/\s+/g, " ").includes(line), `${line} is not in ${await main.innerText()}`);
      }
      const show = async (label, option) => {
        await maria.getByLabel(label, { exact: true }).selectOption({ label: option });
        // With JavaScript a choice is shown at once.
        if (!javaScriptEnabled) await main.getByRole("button", { name: "Show" }).click();
      };
      await show("Who", "Rosa Weber");
      await maria.waitForURL(/who=/);
      assert.ok(await main.getByText("looked at the allergy").first().isVisible());
      assert.equal(await main.locator("li").getByText("Dr. Lind").count(), 0);
      const waiting = maria.waitForEvent("download");
      await main.getByRole("link", { name: "CSV" }).click();
      const download = await waiting;
      assert.match(download.suggestedFilename(), /who-looked.*\.csv$/);
      const file = await readFile(await download.path(), "utf8");
      assert.ok(file.includes("Rosa Weber,false,read,looked at the allergy") && !file.includes("Dr. Lind") && !file.includes("Hazelnut"), file);
      await main.getByRole("link", { name: "Show all" }).click();
      await show("What", "Links");
      await maria.waitForURL(/what=link/);
      assert.ok(await main.getByText("opened the link").isVisible());
      assert.equal(await main.getByText("looked at the allergy").count(), 0);
    });
  });
}
