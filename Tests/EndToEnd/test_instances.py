"""Several instances of one job while they, the log, the store and the disks fail: what is committed is what the oracle says."""
import collections
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import Producer

import disks
from harness import BINARY, ROOT, SHARED, await_that
from misfortunes import plan
from s3_server import ACCESS, SECRET
from test_s3 import Store, in_s3

WEBLOG = SHARED / "data/weblog.jsonl.gz"
ORACLE = SHARED / "tools/reference_sessions.py"
SHIPPED = ROOT / "config/jobs/clickstream-sessions.yaml"

# 15 for the long version: 2,000,000 generated events.
MINUTES = float(os.environ.get("MILLRACE_TEST_MINUTES", "3"))
EVENTS_PER_SECOND = 2_000_000 / 900
JOB = "clickstream-sessions"
PARTITIONS = 12
SPAN_MS = 72 * 3_600_000

pytestmark = pytest.mark.skipif(not WEBLOG.exists(), reason=f"{WEBLOG} is not there")


def job(brokers, lake):
    """The job that is shipped, but for places, files every few seconds, and the one setting whose effect depends on the clock."""
    text = SHIPPED.read_text()
    for old, new in [("${MILLRACE_BROKERS:-embedded}", brokers), ("./data/lake/sessions", str(lake)), ("every: 5m", "every: 10s"),
                     (", idle_timeout: 30s", "")]:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class Visits:
    """The requests of the web log as clicks, at the pace of the generated events, some broken and some late."""

    def __init__(self, brokers, seed, seconds):
        self.records = list(self.make(random.Random(seed)))
        self.seconds = seconds
        self.failed = []
        self.ending = threading.Event()
        self.producer = Producer({
            "bootstrap.servers": brokers, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5, "log_level": 2,
            "message.timeout.ms": 240_000, "reconnect.backoff.max.ms": 500})
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def start():
        with gzip.open(WEBLOG) as lines:
            return json.loads(next(lines))["ts"]

    @staticmethod
    def make(dice):
        start = Visits.start()
        with gzip.open(WEBLOG) as lines:
            for line in lines:
                request = json.loads(line)
                due = max(0, request["ts"] - start) / SPAN_MS
                key = request["host"].encode()
                event = {"event_id": request["event_id"], "user_id": request["host"], "ts": request["ts"], "event_type": "view",
                         "url": request["path"], "amount": request["bytes"]}
                if dice.random() < 0.03:
                    event["ts"] -= dice.randrange(3_600_000, 10_800_000)
                text = json.dumps(event)
                if dice.random() < 0.03:
                    text = dice.choice([text[: dice.randrange(1, len(text) - 1)], text.replace('"ts"', '"tz"'), '{"ts": "now"}'])
                yield due, key, text.encode()

    def run(self):
        began = time.monotonic()
        for due, key, value in self.records:
            ahead = began + due * self.seconds - time.monotonic()
            if ahead > 0 and self.ending.wait(ahead):
                return
            self.producer.produce("clicks", value, key, on_delivery=lambda error, _: error and self.failed.append(error))
            self.producer.poll(0)

    def finish(self):
        self.thread.join()
        assert self.producer.flush(120) == 0 and not self.failed, self.failed[:3]
        return len(self.records)


class Instance:
    """One `millrace run` and who watches over it: killed, it comes back after a while; it never ends by itself."""

    def __init__(self, name, site):
        self.name, self.site = name, site
        self.said = 0
        self.process = None
        self.starts_at = 0.0
        self.is_wanted = True
        self.is_killed = False

    def watch(self, now):
        if self.process is None:
            if self.is_wanted and now >= self.starts_at:
                self.said = len(self.site.log_text())
                self.process = self.site.start_job()
                self.is_killed = False
            return
        code = self.process.poll()
        if code is None:
            return
        # Told to stop while the log is away, or fenced just then, it cannot commit a last time and says so.
        said = self.site.log_text()[self.said:]
        is_uncommitted = code == 1 and not self.is_wanted and "stopped without a last commit" in said
        assert self.is_killed and code == -signal.SIGKILL or not self.is_wanted and code == 0 or is_uncommitted, (
            f"{self.name} ended by itself with {code}: {said[-3_000:]}")
        self.process = None

    def kill(self, until):
        self.is_killed = True
        self.starts_at = until
        self.site.kill(self.process)

    def signal(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def status(self):
        return (self.site.status(JOB) or {}) if self.process is not None else {}


class Group:
    """The log, the store, the disks, and the instances that use them."""

    def __init__(self, site, store, directory, events):
        self.make_site, self.store, self.directory = site, store, directory
        self.instances = {}
        self.ends = []
        self.disks = {}
        self.log = site("", name="log", partitions=4)
        if disks.why_none() is None:
            # Twice what will be on it.
            self.disks["log"] = disks.Disk(self.log.directory / "data", 64 + events * 500 // 1_000_000)
        self.broker = self.log.start_log()
        self.log.create("clicks", partitions=PARTITIONS)

    def add(self, name):
        known = self.instances.get(name)
        if known:
            known.is_wanted, known.starts_at = True, 0
            return
        site = self.make_site(
            job(self.log.brokers, self.log.directory / "lake"), name=name, log=False, brokers=self.log.brokers, interval="1s")
        # So little that state has to move to the disk.
        site.config.write_text(site.config.read_text().replace("256MiB", "16MiB"))
        if self.disks and not self.instances:
            self.disks["state"] = disks.Disk(site.directory / "data/state", 64)
        self.instances[name] = Instance(name, in_s3(site, self.store))

    def begin(self, now, misfortune):
        what, until = misfortune.what, now + misfortune.seconds
        instance = self.instances.get(misfortune.who)
        if what == "added":
            self.add(misfortune.who)
        elif what == "removed":
            instance.is_wanted = False
            instance.signal(signal.SIGTERM)
        elif what == "killed":
            instance.kill(until)
        elif what == "frozen":
            instance.signal(signal.SIGSTOP)
            self.ends.append((until, lambda: instance.signal(signal.SIGCONT)))
        elif what == "log killed":
            self.log.kill(self.broker)
            self.broker = None
            self.ends.append((until, self.start_log))
        elif what == "store refusing":
            self.store.misbehave({"all": {"status": 503, "code": "SlowDown"}})
            self.ends.append((until, lambda: self.store.misbehave([])))
        else:
            disk = self.disks[what.split()[0]]
            disk.is_filling = True
            self.ends.append((until, lambda: self.make_room(disk)))

    def start_log(self):
        self.broker = self.log.start("log")

    @staticmethod
    def make_room(disk):
        disk.is_filling = False
        disk.empty()

    def turn(self, now):
        """What is due; and nobody may have given up."""
        for end in [end for end in self.ends if end[0] <= now]:
            self.ends.remove(end)
            end[1]()
        for disk in self.disks.values():
            if disk.is_filling:
                disk.fill()
        for instance in self.instances.values():
            instance.watch(now)
        assert self.broker is None or self.broker.poll() is None, self.log.log_text()[-3_000:]
        assert self.store.process.poll() is None, "the store has ended"

    def wanted(self):
        return [instance for instance in self.instances.values() if instance.is_wanted]

    def settled(self):
        """All ready, every partition with exactly one of them, nothing left to do."""
        tasks = collections.Counter()
        for instance in self.wanted():
            answer = instance.site.get("/readyz") if instance.process else None
            if not answer or answer[0] != 200:
                return False
            tasks.update(task["partition"] for task in instance.status().get("tasks", []))
        return tasks == collections.Counter(range(PARTITIONS)) and not any(
            lag for _, lag in self.log.committed(JOB, "clicks").values())

    def explain(self):
        return "; ".join(f"{one.name}: {one.site.get('/readyz')} {one.status().get('last_error')}" for one in self.wanted()) + (
            f"; left: {self.log.committed(JOB, 'clicks')}")

    def close(self):
        for instance in self.instances.values():
            if instance.process:
                instance.site.kill(instance.process)
        for disk in self.disks.values():
            disk.close()


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield store
    store.close()


def expected(log, directory):
    """Sessions and counts as the oracle has them for what is on the topic."""
    file = directory / "clicks.jsonl"
    records = log.consume("clicks")
    with open(file, "wb") as lines:
        for message in records:
            assert b"\n" not in message.value()
            lines.write(message.value() + b"\n")
    done = subprocess.run(
        [sys.executable, ORACLE, file, "--partitions", str(PARTITIONS), "--key", "user_id", "--sum", "amount", "--distinct", "url"],
        capture_output=True, text=True, check=True)
    sessions = [json.loads(line) for line in done.stdout.splitlines()]
    return len(records), json.loads(done.stderr), sorted(
        (s["key"], s["start"], s["end"], s["events"], round(s["sum"], 2), s["distinct"], s["first"]) for s in sessions)


def as_oracle(row, start, end):
    return (row["user_id"], start, end, row["events"], round(float(row["revenue"] or 0), 2), row["pages"], row["first_url"])


def assert_as_the_oracle(log, directory, sent):
    """Topic, files and dead letters; and what was acknowledged is on the topic, once."""
    count, counts, sessions = expected(log, directory)
    assert count == sent
    got = sorted(as_oracle(row, row["window_start"], row["window_end"]) for row in log.json_records("sessions"))
    assert len(got) == len(sessions)
    assert got == sessions
    millis = lambda time: round(time.timestamp() * 1000)
    files = sorted(as_oracle(row, millis(row["window_start"]), millis(row["window_end"])) for row in log.parquet_rows())
    assert files == sessions
    letters = log.dead_letters("clicks.dead-letter")
    assert len({headers["millrace.source"] for headers, _ in letters}) == len(letters)
    reasons = collections.Counter(headers["millrace.reason"] for headers, _ in letters)
    assert reasons["late"] == counts["late"] > 0
    assert len(letters) - reasons["late"] == counts["malformed"] > 0
    assert counts["duplicate"] > 0 and sum(session[3] for session in sessions) == counts["aggregated"]
    assert not list((log.directory / "lake").rglob("*.tmp")), "a staged file was left"


def assert_balanced(instance):
    """What it has committed since it was started."""
    ledger = instance.status()["ledger"]
    assert ledger["consumed"] == ledger["aggregated"] + ledger["filtered"] + ledger["duplicate"] + ledger["dead_lettered"], ledger


def test_three_instances_through_everything_at_once(site, store, tmp_path):
    seed = int(os.environ.get("MILLRACE_TEST_SEED", random.randrange(1 << 30)))
    no_disks = disks.why_none()
    seconds = MINUTES * 60
    events = int(EVENTS_PER_SECOND * seconds)
    todo = plan(seed, seconds, ["instance-1", "instance-2", "instance-3"], disks=no_disks is None)
    print(f"MILLRACE_TEST_SEED={seed}", *todo, sep="\n")
    if no_disks:
        print(f"no disk fills up: {no_disks}")

    group = Group(site, store, tmp_path, events)
    try:
        for number in (1, 2, 3):
            group.add(f"instance-{number}")
        generator = subprocess.Popen(
            [BINARY, "generate", "--events", str(events), "--rate", str(round(EVENTS_PER_SECOND)), "--users", "20000", "--seed", str(seed),
             "--start", str(Visits.start()), "--span", f"{SPAN_MS}ms", "--brokers", group.log.brokers, "clicks"],
            cwd=group.log.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        group.log.processes.append(generator)
        visits = Visits(group.log.brokers, seed, seconds)
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            now = time.monotonic() - began
            while todo and todo[0].at <= now:
                group.begin(now, todo.pop(0))
            group.turn(now)
            time.sleep(0.05)
        assert not todo and not group.ends
        sent = visits.finish() + events
        assert generator.wait(120) == 0, generator.stderr.read()[-1_000:]

        def settled():
            group.turn(time.monotonic() - began)
            return group.settled()
        await_that(settled, 120, group.explain)
        for instance in group.wanted():
            assert_balanced(instance)
            instance.is_wanted = False
            instance.signal(signal.SIGTERM)
        for instance in group.instances.values():
            assert instance.process is None or instance.process.wait(60) == 0, instance.site.log_text()[-3_000:]
            instance.process = None
        # What is still open is closed, by one that then has all partitions.
        last = group.instances["instance-1"].site
        assert last.run("--flush") == 0, last.log_text()[-3_000:]
        assert_as_the_oracle(group.log, tmp_path, sent)
    finally:
        group.close()
