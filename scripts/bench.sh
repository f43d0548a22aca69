#!/usr/bin/env bash
# Measures, and prints medians with their spread.
#   scripts/bench.sh [JOB...] [--events N] [--repeats N] [--partitions N...] [--workers N...] [--directory DIR] [--json FILE]
#       a job end to end (passthrough, passthrough-plain, tumbling, sessions, sessions-large, dedupe, hot, salted, hot-salted, shuffled, nexmark-q0 to nexmark-q18): fills a
#       topic of a log, drains it with a daemon, both processes of their own: throughput, processor time by part, commits, memory. Several numbers of
#       partitions and workers are measured in all combinations
#   scripts/bench.sh operators
#       decoding, and the main job's dedupe and sessions, by themselves on one thread
#   scripts/bench.sh plot FILE DIR
#       pictures of what was kept in a file with --json
#   scripts/bench.sh latency [--rate R] [--interval D] [--seconds S] [--repeats N] [--directory DIR] [--json FILE]
#       from a record that is due to its result that a reader of committed records has; start-up and idling, too
#   scripts/bench.sh pauses [--rate R] [--users N] [--workers N] [--seconds S] [--repeats N] [--directory DIR]
#       how long workers stand still to take out an epoch in which hundreds of thousands of keys have changed
#   scripts/bench.sh log [--records N] [--rate R] [--seconds S] [--repeats N] [--directory DIR] [--json FILE]
#       the log alone: producing, consuming, latency, transactions, start, memory, with a lean client and with librdkafka
#   scripts/bench.sh backfill [--events N] [--repeats N] [--compare] [--json FILE]
#       a backfill of a topic and the live job over the same topic, one after the other
#   scripts/bench.sh recovery [--megabytes N] [--steps N] [--repeats N] [--only kill|store|move] [--store fast|moto] [--json FILE]
#       until a job works again: after a kill, without its local state, on another instance
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
swift build -c release --product millrace 2>&1 | tail -1
if [ "${1:-}" = operators ]; then
    swift build -c release --product hotpaths 2>&1 | tail -1
    exec .build/release/hotpaths time
fi
if [ "${1:-}" = recovery ]; then
    shift
    scripts/bootstrap.sh --tests
    exec .venv/bin/python scripts/recovery.py "$@"
fi
exec python3 scripts/bench "$@"
