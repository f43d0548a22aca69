#!/usr/bin/env bash
# Millrace at work on this machine, with its own log: builds it, runs config/jobs/demo.yaml over a generated clickstream, and shows
# what comes out. Runs until Ctrl-C, or for --seconds N. Everything is kept in ./data; delete that to start afresh.
# MILLRACE_BINARY names a binary to use instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."

config=config/millrace.yaml
job=config/jobs/demo.yaml
lake=data/lake/demo-sessions
output=data/demo.log
seconds=

while (($#)); do
    case "$1" in
        --seconds)
            seconds=${2:-}
            [[ "$seconds" =~ ^[1-9][0-9]*$ ]] || { echo "demo: --seconds needs a whole number above 0" >&2; exit 64; }
            shift 2
            ;;
        *)
            echo "usage: scripts/demo.sh [--seconds N]" >&2
            exit 64
            ;;
    esac
done

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

scripts/bootstrap.sh
millrace=${MILLRACE_BINARY:-}
if [[ -z "$millrace" ]]; then
    say "Building (the first time takes some minutes)"
    swift build -c release --product millrace
    millrace=$(swift build -c release --product millrace --show-bin-path)/millrace
fi

# The addresses that the daemon file names: HTTP first, then the log.
mapfile -t addresses < <(sed -n 's/^[^#]*listen: *\([0-9.]*:[0-9]*\).*/\1/p' "$config")
http=http://${addresses[0]}
brokers=${addresses[1]}
for address in "${addresses[@]}"; do
    if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; then
        echo "demo: something listens on $address already. Stop it, or change \`listen\` in $config." >&2
        exit 1
    fi
done

daemon=
show=
stop() {
    trap - EXIT
    trap '' INT TERM
    if [[ -n "$show" ]]; then
        # Again and again: a shell that has not become the generator yet forgets a signal.
        while kill -- "-$show" 2>/dev/null; do sleep 0.1; done
    fi
    if [[ -n "$daemon" ]]; then
        printf '\nStopping after a last commit.\n'
        kill "$daemon" 2>/dev/null || true
        wait "$daemon" 2>/dev/null || true
    fi
}
trap stop EXIT
trap 'exit 0' INT TERM
is_asked=

fail() {
    echo "demo: $*; the end of $output:" >&2
    tail -n 15 "$output" >&2
    exit 1
}

is_over() { [[ -n "$seconds" ]] && ((SECONDS >= seconds)); }

# The sum of all series of a metric, as a whole number.
metric() {
    curl -fsS --max-time 5 "$http/metrics" | awk -v name="$1" 'index($1, name "{") == 1 { sum += $NF } END { printf "%.0f", sum }'
}

# Waits until the rest of the arguments is a command that succeeds; false when that takes longer than $1 seconds.
await() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        kill -0 "$daemon" 2>/dev/null || fail "millrace has ended"
        if ((SECONDS >= until)) || is_over; then return 1; fi
        sleep 0.2
    done
}

is_ready() { curl -fsS --max-time 5 -o /dev/null "$http/readyz" 2>/dev/null; }
has_positions() { curl -fsS --max-time 5 "$http/metrics" | grep -q '^millrace_consumer_lag_records{'; }
is_caught_up() { (($(metric millrace_consumer_lag_records) == 0)); }
has_sessions() { (($(metric millrace_records_produced_total) > 0)); }
has_files() { [[ -n "$(find "$lake" -name '*.parquet' -print -quit 2>/dev/null)" ]]; }

counters() {
    curl -fsS --max-time 5 "$http/metrics" | awk -v now="$(date +%T)" '
        function add(name) { if (index($1, "millrace_" name "{") == 1) sum[name] += $NF }
        { add("records_consumed_total"); add("records_duplicate_total"); add("dead_letters_total"); add("consumer_lag_records"); add("commits_total") }
        index($1, "millrace_records_produced_total{") == 1 && /sink="demo-sessions"/ { sessions += $NF }
        END {
            printf "%s  events in %d  sessions out %d  duplicates %d  dead letters %d  lag %d  commits %d\n", now,
                sum["records_consumed_total"], sessions, sum["records_duplicate_total"], sum["dead_letters_total"],
                sum["consumer_lag_records"], sum["commits_total"]
        }'
}

SECONDS=0
mkdir -p data
say "Starting millrace run --config $config $job (its log: $output)"
# Asked to stop in this moment, the shell would not know yet what to stop.
trap 'is_asked=1' INT TERM
# In a session of its own a Ctrl-C does not reach it besides: told twice to stop it does without a last commit.
setsid "$millrace" run --config "$config" --log text "$job" >"$output" 2>&1 &
daemon=$!

# All that is shown, in the background: a shell that waits for a command in front loses a Ctrl-C that comes as the command ends.
show() {
    await 60 is_ready || is_over || fail "millrace is not ready after 60 s: $(curl -sS "$http/readyz" 2>&1 || true)"
    echo "Ready. Dashboard: $http/"

    # Event time goes on where the last demo ended, at most two hours ago, and then keeps to the clock: what is older than what the
    # job has seen would be late.
    await 5 has_positions || true
    await 30 is_caught_up || true
    now=$(date +%s)
    rate=100
    seed=$(date +%s%N)
    seen=$(curl -fsS "$http/metrics" | awk 'index($1, "millrace_watermark_seconds{") == 1 && $NF > max { max = $NF } END { printf "%.0f", max }')
    from=$((seen + 90 > now - 7200 ? seen + 90 : now - 7200))
    if ((now - from > 60)); then
        say "Generating the clicks of the last $(((now - from) / 60)) minutes, then $rate a second as they happen"
        # Waited for, it can be stopped at once.
        "$millrace" generate --events $(((now - from) * rate)) --users 100000 --seed "$seed" --start $((from * 1000)) \
            --span $((now - from))s --brokers "$brokers" demo-clicks &
        wait "$!"
    else
        say "Generating $rate clicks a second"
        now=$((from > now ? from : now))
    fi
    "$millrace" generate --events $((rate * 86400)) --rate $rate --users 100000 --seed $((seed + 1)) --start $((now * 1000)) \
        --span 1d --brokers "$brokers" demo-clicks 2>>"$output" &

    say "Events flow"
    for _ in 1 2 3; do
        counters
        is_over || sleep 1
    done

    if await 30 has_sessions; then
        say "Sessions, as they come out of the topic demo-sessions (kcat -b $brokers -C -t demo-sessions)"
        kcat -b "$brokers" -C -t demo-sessions -o -50 -c 5 -e -q || true
    else
        echo "No session has ended yet: one does when its user has been quiet for 30 minutes of event time."
    fi

    if await 30 has_files; then
        say "The same sessions as Parquet: $(find "$lake" -name '*.parquet' | wc -l) files so far, a new one every 10 s, in ./$lake"
        find "$lake" -name '*.parquet' | head -n 3
        cat <<TEXT
To read them (python3 -m pip install duckdb):
    python3 -c "import duckdb; print(duckdb.sql(\"select count(*) sessions, sum(events) events, sum(revenue) revenue from '$lake/**/*.parquet'\"))"
TEXT
    else
        echo "No Parquet file yet; they will be in ./$lake"
    fi

    say "Dashboard: $http/    metrics: $http/metrics    stop: Ctrl-C"
    while ! is_over; do
        kill -0 "$daemon" 2>/dev/null || fail "millrace has ended"
        counters
        sleep 2
    done
}

# A group of processes of its own, with the generator.
set -m
show </dev/null &
show=$!
set +m
trap 'exit 0' INT TERM
[[ -z "$is_asked" ]] || exit 0
wait "$show"
