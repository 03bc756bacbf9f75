import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export const repository = resolve(import.meta.dirname, "../..");
export const site = process.env.DASH_SITE ?? join(repository, "target/site");

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dash");
const binary = process.env.DASH_SERVER_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(cache, "target"), "debug/server");

/** The first start makes a database. */
const START_PATIENCE = 120_000;
/** The server's own patience with requests and stages, and some more. */
const STOP_PATIENCE = 45_000;

export interface Stats {
  received: number;
  accepted: number;
  rejected: number;
  mapped: number;
  filtered: number;
  quarantined: number;
  pending: number;
}

export interface Pipeline {
  slug: string;
  key: string;
}

/** What the first owner signs in with. */
export const OWNER = { name: "Olga Owner", email: "olga@example.org", password: "correct horse battery staple", organization: "Example" };

/** What a browser and a program come in with. */
export interface Access {
  /** The cookie of the owner's session. */
  session: string;
  /** A key that reads. */
  reader: string;
}

/** A running server, seen from outside. */
export class Dash {
  constructor(
    readonly url: string,
    readonly data: string,
    /** Nothing while nobody has an account. */
    public access?: Access,
  ) {}

  get log(): string {
    return join(this.data, "server.log");
  }

  /** One of the demo's pipelines with its key. */
  demo(slug: string): Pipeline {
    const keys = JSON.parse(readFileSync(join(this.data, "demo-keys.json"), "utf8"));
    return { slug, key: keys[slug] };
  }

  /** `server pipelines create`, while the server runs. */
  async create(definition: object): Promise<Pipeline> {
    const { slug, ingest_key } = await this.command(["pipelines", "create", "--file", "-"], JSON.stringify(definition));
    return { slug, key: ingest_key };
  }

  /** What a command of the server prints. */
  async command(words: string[], input = ""): Promise<Record<string, string>> {
    const made = promisify(execFile)(binary, words, { env: environment(this.url, this.data) });
    made.child.stdin?.end(input);
    return JSON.parse((await made).stdout);
  }

  /** The path of the link that makes the first account, from the console. */
  setUpLink(): string {
    const link = /Make your account: https?:\/\/[^/]+(\/\S+)/.exec(readFileSync(this.log, "utf8"));
    if (!link) throw new Error(`there is no link on the console:\n${readFileSync(this.log, "utf8")}`);
    return link[1];
  }

  /** Makes the first owner, as the form of that link does. */
  async setUp() {
    const token = new URL(this.setUpLink(), this.url).searchParams.get("token")!;
    const response = await fetch(`${this.url}/api/set-up`, {
      method: "POST",
      redirect: "manual",
      headers: { "content-type": "application/x-www-form-urlencoded", accept: "text/html", origin: this.url },
      body: new URLSearchParams({ token, ...OWNER }),
    });
    const session = response.headers.getSetCookie().find((cookie) => cookie.startsWith("dash="));
    if (!session) throw new Error(`no session came of the set-up: ${response.status} ${response.headers.get("location")}`);
    const { key } = await this.command(["keys", "create", "--scope", "read", "--name", "end2end"]);
    this.access = { session: session.split(";")[0].slice("dash=".length), reader: key };
  }

  /** Posts and answers the receipt. */
  async post({ slug, key }: Pipeline, body: string, type = "application/json"): Promise<{ accepted: number; rejected_total: number }> {
    const response = await fetch(`${this.url}/api/v1/ingest/${slug}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": type },
      body,
    });
    const text = await response.text();
    if (response.status !== 202) throw new Error(`posting to ${slug}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  async stats({ slug }: Pipeline): Promise<Stats> {
    const response = await fetch(`${this.url}/api/v1/pipelines/${slug}/stats`, { headers: { authorization: `Bearer ${this.access?.reader}` } });
    if (!response.ok) throw new Error(`stats of ${slug}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  async isReady(): Promise<boolean> {
    return fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(5_000) }).then(
      (response) => response.ok,
      () => false,
    );
  }
}

/** A server that this process has started, on data of its own, and that ends with it. */
export class OwnServer extends Dash {
  #child?: ChildProcess;
  /** Variables beside those of every test. */
  #more: NodeJS.ProcessEnv = {};

  /** A first start: nothing is there, not even a database. Then, unless the test does that, somebody makes the first account. */
  static async first(setUp = true, more: (url: string) => Promise<NodeJS.ProcessEnv> = async () => ({})): Promise<OwnServer> {
    for (const [what, path] of [["the server", binary], ["the site", join(site, "pkg/dash_bg.wasm")]] as const) {
      if (!existsSync(path)) throw new Error(`${what} is not built: ${path} is missing; \`make test\` builds it`);
    }
    const data = mkdtempSync(join(tmpdir(), "dash-end2end-"));
    // PostgreSQL runs as another user when root tests.
    chmodSync(data, 0o711);
    const server = new OwnServer(`http://127.0.0.1:${await freePort()}`, data);
    try {
      server.#more = await more(server.url);
      await server.start();
      if (setUp) await server.setUp();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** On the same port and data as before. */
  async start() {
    const log = openSync(this.log, "a");
    // However this process ends: the kernel then asks the server to stop, and the server its PostgreSQL.
    const [program, ...words] = existsSync("/usr/bin/setpriv") ? ["setpriv", "--pdeathsig", "TERM", binary] : [binary];
    const child = spawn(program, [...words, "serve"], {
      env: { ...environment(this.url, this.data), ...this.#more },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#child = child;
    await once(child, "spawn");
    const deadline = Date.now() + START_PATIENCE;
    while (!(await this.isReady())) {
      if (hasEnded(child)) throw new Error(`the server ended (${child.exitCode ?? child.signalCode}):\n${this.lastLines()}`);
      if (Date.now() > deadline) throw new Error(`the server is not ready after ${START_PATIENCE / 1_000} s:\n${this.lastLines()}`);
      await sleep(50);
    }
  }

  /** Pulls the plug. */
  async kill() {
    await end(this.#child, "SIGKILL");
  }

  /** Asks it to stop, waits, and leaves nothing behind: no process and no file. */
  async stop() {
    const asked = !this.#child || hasEnded(this.#child) || (await end(this.#child, "SIGTERM", STOP_PATIENCE));
    if (!asked) await end(this.#child, "SIGKILL");
    const left = await this.#postgresLeft();
    const last = this.lastLines();
    rmSync(this.data, { recursive: true, force: true, maxRetries: 3 });
    if (!asked) throw new Error(`the server did not stop within ${STOP_PATIENCE / 1_000} s of being asked to:\n${last}`);
    if (left) throw new Error(`PostgreSQL (${left}) outlived its server:\n${last}`);
  }

  lastLines(): string {
    return existsSync(this.log) ? readFileSync(this.log, "utf8").split("\n").slice(-30).join("\n") : "";
  }

  /** The process id of a PostgreSQL that does not end; it is ended. */
  async #postgresLeft(): Promise<number | undefined> {
    const file = join(this.data, "postgres/data/postmaster.pid");
    const deadline = Date.now() + 15_000;
    while (existsSync(file)) {
      const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
      if (!isAlive(pid)) return undefined;
      if (Date.now() > deadline) {
        process.kill(pid, "SIGQUIT");
        return pid;
      }
      await sleep(100);
    }
  }
}

function environment(url: string, data: string): NodeJS.ProcessEnv {
  // A database or a lake of whoever runs the tests is not theirs to write to.
  const foreign = /^(DATABASE_URL|DASH_|AWS_)/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name) || name === "DASH_POSTGRES_BIN");
  return { ...Object.fromEntries(own), DASH_ADDR: new URL(url).host, DASH_DATA: data, DASH_SITE: site, NO_COLOR: "1" };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether it ended in time. */
async function end(child: ChildProcess | undefined, signal: NodeJS.Signals, patience = 10_000): Promise<boolean> {
  if (!child || hasEnded(child)) return true;
  const ended = once(child, "exit").then(() => true);
  child.kill(signal);
  return Promise.race([ended, sleep(patience, false, { ref: false })]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
