#!/usr/bin/env bash
# Builds in release mode, warnings being errors, and runs every test: the units, the simulation, then real processes.
set -euo pipefail
cd "$(dirname "$0")/.."

# The units print tens of thousands of lines: what failed stands at the end, where it is looked for.
units() {
    local output status=0
    output=$(mktemp)
    swift test -c release --skip-build "$@" 2>&1 | tee "$output" || status=$?
    if ((status)); then
        echo "failed:"
        grep --text --after-context=3 -E '✘|recorded an issue|error:' "$output" | tail -n 200 || true
    fi
    rm -f "$output"
    return "$status"
}

scripts/bootstrap.sh --tests
swift build -c release --build-tests
# The simulation keeps every core busy for minutes; what waits for a broker or a clock runs before it.
units --skip SimulationTests.SimulationTests
units --filter SimulationTests.SimulationTests
scripts/hot_paths.py
.venv/bin/python -m pytest -q Tests/EndToEnd
