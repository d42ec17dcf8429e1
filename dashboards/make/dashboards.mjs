// What the dashboards show: one for each question somebody has who runs Fanfare for many clients.
import { DIALECT, SERVER, dashboard, dialect, heat, lines, mean, number, orZero, quantile, quantiles, rate, row, share, total } from './panels.mjs';

const LATENCY = 'fanfare_delivery_latency_seconds';
const closed = (reason) => `${DIALECT},reason=~"${reason}"`;
const per = (text) => `increase(${text}[$__range])`;

// Deliveries of the shown time that took longer than the objective allows, and all of them.
const late = `(sum(${per(`${LATENCY}_count{${DIALECT}}`)}) - sum(${per(`${LATENCY}_bucket{${DIALECT},le="0.25"}`)}))`;
const delivered = `sum(${per(`${LATENCY}_count{${DIALECT}}`)})`;
const lost = (by) => rate('fanfare_events_skipped_total', by, DIALECT);
const offered = (by) => rate('fanfare_events_offered_total', by, DIALECT);

const overview = dashboard(
  'overview', 'Is every client served?',
  'Clients, what they are sent, how soon, and what they lose. The objective: 99 % of deliveries within 250 ms.',
  [dialect],
  [
    row('At a glance',
      number('Servers up', 'Servers whose metrics were read last.', 'none', `count(fanfare_build_info{${SERVER}}) or vector(0)`, { steps: [[null, 'red'], [1, 'green']] }),
      number('Clients', 'Connections open now.', 'none', total('fanfare_connections', '', DIALECT)),
      number('Deliveries', 'Events taken by clients, each once for every client.', 'cps', rate('fanfare_deliveries_total', '', DIALECT)),
      number('Within 250 ms', 'Share of the deliveries of the shown time that kept to the objective.', 'percentunit',
        `1 - ${share(late, delivered)}`, { decimals: 3, steps: [[null, 'red'], [0.99, 'orange'], [0.995, 'green']] }),
      number('Error budget left', 'Of the 1 % of deliveries that may be late, what the shown time has left.', 'percentunit',
        `1 - ${share(late, delivered)} / 0.01`, { decimals: 1, steps: [[null, 'red'], [0, 'orange'], [0.5, 'green']] }),
      number('Lost', 'Share of the offered events that clients lost now.', 'percentunit', share(lost(), offered()),
        { decimals: 2, steps: [[null, 'green'], [0.001, 'orange'], [0.01, 'red']] }),
      lines('Clients by dialect', 'Connections open now.', 'none', { '{{dialect}}': total('fanfare_connections', 'dialect', DIALECT) }, { stack: true }),
      lines('Time to delivery', 'From acceptance to the write that took it, over the chosen dialects. 0 where nothing is delivered.', 's', {
        p50: quantile(0.5, LATENCY, '', DIALECT), p95: quantile(0.95, LATENCY, '', DIALECT),
        p99: quantile(0.99, LATENCY, '', DIALECT), 'p99.9': quantile(0.999, LATENCY, '', DIALECT),
      }, { limit: 0.25 }),
      lines('Published', 'Events accepted.', 'cps', { accepted: rate('fanfare_events_published_total') }),
      lines('Delivered', 'Events taken by clients.', 'cps', { '{{dialect}}': rate('fanfare_deliveries_total', 'dialect', DIALECT) }, { stack: true })),
    row('What goes wrong',
      lines('Lost events', 'Offered events clients lost: too slow themselves (lag), or their worker stood still (hub).', 'cps',
        { '{{reason}}': lost('reason') }),
      lines('Share lost', 'Of what was offered.', 'percentunit', { '{{dialect}}': share(lost('dialect'), offered('dialect')) }, { limit: 0.01 }),
      lines('Connections ended', 'By reason; "gone" is the client\'s own doing.', 'cps', { '{{reason}}': rate('fanfare_connections_closed_total', 'reason', DIALECT) }),
      lines('Clients refused', 'By reason.', 'cps', { '{{reason}}': rate('fanfare_connections_rejected_total', 'reason', DIALECT) }),
      lines('Events refused', 'What publishers sent and was not accepted.', 'cps', { '{{reason}}': rate('fanfare_publish_rejected_total', 'reason') }),
      lines('Bugs', 'Each of these is one: actors lost to a panic, encoders that panicked, workers that stand still.', 'none', {
        'actors lost': total('fanfare_actor_restarts_total'), 'encoders failed': total('fanfare_encode_failures_total'),
        'workers standing still': total('fanfare_hub_stalled'),
      }),
      lines('Canary', 'From outside: seconds that a marked event of `fanfare canary` takes by each way. 0 where there is no canary.', 's',
        { '{{way}}': orZero('max by (way) (fanfare_canary_delivery_seconds)') }, { limit: 1 }),
      lines('Ways the canary finds shut', 'Its event did not come back by them in time.', 'none',
        { shut: 'count(fanfare_canary_up == 0) or vector(0)' }, { limit: 1 })),
    row('Deployments',
      lines('Says goodbye', '1 while a server drains.', 'none', { '{{instance}}': total('fanfare_draining', 'instance') }, { max: 1 }),
      lines('Running since', 'Seconds since each server started.', 's', { '{{instance}}': `time() - max by (instance) (process_start_time_seconds{${SERVER}})` }),
      lines('Versions', 'Servers by version.', 'none', { '{{version}} {{commit}}': `count by (version, commit) (fanfare_build_info{${SERVER}})` }, { stack: true }),
      lines('Reload failed', '1 from settings that could not be read again until they can.', 'none',
        { '{{instance}}': `1 - min by (instance) (fanfare_config_last_reload_successful{${SERVER}})` }, { max: 1 })),
  ],
);

const fanout = dashboard(
  'fan-out', 'Fan-out',
  'What becomes of an event: how soon it is written to whom, and how much each write carries.',
  [dialect, quantiles],
  [
    row('Latency',
      heat('Time to delivery', 'How many deliveries took how long.', 's', LATENCY),
      lines('Time to delivery by dialect', 'The chosen quantile; 0 where nothing is delivered.', 's', { '{{dialect}}': quantile('$quantile', LATENCY, 'dialect', DIALECT) }, { limit: 0.25 }),
      lines('One pass over a group', 'From the first to the last write, by how many clients the group has on its worker at most. The chosen quantile.', 's',
        { 'up to {{audience}}': quantile('$quantile', 'fanfare_fanout_duration_seconds', 'audience') })),
    row('Volume',
      lines('Amplification', 'Deliveries for one published event.', 'none',
        { amplification: share(rate('fanfare_deliveries_total', '', DIALECT), rate('fanfare_events_published_total')) }),
      lines('Bytes delivered', 'Taken by sockets and response bodies.', 'Bps', { '{{dialect}}': rate('fanfare_delivery_bytes_total', 'dialect', DIALECT) }, { stack: true }),
      lines('Delivered by way out', 'plain and tls: a socket of its own; body: an HTTP response; poll: a session that polls.', 'cps',
        { '{{outlet}}': rate('fanfare_deliveries_total', 'outlet', DIALECT) }, { stack: true }),
      lines('Not delivered on purpose', 'Replaced by a later event of the same subject, refused after a change of rights, or still waiting at the end of a connection.', 'cps', {
        conflated: rate('fanfare_events_conflated_total', '', DIALECT), filtered: rate('fanfare_events_filtered_total', '', DIALECT),
        abandoned: rate('fanfare_events_abandoned_total', '', DIALECT),
      })),
    row('Writes',
      lines('Writes', 'That took something.', 'cps', { '{{dialect}}': rate('fanfare_writes_total', 'dialect', DIALECT) }),
      lines('Events in a write', 'Mean, and the chosen quantile.', 'none', {
        'mean {{dialect}}': mean('fanfare_events_per_write', 'dialect', DIALECT),
        'quantile {{dialect}}': quantile('$quantile', 'fanfare_events_per_write', 'dialect', DIALECT),
      }),
      lines('Writes that took nothing', 'The client is behind: its socket is full.', 'cps', { '{{dialect}}': rate('fanfare_write_would_block_total', 'dialect', DIALECT) }),
      lines('Writes cut within a frame', 'The client took a part of the last event only.', 'cps', { '{{dialect}}': rate('fanfare_partial_writes_total', 'dialect', DIALECT) })),
  ],
);

const clients = total('fanfare_connections', 'dialect', DIALECT);
const lag = dashboard(
  'lag', 'Lag and slow clients',
  'Who is behind, how far, and what it costs them and the server. Which clients they are: GET /api/connections.',
  [dialect, quantiles],
  [
    row('Who is behind',
      number('Lagging', 'Clients for which something has waited for more than a second.', 'none', total('fanfare_lagging_connections', '', DIALECT), { steps: [[null, 'green'], [1, 'orange']] }),
      number('Share lagging', 'Of all clients.', 'percentunit', share(total('fanfare_lagging_connections', '', DIALECT), total('fanfare_connections', '', DIALECT)),
        { decimals: 1, steps: [[null, 'green'], [0.005, 'orange'], [0.02, 'red']] }),
      number('Oldest waiting', 'Age of the oldest event that waits for anybody.', 's', `max(fanfare_feed_oldest_age_seconds{${SERVER}})`),
      number('Lost now', 'Events skipped.', 'cps', lost()),
      number('Stalled and closed', 'Connections closed in the shown time because they took nothing at all.', 'none', `sum(${per(`fanfare_stall_timeouts_total{${SERVER}}`)})`),
      lines('Lagging clients', 'For which something has waited for more than a second.', 'none', { '{{dialect}}': total('fanfare_lagging_connections', 'dialect', DIALECT) }),
      lines('Share of clients', 'That are lagging.', 'percentunit', { '{{dialect}}': share(total('fanfare_lagging_connections', 'dialect', DIALECT), clients) }, { limit: 0.02 }),
      heat('Events behind', 'How far clients are behind, each looked at every second where a worker has up to 4,096.', 'none', 'fanfare_connection_lag_events')),
    row('What they lose',
      lines('Lost events by dialect', 'Skipped, for either reason.', 'cps', { '{{dialect}} {{reason}}': lost('dialect, reason') }),
      lines('Times somebody fell too far behind', 'Each is one client that had to skip.', 'cps', { '{{dialect}}': rate('fanfare_lag_episodes_total', 'dialect', DIALECT) }),
      lines('Far behind', 'The chosen quantile of the events clients are behind.', 'none', { '{{dialect}}': quantile('$quantile', 'fanfare_connection_lag_events', 'dialect', DIALECT) }),
      lines('Abandoned', 'Events still waiting when their connection ended.', 'cps', { '{{dialect}}': rate('fanfare_events_abandoned_total', 'dialect', DIALECT) })),
    row('What it costs the server',
      lines('Bytes in feeds', 'Held for clients that are behind, shared frames once per worker.', 'bytes', { '{{instance}}': total('fanfare_feed_bytes', 'instance') }),
      lines('Events in feeds', 'Once for every group of clients.', 'none', { '{{instance}}': total('fanfare_feed_entries', 'instance') }),
      lines('Oldest event held', 'Never older than engine.feed_age.', 's', { '{{instance}}': `max by (instance) (fanfare_feed_oldest_age_seconds{${SERVER}})` }),
      lines('Groups', 'Of clients with equal rights, wishes and format.', 'none', { '{{instance}}': total('fanfare_filter_groups', 'instance') })),
  ],
);

const perClient = (what) => `${what} / clamp_min(${total('fanfare_connections', 'instance')}, 1)`;
const rss = `sum by (instance) (process_resident_memory_bytes{${SERVER}})`;
const saturation = dashboard(
  'saturation', 'Saturation',
  'How much of everything that is bounded is used: processor, queues, memory, descriptors.',
  [],
  [
    row('Workers',
      lines('Workers busy', 'Share of a processor each worker thread uses.', 'percentunit', { '{{instance}} {{worker}}': rate('fanfare_worker_busy_seconds_total', 'instance, worker') }, { limit: 0.9 }),
      lines('Delay of timers, p99', 'How long whatever is due on a worker waits.', 's', { '{{instance}} {{worker}}': quantile(0.99, 'fanfare_worker_loop_delay_seconds', 'instance, worker') }, { limit: 0.1 }),
      lines('Mailboxes filled', 'The fullest of each kind.', 'percentunit',
        { '{{instance}} {{actor}}': `max by (instance, actor) (fanfare_mailbox_depth{${SERVER}} / clamp_min(fanfare_mailbox_capacity{${SERVER}}, 1))` }, { limit: 0.9, max: 1 }),
      lines('Batches that found no room', 'They are tried again while their publisher waits.', 'cps', { '{{actor}}': rate('fanfare_mailbox_rejected_total', 'actor') })),
    row('Processor and queues',
      lines('One go of an actor, p99', 'How long an actor takes for what it handles in one go. Nothing else runs on its thread meanwhile: whatever takes long here holds up everybody there.', 's',
        { '{{instance}} {{actor}}': quantile(0.99, 'fanfare_actor_handle_duration_seconds', 'instance, actor') }, { limit: 0.05 }),
      lines('Time of actors', 'Seconds per second that actors handle something, over all threads: what a busy worker is busy with.', 'none',
        { '{{actor}}': rate('fanfare_actor_handle_duration_seconds_sum', 'actor') }, { stack: true }),
      lines('Processor', 'Seconds per second, of the whole process.', 'none', { '{{instance}}': rate('process_cpu_seconds_total', 'instance') }),
      lines('Threads', 'Of the process.', 'none', { '{{instance}}': total('process_threads', 'instance') }),
      lines('On the way to workers', 'Events that shards have sent and workers have not flushed.', 'none', { '{{instance}}': total('fanfare_shard_credit_outstanding', 'instance') }),
      lines('Lost actors and standing workers', 'Each is a bug.', 'none', {
        'lost {{actor}}': total('fanfare_actor_restarts_total', 'actor'), 'standing still': total('fanfare_hub_stalled'),
      })),
    row('Memory and descriptors',
      lines('Memory by part', 'What can be told by part, and all the rest: the program, its allocator, tasks, TLS, parsed events, tokens, stores.', 'bytes', {
        '{{part}}': total('fanfare_memory_bytes', 'part'),
        'all else': `clamp_min(sum(process_resident_memory_bytes{${SERVER}}) - ${total('fanfare_memory_bytes')}, 0)`,
      }, { stack: true, width: 24 }),
      lines('Resident memory', 'Of the process.', 'bytes', { '{{instance}}': rss }),
      lines('Resident memory per client', 'All of it divided by the clients: true only where there are many.', 'bytes', { '{{instance}}': perClient(rss) }),
      lines('Socket buffers in the kernel', 'TCP buffers of the whole machine.', 'bytes', { '{{instance}}': total('fanfare_kernel_socket_bytes', 'instance') }),
      lines('Descriptors used', 'Every connection is one.', 'percentunit',
        { '{{instance}}': `max by (instance) (process_open_fds{${SERVER}} / clamp_min(process_max_fds{${SERVER}}, 1))` }, { limit: 0.85, max: 1 }),
      lines('Places used', 'Connections of those that limits.connections allows; 0 where there is no limit.', 'percentunit',
        { '{{instance}}': `${total('fanfare_connections', 'instance')} / (sum by (instance) (fanfare_connection_limit{${SERVER}}) > 0) or 0 * ${total('fanfare_connection_limit', 'instance')}` }, { limit: 0.85, max: 1 }),
      lines('Segments sent again', 'By TCP, in the whole network namespace.', 'cps', { '{{instance}}': rate('fanfare_kernel_tcp_retransmits_total', 'instance') })),
  ],
);

const connections = dashboard(
  'connections', 'Connections',
  'Who comes, who goes and why, how long it takes to come in, and whether they live.',
  [dialect, quantiles],
  [
    row('Coming and going',
      lines('Open', 'By way out.', 'none', { '{{outlet}}': total('fanfare_connections', 'outlet', DIALECT) }, { stack: true }),
      lines('Let in', 'Connections opened.', 'cps', { '{{dialect}}': rate('fanfare_connections_opened_total', 'dialect', DIALECT) }),
      lines('Ended', 'By reason.', 'cps', { '{{reason}}': rate('fanfare_connections_closed_total', 'reason', DIALECT) }),
      lines('Refused', 'By reason.', 'cps', { '{{reason}}': rate('fanfare_connections_rejected_total', 'reason', DIALECT) })),
    row('Coming in',
      lines('Time to come in', 'From the connection to its place, TLS and back ends included. The chosen quantile.', 's', { '{{dialect}}': quantile('$quantile', 'fanfare_handshake_duration_seconds', 'dialect', DIALECT) }),
      lines('Reconnect storm', 'Connections opened now, as a multiple of the hour before. Above 10 is a storm.', 'none',
        { times: share(rate('fanfare_connections_opened_total', '', DIALECT), `sum(rate(fanfare_connections_opened_total{${DIALECT}}[1h]))`) }, { limit: 10 }),
      lines('Credentials', 'By what came of looking at them.', 'cps', { '{{result}}': rate('fanfare_auth_requests_total', 'result') }),
      lines('Time a back end takes', 'Until whoever is asked about a token has answered. The chosen quantile; 0 where nobody is asked.', 's', { '{{backend}}': quantile('$quantile', 'fanfare_auth_duration_seconds', 'backend') }),
      lines('Answers remembered', 'Tokens about which nobody had to be asked, because the answer was known.', 'cps', { remembered: rate('fanfare_auth_cache_hits_total') }),
      lines('Places', 'Open connections and how many are let in at most; 0 is no limit.', 'none', {
        'open {{instance}}': total('fanfare_connections', 'instance'), 'limit {{instance}}': total('fanfare_connection_limit', 'instance'),
      })),
    row('Staying',
      lines('How long they stayed', 'Of connections that ended, the chosen quantile.', 's', { '{{dialect}}': quantile('$quantile', 'fanfare_connection_duration_seconds', 'dialect', DIALECT) }),
      lines('Ping to pong', 'WebSockets and Engine.IO, the chosen quantile.', 's', { '{{dialect}}': quantile('$quantile', 'fanfare_ping_rtt_seconds', 'dialect', DIALECT) }),
      lines('Pings', 'Sent.', 'cps', { '{{dialect}}': rate('fanfare_pings_sent_total', 'dialect', DIALECT) }),
      lines('Ended without a sign of life', 'Silent: no answer to pings. Stalled: nothing taken.', 'cps', {
        silent: rate('fanfare_connections_closed_total', '', closed('silent')), stalled: rate('fanfare_connections_closed_total', '', closed('stalled')),
      })),
  ],
);

const publishing = dashboard(
  'publishing', 'Publishing and sources',
  'What comes in: how much, of which kind, how fast it is answered, and what is refused.',
  [quantiles],
  [
    row('Events',
      lines('Accepted by type', 'Stamped and queued for every worker.', 'cps', { '{{type}}': rate('fanfare_events_published_total', 'type') }, { stack: true }),
      lines('Time to answer', 'From a body that has come to its answer, by way: one event, a batch, lines, a thread of the process. The chosen quantile.', 's',
        { '{{api}}': quantile('$quantile', 'fanfare_publish_duration_seconds', 'api') }),
      lines('Refused', 'By reason.', 'cps', { '{{reason}}': rate('fanfare_publish_rejected_total', 'reason') }),
      lines('Size', 'Of messages: mean and the chosen quantile.', 'bytes', {
        mean: mean('fanfare_publish_payload_bytes'), quantile: quantile('$quantile', 'fanfare_publish_payload_bytes'),
      })),
    row('Libraries',
      lines('Accepted by library', 'Of the libraries that server.metrics_libraries names; 0 where there are none.', 'cps',
        { '{{library}}': orZero(rate('fanfare_library_events_published_total', 'library')) }, { stack: true }),
      lines('Offered by library', 'Each event once for every client it is offered to.', 'cps',
        { '{{library}}': orZero(rate('fanfare_library_events_offered_total', 'library')) }, { stack: true })),
    row('Shards',
      lines('Answers', 'By way.', 'cps', { '{{api}}': rate('fanfare_publish_duration_seconds_count', 'api') }),
      lines('Repeats', 'Recognised as accepted before, and not delivered again.', 'cps', { repeats: rate('fanfare_publish_duplicates_total') }),
      lines('Batches refused for want of credit', 'A worker could not take more.', 'cps', { batches: rate('fanfare_shard_credit_exhausted_total') }),
      lines('Encoders that failed', 'Each is a bug.', 'none', { failures: total('fanfare_encode_failures_total') })),
  ],
);

export const dashboards = { overview, 'fan-out': fanout, lag, saturation, connections, publishing };
