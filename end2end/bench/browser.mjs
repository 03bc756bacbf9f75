// What the scripts of `make bench` share: they get their options as JSON on standard input, and answer with JSON on standard output.
import { text } from "node:stream/consumers";
import { chromium } from "@playwright/test";
import { launchOptions, pageOptions } from "../support/chromium.mjs";

/**
 * Runs `measure` with the options and a browser, and prints what it answers.
 * @param {(options: any, browser: import("@playwright/test").Browser) => Promise<object>} measure
 */
export async function run(measure) {
  const options = JSON.parse(await text(process.stdin));
  const browser = await chromium.launch(launchOptions);
  try {
    const version = `Chromium ${browser.version()}`;
    process.stdout.write(`${JSON.stringify({ version, ...(await measure(options, browser)) })}\n`);
  } finally {
    await browser.close();
  }
}

/**
 * A page with an empty cache.
 * @param {import("@playwright/test").Browser} browser
 * @param {string} url
 */
export async function blank(browser, url) {
  const context = await browser.newContext({ ...pageOptions, baseURL: url });
  return context.newPage();
}

/**
 * Waits until the page listens.
 * @param {import("@playwright/test").Page} page
 */
export async function hydrated(page) {
  await page.locator("html[data-hydrated]").waitFor({ state: "attached", timeout: 30_000 });
}

/**
 * Waits until the page's socket is open.
 * @param {import("@playwright/test").Page} page
 */
export async function live(page) {
  await page.getByRole("banner").getByRole("status").filter({ hasText: "Live" }).waitFor({ timeout: 30_000 });
}
