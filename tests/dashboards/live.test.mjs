// Every expression of every panel and rule, evaluated by a real Prometheus: on a server where nothing happens, and under load.
// Every panel is drawn from what was answered; FANFARE_PICTURES names a folder where pictures of the main dashboard are left.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startServer } from '../clients/server.mjs';
import { startBackend } from './backend.mjs';
import { canaryTables, startCanary } from './canary.mjs';
import { load } from './load.mjs';
import { loadTables, startSteadyLoad } from './loadtester.mjs';
import { pages, picture } from './pictures.mjs';
import { startPrometheus, until } from './prometheus.mjs';
import { dashboards, panels, rules } from './shipped.mjs';

const { FANFARE_PICTURES } = process.env;
// Pictures want a longer curve, and more clients.
const [SECONDS, CLIENTS, PAUSE, PINGS, STALL] = FANFARE_PICTURES ? [90, 120, 500, '20s', '60s'] : [10, 20, 150, '2s', '3s'];

const VARIABLES = { $__rate_interval: '5s', $__range: '1m', $quantile: '0.99', $job: '.*', $instance: '.*', $dialect: '.*' };
const filled = (expr) => Object.entries(VARIABLES).reduce((text, [name, value]) => text.replaceAll(name, value), expr);

const queries = dashboards.flatMap((dashboard) =>
  panels(dashboard).flatMap((panel) => panel.targets.map(({ expr, legendFormat }) => ({ name: `${dashboard.name}, ${panel.title}`, panel, line: `${panel.title}: ${legendFormat}`, expr: filled(expr) }))));

// What may be 0 however much goes on: a panel, or one of its lines.
const MAY_BE_ZERO = new Set([
  // Each is a bug, or a fault that nobody has caused here.
  'Bugs', 'Lost actors and standing workers', 'Encoders that failed', 'Reload failed', 'Ways the canary finds shut', 'Says goodbye',
  // Queues that are empty, or never full, whenever somebody looks.
  'Mailboxes filled', 'On the way to workers', 'Batches that found no room', 'Batches refused for want of credit',
  // Loopback loses nothing.
  'Segments sent again',
  // Rights do not change here, and it takes chance to meet a later event of the same subject.
  'Not delivered on purpose: filtered', 'Not delivered on purpose: conflated',
  // It takes longer than this load to be sure that somebody is silent.
  'Ended without a sign of life: silent',
]);

describe('a server that Prometheus reads', () => {
  let backend, server, canary, prometheus;
  let stopLoad = async () => {};
  const answers = new Map(); // of each panel, for each of its targets

  before(async () => {
    backend = await startBackend();
    const further = 'metrics_libraries = ["films"]';
    const tables = `[engine]\nfeed_entries = 64\nsend_buffer = 4096\nstall_limit = "${STALL}"\nworkers = 2\n[auth]\ncallback = "${backend.url}"\n[dialects.plex]\nping_interval = "${PINGS}"\n[dialects.audiobookshelf]\nping_interval = "${PINGS}"\n[[libraries]]\nid = "films"\n${canaryTables}${loadTables}`;
    server = await startServer({ server: further, tables });
    canary = await startCanary(server);
    prometheus = await startPrometheus({ fanfare: [new URL(server.metrics).host], 'fanfare-canary': [canary.host] });
  });
  after(async () => {
    await stopLoad();
    await prometheus?.stop();
    await canary?.stop();
    await server?.stop();
    backend?.stop();
  });

  test('where nothing happens every panel has numbers, and none that is not one', async () => {
    const bad = [];
    for (const { name, expr } of queries) {
      const series = await prometheus.now(expr);
      if (series.length === 0) bad.push(`${name}: empty: ${expr}`);
      if (series.some(({ values }) => !values.every(Number.isFinite))) bad.push(`${name}: not a number: ${expr}`);
    }
    assert.deepEqual(bad, []);
  });

  test('under load every panel shows what happens', async () => {
    const steady = startSteadyLoad(server, CLIENTS, SECONDS);
    const areIn = until('the load tester\'s clients are in', async () => (await prometheus.now('sum(fanfare_connections)'))[0].values[0] > CLIENTS);
    await Promise.race([areIn, steady.failed]);
    const end = await Promise.race([load(server, SECONDS, PAUSE), steady.failed]);
    stopLoad = async () => { end(); await steady.stop(); };
    const bad = [];
    for (const { name, panel, line, expr } of queries) {
      const series = await prometheus.over(expr, SECONDS);
      answers.set(panel, [...(answers.get(panel) ?? []), series]);
      const values = series.flatMap((one) => one.values);
      if (values.length === 0) bad.push(`${name}: empty: ${expr}`);
      if (!values.every(Number.isFinite)) bad.push(`${name}: not a number: ${expr}`);
      // Less than 0, too: of an error budget on a machine that is too busy nothing may be left.
      if (!MAY_BE_ZERO.has(panel.title) && !MAY_BE_ZERO.has(line) && !values.some((value) => value !== 0)) bad.push(`${name}: nothing but 0: ${expr}`);
    }
    assert.deepEqual(bad, []);
  });

  test('pings are timed in each protocol that has them', async () => {
    const answered = await prometheus.now('sum by (dialect) (fanfare_ping_rtt_seconds_count) > 0 and sum by (dialect) (fanfare_pings_sent_total) > 0');
    assert.deepEqual(answered.map(({ metric }) => metric.dialect).filter((name) => name !== 'mediabrowser').sort(), ['audiobookshelf', 'plex']);
  });

  test('what may be 0 is there', () => {
    const known = new Set(queries.flatMap(({ panel, line }) => [panel.title, line]));
    assert.deepEqual([...MAY_BE_ZERO].filter((name) => !known.has(name)), []);
  });

  test('every panel is drawn from these answers', () => {
    for (const dashboard of dashboards) {
      const drawn = pages(dashboard, (panel) => answers.get(panel));
      for (const panel of panels(dashboard)) assert.ok(drawn.some(({ html }) => html.includes(`<h3>${panel.title}</h3>`)), panel.title);
      for (const page of drawn) {
        assert.doesNotMatch(page.html, /NaN|Infinity|undefined/, page.name);
        if (FANFARE_PICTURES && dashboard.name === 'overview.json') picture(page, FANFARE_PICTURES);
      }
    }
  });

  test('every rule evaluates, and what is recorded is there', async () => {
    const loaded = await until('every rule was evaluated', async () => {
      const all = await prometheus.rules();
      return all.length === rules.length && all.every(({ health }) => health !== 'unknown') && all;
    });
    assert.deepEqual(loaded.filter(({ health, lastError }) => health !== 'ok' || lastError), []);
    for (const { name, type, query } of loaded) {
      const series = await prometheus.now(type === 'recording' ? name : query);
      if (type === 'recording') assert.equal(series.length, 1, name);
      assert.ok(series.every(({ values }) => values.every(Number.isFinite)), name);
    }
  });

  test('every metric that is asked for exists', async () => {
    const known = await prometheus.metrics();
    const asked = [...queries.map(({ expr }) => expr), ...rules.map(({ expr }) => expr)].join('\n').matchAll(/\b(fanfare_\w+|process_\w+|job_instance:[\w:]+)/g);
    const unknown = new Set([...asked].map(([name]) => name).filter((name) => !known.has(name)));
    assert.deepEqual([...unknown], []);
  });
});
