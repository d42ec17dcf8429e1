// What the engine says of itself once a second: `stats` of `/sse`.

/** Seconds that the charts show. */
const SHOWN_SECONDS = 120;
const delivered = [];
const latency = [];

const takeStats = (stats) => {
  put(at("now-connections"), figure(stats.connections));
  put(at("now-lagging"), figure(stats.lagging));
  mark(at("now-lagging"), stats.lagging > 0 ? "warn" : "");
  put(at("now-published"), figure(stats.published));
  put(at("now-delivered"), figure(stats.delivered));
  put(at("now-skipped"), figure(stats.skipped));
  mark(at("now-skipped"), stats.skipped > 0 ? "warn" : "");
  for (const name of ["p50", "p95", "p99"]) put(at(`now-${name}`), millis(stats.latency_ms?.[name]));
  draw("delivered", delivered, stats.delivered, (value) => `${figure(value)} a second`);
  draw("latency", latency, stats.latency_ms?.p99 ?? null, millis);
  byProtocol(stats.dialects ?? []);
  table("workers", stats.workers ?? [], ({ worker }) => worker, (worker) => [
    [String(worker.worker)], [figure(worker.connections), true],
    [typeof worker.busy === "number" ? `${figure(worker.busy * 100)} %` : "–", true, worker.busy > 0.9 ? "warn" : ""],
    [millis(worker.delay_ms), true, worker.delay_ms > 100 ? "warn" : ""],
  ]);
  table("shards", stats.shards ?? [], ({ shard }) => shard, (shard) => [
    [String(shard.shard)], [figure(shard.published), true],
    [`${figure(shard.waiting)} of ${figure(shard.capacity)}`, true, shard.waiting > 0.9 * shard.capacity ? "warn" : ""],
    [figure(shard.outstanding), true],
  ]);
};

const byProtocol = (dialects) => {
  table("dialects", dialects, ({ dialect }) => dialect, (one) => [
    [protocol(one.dialect)], [figure(one.connections), true], [figure(one.lagging), true, one.lagging > 0 ? "warn" : ""],
    [figure(one.delivered), true], [figure(one.skipped), true, one.skipped > 0 ? "warn" : ""],
    [millis(one.latency_ms?.p50), true], [millis(one.latency_ms?.p99), true],
  ]);
  const list = at("find-dialect");
  for (const { dialect } of dialects) {
    if (![...list.options].some(({ value }) => value === dialect)) list.append(new Option(protocol(dialect), dialect));
  }
};

/** A line through the last two minutes; seconds without a value are left out. */
const draw = (name, values, value, inWords) => {
  values.push(value);
  if (values.length > SHOWN_SECONDS) values.shift();
  const known = values.filter((one) => typeof one === "number");
  const highest = Math.max(...known, 0);
  const from = SHOWN_SECONDS - values.length;
  const point = (one, index) => (typeof one === "number" ? `${from + index + 1},${38 - (highest === 0 ? 0 : (36 * one) / highest)}` : "");
  at(`chart-${name}`).firstElementChild.setAttribute("points", values.map(point).filter(Boolean).join(" "));
  const words = known.length === 0 ? "No figures yet" : `now ${inWords(value)}, at most ${inWords(highest)} in the last ${values.length} s`;
  at(`chart-${name}`).setAttribute("aria-label", words);
  put(at(`chart-${name}-text`), words);
};

