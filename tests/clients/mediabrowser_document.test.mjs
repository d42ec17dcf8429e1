// Document 004, message by message, by a client that knows nothing but what it says.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { WebSocket } from 'ws';

import { IDENTITY } from './document_client.mjs';
import { QUIET, TOKENS, clientsOf, documentOf, idOf, idOfFile, sessionOf, tell, together, withHouse } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';

describe('document 004', together, () => {
  for (const [frames, binary] of [['text', false], ['binary', true]]) {
    describe(`over ${frames} frames`, together, () => {
      test('the port is found, the identity is sent, and everything it lists is heard', () => withHouse({}, async (house) => {
        const client = await documentOf(house, { binary });
        assert.equal(client.identity, 'Dashboard|df787898fdsf7ds80|1.0.0.0');
        assert.equal(await client.finds(), `${house.server.url.replace('http', 'ws')}/mediabrowser`);

        await house.add('Harbor Lights.mkv');
        await client.hears('LibraryChanged', ({ ItemsAdded }) => ItemsAdded.join() === idOfFile('Harbor Lights.mkv'));

        await tell(house.server, { type: 'server', data: { state: 'restart-required' } });
        await client.hears('RestartRequired', (data) => data === '');
        // "Message format": what it shows is, but for the id, what is sent.
        const { heard, data } = client.said.find(({ heard: type }) => type === 'RestartRequired');
        assert.deepEqual({ MessageType: heard, Data: data }, {
            MessageType: "RestartRequired",
            Data: ""
        });

        await tell(house.server, { type: 'user', data: { action: 'Updated', user: { id: 'ann', name: 'Anna' } } });
        await client.hears('UserUpdated', ({ Id, Name }) => Id === idOf('ann') && Name === 'Anna');
        const notifications = [{ id: 'n1', name: 'Disk full' }];
        for (const [state, type] of [['added', 'NotificationAdded'], ['updated', 'NotificationUpdated'], ['read', 'NotificationsMarkedRead']]) {
          await tell(house.server, { type: 'notification', data: { state, user: 'ann', notifications } });
          await client.hears(type, (text) => typeof text === 'string');
        }

        const { Id } = await sessionOf(house.server, client.device);
        const control = async (path) => assert.equal((await client.asks('POST', `/Sessions/${Id}/${path}`)).status, 204, path);
        const [one, two] = [idOf('one'), idOf('two')];
        await control(`Viewing?ItemType=Movie&ItemId=${one}&ItemName=Harbor%20Lights&Context=movies`);
        await client.hears('Browse', (found) => found.ItemType === 'Movie' && found.ItemId === one && found.ItemName === 'Harbor Lights' && found.Context === 'movies');
        for (const command of ['PlayNow', 'PlayNext', 'PlayLast']) {
          await control(`Playing?ItemIds=${one},${two}&PlayCommand=${command}&StartPositionTicks=70`);
          await client.hears('Play', (found) => found.PlayCommand === command && found.ItemIds.join() === `${one},${two}` && found.StartPositionTicks === 70, command);
        }
        for (const command of ['Stop', 'Pause', 'Unpause', 'NextTrack', 'PreviousTrack']) {
          await control(`Playing/${command}`);
          await client.hears('UpdatePlaystate', (found) => found.Command === command, command);
        }
        await control('Playing/Seek?SeekPositionTicks=700');
        await client.hears('UpdatePlaystate', (found) => found.Command === 'Seek' && found.SeekPositionTicks === 700);
        assert.equal(client.heard('Playstate').length, 6, 'each under its later name as well');

        await tell(house.server, { type: 'user', data: { action: 'Deleted', user: { id: 'ann' } } });
        await client.hears('UserDeleted', (id) => id === idOf('ann'));
        assert.ok(client.said.every((message) => !message.binary), 'text only comes out');
      }));

      test('"beginning in 1000ms, and every 1000ms thereafter", until SessionsStop', () => withHouse({}, async (house) => {
        const client = await documentOf(house, { binary });
        const times = [];
        client.socket.on('message', (data) => JSON.parse(data).MessageType === 'Sessions' && times.push(Date.now()));
        const started = Date.now();
        client.sends('SessionsStart', '1000,1000');
        await until('four of them', () => times.length === 4);
        const gaps = times.map((time, index) => time - (times[index - 1] ?? started));
        // Never sooner; how much later is up to a busy machine.
        assert.ok(gaps.every((gap) => gap > 700) && times.at(-1) - started < 7000, `${gaps} ms`);
        assert.ok(client.heard('Sessions')[0].some(({ DeviceId }) => DeviceId === client.device));
        // "equivalent to the /Sessions api call"
        const ids = (sessions) => sessions.map(({ Id }) => Id).sort();
        assert.deepEqual(ids(client.heard('Sessions').at(-1)), ids((await client.asks('GET', '/Sessions')).json()));
        client.sends('SessionsStop', '');
        await wait(300);
        const count = times.length;
        await wait(2500);
        assert.equal(times.length, count, 'none after SessionsStop');
      }));

      test('playback check-ins, with an empty position too', () => withHouse({}, async (house) => {
        const item = idOfFile('Harbor Lights.mkv');
        await house.addKnown('Harbor Lights.mkv');
        const client = await documentOf(house, { binary });
        const state = async () => {
          const { NowPlayingItem, PlayState } = await sessionOf(house.server, client.device);
          return NowPlayingItem && { item: NowPlayingItem.Id, ticks: PlayState.PositionTicks, paused: PlayState.IsPaused };
        };
        const becomes = async (what, holds) => until(async () => `${what}, but ${JSON.stringify(await state())}`, async () => holds(await state()));
        client.sends('PlaybackStart', item);
        await becomes('it plays', (now) => now?.item === item);
        // "For example, Data = "itemId|1000000|false"."
        client.sends('PlaybackProgress', "itemId|1000000|false".replace('itemId', item));
        await becomes('it is at a tenth of a second', (now) => now.ticks >= 1_000_000 && now.ticks < 1_000_000 + 100_000_000);
        client.sends('PlaybackProgress', `${item}|50000000|true`);
        await becomes('it is paused', (now) => now.paused && now.ticks === 50_000_000);
        // "empty is ok if it cannot be determined, e.g. "itemId||false"."
        client.sends('PlaybackProgress', "itemId||false".replace('itemId', item));
        await becomes('the position is unknown, never 0', (now) => !now.paused && now.ticks !== 0 && (now.ticks === undefined || now.ticks > 0));
        client.sends('PlaybackStopped', `${item}|60000000`);
        await becomes('nothing plays', (now) => now === undefined);
        client.sends('PlaybackStart', item);
        await becomes('it plays again', (now) => now?.item === item);
        client.sends('PlaybackStopped', `${item}|`);
        await becomes('nothing plays again', (now) => now === undefined);
        await client.hears('UserDataChanged', ({ UserId, UserDataList }) => UserId === idOf('ann') && UserDataList.some(({ ItemId }) => ItemId === item));
      }));
    });
  }

  test('an item of a library its user may not read is not played', () => withHouse({}, async (house) => {
    const item = idOfFile('Harbor Lights.mkv');
    await house.addKnown('Harbor Lights.mkv');
    const client = house.document({ token: TOKENS.bob });
    await client.listens();
    await sessionOf(house.server, client.device);
    client.sends('PlaybackStart', item);
    client.sends('SessionsStart', '0,100');
    await client.hears('Sessions', (sessions) => sessions.length > 0);
    assert.ok(!JSON.stringify([client.said, await sessionOf(house.server, client.device)]).includes(item));
  }));

  test('what is malformed or unknown is passed over, and the socket stays', () => withHouse({}, async (house) => {
    const client = await documentOf(house);
    for (const text of ['{', '[]', '"x"', 'null', '{}', '{"MessageType":7}', '{ MessageType: "KeepAlive" }', '{"MessageType":"Nonsense","Data":{"a":[1]}}',
      '{"MessageType":"SessionsStart","Data":"soon"}', '{"MessageType":"SessionsStart"}', '{"MessageType":"SessionsStop"}', '{"MessageType":"PlaybackProgress","Data":"||"}',
      '{"MessageType":"PlaybackStopped"}', '{"MessageType":"Identity","Data":"one|two"}']) {
      client.socket.send(text);
    }
    client.sends('KeepAlive', '');
    await client.hears('KeepAlive');
    await house.add('Harbor Lights.mkv');
    await client.hears('LibraryChanged');
    assert.equal(client.heard('Sessions').length, 0);
  }));

  test('an identity is remembered until the request that matches it arrives', () => withHouse({}, async (house) => {
    const client = house.document({});
    await client.listens();
    await house.add('One.mkv');
    await wait(1000 + 3 * QUIET);
    assert.deepEqual(client.heard('LibraryChanged'), [], 'nobody is told nothing');
    client.token = TOKENS.ann;
    assert.equal((await client.asks('GET', '/Sessions')).status, 200);
    await sessionOf(house.server, client.device);
    await house.add('Two.mkv');
    await client.hears('LibraryChanged', ({ ItemsAdded }) => ItemsAdded.join() === idOfFile('Two.mkv'));
  }));

  test('a socket that says nothing is closed after ten seconds; one whose identity nobody knows stays, and is told nothing', () => withHouse({}, async (house) => {
    const [silent, unknown] = await Promise.all([house.document({}).listens(false), house.document({ identity: 'Dashboard|somebody|1.0.0.0|Den' }).listens()]);
    const started = Date.now();
    assert.equal(await silent.ended, 1008);
    assert.ok(Date.now() - started > 8000);
    await house.add('Harbor Lights.mkv');
    await wait(1000 + 3 * QUIET);
    assert.equal(unknown.socket.readyState, WebSocket.OPEN);
    assert.deepEqual(unknown.said.filter(({ heard }) => heard !== 'ForceKeepAlive'), []);
  }));

  // The identity is no secret: it is what the client says of itself in every request, and a wiki page shows one.
  test('a thief at another address who sends somebody’s identity gets nothing of his', () => withHouse({}, async (house) => {
    const [sdk] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    const client = await documentOf(house);
    // One of them says that he only passes it on; nobody has told the server to believe him.
    const thieves = [{}, { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' }].map((headers) => house.document({ from: '127.0.0.2', headers }));
    for (const thief of thieves) {
      await thief.listens();
      thief.sends('SessionsStart', '0,100');
      thief.sends('PlaybackStart', idOfFile('Harbor Lights.mkv'));
    }
    const wrong = house.document({ identity: IDENTITY.Data.replace('1.0.0.0', '1.0.0.1') });
    await wrong.listens();
    await client.asks('GET', '/Sessions');
    const { Id } = await sessionOf(house.server, client.device);
    await house.add('Harbor Lights.mkv');
    await client.hears('LibraryChanged');
    await sdk.does('call', 'session', 'sendPlaystateCommand', { sessionId: Id, command: 'Pause' });
    await client.hears('UpdatePlaystate');
    await client.asks('POST', '/Sessions/Playing', { ItemId: idOfFile('Harbor Lights.mkv') });
    await wait(3 * QUIET);
    for (const one of [...thieves, wrong]) assert.deepEqual(one.said.filter(({ heard }) => !['ForceKeepAlive', 'KeepAlive'].includes(heard)), []);
  }));

  test('with identity = false nobody comes in without a token', () => withHouse({ dialect: 'identity = false' }, async (house) => {
    const client = house.document({ token: TOKENS.ann });
    await assert.rejects(client.listens(), /403/);
  }));
});
