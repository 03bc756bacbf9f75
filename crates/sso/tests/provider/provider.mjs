// Two OpenID Connect providers on ports that are free, for as long as standard input is open. Their issuers are the one line of standard output.
//
// Whoever types a login is that person; one that starts with "unverified" has an address that nobody confirmed. The first provider tells the
// address at its userinfo endpoint alone, the second in the ID token too.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// An import looks beside this file only; the packages are where the tests were told.
const packages = createRequire(join(process.env.TEST_OIDC_PROVIDER, 'package.json'));
const { Provider } = await import(pathToFileURL(packages.resolve('oidc-provider')));

// The second one is of a Dash that a browser is sent back to.
const redirect_uris = ['https://dash.example/sign-in/callback', process.env.TEST_REDIRECT_URI].filter(Boolean);

function configuration(conformIdTokenClaims) {
  return {
    clients: [
      { client_id: 'dash', client_secret: 'a secret: & more', redirect_uris },
      { client_id: 'public', redirect_uris, token_endpoint_auth_method: 'none' },
      { client_id: 'shared', client_secret: 'x'.repeat(32), redirect_uris, id_token_signed_response_alg: 'HS256' },
    ],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'HS256'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims,
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    findAccount: (_, login) => ({
      accountId: login,
      claims: () => ({
        sub: login,
        email: `${login}@example.org`,
        email_verified: !login.startsWith('unverified'),
        name: `Name of ${login}`,
      }),
    }),
  };
}

async function start(conformIdTokenClaims) {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, configuration(conformIdTokenClaims)).callback());
  return issuer;
}

console.info = console.warn = () => {};
const issuers = [await start(true), await start(false)];
process.stdout.write(`${JSON.stringify(issuers)}\n`);
process.stdin.on('end', () => process.exit()).resume();
