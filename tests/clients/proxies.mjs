// The reverse proxies of examples/proxy, started as they are written there but for names, ports and places.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { until } from './patience.mjs';

const examples = new URL('../../examples/proxy/', import.meta.url);

// Each place in the file is there exactly once: a test of a file that has changed its shape must not pass by chance.
function put(text, places) {
  for (const [was, is] of places) {
    if (text.split(was).length !== 2) throw new Error(`\`${was}\` must be in the file exactly once`);
    text = text.replace(was, () => is);
  }
  return text;
}

const nginxPlaces = (folder, port) => [
  ['pid /run/nginx.pid;', `pid ${folder}/nginx.pid;`],
  ['/var/log/nginx/fanfare-error.log', `${folder}/logs/error.log`],
  ['/var/log/nginx/fanfare-access.log', `${folder}/logs/access.log`],
  ['http {\n', `http {\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};\n`).join('')}`],
  ['worker_connections 20000', 'worker_connections 512'],
  ['worker_rlimit_nofile 20500;', ''],
  ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
];
const nginxCommand = (program, folder, file) => [program, ['-p', folder, '-e', `${folder}/logs/start.log`, '-c', file, '-g', 'daemon off; master_process off;']];

const nginx = {
  program: ['nginx', '/usr/sbin/nginx'],
  file: 'nginx.conf',
  places: ({ folder, port, upstream }) => [
    ...nginxPlaces(folder, port),
    ['server 127.0.0.1:8400;', `server ${upstream};`],
    ['/etc/ssl/certs/fanfare.pem', `${folder}/cert.pem`],
    ['/etc/ssl/private/fanfare.key', `${folder}/key.pem`],
  ],
  command: nginxCommand,
};

// The paths of Plex's events to Fanfare, everything else to the Plex server that is there.
export const nginxBeside = (plex) => ({
  ...nginx,
  file: 'nginx-plex.conf',
  places: ({ folder, port, upstream }) => [
    ...nginxPlaces(folder, port),
    ['server 127.0.0.1:8400;', `server ${upstream};`],
    ['server 127.0.0.1:32400;', `server ${plex};`],
    ['/etc/ssl/certs/plex.pem', `${folder}/cert.pem`],
    ['/etc/ssl/private/plex.key', `${folder}/key.pem`],
  ],
});

// WebSockets to Fanfare, everything else to the Emby or Jellyfin server that is there.
export const nginxBesideMediaServer = (media) => ({
  ...nginx,
  file: 'nginx-jellyfin.conf',
  places: ({ folder, port, upstream }) => [
    ...nginxPlaces(folder, port),
    ['server 127.0.0.1:8400;', `server ${upstream};`],
    ['server 127.0.0.1:8096;', `server ${media};`],
    ['/etc/ssl/certs/jellyfin.pem', `${folder}/cert.pem`],
    ['/etc/ssl/private/jellyfin.key', `${folder}/key.pem`],
  ],
});

// Audiobookshelf's socket to Fanfare, everything else to the Audiobookshelf that is there.
export const nginxBesideAudiobookshelf = (audiobookshelf) => ({
  ...nginx,
  file: 'nginx-audiobookshelf.conf',
  places: ({ folder, port, upstream }) => [
    ...nginxPlaces(folder, port),
    ['server 127.0.0.1:8400;', `server ${upstream};`],
    ['server 127.0.0.1:13378;', `server ${audiobookshelf};`],
    ['/etc/ssl/certs/books.pem', `${folder}/cert.pem`],
    ['/etc/ssl/private/books.key', `${folder}/key.pem`],
  ],
});

const caddy = {
  program: ['caddy', '/usr/bin/caddy'],
  file: 'Caddyfile',
  places: ({ folder, port, upstream }) => [
    ['{\n\t# Browsers', '{\n\tadmin off\n\tauto_https disable_redirects\n\t# Browsers'],
    ['\nfanfare.example.com {\n', `\nhttps://127.0.0.1:${port} {\n\ttls ${folder}/cert.pem ${folder}/key.pem\n`],
    ['reverse_proxy 127.0.0.1:8400 {', `reverse_proxy ${upstream} {`],
  ],
  command: (program, folder, file) => [program, ['run', '--adapter', 'caddyfile', '--config', file]],
};

export const proxies = { nginx, caddy };

const freePort = () => new Promise((resolve) => {
  const socket = createServer().listen(0, '127.0.0.1', () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
});

const speaks = (port) => new Promise((resolve) => {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

export async function startProxy({ program, file, places, command }, upstream) {
  const [name, path] = program;
  if (!existsSync(path)) throw new Error(`no ${path}: install Debian's package ${name}`);
  const folder = await mkdtemp(join(tmpdir(), `fanfare-${name}-`));
  const logs = join(folder, 'logs');
  await mkdir(logs);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'pipe' });
  const port = await freePort();
  const text = put(await readFile(new URL(file, examples), 'utf8'), places({ folder, port, upstream }));
  await writeFile(join(folder, file), text);
  const output = openSync(join(logs, 'output.log'), 'a');
  const child = spawn(...command(path, folder, join(folder, file)), { stdio: ['ignore', output, output], env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const log = async () => (await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), 'utf8')))).join('\n');
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until('the proxy listens', async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with code ${child.exitCode}`);
      return speaks(port);
    });
    return { url: `https://127.0.0.1:${port}`, certificate: await readFile(join(folder, 'cert.pem')), certificateFile: join(folder, 'cert.pem'), log, stop };
  } catch (error) {
    error.message += `\n${await log()}`;
    await stop();
    throw error;
  }
}
