"""The log alone, killed over and over under load: what it has acknowledged is there, once, in order; what was aborted is not."""
import collections
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import time

from harness import await_that

KILLS = int(os.environ.get("MILLRACE_TEST_LOG_KILLS", "50"))
SEED = int(os.environ.get("MILLRACE_TEST_SEED", random.randrange(1 << 32)))
PARTITIONS = 3
TOPICS = ["plain", "idempotent", "transactional", "relayed"]
LOAD = pathlib.Path(__file__).parent / "clients/load.py"


class Load:
    """The processes of load.py, and what they have noted."""

    def __init__(self, site):
        self.site, self.processes = site, {}

    def start(self, role, *rest):
        name = "-".join([role, *rest])
        with open(self.site.directory / f"{name}.stderr", "w") as errors:
            self.processes[name] = subprocess.Popen(
                [sys.executable, LOAD, role, self.site.brokers, self.site.directory / f"{name}.notes", str(SEED), str(PARTITIONS), *rest],
                stdin=subprocess.PIPE, stderr=errors)

    def stop(self, *roles, seconds=150):
        """The load comes to an end by itself; its order matters to who reads what others write."""
        chosen = {name: process for name, process in self.processes.items() if name.split("-")[0] in roles}
        for process in chosen.values():
            process.stdin.close()
        for name, process in chosen.items():
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)
                time.sleep(1)
                raise AssertionError(f"{name} does not end: {self.errors(name)}") from None
        self.check_running(ended=roles)

    def errors(self, name):
        return (self.site.directory / f"{name}.stderr").read_text()[-3000:]

    def check_running(self, ended=()):
        for name, process in self.processes.items():
            code = process.poll()
            wanted = {0} if name.split("-")[0] in ended else {None, 0}
            assert code in wanted, f"{name} ended with {code}: {self.errors(name)}"

    def has_noted(self, name):
        path = self.site.directory / f"{name}.notes"
        return path.exists() and path.stat().st_size > 0

    def notes(self, name):
        path = self.site.directory / f"{name}.notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self):
        for process in self.processes.values():
            self.site.kill(process)


def values(site, topic, isolation="read_committed"):
    """Offset and value by partition."""
    found = collections.defaultdict(list)
    for m in site.consume(topic, isolation):
        found[m.partition()].append((m.offset(), m.value().decode()))
    return found


def assert_dense(site, topic):
    """Each batch in the segments begins where the one before has ended; nothing but whole batches is there."""
    for partition in range(PARTITIONS):
        expected = None
        for segment in sorted((site.directory / "data/log").rglob(f"{topic}-{partition}/*.log")):
            data, at = segment.read_bytes(), 0
            while at < len(data):
                base, length = struct.unpack_from(">qi", data, at)
                last = base + struct.unpack_from(">i", data, at + 23)[0]
                assert expected in (None, base), f"{topic}-{partition}: offset {base} follows {expected - 1}"
                expected, at = last + 1, at + 12 + length


def check_plain(load, site):
    notes = load.notes("plain")
    acknowledged = {number: (partition, offset) for word, number, *place in notes if word == "acknowledged" for partition, offset in [place]}
    found = values(site, "plain")
    places = collections.defaultdict(list)
    for partition, records in found.items():
        for offset, value in records:
            places[int(value)].append((partition, offset))
    assert len(acknowledged) > KILLS
    for number, place in acknowledged.items():
        assert places[number] == [place], f"plain {number} was acknowledged at {place} and is at {places[number]}"
    assert all(len(where) <= 1 for where in places.values())
    for records in found.values():
        numbers = [int(value) for _, value in records]
        assert numbers == sorted(numbers)
    return len(acknowledged)


def check_idempotent(load, site):
    notes = load.notes("idempotent")
    assert notes[-1][0] == "sent", notes[-1]
    failed = [note for note in notes if note[0].startswith("failed")]
    assert not failed, failed[:3]
    found = values(site, "idempotent")
    for partition in range(PARTITIONS):
        assert [int(value) for _, value in found[partition]] == list(range(partition, notes[-1][1], PARTITIONS)), \
            f"partition {partition} has not each record once in order"
    for _, number, partition, offset in notes[:-1]:
        assert found[partition][number // PARTITIONS] == (offset, f"{number}")
    return notes[-1][1]


def check_transactions(load, site, names):
    """All or nothing of every transaction, in the order of the producer; nothing of those that it has aborted."""
    committed, everything = values(site, "transactional"), values(site, "transactional", "read_uncommitted")
    seen = collections.defaultdict(lambda: collections.defaultdict(list))
    for partition, records in committed.items():
        last = {}
        assert set(records) <= set(everything[partition])
        for _, value in records:
            name, number, index = value.split()
            place = (int(number), int(index))
            assert last.get(name, (-1, -1)) < place, f"{value} comes after {last[name]} in partition {partition}"
            last[name] = place
            seen[name][int(number)].append((int(index), partition))
    counts = collections.Counter()
    for name in names:
        for outcome, number, places in load.notes(f"transactional-{name}"):
            found = sorted(seen[name][number])
            whole = list(enumerate(places))
            counts[outcome] += 1
            if outcome == "committed":
                assert found == whole, f"{name} {number} was committed, and {found} is there of {whole}"
            elif outcome == "aborted":
                assert found == [], f"{name} {number} was aborted, and {found} is there"
            else:
                assert found in ([], whole), f"{name} {number} is there in part: {found} of {whole}"
    assert counts["committed"] > KILLS / 2 and counts["aborted"] > 0, counts
    return counts, committed


def check_relay(load, site):
    notes = load.notes("relay")
    assert notes[-1][0] == "relayed", notes[-1]
    source, relayed = values(site, "idempotent"), values(site, "relayed")
    for partition in range(PARTITIONS):
        assert notes[-1][1][str(partition)] == len(source[partition])
        assert [value for _, value in relayed[partition]] == [value for _, value in source[partition]], \
            f"partition {partition} was not relayed record by record, once each"
    for outcome, before, after, found in notes[:-1]:
        wanted = {"committed": [after], "aborted": [before], "unknown": [before, after]}[outcome]
        assert {**dict.fromkeys(after, 0), **found} in wanted, f"{outcome} from {before} to {after}: {found} is committed"


def check_reader(load, committed):
    """What the member has read is what is there in the end, without gaps from where it began."""
    there = {(partition, offset): value for partition, records in committed.items() for offset, value in records}
    order = {partition: [offset for offset, _ in records] for partition, records in committed.items()}
    position, read = {}, set()
    for word, *rest in load.notes("reader"):
        if word in ("assigned", "revoked"):
            position = {}
        elif word == "read":
            partition, offset, value = rest
            assert there.get((partition, offset)) == value, f"{value} was read at {partition}/{offset}, where {there.get((partition, offset))} is"
            if partition in position:
                between = [other for other in order[partition] if position[partition] < other < offset] if offset - position[partition] < 500 else []
                assert position[partition] < offset and not between, f"partition {partition}: {offset} was read after {position[partition]}"
            position[partition] = offset
            read.add((partition, offset))
    assert read == set(there)


def check_never_back(load):
    """Offsets that were shown as committed, or whose commit was acknowledged, only grow."""
    highest = collections.defaultdict(dict)
    for group, offsets in load.notes("watcher"):
        for partition, offset in offsets.items():
            assert highest[group].get(partition, 0) <= offset, f"{group}, partition {partition}: {offset} after {highest[group][partition]}"
            highest[group][partition] = offset
    assert highest["readers"] and highest["relay"]
    commits = {}
    for word, *rest in load.notes("reader"):
        if word == "committed":
            for partition, offset in rest[0].items():
                assert commits.get(partition, 0) <= offset, f"the reader went back from {commits[partition]} to {offset} in {partition}"
                commits[partition] = offset
    for partition, offset in commits.items():
        assert highest["readers"].get(partition, 0) <= offset


def test_killed_over_and_over_the_log_keeps_its_promises(site):
    print(f"MILLRACE_TEST_SEED={SEED}, {KILLS} kills")
    dice = random.Random(SEED)
    log = site("job: none\n", partitions=PARTITIONS)
    broker = log.start_log()
    log.create(*TOPICS, partitions=PARTITIONS, config={"segment.bytes": str(1 << 20)})
    load = Load(log)
    try:
        for role in ["plain", "idempotent", "relay", "reader", "watcher"]:
            load.start(role)
        names = ["first", "second"]
        for name in names:
            load.start("transactional", name)
        await_that(lambda: all(load.has_noted(name) for name in load.processes), 60, "the first note of every process")
        for _ in range(KILLS):
            time.sleep(dice.random() * 1.2)
            log.kill(broker)
            broker = log.start("log")
            if dice.random() < 0.2:  # Killed while it recovers, or before.
                time.sleep(dice.random() * 0.05)
                continue
            log.await_ready(broker)
            load.check_running()
        if broker.poll() is not None:
            broker = log.start("log")
        log.await_ready(broker)
        load.stop("plain", "idempotent", "transactional")
        load.stop("relay", "reader")
        time.sleep(0.1)
        load.stop("watcher")
        acknowledged = check_plain(load, log)
        sent = check_idempotent(load, log)
        counts, committed = check_transactions(load, log, names)
        check_relay(load, log)
        check_reader(load, committed)
        check_never_back(load)
        assert log.stop(broker) == 0
        for topic in TOPICS:
            assert_dense(log, topic)
        print(f"{acknowledged} plain, {sent} idempotent, {dict(counts)} transactions")
    finally:
        load.close()
