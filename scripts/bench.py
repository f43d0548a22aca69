#!/usr/bin/env python3
"""Drains a filled topic with a real daemon and says where the processor time went. Standard library only; see bench.sh."""
import argparse
import collections
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = pathlib.Path(os.environ.get("MILLRACE_BINARY", ROOT / ".build/release/millrace"))
TICK = os.sysconf("SC_CLK_TCK")
JOBS = {"sessions": ROOT / "config/jobs/clickstream-sessions.yaml"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def machine():
    """The processor's name and how many there are."""
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


def role(thread):
    """Which part of the daemon a thread belongs to, by its name."""
    if thread.startswith("log-sync"):
        return "log disk"
    if thread.startswith("log"):
        return "log"
    if thread.startswith("rdk:"):
        return "librdkafka"
    if thread.startswith("worker"):
        return "worker"
    if thread.startswith("job"):
        return "commit"
    if thread.startswith("maintenance"):
        return "maintenance"
    return "other"


class Sampler:
    """The processor time of each thread, as last seen: threads take theirs with them when they end."""

    def __init__(self, pid):
        self.pid, self.threads, self.memory_max = pid, {}, 0

    def look(self):
        try:
            for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                text = (task / "stat").read_text()
                name = text[text.index("(") + 1: text.rindex(")")]
                fields = text[text.rindex(")") + 2:].split()
                self.threads[task.name] = (name, (int(fields[11]) + int(fields[12])) / TICK)
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            self.memory_max = max(self.memory_max, int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024)
        except (FileNotFoundError, ProcessLookupError, AttributeError):
            pass

    def by_role(self):
        total = collections.Counter()
        for name, seconds in self.threads.values():
            total[role(name)] += seconds
        return total


def metrics(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    except OSError:
        return {}


def total(values, name, label=""):
    return sum(float(v) for k, v in values.items() if k.split("{")[0] == name and label in k)


def fill(directory, config, port, http, options):
    log = subprocess.Popen([BINARY, "log", "--config", config, "--log", "json"], cwd=directory, stderr=subprocess.DEVNULL)
    try:
        while not metrics(http):
            time.sleep(0.05)
        subprocess.run(
            [BINARY, "generate", "--events", str(options.events), "--seed", str(options.seed), "--users", str(options.users),
             "--span", options.span, "--brokers", f"127.0.0.1:{port}", "clicks"], check=True, stderr=subprocess.DEVNULL)
    finally:
        log.send_signal(signal.SIGTERM)
        log.wait()


def drain(directory, config, http, job, events):
    """One run from an empty state to the end of the topic."""
    for name in ("state", "checkpoints", "lake"):
        shutil.rmtree(directory / "data" / name, ignore_errors=True)
    began = time.monotonic()
    process = subprocess.Popen(
        [BINARY, "run", "--config", config, "--log", "json", job], cwd=directory, stderr=open(directory / "run.log", "ab"))
    sampler, values, consumed, first, last = Sampler(process.pid), {}, 0, None, None
    while consumed < events:
        sampler.look()
        values = metrics(http) or values
        now = total(values, "millrace_records_consumed_total")
        if now and first is None:
            first = time.monotonic()
        consumed = now
        last = time.monotonic()
        assert process.poll() is None, (directory / "run.log").read_text()[-2000:]
        time.sleep(0.05)
    sampler.look()
    process.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    # Counters move with commits: the drain ends with the commit that has the last record, and began with the process.
    roles = sampler.by_role()
    stages = {name: total(values, "millrace_stage_cpu_nanoseconds_total", f'stage="{name}"') / 1e9
              for name in ("decode", "dedupe", "window", "other_operators", "freeze")}
    seconds = last - began
    split = {
        "log": roles["log"] + roles["log disk"], "librdkafka": roles["librdkafka"],
        "consume (worker)": roles["worker"] - sum(stages.values()), **stages,
        "commit": roles["commit"], "flush and snapshot": roles["maintenance"], "other": roles["other"],
    }
    return {
        "events_per_second": events / seconds, "seconds": seconds,
        "cpu_us_per_event": sum(roles.values()) / events * 1e6,
        "split_us_per_event": {name: value / events * 1e6 for name, value in split.items()},
        "memory_max_bytes": max(sampler.memory_max, usage.ru_maxrss * 1024),
        "commits": total(values, "millrace_commits_total"),
        "commit_seconds_mean": total(values, "millrace_commit_duration_seconds_sum") / max(1, total(values, "millrace_commit_duration_seconds_count")),
        "delta_bytes": total(values, "millrace_delta_bytes_total"),
        "ledger": {name: total(values, f"millrace_records_{name}_total") for name in ("consumed", "aggregated", "filtered", "duplicate")},
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("job", nargs="?", default="sessions", choices=JOBS)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--span", default="2h")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    try:
        port, http = free_port(), free_port()
        config = directory / "millrace.yaml"
        config.write_text(
            f"http: {{listen: 127.0.0.1:{http}}}\n"
            f"log: {{listen: 127.0.0.1:{port}, directory: ./data/log, fsync: commit, default_partitions: 4}}\n"
            "state: {directory: ./data/state, memory: 512MiB}\n"
            "checkpoint: {interval: 1s, storage: ./data/checkpoints}\n")
        fill(directory, config, port, http, options)
        runs = []
        for number in range(options.repeats + 1):
            # A job name a run: a group of its own, so that each run begins at the first record.
            job = directory / "job.yaml"
            job.write_text(JOBS[options.job].read_text().replace("job: clickstream-sessions", f"job: bench-{number}"))
            run = drain(directory, config, http, job, options.events)
            if number > 0:
                runs.append(run)
            print(f"{'warm-up' if number == 0 else f'run {number}'}: {run['events_per_second']:,.0f} events/s, "
                  f"{run['cpu_us_per_event']:.2f} us CPU an event, {run['memory_max_bytes'] / 2**20:.0f} MiB", flush=True)
        middle = lambda pick: statistics.median(pick(run) for run in runs)
        spread = lambda pick: f"{min(map(pick, runs)):,.2f} to {max(map(pick, runs)):,.2f}"
        print(f"\n{options.job}: {options.events:,} events, {options.users:,} users, medians of {len(runs)} runs on {machine()}")
        print(f"  throughput        {middle(lambda r: r['events_per_second']):>12,.0f} events/s   ({spread(lambda r: r['events_per_second'])})")
        print(f"  processor time    {middle(lambda r: r['cpu_us_per_event']):>12.2f} us an event ({spread(lambda r: r['cpu_us_per_event'])})")
        for part in runs[0]["split_us_per_event"]:
            print(f"    {part:<18}{middle(lambda r: r['split_us_per_event'][part]):>10.3f}")
        print(f"  memory, peak      {middle(lambda r: r['memory_max_bytes']) / 2**20:>12.0f} MiB")
        print(f"  commit, mean      {middle(lambda r: r['commit_seconds_mean']) * 1000:>12.0f} ms")
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps({"job": options.job, "machine": machine(), "events": options.events, "runs": runs}, indent=1))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
