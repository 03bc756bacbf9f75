import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, expectAccessible, test } from "../support/test.ts";

test("the books of every pipeline are held against each other", async ({ page, visit }) => {
  await visit("/pipelines");
  await page.getByRole("link", { name: "Reconcile" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Reconcile" })).toBeVisible();
  for (const name of ["This machine", "Earthquakes", "Flights", "Your data"]) {
    const books = page.getByRole("region", { name, exact: true });
    await expect(books).toContainText("Everything agrees");
    await expect(books.getByRole("row", { name: /^Received/ })).toContainText(/\d received = .* mapped \+ .* filtered \+ .* quarantined \+ .* rejected/);
  }
  await expect(page.getByText("server reconcile --deep", { exact: true })).toBeVisible();
});

test.describe("a lake with an object of nobody", () => {
  test.use({ ownServer: true });

  test("is said to differ until it is gone", async ({ page, visit, server, javaScriptEnabled }) => {
    test.setTimeout(180_000);
    const answer = await page.request.get("/api/pipeline?pipeline=your-data");
    const { pipeline } = await answer.json();
    const directory = join(server.data, "lake", pipeline.organization, pipeline.id, "2026-01-01");
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "foreign.parquet"), "not from here");

    await visit("/reconcile?pipeline=your-data");
    const books = page.getByRole("region", { name: "Your data", exact: true });
    await expect(books).toContainText("1 difference");
    const objects = books.getByRole("row", { name: /^Objects/ });
    await expect(objects).toContainText("Differs");
    await expect(objects).toContainText("foreign.parquet, 13 bytes");
    await expect(page.getByText("server reconcile --deep --pipeline your-data", { exact: true })).toBeVisible();

    if (javaScriptEnabled !== false) await expectAccessible(page);

    rmSync(directory, { recursive: true });
    await page.getByRole("button", { name: "Check again" }).click();
    await expect(books).toContainText("Everything agrees");
    await expect(page).toHaveURL(/\/reconcile\?pipeline=your-data$/);
  });
});
