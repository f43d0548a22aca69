"""The figures of docs/performance.md come from these commands: they have to do the work that they claim to measure."""
import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from harness import BINARY, Site

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path, "")
    site.start_log()
    yield site
    site.close()


def bench(site, client, task, *options):
    done = site.command("bench", "--client", client, "--brokers", site.brokers, *options, "log", task)
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", ["lean", "librdkafka"])
def test_what_is_produced_is_there_and_is_consumed(site, client):
    produced = bench(site, client, "produce", "--records", 24_000)
    assert produced["records"] == 24_000 and produced["seconds"] > 0
    records = site.consume("bench")
    assert len(records) == 24_000
    assert {len(record.key()) + len(record.value()) for record in records} == {230}
    assert {record.partition() for record in records} == {0, 1, 2, 3}
    consumed = bench(site, client, "consume", "--records", 24_000)
    assert consumed["records"] == 24_000


@pytest.mark.parametrize("client", ["lean", "librdkafka"])
def test_latency_counts_every_record_after_the_first_second(site, client):
    found = bench(site, client, "latency", "--seconds", 1, "--rate", 2_000)
    assert found["count"] == 2_000
    assert 0 < found["p50"] <= found["p99"] <= found["p999"] <= found["longest"]
    assert len(site.consume("bench")) == 4_000


@pytest.mark.parametrize("client", ["lean", "librdkafka"])
def test_every_timed_transaction_is_committed(site, client):
    found = bench(site, client, "transactions", "--seconds", 1)
    assert found["count"] > 0
    assert len(site.consume("bench")) == 10 * found["count"]


def test_a_task_that_does_not_exist_is_refused(site):
    done = site.command("bench", "log", "fly", check=False)
    assert done.returncode == 64 and "produce, consume, latency, transactions, or `job` and one of latency" in done.stderr


def script(tmp_path, *arguments):
    """What scripts/bench prints, and the JSON that it writes."""
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/bench", *arguments, "--repeats", "1", "--directory", tmp_path, "--json", figures],
        capture_output=True, text=True, timeout=300, env={"MILLRACE_BINARY": str(BINARY), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())


@pytest.mark.parametrize("job, ended_as", [
    ("passthrough", lambda ledger: ledger["aggregated"] > 30_000 and ledger["filtered"] > 0),
    ("tumbling", lambda ledger: ledger["aggregated"] > 30_000 and ledger["filtered"] == ledger["duplicate"] == 0),
    ("sessions", lambda ledger: ledger["aggregated"] > 30_000 and ledger["duplicate"] > 0),
    ("dedupe", lambda ledger: ledger["aggregated"] > 0 and ledger["duplicate"] > 0 and ledger["filtered"] > 30_000),
    ("hot", lambda ledger: ledger["aggregated"] > 30_000 and ledger["duplicate"] > 0),
])
def test_a_job_is_drained_to_its_last_event(tmp_path, job, ended_as):
    printed, figures = script(tmp_path, job, "--events", "40000")
    assert "processor time, us an event" in printed
    run = figures["jobs"][0]["runs"][0]
    ledger = run["ledger"]
    assert ledger["consumed"] == 40_000 == ledger["aggregated"] + ledger["filtered"] + ledger["duplicate"] + run["dead_letters"]
    assert ended_as(ledger), ledger
    assert 0 < sum(run["split_us_per_event"].values()) <= run["cpu_us_per_event"] * 1.01


def test_pictures_are_made_of_what_was_kept(tmp_path):
    script(tmp_path, "dedupe", "--events", "20000")
    printed, figures = script(tmp_path, "sessions", "--events", "20000", "--partitions", "1", "2", "--workers", "1")
    assert [(result["job"], result["partitions"], result["workers"]) for result in figures["jobs"]] == [
        ("dedupe", 4, None), ("sessions", 1, 1), ("sessions", 2, 1)]
    subprocess.run([sys.executable, ROOT / "scripts/bench", "plot", tmp_path / "figures.json", tmp_path], check=True)
    words = {name: [node.text for node in xml.etree.ElementTree.parse(tmp_path / f"{name}.svg").iter() if node.text]
             for name in ("processor-time", "partitions")}
    assert "dedupe" in words["processor-time"] and "sessions" not in words["processor-time"]
    assert {"1", "2", "1 worker"} <= set(words["partitions"])


def test_latency_counts_what_comes_out_of_the_job(tmp_path):
    printed, figures = script(tmp_path, "latency", "--seconds", "1", "--rate", "2000")
    run = figures["latency"]["runs"][0]
    assert run["latency"]["count"] == 2_000
    assert 0 < run["latency"]["p50"] <= run["latency"]["p99"] < 30
    assert 0 < run["ready_seconds"] and 0 < run["idle_daemon_bytes"] and "start to /readyz" in printed


def test_the_script_makes_its_table(tmp_path):
    printed, figures = script(tmp_path, "log", "--records", "24000", "--seconds", "1")
    for figure in ("produce lean, records/s", "consume librdkafka, records/s", "memory, idle, MiB", "start to first byte, empty, ms"):
        assert figure in printed
    assert len(figures["runs"]) == 1
