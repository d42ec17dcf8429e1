// Real, unmodified Plex clients against a running server: python-plexapi, plexwebsocket, and the reader of Tautulli.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { until } from './patience.mjs';
import { plexClient, streams } from './plex_client.mjs';
import { ALL, LOG, TABLES, compare, playback, playing, tell, unpacked } from './plex_events.mjs';
import { nginxBeside, startProxy } from './proxies.mjs';
import { startServer } from './server.mjs';

// How long nothing is told to clients that must stay; long enough for two pings. They are known to leave after 15 s of silence.
const IDLE_SECONDS = Number(process.env.CLIENT_IDLE_SECONDS ?? 23);

// Each test has a server and clients of its own, and all of them run at once: what takes long here is waiting.
const together = { concurrency: true };

async function withServer(further, check) {
  const server = await startServer({ tables: TABLES, ...further });
  const clients = [];
  const open = (client, token = server.admin, ...more) => {
    const opened = plexClient(client, { url: server.url, token }, ...more);
    clients.push(opened);
    return opened;
  };
  try {
    await check(server, open);
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await server.stop();
  }
}

async function assertTold(client, expected) {
  try {
    await until('all of it', () => client.containers().length >= expected.length);
  } catch {
    // The comparison below says what is missing.
  }
  await wait(100); // for one too many
  assert.deepEqual(...compare(client.containers().map(unpacked), expected));
}

describe('Plex clients', together, () => {
  describe('python-plexapi', together, () => {
    test('AlertListener reads GET / and is told every type of notification, each in a container of one', () => withServer({}, async (server, open) => {
      const [listener, all] = [open('alert-listener'), open('alert-listener', server.admin, '/:/websockets/notifications?filters=')];
      await streams(server, 2);
      const [welcome] = listener.said;
      assert.ok(welcome.server && welcome.machine && welcome.version, JSON.stringify(welcome));
      await tell(server, ...[...ALL, LOG].map(([event]) => event));
      await assertTold(listener, ALL.flatMap(([, notices]) => notices));
      await assertTold(all, [...ALL, LOG].flatMap(([, notices]) => notices));
    }));

    test('a shared user is told of his own sessions and libraries', () => withServer({}, async (server, open) => {
      const [owner, stranger] = [open('alert-listener', server.user), open('alert-listener', server.reader)];
      await streams(server, 2);
      await tell(server, playback('playing'), { type: 'message', data: { text: 'nothing to Plex' } }, playback('stopped'));
      await tell(server, { ...playback('playing', '77'), data: { ...playback('playing', '77').data, user: 'reader' } });
      await assertTold(owner, [playing('playing'), playing('stopped')]);
      await assertTold(stranger, [playing('playing', '77')]);
    }));

    test('a wrong token is refused before anything else', () => withServer({}, async (server, open) => {
      await open('alert-listener', 'wrong').says('unauthorised', ({ failed }) => failed === 'Unauthorized');
    }));

    test('AlertListener ends when the server stops, and says why', () => withServer({}, async (server, open) => {
      const listener = open('alert-listener');
      await streams(server, 1);
      await server.end('SIGTERM');
      await listener.says('the end', ({ ended }) => ended);
      const [{ text }] = listener.said.slice(1);
      assert.match(text, /closed \(code 1001\)/);
    }));
  });

  describe('plexwebsocket', together, () => {
    test('is told what is played, and comes back by itself after a restart', () => withServer({}, async (server, open) => {
      const client = open('plexwebsocket');
      const states = () => client.said.filter(({ kind }) => kind === 'plexwebsocket_state').map(({ data }) => data);
      const played = (session) => ({ kind, data }) => kind === 'playing' && data.PlaySessionStateNotification[0].sessionKey === session;
      await streams(server, 1);
      await tell(server, playback('playing', '12'));
      await client.says('session 12', played('12'));
      await server.end('SIGTERM');
      await server.again();
      // It comes 5 s after a close, and another 15 s later if the server is not there by then.
      await streams(server, 1);
      await tell(server, playback('playing', '13'));
      await client.says('session 13', played('13'));
      assert.deepEqual(states().slice(0, 4), ['starting', 'connected', 'disconnected', 'starting']);
      assert.equal(states().at(-1), 'connected');
    }));

    test('comes back after the server was full', () => withServer({ tables: `${TABLES}\n[limits]\nconnections = 1\n` }, async (server, open) => {
      const first = open('alert-listener');
      await streams(server, 1);
      const client = open('plexwebsocket');
      await client.says('connected and closed', ({ data }) => data === 'disconnected');
      await first.stop();
      await streams(server, 1);
      assert.ok(client.said.every(({ data, error }) => data !== 'stopped' && !error), JSON.stringify(client.said));
    }));

    test('is let go when its user is disabled, and stops at the refusal that follows', () => withServer({}, async (server, open) => {
      const client = open('plexwebsocket', server.user);
      await streams(server, 1);
      const answer = await fetch(`${server.url}/api/principals/u1`, {
        method: 'PUT', headers: { authorization: `Bearer ${server.admin}` }, body: JSON.stringify({ disabled: true }),
      });
      assert.equal(answer.status, 200, await answer.text());
      await client.says('the refusal', ({ data, error }) => data === 'stopped' && error === 'Authorization failure');
      await client.says('its end', ({ ended }) => ended);
    }));
  });

  describe('an idle time', together, () => {
    test('AlertListener, plexwebsocket and a reader with a time-out of 15 s stay, and hear what comes then', () => withServer({}, async (server, open) => {
      const [listener, client, frames] = ['alert-listener', 'plexwebsocket', 'frames'].map((name) => open(name));
      await streams(server, 3);
      await wait(IDLE_SECONDS * 1000);
      await tell(server, playback('playing'));
      await assertTold(listener, [playing('playing')]);
      await assertTold(frames, [playing('playing')]);
      await client.says('what is played', ({ kind }) => kind === 'playing');
      const pings = frames.said.filter(({ frame }) => frame === 'ping').length;
      assert.ok(pings >= Math.floor(IDLE_SECONDS / 11), `${pings} pings`);
      assert.deepEqual(frames.said[0], { frame: 'pong', data: 'Hi?' });
      assert.ok(frames.said.every(({ frame, whole }) => frame !== 'text' || whole), 'no message comes in parts');
      assert.deepEqual(client.said.filter(({ kind }) => kind !== 'playing').map(({ data }) => data), ['starting', 'connected']);
      await server.end('SIGTERM');
      await frames.says('the close', ({ frame, code }) => frame === 'close' && code === 1001);
    }));
  });

  describe('behind nginx, beside a real Plex server', together, () => {
    // In its place: what it is asked for, and the least that python-plexapi needs of it.
    async function standIn() {
      const asked = [];
      const site = createServer(({ url }, response) => {
        asked.push(url.split('?')[0]);
        response.setHeader('content-type', 'text/xml;charset=utf-8');
        response.end('<MediaContainer friendlyName="The real one" machineIdentifier="m1" version="1.41.0"/>');
      });
      await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
      return { asked, host: `127.0.0.1:${site.address().port}`, stop: () => { site.closeAllConnections(); site.close(); } };
    }

    const answer = (url, ca) => new Promise((resolve, reject) => {
      const asking = request(url, { ca }, (response) => { response.resume(); resolve(response.statusCode); });
      asking.on('error', reject).end();
    });

    test('python-plexapi and plexwebsocket see one server, and its events are told by Fanfare', () => withServer({ server: 'trusted_proxies = ["127.0.0.1/32"]' }, async (server) => {
      const plex = await standIn();
      const edge = await startProxy(nginxBeside(plex.host), new URL(server.url).host);
      const way = { url: edge.url, token: server.admin, certificate: edge.certificateFile };
      const [listener, client] = [plexClient('alert-listener', way), plexClient('plexwebsocket', way)];
      try {
        await streams(server, 2);
        assert.equal(listener.said[0].server, 'The real one');
        await tell(server, playback('playing', '12'));
        await assertTold(listener, [playing('playing', '12')]);
        await client.says('session 12', ({ kind }) => kind === 'playing');

        for (const path of ['/:/prefs', '/library/sections', '/:/eventsource/other']) assert.equal(await answer(`${edge.url}${path}`, edge.certificate), 200);
        assert.deepEqual([...new Set(plex.asked)].sort(), ['/', '/:/eventsource/other', '/:/prefs', '/library/sections']);
        for (const path of ['/:/eventsource/notifications', '/%3A/websockets/notifications', '/plex/:/websocket/notifications']) {
          assert.equal(await answer(`${edge.url}${path}?X-Plex-Token=wrong`, edge.certificate), 401, path);
        }

        await server.end('SIGTERM');
        await assert.rejects(answer(`${edge.url}/:/eventsource/notifications?X-Plex-Token=${server.admin}`, edge.certificate), { code: 'ECONNRESET' });
        await server.again();
        await streams(server, 1);
        await tell(server, playback('playing', '13'));
        await client.says('session 13', ({ kind, data }) => kind === 'playing' && data.PlaySessionStateNotification[0].sessionKey === '13');
        const log = await edge.log();
        assert.ok(log.includes('/:/websockets/notifications') && !log.includes(server.admin), log);
      } finally {
        await Promise.all([listener.stop(), client.stop(), edge.stop()]);
        plex.stop();
      }
    }));
  });
});
