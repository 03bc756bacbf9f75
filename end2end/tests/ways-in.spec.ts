import type { Browser, Page } from "@playwright/test";
import { providerPackages, startProvider, type Provider } from "../support/peer.ts";
import { OWNER, OwnServer } from "../support/server.ts";
import { expect, test } from "../support/test.ts";

test("an account elsewhere is linked, signs in, and is unlinked", async ({ browser, javaScriptEnabled }) => {
  await withPeer(async (server) => {
    const page = await open(browser, server.url, javaScriptEnabled);
    // Nobody has an account of that address, and people are invited here.
    await page.goto("/sign-in");
    await page.getByRole("link", { name: "Sign in with The Peer" }).click();
    await atProvider(page, "stranger");
    await expect(page.getByRole("alert").first()).toContainText(/invitation/);

    const own = await open(browser, server.url, javaScriptEnabled, server.access!.session);
    // A page of another site that leads there knows no session's id.
    await own.goto("/sso/peer?link=00000000-0000-0000-0000-000000000000");
    await expect(own.getByRole("alert").first()).toContainText("on your account's page");
    await own.goto("/account");
    await own.getByRole("link", { name: "Link one of The Peer" }).click();
    await atProvider(own, "unverified-olga");
    await expect(own.getByText("The account is linked")).toBeVisible();
    await expect(own.getByText("unverified-olga@example.org")).toBeVisible();

    const again = await open(browser, server.url, javaScriptEnabled);
    await again.goto("/pipelines");
    await again.getByRole("link", { name: "Sign in with The Peer" }).click();
    await atProvider(again, "unverified-olga");
    await expect(again.getByRole("heading", { level: 1, name: "Pipelines" })).toBeVisible();

    // An answer that nobody asked for: of another browser, or a second time.
    await again.goto("/sso/callback?code=stolen&state=made-up");
    await expect(again.getByRole("alert").first()).toContainText("was begun elsewhere");

    await own.getByRole("button", { name: "Unlink unverified-olga@example.org" }).click();
    await expect(own.getByText("It no longer signs you in")).toBeVisible();
  });
});

test("an address that the provider has verified signs in to the account of that address", async ({ browser, javaScriptEnabled }) => {
  await withPeer(async (server) => {
    const login = OWNER.email.split("@")[0];
    const page = await open(browser, server.url, javaScriptEnabled);
    await page.goto("/sign-in?to=/account");
    await page.getByRole("link", { name: "Sign in with The Peer" }).click();
    await atProvider(page, login);
    await expect(page.getByRole("heading", { level: 1, name: "Account" })).toBeVisible();
    await expect(page.getByText(`You sign in as ${OWNER.email}`)).toBeVisible();
  });
});

test("a passkey is made, signs in without a name, and is removed", { tag: "@javascript" }, async ({ browser }) => {
  test.setTimeout(120_000);
  // Passkeys are for a name: an address has none.
  const server = await OwnServer.first(true, async (url) => ({ DASH_URL: named(url) }));
  try {
    const page = await open(browser, named(server.url), true);
    await withAuthenticator(page);
    await page.goto("/sign-in");
    await page.getByLabel("E-mail address").fill(OWNER.email);
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Dashboards" })).toBeVisible();
    await page.goto("/account");
    await page.getByLabel("Name of the new passkey").fill("Laptop");
    await page.getByRole("button", { name: "Make a passkey" }).click();
    await expect(page.getByText("The passkey Laptop signs you in")).toBeVisible();

    await page.locator("summary[aria-label='Account and organization']").click();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await expect(page.getByText("You are signed out")).toBeVisible();
    await page.goto("/sign-in?to=/account");
    // The page also offers the passkey in the field for names, and the simulated authenticator may take it there before the button is reached.
    const signedIn = page.getByRole("heading", { level: 1, name: "Account" });
    const button = page.getByRole("button", { name: "Sign in with a passkey" });
    await expect(button.or(signedIn)).toBeVisible();
    await button.click({ timeout: 2_000 }).catch(() => {});
    await expect(signedIn).toBeVisible();
    await page.getByRole("button", { name: "Remove the passkey Laptop" }).click();
    await expect(page.getByText("no longer signs you in")).toBeVisible();
  } finally {
    await server.stop();
  }
});

/** With a server of its own whose people may come by a real provider of OpenID Connect. */
async function withPeer(work: (server: OwnServer) => Promise<void>): Promise<void> {
  test.skip(!providerPackages, "no OpenID Connect provider is installed: TEST_OIDC_PROVIDER names none");
  test.setTimeout(180_000);
  let provider: Provider | undefined;
  const server = await OwnServer.first(true, async (url) => {
    provider = await startProvider(`${url}/sso/callback`);
    const config = { slug: "peer", name: "The Peer", issuer: provider.issuer, client_id: "dash", client_secret: "a secret: & more" };
    return { DASH_OIDC: JSON.stringify([config]), DASH_EGRESS_ALLOW: new URL(provider.issuer).host };
  });
  try {
    await work(server);
  } finally {
    await server.stop();
    await provider?.stop();
  }
}

/** The same server by a name. */
function named(url: string): string {
  return url.replace("127.0.0.1", "localhost");
}

async function open(browser: Browser, baseURL: string, javaScriptEnabled?: boolean, session?: string): Promise<Page> {
  const context = await browser.newContext({ baseURL, javaScriptEnabled, storageState: { cookies: [], origins: [] } });
  if (session) await context.addCookies([{ name: "dash", value: session, url: baseURL }]);
  return context.newPage();
}

/** The pages that the provider has for tests: any login is taken. */
async function atProvider(page: Page, login: string) {
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("x");
  await page.locator("button[type=submit]").click();
  await page.locator("button[type=submit]").click();
}

async function withAuthenticator(page: Page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}
