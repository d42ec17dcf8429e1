// Numbers as Grafana writes them in the units that the dashboards use.
const SCALES = {
  none: [[1e9, ' Bil'], [1e6, ' Mil'], [1e3, ' K'], [0, '']],
  cps: [[1e6, ' Mc/s'], [1e3, ' Kc/s'], [0, ' c/s']],
  s: [[86_400, ' d', 86_400], [3_600, ' h', 3_600], [60, ' min', 60], [1, ' s'], [1e-3, ' ms'], [1e-6, ' µs'], [0, ' s']],
  percentunit: [[0, ' %', 0.01]],
  bytes: [[2 ** 30, ' GiB'], [2 ** 20, ' MiB'], [2 ** 10, ' KiB'], [0, ' B']],
  Bps: [[1e9, ' GB/s'], [1e6, ' MB/s'], [1e3, ' kB/s'], [0, ' B/s']],
};

export function written(value, unit = 'none', decimals) {
  if (!(unit in SCALES)) throw new Error(`no way to write the unit ${unit}`);
  const [from, suffix, size = from || 1] = SCALES[unit].find(([least]) => Math.abs(value) >= least);
  const scaled = value / size;
  // Three digits are as much as anybody reads of a chart.
  const digits = decimals ?? Math.max(0, Math.min(2, 2 - Math.floor(Math.log10(Math.abs(scaled) || 1))));
  return `${Number(scaled.toFixed(digits))}${suffix}`;
}
