#!/usr/bin/env bash
# Measures a job end to end: fills a topic, drains it with the log in the same process, prints throughput, processor time
# by part, and memory. usage: scripts/bench.sh [sessions] [--events N] [--repeats N] [--json FILE]
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
swift build -c release --product millrace 2>&1 | tail -1
exec python3 scripts/bench.py "$@"
