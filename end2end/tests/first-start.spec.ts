import { record, series } from "../support/charts.ts";
import { expect, test, widget } from "../support/test.ts";

const LIVE = ["cpu", "memory", "load"];

test("the home page leads to dashboards of real data", async ({ page, visit }) => {
  await visit("/");
  await expect(page.getByRole("heading", { level: 1, name: "Dashboards" })).toBeVisible();
  for (const title of ["This machine", "Earthquakes", "Your data"]) await expect(page.getByRole("heading", { name: title, exact: true })).toBeVisible();
  await page.getByRole("link", { name: "Earthquakes", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Earthquakes" })).toBeVisible();
  await expect(page).toHaveTitle(/^Earthquakes/);
});

test("the machine's figures are read from the page itself", async ({ page, visit, server }) => {
  const machine = server.demo("this-machine");
  await expect.poll(async () => (await server.stats(machine)).mapped).toBeGreaterThan(10);
  await visit("/dashboards/this-machine");
  const table = page.getByRole("region", { name: "Processor by core, in figures" });
  await expect(table.getByRole("row").nth(1)).toContainText(/\d+(\.\d+)?\s*%/);
  await expect(widget(page, "Memory in use")).toContainText(/\d+(\.\d+)? ?[KMG]iB/);
  await expect(widget(page, "Disks").getByRole("row").nth(1)).toContainText(/GiB|MiB/);
});

test("charts move by themselves", { tag: "@javascript" }, async ({ page, visit }) => {
  await record(page);
  await visit("/");
  await page.getByRole("link", { name: "This machine", exact: true }).click();
  await expect(page.getByRole("status").filter({ hasText: "Live" })).toBeVisible();

  for (const id of LIVE) {
    await page.locator(`[data-widget=${id}]`).scrollIntoViewIfNeeded();
    const newest = async () => Math.max(...(await series(page, id)).flatMap((s) => s.points.map(([time]) => time)));
    await expect.poll(newest).toBeGreaterThan(0);
    // Twice, so that it is not the first snapshot after the server's own answer.
    for (let moved = 0; moved < 2; moved++) {
      const before = await newest();
      await expect.poll(newest, { message: `${id} moves`, intervals: [100] }).toBeGreaterThan(before);
    }
    expect(await paintedPixels(page, id), `${id} is painted`).toBeGreaterThan(1_000);
  }
});

test("figures beside the charts move as well", { tag: "@javascript" }, async ({ page, visit }) => {
  await visit("/pipelines/this-machine");
  const points = page.getByRole("term").filter({ hasText: /^Points$/ }).locator("xpath=following-sibling::dd");
  const before = await points.innerText();
  await expect(points).not.toHaveText(before);
});

function paintedPixels(page: import("@playwright/test").Page, id: string): Promise<number> {
  return page.evaluate((id) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`[data-widget=${id}] canvas`);
    if (!canvas) return 0;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let alpha = 3; alpha < data.length; alpha += 4) painted += data[alpha] > 0 ? 1 : 0;
    return painted;
  }, id);
}
