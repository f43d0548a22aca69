"""What the client programs say to the tests: records as lines of text, the same for every client and language.

Fields are separated by tabs. Bytes are hexadecimal, `-` is null, and what is longer than 4 KiB comes back as `#length:crc32`.
Written: partition, timestamp, key, value, headers. Read: topic, partition, offset, timestamp, key, value, headers.
Headers are `name=value`, separated by commas. A program ends with code 0, or says on stderr what went wrong.
"""
import sys
import zlib


def text(data):
    if data is None:
        return "-"
    return data.hex() if len(data) <= 4096 else f"#{len(data)}:{zlib.crc32(data):08x}"


def data(field):
    return None if field == "-" else bytes.fromhex(field)


def headers_text(headers):
    return ",".join(f"{(name.encode() if isinstance(name, str) else name).hex()}={text(value)}" for name, value in headers or [])


def headers(field):
    pairs = (pair.split("=") for pair in field.split(",") if pair)
    return [(bytes.fromhex(name).decode(), data(value)) for name, value in pairs]


def records_in():
    """The records to write: partition, timestamp, key, value, headers."""
    for line in sys.stdin:
        partition, timestamp, key, value, pairs = line.rstrip("\n").split("\t")
        yield int(partition), int(timestamp), data(key), data(value), headers(pairs)


def record_out(topic, partition, offset, timestamp, key, value, pairs):
    say("\t".join([topic, str(partition), str(offset), str(timestamp), text(key), text(value), headers_text(pairs)]))


def say(line):
    print(line, flush=True)
