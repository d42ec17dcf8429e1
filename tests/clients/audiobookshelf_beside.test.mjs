// Audiobookshelf's clients behind proxies as examples/proxy has them: everything to Fanfare, or its socket alone and the rest to
// an Audiobookshelf that is there.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { describe, test } from 'node:test';

import { TOKENS, book, complains, last, socketIo, startHouse, tell } from './audiobookshelf_house.mjs';
import { until } from './patience.mjs';
import { nginxBesideAudiobookshelf, proxies, startProxy } from './proxies.mjs';

const WAYS = [{}, { transports: ['websocket'] }, { transports: ['polling'] }];
const TRUSTED = 'trusted_proxies = ["127.0.0.1/32"]';

async function hears(way, server, token) {
  const paths = ['/socket.io/', '/audiobookshelf/socket.io/'];
  const clients = WAYS.flatMap((options) => paths.map((path) => socketIo(way, { path, ...options })));
  try {
    clients.forEach(({ socket }) => socket.on('connect', () => socket.emit('auth', token)));
    const inits = await Promise.all(clients.map((client) => client.hears('init')));
    const due = WAYS.flatMap(({ transports: [transport] = ['websocket'] }) => [transport, transport]);
    await until('those upgrade that may', () => clients.every((client, number) => client.transport() === due[number]));
    await tell(server, book('Harbor Lights'), last);
    for (const client of clients) {
      await client.hears('that_was_all');
      assert.deepEqual(client.without('that_was_all').map(({ name }) => name), ['init', 'item_added']);
    }
    return inits;
  } finally {
    clients.forEach((client) => client.stop());
  }
}

// In place of an Audiobookshelf: its log-in, and what it says of whose a token is.
async function standIn() {
  const asked = [];
  // Signed by it with a key of its own: to everybody else the signature is but a text.
  const part = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
  const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ userId: 'f8670000-0000-4000-8000-000000000001', username: 'carol', iat: 1 })}.c2lnbmF0dXJl`;
  const BOOKS = 'b9090000-0000-4000-8000-000000000001';
  const user = {
    id: 'f8670000-0000-4000-8000-000000000001',
    username: 'carol',
    type: 'user',
    token,
    isActive: true,
    permissions: { download: true, update: false, delete: false, upload: false, accessAllLibraries: false, accessAllTags: true, accessExplicitContent: true, selectedTagsNotAccessible: false },
    librariesAccessible: [BOOKS],
    itemTagsSelected: [],
  };
  const site = createServer((asking, response) => {
    asked.push(`${asking.method} ${asking.url}`);
    asking.resume();
    const mine = asking.headers.authorization === `Bearer ${token}`;
    const answer = { 'POST /login': { user }, 'POST /api/authorize': mine && { user } }[`${asking.method} ${asking.url}`];
    if (!answer) return response.writeHead(401).end('Unauthorized');
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  site.on('upgrade', (asking, socket) => { asked.push(`UPGRADE ${asking.url}`); socket.destroy(); });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  return { asked, token, user, BOOKS, host: `127.0.0.1:${site.address().port}`, stop: () => { site.closeAllConnections(); site.close(); } };
}

describe('Audiobookshelf’s clients', () => {
  for (const [name, proxy] of Object.entries(proxies)) {
    test(`behind ${name}, hear of a book over each transport and at each path`, async () => {
      const server = await startHouse({ server: TRUSTED });
      const edge = await startProxy(proxy, new URL(server.url).host);
      try {
        const inits = await hears(edge, server, TOKENS.ann);
        assert.ok(inits.every(({ username }) => username === 'Ann'));
        assert.deepEqual(complains(server), []);
      } finally {
        await edge.stop();
        await server.stop();
      }
    });
  }

  test('behind nginx, beside a real Audiobookshelf, log in there and hear of Fanfare’s library what their user may', async () => {
    const real = await standIn();
    const server = await startHouse({ server: TRUSTED, dialect: `rest = false\nserver = "http://${real.host}"`, books: `ids = { audiobookshelf = "${real.BOOKS}" }` });
    const edge = await startProxy(nginxBesideAudiobookshelf(real.host), new URL(server.url).host);
    try {
      const inits = await hears(edge, server, (await logIn(edge)).token);
      assert.ok(inits.every(({ userId }) => userId === real.user.id), JSON.stringify(inits[0]));
      assert.deepEqual([...new Set(real.asked)].sort(), ['POST /api/authorize', 'POST /login'], 'no socket has come there');
      assert.deepEqual(complains(server), []);
    } finally {
      await edge.stop();
      await server.stop();
      real.stop();
    }
  });
});

const logIn = ({ url, certificate }) => new Promise((resolve, reject) => {
  const asking = request(`${url}/login`, { ca: certificate, method: 'POST', headers: { 'content-type': 'application/json' } }, async (response) => {
    let text = '';
    for await (const part of response) text += part;
    resolve(JSON.parse(text).user);
  });
  asking.on('error', reject).end(JSON.stringify({ username: 'carol', password: 'her own' }));
});
