import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type BrowserContext, type Locator, type Page, type Response } from "@playwright/test";
import { existsSync } from "node:fs";
import { Dash, OwnServer } from "./server.ts";

export { expect };

interface Options {
  /** A server of the test's own, just started for the first time. */
  ownServer: boolean;
  /** Whether the first account is there when the test begins. */
  setUp: boolean;
  /** Whether the browser has the owner's session. */
  signedIn: boolean;
  /** What the console may say although the test is fine. */
  tolerated: RegExp;
}

interface Fixtures {
  server: Dash;
  /** Opens a path and waits until the page listens, where it has a script. */
  visit: (path: string) => Promise<Response>;
  quiet: void;
}

export const test = base.extend<Options & Fixtures>({
  ownServer: [false, { option: true }],
  setUp: [true, { option: true }],
  signedIn: [true, { option: true }],
  tolerated: [/(?!)/, { option: true }],

  server: async ({ ownServer, setUp }, use, testInfo) => {
    const own = ownServer ? await OwnServer.first(setUp) : undefined;
    const server = own ?? new Dash(process.env.END2END_URL!, process.env.END2END_DATA!, JSON.parse(process.env.END2END_ACCESS!));
    await use(server);
    const failed = testInfo.status !== testInfo.expectedStatus;
    if (failed && existsSync(server.log)) await testInfo.attach("server.log", { path: server.log, contentType: "text/plain" });
    const ready = await server.isReady();
    await own?.stop();
    expect(ready, "the server is still ready after the test").toBe(true);
  },

  baseURL: async ({ server }, use) => use(server.url),

  storageState: async ({ server, signedIn }, use) => {
    const session = signedIn ? server.access?.session : undefined;
    const cookie = { name: "dash", domain: "127.0.0.1", path: "/", expires: -1, httpOnly: true, secure: false, sameSite: "Lax" as const };
    await use({ cookies: session ? [{ ...cookie, value: session }] : [], origins: [] });
  },

  visit: async ({ page, javaScriptEnabled }, use) => {
    await use(async (path) => {
      const response = await page.goto(path);
      if (javaScriptEnabled !== false) await hydrated(page);
      return response!;
    });
  },

  // Holds for every test: nothing to complain of, and nobody else is asked for anything.
  quiet: [
    async ({ context, tolerated, javaScriptEnabled }, use) => {
      const complaints = await listen(context);
      await use();
      // Without a script, what is there for scripts remains unused.
      const unused = javaScriptEnabled === false ? /was preloaded using link preload but not used/ : /(?!)/;
      const real = complaints.filter((complaint) => !tolerated.test(complaint) && !unused.test(complaint));
      expect(real, "errors, warnings, violations of the content security policy, requests to other hosts").toEqual([]);
    },
    { auto: true },
  ],
});

async function listen(context: BrowserContext): Promise<string[]> {
  const complaints: string[] = [];
  context.on("console", (message) => {
    const kind = message.type();
    if (kind === "error" || kind === "warning") complaints.push(`console ${kind} at ${message.page()?.url()}: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => complaints.push(`uncaught: ${error.error().stack ?? error.error()}`));
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (!["data:", "blob:", "about:"].includes(protocol) && hostname !== "127.0.0.1") complaints.push(`request to another host: ${request.url()}`);
  });
  // The console tells of these too, but not of every directive.
  await context.exposeBinding("tellViolation", (_, violation: string) => void complaints.push(`content security policy: ${violation}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => window.tellViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  return complaints;
}

export async function hydrated(page: Page) {
  await page.locator("html[data-hydrated]").waitFor({ state: "attached", timeout: 30_000 });
}

/** Nothing that axe complains of, light and dark. Where no script runs axe cannot either. */
export async function expectAccessible(page: Page) {
  for (const colorScheme of ["light", "dark"] as const) {
    // A colour on its way from one to the other is neither.
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).analyze();
    const words = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary}`));
    expect(words, colorScheme).toEqual([]);
  }
}

/** A widget of a dashboard. */
export function widget(page: Page, title: string): Locator {
  return page.getByRole("region", { name: title, exact: true });
}

/** The number beside a term of a description list. */
export async function figure(within: Page | Locator, term: string): Promise<number> {
  const text = await within
    .getByRole("term")
    .filter({ hasText: new RegExp(`^\\s*${term}\\s*$`) })
    .locator("xpath=following-sibling::dd")
    .innerText();
  const number = /-?\d[\d,]*(\.\d+)?/.exec(text);
  return number ? Number(number[0].replaceAll(",", "")) : NaN;
}

declare global {
  interface Window {
    tellViolation(violation: string): void;
  }
}
