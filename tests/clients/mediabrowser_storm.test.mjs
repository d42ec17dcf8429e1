// jellyfin-apiclient-python comes again without any pause when its socket is refused: thousands of times in a few seconds.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';

import { TOKENS, ask, clientsOf, idOf, tell, withHouse } from './mediabrowser_house.mjs';
import { until } from './patience.mjs';

const SECONDS = 6;

// What a process has computed so far, in seconds; the kernel counts hundredths.
function computed(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

describe('a python client with a bad token', () => {
  test('storms, is refused cheaply, and nobody else is hurt', () => withHouse({}, async (house) => {
    const [calm] = await clientsOf(house, 'ann', ['@jellyfin/sdk']);
    const storm = house.client('jellyfin-apiclient-python');
    await storm.does('use', idOf('ann'), 'a token that nobody has 0123456789abcdef0123');
    const delays = [];
    const deliver = async (text) => {
      const sent = Date.now();
      await tell(house.server, { type: 'message', audience: 'user:ann', data: { text } });
      await calm.hears('GeneralCommand', ({ Arguments }) => Arguments.Text === text);
      delays.push(Date.now() - sent);
    };
    await deliver('before');

    const pid = house.server.process();
    const [before, started] = [computed(pid), Date.now()];
    await storm.does('listen');
    while (Date.now() - started < SECONDS * 1000) {
      await deliver(`after ${Date.now() - started} ms`);
      await wait(200);
    }
    // Who has a good token comes in from the very address the storm comes from.
    const [another] = await clientsOf(house, 'ann', ['jellyfin-apiclient']);
    await another.hears('ForceKeepAlive');
    const seconds = (Date.now() - started) / 1000;
    const attempts = await storm.does('attempts');
    const share = (computed(pid) - before) / seconds;
    await storm.stop();

    console.log(`${attempts} attempts in ${seconds.toFixed(1)} s, ${(100 * share).toFixed(1)} % of a core, the slowest delivery ${Math.max(...delays)} ms`);
    assert.ok(attempts > 10, `it tried ${attempts} times: as often as an address may, and more`);
    assert.ok(share < 0.1, `${(100 * share).toFixed(0)} % of a core for ${attempts} attempts in ${seconds} s`);
    assert.ok(Math.max(...delays) < 1000, `${delays} ms`);
    assert.ok(calm.said.every(({ status }) => status !== 'disconnected'), 'its socket stays');
    assert.ok(house.server.log().length < 100_000, 'and the log is no storm of lines');
    // And afterwards nobody of that address is locked out.
    await until('a log-in', async () => (await ask(house.server, 'GET', '/System/Info', TOKENS.ann)).status === 200);
  }));
});
