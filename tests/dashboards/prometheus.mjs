// A real Prometheus on a port of its own that reads some targets every second or oftener, with the rules that are shipped or
// others.
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { stringify } from 'yaml';

import { folder } from './shipped.mjs';

const PATIENCE_SECONDS = 20;

export async function until(what, look, seconds = PATIENCE_SECONDS) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await wait(100);
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const shipped = ['recording.yml', 'alerts.yml'].map((name) => `${folder}prometheus/${name}`);

// `jobs`: the targets of each, by its name.
export async function startPrometheus(jobs, { ruleFiles = shipped, every = '1s' } = {}) {
  const targets = Object.values(jobs).flat();
  const home = mkdtempSync(join(tmpdir(), 'fanfare-prometheus-'));
  const config = {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    rule_files: ruleFiles,
    scrape_configs: Object.entries(jobs).map(([name, of]) => ({ job_name: name, static_configs: [{ targets: of }] })),
  };
  writeFileSync(join(home, 'prometheus.yml'), stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const log = openSync(join(home, 'log'), 'a');
  const flags = [`--config.file=${home}/prometheus.yml`, `--storage.tsdb.path=${home}/data`, `--web.listen-address=${address}`, '--log.level=warn'];
  const child = spawn('prometheus', flags, { stdio: ['ignore', log, log] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.once('error', () => {}); // its end is found below

  async function ask(path, parameters = {}) {
    const answer = await fetch(`http://${address}/api/v1/${path}`, { method: path.startsWith('query') ? 'POST' : 'GET', body: path.startsWith('query') ? new URLSearchParams(parameters) : undefined });
    const { status, data, error } = await answer.json();
    if (status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`);
    return data;
  }
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  const prometheus = {
    stop,
    rules: async () => (await ask('rules')).groups.flatMap((group) => group.rules),
    metrics: async () => new Set(await ask('label/__name__/values')),
    // The numbers of each series: now, or over the latest seconds, there with their times.
    now: async (query) => (await ask('query', { query })).result.map(({ metric, value }) => ({ metric, values: [Number(value[1])] })),
    over: async (query, seconds) => {
      const end = Date.now() / 1000;
      const { result } = await ask('query_range', { query, start: end - seconds, end, step: 1 });
      return result.map(({ metric, values }) => {
        const points = values.map(([time, value]) => [time, Number(value)]);
        return { metric, points, values: points.map(([, value]) => value) };
      });
    },
  };
  try {
    await until('Prometheus has read every target four times', async () => {
      if (child.exitCode !== null || child.pid === undefined) throw new Error('Prometheus does not run: install Debian\'s package prometheus');
      return fetch(`http://${address}/-/ready`).then(async ({ ok }) => ok && (await prometheus.now('sum_over_time(up[1m]) >= 4')).length === targets.length, () => false);
    });
  } catch (error) {
    error.message += `\n${readFileSync(join(home, 'log'), 'utf8')}`;
    await stop();
    throw error;
  }
  return prometheus;
}
