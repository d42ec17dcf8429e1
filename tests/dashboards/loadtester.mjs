// The load tester on a server that runs. What its clients get is its own tests' business: here it is only what happens to a server.
import { spawn } from 'node:child_process';

// It could not do its work; what it found of the server, the others tell.
const FAILED = 3;

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
