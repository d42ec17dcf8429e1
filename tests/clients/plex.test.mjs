// Clients made for Plex servers, unmodified: python-plexapi's AlertListener, Home Assistant's plexwebsocket, and the SDK of
// documents 000 and 001. FANFARE_BIN names the server, PLEX_PYTHON a python that has the two packages.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { PlexAPI } from '@lukehagar/plexjs';

import { publish as publishTriples } from './events.mjs';
import { startServer } from './server.mjs';

const publish = (to, events) => publishTriples(to, events.map(({ type, data }) => [type, '', data]));

const playback = (state, position) => ({
  type: 'playback',
  data: { session: '12', user: 'u1', client: { id: 'abcd' }, item: { id: '900' }, state, position },
});
const told = [
  [playback('playing', 1000), 'playing'],
  [{ type: 'movies', data: { library: 'lib1', movies: [{ action: 'Updated', movie: { id: '7', name: 'A Film' } }] } }, 'timeline'],
  [{ type: 'activity', data: { id: 'c30c1edc-8df0-4713-a7f1-f1373f6db8e9', type: 'library.refresh.items', state: 'started' } }, 'activity'],
  [{ type: 'library-status', data: { library: 'lib1', message: 'Scanning' } }, 'progress'],
  [{ type: 'transcode', data: { id: 't1', user: 'u1', state: 'start' } }, 'transcodeSession.start'],
  [{ type: 'transcode', data: { id: 't1', user: 'u1', state: 'update', progress: 1.5 } }, 'transcodeSession.update'],
  [{ type: 'transcode', data: { id: 't1', user: 'u1', state: 'end' } }, 'transcodeSession.end'],
  [{ type: 'preference', data: { id: 'FriendlyName', value: 'Den' } }, 'preference'],
  [{ type: 'reachability', data: { reachable: true } }, 'reachability'],
  [{ type: 'background-queue', data: { queue: '1', event: 'queueRegenerated' } }, 'backgroundProcessingQueue'],
];

let server;
before(async () => { server = await startServer({ tables: '[dialects.plex]\nping_interval = "2s"' }); });
after(async () => { await server?.stop(); });

async function until(what, holds, ms = 15_000) {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = holds();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await wait(20);
  }
}

// A Python client; `said` are its lines.
function listen(kind, url, token) {
  const child = spawn(process.env.PLEX_PYTHON, ['plex/listen.py', kind, url, token], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = [];
  createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const alerts = () => said.flatMap(({ alert }) => (alert ? [alert] : []));
  return { said, alerts, ended, close: async () => { child.stdin.end(); child.kill(); await ended; } };
}

async function connections(n) {
  for (let tries = 0; tries < 500; tries += 1) {
    const answer = await fetch(`${server.url}/api/connections`, { headers: { authorization: `Bearer ${server.admin}` } });
    if ((await answer.json()).connections.length === n) return;
    await wait(20);
  }
  throw new Error(`never ${n} connections`);
}

const sdk = (token, more = {}) => new PlexAPI({ token, serverURL: server.url, clientIdentifier: 'abc123', product: 'Plex for Roku', ...more });

// What a stream of bytes says, event by event.
async function* events(stream) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = Object.fromEntries(text.slice(0, end).split('\n').map((line) => line.split(/: (.*)/s)));
      text = text.slice(end + 2);
      yield fields;
    }
  }
}

describe('python-plexapi', () => {
  test('the AlertListener is told of every type, and of nothing twice', async () => {
    const client = listen('alert', server.url, server.admin);
    try {
      await until('it knows the server', () => client.said.some(({ server: name }) => name === 'Fanfare'));
      await connections(1);
      await publish(server, told.map(([event]) => event));
      await until('every type', () => client.alerts().length >= told.length);
      assert.deepEqual(client.alerts().map(({ type }) => type).sort(), told.map(([, type]) => type).sort());
      assert.ok(client.alerts().every(({ size }) => size === 1));
      // Longer than a client may be silent: it answers pings by itself.
      await wait(6000);
      await publish(server, [playback('stopped', 2000)]);
      await until('it is still there', () => client.alerts().length > told.length);
    } finally {
      await client.close();
    }
  });

  test('a wrong token is refused before anything else', async () => {
    const client = listen('alert', server.url, 'wrong');
    assert.notEqual(await client.ended, 0);
    assert.deepEqual(client.alerts(), []);
  });
});

describe('plexwebsocket', () => {
  test('playing reaches it, and it comes back after a restart of the server', async () => {
    const client = listen('websocket', server.url, server.user);
    try {
      await until('connected', () => client.said.some(({ state }) => state === 'connected'));
      await publish(server, [playback('playing', 1000)]);
      await until('playing', () => client.alerts().length === 1);
      await server.end('SIGTERM');
      await until('it notices', () => client.said.some(({ state }) => state === 'disconnected'));
      await server.again();
      await until('connected again', () => client.said.filter(({ state }) => state === 'connected').length === 2, 40_000);
      await publish(server, [playback('paused', 2000)]);
      await until('playing after the restart', () => client.alerts().length === 2);
    } finally {
      await client.close();
    }
  });
});

describe('@lukehagar/plexjs', () => {
  for (const operation of ['getNotifications', 'connectWebSocket']) {
    test(`${operation} gives a stream of bytes`, async () => {
      const result = await sdk(server.user).events[operation]({}, { fetchOptions: { headers: { 'x-extra': '1' } } });
      const stream = result instanceof ReadableStream ? result : Object.values(result).find((value) => value instanceof ReadableStream);
      assert.ok(stream, `${operation} gave ${Object.keys(result)}`);
      const said = events(stream);
      assert.deepEqual((await said.next()).value, { event: 'ping', data: '{}' });
      await publish(server, [playback('playing', 3000)]);
      for await (const { event, data } of said) {
        if (event === 'ping') continue;
        assert.equal(event, 'playing');
        assert.equal(JSON.parse(data).PlaySessionStateNotification.viewOffset, 3000);
        break;
      }
    });
  }

  test('filters narrow, and a bad token is an error with status 401', async () => {
    await assert.rejects(sdk('wrong').events.getNotifications({}), (error) => error.statusCode === 401);
    const result = await sdk(server.user).events.getNotifications({ filter: ['timeline', 'status'] });
    const stream = result instanceof ReadableStream ? result : Object.values(result).find((value) => value instanceof ReadableStream);
    const said = events(stream);
    await said.next();
    await publish(server, [playback('buffering', 3500)]);
    assert.equal((await said.next()).value.event, 'ping', 'the next thing it hears is a ping');
    await said.return();
  });
});
