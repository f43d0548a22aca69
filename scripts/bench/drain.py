"""Drains a filled topic with a real daemon and a real log, and says where the processor time went."""
import pathlib
import shutil
import statistics
import tempfile
import time

from jobs import JOBS
from processes import Daemon, Log, quantile, total

WORKER_STAGES = ("decode", "dedupe", "window", "other_operators", "freeze")
COMMIT_STAGES = ("delta", "storage", "files", "transaction")
LEDGER = ("consumed", "aggregated", "filtered", "duplicate")


def drain(directory, log, job, name, workers=None):
    """One run from an empty state to the end of the topic. The time counts from the start of the process to the commit with the last event."""
    for part in ("state", "checkpoints", "lake"):
        shutil.rmtree(directory / "data" / part, ignore_errors=True)
    file = directory / "job.yaml"
    file.write_text(job.text(name))
    before = log.threads.look().used(), log.threads.waited()
    daemon = Daemon(directory, file, log, memory=job.memory, workers=workers)
    values, consumed = {}, 0
    while consumed < job.events:
        daemon.check()
        time.sleep(0.05)
        daemon.threads.look()
        values = daemon.metrics() or values
        consumed = total(values, "millrace_records_consumed_total")
        seconds = time.monotonic() - daemon.began
    log.threads.look()
    used = {**daemon.threads.used(), **{part: log.threads.used()[part] - before[0][part] for part in ("log network", "log disk")}}
    waited = {**daemon.threads.waited(), **{part: log.threads.waited()[part] - before[1][part] for part in ("log network", "log disk")}}
    daemon.stop()
    stages = {stage: total(values, "millrace_stage_cpu_nanoseconds_total", f'stage="{stage}"') / 1e9
              for stage in WORKER_STAGES + COMMIT_STAGES}
    rest = {role: used.get(role, 0) - sum(stages[stage] for stage in parts)
            for role, parts in (("workers", WORKER_STAGES), ("commit", COMMIT_STAGES))}
    split = {
        "log network": used["log network"], "log disk": used["log disk"], "librdkafka": used.get("librdkafka", 0),
        "consume": rest["workers"], **stages, "other commit": rest["commit"], "maintenance": used.get("maintenance", 0), "other": used.get("other", 0),
    }
    return {
        "events_per_second": job.events / seconds, "seconds": seconds,
        "cpu_us_per_event": sum(used.values()) / job.events * 1e6,
        "cores_used": sum(used.values()) / seconds, "cores_waited_for": sum(waited.values()) / seconds,
        "split_us_per_event": {name: value / job.events * 1e6 for name, value in split.items()},
        "memory_max_bytes": daemon.threads.memory_max,
        "commits": total(values, "millrace_commits_total"),
        "commit_seconds": {f"p{int(share * 100)}": quantile(values, "millrace_commit_duration_seconds", share) for share in (0.5, 0.99)},
        "delta_bytes_per_event": total(values, "millrace_delta_bytes_total") / job.events,
        "state_bytes": total(values, "millrace_state_bytes"), "state_keys": total(values, "millrace_state_keys"),
        "ledger": {name: total(values, f"millrace_records_{name}_total") for name in LEDGER},
        "dead_letters": total(values, "millrace_dead_letters_total"),
    }


def measure(name, options, partitions=4, workers=(None,)):
    """For each number of workers a warm-up and `options.repeats` runs, all on one topic."""
    job = JOBS[name]
    if options.events:
        job.events = options.events
    directory = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-", dir=options.directory))
    results = []
    try:
        log = Log(directory, partitions)
        try:
            job.fill(log, options.seed)
            for count in workers:
                results.append({"job": name, "what": job.what, "events": job.events, "users": job.users, "partitions": partitions, "workers": count,
                                "runs": repeat(directory, log, job, count, options.repeats)})
        finally:
            log.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return results


def repeat(directory, log, job, workers, repeats):
    runs = []
    for number in range(repeats + 1):
        run = drain(directory, log, job, f"bench-{workers or 'all'}-{number}", workers)
        if number > 0:
            runs.append(run)
        print(f"{job.file.stem}, {'warm-up' if number == 0 else f'run {number}'}: {run['events_per_second']:,.0f} events/s, "
              f"{run['cpu_us_per_event']:.2f} us CPU an event, {run['cores_used']:.2f} cores used, "
              f"{run['memory_max_bytes'] / 2**20:.0f} MiB", flush=True)
    return runs


def report(result, machine):
    runs = result["runs"]

    def row(text, pick, form, factor=1.0):
        values = [pick(run) * factor for run in runs if pick(run) is not None]
        if values:
            print(f"  {text:<34}{form.format(statistics.median(values)):>12}   ({form.format(min(values))} to {form.format(max(values))})")

    workers = f", {result['workers']} workers" if result["workers"] else ""
    print(f"\n{result['job']}: {result['events']:,} events, {result['users']:,} users, {result['partitions']} partitions{workers}, "
          f"medians of {len(runs)} on {machine}")
    row("events/s", lambda r: r["events_per_second"], "{:,.0f}")
    row("processor time, us an event", lambda r: r["cpu_us_per_event"], "{:.2f}")
    for part in runs[0]["split_us_per_event"]:
        row(f"    {part}", lambda r: r["split_us_per_event"][part], "{:.3f}")
    row("cores used", lambda r: r["cores_used"], "{:.2f}")
    row("threads that waited for a core", lambda r: r["cores_waited_for"], "{:.2f}")
    row("memory of the daemon, peak, MiB", lambda r: r["memory_max_bytes"], "{:,.0f}", 1 / 2**20)
    for rank in ("p50", "p99"):
        row(f"a commit, {rank}, ms", lambda r: r["commit_seconds"][rank], "{:,.0f}", 1e3)
    row("deltas, bytes an event", lambda r: r["delta_bytes_per_event"], "{:.1f}")
