// Starts the server under test, or uses the one that FANFARE_URL names.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const tokens = {
  admin: 'token-of-admin-0123456789abcdef0123456789',
  user: 'token-of-u1-0123456789abcdef0123456789',
  reader: 'token-of-reader-0123456789abcdef0123456789',
};

// The admin both reads everything and publishes; `u1` may read no library and gets what is his own.
const settings = (data, { server, tables }) => `
[server]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
data_dir = ${JSON.stringify(data)}
${server ?? ''}

[[users]]
id = "admin"
admin = true

[[users]]
id = "u1"
token = "${tokens.user}"

[[users]]
id = "reader"
token = "${tokens.reader}"
libraries = { lib1 = "read" }

[[tokens]]
token = "${tokens.admin}"
user = "admin"
publish = true

${tables ?? ''}
`;

// A test that needs further settings (lines of `[server]`, tables) gets a server of its own, which it can stop and start
// again at the same address.
export async function startServer(further) {
  const { FANFARE_URL, FANFARE_TOKEN, FANFARE_USER_TOKEN, FANFARE_READER_TOKEN, FANFARE_BIN } = process.env;
  if (FANFARE_URL && !further) {
    return {
      url: FANFARE_URL.replace(/\/$/, ''),
      admin: FANFARE_TOKEN ?? tokens.admin,
      user: FANFARE_USER_TOKEN ?? tokens.user,
      reader: FANFARE_READER_TOKEN ?? tokens.reader,
      stop: async () => {},
    };
  }
  if (!FANFARE_BIN) throw new Error('set FANFARE_BIN to the server binary, or FANFARE_URL to a running server');
  const folder = await mkdtemp(join(tmpdir(), 'fanfare-clients-'));
  const data = join(folder, 'data');
  const settingsFile = join(folder, 'fanfare.toml');
  await writeFile(settingsFile, settings(data, further ?? {}), { mode: 0o600 });
  const logFile = join(folder, 'log');
  const log = openSync(logFile, 'a');
  let child, ended;
  const start = async (...flags) => {
    child = spawn(FANFARE_BIN, ['serve', '--config', settingsFile, ...flags], { stdio: ['ignore', log, log] });
    ended = new Promise((resolve) => child.once('exit', resolve));
    return listening(child, data);
  };
  const end = async (signal) => {
    child.kill(signal);
    await ended;
  };
  const stop = async () => {
    await end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const { url, metrics } = await start();
    return { url, metrics, ...tokens, process: () => child.pid, stop, end, again: async () => (await start('--listen', new URL(url).host)).url, log: () => readFileSync(logFile, 'utf8') };
  } catch (error) {
    error.message += `\n--- the server's log ---\n${readFileSync(logFile, 'utf8')}`;
    await stop();
    throw error;
  }
}

async function listening(child, data) {
  for (let tries = 0; tries < 500; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the server ended at start with code ${child.exitCode}`);
    try {
      const { url, metrics_url: metrics } = JSON.parse(await readFile(join(data, 'run.json'), 'utf8'));
      if ((await fetch(new URL('/readyz', url))).status === 200) return { url: url.replace(/\/$/, ''), metrics };
    } catch {
      // Not written or not listening yet: the next try will tell.
    }
    await wait(20);
  }
  throw new Error('the server did not become ready within 10 s');
}
