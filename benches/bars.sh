#!/usr/bin/env bash
# Runs the engine's bars: what a release must hold, measured against the floor of the same run, in each of the five ways in.
# Takes about an hour on two idle cores; see README.md beside this file for the bars and for how to read the figures.
#
#   cargo build --release --workspace && [REPEAT=5] [DIALECTS='sse socketio'] benches/bars.sh [BAR ...]
#
# The bars, all of them unless named: fan-out users single latency many unrelated mixed stalled memory storm million peers.
# `peers` needs nginx with nchan and a Socket.IO server, as loadtest/peers says, and runs only when it is named.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FANFARE_LOG=warn
tester=target/release/fanfare-loadtest
target=(--target http://127.0.0.1:8400 --token bars-publish --admin-token bars-admin)
dialects=${DIALECTS:-sse plex-sse plex-ws mediabrowser socketio}
repeat=${REPEAT:-5}

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
echo bars-u0 > "$work/stranger"
head -500 "$work/tokens" > "$work/tokens-500"
serve="target/release/fanfare serve --config $work/settings.toml"

bench() { "$tester" bench --quiet "${target[@]}" --server-cmd "$serve" --repeat "$repeat" --seconds 6 "$@" || true; }

# The same load in every way in. `raw` events have the same size on the wire in all of them.
each() {
    for dialect in $dialects; do
        echo "-- $dialect"
        bench --dialect "$dialect" --events raw --client-tokens-file "$work/reader" "$@"
    done
}

# The cost of a delivery beside so many clients of other libraries.
beside() {
    local pid idle
    taskset -c 0 $serve &
    pid=$!
    until curl -fs http://127.0.0.1:8401/readyz > /dev/null; do sleep 0.1; done
    if [ "$1" -gt 0 ]; then
        "$tester" idle --quiet --target http://127.0.0.1:8400 --token bars-u0 --clients "$1" --seconds 30 --pin-client 1 --server-pid "$pid" > /dev/null &
        idle=$!
        until curl -fs http://127.0.0.1:8401/metrics | awk '/^fanfare_connections\{/ { n += $NF } END { exit n < '"$1"' }'; do sleep 0.2; done
    fi
    "$tester" run --quiet "${target[@]}" --server-pid "$pid" --client-tokens-file "$work/reader" --clients 1000 --rate 100 --seconds 8 --pin-client 1 --markdown || true
    [ "$1" = 0 ] || kill "$idle" || true
    kill -TERM "$pid"
    wait "$pid" || true
}

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

# Others at the same work, one after the other on core 0: nchan (nginx) and Socket.IO (Node).
peers() {
    local nchan=(--publish-style post --publish-path '/pub/{library}' --no-auth) pid load
    load=(--clients 1000 --rate 100 --seconds 8 --pin-client 1 --markdown)
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
        fan-out) each --clients 1000 --rate 5000 ;;
        latency) each --clients 1000 --rate 50 ;;
        storm) "$tester" scenario connect-storm --server target/release/fanfare || true ;;
        mixed) "$tester" scenario mixed --server target/release/fanfare --wrap 'taskset -c 0' || true ;;
        unrelated) for _ in $(seq "$repeat"); do for others in 0 2500 5000 10000; do echo "$others others"; beside "$others"; done; done ;;
        peers) peers ;;
        users) bench --clients 1000 --rate 5000 --client-tokens-file "$work/tokens" ;;
        single) each --clients 5000 --rate 20 ;;
        many) bench --clients 15000 --rate 5; bench --clients 1000 --rate 75 ;;
        stalled)
            for _ in 1 2 3 4 5; do
                once run --clients 1000 --rate 500 --seconds 8 || true
                once run --clients 500 --stalled 500 --rate 500 --seconds 8 || true
            done
            ;;
        memory)
            for dialect in $dialects; do
                once idle --clients 15000 --dialect "$dialect" --client-tokens-file "$work/reader"
            done
            once idle --clients 5000 --client-tokens-file "$work/tokens-500"
            once run --clients 1 --stalled 500 --rate 500 --seconds 20
            once run --clients 1 --rate 500 --seconds 20
            ;;
        million) once run --clients 200 --churn 50 --rate 20000 --seconds 50 --watch-accounts 500 ;;
        *) echo "no bar is called $1" >&2; return 2 ;;
    esac
}

[ $# -gt 0 ] || set -- fan-out users single latency many unrelated mixed stalled memory storm million
for name in "$@"; do bar "$name"; done
