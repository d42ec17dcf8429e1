// What is shipped in dashboards/, as the tests read it.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

export const folder = fileURLToPath(new URL('../../dashboards/', import.meta.url));
export const read = (path) => readFileSync(`${folder}${path}`, 'utf8');
export const yaml = (path) => parse(read(path));

export const dashboards = readdirSync(`${folder}grafana`)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, json: JSON.parse(read(`grafana/${name}`)) }));

// Panels as a reader sees them: those of closed rows, too.
export const panels = ({ json }) => json.panels.flatMap((panel) => (panel.type === 'row' ? panel.panels : [panel]));

export const rules = ['recording.yml', 'alerts.yml'].flatMap((name) => yaml(`prometheus/${name}`).groups.flatMap((group) => group.rules));
export const alerts = rules.filter((rule) => rule.alert);
