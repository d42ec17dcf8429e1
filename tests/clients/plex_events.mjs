// One event for each type of notification that Plex knows, and what its clients must be told (wire notes on Plex, section 6).

// May publish what must be named to be allowed.
const RESERVED = ['user', 'server', 'raw'];
const RESERVED_TOKEN = 'token-of-publisher-0123456789abcdef0123456789';

// A library as Plex counts it, and who may publish everything.
export const TABLES = `
[[libraries]]
id = "lib1"
name = "Films"
kind = "movies"
ids = { plex = "1" }

[[tokens]]
token = "${RESERVED_TOKEN}"
publish = { types = ${JSON.stringify(RESERVED)} }
`;

const film = { id: '900', name: 'Harbor Lights', type: 'movie' };
export const playback = (state, session = '12', position = 61000) => ({
  type: 'playback', data: { session, user: 'u1', library: 'lib1', client: { id: 'abcd1234' }, item: film, state, position },
});
const item = (sessionKey, state, viewOffset) => ({ sessionKey, clientIdentifier: 'abcd1234', guid: '', ratingKey: '900', url: '', key: '/library/metadata/900', viewOffset, state });
export const playing = (state, session = '12', position = 61000) => ['playing', 'PlaySessionStateNotification', item(session, state, position)];

export const scan = (state, more) => ({ type: 'scan', data: { library: 'lib1', name: 'Films', state, ...more } });
export const status = (title) => ['status', 'StatusNotification', { title, description: '', notificationName: 'LIBRARY_UPDATE' }];

const transcode = (state) => ({ type: 'transcode', data: { id: 't1', user: 'u1', session: '12', state, progress: 1.5, duration: 60000, remaining: 59000 } });
const transcoding = (name, more) => [`transcodeSession.${name}`, 'TranscodeSession', { key: '/transcode/sessions/t1', progress: 1.5, duration: 60000, remaining: 59, ...more }];
const timeline = (more) => ['timeline', 'TimelineEntry', { identifier: 'com.plexapp.plugins.library', sectionID: '1', itemID: '900', type: 1, ...more }];
const activity = (event, type) => ['activity', 'ActivityNotification', { event, Activity: { type } }];
const preference = { id: 'FriendlyName', label: 'Friendly name', summary: '', type: 'text', default: '', value: 'Den', hidden: false, advanced: false, group: 'general' };

// [what is published, the notifications it becomes: type, list field, and what its item holds].
export const ALL = [
  [playback('playing'), [playing('playing')]],
  [{ type: 'medias', data: { library: 'lib1', medias: [{ action: 'Added', media: film }] } },
    [timeline({ state: 0, metadataState: 'created', title: 'Harbor Lights' }), timeline({ state: 5 })]],
  [{ type: 'movies', data: { library: 'lib1', movies: [{ action: 'Deleted', movie: { id: '900' } }] } }, [timeline({ state: 9, metadataState: 'deleted' })]],
  [{ type: 'activity', data: { id: 'c30c1edc-8df0-4713-a7f1-f1373f6db8e9', state: 'started', type: 'library.refresh.items', title: 'Refreshing' } },
    [activity('started', 'library.refresh.items')]],
  [scan('started'), [activity('started', 'library.update.section'), status('Scanning the "Films" section')]],
  [scan('finished', { progress: 100 }), [activity('ended', 'library.update.section'), status('Library scan complete')]],
  [{ type: 'library-status', data: { library: 'lib1', message: 'Scanning Harbor Lights (1985)' } },
    [['progress', 'ProgressNotification', { message: 'Scanning Harbor Lights (1985)' }]]],
  [transcode('start'), [transcoding('start')]],
  [transcode('update'), [transcoding('update')]],
  [transcode('end'), [transcoding('end')]],
  [{ type: 'preference', data: preference }, [['preference', 'Setting', preference]]],
  [{ type: 'reachability', data: { reachable: true } }, [['reachability', 'ReachabilityNotification', { reachability: true }]]],
  [{ type: 'background-queue', data: { queue: '1', event: 'queueRegenerated' } },
    [['backgroundProcessingQueue', 'BackgroundProcessingQueueEventNotification', { queueID: 1, event: 'queueRegenerated' }]]],
  [{ type: 'server', data: { state: 'update', update: 'done', version: '1.41.0', release: 'https://example.org/121' } },
    [['update.statechange', 'AutoUpdateNotification', { key: 'https://example.org/121', version: '1.41.0', state: 'done' }]]],
  [{ type: 'user', data: { action: 'Updated', user: { id: 'u1', name: 'Una' } } }, [['account', 'AccountUpdateNotification', { title: 'Una' }]]],
  [{ type: 'raw', audience: 'all', data: { dialect: 'plex', name: 'provider.content.change', payload: { ContentChange: { a: 1.5 } } } },
    [['provider.content.change', 'ContentChange', { a: 1.5 }]]],
];

// Told to those only whose filter asks for it.
export const LOG = [{ type: 'log', data: { level: 'warn', message: 'disk almost full', source: 'storage' } },
  [['log', 'LogSentNotification', { level: 1, thread: 'storage', message: 'disk almost full' }]]];

export async function tell(server, ...events) {
  for (const event of events) {
    const token = RESERVED.includes(event.type) ? RESERVED_TOKEN : server.admin;
    const answer = await fetch(`${server.url}/api/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(event),
    });
    if (answer.status !== 200) throw new Error(`publishing ${JSON.stringify(event)}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

// Order is kept by library, by user and for the server, not between these: what is compared is sorted.
const inOrder = (notices) => notices.map((notice) => JSON.stringify(notice)).sort();

// Of an item the fields that are expected, so that equality can be asked of what may hold more.
const fields = (item, wanted) => Object.fromEntries(Object.keys(wanted).map((key) => {
  const value = wanted[key] !== null && typeof wanted[key] === 'object' ? fields(item?.[key] ?? {}, wanted[key]) : item?.[key];
  return [key, value];
}));

// The expected notices, and those of `told` ([type, list field, item]) cut down to the fields that are expected of them.
export function compare(told, expected) {
  const left = [...expected];
  const found = told.map(([type, list, item]) => {
    const index = left.findIndex(([name, , wanted]) => name === type && JSON.stringify(fields(item, wanted)) === JSON.stringify(wanted));
    if (index < 0) return ['not expected', type, list, item];
    const [[, , wanted]] = left.splice(index, 1);
    return [type, list, fields(item, wanted)];
  });
  return [inOrder(found), inOrder(expected)];
}

// A container as WebSocket clients get it: exactly these three keys, and a list of one.
export function unpacked(container) {
  const [type, size, list] = Object.keys(container);
  const items = container[list];
  if (type !== 'type' || size !== 'size' || Object.keys(container).length !== 3 || container.size !== 1 || items?.length !== 1) {
    throw new Error(`not a container of one: ${JSON.stringify(container)}`);
  }
  return [container.type, list, items[0]];
}

// The same from a stream of events: { name, data }.
export const unwrapped = ({ name, data }) => [name, ...Object.entries(data)[0]];
