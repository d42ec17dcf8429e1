#!/usr/bin/env bash
# Runs the engine's bars: what a release must hold, measured against the floor of the same run. Takes about 15 minutes on
# two idle cores; see README.md beside this file for the bars and for how to read the figures.
#
#   cargo build --release --workspace && benches/bars.sh [fan-out|users|single|many|stalled|memory|million] ...
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export FANFARE_LOG=warn
tester=target/release/fanfare-loadtest
target=(--target http://127.0.0.1:8400 --token bars-publish --admin-token bars-admin)

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
[[users]]
id = "bars"
token = "bars-admin"
libraries = "read"
admin = true
[[tokens]]
token = "bars-publish"
user = "bars"
publish = true
TOML
    for i in $(seq 0 999); do
        printf '[[users]]\nid = "u%d"\ntoken = "bars-u%d"\nlibraries = { lib0 = "read", lib1 = "read", other = "admin" }\n' "$i" "$i"
    done
}
settings > "$work/settings.toml"
seq -f 'bars-u%g' 0 999 > "$work/tokens"
head -500 "$work/tokens" > "$work/tokens-500"
serve="target/release/fanfare serve --config $work/settings.toml"

bench() { "$tester" bench "${target[@]}" --server-cmd "$serve" --repeat 5 --seconds 6 "$@"; }

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

bar() {
    echo "== $1"
    case $1 in
        fan-out) bench --clients 1000 --rate 5000 ;;
        users) bench --clients 1000 --rate 5000 --client-tokens-file "$work/tokens" ;;
        single) bench --clients 5000 --rate 20 ;;
        many) bench --clients 15000 --rate 5; bench --clients 1000 --rate 75 ;;
        stalled)
            for _ in 1 2 3 4 5; do
                once run --clients 1000 --rate 500 --seconds 8 || true
                once run --clients 500 --stalled 500 --rate 500 --seconds 8 || true
            done
            ;;
        memory)
            once idle --clients 5000 --client-tokens-file "$work/tokens-500"
            once run --clients 1 --stalled 500 --rate 500 --seconds 20
            once run --clients 1 --rate 500 --seconds 20
            ;;
        million) once run --clients 200 --churn 50 --rate 20000 --seconds 50 --watch-accounts 500 ;;
        *) echo "no bar is called $1" >&2; return 2 ;;
    esac
}

[ $# -gt 0 ] || set -- fan-out users single many stalled memory million
for name in "$@"; do bar "$name"; done
