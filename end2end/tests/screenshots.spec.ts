import { join } from "node:path";
import { repository } from "../support/server.ts";
import { expect, test } from "../support/test.ts";

// The pictures of README: `make screenshots`. They differ with every run, so that tests only take them when asked.
test.skip(!process.env.DASH_SCREENSHOTS, "only with DASH_SCREENSHOTS=1");

const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

for (const [name, path, viewport, colorScheme] of [
  ["dashboard", "/dashboards/this-machine", DESKTOP, "light"],
  ["dashboard-dark", "/dashboards/this-machine", DESKTOP, "dark"],
  ["phone", "/dashboards/this-machine", PHONE, "light"],
  ["pipeline", "/pipelines/earthquakes", DESKTOP, "light"],
] as const) {
  test(`picture: ${name}`, { tag: "@javascript" }, async ({ page, visit }) => {
    test.setTimeout(360_000);
    // A chart that is filled: the dashboard shows five minutes.
    await page.waitForTimeout(Math.max(0, Number(process.env.END2END_STARTED) + 305_000 - Date.now()));
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await visit(path);
    await expect(page.getByRole("banner").getByRole("status")).toHaveText("Live");
    if (path.startsWith("/dashboards")) await expect(page.locator("canvas").first()).toBeVisible();
    await page.screenshot({ path: join(repository, "docs/screenshots", `${name}.png`), animations: "disabled" });
  });
}
