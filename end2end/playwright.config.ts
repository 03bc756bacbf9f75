import { existsSync } from "node:fs";
import { defineConfig, type PlaywrightTestOptions } from "@playwright/test";

const inCi = !!process.env.CI;

/** A browser of the machine: none is downloaded. */
function chromium(): string {
  const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = process.env.DASH_CHROMIUM ?? places.find(existsSync);
  if (!found) throw new Error(`no Chromium: install it (apt-get install chromium) or name it in DASH_CHROMIUM; looked for ${places.join(", ")}`);
  return found;
}

const use: Partial<PlaywrightTestOptions> & Record<string, unknown> = {
  launchOptions: {
    executablePath: chromium(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  },
  viewport: { width: 1440, height: 900 },
  // Neither the server's zone nor its words: markup that depends on them does not hydrate.
  timezoneId: "America/New_York",
  locale: "en-GB",
  actionTimeout: 15_000,
  navigationTimeout: 30_000,
  trace: "on-first-retry",
};

// Every test that reads runs twice, with and without JavaScript; what needs a script is tagged @javascript.
export default defineConfig({
  testDir: "tests",
  globalSetup: "./support/global-setup.ts",
  workers: 2,
  retries: inCi ? 1 : 0,
  forbidOnly: inCi,
  // The server is built without optimisation, and its machine may have two cores.
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reportSlowTests: null,
  // Its last line says how many passed.
  reporter: "list",
  projects: [
    { name: "javascript", use },
    { name: "no-javascript", use: { ...use, javaScriptEnabled: false }, grepInvert: /@javascript/ },
  ],
});
