// Alerts that a real Prometheus fires because of what the load tester does to real servers; with windows of a sixtieth, so that
// ten minutes of lag are ten seconds.
//
// Four servers have the same moderate load. Then three of them are made unwell, each in its own way, and one stays as it is.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { stringify } from 'yaml';

import { startServer } from '../clients/server.mjs';
import { startLoadtester } from './loadtester.mjs';
import { startPrometheus, until } from './prometheus.mjs';
import { yaml } from './shipped.mjs';
import { sixtieth } from './sixtieth.mjs';

const LIMIT = 100;
const SERVERS = {
  well: {},
  lag: { engine: '[engine]\nsend_buffer = 4096\nfeed_entries = 64\n' },
  full: { limits: `connections = ${LIMIT}\n` },
  storm: {},
};
// Which of them may fire where. A client that is behind is so before it loses events.
const EXPECTED = {
  well: [],
  lag: ['FanfareLaggingConnectionsHigh', 'FanfareSkipRatioHigh'],
  full: ['FanfareConnectionsNearLimit'],
  storm: ['FanfareReconnectStorm'],
};
const WATCHED = Object.values(EXPECTED).flat();

// More than the ten seconds that the longest of them waits, and than the five of its window.
const CALM_SECONDS = 17;
const STEADY = ['--clients', 60, '--churn', 2, '--rate', 20];
const seconds = (count) => ['--seconds', count, '--warmup', 0, '--drain', 1, '--lateness-limit-us', 1_000_000];

describe('servers under load', () => {
  const home = mkdtempSync(join(tmpdir(), 'fanfare-fired-'));
  const servers = {};
  const loads = [];
  let prometheus, began;

  // Waits for what loads bring about, or for the first of them that cannot.
  const comes = (...what) => Promise.race([until(...what), ...loads.map(({ failed }) => failed)]);
  const load = (name, command, ...options) => {
    const started = startLoadtester(servers[name], command, ...options);
    loads.push(started);
    return started;
  };
  const instance = (name) => new URL(servers[name].metrics).host;
  const named = (of) => Object.keys(SERVERS).find((name) => instance(name) === of);
  const count = async (name, metric = 'fanfare_connections') => {
    const text = await (await fetch(new URL('/metrics', servers[name].metrics))).text();
    return [...text.matchAll(new RegExp(`^${metric}(?:\\{.*\\})? (\\d+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  // What has fired where since Prometheus began to look.
  const fired = async () => {
    const series = await prometheus.over('ALERTS{alertstate="firing"}', Math.ceil((Date.now() - began) / 1000));
    const found = Object.fromEntries(Object.keys(SERVERS).map((name) => [name, []]));
    for (const { metric } of series) if (WATCHED.includes(metric.alertname)) found[named(metric.instance)].push(metric.alertname);
    return found;
  };

  before(async () => {
    const settings = ({ engine = '', limits = '' }) => ({ tables: `[limits]\nconnections_per_user = 0\n${limits}${engine}` });
    await Promise.all(Object.entries(SERVERS).map(async ([name, of]) => { servers[name] = await startServer(settings(of)); }));
    for (const name of Object.keys(SERVERS)) load(name, ['run'], ...STEADY, ...seconds(120));
    // Everybody is in when Prometheus looks for the first time: what came before is no storm.
    await comes('all clients are connected, and others come and go', async () => {
      const opened = await Promise.all(Object.keys(SERVERS).map((name) => count(name, 'fanfare_connections_opened_total')));
      return opened.every((n) => n > 62);
    });
    const ruleFiles = ['recording.yml', 'alerts.yml'].map((name) => {
      const file = join(home, name);
      writeFileSync(file, stringify(sixtieth(yaml(`prometheus/${name}`))));
      return file;
    });
    began = Date.now();
    prometheus = await startPrometheus({ fanfare: Object.keys(SERVERS).map(instance) }, { ruleFiles, every: '500ms' });
  });
  after(async () => {
    await Promise.all(loads.map((one) => one.stop()));
    await prometheus?.stop();
    await Promise.all(Object.values(servers).map((server) => server.stop()));
    rmSync(home, { recursive: true, force: true });
  });

  test('nothing fires while all is well', async () => {
    await comes('enough has been seen', async () => Date.now() - began > CALM_SECONDS * 1000, 2 * CALM_SECONDS);
    const [rules, seen] = [await prometheus.rules(), await prometheus.now('job_instance:fanfare_connections_opened:rate5m > 0')];
    for (const name of WATCHED) assert.equal(rules.find((rule) => rule.name === name).health, 'ok', name);
    assert.equal(seen.length, 4, 'clients come and go at all four');
    assert.deepEqual(await fired(), { well: [], lag: [], full: [], storm: [] });
  });

  test('an alert fires where it is provoked, and nowhere else', async () => {
    // They never read, and the rest goes on reading.
    load('lag', ['run'], '--clients', 1, '--stalled', 30, '--rate', 200, '--payload-bytes', 2000, ...seconds(60));
    load('full', ['run'], '--clients', 30, '--rate', 1, ...seconds(60));
    const scenario = join(home, 'storm.toml');
    writeFileSync(scenario, 'description = "all are dropped and come back, again and again"\n[load]\nclients = 150\nconnect_rate = 1000000\n[[phases]]\nname = "storm"\nkind = "storm"\nrounds = 12\n');
    load('storm', ['scenario', scenario]);
    const found = await comes('all have fired', async () => {
      const now = await fired();
      return Object.entries(EXPECTED).every(([name, wanted]) => wanted.every((alert) => now[name].includes(alert))) && now;
    }, 60);
    for (const name of Object.keys(SERVERS)) assert.deepEqual(found[name].sort(), EXPECTED[name], name);
  });

  test('an alert ends when what provoked it does', async () => {
    await Promise.all(loads.slice(4).map((one) => one.stop()));
    await until('none fires any more', async () => {
      const series = await prometheus.now('ALERTS{alertstate="firing"}');
      return !series.some(({ metric }) => WATCHED.includes(metric.alertname));
    }, 60);
  });
});
