"""What any client writes, in any codec, every other client reads: to the byte."""
import random
import struct
import subprocess

import pytest

import kinds
import lines

SEED = 20261121
WRITERS = {**{kind: kinds.CODECS for kind in kinds.TRANSACTIONAL}, "kafka-go": ["none", "gzip", "snappy", "lz4"]}
NUMBERS = {codec: number for number, codec in enumerate(kinds.CODECS)}


def records():
    """Keys, values and headers with everything that is easy to lose; the value of 1 MiB compresses by half."""
    dice = random.Random(SEED)
    half = dice.randbytes(1 << 19)
    every_byte = bytes(range(256))
    pairs = [("trace", b"\x00\xff"), ("trace", b"again"), ("nothing", None), ("empty", b""), ("schlüssel", "wert".encode())]
    made = [(b"key", b"value", []), (None, b"no key", []), (b"tombstone", None, []), (None, None, []), (b"", b"", []),
            (every_byte, every_byte[::-1], pairs), (b"one header", b"v", [("h", b"1")]), (b"big", half + bytes(1 << 19), [])]
    made += [(b"k%d" % n, dice.randbytes(dice.randrange(300)), []) for n in range(20)]
    start = 1_700_000_000_000
    return [(start + n * 1000 + n % 3, *record) for n, record in enumerate(made)]


def written(kind):
    """What this client can say."""
    rows = records()
    if kind == "kafka-go":  # Knows no headers.
        return [(*row[:3], []) for row in rows]
    if kind in ("kafka-python", "aiokafka"):  # Refuse a record with neither key nor value, and a header without a value.
        return [(*row[:3], [(name, value) for name, value in row[3] if value is not None]) for row in rows if row[1:3] != (None, None)]
    return rows


def stdin(rows):
    def whole(data):
        return "-" if data is None else data.hex()
    return "".join(
        f"0\t{timestamp}\t{whole(key)}\t{whole(value)}\t" + ",".join(f"{n.encode().hex()}={whole(v)}" for n, v in headers) + "\n"
        for timestamp, key, value, headers in rows)


def expected(topic, rows):
    return [f"{topic}\t0\t{offset}\t{timestamp}\t{lines.text(key)}\t{lines.text(value)}\t{lines.headers_text(headers)}"
            for offset, (timestamp, key, value, headers) in enumerate(rows)]


def topic_of(kind, codec):
    return f"{kind}-{codec}"


def topic_in(line):
    return line.partition("\t")[0]


def codecs_on_disk(log, topic):
    """The compression of each batch in the partition's segments, as its header says."""
    found = set()
    for segment in sorted((log.directory / "data/log").rglob(f"{topic}-0/*.log")):
        data, at = segment.read_bytes(), 0
        while at + 61 <= len(data):
            length, attributes = struct.unpack_from(">i", data, at + 8)[0], struct.unpack_from(">h", data, at + 21)[0]
            found.add(attributes & 7)
            at += 12 + length
    return found


@pytest.fixture(scope="module")
def filled(log):
    """Every client has written every codec that it has, into a topic for each."""
    for kind, codecs in WRITERS.items():
        topics = [topic_of(kind, codec) for codec in codecs]
        log.create(*topics, partitions=1, config={"max.message.bytes": str(8 << 20)})
        kinds.run(kind, "write", log.brokers, *(f"{topic_of(kind, codec)}={codec}" for codec in codecs), stdin=stdin(written(kind)))
    return log


@pytest.mark.parametrize("kind,codec", [(kind, codec) for kind, codecs in WRITERS.items() for codec in codecs])
def test_batches_are_stored_in_the_codec_that_the_client_was_told_to_use(filled, kind, codec):
    # A client that misreads the broker's versions compresses nothing, and says so nowhere.
    assert NUMBERS[codec] in codecs_on_disk(filled, topic_of(kind, codec))


@pytest.mark.parametrize("reader", kinds.ALL)
def test_every_client_reads_what_every_client_wrote(filled, reader):
    topics = [(kind, topic_of(kind, codec)) for kind, codecs in WRITERS.items() for codec in codecs]
    found = kinds.run(reader, "read", filled.brokers, "read_committed", *(f"{topic}={len(written(kind))}" for kind, topic in topics))
    wanted = [line for kind, topic in topics for line in expected(topic, written(kind))]
    if reader == "kafka-go":  # Shows no headers, and what is empty as if it was null.
        fields = [line.split("\t") for line in wanted]
        wanted = ["\t".join([*before, key or "-", value or "-", ""]) for *before, key, value, _ in fields]
    # By topic; the order in each stays.
    for have, want in zip(sorted(found, key=topic_in), sorted(wanted, key=topic_in)):
        assert have == want
    assert len(found) == len(wanted)


@pytest.mark.parametrize("kind", kinds.ALL)
def test_every_client_finds_a_record_by_its_time(filled, kind):
    topic = f"times-{kind}"
    filled.create(topic, partitions=1)
    filled.produce(topic, [(None, f"v{n}", {"timestamp": 1_700_000_000_000 + n * 1000, "partition": 0}) for n in range(50)],
                   **{"batch.num.messages": 7})
    # Between records 36 and 37.
    assert kinds.run(kind, "offsets", filled.brokers, topic, 1_700_000_036_500) == ["0 50 37", "v37"]


@pytest.mark.parametrize("codec", kinds.CODECS)
def test_kcat_writes_and_reads_every_codec(filled, codec):
    topic = f"kcat-{codec}"
    filled.create(topic, partitions=1)
    text = "".join(f"k{n}:{'value ' * 40}{n}\n" for n in range(100)) + "tombstone:\n"
    subprocess.run(["kcat", "-P", "-b", filled.brokers, "-t", topic, "-p", "0", "-z", codec, "-K", ":", "-Z", "-H", "h=x"],
                   input=text, text=True, check=True, capture_output=True, timeout=60)
    assert codecs_on_disk(filled, topic) == {NUMBERS[codec]}
    read = subprocess.run(["kcat", "-C", "-b", filled.brokers, "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q",
                           "-f", "%o %k %S %s %h\n"], text=True, check=True, capture_output=True, timeout=60)
    values = [f"{'value ' * 40}{n}" for n in range(100)]
    assert read.stdout.splitlines() == [
        *(f"{n} k{n} {len(value)} {value} h=x" for n, value in enumerate(values)), "100 tombstone -1  h=x"]


def test_kcat_reads_from_a_time_and_asks_for_offsets(filled):
    topic = "times-kcat"
    filled.create(topic, partitions=1)
    filled.produce(topic, [(None, f"v{n}", {"timestamp": 1_700_000_000_000 + n * 1000, "partition": 0}) for n in range(50)])
    read = subprocess.run(["kcat", "-C", "-b", filled.brokers, "-t", topic, "-p", "0", "-o", "s@1700000045500", "-e", "-q"],
                          text=True, check=True, capture_output=True, timeout=60)
    assert read.stdout.splitlines() == ["v46", "v47", "v48", "v49"]
    asked = subprocess.run(["kcat", "-Q", "-b", filled.brokers, "-t", f"{topic}:0:1700000036500"],
                           text=True, check=True, capture_output=True, timeout=60)
    assert asked.stdout.split() == [topic, "[0]", "offset", "37"]
