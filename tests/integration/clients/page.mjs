/* page.mjs URL TOKEN [FOLDER] - signs in, walks through the controller's page in headless Chromium;
 * prints what it saw. Pictures go to the folder. */
import { chromium } from "playwright-core";

const [url, token, shots] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const seen = { errors: [] };

function watched(page) {
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("console", (m) => m.type() === "error" && !m.text().includes("401") &&
                            seen.errors.push(m.text()));
  page.setDefaultTimeout(60000);
  return page;
}

const cells = (page, table, column) =>
  page.locator(`table:has(caption:text-is("${table}")) tbody tr td:nth-child(${column})`)
    .allInnerTexts();

async function waits(page, table) {
  await page.locator(`table:has(caption:text-is("${table}")) tbody tr`).first().waitFor();
}

async function signIn(page, value) {
  await page.getByLabel("Token").fill(value);
  await page.getByRole("button", { name: "Sign in" }).click();
}

try {
  const page = watched(await browser.newPage({ viewport: { width: 1240, height: 900 } }));

  /* Once `noLooks` is set the page does not look again by itself: what it shows it was told. */
  await page.addInitScript(() => {
    const later = window.setTimeout;
    window.setTimeout = (run, ms, ...more) =>
      later(() => (window.noLooks && ms >= 3000) || run(...more), ms);
  });
  await page.goto(url);
  await signIn(page, "not.a.token");
  seen.refused = await page.getByRole("alert").innerText();
  await signIn(page, token);
  await waits(page, "Shards and what each has to do");
  seen.shards = (await cells(page, "Shards and what each has to do", 1)).map((t) => t.trim());
  await page.locator(".chart canvas").first().waitFor();

  await page.getByRole("link", { name: "Keys" }).click();
  await waits(page, "Who owns what");
  seen.owners = (await cells(page, "Who owns what", 1)).map((t) => t.trim());
  seen.ranges = await page.locator(".ring .range").count();

  await page.getByRole("link", { name: "Servers" }).click();
  await page.locator('td:text-is("replica")').first().waitFor();
  const column = async (n) =>
    (await cells(page, "Servers of the shards", n)).map((t) => t.trim());
  seen.servers = await column(1);
  seen.roles = await column(3);
  await page.locator('td[data-name="Breaker"] .badge').first().waitFor();
  seen.health = await column(4);
  seen.scores = await column(5);
  seen.breakers = await column(6);
  await page.waitForFunction(() =>
    [...document.querySelectorAll('td[data-name="CPU"]')].every((e) => e.innerText.includes("%")));
  seen.cpu = await page.locator('td[data-name="CPU"]').count();
  await waits(page, "Changes of primaries");
  seen.failovers = await cells(page, "Changes of primaries", 5);
  if (shots) await page.screenshot({ path: `${shots}/servers.png`, fullPage: true });

  await page.getByRole("link", { name: "Statements" }).click();
  await waits(page, "Statements by their time");
  seen.statements = await cells(page, "Statements by their time", 1);
  await page.getByLabel("First come").selectOption("calls");
  await waits(page, "Statements by their time");

  await page.getByRole("link", { name: "Moves" }).click();
  await waits(page, "Everything that was changed by a job");
  seen.jobs = await cells(page, "Everything that was changed by a job", 5);

  await page.getByRole("link", { name: "Scaler" }).click();
  const mode = page.locator('input[name="mode"]:checked');
  await mode.waitFor();
  await page.getByLabel("Off").check();
  await page.waitForFunction(() => document.querySelector('input[value="off"]').checked);
  seen.mode = await mode.evaluate((e) => e.value);

  /* Without a mouse: from the top of the page to the last link. */
  await page.goto(url);
  await page.locator("nav a").first().waitFor();
  for (let i = 0; i < 25; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.textContent) === "Audit") break;
  }
  await page.keyboard.press("Enter");
  await page.locator('nav a[aria-current="page"]', { hasText: "Audit" }).waitFor();
  await waits(page, "Changes");
  seen.audited = await page.locator("tbody tr").count();
  seen.newest = Number((await cells(page, "Changes", 1))[0]);
  await page.getByRole("button", { name: "Check the chain" }).click();
  seen.verdict = await page.getByRole("status").innerText();
  for (let i = 0; i < 50 && !seen.verdict; i++) {
    await page.waitForTimeout(100);
    seen.verdict = await page.getByRole("status").innerText();
  }
  await page.locator("tbody summary").first().click();
  seen.details = await page.locator("tbody details[open] pre").first().innerText();
  /* What others do comes by itself, without another look. */
  await page.evaluate(() => { window.noLooks = true; });
  await fetch(`${url}v1/databases`, { method: "POST", body: JSON.stringify({ name: "told" }),
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } });
  seen.told = await page.locator("tbody tr", { hasText: "told" }).first().innerText();
  await page.getByRole("searchbox").fill("no such thing");
  await page.locator(".empty").waitFor();
  seen.found = await page.locator("tbody tr").count();

  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    seen[scheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }

  const phone = watched(await browser.newPage({ viewport: { width: 390, height: 844 } }));
  await phone.goto(url);
  await signIn(phone, token);
  await waits(phone, "Shards and what each has to do");
  const over = () => phone.evaluate(() =>
    Math.max(0, document.documentElement.scrollWidth - window.innerWidth));
  seen.overflow = await over();
  for (const name of ["Keys", "Servers", "Statements", "Moves", "Scaler", "Audit"]) {
    await phone.getByRole("link", { name, exact: true }).click();
    await phone.waitForTimeout(300);
    seen.overflow += await over();
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  seen.signed_out = await page.getByLabel("Token").isVisible();
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
