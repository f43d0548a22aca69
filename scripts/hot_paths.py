#!/usr/bin/env python3
"""Counts the instructions that an event takes on the hot paths, and fails where one takes over 10% more than Tests/HotPaths/recorded.json
says.

    scripts/hot_paths.py [PATH...]             compares
    scripts/hot_paths.py --record [PATH...]    records what is counted now; the commit has to say why it changed

callgrind counts the same for the same program and input whatever else the machine does. What differs between machines is what code
libraries choose for a processor: simdjson and glibc are told to take what every x86-64 of the last ten years has, and Swift's hash
tables to use one seed. zstd, librocksdb and valgrind's own view of the processor cannot be told; they fit in the 10%.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDED = ROOT / "Tests/HotPaths/recorded.json"
BUILT = ROOT / ".build/release/hotpaths"
GROWTH_MAX = 0.10
ROUNDS = 3
ENVIRONMENT = {
    **os.environ,
    "SIMDJSON_FORCE_IMPLEMENTATION": "westmere",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-ERMS,-FSRM",
    "SWIFT_DETERMINISTIC_HASHING": "1",
}


def names(program):
    """Path to the events of a round."""
    lines = subprocess.run([program], check=True, capture_output=True, text=True, env=ENVIRONMENT).stdout.splitlines()
    return {name: int(events) for name, events in map(str.split, lines)}


def count(program, name, events):
    """Instructions an event."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*countedRound*", "--callgrind-out-file=/dev/null",
         program, name, str(ROUNDS)], capture_output=True, text=True, env=ENVIRONMENT)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found or int(found.group(1)) == 0:
        sys.exit(f"{name} could not be counted:\n{done.stderr[-2000:]}")
    return int(found.group(1)) / events / ROUNDS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path", nargs="*")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        print(f"hot paths: the recorded counts are of x86-64, this is {platform.machine()}: not compared")
        return
    with tempfile.TemporaryDirectory() as directory:
        # Debian's valgrind gives up on the debug information that Swift's compilers write.
        program = pathlib.Path(directory) / "hotpaths"
        subprocess.run(["objcopy", "--strip-debug", BUILT, program], check=True)
        compare(program, options)


def compare(program, options):
    paths = names(program)
    unknown = set(options.path) - set(paths)
    if unknown:
        sys.exit(f"there is no hot path {', '.join(sorted(unknown))}; there are {', '.join(paths)}")
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    grown = []
    for name in options.path or paths:
        now, before = count(program, name, paths[name]), recorded.get(name)
        change = f"{(now / before - 1) * 100:+.1f}%" if before else "new"
        print(f"{name:<16}{now:>10.1f} instructions an event   {change}", flush=True)
        if options.record:
            recorded[name] = round(now, 1)
        elif before is None:
            grown.append(f"{name} is not recorded")
        elif now > before * (1 + GROWTH_MAX):
            grown.append(f"{name} takes {now:.1f} instructions an event where {before} are recorded")
    if options.record:
        RECORDED.write_text(json.dumps({name: recorded[name] for name in paths if name in recorded}, indent=2) + "\n")
    if grown:
        sys.exit("hot paths: " + "; ".join(grown)
                 + ".\nMake them as fast again, or record the new counts (--record) in a commit that says why they are worth it.")


if __name__ == "__main__":
    main()
