// What passkeys.js asks of a browser, and when. The browser here does nothing by itself: a test answers its questions and lets its time pass.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import vm from 'node:vm';

const source = readFileSync(new URL('../../passkeys.js', import.meta.url), 'utf8');
const MINUTE = 60_000;

// Until all that can go on without time or an answer has.
const soon = () => new Promise((done) => setImmediate(done));
const settled = async () => {
  for (let round = 0; round < 3; round += 1) await soon();
};

function browser() {
  const timers = new Set();
  const asked = [];
  let now = 0;
  const ask = (options) => {
    const question = { ...options };
    question.answer = new Promise((resolve, reject) => {
      question.choose = (id) => resolve({ toJSON: () => ({ id }) });
      question.fail = reject;
      // Not at once: browsers take the list away first.
      options.signal.addEventListener('abort', () => soon().then(() => reject(options.signal.reason)));
    });
    asked.push(question);
    return question.answer;
  };
  const window = { isSecureContext: true, PublicKeyCredential: class {} };
  vm.runInNewContext(source, {
    window,
    PublicKeyCredential: { parseRequestOptionsFromJSON: (json) => json, parseCreationOptionsFromJSON: (json) => json },
    navigator: { credentials: { get: ask, create: ask } },
    AbortController,
    setInterval(run, every) {
      const timer = { run, every, next: now + every };
      timers.add(timer);
      return timer;
    },
    clearInterval: (timer) => timers.delete(timer),
  });
  return {
    passkeys: window.DashPasskeys,
    asked,
    timers,
    async pass(time) {
      for (const end = now + time; now < end; ) {
        now += MINUTE / 2;
        for (const timer of [...timers]) {
          if (timer.next > now) continue;
          timer.next += timer.every;
          timer.run();
        }
        await settled();
      }
    },
  };
}

// Options with a number each.
function server() {
  const served = { count: 0, down: false };
  served.fresh = async () => {
    if (served.down) throw new Error('no network');
    served.count += 1;
    return JSON.stringify({ challenge: served.count });
  };
  return served;
}

const pending = (asked) => asked.filter((question) => !question.signal.aborted).map((question) => question.publicKey.challenge);

test('the list is asked for again before its options are too old', async () => {
  const { passkeys, asked, pass, timers } = browser();
  const served = server();
  const answer = passkeys.get(served.fresh, { conditional: true });
  await settled();
  assert.equal(asked[0].mediation, 'conditional');
  await pass(4 * MINUTE);
  assert.deepEqual([served.count, pending(asked)], [1, [1]]);
  await pass(56 * MINUTE);
  assert.equal(served.count, 13, 'at the start, and every five minutes');
  assert.deepEqual(pending(asked), [served.count], 'one question at a time, the newest');
  asked.at(-1).choose('ada');
  assert.equal(await answer, '{"id":"ada"}');
  assert.equal(timers.size, 0);
  await pass(20 * MINUTE);
  assert.equal(asked.length, served.count, 'nothing is asked once there is an answer');
});

test('a server that is away for a while is asked again', async () => {
  const { passkeys, asked, pass } = browser();
  const served = server();
  const answer = passkeys.get(served.fresh, { conditional: true });
  await settled();
  served.down = true;
  await pass(6 * MINUTE);
  assert.deepEqual(pending(asked), [1], 'the list stays');
  served.down = false;
  await pass(5 * MINUTE);
  assert.deepEqual(pending(asked), [2]);
  asked.at(-1).choose('ada');
  await answer;
  served.down = true;
  await assert.rejects(passkeys.get(served.fresh, { conditional: true }), /no network/);
});

test('whatever begins ends the list for good', async () => {
  const { passkeys, asked, pass, timers } = browser();
  const served = server();
  const list = assert.rejects(passkeys.get(served.fresh, { conditional: true }), { name: 'AbortError' });
  await settled();
  await pass(6 * MINUTE);
  const dialog = passkeys.get('{"challenge":"dialog"}');
  await list;
  assert.deepEqual([pending(asked), timers.size], [['dialog'], 0]);
  assert.equal(asked.at(-1).mediation, undefined);
  await pass(20 * MINUTE);
  assert.deepEqual(pending(asked), ['dialog']);
  asked.at(-1).choose('ada');
  assert.equal(await dialog, '{"id":"ada"}');
});

test('a dialog that begins while options are on their way is left alone', async () => {
  const { passkeys, asked, pass } = browser();
  let arrive;
  const slow = () => new Promise((resolve) => (arrive = resolve));
  for (const before of [0, 6 * MINUTE]) {
    const list = assert.rejects(passkeys.get(slow, { conditional: true }), { name: 'AbortError' });
    if (before) {
      arrive('{"challenge":"list"}');
      await settled();
      await pass(before);
    }
    const dialog = passkeys.get('{"challenge":"dialog"}');
    arrive('{"challenge":"late"}');
    await list;
    await settled();
    assert.deepEqual(pending(asked), ['dialog']);
    asked.at(-1).choose('ada');
    await dialog;
    asked.length = 0;
  }
});

test('a dialog that begins while the list is renewed is left alone', async () => {
  const { passkeys, asked, pass } = browser();
  let arrive;
  const list = assert.rejects(passkeys.get(() => new Promise((resolve) => (arrive = resolve)), { conditional: true }), {
    name: 'AbortError',
  });
  arrive('{"challenge":"list"}');
  await settled();
  await pass(6 * MINUTE);
  arrive('{"challenge":"newer"}');
  for (let turn = 0; turn < 100 && !asked[0].signal.aborted; turn += 1) await undefined;
  const dialog = passkeys.get('{"challenge":"dialog"}');
  await list;
  await settled();
  assert.deepEqual(pending(asked), ['dialog']);
  asked.at(-1).choose('ada');
  await dialog;
});

test('an error that is not ours is told', async () => {
  const { passkeys, asked, timers } = browser();
  const list = passkeys.get(server().fresh, { conditional: true });
  await settled();
  asked[0].fail(new DOMException('closed', 'NotAllowedError'));
  await assert.rejects(list, { name: 'NotAllowedError' });
  assert.equal(timers.size, 0);
});
