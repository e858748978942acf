import { browser } from "./kinchart.mjs";
import { readFileSync } from "node:fs";
const base = "http://localhost:8391";
const out = "/tmp/links-shots";
const lines = readFileSync("/tmp/links-demo/accounts", "utf8").split("\n").filter((l) => l.includes("\t"));
const accounts = lines.map((l) => l.split("\t"));
const b = await browser();
const owner = await b.newContext({ viewport: { width: 1280, height: 900 } });
const signIn = async (context, [name, password]) => {
  const page = await context.newPage();
  await page.goto(base + "/login");
  await page.fill("[name=username]", name); await page.fill("[name=password]", password);
  await page.click("button.main"); await page.waitForLoadState();
  return page;
};
const page = await signIn(owner, accounts[0]);
const hrefs = await page.$$eval(".person-card > a", (as) => as.map((a) => a.getAttribute("href")));
console.log(hrefs, accounts);
const patient = process.env.PATIENT ?? hrefs[0];
const wide = async (p, name) => { const over = await p.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth); if (over > 0) console.log("WIDE", name, over); };
const shot = async (p, name) => { await wide(p, name); await p.screenshot({ path: `${out}/${name}.png`, fullPage: true }); };
await page.goto(base + patient + "/links"); await shot(page, "1-form");
await page.fill("[name=title]", "Dr. Lind");
await page.click(".narrow button.main"); await page.waitForLoadState(); await shot(page, "2-made");
const address = await page.inputValue("#made-address"), passcode = await page.inputValue("#made-passcode");
for (const [scheme, name] of [["light", "light"], ["dark", "dark"]]) {
  const phone = await b.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, colorScheme: scheme, hasTouch: true, isMobile: true });
  const p = await phone.newPage();
  await p.goto(address); await shot(p, `3-door-${name}`);
  await p.fill("[name=passcode]", "wrong one"); await p.click("button.main"); await p.waitForLoadState(); await shot(p, `4-wrong-${name}`);
  await p.fill("[name=passcode]", passcode.toUpperCase()); await p.click("button.main"); await p.waitForURL("**/summary"); await shot(p, `5-summary-${name}`);
  if (scheme === "light") {
    const desk = await phone.newPage(); await desk.setViewportSize({ width: 1100, height: 900 }); await desk.goto(address + "/summary"); await shot(desk, "6-summary-desk");
    await desk.pdf({ path: `${out}/7-summary.pdf`, format: "A4", printBackground: false, margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" } });
  }
  await phone.close();
}
const phone = await b.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, storageState: await owner.storageState() });
const m = await phone.newPage();
await m.goto(base + patient + "/links"); await shot(m, "8-form-phone");
await m.goto(base + patient + "/looks"); await shot(m, "9-looks-phone");
await page.goto(base + patient + "/links"); await shot(page, "10-links");
await page.goto(base + patient + "/looks"); await shot(page, "11-looks");
const darkc = await b.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "dark", storageState: await owner.storageState() });
const d = await darkc.newPage(); await d.goto(base + patient + "/links"); await shot(d, "12-form-dark"); await d.goto(base + patient + "/looks"); await shot(d, "13-looks-dark");
await page.goto(base + patient + "/links");
await (await page.$(".links .danger")).click(); await page.waitForLoadState(); await shot(page, "14-revoked");
const q = await (await b.newContext({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 })).newPage(); await q.goto(address); await shot(q, "15-closed");
if (process.env.AXE) {
  const source = readFileSync(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  const ctx = await b.newContext({ bypassCSP: true, storageState: await owner.storageState() });
  const a = await ctx.newPage();
  for (const u of [patient + "/links", patient + "/looks"]) {
    await a.goto(base + u); await a.evaluate(source);
    const r = await a.evaluate(() => globalThis.axe.run());
    console.log(u, JSON.stringify(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])));
  }
  await a.goto(base + patient + "/links"); await a.click(".narrow button.main"); await a.waitForLoadState();
  const address = await a.inputValue("#made-address"), passcode = await a.inputValue("#made-passcode");
  const v = await (await b.newContext({ bypassCSP: true })).newPage();
  for (const step of [() => v.goto(address), async () => { await v.fill("[name=passcode]", passcode); await v.click("button.main"); await v.waitForURL("**/summary"); }]) {
    await step(); await v.evaluate(source);
    const r = await v.evaluate(() => globalThis.axe.run());
    console.log(v.url().slice(-8), JSON.stringify(r.violations.map((w) => [w.id, w.nodes.map((n) => n.html.slice(0, 160))])));
  }
}
await b.close();
