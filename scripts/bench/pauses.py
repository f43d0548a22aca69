"""How long workers stand still to take out an ended epoch, at a fixed rate of events that mostly are of different users."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from jobs import JOBS
from processes import BINARY, Daemon, Log, total
from latency import await_ready

NAME = "millrace_freeze_duration_seconds"


def ranges(values):
    """Pauses by the upper bound of their range, seconds."""
    sums = {}
    for key, value in values.items():
        found = re.search(r'le="([^"]+)"', key) if key.startswith(NAME + "_bucket") else None
        if found:
            bound = float(found.group(1).replace("+Inf", "inf"))
            sums[bound] = sums.get(bound, 0) + float(value)
    counts, below = {}, 0
    for bound in sorted(sums):
        counts[bound], below = int(sums[bound] - below), sums[bound]
    return counts


def once(options):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-", dir=options.directory))
    try:
        log = Log(directory)
        try:
            log.generate("clicks", "--events", 1)
            file = directory / "job.yaml"
            file.write_text(JOBS["sessions"].text("pauses"))
            daemon = Daemon(directory, file, log, memory="2GiB", workers=options.workers)
            try:
                await_ready(daemon)
                began = time.monotonic()
                subprocess.run(
                    [BINARY, "generate", "--brokers", log.brokers, "--events", str(options.rate * options.seconds), "--rate", str(options.rate),
                     "--users", str(options.users), "clicks"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                values, seconds = daemon.metrics(), time.monotonic() - began
                return {
                    "pauses": ranges(values), "commits": total(values, "millrace_commits_total"), "seconds": seconds,
                    "events": total(values, "millrace_records_consumed_total"), "keys": total(values, "millrace_state_keys"),
                }
            finally:
                daemon.stop()
        finally:
            log.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def measure(options):
    return [once(options) for _ in range(options.repeats)]


def report(runs, options, machine):
    for run in runs:
        commits = max(run["commits"], 1)
        print(f"\nsessions at {options.rate:,} events/s, 1 s interval, {options.workers or 'all'} workers, on {machine}: {run['events']:,.0f} events in {run['seconds']:.0f} s, "
              f"{commits:.0f} commits of {run['events'] / commits:,.0f} events and {run['keys'] / commits:,.0f} new keys each")
        for bound, count in run["pauses"].items():
            if count:
                print(f"  pauses up to {bound * 1e3:6.1f} ms {count:8}")
