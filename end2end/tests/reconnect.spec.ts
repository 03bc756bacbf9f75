import { setTimeout as sleep } from "node:timers/promises";
import { record, series } from "../support/charts.ts";
import { OwnServer } from "../support/server.ts";
import { expect, figure, test, widget } from "../support/test.ts";

test.use({
  ownServer: true,
  // What a browser says of a server that is away.
  tolerated: /WebSocket connection (to .* )?failed|WebSocket Closed: code: 1006|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/,
});

test("a reconnect loses nothing", { tag: "@javascript" }, async ({ page, visit, server }) => {
  test.setTimeout(180_000);
  if (!(server instanceof OwnServer)) throw new Error("this test needs a server of its own");
  const pipeline = server.demo("your-data");
  let sent = 0;
  /** Every value is another, so that a point that is lost or doubled is known by its value. */
  const post = async (count: number) => {
    for (let i = 0; i < count; i++) {
      sent += 1;
      await server.post(pipeline, JSON.stringify({ sensor: "door", value: 100 + sent }));
      await sleep(20);
    }
  };
  const values = async () => (await series(page, "values")).flatMap((s) => s.points.map(([, value]) => value));
  const all = () => Array.from({ length: sent }, (_, i) => 101 + i);
  const live = page.getByRole("banner").getByRole("status");

  await record(page);
  await post(3);
  await visit("/dashboards/your-data");
  await expect(live).toHaveText("Live");
  await post(4);
  await expect.poll(values).toEqual(all());

  // What was acknowledged last has not reached the chart when the plug is pulled.
  await post(3);
  await server.kill();
  await expect(live).toHaveText(/Not live\s+since \d/);
  await expect(widget(page, "Values")).toContainText(/stale since \d/);
  // The old points are still there to look at.
  expect((await values()).length).toBeGreaterThanOrEqual(7);

  await server.start();
  await post(4);
  await expect(live).toHaveText("Live", { timeout: 60_000 });
  await expect(widget(page, "Values")).not.toContainText("stale since");
  await post(3);

  await expect.poll(values).toEqual(all());
  const times = (await series(page, "values")).flatMap((s) => s.points.map(([time]) => time));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(new Set(times).size).toBe(sent);
  await expect(widget(page, "Events")).toContainText(String(sent));

  await visit("/pipelines/your-data");
  await expect.poll(() => figure(page, "Mapped")).toBe(sent);
  expect(await figure(page, "Received")).toBe(sent);
});

test("an open page goes on after every outage", { tag: "@javascript" }, async ({ page, visit, server }) => {
  test.setTimeout(180_000);
  if (!(server instanceof OwnServer)) throw new Error("this test needs a server of its own");
  await visit("/pipelines");
  const live = page.getByRole("banner").getByRole("status");
  const machine = page.getByRole("row", { name: /^This machine/ });
  await expect(live).toHaveText("Live");
  const received = async () => Number((await machine.getByRole("cell").nth(2).innerText()).replaceAll(",", ""));

  // Twice: the second outage must not find the page tired.
  for (let outage = 0; outage < 2; outage++) {
    await server.kill();
    await expect(live).toHaveText(/Not live\s+since \d/);
    await server.start();
    await expect(live).toHaveText("Live", { timeout: 60_000 });
    const before = await received();
    await expect.poll(received).toBeGreaterThan(before);
  }
});
