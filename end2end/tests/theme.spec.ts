import type { Page } from "@playwright/test";
import { expect, hydrated, test } from "../support/test.ts";

const background = (page: Page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
const choice = (page: Page, name: string) => page.getByRole("group", { name: "Colours" }).getByRole("link", { name });

test("a choice of colours holds on every page, from the first paint", async ({ page, visit, context, javaScriptEnabled }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await visit("/pipelines?tab=x");
  const light = await background(page);
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");

  await choice(page, "Dark colours").click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page, "one stays where one is").toHaveURL(/\/pipelines\?tab=x$/);
  await expect(choice(page, "Dark colours")).toHaveAttribute("aria-current", "true");
  // A page that is on its way has no style yet.
  await page.waitForLoadState();
  const dark = await background(page);
  expect(dark).not.toBe(light);

  // The server itself answers in these colours: there is nothing to flash before a script runs.
  for (const path of ["/", "/pipelines", "/dashboards/earthquakes", "/no-such-page"]) {
    const html = await (await context.request.get(path)).text();
    expect(html, path).toMatch(/<html[^>]* data-theme="dark"/);
  }
  await visit("/");
  await expect.poll(() => background(page)).toBe(dark);
  await expect(choice(page, "Dark colours")).toHaveAttribute("aria-current", "true");

  // Against the system's own choice.
  await page.emulateMedia({ colorScheme: "dark" });
  await visit("/pipelines");
  await choice(page, "Light colours").click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "light");
  await expect.poll(() => background(page)).toBe(light);

  await choice(page, "Colours of the system").click();
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
  await expect.poll(() => background(page)).toBe(dark);
  await page.reload();
  if (javaScriptEnabled !== false) await hydrated(page);
  await expect(page.locator("html")).not.toHaveAttribute("data-theme");
});

test("the system's colours are taken, and followed", async ({ page, visit }) => {
  await page.emulateMedia({ colorScheme: "dark" });
  await visit("/");
  const dark = await background(page);
  await page.emulateMedia({ colorScheme: "light" });
  await expect.poll(() => background(page)).not.toBe(dark);
});
