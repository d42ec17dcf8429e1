// The console in a headless Chromium: a client connects, falls behind, is disconnected; a scan is followed. FANFARE_SCREENSHOTS names a
// folder where the pictures of dashboards/README.md are left.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import WebSocket from 'ws';

import { startBrowser } from './browser.mjs';
import { publish } from './events.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const MARKUP = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';
const ANNE = 'token-of-anne-0123456789abcdef0123456789';

// Small buffers, so that a client that stands still is soon behind.
const tables = `
[engine]
workers = 2
send_buffer = 4096

[[users]]
id = "anne"
token = "${ANNE}"
libraries = { films = "read", music = "read" }
`;

let server, browser;
before(async () => { [server, browser] = await Promise.all([startServer({ tables }), startBrowser()]); });
after(async () => { await browser?.stop(); await server?.stop(); });

const text = (page, id) => page.locator(id).innerText();
const state = (page) => page.locator('#state').getAttribute('data-state');
const rows = (page, id) => page.locator(`${id} tr`).allInnerTexts();

async function open(options = {}, token = server.admin) {
  const page = await browser.tab(options);
  await page.goto(`${server.url}/console#token=${token}`);
  return page;
}

async function opened(options) {
  const page = await open(options);
  await until(async () => `figures, but ${await state(page)}: ${page.problems}`, async () => (await state(page)) === 'connected' && (await text(page, '#now-connections')) !== '–');
  return page;
}

const api = async (path) => (await fetch(`${server.url}/api/${path}`, { headers: { authorization: `Bearer ${server.admin}` } })).json();

// A stream whose client takes nothing after the head, until it is told to `resume`.
async function standsStill(name, token = server.reader, library = 'lib1') {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  socket.write(`GET /sse?libraries=${library} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\nUser-Agent: ${name}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  return socket;
}

async function listens(name, token, query = '') {
  const stop = new AbortController();
  const response = await fetch(`${server.url}/sse${query}`, { signal: stop.signal, headers: { authorization: `Bearer ${token}`, 'user-agent': name } });
  const reading = (async () => { for await (const part of response.body) void part; })().catch(() => {});
  return { stop: async () => { stop.abort(); await reading; } };
}

const large = (library, number, bytes = 4_000) => ({ type: 'medias', data: { library, medias: [{ action: 'Added', media: { id: `m${number}`, name: `Reel ${number}.mkv`, type: 'video', note: 'x'.repeat(bytes) } }] } });

async function batch(events) {
  const answer = await fetch(`${server.url}/api/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.admin}`, 'content-type': 'application/cloudevents-batch+json' },
    body: JSON.stringify(events),
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Publishes until that client has something waiting. */
async function overwhelm(page, name, library = 'lib1') {
  let number = 0;
  await until(`${name} is shown among the slowest`, async () => {
    await batch(Array.from({ length: 20 }, () => large(library, (number += 1))));
    await wait(100);
    return (await rows(page, '#slow')).some((row) => row.includes(name));
  });
}

describe('the console', () => {
  // Each test counts connections from none, whatever became of the one before.
  afterEach(async () => {
    await browser.closeTabs();
    await until('the server has no client any more', async () => (await api('connections')).connections.length === 0);
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`${colorScheme}: a client connects and falls behind, and is disconnected`, async () => {
      const page = await opened({ colorScheme });
      const counted = (clients) => until(async () => `${clients} clients are counted, but ${await text(page, '#now-connections')}`, async () => (await text(page, '#now-connections')) === String(clients));
      await counted(2); // the page's own streams: figures and the tail
      const socket = await standsStill('Living room TV');
      let closed = false;
      socket.once('close', () => { closed = true; });
      await counted(3);
      await until('its user is online', async () => (await page.locator('#online li').allInnerTexts()).some((line) => line.startsWith('reader')));
      await overwhelm(page, 'Living room TV');
      const [row] = (await rows(page, '#slow')).filter((line) => line.includes('Living room TV'));
      assert.match(row, /^reader\s+Living room TV\s+RedSeat \/sse, \w+\s+127\.0\.0\.1.*\s[\d,]+\s/);
      await until('it counts as behind', async () => Number(await text(page, '#now-lagging')) > 0);
      assert.ok(await page.locator('#slow-empty').isHidden());
      const [client] = (await api('connections?user=reader')).connections;
      await page.locator('#slow tr').filter({ hasText: 'Living room TV' }).getByRole('button', { name: /^Disconnect reader at 127/ }).click();
      await until('it says so', async () => (await text(page, '#done')).startsWith('Disconnected reader.'));
      await until('it has left the list', async () => !(await rows(page, '#slow')).some((line) => line.includes('Living room TV')));
      assert.ok(!(await api('connections?user=reader')).connections.some(({ id }) => id === client.id), 'the server has no such client any more');
      socket.resume();
      await until('its socket is closed', () => closed);
      assert.deepEqual(page.problems, []);
    });

    test(`${colorScheme}: a scan is followed from its beginning to its end`, async () => {
      const page = await opened({ colorScheme });
      const library = `scanned-${colorScheme}`;
      const item = page.locator('#libraries li').filter({ hasText: library });
      await publish(server, [['scan', , { library, name: library, state: 'started' }]]);
      await until('it is being scanned', async () => (await item.count()) === 1 && (await item.innerText()).includes('scanning'));
      for (const progress of [20, 65]) {
        await publish(server, [['scan', , { library, name: library, state: 'progress', progress }]]);
        await until(`${progress} %`, async () => (await item.innerText()).includes(`scanning ${progress} %`));
        assert.equal(await item.locator('progress').evaluate((bar) => bar.value), progress);
      }
      await publish(server, [['scan', , { library, name: library, state: 'finished' }]]);
      await until(async () => `it has ended, but: ${await item.innerText()}`, async () => !(await item.innerText()).includes('scanning'));
      assert.equal(await item.locator('progress').count(), 0);
      assert.deepEqual(page.problems, []);
    });
  }

  test('finds a user’s clients and disconnects them all', async () => {
    const page = await opened();
    const clients = await Promise.all(['Phone', 'Tablet', 'Car'].map((name) => listens(name, ANNE)));
    await page.getByLabel('User').fill('anne');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await until('all three are shown', async () => (await rows(page, '#found')).length === 3);
    assert.deepEqual((await rows(page, '#found')).map((row) => row.split('\t')[1]).sort(), ['Car', 'Phone', 'Tablet']);
    await page.getByRole('button', { name: 'Disconnect this user' }).click();
    await until('it says so', async () => (await text(page, '#found-text')).includes('Disconnected 3 clients of anne'));
    assert.deepEqual((await api('connections?user=anne')).connections, []);
    await page.getByLabel('User').fill('nobody-here');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await until('nobody is found', async () => (await text(page, '#found-text')) === 'Nobody like that is connected.');
    for (const client of clients) await client.stop();
    assert.deepEqual(page.problems, []);
  });

  test('the tail is filtered, sampled, and says so', async () => {
    const page = await opened();
    const shown = () => page.locator('#events li').allInnerTexts();
    const opens = () => page.waitForResponse((response) => response.url().includes('/sse?events=library-status'));
    const filtered = opens();
    await page.getByLabel('Type', { exact: true }).selectOption('library-status');
    await filtered;
    await batch([large('films', 1, 10), { type: 'library-status', data: { library: 'films', message: 'hears of this' } }]);
    await until('the one asked for is shown', async () => (await shown()).some((line) => line.includes('hears of this')));
    assert.ok((await shown()).every((line) => !line.includes('Reel')), 'the other was not asked for');
    await page.getByLabel('Holds the text').fill('NEEDLE');
    await batch(['hay', 'needle'].map((message) => ({ type: 'library-status', data: { library: 'films', message } })));
    await until('the needle is shown', async () => (await shown()).some((line) => line.includes('needle')));
    assert.ok((await shown()).every((line) => !line.includes('hay')));
    await page.getByLabel('Holds the text').fill('');
    await page.getByRole('button', { name: 'Clear' }).click();
    await batch(Array.from({ length: 300 }, (_, number) => ({ type: 'library-status', data: { library: 'films', message: `number ${number}` } })));
    await until('all are counted', async () => (await text(page, '#tail-count')) === '300 received');
    assert.ok((await shown()).length < 200, 'not all of them are shown');
    await page.getByRole('button', { name: 'Pause' }).click();
    await until('its stream is closed', async () => (await api('connections?user=admin')).connections.length === 1);
    assert.deepEqual(page.problems, []);
  });

  test('what is published, and what clients call themselves, is text', async () => {
    const page = await opened();
    const client = await listens(MARKUP, ANNE, '?libraries=music');
    await publish(server, [['message', , { text: MARKUP }], ['library-status', , { library: 'films', message: MARKUP }], ['scan', , { library: 'music', name: MARKUP, state: 'started' }]]);
    await until('they are shown', async () => (await page.locator('#events li').filter({ hasText: '<img src=x' }).count()) >= 2);
    await page.getByLabel('User').fill('anne');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await until('its name is shown', async () => (await rows(page, '#found')).some((row) => row.includes('<img src=x')));
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.equal(await page.title(), 'Fanfare console');
    await publish(server, [['scan', , { library: 'music', name: 'Music', state: 'finished' }]]);
    await client.stop();
    assert.deepEqual(page.problems, []);
  });

  test('only an administrator’s token opens it, and it is forgotten when asked', async () => {
    for (const [token, words] of [['wrong', 'This token does not count'], [server.reader, 'not an administrator’s']]) {
      const page = await open({}, token);
      await page.getByText(words.replace('’', "'")).waitFor();
      assert.equal(await state(page), 'refused');
      assert.ok(await page.locator('#slow-title').isHidden());
      assert.equal(await page.evaluate(() => sessionStorage.length), 0, 'a refused token is not kept');
      await page.getByLabel('Token', { exact: true }).fill(server.admin);
      await page.getByRole('button', { name: 'Open' }).click();
      await until('it is open', async () => (await state(page)) === 'connected');
      assert.equal(page.url(), `${server.url}/console`);
      await page.getByRole('button', { name: 'Forget token' }).click();
      assert.equal(await page.evaluate(() => sessionStorage.length), 0);
      assert.ok(await page.locator('#slow-title').isHidden());
      await page.close();
    }
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`${colorScheme}: at 390 and 1280 pixels nothing sticks out, and axe finds nothing`, async () => {
      const page = await opened({ colorScheme, width: 1280, height: 900 });
      const house = await inhabited();
      try {
        await overwhelm(page, 'Garden tablet', 'films');
        await page.getByLabel('User').fill('anne');
        await page.getByRole('button', { name: 'Find', exact: true }).click();
        await until('they are found', async () => (await rows(page, '#found')).length > 0);
        await until('charts have a line', async () => (await page.locator('#chart-delivered polyline').getAttribute('points')).split(' ').length > 5);
        await until('a scan runs', async () => (await page.locator('#libraries progress').count()) > 0);
        for (const [width, height] of [[1280, 900], [390, 844]]) {
          await page.setViewportSize({ width, height });
          await page.locator('#events summary').first().click();
          await assertAccessible(page);
          await picture(page, `console-${width}-${colorScheme}`);
        }
        await page.getByRole('button', { name: 'Forget token' }).click();
        await assertAccessible(page);
        assert.deepEqual(page.problems, []);
      } finally {
        await house.leave();
      }
    });
  }
});

/** A house where something goes on: clients of each protocol, events, a scan, and one who stands still. */
async function inhabited() {
  const streams = await Promise.all([listens('Phone', ANNE), listens('Kitchen radio', ANNE, '?libraries=music'), listens('Desk', server.admin)]);
  const ws = server.url.replace('http', 'ws');
  const sockets = [
    new WebSocket(`${ws}/:/websockets/notifications?X-Plex-Token=${ANNE}`, { headers: { 'user-agent': 'Plex for TV' } }),
    new WebSocket(`${ws}/socket?api_key=${ANNE}&deviceId=bedroom`, { headers: { 'user-agent': 'Jellyfin on a stick' } }),
  ];
  await Promise.all(sockets.map((socket) => new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))));
  const still = await standsStill('Garden tablet', ANNE, 'films');
  await publish(server, [['library', , { action: 'Added', library: { id: 'films', name: 'Films', type: 'movies' } }], ['scan', , { library: 'films', name: 'Films', state: 'started' }]]);
  let number = 0;
  let busy = Promise.resolve();
  const timer = setInterval(() => {
    number += 1;
    const events = Array.from({ length: 1 + (number % 4) }, (_, index) => large('music', number * 10 + index, 20));
    if (number % 10 === 0) events.push({ type: 'scan', data: { library: 'films', name: 'Films', state: 'progress', progress: Math.min(95, number) } });
    busy = busy.then(() => batch(events)).catch(() => {});
  }, 100);
  return {
    leave: async () => {
      clearInterval(timer);
      await busy;
      await publish(server, [['scan', , { library: 'films', name: 'Films', state: 'finished' }]]);
      still.destroy();
      sockets.forEach((socket) => socket.terminate());
      for (const stream of streams) await stream.stop();
    },
  };
}

async function assertAccessible(page) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, 'the page scrolls sideways');
  await page.evaluate(axe);
  // Arriving lines fade in: of what is half faded in, no contrast can be told.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`), []);
}

async function picture(page, name) {
  const folder = process.env.FANFARE_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  // What a screen shows first; the whole page would be a long picture of lists.
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
