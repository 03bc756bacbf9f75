import { createHmac } from "node:crypto";
import type { Browser, Page } from "@playwright/test";
import { OWNER } from "../support/server.ts";
import { expect, expectAccessible, hydrated, test } from "../support/test.ts";

const PASSWORD = "seven green llamas juggle";

test.describe("a first start", () => {
  test.use({ ownServer: true, setUp: false, signedIn: false });

  test("ends on live charts, and the link on the console makes the first account", async ({ page, visit, server }) => {
    await visit("/");
    await expect(page.getByRole("heading", { name: "This machine", exact: true })).toBeVisible();
    await expect(page.getByRole("link", { name: "Sign in" })).toHaveCount(0);
    await expect(page.getByText("its link stands on the console")).toBeVisible();
    await visit("/dashboards/this-machine");
    await expect(page.getByRole("region", { name: "Memory in use" })).toContainText(/[KMG]iB/);

    await visit(server.setUpLink());
    await page.getByLabel("Your name").fill(OWNER.name);
    await page.getByLabel("E-mail address").fill(OWNER.email);
    await page.getByLabel("Password").fill("1234567890");
    await page.getByLabel("Organization").fill(OWNER.organization);
    await page.getByRole("button", { name: "Make the account" }).click();
    await expect(page.getByRole("alert").first()).toContainText("too easy to guess");
    await expect(page.getByLabel("Your name"), "what was typed is still there").toHaveValue(OWNER.name);
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Make the account" }).click();
    await expect(page.getByRole("status").filter({ hasText: `Welcome, ${OWNER.name}` })).toBeVisible();
    await expect(page.getByRole("heading", { name: "Post an event" })).toBeVisible();
    const used = await page.request.get(server.setUpLink());
    expect(used.status()).toBe(410);
  });
});

test("somebody is invited, joins, gets a role and a team, and is removed", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const who = unique("ines");
  await visit("/organization");
  await page.getByLabel("E-mail address").fill(who.email);
  await page.getByRole("button", { name: "Invite", exact: true }).click();
  await expect(page.getByText("a letter is on its way")).toBeVisible();
  await expect(page.getByText("as member, open until")).not.toHaveCount(0);

  const theirs = await another(browser, baseURL!, javaScriptEnabled);
  await openLink(theirs, who.email, "Join");
  await theirs.getByLabel("Your name").fill(who.name);
  await theirs.getByLabel("Password").fill(PASSWORD);
  await theirs.getByRole("button", { name: "Make an account and join" }).click();
  await expect(theirs.getByText("You belong to it now")).toBeVisible();

  const team = `Team ${who.name}`;
  await visit("/organization?tab=teams");
  await page.getByLabel("Name", { exact: true }).fill(team);
  await page.getByRole("button", { name: "Make it" }).click();
  const card = page.locator("section").filter({ has: page.getByRole("heading", { name: team }) });
  await card.getByLabel("Person").selectOption({ label: `${who.name} (${who.email})` });
  await card.getByLabel("Role").last().selectOption("editor");
  await card.getByRole("button", { name: "Add" }).click();
  await expect(page.getByText(`${who.name} is editor in ${team}`)).toBeVisible();

  await visit("/organization");
  const row = page.getByRole("row").filter({ hasText: who.email });
  await row.getByLabel(`Change the role of ${who.name}`).first().selectOption("admin");
  await row.getByRole("button", { name: `Change the role of ${who.name}` }).click();
  await expect(page.getByText(`${who.name} is admin now`)).toBeVisible();
  // What they were signed in with has ended.
  await theirs.goto("/pipelines");
  await expect(theirs).toHaveURL(/\/sign-in\?to=\/pipelines/);

  await row.getByRole("button", { name: `Remove ${who.name}` }).click();
  await expect(page.getByText(`${who.name} no longer belongs to it`)).toBeVisible();
  await visit("/organization?tab=audit&target=" + encodeURIComponent(who.email));
  for (const action of ["member.invite", "member.join", "member.role", "member.remove"]) await expect(page.getByRole("cell", { name: action }).first()).toBeVisible();
  await theirs.context().close();
});

test.describe("without an account", () => {
  // A socket that is closed with its session says so on the console.
  test.use({ signedIn: false, tolerated: /the session has ended/ });

  test("a password signs in and out, and a wrong one says no more than that", async ({ page, visit }) => {
    await visit("/pipelines");
    await expect(page).toHaveURL(/\/sign-in\?to=/);
    await page.getByLabel("E-mail address").fill("nobody@example.org");
    await page.getByLabel("Password").fill("wrong wrong wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert").first()).toContainText("Address or password is wrong");
    await expect(page.getByLabel("E-mail address")).toHaveValue("nobody@example.org");
    await page.getByLabel("E-mail address").fill(OWNER.email.toUpperCase());
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("heading", { level: 1, name: "Pipelines" })).toBeVisible();
    await page.locator("summary[aria-label='Account and organization']").click();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await expect(page.getByText("You are signed out")).toBeVisible();
    await page.goto("/pipelines");
    await expect(page).toHaveURL(/\/sign-in\?to=/);
  });

  test("what is not shared is not shown", async ({ page, visit }) => {
    for (const path of ["/pipelines", "/pipelines/earthquakes", "/reconcile", "/account", "/organization"]) {
      await visit(path);
      await expect(page, path).toHaveURL(/\/sign-in\?to=/);
    }
  });
});

test("a link by mail signs in once", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const { their, who } = await member(page, visit, browser, baseURL!, javaScriptEnabled);
  await signOut(their);
  await their.goto("/sign-in/link");
  await their.getByLabel("E-mail address").fill(who.email);
  await their.getByRole("button", { name: "Send the link" }).click();
  await expect(their.getByText("a letter is on its way")).toBeVisible();
  const address = await openLink(their, who.email, "/link");
  await their.getByRole("button", { name: "Sign in" }).click();
  await expect(their.getByRole("heading", { name: "Send your own data" })).toBeVisible();
  const again = await their.request.get(address);
  expect(again.status()).toBe(410);
  await their.context().close();
});

test("a second factor is switched on, asked for, and off again", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const { their, who } = await member(page, visit, browser, baseURL!, javaScriptEnabled);
  await their.goto("/account");
  await their.getByRole("button", { name: "Switch it on" }).click();
  await expect(their.getByRole("img", { name: "A picture for your app" })).toBeVisible();
  const secret = (await their.locator("li code").innerText()).replaceAll(" ", "");
  await their.getByLabel("Code", { exact: true }).fill(code(secret, -1));
  await their.getByRole("button", { name: "Switch it on" }).click();
  await expect(their.getByText("10 recovery codes left")).toBeVisible();
  const recovery = (await their.getByRole("region", { name: "secret" }).innerText()).trim().split(/\s+/);
  expect(recovery).toHaveLength(10);
  await their.reload();
  await expect(their.getByRole("region", { name: "secret" }), "shown once").toHaveCount(0);

  await signOut(their);
  await signIn(their, who.email);
  await expect(their.getByRole("heading", { name: "Second factor" })).toBeVisible();
  await their.getByLabel("Code").fill("000000");
  await their.getByRole("button", { name: "Sign in" }).click();
  await expect(their.getByRole("alert").first()).toContainText("This code is wrong");
  await their.getByLabel("Code").fill(code(secret));
  await their.getByRole("button", { name: "Sign in" }).click();
  await expect(their.getByRole("heading", { level: 1, name: "Dashboards" })).toBeVisible();

  await their.goto("/account");
  await their.getByLabel("A code of your app, to switch it off").fill(recovery[0]);
  await their.getByRole("button", { name: "Switch it off" }).click();
  await expect(their.getByText("The second factor is off")).toBeVisible();
  await their.context().close();
});

test("a key is shown once, works, and is revoked", async ({ page, visit, server }) => {
  const name = unique("grafana").name;
  await visit("/organization?tab=keys");
  await page.getByLabel("Name of the key").fill(name);
  await page.getByLabel("It may").selectOption("read");
  await page.getByRole("button", { name: "Make a key" }).click();
  const key = (await page.getByRole("region", { name: "secret" }).innerText()).trim();
  expect(key).toMatch(/^dash_/);
  const ask = () => fetch(`${server.url}/api/v1/pipelines/earthquakes/stats`, { headers: { authorization: `Bearer ${key}` } });
  expect((await ask()).status).toBe(200);
  await page.reload();
  await expect(page.getByText(key)).toHaveCount(0);
  await page.getByRole("button", { name: `Revoke ${name}` }).click();
  await expect(page.getByText(`${name} is revoked`)).toBeVisible();
  expect((await ask()).status).toBe(401);
});

test("the password is changed, which signs out everywhere else", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const { their, who } = await member(page, visit, browser, baseURL!, javaScriptEnabled);
  const elsewhere = await another(browser, baseURL!, javaScriptEnabled);
  await signIn(elsewhere, who.email);
  await their.goto("/account");
  await expect(their.getByText("this one")).toBeVisible();
  await expect(their.getByRole("button", { name: "Sign out everywhere else" })).toBeVisible();
  await their.getByLabel("Current password").fill(PASSWORD);
  await their.getByLabel("New password").fill("another correct horse battery");
  await their.getByRole("button", { name: "Change it" }).click();
  await expect(their.getByText("Your password is changed")).toBeVisible();
  await elsewhere.goto("/account");
  await expect(elsewhere).toHaveURL(/\/sign-in\?to=/);
  await their.context().close();
  await elsewhere.context().close();
});

test("another organization is made, looked at, and begins empty", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const { their } = await member(page, visit, browser, baseURL!, javaScriptEnabled);
  const name = unique("Workshop").name;
  await their.goto("/account");
  await their.getByLabel("Its name").fill(name);
  await their.getByRole("button", { name: "Make it" }).click();
  await expect(their.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(their.getByText("you are an owner")).toBeVisible();
  await their.goto("/pipelines");
  await expect(their.getByText("There is no pipeline yet")).toBeVisible();
  await their.locator("summary[aria-label='Account and organization']").click();
  await their.getByRole("button", { name: OWNER.organization }).click();
  await expect(their.getByText(`This is ${OWNER.organization}`)).toBeVisible();
  await their.goto("/pipelines");
  await expect(their.getByRole("link", { name: "Earthquakes" })).toBeVisible();
  await their.context().close();
});

test("a dashboard is shared no more, and shared again", async ({ page, visit, browser, baseURL, javaScriptEnabled }) => {
  const nobody = await another(browser, baseURL!, javaScriptEnabled);
  await visit("/dashboards/flights");
  await page.getByRole("button", { name: "Stop sharing" }).click();
  await expect(page.getByText("no longer shared")).toBeVisible();
  await nobody.goto("/dashboards/flights");
  await expect(nobody).toHaveURL(/\/sign-in\?to=/);
  await page.getByRole("button", { name: "Share", exact: true }).click();
  await expect(page.getByText("shared with everybody")).toBeVisible();
  await nobody.goto("/dashboards/flights");
  await expect(nobody.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(nobody).toHaveURL(/\/dashboards\/flights/);
  await nobody.context().close();
});

test("pages that a link leads to are accessible", { tag: "@javascript" }, async ({ page, visit, browser, baseURL }) => {
  const invited = unique("invited");
  const { their, who } = await member(page, visit, browser, baseURL!, true);
  await signOut(their);
  for (const path of ["/sign-in/link", "/reset"]) {
    await their.goto(path);
    await their.getByLabel("E-mail address").fill(who.email);
    await their.getByRole("button", { name: "Send the link" }).click();
    await expect(their.getByText("a letter is on its way")).toBeVisible();
    await expectAccessible(their);
    await openLink(their, who.email, path);
    await expectAccessible(their);
  }
  await visit("/organization");
  await page.getByLabel("E-mail address").fill(invited.email);
  await page.getByRole("button", { name: "Invite", exact: true }).click();
  await expect(page.getByText("a letter is on its way")).toBeVisible();
  await openLink(their, invited.email, "Join");
  await expectAccessible(their);
  await their.context().close();
});

test("the ways in are reached by keyboard", { tag: "@javascript" }, async ({ browser, baseURL }) => {
  const page = await another(browser, baseURL!, true);
  await page.goto("/sign-in");
  await hydrated(page);
  await expect(page.getByLabel("E-mail address")).toBeFocused();
  await page.keyboard.type(OWNER.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(OWNER.password);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1, name: "Dashboards" })).toBeVisible();
  await page.context().close();
});

/** Names that no other test has: all of them share a server. */
function unique(word: string) {
  const name = `${word}${Math.random().toString(36).slice(2, 8)}`;
  return { name, email: `${name}@example.org` };
}

/** A browser of somebody else's. */
async function another(browser: Browser, baseURL: string, javaScriptEnabled?: boolean): Promise<Page> {
  const context = await browser.newContext({ baseURL, javaScriptEnabled, storageState: { cookies: [], origins: [] } });
  return context.newPage();
}

/** Opens the link of the newest letter to somebody, from the mailbox. */
async function openLink(page: Page, to: string, part: string): Promise<string> {
  await page.goto("/mailbox");
  const sheet = page.getByRole("article").filter({ hasText: to }).filter({ has: page.getByRole("link") }).first();
  const link = sheet.getByRole("link", { name: /token=/ }).first();
  const address = (await link.getAttribute("href"))!;
  await page.goto(address);
  await expect(page.getByRole("heading", { level: 1 }), part).toBeVisible();
  return address;
}

/** Somebody who is invited by the owner and signed in. */
async function member(page: Page, visit: (path: string) => Promise<unknown>, browser: Browser, baseURL: string, javaScriptEnabled?: boolean) {
  const who = unique("member");
  await visit("/organization");
  await page.getByLabel("E-mail address").fill(who.email);
  await page.getByRole("button", { name: "Invite", exact: true }).click();
  await expect(page.getByText("a letter is on its way")).toBeVisible();
  const their = await another(browser, baseURL, javaScriptEnabled);
  await openLink(their, who.email, "Join");
  await their.getByLabel("Your name").fill(who.name);
  await their.getByLabel("Password").fill(PASSWORD);
  await their.getByRole("button", { name: "Make an account and join" }).click();
  await expect(their.getByText("You belong to it now")).toBeVisible();
  return { their, who };
}

async function signIn(page: Page, email: string) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).not.toHaveURL(/\/sign-in$/);
}

async function signOut(page: Page) {
  await page.locator("summary[aria-label='Account and organization']").click();
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await expect(page.getByText("You are signed out")).toBeVisible();
}

/** The code of RFC 6238 that an app would show, so many steps from now. */
function code(secret: string, steps = 0): string {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}
