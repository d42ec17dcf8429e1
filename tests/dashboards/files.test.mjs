// The files that start Grafana and Prometheus fit each other (compose.test.mjs has more of that), and the dashboards are what their sources say.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

import { dashboards, folder, panels, yaml } from './shipped.mjs';

test('the dashboards are those their sources make', () => {
  const { status, stderr } = spawnSync(process.execPath, [`${folder}make/make.mjs`, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

test('dashboards and panels can be told apart, and say what they are', () => {
  const uids = dashboards.map(({ json }) => json.uid);
  assert.equal(new Set(uids).size, 6);
  for (const dashboard of dashboards) {
    const rows = dashboard.json.panels.filter(({ type }) => type === 'row');
    const shown = panels(dashboard);
    const ids = [...rows, ...shown].map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, dashboard.name);
    assert.deepEqual(rows.map(({ collapsed }) => collapsed), rows.map((_, index) => index > 0), 'the first row is open, the others are not');
    for (const { title, description, gridPos } of shown) {
      assert.ok(description.endsWith('.'), `${dashboard.name}, ${title}`);
      assert.ok(gridPos.x + gridPos.w <= 24, `${dashboard.name}, ${title}`);
    }
  }
});

test('Grafana finds Prometheus and the dashboards where they are put', () => {
  const compose = yaml('compose.yaml');
  const { prometheus, grafana, canary } = compose.services;
  const [source] = yaml('provisioning/datasources/prometheus.yml').datasources;
  assert.equal(source.url, 'http://127.0.0.1:9090');
  assert.equal(source.jsonData.timeInterval, yaml('prometheus/prometheus.yml').global.scrape_interval);
  const [provider] = yaml('provisioning/dashboards/fanfare.yml').providers;
  assert.ok(grafana.volumes.includes(`./grafana:${provider.options.path}:ro`));
  assert.ok(prometheus.volumes.includes('./prometheus:/etc/prometheus:ro'));
  for (const service of [prometheus, grafana, canary]) assert.equal(service.network_mode, 'service:fanfare');
});

test('Prometheus reads the canary where it listens, and the canary takes its flags', () => {
  const { canary } = yaml('compose.yaml').services;
  const [program, ...flags] = canary.command.split(' ');
  assert.match(program, /\/fanfare$/);
  const [{ static_configs: [{ targets }] }] = yaml('prometheus/prometheus.yml').scrape_configs.filter(({ job_name: name }) => name === 'fanfare-canary');
  assert.deepEqual(targets, [flags[flags.indexOf('--listen') + 1]]);
  // Of two that exclude each other, and nothing else, it complains before it does anything.
  const { status, stderr } = spawnSync(process.env.FANFARE_BIN, [...flags, '--once'], { encoding: 'utf8' });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /'--once' cannot be used with '--listen|'--listen <ADDRESS>' cannot be used with '--once'/);
});

test('what compose.yaml mounts, needs and keeps is there', () => {
  const { services, volumes } = yaml('compose.yaml');
  for (const [name, service] of Object.entries(services)) {
    assert.match(service.image, /:[\w.-]*\d[\w.-]*$/, `${name} has a version`);
    for (const [source] of service.volumes.map((volume) => volume.split(':'))) {
      if (source.startsWith('.')) assert.ok(existsSync(resolve(folder, source)), `${name}: ${source}`);
      else assert.ok(source in volumes, `${name}: ${source}`);
    }
    for (const needed of [service.depends_on ?? []].flatMap((one) => (Array.isArray(one) ? one : Object.keys(one)))) assert.ok(needed in services);
  }
});

test('the server takes the settings that compose.yaml gives it', () => {
  const { services, configs } = yaml('compose.yaml');
  const [{ source, target }] = services.fanfare.configs;
  assert.ok(services.fanfare.command.endsWith(` -- serve --config ${target}`));
  const settings = configs[source].content.replaceAll(/\$\{FANFARE_TOKEN:[^}]*\}/g, 'a-token-that-is-long-enough-0123456789');
  const home = mkdtempSync(join(tmpdir(), 'fanfare-compose-'));
  try {
    const file = join(home, 'fanfare.toml');
    writeFileSync(file, settings, { mode: 0o400 });
    const { status, stdout, stderr } = spawnSync(process.env.FANFARE_BIN, ['config', 'check', '--config', file], { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
