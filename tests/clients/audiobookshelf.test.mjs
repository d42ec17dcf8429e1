// socket.io-client from npm, unmodified, as the clients of Audiobookshelf use it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import oldIo from 'socket.io-client-2';

import { TOKENS, book, complains, last, listener, logIn, socketIo, startHouse, tell } from './audiobookshelf_house.mjs';
import { until } from './patience.mjs';

// What Audiobookshelf's clients are set to: the React client and most others, its web client and mobile apps, and none that
// we know, but whoever sits behind a proxy that knows no WebSockets.
const WAYS = {
  'with its defaults, upgraded': [{}, 'websocket'],
  'over WebSocket alone': [{ transports: ['websocket'], upgrade: false }, 'websocket'],
  'over polling alone': [{ transports: ['polling'] }, 'polling'],
};
const PATHS = ['/socket.io/', '/audiobookshelf/socket.io/', '/audiobookshelf/socket.io'];

describe('socket.io-client', () => {
  let server;
  const clients = [];
  const started = async (client) => {
    clients.push(await client);
    return clients.at(-1);
  };
  before(async () => { server = await startHouse(); });
  after(async () => {
    clients.forEach((client) => client.stop());
    await server?.stop();
  });

  for (const [name, [options, transport]] of Object.entries(WAYS)) {
    for (const path of PATHS) {
      test(`${name}, at ${path}: says who it is and hears what is told, each event once and in order`, async () => {
        const client = await started(listener(server, 'ann', { path, ...options }));
        assert.equal(client.init.username, 'Ann');
        assert.match(client.init.userId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        // Half of it may come before the upgrade, half behind it.
        const titles = Array.from({ length: 20 }, (_, number) => `Book ${number}`);
        await tell(server, ...titles.slice(0, 10).map((title) => book(title)));
        await until(() => `it goes over ${transport}, but goes over ${client.transport()}`, () => client.transport() === transport);
        await tell(server, ...titles.slice(10).map((title) => book(title)), last);
        await client.hears('that_was_all');
        const added = client.heard.filter((one) => one.name === 'item_added').map(({ data: [item] }) => item.media.metadata.title);
        assert.deepEqual(added, titles);
        client.stop();
      });
    }
  }

  test('is told that a token is bad in the words of either generation, may try again, and gets an answer to ping before', async () => {
    const client = await started(socketIo(server));
    client.socket.emit('ping');
    await client.hears('pong');
    client.socket.emit('auth', 'nobody’s');
    await client.hears('invalid_token');
    assert.deepEqual(client.heard.slice(-2), [{ name: 'auth_failed', data: [{ message: 'Invalid token' }] }, { name: 'invalid_token', data: [] }]);
    client.socket.emit('auth', TOKENS.bob);
    assert.equal((await client.hears('init')).username, 'Bob');
    client.stop();
  });

  test('that an administrator uses hears who is there and who comes, reads the log and writes to all', async () => {
    const boss = await started(listener(server, 'boss'));
    const chief = await started(listener(server, 'chief'));
    assert.ok(boss.names().indexOf('user_online') < boss.names().indexOf('init'), 'it sees itself come first');
    assert.equal(boss.init.usersOnline.find(({ username }) => username === 'Boss').type, 'admin');
    assert.equal(chief.init.usersOnline, undefined);
    assert.equal((await boss.hears('user_online', ({ username }) => username === 'Chief')).type, 'user');

    chief.socket.emit('set_log_listener', 0).emit('fetch_daily_logs').emit('message_all_users', { message: 'from Chief' });
    boss.socket.emit('set_log_listener', 3);
    boss.socket.emit('fetch_daily_logs');
    assert.ok(Array.isArray(await boss.hears('daily_logs')));
    await tell(server, { type: 'log', data: { level: 'info', message: 'all is well' } }, { type: 'log', data: { level: 'warn', message: 'the disk is nearly full' } });
    const { timestamp, ...line } = await boss.hears('log');
    assert.match(timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})?$/);
    assert.deepEqual([line.message, line.level, line.levelName], ['the disk is nearly full', 3, 'WARN']);
    boss.socket.emit('message_all_users', { message: 'Hello all' });
    for (const client of [boss, chief]) assert.equal(await client.hears('admin_message'), 'Hello all');
    assert.deepEqual(chief.without().map(({ name }) => name), ['init', 'admin_message']);

    chief.stop();
    await boss.hears('user_offline', ({ username }) => username === 'Chief');
    boss.stop();
  });

  // What advplyr/abs-socket-client-demo does: connect first, then log in over HTTP, and say `auth` with `user.token`, whenever it
  // is connected again, too.
  test('in the conversation of the demo that Audiobookshelf’s author has published: log in, be welcome, write to all', async () => {
    const client = await started(socketIo(server));
    let apiToken = null;
    client.socket.on('connect', () => { if (apiToken) client.socket.emit('auth', apiToken); });
    client.socket.on('init', () => client.socket.emit('message_all_users', { message: 'Hello World' }));
    await client.happens('connect');
    apiToken = (await logIn(server, 'Boss', {})).token;
    client.socket.emit('auth', apiToken);
    assert.equal((await client.hears('init')).username, 'Boss');
    assert.equal(await client.hears('admin_message'), 'Hello World');
    client.forget();
    client.socket.io.engine.close();
    await client.hears('admin_message');
    assert.deepEqual(client.without().map(({ name }) => name), ['init', 'admin_message'], 'it has come back and said it again');
    client.stop();
  });

  test('shows each user the books of his libraries, with his tags, and nothing explicit to who may not see it', async () => {
    const people = ['ann', 'kid', 'bob', 'chief', 'boss'];
    const all = await Promise.all(people.map((name) => started(listener(server, name, { transports: ['websocket'] }))));
    await tell(server, book('For children', { tags: ['kids'] }), book('Not for children', { tags: ['kids'], explicit: true }), book('Without tags'));
    await tell(server, { type: 'medias', data: { library: 'books', medias: [{ action: 'Deleted', media: { id: 'Gone' } }] } }, last);
    const shown = await Promise.all(all.map(async (client) => {
      await client.hears('that_was_all');
      return client.heard.flatMap(({ name, data: [item] }) => (name === 'item_added' ? item.media.metadata.title : name === 'item_removed' ? 'removed' : []));
    }));
    const everything = ['For children', 'Not for children', 'Without tags', 'removed'];
    assert.deepEqual(shown, [everything, ['For children', 'removed'], [], everything, everything]);
    all.forEach((client) => client.stop());
  });

  test('comes back when the server has gone and is there again, and says anew who it is', async () => {
    const own = await startHouse();
    const ways = [{}, { transports: ['websocket'] }, { transports: ['polling'] }];
    const all = await Promise.all(ways.map((options) => started(listener(own, 'ann', options))));
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      all.forEach((client) => client.forget());
      await own.end(signal);
      await Promise.all(all.map((client) => client.happens('disconnect')));
      await own.again();
      await Promise.all(all.map((client) => client.hears('init')));
      await tell(own, book(signal));
      await Promise.all(all.map((client) => client.hears('item_added', (item) => item.media.metadata.title === signal)));
    }
    all.forEach((client) => client.stop());
    assert.deepEqual(complains(own), []);
    await own.stop();
  });

  test('with an access token that has run out says so, is given another for its refresh token, and is let in', async () => {
    const own = await startHouse({ dialect: 'access_expires = "2s"' });
    const { accessToken, refreshToken } = await logIn(own, 'Ann');
    const client = await started(listener(own, accessToken));
    await client.happens('disconnect'); // the connection ends with the token
    await client.hears('auth_failed'); // it is back, with the old one
    const answer = await fetch(`${own.url}/auth/refresh`, { method: 'POST', headers: { 'x-refresh-token': refreshToken } });
    assert.equal(answer.status, 200);
    const { user } = await answer.json();
    client.forget();
    client.socket.emit('auth', user.accessToken);
    assert.equal((await client.hears('init')).username, 'Ann');
    await tell(own, book('Afterwards'));
    await client.hears('item_added');
    client.stop();
    await own.stop();
  });

  test('2.x, which speaks an older Engine.IO, is refused as socket.io 4 refuses it', async () => {
    const answer = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`);
    assert.equal(answer.status, 400);
    assert.deepEqual(await answer.json(), { code: 5, message: 'Unsupported protocol version' });
    for (const transports of [['polling'], ['websocket']]) {
      const errors = [];
      const socket = oldIo(server.url, { forceNew: true, transports, reconnection: false });
      socket.on('connect_error', (error) => errors.push(error.message ?? String(error)));
      await until('it is refused', () => errors.length > 0);
      assert.equal(socket.connected, false);
      socket.close();
    }
  });

  test('is all the server has had to do with: it has nothing to complain of', () => assert.deepEqual(complains(server), []));
});
