// A real Plex client in a process of its own (`plex_clients.py`), and what it has said so far.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { until } from './patience.mjs';

const program = fileURLToPath(new URL('./plex_clients.py', import.meta.url));

export function plexClient(client, { url, token, certificate }, ...more) {
  const { PYTHON } = process.env;
  if (!PYTHON) throw new Error('set PYTHON to a Python that has the packages of requirements.txt');
  const env = { ...process.env, ...(certificate && { REQUESTS_CA_BUNDLE: certificate, SSL_CERT_FILE: certificate, WEBSOCKET_CLIENT_CA_BUNDLE: certificate }) };
  const child = spawn(PYTHON, [program, client, url, token, ...more], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const said = [];
  let [rest, complaints] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    said.push(...lines.map((line) => JSON.parse(line)));
  });
  child.stderr.setEncoding('utf8').on('data', (text) => { complaints += text; });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    said,
    says: (what, holds) => until(() => `${client}: ${what}, but it said ${JSON.stringify(said)} ${complaints}`, () => said.some(holds), PATIENCE),
    containers: () => said.flatMap(({ container, NotificationContainer }) => container ?? NotificationContainer ?? []),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

// A dozen clients that start at once need a while on a small machine, and one that finds nobody waits 15 s.
const PATIENCE = 40_000;

// How many streams are open at the server. A client whose stream is open hears what is published from now on.
export async function streams(server, count) {
  const headers = { authorization: `Bearer ${server.admin}` };
  const open = async () => (await (await fetch(`${server.url}/api/connections`, { headers })).json()).connections.length;
  await until(async () => `${count} streams, but there are ${await open()}`, async () => (await open()) === count, PATIENCE);
}
