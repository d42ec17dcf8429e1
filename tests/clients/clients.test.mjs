// Real, unmodified clients against a running server: FANFARE_BIN names the binary (or FANFARE_URL a running server).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { clients } from './adapters.mjs';
import { forAdmins, forOwner, medias, names, publish, received } from './events.mjs';
import { startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';

// Long enough that a client which retries would have done so: the slowest waits 3 s.
const LONGER_THAN_A_RETRY = 4000;

let server;
before(async () => { server = await startServer(); });
after(async () => { await server?.stop(); });

const within = (ms, what, promise) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

async function until(what, holds) {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await wait(10);
  }
}

// Waits for as many events as are expected, then long enough for one too many to show itself.
async function assertReceived(got, expected) {
  try {
    await until('all events', async () => (await got()).length >= expected.length);
  } catch {
    // The comparison below says what is missing.
  }
  await wait(100);
  assert.deepEqual(await got(), expected);
}

for (const [client, open] of Object.entries(clients)) {
  describe(client, () => {
    test('each event of document 002 arrives once, in order, under its name and wrapper key', async () => {
      const [admin, owner] = [[], []];
      const streams = [
        open(`${server.url}/sse`, server.admin, (event) => admin.push(event)),
        open(`${server.url}/sse`, server.user, (event) => owner.push(event)),
      ];
      try {
        await within(10_000, 'open', Promise.all(streams.map((stream) => stream.opened)));
        await publish(server, [...forAdmins, ...forOwner]);
        await assertReceived(() => admin, received(forAdmins));
        await assertReceived(() => owner, received(forOwner));
      } finally {
        streams.forEach((stream) => stream.close());
      }
    });

    test('the libraries filter lets only its libraries pass', async () => {
      const got = [];
      const stream = open(`${server.url}/sse?libraries=lib2,lib3`, server.admin, (event) => got.push(event));
      try {
        await within(10_000, 'open', stream.opened);
        await publish(server, [medias('lib1', 'a'), medias('lib2', 'b'), medias('lib4', 'c'), medias('lib2', 'd')]);
        await assertReceived(() => got, received([medias('lib2', 'b'), medias('lib2', 'd')]));
      } finally {
        stream.close();
      }
    });

    test('a wrong token is refused with 401 and not tried again', async () => {
      const stream = open(`${server.url}/sse`, 'wrong', () => assert.fail('no event for a wrong token'));
      try {
        assert.equal(await within(10_000, 'refused', stream.failure), 401);
        await wait(LONGER_THAN_A_RETRY);
        assert.equal(stream.errors(), 1);
        assert.ok(stream.closed(), 'the client gave up');
      } finally {
        stream.close();
      }
    });
  });
}

describe('EventSource of a headless Chromium, from a page of another origin', () => {
  let browser;
  before(async () => { browser = await startBrowser(); });
  after(async () => { await browser?.stop(); });

  test('each event of document 002 arrives once, in order, under its name and wrapper key', async () => {
    const admin = await browser.open('native.html', { url: `${server.url}/sse?token=${server.admin}`, names });
    const owner = await browser.open('native.html', { url: `${server.url}/sse?token=${server.user}`, names });
    await until('both are open', async () => (await admin.state()).opens === 1 && (await owner.state()).opens === 1);
    await publish(server, [...forAdmins, ...forOwner]);
    await assertReceived(admin.received, received(forAdmins));
    await assertReceived(owner.received, received(forOwner));
    assert.equal((await admin.state()).errors, 0);
    await Promise.all([admin.close(), owner.close()]);
  });

  test('the libraries filter lets only its libraries pass', async () => {
    const page = await browser.open('native.html', { url: `${server.url}/sse?libraries=lib2&token=${server.admin}`, names });
    await until('it is open', async () => (await page.state()).opens === 1);
    await publish(server, [medias('lib1', 'a'), medias('lib2', 'b')]);
    await assertReceived(page.received, received([medias('lib2', 'b')]));
    await page.close();
  });

  test('a wrong token closes it for good', async () => {
    const page = await browser.open('native.html', { url: `${server.url}/sse?token=wrong`, names });
    await until('it has failed', async () => (await page.state()).errors > 0);
    await wait(LONGER_THAN_A_RETRY);
    assert.deepEqual(await page.state(), { opens: 0, errors: 1, readyState: 2 });
    await page.close();
  });

  test('the SseClient class of document 002 works as it is written there', async () => {
    const page = await browser.open('document-002.html', { url: `${server.url}/sse?token=${server.admin}` });
    await until('it is open', async () => (await page.state()).opens === 1);
    await publish(server, [...forAdmins, ...forOwner]);
    await assertReceived(page.received, received(forAdmins));
    // Its four listening examples log what they read, without a field that is undefined.
    const lines = await page.logs();
    for (const line of ['Library lib1 medias updated:', 'New media: m1', 'Deleted media: m0', 'Library lib1: scan 10/200 (5%)', 'Converting m1: 42% - processing']) {
      assert.ok(lines.some((logged) => logged.startsWith(line)), `${line} was not logged: ${lines.join('\n')}`);
    }
    await page.close();
  });
});
