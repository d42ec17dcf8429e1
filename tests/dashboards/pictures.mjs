// Pages of a dashboard's rows, and pictures of them: FANFARE_PICTURES names the folder where they are left. Chromium takes them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { draw } from './draw.mjs';

const COLUMN = 53;
const LINE = 31;
const GAP = 8;
const STYLE = `
body { margin: 0; padding: ${GAP}px; background: #f4f5f5; color: #24292e; font: 12px/1.25 sans-serif; }
h2 { font-size: 15px; margin: 4px 6px 8px; }
h2 small { font-weight: normal; color: #52575f; }
main { position: relative; }
main > div { position: absolute; }
section { box-sizing: border-box; height: 100%; background: #fff; border: 1px solid #dfe1e4; border-radius: 3px; padding: 6px; overflow: hidden; }
h3 { font-size: 12px; margin: 0 0 4px; }
table { border-collapse: collapse; width: 100%; font-size: 11px; }
td, th { padding: 0 6px; line-height: 15px; text-align: right; font-weight: normal; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; width: 100%; }
th { color: #3274d9; }
i { display: inline-block; width: 12px; height: 4px; margin: 0 6px 3px 0; border-radius: 2px; }
.number b { display: block; font-size: 27px; text-align: center; margin: 8px 0; }
`;

// The rows of a dashboard, each with a name and a page; `answered(panel)` has what its targets got.
export function pages({ name, json }, answered) {
  const heads = json.panels.filter(({ type }) => type === 'row');
  return heads.map((head, index) => {
    const panels = head.collapsed ? head.panels : json.panels.slice(json.panels.indexOf(head) + 1, json.panels.indexOf(heads[index + 1]));
    const from = Math.min(...panels.map(({ gridPos }) => gridPos.y));
    const placed = panels.map((panel) => {
      const { x, y, w, h } = panel.gridPos;
      const [width, height] = [w * COLUMN - GAP, h * LINE - GAP];
      return `<div style="left:${x * COLUMN}px;top:${(y - from) * LINE}px;width:${width}px;height:${height}px">${draw(panel, answered(panel), width - 14, height - 14)}</div>`;
    });
    const below = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) - from;
    const title = `<h2>${json.title} <small>${head.title}</small></h2>`;
    return {
      name: `${name.replace('.json', '')}-${index + 1}`,
      width: 24 * COLUMN + GAP,
      height: below * LINE + 2 * GAP + 31,
      html: `<!DOCTYPE html><meta charset="utf-8"><title>${json.title}</title><style>${STYLE}</style>${title}<main style="height:${below * LINE}px">${placed.join('')}</main>`,
    };
  });
}

export function picture({ name, width, height, html }, into) {
  const home = mkdtempSync(join(tmpdir(), 'fanfare-picture-'));
  try {
    writeFileSync(join(home, 'page.html'), html);
    mkdirSync(into, { recursive: true });
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--disable-dev-shm-usage', `--user-data-dir=${home}/profile`, `--window-size=${width},${height}`];
    const { status, stderr, error } = spawnSync(process.env.CHROMIUM ?? '/usr/bin/chromium', [...flags, `--screenshot=${into}/${name}.png`, `file://${home}/page.html`], { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`Chromium took no picture: ${error ?? stderr}`);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
