import type { Page } from "@playwright/test";
import { expect, test } from "../support/test.ts";

/** Where the keyboard is: what it is, whether one sees that, and its number among all that it should reach. */
function focused(page: Page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    if (!at || at === document.body || at === document.documentElement) return null;
    const painted = [getComputedStyle(at), getComputedStyle(at, "::after")];
    const ring = painted.some((s) => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none");
    const { top, bottom, left, right, width } = at.getBoundingClientRect();
    const inSight = width > 0 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth;
    const words = `${at.tagName.toLowerCase()} "${(at.getAttribute("aria-label") ?? at.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 60)}"`;
    return { words, ring, inSight, number: at.getAttribute("data-walk") };
  });
}

/** Numbers everything that can be operated and is in sight; answers what they are. */
function operable(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const kinds = 'a[href], button:not([disabled]), input, select, textarea, summary, [tabindex="0"]';
    const all = [...document.querySelectorAll<HTMLElement>(kinds)].filter((e) => e.checkVisibility({ visibilityProperty: true }) && e.tabIndex >= 0);
    return all.map((e, i) => {
      e.setAttribute("data-walk", String(i));
      return `${e.tagName.toLowerCase()} "${(e.getAttribute("aria-label") ?? e.textContent ?? "").trim().replace(/\s+/g, " ").slice(0, 60)}"`;
    });
  });
}

for (const path of ["/", "/dashboards/earthquakes", "/pipelines", "/pipelines/earthquakes", "/pipelines/earthquakes?tab=definition"]) {
  test(`Tab reaches everything on ${path}, visibly and in order`, async ({ page, visit }) => {
    await visit(path);
    // A figure that comes during the walk could make another link.
    await page.waitForLoadState("networkidle").catch(() => {});
    const expected = await operable(page);
    const reached: number[] = [];
    for (let press = 0; press < expected.length + 60; press++) {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      if (!at || (at.number !== null && Number(at.number) === reached[0])) break;
      expect(at, `${at.words} shows that it has the focus`).toMatchObject({ ring: true, inSight: true });
      // Browsers stop at boxes that scroll as well.
      if (at.number !== null) reached.push(Number(at.number));
    }
    const missed = expected.filter((_, i) => !reached.includes(i));
    expect(missed, "not reached").toEqual([]);
    expect(reached, "in the order of the page").toEqual(reached.toSorted((a, b) => a - b));
  });
}

test("the first stop skips to the content", async ({ page, visit }) => {
  await visit("/pipelines");
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: /^Skip/ });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#content$/);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("main").locator(":focus")).toHaveCount(1);
});

test("pages are reached by keyboard alone", async ({ page, visit }) => {
  await visit("/");
  const pipelines = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Pipelines" });
  await pipelines.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Pipelines" })).toBeVisible();
  await expect(pipelines).toHaveAttribute("aria-current", "page");
  await page.getByRole("link", { name: "Earthquakes" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Earthquakes" })).toBeVisible();
});

test("a table is sorted by keyboard", { tag: "@javascript" }, async ({ page, visit }) => {
  await visit("/dashboards/earthquakes");
  const table = page.getByRole("region", { name: "By network", exact: true }).getByRole("table");
  const head = table.getByRole("columnheader", { name: "Strongest" });
  await head.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await expect(head).toHaveAttribute("aria-sort", "descending");
  const magnitudes = async () => (await table.getByRole("row").locator("td:nth-child(3)").allInnerTexts()).map(Number);
  expect(await magnitudes()).toEqual((await magnitudes()).toSorted((a, b) => b - a));
  await page.keyboard.press("Enter");
  await expect(head).toHaveAttribute("aria-sort", "ascending");
});
