import { expect, test, widget } from "../support/test.ts";

test("ranges are links", async ({ page, visit }) => {
  await visit("/dashboards/this-machine");
  const ranges = page.getByRole("navigation", { name: "Time range" });
  await expect(ranges.getByRole("link", { name: "5m", exact: true })).toHaveAttribute("aria-current", "true");
  for (const [words, query] of [
    ["1h", "1h"],
    ["7d", "7d"],
    ["All", "all"],
  ]) {
    const link = ranges.getByRole("link", { name: words, exact: true });
    await link.click();
    await page.waitForURL(`**/dashboards/this-machine?range=${query}`);
    await expect(link).toHaveAttribute("aria-current", "true");
    await expect(ranges.locator("[aria-current]")).toHaveCount(1);
    await expect(widget(page, "Memory in use")).toContainText(/[KMG]iB/);
  }
  await page.goBack();
  await expect(ranges.getByRole("link", { name: "7d", exact: true })).toHaveAttribute("aria-current", "true");
});

test("a range without data says so and leads to the data", async ({ page, visit }) => {
  await visit("/dashboards/earthquakes?range=5m");
  const magnitude = widget(page, "Magnitude");
  await expect(magnitude).toContainText("No data in this range");
  await magnitude.getByRole("link", { name: "Show everything there is" }).click();
  await page.waitForURL("**/dashboards/earthquakes?range=all");
  await expect(page.getByRole("region", { name: "Magnitude, in figures" })).toContainText("6.4");
});

for (const [query, words] of [
  ["range=yesterday", /yesterday.+no range/],
  ["from=soon", /From.+soon.+no time/],
  ["from=2018-02-03T00:00&to=2018-02-02T00:00", /From has to be earlier than To/],
] as const) {
  test(`what is no range is told, and the usual one shown: ${query}`, async ({ page, visit }) => {
    await visit(`/dashboards/earthquakes?${query}`);
    await expect(page.getByRole("alert")).toHaveText(words);
    await expect(widget(page, "Strongest")).toContainText("6.4");
  });
}
