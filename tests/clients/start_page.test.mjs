// The start page in a headless Chromium. FANFARE_SCREENSHOTS names a folder where pictures of it are left.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { startBrowser } from './browser.mjs';
import { medias, publish } from './events.mjs';
import { until } from './patience.mjs';
import { startServer } from './server.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = [{ width: 390, height: 844 }, { width: 1280, height: 900 }];
const MARKUP = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';

let server, browser;
before(async () => { [server, browser] = await Promise.all([startServer(), startBrowser()]); });
after(async () => { await browser?.stop(); await server?.stop(); });

const state = (page) => page.locator('#state').getAttribute('data-state');
const rows = (page) => page.locator('#events li').allInnerTexts();
const everything = (page) => page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, document.cookie, history.state]));

async function connected(options, fragment = `#token=${server.admin}`) {
  const page = await browser.tab(options);
  await page.goto(`${server.url}/${fragment}`);
  await until(async () => `connected, but ${await state(page)}: ${page.problems}`, async () => (await state(page)) === 'connected');
  return page;
}

async function publishWith(page, type, text) {
  await page.locator('#publish-fields:enabled').waitFor();
  await page.getByLabel('Type').selectOption(type);
  await page.getByLabel('Name or text').fill(text);
  await page.getByRole('button', { name: 'Publish' }).click();
}

describe('the start page', () => {
  test('connects with the token of the fragment, publishes by its button, and shows what arrives', async () => {
    const page = await connected();
    await publishWith(page, 'medias', 'A film.mkv');
    await until('the event is shown', async () => (await rows(page)).some((row) => row.includes('medias') && row.includes('Added A film.mkv – films')));
    assert.match(await page.locator('#publish-answer').innerText(), /^Accepted as number \d+\.$/);
    await page.locator('#events summary').first().click();
    assert.match(await page.locator('#events pre').first().innerText(), /"name": "A film.mkv"/);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('the token leaves the address at once, and stays in the session of the tab alone', async () => {
    const page = await connected();
    assert.equal(page.url(), `${server.url}/`);
    assert.ok(!(await everything(page)).includes(server.admin));
    assert.equal(await page.evaluate(() => sessionStorage.getItem('fanfare.token')), server.admin);
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.reload();
    await until('it is connected again', async () => (await state(page)) === 'connected');
    assert.ok(requests.length >= 3 && requests.every((url) => !url.includes(server.admin)), requests.join(' '));
    await page.getByRole('button', { name: 'Forget token' }).click();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    assert.ok(await page.getByLabel('Token', { exact: true }).isVisible());
    await page.close();
  });

  test('what is published is text, whatever it looks like', async () => {
    const page = await connected();
    for (const [index, type] of ['medias', 'library-status', 'message'].entries()) {
      await publishWith(page, type, MARKUP);
      await until(`${type} is shown`, async () => (await rows(page)).filter((row) => row.includes('<img src=x')).length === index + 1);
    }
    for (const summary of await page.locator('#events summary').all()) await summary.click();
    assert.equal(await page.locator('#events img, #events script, #as-curl img').count(), 0);
    assert.equal(await page.title(), 'Fanfare');
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test('a wrong token and no token bring the form, and the form connects', async () => {
    const page = await browser.tab();
    await page.goto(`${server.url}/#token=wrong`);
    await page.getByText('This token does not count').waitFor();
    assert.equal(await state(page), 'refused');
    assert.equal(await page.evaluate(() => sessionStorage.length), 0, 'a refused token is not kept');
    await page.goto(`${server.url}/?`);
    assert.equal(await page.locator('#publish-fields:disabled').count(), 1);
    await page.getByLabel('Token', { exact: true }).fill(server.admin);
    await page.getByRole('button', { name: 'Connect' }).click();
    await until('it is connected', async () => (await state(page)) === 'connected');
    assert.ok(await page.locator('#ask').isHidden());
    await page.close();
  });

  test('who may only listen cannot publish, and sees what he may see', async () => {
    const page = await connected({}, `#token=${server.reader}`);
    await page.getByText('This token may listen, and not publish.').waitFor();
    assert.equal(await page.locator('#publish-fields:disabled').count(), 1);
    await publish(server, [medias('lib2', 'hidden'), medias('lib1', 'shown')]);
    await until('his event is shown', async () => (await rows(page)).some((row) => row.includes('shown.jpg')));
    assert.ok((await rows(page)).every((row) => !row.includes('hidden')));
    await page.close();
  });

  test('the list is bounded, and can be paused and cleared', async () => {
    const page = await connected();
    await publish(server, Array.from({ length: 230 }, (_, number) => medias('lib1', `m${number}`)));
    await until('all were counted', async () => (await page.locator('#count').innerText()) === '230');
    assert.equal(await page.locator('#events li').count(), 200);
    assert.match((await rows(page))[0], /m229\.jpg/);
    await page.getByRole('button', { name: 'Pause' }).click();
    await publish(server, [medias('lib1', 'later')]);
    await until('it is counted', async () => (await page.locator('#count').innerText()) === '231');
    assert.match((await rows(page))[0], /m229\.jpg/);
    await page.getByRole('button', { name: 'Pause' }).click();
    await until('it is shown', async () => /later/.test((await rows(page))[0]));
    await page.getByRole('button', { name: 'Clear' }).click();
    assert.equal(await page.locator('#events li').count(), 0);
    await page.close();
  });

  test('when the server goes it says so, and comes back by itself', async () => {
    const own = await startServer({});
    const page = await browser.tab();
    try {
      own.admin = server.admin;
      await page.goto(`${own.url}/#token=${own.admin}`);
      await until('it is connected', async () => (await state(page)) === 'connected');
      await own.end('SIGKILL');
      await until('it waits', async () => (await state(page)) === 'waiting');
      assert.ok((await rows(page)).some((row) => row.includes('connection lost')));
      await own.again();
      await until('it is connected again', async () => (await state(page)) === 'connected');
      await publish(own, [medias('lib1', 'back')]);
      await until('events arrive again', async () => (await rows(page)).some((row) => row.includes('back.jpg')));
    } finally {
      await page.close();
      await own.stop();
    }
  });

  for (const size of SIZES) {
    for (const colorScheme of ['light', 'dark']) {
      test(`at ${size.width} pixels, ${colorScheme}: nothing sticks out, and axe finds nothing`, async () => {
        const page = await connected({ ...size, colorScheme });
        await page.locator('#publish-fields:enabled').waitFor();
        await publish(server, looks);
        // Beside them it may be shown that the page's own user has come.
        const rest = page.locator('#events li').filter({ hasNotText: 'presence' });
        await until('they are shown', async () => (await rest.count()) === looks.length);
        await page.locator('#events summary').first().click();
        await assertAccessible(page);
        await picture(page, `start-page-${size.width}-${colorScheme}`);
        await page.getByRole('button', { name: 'Forget token' }).click();
        await assertAccessible(page);
        assert.deepEqual(page.problems, []);
        await page.close();
      });
    }
  }
});

// What the pictures show.
const looks = [
  ['library-status', , { library: 'films', message: 'scan 10/200', progress: 5 }],
  ['scan', , { library: 'films', state: 'started' }],
  ['medias', , { library: 'films', medias: ['The General.mkv', 'Nosferatu.mkv', 'Metropolis.mkv', 'Sunrise.mkv'].map((name, id) => ({ action: 'Added', media: { id: `m${id}`, name, type: 'video' } })) }],
  ['convert_progress', , { library: 'films', mediaId: 'm1', progress: 42, status: 'processing' }],
  ['people', , { library: 'films', people: [{ action: 'Updated', person: { id: 'p1', name: 'Buster Keaton' } }] }],
  ['message', , { text: 'The server restarts at noon.' }],
];

async function assertAccessible(page) {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, 'the page scrolls sideways');
  await page.evaluate(axe);
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join('; ')}`), []);
}

async function picture(page, name) {
  const folder = process.env.FANFARE_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

describe('the reader of streams', async () => {
  const source = await readFile(new URL('../../src/server/page/sse.js', import.meta.url), 'utf8');
  const { sseParser, listen } = new Function(`${source}; return { sseParser, listen };`)();
  const stream = ':ping\n\nevent: a\ndata: 1\ndata:2\n\nretry: 50\nretry: no\nid: 7\ndata\n\nevent: lost\n\ndata: naïve ☃\n\ndata: unfinished';
  const expected = [
    { comment: 'ping' }, { type: 'a', data: '1\n2' }, { retry: 50 }, { type: 'message', data: '' }, { type: 'message', data: 'naïve ☃' },
  ];
  const read = (pieces) => {
    const got = [];
    const push = sseParser({ event: (event) => got.push(event), comment: (comment) => got.push({ comment }), retry: (retry) => got.push({ retry }) });
    pieces.forEach(push);
    return got;
  };
  for (const [name, end] of Object.entries({ LF: '\n', CR: '\r', CRLF: '\r\n' })) {
    test(`reads ${name} ends of lines, however the stream is cut`, () => {
      const text = stream.replaceAll('\n', end);
      assert.deepEqual(read([text]), expected);
      assert.deepEqual(read([...text]), expected);
      assert.deepEqual(read([...text].flatMap((letter) => ['', letter, ''])), expected);
      for (let cut = 1; cut < text.length; cut += 1) assert.deepEqual(read([text.slice(0, cut), text.slice(cut)]), expected, `cut at ${cut}`);
    });
  }

  // Answers as told, one connection after the other, and notes when each came.
  const scripted = async (answers, check) => {
    const came = [];
    const site = createServer((request, response) => {
      const answer = answers[came.length];
      came.push({ at: Date.now(), token: request.headers.authorization, url: request.url });
      if (!answer) return request.socket.destroy();
      response.writeHead(answer.status ?? 200, { 'content-type': 'text/event-stream' });
      if (answer.body) response.write(answer.body);
      if (!answer.stays) response.end();
    });
    await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
    const stop = new AbortController();
    const told = [];
    const on = Object.fromEntries(['open', 'refused', 'lost', 'event', 'comment'].map((name) => [name, (value) => told.push([name, value])]));
    const ended = listen(`http://127.0.0.1:${site.address().port}/sse`, 'secret', stop.signal, on);
    try {
      await check({ came, told, ended, stop });
    } finally {
      stop.abort();
      await ended;
      site.closeAllConnections();
      site.close();
    }
  };
  const pauses = (told) => told.filter(([name]) => name === 'lost').map(([, ms]) => ms);

  test('comes back when the server says, and not before', () => scripted([{ body: 'retry: 150\n\n' }, { stays: true, body: ':ping\n' }], async ({ came, told }) => {
    await until('it came back', () => told.some(([name]) => name === 'comment'));
    assert.deepEqual(pauses(told), [150]);
    assert.ok(came[1].at - came[0].at >= 150, JSON.stringify(came));
    assert.ok(came.every(({ token, url }) => token === 'Bearer secret' && url === '/sse'), JSON.stringify(came));
  }));

  test('waits longer after each failure, and starts anew after a success', () => {
    const heard = { body: 'retry: 20\ndata: 1\n\n' };
    return scripted([heard, { status: 503 }, undefined, { status: 429 }, heard, { stays: true, body: ':ping\n' }], async ({ told }) => {
      await until('it stays', () => told.some(([name]) => name === 'comment'));
      const [first, second, third, fourth, anew] = pauses(told);
      assert.ok(first === 20 && second >= 30 && third >= 60 && fourth >= 120 && anew === 20, String(pauses(told)));
    });
  });

  test('does not come back after a refusal, nor when it was stopped', async () => {
    for (const status of [401, 403, 404]) {
      await scripted([{ status }], async ({ came, told, ended }) => {
        await ended;
        assert.deepEqual([told, came.length], [[['refused', status]], 1]);
      });
    }
    await scripted([{ stays: true, body: ':ping\n' }], async ({ came, told, ended, stop }) => {
      await until('it is open', () => told.length === 2);
      stop.abort();
      await ended;
      assert.deepEqual([pauses(told), came.length], [[], 1]);
    });
  });
});
