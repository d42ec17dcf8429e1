// A real client of the MediaBrowser family in a process of its own, told what to do, and what it has heard so far.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { until } from './patience.mjs';

const place = (name) => fileURLToPath(new URL(name, import.meta.url));

const PROGRAMS = {
  'jellyfin-apiclient-python': () => [python(), place('./mediabrowser_clients.py'), 'jellyfin-apiclient-python'],
  pyEmby: () => [python(), place('./mediabrowser_clients.py'), 'pyemby'],
  '@jellyfin/sdk': () => [process.execPath, place('./mediabrowser_clients.mjs'), 'sdk'],
  'jellyfin-apiclient': () => [process.execPath, place('./mediabrowser_clients.mjs'), 'apiclient'],
};

function python() {
  const { PYTHON } = process.env;
  if (!PYTHON) throw new Error('set PYTHON to a Python that has the packages of requirements.txt');
  return PYTHON;
}

// A dozen clients that start at once need a while on a small machine.
export const PATIENCE = 40_000;

export function mediaBrowserClient(kind, { url, certificate }, device) {
  const [program, ...rest] = PROGRAMS[kind]();
  const env = { ...process.env, ...(certificate && { REQUESTS_CA_BUNDLE: certificate, NODE_EXTRA_CA_CERTS: certificate }) };
  const child = spawn(program, [...rest, url, device], { stdio: ['pipe', 'pipe', 'pipe'], env });
  const [said, waiting] = [[], new Map()];
  let [text, complaints, orders] = ['', '', 0];
  child.stdout.setEncoding('utf8').on('data', (more) => {
    const lines = (text + more).split('\n');
    text = lines.pop();
    for (const line of lines.map((one) => JSON.parse(one))) {
      waiting.get(line.id)?.(line);
      said.push(line);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (more) => { complaints += more; });
  child.stdin.on('error', () => {}); // it has gone; whoever waits for its answer is told below
  const ended = new Promise((resolve) => child.once('exit', resolve));
  ended.then(() => waiting.forEach((answer) => answer({ failed: `it ended: ${complaints}` })));

  const order = (what, ...parameters) => new Promise((resolve, reject) => {
    orders += 1;
    waiting.set(orders, ({ result, failed }) => (failed === undefined ? resolve(result) : reject(new Error(`${kind}: ${what}: ${failed}`))));
    child.stdin.write(`${JSON.stringify({ id: orders, do: what, with: parameters })}\n`);
  });
  const heard = (type) => said.filter(({ heard: one }) => (type ? one === type : one)).map(({ data }) => data);
  return {
    kind,
    device,
    said,
    // The data of all messages of a type, in order.
    heard,
    does: order,
    hears: (type, holds = () => true, what = '') => until(
      () => `${kind} hears ${type} ${what}, but heard ${JSON.stringify(said.slice(-20))} ${complaints}`,
      () => heard(type).some(holds),
      PATIENCE,
    ),
    says: (what, holds) => until(() => `${kind}: ${what}, but it said ${JSON.stringify(said.slice(-20))} ${complaints}`, () => said.some(holds), PATIENCE),
    // Forgets what it has heard.
    forget: () => { said.length = 0; },
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
