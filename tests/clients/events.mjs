// The fourteen events of document 002, in its own spelling.
const media = { id: 'm1', name: 'a.jpg', type: 'photo', rating: 4.5, note: 'line\nbreak \u2028 and “quotes”' };
const changed = (key, object) => [{ action: 'Added', [key]: object }];

// [event name, wrapper key, data]; all belong to `lib1`, so that their order is kept.
export const forAdmins = [
  ['library', 'Library', { action: 'Updated', library: { id: 'lib1', name: 'Films', type: 'movies' } }],
  ['library-status', 'LibraryStatus', { message: 'scan 10/200', library: 'lib1', progress: 5 }],
  ['medias', 'Medias', { library: 'lib1', medias: [...changed('media', media), { action: 'Deleted', media: { id: 'm0' } }] }],
  ['upload_progress', 'UploadProgress', { library: 'lib1', mediaId: 'm1', progress: 40 }],
  ['convert_progress', 'ConvertProgress', { library: 'lib1', mediaId: 'm1', progress: 42, status: 'processing' }],
  ['episodes', 'Episodes', { library: 'lib1', episodes: changed('episode', { id: 'e1', serie: 's1', season: 1, number: 2, name: 'Two' }) }],
  ['series', 'Series', { library: 'lib1', series: changed('serie', { id: 's1', name: 'Series' }) }],
  ['movies', 'Movies', { library: 'lib1', movies: changed('movie', { id: 'v1', name: 'Movie' }) }],
  ['people', 'People', { library: 'lib1', people: changed('person', { id: 'p1', name: 'Person' }) }],
  ['tags', 'Tags', { library: 'lib1', tags: changed('tag', { id: 't1', name: 'sea' }) }],
  ['backups', 'Backups', { action: 'Updated', backup: { backup: { id: 'b1', name: 'Nightly', library: 'lib1' }, status: null } }],
  ['backups-files', 'BackupsFiles', { library: 'lib1', file: 'm1', progress: 42 }],
];

export const forOwner = [
  ['media_progress', 'MediaProgress', { library: 'lib1', progress: { mediaRef: 'm1', userRef: 'u1', progress: 125000, modified: 1768600000000 } }],
  ['media_rating', 'MediaRating', { library: 'lib1', rating: { mediaRef: 'm1', userRef: 'u1', rating: 4.5, modified: 1768600000000 } }],
];

export const names = [...forAdmins, ...forOwner].map(([name]) => name);

// What a client must have received for these events: name, and data under the wrapper key.
export const received = (events) => events.map(([name, key, data]) => ({ name, data: { [key]: data } }));

export async function publish(server, events) {
  for (const [type, , data] of events) {
    const answer = await fetch(`${server.url}/api/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.admin}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type, data }),
    });
    if (answer.status !== 200) throw new Error(`publishing ${type}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  }
}

export const medias = (library, id) => ['medias', 'Medias', { library, medias: [{ action: 'Added', media: { id, name: `${id}.jpg`, type: 'photo' } }] }];
