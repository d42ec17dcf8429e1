// What real clients of the MediaBrowser family see of each other: what is played, and remote control.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { mediaBrowserClient } from './mediabrowser_client.mjs';
import { KINDS, TOKENS, ask, clientsOf, comesIn, documentOf, idOf, idOfFile, sessionOf, streamsOf, tell, together, withHouse } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';
import { plexClient } from './plex_client.mjs';

const TICKS = 10_000_000; // in a second

describe('what is played', together, () => {
  const film = 'Harbor Lights.mkv';
  const item = idOfFile(film);
  const showsItem = (device, holds = () => true) => (sessions) => sessions.some((session) => session.DeviceId === device && session.NowPlayingItem?.Id === item && holds(session));
  const idle = (device) => (sessions) => sessions.some((session) => session.DeviceId === device && !('NowPlayingItem' in session));

  // How each client says it: [start, progress, stop], with a position in ticks.
  const REPORTS = {
    'jellyfin-apiclient-python': (client) => [
      () => client.does('call', 'session_playing', { ItemId: item, PositionTicks: 0, CanSeek: true, PlayMethod: 'DirectPlay' }),
      (ticks, paused) => client.does('call', 'session_progress', { ItemId: item, PositionTicks: ticks, IsPaused: paused }),
      (ticks) => client.does('call', 'session_stop', { ItemId: item, PositionTicks: ticks }),
    ],
    '@jellyfin/sdk': (client) => [
      () => client.does('call', 'session', 'reportPlaybackStart', { playbackStartInfo: { ItemId: item, PositionTicks: 0, CanSeek: true } }),
      (ticks, paused) => client.does('call', 'session', 'reportPlaybackProgress', { playbackProgressInfo: { ItemId: item, PositionTicks: ticks, IsPaused: paused } }),
      (ticks) => client.does('call', 'session', 'reportPlaybackStopped', { playbackStopInfo: { ItemId: item, PositionTicks: ticks } }),
    ],
    'jellyfin-apiclient': (client) => [
      () => client.does('call', 'reportPlaybackStart', { ItemId: item, PositionTicks: 0 }),
      (ticks, paused) => client.does('call', 'reportPlaybackProgress', { ItemId: item, PositionTicks: ticks, IsPaused: paused, EventName: paused ? 'pause' : 'unpause' }),
      (ticks) => client.does('call', 'reportPlaybackStopped', { ItemId: item, PositionTicks: ticks }),
    ],
    'document 004': (client) => [
      async () => client.sends('PlaybackStart', item),
      async (ticks, paused) => client.sends('PlaybackProgress', `${item}|${ticks}|${paused}`),
      async (ticks) => client.sends('PlaybackStopped', `${item}|${ticks}`),
    ],
  };

  for (const kind of Object.keys(REPORTS)) {
    test(`on ${kind} is in the Sessions of others, to a Plex client of the owner playing, and nothing to another user`, () => withHouse({}, async (house) => {
      await house.addKnown(film);
      let player;
      if (kind === 'document 004') player = await documentOf(house);
      else [player] = await clientsOf(house, 'ann', [kind]);
      const [sdk, emby] = await clientsOf(house, 'ann', ['@jellyfin/sdk', 'pyEmby']);
      const [boss] = await clientsOf(house, 'boss', ['@jellyfin/sdk']);
      const strangers = await clientsOf(house, 'bob', ['@jellyfin/sdk', 'pyEmby']);
      const plex = ['ann', 'bob'].map((name) => plexClient('alert-listener', { url: house.server.url, token: TOKENS[name] }));
      try {
        await streamsOf(house.server, 'plex', plex.length);
        const [start, progress, stop] = REPORTS[kind](player);
        await start();
        await progress(61 * TICKS, false);
        const at = ({ PlayState }) => PlayState.PositionTicks >= 61 * TICKS && !PlayState.IsPaused;
        await Promise.all([sdk, boss, emby].map((client) => client.hears('Sessions', showsItem(player.device, at), 'with what is played')));
        const session = await sessionOf(house.server, player.device);
        assert.deepEqual([session.NowPlayingItem.Name, session.UserId], [film, idOf('ann')]);
        const device = (await emby.does('devices')).find(({ id }) => id === player.device);
        assert.deepEqual([device.state, device.title, device.user], ['Playing', film, 'Ann']);
        await until('it goes on', async () => (await sessionOf(house.server, player.device)).PlayState.PositionTicks > session.PlayState.PositionTicks);

        const playing = (state, from) => ({ container }) => container?.PlaySessionStateNotification?.some((one) => one.state === state && one.viewOffset >= from);
        await plex[0].says('playing', playing('playing', 61_000));
        await progress(90 * TICKS, true);
        await Promise.all([sdk, boss, emby].map((client) => client.hears('Sessions', showsItem(player.device, ({ PlayState }) => PlayState.IsPaused && PlayState.PositionTicks === 90 * TICKS), 'paused')));
        await plex[0].says('paused', playing('paused', 90_000));
        await stop(95 * TICKS);
        [boss, emby].forEach((client) => client.forget());
        await plex[0].says('stopped', playing('stopped', 95_000));
        await Promise.all([boss, emby].map((client) => client.hears('Sessions', idle(player.device), 'idle again')));

        // What it played counts as watched so far, for the owner's clients.
        await sdk.hears('UserDataChanged', ({ UserId, UserDataList }) => UserId === idOf('ann') && UserDataList.some(({ ItemId }) => ItemId === item));
        assert.deepEqual(plex[1].containers(), []);
        for (const stranger of strangers) {
          const all = JSON.stringify(stranger.said);
          assert.ok(![item, player.device, idOf('ann'), film].some((secret) => all.includes(secret)), all);
        }
      } finally {
        await Promise.all(plex.map((client) => client.stop()));
      }
    }));
  }

  test('elsewhere, and only published, is in the Sessions of its owner and of administrators', () => withHouse({}, async (house) => {
    const [sdk] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    const [boss] = await clientsOf(house, 'boss', ['@jellyfin/sdk']);
    const [stranger] = await clientsOf(house, 'bob', ['@jellyfin/sdk']);
    const data = { session: 's1', user: 'ann', library: 'films', client: { id: 'roku', name: 'Roku' }, item: { id: 'film1', name: 'Elsewhere', type: 'movie' }, state: 'playing', position: 61_000, duration: 90_000 };
    await tell(house.server, { type: 'playback', data });
    const shows = (sessions) => sessions.some(({ NowPlayingItem, UserId }) => NowPlayingItem?.Name === 'Elsewhere' && UserId === idOf('ann'));
    await Promise.all([sdk, boss].map((client) => client.hears('Sessions', shows)));
    await stranger.hears('Sessions');
    assert.ok(!JSON.stringify(stranger.said).includes('Elsewhere'));
  }));
});

describe('remote control', together, () => {
  const item = idOfFile('Harbor Lights.mkv');

  // What each client sends for the same wishes: play, pause, seek, set the volume, show a text.
  const REMOTES = {
    'jellyfin-apiclient-python': (client, session) => [
      () => client.does('call', 'remote_play_media', session, [item, idOf('x')], 'PlayNow'),
      () => client.does('call', 'remote_pause', session),
      () => client.does('call', 'remote_seek', session, 20 * TICKS),
      () => client.does('call', 'remote_set_volume', session, 50),
      () => client.does('call', 'command', session, 'DisplayMessage', null, { Header: 'From afar', Text: 'Dinner', TimeoutMs: 5000 }),
    ],
    '@jellyfin/sdk': (client, session) => [
      () => client.does('call', 'session', 'play', { sessionId: session, playCommand: 'PlayNow', itemIds: [item, idOf('x')] }),
      () => client.does('call', 'session', 'sendPlaystateCommand', { sessionId: session, command: 'Pause' }),
      () => client.does('call', 'session', 'sendPlaystateCommand', { sessionId: session, command: 'Seek', seekPositionTicks: 20 * TICKS }),
      () => client.does('call', 'session', 'sendFullGeneralCommand', { sessionId: session, generalCommand: { Name: 'SetVolume', Arguments: { Volume: '50' } } }),
      () => client.does('call', 'session', 'sendMessageCommand', { sessionId: session, messageCommand: { Header: 'From afar', Text: 'Dinner', TimeoutMs: 5000 } }),
    ],
    'jellyfin-apiclient': (client, session) => [
      () => client.does('call', 'sendPlayCommand', session, { ItemIds: `${item},${idOf('x')}`, PlayCommand: 'PlayNow' }),
      () => client.does('call', 'sendPlayStateCommand', session, 'Pause'),
      () => client.does('call', 'sendPlayStateCommand', session, 'Seek', { SeekPositionTicks: 20 * TICKS }),
      () => client.does('call', 'sendCommand', session, { Name: 'SetVolume', Arguments: { Volume: 50 } }),
      () => client.does('call', 'sendMessageCommand', session, { Header: 'From afar', Text: 'Dinner', TimeoutMs: 5000 }),
    ],
  };

  const HEARD = [
    ['Play', ({ PlayCommand, ItemIds }) => PlayCommand === 'PlayNow' && ItemIds.join() === `${item},${idOf('x')}`],
    ['Playstate', ({ Command }) => Command === 'Pause'],
    ['Playstate', ({ Command, SeekPositionTicks }) => Command === 'Seek' && SeekPositionTicks === 20 * TICKS],
    ['GeneralCommand', ({ Name, Arguments }) => Name === 'SetVolume' && Arguments.Volume === '50'],
    ['GeneralCommand', ({ Name, Arguments }) => Name === 'DisplayMessage' && Arguments.Header === 'From afar' && Arguments.Text === 'Dinner' && Arguments.TimeoutMs === '5000'],
  ];
  const COMMANDS = ['Play', 'Playstate', 'GeneralCommand'];
  const commands = (client) => client.said.filter(({ heard }) => COMMANDS.includes(heard)).length;

  for (const [kind, remote] of Object.entries(REMOTES)) {
    test(`from ${kind} reaches every client it names, once, and no other`, () => withHouse({}, async (house) => {
      const [controller] = await clientsOf(house, 'ann', [kind]);
      const targets = await clientsOf(house, 'ann');
      for (const target of targets) {
        const { Id } = await sessionOf(house.server, target.device);
        for (const send of remote(controller, Id)) await send();
        await Promise.all(HEARD.map(([type, holds]) => target.hears(type, holds, String(holds))));
      }
      for (const target of targets) assert.equal(commands(target), HEARD.length, `${target.kind}: ${JSON.stringify(target.said)}`);
      assert.equal(commands(controller), 0);
    }));
  }

  test('from pyEmby reaches every client it lists', () => withHouse({}, async (house) => {
    const [emby] = await clientsOf(house, 'ann', ['pyEmby']);
    const targets = await clientsOf(house, 'ann', KINDS.filter((kind) => kind !== 'pyEmby'));
    for (const target of targets) {
      await until('it lists it', async () => (await emby.does('devices')).some(({ id }) => id === target.device));
      for (const [method, ...more] of [['media_pause'], ['media_seek', 20], ['media_stop']]) {
        await emby.does('call', target.device, method, ...more);
      }
      for (const [command, ticks] of [['Pause'], ['Seek', 20 * TICKS], ['Stop']]) {
        await target.hears('Playstate', (data) => data.Command === command && data.SeekPositionTicks === ticks, command);
      }
    }
    assert.ok(emby.said.every(({ log }) => !log), `it complains of every answer but 204: ${JSON.stringify(emby.said)}`);
  }));

  test('a device an API key controls, as Home Assistant does, hears it', () => withHouse({}, async (house) => {
    const emby = house.client('pyEmby');
    await emby.does('use', '', TOKENS.key);
    await emby.does('listen');
    const [target] = await clientsOf(house, 'ann', ['jellyfin-apiclient-python']);
    await until('it lists it', async () => (await emby.does('devices')).some(({ id, client, user }) => id === target.device && client === 'jellyfin-mpv-shim' && user === 'Ann'));
    assert.ok((await emby.does('devices')).every(({ id }) => id !== emby.device), 'it is no device of its own');
    await emby.does('call', target.device, 'media_pause');
    await target.hears('Playstate', ({ Command }) => Command === 'Pause');
  }));

  test('another user may not, and is told no', () => withHouse({}, async (house) => {
    const [target] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    const [python] = await clientsOf(house, 'bob', ['jellyfin-apiclient-python']);
    const { Id } = await sessionOf(house.server, target.device);
    await assert.rejects(python.does('call', 'remote_pause', Id), /40[34]/);
    await assert.rejects(python.does('call', 'session_add_user', Id, idOf('bob')), /40[34]/);
    const [boss] = await clientsOf(house, 'boss', ['@jellyfin/sdk']);
    await boss.does('call', 'session', 'sendPlaystateCommand', { sessionId: Id, command: 'Pause' });
    await target.hears('Playstate', ({ Command }) => Command === 'Pause');
    assert.equal(target.heard('Playstate').length, 1);
  }));

  test('a session that is not there is 404, a command that is none 400', () => withHouse({}, async (house) => {
    const [sdk] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    const { Id } = await sessionOf(house.server, sdk.device);
    await assert.rejects(sdk.does('call', 'session', 'sendPlaystateCommand', { sessionId: '0'.repeat(32), command: 'Pause' }), /404/);
    await assert.rejects(sdk.does('call', 'session', 'sendPlaystateCommand', { sessionId: Id, command: 'Dance' }), /400/);
  }));

  test('asking for the session of another device finds that one, and is no word about one’s own device', () => withHouse({}, async (house) => {
    const [python, sdk] = await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk']);
    for (let n = 0; n < 2; n += 1) {
      const found = await python.does('call', 'get_device', sdk.device);
      assert.deepEqual(found.map(({ Client, DeviceId }) => [Client, DeviceId]), [['A client, made with the SDK', sdk.device]]);
      assert.deepEqual(await sdk.does('call', 'session', 'getSessions', { deviceId: 'nobody' }), []);
    }
    const all = (await ask(house.server, 'GET', '/Sessions', TOKENS.boss)).json().filter(({ UserName }) => UserName === 'Ann');
    assert.deepEqual(all.map(({ DeviceId }) => DeviceId).sort(), [python.device, sdk.device].sort());
  }));

  test('capabilities are shown as each client gives them, and Sessions tells of them', () => withHouse({}, async (house) => {
    const [python, sdk, web] = await clientsOf(house, 'ann', ['jellyfin-apiclient-python', '@jellyfin/sdk', 'jellyfin-apiclient']);
    await python.does('call', 'post_capabilities', { PlayableMediaTypes: 'Video,Audio', SupportsMediaControl: true, SupportedCommands: 'Mute,Unmute' });
    await sdk.does('call', 'session', 'postCapabilities', { playableMediaTypes: ['Video', 'Audio'], supportedCommands: ['Mute', 'Unmute'], supportsMediaControl: true });
    for (const client of [python, sdk]) {
      const { PlayableMediaTypes, SupportedCommands, SupportsRemoteControl } = await sessionOf(house.server, client.device);
      assert.deepEqual([PlayableMediaTypes, SupportedCommands, SupportsRemoteControl], [['Video', 'Audio'], ['Mute', 'Unmute'], true], client.kind);
    }
    const [boss] = await clientsOf(house, 'boss', ['jellyfin-apiclient-python']);
    const { Id } = await sessionOf(house.server, python.device);
    const users = async () => (await sessionOf(house.server, python.device)).AdditionalUsers;
    await boss.does('call', 'session_add_user', Id, idOf('bob'));
    assert.deepEqual(await users(), [{ UserId: idOf('bob'), UserName: 'Bob' }]);
    await boss.does('call', 'session_add_user', Id, idOf('bob'), false);
    assert.deepEqual(await users(), []);
    // The one of the web gives its own at every log-in, without waiting for its socket.
    await sdk.hears('Sessions', (sessions) => sessions.some(({ DeviceId, SupportedCommands }) => DeviceId === web.device && SupportedCommands.join() === 'DisplayMessage,SetVolume'));
  }));

  // jellyfin-web in two tabs: one token, one device, two sockets.
  test('a command goes to the tab that was used last, what is told to both', () => withHouse({}, async (house) => {
    const tabs = ['7654321', '7654321'].map((device) => mediaBrowserClient('jellyfin-apiclient', house.server, device));
    try {
      const { user, token } = await comesIn(tabs[0], 'ann');
      await tabs[1].does('use', user, token);
      await tabs[1].does('listen');
      await tabs[1].hears('KeepAlive');
      const [sdk] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
      const { Id } = await sessionOf(house.server, '7654321');
      for (const [used, other] of [tabs, [...tabs].reverse()]) {
        tabs.forEach((tab) => tab.forget());
        await used.does('send', 'KeepAlive');
        await used.hears('KeepAlive');
        await sdk.does('call', 'session', 'sendPlaystateCommand', { sessionId: Id, command: 'Pause' });
        await used.hears('Playstate');
        await tell(house.server, { type: 'message', audience: 'user:ann', data: { text: 'Dinner' } });
        await Promise.all(tabs.map((tab) => tab.hears('GeneralCommand', ({ Arguments }) => Arguments.Text === 'Dinner')));
        assert.equal(other.heard('Playstate').length, 0);
      }
    } finally {
      await Promise.all(tabs.map((tab) => tab.stop()));
    }
  }));
});

describe('subscriptions of the SDK', together, () => {
  test('an administrator’s tell of tasks and of the log, a user’s of tasks alone', () => withHouse({}, async (house) => {
    const [[boss], [ann]] = await Promise.all(['boss', 'ann'].map((name) => clientsOf(house, name, ['@jellyfin/sdk'])));
    await tell(house.server, { type: 'log', data: { level: 'warn', message: 'disk almost full', source: 'storage' } });
    await boss.hears('ActivityLogEntry', (entries) => entries.length === 0);
    await tell(house.server, { type: 'activity', data: { id: 'c30c1edc-8df0-4713-a7f1-f1373f6db8e9', state: 'started', type: 'library.refresh.items', title: 'Refreshing', progress: 12 } });
    const running = (tasks) => tasks.some(({ Name, State }) => Name === 'Refreshing' && State === 'Running');
    await boss.hears('ScheduledTasksInfo', running);
    assert.equal(ann.heard('ActivityLogEntry').length, 0);
    assert.ok(!ann.heard('ScheduledTasksInfo').some(running), 'whose task it is not');
  }));

  test('nothing comes after unsubscribing, and everything again after subscribing', () => withHouse({}, async (house) => {
    const [python] = await clientsOf(house, 'ann', ['jellyfin-apiclient-python']);
    const [sdk] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    await sdk.hears('Sessions');
    await sdk.does('unsubscribe');
    await sdk.says('its socket is closed', ({ status }) => status === 'disconnected');
    sdk.forget();
    await sdk.does('listen', ['Sessions']);
    await sdk.hears('Sessions', (sessions) => sessions.some(({ DeviceId }) => DeviceId === python.device));
    // Still, nothing changes: nothing is said, until something does.
    await python.does('call', 'post_capabilities', { SupportsMediaControl: true, SupportedCommands: 'Mute' });
    await sdk.hears('Sessions', (sessions) => sessions.some(({ DeviceId, SupportedCommands }) => DeviceId === python.device && SupportedCommands.join() === 'Mute'));
    assert.ok(sdk.said.every(({ heard }) => !heard || heard === 'Sessions'), JSON.stringify(sdk.said));
  }));
});
