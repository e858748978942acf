// Pictures of the pages about Paperless-ngx, to be looked at: node shots-paperless.mjs PROGRAM USER PASSWORD PAPERLESS TOKEN FOLDER
import { chromium } from "playwright-core";

const [base, user, password, address, token, folder] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function signedIn(width, colorScheme) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled: width !== 360 });
  const page = await context.newPage();
  await page.goto(base + "/login");
  await page.fill("[name=username]", user);
  await page.fill("[name=password]", password);
  await page.locator("main button").first().click();
  await page.goto(base + "/patients");
  return page;
}

const page = await signedIn(1280, "light");
const patient = (await page.$$eval("a[href^='/patients/']", (all) => all.map((a) => a.getAttribute("href")))).find((href) => /^\/patients\/[0-9a-f-]{36}$/.test(href));
await page.goto(base + "/settings/paperless");
await page.screenshot({ path: `${folder}/connect.png`, fullPage: true });
await page.fill("#f-address", "http://127.0.0.1:1/");
await page.fill("#f-token", token);
await page.locator("form[action='/settings/paperless'] button.main").click();
await page.screenshot({ path: `${folder}/wrong.png`, fullPage: true });
await page.fill("#f-address", address);
await page.fill("#f-token", token);
await page.locator("form[action='/settings/paperless'] button.main").click();
await page.check("#f-paperless");
await page.locator("form[action$='/options'] button.main").click();
await page.goto(`${base}${patient}/files`);
for (const [name, end] of [["letter.pdf", "%%EOF\n"], ["damaged.pdf", ""]]) {
  await page.setInputFiles("#f-file", { name, mimeType: "application/pdf", buffer: Buffer.from(`%PDF-1.4\nDear ${name}\n${end}`) });
  await page.locator("form.upload button.main").click();
}
await page.waitForTimeout(20000);
await page.locator("ul.lines a[href*='/files/']").first().click();
const document = new URL(page.url()).pathname;
for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [360, "light"], [360, "dark"]]) {
  const view = await signedIn(width, scheme);
  for (const [name, path] of [["settings", "/settings/paperless"], ["files", `${patient}/files`], ["document", document], ["take", `${patient}/paperless?q=hemoglobin`]]) {
    await view.goto(base + path);
    await view.screenshot({ path: `${folder}/${name}-${width}-${scheme}.png`, fullPage: true });
    const wide = await view.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth).catch(() => false);
    if (wide) console.log(`${name} at ${width} is wider than the window`);
  }
}
await browser.close();
