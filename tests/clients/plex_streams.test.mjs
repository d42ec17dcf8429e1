// Plex's event stream, and its WebSocket, to clients in JavaScript: the SDK of documents 000 and 001, EventSource, a browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as wait } from 'node:timers/promises';

import { EventSource as EventSource4 } from 'eventsource';

import { startBrowser } from './browser.mjs';
import { until } from './patience.mjs';
import { streams } from './plex_client.mjs';
import { ALL, LOG, TABLES, compare, playback, playing, tell, unpacked, unwrapped } from './plex_events.mjs';
import { startServer } from './server.mjs';

const require = createRequire(import.meta.url);
const EventSource2 = require('eventsource-2');
const { PlexAPI } = require('@lukehagar/plexjs');
const { SDKError } = require('@lukehagar/plexjs/sdk/models/errors/sdkerror.js');

const together = { concurrency: true };
const expectedOf = (table) => table.flatMap(([, notices]) => notices);
// What a client has to listen for, since EventSource has no word for "all names".
const NAMES = [...new Set([...expectedOf([...ALL, LOG]).map(([name]) => name), 'ping'])];

async function withServer(further, check) {
  const server = await startServer({ tables: TABLES, ...further });
  try {
    await check(server);
  } finally {
    await server.stop();
  }
}

async function assertTold(told, expected) {
  try {
    await until('all of it', async () => (await told()).length >= expected.length);
  } catch {
    // The comparison below says what is missing.
  }
  await wait(100); // for one too many
  assert.deepEqual(...compare(await told(), expected));
}

// What a stream of bytes says, but for pings.
function heard(stream) {
  const [notices, decoder] = [[], new TextDecoder()];
  const reader = stream.getReader();
  let rest = '';
  const ended = (async () => {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      const events = (rest + decoder.decode(value, { stream: true })).split('\n\n');
      rest = events.pop();
      for (const event of events.filter((text) => text.startsWith('event: '))) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event);
        if (name !== 'ping') notices.push(unwrapped({ name, data: JSON.parse(data) }));
      }
    }
  })();
  return { notices: () => notices, ended, close: () => reader.cancel() };
}

const OPERATIONS = ['getNotifications', 'connectWebSocket'];

describe('Plex streams', together, () => {
  describe('the snippets of documents 000 and 001', together, () => {
    const folder = fileURLToPath(new URL('./node_modules/.snippets/', import.meta.url));
    const hook = new URL('./snippets/resolve.mjs', import.meta.url).href;
    for (const name of OPERATIONS.flatMap((operation) => [operation, `events${operation[0].toUpperCase()}${operation.slice(1)}`])) {
      test(`${name} runs as it is written, but for the server's address and the token`, () => withServer({}, async (server) => {
        const written = await readFile(new URL(`./snippets/${name}.mjs`, import.meta.url), 'utf8');
        const parts = written.split('  token: "<YOUR_API_KEY_HERE>",\n');
        assert.equal(parts.length, 2, 'the place for the token is there once');
        const file = `${folder}${name}.mjs`;
        await mkdir(folder, { recursive: true });
        await writeFile(file, parts.join(`  token: ${JSON.stringify(server.admin)},\n  serverURL: ${JSON.stringify(server.url)},\n`));
        const child = spawn(process.execPath, ['--import', hook, file], { stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '';
        for (const output of [child.stdout, child.stderr]) output.setEncoding('utf8').on('data', (text) => { said += text; });
        try {
          await until(() => `it prints its stream, but: ${said}`, () => /ReadableStream \{[^}]*state: 'readable'/.test(said));
          await streams(server, 1);
          assert.doesNotMatch(said, /failed/);
        } finally {
          child.kill('SIGKILL');
          await rm(file);
        }
      }));
    }
  });

  describe('@lukehagar/plexjs', together, () => {
    const api = (server, more) => new PlexAPI({ serverURL: server.url, token: server.admin, clientIdentifier: 'abc123', product: 'Plex for Roku', deviceName: 'Living Room TV', ...more });
    const open = async (plex, operation, request = {}, options = {}) => {
      const { responseStream } = await plex.events[operation](request, options);
      return heard(responseStream);
    };

    for (const operation of OPERATIONS) {
      test(`${operation} is told every type of notification`, () => withServer({}, async (server) => {
        const plex = api(server);
        const [stream, all, some] = [await open(plex, operation), await open(plex, operation, { filter: [''] }), await open(plex, operation, { filter: ['playing', 'log'] })];
        await tell(server, ...[...ALL, LOG].map(([event]) => event));
        await assertTold(stream.notices, expectedOf(ALL));
        await assertTold(all.notices, expectedOf([...ALL, LOG]));
        await assertTold(some.notices, expectedOf([ALL[0], LOG]));
        await Promise.all([stream, all, some].map((one) => one.close()));
      }));

      test(`${operation}: retries ride out a restart`, () => withServer({}, async (server) => {
        const options = { retries: { strategy: 'backoff', backoff: { initialInterval: 100, maxInterval: 1000, exponent: 1.2, maxElapsedTime: 20_000 }, retryConnectionErrors: true } };
        const first = await open(api(server), operation, {}, options);
        await server.end('SIGTERM');
        await first.ended;
        const second = open(api(server), operation, {}, options);
        await wait(300); // the first attempts find nobody
        await server.again();
        const stream = await second;
        await tell(server, playback('playing'));
        await assertTold(stream.notices, [playing('playing')]);
        await stream.close();
      }));

      test(`${operation}: headers of fetchOptions do no harm`, () => withServer({}, async (server) => {
        const headers = { 'x-custom': 'a, b; c="d"', 'x-request-id': '1', cookie: 'theme=dark', 'cache-control': 'no-store', 'x-plex-product': 'My own' };
        const stream = await open(api(server), operation, {}, { fetchOptions: { headers } });
        await tell(server, playback('playing'));
        await assertTold(stream.notices, [playing('playing')]);
        await stream.close();
      }));

      test(`${operation}: a bad token is an SDKError with status 401`, () => withServer({}, async (server) => {
        await assert.rejects(api(server, { token: 'wrong' }).events[operation]({}), (error) => {
          assert.ok(error instanceof SDKError, String(error));
          assert.equal(error.statusCode, 401);
          assert.match(error.body, /401 Unauthorized/);
          return true;
        });
      }));
    }

    test('what it says of itself is shown among the connections', () => withServer({}, async (server) => {
      const stream = await open(api(server), 'getNotifications');
      const answer = await fetch(`${server.url}/api/connections`, { headers: { authorization: `Bearer ${server.admin}` } });
      const [connection] = (await answer.json()).connections;
      assert.equal(connection.client, 'Plex for Roku (Living Room TV, abc123)');
      await stream.close();
    }));
  });

  for (const [name, Client, statusOf] of [['eventsource 4', EventSource4, ({ code }) => code], ['eventsource 2.0.2', EventSource2, ({ status }) => status]]) {
    describe(name, together, () => {
      const path = '/:/eventsource/notifications';
      const open = (server, token = server.admin, query = '') => {
        const source = new Client(`${server.url}${path}?X-Plex-Token=${token}${query}`);
        const [notices, opens, failures] = [[], [], []];
        let pings = 0;
        source.addEventListener('open', () => opens.push(1));
        source.addEventListener('error', (event) => failures.push(statusOf(event)));
        for (const type of NAMES.filter((one) => one !== 'ping')) {
          source.addEventListener(type, ({ data }) => notices.push(unwrapped({ name: type, data: JSON.parse(data) })));
        }
        source.addEventListener('ping', ({ data }) => { pings += data === '{}'; });
        return { source, notices: () => notices, opens, failures, pings: () => pings };
      };

      test('is told every type of notification, and what its filter asks for', () => withServer({}, async (server) => {
        const [all, some] = [open(server, server.admin, '&filters='), open(server, server.admin, '&filters=-playing,timeline')];
        await until('both greeted', () => all.pings() && some.pings());
        await tell(server, ...[...ALL, LOG].map(([event]) => event));
        await assertTold(all.notices, expectedOf([...ALL, LOG]));
        await assertTold(some.notices, expectedOf([...ALL, LOG]).filter(([type]) => !['playing', 'timeline'].includes(type)));
        [all, some].forEach(({ source }) => source.close());
      }));

      test('comes back by itself after a restart', () => withServer({}, async (server) => {
        const one = open(server);
        await until('greeted', () => one.pings() === 1);
        await server.end('SIGTERM');
        await server.again();
        await until('greeted again', () => one.pings() === 2, 20_000);
        await tell(server, playback('playing'));
        await assertTold(one.notices, [playing('playing')]);
        one.source.close();
      }));

      test('gives up at a wrong token', () => withServer({}, async (server) => {
        const one = open(server, 'wrong');
        await until('refused', () => one.failures.length > 0);
        assert.deepEqual(one.failures, [401]);
        assert.equal(one.source.readyState, 2);
      }));
    });
  }

  test('native EventSource and WebSocket of a headless Chromium, from a page of another origin', () => withServer({}, async (server) => {
    const browser = await startBrowser();
    try {
      const query = `X-Plex-Token=${server.admin}&filters=`;
      const names = NAMES.filter((name) => name !== 'ping');
      const source = await browser.open('native.html', { url: `${server.url}/:/eventsource/notifications?${query}`, names });
      const sockets = [];
      for (const path of ['/:/websockets/notifications', '/:/websocket/notifications', '/plex/%3A/websockets/notifications']) {
        sockets.push(await browser.open('websocket.html', { url: `${server.url.replace('http', 'ws')}${path}?${query}` }));
      }
      await streams(server, 1 + sockets.length);
      await tell(server, ...[...ALL, LOG].map(([event]) => event));
      const expected = expectedOf([...ALL, LOG]);
      await assertTold(async () => (await source.received()).map(unwrapped), expected);
      for (const socket of sockets) {
        await assertTold(async () => (await socket.received()).map(({ NotificationContainer }) => unpacked(NotificationContainer)), expected);
      }
      assert.deepEqual(await source.state(), { opens: 1, errors: 0, readyState: 1 });
      assert.deepEqual(await sockets[0].state(), { opens: 1, errors: 0, readyState: 1 });
      await server.end('SIGTERM');
      await until('the sockets are told to go', async () => (await sockets[0].state()).readyState === 3);
      assert.deepEqual(await sockets[0].ending(), { code: 1001, clean: true });
    } finally {
      await browser.stop();
    }
  }));
});
