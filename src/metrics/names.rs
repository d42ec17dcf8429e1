//! Every metric by name: what it means, in which unit, and which labels it has.
//!
//! One list, so that dashboards and alert rules can be checked against it. Labels have few values, known at start (the
//! widest is the number of workers): the number of series does not depend on how many users, libraries or connections there are.

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the process starts again.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts in buckets, with their sum.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The whole name.
    pub name: &'static str,
    /// What it means, and its unit.
    pub help: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: Metric =
            Metric { name: $name, help: $help, kind: Kind::$kind, labels: &[$($label),*] };)*

        /// Every metric there is, in the order of this file.
        pub const ALL: &[Metric] = &[$($constant,)*];
    };
}

metrics! {
    CONNECTIONS: Gauge "fanfare_connections" ["dialect", "outlet"]
        "Connections open now, by the protocol they speak and their way out (plain and tls: a socket of ours, body: an HTTP response).";
    CONNECTIONS_OPENED: Counter "fanfare_connections_opened_total" ["dialect"] "Connections let in since start.";
    CONNECTIONS_CLOSED: Counter "fanfare_connections_closed_total" ["dialect", "reason"] "Connections ended since start, by reason.";
    CONNECTIONS_REJECTED: Counter "fanfare_connections_rejected_total" ["dialect", "reason"]
        "Clients not let in since start, by reason.";
    CONNECTION_LIMIT: Gauge "fanfare_connection_limit" [] "Connections the server lets in at most; 0 means no limit of its own.";
    STALL_TIMEOUTS: Counter "fanfare_stall_timeouts_total" []
        "Connections closed because they took nothing for the stall limit while something waited.";
    HANDSHAKE_DURATION: Histogram "fanfare_handshake_duration_seconds" ["dialect"]
        "Seconds from a client's connection (on one kept alive: from its request) until it is let in, TLS and back ends included.";
    CONNECTION_DURATION: Histogram "fanfare_connection_duration_seconds" ["dialect"] "Seconds that connections were open which have ended.";
    PINGS_SENT: Counter "fanfare_pings_sent_total" ["dialect"] "Keepalives queued for clients.";
    PING_RTT: Histogram "fanfare_ping_rtt_seconds" ["dialect"]
        "Seconds from a ping to its pong, of WebSockets and of Engine.IO, with what stood before it; by polling, until the answer was posted. Event streams have none.";

    EVENTS_PUBLISHED: Counter "fanfare_events_published_total" ["type"]
        "Events accepted: stamped and queued for every worker. Repeats are not among them.";
    LIBRARY_PUBLISHED: Counter "fanfare_library_events_published_total" ["library"]
        "Events accepted, of the libraries that server.metrics_libraries names.";
    PUBLISH_REJECTED: Counter "fanfare_publish_rejected_total" ["reason"] "Events not accepted, by reason.";
    PUBLISH_DURATION: Histogram "fanfare_publish_duration_seconds" ["api"]
        "Seconds from a body that has come to its answer, by way: one event, a batch, lines that came together, a thread of the process.";
    PUBLISH_PAYLOAD: Histogram "fanfare_publish_payload_bytes" [] "Bytes of the messages of accepted events.";
    PUBLISH_DUPLICATES: Counter "fanfare_publish_duplicates_total" []
        "Events recognised as accepted before, and not delivered again.";

    EVENTS_OFFERED: Counter "fanfare_events_offered_total" ["dialect"]
        "Events offered to sessions: each event once for every session that may see it and asked for it.";
    LIBRARY_OFFERED: Counter "fanfare_library_events_offered_total" ["library"]
        "Events offered to sessions, of the libraries that server.metrics_libraries names.";
    DELIVERIES: Counter "fanfare_deliveries_total" ["dialect", "outlet"]
        "Events delivered: their last byte was taken, each once for every session.";
    EVENTS_SKIPPED: Counter "fanfare_events_skipped_total" ["dialect", "reason"]
        "Offered events a session lost, because it was too slow (lag) or because its worker stood still (hub).";
    EVENTS_CONFLATED: Counter "fanfare_events_conflated_total" ["dialect"]
        "Offered events passed over because a later one of the same subject made them worthless.";
    EVENTS_FILTERED: Counter "fanfare_events_filtered_total" ["dialect"]
        "Offered events refused at delivery because the session's rights had changed meanwhile.";
    EVENTS_ABANDONED: Counter "fanfare_events_abandoned_total" ["dialect"] "Offered events still waiting when their session ended.";
    LAG_EPISODES: Counter "fanfare_lag_episodes_total" ["dialect"] "Times a session fell so far behind that it had to skip, until it could be told.";
    LAGGING_CONNECTIONS: Gauge "fanfare_lagging_connections" ["dialect"]
        "Connections for which something has waited for more than a second; at most 4096 of a worker are looked at in a second.";
    CONNECTION_LAG: Histogram "fanfare_connection_lag_events" ["dialect"]
        "Events that connections were behind, each counted whenever it was looked at: every second where a worker has up to 4096.";
    DELIVERY_BYTES: Counter "fanfare_delivery_bytes_total" ["dialect"] "Bytes taken by clients' sockets and response bodies.";
    WRITES: Counter "fanfare_writes_total" ["dialect"] "Writes that took something.";
    WRITE_WOULD_BLOCK: Counter "fanfare_write_would_block_total" ["dialect"] "Writes that took nothing because the client is behind.";
    PARTIAL_WRITES: Counter "fanfare_partial_writes_total" ["dialect"] "Writes of events of which the last was taken in part only.";
    EVENTS_PER_WRITE: Histogram "fanfare_events_per_write" ["dialect"]
        "Events that one write took whole; none where it only began one.";
    DELIVERY_LATENCY: Histogram "fanfare_delivery_latency_seconds" ["dialect"]
        "Seconds from an event's acceptance to the write that took it, each delivery once.";
    FANOUT_DURATION: Histogram "fanfare_fanout_duration_seconds" ["audience"]
        "Seconds from the first to the last write of a pass over a worker's clients of equal rights and wishes, by how many they are at most (2 to 10, to 100, to 1000, more).";
    ENCODE_FAILURES: Counter "fanfare_encode_failures_total" []
        "Events that could not be written in a format because its encoder panicked; each is a bug.";

    FILTER_GROUPS: Gauge "fanfare_filter_groups" []
        "Groups of sessions with equal rights, request and format, summed over the workers.";
    FEED_ENTRIES: Gauge "fanfare_feed_entries" [] "Events held in feeds for sessions that are behind, once per group, as of the last second.";
    FEED_OLDEST_AGE: Gauge "fanfare_feed_oldest_age_seconds" [] "Age of the oldest event in any feed, as of the last second; 0 where all are empty.";
    FEED_BYTES: Gauge "fanfare_feed_bytes" [] "Bytes of frames held for sessions that are behind, shared frames once per worker.";
    SHARD_CREDIT_EXHAUSTED: Counter "fanfare_shard_credit_exhausted_total" []
        "Batches a shard refused because a worker could not take more.";
    SHARD_CREDIT_OUTSTANDING: Gauge "fanfare_shard_credit_outstanding" []
        "Events on the way from shards to workers, summed over every pair of them.";
    MAILBOX_DEPTH: Gauge "fanfare_mailbox_depth" ["actor"]
        "How much waits in the fullest mailbox of the kind: events for hubs (per shard), messages for others.";
    MAILBOX_CAPACITY: Gauge "fanfare_mailbox_capacity" ["actor"] "What one mailbox of the kind holds, in the unit of its depth.";

    MAILBOX_REJECTED: Counter "fanfare_mailbox_rejected_total" ["actor"]
        "Batches that found no room: at a shard's mailbox, or for want of a hub's credit. They are tried again while their publisher waits.";

    ACTOR_HANDLE_DURATION: Histogram "fanfare_actor_handle_duration_seconds" ["actor"]
        "Seconds an actor took in one go, while nothing else ran on its thread: hub (a message, a second's upkeep, topics), hub_flush (a chunk of its writing), session (a turn of a client that may talk), shard (a batch).";
    WORKER_BUSY: Counter "fanfare_worker_busy_seconds_total" ["worker"] "Seconds of processor time a worker's thread has used.";
    WORKER_LOOP_DELAY: Histogram "fanfare_worker_loop_delay_seconds" ["worker"]
        "Seconds a timer of a worker ran later than wanted, four times a second: how long whatever is due there waits. Timers are exact to a millisecond.";
    ACTOR_RESTARTS: Counter "fanfare_actor_restarts_total" ["actor"]
        "Times an actor was lost to a panic and began anew; each is a bug. A hub loses its sessions with it.";
    HUB_STALLED: Gauge "fanfare_hub_stalled" [] "Workers whose hub has stood still for longer than hub_stall and two seconds.";

    AUTH_REQUESTS: Counter "fanfare_auth_requests_total" ["result"]
        "Credentials looked at, for streams, publishing and the API, by what came of it.";
    AUTH_DURATION: Histogram "fanfare_auth_duration_seconds" ["backend"]
        "Seconds until somebody else who was asked about a token answered, or did not in time.";
    AUTH_CACHE_HITS: Counter "fanfare_auth_cache_hits_total" [] "Times somebody else's answer about a token was remembered, so nobody was asked.";
    DRAINING: Gauge "fanfare_draining" [] "1 while the server says goodbye to its clients, otherwise 0.";
    CONFIG_RELOAD_SUCCESSFUL: Gauge "fanfare_config_last_reload_successful" []
        "1 when the settings were last read without an error, at the start or by a reload; 0 when a reload failed since.";
    CONFIG_RELOAD_TIMESTAMP: Gauge "fanfare_config_reload_success_timestamp_seconds" []
        "When the settings were last read without an error, in seconds since the Unix epoch.";
    BUILD_INFO: Gauge "fanfare_build_info" ["version", "commit"] "Always 1; the labels say which build runs.";
    FD_LIMIT: Gauge "fanfare_fd_limit" [] "File descriptors the process may have open: every connection is one.";

    MEMORY_BYTES: Gauge "fanfare_memory_bytes" ["part"]
        "Bytes kept by parts that can be told, as of the last second. Not among them: what the allocator adds, tasks, mailboxes, sockets, TLS, parsed events, users and tokens, stores, and the program itself.";
    KERNEL_SOCKET_BYTES: Gauge "fanfare_kernel_socket_bytes" []
        "Bytes of TCP buffers in the kernel, as it tells them: of all processes of the machine.";
    KERNEL_RETRANSMITS: Counter "fanfare_kernel_tcp_retransmits_total" []
        "TCP segments sent again, by all processes of the network namespace.";

    PROCESS_CPU: Counter "process_cpu_seconds_total" [] "Seconds of processor time used, user and system together.";
    PROCESS_OPEN_FDS: Gauge "process_open_fds" [] "File descriptors open.";
    PROCESS_MAX_FDS: Gauge "process_max_fds" [] "File descriptors the process may have open.";
    PROCESS_RESIDENT_MEMORY: Gauge "process_resident_memory_bytes" [] "Bytes of memory in use; the kernel's socket buffers are not among them.";
    PROCESS_VIRTUAL_MEMORY: Gauge "process_virtual_memory_bytes" [] "Bytes of address space.";
    PROCESS_THREADS: Gauge "process_threads" [] "Threads of the process.";
    PROCESS_START_TIME: Gauge "process_start_time_seconds" [] "When the process started, in seconds since the Unix epoch.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        for metric in ALL {
            assert!(metric.name.starts_with("fanfare_") || metric.name.starts_with("process_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
        }
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
