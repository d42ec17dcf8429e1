//! Charts over time of one group's typical run: latency as a heat map, deliveries, skips, publisher lateness, CPU by thread.

use super::Group;
use super::axis::{Axis, count, duration, percent, plain};
use super::chart::{Cell, Chart, Look, Point, SHADES};
use crate::report::Report;
use crate::series::{ClientMoment, Counted, halved};
use crate::tally::{lower_ns, quantile_ns};

/// Columns of a heat map at most.
const COLUMNS: usize = 130;
/// Rows of a heat map at most.
const ROWS: usize = 48;
/// Threads drawn at most; the others are in the table.
const THREADS: usize = 8;

/// All there are.
pub(super) fn charts(group: &Group<'_>) -> Vec<Option<Chart>> {
    let Some((place, run)) = group.typical() else { return Vec::new() };
    let name = group.typical_name(place);
    vec![heat(&name, run), deliveries(&name, run), processor(&name, run), lateness(&name, run), skips(&name, run)]
}

fn heat(name: &str, run: &Report) -> Option<Chart> {
    let columns = columns(run, |moment| &moment.latency);
    let lowest = columns.iter().filter_map(|column| column.latency.first()).map(|(bucket, _)| *bucket).min()?;
    let highest = columns.iter().filter_map(|column| column.latency.last()).map(|(bucket, _)| *bucket).max()?;
    let step = (highest + 1 - lowest).div_ceil(ROWS);
    let row = |bucket: usize| (bucket - lowest) / step;
    let edge = |row: usize| lower_ns(lowest + row * step) as f64 / 1000.0;
    let mut cells = Vec::new();
    let mut most = 1;
    for column in &columns {
        let mut rows = vec![0_u32; row(highest) + 1];
        column.latency.iter().for_each(|(bucket, count)| rows[row(*bucket)] += count);
        for (row, count) in rows.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            most = most.max(count);
            let (from, to) = ((column.from_ms / 1000.0, edge(row)), (column.to_ms / 1000.0, edge(row + 1)));
            cells.push((from, to, count));
        }
    }
    let y = Axis::logarithmic("latency", (edge(0), edge(row(highest) + 1)), duration);
    let described =
        "Each column is a moment, each cell a latency; the darker, the more deliveries. The lines are the median and the 99th percentile.";
    let mut chart = Chart::new(&format!("Latency over time: {name}"), described, time_axis(run), y);
    mark_window(&mut chart, run);
    let shade = |count: u32| (f64::from(count).ln() / f64::from(most).ln().max(1e-9) * SHADES as f64).min(SHADES as f64 - 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of shades")]
    let cells: Vec<_> = cells.into_iter().map(|(from, to, count)| Cell { from, to, shade: shade(count) as usize }).collect();
    chart.cells(&cells);
    for (name, quantile, dash) in [("median", 0.5, 1), ("p99", 0.99, 0)] {
        let look = Look { colour: 1, dash };
        chart.line(&quantiles(&columns, |moment| &moment.latency, quantile), look);
        chart.name(name, look);
    }
    chart.note(described);
    Some(chart)
}

fn deliveries(name: &str, run: &Report) -> Option<Chart> {
    let per_second = |value: fn(&ClientMoment) -> u64| rates(run, value);
    let seen = per_second(|moment| moment.deliveries);
    let largest = seen.iter().map(|point| point.1).fold(0.0, f64::max);
    if largest == 0.0 {
        return None;
    }
    let described = format!("{:.0} deliveries per second in the measured window.", run.deliveries_per_second);
    let y = Axis::from_zero("deliveries per second", largest, count);
    let mut chart = Chart::new(&format!("Throughput over time: {name}"), &described, time_axis(run), y);
    mark_window(&mut chart, run);
    chart.line(&seen, Look { colour: 0, dash: 0 });
    chart.note(&described);
    Some(chart)
}

fn skips(name: &str, run: &Report) -> Option<Chart> {
    let skipped = rates(run, |moment| moment.skipped);
    let largest = skipped.iter().map(|point| point.1).fold(0.0, f64::max);
    if largest == 0.0 {
        return None;
    }
    let described = "Skips the server announced in the streams. What it reports elsewhere has no time and is in the accounts.";
    let y = Axis::from_zero("skipped per second", largest, count);
    let mut chart = Chart::new(&format!("Skips over time: {name}"), described, time_axis(run), y);
    mark_window(&mut chart, run);
    chart.line(&skipped, Look { colour: 5, dash: 0 });
    chart.note(described);
    Some(chart)
}

fn lateness(name: &str, run: &Report) -> Option<Chart> {
    let columns = columns(run, |moment| &moment.lateness);
    let p99 = quantiles(&columns, |moment| &moment.lateness, 0.99);
    let largest = p99.iter().map(|point| point.1).fold(0.0, f64::max);
    let smallest = p99.iter().map(|point| point.1).reduce(f64::min)?;
    let described = format!("How late the publisher sent events; over the whole run p99 {}.", duration(run.publisher.lateness.p99_us));
    let y = Axis::logarithmic("lateness", (smallest, largest), duration);
    let mut chart = Chart::new(&format!("Publisher lateness over time: {name}"), &described, time_axis(run), y);
    mark_window(&mut chart, run);
    let lines = [("p99", 0.99, 0), ("median", 0.5, 1)];
    for (name, quantile, dash) in lines {
        let look = Look { colour: 4, dash };
        chart.line(&quantiles(&columns, |moment| &moment.lateness, quantile), look);
        chart.name(name, look);
    }
    chart.note(&described);
    Some(chart)
}

/// CPU of the server's threads, the busiest first.
fn processor(name: &str, run: &Report) -> Option<Chart> {
    let mut names: Vec<(&str, f64)> = Vec::new();
    for thread in run.series.server.iter().flat_map(|moment| &moment.threads) {
        let used = thread.user_ms + thread.system_ms;
        match names.iter_mut().find(|(known, _)| *known == thread.name) {
            Some((_, sum)) => *sum += used,
            None => names.push((&thread.name, used)),
        }
    }
    names.sort_by(|left, right| right.1.total_cmp(&left.1));
    let lines: Vec<_> = names.iter().take(THREADS).map(|(name, _)| (*name, thread_line(run, name))).collect();
    let largest = lines.iter().flat_map(|(_, line)| line).map(|point| point.1).reduce(f64::max)?;
    let described = "CPU of the server's threads, user and system together; threads of one name are added up. 100 % is one core.";
    let y = Axis::from_zero("CPU", largest, percent);
    let mut chart = Chart::new(&format!("Server CPU by thread: {name}"), described, time_axis(run), y);
    mark_window(&mut chart, run);
    for (colour, (name, line)) in lines.iter().enumerate() {
        let look = Look { colour, dash: 0 };
        chart.line(line, look);
        chart.name(name, look);
    }
    chart.note(described);
    Some(chart)
}

fn thread_line(run: &Report, name: &str) -> Vec<Point> {
    let moments = run.series.server.iter().filter(|moment| moment.to_ms - moment.from_ms > 100.0);
    moments
        .map(|moment| {
            let used: f64 =
                moment.threads.iter().filter(|thread| thread.name == name).map(|thread| thread.user_ms + thread.system_ms).sum();
            (moment.to_ms / 1000.0, 100.0 * used / (moment.to_ms - moment.from_ms))
        })
        .collect()
}

/// Seconds since sampling began, as far as there are samples.
pub(super) fn time_axis(run: &Report) -> Axis {
    let clients = run.series.clients.last().map_or(1.0, |moment| moment.to_ms);
    Axis::up_to("seconds", clients / 1000.0, plain)
}

pub(super) fn mark_window(chart: &mut Chart, run: &Report) {
    if let Some((from, to)) = run.series.window_ms {
        chart.stretch(from / 1000.0, to / 1000.0);
    }
}

/// The moments that have counts, joined until they fit.
fn columns(run: &Report, counts: fn(&ClientMoment) -> &Vec<Counted>) -> Vec<ClientMoment> {
    let mut columns: Vec<ClientMoment> = run.series.clients.clone();
    while columns.len() > COLUMNS {
        columns = halved(columns);
    }
    columns.retain(|column| !counts(column).is_empty());
    columns
}

fn quantiles(columns: &[ClientMoment], counts: fn(&ClientMoment) -> &Vec<Counted>, quantile: f64) -> Vec<Point> {
    let middle = |column: &ClientMoment| f64::midpoint(column.from_ms, column.to_ms) / 1000.0;
    columns.iter().filter_map(|column| Some((middle(column), quantile_ns(counts(column), quantile)? as f64 / 1000.0))).collect()
}

/// A counter per second. The last interval is cut short by the end of the run and left out when it is too short to tell.
fn rates(run: &Report, value: fn(&ClientMoment) -> u64) -> Vec<Point> {
    let moments = run.series.clients.iter().filter(|moment| moment.to_ms - moment.from_ms > 50.0);
    moments
        .map(|moment| {
            (f64::midpoint(moment.from_ms, moment.to_ms) / 1000.0, value(moment) as f64 * 1000.0 / (moment.to_ms - moment.from_ms))
        })
        .collect()
}
