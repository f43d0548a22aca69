#!/usr/bin/env bash
# Fuzzes the log with libFuzzer under Address Sanitizer: the decoder of requests, a whole broker, record batches, and the
# files of its directory. Begins with the corpus in Tests/Fuzz/corpus and valid requests of every kind and version.
#
#   scripts/fuzz.sh [--minutes N] [--seed S] [--only requests|broker|batches|files] [--keep]
#
# --minutes  how long, all targets together (10)      --seed  of the first target; the others count on from it (time of day)
# --keep     put what reached new code into the corpus, as few files as cover it
# A finding ends the run: the input that did it is left in .build/fuzz/findings, and how to run it again is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

minutes=10 seed=$(date +%s) targets=(requests broker batches files) keep=
while [[ $# -gt 0 ]]; do
    case $1 in
        --minutes) minutes=$2; shift 2 ;;
        --seed) seed=$2; shift 2 ;;
        --only) targets=("$2"); shift 2 ;;
        --keep) keep=yes; shift ;;
        *) sed -n '2,10p' "$0" >&2; exit 2 ;;
    esac
done

resources=$(swiftc -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["paths"]["runtimeResourcePath"])')
MILLRACE_FUZZ_LIBRARY=$(find "$(dirname "$resources")" -name "libclang_rt.fuzzer_no_main-$(uname -m).a" -print -quit)
[[ -n $MILLRACE_FUZZ_LIBRARY ]] || { echo "this Swift toolchain has no libFuzzer" >&2; exit 1; }
export MILLRACE_FUZZ_BUILD=1 MILLRACE_FUZZ_LIBRARY
swift build -c release --sanitize=address --scratch-path .build/fuzz --product LogFuzz
binary=$(swift build -c release --sanitize=address --scratch-path .build/fuzz --product LogFuzz --show-bin-path)/LogFuzz

mkdir -p .build/fuzz/findings
trap 'rm -rf /dev/shm/millrace-fuzz-*' EXIT
# What Swift's runtime and the threads of the broker leave at exit is no finding; what a request leaves, the memory limit finds.
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:allocator_may_return_null=0 SWIFT_BACKTRACE=enable=no
seconds=$((minutes * 60 / ${#targets[@]}))
for target in "${targets[@]}"; do
    export MILLRACE_FUZZ=$target
    found=.build/fuzz/corpus/$target kept=Tests/Fuzz/corpus/$target seeds=.build/fuzz/seeds/$target
    mkdir -p "$found" "$kept"
    "$binary" seeds "$seeds"
    # Seeds and kept inputs are read; what is new goes into the first folder.
    limits=(-rss_limit_mb=1536 -malloc_limit_mb=256 -timeout=20 -max_len=4096)
    echo "== $target: ${seconds} s, seed $seed"
    if ! "$binary" "${limits[@]}" -max_total_time="$seconds" -seed="$seed" -print_final_stats=1 -close_fd_mask=1 \
        -artifact_prefix=".build/fuzz/findings/$target-" "$found" "$kept" "$seeds" > ".build/fuzz/$target.log" 2>&1; then
        tail -40 ".build/fuzz/$target.log"
        echo "a finding. Again: MILLRACE_FUZZ=$target $binary .build/fuzz/findings/$target-..." >&2
        exit 1
    fi
    grep -E '^(Done|stat::)|cov: .*DONE' ".build/fuzz/$target.log" || true
    if [[ -n $keep ]]; then
        "$binary" "${limits[@]}" -set_cover_merge=1 -use_counters=0 "$kept" "$found" > ".build/fuzz/$target.merge.log" 2>&1
    fi
    seed=$((seed + 1))
done
