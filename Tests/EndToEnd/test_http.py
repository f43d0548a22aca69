"""What DESIGN §6 promises under HTTP."""
import json
import re
import socket
import time

from harness import await_that

JOB = """
job: pages
kafka: {brokers: "%s"}
sources:
  views:
    topic: views
    format: json
    key: user
    fields: {user: string, ts: timestamp_ms, page: string}
    event_time: {field: ts, out_of_orderness: 1s}
transforms:
  sessions:
    from: views
    group_by: [user]
    window: {session: {gap: 5s}}
    aggregate: {views: count()}
sinks:
  topic: {from: sessions, kafka: {topic: sessions, key: user, format: json}}
dead_letter: {topic: dead}
"""

METRICS = """
records_consumed_total records_aggregated_total records_filtered_total records_duplicate_total dead_letters_total
records_produced_total consumer_lag_records watermark_seconds watermark_lag_seconds commit_duration_seconds
commits_total commit_failures_total last_commit_timestamp_seconds state_bytes state_keys delta_bytes_total
recovery_duration_seconds end_to_end_latency_seconds log_bytes_in_total log_bytes_out_total
""".split()


def records(count, start=0):
    return [(b"u%d" % (n % 5), b'{"user": "u%d", "ts": %d, "page": "/"}' % (n % 5, 1_700_000_000_000 + n * 10_000))
            for n in range(start, start + count)]


def parse(text):
    """Prometheus' text format, strictly: type by name, and (name, labels, value) of every sample."""
    types, helped, samples = {}, set(), []
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge", "histogram") and name not in types, line
            types[name] = kind
        elif line:
            match = re.fullmatch(r'([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)', line)
            assert match, line
            pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or "")
            assert ",".join(f'{name}="{value}"' for name, value in pairs) == (match[2] or ""), line
            samples.append((match[1], dict(pairs), float(match[3])))
    families = {name: re.sub("_(bucket|sum|count)$", "", name) for name, _, _ in samples}
    for name, _, _ in samples:
        family = families[name] if types.get(families[name]) == "histogram" else name
        assert family in types and family in helped, name
        assert family.startswith("millrace_"), name
        assert (types[family] == "counter") == family.endswith("_total"), name
    assert len({(name, tuple(sorted(labels.items()))) for name, labels, _ in samples}) == len(samples), "a series twice"
    return types, samples


def test_every_metric_of_the_design_is_there_and_counts(site):
    s = site(JOB % "embedded")
    process = s.start_job()
    s.await_ready(process)
    s.produce("views", records(500) + [(b"u1", b"{")])
    await_that(lambda: s.metric("millrace_records_consumed_total") == 501, 30, "consuming everything")
    # What is looked at a few times a second comes a little after what is counted.
    newest = 1_700_000_000 + 499 * 10 - 1
    marks = lambda: [value for name, _, value in parse(s.get("/metrics")[1])[1] if name == "millrace_watermark_seconds"]
    await_that(lambda: newest in marks(), 30, "the newest watermark")
    assert s.metric("millrace_consumer_lag_records") == 0
    status, body = s.get("/metrics")
    assert status == 200
    types, samples = parse(body)
    assert {f"millrace_{name}" for name in METRICS} <= set(types)
    for name in METRICS:
        assert any(sample[0].startswith(f"millrace_{name}") for sample in samples), name
    for name in ("commit_duration_seconds", "end_to_end_latency_seconds"):
        assert types[f"millrace_{name}"] == "histogram"
        buckets = [(float(labels["le"]), value) for found, labels, value in samples if found == f"millrace_{name}_bucket"]
        count = next(value for found, _, value in samples if found == f"millrace_{name}_count")
        assert buckets == sorted(buckets) and buckets[-1] == (float("inf"), count) and count > 0
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert s.metric("millrace_records_aggregated_total", job="pages", topic="views") == 500
    assert s.metric("millrace_dead_letters_total", job="pages", topic="views", reason="malformed") == 1
    # Four of five users' sessions and most of the fifth's: everything but what is still open.
    assert s.metric("millrace_records_produced_total", job="pages", sink="sessions") >= 480
    assert abs(s.metric("millrace_last_commit_timestamp_seconds") - time.time()) < 30
    assert max(marks()) == newest
    assert s.metric("millrace_log_bytes_in_total") > 500 * 40
    assert s.stop(process) == 0


def test_jobs_and_what_is_not_there(site):
    s = site(JOB % "embedded")
    process = s.start_job()
    s.await_ready(process)
    assert s.get("/healthz")[0] == 200
    jobs = json.loads(s.get("/api/jobs")[1])
    assert [job["name"] for job in jobs] == ["pages"]
    s.produce("views", records(10))
    await_that(lambda: s.status("pages")["ledger"]["consumed"] == 10, 30, "consuming everything")
    job = s.status("pages")
    assert job["state"] == "running" and job["ready"] and job["reason"] is None and job["last_error"] is None
    assert job["epoch"] > 0 and abs(job["last_commit"] - time.time()) < 30
    assert "sessions" in job["plan"]
    assert [task["partition"] for task in job["tasks"]] == [0, 1, 2, 3]
    await_that(lambda: sum(task["position"] for task in s.status("pages")["tasks"]) == 10, 10, "positions")
    await_that(lambda: all(task["lag"] == 0 for task in s.status("pages")["tasks"]), 10, "lag 0")

    assert s.get("/api/jobs/nobody")[0] == 404 and "pages" in s.get("/api/jobs/nobody")[1]
    assert s.get("/nothing")[0] == 404
    assert s.get("/api/jobs/pages/restart", "POST")[0] == 404
    assert s.get("/api/jobs/nobody/checkpoint", "POST")[0] == 404
    assert s.get("/api/jobs/pages", "DELETE")[0] == 405
    assert s.get("/metrics", "PUT")[0] == 405
    # A question that is none, or a path without end, is nobody else's trouble.
    for request in (b"nonsense\r\n\r\n", b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", s.http_port)) as connection:
            connection.sendall(request)
    assert s.get("/healthz")[0] == 200
    assert s.stop(process) == 0


def test_a_checkpoint_on_demand_commits_what_was_consumed_before(site):
    log = site("", name="log")
    log.start_log()
    log.create("views")
    s = site(JOB % log.brokers, log=False, brokers=log.brokers, interval="1h")
    process = s.start_job()
    s.await_ready(process)
    consumed = lambda: sum(task["position"] for task in s.status("pages")["tasks"])
    for round in (1, 2):
        log.produce("views", records(100, start=(round - 1) * 100))
        await_that(lambda: consumed() == round * 100, 30, "consuming everything")
        assert s.status("pages")["ledger"]["consumed"] == (round - 1) * 100
        before = s.status("pages")["epoch"]
        epoch = s.commit("pages")
        assert epoch > before
        assert s.status("pages")["epoch"] == epoch
        assert s.status("pages")["ledger"]["consumed"] == round * 100
        assert {lag for _, lag in log.committed("pages", "views").values()} == {0}
        assert len(log.consume("sessions")) > (round - 1) * 80
    s.kill(process)
    # What was committed is not done again.
    process = s.start_job()
    s.await_ready(process)
    assert consumed() in (0, 200)
    await_that(lambda: consumed() == 200, 10, "positions")
    assert s.stop(process) == 0
    assert s.status("pages") is None


def test_readiness_says_why_while_the_broker_is_away_and_comes_when_it_comes(site):
    log = site("", name="log")
    s = site(JOB % log.brokers, log=False, brokers=log.brokers)
    process = s.start_job()
    status, reason = await_that(lambda: (a := s.get("/readyz")) and "cannot" in a[1] and a, 30, "a reason")
    assert status == 503 and "pages" in reason
    assert s.get("/healthz")[0] == 200
    # Nothing can be committed: an error with a reason, no epoch.
    job = s.status("pages")
    assert job["state"] == "waiting" and not job["ready"] and job["last_error"]
    broker = log.start_log()
    log.create("views")
    s.await_ready(process)
    log.produce("views", records(50))
    await_that(lambda: s.metric("millrace_records_consumed_total") == 50, 30, "consuming everything")

    # Away while there is nothing to commit: not ready, with a reason; ready again by itself, nothing lost.
    log.kill(broker)
    status, reason = await_that(lambda: (a := s.get("/readyz")) and a[0] == 503 and a, 30, "not ready")
    assert "pages" in reason and "no broker answers" in reason
    assert s.status("pages")["state"] == "waiting"
    broker = log.start_log()
    s.await_ready(process)
    assert s.status("pages")["state"] == "running"
    log.produce("views", records(50, start=50))
    await_that(lambda: s.metric("millrace_records_consumed_total") == 100, 60, "consuming the rest")
    s.await_ready(process)
    assert s.stop(process) == 0


def test_the_log_alone_serves_health_readiness_and_metrics(site):
    s = site(JOB % "embedded")
    process = s.start_log()
    s.create("views")
    s.produce("views", records(10))
    assert s.get("/healthz")[0] == 200 and s.get("/readyz")[0] == 200
    types, _ = parse(s.get("/metrics")[1])
    assert {"millrace_log_bytes_in_total", "millrace_log_bytes_out_total"} <= set(types)
    assert s.metric("millrace_log_bytes_in_total") > 100
    s.consume("views")
    assert s.metric("millrace_log_bytes_out_total") > 100
    assert json.loads(s.get("/api/jobs")[1]) == []
    assert s.stop(process) == 0


def test_a_token_guards_everything_but_health(site):
    s = site(JOB % "embedded", token="secret-of-the-test-1")
    process = s.start_job()
    s.await_ready(process)
    for path in ("/", "/metrics", "/api/jobs", "/api/jobs/pages"):
        assert s.get(path, headers={})[0] == 401, path
        assert s.get(path, headers={"Authorization": "Bearer secret-of-the-test-2"})[0] == 401, path
        assert s.get(path)[0] == 200, path
    assert s.get("/api/jobs/pages/checkpoint", "POST", headers={})[0] == 401
    assert s.get("/healthz", headers={})[0] == 200 and s.get("/readyz", headers={})[0] == 200
    assert "secret-of-the-test-1" not in s.log_text()
    assert s.stop(process) == 0


def test_the_dashboard_loads_nothing_from_outside(site):
    s = site(JOB % "embedded")
    s.start_log()
    status, page = s.get("/")
    assert status == 200 and "<!doctype html>" in page.lower()
    assert not re.search(r"https?:|//[a-z]|\bsrc\s*=|<link|@import|url\(", page.replace("http://www.w3.org/2000/svg", ""))
    # What it asks is served here.
    assert re.findall(r'fetch\("([^"]+)"', page) == ["api/jobs", "metrics"]

