// The machine's own browser, for tests and benchmarks alike.
import { existsSync } from "node:fs";

/** A browser of the machine: none is downloaded. */
function executable() {
  const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = process.env.DASH_CHROMIUM ?? places.find((place) => existsSync(place));
  if (!found) throw new Error(`no Chromium: install it (apt-get install chromium) or name it in DASH_CHROMIUM; looked for ${places.join(", ")}`);
  return found;
}

/** How it is started: it asks nobody for anything. */
export const launchOptions = {
  executablePath: executable(),
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/** How its pages are: a desktop's size, and neither the server's zone nor its words: markup that depends on them does not hydrate. */
export const pageOptions = {
  viewport: { width: 1440, height: 900 },
  timezoneId: "America/New_York",
  locale: "en-GB",
};
