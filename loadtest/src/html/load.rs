//! Charts of the server's memory: against connections with the fitted line, and over time.

use super::Group;
use super::axis::{Axis, count, duration, memory};
use super::chart::{Chart, Look, Point};
use super::overtime::{mark_window, time_axis};
use crate::report::UnrelatedPoint;
use crate::series::ServerMoment;
use crate::stats::fit;

/// Resident memory against connections: every sample of every run, and the line through them.
pub(super) fn against_connections(groups: &[Group<'_>]) -> Option<Chart> {
    let samples = |group: &Group<'_>| -> Vec<Point> {
        let taken = group.runs.iter().filter_map(|run| run.memory.as_ref()).flat_map(|memory| &memory.connecting);
        taken.map(|sample| (sample.connections as f64, sample.rss_kib as f64)).collect()
    };
    let all: Vec<_> = groups
        .iter()
        .enumerate()
        .map(|(place, group)| (place, group, samples(group)))
        .filter(|(_, _, samples)| !samples.is_empty())
        .collect();
    let points = || all.iter().flat_map(|(_, _, samples)| samples);
    let most = points().map(|point| point.0).reduce(f64::max)?;
    let largest = points().map(|point| point.1).fold(0.0, f64::max);
    let lines: Vec<_> = all.iter().map(|(_, _, samples)| fit(samples)).collect();
    let said = all.iter().zip(&lines).filter_map(|((_, group, _), line)| {
        line.map(|line| {
            format!(
                "{}: {:.2} KiB per connection, {:.0} KiB without any, R² {:.3}.",
                group.name, line.slope, line.intercept, line.r_squared
            )
        })
    });
    let described = said.collect::<Vec<_>>().join(" ");
    let x = Axis::from_zero("connections", most, count);
    let mut chart = Chart::new("Resident memory against connections", &described, x, Axis::of_memory("resident memory", largest));
    for ((place, group, samples), line) in all.iter().zip(&lines) {
        let look = Look { colour: *place, dash: 0 };
        if let Some(line) = line {
            chart.line(&[(0.0, line.intercept), (most, line.intercept + line.slope * most)], look);
        }
        let named: Vec<_> = samples.iter().map(|(x, y)| (*x, *y, format!("{}: {x} connections, {}", group.name, memory(*y)))).collect();
        chart.points(&named, look);
        chart.name(&group.name, look);
    }
    chart.note(&described);
    Some(chart)
}

/// The cost of a delivery against the number of clients it is not for: every run, and the line through the total costs.
pub(super) fn beside_strangers(groups: &[Group<'_>]) -> Option<Chart> {
    let (group, run) = groups.iter().find_map(|group| Some((group, group.runs.iter().find(|run| !run.unrelated.is_empty())?)))?;
    let most = run.unrelated.iter().map(|point| point.strangers).max()? as f64;
    let largest = run.unrelated.iter().map(|point| point.cost.total_us).fold(0.0, f64::max);
    let rise =
        crate::unrelated::rise_percent(run).map_or(String::new(), |rise| format!(" By the line a delivery costs {rise:+.1} % beside all."));
    let described = format!("CPU of the server per delivery beside clients of other libraries, every run a point.{rise}");
    let x = Axis::from_zero("clients of other libraries", most, count);
    let mut chart =
        Chart::new("Cost of a delivery against unrelated clients", &described, x, Axis::from_zero("CPU per delivery", largest, duration));
    type Value = fn(&UnrelatedPoint) -> f64;
    let chosen: [(&str, Value); 2] = [("total", |point| point.cost.total_us), ("user", |point| point.cost.user_us)];
    for (colour, (name, value)) in chosen.into_iter().enumerate() {
        let look = Look { colour, dash: 0 };
        let line = fit(&run.unrelated.iter().map(|point| (point.strangers as f64, value(point))).collect::<Vec<_>>());
        if let Some(line) = line {
            chart.line(&[(0.0, line.intercept), (most, line.intercept + line.slope * most)], look);
        }
        let said = |point: &UnrelatedPoint| format!("{} clients of other libraries: {:.3} µs {name}", point.strangers, value(point));
        let points: Vec<_> = run.unrelated.iter().map(|point| (point.strangers as f64, value(point), said(point))).collect();
        chart.points(&points, look);
        chart.name(&format!("{} {name}", group.name), look);
    }
    chart.note(&described);
    Some(chart)
}

/// Memory of the first group that is not the floor, over time: resident, proportional, anonymous, kernel sockets.
pub(super) fn memory_over_time(groups: &[Group<'_>]) -> Option<Chart> {
    let group = groups.iter().find(|group| group.name != "floor").or_else(|| groups.first())?;
    let (place, run) = group.typical()?;
    type Value = fn(&ServerMoment) -> u64;
    let chosen: [(&str, Value); 4] = [
        ("resident (RSS)", |moment| moment.rss_kib),
        ("proportional (PSS)", |moment| moment.pss_kib),
        ("anonymous", |moment| moment.anon_kib),
        ("kernel socket buffers, whole machine", |moment| moment.socket_kib),
    ];
    let largest = run.series.server.iter().map(|moment| moment.rss_kib.max(moment.socket_kib)).max()?;
    let described = "The kernel's buffers for sockets are not part of a process's resident memory and stand beside it.";
    let title = format!("Server memory over time: {}", group.typical_name(place));
    let mut chart = Chart::new(&title, described, time_axis(run), Axis::of_memory("memory", largest as f64));
    mark_window(&mut chart, run);
    for (colour, (name, value)) in chosen.iter().enumerate() {
        let look = Look { colour, dash: colour % 2 };
        chart.line(&run.series.server.iter().map(|moment| (moment.to_ms / 1000.0, value(moment) as f64)).collect::<Vec<_>>(), look);
        chart.name(name, look);
    }
    chart.note(described);
    Some(chart)
}
