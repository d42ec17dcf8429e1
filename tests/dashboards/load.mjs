// A small load on a running Fanfare: clients of every kind that come, listen and go, some that take nothing, and publishers
// of every way.
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

import WebSocket from 'ws';

import { VISITOR } from './backend.mjs';

const LISTENERS = 6;

// `pause`: milliseconds from one round of publishing to the next.
export async function load({ url, admin }, seconds, pause) {
  const ended = new AbortController();
  const bearer = { authorization: `Bearer ${admin}` };
  const streams = ['/sse?events=medias,scan,message', `/:/eventsource/notifications?X-Plex-Token=${admin}`];
  const listen = (path) => fetch(url + path, { headers: bearer, signal: ended.signal })
    .then(async ({ body }) => { for await (const _ of body); })
    .catch(() => {}); // ended by us
  const sockets = [];
  const open = (path) => {
    const socket = new WebSocket(url.replace('http', 'ws') + path).on('error', () => {});
    sockets.push(socket);
  };
  const comeIn = () => {
    streams.forEach(listen);
    open(`/:/websockets/notifications?X-Plex-Token=${admin}`);
    open(`/socket?api_key=${admin}&deviceId=load`);
  };
  for (let each = 0; each < LISTENERS; each += 1) comeIn();
  const stalled = [await stall(url, admin)];

  const post = (type, body) => fetch(`${url}/api/events`, { method: 'POST', headers: { ...bearer, 'content-type': type }, body });
  const event = (number) => ({
    type: 'medias',
    data: { library: 'films', medias: [{ action: 'Added', media: { id: `m${number}`, name: 'x'.repeat(2000), type: 'video' } }] },
  });
  const end = Date.now() + seconds * 1000;
  for (let number = 0; Date.now() < end; number += 40) {
    const many = Array.from({ length: 40 }, (_, each) => event(number + each));
    await Promise.all([
      post('application/json', JSON.stringify({ type: 'scan', data: { library: 'films', state: 'Progress', progress: number % 100 } })),
      post('application/json', JSON.stringify({ type: 'message', id: 'once', source: '/load', data: { text: 'a repeat' } })),
      post('application/cloudevents-batch+json', JSON.stringify(many.slice(0, 20).map((one, each) => ({ specversion: '1.0', id: `b${number}-${each}`, source: '/load', ...one })))),
      post('application/x-ndjson', `${many.slice(20).map((one) => JSON.stringify(one)).join('\n')}\n`),
      post('application/json', '{"type":"no such type"}'),
      ...['nobody', VISITOR].map((token) => fetch(`${url}/sse`, { headers: { authorization: `Bearer ${token}` } }).then(({ body }) => body.cancel())),
    ]);
    if (number % 400 === 0) {
      stalled.push(await stall(url, admin));
      sockets.shift()?.close();
      open(`/:/websockets/notifications?X-Plex-Token=${admin}`);
    }
    await wait(pause);
  }
  return () => {
    ended.abort();
    stalled.forEach((socket) => socket.destroy());
    sockets.forEach((socket) => socket.terminate());
  };
}

// It asks for events and never reads.
function stall(url, token) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname).once('error', reject).pause();
    socket.once('connect', () => {
      socket.write(`GET /sse HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      resolve(socket.on('error', () => {}));
    });
  });
}
