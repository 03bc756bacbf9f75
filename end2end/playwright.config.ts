import { defineConfig, type PlaywrightTestOptions } from "@playwright/test";
import { launchOptions, pageOptions } from "./support/chromium.mjs";

const inCi = !!process.env.CI;

const use: Partial<PlaywrightTestOptions> & Record<string, unknown> = {
  ...pageOptions,
  launchOptions,
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
