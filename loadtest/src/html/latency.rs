//! Charts of latency: percentile spectrum, distribution, against offered load, fairness.

use super::Group;
use super::axis::{Axis, count, duration, percent, plain};
use super::chart::{COLOURS, Chart, Look, Point};
use hdrhistogram::Histogram;

/// One line: a group, or one dialect of it.
struct Curve {
    name: String,
    look: Look,
    latency: Histogram<u64>,
}

/// Latency over the percentiles, each further nine as wide as the one before.
pub(super) fn spectrum(groups: &[Group<'_>]) -> Option<Chart> {
    let curves = curves(groups);
    let most = curves.iter().map(|curve| curve.latency.len()).max()?;
    let y = Axis::logarithmic("latency", extent(&curves)?, duration);
    let title = "Latency by percentile";
    let mut chart = Chart::new(title, &described(title, &curves), Axis::percentiles("share of deliveries that were faster", most), y);
    for curve in &curves {
        chart.line(&spectrum_points(&curve.latency), curve.look);
        chart.name(&curve.name, curve.look);
    }
    chart.note("Flat is good. The right end is the slowest single delivery that was timed.");
    Some(chart)
}

/// The share of deliveries that were at least as fast.
pub(super) fn distribution(groups: &[Group<'_>]) -> Option<Chart> {
    let curves = curves(groups);
    let title = "Distribution of latency";
    let x = Axis::logarithmic("latency", extent(&curves)?, duration);
    let mut chart = Chart::new(title, &described(title, &curves), x, Axis::from_zero("deliveries", 100.0, percent));
    for curve in &curves {
        let at = |step: u32| (curve.latency.value_at_quantile(f64::from(step) / 200.0) as f64 / 1000.0, f64::from(step) / 2.0);
        chart.line(&(0..=200).map(at).collect::<Vec<_>>(), curve.look);
        chart.name(&curve.name, curve.look);
    }
    Some(chart)
}

/// Latency against offered load, where several loads were tried.
pub(super) fn against_load(groups: &[Group<'_>]) -> Option<Chart> {
    let ramps: Vec<_> =
        groups.iter().filter_map(|group| group.runs.iter().find(|run| !run.ramp.is_empty()).map(|run| (group, &run.ramp))).collect();
    let points = || ramps.iter().flat_map(|(_, ramp)| ramp.iter());
    let most = points().map(|point| point.rate).max()?;
    let known = || points().filter(|point| point.p50_us > 0.0);
    let smallest = known().map(|point| point.p50_us).fold(f64::INFINITY, f64::min);
    let largest = known().map(|point| point.p99_us).fold(0.0, f64::max);
    let x = Axis::from_zero("events offered per second", most as f64, count);
    let held = points().filter(|point| point.held).map(|point| point.rate).max();
    let described =
        held.map_or("No load held the goal.".to_owned(), |rate| format!("The highest load that held the goal: {rate} events per second."));
    let mut chart = Chart::new("Latency against offered load", &described, x, Axis::logarithmic("latency", (smallest, largest), duration));
    for (place, (group, ramp)) in ramps.iter().enumerate() {
        let mut sorted: Vec<_> = ramp.iter().filter(|point| point.p50_us > 0.0).collect();
        sorted.sort_by_key(|point| point.rate);
        type Percentile = fn(&crate::report::RampPoint) -> f64;
        let chosen: [(&str, usize, Percentile); 2] = [("p99", 0, |point| point.p99_us), ("p50", 1, |point| point.p50_us)];
        for (name, dash, percentile) in chosen {
            let look = Look { colour: place, dash };
            chart.line(&sorted.iter().map(|point| (point.rate as f64, percentile(point))).collect::<Vec<_>>(), look);
            chart.name(&format!("{} {name}", group.name), look);
        }
        for point in &sorted {
            let state = if point.held { "held" } else { "not held" };
            let text = format!("{} ev/s: p99 {}, {state} {}", point.rate, duration(point.p99_us), point.reasons.join("; "));
            let colour = if point.held { 2 } else { 1 };
            chart.points(&[(point.rate as f64, point.p99_us, text)], Look { colour, dash: 0 });
        }
    }
    chart.note(&format!("{described} Green points held it, orange ones did not."));
    Some(chart)
}

/// The mean latency of each client by the order in which it connected.
pub(super) fn fairness(groups: &[Group<'_>]) -> Option<Chart> {
    let mut shown = Vec::new();
    for group in groups {
        let Some((place, run)) = group.typical() else { continue };
        for one in &run.dialects {
            let name = match (run.dialects.len(), groups.len()) {
                (1, _) => group.typical_name(place),
                (_, 1) => one.dialect.clone(),
                _ => format!("{} {}", group.typical_name(place), one.dialect),
            };
            shown.extend(one.fairness.as_ref().map(|fairness| (name, fairness)));
        }
    }
    let most = shown.iter().flat_map(|(_, fairness)| &fairness.bands).map(|band| band.to).max()?;
    let largest = shown.iter().map(|(_, fairness)| fairness.max_us).fold(0.0, f64::max);
    let said = |(name, fairness): &(String, &crate::fairness::Fairness)| {
        let [low, middle, high] = [fairness.min_us, fairness.p50_us, fairness.max_us].map(duration);
        format!(
            "{name}: mean latency of the luckiest client {low}, of the middle one {middle}, of the unluckiest {high}, Jain's index {:.4}.",
            fairness.jain
        )
    };
    let described = shown.iter().map(said).collect::<Vec<_>>().join(" ");
    let x = Axis::up_to("clients of a kind in the order they connected", most as f64, plain);
    let mut chart = Chart::new("Fairness between clients", &described, x, Axis::from_zero("mean latency", largest, duration));
    for (colour, (name, fairness)) in shown.iter().enumerate() {
        let look = Look { colour, dash: colour / COLOURS };
        let points = |value: fn(&crate::fairness::Band) -> f64| {
            fairness.bands.iter().map(|band| (f64::midpoint(band.from as f64, band.to as f64), value(band))).collect::<Vec<_>>()
        };
        chart.area(&points(|band| band.max_us), &points(|band| band.min_us), look);
        chart.line(&points(|band| band.median_us), look);
        chart.name(name, look);
    }
    chart.note(&described);
    Some(chart)
}

fn curves(groups: &[Group<'_>]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for (place, group) in groups.iter().enumerate() {
        let dialects = group.dialects();
        let mut add = |name: String, latency: Histogram<u64>| {
            if !latency.is_empty() {
                let colour = curves.len();
                curves.push(Curve { name, look: Look { colour, dash: place.max(colour / COLOURS) }, latency });
            }
        };
        if dialects.len() < 2 {
            add(group.name.clone(), group.latency(None));
        } else {
            for dialect in dialects {
                let name = if groups.len() < 2 { dialect.to_owned() } else { format!("{} {dialect}", group.name) };
                add(name, group.latency(Some(dialect)));
            }
        }
    }
    curves
}

/// Microseconds of the fastest and slowest delivery.
fn extent(curves: &[Curve]) -> Option<(f64, f64)> {
    let smallest = curves.iter().map(|curve| curve.latency.min()).min()?;
    let largest = curves.iter().map(|curve| curve.latency.max()).max()?;
    Some((smallest.max(1000) as f64 / 1000.0, largest as f64 / 1000.0))
}

/// Places are `log10(1 / (1 - share))`, twenty to each nine, as far as there are values to tell them.
fn spectrum_points(latency: &Histogram<u64>) -> Vec<Point> {
    let end = (latency.len().max(1) as f64).log10();
    let mut points = Vec::new();
    let mut place = 0.0;
    while place < end {
        let share = 1.0 - 10f64.powf(-place);
        points.push((place, latency.value_at_quantile(share) as f64 / 1000.0));
        place += 0.05;
    }
    points.push((end, latency.max() as f64 / 1000.0));
    points
}

fn described(title: &str, curves: &[Curve]) -> String {
    let of = |curve: &Curve| {
        let at = |quantile: f64| duration(curve.latency.value_at_quantile(quantile) as f64 / 1000.0);
        format!("{}: median {}, 99 percent within {}, 99.9 percent within {}.", curve.name, at(0.5), at(0.99), at(0.999))
    };
    format!("{title}. {}", curves.iter().map(of).collect::<Vec<_>>().join(" "))
}
