// Sign-in by way of an OpenID provider: npm's oidc-provider, which is certified, on this machine, and a real browser between the two.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import Provider from "oidc-provider";
import { PASSWORD, addAccount, axe, browser, fill, setUp, shot, start } from "./kinchart.mjs";

const CLIENT = { id: "kinchart", secret: "a secret with blanks & signs" };

/** A key of its own for every start, as after a rotation. */
const key = () => ({ ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" });

/** The token with other claims or another header, signed with that key; without one, the old signature stays. */
function forged(token, { claims = {}, header = {}, by }) {
  const [head, body, signature] = token.split(".");
  const changed = (part, more) => Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(part, "base64url")), ...more })).toString("base64url");
  const input = `${changed(head, header)}.${changed(body, claims)}`;
  return `${input}.${by === undefined ? signature : by && sign("sha256", Buffer.from(input), createPrivateKey({ key: by, format: "jwk" })).toString("base64url")}`;
}

/** Its keys are read anew once a minute at most: within it a wrong signature is one of a key that is not known. */
const UNSIGNED = /signature of its token is wrong|signed with a key that is not its own/;

/** What somebody between the two, or a provider gone bad, could make of a token: what Kinchart says of it. */
const FORGERIES = {
  "another nonce": [(token, by) => forged(token, { claims: { nonce: "another" }, by }), /token belongs to another sign-in/],
  "another audience": [(token, by) => forged(token, { claims: { aud: "another" }, by }), /token was made for somebody else/],
  "another issuer": [(token, by) => forged(token, { claims: { iss: "http://127.0.0.9:18220" }, by }), /answer is another provider's/],
  "an expired one": [(token, by) => forged(token, { claims: { iat: seconds() - 7200, exp: seconds() - 3600 }, by }), /token is too old/],
  "one of the future": [(token, by) => forged(token, { claims: { iat: seconds() + 3600, exp: seconds() + 7200 }, by }), /token is not valid yet/],
  "another subject under the old signature": [(token) => forged(token, { claims: { sub: "ann" } }), UNSIGNED],
  "another signature": [(token) => token.slice(0, -20) + (token.at(-20) === "A" ? "B" : "A") + token.slice(-19), UNSIGNED],
  "a key of one's own": [(token) => forged(token, { by: key() }), UNSIGNED],
  "no algorithm": [(token) => forged(token, { header: { alg: "none", kid: undefined }, by: "" }), /not signed in a way that is believed/],
};
const seconds = () => Math.floor(Date.now() / 1000);

/** A provider at this address who knows these people: by name, what it says of them. Whoever names themself there is believed. */
async function provider(host, port, kinchart, people) {
  const issuer = `http://${host}:${port}`;
  let server;
  const made = { issuer, people, forge: null };
  made.open = async () => {
    const own = key();
    const oidc = new Provider(issuer, {
      clients: [{
        client_id: CLIENT.id, client_secret: CLIENT.secret, grant_types: ["authorization_code"], response_types: ["code"],
        redirect_uris: [`${kinchart}/login/provider/callback`], post_logout_redirect_uris: [`${kinchart}/login/provider/out`],
      }],
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username", "updated_at"], groups: ["groups"] },
      scopes: ["openid", "email", "profile", "groups"],
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, updated_at: 1700000000, ...people[id] }) }),
      pkce: { required: () => true },
      cookies: { keys: [randomUUID()] },
      jwks: { keys: [own] },
      features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    });
    oidc.use(async (context, next) => {
      await next();
      if (made.forge && context.body?.id_token) context.body.id_token = made.forge(context.body.id_token, own);
    });
    server = await new Promise((resolve) => { const listening = oidc.listen(port, host, () => resolve(listening)); });
  };
  made.close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); });
  made.restart = async () => { await made.close(); await made.open(); };
  await made.open();
  return made;
}

/** What the sign-in at the provider looks like: a name, a password, and a yes. */
async function atProvider(page, name) {
  await page.locator("input[name=login]").fill(name);
  await page.locator("input[name=password]").fill("anything");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}

const settings = (at, more = {}) => ({
  KINCHART_OIDC_ISSUER: at, KINCHART_OIDC_CLIENT_ID: CLIENT.id, KINCHART_OIDC_CLIENT_SECRET: CLIENT.secret,
  KINCHART_OIDC_NAME: "Home ID", KINCHART_OIDC_SIGNUP: "open", ...more,
});

for (const javaScriptEnabled of [true, false]) {
  describe(javaScriptEnabled ? "with JavaScript" : "without JavaScript", { concurrency: false }, () => {
    const suffix = javaScriptEnabled ? "" : "-without-js";
    const people = {
      mia: { email: "mia@example.org", email_verified: true, name: "Mia Weber", preferred_username: "mia", groups: ["family"] },
      pia: { email: "pia@example.org", email_verified: true, name: "Pia Weber", preferred_username: "pia" },
      ann: { email: "ann@example.org", email_verified: true, name: "Ann Weber", preferred_username: "ann" },
      eve: { email: "ann@example.org", email_verified: false, name: "Eve Other", preferred_username: "ann" },
    };
    let program, chrome, home;

    const fresh = async (viewport = { width: 1280, height: 900 }) => {
      const context = await chrome.newContext({ javaScriptEnabled, viewport });
      // The provider's pages would load a font from elsewhere.
      await context.route((url) => !/^(localhost|127\.0\.0\.\d+)$/.test(url.hostname), (route) => route.abort());
      return context.newPage();
    };
    const setOut = async (page) => {
      await page.goto(program.url + "/login");
      await page.getByRole("button", { name: "Sign in with Home ID" }).click();
    };
    const isIn = async (page, name) => {
      await page.waitForURL((url) => url.origin === program.url && !url.pathname.startsWith("/login"));
      assert.ok(await page.getByRole("link", { name }).isVisible(), name);
    };
    const look = async (page, name) => {
      if (javaScriptEnabled) assert.deepEqual(await axe(page), [], name);
      const before = page.viewportSize();
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, `${name} fits ${width}`);
        await shot(page, `oidc-${name}-${width}${suffix}`);
      }
      await page.setViewportSize(before);
    };

    before(async () => {
      chrome = await browser();
      program = await start();
      const setup = await fresh();
      await setUp(setup, program);
      await addAccount(program, "ann", "Ann Weber");
      await program.stop(true);
      home = await provider("127.0.0.1", 18220, program.url, people);
      program = await start(settings(home.issuer), program);
    });
    after(async () => {
      await chrome?.close();
      await program?.stop();
      await home?.close();
    });

    test("the first sign-in makes an account, the second finds it", async () => {
      const page = await fresh();
      await page.goto(program.url + "/login");
      await look(page, "login");
      await setOut(page);
      await page.waitForURL((url) => url.origin === home.issuer);
      await atProvider(page, "mia");
      await isIn(page, "Mia Weber");
      await page.goto(program.url + "/settings/providers");
      assert.ok(await page.getByText("mia@example.org").isVisible());
      await look(page, "providers");
      const again = await fresh();
      await setOut(again);
      await atProvider(again, "mia");
      await isIn(again, "Mia Weber");
      assert.equal((await program.ask(["user", "list"])).match(/^mia\t/gm).length, 1);
    });

    test("who has nothing but the provider proves there who is here, and sets a password", async () => {
      const page = await fresh();
      await setOut(page);
      await atProvider(page, "pia");
      await isIn(page, "Pia Weber");
      await page.goto(program.url + "/settings/tokens");
      await fill(page, { name: "scale in the bathroom" });
      await program.age(11);
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByText("neither a password nor a second factor here").waitFor();
      await look(page, "proof");
      await page.getByRole("button", { name: "Go on with Home ID" }).click();
      // Signed in there already, and asked all the same; once.
      await page.waitForURL((url) => url.origin === home.issuer);
      await page.locator("input[name=login]").fill("pia");
      await page.locator("input[name=password]").fill("anything");
      await page.getByRole("button", { name: "Sign-in" }).click();
      await page.getByText("What you were sending is still here").waitFor();
      await look(page, "proved");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByText("scale in the bathroom").first().waitFor();
      await page.goto(program.url + "/settings/password");
      assert.equal(await page.locator("[name=current_password]").count(), 0);
      await look(page, "first-password");
      await fill(page, { password: PASSWORD, password_again: PASSWORD });
      await page.getByRole("button", { name: "Set the password" }).click();
      await page.locator("[name=current_password]").waitFor();
    });

    test("an existing account is linked with its password, and not without", async () => {
      const page = await fresh({ width: 360, height: 740 });
      await setOut(page);
      await atProvider(page, "ann");
      await page.waitForURL(program.url + "/login/link");
      assert.ok(await page.getByText("An account here has that address").isVisible());
      await look(page, "link");
      await fill(page, { current_password: "wrong password" });
      await page.getByRole("button", { name: "Connect it with Home ID" }).click();
      assert.ok(await page.getByText("not your current password").first().isVisible());
      await fill(page, { current_password: PASSWORD });
      await page.getByRole("button", { name: "Connect it with Home ID" }).click();
      await isIn(page, "Ann Weber");
      const again = await fresh();
      await setOut(again);
      await atProvider(again, "ann");
      await isIn(again, "Ann Weber");
    });

    test("an address that is not verified links nothing", async () => {
      const page = await fresh();
      await setOut(page);
      await atProvider(page, "eve");
      await isIn(page, "Eve Other");
      await page.goto(program.url + "/settings");
      assert.ok(!(await page.content()).includes("ann@example.org"));
      assert.match(await program.ask(["user", "list"]), /^ann2\t-\t/m);
    });

    test("signing out here signs out there", async () => {
      const page = await fresh();
      await setOut(page);
      await atProvider(page, "mia");
      await isIn(page, "Mia Weber");
      // While the provider remembers them, nobody is asked there.
      await page.context().clearCookies({ name: "kinchart" });
      await setOut(page);
      await isIn(page, "Mia Weber");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "Yes, sign me out" }).click();
      await page.waitForURL((url) => url.origin === program.url);
      assert.ok(await page.getByText("signed out here and at Home ID").isVisible());
      await look(page, "signed-out");
      await setOut(page);
      await page.locator("input[name=login]").waitFor();
    });

    test("who signs out here and stays there is out here", async () => {
      const page = await fresh();
      await setOut(page);
      await atProvider(page, "mia");
      await isIn(page, "Mia Weber");
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("button", { name: "No, stay signed in" }).click();
      await page.goto(program.url + "/settings");
      await page.waitForURL(/\/login/);
    });

    test("a restart of the provider in the middle, with other keys", async () => {
      const page = await fresh();
      await setOut(page);
      await page.waitForURL((url) => url.origin === home.issuer);
      await home.restart();
      await page.locator("input[name=login]").fill("mia");
      await page.locator("input[name=password]").fill("anything");
      await page.getByRole("button", { name: "Sign-in" }).click();
      // It has forgotten; whoever begins anew gets in, signed with a key that Kinchart has not seen.
      await setOut(page);
      await atProvider(page, "mia");
      await isIn(page, "Mia Weber");
    });

    test("a restart between the code and its use is told, and nobody is in", async () => {
      const page = await fresh();
      await setOut(page);
      await page.waitForURL((url) => url.origin === home.issuer);
      // Kinchart holds its breath while the browser comes back with a code.
      process.kill(program.pid, "SIGSTOP");
      try {
        const comes = page.waitForRequest((request) => request.url().includes("/login/provider/callback"));
        atProvider(page, "mia").catch(() => {});
        await comes;
        await home.restart();
      } finally {
        process.kill(program.pid, "SIGCONT");
      }
      await page.waitForURL((url) => url.pathname === "/login/provider/callback");
      assert.ok(await page.getByText("took too long").isVisible());
      await look(page, "refused");
      await page.goto(program.url + "/settings");
      await page.waitForURL(/\/login/);
    });

    test("a start of Kinchart reads the provider's keys anew", async () => {
      await program.stop(true);
      program = await start(settings(home.issuer), program);
      const page = await fresh();
      await setOut(page);
      await atProvider(page, "mia");
      await isIn(page, "Mia Weber");
    });

    for (const [name, [forge, told]] of Object.entries(FORGERIES)) {
      test(`with ${name} nobody is in`, async () => {
        const page = await fresh();
        home.forge = forge;
        try {
          await setOut(page);
          await atProvider(page, "mia");
          await page.waitForURL((url) => url.pathname === "/login/provider/callback");
        } finally {
          home.forge = null;
        }
        assert.ok(await page.getByText("No sign-in with Home ID").first().isVisible());
        assert.match(await page.locator("main").innerText(), told);
        await page.goto(program.url + "/settings");
        await page.waitForURL(/\/login/);
      });
    }

    test("while it is down there is a page, and passwords go on", async () => {
      const page = await fresh();
      await home.close();
      // What is known of it is an hour old at most, so the browser finds nobody there.
      await setOut(page).catch(() => {});
      const local = await fresh();
      await local.goto(program.url + "/login");
      await fill(local, { username: "ann", password: PASSWORD });
      await local.locator("form[action='/login'] button").click();
      await isIn(local, "Ann Weber");
      await program.stop(true);
      program = await start(settings(home.issuer), program);
      const later = await fresh();
      await setOut(later);
      assert.ok(await later.getByText("Home ID cannot be reached").isVisible());
      await look(later, "unavailable");
      await assert.rejects(program.ask(["check"]), /OpenID provider/);
      await home.open();
      assert.match(await program.ask(["check"]), /answers as it should\.\nIt knows this installation\./);
    });

    test("the same address at another issuer is not the same person", async () => {
      const other = await provider("127.0.0.2", 18221, program.url, { "42": people.mia });
      await program.stop(true);
      program = await start(settings(other.issuer), program);
      try {
        const page = await fresh();
        await setOut(page);
        await atProvider(page, "42");
        await page.waitForURL(program.url + "/login/link");
        assert.ok(await page.getByText("That account has no password").isVisible());
        await page.getByRole("button", { name: "Make a separate account" }).click();
        await isIn(page, "Mia Weber");
        assert.equal((await program.ask(["user", "list"])).match(/^mia\d?\t/gm).length, 2);
      } finally {
        await program.stop(true);
        program = await start(settings(home.issuer), program);
        await other.close();
      }
    });

    test("without passwords, the operator's link is the way back", async () => {
      await program.stop(true);
      program = await start(settings(home.issuer, { KINCHART_OIDC_ONLY: "true", KINCHART_OIDC_ADMIN_GROUP: "family" }), program);
      const page = await fresh();
      await page.goto(program.url + "/login");
      assert.equal(await page.locator("input[type=password]").count(), 0);
      await look(page, "only");
      const link = (await program.ask(["user", "sign-in-link", "ada"])).trim();
      await page.goto(link);
      await look(page, "enter");
      await page.getByRole("button", { name: "Sign in as Ada Owner" }).click();
      await isIn(page, "Ada Owner");
      const again = await fresh();
      assert.equal((await again.goto(link)).status(), 404);
      assert.ok(!program.log().includes(link.split("/").pop()), "the log does not know it");
      program.log().split("\n").forEach((line) => assert.ok(!/eyJ|code=/.test(line), line));
    });
  });
}
