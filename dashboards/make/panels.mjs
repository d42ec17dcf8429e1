// How a panel, a row and a dashboard are written in Grafana's JSON, so that those beside this file say only what is shown.

// Every query is narrowed to what is chosen at the top of the dashboard.
export const SERVER = 'job=~"$job",instance=~"$instance"';
export const DIALECT = `${SERVER},dialect=~"$dialect"`;

const datasource = { type: 'prometheus', uid: '${datasource}' };

// A counter per second, summed by labels (none: over everything).
export const rate = (metric, by = '', labels = SERVER) => `${sum(by)} (rate(${metric}{${labels}}[$__rate_interval]))`;

// A gauge, summed by labels.
export const total = (metric, by = '', labels = SERVER) => `${sum(by)} (${metric}{${labels}})`;

const sum = (by) => (by ? `sum by (${by})` : 'sum');

// A share that is 0, not NaN, where there is nothing to share.
export const share = (part, whole) => `${part} / clamp_min(${whole}, 1e-9)`;

// What need not be there, as 0 where it is not. An `or` alone would add a line without labels to those that are there.
export const orZero = (expr) => `${expr} or (vector(0) unless on () ${expr})`;

// A quantile of a histogram. Where nothing was counted it is 0: a NaN would make the panel look broken.
export const quantile = (q, metric, by = '', labels = SERVER) => {
  const buckets = `sum by (${by ? `${by}, ` : ''}le) (rate(${metric}_bucket{${labels}}[$__rate_interval]))`;
  return `(histogram_quantile(${q}, ${buckets}) >= 0) or 0 * ${rate(`${metric}_count`, by, labels)}`;
};

// The mean of what a histogram counted.
export const mean = (metric, by = '', labels = SERVER) =>
  share(rate(`${metric}_sum`, by, labels), rate(`${metric}_count`, by, labels));

const targets = (queries) =>
  Object.entries(queries).map(([legend, expr], index) => ({
    datasource,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    range: true,
    refId: String.fromCharCode(65 + index),
  }));

const thresholds = (steps) => ({
  mode: 'absolute',
  steps: (steps ?? [[null, 'green']]).map(([value, color]) => ({ color, value })),
});

// Lines over time. `queries`: legend to expression. `limit`: a line from which on things are wrong.
export function lines(title, description, unit, queries, { width = 12, stack = false, limit, max } = {}) {
  const steps = limit === undefined ? undefined : [[null, 'transparent'], [limit, 'red']];
  const defaults = {
    unit,
    min: 0,
    ...(max === undefined ? {} : { max }),
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: 'line',
      fillOpacity: stack ? 30 : 8,
      lineWidth: 1,
      showPoints: 'never',
      stacking: { group: 'A', mode: stack ? 'normal' : 'none' },
      ...(steps ? { thresholdsStyle: { mode: 'dashed' } } : {}),
    },
    ...(steps ? { thresholds: thresholds(steps) } : {}),
  };
  const options = {
    legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  };
  return panel('timeseries', title, description, defaults, options, queries, [width, 8]);
}

// One number. `steps`: from which value on it has which colour.
export function number(title, description, unit, expr, { steps, width = 4, decimals } = {}) {
  const defaults = { unit, ...(decimals === undefined ? {} : { decimals }), color: { mode: 'thresholds' }, thresholds: thresholds(steps) };
  const options = {
    colorMode: steps ? 'background' : 'value',
    graphMode: 'area',
    justifyMode: 'auto',
    percentChangeColorMode: 'standard',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    orientation: 'auto',
    showPercentChange: false,
    textMode: 'auto',
    wideLayout: true,
  };
  return panel('stat', title, description, defaults, options, { [title]: expr }, [width, 5]);
}

// How a histogram's counts move over time, darker where there are more.
export function heat(title, description, unit, metric, labels = DIALECT, { width = 24 } = {}) {
  const options = {
    calculate: false,
    cellGap: 1,
    color: { exponent: 0.5, fill: 'dark-orange', mode: 'scheme', reverse: false, scale: 'exponential', scheme: 'Oranges', steps: 64 },
    exemplars: { color: 'rgba(255,0,255,0.7)' },
    filterValues: { le: 1e-9 },
    legend: { show: true },
    rowsFrame: { layout: 'auto' },
    showValue: 'never',
    tooltip: { mode: 'single', showColorScale: true, yHistogram: true },
    yAxis: { axisPlacement: 'left', unit },
  };
  const expr = `sum by (le) (increase(${metric}_bucket{${labels}}[$__rate_interval]))`;
  const made = panel('heatmap', title, description, { custom: { scaleDistribution: { type: 'linear' } } }, options, { '{{le}}': expr }, [width, 9]);
  made.targets[0].format = 'heatmap';
  return made;
}

const panel = (type, title, description, defaults, options, queries, [w, h]) => ({
  type,
  title,
  description,
  datasource,
  fieldConfig: { defaults, overrides: [] },
  gridPos: { h, w, x: 0, y: 0 },
  options,
  targets: targets(queries),
});

// A row of panels under a heading; closed until it is opened, but for the first of a dashboard.
export const row = (title, ...panels) => ({ title, panels });

// A whole dashboard. `variables` are those it has beside data source, job and instance.
export function dashboard(uid, title, description, variables, rows) {
  let y = 0;
  let id = 0;
  const panels = rows.flatMap(({ title: heading, panels: within }, index) => {
    const head = { type: 'row', id: (id += 1), title: heading, collapsed: index > 0, gridPos: { h: 1, w: 24, x: 0, y }, panels: [] };
    y += 1;
    const placed = place(within, y, () => (id += 1));
    if (index === 0) {
      y = Math.max(...placed.map(({ gridPos }) => gridPos.y + gridPos.h));
      return [head, ...placed];
    }
    return [{ ...head, panels: placed }];
  });
  return {
    uid: `fanfare-${uid}`,
    title: `Fanfare / ${title}`,
    description,
    tags: ['fanfare'],
    editable: true,
    graphTooltip: 1,
    links: [{
      asDropdown: true, icon: 'external link', includeVars: true, keepTime: true, tags: ['fanfare'], targetBlank: false,
      title: 'Fanfare', tooltip: '', type: 'dashboards', url: '',
    }],
    annotations: { list: annotations },
    panels,
    refresh: '10s',
    schemaVersion: 42,
    templating: { list: [...common, ...variables] },
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
  };
}

function place(panels, from, nextId) {
  let [x, y, height] = [0, from, 0];
  return panels.map((each) => {
    const { w, h } = each.gridPos;
    if (x + w > 24) [x, y, height] = [0, y + height, 0];
    const placed = { id: nextId(), ...each, gridPos: { h, w, x, y } };
    [x, height] = [x + w, Math.max(height, h)];
    return placed;
  });
}

const ofMetric = (name, label, metric, multi) => ({
  type: 'query',
  name,
  label: name,
  datasource,
  query: { qryType: 1, query: `label_values(${metric}, ${label})`, refId: `Variable${name}` },
  refresh: 2,
  sort: 1,
  multi,
  includeAll: multi,
  ...(multi ? { allValue: '.*', current: { selected: true, text: ['All'], value: ['$__all'] } } : {}),
});

const common = [
  { type: 'datasource', name: 'datasource', label: 'data source', query: 'prometheus', refresh: 1, multi: false, includeAll: false },
  ofMetric('job', 'job', 'fanfare_build_info', true),
  ofMetric('instance', 'instance', 'fanfare_build_info{job=~"$job"}', true),
];

export const dialect = ofMetric('dialect', 'dialect', 'fanfare_connections{job=~"$job",instance=~"$instance"}', true);

export const quantiles = {
  type: 'custom',
  name: 'quantile',
  label: 'quantile',
  query: '0.5,0.95,0.99,0.999',
  multi: false,
  includeAll: false,
  current: { selected: true, text: '0.99', value: '0.99' },
  options: ['0.5', '0.95', '0.99', '0.999'].map((value) => ({ selected: value === '0.99', text: value, value })),
};

// What happened to the server itself, as marks over every panel.
const mark = (name, color, expr, title) => ({
  datasource, enable: true, expr, iconColor: color, name, titleFormat: title, useValueForTime: false, step: '10s',
});

const annotations = [
  {
    builtIn: 1, datasource: { type: 'grafana', uid: '-- Grafana --' }, enable: true, hide: true,
    iconColor: 'rgba(0, 211, 255, 1)', name: 'Annotations & Alerts', type: 'dashboard',
  },
  mark('Drains', 'orange', `fanfare_draining{${SERVER}} == 1`, '{{instance}} says goodbye to its clients'),
  mark('Starts', 'blue', `changes(process_start_time_seconds{${SERVER}}[1m]) > 0`, '{{instance}} has started'),
];
