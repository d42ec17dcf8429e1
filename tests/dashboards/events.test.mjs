// The types of docs/events.d.ts under a strict compiler, with the program that docs/clients.md has for them and with uses that
// must be refused. Here because the compiler is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const docs = new URL('../../docs/', import.meta.url);
const folder = fileURLToPath(new URL('./node_modules/.events/', import.meta.url));

// An error that does not come is one itself.
const WRONG = `
// @ts-expect-error: there is no such event
on(events, 'media', () => {});
// @ts-expect-error: nor such a wrapper
on(events, 'medias', ({ medias }) => medias);
// @ts-expect-error: an action has its words
on(events, 'medias', ({ Medias }) => Medias.medias[0]?.action === 'added');
// @ts-expect-error: not every media has a name
on(events, 'medias', ({ Medias: { medias: [first] } }) => first?.media.name.length);
// @ts-expect-error: a position is a number
on(events, 'playback', ({ Playback }) => Playback.position.trim());
// @ts-expect-error: of a field nobody has described nothing is known
on(events, 'scan', ({ Scan }) => Scan['further'].length);
// @ts-expect-error: how much was missed is no text
on(events, 'gap', ({ missed }) => missed.trim());
// @ts-expect-error: an event has what it must have
export const event: FanfareEvents['library-status'] = { LibraryStatus: { library: 'films' } };
`;

function compile(program) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(new URL('events.d.ts', docs), `${folder}events.d.ts`);
  writeFileSync(`${folder}program.ts`, program);
  const options = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', '--types', ''];
  const tsc = fileURLToPath(new URL('./node_modules/typescript/bin/tsc', import.meta.url));
  return spawnSync(process.execPath, [tsc, ...options, 'program.ts', 'events.d.ts'], { cwd: folder, encoding: 'utf8' });
}

const [, program] = /^```ts\n([^]*?)^```$/m.exec(readFileSync(new URL('clients.md', docs), 'utf8'));

test('a program that uses the types of the events as they are is taken, and every wrong use is refused', () => {
  const { status, stdout, stderr } = compile(program + WRONG);
  assert.equal(status, 0, stdout + stderr);
});

test('what is wrong in the program or in the types themselves is found', () => {
  for (const [place, wrong] of [['"medias", (', '"medium", ('], ['media.id', 'media.id.nothing'], ['./events', './nothing']]) {
    assert.ok(program.includes(place), place);
    assert.notEqual(compile(program.replace(place, wrong)).status, 0, `${place} as ${wrong}`);
  }
});
