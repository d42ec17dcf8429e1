// What the alerts are fired with in a test: are those the shipped ones, and only faster?
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { yaml } from './shipped.mjs';
import { expression, sixtieth, span } from './sixtieth.mjs';

test('a span becomes a sixtieth of itself', () => {
  const pairs = { '10m': '10s', '1h': '1m', '6h': '6m', '30s': '500ms', '1h30m': '90s', '2h': '2m', '15s': '250ms', '1s': '17ms', '1d': '24m', '60h': '1h', '0s': '0ms' };
  for (const [whole, part] of Object.entries(pairs)) assert.equal(span(whole), part, whole);
});

test('windows, subqueries and offsets of an expression change, and nothing else', () => {
  const pairs = {
    'rate(a_total[5m])': 'rate(a_total[5s])',
    'max_over_time(rate(a[1h])[30m:5m])': 'max_over_time(rate(a[1m])[30s:5s])',
    'max_over_time(a[ 30m : ])': 'max_over_time(a[30s:])',
    'a offset 1h - a offset -10m': 'a offset 1m - a offset -10s',
    'job:a:rate5m > 0.25': 'job:a:rate5m > 0.25',
    'a{le=~"[5m]",b=\'x offset 5m\'}[10m]': 'a{le=~"[5m]",b=\'x offset 5m\'}[10s]',
    '# as of [5m]\na[5m]': '# as of [5m]\na[5s]',
  };
  for (const [whole, part] of Object.entries(pairs)) assert.equal(expression(whole), part);
});

test('of the shipped rules every time changes, and nothing but times', () => {
  const again = { '1s': '1m', '2s': '2m', '5s': '5m', '10s': '10m', '15s': '15m', '30s': '30m', '1m': '1h', '6m': '6h' };
  for (const name of ['recording.yml', 'alerts.yml']) {
    const shipped = yaml(`prometheus/${name}`);
    const faster = sixtieth(shipped);
    for (const [index, group] of faster.groups.entries()) {
      assert.equal(group.name, shipped.groups[index].name);
      for (const [at, rule] of group.rules.entries()) {
        const whole = shipped.groups[index].rules[at];
        const back = { ...rule, expr: rule.expr.replace(/\[(\w+)\]/g, (_, part) => `[${again[part]}]`), ...(rule.for ? { for: again[rule.for] } : {}) };
        assert.deepEqual(back, whole);
        assert.equal(rule.expr === whole.expr, !/\[\d/.test(whole.expr), rule.alert ?? rule.record);
      }
    }
  }
});
