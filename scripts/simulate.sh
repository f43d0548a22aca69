#!/usr/bin/env bash
# The engine on a simulated broker, storage and clock, with seeded faults; docs/decisions/0007 says what that covers.
#
#   scripts/simulate.sh                       100,000 schedules, from seed 1
#   scripts/simulate.sh --minutes 30          as many as come, from a seed that nobody had before; --start N: from N
#   scripts/simulate.sh --schedules 1000      so many
#   scripts/simulate.sh --seed N              one, as a story
#   scripts/simulate.sh --mutations           puts in known defects, one after the other: each has to be found
#
# The first schedule that fails is made smaller and printed as a story; exit 1.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/bootstrap.sh
swift build -c release --product simulate 2>&1 | grep -E "error:|warning:" && exit 1
arguments=("$@")
if [[ " $* " == *" --minutes "* && " $* " != *" --start "* ]]; then
    arguments+=(--start "$(($(date +%s) * 1000000))")
fi
exec "$(swift build -c release --product simulate --show-bin-path)/simulate" "${arguments[@]}"
