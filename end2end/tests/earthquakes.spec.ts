import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { site } from "../support/server.ts";
import { expect, hydrated, test, widget } from "../support/test.ts";

interface Feature {
  properties: { time: number; mag: number | null; sig: number; net: string; type: string };
  geometry: { coordinates: [number, number, number | null] };
}

/** The file that the server sent through its own pipeline, with the filter of the mapping in server/demo/earthquakes.json. */
const all: Feature[] = JSON.parse(readFileSync(join(site, "demo/earthquakes.json"), "utf8")).features;
const quakes = all.filter((f) => f.properties.type === "earthquake");

const numbers = (of: (f: Feature) => number | null, among = quakes) => among.map(of).filter((n) => n !== null);
const magnitude = (f: Feature) => f.properties.mag;
const depth = (f: Feature) => f.geometry.coordinates[2];

const grouped = (n: number, decimals = 0) => n.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

async function shows(page: Page, title: string, number: string) {
  const found = new RegExp(`(^|[^\\d.,])${number.replaceAll(".", "\\.")}($|[^\\d.,])`);
  await expect(widget(page, title)).toContainText(found);
}

test.beforeEach(async ({ server }) => {
  const pipeline = server.demo("earthquakes");
  await expect.poll(async () => (await server.stats(pipeline)).mapped).toBe(quakes.length);
});

test("a dashboard shows the numbers that follow from the file", async ({ page, visit, server }) => {
  expect(await server.stats(server.demo("earthquakes"))).toMatchObject({
    received: all.length,
    accepted: all.length,
    rejected: 0,
    mapped: quakes.length,
    filtered: all.length - quakes.length,
    quarantined: 0,
    pending: 0,
  });
  await visit("/dashboards/earthquakes");
  await shows(page, "Earthquakes", grouped(numbers(magnitude).length));
  await shows(page, "Strongest", grouped(Math.max(...numbers(magnitude)), 1));
  await shows(page, "Deepest", grouped(Math.max(...numbers(depth))));
  await shows(page, "Most significant", grouped(Math.max(...numbers((f) => f.properties.sig))));

  const figures = page.getByRole("region", { name: "Magnitude, in figures" }).getByRole("row", { name: /^Strongest/ });
  await expect(figures).toContainText(grouped(Math.max(...numbers(magnitude)), 1));
});

test("a table has a row for each network", async ({ page, visit }) => {
  await visit("/dashboards/earthquakes");
  const rows = widget(page, "By network").getByRole("row");
  const networks = [...new Set(quakes.map((f) => f.properties.net))].sort();
  await expect(rows).toHaveCount(networks.length + 1);
  for (const network of networks) {
    const own = quakes.filter((f) => f.properties.net === network);
    const row = rows.filter({ has: page.getByRole("cell", { name: network, exact: true }) });
    await expect(row.getByRole("cell").nth(1)).toHaveText(new RegExp(`^${grouped(numbers(magnitude, own).length)}(\\.0)?$`));
    await expect(row.getByRole("cell").nth(2)).toHaveText(grouped(Math.max(...numbers(magnitude, own)), 1));
  }
});

// A window that cuts through hours and buckets: 2018-02-03 01:23:45 to 2018-02-04 13:45:01 UTC.
const from = Date.UTC(2018, 1, 3, 1, 23, 45);
const to = Date.UTC(2018, 1, 4, 13, 45, 1);
const within = quakes.filter((f) => f.properties.time >= from && f.properties.time < to);

test("a range of one's own shows the numbers of that range", async ({ page, visit, javaScriptEnabled }) => {
  await visit("/dashboards/earthquakes");
  await page.getByText("Custom", { exact: true }).click();
  const form = page.locator("form").filter({ has: page.getByLabel(/^From/) });
  // Without a script the fields are UTC and say so; with one they are in the visitor's zone, five hours behind.
  const scripted = javaScriptEnabled !== false;
  if (!scripted) await expect(form.getByText(/\(UTC\)/).first()).toBeVisible();
  const field = (ms: number) => new Date(ms - (scripted ? 5 * 3_600_000 : 0)).toISOString().slice(0, 19);
  await form.getByLabel(/^From/).fill(field(from));
  await form.getByLabel(/^To/).fill(field(to));
  await form.getByRole("button").click();
  await page.waitForURL(/from=2018-02-03/);
  await shows(page, "Earthquakes", grouped(numbers(magnitude, within).length));
  await shows(page, "Strongest", grouped(Math.max(...numbers(magnitude, within)), 1));

  // The address says it all: for somebody else, or after a reload, it is the same.
  await page.reload();
  if (scripted) await hydrated(page);
  await shows(page, "Earthquakes", grouped(numbers(magnitude, within).length));
  await page.getByText("Custom", { exact: true }).click();
  await expect(form.getByLabel(/^From/)).toHaveValue(field(from));
});

test("an open end is now", async ({ page, visit }) => {
  await visit("/dashboards/earthquakes?from=2018-02-03T01:23:45");
  const later = quakes.filter((f) => f.properties.time >= from);
  await shows(page, "Earthquakes", grouped(numbers(magnitude, later).length));
});
