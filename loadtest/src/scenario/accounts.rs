//! Closing the accounts of all clients into one sum.

use crate::client::{ClientLatency, ClientRecord, Role, Shared, ThreadResult};
use crate::connections::ReportedSkips;
use crate::dialect::{Dialect, Mix};
use crate::fairness::Fairness;
use crate::publisher::Published;
use crate::report::{Accounting, DialectLatency, Report};
use crate::stats::{encoded, histogram, merged, summary};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

/// Fills accounting and latency. Stalled clients have no account: what they did not read is not known to be lost.
pub(super) fn close(
    report: &mut Report,
    results: &[ThreadResult],
    published: &Published,
    reported: Option<&mut ReportedSkips>,
    shared: &Shared,
    mix: &Mix,
) {
    let mut sum = Accounting { failed_to_connect: shared.failed.load(Relaxed), ..Accounting::default() };
    let mut by_dialect: BTreeMap<Dialect, Histogram<u64>> = BTreeMap::new();
    let mut reported = reported;
    for result in results {
        for (dialect, latency) in &result.latency {
            // All histograms have the same bounds, so adding cannot fail.
            let _ = by_dialect.entry(*dialect).or_insert_with(histogram).add(latency);
        }
        sum.others += result.others;
        sum.malformed += result.malformed;
        sum.churned += result.churned;
        if sum.malformed_sample.is_none() {
            sum.malformed_sample.clone_from(&result.malformed_sample);
        }
        for record in &result.records {
            add(&mut sum, record, published, reported.as_deref_mut());
        }
    }
    report.latency = summary(&merged(by_dialect.values()));
    // Churning clients use the numbers of steady ones again, so nobody's own latency is known then.
    let by_client = if report.load.churn == 0 { by_client(results, mix) } else { Vec::new() };
    report.dialects = by_dialect.iter().map(|(dialect, latency)| of_dialect(*dialect, latency, &by_client, mix)).collect();
    report.held_bytes_per_client = results.iter().map(|result| result.held_bytes).max().unwrap_or(0);
    report.accounting = sum;
}

fn of_dialect(dialect: Dialect, latency: &Histogram<u64>, by_client: &[(Dialect, ClientLatency)], mix: &Mix) -> DialectLatency {
    let clients = mix.parts().iter().filter(|(part, _)| *part == dialect).map(|(_, clients)| clients).sum();
    let own: Vec<ClientLatency> = by_client.iter().filter(|(spoken, _)| *spoken == dialect).map(|(_, client)| *client).collect();
    DialectLatency {
        dialect: dialect.name().to_owned(),
        clients,
        latency: summary(latency),
        fairness: Fairness::of(&own),
        histogram: encoded(latency),
    }
}

/// The steady clients in the order they connected, with what they speak. Each is timed by one thread, so the others know nothing of it.
fn by_client(results: &[ThreadResult], mix: &Mix) -> Vec<(Dialect, ClientLatency)> {
    let timed = |slot: usize| results.iter().filter_map(|result| result.by_client.get(slot)).find(|client| client.count > 0);
    mix.dialects().into_iter().enumerate().map(|(slot, dialect)| (dialect, timed(slot).copied().unwrap_or_default())).collect()
}

fn add(sum: &mut Accounting, record: &ClientRecord, published: &Published, reported: Option<&mut ReportedSkips>) {
    let ledger = &record.ledger;
    sum.duplicated += ledger.duplicated;
    sum.reordered += ledger.reordered;
    sum.foreign += ledger.foreign;
    match record.role {
        Role::Steady | Role::Stranger | Role::Churning => sum.closed_by_server += u64::from(record.closed_by_server),
        Role::Slow | Role::Stalled => sum.evicted += u64::from(record.closed_by_server),
    }
    if matches!(record.role, Role::Stalled | Role::Stranger) {
        return;
    }
    let outcome = ledger.close(published.sent, published.refused_for(record.dialect), record.role != Role::Steady);
    let explained = match reported {
        Some(reported) if outcome.unannounced > 0 => reported.explain(record.address, outcome.unannounced),
        _ => 0,
    };
    let lost = outcome.unannounced - explained;
    sum.expected += outcome.expected;
    sum.received += ledger.received;
    sum.skipped_announced += outcome.announced;
    sum.skipped_reported += explained;
    sum.lost_silently += lost;
    sum.clients_short += u64::from(lost > 0);
    sum.overannounced += outcome.overannounced;
    sum.unaccepted += outcome.unaccepted;
}
