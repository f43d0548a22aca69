"""Rows that change partition on the way: windows by another column than the source's key, `rekey`, and hot keys."""
import collections
import gzip
import json
import os
import random
import threading

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions

from harness import SHARED, await_that
from test_kill import Flow

BOUND = 60_000
GAP = 1_800_000
WEBLOG = [json.loads(line) for line in gzip.open(SHARED / "data/weblog.jsonl.gz")]

SOURCE = """
kafka: {brokers: "embedded"}
sources:
  requests:
    topic: requests
    format: json
    key: host
    fields: {event_id: string, host: string, ts: timestamp_ms, path: string, bytes: int64?}
    event_time: {field: ts, out_of_orderness: 60s}
"""

AGGREGATES = """{requests: count(), bytes: sum(bytes), hosts: count_distinct(host), longest: max(path), first_host: first(host)}"""

SINKS = """
sinks:
  topic: {from: result, kafka: {topic: result, key: %s, format: json}}
  files: {from: result, parquet: {path: ./lake}}
dead_letter: {topic: dead}
"""

JOBS = {
    "tumbling": "job: tumbling" + SOURCE + f"""
transforms:
  result: {{from: requests, group_by: [path], window: {{tumbling: {{size: 1h}}}}, aggregate: {AGGREGATES}}}
""" + SINKS % "path",
    "sessions": "job: sessions" + SOURCE + f"""
transforms:
  result: {{from: requests, group_by: [path], window: {{session: {{gap: 30m}}}}, aggregate: {AGGREGATES}}}
""" + SINKS % "path",
    "rekeyed": "job: rekeyed" + SOURCE + f"""
transforms:
  by_path: {{from: requests, rekey: {{by: path, partitions: 3}}}}
  unique: {{from: by_path, dedupe: {{by: [event_id], within: 24h}}}}
  result: {{from: unique, group_by: [path], window: {{session: {{gap: 30m}}}}, aggregate: {AGGREGATES}}}
""" + SINKS % "path",
    "salted": "job: salted" + SOURCE + f"""
transforms:
  unique: {{from: requests, dedupe: {{by: [event_id], within: 24h}}}}
  result:
    from: unique
    group_by: [host]
    window: {{session: {{gap: 30m}}}}
    hot_keys: {{salt: 4}}
    aggregate: {AGGREGATES}
""" + SINKS % "host",
}


def on_time(messages, length):
    """Rows by partition in log order; those whose own window of `length(t)` ended before their partition's watermark are late."""
    kept, late = [], []
    watermarks = collections.defaultdict(lambda: -(1 << 62))
    for message in messages:
        row = json.loads(message.value())
        partition = message.partition()
        watermarks[partition] = max(watermarks[partition], row["ts"] - BOUND)
        (late if length(row["ts"]) <= watermarks[partition] else kept).append(row)
    return kept, late


def windows(rows, key, session):
    """The slow and obvious way: all rows of a key by time, cut into windows."""
    by_key = collections.defaultdict(list)
    for row in rows:
        by_key[row[key]].append(row)
    found = []
    for name, mine in by_key.items():
        mine.sort(key=lambda r: r["ts"])
        groups = []
        for row in mine:
            start = row["ts"] if session else row["ts"] // 3_600_000 * 3_600_000
            end = row["ts"] + GAP if session else start + 3_600_000
            if groups and (start <= groups[-1][1] if session else start == groups[-1][0]):
                groups[-1][1] = max(groups[-1][1], end)
                groups[-1][2].append(row)
            else:
                groups.append([start, end, [row]])
        for start, end, members in groups:
            sizes = [r["bytes"] for r in members if r["bytes"] is not None]
            found.append({
                key: name, "window_start": start, "window_end": end, "requests": len(members),
                "bytes": sum(sizes) if sizes else None, "hosts": len({r["host"] for r in members}),
                "longest": max(r["path"] for r in members),
                # Which of several at the same time it is depends on which partition was faster.
                "first_host": {r["host"] for r in members if r["ts"] == members[0]["ts"]}})
    return found


def assert_same(expected, found, key):
    def place(row):
        return row[key], row["window_start"]
    expected, found = sorted(expected, key=place), sorted(found, key=place)
    assert [place(row) for row in expected] == [place(row) for row in found]
    for want, have in zip(expected, found):
        assert have["first_host"] in want["first_host"], (want, have)
        assert {**want, "first_host": have["first_host"]} == have


def with_late_ones(rows, seed):
    """Some copies, and some that come so late that their windows are over."""
    dice = random.Random(seed)
    made = []
    for row in rows:
        made.append(row)
        if dice.random() < 0.02:
            made.append({**row, "ts": row["ts"] - dice.randrange(7_200_000), "event_id": f"{row['event_id']}-late"})
    return made


@pytest.mark.parametrize("name", JOBS)
def test_the_result_is_that_of_one_partition(site, name):
    """In two bounded runs, so that the second goes on with what the first left open on both sides of the shuffle."""
    at = site(JOBS[name], partitions=4)
    key = "host" if name == "salted" else "path"
    session = name != "tumbling"
    rows = with_late_ones(WEBLOG, 7) if name in ("tumbling", "sessions") else WEBLOG
    cut = len(rows) // 2
    for part, flush in ((rows[:cut], []), (rows[cut:], ["--flush"])):
        process = at.start_log()
        if flush:
            # The watermark has closed these, not the end of the run.
            assert len(at.json_records("result")) > 200
        at.produce("requests", [(row["host"].encode(), json.dumps(row).encode()) for row in part])
        assert at.stop(process) == 0
        assert at.run(*flush) == 0, at.log_text()
    at.start_log()
    kept, late = on_time(at.consume("requests"), (lambda t: t + GAP) if session else (lambda t: t // 3_600_000 * 3_600_000 + 3_600_000))
    if name in ("rekeyed", "salted"):
        kept = list({row["event_id"]: row for row in reversed(kept)}.values())
    expected = windows(kept, key, session)
    assert len(expected) > 500
    assert_same(expected, at.json_records("result"), key)
    found = at.parquet_rows()
    for row in found:
        for column in ("window_start", "window_end"):
            row[column] = round(row[column].timestamp() * 1000)
    assert_same(expected, found, key)
    letters = at.dead_letters()
    assert collections.Counter(headers["millrace.reason"] for headers, _ in letters) == ({"late": len(late)} if late else {})
    assert sorted(json.loads(m.value())["event_id"] for _, m in letters) == sorted(row["event_id"] for row in late)


def test_all_of_a_key_is_in_one_partition_below(site):
    """And a hot key is a record a task and epoch: the shuffle carries windows, not rows."""
    at = site(JOBS["tumbling"], partitions=4, interval="1h")
    process = at.start_log()
    at.produce("requests", [
        (f"host-{n % 50}".encode(), json.dumps({
            "event_id": str(n), "host": f"host-{n % 50}", "ts": 1_700_000_000_000 + n % 1_000, "path": "/hot", "bytes": 1}).encode())
        for n in range(40_000)])
    assert at.stop(process) == 0
    assert at.run("--flush") == 0, at.log_text()
    at.start_log()
    blocks = at.consume("tumbling.result.shuffle")
    assert len({m.partition() for m in blocks if len(m.value()) > 64}) == 1
    assert sum(len(m.value()) for m in blocks) < 20_000
    [row] = at.json_records("result")
    assert (row["requests"], row["bytes"], row["hosts"]) == (40_000, 40_000, 50)


KILLS = int(os.environ.get("MILLRACE_TEST_KILLS", "12"))

KILL_JOB = """
job: shuffled
kafka: {brokers: "embedded"}
sources:
  clicks:
    topic: clicks
    format: json
    key: user_id
    fields: {event_id: string, user_id: string, ts: timestamp_ms, event_type: string, url: string, amount: "decimal(12,2)?"}
    event_time: {field: ts, out_of_orderness: 2s}
transforms:
  people: {from: clicks, where: "event_type != 'robot'"}
  unique: {from: people, dedupe: {by: event_id, within: 1h}}
  pages:
    from: unique
    group_by: [url]
    window: {session: {gap: 100ms}}
    aggregate: {events: count(), revenue: sum(amount), users: count_distinct(user_id)}
  by_url: {from: unique, rekey: {by: url, partitions: 3}}
  minutes:
    from: by_url
    group_by: [url]
    window: {tumbling: {size: 1s}}
    aggregate: {events: count(), revenue: sum(amount), users: count_distinct(user_id)}
sinks:
  pages: {from: pages, kafka: {topic: pages, key: url, format: json}}
  minutes: {from: minutes, kafka: {topic: minutes, key: url, format: json}}
  files: {from: minutes, parquet: {path: ./lake, roll: {every: 1s, size: 1MiB}}}
dead_letter: {topic: dead}
"""


def test_killed_at_any_moment_a_shuffle_loses_nothing_and_doubles_nothing(site):
    seed = int(os.environ.get("MILLRACE_TEST_SEED", random.randrange(1 << 32)))
    print(f"MILLRACE_TEST_SEED={seed}, {KILLS} kills")
    dice = random.Random(seed)
    at = site(KILL_JOB, partitions=4, interval="100ms")
    process = at.start_job()
    at.await_ready(process)
    flow = Flow(at.brokers, seed, 3_000)
    for _ in range(KILLS):
        threading.Event().wait(dice.uniform(0.05, 1.5))
        at.kill(process)
        process = at.start_job()
        at.await_ready(process)
    flow.end()

    def is_drained():
        status = at.status("shuffled")
        tasks = (status or {}).get("tasks", [])
        return len(tasks) == 11 and all(t["lag"] == 0 for t in tasks)
    # What the last rows begin below has to be committed too: it is, once nothing is left to read.
    await_that(is_drained, 60, lambda: f"the end of {at.status('shuffled')}")
    at.commit("shuffled")
    await_that(is_drained, 60, "the end")
    assert at.stop(process) == 0
    process = at.start("run", at.job, "--until-end", "--flush")
    assert process.wait(120) == 0, at.log_text()
    at.start_log()

    rows, ids = [], [set() for _ in range(4)]
    watermarks = [-(1 << 62)] * 4
    fates = collections.Counter()
    late = collections.Counter()
    for message in at.consume("clicks"):
        partition = message.partition()
        try:
            row = json.loads(message.value())
            time_, user, url = row["ts"], row["user_id"], row["url"]
            if type(time_) is not int:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            fates["broken"] += 1
            continue
        watermarks[partition] = max(watermarks[partition], time_ - 2_000)
        if row["event_type"] == "robot":
            fates["robot"] += 1
        elif row["event_id"] in ids[partition]:
            fates["copy"] += 1
        else:
            ids[partition].add(row["event_id"])
            rows.append((row, watermarks[partition]))
    assert fates["broken"] and fates["robot"] and fates["copy"]

    for topic, length, session in (("pages", lambda t: t + 100, True), ("minutes", lambda t: t // 1_000 * 1_000 + 1_000, False)):
        expected = {}
        by_url = collections.defaultdict(list)
        for row, watermark in rows:
            if length(row["ts"]) > watermark:
                by_url[row["url"]].append(row)
            else:
                late[row["event_id"]] |= 1
        for url, mine in by_url.items():
            groups = []
            for row in sorted(mine, key=lambda r: r["ts"]):
                start = row["ts"] if session else row["ts"] // 1_000 * 1_000
                if groups and (start <= groups[-1][1] if session else start == groups[-1][0]):
                    groups[-1][1] = max(groups[-1][1], length(row["ts"]))
                    groups[-1][2].append(row)
                else:
                    groups.append([start, length(row["ts"]), [row]])
            for start, end, members in groups:
                amounts = [round(r["amount"] * 100) for r in members if r["amount"] is not None]
                expected[url, start] = (end, len(members), sum(amounts) if amounts else None, len({r["user_id"] for r in members}))
        found = {}
        for row in at.json_records(topic):
            place = row["url"], row["window_start"]
            assert place not in found, f"{place} twice"
            found[place] = (
                row["window_end"], row["events"], None if row["revenue"] is None else round(row["revenue"] * 100), row["users"])
        assert found == expected, {place: (found.get(place), expected.get(place))
                                   for place in set(found) ^ set(expected) | {p for p in found if found[p] != expected.get(p)}}
    letters = [(h, m) for h, m in at.dead_letters() if h["millrace.reason"] == "late"]
    assert collections.Counter(json.loads(m.value())["event_id"] for _, m in letters) == late
    assert len(at.parquet_rows()) == len(at.json_records("minutes"))


GROWING = "job: growing" + SOURCE.replace(
    'brokers: "embedded"', 'brokers: "embedded", properties: {topic.metadata.refresh.interval.ms: "1000"}') + """
transforms:
  %s
  result: {from: %s, group_by: [host], window: {session: {gap: 30m}}, aggregate: {requests: count()}}
""" + SINKS % "host"


def requests(begin, end):
    return [(row["host"].encode(), json.dumps(row).encode()) for row in WEBLOG[begin:end]]


def grow(at, topic, partitions):
    admin = AdminClient({"bootstrap.servers": at.brokers})
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)


def test_a_topic_that_has_grown_stops_a_job_whose_state_belongs_to_its_partitions(site):
    at = site(GROWING % ("", "requests"), partitions=2, log=True)
    process = at.start_job()
    at.await_ready(process)
    at.produce("requests", requests(0, 2_000))
    await_that(lambda: at.metric("millrace_records_consumed_total") == 2_000, 60, "the first records")
    grow(at, "requests", 5)
    assert process.wait(120) == 1
    assert "it has 5 partitions and had 2" in at.log_text() and "on_partition_growth: continue" in at.log_text()
    at.job.write_text(at.job.read_text().replace("    key: host\n", "    key: host\n    on_partition_growth: continue\n"))
    assert at.run() == 0, at.log_text()


def test_below_a_rekey_a_topic_may_grow(site):
    at = site(GROWING % ("by_host: {from: requests, rekey: {by: host}}", "by_host"), partitions=2)
    process = at.start_job()
    at.await_ready(process)
    at.produce("requests", requests(0, 5_000))
    await_that(lambda: at.metric("millrace_records_consumed_total", topic="requests") == 5_000, 60, "the first records")
    grow(at, "requests", 5)
    await_that(lambda: len((at.status("growing") or {}).get("tasks", [])) == 7, 60, "the new tasks")
    at.produce("requests", requests(5_000, None), **{"topic.metadata.refresh.interval.ms": 500})
    await_that(lambda: at.metric("millrace_records_consumed_total", topic="requests") == len(WEBLOG), 60, "the other records")
    assert at.stop(process) == 0
    assert at.run("--flush") == 0, at.log_text()
    at.start_log()
    assert {m.partition() for m in at.consume("requests")} > {0, 1}
    found = collections.Counter()
    for row in at.json_records("result"):
        found[row["host"], row["window_start"], row["window_end"]] += row["requests"]
    expected = {(w["host"], w["window_start"], w["window_end"]): w["requests"] for w in windows(WEBLOG, "host", True)}
    assert found == expected


def test_what_has_been_read_below_is_deleted(site):
    at = site(JOBS["rekeyed"], partitions=2)
    process = at.start_job()
    at.await_ready(process)
    at.produce("requests", [(row["host"].encode(), json.dumps(row).encode()) for row in WEBLOG])
    topic = "rekeyed.by_path.shuffle"

    def is_trimmed():
        left = at.committed("rekeyed", topic)
        return all(offset > 0 and lag == 0 for offset, lag in left.values()) and len(at.consume(topic)) == 0
    await_that(is_trimmed, 90, "the deletion of what was read")
    assert at.stop(process) == 0


def test_blocks_of_a_former_life_are_not_taken(site):
    """The group's offsets and the state deleted to start over, the internal topic forgotten."""
    at = site(JOBS["sessions"], partitions=2)
    process = at.start_log()
    at.produce("requests", [(row["host"].encode(), json.dumps(row).encode()) for row in WEBLOG])
    assert at.stop(process) == 0
    assert at.run("--flush") == 0, at.log_text()
    process = at.start_log()
    first = at.json_records("result")
    admin = AdminClient({"bootstrap.servers": at.brokers})

    def is_deleted():
        try:
            admin.delete_consumer_groups(["sessions"])["sessions"].result(30)
            return True
        except KafkaException as error:
            # A static member stays for its session time-out.
            assert error.args[0].name() == "NON_EMPTY_GROUP", error
    await_that(is_deleted, 40, "the group's deletion")
    assert at.stop(process) == 0
    for name in ("checkpoints", "state"):
        os.rename(at.directory / "data" / name, at.directory / "data" / f"old-{name}")
    assert at.run("--flush") == 0, at.log_text()
    assert "former job of this name" in at.log_text()
    at.start_log()
    again = at.json_records("result")

    def count(rows):
        return collections.Counter((row["path"], row["window_start"], row["requests"]) for row in rows)
    assert count(again) == count(first) + count(first)


def test_another_number_of_partitions_is_refused(site):
    at = site(JOBS["rekeyed"], partitions=2)
    process = at.start_log()
    at.create("requests", partitions=2)
    at.create("rekeyed.by_path.shuffle", partitions=5)
    assert at.stop(process) == 0
    assert at.run() == 1
    assert "has 5" in at.log_text() and "Put 5 into the job file" in at.log_text()
