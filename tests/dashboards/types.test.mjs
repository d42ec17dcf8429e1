// The dashboards against Grafana's own types: whatever it does not know, or expects otherwise, is an error of the compiler.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { dashboards } from './shipped.mjs';

// Beside the packages, so that the compiler finds them.
const folder = fileURLToPath(new URL('./node_modules/.checked/', import.meta.url));

// JSON has the values of enumerations, not their names. What a panel's `options` and `custom` may hold depends on its type;
// what a target may hold is the data source's business, and the types have no word for Prometheus': written here.
const HEAD = `
import type { Dashboard, DataSourceRef, FieldConfig, FieldConfigSource, Panel, RowPanel, AnnotationQuery } from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type { Options as Lines, FieldConfig as LinesCustom } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { Options as Heat, FieldConfig as HeatCustom } from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen';
type Plain<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
interface Target { datasource: DataSourceRef; editorMode: 'code'; expr: string; format?: 'heatmap'; legendFormat: string; range: true; refId: string }
type Defaults<C> = Omit<FieldConfig, 'custom'> & { custom?: C };
type Of<T extends string, O, C> = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'>
  & { type: T; options: O; targets: Target[]; fieldConfig: Omit<FieldConfigSource, 'defaults'> & { defaults: Defaults<C> } };
type Shown = Of<'timeseries', Lines, LinesCustom> | Of<'stat', Stat, never> | Of<'heatmap', Heat, HeatCustom>;
type Row = Omit<RowPanel, 'panels'> & { panels: Shown[] };
type Mark = AnnotationQuery & { expr?: string; titleFormat?: string; useValueForTime?: boolean; step?: string };
type Whole = Plain<Omit<Dashboard, 'panels' | 'annotations'> & { panels: Array<Shown | Row>; annotations: { list: Mark[] } }>;
`;

const compile = (text) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}dashboards.ts`, text);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext'];
  return spawnSync('node', [fileURLToPath(new URL('./node_modules/typescript/bin/tsc', import.meta.url)), ...options, 'dashboards.ts'], { cwd: folder, encoding: 'utf8' });
};

test('Grafana knows everything the dashboards say', () => {
  const checked = dashboards.map(({ json }, index) => `export const d${index}: Whole = ${JSON.stringify(json, null, 1)};`);
  const { status, stdout, stderr } = compile(HEAD + checked.join('\n'));
  assert.equal(status, 0, stdout + stderr);
});

test('what Grafana does not know is found', () => {
  const [{ json }] = dashboards;
  for (const [place, wrong] of [
    ['"refresh"', '"refreshes"'], ['"lastNotNull"', '7'], ['"type": "timeseries"', '"type": "line"'], ['"drawStyle": "line"', '"drawStyle": "lines"'],
  ]) {
    const text = JSON.stringify(json, null, 1);
    assert.ok(text.includes(place), place);
    const { status } = compile(`${HEAD}export const wrong: Whole = ${text.replace(place, wrong)};`);
    assert.notEqual(status, 0, `${place} as ${wrong}`);
  }
});
