"""Checkpoints in S3: a job with a real store behind HTTP that refuses, delays and cuts."""
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import urllib.request

import pytest

from harness import await_that
from s3_server import ACCESS, BUCKET, SECRET
from test_recovery import clicks, outcome

START = 1_700_000_000_000


class Store:
    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, pathlib.Path(__file__).parent / "s3_server.py", "--bucket"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.endpoint = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def ask(self, path, body=None):
        request = urllib.request.Request(self.endpoint + path, method="PUT" if body else "GET", data=body and body.encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def misbehave(self, faults):
        self.ask("/__faults", json.dumps(faults))

    def requests(self):
        return self.ask("/__requests")

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def store(monkeypatch):
    store = Store()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield store
    store.close()


def in_s3(site, store):
    site.config.write_text(site.config.read_text().replace(
        "storage: ./data/checkpoints", f"storage: s3://{BUCKET}/site, s3: {{endpoint: '{store.endpoint}', region: eu-central-1}}"))
    return site


def generate(log, seed, start, events=20_000):
    log.command("generate", "--events", events, "--users", 500, "--seed", seed, "--span", "1h", "--start", start,
                "--brokers", log.brokers, "clicks")


def test_a_job_survives_kills_a_refusing_store_and_the_loss_of_its_local_state(site, store):
    log = site("", name="log")
    log.start_log()
    job = in_s3(site(clicks("stored", log.brokers), name="job", log=False, brokers=log.brokers), store)
    process = job.start_job()
    generate(log, 1, START)
    await_that(lambda: sum(lag for _, lag in log.committed("stored", "clicks").values()) == 0, 60, "the first part")
    job.kill(process)

    # Without its disk the job has only what is in the bucket.
    shutil.rmtree(job.directory / "data")
    process = job.start_job()
    generate(log, 2, START + 3_600_000)
    store.misbehave({"all": {"status": 503, "code": "SlowDown"}})
    waiting = await_that(
        lambda: (job.status("stored") or {}).get("state") == "waiting" and job.status("stored"), 60, "waiting for the store")
    assert "503" in json.dumps(waiting), waiting
    store.misbehave([{"delay": 0.3}, {"cut": 3}, {"status": 500}] * 3)
    await_that(lambda: sum(lag for _, lag in log.committed("stored", "clicks").values()) == 0, 120, "the second part")
    job.kill(process)
    assert job.run("--flush") == 0, job.log_text()[-3_000:]

    calm = site(clicks("calm", log.brokers), name="calm", log=False, brokers=log.brokers)
    assert calm.run("--flush") == 0, calm.log_text()[-3_000:]
    wanted = outcome(log, calm, "calm")
    assert len(wanted[0]) > 100
    assert outcome(log, job, "stored") == wanted
    assert SECRET not in job.log_text()


def test_a_store_that_deletes_nothing_costs_only_room(site, store):
    log = site("", name="log", partitions=1)
    log.start_log()
    log.create("clicks", partitions=1)
    job = in_s3(site(clicks("kept", log.brokers), name="job", log=False, brokers=log.brokers, interval="1s"), store)
    # So little memory that state is moved to the home, which takes snapshots.
    job.config.write_text(job.config.read_text().replace("256MiB", "16MiB"))
    store.misbehave({"all": {"method": "DELETE", "status": 403, "code": "AccessDenied"}})
    process = job.start_job()
    job.await_ready(process)
    parts = itertools.count()

    def work_until(condition):
        for part in itertools.islice(parts, 20):
            if condition():
                return
            log.command("generate", "--events", 100_000, "--users", 100_000, "--seed", part, "--span", "1h", "--start", START + part * 3_600_000,
                        "--brokers", log.brokers, "clicks")
            await_that(lambda: sum(lag for _, lag in log.committed("kept", "clicks").values()) == 0, 120, "an end of the input")
        assert condition()

    def snapshots(method, since=0):
        paths = [request.split() for request in store.requests()[since:]]
        return [path for verb, path in paths if verb == method and "/clicks-0/snapshot-" in path and path.endswith("/files")]

    work_until(lambda: len(snapshots("PUT")) >= 3)
    await_that(lambda: "could not be deleted" in job.log_text(), 60, "a word about the deletion")
    # The state is at home, whatever is left behind.
    assert "could not be brought up to date" not in job.log_text(), job.log_text()[-3_000:]
    assert job.get("/readyz")[0] == 200

    store.misbehave([])
    healed = len(store.requests())
    work_until(lambda: snapshots("DELETE", healed))
    assert job.stop(process) == 0


def test_credentials_that_are_missing_or_refused_are_said_and_nothing_is_committed(site, store, monkeypatch):
    log = site("", name="log")
    log.start_log()
    generate(log, 1, START, 1_000)
    job = in_s3(site(clicks("refused", log.brokers), name="job", log=False, brokers=log.brokers), store)
    for secret, said in [("wrong/secret", "SignatureDoesNotMatch"), ("", "AWS_ACCESS_KEY_ID")]:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.setenv("HOME", str(job.directory))
        process = job.start_job()
        status = await_that(
            lambda: said in json.dumps(job.status("refused") or {}) and job.status("refused"), 60, f"{said} in the status")
        assert status["state"] == "waiting", status
        assert job.get("/readyz")[0] == 503
        job.kill(process)
    assert all(offset < 0 for offset, _ in log.committed("refused", "clicks").values())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert job.run() == 0, job.log_text()[-3_000:]
    assert "wrong/secret" not in job.log_text()


def test_a_job_starts_from_a_savepoint_in_the_store(site, store):
    log = site("", name="log")
    log.start_log()
    job = in_s3(site(clicks("stored", log.brokers), name="job", log=False, brokers=log.brokers), store)
    generate(log, 1, START)
    assert job.run() == 0, job.log_text()[-3_000:]
    before = outcome(log, job, "stored")[0]
    taken = job.command("savepoint", job.job, "--config", job.config).stdout.strip()
    generate(log, 2, START + 3_600_000)
    fork = in_s3(site(clicks("fork", log.brokers), name="fork", log=False, brokers=log.brokers), store)
    assert fork.run("--from-savepoint", f"stored/{taken}", "--flush") == 0, fork.log_text()[-3_000:]
    assert job.run("--flush") == 0, job.log_text()[-3_000:]
    after, forked = outcome(log, job, "stored")[0], outcome(log, fork, "fork")[0]
    assert len(forked) > 100 and forked == {
        user: sessions[len(before.get(user, [])):] for user, sessions in after.items() if len(sessions) > len(before.get(user, []))}
    job.command("savepoint", "stored", "--delete", taken, "--config", job.config)
    assert job.command("savepoint", "stored", "--list", "--config", job.config).stdout == ""
