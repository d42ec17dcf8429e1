// `fanfare canary` on a running server, as the exporter Prometheus reads.
import { spawn } from 'node:child_process';

const TOKEN = 'token-of-canary-0123456789abcdef0123456789';

// What the server's settings need for it.
export const canaryTables = `[[users]]\nid = "canary"\n[[tokens]]\ntoken = "${TOKEN}"\nuser = "canary"\npublish = { types = ["raw"] }\n`;

// A round a second.
export async function startCanary({ url }) {
  const options = ['canary', '--listen', '127.0.0.1:0', '--url', url, '--audience', 'user:canary', '--every', '1'];
  const child = spawn(process.env.FANFARE_BIN, options, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, FANFARE_TOKEN: TOKEN } });
  const ended = new Promise((resolve) => child.once('error', resolve).once('close', resolve));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  let said = '';
  const host = new Promise((resolve) => child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
    const [, found] = said.match(/figures at http:\/\/([\d.:]+)\/metrics/) ?? [];
    if (found) resolve(found);
  }));
  const failed = ended.then((code) => { throw new Error(`the canary ended with ${code}: ${said}`); });
  return { host: await Promise.race([host, failed]), stop };
}
