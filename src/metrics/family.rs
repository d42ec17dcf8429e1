//! Builds what the `prometheus` crate writes: metric families of plain numbers.

use prometheus::proto::{self, Bucket, LabelPair, MetricFamily, MetricType};

use super::{
    histogram::Reading,
    names::{Kind, Metric},
};

/// One series: the values of its labels, in the order of their names, and its number.
pub(super) type Series<'a> = (Vec<&'a str>, f64);

/// The families of one scrape; those without a series are left out.
#[derive(Default)]
pub(super) struct Page(Vec<MetricFamily>);

impl Page {
    /// A metric with labels.
    pub(super) fn add<'a>(&mut self, metric: &Metric, series: impl IntoIterator<Item = Series<'a>>) {
        let points = series.into_iter().map(|(values, number)| {
            let mut point = labelled(metric, &values);
            if metric.kind == Kind::Counter {
                let mut counter = proto::Counter::default();
                counter.set_value(number);
                point.set_counter(counter);
            } else {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(number);
                point.set_gauge(gauge);
            }
            point
        });
        self.push(family(metric, points.collect()));
    }

    /// A metric without labels.
    pub(super) fn one(&mut self, metric: &Metric, number: f64) {
        self.add(metric, [(Vec::new(), number)]);
    }

    pub(super) fn push(&mut self, family: MetricFamily) {
        if !family.get_metric().is_empty() {
            self.0.push(family);
        }
    }

    pub(super) fn families(self) -> Vec<MetricFamily> {
        self.0
    }
}

/// The bounds of a histogram, and by what bounds and sums are divided to have them in the unit of the metric's name.
/// Division, not multiplication by 0.000001: so that bounds are written as the decimal numbers they are.
#[derive(Clone, Copy)]
pub(super) struct Scale<'a> {
    pub(super) bounds: &'a [u64],
    pub(super) divisor: f64,
}

/// A histogram: for each series the values of its labels, the counts per bucket, of which the last has no bound, and the sum.
pub(super) fn histogram<'a>(metric: &Metric, scale: Scale<'_>, series: impl IntoIterator<Item = (Vec<&'a str>, Reading)>) -> MetricFamily {
    let points = series.into_iter().map(|(values, (counts, sum))| {
        let mut cumulative = 0;
        let mut buckets = Vec::with_capacity(scale.bounds.len());
        for (bound, count) in scale.bounds.iter().zip(&counts) {
            cumulative += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / scale.divisor);
            bucket.set_cumulative_count(cumulative);
            buckets.push(bucket);
        }
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets);
        // The sum of what was just read, so that the last bucket and the count never disagree.
        histogram.set_sample_count(counts.iter().sum());
        histogram.set_sample_sum(sum as f64 / scale.divisor);
        let mut point = labelled(metric, &values);
        point.set_histogram(histogram);
        point
    });
    family(metric, points.collect())
}

fn family(metric: &Metric, points: Vec<proto::Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    family.set_metric(points);
    family
}

fn labelled(metric: &Metric, values: &[&str]) -> proto::Metric {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let pairs = metric.labels.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    proto::Metric::from_label(pairs.collect())
}
