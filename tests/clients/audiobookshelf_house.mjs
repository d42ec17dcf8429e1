// A server with books, podcasts and five people, and Socket.IO's own client: what every test of Audiobookshelf needs.
import assert from 'node:assert/strict';

import { io } from 'socket.io-client';

import { HASH, PASSWORD } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

export { PASSWORD };

const token = (name) => `token-of-${name}-0123456789abcdef0123456789abcdef`;
export const TOKENS = Object.fromEntries(['ann', 'bob', 'kid', 'chief', 'boss', 'publisher', 'named'].map((name) => [name, token(name)]));

// What a publisher may only publish when he is allowed it by name.
const NAMED = ['log', 'message', 'notification', 'raw', 'user'];

const user = (id, more) => `[[users]]\nid = "${id}"\nname = "${id[0].toUpperCase()}${id.slice(1)}"\ntoken = "${TOKENS[id]}"\npassword_hash = "${HASH}"\n${more}\n`;

// Ann reads books and podcasts, Kid the books for children, Chief looks after the books, Bob may read nothing, Boss everything.
const tables = ({ dialect = '', books = '', further = '' }) => `
[dialects.audiobookshelf]
${dialect}

[[libraries]]
id = "books"
name = "Books"
kind = "books"
${books}

[[libraries]]
id = "podcasts"
name = "Podcasts"
kind = "podcasts"

${user('ann', 'libraries = { books = "read", podcasts = "read" }')}
${user('bob', '')}
${user('kid', 'libraries = { books = "read" }\ntags = ["kids"]\nexplicit = false')}
${user('chief', 'libraries = { books = "admin" }')}
${user('boss', 'admin = true')}

[[tokens]]
token = "${TOKENS.publisher}"
publish = true

[[tokens]]
token = "${TOKENS.named}"
publish = { types = ${JSON.stringify(NAMED)} }

${further}
`;

export const startHouse = async ({ server: lines, ...more } = {}) => startServer({ server: lines, tables: tables(more) });

// A running house says nothing of warnings or errors; a refused token is not the server's trouble.
export function complains(server) {
  return server.log().split('\n').filter((line) => /\b(WARN|ERROR)\b|panicked/.test(line));
}

// Publishes events, whatever they are.
export async function tell(server, ...events) {
  for (const event of events) {
    const bearer = NAMED.includes(event.type) ? TOKENS.named : TOKENS.publisher;
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/api/events`, { method: 'POST', headers, body: JSON.stringify(event) });
    if (answer.status !== 200) throw new Error(`publishing ${JSON.stringify(event)}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

export const book = (id, more = {}) => ({ type: 'medias', data: { library: 'books', medias: [{ action: 'Added', media: { id, name: id, ...more } }] } });

// Everybody hears this, and nothing behind it was meant by a test.
export const last = { type: 'raw', audience: 'all', data: { dialect: 'audiobookshelf', name: 'that_was_all', payload: { end: true } } };

// The client as npm has it, and all it hears. Each has a connection of its own, as if it were alone.
export function socketIo({ url, certificate }, options = {}) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...(certificate && { ca: certificate }), ...options });
  const heard = [];
  const happened = [];
  socket.onAny((name, ...data) => heard.push({ name, data }));
  socket.on('connect', () => happened.push('connect'));
  socket.on('disconnect', (reason) => happened.push(`disconnect: ${reason}`));
  socket.on('connect_error', (error) => happened.push(`connect_error: ${error.message}`));
  const told = () => `${JSON.stringify(heard).slice(-2_000)}, and ${happened.slice(-10)}`;
  const client = {
    socket,
    heard,
    happened,
    // The first event of that name, when it comes.
    hears: async (name, holds = () => true) => {
      const found = () => heard.find((one) => one.name === name && holds(...one.data));
      await until(() => `${name} is heard, but it heard ${told()}`, found);
      return found().data[0];
    },
    happens: (what) => until(() => `${what}, but it heard ${told()}`, () => happened.some((one) => one.startsWith(what))),
    transport: () => socket.io.engine?.transport?.name,
    names: () => heard.map(({ name }) => name),
    // Who comes and goes is told to administrators at any time.
    without: (...passed) => heard.filter(({ name }) => ![...passed, 'user_online', 'user_offline'].includes(name)),
    forget: () => { heard.length = 0; happened.length = 0; },
    stop: () => socket.disconnect(),
  };
  return client;
}

// A client of somebody's, as Audiobookshelf's own are: it says `auth` whenever it has connected.
export async function listener(way, name, options) {
  const client = socketIo(way, options);
  client.socket.on('connect', () => client.socket.emit('auth', TOKENS[name] ?? name));
  try {
    client.init = await client.hears('init');
  } catch (error) {
    client.stop();
    throw error;
  }
  return client;
}

export async function logIn(server, name, headers = { 'x-return-tokens': 'true' }) {
  const answer = await fetch(`${server.url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ username: name, password: PASSWORD }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).user;
}
