// What Fanfare is, in one test. Media servers tell their clients what happens: that a film has come, that somebody plays
// something. Each family of servers does so in a protocol of its own, and each client understands one of them. Fanfare watches
// a folder and tells them all.
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Jellyfin } from '@jellyfin/sdk';
import { EventSource } from 'eventsource';
import { io } from 'socket.io-client';
import WebSocket from 'ws';

import { until } from './patience.mjs';
import { startServer } from './server.mjs';

const ANNS_TOKEN = 'token-of-ann-0123456789abcdef0123456789abcdef';

test('a book is copied into a folder, and four clients that know nothing of each other hear of it, each in its own words', async () => {
  // There is a folder, still empty, and a server that is told three things: to watch it, who Ann is, and that she may know what is in it.
  const home = await mkdtemp(join(tmpdir(), 'fanfare-story-'));
  const [shelf, download] = [join(home, 'books'), join(home, 'Harbor Lights.m4b')];
  await mkdir(shelf);
  const fanfare = await startServer({
    tables: `
[[libraries]]
id = "books"
name = "Books"
kind = "books"
path = ${JSON.stringify(shelf)}

[[users]]
id = "ann"
name = "Ann"
token = "${ANNS_TOKEN}"
libraries = { books = "read" }

# MediaBrowser's clients are told of a library when it has been quiet for a while: here, for a moment.
[dialects.mediabrowser]
library_quiet = "200ms"
`,
  });

  // Ann has four clients open. All speak to the same address, and show the same token; none of them was changed for us.
  const clients = [redSeat(fanfare.url), plex(fanfare.url), jellyfin(fanfare.url), audiobookshelf(fanfare.url)];
  try {
    await until(() => `all four listen: ${clients.filter((client) => !client.listens()).map(({ name }) => name)} not yet`, () => clients.every((client) => client.listens()));

    // Somebody copies an audiobook to the folder. Nobody tells Fanfare.
    await writeFile(download, 'An audiobook, or what passes for one here.');
    await copyFile(download, join(shelf, 'Harbor Lights.m4b'));

    // All four have heard it.
    await until(() => `all four have heard of it: ${clients.filter((client) => !client.told()).map(({ name }) => name)} not yet`, () => clients.every((client) => client.told()));
    const [seat, timeline, changed, item] = clients.map((client) => client.told());

    // RedSeat's client is told that a media was added to a library, and what it is called.
    const [{ action, media }] = seat.Medias.medias;
    assert.deepEqual([seat.Medias.library, action, media.name], ['books', 'Added', 'Harbor Lights.m4b']);
    // Plex's is told that an item of a section was created and is processed, in numbers.
    assert.deepEqual([timeline.title, timeline.state, timeline.metadataState], ['Harbor Lights.m4b', 0, 'created']);
    assert.match(timeline.itemID, /^\d+$/);
    // Jellyfin's is told an id, and asks for the rest when it wants to know more.
    assert.deepEqual(changed.ItemsAdded, [media.id.replaceAll('-', '')]);
    // Audiobookshelf's is told all there is to know at once.
    assert.deepEqual([item.mediaType, item.media.metadata.title], ['book', 'Harbor Lights.m4b']);
  } finally {
    clients.forEach((client) => client.stop());
    await fanfare.stop();
    await rm(home, { recursive: true, force: true });
  }
});

// RedSeat (document 002): server-sent events, as every browser knows them. npm eventsource.
function redSeat(url) {
  const source = new EventSource(`${url}/sse?token=${ANNS_TOKEN}`);
  let told;
  source.addEventListener('medias', ({ data }) => { told = JSON.parse(data); });
  return { name: 'RedSeat', listens: () => source.readyState === EventSource.OPEN, told: () => told, stop: () => source.close() };
}

// Plex (document 001): a WebSocket with notifications in containers. npm ws.
function plex(url) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/:/websockets/notifications?X-Plex-Token=${ANNS_TOKEN}`);
  let told;
  socket.on('message', (text) => {
    const { type, TimelineEntry } = JSON.parse(text).NotificationContainer;
    if (type === 'timeline') told ??= TimelineEntry[0];
  });
  return { name: 'Plex', listens: () => socket.readyState === WebSocket.OPEN, told: () => told, stop: () => socket.terminate() };
}

// Jellyfin, of the MediaBrowser family (document 004): a WebSocket with a message type and its data. npm @jellyfin/sdk.
function jellyfin(url) {
  globalThis.WebSocket ??= WebSocket; // which browsers have, and Node from version 22 on
  const device = { clientInfo: { name: 'Story', version: '1.0.0' }, deviceInfo: { name: 'Ann’s television', id: 'anns-television' } };
  const api = new Jellyfin(device).createApi(url, ANNS_TOKEN);
  let [status, told] = [undefined, undefined];
  const unsubscribe = api.subscribe(['LibraryChanged'], ({ Data }) => { told = Data; });
  api.webSocket.onStatusChange((now) => { status = now; });
  const stop = () => {
    unsubscribe();
    api.webSocket?.disconnect();
  };
  return { name: 'Jellyfin', listens: () => status === 1, told: () => told, stop };
}

// Audiobookshelf (document 003): Socket.IO, and an event that says who one is. npm socket.io-client.
function audiobookshelf(url) {
  const socket = io(url);
  let [welcome, told] = [false, undefined];
  socket.on('connect', () => socket.emit('auth', ANNS_TOKEN));
  socket.on('init', ({ username }) => { welcome = username === 'Ann'; });
  socket.on('item_added', (item) => { told = item; });
  return { name: 'Audiobookshelf', listens: () => welcome, told: () => told, stop: () => socket.disconnect() };
}
