// The load tester on a server that runs. What its clients get is its own tests' business: here it is only what happens to a server.
import { spawn } from 'node:child_process';

// It could not do its work; what it found of the server, the others tell.
const FAILED = 3;

const LOAD = 'token-of-load-0123456789abcdef0123456789';

// What the server's settings need for a load of every protocol.
export const loadTables = `[limits]\nconnections_per_user = 0\n[[users]]\nid = "load"\nadmin = true\n[[tokens]]\ntoken = "${LOAD}"\nuser = "load"\npublish = { types = ["medias", "raw"] }\n`;

// Clients of every protocol, some of which come and go, and some that read slowly or never.
export function startSteadyLoad({ url }, clients, seconds) {
  const mix = Object.entries({ sse: 0.4, 'plex-ws': 0.2, 'plex-sse': 0.15, mediabrowser: 0.15, socketio: 0.1 });
  return startLoadtester(
    { url, admin: LOAD }, ['run'], '--mix', mix.map(([dialect, share]) => `${dialect}=${Math.round(clients * share)}`).join(),
    '--slow', 2, '--stalled', 3, '--churn', 4, '--rate', 25, '--seconds', seconds + 60, '--warmup', 0, '--lateness-limit-us', 1_000_000);
}

// Starts it with a command and its options.
export function startLoadtester({ url, admin }, command, ...options) {
  const { FANFARE_LOADTEST_BIN: program } = process.env;
  if (!program) throw new Error('set FANFARE_LOADTEST_BIN to the binary of the load tester');
  const child = spawn(program, [...command, '--target', url, '--token', admin, ...options.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { said += text; });
  const ended = new Promise((resolve) => child.once('error', resolve).once('close', resolve));
  // Never kept, only broken: something to wait for beside what a load brings about.
  const failed = new Promise((_, reject) => ended.then((code) => {
    if (code === FAILED || code instanceof Error) reject(new Error(`the load tester could not do its work: ${code} ${said}`));
  }));
  failed.catch(() => {}); // whoever waits for it is told
  return {
    ended,
    failed,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
