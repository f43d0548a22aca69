"""`millrace backfill`: a range of history once more, beside the job that runs, the same bytes however often it is killed."""
import collections
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest
from confluent_kafka import Producer

from harness import BINARY, await_that
from test_kill import Clicks

KILLS = int(os.environ.get("MILLRACE_TEST_KILLS", "12"))
EVENTS = 12_000

JOB = """
job: sessions
kafka: {brokers: "%s"%s}
sources:
  clicks:
    topic: clicks
    format: json
    key: user_id
    fields: {event_id: string, user_id: string, ts: timestamp_ms, event_type: string, url: string, amount: "decimal(12,2)?"}
    event_time: {field: ts, out_of_orderness: 2s, idle_timeout: 1s}
transforms:
  people: {from: clicks, where: "event_type != 'robot'"}
  unique: {from: people, dedupe: {by: event_id, within: 1h}}
  sessions:
    from: unique
    group_by: [user_id]
    window: {session: {gap: 5s}}
    aggregate:
      events: count()
      purchases: count(where event_type = 'purchase')
      revenue: sum(amount)
      pages: count_distinct(url)
      first_url: first(url)
sinks:
  topic: {from: sessions, kafka: {topic: sessions.out, key: user_id, format: json}}
  files: {from: sessions, parquet: {path: ./lake, partition_by: [user_id], roll: {every: 1s, size: 1MiB}}}
  events: {from: unique, parquet: {path: ./raw/events, roll: {every: 1s, size: 64KiB}}}
dead_letter: {topic: dead}
"""

BEGIN = 1_700_000_000_000


def job(brokers, properties=""):
    return JOB % (brokers, properties and ", properties: {%s}" % properties)


class History:
    """A log with clicks whose Kafka timestamps are when they happened, the first half and the second apart."""

    def __init__(self, make, events=EVENTS, **settings):
        self.site = make(job("embedded"), name="log", **settings)
        self.log = self.site.start_log()
        self.site.create("clicks")
        clicks = Clicks(7)
        self.records = []
        while len(self.records) < events:
            key, value = clicks.next()
            self.records.append((key, value, {"timestamp": clicks.time}))
        self.site.produce("clicks", self.records)
        self.make = make

    def times(self):
        return [settings["timestamp"] for _, _, settings in self.records]

    def new(self, name, interval="10ms", properties="", workers=None):
        """A directory to start backfills in, with the log as an outside Kafka."""
        s = self.make(job(self.site.brokers, properties), name=name, log=False, brokers=self.site.brokers, interval=interval)
        if workers:
            s.config.write_text(s.config.read_text() + f"workers: {workers}\n")
        return s


def start(site, run="r", first=BEGIN, end=None, *arguments):
    end = end or int(time.time() * 1000)
    return site.start("backfill", site.job, "--from", first, "--to", end, "--run-id", run, *arguments)


def backfill(site, *arguments, seconds=180):
    process = start(site, *arguments)
    try:
        return process.wait(seconds)
    finally:
        site.kill(process)


def tree(directory):
    """Every file below a directory with its bytes' hash."""
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest() for p in directory.rglob("*") if p.is_file()}


def published(site, run="r"):
    return {path: tree(site.directory / f"{path}.backfill/{run}") for path in ("lake", "raw/events")}


def sessions(log, topic):
    found = collections.defaultdict(list)
    for message in log.consume(topic):
        found[message.key()].append(json.loads(message.value()))
    return dict(found)


def letters(log, topic):
    found = {}
    for headers, message in log.dead_letters(topic):
        source = headers["millrace.source"]
        assert source not in found, f"{source} is on the dead-letter topic twice"
        found[source] = (headers["millrace.reason"], headers["millrace.detail"], message.key(), message.value())
    return found


def summary(site):
    """What the run said at its end."""
    [line] = re.findall(r"consumed (\d+) = aggregated (\d+) \+ filtered (\d+) \+ duplicate (\d+) \+ dead-lettered (\d+)", site.log_text())[-1:]
    return dict(zip(["consumed", "aggregated", "filtered", "duplicate", "dead"], map(int, line)))


def test_it_writes_what_the_live_job_wrote_and_leaves_that_alone(site):
    history = History(site)
    live = history.new("live")
    live.job.write_text(live.job.read_text().replace(", idle_timeout: 1s", ""))
    assert live.run("--flush") == 0, live.log_text()[-3_000:]

    def live_job():
        own = {name: found for name, found in tree(live.directory / "data").items() if ".backfill.r/" not in name}
        return tree(live.directory / "lake"), tree(live.directory / "raw/events"), own, history.site.committed("sessions", "clicks")

    before = live_job()

    assert backfill(live) == 0, live.log_text()[-3_000:]
    log = history.site
    wanted = sessions(log, "sessions.out")
    assert sum(map(len, wanted.values())) > 200
    assert sessions(log, "sessions.out.backfill.r") == wanted
    assert letters(log, "dead.backfill.r") == letters(log, "dead")
    assert {reason for reason, *_ in letters(log, "dead").values()} == {"late", "malformed", "missing_field"}
    for path in ("lake", "raw/events"):
        rows = sorted(map(repr, live.parquet_rows(path)))
        assert len(rows) > 200 and sorted(map(repr, live.parquet_rows(f"{path}.backfill/r"))) == rows
    counts = summary(live)
    assert counts["consumed"] == EVENTS == sum(count for name, count in counts.items() if name != "consumed")
    # The topic of the run can take the live one's place.
    assert history.site.command("log", "describe", "--brokers", log.brokers, "sessions.out.backfill.r").stdout.count("\n") >= 4

    assert live_job() == before


def test_killed_at_random_moments_it_gives_the_same_files_and_nothing_twice(site):
    history = History(site)
    end = int(time.time() * 1000)
    # One worker and large batches against four with small ones.
    calm = history.new("calm", interval="1s", workers=1)
    assert backfill(calm, "calm", BEGIN, end) == 0, calm.log_text()[-3_000:]
    wanted = published(calm, "calm")
    assert len(wanted["lake"]) > 100 and len(wanted["raw/events"]) > 8
    assert all(re.fullmatch(r"(user_id=user-\d+/)?sessions-clicks-\d-\d{6}\.parquet", name) for found in wanted.values() for name in found)

    victim = history.new("victim", properties="fetch.message.max.bytes: 20000, queued.min.messages: 500", workers=4)
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    kills = 0
    finals = [victim.directory / "lake.backfill/hunted", victim.directory / "raw/events.backfill/hunted"]
    while kills < KILLS:
        # Slow enough that it cannot be over in two lives; the rate also decides how large batches are.
        rate = dice.choice([1_500, 2_500, 3_500])
        process = start(victim, "hunted", BEGIN, end, "--rate", rate)
        try:
            code = process.wait(dice.uniform(0.2, 1.6))
            assert code == 0, victim.log_text()[-3_000:]
            break
        except subprocess.TimeoutExpired:
            victim.kill(process)
            kills += 1
        # All of it is there, or nothing.
        for path, directory in zip(wanted, finals):
            assert not directory.exists() or tree(directory) == wanted[path]
    assert kills >= min(KILLS, 2)
    assert backfill(victim, "hunted", BEGIN, end) == 0, victim.log_text()[-3_000:]
    assert published(victim, "hunted") == wanted
    assert not list(victim.directory.rglob("*.tmp")) and not list(victim.directory.rglob(".hunted"))
    log = history.site
    assert sessions(log, "sessions.out.backfill.hunted") == sessions(log, "sessions.out.backfill.calm")
    assert letters(log, "dead.backfill.hunted") == letters(log, "dead.backfill.calm")
    assert summary(victim) == summary(calm)
    # Checkpoints and local state were for going on only.
    assert [p.name for p in (victim.directory / "data/checkpoints").rglob("*") if p.is_file()] == ["run.json"]
    assert not (victim.directory / "data/state/sessions.backfill.hunted").exists()


def test_committed_to_its_end_and_not_published_it_closes_no_window_again(site):
    history = History(site)
    end = int(time.time() * 1000)
    calm = history.new("calm")
    assert backfill(calm, "calm", BEGIN, end) == 0, calm.log_text()[-3_000:]
    s = history.new("held")
    process = start(s, "held", BEGIN, end, "--rate", 4_000)
    hidden = s.directory / "lake.backfill/.held"
    await_that(lambda: hidden.exists() and (s.status("sessions.backfill.held") or {"epoch": 0})["epoch"] > 3, 60, "commits with open windows")
    # A file too many: the run is read and committed to its end, and not published.
    stray = hidden / "stray.parquet"
    stray.write_bytes(b"")
    assert process.wait(120) == 1, s.log_text()[-3_000:]
    topic = len(history.site.consume("sessions.out.backfill.held"))
    for _ in range(2):
        assert backfill(s, "held", BEGIN, end) == 1
        assert s.log_text().count("somebody has changed it") > 1 and not hidden.with_name("held").exists()
    stray.unlink()
    assert backfill(s, "held", BEGIN, end) == 0, s.log_text()[-3_000:]
    assert published(s, "held") == published(calm, "calm") and summary(s) == summary(calm)
    log = history.site
    assert len(log.consume("sessions.out.backfill.held")) == topic
    assert sessions(log, "sessions.out.backfill.held") == sessions(log, "sessions.out.backfill.calm")


def test_a_partition_is_committed_when_it_is_done_and_not_read_again(site):
    history = History(site)
    end = int(time.time() * 1000)
    calm = history.new("calm", workers=4)
    assert backfill(calm, "calm", BEGIN, end) == 0, calm.log_text()[-3_000:]
    # One worker has the partitions one after the other, and commits only because one of them is done.
    s = history.new("turns", interval="1h", workers=1)
    process = start(s, "turns", BEGIN, end, "--rate", 2_000)
    log = history.site

    def positions():
        """How far what is committed goes, by partition."""
        return {number: max(0, offset) for number, (offset, _) in log.committed("sessions.backfill.turns", "clicks").items()}

    await_that(lambda: any(positions().values()), 60, "a commit")
    s.kill(process)
    ends = {int(number): int(last) + 1 for number, last in re.findall(r"clicks/(\d): offsets 0 to (\d+)", s.command(
        "backfill", s.job, "--from", BEGIN, "--to", end, "--run-id", "turns", "--dry-run", "--config", s.config).stdout)}
    assert len(ends) == 4 and sum(ends.values()) == EVENTS
    done = positions()
    assert 0 < sum(offset > 0 for offset in done.values()) < 4, done
    assert all(offset in (0, ends[number]) for number, offset in done.items()), (done, ends)
    # What is committed of them is not kept, and not done again.
    again = start(s, "turns", BEGIN, end, "--rate", 2_000)
    first = await_that(lambda: ((s.status("sessions.backfill.turns") or {}).get("progress") or {"done": 0})["done"], 60, "progress")
    assert first >= sum(done.values())
    consumed = []

    def ended():
        consumed.append(s.metric("millrace_records_consumed_total"))
        return again.poll() is not None
    await_that(ended, 120, "the end")
    assert again.returncode == 0, s.log_text()[-3_000:]
    assert 0 < max(filter(None, consumed)) <= sum(ends.values()) - sum(done.values())
    assert published(s, "turns") == published(calm, "calm") and summary(s) == summary(calm)
    assert sessions(log, "sessions.out.backfill.turns") == sessions(log, "sessions.out.backfill.calm")
    assert letters(log, "dead.backfill.turns") == letters(log, "dead.backfill.calm")


SHUFFLED = re.sub(r"  sessions:\n(    .*\n)+", """\
  sessions:
    from: unique
    group_by: [url]
    window: {tumbling: {size: 5s}}
    aggregate: {events: count(), people: count_distinct(user_id), revenue: sum(amount), latest: max(ts)}
""", JOB, count=1).replace("key: user_id, format: json}}\n  files", "key: url, format: json}}\n  files").replace("[user_id], roll", "[url], roll")


def test_windows_below_a_shuffle_are_the_live_ones_and_the_same_bytes_after_kills(site):
    history = History(site)
    end = int(time.time() * 1000)
    live = history.new("live")
    live.job.write_text(SHUFFLED.replace(", idle_timeout: 1s", "") % (history.site.brokers, ""))
    assert live.run("--flush") == 0, live.log_text()[-3_000:]
    assert backfill(live, "calm", BEGIN, end) == 0, live.log_text()[-3_000:]
    rows = sorted(map(repr, live.parquet_rows()))
    assert len(rows) > 50 and sorted(map(repr, live.parquet_rows("lake.backfill/calm"))) == rows

    victim = history.new("victim", workers=3)
    victim.job.write_text(SHUFFLED % (history.site.brokers, ""))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    kills = 0
    while kills < KILLS // 2:
        process = start(victim, "hunted", BEGIN, end, "--rate", 2_500)
        try:
            assert process.wait(dice.uniform(0.3, 2.5)) == 0, victim.log_text()[-3_000:]
            break
        except subprocess.TimeoutExpired:
            victim.kill(process)
            kills += 1
    assert kills >= 2
    assert backfill(victim, "hunted", BEGIN, end) == 0, victim.log_text()[-3_000:]
    assert published(victim, "hunted") == published(live, "calm")
    log = history.site
    assert sessions(log, "sessions.out.backfill.hunted") == sessions(log, "sessions.out.backfill.calm") == sessions(log, "sessions.out")


def test_a_range_has_the_records_with_its_timestamps_and_no_others(site):
    history = History(site)
    times = history.times()
    first, end = times[len(times) // 3], times[2 * len(times) // 3]
    inside = [record for record in history.records if first <= record[2]["timestamp"] < end]
    part = history.new("part")
    assert backfill(part, "r", first, end) == 0, part.log_text()[-3_000:]
    assert summary(part)["consumed"] == len(inside) > 1_000

    # A job over a topic that has nothing else comes to the same.
    history.site.create("part")
    history.site.produce("part", inside)
    alone = history.new("alone")
    alone.job.write_text(alone.job.read_text().replace("topic: clicks", "topic: part").replace("sessions.out", "alone.out")
                         .replace("topic: dead", "topic: alone.dead").replace(", idle_timeout: 1s", ""))
    assert alone.run("--flush") == 0, alone.log_text()[-3_000:]
    for path in ("lake", "raw/events"):
        assert sorted(map(repr, part.parquet_rows(f"{path}.backfill/r"))) == sorted(map(repr, alone.parquet_rows(path)))
    assert sessions(history.site, "sessions.out.backfill.r") == sessions(history.site, "alone.out")


def test_records_that_come_later_are_no_part_of_a_run_that_has_begun(site):
    history = History(site, events=4_000)
    end = int(time.time() * 1000)
    calm = history.new("calm")
    assert backfill(calm, "calm", BEGIN, end) == 0, calm.log_text()[-3_000:]
    s = history.new("cut")
    process = start(s, "cut", BEGIN, end, "--rate", 1_000)
    await_that(lambda: (s.status("sessions.backfill.cut") or {"epoch": 0})["epoch"] > 2, 60, "commits")
    s.kill(process)
    history.site.produce("clicks", history.records[:500])
    assert backfill(s, "cut", BEGIN, end) == 0, s.log_text()[-3_000:]
    assert published(s, "cut") == published(calm, "calm")
    assert summary(s)["consumed"] == 4_000


def test_the_same_id_again_is_done_and_with_anything_else_refused(site):
    history = History(site, events=2_000)
    end = int(time.time() * 1000)
    s = history.new("again")
    assert backfill(s, "r", BEGIN, end) == 0, s.log_text()[-3_000:]
    files, topic = published(s), len(history.site.consume("sessions.out.backfill.r"))
    first = summary(s)
    assert backfill(s, "r", BEGIN, end) == 0
    assert published(s) == files and len(history.site.consume("sessions.out.backfill.r")) == topic and summary(s) == first

    def refused(*words):
        before = len(s.log_text())
        assert backfill(s, "r", *words) == 78
        return s.log_text()[before:]
    assert f"--to was {end} and is {end - 1}" in refused(BEGIN, end - 1)
    assert f"--from was {BEGIN} and is {BEGIN + 1}" in refused(BEGIN + 1, end)
    s.job.write_text(s.job.read_text().replace("gap: 5s", "gap: 6s"))
    said = refused(BEGIN, end)
    assert "session windows with a gap of 5s" in said and "and says" in said and "gap of 6s" in said, said
    # Comments and order are no change.
    s.job.write_text("# The same\n" + s.job.read_text().replace("gap: 6s", "gap: 5s"))
    assert backfill(s, "r", BEGIN, end) == 0

    # A result that was taken away is not quietly made again.
    (s.directory / "lake.backfill/r").rename(s.directory / "elsewhere")
    assert backfill(s, "r", BEGIN, end) == 1
    assert "is gone" in s.log_text()
    # Nor is anything put over what somebody else has there.
    (s.directory / "lake.backfill/taken").mkdir()
    assert backfill(s, "taken", BEGIN, end) == 78
    assert "lake.backfill/taken is there already" in s.log_text()


def test_a_dry_run_tells_what_would_be_done_and_changes_nothing(site):
    history = History(site, events=6_000)
    end = int(time.time() * 1000)
    s = history.new("dry")
    log = history.site

    def dry(code=0):
        done = s.command("backfill", s.job, "--from", BEGIN, "--to", end, "--run-id", "r", "--dry-run", "--config", s.config, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout

    def world():
        topics = log.command("log", "topics", "--json", "--brokers", log.brokers).stdout
        groups = log.command("log", "groups", "--json", "--brokers", log.brokers).stdout
        return tree(s.directory), topics, groups

    before = world()
    said = dry()
    assert world() == before
    assert "in all at most 6000 records" in said and "nothing is replaced" in said and "topic sessions.out.backfill.r (new)" in said
    assert f"files in {s.directory}/lake.backfill/r (new)" in said and "clicks/3: offsets 0 to " in said, said

    process = start(s, "r", BEGIN, end, "--rate", 1_500)
    await_that(lambda: list(s.directory.rglob("*.backfill/.r")), 60, "the first file")
    s.kill(process)
    before = world()
    said = dry()
    assert world() == before
    assert "was begun and would go on" in said and ", done up to " in said and "hidden as" in said, said
    assert backfill(s, "r", BEGIN, end) == 0
    assert "the run is complete; nothing would be done" in dry()


def test_beside_a_daemon_its_log_is_used_and_its_job_goes_on(site):
    s = site(job("embedded"))
    daemon = s.start_job()
    s.await_ready(daemon)
    clicks = Clicks(3)
    records = []
    for _ in range(4_000):
        key, value = clicks.next()
        records.append((key, value, {"timestamp": clicks.time}))
    s.produce("clicks", records[:3_000])
    await_that(lambda: s.metric("millrace_records_consumed_total") >= 3_000, 60, "consuming")
    assert s.commit("sessions") > 0
    end = records[2_999][2]["timestamp"] + 1
    process = start(s, "r", BEGIN, end, "--rate", 500)
    await_that(lambda: '"task recovered","job":"sessions.backfill.r"' in s.log_text(), 60, "the run's beginning")
    s.produce("clicks", records[3_000:])
    await_that(lambda: s.metric("millrace_records_consumed_total") >= 4_000, 60, "the live job's going on")
    assert process.poll() is None, "the run was over before the live job had to go on beside it"
    assert process.wait(120) == 0, s.log_text()[-3_000:]
    said = s.log_text()
    assert "the log runs in another process and is used from there" in said and "http.listen is taken" in said
    assert summary(s)["consumed"] == sum(1 for record in records if record[2]["timestamp"] < end)
    assert daemon.poll() is None and s.status("sessions")["state"] == "running"
    assert s.stop(daemon) == 0


def test_without_a_daemon_the_embedded_log_is_started_for_the_while(site):
    s = site(job("embedded"))
    log = s.start_log()
    clicks = Clicks(4)
    s.create("clicks")
    s.produce("clicks", [(*clicks.next(), {"timestamp": clicks.time}) for _ in range(500)])
    s.stop(log)
    assert backfill(s) == 0, s.log_text()[-3_000:]
    assert summary(s)["consumed"] == 500
    assert s.parquet_rows("raw/events.backfill/r")


def test_the_rate_is_kept_and_progress_is_told(site):
    history = History(site, events=6_000)
    s = history.new("slow")
    process = start(s, "r", BEGIN, None, "--rate", 1_000)
    seen = []

    def watch():
        status = s.status("sessions.backfill.r")
        if status and status.get("progress"):
            seen.append((time.monotonic(), status["progress"]))
        return process.poll() is not None
    await_that(watch, 120, "the end")
    assert process.returncode == 0, s.log_text()[-3_000:]
    running = [(at, p) for at, p in seen if 0 < p["done"] < p["total"]]
    assert len(running) > 10, "it was over at once"
    (first, before), (last, after) = running[0], running[-1]
    assert after["total"] == 6_000 and last - first > 3
    # Never faster, over no time; a worker's turn is a twentieth of a second's records, and what is told may be a second old where others use the machine.
    for at, p in running:
        assert all(q["done"] - p["done"] <= 1_000 * (other - at + 1) + 2 * 50 for other, q in running if other > at)
    assert (after["done"] - before["done"]) / (last - first) < 1_100
    assert any(p["seconds_left"] for _, p in running)
    [end] = [json.loads(line) for line in s.log_text().splitlines() if '"msg":"progress"' in line][-1:]
    assert end["done"] == end["total"] == 6_000


def test_a_stop_commits_and_the_next_start_goes_on_from_there(site):
    history = History(site, events=4_000)
    end = int(time.time() * 1000)
    s = history.new("stopped")
    process = start(s, "r", BEGIN, end, "--rate", 1_000)
    await_that(lambda: ((s.status("sessions.backfill.r") or {}).get("progress") or {"done": 0})["done"] > 500, 60, "progress")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert "the same command goes on" in s.log_text() and not (s.directory / "lake.backfill/r").exists()
    assert sum(max(0, offset) for offset, _ in history.site.committed("sessions.backfill.r", "clicks").values()) > 500
    assert backfill(s, "r", BEGIN, end) == 0
    calm = history.new("calm")
    assert backfill(calm, "calm", BEGIN, end) == 0
    assert published(s) == published(calm, "calm") and summary(s) == summary(calm)


def test_two_starts_of_one_run_at_a_time_are_one_too_many(site):
    history = History(site, events=2_000)
    end = int(time.time() * 1000)
    s = history.new("twice")
    process = start(s, "r", BEGIN, end, "--rate", 300)
    await_that(lambda: s.status("sessions.backfill.r"), 60, "the first one's start")
    assert backfill(s, "r", BEGIN, end) == 1
    assert "is in use by another process" in s.log_text()
    assert process.poll() is None


def test_a_range_that_is_not_decided_yet_is_refused(site):
    history = History(site, events=200)
    end = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": history.site.brokers, "transactional.id": "open"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("clicks", b"{}", b"user-1", partition=0, timestamp=BEGIN + 5)
    assert producer.flush(30) == 0
    s = history.new("undecided")
    assert backfill(s, "r", BEGIN, end) == 1
    assert "a transaction is open from" in s.log_text()
    producer.abort_transaction(30)
    assert backfill(s, "r", BEGIN, end) == 0, s.log_text()[-3_000:]
    assert summary(s)["consumed"] == 200


def test_what_cannot_be_a_run_is_refused_before_anything_starts(site):
    s = site(job("embedded"))
    soon = int(time.time() * 1000) + 3_600_000
    for arguments, text in [
        (["--to", 2, "--run-id", "r"], "backfill needs --from"),
        (["--from", "yesterday", "--to", 2, "--run-id", "r"], "--from is a time as 2026-01-31T00:00:00Z, or milliseconds since 1970, not `yesterday`"),
        (["--from", 2, "--to", 2, "--run-id", "r"], "--from has to be before --to"),
        (["--from", 1, "--to", soon, "--run-id", "r"], "--to lies in the future"),
        (["--from", 1, "--to", 2], "backfill needs --run-id"),
        (["--from", 1, "--to", 2, "--run-id", "a.b"], "--run-id has 1 to 64 of"),
        (["--from", 1, "--to", 2, "--run-id", "r", "--rate", 0], "--rate is a whole number from 1"),
    ]:
        done = s.command("backfill", s.job, *arguments, "--config", s.config, check=False)
        assert done.returncode == 64 and text in done.stderr, done.stderr
    s.job.write_text(s.job.read_text().replace("./lake", "./lake/x/.."))
    done = s.command("backfill", s.job, "--from", 1, "--to", 2, "--run-id", "r", "--config", s.config, check=False)
    assert done.returncode == 78 and "the path has to end in a name" in done.stderr
    assert not (s.directory / "data").exists()


def test_a_topic_that_is_not_there_is_said_and_nothing_is_made(site):
    s = site(job("embedded"))
    s.start_log()
    assert backfill(s) == 1
    assert "there is no topic clicks, which source `clicks` reads" in s.log_text()
    assert "clicks" not in s.command("log", "topics", "--brokers", s.brokers).stdout
    assert not list((s.directory / "data/checkpoints").rglob("run.json"))
