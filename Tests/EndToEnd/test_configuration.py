"""Promise 5: bad configuration is refused before anything starts, all errors at once, each with its place and what was meant."""
import re
import socket

import pytest
import yaml

from harness import ROOT

JOB = """\
job: orders
kafka: {brokers: embedded}
sources:
  orders:
    topic: orders
    format: json
    key: customer
    fields: {customer: string, ts: timestamp_ms, amount: "decimal(12,2)?", kind: string}
    event_time: {field: ts, out_of_orderness: 1s}
transforms:
  big: {from: orders, where: "amount > 10"}
  sessions:
    from: big
    group_by: [customer]
    window: {session: {gap: 5s}}
    aggregate: {orders: count(), total: sum(amount)}
sinks:
  topic: {from: sessions, kafka: {topic: sessions, key: customer, format: json}}
dead_letter: {topic: dead}
"""


def place(text, part):
    """Line and column, from 1, of the first appearance of `part`."""
    before = text[: text.index(part)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def errors(output):
    """(line, column, message) of every line that is an error of job.yaml."""
    return [(int(line), int(column), message) for line, column, message in
            re.findall(r"^\S*job\.yaml:(\d+):(\d+): (.+)$", output, re.MULTILINE)]


# What is put for what, where the error is, and what it says.
MISTAKES = {
    "an unknown key at the top": ("dead_letter:", "dead_leter:", "dead_leter", ["dead_leter", "did you mean", "dead_letter"]),
    "an unknown key further down": ("out_of_orderness: 1s", "out_of_order: 1s", "out_of_order: 1s", ["out_of_order", "out_of_orderness"]),
    "a wrong type": ("sources:\n  orders:", "sources:\n  orders: []\n  others:", "[]", ["list"]),
    "no duration": ("gap: 5s", "gap: 5", "5}}", ["duration", "`5`"]),
    "a misspelt column": ("sum(amount)", "sum(amuont)", "amuont", ["amuont", "amount"]),
    "a misspelt input": ("from: big", "from: bigg", "bigg", ["bigg", "did you mean", "big"]),
    "a broken expression": ("amount > 10", "amount > > 10", "> 10\"}", []),
    "an expression of another type": ("amount > 10", "amount + 10", "+ 10", ["true or false"]),
    "types that cannot be compared": ("amount > 10", "amount > kind", "> kind", ["string"]),
    "a duplicate key": ("  topic: {from: sessions", "  topic: {from: big, kafka: {topic: other}}\n  topic: {from: sessions", "topic: {from: sessions", ["topic"]),
    "a tab": ("    group_by:", "\tgroup_by:", "\tgroup_by", ["tab"]),
    "a variable that is not set": ("topic: orders", "topic: ${NOWHERE_SET}", "${NOWHERE_SET}", ["NOWHERE_SET"]),
    "a cycle": ("{from: orders, where", "{from: sessions, where", None, ["big", "sessions"]),
    "a loop through a topic": ("topic: sessions,", "topic: orders,", "orders, key: customer", ["loop"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_place(site, name):
    old, new, part, words = MISTAKES[name]
    text = JOB.replace(old, new, 1)
    assert text != JOB
    s = site(text)
    for command in (["check", s.job], ["run", s.job, "--config", s.config]):
        done = s.command(*command, check=False)
        assert done.returncode == 78, (done.returncode, done.stderr)
        found = errors(done.stderr)
        assert found, done.stderr
        assert any(all(word in message for word in words) for _, _, message in found), found
        if part is not None:
            assert place(text, part) in {(line, column) for line, column, _ in found}, (place(text, part), found)
    assert sorted(p.name for p in s.directory.iterdir()) == ["job.yaml", "millrace.yaml"], "something was started"


def test_all_mistakes_of_all_files_are_said_at_once(site):
    text = (JOB.replace("format: json", "fromat: json", 1).replace("gap: 5s", "gap: soon").replace("sum(amount)", "sum(kind)")
            .replace("brokers: embedded", "brokers: '${NOWHERE_SET}'").replace("dead_letter", "dead_leter"))
    s = site(text)
    other = s.directory / "other.yaml"
    other.write_text(JOB.replace("job: orders", "jop: orders"))
    done = s.command("check", s.job, other, check=False)
    assert done.returncode == 78
    for part in ["fromat", "soon", "sum(kind)", "'${NOWHERE_SET}'", "dead_leter"]:
        line = place(text, part)[0]
        assert line in {line for line, _, _ in errors(done.stderr)}, (part, done.stderr)
    assert "other.yaml:1:1: " in done.stderr


def test_a_refused_run_has_opened_no_port_and_made_nothing(site):
    s = site(JOB.replace("gap: 5s", "gap: -5s"))
    # Somebody who listened, even for a moment, would fail on ports that are taken.
    with socket.create_server(("127.0.0.1", s.kafka_port)), socket.create_server(("127.0.0.1", s.http_port)):
        done = s.command("run", s.job, "--config", s.config, check=False)
    assert done.returncode == 78 and "job.yaml:" in done.stderr, done.stderr
    assert "in use" not in done.stderr
    assert not (s.directory / "data").exists()


def test_a_bad_daemon_file_is_refused(site):
    s = site(JOB)
    s.config.write_text("http: {listen: 8080}\nlgo: {}\nstate: {memory: 1MB}\n")
    done = s.command("run", s.job, "--config", s.config, check=False)
    assert done.returncode == 78
    for words in [":1:16: ", ":2:1: unknown key `lgo`", "did you mean `log`", ":3:17: ", "1MiB"]:
        assert words in done.stderr, (words, done.stderr)
    assert not (s.directory / "data").exists()


@pytest.mark.parametrize("arguments", [
    [], ["rum"], ["run", "--untilend", "job.yaml"], ["run", "--flush", "job.yaml"], ["check"], ["log", "extra"], ["generate", "topic"],
    ["generate", "--events", "many", "topic"], ["produce", "topic"], ["run", "--log", "xml", "job.yaml"]])
def test_bad_usage_is_64(site, arguments):
    s = site(JOB)
    done = s.command(*arguments, check=False)
    assert done.returncode == 64, done.stderr
    assert done.stderr.strip()
    assert not (s.directory / "data").exists()


def test_a_good_file_is_checked_and_its_plan_printed(site):
    done = site(JOB).command("check", "job.yaml")
    for words in ["orders", "sessions", "dead"]:
        assert words in done.stdout


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*/*.yaml")), ids=lambda file: file.name)
def test_every_job_in_config_runs(site, file):
    job = yaml.safe_load(file.read_text())
    s = site(file.read_text())
    broker = s.start_log()
    for source in job["sources"].values():
        s.command("generate", "--events", "2000", "--users", "50", "--brokers", s.brokers, source["topic"])
    s.stop(broker)
    assert s.run("--flush") == 0, s.log_text()
    s.start_log()
    for sink in job["sinks"].values():
        if "kafka" in sink:
            assert s.consume(sink["kafka"]["topic"])
        else:
            assert s.parquet_rows(sink["parquet"]["path"])


def test_a_second_process_on_the_same_state_is_refused(site):
    s = site(JOB)
    first = s.start_job()
    s.await_ready(first)
    second = site(JOB, name="second")
    second.config.write_text(second.config.read_text().replace("./data/state", str(s.directory / "data/state")))
    done = second.command("run", second.job, "--config", second.config, check=False)
    assert done.returncode == 1
    assert "in use by another process" in done.stderr and "data/state" in done.stderr, done.stderr
    assert s.get("/readyz")[0] == 200
    assert s.stop(first) == 0


def test_a_second_process_on_the_same_log_is_refused(site):
    s = site(JOB)
    first = s.start_log()
    second = site(JOB, name="second")
    second.config.write_text(second.config.read_text().replace("./data/log", str(s.directory / "data/log")))
    done = second.command("log", "--config", second.config, check=False)
    assert done.returncode == 1
    assert "data/log" in done.stderr and re.search("in use|another process", done.stderr), done.stderr
    assert s.get("/readyz")[0] == 200
    assert s.stop(first) == 0


def test_a_port_that_is_taken_is_said(site):
    s = site(JOB)
    with socket.create_server(("127.0.0.1", s.http_port)):
        done = s.command("log", "--config", s.config, check=False)
    assert done.returncode == 1 and str(s.http_port) in done.stderr and "in use" in done.stderr, done.stderr


def records(start, count):
    return [(b"c%d" % (n % 3), b'{"customer": "c%d", "ts": %d, "amount": 20.5, "kind": "x"}' % (n % 3, 1_700_000_000_000 + n * 1_000))
            for n in range(start, start + count)]


def test_state_that_no_longer_fits_is_refused_and_named(site):
    s = site(JOB)
    broker = s.start_log()
    s.produce("orders", records(0, 10))
    s.stop(broker)
    assert s.run() == 0, s.log_text()
    s.job.write_text(JOB.replace("gap: 5s", "gap: 6s"))
    assert s.run() == 1
    message = s.log_text().splitlines()[-5:]
    assert any("`sessions`" in line and "does not fit" in line for line in message), message
    # As it was, it goes on.
    s.job.write_text(JOB)
    assert s.run() == 0, s.log_text()


def test_other_changes_of_the_job_go_on_with_the_state(site):
    s = site(JOB)
    broker = s.start_log()
    s.produce("orders", records(0, 10))
    s.stop(broker)
    assert s.run() == 0, s.log_text()
    # A filter in front of another sink, and the sink: the open sessions stay.
    s.job.write_text(JOB.replace("transforms:\n", "transforms:\n  huge: {from: sessions, where: 'total > 100'}\n").replace(
        "sinks:\n", "sinks:\n  more: {from: huge, kafka: {topic: huge, key: customer, format: json}}\n  files: {from: sessions, parquet: {path: ./lake}}\n"))
    broker = s.start_log()
    s.produce("orders", records(10, 10))
    s.stop(broker)
    assert s.run("--flush") == 0, s.log_text()
    s.start_log()
    rows = sorted((row["customer"], row["orders"]) for row in s.json_records("sessions"))
    # Twenty orders, one a second: each customer has one session through both runs.
    assert rows == [("c0", 7), ("c1", 7), ("c2", 6)]
    assert len(s.json_records("huge")) == 3
    assert len(s.parquet_rows()) == 3
