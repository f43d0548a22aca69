"""`millrace log topics|groups|describe|dump` and the log's metrics, against what confluent-kafka wrote and says."""
import json
import pathlib
import subprocess
import zlib

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from harness import BINARY, await_that

JOB = "job: none\n"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def objects(site, *arguments, code=0):
    done = site.command("log", *arguments, "--json", check=False)
    assert done.returncode == code, done.stderr + done.stdout[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(kind, found):
    return [one for one in found if one["type"] == kind]


def partition_directory(site, topic, number=0):
    return site.directory / f"data/log/topics/{topic}-{number}"


def transact(site, topic, values, commit, identity, offsets=None):
    producer = Producer({"bootstrap.servers": site.brokers, "transactional.id": identity, "linger.ms": 20})
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0
    if commit:
        producer.commit_transaction(30)
    elif commit is False:
        producer.abort_transaction(30)
    return producer


@pytest.fixture
def log(site):
    one = site(JOB)
    one.process = one.start_log()
    return one


@pytest.mark.parametrize("codec", CODECS)
def test_dump_shows_the_batches_and_records_that_a_client_wrote(log, codec):
    log.create("t", partitions=1)
    records = [(f"key-{i}".encode(), f"value {i} ".encode() * 20) for i in range(50)]
    log.produce("t", records, **{"compression.type": codec, "linger.ms": 100})
    found = objects(log, "dump", "data/log", "--records", "--max-bytes", "4096")
    batches = of("batch", found)
    assert sum(b["records"] for b in batches) == 50
    assert all(b["compression"] == codec and b["crc_ok"] and not b["transactional"] and b["control"] is None for b in batches)
    assert [b["base_offset"] for b in batches] == [0] + [b["last_offset"] + 1 for b in batches[:-1]]
    # Together they are the file, byte for byte.
    file = next(partition_directory(log, "t").glob("*.log"))
    assert [b["position"] for b in batches] == [sum(x["bytes"] for x in batches[:i]) for i in range(len(batches))]
    assert sum(b["bytes"] for b in batches) == file.stat().st_size == of("segment", found)[0]["bytes"]
    consumed = [(m.offset(), m.timestamp()[1], m.key(), m.value()) for m in log.consume("t")]
    assert [(r["offset"], r["timestamp"], r["key"].encode(), r["value"].encode()) for r in of("record", found)] == consumed
    assert not of("unread", found)


def test_dump_shows_headers_nulls_and_bytes_that_are_no_text(log):
    log.create("t", partitions=1)
    log.produce("t", [(None, b"\x00\xff", {"headers": [("a", b"1"), ("a", None), ("b", b"\xfe")]}), (b"k", None), (b"k", "é".encode() * 300)])
    found = of("record", objects(log, "dump", partition_directory(log, "t"), "--records", "--max-bytes", "21"))
    assert found[0]["key"] is None and found[0]["value_base64"] == "AP8="
    assert found[0]["headers"] == [{"name": "a", "value": "1"}, {"name": "a", "value": None}, {"name": "b", "value_base64": "/g=="}]
    assert found[1]["value"] is None
    # Not cut through a character.
    assert found[2]["value"] == "é" * 10 and found[2]["value_bytes"] == 600
    assert [r["offset"] for r in of("record", objects(log, "dump", "data/log", "--records", "--from", "1"))] == [1, 2]
    assert "0x00ff" in log.command("log", "dump", "data/log", "--records").stdout


def test_dump_shows_transactions_and_their_producers(log):
    log.create("t", "other", partitions=1)
    transact(log, "t", [b"a", b"b"], True, "committed")
    transact(log, "t", [b"c"], False, "aborted")
    open_one = transact(log, "t", [b"d"], None, "open")
    found = objects(log, "dump", "data/log", "--partition", "t/0")
    batches = of("batch", found)
    assert [(b["base_offset"], b["last_offset"], b["control"]) for b in batches] == [
        (0, 1, None), (2, 2, "commit"), (3, 3, None), (4, 4, "abort"), (5, 5, None)]
    assert all(b["transactional"] for b in batches)
    committed, aborted, still_open = (batches[i]["producer_id"] for i in (0, 2, 4))
    assert [(t["state"], t["producer_id"], t["first_offset"], t["last_offset"]) for t in of("transaction", found)] == [
        ("aborted", aborted, 3, 4), ("open", still_open, 5, None)]
    assert {(p["producer_id"], p["last_sequence"], p["transaction_start"]) for p in of("producer", found)} == {
        (committed, 1, None), (aborted, 0, None), (still_open, 0, 5)}
    text = log.command("log", "dump", "data/log", "--partition", "t/0").stdout
    assert "transactions: 1 committed, 1 aborted, 1 open" in text and "control: abort" in text
    open_one.abort_transaction(30)
    assert [t["state"] for t in of("transaction", objects(log, "dump", "data/log", "--partition", "t/0"))] == ["aborted", "aborted"]


def test_dump_names_what_is_damaged_and_goes_on_behind_it(log):
    log.create("t", partitions=1)
    for i in range(5):
        log.produce("t", [(b"k", f"value-{i}".encode() * 30)])
    log.stop(log.process)
    file = next(partition_directory(log, "t").glob("*.log"))
    sound = of("batch", objects(log, "dump", file))
    assert [i["problem"] for i in of("index", objects(log, "dump", file))] == [None] * 4
    bytes_ = bytearray(file.read_bytes())
    bytes_[sound[1]["position"] + 100] ^= 1  # In the records of the second batch.
    bytes_[sound[3]["position"] + 16] = 9  # Its magic: no header can be read there.
    file.write_bytes(bytes_)
    found = objects(log, "dump", file, "--records", code=1)
    assert [(b["base_offset"], b["crc_ok"]) for b in of("batch", found)] == [(0, True), (1, False), (2, True), (4, True)]
    assert [(d["position"], d["bytes"], d["offset"]) for d in of("damage", found)] == [
        (sound[1]["position"], sound[1]["bytes"], 1), (sound[3]["position"], sound[3]["bytes"], 3)]
    assert [r["offset"] for r in of("record", found)] == [0, 2, 4]
    # A torn append at the very end is none.
    file.write_bytes(file.read_bytes()[:sound[1]["position"]] + bytes(bytes_[sound[4]["position"]:])[:70])
    torn = objects(log, "dump", file, code=0)
    assert [b["base_offset"] for b in of("batch", torn)] == [0]
    assert of("tail", torn)[0]["bytes"] == 70 and not of("damage", torn)


def test_dump_checks_the_indexes_of_closed_segments(log):
    log.create("t", partitions=1, config={"segment.bytes": "16384", "index.interval.bytes": "100"})
    for i in range(40):
        log.produce("t", [(b"k", b"x" * 1000)])
    log.stop(log.process)
    files = sorted(partition_directory(log, "t").glob("*.log"))
    assert len(files) > 1
    found = objects(log, "dump", "data/log")
    reports = [i for i in of("index", found) if i["path"].startswith(str(files[0])[:-3])]
    assert all(i["problem"] is None for i in of("index", found))
    by_kind = {pathlib.Path(i["path"]).suffix: i for i in reports}
    assert by_kind[".index"]["entries"] >= 10 and by_kind[".timeindex"]["entries"] >= 1 and by_kind[".txnindex"]["entries"] == 0
    index = files[0].with_suffix(".index")
    contents = bytearray(index.read_bytes())
    contents[-1] ^= 1
    index.write_bytes(contents)
    wrong = [i for i in of("index", objects(log, "dump", "data/log")) if i["problem"]]
    assert [i["path"] for i in wrong] == [str(index)]


def test_dump_refuses_what_is_no_log(log):
    (log.directory / "empty").mkdir()
    for path, words in ("empty", "holds no segments"), ("millrace.yaml", "is no segment"), ("nowhere", "No such file"):
        done = log.command("log", "dump", path, check=False)
        assert done.returncode == 1 and words in done.stderr, done.stderr
    assert log.command("log", "dump", check=False).returncode == 64
    assert log.command("log", "dump", "data/log", "--partition", "t", check=False).returncode == 64
    assert "has no partition t/7" in log.command("log", "dump", "data/log", "--partition", "t/7", check=False).stderr


def test_dump_reads_while_the_log_writes_and_changes_nothing(log):
    log.create("t", partitions=1)
    log.produce("t", [(b"k", b"v")])
    before = {p: p.stat().st_mtime_ns for p in (log.directory / "data/log").rglob("*")}
    assert len(of("batch", objects(log, "dump", "data/log"))) == 1
    assert {p: p.stat().st_mtime_ns for p in (log.directory / "data/log").rglob("*")} == before
    log.produce("t", [(b"k", b"w")])
    assert [m.value() for m in log.consume("t")] == [b"v", b"w"]


@pytest.mark.parametrize("way", ["--brokers", "--bootstrap", "--config"])
def test_topics_tells_what_the_administrator_sees(log, way):
    log.create("plain", partitions=3)
    log.create("compacted", partitions=1, config={"cleanup.policy": "compact"})
    log.produce("plain", [(f"{i}".encode(), b"v") for i in range(100)])
    target = log.config if way == "--config" else log.brokers
    found = {t["topic"]: t for t in objects(log, "topics", way, target)}
    assert set(found) == set(AdminClient({"bootstrap.servers": log.brokers}).list_topics(timeout=20).topics)
    assert (found["plain"]["partitions"], found["plain"]["records"], found["plain"]["cleanup"]) == (3, 100, "delete")
    assert (found["compacted"]["partitions"], found["compacted"]["records"], found["compacted"]["cleanup"]) == (1, 0, "compact")
    size = sum(p.stat().st_size for p in (log.directory / "data/log/topics").glob("plain-*/*.log"))
    assert found["plain"]["bytes"] == (size if way == "--config" else None)
    text = log.command("log", "topics", way, target).stdout.splitlines()
    assert text[0].split() == ["topic", "partitions", "records", "bytes", "cleanup"]
    assert any(line.split()[:3] == ["plain", "3", "100"] for line in text)


def test_describe_tells_a_topics_ends_and_settings(log):
    log.create("t", partitions=2, config={"retention.ms": "7200000"})
    log.produce("t", [(None, b"v", {"partition": 0})] * 10)
    admin = AdminClient({"bootstrap.servers": log.brokers})
    from confluent_kafka.admin import ConfigResource  # noqa: PLC0415
    producer = transact(log, "t", [b"open"], None, "open")
    found = objects(log, "describe", "t", "--config", log.config)
    ends = [(p["partition"], p["start"], p["end"], p["last_stable"], p["segments"]) for p in of("partition", found)]
    assert ends == [(0, 0, 11, 10, 1), (1, 0, 0, 0, 1)] or ends == [(0, 0, 11, 10, 1), (1, 0, 0, 0, None)]
    told = {s["setting"]: s["value"] for s in of("setting", found)}
    resource = ConfigResource(ConfigResource.Type.TOPIC, "t")
    settings = admin.describe_configs([resource])[resource].result(20)
    assert told == {name: entry.value for name, entry in settings.items()} and told["retention.ms"] == "7200000"
    producer.abort_transaction(30)


def test_groups_and_describe_tell_what_the_administrator_sees(log):
    log.create("t", partitions=4)
    log.produce("t", [(None, b"v", {"partition": n % 4}) for n in range(40)])
    consumer = Consumer({
        "bootstrap.servers": log.brokers, "group.id": "readers", "client.id": "one", "group.instance.id": "static-1",
        "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.subscribe(["t"])
    await_that(lambda: consumer.poll(0.1) is not None and len(consumer.assignment()) == 4, 60, "the assignment")
    consumer.commit(offsets=[TopicPartition("t", 0, 7, metadata="the note"), TopicPartition("t", 1, 10)], asynchronous=False)
    admin = AdminClient({"bootstrap.servers": log.brokers})
    group = admin.describe_consumer_groups(["readers"])["readers"].result(20)
    listed = objects(log, "groups", "--brokers", log.brokers)
    assert listed == [{"type": "group", "group": "readers", "state": "Stable", "members": 1, "topics": ["t"], "lag": 3}]
    found = objects(log, "describe", "readers", "--brokers", log.brokers)
    assert of("group", found)[0]["state"] == group.state.name.title() and of("group", found)[0]["assignor"] == group.partition_assignor
    [member] = of("member", found)
    assert (member["member"], member["client"], member["host"], member["instance"]) == (
        group.members[0].member_id, "one", group.members[0].host, "static-1")
    assert member["partitions"] == ["t/0", "t/1", "t/2", "t/3"]
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("readers")])["readers"].result(20)
    assert [(o["partition"], o["offset"], o["metadata"], o["lag"]) for o in of("offset", found)] == [(0, 7, "the note", 3), (1, 10, None, 0)]
    assert {(p.partition, p.offset) for p in offsets.topic_partitions} == {(0, 7), (1, 10)}
    consumer.close()
    assert objects(log, "groups", "--brokers", log.brokers)[0]["members"] in (0, 1)  # A static member does not leave.


def test_describe_of_nothing_and_a_broker_that_is_away_are_failures(log):
    done = log.command("log", "describe", "nobody", "--brokers", log.brokers, check=False)
    assert done.returncode == 1 and "neither a topic nor a group `nobody`" in done.stderr
    assert log.command("log", "topics", "stray", check=False).returncode == 64
    assert log.command("log", "describe", check=False).returncode == 64
    assert log.command("log", "topics", "--brokers", log.brokers, "--property", "no-such=1", check=False).returncode == 1


def test_metrics_count_exactly_what_clients_did(log):
    log.create("a", partitions=2)
    log.create("b", partitions=1)
    log.produce("a", [(f"{i}".encode(), b"x" * 100) for i in range(300)])
    log.produce("b", [(b"k", b"y")] * 7)
    for topic, records, reads in ("a", 300, 2), ("b", 7, 1):
        for _ in range(reads):
            assert len(log.consume(topic)) == records
        size = sum(p.stat().st_size for p in (log.directory / "data/log/topics").glob(f"{topic}-*/*.log"))

        def metric(name):
            return log.metric(f"millrace_log_topic_{name}", topic=topic)
        assert metric("records_in_total") == records and metric("records_out_total") == records * reads
        assert metric("bytes_in_total") == size == metric("bytes") and metric("bytes_out_total") == size * reads
    assert log.metric("millrace_log_topic_partitions", topic="a") == 2
    assert log.metric("millrace_log_records_in_total") == 307 and log.metric("millrace_log_records_out_total") == 607
    for api in "produce", "fetch":
        requests = log.metric("millrace_log_requests_total", api=api)
        answers = log.metric(f"millrace_log_{api}_duration_seconds_count")
        assert log.metric(f"millrace_log_{api}_duration_seconds_bucket", le="+Inf") == answers
        # A reader that closes leaves its last Fetch behind.
        assert 0 < answers <= requests if api == "fetch" else 0 < answers == requests
    assert log.metric("millrace_log_fsync_duration_seconds_count") > 0 and log.metric("millrace_log_usable") == 1
    assert log.metric("millrace_log_disk_full_failures_total") == 0
    # What was not used since a restart has its size too; what was deleted is gone.
    log.stop(log.process)
    log.start_log()
    assert log.metric("millrace_log_topic_bytes", topic="b") > 0
    admin = AdminClient({"bootstrap.servers": log.brokers})
    admin.delete_topics(["b"])["b"].result(20)
    assert 'topic="b"' not in log.get("/metrics")[1] and 'topic="a"' in log.get("/metrics")[1]


def test_a_fetch_that_waits_does_not_count_its_wait(log):
    log.create("t", partitions=1)
    consumer = Consumer({
        "bootstrap.servers": log.brokers, "group.id": "g", "fetch.wait.max.ms": 2000, "fetch.min.bytes": 1_000_000})
    consumer.assign([TopicPartition("t", 0, 0)])
    name = "millrace_log_fetch_duration_seconds"
    await_that(lambda: consumer.poll(0.1) or log.metric(f"{name}_count") >= 1, 30, "an answered fetch")
    assert log.metric(f"{name}_sum") < 0.5 * log.metric(f"{name}_count")
    consumer.close()


def test_a_full_disk_is_told_everywhere_and_over_when_there_is_room(site):
    one = site(JOB)
    disk = one.directory / "data"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr}")
    try:
        process = one.start_log()
        one.create("t", partitions=1)
        one.produce("t", [(b"k", b"v")])
        ballast = disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        errors = []
        producer = Producer({"bootstrap.servers": one.brokers, "retries": 0, "message.timeout.ms": 20000, "compression.type": "none"})
        producer.produce("t", zlib.compress(b"no room") + b"z" * 100_000, on_delivery=lambda error, _: errors.append(error))
        producer.flush(30)
        assert errors and errors[0].name() == "KAFKA_STORAGE_ERROR", errors
        status, text = one.get("/readyz")
        assert status == 503 and "No space left on device" in text
        assert one.metric("millrace_log_usable") == 0 and one.metric("millrace_log_disk_full_failures_total") >= 1
        assert "no room on the log's device" in one.log_text()
        ballast.unlink()
        one.await_ready(process)
        assert one.metric("millrace_log_usable") == 1
        one.produce("t", [(b"k", b"w")])
        assert [m.value() for m in one.consume("t")] == [b"v", b"w"]
        one.stop(process)
    finally:
        one.close()
        subprocess.run(["umount", "-l", disk], check=True)
