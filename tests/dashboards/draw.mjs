// Panels of a dashboard as small charts, from what Prometheus answered: in HTML with SVG, on a light ground. It knows what the
// dashboards beside it use of Grafana's panels, and no more.
import { HeatmapChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, VisualMapComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

import { written } from './units.mjs';

use([LineChart, HeatmapChart, GridComponent, MarkLineComponent, VisualMapComponent, SVGRenderer]);

const PALETTE = ['#3274d9', '#e0752d', '#508642', '#ba43a9', '#b8860b', '#0a8f8f', '#bf1b00', '#6d5fc7', '#666666', '#8f3bb8'];
const NAMED = { green: '#2f7d36', orange: '#b85c00', red: '#c4162a' };
const TEXT = { color: '#52575f', fontSize: 10, fontFamily: 'sans-serif' };
const LEGEND_LINES = 5;

const escape = (text) => String(text).replace(/[&<>"]/g, (one) => `&#${one.charCodeAt()};`);
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);
const legend = (format, metric) => format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? '').trim() || 'value';

// `answers`: for each target of the panel the series it got, with points of [seconds, number].
export function draw(panel, answers, width, height) {
  const series = panel.targets.flatMap(({ legendFormat }, index) =>
    answers[index].map(({ metric, points }) => ({ name: legend(legendFormat, metric), metric, points })));
  if (series.length === 0) throw new Error(`${panel.title}: nothing to draw`);
  const kinds = { timeseries: lines, stat: number, heatmap };
  return kinds[panel.type](panel, series, width, height);
}

function chart(width, height, option) {
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width, height });
  drawn.setOption({ animation: false, color: PALETTE, ...option });
  const svg = drawn.renderToSVGString();
  drawn.dispose();
  return svg;
}

const frame = ({ title }, inner) => `<section><h3>${escape(title)}</h3>${inner}</section>`;
const timeAxis = (min, max) => ({
  type: 'value', min, max, splitNumber: 5, axisLabel: { ...TEXT, formatter: clock, showMinLabel: false, showMaxLabel: false },
  axisLine: { lineStyle: { color: '#c7cbd1' } }, axisTick: { show: false }, splitLine: { lineStyle: { color: '#eff0f2' } },
});

function lines(panel, answered, width, height) {
  // The highest first: of many reasons most are 0.
  const highest = ({ points }) => Math.max(...points.map(([, value]) => value));
  const series = [...answered].sort((a, b) => highest(b) - highest(a));
  const { unit, min, max, custom, thresholds } = panel.fieldConfig.defaults;
  const isStacked = custom.stacking.mode === 'normal';
  const top = highest(series[0]);
  const limits = (thresholds?.steps ?? []).filter(({ value }) => value !== null && (value <= top || value === max));
  const times = series.flatMap(({ points }) => points.map(([time]) => time));
  const shown = series.slice(0, LEGEND_LINES);
  const svg = chart(width, height - 26 - 15 * (shown.length + 1), {
    grid: { left: 64, right: 12, top: 8, bottom: 20 },
    xAxis: timeAxis(Math.min(...times), Math.max(...times)),
    yAxis: {
      // Where there is nothing but 0 the axis still has a height.
      type: 'value', min, max: max ?? (top > 0 ? undefined : 1), splitNumber: 3, ...(max === 1 || top === 0 ? { interval: 0.5 } : {}), axisLabel: { ...TEXT, formatter: (value) => written(value, unit) }, splitLine: { lineStyle: { color: '#e6e8eb' } },
    },
    series: series.map(({ name, points }, index) => ({
      type: 'line', name, data: points, showSymbol: false, lineStyle: { width: 1.3 }, areaStyle: { opacity: custom.fillOpacity / 100 },
      ...(isStacked ? { stack: 'all' } : {}),
      ...(index === 0 && limits.length > 0 ? {
        markLine: { silent: true, symbol: 'none', label: { show: false }, lineStyle: { type: 'dashed', color: NAMED.red }, data: limits.map(({ value }) => ({ yAxis: value })) },
      } : {}),
    })),
  });
  const rows = shown.map(({ name, points }, index) => {
    const values = points.map(([, value]) => value);
    return `<tr><td><i style="background:${PALETTE[index % PALETTE.length]}"></i>${escape(name)}</td><td>${written(values.at(-1), unit)}</td><td>${written(highest(shown[index]), unit)}</td></tr>`;
  });
  const more = series.length > shown.length ? `and ${series.length - shown.length} that are lower` : '';
  return frame(panel, `${svg}<table><tr><th>${more}</th><th>last</th><th>max</th></tr>${rows.join('')}</table>`);
}

function number(panel, [{ points }], width, height) {
  const { unit, decimals, thresholds } = panel.fieldConfig.defaults;
  const value = points.at(-1)[1];
  const { color } = thresholds.steps.filter((step) => step.value === null || value >= step.value).at(-1);
  const isFilled = panel.options.colorMode === 'background';
  const svg = chart(width, height - 82, {
    grid: { left: 0, right: 0, top: 2, bottom: 0 },
    xAxis: { type: 'value', show: false, min: points[0][0], max: points.at(-1)[0] },
    yAxis: { type: 'value', show: false, scale: true },
    series: [{ type: 'line', data: points, showSymbol: false, lineStyle: { width: 1.2, color: isFilled ? '#fff' : NAMED.green }, areaStyle: { opacity: 0.2, color: isFilled ? '#fff' : NAMED.green } }],
  });
  const style = isFilled ? `background:${NAMED[color]};color:#fff` : `color:${NAMED[color]}`;
  return `<section class="number" style="${style}"><h3>${escape(panel.title)}</h3><b>${written(value, unit, decimals)}</b>${svg}</section>`;
}

// Prometheus counts what is at most a bound; a field is what lies between two.
function heatmap(panel, series, width, height) {
  const { unit } = panel.options.yAxis;
  const bounds = series.map(({ metric, points }) => ({ le: Number(metric.le.replace('+Inf', 'Infinity')), points: new Map(points) })).sort((a, b) => a.le - b.le);
  const times = [...new Set(series.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b);
  const fields = bounds.flatMap(({ points }, row) => times.map((time, column) => {
    const below = row === 0 ? 0 : bounds[row - 1].points.get(time) ?? 0;
    return [column, row, Math.max(0, (points.get(time) ?? 0) - below)];
  })).filter(([, , count]) => count > 0);
  const svg = chart(width, height - 30, {
    grid: { left: 64, right: 12, top: 8, bottom: 20 },
    xAxis: { type: 'category', data: times.map(clock), axisLabel: { ...TEXT, interval: Math.ceil(times.length / 8) }, axisTick: { show: false }, axisLine: { lineStyle: { color: '#c7cbd1' } } },
    yAxis: { type: 'category', data: bounds.map(({ le }) => (Number.isFinite(le) ? written(le, unit) : '+Inf')), axisLabel: TEXT, axisTick: { show: false }, axisLine: { show: false } },
    visualMap: { show: false, min: 0, max: Math.max(...fields.map(([, , count]) => count), 1), inRange: { color: ['#fff3e6', '#fdae6b', '#e6550d', '#7f2704'] } },
    series: [{ type: 'heatmap', data: fields, itemStyle: { borderWidth: 1, borderColor: '#fff' } }],
  });
  return frame(panel, svg);
}
