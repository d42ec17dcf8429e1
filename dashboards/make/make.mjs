// Writes the dashboards: `node dashboards/make/make.mjs`. With `--check` it writes nothing and fails where a file is not what it would be.
import { readFileSync, writeFileSync } from 'node:fs';

import { dashboards } from './dashboards.mjs';

const stale = Object.entries(dashboards).filter(([name, dashboard]) => {
  const file = new URL(`../grafana/${name}.json`, import.meta.url);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  if (process.argv.includes('--check')) return readFileSync(file, 'utf8') !== text;
  writeFileSync(file, text);
  return false;
});
if (stale.length > 0) {
  console.error(`not what dashboards/make makes: ${stale.map(([name]) => `${name}.json`).join(', ')}`);
  process.exitCode = 1;
}
