// The page of examples/browser, from another origin, while a real folder changes and the way to it is bad.
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { mkdtemp, readdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { startBrowser } from './browser.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

// Little may wait in Fanfare and in the kernel, so that a stalled page misses events soon; every file is an event.
const settings = (folder) => ({
  tables: `
[engine]
feed_entries = 16
send_buffer = "4KiB"

[folder]
quiet = "20ms"
batch = 1

[[libraries]]
id = "films"
path = ${JSON.stringify(folder)}
`,
});

let folder, server, browser;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fanfare-films-'));
  await writeFile(join(folder, 'first.mkv'), 'film');
  [server, browser] = await Promise.all([startServer(settings(folder)), startBrowser()]);
});
after(async () => {
  await browser?.stop();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const shown = (page) => page.locator('#list').evaluate((list) => [...list.children].map((item) => item.textContent).sort());
const there = async () => (await readdir(folder)).sort();
const state = (page) => page.locator('#state').innerText();

async function assertInStep(page) {
  await until('the list is equal to the folder', async () => JSON.stringify(await shown(page)) === JSON.stringify(await there())).catch(() => {});
  assert.deepEqual(await shown(page), await there(), await state(page));
}

async function watch(url, token = server.admin) {
  const page = await browser.tab();
  await page.goto(browser.address('example.html'));
  await page.getByLabel('Fanfare').fill(url);
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Watch' }).click();
  return page;
}

// A way to the server that can be stopped without being cut.
async function startWay(target) {
  const pairs = new Set();
  const way = createServer((near) => {
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    near.pipe(far).pipe(near);
    pairs.add(far);
    [near, far].forEach((socket) => socket.on('error', () => {}).on('close', () => { near.destroy(); far.destroy(); pairs.delete(far); }));
  });
  await new Promise((resolve) => way.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${way.address().port}`,
    stall: () => pairs.forEach((far) => far.pause()),
    goOn: () => pairs.forEach((far) => far.resume()),
    stop: () => { pairs.forEach((far) => far.destroy()); way.close(); },
  };
}

async function skipped() {
  const answer = await fetch(`${server.url}/api/connections`, { headers: { authorization: `Bearer ${server.admin}` } });
  return (await answer.json()).connections.reduce((sum, connection) => sum + connection.skipped, 0);
}

describe('the example page', () => {
  test('follows a folder: added, renamed, deleted, and names that look like markup', async () => {
    const page = await watch(server.url);
    await assertInStep(page);
    await writeFile(join(folder, '<img src=x onerror=alert(1)>.mkv'), 'film');
    await assertInStep(page);
    await rename(join(folder, 'first.mkv'), join(folder, 'renamed.mkv'));
    await assertInStep(page);
    await unlink(join(folder, '<img src=x onerror=alert(1)>.mkv'));
    await assertInStep(page);
    assert.equal(await page.locator('#list img').count(), 0);
    await page.close();
  });

  test('after a gap the list is equal to the folder', async () => {
    const way = await startWay(server.url);
    const page = await watch(way.url);
    try {
      await assertInStep(page);
      way.stall();
      // Long names fill what lies on the way sooner. Some of the files are gone again before the page hears of them.
      for (let number = 0; number < 5_000 && (await skipped()) === 0;) {
        const names = Array.from({ length: 100 }, () => `${'long'.repeat(50)}-${number++}.mkv`);
        await Promise.all(names.map((name) => writeFile(join(folder, name), 'film')));
        await until('the server has seen them', async () => (await known()) >= (await there()).length);
        await Promise.all(names.slice(0, 30).map((name) => unlink(join(folder, name))));
        await until('the server has seen that they are gone', async () => (await known()) === (await there()).length);
      }
      assert.ok((await skipped()) > 0, 'no gap came about');
      way.goOn();
      await until(async () => `it has synced after the gap, but: ${await state(page)}`, async () => /after a gap of \d+ events/.test(await state(page)));
      await assertInStep(page);
      await writeFile(join(folder, 'after-the-gap.mkv'), 'film');
      await assertInStep(page);
    } finally {
      await page.close();
      way.stop();
    }
  });

  test('after a restart of the server the list is equal to the folder that changed meanwhile', async () => {
    const page = await watch(server.url);
    await assertInStep(page);
    await server.end('SIGKILL');
    await until('the page has noticed', async () => /connection lost/.test(await state(page)));
    for (const name of (await there()).slice(0, 3)) await unlink(join(folder, name));
    await writeFile(join(folder, 'while-it-was-away.mkv'), 'film');
    await server.again();
    await until('it is back', async () => /after connecting/.test(await state(page)), 30_000);
    await assertInStep(page);
    await page.close();
  });

  test('a token that does not count is said, and not tried for ever', async () => {
    const page = await watch(server.url, 'wrong');
    await until('it is said', async () => /may not read/.test(await state(page)));
    await page.close();
  });
});

// How many medias the server knows, page by page.
async function known() {
  let [count, after] = [0, ''];
  do {
    const answer = await fetch(`${server.url}/api/libraries/films/medias?limit=1000&after=${encodeURIComponent(after)}`, { headers: { authorization: `Bearer ${server.admin}` } });
    const page = await answer.json();
    count += page.medias.length;
    after = page.next;
  } while (after !== null);
  return count;
}
