"""Promise 5: no record stops a job. What cannot be used is on the dead-letter topic, with what somebody needs to mend it."""
import collections
import json
import time

from harness import await_that

JOB = """
job: careful
kafka: {brokers: embedded}
sources:
  events:
    topic: events
    format: json
    key: id
    fields: {id: string, ts: timestamp_ms, count: int64, price: "decimal(6,2)?", note: string?, os: {type: string?, path: device.os}}
    event_time: {field: ts, out_of_orderness: 1s, max_ahead: 1h}
sinks:
  all: {from: events, kafka: {topic: passed, key: id, format: json}}
  sessions: {from: sessions, kafka: {topic: sessions, key: id, format: json}}
transforms:
  sessions:
    from: events
    group_by: [id]
    window: {session: {gap: 10s}}
    aggregate: {events: count(), total: sum(count)}
dead_letter: {topic: dead}
"""

NOW = int(time.time() * 1000)


def event(**changes):
    fields = {"id": "a", "ts": NOW, "count": 1, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


# Name, value, reason; None where the record is good.
RECORDS = [
    ("cut off", event()[:-5], "malformed"),
    ("no JSON", b"<xml/>", "malformed"),
    ("two documents", event() + event(), "malformed"),
    ("an array", b"[1, 2]", "malformed"),
    ("a trailing comma", b'{"id": "a",}', "malformed"),
    ("a byte order mark", b"\xef\xbb\xbf" + event(), "malformed"),
    ("empty value", b"", "malformed"),
    ("null value", None, "malformed"),
    ("blanks", b"   ", "malformed"),
    ("invalid UTF-8", event(note="x").replace(b'"x"', b'"\xc3\x28"'), "malformed"),
    ("UTF-16", event().decode().encode("utf-16"), "malformed"),
    ("a zero byte", event(note="x").replace(b'"x"', b'"\x00"'), "malformed"),
    ("NaN", event(count="?").replace(b'"?"', b"NaN"), "malformed"),
    ("deep nesting", event(extra="?").replace(b'"?"', b"[" * 100_000 + b"]" * 100_000), "malformed"),
    ("deep and open", b'{"a":' * 50_000, "malformed"),
    ("no event time", event(ts=...), "missing_field"),
    ("no key field", event(id=...), "missing_field"),
    ("no count", event(count=...), "missing_field"),
    ("null in a field that has none", event(count=None), "missing_field"),
    ("null event time", event(ts=None), "missing_field"),
    ("text for a number", event(count="many"), "bad_type"),
    ("a fraction for an integer", event(count=1.5), "bad_type"),
    ("a number for text", event(id=7), "bad_type"),
    ("an object for text", event(note={"a": 1}), "bad_type"),
    ("a list for a number", event(count=[1]), "bad_type"),
    ("text on the way to a field", event(device="phone"), "bad_type"),
    ("text for a time", event(ts="yesterday"), "bad_type"),
    ("true for a number", event(count=True), "bad_type"),
    ("beyond 64 bits", event(count="?").replace(b'"?"', b"9223372036854775808"), "bad_type"),
    ("400 digits", event(count="?").replace(b'"?"', b"9" * 400), "bad_type"),
    ("a huge exponent", event(price="?").replace(b'"?"', b"1e999999999"), "bad_type"),
    ("too many digits for the decimal", event(price=123456.78), "bad_type"),
    ("too many digits behind the point", event(price=1.001), "bad_type"),
    ("a time beyond all calendars", event(ts=(1 << 62)), "bad_type"),
    ("from the future", event(ts=NOW + 2 * 3_600_000), "future"),
    ("ten years ahead", event(ts=NOW + 10 * 365 * 86_400_000), "future"),
    ("a long string", event(note="n" * (1 << 20)), "too_large"),
    ("3 MiB", event(note="n" * (3 << 20)), "too_large"),
    ("late", event(ts=NOW - 3_600_000), "late"),
    ("good", event(), None),
    ("good, with all", event(price=9999.99, note="ü\u0000\U0001f600", device={"os": "x", "more": [{}]}), None),
    ("good, the largest number", event(count=(1 << 63) - 1 - 1000), None),
    ("good, nulls where they may be", event(price=None, note=None, device=None), None),
    ("good, on the way to a field nothing", event(device={}), None),
    ("good, a key twice", event(id="a").replace(b'"count": 1', b'"count": 1, "count": 1'), None),
    ("good, 60 levels", event(extra="?").replace(b'"?"', b"[" * 60 + b"]" * 60), None),
    ("good, a long string that is not read", event(extra="e" * (1 << 20)), None),
]


def test_every_bad_record_is_a_dead_letter_with_its_reason_and_the_good_ones_go_on(site):
    s = site(JOB, partitions=1)
    log = s.start_log()
    s.create("events", partitions=1, config={"max.message.bytes": "8388608"})
    assert s.stop(log) == 0
    process = s.start_job()
    s.await_ready(process)
    # The first sets the watermark, so that the late one is late.
    sent = [(b"a", event(), {"headers": [("name", b"first")]})]
    for name, value, _ in RECORDS:
        headers = [("name", name.encode()), ("trace", b"\x00\xff"), ("empty", None)]
        sent.append((b"a", value, {"headers": headers}))
        # A good one between any two bad ones, so that no batch is all bad.
        sent.append((b"a", event(), {"headers": [("name", b"between")]}))
    sent.append((None, event(), {"headers": [("name", b"no Kafka key")]}))
    # What would not fit on the dead-letter topic as it is.
    sent.append((b"k" * 1_500_000, b"x" * 1_000, {"headers": [("name", b"a long Kafka key")]}))
    sent.append((b"a", b"x" * 1_000, {"headers": [("name", b"long headers"), ("big", b"h" * 1_500_000), ("last", b"1")]}))
    s.produce("events", sent)
    await_that(lambda: s.metric("millrace_records_consumed_total") >= len(sent), 60, "consuming everything")
    s.await_ready(process, seconds=1)

    wanted = {name: reason for name, _, reason in RECORDS if reason}
    wanted |= {"no Kafka key": "missing_field", "a long Kafka key": "malformed", "long headers": "malformed"}
    records = {name: value for name, value, _ in RECORDS} | {"no Kafka key": event()}
    stored = {dict(m.headers())["name"].decode(): m for m in s.consume("events")}
    letters = {}
    for message in s.consume("dead"):
        pairs = message.headers()
        headers = dict(pairs)
        name = headers["name"].decode()
        assert name not in letters, f"{name}: twice"
        letters[name] = headers["millrace.reason"].decode()
        source = stored[name]
        value = records.get(name, b"x" * 1_000)
        assert headers["millrace.source"] == f"events/0@{source.offset()}".encode(), name
        assert headers["millrace.job"] == b"careful", name
        assert headers["millrace.detail"], name
        if name not in records:
            # Cut, but what there is room for is there.
            assert headers["millrace.cut"] == b"true" and message.value() == value, name
            assert source.key().startswith(message.key()) and len(message.key()) > 0, name
            continue
        assert message.key() == source.key(), name
        assert pairs[: len(source.headers())] == source.headers(), name
        if value is not None and len(value) > 1_000_000:
            assert headers["millrace.cut"] == b"true", name
            assert len(message.value()) > 500_000 and value.startswith(message.value()), name
        else:
            assert message.value() == value, name
            assert "millrace.cut" not in headers, name
    assert letters == wanted

    counted = s.status("careful")["ledger"]
    reasons = collections.Counter(wanted.values())
    assert counted["dead_letters"] == {reason: reasons[reason] for reason in counted["dead_letters"]}
    assert set(reasons) == set(counted["dead_letters"])
    for reason, count in reasons.items():
        assert s.metric("millrace_dead_letters_total", job="careful", topic="events", reason=reason) == count
    good = len(sent) - len(wanted)
    assert counted["consumed"] == len(sent)
    # A late record is too late for its session, not for the sink that takes all.
    passed = s.json_records("passed")
    assert len(passed) == good + 1
    assert counted["aggregated"] == good
    assert s.status("careful")["ready"]
    assert s.stop(process) == 0, s.log_text()
    assert s.run("--flush") == 0
    log = s.start_log()
    rows = s.json_records("sessions")
    assert [row["events"] for row in rows] == [good]
    assert s.stop(log) == 0


def test_details_say_what_was_expected_and_what_came(site):
    s = site(JOB, partitions=1)
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [
        (b"a", event(count="many")), (b"a", event(count=...)), (b"a", event()[:-1]), (b"a", event(ts=NOW + 7_200_000)),
        (b"a", event()), (b"a", event(ts=NOW - 3_600_000)), (None, event())])
    await_that(lambda: s.metric("millrace_records_consumed_total") >= 7, 60, "consuming everything")
    details = [headers["millrace.detail"] for headers, _ in s.dead_letters()]
    for words in [("count", "int64", "many"), ("count", "absent"), ("ends",), ("ahead", "max_ahead"), ("watermark",), ("key", "`id`")]:
        assert any(all(word in detail for word in words) for detail in details), (words, details)
    assert s.stop(process) == 0


def test_a_record_that_is_bad_for_ever_does_not_stop_a_restart(site):
    s = site(JOB, partitions=1)
    log = s.start_log()
    s.create("events", partitions=1, config={"max.message.bytes": "8388608"})
    assert s.stop(log) == 0
    process = s.start_job()
    s.await_ready(process)
    s.produce("events", [(b"a", value) for _, value, _ in RECORDS])
    # Killed at once: whether these were committed or not, the next life gets past them.
    s.kill(process)
    assert s.run() == 0, s.log_text()
    log = s.start_log()
    letters = [headers["millrace.source"] for headers, _ in s.dead_letters()]
    assert len(letters) == len(set(letters)) == sum(1 for _, _, reason in RECORDS if reason and reason != "late")
    assert s.stop(log) == 0
