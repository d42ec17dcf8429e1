#!/usr/bin/env bash
# Runs the engine's bars: what a release must hold, measured against the floor of the same run, in each of the five ways in.
# Takes about an hour on two idle cores; see README.md beside this file for the bars and for how to read the figures.
#
#   cargo build --release --workspace && [REPEAT=5] [DIALECTS='sse socketio'] benches/bars.sh [BAR ...]
#
# The bars, all of them unless named: fan-out users single latency many unrelated mixed stalled memory keepalive storm drop million
# scraping console reloads peers. Most print rows of a Markdown table. To try them: SCALE=50 divides the clients, IDLE_SECONDS=5
# shortens `keepalive`, and FANFARE and LOADTEST name other binaries; such figures mean nothing. `peers` needs nginx with nchan, and
# NODE_PATH with socket.io, as loadtest/peers says, and runs only when it is named.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FANFARE_LOG=warn
fanfare=${FANFARE:-target/release/fanfare}
tester=${LOADTEST:-target/release/fanfare-loadtest}
target=(--target http://127.0.0.1:8400 --token bars-publish --admin-token bars-admin)
dialects=${DIALECTS:-sse plex-sse plex-ws mediabrowser socketio}
repeat=${REPEAT:-5}
idle_seconds=${IDLE_SECONDS:-90}

# So many clients, unless it is only a try.
n() { echo $(($1 / ${SCALE:-1})); }

# One user who reads everything, a publisher, and a thousand users with three libraries each.
settings() {
    cat <<TOML
[server]
listen = "127.0.0.1:8400"
metrics_listen = "127.0.0.1:8401"
data_dir = "$work/data"
[engine]
workers = 1
[limits]
connections_per_user = 20000
unidentified = 20000
[[users]]
id = "bars"
token = "bars-admin"
libraries = "read"
admin = true
[[users]]
id = "reader"
token = "bars-reader"
libraries = "read"
[[users]]
id = "stranger"
token = "bars-stranger"
libraries = { other = "read" }
[[tokens]]
token = "bars-publish"
user = "bars"
publish = { types = ["medias", "raw"] }
TOML
    for i in $(seq 0 999); do
        printf '[[users]]\nid = "u%d"\ntoken = "bars-u%d"\nlibraries = { lib0 = "read", lib1 = "read", other = "admin" }\n' "$i" "$i"
    done
}
settings > "$work/settings.toml"
seq -f 'bars-u%g' 0 999 > "$work/tokens"
echo bars-reader > "$work/reader"
head -500 "$work/tokens" > "$work/tokens-500"
serve="$fanfare serve --config $work/settings.toml"

bench() { "$tester" bench --quiet --markdown "${target[@]}" --server-cmd "$serve" --repeat "$repeat" --seconds 6 "$@" || true; }

# Rows of one table: its head once.
rows() { awk '!seen[$0]++ { print; fflush() }'; }

# The same load in every way in. `raw` events have the same size on the wire in all of them.
each() {
    for dialect in $dialects; do
        bench --dialect "$dialect" --events raw --client-tokens-file "$work/reader" "$@"
    done | rows
}

# Everybody connects at full speed and is dropped at once: resident memory before, with, and up to 15 s after. One row for each way in.
dropped() {
    for dialect in $dialects; do
        cat > "$work/drop.toml" <<TOML
description = "all dropped at once"
[settings.engine]
workers = 1
[load]
clients = $(n 15000)
dialect = "$dialect"
connect_rate = 1000000
[limits]
connect_seconds = 3
memory_kept_percent = 10
[[phases]]
name = "storm"
kind = "storm"
TOML
        scenario "$work/drop.toml" | awk -v dialect="$dialect" '
            /^storm 1 / { sub(/^storm 1 +/, ""); with = $0 }
            /^all dropped / { sub(/^all dropped +/, ""); left = $0 }
            END { result = $NF; print "| " dialect " | " with " | " left " | " result " |" }'
    done
}

scenario() { "$tester" scenario "$@" --server "$fanfare" --wrap 'taskset -c 0' --pin-client 1 || true; }

# One run against a fresh server on core 0.
once() {
    local mode=$1 pid status=0
    shift
    taskset -c 0 $serve &
    pid=$!
    until curl -fs http://127.0.0.1:8401/readyz > /dev/null; do sleep 0.1; done
    "$tester" "$mode" "${target[@]}" --server-pid "$pid" --pin-client 1 "$@" || status=$?
    kill -TERM "$pid"
    wait "$pid" || true
    return "$status"
}

# Waits until so many clients are connected.
connected() { until curl -fs http://127.0.0.1:8401/metrics | awk '/^fanfare_connections\{/ { n += $NF } END { exit n < '"$1"' }'; do sleep 0.2; done; }

# What watching costs, beside 1,000 clients to whom nothing happens and then under load: watchers beside the clients on core 1.
watched() {
    local pid clients watch
    taskset -c 0 $serve &
    pid=$!
    until curl -fs http://127.0.0.1:8401/readyz > /dev/null; do sleep 0.1; done
    watch="taskset -c 1 python3 benches/watched.py --pid $pid --token bars-admin"
    "$tester" idle --quiet --target http://127.0.0.1:8400 --token bars-reader --clients 1000 --seconds 600 --pin-client 1 --server-pid "$pid" > /dev/null &
    clients=$!
    connected 1000
    echo "-- nothing happens"
    [ "$1" != scraping ] || $watch each-scrape
    $watch --pairs "$repeat" "$1"
    kill "$clients"
    wait "$clients" || true
    echo "-- 2,000 events/s"
    "$tester" run --quiet "${target[@]}" --server-pid "$pid" --client-tokens-file "$work/reader" --clients 1000 --rate 2000 --seconds $((repeat * 14 + 10)) --pin-client 1 --markdown > "$work/load" &
    clients=$!
    connected 1000
    sleep 5
    $watch --pairs "$repeat" "$1"
    wait "$clients" || true
    cat "$work/load"
    kill -TERM "$pid"
    wait "$pid" || true
}

# Settings read again ten times while 1,000 clients of all protocols receive: the run must pass, with nothing skipped.
reloads() {
    local pid clients
    taskset -c 0 $serve &
    pid=$!
    until curl -fs http://127.0.0.1:8401/readyz > /dev/null; do sleep 0.1; done
    "$tester" run --quiet "${target[@]}" --server-pid "$pid" --client-tokens-file "$work/reader" --events raw --rate 200 --seconds 20 --pin-client 1 \
        --mix sse=200,plex-sse=200,plex-ws=200,mediabrowser=200,socketio=200 &
    clients=$!
    connected 1000
    for round in $(seq 10); do
        sed -i '/^batch_events/d; s/^\[limits\]$/&\nbatch_events = '"$((1000 + round))"'/' "$work/settings.toml"
        printf '[[tokens]]\ntoken = "bars-reload-%d"\nread = "read"\n' "$round" >> "$work/settings.toml"
        kill -HUP "$pid"
        sleep 1
    done
    curl -fs http://127.0.0.1:8401/metrics | grep ^fanfare_config_last_reload_successful
    wait "$clients" || true
    kill -TERM "$pid"
    wait "$pid" || true
}

# Others at the same work, one after the other on core 0: nchan (nginx) and Socket.IO (Node).
peers() {
    local nchan=(--publish-style post --publish-path '/pub/{library}' --no-auth) pid load
    load=(--clients "$(n 1000)" --rate 100 --seconds 8 --pin-client 1 --markdown)
    mkdir -p "$work/nchan"
    taskset -c 0 /usr/sbin/nginx -p "$work/nchan/" -c "$PWD/loadtest/peers/nginx-nchan.conf" &
    pid=$!
    sleep 1
    for worker in $(pgrep -P "$pid"); do
        "$tester" run --quiet --target http://127.0.0.1:8500 "${nchan[@]}" --dialect any-sse --path '/sub/{library}' --server-pid "$worker" "${load[@]}" || true
        "$tester" run --quiet --target http://127.0.0.1:8500 "${nchan[@]}" --dialect any-ws --path '/sub/{library}' --server-pid "$worker" "${load[@]}" || true
    done
    kill "$pid"
    wait "$pid" || true
    taskset -c 0 node loadtest/peers/socketio.cjs 8600 &
    pid=$!
    sleep 1
    "$tester" run --quiet --target http://127.0.0.1:8600 --publish-style post --publish-path / --no-auth --dialect socketio --server-pid "$pid" "${load[@]}" || true
    kill "$pid"
    wait "$pid" || true
    for dialect in $dialects; do
        once run --quiet --dialect "$dialect" --events raw --client-tokens-file "$work/reader" "${load[@]}" || true
    done
}

bar() {
    echo "== $1"
    case $1 in
        fan-out) each --clients "$(n 1000)" --rate 5000 ;;
        latency) each --clients "$(n 1000)" --rate 50 ;;
        storm) scenario connect-storm ${SCALE:+--short} ;;
        drop) dropped ;;
        mixed) scenario mixed ${SCALE:+--short}; scenario libraries ${SCALE:+--short} ;;
        unrelated) scenario unrelated ${SCALE:+--short} ;;
        keepalive)
            for dialect in $dialects; do
                once idle --quiet --markdown --clients "$(n 15000)" --seconds "$idle_seconds" --dialect "$dialect" --client-tokens-file "$work/reader" || true
            done | rows
            ;;
        peers) peers ;;
        scraping | console) watched "$1" ;;
        reloads) reloads ;;
        users) bench --clients "$(n 1000)" --rate 5000 --client-tokens-file "$work/tokens" ;;
        single) each --clients "$(n 5000)" --rate 20 ;;
        many) bench --clients "$(n 15000)" --rate 5; bench --clients "$(n 1000)" --rate 75 ;;
        stalled)
            for _ in 1 2 3 4 5; do
                once run --clients "$(n 1000)" --rate 500 --seconds 8 || true
                once run --clients "$(n 500)" --stalled "$(n 500)" --rate 500 --seconds 8 || true
            done
            ;;
        memory)
            for dialect in $dialects; do
                once idle --quiet --markdown --clients "$(n 15000)" --dialect "$dialect" --client-tokens-file "$work/reader"
            done
            once idle --quiet --markdown --clients "$(n 5000)" --client-tokens-file "$work/tokens-500"
            once run --clients 1 --stalled "$(n 500)" --rate 500 --seconds 20
            once run --clients 1 --rate 500 --seconds 20
            ;;
        million) once run --clients "$(n 200)" --churn 50 --rate 20000 --seconds 50 --watch-accounts 500 ;;
        *) echo "no bar is called $1" >&2; return 2 ;;
    esac
}

[ $# -gt 0 ] || set -- fan-out users single latency many unrelated mixed stalled memory keepalive storm drop million scraping console reloads
for name in "$@"; do bar "$name"; done
