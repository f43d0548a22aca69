"""Savepoints: taken of jobs that run or not, started from after a change, as a fork, and in spite of kills. No state is lost that was not given up."""
import collections
import json
import random
import subprocess
import time

import pytest

from harness import BINARY, await_that

START = 1_700_000_000_000
GAP = 30_000
PARTITIONS = 4
USERS = 40

JOB = """
job: {name}
kafka: {{brokers: "{brokers}"}}
sources:
  clicks:
    topic: clicks
    format: json
    key: user
    fields: {{id: string, user: string, ts: timestamp_ms, kind: string}}
    event_time: {{field: ts, out_of_orderness: 1s}}
transforms:
  unique: {{from: clicks, dedupe: {{by: id, within: 24h}}}}
  sessions:
    from: unique
    group_by: [user]
    window: {{session: {{gap: {gap}}}}}
    aggregate: {{events: count()}}
{transforms}
sinks:
  topic: {{from: sessions, kafka: {{topic: {name}.sessions, key: user, format: json}}}}
  files: {{from: sessions, parquet: {{path: ./lake}}}}
{sinks}
dead_letter: {{topic: {name}.dead}}
"""

# What a later version of the job has more: above the unchanged transforms a filter, and beside them an aggregate with a file of its own.
MORE_TRANSFORMS = """
  bought: {from: clicks, where: "kind = 'purchase'"}
  purchases:
    from: bought
    group_by: [user]
    window: {tumbling: {size: 1m}}
    aggregate: {purchases: count()}
"""
MORE_SINKS = """
  purchases_topic: {from: purchases, kafka: {topic: %s.purchases, key: user, format: json}}
  purchases_files: {from: purchases, parquet: {path: ./bought}}
"""


def job(name, brokers="embedded", gap="30s", transforms="", sinks=""):
    return JOB.format(name=name, brokers=brokers, gap=gap, transforms=transforms, sinks=sinks)


def changed(name, brokers="embedded"):
    return job(name, brokers, transforms=MORE_TRANSFORMS, sinks=MORE_SINKS % name)


class Clicks:
    """Events in order of time, some of them twice, also across the parts in which they are produced."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.time = START
        self.made = []

    def next(self, count):
        """The next part of the stream."""
        part = []
        for _ in range(count):
            self.time += self.random.randrange(400)
            event = {"id": f"e{len(self.made)}", "user": f"u{self.random.randrange(USERS)}", "ts": self.time,
                     "kind": self.random.choice(["view", "purchase"])}
            # Of the same user, so that it is in the same partition.
            earlier = [e for e in self.made[-300:] if e["user"] == event["user"]]
            if earlier and self.random.random() < 0.15:
                event["id"] = self.random.choice(earlier)["id"]
            self.made.append(event)
            part.append(event)
        return part

    @staticmethod
    def records(events):
        return [(e["user"].encode(), json.dumps(e).encode(), {"partition": int(e["user"][1:]) % PARTITIONS}) for e in events]


def sessions(events, known=(), gap=GAP):
    """The oracle: what `events` come to, each id once and none of `known`, as (first, events) by user in order."""
    seen, found = set(known), collections.defaultdict(list)
    for event in events:
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        mine = found[event["user"]]
        if mine and event["ts"] <= mine[-1][1] + gap:
            mine[-1][1], mine[-1][2] = event["ts"], mine[-1][2] + 1
        else:
            mine.append([event["ts"], event["ts"], 1])
    return {user: [(first, count) for first, _, count in mine] for user, mine in found.items()}


def put_out(log, name):
    found = collections.defaultdict(list)
    for row in log.json_records(f"{name}.sessions"):
        found[row["user"]].append((row["window_start"], row["events"]))
    return dict(found)


def in_files(site, path="lake"):
    """By user, in order of time; a file's order says nothing."""
    found = collections.defaultdict(list)
    for row in site.parquet_rows(path):
        found[row["user"]].append((round(row["window_start"].timestamp() * 1_000), row["events"]))
    return {user: sorted(rows) for user, rows in found.items()}


class Stage:
    """A log, the stream, and sites for jobs on it."""

    def __init__(self, make, events=3_000):
        self.make = make
        self.log = make("", name="log", partitions=PARTITIONS)
        self.log.start_log()
        self.log.create("clicks", partitions=PARTITIONS)
        self.clicks = Clicks()
        self.events = events

    def produce(self, count=None):
        part = self.clicks.next(count or self.events)
        self.log.produce("clicks", Clicks.records(part))
        return part

    def site(self, name, text=None, directory=None):
        site = self.make(text or job(name, self.log.brokers), name=directory or name, log=False, brokers=self.log.brokers)
        return site

    def beside(self, name, text, site):
        """Another job with the checkpoint storage of `site`."""
        other = self.site(name, text)
        other.config.write_text(other.config.read_text().replace("./data/checkpoints", str(site.directory / "data/checkpoints")))
        return other

    def caught_up(self, name):
        await_that(lambda: sum(lag for _, lag in self.log.committed(name, "clicks").values()) == 0, 120, f"{name} has all of it")


def run(site, *arguments):
    assert site.run(*arguments) == 0, site.log_text()[-3_000:]


def savepoint(site, operand=None, *arguments):
    return site.command("savepoint", operand or site.job, "--config", site.config, *arguments).stdout.strip()


def state(site, operand=None, *arguments):
    """What `millrace state` says: by task, and by task and transform."""
    lines = site.command("state", operand or site.job, "--json", "--config", site.config, *arguments).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return ({row["task"]: row for row in rows if row["type"] == "task"},
            {(row["task"], row["transform"]): row for row in rows if row["type"] == "state"})


def errors(site, since=0):
    return [json.loads(line)["error"] for line in site.log_text().splitlines()[since:] if '"error"' in line]


def beyond(before, after):
    """What has come for each user since."""
    return {user: rows[len(before.get(user, [])):] for user, rows in after.items() if len(rows) > len(before.get(user, []))}


def is_end_of(part, whole):
    """By user, `part` is what `whole` ends with."""
    return all(whole.get(user, [])[-len(rows):] == rows for user, rows in part.items())


def test_a_changed_job_keeps_the_state_of_what_did_not_change(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    run(s)
    s.job.write_text(changed("shop", stage.log.brokers))
    second = stage.produce()
    run(s, "--flush")
    wanted = sessions(stage.clicks.made)
    assert put_out(stage.log, "shop") == wanted
    assert in_files(s) == wanted
    # What is new sees what comes from now on.
    assert sum(row["purchases"] for row in stage.log.json_records("shop.purchases")) == sum(e["kind"] == "purchase" for e in second)


def test_an_upgrade_from_a_savepoint_goes_on_where_the_old_version_stopped_and_again_does_not_go_back(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    run(s)
    taken = savepoint(s)
    assert [json.loads(line)["id"] for line in savepoint(s, "shop", "--list", "--json").splitlines()] == [taken]
    s.job.write_text(changed("shop", stage.log.brokers))
    second = stage.produce()
    run(s, "--from-savepoint", "latest")
    # The same command line again, as a supervisor gives it; also when there is a newer savepoint of the life that it began.
    stage.produce()
    run(s, "--from-savepoint", "latest")
    savepoint(s)
    stage.produce()
    run(s, "--from-savepoint", "latest")
    run(s, "--from-savepoint", taken, "--flush")
    said = s.log_text()
    assert said.count("the job starts from a savepoint") == 1
    assert said.count("goes on from where it is") == 3
    wanted = sessions(stage.clicks.made)
    assert put_out(stage.log, "shop") == wanted
    assert in_files(s) == wanted
    purchases = sum(e["kind"] == "purchase" for e in stage.clicks.made[len(stage.clicks.made) - 3 * len(second):])
    assert sum(row["purchases"] for row in stage.log.json_records("shop.purchases")) == purchases


def test_going_back_to_a_savepoint_does_everything_since_again(site):
    stage = Stage(site)
    s = stage.site("shop")
    first = stage.produce()
    run(s)
    taken = savepoint(s)
    before = put_out(stage.log, "shop")
    stage.produce()
    run(s)
    middle = put_out(stage.log, "shop")
    assert middle != before
    run(s, "--from-savepoint", taken, "--flush")
    wanted = sessions(stage.clicks.made)
    again = put_out(stage.log, "shop")
    for user, rows in again.items():
        old = middle.get(user, [])
        assert rows[:len(old)] == old
        # What came before the savepoint is there once, what came after it twice.
        assert before.get(user, []) + rows[len(old):] == wanted[user]
    assert len(first) > 1_000


def test_a_fork_of_a_running_job_goes_on_independently(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    process = s.start_job()
    stage.caught_up("shop")
    # In the middle of the stream, at whatever commit it hits.
    part = Clicks.records(stage.clicks.next(6_000))
    stage.log.produce("clicks", part[:3_000])
    taken = savepoint(s)
    stage.log.produce("clicks", part[3_000:])
    through_http = json.loads(s.get("/api/jobs/shop/savepoint", method="POST")[1])["id"]
    assert taken < through_http
    fork = stage.beside("fork", changed("fork", stage.log.brokers), s)
    forked = fork.start_job("--from-savepoint", f"shop/{taken}")
    stage.caught_up("fork")
    stage.caught_up("shop")
    assert s.stop(process) == 0 and fork.stop(forked) == 0
    stage.produce(500)
    run(fork, "--from-savepoint", "shop/latest", "--flush")
    run(s, "--flush")
    wanted = sessions(stage.clicks.made)
    assert put_out(stage.log, "shop") == wanted and in_files(s) == wanted
    # The fork has not put out what was put out before the savepoint; of what is after it nothing is missing or cut.
    out = put_out(stage.log, "fork")
    assert is_end_of(out, wanted) and len(out) == USERS and sum(map(len, out.values())) > USERS
    rows = in_files(fork)
    assert is_end_of(rows, wanted) and is_end_of(out, rows)


def test_a_savepoint_of_all_instances_is_taken_while_one_is_killed(site):
    stage = Stage(site, events=20_000)
    s = stage.site("shop")
    other = stage.site("shop", directory="second")
    other.config.write_text(other.config.read_text().replace("./data/checkpoints", str(s.directory / "data/checkpoints")))
    other.job.write_text(other.job.read_text().replace("./lake", str(s.directory / "lake")))
    s.job.write_text(s.job.read_text().replace("./lake", str(s.directory / "lake")))
    process, second = s.start_job(), other.start_job()
    stage.produce()
    await_that(lambda: all(len((x.status("shop") or {"tasks": []})["tasks"]) == 2 for x in (s, other)), 60, "two tasks each")
    # What was never committed is in no savepoint.
    await_that(lambda: all(offset >= 0 for offset, _ in stage.log.committed("shop", "clicks").values()), 60, "a commit of every task")
    other.kill(second)
    stage.produce()
    taken = savepoint(s)
    listed = json.loads(savepoint(s, None, "--list", "--json"))
    assert listed["id"] == taken and listed["tasks"] == PARTITIONS
    stage.caught_up("shop")
    assert s.stop(process) == 0
    fork = stage.beside("fork", job("fork", stage.log.brokers), s)
    run(fork, "--from-savepoint", f"shop/{taken}", "--flush")
    run(s, "--flush")
    wanted = sessions(stage.clicks.made)
    assert put_out(stage.log, "shop") == wanted
    out = put_out(stage.log, "fork")
    assert is_end_of(out, wanted) and len(out) == USERS


def test_a_kill_while_starting_from_a_savepoint_leaves_the_old_or_the_new_start(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    run(s)
    taken = savepoint(s)
    old = {task: row["offset"] for task, row in state(s)[0].items()}
    stage.produce()
    run(s)
    new = {task: row["offset"] for task, row in state(s)[0].items()}
    assert all(old[task] < new[task] for task in new) and len(new) == PARTITIONS
    storage = s.directory / "data/checkpoints/shop"

    def written():
        return set(storage.glob("*/*.delta")) | set(storage.glob("*/snapshot-*"))

    starts = collections.Counter()
    # After each thing that is written for the new start, as near as a signal comes, and while the offsets are set.
    for count in [0, *range(1, 2 * PARTITIONS + 1), *[2 * PARTITIONS] * 3]:
        before = written()
        process = s.start_job("--from-savepoint", taken)
        await_that(lambda: len(written() - before) >= count, 60, f"{count} new files")
        if count == 2 * PARTITIONS:
            time.sleep(max(0, 0.05 * (sum(starts.values()) - 2 * PARTITIONS)))
        s.kill(process)
        tasks = state(s)[0]
        origins = {row["savepoint"] for row in tasks.values()}
        assert len(origins) == 1 and len(tasks) == PARTITIONS, tasks
        origin = origins.pop()
        starts[origin] += 1
        if origin:
            break
        assert {task: row["offset"] for task, row in tasks.items()} == new
    assert starts[None] >= PARTITIONS, starts
    run(s, "--from-savepoint", taken, "--flush")
    # Whatever was put out since the savepoint is there again; the newest time of every session is right.
    wanted = sessions(stage.clicks.made)
    out = put_out(stage.log, "shop")
    for user, rows in wanted.items():
        assert set(out[user]) >= set(rows) and out[user][-1] == rows[-1]


def test_a_savepoint_that_was_killed_does_not_exist(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    process = s.start_job()
    stage.caught_up("shop")
    shelf = s.directory / "data/checkpoints/shop.savepoints"
    cut = attempts = 0
    # Some are done before they are killed.
    while attempts < 2 * PARTITIONS or (not cut and attempts < 300):
        attempts += 1
        count = (attempts - 1) % (2 * PARTITIONS) + 1
        before = set(shelf.glob("*/*/*"))
        command = subprocess.Popen([BINARY, "savepoint", s.job, "--config", s.config], cwd=s.directory, stdout=subprocess.DEVNULL)
        # Without a pause between two looks: it takes a few milliseconds.
        while command.poll() is None and len(set(shelf.glob("*/*/*")) - before) < min(count, PARTITIONS):
            pass
        s.kill(command)
        cut += sum(not (directory / "manifest").exists() for directory in shelf.iterdir())
    listed = savepoint(s, "shop", "--list", "--json").splitlines()
    complete = {directory.name for directory in shelf.iterdir() if (directory / "manifest").exists()}
    assert {json.loads(line)["id"] for line in listed} == complete
    assert cut, "no savepoint was cut: nothing is tested"
    fork = stage.beside("fork", job("fork", stage.log.brokers), s)
    taken = savepoint(s)
    assert s.stop(process) == 0
    run(fork, "--from-savepoint", "shop/latest", "--flush")
    run(s, "--flush")
    wanted = sessions(stage.clicks.made)
    assert put_out(stage.log, "shop") == wanted
    assert is_end_of(put_out(stage.log, "fork"), wanted) and len(put_out(stage.log, "fork")) == USERS
    assert state(fork)[0]["clicks-0"]["savepoint"] == f"shop/{taken}"


def test_state_that_does_not_fit_is_refused_and_dropped_only_where_that_is_allowed(site):
    stage = Stage(site)
    s = stage.site("shop")
    first = stage.produce()
    run(s)
    before = put_out(stage.log, "shop")
    taken = savepoint(s)
    s.job.write_text(job("shop", stage.log.brokers, gap="10s"))
    committed = stage.log.committed("shop", "clicks")
    for arguments in ([], ["--from-savepoint", taken]):
        lines = len(s.log_text().splitlines())
        assert s.run(*arguments) == 1
        said = errors(s, lines)[-1]
        for part in ["`sessions` was", "gap=30000000us", "is now", "gap=10000000us", "--drop-state sessions"]:
            assert part in said, said
        assert "unique" not in said, said
    assert stage.log.committed("shop", "clicks") == committed

    # A name that cannot be meant.
    refused = s.command("run", s.job, "--config", s.config, "--drop-state", "topic", check=False)
    assert refused.returncode == 64 and "`topic` keeps no state" in refused.stderr
    lines = len(s.log_text().splitlines())
    assert s.run("--drop-state", "session") == 1
    assert "did you mean `sessions`?" in errors(s, lines)[-1]

    second = stage.produce()
    run(s, "--drop-state", "sessions")
    # Allowed is not asked for: what fits now is kept by the same command line.
    third = stage.produce()
    run(s, "--drop-state", "sessions", "--flush")
    assert s.log_text().count("is dropped, as --drop-state allows") == PARTITIONS
    # The ids are still known, so that nothing of the first part counts again; the sessions that were open are gone.
    wanted = sessions(second + third, known={e["id"] for e in first}, gap=10_000)
    assert beyond(before, put_out(stage.log, "shop")) == wanted


def test_state_is_dropped_durably_before_a_record_comes(site):
    stage = Stage(site)
    s = stage.site("shop")
    first = stage.produce()
    run(s)
    before = put_out(stage.log, "shop")
    s.job.write_text(job("shop", stage.log.brokers, gap="10s"))
    run(s, "--drop-state", "sessions")
    tasks, states = state(s)
    assert all(states[(task, "sessions")]["entries"] == 0 and states[(task, "unique")]["entries"] > 0 for task in tasks)
    second = stage.produce()
    run(s, "--flush")
    wanted = sessions(second, known={e["id"] for e in first}, gap=10_000)
    assert beyond(before, put_out(stage.log, "shop")) == wanted


def test_a_savepoint_with_a_change_of_state_drops_it_at_the_start(site):
    stage = Stage(site)
    s = stage.site("shop")
    first = stage.produce()
    run(s)
    taken = savepoint(s)
    fork = stage.beside("fork", job("fork", stage.log.brokers, gap="10s"), s)
    run(fork, "--from-savepoint", f"shop/{taken}", "--drop-state", "sessions")
    # Removed altogether: its name is known from the state.
    text = job("third", stage.log.brokers).replace("  files: {from: sessions, parquet: {path: ./lake}}\n", "")
    third = stage.beside("third", text, s)
    lines = len(third.log_text().splitlines())
    assert third.run("--from-savepoint", f"shop/{taken}") == 1
    assert "`files` was" in errors(third, lines)[-1] and "no longer in the job" in errors(third, lines)[-1]
    for _ in range(2):
        run(third, "--from-savepoint", f"shop/{taken}", "--drop-state", "files")
    second = stage.produce()
    run(fork, "--flush")
    run(third, "--flush")
    assert put_out(stage.log, "fork") == sessions(second, known={e["id"] for e in first}, gap=10_000)
    assert is_end_of(put_out(stage.log, "third"), sessions(stage.clicks.made))


def test_a_job_with_members_is_not_moved(site):
    stage = Stage(site)
    s = stage.site("shop")
    stage.produce()
    process = s.start_job()
    stage.caught_up("shop")
    taken = savepoint(s)
    stage.produce()
    stage.caught_up("shop")
    committed = stage.log.committed("shop", "clicks")
    other = stage.site("shop", directory="second")
    other.config.write_text(other.config.read_text().replace("./data/checkpoints", str(s.directory / "data/checkpoints")))
    assert other.start_job("--from-savepoint", taken).wait(60) == 1
    assert "it has members" in errors(other)[-1] and "stop all instances" in errors(other)[-1]
    assert stage.log.committed("shop", "clicks") == committed
    assert s.stop(process) == 0


def test_what_is_no_savepoint_is_refused(site):
    stage = Stage(site)
    s = stage.site("shop")
    assert "has committed nothing" in s.command("savepoint", s.job, "--config", s.config, check=False).stderr
    stage.produce()
    run(s)
    taken = savepoint(s)
    lost = savepoint(s)
    s.command("savepoint", "shop", "--delete", lost, "--config", s.config)
    assert savepoint(s, "shop", "--list").count(taken) == 1 and lost not in savepoint(s, "shop", "--list")
    assert s.command("savepoint", "shop", "--delete", lost, "--config", s.config, check=False).returncode == 1
    committed = stage.log.committed("shop", "clicks")

    lines = len(s.log_text().splitlines())
    assert s.run("--from-savepoint", lost) == 1
    assert "no such savepoint" in errors(s, lines)[-1] and taken in errors(s, lines)[-1]
    assert s.command("run", s.job, "--config", s.config, "--from-savepoint", "a/b/c", check=False).returncode == 64

    # One without a manifest does not exist; one whose bytes have changed is not believed.
    directory = s.directory / "data/checkpoints/shop.savepoints" / taken
    manifest = (directory / "manifest").read_bytes()
    (directory / "manifest").unlink()
    assert savepoint(s, "shop", "--list") == ""
    (directory / "manifest").write_bytes(manifest.replace(b'"offset" : ', b'"offset" : 1'))
    lines = len(s.log_text().splitlines())
    assert s.run("--from-savepoint", taken) == 1
    assert "its checksum does not agree" in errors(s, lines)[-1]
    (directory / "manifest").write_bytes(manifest)
    delta = next(directory.rglob("*.delta"))
    bytes_ = delta.read_bytes()
    delta.write_bytes(bytes_[:-1] + bytes([bytes_[-1] ^ 1]))
    lines = len(s.log_text().splitlines())
    assert s.run("--from-savepoint", taken) == 1
    assert delta.name in errors(s, lines)[-1]
    assert stage.log.committed("shop", "clicks") == committed


def test_a_savepoint_stands_by_itself_when_state_is_in_snapshots(site):
    stage = Stage(site)
    s = stage.site("shop")
    s.config.write_text(s.config.read_text().replace("256MiB", "16MiB"))
    big = [{"id": f"x{number}", "user": f"u{number}", "ts": START + number // 200, "kind": "view"} for number in range(200_000)]
    stage.clicks.time = START + 1_000
    stage.clicks.made += big
    stage.log.produce("clicks", Clicks.records(big))
    run(s)
    assert list((s.directory / "data/checkpoints/shop").rglob("snapshot-*")), "no snapshot was taken: nothing is tested"
    taken = savepoint(s)
    tasks, states = state(s)
    assert all(row["snapshot_bytes"] > 0 for row in tasks.values())
    assert sum(states[(task, "sessions")]["entries"] for task in tasks) == 200_000
    # The job goes on and tidies up; its own state is then gone altogether.
    stage.produce()
    run(s)
    fork = stage.beside("fork", changed("fork", stage.log.brokers), s)
    for directory in (s.directory / "data/checkpoints/shop").iterdir():
        for file in sorted(directory.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
    run(fork, "--from-savepoint", f"shop/{taken}", "--flush")
    assert put_out(stage.log, "fork") == sessions(stage.clicks.made)


def test_the_log_of_a_stopped_process_is_opened_for_a_savepoint(site):
    s = site(job("shop"), partitions=PARTITIONS)
    process = s.start_job()
    s.await_ready(process)
    clicks = Clicks()
    s.produce("clicks", Clicks.records(clicks.next(2_000)))
    await_that(lambda: sum(lag for _, lag in s.committed("shop", "clicks").values()) == 0, 60, "all of it")
    running = state(s, "shop", "--task", 2)[0]
    assert list(running) == ["clicks-2"]
    assert savepoint(s, "shop")
    assert s.stop(process) == 0
    taken = savepoint(s, "shop")
    assert state(s, "shop", "--task", 2)[0]["clicks-2"]["offset"] == running["clicks-2"]["offset"]
    run(s, "--from-savepoint", taken, "--flush")
    log = s.start_log()
    assert put_out(s, "shop") == sessions(clicks.made)
    assert s.stop(log) == 0
