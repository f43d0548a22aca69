#!/usr/bin/env python3
"""Measures `millrace backfill` against the live job over the same topic, one after the other. Standard library only; see bench.sh."""
import argparse
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

import bench


def backfill(directory, config, job, number, events):
    """One run over the whole topic, with the log in its process; from the start of the process to its end."""
    began = time.monotonic()
    command = [bench.BINARY, "backfill", "--config", config, "--log", "json", "--from", "0", "--to", str(int(time.time() * 1000)),
               "--run-id", f"bench-{number}", job]
    process = subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=open(directory / "run.log", "ab"), text=True)
    sampler = bench.Sampler(process.pid)
    while process.poll() is None:
        sampler.look()
        time.sleep(0.05)
    seconds = time.monotonic() - began
    said = process.stdout.read()
    assert process.returncode == 0, (directory / "run.log").read_text()[-2000:]
    assert f"consumed {events} =" in said, said
    return {"events_per_second": events / seconds, "seconds": seconds, "memory_max_bytes": sampler.memory_max,
            "cpu_us_per_event": sum(sampler.by_role().values()) / events * 1e6,
            "split_us_per_event": {role: value / events * 1e6 for role, value in sampler.by_role().items()},
            "files": {sink: int(count) for sink, count in re.findall(r"(\w+): \d+ rows in (\d+) files", said)}}


def compare(directory, config, job, number):
    """DuckDB's word that the files of the backfill are those of the live job, for the windows that this one has closed."""
    import duckdb
    shutil.rmtree(directory / "data/lake", ignore_errors=True)
    subprocess.run([bench.BINARY, "run", "--config", config, "--until-end", job], cwd=directory, check=True, stderr=subprocess.DEVNULL)
    live = next((directory / "data/lake").iterdir())
    again = subprocess.run(
        [bench.BINARY, "backfill", "--config", config, "--from", "0", "--to", str(int(time.time() * 1000)), "--run-id", f"compare-{number}", job],
        cwd=directory, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    replayed = re.search(r"rows in \d+ files, (\S+)", again).group(1)
    rows = lambda path: f"(select * from read_parquet('{path}/**/*.parquet', hive_partitioning = false))"
    one = lambda query: duckdb.sql(query).fetchall()[0]
    closed, = one(f"select count(*) from {rows(live)}")
    missing, = one(f"select count(*) from ({rows(live)} except all {rows(replayed)})")
    more, first_end = one(f"select count(*), min(window_end) from ({rows(replayed)} except all {rows(live)})")
    last_end, = one(f"select max(window_end) from {rows(live)}")
    print(f"DuckDB: {closed:,} windows closed by the live job, {missing} of them not in the backfill; {more:,} more there, "
          f"that were open (the first ends {first_end}, the last closed one ended {last_end})")
    assert closed > 0 and missing == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--span", default="2h")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compare", action="store_true", help="compares the rows with DuckDB, which Python has to have")
    parser.add_argument("--json")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    try:
        port, http = bench.free_port(), bench.free_port()
        config = directory / "millrace.yaml"
        config.write_text(
            f"http: {{listen: 127.0.0.1:{http}}}\n"
            f"log: {{listen: 127.0.0.1:{port}, directory: ./data/log, fsync: commit, default_partitions: 4}}\n"
            "state: {directory: ./data/state, memory: 512MiB}\n"
            "checkpoint: {interval: 1s, storage: ./data/checkpoints}\n")
        bench.fill(directory, config, port, http, options)
        runs = {"live": [], "backfill": []}
        job = directory / "job.yaml"
        text = bench.JOBS["sessions"].read_text()
        for number in range(options.repeats + 1):
            job.write_text(text.replace("job: clickstream-sessions", f"job: bench-{number}"))
            pair = {"live": bench.drain(directory, config, http, job, options.events),
                    "backfill": backfill(directory, config, job, number, options.events)}
            for name, run in pair.items():
                if number > 0:
                    runs[name].append(run)
                print(f"{'warm-up' if number == 0 else f'run {number}'}, {name}: {run['events_per_second']:,.0f} events/s, "
                      f"{run['cpu_us_per_event']:.2f} us CPU an event, {run['memory_max_bytes'] / 2**20:.0f} MiB", flush=True)
        print(f"\n{options.events:,} events, {options.users:,} users, medians of {options.repeats} runs on {bench.machine()}")
        for name, found in runs.items():
            for unit, what in (("events/s", "events_per_second"), ("us CPU an event", "cpu_us_per_event")):
                values = [run[what] for run in found]
                print(f"  {name:<10}{statistics.median(values):>14,.2f} {unit:<16}({min(values):,.2f} to {max(values):,.2f})")
        ratios = [b["events_per_second"] / a["events_per_second"] for a, b in zip(runs["live"], runs["backfill"])]
        print(f"  the backfill is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")
        if options.compare:
            job.write_text(text.replace("job: clickstream-sessions", "job: bench-compare"))
            compare(directory, config, job, 0)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps({"machine": bench.machine(), "events": options.events, "runs": runs}, indent=1))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
