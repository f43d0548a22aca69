"""An epoch ends when what it holds back has become much, however far off the next commit is."""
import subprocess

import pytest

from harness import BINARY, await_that

JOB = """
job: open
kafka: {brokers: embedded}
sources:
  clicks:
    topic: clicks
    key: user_id
    fields: {event_id: string, user_id: string, ts: timestamp_ms, url: string}
    event_time: {field: ts, out_of_orderness: 60s}
%s
dead_letter: {topic: dead}
"""

JOBS = {
    "records": "sinks: {out: {from: clicks, kafka: {topic: out, key: user_id}}}",
    "rows of a file": "sinks: {files: {from: clicks, parquet: {path: ./lake, roll: {every: 1d, size: 1GiB}}}}",
    "windows for a shuffle": """
transforms:
  ids: {from: clicks, group_by: [event_id], window: {tumbling: {size: 1d}}, aggregate: {events: count(), page: first(url)}}
sinks: {out: {from: ids, kafka: {topic: out, key: event_id}}}""",
}


@pytest.mark.parametrize("what", JOBS)
def test_what_an_epoch_holds_back_ends_it(site, what):
    s = site(JOB % JOBS[what], interval="1h")
    s.config.write_text(s.config.read_text() + "workers: 1\n")
    daemon = s.start_job()
    s.await_ready(daemon)
    subprocess.run([BINARY, "generate", "--events", "700000", "--brokers", s.brokers, "clicks"], check=True, stderr=subprocess.DEVNULL)
    # What is consumed is counted at its commit.
    await_that(lambda: (s.metric("millrace_records_consumed_total") or 0) > 100_000, 90, "a commit")
    assert s.stop(daemon) == 0
