#!/usr/bin/env python3
"""How long it takes until a job works again: after a kill with its local state, from an object store without it, on another instance.

The state is sessions of users that stay open, a kilobyte each. Log, store and instances are processes of this machine. Prints a table for docs/performance.md and,
with --json, writes the figures, of which recovery_plot.py makes docs/recovery.svg.
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))
from confluent_kafka import Producer  # noqa: E402
from harness import Site, await_that  # noqa: E402
from recovery_plot import tell  # noqa: E402
from s3_server import ACCESS, BUCKET, SECRET  # noqa: E402

PARTITIONS = 2
REGION = "eu-central-1"
PAGE_BYTES = 1_000
# A snapshot is taken after 128 MiB of a task's deltas.
STEP_MEGABYTES = 15
START = 1_700_000_000_000
JOB = """
job: recovery
kafka: {brokers: "%s"}
sources:
  visits:
    topic: visits
    format: json
    key: user
    fields: {user: string, ts: timestamp_ms, page: string}
    event_time: {field: ts, out_of_orderness: 1s}
transforms:
  sessions:
    from: visits
    group_by: [user]
    window: {session: {gap: 24h}}
    aggregate: {visits: count(), first_page: first(page)}
sinks:
  topic: {from: sessions, kafka: {topic: sessions, key: user, format: json}}
dead_letter: {topic: dead}
"""


def make(above, name):
    directory = pathlib.Path(above) / name
    directory.mkdir()
    return directory


class Store:
    """An object store of this machine: one as fast as it allows, or moto's, which checks signatures and is all Python."""
    SERVERS = {"fast": lambda directory: [ROOT / "scripts/object_store.py", directory],
               "moto": lambda directory: [ROOT / "Tests/EndToEnd/s3_server.py", "--bucket"]}

    def __init__(self, kind, directory):
        self.process = subprocess.Popen(
            [sys.executable, *self.SERVERS[kind](directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def sent(self):
        with urllib.request.urlopen(self.endpoint + "/__bytes") as answer:
            return int(answer.read())

    def curl(self, *arguments, **options):
        """curl with the signature of a request without a body."""
        return subprocess.run(
            ["curl", "-s", "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{ACCESS}:{SECRET}",
             "-H", f"x-amz-content-sha256: {hashlib.sha256(b'').hexdigest()}", *arguments], check=True, **options)

    def raw_rate(self):
        """Tables and deltas with four curls at a time, MB/s."""
        listed = self.curl(f"{self.endpoint}/{BUCKET}/?list-type=2&prefix=recovery%2F", stdout=subprocess.PIPE, text=True).stdout
        keys = [key for key in re.findall("<Key>(.*?)</Key>", listed) if "/tables/" in key or key.endswith(".delta")]
        before = self.sent()
        began = time.monotonic()
        self.curl("--parallel", "--parallel-max", "4", *(
            word for key in keys for word in ("-o", "/dev/null", f"{self.endpoint}/{BUCKET}/{key}")), stderr=subprocess.DEVNULL)
        return (self.sent() - before) / (time.monotonic() - began) / 1e6

    def close(self):
        self.process.kill()
        self.process.wait()


class Visits:
    """Makes state: users that are new, or again some of those that are there."""

    def __init__(self, brokers):
        self.producer = Producer({
            "bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 20, "compression.type": "none",
            "queue.buffering.max.kbytes": 262_144})
        # Text that does not become smaller.
        self.text = base64.b85encode(random.Random(1).randbytes(8 << 20)).decode()
        self.count = 0
        self.users = [0] * PARTITIONS
        self.trickle = None

    def send(self, user, partition):
        self.count += 1
        at = self.count * 7_919 % (len(self.text) - PAGE_BYTES)
        value = f'{{"user":"user-{partition}-{user:08}","ts":{START + self.count % 1000},"page":"{self.text[at:at + PAGE_BYTES]}"}}'
        while True:
            try:
                return self.producer.produce("visits", value, f"user-{partition}-{user:08}", partition)
            except BufferError:
                self.producer.poll(0.05)

    def new(self, megabytes):
        """State of about so much for each partition."""
        for _ in range(int(megabytes * 1e6 / (PAGE_BYTES + 60))):
            for partition in range(PARTITIONS):
                self.send(self.users[partition], partition)
                self.users[partition] += 1
        assert self.producer.flush(600) == 0

    def go_on(self):
        """A hundred visits a second in the background, so that there is always something to do."""
        ending = threading.Event()

        def run():
            number = 0
            while not ending.wait(0.02):
                for partition in range(PARTITIONS):
                    self.send(number, partition)
                number += 1
                self.producer.poll(0)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            ending.set()
            thread.join()
            self.producer.flush(60)
        return end


class Bench:
    def __init__(self, directory, megabytes, in_store):
        self.directory = pathlib.Path(directory)
        self.store = Store(in_store, make(self.directory, "store")) if in_store else None
        self.log = Site(make(self.directory, "log"), "", partitions=PARTITIONS)
        self.log.start_log()
        self.log.create("visits", partitions=PARTITIONS)
        self.visits = Visits(self.log.brokers)
        self.first = self.instance("first")
        try:
            self.process = self.start(self.first)
            self.visits.new(megabytes)
            self.drain()
        except BaseException:
            self.close()
            raise

    def instance(self, name):
        site = Site(make(self.directory, name), JOB % self.log.brokers, log=False, brokers=self.log.brokers, interval="1s")
        storage = f"storage: {self.directory}/checkpoints"
        if self.store:
            storage = f"storage: s3://{BUCKET}/recovery, s3: {{endpoint: '{self.store.endpoint}', region: {REGION}}}"
        site.config.write_text(site.config.read_text().replace("storage: ./data/checkpoints", storage).replace("256MiB", "1GiB"))
        return site

    def start(self, site):
        process = site.start_job()
        site.await_ready(process, 600)
        return process

    def drain(self):
        """Everything consumed and committed, and the homes at rest."""
        await_that(lambda: sum(lag for _, lag in self.log.committed("recovery", "visits").values()) == 0, 1_800, "an end of the input")
        calm = [0, None]

        def is_calm():
            names = sorted(p.name for p in self.files("*.sst") + self.files("*.delta"))
            calm[0] = calm[0] + 1 if names == calm[1] else 0
            calm[1] = names
            time.sleep(0.3)
            return calm[0] > 10
        await_that(is_calm, 600, "an end of the maintenance")

    def files(self, pattern):
        return [p for root in (self.directory / "checkpoints", self.directory / "store", self.first.directory / "data/state")
                if root.exists() for p in root.rglob(pattern)]

    def state_bytes(self):
        return sum(p.stat().st_size for p in (self.first.directory / "data/state").rglob("*.sst"))

    def delta_bytes(self):
        """Of those above the newest snapshot: what a recovery has to apply."""
        total = 0
        root = self.directory / ("store" if self.store else "checkpoints")
        for task in range(PARTITIONS):
            for directory in root.rglob(f"visits-{task}"):
                snapshots = [int(p.name.split("-")[1]) for p in directory.glob("snapshot-*")]
                newest = max(snapshots, default=0)
                total += sum(p.stat().st_size for p in directory.glob("*.delta") if int(p.name.split("-")[0]) > newest)
        return total

    def restart(self):
        """Seconds from the start of a process to readiness, and to the first commit of records."""
        began = time.monotonic()
        self.process = self.first.start_job()
        ready = worked = None
        while worked is None:
            assert self.process.poll() is None, self.first.log_text()[-3_000:]
            if ready is None:
                answer = self.first.get("/readyz")
                ready = time.monotonic() - began if answer and answer[0] == 200 else None
            if self.first.metric("millrace_records_consumed_total") > 0:
                worked = time.monotonic() - began
            assert time.monotonic() - began < 600, "it does not come back"
            time.sleep(0.01)
        return ready or worked, worked

    def slowest(self, site=None, count=PARTITIONS):
        """Where the time went of the task that took longest to restore in the last life, in seconds."""
        lines = [json.loads(line) for line in (site or self.first).log_text().splitlines() if line.startswith("{")]
        tasks = [line for line in lines if line.get("msg") == "task recovered"][-count:]
        found = max(tasks, key=lambda task: task["seconds"])
        return {name.removesuffix("_seconds"): value for name, value in found.items() if name.endswith("seconds")}

    def close(self):
        for site in (self.first, self.log):
            site.close()
        if self.store:
            self.store.close()


def kills(directory, megabytes, steps, repeats):
    """Points of (bytes changed since the last snapshot, seconds of recovery, to readiness, to a commit), several at each step."""
    bench = Bench(directory, megabytes, in_store=None)
    try:
        # Until both tasks have just taken a snapshot: what follows is one stretch from the least to the most that a recovery has to do.
        while bench.delta_bytes() > 16e6:
            bench.visits.new(6)
            bench.drain()
        points = []
        for step in range(steps):
            if step:
                bench.visits.new(STEP_MEGABYTES)
                bench.drain()
            for _ in range(repeats):
                end = bench.visits.go_on()
                await_that(lambda: bench.first.metric("millrace_records_consumed_total") > 0, 60, "work")
                bench.first.kill(bench.process)
                changed = bench.delta_bytes()
                ready, worked = bench.restart()
                parts = bench.slowest()
                points.append(dict(step=step, changed=changed, recovery=parts.pop("seconds"), ready=ready, worked=worked, parts=parts))
                print(points[-1], flush=True)
                end()
        return dict(state=bench.state_bytes(), points=points)
    finally:
        bench.close()


def from_store(directory, megabytes, repeats, kind):
    bench = Bench(directory, megabytes, in_store=kind)
    try:
        runs = []
        end = bench.visits.go_on()
        for _ in range(repeats):
            bench.first.kill(bench.process)
            name = bench.first.directory / "data/state/instance"
            kept = name.read_text()
            shutil.rmtree(bench.first.directory / "data/state")
            name.parent.mkdir()
            name.write_text(kept)
            before = bench.store.sent()
            ready, worked = bench.restart()
            fetched = bench.store.sent() - before
            parts = bench.slowest()
            took = parts.pop("seconds")
            runs.append(dict(
                fetched=fetched, recovery=took, rate=fetched / took / 1e6, parts=parts, ready=ready, worked=worked, raw=bench.store.raw_rate()))
            print(runs[-1], flush=True)
        end()
        return runs
    finally:
        bench.close()


def hand_over(directory, megabytes, in_store):
    """A second instance joins: seconds from its start to its first commit, and how long its task stood still."""
    bench = Bench(directory, megabytes, in_store)
    try:
        end = bench.visits.go_on()
        await_that(lambda: bench.first.metric("millrace_records_consumed_total") > 0, 60, "work")
        second = bench.instance("second")
        began = time.monotonic()
        process = second.start_job()
        seen = {}
        last = {}
        while True:
            now = time.monotonic() - began
            for partition in range(PARTITIONS):
                count = bench.first.metric("millrace_records_consumed_total", partition=partition)
                if count > seen.get(partition, 0):
                    seen[partition], last[partition] = count, now
            moved = [p for p in range(PARTITIONS) if second.metric("millrace_records_consumed_total", partition=p) > 0]
            if moved:
                result = dict(worked=now, still=now - last[moved[0]], parts=bench.slowest(second, 1), state=bench.state_bytes() / PARTITIONS)
                break
            assert process.poll() is None and now < 600, second.log_text()[-3_000:]
            time.sleep(0.02)
        end()
        second.close()
        print(result, flush=True)
        return result
    finally:
        bench.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1_000, help="of state, for each task that moves; half as much for each that does not")
    parser.add_argument("--steps", type=int, default=8, help=f"of {STEP_MEGABYTES} MB of changes for each task")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", choices=list(Store.SERVERS), default="fast")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only", choices=["kill", "store", "move"])
    arguments = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET)
    figures = {}
    half = arguments.megabytes / PARTITIONS

    def within(name, body):
        with tempfile.TemporaryDirectory(prefix="millrace-recovery-") as directory:
            figures[name] = body(directory)
    if arguments.only in (None, "kill"):
        # A quarter of the state, too: what there is should make no difference.
        within("kill", lambda directory: [
            kills(make(directory, f"{share}"), half * share, arguments.steps, arguments.repeats) for share in (0.25, 1)])
    if arguments.only in (None, "store"):
        within(f"store_{arguments.store}", lambda directory: from_store(directory, half, arguments.repeats, arguments.store))
    if arguments.only in (None, "move"):
        within("move_directory", lambda directory: hand_over(directory, arguments.megabytes, None))
        within(f"move_{arguments.store}", lambda directory: hand_over(directory, arguments.megabytes, arguments.store))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    show(figures)


def spread(points, name):
    return f"{statistics.median(p[name] for p in points):.2f} s, longest {max(p[name] for p in points):.2f} s"


def show(figures):
    median = statistics.median
    print("| | |\n|---|---|")
    if kill := figures.get("kill"):
        for state in kill:
            points = state["points"]
            print(f"| SIGKILL with {state['state'] / 1e9:.2f} GB of local state: start of the process to ready | {spread(points, 'ready')} |")
            print(f"| ... to the first commit of records | {spread(points, 'worked')} |")
        tell(figures)
    for kind in Store.SERVERS:
        if runs := figures.get(f"store_{kind}"):
            print(f"| from the store ({kind}), no local state: {median(r['fetched'] for r in runs) / 1e9:.2f} GB | {median(r['rate'] for r in runs):.0f} MB/s |")
            print(f"| ... the same files by curl | {median(r['raw'] for r in runs):.0f} MB/s |")
            print(f"| ... start of the process to the first commit | {median(r['worked'] for r in runs):.2f} s |")
    for name, place in (("move_directory", "a shared directory"), ("move_fast", "the store (fast)"), ("move_moto", "the store (moto)")):
        if move := figures.get(name):
            print(f"| hand-over of a task of {move['state'] / 1e9:.2f} GB through {place}: start of the new instance to its first commit of the task | {move['worked']:.1f} s |")
            print(f"| ... the task stood still | {move['still']:.1f} s |")


if __name__ == "__main__":
    main()
