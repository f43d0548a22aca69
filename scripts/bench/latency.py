"""From a record that is due to its result that a reader of committed records has, at a fixed rate; and what a daemon takes that does nothing."""
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from jobs import BENCH
from processes import BINARY, Daemon, Log


def await_ready(daemon):
    """Seconds from the start of the process to the first 200 of /readyz."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{daemon.http}/readyz", timeout=5):
                return time.monotonic() - daemon.began
        except urllib.error.URLError:
            daemon.check()
            time.sleep(0.002)


def once(options):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-", dir=options.directory))
    try:
        log = Log(directory)
        try:
            log.generate("clicks", "--events", 1_000)
            daemon = Daemon(directory, BENCH / "passthrough.yaml", log, interval=options.interval)
            try:
                result = {"first_ready_seconds": await_ready(daemon)}
                time.sleep(2)
                before = sum(daemon.threads.look().used().values()), sum(log.threads.look().used().values())
                time.sleep(options.seconds)
                result["idle_daemon_cores"] = (sum(daemon.threads.look().used().values()) - before[0]) / options.seconds
                result["idle_log_cores"] = (sum(log.threads.look().used().values()) - before[1]) / options.seconds
                result["idle_daemon_bytes"], result["idle_log_bytes"] = daemon.resident(), log.resident()
                done = subprocess.run(
                    [BINARY, "bench", "--brokers", log.brokers, "--topic", "clicks", "--output", "unsold", "--rate", str(options.rate),
                     "--seconds", str(options.seconds), "job", "latency"], stdout=subprocess.PIPE, check=True)
                result["latency"] = json.loads(done.stdout)
            finally:
                daemon.stop()
            again = Daemon(directory, BENCH / "passthrough.yaml", log, interval=options.interval)
            try:
                result["ready_seconds"] = await_ready(again)
            finally:
                again.stop()
        finally:
            log.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return result


def measure(options):
    return {"rate": options.rate, "interval": options.interval, "seconds": options.seconds, "runs": [once(options) for _ in range(options.repeats)]}


def report(result, machine):
    runs = result["runs"]

    def row(text, pick, form, factor=1.0):
        values = [pick(run) * factor for run in runs]
        print(f"  {text:<48}{form.format(statistics.median(values)):>10}   ({form.format(min(values))} to {form.format(max(values))})")

    print(f"\npassthrough at {result['rate']:,} events/s, a commit every {result['interval']}, medians of {len(runs)} on {machine}")
    for rank in ("p50", "p99", "p999"):
        row(f"from due to read, {rank}, ms", lambda r: r["latency"][rank], "{:,.0f}", 1e3)
    for name in ("daemon", "log"):
        row(f"idle, {name}, memory, MiB", lambda r: r[f"idle_{name}_bytes"], "{:,.0f}", 1 / 2**20)
        row(f"idle, {name}, percent of a core", lambda r: r[f"idle_{name}_cores"], "{:.2f}", 100)
    row("start to /readyz, the first time, ms", lambda r: r["first_ready_seconds"], "{:,.0f}", 1e3)
    row("start to /readyz, again, ms", lambda r: r["ready_seconds"], "{:,.0f}", 1e3)
