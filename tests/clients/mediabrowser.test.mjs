// Real, unmodified clients of the MediaBrowser family against a running server: two from npm, two from PyPI, and document 004's.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { startBrowser } from './browser.mjs';
import { PATIENCE, mediaBrowserClient } from './mediabrowser_client.mjs';
import { KINDS, PASSWORD, QUIET, TOKENS, ask, clientsOf, comesIn, documentOf, idOf, idOfFile, sessionOf, together, withHouse } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';

const HEX = /^[0-9a-f]{32}$/;

// All that LibraryChanged has said to a client: which ids in which list, and how often it said anything.
function told(client) {
  const messages = client.heard('LibraryChanged');
  const all = (list) => messages.flatMap((data) => data[list]).sort();
  return { messages: messages.length, added: all('ItemsAdded'), updated: all('ItemsUpdated'), removed: all('ItemsRemoved') };
}

describe('clients of the MediaBrowser family', together, () => {
  describe('log in', together, () => {
    test('every one of them with name and password, and has a session of its own', () => withHouse({}, async (house) => {
      for (const kind of KINDS.filter((one) => one !== 'pyEmby')) {
        const client = house.client(kind);
        const { user, token, server } = await comesIn(client, 'ann');
        assert.equal(user, idOf('ann'), kind);
        assert.match(server, HEX);
        assert.equal(server, (await ask(house.server, 'GET', '/system/info/public', '')).json().Id, kind);
        assert.notEqual(token, TOKENS.ann);
        const session = await sessionOf(house.server, client.device);
        assert.deepEqual([session.UserId, session.UserName, session.IsActive], [idOf('ann'), 'Ann', true], kind);
        assert.match(session.Id, HEX);
      }
    }));

    test('a wrong password is a no to every one, and a name nobody has as well', () => withHouse({}, async (house) => {
      const [python, sdk, web] = ['jellyfin-apiclient-python', '@jellyfin/sdk', 'jellyfin-apiclient'].map((kind) => house.client(kind));
      assert.match((await python.does('log_in', 'ann', 'wrong')).state, /ServerSignIn/);
      await assert.rejects(sdk.does('log_in', 'ann', 'wrong'), /401/);
      await assert.rejects(web.does('log_in', 'nobody', 'wrong'), /401/);
      assert.equal((await ask(house.server, 'GET', '/Sessions', TOKENS.boss)).json().filter(({ UserId }) => UserId === idOf('ann')).length, 0);
    }));

    test('the python client and the one of the web come back with the token they have kept', () => withHouse({}, async (house) => {
      const [python, web] = [house.client('jellyfin-apiclient-python'), house.client('jellyfin-apiclient')];
      assert.match((await comesIn(python, 'ann')).state, /SignedIn/);
      await comesIn(web, 'ann');
      assert.equal(await web.does('come_back'), 'SignedIn');
    }));

    test('a token outlives a restart, and its sockets come back by themselves', () => withHouse({}, async (house) => {
      const clients = await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk', 'pyEmby']);
      const [python, sdk, emby] = clients;
      const before = await sessionOf(house.server, python.device);
      await house.server.end('SIGTERM');
      clients.forEach((client) => client.forget());
      await house.server.again();
      await python.hears('WebSocketConnect');
      await sdk.says('it is back', ({ status }) => status === 1);
      await emby.hears('ForceKeepAlive');
      assert.equal((await sessionOf(house.server, python.device)).Id, before.Id);
      await house.add('Harbor Lights.mkv');
      await Promise.all(clients.map((client) => client.hears('LibraryChanged')));
    }));

    test('a user who is disabled is let go, and when he may come again those come back that try', () => withHouse({}, async (house) => {
      const clients = await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk']);
      const [python, sdk] = clients;
      const disable = async (disabled) => {
        const headers = { authorization: `Bearer ${house.server.admin}` };
        const answer = await fetch(`${house.server.url}/api/principals/ann`, { method: 'PUT', headers, body: JSON.stringify({ disabled, libraries: { films: 'read' } }) });
        assert.equal(answer.status, 200, await answer.text());
      };
      await disable(true);
      await sdk.says('it is let go', ({ status }) => status === 'disconnected');
      await until('the other tries again', async () => (await python.does('attempts')) > 0);
      await assert.rejects(sdk.does('call', 'session', 'getSessions'), /40[13]/);
      clients.forEach((client) => client.forget());
      await house.add('One.mkv');
      await wait(1000 + 3 * QUIET);
      await disable(false);
      await Promise.all([python.hears('WebSocketConnect'), sdk.says('it is back', ({ status }) => status === 1)]);
      await house.add('Two.mkv');
      for (const client of clients) {
        await client.hears('LibraryChanged');
        assert.deepEqual(told(client).added, [idOfFile('Two.mkv')], client.kind);
      }
    }));

    test('after logging out the token is nobody’s and the session is gone', () => withHouse({}, async (house) => {
      const web = house.client('jellyfin-apiclient');
      const { token } = await comesIn(web, 'ann');
      assert.equal((await ask(house.server, 'GET', '/System/Info', token)).status, 200);
      await web.does('call', 'logout');
      await until('it is refused', async () => (await ask(house.server, 'GET', '/System/Info', token)).status === 401);
      const left = (await ask(house.server, 'GET', '/Sessions', TOKENS.boss)).json();
      assert.ok(left.every(({ DeviceId }) => DeviceId !== web.device), JSON.stringify(left));
    }));

    test('with legacy_credentials = false those do that send today’s forms, and the sockets of the others are refused', () => withHouse({ dialect: 'legacy_credentials = false' }, async (house) => {
      await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk']);
      const [web, emby] = ['jellyfin-apiclient', 'pyEmby'].map((kind) => house.client(kind));
      await web.does('log_in', 'ann', PASSWORD);
      await web.says('its socket is refused', ({ status }) => status === 'websocketerror');
      await emby.does('use', '', TOKENS.ann);
      await emby.does('listen');
      await emby.says('it cannot register', ({ log }) => log === 'Error fetching Emby data: 401');
      assert.equal((await ask(house.server, 'GET', '/Sessions', TOKENS.boss)).json().filter(({ DeviceId }) => DeviceId === emby.device).length, 0);
    }));

    // Home Assistant with two accounts: the device is the machine.
    test('two users with the same client on the same device do not get each other’s session', () => withHouse({}, async (house) => {
      const [first, second] = [mediaBrowserClient('pyEmby', house.server, '7654321'), mediaBrowserClient('pyEmby', house.server, '7654321')];
      try {
        await comesIn(first, 'ann');
        await comesIn(second, 'bob');
        await house.add('Harbor Lights.mkv');
        await first.hears('LibraryChanged');
        await wait(3 * QUIET);
        assert.deepEqual(second.heard('LibraryChanged'), []);
        assert.ok(!JSON.stringify(second.said).includes(idOf('ann')), JSON.stringify(second.said));
      } finally {
        await Promise.all([first.stop(), second.stop()]);
      }
    }));

    test('the python client can read the server’s time', () => withHouse({}, async (house) => {
      const python = house.client('jellyfin-apiclient-python');
      await comesIn(python, 'ann');
      const { request_received: received, response_sent: sent } = await python.does('call', 'utc_time');
      for (const time of [received, sent]) assert.ok(Math.abs(new Date(`${time}Z`) - Date.now()) < 10_000, time);
    }));

    test('the SDK finds the server good enough', () => withHouse({}, async (house) => {
      const [found] = await house.client('@jellyfin/sdk').does('discover');
      assert.ok(found.score >= 0 && found.issues.every(({ version }) => version), JSON.stringify(found));
    }));

    test('the one of the web does so in a browser, on a page of another origin', () => withHouse({}, async (house) => {
      const browser = await startBrowser();
      try {
        const page = await browser.open('jellyfin.html', { url: house.server.url, name: 'ann', password: PASSWORD });
        const { user, sessions, state } = await page.answers();
        assert.deepEqual([user.Id, user.Name, state], [idOf('ann'), 'Ann', 'SignedIn'], String(await page.logs()));
        assert.ok(sessions.every(({ UserId }) => UserId === idOf('ann')));
        await until('its socket is open', async () => (await page.state()).opens > 0);
        await house.add('Harbor Lights.mkv');
        await until(async () => `LibraryChanged: ${JSON.stringify(await page.received())}`, async () => (await page.received())
          .some(({ type, data }) => type === 'LibraryChanged' && data.ItemsAdded.join() === idOfFile('Harbor Lights.mkv')));
      } finally {
        await browser.stop();
      }
    }));

    test('the python client finds the server by asking the network', () => withHouse({ dialect: 'discovery = "127.0.0.1:17359"' }, async (house) => {
      const [found] = await house.client('jellyfin-apiclient-python').does('discover', 17359);
      const { Id, ServerName } = (await ask(house.server, 'GET', '/System/Info/Public', '')).json();
      assert.deepEqual([found.Id, found.Name], [Id, ServerName]);
      assert.equal(new URL(found.Address).port, new URL(house.server.url).port);
    }));
  });

  describe('sockets', together, () => {
    test('are greeted with ForceKeepAlive, and their KeepAlive is answered', () => withHouse({}, async (house) => {
      const [python, web] = await clientsOf(house, 'ann', ['jellyfin-apiclient-python', 'jellyfin-apiclient']);
      await python.says('the greeting', ({ log }) => log?.startsWith('ForceKeepAlive received'));
      await python.says('the answer', ({ log }) => log?.startsWith('KeepAlive received'));
      await web.hears('ForceKeepAlive', (seconds) => seconds === 60);
      await web.hears('KeepAlive');
      assert.equal(web.said.find(({ heard }) => heard).heard, 'ForceKeepAlive');
    }));

    test('stay open through an idle time, also those that never say KeepAlive', () => withHouse({ dialect: 'ping_interval = "1s"' }, async (house) => {
      const clients = [...await clientsOf(house, 'ann'), await documentOf(house)];
      await wait(1000 * Number(process.env.CLIENT_IDLE_SECONDS ?? 23));
      clients.forEach((client) => client.forget());
      await house.add('Harbor Lights.mkv');
      await Promise.all(clients.map((client) => client.hears('LibraryChanged')));
      for (const client of clients) assert.ok(client.said.every(({ heard, status }) => !status && heard !== 'WebSocketConnect'), JSON.stringify(client.said));
    }));

    test('no two messages to a client have the same MessageId', () => withHouse({}, async (house) => {
      const [sdk, web] = await clientsOf(house, 'ann', ['@jellyfin/sdk', 'jellyfin-apiclient']);
      await web.does('send', 'SessionsStart', '0,100');
      for (const name of ['One.mkv', 'Two.mkv']) {
        await house.add(name);
        await Promise.all([sdk, web].map((client) => client.hears('LibraryChanged', ({ ItemsAdded }) => ItemsAdded.includes(idOfFile(name)))));
      }
      for (const client of [sdk, web]) {
        const ids = client.said.filter(({ heard }) => heard).map(({ id }) => id);
        assert.ok(ids.every((id) => HEX.test(id)), JSON.stringify(client.said.slice(0, 3)));
        assert.equal(new Set(ids).size, ids.length);
      }
    }));

    test('hear that the server stops', () => withHouse({}, async (house) => {
      const clients = [...await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk', 'jellyfin-apiclient']), await documentOf(house)];
      await house.server.end('SIGTERM');
      await Promise.all(clients.map((client) => client.hears('ServerShuttingDown')));
      assert.equal(await clients.at(-1).ended, 1000);
    }));
  });

  describe('files in the watched folder', together, () => {
    test('reach every client as LibraryChanged with the right ids, once, and nobody who may not read the library', () => withHouse({}, async (house) => {
      const clients = [...await clientsOf(house, 'ann'), await documentOf(house), await documentOf(house, { identity: 'Theater|td1|2.0.0.0|Den', binary: true })];
      const strangers = await clientsOf(house, 'bob');
      const key = house.client('pyEmby'); // an API key is nobody's, and gets no LibraryChanged
      await key.does('use', '', TOKENS.key);
      await key.does('listen');
      await key.hears('ForceKeepAlive');

      const files = ['Harbor Lights (1985).mkv', 'Ünïcode — “film”.mkv', 'Third.mp4'];
      const ids = files.map(idOfFile).sort();
      const started = Date.now();
      await house.add(...files);
      await Promise.all(clients.map((client) => until(() => `${client.kind}: ${JSON.stringify(client.said.slice(-5))}`, () => told(client).added.length === ids.length, PATIENCE)));
      const took = Date.now() - started;
      await wait(3 * QUIET); // for one too many
      for (const client of clients) {
        assert.deepEqual(told(client), { messages: 1, added: ids, updated: [], removed: [] }, client.kind);
        const [data] = client.heard('LibraryChanged');
        for (const list of ['FoldersAddedTo', 'FoldersRemovedFrom', 'ItemsAdded', 'ItemsRemoved', 'ItemsUpdated', 'CollectionFolders']) {
          assert.ok(Array.isArray(data[list]) && data[list].every((id) => HEX.test(id)), `${client.kind}: ${list} of ${JSON.stringify(data)}`);
        }
        assert.deepEqual([data.CollectionFolders, data.FoldersRemovedFrom, data.IsEmpty], [[idOf('films')], [], false], client.kind);
      }
      // Quiet of the file, quiet of the library, and what a busy machine needs.
      assert.ok(took < QUIET + 5000, `${took} ms`);

      clients.forEach((client) => client.forget());
      await house.change(files[0]);
      await house.remove(files[1]);
      await Promise.all(clients.map((client) => until(() => `${client.kind}: ${JSON.stringify(client.said.slice(-5))}`, () => told(client).removed.length + told(client).updated.length === 2, PATIENCE)));
      await wait(3 * QUIET);
      for (const client of clients) {
        const { added, updated, removed } = told(client);
        assert.deepEqual({ added, updated, removed }, { added: [], updated: [idOfFile(files[0])], removed: [idOfFile(files[1])] }, client.kind);
      }
      for (const client of [...strangers, key]) {
        assert.deepEqual(client.heard('LibraryChanged'), [], client.kind);
        const all = JSON.stringify(client.said);
        assert.ok(ids.every((id) => !all.includes(id)), `${client.kind} knows an id: ${all}`);
      }
    }));
  });
});
