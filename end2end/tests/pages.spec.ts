import type { Page } from "@playwright/test";
import { expect, expectAccessible, test } from "../support/test.ts";

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

const PATHS = [
  "/",
  "/dashboards/this-machine",
  "/dashboards/earthquakes",
  "/dashboards/earthquakes?range=5m",
  "/dashboards/earthquakes?from=soon",
  "/dashboards/your-data",
  "/pipelines",
  "/pipelines/earthquakes",
  "/pipelines/earthquakes?tab=quarantine",
  "/pipelines/earthquakes?tab=definition",
  "/pipelines/your-data",
  "/reconcile",
  "/reconcile?pipeline=earthquakes",
  "/account",
  "/organization",
  "/organization?tab=teams",
  "/organization?tab=keys",
  "/organization?tab=usage",
  "/organization?tab=audit",
  "/organization?tab=settings",
  "/mailbox",
  "/no-such-page",
];

/** Of those who are not signed in. */
const WAYS_IN = ["/", "/dashboards/earthquakes", "/sign-in", "/sign-in/code", "/sign-in/link", "/sign-up", "/reset", "/link?token=gone", "/invitation?token=gone"];

// Axe runs in the page and needs its timers, so pages without a script are those of a browser that still waits for it.
test.describe("with its script", { tag: "@javascript" }, () => {
  // A browser tells of every answer that is no success.
  test.use({ tolerated: /status of 404/ });

  for (const path of PATHS) {
    test(`${path} is accessible and fits, light and dark, wide and narrow`, async ({ page, visit }) => {
      await check(page, () => visit(path));
    });
  }
});

test.describe("while its script is on the way", { tag: "@javascript" }, () => {
  test.use({ tolerated: /status of 404|was preloaded using link preload but not used/ });

  for (const path of PATHS) {
    test(`${path} is accessible and fits, light and dark, wide and narrow`, async ({ page, context }) => {
      await context.route("**/pkg/dash.js", (route) => route.fulfill({ contentType: "text/javascript", body: "await new Promise(() => {});" }));
      await check(page, () => page.goto(path));
      await expect(page.locator("html[data-hydrated]")).toHaveCount(0);
    });
  }
});

test.describe("without an account", { tag: "@javascript" }, () => {
  test.use({ signedIn: false, tolerated: /status of 4(04|10)/ });

  for (const path of WAYS_IN) {
    test(`${path} is accessible and fits, light and dark, wide and narrow`, async ({ page, visit }) => {
      await check(page, () => visit(path));
    });
  }
});

async function check(page: Page, open: () => Promise<unknown>) {
  test.setTimeout(120_000);
  for (const viewport of [DESKTOP, PHONE]) {
    await page.setViewportSize(viewport);
    await open();
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    expect(await overhang(page), `pixels beyond ${viewport.width}`).toBeLessThanOrEqual(0);
    await expectAccessible(page);
  }
}

function overhang(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

test("the form of ranges fits, and is accessible when open", async ({ page, visit, javaScriptEnabled }) => {
  for (const viewport of [DESKTOP, PHONE]) {
    await page.setViewportSize(viewport);
    await visit("/dashboards/earthquakes");
    await page.getByText("Custom", { exact: true }).click();
    const form = page.locator("form").filter({ has: page.getByLabel(/^From/) });
    await expect(form.getByRole("button")).toBeInViewport();
    const box = (await form.boundingBox())!;
    expect(box.x).toBeGreaterThanOrEqual(0);
    expect(box.x + box.width).toBeLessThanOrEqual(viewport.width);
    if (javaScriptEnabled !== false) await expectAccessible(page);
  }
});

test("every page fits a phone", async ({ page, visit }) => {
  await page.setViewportSize(PHONE);
  for (const path of PATHS.filter((path) => path !== "/no-such-page")) {
    await visit(path);
    expect(await overhang(page), path).toBeLessThanOrEqual(0);
  }
});

test("pages carry a policy for scripts", async ({ server }) => {
  for (const path of ["/", "/pipelines", "/no-such-page"]) {
    const { headers } = await fetch(server.url + path);
    expect(headers.get("content-security-policy"), path).toMatch(/script-src 'self' 'wasm-unsafe-eval' 'nonce-[^']+';/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});
