#!/usr/bin/env bash
# Measures, and prints medians with their spread.
#   scripts/bench.sh [sessions] [--events N] [--repeats N] [--json FILE]
#       a job end to end: fills a topic, drains it with the log in the same process: throughput, processor time by part, memory
#   scripts/bench.sh log [--records N] [--rate R] [--seconds S] [--repeats N] [--directory DIR] [--json FILE]
#       the log alone: producing, consuming, latency, transactions, start, memory, with a lean client and with librdkafka
#   scripts/bench.sh recovery [--megabytes N] [--steps N] [--repeats N] [--only kill|store|move] [--json FILE]
#       until a job works again: after a kill, without its local state, on another instance
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
swift build -c release --product millrace 2>&1 | tail -1
if [ "${1:-}" = log ]; then
    shift
    exec python3 scripts/bench_log.py "$@"
fi
if [ "${1:-}" = recovery ]; then
    shift
    scripts/bootstrap.sh --tests
    exec .venv/bin/python scripts/recovery.py "$@"
fi
exec python3 scripts/bench.py "$@"
