// Behind proxies as examples/proxy has them: everything to Fanfare, or WebSockets only and the rest to a Jellyfin server.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { PATIENCE } from './mediabrowser_client.mjs';
import { QUIET, clientsOf, idOfFile, sessionOf, together, withHouse } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';
import { nginxBesideMediaServer, proxies, startProxy } from './proxies.mjs';

const FILMS = 'f0000000000000000000000000000001'; // what the media server calls the library
const SERVER_ID = '5e000000000000000000000000000001';
const PASSWORD = 'its own password';
const PEOPLE = {
  Carol: { id: 'ca000000000000000000000000000001', token: 'c0ffee00000000000000000000000001', policy: { EnableAllFolders: false, EnabledFolders: [FILMS] } },
  Dave: { id: 'da000000000000000000000000000001', token: 'c0ffee00000000000000000000000002', policy: { EnableAllFolders: false, EnabledFolders: [] } },
};

// In its place: what it is asked, and the least that the clients need of it.
async function standIn() {
  const asked = [];
  const user = ([Name, { id, policy }]) => ({ Name, Id: id, ServerId: SERVER_ID, Policy: { IsAdministrator: false, IsDisabled: false, ...policy } });
  const info = { ServerName: 'The real one', Version: '10.11.0', ProductName: 'Jellyfin Server', Id: SERVER_ID, StartupWizardCompleted: true };
  const answers = {
    'GET /system/info/public': () => info,
    'GET /system/info': (me) => me && info,
    'GET /users/me': (me) => me && user(me),
    'POST /users/authenticatebyname': (_, body) => {
      const found = Object.entries(PEOPLE).find(([name]) => name === (body.Username ?? body.username) && body.Pw === PASSWORD);
      return found && { User: user(found), AccessToken: found[1].token, ServerId: SERVER_ID, SessionInfo: {} };
    },
    'GET /sessions': (me) => me && [],
    'POST /sessions/capabilities/full': (me) => me && null,
  };
  const site = createServer(async (asking, response) => {
    const { pathname, searchParams } = new URL(asking.url, 'http://localhost');
    const name = `${asking.method} ${pathname.toLowerCase()}`;
    asked.push(name);
    let body = '';
    for await (const piece of asking) body += piece;
    const header = [asking.headers.authorization, asking.headers['x-emby-authorization']].join();
    const token = /Token="([^"]+)"/.exec(header)?.[1] ?? searchParams.get('api_key');
    const me = Object.entries(PEOPLE).find(([, person]) => person.token === token);
    if (!answers[name]) return response.writeHead(404).end();
    const answer = answers[name](me, body && JSON.parse(body));
    if (answer === undefined) return response.writeHead(401).end();
    if (answer === null) return response.writeHead(204).end();
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  site.on('upgrade', (asking, socket) => { asked.push(`UPGRADE ${asking.url}`); socket.destroy(); });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  return { asked, host: `127.0.0.1:${site.address().port}`, stop: () => { site.closeAllConnections(); site.close(); } };
}

// The status a handshake is answered with.
const handshake = (url, ca) => new Promise((resolve, reject) => {
  const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const asking = request(url, { ca, headers }, (response) => { response.resume(); resolve(response.statusCode); });
  asking.on('upgrade', (response, socket) => { socket.destroy(); resolve(response.statusCode); }).on('error', reject).end();
});

describe('clients of the MediaBrowser family', together, () => {
  for (const [name, proxy] of Object.entries(proxies)) {
    test(`behind ${name}, every client hears of files, and controls another`, () => withHouse({ server: 'trusted_proxies = ["127.0.0.1/32"]' }, async (house) => {
      const edge = await startProxy(proxy, new URL(house.server.url).host);
      try {
        const clients = await clientsOf(house, 'ann', undefined, { url: edge.url, certificate: edge.certificateFile });
        await house.add('Harbor Lights.mkv');
        await Promise.all(clients.map((client) => client.hears('LibraryChanged', ({ ItemsAdded }) => ItemsAdded.join() === idOfFile('Harbor Lights.mkv'))));
        const [python, sdk, , emby] = clients;
        const { Id } = await sessionOf(house.server, python.device);
        await sdk.does('call', 'session', 'sendPlaystateCommand', { sessionId: Id, command: 'Pause' });
        await until('pyEmby lists it', async () => (await emby.does('devices')).some(({ id }) => id === python.device));
        await emby.does('call', python.device, 'media_stop');
        for (const command of ['Pause', 'Stop']) await python.hears('Playstate', ({ Command }) => Command === command);
        // Clients keep this address and try it before the one they were given.
        const [{ address, systemInfo }] = await sdk.does('discover');
        assert.deepEqual([systemInfo.LocalAddress ?? edge.url, address], [edge.url, edge.url]);
      } finally {
        await edge.stop();
      }
    }));
  }

  test('behind nginx, beside a real Jellyfin server, its clients log in there and hear of Fanfare’s library what their user may', async () => {
    const real = await standIn();
    const settings = {
      server: 'trusted_proxies = ["127.0.0.1/32"]',
      dialect: `rest = false\nserver = "http://${real.host}"`,
      films: `ids = { mediabrowser = "${FILMS}" }`,
    };
    try {
      await withHouse(settings, async (house) => {
        const edge = await startProxy(nginxBesideMediaServer(real.host), new URL(house.server.url).host);
        try {
          await clientsHear(house, { url: edge.url, certificate: edge.certificateFile }, edge, real);
        } finally {
          await edge.stop();
        }
      });
    } finally {
      real.stop();
    }
  });
});

const comeIn = async (house, way, name) => {
  const [python, sdk, web, emby] = ['jellyfin-apiclient-python', '@jellyfin/sdk', 'jellyfin-apiclient', 'pyEmby'].map((kind) => house.client(kind, way));
  const { id, token } = PEOPLE[name];
  const logIn = async (client) => {
    const answer = await client.does('log_in', name, PASSWORD);
    assert.deepEqual([answer.user, answer.token, answer.server], [id, token, SERVER_ID]);
  };
  await Promise.all([
    logIn(python).then(() => python.does('listen')).then(() => python.hears('WebSocketConnect')),
    logIn(sdk).then(() => sdk.does('listen')).then(() => sdk.says('its socket is open', ({ status }) => status === 1)),
    logIn(web).then(() => web.says('its socket is open', ({ status }) => status === 'websocketopen')),
    emby.does('use', id, token).then(() => emby.does('listen')).then(() => emby.hears('Sessions')),
  ]);
  return [python, sdk, web, emby];
};

async function clientsHear(house, way, edge, real) {
  const carols = await comeIn(house, way, 'Carol');
  const daves = await comeIn(house, way, 'Dave');
  await house.add('Harbor Lights.mkv');
  const added = (client) => client.heard('LibraryChanged').flatMap(({ ItemsAdded }) => ItemsAdded);
  const all = (name) => Promise.all(carols.map((client) => until(() => `${client.kind}: ${JSON.stringify(client.said.slice(-5))}`, () => added(client).includes(idOfFile(name)), PATIENCE)));
  await all('Harbor Lights.mkv');
  await wait(3 * QUIET);
  for (const client of carols) {
    assert.deepEqual(added(client), [idOfFile('Harbor Lights.mkv')], client.kind);
    assert.deepEqual(client.heard('LibraryChanged')[0].CollectionFolders, [FILMS], client.kind);
  }
  for (const client of daves) assert.ok(!JSON.stringify(client.said).includes(idOfFile('Harbor Lights.mkv')), client.kind);
  // Each sees its user's devices in Sessions, and nobody else's.
  const [, sdk] = carols;
  await sdk.hears('Sessions', (sessions) => carols.filter(({ kind }) => kind !== '@jellyfin/sdk').every(({ device }) => sessions.some(({ DeviceId }) => DeviceId === device)));
  for (const sessions of sdk.heard('Sessions')) assert.ok(sessions.every(({ UserId }) => UserId === PEOPLE.Carol.id), JSON.stringify(sessions));

  for (const path of ['/socket', '/embywebsocket', '/emby/socket', '/']) {
    assert.equal(await handshake(`${edge.url}${path}?api_key=${PEOPLE.Carol.token}`, edge.certificate), 101, path);
    assert.equal(await handshake(`${edge.url}${path}?api_key=wrong`, edge.certificate), 403, path);
  }
  assert.deepEqual(real.asked.filter((name) => name.startsWith('UPGRADE')), []);
  const plain = await fetch(`${house.server.url}/System/Info/Public`);
  assert.equal(plain.status, 404, 'Fanfare leaves the rest to it');

  carols.forEach((client) => client.forget());
  await house.server.end('SIGTERM');
  await house.server.again();
  const [python] = carols;
  await Promise.all([python.hears('WebSocketConnect'), sdk.says('it is back', ({ status }) => status === 1)]);
  await house.add('Second.mkv');
  await Promise.all([python, sdk].map((client) => client.hears('LibraryChanged', ({ ItemsAdded }) => ItemsAdded.includes(idOfFile('Second.mkv')))));
  const log = await edge.log();
  assert.ok(log.includes('/socket') && !log.includes(PEOPLE.Carol.token), log);
}
