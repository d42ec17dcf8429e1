// A scan of a real folder, as python-plexapi's AlertListener is told of it.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './patience.mjs';
import { plexClient, streams } from './plex_client.mjs';
import { unpacked } from './plex_events.mjs';
import { startServer } from './server.mjs';

// A scan tells how far it is three times a second: the first folder that is large enough for that is the one we look at.
const FILES = [2_000, 8_000, 32_000];

const settings = (path) => ({ tables: `[[libraries]]\nid = "films"\nname = "Films"\nkind = "movies"\npath = ${JSON.stringify(path)}\nids = { plex = "7" }\n` });

async function folderOf(count, path) {
  await mkdir(path);
  for (let file = 0; file < count; file += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - file) }, (_, index) => {
      const name = `film ${file + index} of ${count}`;
      return writeFile(join(path, `${name}.mkv`), name);
    }));
  }
}

// The notices since the last scan began, by type; what an earlier, too small folder held is deleted in it.
function lastScan(notices) {
  const start = notices.findLastIndex(([type, , item]) => type === 'activity' && item.event === 'started');
  const since = start < 0 ? [] : notices.slice(start);
  const of = (wanted) => since.filter(([type]) => type === wanted).map(([, , item]) => item);
  return { activities: of('activity'), titles: of('status').map(({ title }) => title), entries: of('timeline').filter(({ metadataState }) => metadataState !== 'deleted') };
}

describe('a scan of a real folder', () => {
  test('is an activity from its start to its end, two titles, and entries for each file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fanfare-films-'));
    const films = join(folder, 'films');
    await mkdir(films);
    const server = await startServer(settings(films));
    const client = plexClient('alert-listener', { url: server.url, token: server.admin });
    const scanned = () => lastScan(client.containers().map(unpacked));
    try {
      await streams(server, 1);
      let count = 0;
      for (const files of FILES) {
        count = files;
        const next = join(folder, `films ${files}`);
        await folderOf(files, next);
        client.said.length = 0;
        // As when a disk is mounted: what was there has gone, and something else is in its place.
        await rename(films, join(folder, `gone ${files}`));
        await rename(next, films);
        await until(() => `the scan of ${files} files ends: ${JSON.stringify(scanned().activities)}`, () => scanned().activities.at(-1)?.event === 'ended', 30_000);
        if (scanned().activities.length > 2) break;
      }
      await until('the last title', () => scanned().titles.length === 2);
      const { activities, titles, entries } = scanned();
      assert.deepEqual(titles, ['Scanning the "Films" section', 'Library scan complete']);

      const events = activities.map(({ event }) => event);
      assert.deepEqual([...new Set(events)], ['started', 'updated', 'ended'], JSON.stringify(events));
      assert.equal(new Set(activities.flatMap(({ uuid, Activity }) => [uuid, Activity.uuid])).size, 1, 'one uuid through all');
      const progress = activities.map(({ Activity }) => Activity.progress);
      assert.deepEqual(progress, [...progress].sort((a, b) => a - b), 'it only goes forward');
      assert.ok(progress.every(Number.isInteger) && progress.at(-1) === 100, String(progress));
      assert.ok(activities.every(({ Activity }) => Activity.type === 'library.update.section' && Activity.cancellable));

      const added = (entry) => entry.state === 0 && entry.metadataState === 'created';
      const names = (some) => new Set(some.map(({ title }) => title));
      assert.equal(names(entries.filter(added)).size, count, 'each file is created');
      const done = entries.filter(({ state, metadataState, mediaState, queueSize }) => state === 5 && !metadataState && !mediaState && !queueSize);
      assert.equal(names(done).size, count, 'and done');
      assert.ok(entries.every(({ sectionID, itemID, type }) => sectionID === '7' && /^\d+$/.test(itemID) && type === 1));
      assert.equal(new Set(entries.map(({ itemID }) => itemID)).size, count, 'each has an id of its own');
    } finally {
      await client.stop();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
