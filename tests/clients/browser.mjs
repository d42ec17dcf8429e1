// A headless Chromium, and a tiny static server whose pages are of another origin than the server under test.
import { createServer } from 'node:http';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const pages = new URL('./page/', import.meta.url);
// What is no page of this folder.
const elsewhere = {
  'example.html': new URL('../../examples/browser/index.html', import.meta.url),
  'jellyfin-apiclient.js': new URL('./node_modules/jellyfin-apiclient/dist/jellyfin-apiclient.js', import.meta.url),
};
const args = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

export async function startBrowser() {
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: install Debian's package chromium, or set CHROMIUM`);
  const site = createServer(async (request, response) => {
    const name = basename(new URL(request.url, 'http://localhost').pathname);
    try {
      const text = await readFile(elsewhere[name] ?? new URL(name, pages));
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(text);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${site.address().port}`;
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-chromium-'));
  const context = await chromium.launchPersistentContext(folder, { executablePath, headless: true, args });
  return {
    open: (name, options) => open(context, `${origin}/${name}`, options),
    address: (name) => `${origin}/${name}`,
    // A tab as a person has it, at a size and in a colour scheme; what its console says is collected in `problems`.
    tab: async ({ width = 1280, height = 800, colorScheme = 'light' } = {}) => {
      const page = await context.newPage();
      page.problems = [];
      page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) page.problems.push(message.text()); });
      page.on('pageerror', (error) => page.problems.push(String(error)));
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      return page;
    },
    closeTabs: () => Promise.all(context.pages().slice(1).map((page) => page.close())), // not the first, with which the browser would go
    stop: async () => {
      await context.close();
      await new Promise((resolve) => site.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

// A page calls `start(options)` of its own; it counts what happened in `opens`, `errors`, `received`.
async function open(context, address, options) {
  const page = await context.newPage();
  const logs = [];
  page.on('console', (message) => logs.push(message.text()));
  await page.goto(address);
  await page.evaluate((given) => window.start(given), options);
  return {
    received: () => page.evaluate(() => window.received),
    state: () => page.evaluate(() => ({ opens: window.opens, errors: window.errors, readyState: window.readyState() })),
    ending: () => page.evaluate(() => window.ending),
    answers: () => page.evaluate(() => window.answers),
    logs: async () => logs,
    close: () => page.close(),
  };
}
