// What a first visit loads, how soon its largest part is painted, and how soon a click shows: in Chromium, on a processor that is slowed down.
//
// Sizes are what came over the wire, headers included, as the browser's network log counts them. LCP and the durations of interactions are
// the browser's own (PerformanceObserver, "largest-contentful-paint" and "event").
import { blank, hydrated, live, run } from "./browser.mjs";

/** How long after the page listens another large paint may come. */
const SETTLE = 1_500;

/**
 * Options: url, the paths to load, the path to click on, and how many times slower the processor is.
 */
await run(async ({ url, paths, clicks, slowdown }, browser) => {
  /** @type {Record<string, object>} */
  const loads = {};
  for (const path of paths) {
    loads[path] = {
      resources: await resources(browser, url, path),
      lcp: await largestPaint(browser, url, path, slowdown, true),
      unscripted: await largestPaint(browser, url, path, slowdown, false),
    };
  }
  return { loads, ...(await interactions(browser, url, clicks, slowdown)) };
});

/**
 * Everything that a page asks for until it is live.
 * @param {import("@playwright/test").Browser} browser @param {string} url @param {string} path
 */
async function resources(browser, url, path) {
  const page = await blank(browser, url);
  const devtools = await page.context().newCDPSession(page);
  /** @type {Map<string, { path: string, status: number, encoding: string, bytes: number }>} */
  const all = new Map();
  devtools.on("Network.responseReceived", ({ requestId, response }) => {
    const { pathname } = new URL(response.url);
    const encoding = Object.entries(response.headers).find(([name]) => name.toLowerCase() === "content-encoding")?.[1] ?? "";
    all.set(requestId, { path: pathname, status: response.status, encoding, bytes: 0 });
  });
  devtools.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const one = all.get(requestId);
    if (one) one.bytes = encodedDataLength;
  });
  await devtools.send("Network.enable");
  await page.goto(path);
  await hydrated(page);
  await live(page);
  await page.waitForLoadState("networkidle");
  await page.context().close();
  return [...all.values()];
}

/**
 * Milliseconds from the start of the navigation to the largest paint.
 * @param {import("@playwright/test").Browser} browser @param {string} url @param {string} path @param {number} slowdown @param {boolean} scripts
 * @returns {Promise<number>}
 */
async function largestPaint(browser, url, path, slowdown, scripts) {
  const page = await blank(browser, url);
  if (!scripts) await page.route("**/pkg/*.{js,wasm}", (route) => route.abort());
  await slow(page, slowdown);
  await page.goto(path, { waitUntil: "load" });
  if (scripts) await hydrated(page);
  await page.waitForTimeout(SETTLE);
  const at = await page.evaluate(
    () =>
      new Promise((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().at(-1)?.startTime)).observe({ type: "largest-contentful-paint", buffered: true });
        setTimeout(resolve, 1_000);
      }),
  );
  await page.context().close();
  if (typeof at !== "number") throw new Error(`${path} has no largest paint`);
  return at;
}

/**
 * How long each click took until the next frame showed what it did.
 * @param {import("@playwright/test").Browser} browser @param {string} url @param {string} path @param {number} slowdown
 */
async function interactions(browser, url, path, slowdown) {
  const page = await blank(browser, url);
  await page.addInitScript(() => {
    window.interactions = {};
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { interactionId, duration } = /** @type {PerformanceEventTiming & { interactionId: number }} */ (entry);
        // Several events make one interaction; the longest counts.
        if (interactionId) window.interactions[interactionId] = Math.max(window.interactions[interactionId] ?? 0, duration);
      }
      // 16 ms is the least that the browser tells of.
    }).observe({ type: "event", buffered: true, .../** @type {object} */ ({ durationThreshold: 16 }) });
  });
  await page.goto(path);
  await hydrated(page);
  await live(page);
  await slow(page, slowdown);
  const ranges = page.getByRole("navigation", { name: "Time range" }).getByRole("link");
  const range = (/** @type {string} */ name) => ranges.filter({ hasText: new RegExp(`^${name}$`) });
  const custom = page.locator("summary", { hasText: "Custom" });
  const colours = page.getByRole("group", { name: "Colours" }).getByRole("link");
  let clicked = 0;
  for (const target of [range("15m"), range("1h"), range("All"), range("5m"), custom, custom, ...(await colours.all())]) {
    await target.click();
    clicked++;
    // Until what the click asked for is there, and a person has looked at it.
    await page.waitForTimeout(700);
  }
  const durations = await page.evaluate(() => Object.values(window.interactions));
  await page.context().close();
  if (durations.length === 0 || durations.length > clicked) throw new Error(`${clicked} clicks were ${durations.length} interactions`);
  return { clicked, interactions: durations };
}

/** @param {import("@playwright/test").Page} page @param {number} slowdown */
async function slow(page, slowdown) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
}
