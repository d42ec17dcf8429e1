// Fanfare behind the reverse proxies of examples/proxy: HTTP/2 over TLS to the client, HTTP/1.1 to Fanfare.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:http2';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

import { medias, publish } from './events.mjs';
import { until } from './patience.mjs';
import { proxies, startProxy } from './proxies.mjs';
import { startServer } from './server.mjs';

// Little may wait in Fanfare, so that a slow client skips soon; pings come often, so that the test need not wait.
const SETTINGS = {
  server: 'trusted_proxies = ["127.0.0.1/32"]',
  tables: '[engine]\nfeed_entries = 64\nsend_buffer = "16KiB"\n\n[dialects.redseat]\nping_interval = "1s"\n',
};

// In Fanfare's place: answers with the request as it came, and takes upgrades.
async function echo() {
  const site = createServer(({ httpVersion, headers }, response) => response.end(JSON.stringify({ httpVersion, headers })));
  site.on('upgrade', ({ headers }, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nupgraded to ${headers.upgrade}`);
    socket.on('error', () => {});
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  return { seen: `127.0.0.1:${site.address().port}`, stop: () => { site.closeAllConnections(); site.close(); } };
}

for (const [name, proxy] of Object.entries(proxies)) {
  describe(`behind ${name}`, () => {
    let server, edge, http2;
    before(async () => {
      server = await startServer(SETTINGS);
      edge = await startProxy(proxy, new URL(server.url).host);
      http2 = connect(edge.url, { ca: edge.certificate });
      http2.on('error', () => {});
    });
    after(async () => { http2?.destroy(); await edge?.stop(); await server?.stop(); });

    const open = async (path, headers = {}) => {
      const stream = http2.request({ ':path': path, ...headers });
      const heard = { text: '', headers: await new Promise((resolve) => stream.once('response', resolve)), stream };
      stream.setEncoding('utf8').on('data', (text) => { heard.text += text; }).on('error', () => {});
      return heard;
    };
    const bearer = () => ({ authorization: `Bearer ${server.admin}` });
    const connections = async () => {
      const answer = await fetch(`${server.url}/api/connections`, { headers: { authorization: `Bearer ${server.admin}` } });
      return (await answer.json()).connections;
    };

    test('a stream over HTTP/2 hears an event within a second, and the pings', async () => {
      const stream = await open(`/sse?token=${server.admin}`);
      assert.equal(http2.alpnProtocol, 'h2');
      assert.equal(stream.headers[':status'], 200);
      assert.match(stream.headers['content-type'], /^text\/event-stream/);
      await publish(server, [medias('lib1', 'm1')]);
      await until('the event is heard', () => stream.text.includes('"m1"'), 1_000);
      await until('two pings are heard', () => stream.text.split(':ping\n').length > 2, 5_000);
      stream.stream.destroy();
      await until('Fanfare knows that it has gone', async () => (await connections()).length === 0, 5_000);
    });

    test('publishing goes through, and NDJSON is answered while it is sent', async () => {
      const headers = { ':method': 'POST', ':path': '/api/events', authorization: `Bearer ${server.admin}`, 'content-type': 'application/x-ndjson' };
      const stream = http2.request(headers);
      let answers = '';
      stream.setEncoding('utf8').on('data', (text) => { answers += text; });
      for (const number of [1, 2, 3]) {
        stream.write(`${JSON.stringify({ type: 'message', data: { text: `line ${number}` } })}\n`);
        await until(`answer ${number}`, () => answers.split('"order"').length === number + 1);
      }
      stream.end();
      await new Promise((resolve) => stream.once('end', resolve));
    });

    test('a slow client is skipped by Fanfare and not buffered by the proxy, and the others hear everything', async () => {
      const [slow, quick] = [await open('/sse?events=message,gap', bearer()), await open('/sse?events=message', bearer())];
      slow.stream.pause();
      const text = 'x'.repeat(8_000);
      const skipped = async () => (await connections()).reduce((sum, connection) => sum + connection.skipped, 0);
      let sent = 0;
      // What lies on the way is a few buffers of the kernel and one of the proxy: some megabytes at most.
      while (sent < 4_000 && (await skipped()) === 0) {
        await publish(server, Array.from({ length: 50 }, () => ['message', , { text: `${text} ${sent++}` }]));
        await until('the quick one has heard it', () => quick.text.includes(`${text} ${sent - 1}`));
        quick.text = '';
      }
      assert.ok((await skipped()) > 0, `nothing was skipped after ${sent} events of 8 kB`);
      slow.stream.resume();
      await until('the slow one hears how much it has missed', () => /event: gap\ndata: \{"missed":\d+\}/.test(slow.text));
      [slow, quick].forEach(({ stream }) => stream.destroy());
    });
    test('Fanfare sees the address of the client, and the client cannot choose it', async () => {
      const client = connect(edge.url, { ca: edge.certificate, localAddress: '127.0.0.2' });
      client.on('error', () => {});
      const stream = client.request({ ':path': '/sse', ...bearer(), 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.8' });
      stream.on('error', () => {});
      const addresses = async () => (await connections()).map(({ address }) => address).join();
      // The streams of earlier tests came from 127.0.0.1 and are going.
      await until(async () => `only it is connected, but: ${await addresses()}`, async () => (await addresses()) === '127.0.0.2');
      client.destroy();
    });

    test('the request that Fanfare gets says who asked, and how', async () => {
      const { seen, stop } = await echo();
      const other = await startProxy(proxy, seen);
      const client = connect(other.url, { ca: other.certificate });
      client.on('error', () => {});
      try {
        const stream = client.request({ ':path': '/', 'x-forwarded-for': '203.0.113.7' });
        let text = '';
        for await (const part of stream.setEncoding('utf8')) text += part;
        const { httpVersion, headers } = JSON.parse(text);
        assert.equal(httpVersion, '1.1');
        assert.equal(headers['x-forwarded-for'].split(',').at(-1).trim(), '127.0.0.1');
        assert.equal(headers['x-forwarded-proto'], 'https');
        assert.ok(!headers.connection || !/close/i.test(headers.connection), headers.connection);
      } finally {
        client.destroy();
        await other.stop();
        stop();
      }
    });

    test('a WebSocket upgrade is passed on', async () => {
      const { seen, stop } = await echo();
      const other = await startProxy(proxy, seen);
      try {
        const socket = connectTls({ port: new URL(other.url).port, host: '127.0.0.1', ca: other.certificate, ALPNProtocols: ['http/1.1'] });
        socket.write(`GET /socket HTTP/1.1\r\nHost: ${new URL(other.url).host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
        let text = '';
        socket.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', () => {});
        await until(() => `switched, but: ${text}`, () => text.startsWith('HTTP/1.1 101') && text.endsWith('upgraded to websocket'));
        socket.destroy();
      } finally {
        await other.stop();
        stop();
      }
    });

    test('no token is in the logs, not even when Fanfare is away', async () => {
      const secret = server.admin;
      const refused = await open(`/sse?token=wrong-${secret}`, { referer: `https://x/?token=${secret}`, 'user-agent': 'canary' });
      assert.equal(refused.headers[':status'], 401);
      await server.end('SIGKILL');
      const away = await open(`/sse?token=${secret}`, { authorization: `Bearer ${secret}`, referer: `https://x/?token=${secret}` });
      assert.equal(away.headers[':status'], 502);
      await until('the requests are in the log', async () => (await edge.log()).includes('502'));
      await wait(200); // for what may be written after it
      const log = await edge.log();
      assert.ok(log.includes('/sse') && !log.includes(secret), log);
    });
  });
}
