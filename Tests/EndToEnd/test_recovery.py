"""What comes back after a restart, from what, and what is refused instead of guessed."""
import collections
import json
import shutil

import pytest

from harness import await_that

CLICKS = """
job: %s
kafka: {brokers: "%s"}
sources:
  clicks:
    topic: clicks
    format: json
    key: user_id
    fields: {event_id: string, user_id: string, ts: timestamp_ms, event_type: string, url: string, amount: "decimal(12,2)?"}
    event_time: {field: ts, out_of_orderness: 60s}
transforms:
  unique: {from: clicks, dedupe: {by: event_id, within: 24h}}
  sessions:
    from: unique
    group_by: [user_id]
    window: {session: {gap: 30m}}
    aggregate: {events: count(), revenue: sum(amount), pages: count_distinct(url), first_url: first(url)}
sinks:
  topic: {from: sessions, kafka: {topic: %s.sessions, key: user_id, format: json}}
  files: {from: sessions, parquet: {path: ./lake}}
dead_letter: {topic: %s.dead}
"""

START = 1_700_000_000_000


def clicks(name, brokers):
    return CLICKS % (name, brokers, name, name)


def outcome(log, site, name):
    sessions = collections.defaultdict(list)
    for message in log.consume(f"{name}.sessions"):
        sessions[message.key()].append(message.value())
    return dict(sessions), sorted(map(repr, site.parquet_rows())), sorted(
        headers["millrace.source"] for headers, _ in log.dead_letters(f"{name}.dead"))


class Halves:
    """A job that has done the first half of its input, and what it comes to undisturbed."""

    def __init__(self, make, events, users, memory="256MiB"):
        self.log = make("", name="log")
        self.log.start_log()
        self.make = make
        self.events, self.users, self.memory = events, users, memory
        self.job = self.new("broken")
        self.generate(1, START)
        assert self.job.run() == 0, self.job.log_text()[-3_000:]

    def new(self, name, memory=None):
        site = self.make(clicks(name, self.log.brokers), name=name, log=False, brokers=self.log.brokers)
        site.config.write_text(site.config.read_text().replace("256MiB", memory or self.memory))
        return site

    def generate(self, seed, start, events=None):
        self.log.command("generate", "--events", events or self.events, "--users", self.users, "--seed", seed, "--span", "1h",
                         "--start", start, "--brokers", self.log.brokers, "clicks")

    def second_half(self):
        self.generate(2, START + 3_600_000)

    def local(self):
        return self.job.directory / "data/state/broken"

    def finish_and_compare(self):
        assert self.job.run("--flush") == 0, self.job.log_text()[-3_000:]
        # With memory for everything.
        calm = self.new("calm", "256MiB")
        assert calm.run("--flush") == 0, calm.log_text()[-3_000:]
        wanted = outcome(self.log, calm, "calm")
        assert len(wanted[0]) > self.users // 4 and len(wanted[1]) == sum(map(len, wanted[0].values()))
        assert outcome(self.log, self.job, "broken") == wanted


def test_local_state_that_was_deleted_comes_back_from_the_deltas(site):
    halves = Halves(site, events=3_000, users=500)
    halves.second_half()
    # So little that RocksDB has not been needed: whatever is there is not needed either.
    shutil.rmtree(halves.local(), ignore_errors=True)
    assert not list((halves.job.directory / "data/checkpoints").rglob("snapshot-*"))
    halves.finish_and_compare()


def test_a_lost_state_directory_costs_time_only(site):
    halves = Halves(site, events=3_000, users=500)
    halves.second_half()
    # With it goes the instance's name: the group has to let the old member go first.
    shutil.rmtree(halves.job.directory / "data/state")
    halves.finish_and_compare()


def damage_tables(directory):
    """New files in the place of the old: snapshots and local state share what is never written again."""
    for file in directory.rglob("*.sst"):
        file.unlink()
        file.write_bytes(b"garbage" * 100)


def test_local_state_is_only_a_cache_of_snapshot_and_deltas(site, tmp_path):
    # So little memory that state is moved to the disk and there are snapshots.
    halves = Halves(site, events=100_000, users=100_000, memory="16MiB")
    job = halves.job
    checkpoints = job.directory / "data/checkpoints"
    assert list(checkpoints.rglob("snapshot-*")), "no snapshot was taken: nothing is tested"
    shutil.copytree(halves.local(), tmp_path / "old")

    # Deleted.
    halves.generate(2, START + 3_600_000, events=20_000)
    shutil.rmtree(halves.local())
    assert job.run() == 0, job.log_text()[-3_000:]
    # Stale, of an epoch that is no longer on the chain or far behind.
    halves.generate(3, START + 7_200_000, events=20_000)
    shutil.rmtree(halves.local())
    shutil.copytree(tmp_path / "old", halves.local())
    assert job.run() == 0, job.log_text()[-3_000:]
    # Garbage.
    halves.generate(4, START + 10_800_000, events=20_000)
    damage_tables(halves.local())
    assert job.run() == 0, job.log_text()[-3_000:]

    # The snapshot itself is no cache.
    snapshots = job.directory / "snapshots"
    shutil.copytree(checkpoints, snapshots)
    for snapshot in checkpoints.rglob("snapshot-*"):
        damage_tables(snapshot)
    shutil.rmtree(halves.local())
    committed = halves.log.committed("broken", "clicks")
    assert job.run() == 1
    said = json.loads([line for line in job.log_text().splitlines() if '"error"' in line][-1])["error"]
    assert "snapshot-" in said and "the snapshot of epoch" in said, said
    assert halves.log.committed("broken", "clicks") == committed
    shutil.rmtree(checkpoints)
    snapshots.rename(checkpoints)
    halves.finish_and_compare()


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "emptied", "another job's", "another task's"])
def test_a_damaged_delta_is_refused_with_file_and_epoch_and_nothing_is_published(site, damage):
    halves = Halves(site, events=3_000, users=500)
    job = halves.job
    if damage == "another job's":
        other = halves.new("other")
        assert other.run() == 0
    newest = max(file for file in job.deltas() if file.parent.name == "clicks-1")
    good = newest.read_bytes()
    if damage == "flipped":
        newest.write_bytes(good[: len(good) // 2] + bytes([good[len(good) // 2] ^ 1]) + good[len(good) // 2 + 1:])
    elif damage == "cut":
        newest.write_bytes(good[:-7])
    elif damage == "missing":
        newest.unlink()
    elif damage == "emptied":
        newest.write_bytes(b"")
    elif damage == "another job's":
        newest.write_bytes(max(f for f in other.deltas() if f.parent.name == "clicks-1").read_bytes())
    else:
        newest.write_bytes(max(f for f in job.deltas() if f.parent.name == "clicks-2").read_bytes())
    before = outcome(halves.log, job, "broken"), halves.log.committed("broken", "clicks")
    lines = len(job.log_text().splitlines())
    halves.second_half()
    assert job.run("--flush") == 1
    said = [json.loads(line) for line in job.log_text().splitlines()[lines:] if '"error"' in line]
    epoch = str(int(newest.name.split("-")[0]))
    assert any(newest.name in line["error"] and f"epoch {epoch}" in line["error"] for line in said), said
    offsets = {partition: offset for partition, (offset, _) in halves.log.committed("broken", "clicks").items()}
    assert outcome(halves.log, job, "broken") == before[0]
    assert offsets == {partition: offset for partition, (offset, _) in before[1].items()}
    # Put back, it goes on.
    newest.write_bytes(good)
    halves.finish_and_compare()


def test_a_missing_link_in_the_chain_is_refused(site):
    halves = Halves(site, events=3_000, users=500)
    halves.generate(3, START)
    assert halves.job.run() == 0
    oldest = min(file for file in halves.job.deltas() if file.parent.name == "clicks-0")
    assert oldest != max(file for file in halves.job.deltas() if file.parent.name == "clicks-0")
    good = oldest.read_bytes()
    oldest.unlink()
    shutil.rmtree(halves.local(), ignore_errors=True)
    assert halves.job.run("--flush") == 1
    assert oldest.name in halves.job.log_text()
    oldest.write_bytes(good)
    halves.finish_and_compare()


QUIET = """
job: quiet
kafka: {brokers: embedded}
sources:
  events:
    topic: events
    format: json
    key: user
    fields: {user: string, ts: timestamp_ms}
    event_time: {field: ts, out_of_orderness: 1s%s}
transforms:
  sessions:
    from: events
    group_by: [user]
    window: {session: {gap: 10s}}
    aggregate: {events: count()}
sinks:
  topic: {from: sessions, kafka: {topic: sessions, key: user, format: json}}
dead_letter: {topic: dead}
"""


def event(user, seconds, partition):
    return user.encode(), b'{"user": "%s", "ts": %d}' % (user.encode(), START + seconds * 1_000), {"partition": partition}


def watermarks(site):
    return {task["partition"]: task["watermark_ms"] for task in (site.status("quiet") or {"tasks": []})["tasks"]}


def consumed(site, count):
    await_that(lambda: site.status("quiet")["ledger"]["consumed"] == count, 30, f"consuming {count}")


def test_the_watermark_of_a_quiet_partition_survives_a_restart(site):
    s = site(QUIET % "", partitions=2)
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [event("a", 0, 0), event("a", 100, 0), event("b", 500, 1)])
    consumed(s, 3)
    wanted = {0: START + 99_000, 1: START + 499_000}
    await_that(lambda: watermarks(s) == wanted, 10, "watermarks")
    for end in (s.stop, s.kill):
        end(process)
        process = s.start_job()
        s.await_ready(process)
        await_that(lambda: watermarks(s) == wanted, 10, "the same watermarks")
    # Late by what is remembered only: nothing has come since the restart. On the other partition's clock it would be later still.
    s.produce("events", [event("c", 50, 0), event("d", 99, 0)])
    consumed(s, 2)
    assert s.status("quiet")["ledger"]["dead_letters"]["late"] == 1
    assert s.stop(process) == 0
    log = s.start_log()
    assert [(row["user"], row["events"]) for row in s.json_records("sessions")] == [("a", 1)]
    assert [message.key() for _, message in s.dead_letters()] == [b"c"]
    assert s.stop(log) == 0


def test_the_last_sessions_of_a_drained_partition_come_out_after_a_restart(site):
    s = site(QUIET % ", idle_timeout: 500ms", partitions=2)
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [event("a", 0, 0), event("b", 0, 1)])
    consumed(s, 2)
    s.kill(process)
    process = s.start_job()
    s.await_ready(process)
    # Partition 0 gets nothing any more; time goes on by partition 1 alone.
    s.produce("events", [event("b", 100, 1)])
    await_that(lambda: {row["user"] for row in s.json_records("sessions")} == {"a", "b"}, 30, "the last session of the drained partition")
    await_that(lambda: watermarks(s) == {0: START + 99_000, 1: START + 99_000}, 10, "the adopted watermark")
    # And it stays: what comes now for partition 0 is late, also after another restart.
    assert s.stop(process) == 0
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [event("a", 1, 0)])
    consumed(s, 1)
    assert s.status("quiet")["ledger"]["dead_letters"]["late"] == 1
    assert s.stop(process) == 0


def test_a_slow_partition_is_not_idle(site):
    s = site(QUIET % ", idle_timeout: 1h", partitions=2)
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [event("a", 0, 0), event("b", 0, 1), event("b", 100, 1), event("b", 200, 1)])
    consumed(s, 4)
    # Nothing of partition 0 is closed by partition 1's time.
    s.produce("events", [event("a", 5, 0)])
    consumed(s, 5)
    assert s.status("quiet")["ledger"]["dead_lettered"] == 0
    await_that(lambda: watermarks(s)[0] == START + 4_000, 10, "its own watermark")
    assert s.stop(process) == 0
