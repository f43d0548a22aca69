"""Real input: the sessions of a web site's log, against a slow and obvious oracle that knows nothing of streams."""
import gzip
import json
import random
import subprocess
import sys

import pytest

from harness import SHARED

WEBLOG = SHARED / "data/weblog.jsonl.gz"
ORACLE = SHARED / "tools/reference_sessions.py"

pytestmark = pytest.mark.skipif(not WEBLOG.exists(), reason=f"{WEBLOG} is not there")


def job(gap, bound):
    return f"""
job: weblog
kafka: {{brokers: embedded}}
sources:
  requests:
    topic: requests
    format: json
    key: host
    fields: {{event_id: string, host: string, ts: timestamp_ms, path: string?, bytes: int64?}}
    event_time: {{field: ts, out_of_orderness: {bound}}}
transforms:
  unique: {{from: requests, dedupe: {{by: event_id, within: 365d}}}}
  sessions:
    from: unique
    group_by: [host]
    window: {{session: {{gap: {gap}}}}}
    aggregate: {{events: count(), bytes: sum(bytes), pages: count_distinct(path), first_path: first(path)}}
sinks:
  topic: {{from: sessions, kafka: {{topic: sessions, key: host, format: json}}}}
  files: {{from: sessions, parquet: {{path: ./lake, partition_by: [date(window_start)], roll: {{every: 1h, size: 64MiB}}}}}}
dead_letter: {{topic: dead}}
"""


def oracle(file, gap, bound):
    done = subprocess.run(
        [sys.executable, ORACLE, file, "--gap", str(gap), "--bound", str(bound)], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    # A sum of nothing is 0 to the oracle and null to SQL.
    return rows, json.loads(done.stderr)


def as_oracle(row, start, end):
    return (row["host"], start, end, row["events"], row["bytes"] or 0, row["pages"], row["first_path"])


def damaged(lines, seed):
    """The lines with some twice, some broken, and nulls put in."""
    rng = random.Random(seed)
    result = []
    for line in lines:
        record = json.loads(line)
        dice = rng.random()
        if dice < 0.05:
            result.append(line)
            result.insert(rng.randrange(max(0, len(result) - 50), len(result) + 1), line)
        elif dice < 0.10:
            result.append(line[: rng.randrange(1, len(line) - 1)])
        elif dice < 0.13:
            record[rng.choice(["event_id", "host", "ts"])] = None
            result.append(json.dumps(record))
        elif dice < 0.16:
            del record[rng.choice(["event_id", "host", "ts"])]
            result.append(json.dumps(record))
        elif dice < 0.19:
            record[rng.choice(["event_id", "host"])] = rng.choice([1, True, ["x"], {"a": 1}])
            result.append(json.dumps(record))
        elif dice < 0.30:
            record[rng.choice(["bytes", "path"])] = None
            result.append(json.dumps(record))
        else:
            result.append(line)
    return result


@pytest.mark.parametrize(
    "gap, bound, seed", [(1_800_000, 60_000, None), (20_000, 5_000, None), (1_800_000, 60_000, 7), (20_000, 5_000, 8)])
def test_sessions_topic_files_counters_and_dead_letters_equal_the_oracle(site, tmp_path, gap, bound, seed):
    lines = gzip.open(WEBLOG, "rt").read().splitlines()
    if seed is not None:
        lines = damaged(lines, seed)
    input_file = tmp_path / "input.jsonl"
    input_file.write_text("".join(line + "\n" for line in lines))
    want, counts = oracle(input_file, gap, bound)
    if gap == 20_000:
        assert counts["late"] > 1_000

    s = site(job(f"{gap}ms", f"{bound}ms"))
    broker = s.start_log()
    s.command("produce", "--file", input_file, "--key", "host", "--brokers", s.brokers, "requests")
    s.stop(broker)
    code = s.run("--flush")
    assert code == 0, f"exit {code}: {s.log_text()}"

    broker = s.start_log()
    expected = sorted((r["key"], r["start"], r["end"], r["events"], r["sum"], r["distinct"], r["first"]) for r in want)
    got = sorted(as_oracle(r, r["window_start"], r["window_end"]) for r in s.json_records("sessions"))
    assert got == expected
    millis = lambda time: round(time.timestamp() * 1000)
    files = sorted(as_oracle(r, millis(r["window_start"]), millis(r["window_end"])) for r in s.parquet_rows())
    assert files == expected

    letters = [headers["millrace.reason"] for headers, _ in s.dead_letters()]
    assert letters.count("late") == counts["late"]
    assert len(letters) - letters.count("late") == counts["malformed"]
    # Every dead letter is the record as it was.
    values = {line.encode() for line in lines}
    assert all(message.value() in values for _, message in s.dead_letters())


def test_a_running_job_counts_what_the_oracle_counts(site, tmp_path):
    lines = damaged(gzip.open(WEBLOG, "rt").read().splitlines(), 9)
    input_file = tmp_path / "input.jsonl"
    input_file.write_text("".join(line + "\n" for line in lines))
    _, counts = oracle(input_file, 20_000, 5_000)
    s = site(job("20s", "5s"))
    process = s.start_job()
    s.await_ready(process)
    s.command("produce", "--file", input_file, "--key", "host", "--brokers", s.brokers, "requests")
    from harness import await_that
    await_that(lambda: s.metric("millrace_records_consumed_total") >= counts["records"], 60, "consuming everything")
    status = json.loads(s.get("/api/jobs/weblog")[1])
    assert status["ledger"]["consumed"] == counts["records"]
    assert status["ledger"]["aggregated"] == counts["aggregated"]
    assert status["ledger"]["duplicate"] == counts["duplicate"]
    assert status["ledger"]["dead_letters"]["late"] == counts["late"]
    assert status["ledger"]["dead_lettered"] == counts["late"] + counts["malformed"]
    await_that(lambda: s.metric("millrace_consumer_lag_records") == 0, 20, "lag 0")
    assert s.stop(process) == 0
