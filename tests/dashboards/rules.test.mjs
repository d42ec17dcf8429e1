// Rules and their tests, as promtool judges them; and that each alert has somebody to tell and something to read.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { alerts, folder, read, rules, yaml } from './shipped.mjs';

const promtool = (...arguments_) => {
  const { status, stdout, stderr, error } = spawnSync('promtool', arguments_, { cwd: `${folder}prometheus`, encoding: 'utf8' });
  assert.ifError(error); // promtool comes with Debian's package prometheus
  assert.equal(status, 0, stdout + stderr);
};

test('promtool takes rules and settings', () => {
  promtool('check', 'rules', 'recording.yml', 'alerts.yml');
  promtool('check', 'config', 'prometheus.yml');
});

test('alerts fire where they should and are silent elsewhere', () => promtool('test', 'rules', 'tests.yml'));

test('each alert is tested both ways', () => {
  const { tests } = yaml('prometheus/tests.yml');
  const expectations = tests.flatMap(({ alert_rule_test: of }) => of);
  for (const { alert } of alerts) {
    const [firing, silent] = [(n) => n > 0, (n) => n === 0].map((wanted) => expectations.filter(({ alertname, exp_alerts: all }) => alertname === alert && wanted(all.length)));
    assert.ok(firing.length > 0, `${alert} never fires`);
    assert.equal(silent.length, 2, `${alert}: one test where everything is well, one where nothing happens`);
  }
});

test('each alert has a section that says what to look at and what to do', () => {
  const readme = read('README.md');
  for (const { alert, labels, annotations } of alerts) {
    assert.match(alert, /^Fanfare[A-Z]\w+$/);
    assert.ok(['critical', 'warning'].includes(labels.severity), alert);
    assert.equal(annotations.runbook_url, `dashboards/README.md#${alert.toLowerCase()}`);
    const [, section] = readme.split(`\n### ${alert}\n`);
    assert.ok(section, `no section ${alert}`);
    assert.match(section.split('\n#')[0], /\*\*Look at\*\*[^]*\*\*Do\*\*/, alert);
  }
  const sections = [...readme.matchAll(/^### (Fanfare\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(sections, alerts.map(({ alert }) => alert), 'the sections are those of the alerts, in their order');
});

test('recorded names say level, metric and operation', () => {
  for (const { record } of rules.filter((rule) => rule.record)) assert.match(record, /^job_instance:fanfare_\w+:\w+$/);
});
