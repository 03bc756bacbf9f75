import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { repository } from "./server.ts";

/** Where the packages of the provider are; nothing when nobody has installed them. */
export const providerPackages = process.env.TEST_OIDC_PROVIDER;

export interface Provider {
  issuer: string;
  stop(): Promise<void>;
}

/** A real provider of OpenID Connect that sends browsers back to this address. */
export async function startProvider(redirectUri: string): Promise<Provider> {
  const child = spawn("node", [join(repository, "crates/sso/tests/provider/provider.mjs")], {
    env: { ...process.env, TEST_REDIRECT_URI: redirectUri },
    stdio: ["pipe", "pipe", "ignore"],
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const [, issuer] = JSON.parse(line) as [string, string];
  return {
    issuer,
    async stop() {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
