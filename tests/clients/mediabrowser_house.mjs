// A server with a library in a real folder and four people: what every test of MediaBrowser's clients needs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DocumentClient } from './document_client.mjs';
import { PATIENCE, mediaBrowserClient } from './mediabrowser_client.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

export const PASSWORD = 'correct horse';
// Of that password, with the least that argon2id may cost: a test that logs in a dozen clients need not prove it dear.
export const HASH = '$argon2id$v=19$m=1024,t=1,p=1$ZmFuZmFyZS10ZXN0cy1zYWx0$nzEe8zsen7758JxTklqm6CkznAaGDJRCwGQhfsraK8k';

export const TOKENS = {
  ann: 'token-of-ann-0123456789abcdef0123456789abcdef',
  bob: 'token-of-bob-0123456789abcdef0123456789abcdef',
  boss: 'token-of-boss-0123456789abcdef0123456789abcd',
  key: 'an-api-key-0123456789abcdef0123456789abcdef0',
  publisher: 'token-of-publisher-0123456789abcdef0123456789',
};

const PUBLISHED = ['activity', 'log', 'message', 'notification', 'playback', 'server', 'user'];

// What is told is told soon, so that the tests need not wait; never so soon that two changes at once are told apart.
export const QUIET = 400;

const user = (id, more) => `[[users]]\nid = "${id}"\nname = "${id[0].toUpperCase()}${id.slice(1)}"\ntoken = "${TOKENS[id]}"\npassword_hash = "${HASH}"\n${more}\n`;
const tables = (path, dialect = '', films = '') => `
[folder]
quiet = "100ms"

[dialects.mediabrowser]
library_quiet = "${QUIET}ms"
library_cap = "5s"
least_interval = "100ms"
${dialect}

[[libraries]]
id = "films"
name = "Films"
kind = "movies"
path = ${JSON.stringify(path)}
${films}

${user('ann', 'libraries = { films = "read" }')}
${user('bob', '')}
${user('boss', 'admin = true')}

[[tokens]]
token = "${TOKENS.key}"
admin = true
read = "read"

[[tokens]]
token = "${TOKENS.publisher}"
publish = { types = ${JSON.stringify(PUBLISHED)} }
`;

// The first 32 hex digits of a SHA-256: the id of a file, and of whatever else has no such id of its own.
const digest = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32);
export const idOfFile = (name) => digest('films', name);
export const idOf = (id) => digest(id);

export async function withHouse({ dialect, films: filmsLines, server: lines }, check) {
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-house-'));
  const films = join(folder, 'films');
  await mkdir(films);
  const server = await startServer({ server: lines, tables: tables(films, dialect, filmsLines) });
  const clients = [];
  let devices = 0;
  const started = (client) => {
    clients.push(client);
    return client;
  };
  const house = {
    server,
    // A device id that suits every client: pyEmby's is a number.
    client: (kind, way = server) => {
      devices += 1;
      return started(mediaBrowserClient(kind, way, `${7_000_000 + devices}`));
    },
    document: (options) => started(new DocumentClient(server.url, options)),
    // A file appears as when it is moved there whole.
    add: async (...names) => {
      for (const name of names) await writeFile(join(folder, name), name);
      await Promise.all(names.map((name) => rename(join(folder, name), join(films, name))));
    },
    // What is played must be known: the folder's own account of it, not that of a client.
    addKnown: async (name) => {
      await house.add(name);
      const headers = { authorization: `Bearer ${server.admin}` };
      await until(`${name} is known`, async () => (await (await fetch(`${server.url}/api/libraries/films/medias`, { headers })).text()).includes(idOfFile(name)));
    },
    change: (name) => writeFile(join(films, name), `${name}, again`),
    remove: (...names) => Promise.all(names.map((name) => rm(join(films, name)))),
  };
  try {
    await check(house);
    const odd = server.log().split('\n').filter((line) => /\b(WARN|ERROR)\b|panicked/.test(line));
    assert.deepEqual(odd, [], 'the server has nothing to complain of');
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

// Publishes an event, whatever it is.
export async function tell(server, event) {
  const headers = { authorization: `Bearer ${TOKENS.publisher}`, 'content-type': 'application/json' };
  const answer = await fetch(`${server.url}/api/events`, { method: 'POST', headers, body: JSON.stringify(event) });
  if (answer.status !== 200) throw new Error(`publishing ${JSON.stringify(event)}: ${answer.status} ${await answer.text()}`);
}

export const ask = async (server, method, path, token, body) => {
  const headers = { authorization: `MediaBrowser Client="curl", Device="shell", DeviceId="shell", Version="1", Token="${token}"`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(`${server.url}${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, text, json: () => JSON.parse(text) };
};

// Every client as it usually comes in, logged in where it can be, and listening.
const COMES_IN = {
  'jellyfin-apiclient-python': async (client, name) => {
    const way = await client.does('log_in', name, PASSWORD);
    await client.does('listen');
    await client.hears('WebSocketConnect');
    return way;
  },
  '@jellyfin/sdk': async (client, name) => {
    const way = await client.does('log_in', name, PASSWORD);
    await client.does('listen');
    await client.says('its socket is open', ({ status }) => status === 1);
    return way;
  },
  'jellyfin-apiclient': async (client, name) => {
    const way = await client.does('log_in', name, PASSWORD);
    await client.says('its socket is open', ({ status }) => status === 'websocketopen');
    return way;
  },
  // It knows no passwords, only a token.
  pyEmby: async (client, name) => {
    await client.does('use', idOf(name), TOKENS[name]);
    await client.does('listen');
    await client.hears('ForceKeepAlive');
    return { user: idOf(name) };
  },
};

export const KINDS = Object.keys(COMES_IN);
export const comesIn = async (client, name) => ({ name, ...await COMES_IN[client.kind](client, name) });

// Waits until so many streams of a dialect are open.
export async function streamsOf(server, dialect, count) {
  const headers = { authorization: `Bearer ${server.admin}` };
  const open = async () => (await (await fetch(`${server.url}/api/connections`, { headers })).json()).connections.filter((one) => one.dialect === dialect).length;
  await until(async () => `${count} streams of ${dialect}, but there are ${await open()}`, async () => (await open()) === count, PATIENCE);
}

// The session of a device, as an administrator sees it.
export async function sessionOf(server, device) {
  let found;
  await until(`a session of device ${device}`, async () => {
    found = (await ask(server, 'GET', '/Sessions', TOKENS.boss)).json().find(({ DeviceId }) => DeviceId === device);
    return found;
  });
  return found;
}

// Each test has a server and clients of its own. Two at a time: a dozen processes at once are many for a small machine.
export const together = { concurrency: 2 };

// Somebody's clients, one of each kind, all come in.
export async function clientsOf(house, name, kinds = KINDS, way = house.server) {
  const clients = kinds.map((kind) => house.client(kind, way));
  await Promise.all(clients.map((client) => comesIn(client, name)));
  return clients;
}

export async function documentOf(house, options) {
  const client = house.document({ token: TOKENS.ann, ...options });
  await client.listens();
  await until('it is known', async () => (await ask(house.server, 'GET', '/Sessions', TOKENS.boss)).json()
    .some(({ DeviceId, UserId }) => DeviceId === client.device && UserId === idOf('ann')));
  return client;
}
