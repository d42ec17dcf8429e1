//! Axes: from values to places between 0 and 1, with ticks at round values. Pure arithmetic.

/// How a value becomes text at a tick.
pub(super) type Format = fn(f64) -> String;

/// One axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// What it shows, with its unit.
    pub(super) label: String,
    /// Values with their text, in rising order.
    pub(super) ticks: Vec<(f64, String)>,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Axis {
    /// Equal steps from 0 to a round value at or above `largest`.
    pub(super) fn from_zero(label: &str, largest: f64, format: Format) -> Self {
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let step = round_step(largest / 4.0);
        let (mut ticks, mut number) = (Vec::new(), 0.0);
        let steps = (largest / step - 1e-9).ceil();
        while number <= steps {
            ticks.push((number * step, format(number * step)));
            number += 1.0;
        }
        Self { label: label.to_owned(), ticks, from: 0.0, to: steps * step, logarithmic: false }
    }

    /// Equal steps from 0 exactly to the largest value.
    pub(super) fn up_to(label: &str, largest: f64, format: Format) -> Self {
        let axis = Self::from_zero(label, largest, format);
        let to = if largest > 0.0 { largest } else { axis.to };
        let ticks = axis.ticks.into_iter().filter(|tick| tick.0 <= to * 1.0001).collect();
        Self { label: axis.label, ticks, from: 0.0, to, logarithmic: false }
    }

    /// Memory from 0 to a value in KiB, with ticks that are round in the unit they are written in.
    pub(super) fn of_memory(label: &str, largest_kib: f64) -> Self {
        let unit = [1024.0 * 1024.0, 1024.0].into_iter().find(|unit| largest_kib >= *unit).unwrap_or(1.0);
        let axis = Self::from_zero(label, largest_kib / unit, plain);
        let ticks = axis.ticks.into_iter().map(|(value, _)| (value * unit, memory(value * unit))).collect();
        Self { label: axis.label, ticks, from: 0.0, to: axis.to * unit, logarithmic: false }
    }

    /// Equal factors: decades around the values, with ticks at 1, and also at 2 and 5 where there are few decades.
    pub(super) fn logarithmic(label: &str, (smallest, largest): (f64, f64), format: Format) -> Self {
        let smallest = smallest.max(1e-9);
        let largest = largest.max(smallest * 1.5);
        let decades = (largest / smallest).log10();
        let parts: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let mut ticks = Vec::new();
        let mut decade = 10f64.powf(smallest.log10().floor());
        while decade <= largest * 10.0 {
            ticks.extend(parts.iter().map(|part| (decade * part, format(decade * part))));
            decade *= 10.0;
        }
        let at_or_below = |value: f64| ticks.iter().rev().map(|tick| tick.0).find(|tick| *tick <= value * 1.0001);
        let at_or_above = |value: f64| ticks.iter().map(|tick| tick.0).find(|tick| *tick >= value * 0.9999);
        let (from, to) = (at_or_below(smallest).unwrap_or(smallest), at_or_above(largest).unwrap_or(largest));
        ticks.retain(|tick| tick.0 >= from * 0.9999 && tick.0 <= to * 1.0001);
        Self { label: label.to_owned(), ticks, from, to, logarithmic: true }
    }

    /// Percentiles: equal steps of one more nine, up to the value that `count` values can show. Values are `log10(1 / (1 - share))`.
    pub(super) fn percentiles(label: &str, count: u64) -> Self {
        let names = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %", "99.99999 %", "99.999999 %"];
        let to = (count.max(10) as f64).log10().clamp(2.0, 8.0);
        let ticks = names.iter().enumerate().map(|(nines, name)| (nines as f64, (*name).to_owned())).take_while(|tick| tick.0 <= to);
        Self { label: label.to_owned(), ticks: ticks.collect(), from: 0.0, to, logarithmic: false }
    }

    /// Where a value lies: 0 at the axis's begin, 1 at its end; values beyond lie at the ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(1e-12) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

/// Microseconds in the unit that reads best.
pub(crate) fn duration(us: f64) -> String {
    match us {
        us if us >= 999_999.0 => format!("{} s", trimmed(us / 1e6)),
        us if us >= 999.9 => format!("{} ms", trimmed(us / 1000.0)),
        us => format!("{} µs", trimmed(us)),
    }
}

/// A count, shortened by thousands.
pub(super) fn count(value: f64) -> String {
    match value.abs() {
        size if size >= 1e9 => format!("{} G", trimmed(value / 1e9)),
        size if size >= 1e6 => format!("{} M", trimmed(value / 1e6)),
        size if size >= 1e4 => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

/// KiB in the unit that reads best.
pub(crate) fn memory(kib: f64) -> String {
    if kib.abs() >= 1024.0 * 1024.0 {
        format!("{} GiB", trimmed(kib / 1024.0 / 1024.0))
    } else if kib.abs() >= 1024.0 {
        format!("{} MiB", trimmed(kib / 1024.0))
    } else {
        format!("{} KiB", trimmed(kib))
    }
}

/// Seconds or a plain number.
pub(super) fn plain(value: f64) -> String {
    trimmed(value)
}

/// Percent.
pub(super) fn percent(value: f64) -> String {
    format!("{} %", trimmed(value))
}

/// Three digits that mean something, no trailing zeros.
fn trimmed(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// 1, 2, 2.5 or 5 times a power of ten, at or above.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= rough * 0.9999).unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_the_largest_value_lies_within() {
        let axis = Axis::from_zero("x", 93.0, plain);
        assert_eq!(texts(&axis), ["0", "25", "50", "75", "100"]);
        assert!((axis.place(93.0) - 0.93).abs() < 1e-9);
        assert_eq!(texts(&Axis::from_zero("x", 0.0, plain)).len(), 5);
    }

    #[test]
    fn an_axis_of_time_ends_with_the_time_and_one_of_memory_has_ticks_round_in_its_unit() {
        let time = Axis::up_to("s", 17.8, plain);
        assert_eq!(texts(&time), ["0", "5", "10", "15"]);
        assert!((time.place(17.8) - 1.0).abs() < 1e-9);
        assert_eq!(texts(&Axis::of_memory("m", 44_000.0)), ["0 KiB", "20 MiB", "40 MiB", "60 MiB"]);
    }

    #[test]
    fn a_logarithmic_axis_gives_equal_factors_equal_room() {
        let axis = Axis::logarithmic("x", (90.0, 40_000.0), duration);
        assert_eq!((texts(&axis)[0], *texts(&axis).last().unwrap()), ("10 µs", "100 ms"));
        let step = |from: f64| axis.place(from * 3.0) - axis.place(from);
        assert!((step(100.0) - step(5000.0)).abs() < 1e-9);
        assert_eq!(texts(&Axis::logarithmic("x", (120.0, 900.0), duration)), ["100 µs", "200 µs", "500 µs", "1 ms"]);
    }

    #[test]
    fn each_nine_has_the_same_room_up_to_what_the_number_of_values_can_show() {
        let axis = Axis::percentiles("x", 5000);
        assert_eq!(texts(&axis), ["0 %", "90 %", "99 %", "99.9 %"]);
        assert!((axis.place(2.0) - 2.0 * axis.place(1.0)).abs() < 1e-9);
    }

    #[test]
    fn values_read_in_the_unit_that_fits() {
        assert_eq!([duration(12.5), duration(1500.0), duration(2e6)], ["12.5 µs", "1.5 ms", "2 s"]);
        assert_eq!([count(950.0), count(12_500.0), count(3e6)], ["950", "12.5 k", "3 M"]);
        assert_eq!([memory(512.0), memory(30_720.0), percent(0.0)], ["512 KiB", "30 MiB", "0 %"]);
    }
}
