import { expect, test } from "../support/test.ts";

// A browser tells of every answer that is no success.
test.use({ tolerated: /status of 404/ });

for (const [path, title] of [
  ["/no-such-page", "There is no such page"],
  ["/dashboards/no-such-dashboard", "No such dashboard"],
  ["/pipelines/no-such-pipeline", "No such pipeline"],
]) {
  test(`${path} is not found, and leads back`, async ({ page, visit }) => {
    const response = await visit(path);
    expect(response.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1, name: title })).toBeVisible();
    await page.getByRole("main").getByRole("link", { name: "Back to the dashboards" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Dashboards" })).toBeVisible();
  });
}

test("what is not found within the page is told as well", { tag: "@javascript" }, async ({ page, visit }) => {
  await visit("/pipelines");
  await page.evaluate(() => {
    const link = document.querySelector<HTMLAnchorElement>('main a[href="/pipelines/earthquakes"]')!;
    link.href = "/pipelines/no-such-pipeline";
    link.click();
  });
  await expect(page.getByRole("heading", { level: 1, name: "No such pipeline" })).toBeVisible();
});
