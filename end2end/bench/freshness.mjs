// Milliseconds from sending an event until a painted frame shows it.
//
// Each probe is one event with a value of its own, posted by this process when it is due, whatever became of those before it.
// The page notes when its line chart and its number were given that value, waits for the frame that draws it, and takes the
// beginning of the frame after that: only then is the first one surely out. Both clocks count from the same one; what they
// differ by is measured before and after.
import http from "node:http";
import { blank, hydrated, live, run } from "./browser.mjs";

/** From here on the page writes numbers in another way. */
const LAST_VALUE = 999;
/** In turn, so that two probes never share a bucket of the chart. */
const SENSORS = 12;
/** How long the last probe may take to appear. */
const PATIENCE = 20_000;

const now = () => performance.timeOrigin + performance.now();

/** Where a page shows a value. @typedef {"chart" | "number"} Place */

/**
 * Options: url and path of the page, where to post to and with which key, whether it is a page of Dash's (the reference's takes the bare value, and
 * has no chart), the value of the first probe, higher than all that the page shows, how many are measured after how many for warming up, and the
 * mean interval between them in milliseconds.
 */
await run(async ({ url, path, post, key, dash, first, probes, warmup, interval }, browser) => {
  const count = warmup + probes;
  if (first + count > LAST_VALUE) throw new Error(`${count} probes from ${first} on go beyond ${LAST_VALUE}`);
  /** @type {Place[]} */
  const places = dash ? ["chart", "number"] : ["number"];
  const page = await blank(browser, url);
  await page.addInitScript(watch, places);
  await page.goto(path);
  await hydrated(page);
  if (dash) await live(page);

  const agent = new http.Agent({ keepAlive: true, noDelay: true });
  const before = await offset(page);
  const begun = now() + 500;
  /** @type {number[]} */
  const due = [];
  /** @type {Promise<void>[]} */
  const answers = [];
  for (let i = 0; i < count; i++) {
    const value = first + i;
    // Irregular, and never closer than six tenths of the interval: probes fall into step neither with what the server does nor with the load.
    const at = begun + (i + 0.4 * scatter(i)) * interval;
    due.push(at);
    // Known to the page before it is sent.
    await page.evaluate((value) => window.bench.expect(value), value);
    await until(at);
    const body = dash ? JSON.stringify({ sensor: `probe-${i % SENSORS}`, value }) : String(value);
    answers.push(send(agent, url + post, key, body));
  }
  await Promise.all(answers);
  await page.waitForFunction((count) => window.bench.complete() === count, count, { timeout: PATIENCE, polling: 100 }).catch(() => {});
  const shown = await page.evaluate(() => window.bench.shown());
  const after = await offset(page);
  agent.destroy();

  const ahead = (before.offset + after.offset) / 2;
  const latencies = (/** @type {Place} */ place) =>
    due.slice(warmup).map((due, i) => {
      const at = shown[first + warmup + i]?.[place];
      if (at === undefined) throw new Error(`the ${place} never showed probe ${i + 1} of ${probes}`);
      if (at - ahead <= due) throw new Error(`the ${place} showed probe ${i + 1} before it was sent`);
      return at - ahead - due;
    });
  // Of the clocks: how wrong they can be, and how far they went apart meanwhile.
  const error = Math.max(before.error, after.error) + Math.abs(after.offset - before.offset) / 2;
  return { sent: count, error, ...Object.fromEntries(places.map((place) => [place, latencies(place)])) };
});

/** Runs in the page before its own scripts. @param {Place[]} places */
function watch(places) {
  /** When each value was painted, by the page's clock. @type {Record<number, Partial<Record<Place, number>>>} */
  const shown = {};
  /** Not seen yet, by place. @type {Record<Place, Set<number>>} */
  const awaited = { chart: new Set(), number: new Set() };

  /** @param {Place} place @param {number} value */
  function seen(place, value) {
    awaited[place].delete(value);
    // The page asked for this very frame before and draws the chart in it, since there is no other; the next one begins when it is out.
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        (shown[value] ??= {})[place] = performance.timeOrigin + performance.now();
      }),
    );
  }

  window.bench = {
    expect(value) {
      for (const place of places) awaited[place].add(value);
    },
    complete: () => Object.values(shown).filter((all) => places.every((place) => all[place] !== undefined)).length,
    shown: () => shown,
  };

  /** @param {string} json */
  function drawn(json) {
    for (const value of awaited.chart) {
      if (json.includes(`,${value}.0]`) || json.includes(`,${value}]`)) seen("chart", value);
    }
  }
  /** @type {Window["DashCharts"]} */
  let charts;
  Object.defineProperty(window, "DashCharts", {
    get: () => charts,
    set: (real) => {
      charts = {
        ...real,
        mount(element, json, group) {
          const id = real.mount(element, json, group);
          drawn(json);
          return id;
        },
        set(id, json) {
          real.set(id, json);
          drawn(json);
        },
      };
    },
  });

  // Every probe is higher than all before it, so the highest value shows them all.
  new MutationObserver(() => {
    const text = document.querySelector('[data-widget="highest"] .figure')?.textContent;
    const highest = Number(text ?? Number.NaN);
    for (const value of awaited.number) if (value <= highest) seen("number", value);
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/**
 * What the page's clock is ahead, in milliseconds, and how wrong that can be: half of the quickest of many round trips.
 * @param {import("@playwright/test").Page} page
 */
async function offset(page) {
  let best = { offset: 0, error: Infinity };
  for (let i = 0; i < 50; i++) {
    const asked = now();
    const there = await page.evaluate(() => performance.timeOrigin + performance.now());
    const answered = now();
    const error = (answered - asked) / 2;
    if (error < best.error) best = { offset: there - (asked + answered) / 2, error };
  }
  return best;
}

/**
 * @param {http.Agent} agent @param {string} url @param {string} key @param {string} body
 * @returns {Promise<void>}
 */
function send(agent, url, key, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": body.length };
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => (response.statusCode === 202 ? resolve() : reject(new Error(`a probe was answered ${response.statusCode}`))));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** @param {number} at */
async function until(at) {
  for (;;) {
    const left = at - now();
    if (left <= 0) return;
    // A timer fires up to a millisecond late: the last one is waited for in turns of the loop.
    await new Promise((resolve) => (left > 2 ? setTimeout(resolve, left - 2) : setImmediate(resolve)));
  }
}

/** From 0 to 1, the same for the same probe of every run (a low-discrepancy sequence). @param {number} i */
function scatter(i) {
  return ((i + 1) * 0.618_033_988_749_895) % 1;
}
