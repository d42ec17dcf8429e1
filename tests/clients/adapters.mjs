// Each client under one face: open(url, token, onEvent) → { opened, failure, errors(), closed(), close() }.
// `opened` resolves when the stream is open, `failure` with the first refusal's status (0 where the client tells none).
import { createRequire } from 'node:module';
import { EventSource as EventSource4 } from 'eventsource';
import { names } from './events.mjs';

const require = createRequire(import.meta.url);
const EventSource2 = require('eventsource-2');
// The package is written for browsers: it asks `window` for timers and fetch, and `document` whether the page is shown.
globalThis.window ??= globalThis;
globalThis.document ??= Object.assign(new EventTarget(), { hidden: false });
const { fetchEventSource } = require('@microsoft/fetch-event-source');

const withToken = (url, token) => `${url}${url.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;

const eventSource = (Client, statusOf) => (url, token, onEvent) => {
  const source = new Client(withToken(url, token));
  let errors = 0;
  const opened = new Promise((resolve) => source.addEventListener('open', resolve));
  const failure = new Promise((resolve) => source.addEventListener('error', (event) => {
    errors += 1;
    resolve(statusOf(event));
  }));
  for (const name of names) {
    source.addEventListener(name, (event) => onEvent({ name, data: JSON.parse(event.data) }));
  }
  source.addEventListener('message', (event) => onEvent({ name: 'message', data: event.data }));
  return { opened, failure, errors: () => errors, closed: () => source.readyState === 2, close: () => source.close() };
};

const fetchBased = (url, token, onEvent) => {
  const stop = new AbortController();
  let [errors, closed, open, fail] = [0, false];
  const opened = new Promise((resolve) => { open = resolve; });
  const failure = new Promise((resolve) => { fail = resolve; });
  fetchEventSource(url, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop.signal,
    openWhenHidden: true,
    onopen: async (response) => {
      if (response.status === 200) return open();
      await response.body?.cancel();
      throw Object.assign(new Error('refused'), { status: response.status });
    },
    // An empty message is how this client shows a blank line after a comment: there must be none.
    onmessage: ({ event, data }) => onEvent({ name: event || 'message', data: data && JSON.parse(data) }),
    onerror: (error) => {
      errors += 1;
      fail(error.status ?? 0);
      throw error;
    },
  }).catch(() => {}).finally(() => { closed = true; });
  return { opened, failure, errors: () => errors, closed: () => closed, close: () => stop.abort() };
};

export const clients = {
  'eventsource 4': eventSource(EventSource4, (event) => event.code),
  'eventsource 2.0.2': eventSource(EventSource2, (event) => event.status),
  '@microsoft/fetch-event-source 2.0.1': fetchBased,
};
