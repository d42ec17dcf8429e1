//! Closing the accounts of all clients into one sum.

use crate::client::{ClientRecord, Role, Shared, ThreadResult};
use crate::connections::ReportedSkips;
use crate::publisher::Published;
use crate::report::{Accounting, Report};
use crate::stats::{histogram, summary};
use std::sync::atomic::Ordering::Relaxed;

/// Fills accounting and latency. Stalled clients have no account: what they did not read is not known to be lost.
pub(super) fn close(
    report: &mut Report,
    results: &[ThreadResult],
    published: &Published,
    reported: Option<&mut ReportedSkips>,
    shared: &Shared,
) {
    let mut sum = Accounting { failed_to_connect: shared.failed.load(Relaxed), ..Accounting::default() };
    let mut latency = histogram();
    let mut reported = reported;
    for result in results {
        // Both histograms have the same bounds, so adding cannot fail.
        let _ = latency.add(&result.latency);
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
    report.held_bytes_per_client = results.iter().map(|result| result.held_bytes).max().unwrap_or(0);
    report.latency = summary(&latency);
    report.accounting = sum;
}

fn add(sum: &mut Accounting, record: &ClientRecord, published: &Published, reported: Option<&mut ReportedSkips>) {
    let ledger = &record.ledger;
    sum.duplicated += ledger.duplicated;
    sum.reordered += ledger.reordered;
    sum.foreign += ledger.foreign;
    match record.role {
        Role::Steady | Role::Churning => sum.closed_by_server += u64::from(record.closed_by_server),
        Role::Slow | Role::Stalled => sum.evicted += u64::from(record.closed_by_server),
    }
    if record.role == Role::Stalled {
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
