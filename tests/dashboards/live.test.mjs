// Every expression of every panel and rule, evaluated by a real Prometheus: on a server where nothing happens, and under load.
// Every panel is drawn from what was answered; FANFARE_PICTURES names a folder where pictures of the main dashboard are left.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startServer } from '../clients/server.mjs';
import { canaryTables, startCanary } from './canary.mjs';
import { load } from './load.mjs';
import { loadTables, startSteadyLoad } from './loadtester.mjs';
import { pages, picture } from './pictures.mjs';
import { startPrometheus, until } from './prometheus.mjs';
import { dashboards, panels, rules } from './shipped.mjs';

const { FANFARE_PICTURES } = process.env;
// Pictures want a longer curve, and more clients.
const [SECONDS, CLIENTS, PAUSE, PINGS] = FANFARE_PICTURES ? [90, 120, 500, '20s'] : [8, 20, 50, '1s'];

const VARIABLES = { $__rate_interval: '5s', $__range: '1m', $quantile: '0.99', $job: '.*', $instance: '.*', $dialect: '.*' };
const filled = (expr) => Object.entries(VARIABLES).reduce((text, [name, value]) => text.replaceAll(name, value), expr);

const queries = dashboards.flatMap((dashboard) =>
  panels(dashboard).flatMap((panel) => panel.targets.map(({ expr }) => ({ name: `${dashboard.name}, ${panel.title}`, panel, expr: filled(expr) }))));

// What a server that is well has none of, however much goes on: there all numbers may be 0.
const MAY_BE_ZERO = new Set([
  'Bugs', 'Ways the canary finds shut', 'Says goodbye', 'Reload failed', 'Not delivered on purpose', 'Stalled and closed', 'Abandoned', 'Lost actors and standing workers', 'Segments sent again', 'Batches that found no room',
  'Batches refused for want of credit', 'Encoders that failed', 'Ended without a sign of life', 'Mailboxes filled', 'On the way to workers',
  'Places used', 'Time a back end takes', 'Answers remembered',
]);

describe('a server that Prometheus reads', () => {
  let server, canary, prometheus;
  let stopLoad = async () => {};
  const answers = new Map(); // of each panel, for each of its targets

  before(async () => {
    const further = 'metrics_libraries = ["films"]';
    const tables = `[engine]\nfeed_entries = 64\nworkers = 2\n[dialects.plex]\nping_interval = "${PINGS}"\n[[libraries]]\nid = "films"\n${canaryTables}${loadTables}`;
    server = await startServer({ server: further, tables });
    canary = await startCanary(server);
    prometheus = await startPrometheus({ fanfare: [new URL(server.metrics).host], 'fanfare-canary': [canary.host] });
  });
  after(async () => {
    await stopLoad();
    await prometheus?.stop();
    await canary?.stop();
    await server?.stop();
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
    for (const { name, panel, expr } of queries) {
      const series = await prometheus.over(expr, SECONDS);
      answers.set(panel, [...(answers.get(panel) ?? []), series]);
      const values = series.flatMap((one) => one.values);
      if (values.length === 0) bad.push(`${name}: empty: ${expr}`);
      if (!values.every(Number.isFinite)) bad.push(`${name}: not a number: ${expr}`);
      if (!MAY_BE_ZERO.has(panel.title) && !values.some((value) => value > 0)) bad.push(`${name}: nothing but 0: ${expr}`);
    }
    assert.deepEqual(bad, []);
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
