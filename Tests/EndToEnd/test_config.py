"""Everything in config/ and scripts/demo.sh: what a newcomer starts first has to work."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from urllib.request import urlopen

import duckdb
import pytest
import yaml

from harness import BINARY, ROOT, await_that, free_port

CONFIG = ROOT / "config"
JOBS = sorted((CONFIG / "jobs").glob("*.yaml"))
DAEMONS = sorted(CONFIG.glob("millrace*.yaml"))
EVENTS = 20_000


def plan(file):
    return yaml.safe_load(file.read_text())


def targets(job):
    """Topics and Parquet directories of a job, and its source topic."""
    sinks = job["sinks"].values()
    topics = [sink["kafka"]["topic"] for sink in sinks if "kafka" in sink]
    paths = [sink["parquet"]["path"] for sink in sinks if "parquet" in sink]
    [source] = job["sources"].values()
    return source["topic"], topics, paths


def generate(site, topic):
    site.command("generate", "--events", EVENTS, "--users", 500, "--seed", 7, "--brokers", site.brokers, topic)


def assert_sessions(site, job):
    """Each event is in one session, in one file row, or on the dead-letter topic, once."""
    source, topics, paths = targets(job)
    events = {json.loads(m.value())["event_id"] for m in site.consume(source)}
    assert len(events) < EVENTS, "the clickstream has duplicates"
    assert site.consume(job["dead_letter"]["topic"]) == []
    for topic in topics:
        sessions = site.json_records(topic)
        assert sum(session["events"] for session in sessions) == len(events)
    for path in paths:
        rows = site.parquet_rows(path)
        assert sum(row["events"] for row in rows) == len(events)
        assert sum(row["purchases"] for row in rows) > 0 and any(row["revenue"] for row in rows)


@pytest.mark.parametrize("file", JOBS, ids=lambda file: file.name)
def test_a_job_file_checks_and_turns_events_into_sessions(site, file, monkeypatch):
    monkeypatch.delenv("MILLRACE_BROKERS", raising=False)
    job = plan(file)
    s = site(file.read_text())
    assert f"job {job['job']}" in s.command("check", s.job).stdout
    broker = s.start_log()
    generate(s, targets(job)[0])
    s.stop(broker)
    assert s.run("--flush") == 0, s.log_text()
    s.start_log()
    assert_sessions(s, job)


@pytest.mark.parametrize("file", DAEMONS, ids=lambda file: file.name)
def test_a_daemon_file_runs_the_jobs_that_it_names(site, file, monkeypatch):
    monkeypatch.delenv("MILLRACE_BROKERS", raising=False)
    s = site("")
    shutil.copytree(CONFIG, s.directory / "config")
    # The same file, listening where nobody else does.
    text = file.read_text()
    has_log = "log" in plan(file)
    s.config.write_text(
        text.replace("127.0.0.1:8080", f"127.0.0.1:{s.http_port}").replace("0.0.0.0:8080", f"127.0.0.1:{s.http_port}")
        .replace("127.0.0.1:9092", f"127.0.0.1:{s.kafka_port}"))
    [job_file] = plan(file)["jobs"]
    job = plan(s.directory / job_file)

    outside = None
    if not has_log:
        outside = site("", name="kafka")
        outside.start_log()
        monkeypatch.setenv("MILLRACE_BROKERS", outside.brokers)
        s.brokers = outside.brokers
        generate(s, targets(job)[0])
    else:
        broker = s.start("log")
        s.await_ready(broker)
        generate(s, targets(job)[0])
        s.stop(broker)
    process = s.start("run", "--until-end", "--flush")
    assert process.wait(120) == 0, s.log_text()
    if has_log:
        s.await_ready(s.start("log"))
    assert_sessions(s, job)


def copy_of_the_repository(directory):
    """Enough of it for the demo, listening on ports of its own."""
    shutil.copytree(CONFIG, directory / "config")
    shutil.copytree(ROOT / "scripts", directory / "scripts")
    http, kafka = free_port(), free_port()
    config = directory / "config/millrace.yaml"
    config.write_text(config.read_text().replace(":8080", f":{http}").replace(":9092", f":{kafka}"))
    return http


def demo(directory, *arguments, **settings):
    environment = dict(os.environ, MILLRACE_BINARY=str(BINARY))
    environment.pop("MILLRACE_BROKERS", None)
    # Whoever runs the tests in the background has Ctrl-C ignored, and a shell cannot undo that for itself; a terminal's is not.
    return subprocess.Popen(
        [directory / "scripts/demo.sh", *map(str, arguments)], cwd="/", env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **settings)


def test_the_demo_shows_events_sessions_files_and_where_to_look_and_can_be_run_again(tmp_path):
    http = copy_of_the_repository(tmp_path)
    for turn in range(2):
        process = demo(tmp_path, "--seconds", 30)
        out, _ = process.communicate(timeout=150)
        assert process.returncode == 0, out
        assert re.search(r"events in [1-9]\d*  sessions out [1-9]", out), out
        assert '"window_start":' in out and f"Dashboard: http://127.0.0.1:{http}/" in out, out
        # The line that it prints for reading the files is run as it stands.
        line = re.search(r'python3 -c "(.*)"$', out, re.MULTILINE).group(1).replace('\\"', '"')
        read = subprocess.run(
            [sys.executable, "-c", line], cwd=tmp_path, capture_output=True, text=True)
        assert read.returncode == 0 and "sessions" in read.stdout, read.stderr
        # Event time goes on where the first demo ended: nothing is late.
        assert re.search(r"dead letters 0  ", out) and not re.search(r"dead letters [1-9]", out), out
    rows = duckdb.sql(f"select count(*), count(distinct (user_id, window_start)) from '{tmp_path}/data/lake/demo-sessions/**/*.parquet'").fetchall()[0]
    assert rows[0] == rows[1] > 0


def test_the_demo_stops_what_it_started_and_says_when_a_port_is_taken(tmp_path):
    http = copy_of_the_repository(tmp_path)
    process = demo(tmp_path, start_new_session=True)

    def is_ready():
        try:
            return urlopen(f"http://127.0.0.1:{http}/readyz", timeout=5).status == 200
        except OSError:
            assert process.poll() is None
            return False

    await_that(is_ready, 60, "the demo's readiness")
    second = demo(tmp_path)
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 1 and f"something listens on 127.0.0.1:{http} already" in out, out
    # At any moment: of a command in front, behind, or between two.
    seconds = random.uniform(0, 3)
    print(f"Ctrl-C after {seconds} s")
    time.sleep(seconds)
    # What a terminal does at Ctrl-C.
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    said = (tmp_path / "data/demo.log").read_text()
    assert "SIGTERM: stopping after a last commit" in said and "the log has stopped" in said and "again" not in said, said


def test_the_job_in_the_readme_is_one(site):
    [text] = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    s = site(text)
    assert "job clickstream-sessions" in s.command("check", s.job).stdout


def test_links_of_the_documentation_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            if target.startswith("http"):
                continue
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                assert anchor in [heading.lower().replace(" ", "-") for heading in headings], f"{page.name}: {target}"


def test_every_metric_of_the_program_is_documented():
    sources = "".join(file.read_text() for file in (ROOT / "Sources").rglob("*.swift"))
    documented = (ROOT / "docs/operations.md").read_text()
    names = set(re.findall(r'"(millrace_[a-z_]+)"', sources))
    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}`" not in documented] == []
    described = set(re.findall(r"`(millrace_[a-z_]+)`", documented))
    assert described - names == set()
