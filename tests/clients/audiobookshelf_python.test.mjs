// python-socketio and aioaudiobookshelf from PyPI, unmodified: whatever the second has a type for reaches its callbacks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { PASSWORD, TOKENS, book, complains, last, startHouse, tell } from './audiobookshelf_house.mjs';
import { until } from './patience.mjs';

const program = fileURLToPath(new URL('./audiobookshelf_clients.py', import.meta.url));
const PATIENCE = 40_000;

function pythonClient(...parameters) {
  const { PYTHON } = process.env;
  if (!PYTHON) throw new Error('set PYTHON to a Python that has the packages of requirements.txt');
  const child = spawn(PYTHON, [program, ...parameters], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said = [];
  let [rest, complaints] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    said.push(...lines.map((line) => JSON.parse(line)));
  });
  child.stderr.setEncoding('utf8').on('data', (text) => { complaints += text; });
  child.stdin.on('error', () => {}); // it has gone: whoever waits for it is told why
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    said,
    says: (what, holds) => until(() => `${what}, but it said ${JSON.stringify(said.slice(-20)).slice(-3_000)} ${complaints}`, () => said.some(holds), PATIENCE),
    is: (order) => child.stdin.write(`${order}\n`),
    // What went wrong in it, in its own words.
    wrong: () => [...said.filter(({ log }) => log).map(({ log }) => log), ...(complaints ? [complaints] : [])],
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

describe('python-socketio', () => {
  let server;
  before(async () => { server = await startHouse(); });
  after(() => server?.stop());

  for (const [way, path] of [['default', 'socket.io'], ['websocket', 'audiobookshelf/socket.io'], ['polling', '/audiobookshelf/socket.io/']]) {
    test(`hears every book once and in order, with transports ${way}, at ${path}`, async () => {
      const client = pythonClient('python-socketio', server.url, TOKENS.ann, path, way);
      try {
        await client.says('it is welcome', ({ heard }) => heard === 'init');
        const titles = Array.from({ length: 10 }, (_, number) => `Book ${number}`);
        await tell(server, ...titles.map((title) => book(title)), last);
        await client.says('it hears the last', ({ heard }) => heard === 'that_was_all');
        assert.deepEqual(client.said.filter(({ heard }) => heard === 'item_added').map(({ data: [item] }) => item.media.metadata.title), titles);
        assert.ok(client.said.some(({ transport }) => transport === (way === 'polling' ? 'polling' : 'websocket')));
        assert.deepEqual([client.wrong(), complains(server)], [[], []]);
      } finally {
        await client.stop();
      }
    });
  }
});

// What the wire of a real server has in an item that says much of itself: a book with its shape, and a podcast.
const shape = {
  ino: '649644248522215260',
  path: '/audiobooks/Harbor Lights',
  relPath: 'Harbor Lights',
  media: {
    metadata: {
      title: 'Harbor Lights',
      subtitle: 'A novel',
      authors: [{ id: 'a0000000-0000-4000-8000-000000000001', name: 'Some Author' }],
      narrators: ['Some Narrator'],
      series: [{ id: 'a0000000-0000-4000-8000-000000000002', name: 'Harbor', sequence: '1' }],
      genres: ['Sea'],
      publishedYear: '1984',
      explicit: false,
    },
    tags: ['kids'],
    chapters: [{ id: 0, start: 0, end: 61.5, title: 'One' }],
    duration: 61.5,
    size: 1_000,
  },
};
const [HARBOR, ANN] = ['Harbor Lights', 'ann'];
const items = (library, ...changes) => ({ type: 'medias', data: { library, medias: changes.map(([action, media]) => ({ action, media })) } });
const library = (action) => ({ type: 'library', data: { action, library: { id: 'books', name: 'Books', type: 'books' } } });
const transcode = (state, more) => ({ type: 'transcode', data: { id: 't1', user: ANN, session: 's1', state, library: 'books', item: { id: HARBOR, name: HARBOR }, duration: 61_500, ...more } });
const playlist = (action) => ({ type: 'playlists', data: { user: ANN, playlists: [{ action, playlist: { id: 'sunday', name: 'Sunday' } }] } });
const person = (action, more) => ({ type: 'people', data: { library: 'books', people: [{ action, person: { id: 'a1', name: 'Some Author', ...more } }] } });
const raw = (name, payload) => ({ type: 'raw', audience: 'user:ann', data: { dialect: 'audiobookshelf', name, payload } });
const EPISODE = '987d0000-0000-4000-8000-000000000001';
const PODCAST = '9c560000-0000-4000-8000-000000000001';
const metadata = { title: 'Harbor News', author: null, description: null, releaseDate: null, genres: [], feedUrl: null, imageUrl: null, itunesPageUrl: null, itunesId: null, itunesArtistId: null, explicit: false, language: null, type: null, titleIgnorePrefix: 'Harbor News' };
const download = { id: EPISODE, episodeDisplayTitle: 'One', url: 'https://example.com/1.mp3', libraryItemId: PODCAST, libraryId: null, isFinished: true, failed: false, appendRandomId: false, startedAt: 1, createdAt: 1, finishedAt: 2, podcastTitle: 'Harbor News', podcastExplicit: false, season: null, episode: null, episodeType: 'full', publishedAt: null, guid: null };
const track = { index: 1, startOffset: 0, duration: 61.5, title: '1.mp3', contentUrl: '/x', mimeType: 'audio/mpeg', codec: 'mp3', metadata: { filename: '1.mp3', ext: '.mp3', path: '/p/1.mp3', relPath: '1.mp3', size: 1, mtimeMs: 1, ctimeMs: 1, birthtimeMs: 1 } };
const podcast = { id: PODCAST, ino: '1', oldLibraryItemId: null, libraryId: PODCAST, folderId: PODCAST, path: '/p', relPath: 'p', isFile: false, mtimeMs: 1, ctimeMs: 1, birthtimeMs: 1, addedAt: 1, updatedAt: 1, isMissing: false, isInvalid: false, mediaType: 'podcast', media: { id: PODCAST, metadata, coverPath: null, tags: [], numEpisodes: 0, autoDownloadEpisodes: false, autoDownloadSchedule: '0 * * * *', lastEpisodeCheck: 1, maxEpisodesToKeep: 0, maxNewEpisodesToDownload: 3, size: 0, libraryItemId: PODCAST, episodes: [] }, numFiles: 0, size: 0, lastScan: 1, scanVersion: '2.36.0', libraryFiles: [] };
const episode = { libraryItemId: PODCAST, podcastId: PODCAST, id: EPISODE, oldEpisodeId: null, index: 1, season: '', episode: '', episodeType: 'full', title: 'One', subtitle: '', description: '', enclosure: null, guid: null, pubDate: '', chapters: [], publishedAt: 1, addedAt: 1, updatedAt: 1, audioTrack: track, size: 1, duration: 61.5, libraryItem: podcast };

// [what is published, the callback it reaches, the types of what that is given, what the text of it must have]
const TOLD = [
  [items('books', ['Added', { id: HARBOR, name: HARBOR, dialects: { audiobookshelf: shape } }]), 'item_added', ['LibraryItemExpandedBook'], /Harbor Lights.*Some Narrator/s],
  [items('podcasts', ['Added', { id: 'news', name: 'Harbor News', author: 'Somebody' }]), 'item_added', ['LibraryItemExpandedPodcast'], /Harbor News/],
  [items('books', ['Updated', { id: HARBOR, name: 'Harbour Lights', year: 1984, size: 12 }]), 'item_updated', ['LibraryItemExpandedBook'], /Harbour Lights/],
  [items('books', ['Added', { id: 'b1', name: 'One' }], ['Added', { id: 'b2', name: 'Two' }]), 'items_added', ['list'], /One.*Two/s],
  [items('books', ['Updated', { id: 'b1', name: 'Uno' }], ['Updated', { id: 'b2', name: 'Due' }]), 'items_updated', ['list'], /Uno.*Due/s],
  [items('books', ['Deleted', { id: HARBOR }]), 'item_removed', ['LibraryItemRemoved'], /id_=/],
  [{ type: 'user', data: { action: 'Updated', user: { id: ANN, name: 'Ann' } } }, 'user_updated', ['User'], /Ann/],
  [{ type: 'media_progress', data: { library: 'books', progress: { mediaRef: HARBOR, userRef: ANN, progress: 30_750, duration: 61_500 } } }, 'user_item_progress_updated', ['str', 'MediaProgress'], /30\.75/],
  [raw('user_session_closed', EPISODE), 'user_session_closed', ['str'], new RegExp(EPISODE)],
  ...['Added', 'Updated', 'Deleted'].map((action, number) => [library(action), `library_${['added', 'updated', 'removed'][number]}`, ['Library'], /Books/]),
  [transcode('start'), 'stream_open', ['Stream'], /Harbor Lights/],
  [transcode('update', { progress: 8.66, minOffset: 0, maxOffset: 6_000 }), 'stream_progress', ['StreamProgress'], /8\.66%/],
  [transcode('update', { progress: 100, complete: true, minOffset: 0, maxOffset: 61_500 }), 'stream_ready', [], /^$/],
  [raw('stream_reset', { startTime: 30.5, streamId: EPISODE }), 'stream_reset', ['StreamReset'], /30\.5/],
  [transcode('end', { error: 'no codec' }), 'stream_error', ['StreamError'], /no codec/],
  [{ ...transcode('end'), data: { ...transcode('end').data, id: 't2' } }, 'stream_closed', ['str'], /-/],
  ...['Added', 'Updated', 'Deleted'].map((action, number) => [playlist(action), `playlist_${['added', 'updated', 'removed'][number]}`, ['PlaylistExpanded'], action === 'Deleted' ? /id_=/ : /Sunday/]),
  [person('Added'), 'author_added', ['Author'], /Some Author/],
  [person('Updated', { numBooks: 3 }), 'author_updated', ['AuthorExpanded'], /Some Author.*3/s],
  [person('Deleted'), 'author_removed', ['AuthorRemoved'], /library_id=/],
  [raw('episode_download_finished', download), 'episode_download_finished', ['PodcastEpisodeDownload'], /Harbor News/],
  [raw('episode_added', episode), 'episode_added', ['PodcastEpisodeAdded'], /Harbor News/],
];

describe('aioaudiobookshelf', () => {
  test('logs in, is welcome, and hears each event that it has a callback for, without a traceback', async () => {
    const server = await startHouse();
    const client = pythonClient('aioaudiobookshelf', server.url, 'Ann', PASSWORD);
    try {
      await client.says('it is welcome', ({ trace }) => trace?.startsWith('Received event "init"'));
      const { logged_in: name, type, again } = client.said.find(({ logged_in: one }) => one);
      assert.deepEqual([name, type, again], ['Ann', 'user', 'Ann']);
      await tell(server, ...TOLD.map(([event]) => event));
      const events = () => client.said.filter(({ event }) => event);
      const due = new Set(TOLD.map(([, event]) => event));
      await client.says('it hears the last of them', ({ event }) => event === TOLD.at(-1)[1]).catch((error) => {
        throw new Error(`${error.message}\nwrong: ${client.wrong().join('\n')}\nheard: ${events().map(({ event }) => event)}`);
      });
      // Each handler is a task of its own, so the last may have come first.
      await until(() => `all are heard, but not ${[...due].filter((one) => !events().some(({ event }) => event === one))}: ${client.wrong().join('\n')}`, () => [...due].every((one) => events().some(({ event }) => event === one)));
      for (const [, event, types, text] of TOLD) {
        assert.ok(events().some((one) => one.event === event && one.types.join() === types.join() && text.test(one.data.join())), `${event}: ${JSON.stringify(events().filter((one) => one.event === event))}`);
      }
      assert.deepEqual(client.wrong(), [], 'nothing went wrong in it');
    } finally {
      await client.stop();
      await server.stop();
    }
  });

  test('refreshes its access token, comes back by itself when it has run out, and logs out', async () => {
    const server = await startHouse({ dialect: 'access_expires = "2s"', further: '' });
    const client = pythonClient('aioaudiobookshelf', `${server.url}/audiobookshelf`, 'Ann', PASSWORD);
    const welcomes = () => client.said.filter(({ trace }) => trace?.startsWith('Received event "init"')).length;
    try {
      client.is('refresh');
      await client.says('it has refreshed', ({ done }) => done === 'refresh');
      await until(() => `it is welcome again with a token it has fetched itself: ${JSON.stringify(client.said.slice(-9))}`, () => welcomes() >= 2, PATIENCE);
      await tell(server, book('Afterwards'));
      await client.says('it hears what happens afterwards', ({ event, data }) => event === 'item_added' && data.join().includes('Afterwards'));
      client.is('log out');
      await client.says('it has logged out', ({ done }) => done === 'log out');
      assert.deepEqual([client.wrong(), complains(server)], [[], []]);
    } finally {
      await client.stop();
      await server.stop();
    }
  });
});
