// The programs of docs/clients.md, as they are printed there: each reads the state, hears what happens, and does both again
// after the server has stopped and started.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { until } from './patience.mjs';
import { startServer } from './server.mjs';

const guide = new URL('../../docs/clients.md', import.meta.url);
// Beside the packages, so that the programs find them.
const folder = fileURLToPath(new URL('./node_modules/.guide/', import.meta.url));

async function programs() {
  const found = [...(await readFile(guide, 'utf8')).matchAll(/^## (.*)$|^```(js|python)\n([^]*?)^```$/gm)];
  let heading;
  return found.flatMap(([, title, language, text]) => {
    heading = title ?? heading;
    return language ? [{ heading, language, text }] : [];
  });
}

async function run({ language, text }, number, environment) {
  const file = join(folder, `${number}.${language === 'js' ? 'mjs' : 'py'}`);
  await writeFile(file, text);
  const child = spawn(language === 'js' ? process.execPath : (process.env.PYTHON ?? 'python3'), [file], { env: { ...process.env, ...environment } });
  const said = { text: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (part) => { said.text += part; });
  child.stderr.setEncoding('utf8').on('data', (part) => { said.errors += part; });
  return { said, stop: () => child.kill('SIGKILL') };
}

test('the programs of the guide read the state, hear events, and do so again after a restart of the server', async () => {
  const home = await mkdtemp(join(tmpdir(), 'fanfare-guide-'));
  const [films, books, file] = ['films', 'books', 'a-file'].map((name) => join(home, name));
  await Promise.all([mkdir(films), mkdir(books), mkdir(folder, { recursive: true }), writeFile(file, 'a film, a book')]);
  const library = (id, path, kind) => `[[libraries]]\nid = "${id}"\nkind = "${kind}"\npath = ${JSON.stringify(path)}\n`;
  const server = await startServer({ server: 'drain_window = "1s"', tables: library('films', films, 'movies') + library('books', books, 'books') });
  const running = [];
  try {
    const all = await programs();
    assert.deepEqual(all.map(({ language }) => language), ['js', 'python', 'js', 'python']);
    for (const [number, program] of all.entries()) running.push(await run(program, number, { FANFARE_URL: server.url, FANFARE_TOKEN: server.admin }));
    const everyOne = (what, holds) => until(
      () => running.map(({ said }, number) => `${what}: ${all[number].heading}: ${holds(said, number)}\n${said.text}${said.errors}`).join('\n'),
      () => running.every(({ said }, number) => holds(said, number)),
    );
    const copy = (name) => Promise.all([copyFile(file, join(films, `${name}.mkv`)), copyFile(file, join(books, `${name}.m4b`))]);
    const count = (text, word) => text.split(`${word} `).length - 1;
    const hears = (name) => everyOne(`hears of ${name}`, ({ text }) => text.split('\n').some((line) => line.startsWith('heard ') && line.includes(name)));

    await everyOne('has read the state', ({ text }) => count(text, 'synced') === 1);
    await copy('before-the-stop');
    await hears('before-the-stop');
    await server.end('SIGTERM');
    await server.again();
    await everyOne('has read it again', ({ text }) => count(text, 'synced') >= 2);
    await copy('after-the-start');
    await hears('after-the-start');
    // Those that list the folder know what was there, too.
    for (const number of [0, 1]) assert.match(running[number].said.text, /^synced 0$[^]*^synced 1$/m, all[number].heading);
  } finally {
    running.forEach(({ stop }) => stop());
    await server.stop();
    await rm(home, { recursive: true, force: true });
  }
});

test('they give up where the token is bad', async () => {
  const server = await startServer({});
  const running = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [number, program] of (await programs()).entries()) running.push(await run(program, `bad-${number}`, { FANFARE_URL: server.url, FANFARE_TOKEN: 'bad' }));
    await until(
      () => running.map(({ said }) => said.text + said.errors).join('\n'),
      () => running.every(({ said }) => /this token does not count|get another token/.test(said.errors)),
    );
    assert.ok(running.every(({ said }) => said.text === ''));
  } finally {
    running.forEach(({ stop }) => stop());
    await server.stop();
  }
});
