// Passkeys in the browser. The server says what to ask for and judges the answer; this only carries both, as JSON.
//
//   DashPasskeys.supported()                      whether this browser has passkeys at all
//   await DashPasskeys.conditional()              whether it offers them in the list under a field (autocomplete="username webauthn")
//   await DashPasskeys.create(optionsJson)        a new one; resolves to the answer for the server
//   await DashPasskeys.get(optionsJson)           an existing one, asked for in a dialog
//   await DashPasskeys.get(fresh, { conditional: true })   the same in the list; waits until one is chosen. `fresh` resolves to options that the
//                                                 server gives at that moment, and is called every five minutes
//
// One thing is asked at a time: whatever begins ends what waits, which rejects with an AbortError. Somebody who closes the dialog, or has no key,
// is a NotAllowedError; a device that has one already is an InvalidStateError.
(() => {
  'use strict';

  // The server takes an answer for ten minutes after it gave the options, and a page can stand open for hours.
  const FRESH_FOR = 5 * 60 * 1000;

  let waiting;

  function only() {
    waiting?.abort();
    waiting = new AbortController();
    return waiting;
  }

  function toBytes(base64url) {
    return Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  }

  function toText(buffer) {
    const characters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
    return btoa(characters).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  }

  const described = (credentials) => credentials?.map((c) => ({ ...c, id: toBytes(c.id) }));

  // The browser's own way, where it has one: it knows extensions that are not known here.
  function creation(json) {
    const options = JSON.parse(json);
    if (PublicKeyCredential.parseCreationOptionsFromJSON) {
      return PublicKeyCredential.parseCreationOptionsFromJSON(options);
    }
    return {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: described(options.excludeCredentials),
    };
  }

  function request(json) {
    const options = JSON.parse(json);
    if (PublicKeyCredential.parseRequestOptionsFromJSON) {
      return PublicKeyCredential.parseRequestOptionsFromJSON(options);
    }
    return {
      ...options,
      challenge: toBytes(options.challenge),
      allowCredentials: described(options.allowCredentials),
    };
  }

  function answer(credential) {
    try {
      if (credential.toJSON) return JSON.stringify(credential.toJSON());
    } catch {
      // Some password managers give an object of their own, on which the browser's toJSON fails.
    }
    const { response } = credential;
    const parts = { clientDataJSON: toText(response.clientDataJSON) };
    if (response.attestationObject) {
      parts.attestationObject = toText(response.attestationObject);
      parts.transports = response.getTransports?.() ?? [];
    } else {
      parts.authenticatorData = toText(response.authenticatorData);
      parts.signature = toText(response.signature);
      parts.userHandle = response.userHandle ? toText(response.userHandle) : undefined;
    }
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
      clientExtensionResults: credential.getClientExtensionResults?.() ?? {},
      response: parts,
    });
  }

  async function chosenFromList(fresh) {
    let mine = only();
    let options = await fresh();
    for (;;) {
      // Something else may have begun while the options were on their way.
      mine.signal.throwIfAborted();
      let newer;
      const renewal = setInterval(async () => {
        try {
          newer = await fresh();
        } catch {
          // No network, maybe: what is in the list stays there, and the next time comes.
          return;
        }
        mine.abort();
      }, FRESH_FOR);
      try {
        return await navigator.credentials.get({
          publicKey: request(options),
          mediation: 'conditional',
          signal: mine.signal,
        });
      } catch (error) {
        if (!newer || waiting !== mine) throw error;
      } finally {
        clearInterval(renewal);
      }
      options = newer;
      mine = only();
    }
  }

  function supported() {
    return window.isSecureContext && typeof window.PublicKeyCredential === 'function' && Boolean(navigator.credentials);
  }

  window.DashPasskeys = Object.freeze({
    supported,

    async conditional() {
      return supported() && Boolean(await PublicKeyCredential.isConditionalMediationAvailable?.());
    },

    async create(optionsJson) {
      return answer(await navigator.credentials.create({ publicKey: creation(optionsJson), signal: only().signal }));
    },

    async get(options, { conditional = false } = {}) {
      if (conditional) return answer(await chosenFromList(options));
      return answer(await navigator.credentials.get({ publicKey: request(options), signal: only().signal }));
    },
  });
})();
