// RedSeat's twin by socket.io-client from npm: whoever comes with a token hears what he would hear at /sse, bare.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { EventSource } from 'eventsource';

import { socketIo } from './audiobookshelf_house.mjs';
import { forAdmins, forOwner, names, publish } from './events.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

const token = (name) => `token-of-${name}-0123456789abcdef0123456789abcdef`;
const person = (id, more) => `[[users]]\nid = "${id}"\ntoken = "${token(id)}"\n${more}\n`;
const settings = {
  tables: `${person('chief', 'libraries = { lib1 = "admin" }')}${person('stranger', '')}
[[tokens]]
token = "${token('raw')}"
publish = { types = ["raw"] }
`,
};

const LIBRARY_ADMINS = ['library-status', 'backups'];
const ADMINS = ['backups-files'];
// Everybody hears it, whatever his rights.
const last = { dialect: 'redseat', name: 'tags', payload: { end: true } };

describe('RedSeat’s twin', () => {
  let server;
  const clients = [];
  before(async () => { server = await startServer(settings); });
  after(async () => {
    clients.forEach((client) => client.stop());
    await server?.stop();
  });
  const twin = (payload, options) => {
    clients.push(socketIo(server, { auth: payload, ...options }));
    return clients.at(-1);
  };
  // The same person at the other door.
  const stream = (bearer) => {
    const source = new EventSource(`${server.url}/sse?token=${bearer}`);
    const heard = [];
    for (const name of names) source.addEventListener(name, ({ data }) => heard.push({ name, data: Object.values(JSON.parse(data)) }));
    clients.push({ stop: () => source.close() });
    return { heard, isOpen: () => source.readyState === EventSource.OPEN };
  };

  test('tells each of the fourteen events bare to whom /sse tells it, and to nobody else', async () => {
    const tokens = { admin: server.admin, chief: token('chief'), reader: server.reader, u1: server.user, stranger: token('stranger') };
    const pairs = Object.entries(tokens).map(([who, bearer]) => ({ who, twin: twin({ token: bearer }), sse: stream(bearer) }));
    await Promise.all(pairs.map(({ twin: client }) => client.hears('auth')));
    await until('the streams are open', () => pairs.every(({ sse }) => sse.isOpen()));
    await publish(server, [...forAdmins, ...forOwner]);
    for (const { who, twin: client, sse } of pairs) {
      const due = expected(who).length;
      await until(() => `${who} hears ${expected(who)}, but ${client.names()}; /sse: ${sse.heard.map(({ name }) => name)}`, () => client.heard.length > due && sse.heard.length >= due);
    }
    const headers = { authorization: `Bearer ${token('raw')}`, 'content-type': 'application/json' };
    const answer = await fetch(`${server.url}/api/events`, { method: 'POST', headers, body: JSON.stringify({ type: 'raw', audience: 'all', data: last }) });
    assert.equal(answer.status, 200, await answer.text());
    const isOver = (heard) => heard.some(({ data: [payload] }) => payload === true || payload?.end);
    await until('what was not for somebody would have come before this', () => pairs.every(({ twin: client, sse }) => isOver(client.heard) && isOver(sse.heard)));
    for (const { who, twin: client, sse } of pairs) {
      const bare = client.heard.slice(1, -1);
      assert.deepEqual(bare.map(({ name }) => name).sort(), expected(who).sort(), who);
      assert.deepEqual(inOrder(bare), inOrder(sse.heard.slice(0, -1)), `${who} hears the same at /sse`);
    }
    // An administrator sees them as they were published.
    const told = pairs.find(({ who }) => who === 'admin').twin.heard.slice(1, -1);
    assert.deepEqual(told, forAdmins.map(([name, , data]) => ({ name, data: [data] })));
  });

  test('says who has come, in RedSeat’s words', async () => {
    const [admin, reader] = [twin({ token: server.admin }), twin({ token: server.reader }, { transports: ['polling'], path: '/audiobookshelf/socket.io/' })];
    const told = await Promise.all([admin, reader].map((client) => client.hears('auth')));
    assert.deepEqual(told.map(({ server: { id, role } }) => [id, role]), [['admin', 'admin'], ['reader', told[1].server.role]]);
    assert.deepEqual(told[1].server.libraries, []); // `lib1` is in no table of libraries
    assert.notEqual(told[1].server.role, 'admin');
  });

  test('puts out who shows a bad token, and its client does not storm', async () => {
    const client = twin({ token: 'nobody’s' });
    await client.happens('disconnect: io server disconnect');
    assert.deepEqual(client.happened, ['connect', 'disconnect: io server disconnect']);
    assert.deepEqual(client.names(), []);
  });
});

// What is whose: the owner's own is not even for administrators.
function expected(who) {
  const whose = {
    admin: forAdmins,
    chief: forAdmins.filter(([name]) => !ADMINS.includes(name)),
    reader: forAdmins.filter(([name]) => ![...LIBRARY_ADMINS, ...ADMINS].includes(name)),
    u1: forOwner,
    stranger: [],
  };
  return whose[who].map(([name]) => name);
}

// Whatever the order among those that have none.
const inOrder = (events) => events.map((one) => JSON.stringify(one)).sort();
