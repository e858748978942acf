// The second factor in a real browser: an app's codes computed here, passkeys by Chromium's virtual authenticator.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { PASSWORD, addAccount, addPerson, axe, browser, fill, setUp, shot, start } from "./kinchart.mjs";

/** RFC 6238, as an app does it. */
function codeOf(secret, at = Date.now()) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const place = mac[19] & 15;
  return String((mac.readUInt32BE(place) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A device with keys: one that asks for a finger, which is there or not. */
async function device(page, options = {}) {
  const debug = await page.context().newCDPSession(page);
  await debug.send("WebAuthn.enable", { enableUI: false });
  const { authenticatorId } = await debug.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, ...options },
  });
  return {
    keys: async () => (await debug.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
    verifies: (isUserVerified) => debug.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    give: (credential) => debug.send("WebAuthn.addCredential", { authenticatorId, credential }),
    forget: () => debug.send("WebAuthn.clearCredentials", { authenticatorId }),
  };
}

async function signInWithPassword(page, program, name, path = "/login") {
  await page.goto(program.url + path);
  await fill(page, { username: name, password: PASSWORD });
  await page.locator("form[action='/login'] button.main").click();
}
const signOut = (page) => page.locator("form[action='/logout'] button").click();
const path = (page) => new URL(page.url()).pathname;
const confirmWithPassword = async (page) => {
  await page.locator("[name=current_password]").first().fill(PASSWORD);
  await page.locator("form[action='/confirm'] button.main").click();
};

describe("second factor", { concurrency: false }, () => {
  let program, chrome, page, keys, codes, secret;
  before(async () => {
    program = await start();
    chrome = await browser();
    page = await (await chrome.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    await setUp(page, program);
    keys = await device(page);
  });
  after(async () => {
    await chrome?.close();
    await program?.stop();
  });

  test("a passkey is made, and recovery codes with the first one", async () => {
    await page.goto(program.url + "/settings/factors");
    await shot(page, "factors-none");
    assert.deepEqual(await axe(page), []);
    await page.getByLabel("Name for it").fill("My phone");
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByRole("heading", { name: "Recovery codes" }).waitFor();
    codes = await page.locator("ol.codes li").allTextContents();
    assert.equal(codes.length, 10);
    assert.match(codes[0], /^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}$/);
    await shot(page, "factors-codes");
    assert.deepEqual(await axe(page), []);
    assert.equal((await keys.keys()).length, 1);
    assert.ok((await keys.keys())[0].isResidentCredential);
    await page.getByRole("link", { name: "I keep them" }).click();
    assert.ok(await page.getByText("My phone", { exact: true }).isVisible());
    assert.ok(await page.getByText("10 left").isVisible());
  });

  test("the same device is not taken twice", async () => {
    await page.getByLabel("Name for it").fill("Again");
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByText("has a passkey for your account already").waitFor();
  });

  test("the passkey alone signs in", async () => {
    await signOut(page);
    await page.goto(program.url + "/login?next=/tags");
    await shot(page, "factors-login");
    assert.deepEqual(await axe(page), []);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.waitForURL("**/tags");
  });

  test("after a password, the passkey is the second step", async () => {
    await signOut(page);
    await signInWithPassword(page, program, "ada", "/login?next=/tags");
    await page.waitForURL("**/login/second?next=%2Ftags");
    await shot(page, "factors-second");
    assert.deepEqual(await axe(page), []);
    await page.goto(program.url + "/patients");
    assert.equal(path(page), "/login", "nothing is open yet");
    await page.goto(program.url + "/login/second?next=%2Ftags");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await page.waitForURL("**/tags");
  });

  test("without finger, face or PIN it opens nothing", async () => {
    await signOut(page);
    await keys.verifies(false);
    await page.goto(program.url + "/login");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("That did not work").waitFor();
    assert.equal(path(page), "/login");
    // And a browser that claims to have asked: the answer is signed, and says that nobody was verified.
    const status = await page.evaluate(async () => {
      const { challenge, options } = await (await fetch("/login/passkey/challenge", { method: "POST" })).json();
      options.publicKey.userVerification = "discouraged";
      const credential = await navigator.credentials.get(readable(options));
      const flags = new Uint8Array(credential.response.authenticatorData)[32];
      const body = new URLSearchParams({ challenge, credential: written(credential) });
      return [(await fetch("/login/passkey", { method: "POST", body })).status, flags & 4];
    });
    assert.deepEqual(status, [422, 0]);
    await keys.verifies(true);
  });

  test("an answer is good once", async () => {
    await page.goto(program.url + "/login");
    const statuses = await page.evaluate(async () => {
      const { challenge, options } = await (await fetch("/login/passkey/challenge", { method: "POST" })).json();
      const credential = written(await navigator.credentials.get(readable(options)));
      const send = async () => (await fetch("/login/passkey", { method: "POST", redirect: "manual", body: new URLSearchParams({ challenge, credential }) })).type;
      return [await send(), await send()];
    });
    assert.deepEqual(statuses, ["opaqueredirect", "basic"]);
  });

  test("an app is set up with the code it shows", async () => {
    await page.goto(program.url + "/settings/factors");
    await page.getByRole("button", { name: "Set up an app" }).click();
    await page.locator("svg.qr").waitFor();
    assert.deepEqual(await axe(page), []);
    secret = await page.locator("#secret").inputValue();
    await shot(page, "factors-app");
    await page.setViewportSize({ width: 360, height: 740 });
    await shot(page, "factors-app-360");
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, "fits a phone");
    await page.getByLabel("The code that the app shows now").fill("000000");
    await page.getByRole("button", { name: "Turn it on" }).click();
    await page.getByText("does not fit").first().waitFor();
    await page.getByLabel("The code that the app shows now").fill(codeOf(secret));
    await page.getByRole("button", { name: "Turn it on" }).click();
    await page.waitForURL("**/settings/factors?done=saved");
    await shot(page, "factors-all-360");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, "fits a phone");
    await page.setViewportSize({ width: 1280, height: 900 });
    await shot(page, "factors-all");
    assert.deepEqual(await axe(page), []);
  });

  test("the app's next code signs in", async () => {
    await signOut(page);
    await signInWithPassword(page, program, "ada");
    await page.waitForURL("**/login/second");
    await shot(page, "factors-second-both");
    // The code that set it up is used; the one of the step to come is taken already.
    await page.getByLabel("Code from your app").fill(codeOf(secret, Date.now() + 30_000));
    await page.locator("form:has([name=factor_code]) button.main").click();
    await page.waitForURL((url) => !url.pathname.startsWith("/login"));
  });

  test("a recovery code signs in once, without JavaScript too", async () => {
    const plain = await (await chrome.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 740 } })).newPage();
    for (const works of [true, false]) {
      await plain.context().clearCookies();
      await signInWithPassword(plain, program, "ada");
      await plain.waitForURL("**/login/second");
      assert.ok(await plain.getByText("Passkeys need JavaScript").isVisible());
      await plain.getByText("I do not have it at hand").click();
      await shot(plain, "factors-recovery-360");
      await plain.getByLabel("A recovery code").fill(codes[0].toLowerCase());
      await plain.locator("form:has([name=recovery_code]) button").click();
      if (works) await plain.waitForURL((url) => !url.pathname.startsWith("/login"));
      else await plain.getByText("used already").first().waitFor();
    }
    await plain.context().close();
  });

  test("a removed passkey opens nothing", async () => {
    const kept = await keys.keys();
    await page.goto(program.url + "/settings/factors");
    await page.getByRole("button", { name: "Remove the passkey My phone" }).click();
    await page.waitForURL("**/settings/factors?done=removed");
    assert.equal((await keys.keys()).length, kept.length, "the device does not know");
    await signOut(page);
    await page.goto(program.url + "/login");
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("The passkey was not accepted").waitFor();
    assert.equal(path(page), "/login/passkey");
    await page.goto(program.url + "/patients");
    assert.equal(path(page), "/login");
  });

  test("the operator takes a lost factor away, and the person is told", async () => {
    await program.run(["user", "reset-factors", "ada"], "");
    await signInWithPassword(page, program, "ada");
    await page.waitForURL((url) => !url.pathname.startsWith("/login"));
    assert.ok(await page.getByText("Your second factors were taken away").isVisible());
    await shot(page, "factors-told");
    assert.deepEqual(await axe(page), []);
    await page.getByRole("button", { name: "I know" }).click();
    assert.equal(await page.getByText("Your second factors were taken away").count(), 0);
  });

  test("an old session confirms before it makes a token, and the form is kept", async () => {
    await addAccount(program, "bea", "Bea Old");
    const old = await (await chrome.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    await signInWithPassword(old, program, "bea");
    await old.waitForURL((url) => !url.pathname.startsWith("/login"));
    await program.age(11);
    await old.goto(program.url + "/settings/tokens");
    await fill(old, { name: "Scale & more" });
    await old.getByRole("button", { name: "Make a token" }).click();
    await old.getByRole("heading", { name: "Is it you?" }).waitFor();
    await shot(old, "factors-confirm");
    assert.deepEqual(await axe(old), []);
    await confirmWithPassword(old);
    await old.getByRole("button", { name: "Go on" }).click();
    await old.getByRole("heading", { name: "The token is made" }).waitFor();
    assert.ok(await old.getByText("Scale & more").first().isVisible());
    // With a passkey, that alone is the proof.
    await device(old);
    await old.goto(program.url + "/settings/factors");
    await old.getByLabel("Name for it").fill("Laptop");
    await old.getByRole("button", { name: "Add a passkey" }).click();
    await old.getByRole("link", { name: "I keep them" }).click();
    await program.age(11);
    const person = await addPerson(old, program);
    await old.goto(program.url + person + "/edit");
    await old.locator(`form[action$='/delete'] button`).click();
    await old.getByRole("heading", { name: "Is it you?" }).waitFor();
    await shot(old, "factors-confirm-passkey");
    assert.deepEqual(await axe(old), []);
    await old.getByRole("button", { name: "Use a passkey" }).click();
    await old.getByRole("button", { name: "Go on" }).click();
    await old.waitForURL("**/patients/trash");
    // Adding a key by script comes here, too.
    await program.age(11);
    await old.goto(program.url + "/settings/factors");
    await old.getByLabel("Name for it").fill("Second");
    await old.getByRole("button", { name: "Add a passkey" }).click();
    await old.waitForURL("**/confirm?next=%2Fsettings%2Ffactors");
    await old.getByRole("button", { name: "Use a passkey" }).click();
    await old.waitForURL("**/settings/factors");
    await old.context().close();
  });

  test("the pages fit a dark phone", async () => {
    const dark = await (await chrome.newContext({ colorScheme: "dark", viewport: { width: 360, height: 740 } })).newPage();
    await addAccount(program, "cleo", "Cleo Dark");
    await signInWithPassword(dark, program, "cleo");
    await dark.waitForURL((url) => !url.pathname.startsWith("/login"));
    await dark.goto(program.url + "/settings/factors");
    assert.deepEqual(await axe(dark), []);
    await shot(dark, "factors-none-dark-360");
    await dark.getByRole("button", { name: "Set up an app" }).click();
    await dark.locator("svg.qr").waitFor();
    await shot(dark, "factors-app-dark-360");
    assert.deepEqual(await axe(dark), []);
    await dark.context().close();
  });
});
