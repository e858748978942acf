// What every browser test begins with: the built program on a free port with an empty data folder, and a Chromium with a fresh profile.
// KINCHART_BIN names the program (default: target/debug/kinchart), CHROMIUM the browser.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdtemp, mkdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, "..", "..");
export const PASSWORD = "violet thunder brews 4711";
const SHOTS = join(root, "target", "screenshots");

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts the program, with more settings if some are given; `setupCode` is read from its log. `before` is one that was ended with `stop(true)`: its data and its address go on. */
export async function start(more = {}, before = null) {
  const binary = process.env.KINCHART_BIN ?? join(root, "target", "debug", "kinchart");
  const folder = before?.folder ?? (await mkdtemp(join(tmpdir(), "kinchart-browser-")));
  const port = before?.port ?? (await freePort());
  const url = `http://localhost:${port}`;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KINCHART_")));
  const settings = { ...env, KINCHART_LISTEN: `127.0.0.1:${port}`, KINCHART_DATA: join(folder, "data"), KINCHART_UPLOADS: join(folder, "uploads"), KINCHART_PUBLIC_URL: url, ...more };
  const program = spawn(binary, ["serve"], { cwd: folder, env: settings, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const hear = (chunk) => { log += chunk; };
  program.stdout.on("data", hear);
  program.stderr.on("data", hear);
  let ended = false;
  const end = new Promise((resolve) => program.on("exit", () => { ended = true; resolve(); }));
  const until = Date.now() + 60_000;
  for (;;) {
    if (ended || Date.now() > until) throw new Error(`the program did not start:\n${log}`);
    const answer = await fetch(`${url}/healthz`).catch(() => null);
    if (answer?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await fetch(`${url}/setup`);
  return {
    url,
    folder,
    port,
    log: () => log,
    /** What a command of the program prints. */
    ask: (args) =>
      new Promise((resolve, reject) => {
        const command = spawn(binary, args, { cwd: folder, env: settings, stdio: ["ignore", "pipe", "pipe"] });
        let said = "", complained = "";
        command.stdout.on("data", (chunk) => { said += chunk; });
        command.stderr.on("data", (chunk) => { complained += chunk; });
        command.on("error", reject);
        command.on("exit", (code) => (code === 0 ? resolve(said) : reject(new Error(`${args.join(" ")}: ${said}${complained}`))));
      }),
    /** Runs a command of the program on the same data, with this on its standard input. */
    run: (args, input) =>
      new Promise((resolve, reject) => {
        const command = spawn(binary, args, { cwd: folder, env: settings, stdio: ["pipe", "ignore", "pipe"] });
        let said = "";
        command.stderr.on("data", (chunk) => { said += chunk; });
        command.on("error", reject);
        command.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(" ")}: ${said}`))));
        command.stdin.end(input);
      }),
    /** As if so many minutes had passed since everybody signed in, or proved once more who they are. */
    age: (minutes) =>
      new Promise((resolve, reject) => {
        const script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=20); c.execute(\"UPDATE sessions SET proved_at=strftime('%Y-%m-%d %H:%M:%f', proved_at, ?)\",(sys.argv[2],)); c.commit()";
        const python = spawn("python3", ["-c", script, join(folder, "data", "kinchart.db"), `-${minutes} minutes`], { stdio: ["ignore", "ignore", "pipe"] });
        let said = "";
        python.stderr.on("data", (chunk) => { said += chunk; });
        python.on("error", reject);
        python.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(said))));
      }),
    setupCode: () => log.match(/[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}/)?.[0],
    async stop(keeps = false) {
      program.kill("SIGTERM");
      await end;
      if (!keeps) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A browser of its own. */
export async function browser() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const executablePath = candidates.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no Chromium: set CHROMIUM");
  return chromium.launch({
    executablePath,
    headless: true,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
}

/** The first account, through the setup page. */
export async function setUp(page, program) {
  await page.goto(program.url + "/");
  await page.waitForURL("**/setup");
  await fill(page, { code: program.setupCode(), full_name: "Ada Owner", username: "ada", email: "ada@example.org", password: PASSWORD, password_again: PASSWORD });
  await page.locator("main form button.main").click();
  await page.waitForURL((url) => !url.pathname.startsWith("/setup"));
  if (new URL(page.url()).pathname === "/login") await signIn(page, program);
}

/** An administrator keeps a copy of the key, so that pages stop to remind. */
export async function keepKey(page, program) {
  await page.goto(program.url + "/settings/key?show=1");
  const key = (await page.locator(".secret span").allTextContents()).join("");
  await fill(page, { key_end: key.slice(-6) });
  await page.locator("form[action='/settings/key/kept'] button.main").click();
  await page.waitForURL((url) => url.pathname === "/settings/key" && !url.search);
}

/** An account made by the command, as somebody who runs the program would make it. */
export const addAccount = (program, name, fullName) =>
  program.run(["user", "add", name, "--email", `${name}@example.org`, "--full-name", fullName, "--password-stdin"], PASSWORD + "\n");

export async function signIn(page, program, username = "ada") {
  if (new URL(page.url()).pathname !== "/login") await page.goto(program.url + "/login");
  await fill(page, { username, password: PASSWORD });
  await page.locator("main form button.main").click();
  await page.waitForURL((url) => url.pathname !== "/login");
}

/** Fills controls by name. */
export async function fill(page, values) {
  for (const [name, value] of Object.entries(values)) {
    const control = page.locator(`main [name="${name}"]`).first();
    if ((await control.evaluate((element) => element.tagName)) === "SELECT") await control.selectOption(value);
    else await control.fill(value);
  }
}

/** A person whose records are kept; answers with the path of their page. */
export async function addPerson(page, program, first = "Grace", last = "Hopper") {
  await page.goto(program.url + "/patients/new");
  await fill(page, { first_name: first, last_name: last, birth_date: "1960" });
  await page.locator("main form button.main").click();
  await page.waitForURL(/\/patients\/[0-9a-f-]{36}$/);
  return new URL(page.url()).pathname;
}

/** The kinds in the menu: where each list is, and what it is called. */
export async function kinds(page, program, patient) {
  await page.goto(program.url + patient);
  const links = await page.locator("aside.places nav a").evaluateAll((all) => all.map((a) => ({ path: a.getAttribute("href"), label: a.firstChild.textContent.trim() })));
  const apart = ["timeline", "trash", "kept", "family", "files", "paperless", "sharing", "links", "looks"];
  return links.filter((link) => new RegExp(`^${patient}/[a-z-]+$`).test(link.path) && !apart.includes(link.path.split("/").pop()));
}

/**
 * Fills every visible control of the record's form as a person would: by its label. Answers with what was written, by label.
 * What a date, a number or a choice takes is seen from the hint, the unit in the label and the options, never from the name.
 */
export async function fillByLabels(page, mark, { onlyRequired = false } = {}) {
  const written = {};
  for (const more of await page.locator("main form.record details.more > summary").all()) {
    if (!onlyRequired && (await more.isVisible()) && !(await more.evaluate((s) => s.parentElement.open))) await more.press("Enter");
  }
  const labels = page.locator("main form.record label:visible");
  const dates = /date|born|when|from|until|since|resolved on|noticed|ended|onset|first time|last time|service|administered|expires|ordered|completed on|taken on|given on|day/i;
  for (let i = 0; i < (await labels.count()); i++) {
    const label = labels.nth(i);
    const text = (await label.textContent()).replace(/\s+/g, " ").trim();
    if (onlyRequired && !/required/.test(text)) continue;
    const control = page.locator(`[id="${await label.getAttribute("for")}"]`);
    const about = await control.evaluate((e) => ({
      tag: e.tagName, type: e.type, max: e.maxLength, value: e.value, row: !!e.closest(".child"),
      options: e.tagName === "SELECT" ? [...e.options].map((o) => o.value).filter(Boolean) : [],
      hint: e.getAttribute("aria-describedby") ? document.getElementById(e.getAttribute("aria-describedby"))?.textContent ?? "" : "",
    }));
    if (about.tag === "SELECT") {
      if (!about.value && about.options.length > 0) await control.selectOption(about.options[0]);
      continue;
    }
    if (about.value || ["checkbox", "file", "range"].includes(about.type)) continue;
    const asksDate = /2021-06|such as 2021/.test(about.hint) || (dates.test(text) && /\d{4}/.test(about.hint));
    let value = `${mark} ${text.slice(0, 20)}`;
    if (asksDate) value = /ended|until|resolved|expir|end/i.test(text) ? "2025-06-01" : "2024-02-03";
    else if (about.type === "email") value = "someone@example.org";
    else if (about.type === "tel") value = "+1 555 0100";
    await control.fill(value);
    written[text] = value;
  }
  return written;
}

/** For looking at: target/screenshots. */
export async function shot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
}

const axeSource = readFile(join(here, "node_modules", "axe-core", "axe.min.js"), "utf8");

/** What axe-core finds wrong on the page, one line each. Through the debugger, so that the page's own policy stays as it is. */
export async function axe(page) {
  await page.evaluate(await axeSource);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(" ")} ${n.html.slice(0, 120)}`));
}
