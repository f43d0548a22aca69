"""`millrace backfill` against the live job over the same topic, one after the other."""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

from drain import drain
from jobs import JOBS
from processes import BINARY, Log, Threads, free_port, machine


def arguments_of(directory, run):
    config = pathlib.Path(directory) / "backfill.yaml"
    config.write_text(
        f"http: {{listen: 127.0.0.1:{free_port()}}}\n"
        "state: {directory: ./data/state, memory: 1GiB}\ncheckpoint: {interval: 1s, storage: ./data/checkpoints}\n")
    return [BINARY, "backfill", "--config", config, "--from", "0", "--to", str(int(time.time() * 1000)), "--run-id", run, directory / "job.yaml"]


def look_until_end(process, threads):
    while process.returncode is None:
        threads.look()
        time.sleep(0.05)


def backfill(directory, log, job, number):
    """One run over the whole topic, from the start of the process to its end."""
    before = log.threads.look().used()
    began = time.monotonic()
    process = subprocess.Popen(
        [*arguments_of(directory, f"bench-{number}"), "--log", "json"], cwd=directory, stdout=subprocess.PIPE,
        stderr=open(directory / "backfill.log", "ab"), text=True, env={**os.environ, "MILLRACE_BROKERS": log.brokers})
    threads = Threads(process.pid)
    looking = threading.Thread(target=look_until_end, args=(process, threads))
    looking.start()
    # Until it closes its output, which it does by ending.
    said = process.stdout.read()
    process.wait()
    seconds = time.monotonic() - began
    looking.join()
    if process.returncode or f"consumed {job.events} =" not in said:
        raise SystemExit(f"the backfill did not end well: {said}\n{(directory / 'backfill.log').read_text()[-2000:]}")
    log.threads.look()
    used = sum(threads.used().values()) + sum(log.threads.used()[part] - before[part] for part in ("log network", "log disk"))
    return {"events_per_second": job.events / seconds, "seconds": seconds, "cpu_us_per_event": used / job.events * 1e6,
            "memory_max_bytes": threads.memory_max}


def compare(directory, log, job):
    """DuckDB's word that the files of the backfill are those of the live job, for the windows that this one has closed."""
    import duckdb
    shutil.rmtree(directory / "data/lake", ignore_errors=True)
    (directory / "job.yaml").write_text(job.text("bench-compare"))
    environment = {**os.environ, "MILLRACE_BROKERS": log.brokers}
    config = arguments_of(directory, "compare")[3]
    subprocess.run(
        [BINARY, "run", "--config", config, "--until-end", "job.yaml"], cwd=directory, check=True, stderr=subprocess.DEVNULL, env=environment)
    live = next((directory / "data/lake").iterdir())
    again = subprocess.run(
        arguments_of(directory, "compare"), cwd=directory, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        env=environment).stdout
    replayed = directory / re.search(r"rows in \d+ files, (\S+)", again).group(1)
    rows = lambda path: f"(select * from read_parquet('{path}/**/*.parquet', hive_partitioning = false))"
    one = lambda query: duckdb.sql(query).fetchall()[0]
    closed, = one(f"select count(*) from {rows(live)}")
    missing, = one(f"select count(*) from ({rows(live)} except all {rows(replayed)})")
    more, first_end = one(f"select count(*), min(window_end) from ({rows(replayed)} except all {rows(live)})")
    last_end, = one(f"select max(window_end) from {rows(live)}")
    print(f"DuckDB: {closed:,} windows closed by the live job, {missing} of them not in the backfill; {more:,} more there, "
          f"that were open (the first ends {first_end}, the last closed one ended {last_end})")
    assert closed > 0 and missing == 0


def main(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh backfill")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--compare", action="store_true", help="compares the rows with DuckDB, which Python has to have")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    job = JOBS["sessions"]
    job.events = options.events
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    runs = {"live": [], "backfill": []}
    try:
        log = Log(directory)
        try:
            job.fill(log, options.seed)
            for number in range(options.repeats + 1):
                pair = {"live": drain(directory, log, job, f"bench-{number}"), "backfill": backfill(directory, log, job, number)}
                for name, run in pair.items():
                    if number > 0:
                        runs[name].append(run)
                    print(f"{'warm-up' if number == 0 else f'run {number}'}, {name}: {run['events_per_second']:,.0f} events/s, "
                          f"{run['cpu_us_per_event']:.2f} us CPU an event, {run['memory_max_bytes'] / 2**20:.0f} MiB", flush=True)
            if options.compare:
                compare(directory, log, job)
        finally:
            log.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"\n{options.events:,} events, {job.users:,} users, medians of {options.repeats} runs on {machine()}")
    for name, found in runs.items():
        for unit, what in (("events/s", "events_per_second"), ("us CPU an event", "cpu_us_per_event")):
            values = [run[what] for run in found]
            print(f"  {name:<10}{statistics.median(values):>14,.2f} {unit:<16}({min(values):,.2f} to {max(values):,.2f})")
    ratios = [b["events_per_second"] / a["events_per_second"] for a, b in zip(runs["live"], runs["backfill"])]
    print(f"  the backfill is {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine(), "events": options.events, "runs": runs}, indent=1))
