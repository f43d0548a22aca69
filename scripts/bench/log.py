#!/usr/bin/env python3
"""Measures the log: one process for it, one for its client, fsync before every acknowledgement. Standard library only; see bench.sh."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from processes import BINARY, TICK, free_port, machine

CLIENTS = ("lean", "librdkafka")


class Log:
    """A log that runs, with what it has used."""

    def __init__(self, directory):
        port = free_port()
        config = directory / "millrace.yaml"
        config.write_text(
            f"http: {{listen: 127.0.0.1:{free_port()}}}\nlog: {{listen: 127.0.0.1:{port}, directory: ./log, fsync: commit, default_partitions: 4}}\n")
        self.address = ("127.0.0.1", port)
        began = time.monotonic()
        self.process = subprocess.Popen(
            [BINARY, "log", "--config", config, "--log", "json"], cwd=directory, stderr=open(directory / "log.log", "ab"))
        self.first_byte_seconds = self._wait_for_first_byte(began)

    def _wait_for_first_byte(self, began):
        request = struct.pack(">hhih", 18, 0, 1, -1)
        while time.monotonic() - began < 30:
            try:
                with socket.create_connection(self.address, 5) as s:
                    s.sendall(struct.pack(">i", len(request)) + request)
                    if s.recv(1):
                        return time.monotonic() - began
            except ConnectionError:
                time.sleep(0.0005)
        raise SystemExit("the log does not answer")

    def cpu_seconds(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = text[text.rindex(")") + 2:].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, field):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    def run(self, client, task, *options):
        """A task of the client, with the processor time that the log used meanwhile."""
        before = self.cpu_seconds()
        done = subprocess.run(
            [BINARY, "bench", "--client", client, "--brokers", "%s:%d" % self.address, *map(str, options), "log", task],
            stdout=subprocess.PIPE, check=True)
        figures = json.loads(done.stdout)
        figures["log_cpu_seconds"] = self.cpu_seconds() - before
        return figures

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0, "the log did not stop cleanly"


def fsync_times(directory, size, seconds):
    """What the disk takes by itself for appending so many bytes and making them durable, once a millisecond at most."""
    times, data = [], b"x" * size
    descriptor = os.open(directory / "plain", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        os.write(descriptor, data)
        os.fdatasync(descriptor)
        times.append(time.monotonic() - began)
        time.sleep(max(0, 0.001 - times[-1]))
    os.close(descriptor)
    os.unlink(directory / "plain")
    times.sort()
    return {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "longest": times[-1], "count": len(times)}


def plain_write_cpu(directory, records):
    """What the kernel takes to put so many records into a new file, in writes of 1 MB: processor seconds a record. On a virtual machine
    whose host has to provide every page of memory that is used for the first time this is most of what producing costs."""
    data, left = b"x" * (1 << 20), records * 230
    descriptor = os.open(directory / "plain", os.O_CREAT | os.O_WRONLY)
    before = time.process_time()
    while left > 0:
        left -= os.write(descriptor, data[:left])
    used = time.process_time() - before
    os.fsync(descriptor)
    os.close(descriptor)
    os.unlink(directory / "plain")
    return used / records


def once(parent, options):
    """Everything once, each part on a log directory of its own."""
    result = {}

    def fresh(name, body):
        directory = pathlib.Path(tempfile.mkdtemp(prefix=name + "-", dir=parent))
        log = Log(directory)
        try:
            return body(directory, log)
        finally:
            log.stop()
            shutil.rmtree(directory)

    def empty(directory, log):
        time.sleep(1)
        result["start_seconds"], result["idle_bytes"] = log.first_byte_seconds, log.memory("VmRSS")

    def throughput(client):
        def body(directory, log):
            for task in ("produce", "consume"):
                done = log.run(client, task, "--records", options.records)
                result[f"{task} {client}"] = {
                    "records_per_second": done["records"] / done["seconds"],
                    "log_cpu_us": done["log_cpu_seconds"] / done["records"] * 1e6,
                    "client_cpu_us": done["cpu_seconds"] / done["records"] * 1e6,
                }
            result[f"load_bytes {client}"] = log.memory("VmHWM")
            log.stop()
            again = Log(directory)
            result[f"restart_seconds {client}"] = again.first_byte_seconds
            log.process = again.process
        return body

    def latencies(directory, log):
        result["fsync"] = fsync_times(directory, 50 * 240, options.seconds / 2)
        for client in CLIENTS:
            result[f"latency {client}"] = log.run(client, "latency", "--seconds", options.seconds, "--rate", options.rate)

    def transactions(directory, log):
        for client in CLIENTS:
            result[f"transactions {client}"] = log.run(client, "transactions", "--seconds", options.seconds)

    fresh("empty", empty)
    for client in CLIENTS:
        fresh(f"throughput-{client}", throughput(client))
    fresh("latency", latencies)
    fresh("transactions", transactions)
    # Last: the disk is busy with it for a while.
    result["plain_write_cpu_us"] = plain_write_cpu(parent, options.records) * 1e6
    return result


def row(text, runs, pick, form, factor=1.0):
    values = [pick(run) * factor for run in runs]
    print(f"  {text:<58}{form.format(statistics.median(values)):>12}   ({form.format(min(values))} to {form.format(max(values))})")


def report(runs, options, name):
    print(f"\nlog: {options.records:,} records of 230 bytes, 4 partitions, acks=all, fsync: commit; medians of {len(runs)} on {name}")
    for client in CLIENTS:
        for task in ("produce", "consume"):
            key = f"{task} {client}"
            row(f"{key}, records/s", runs, lambda r: r[key]["records_per_second"], "{:,.0f}")
            row("  processor time of the log, us a record", runs, lambda r: r[key]["log_cpu_us"], "{:.3f}")
            row("  processor time of the client, us a record", runs, lambda r: r[key]["client_cpu_us"], "{:.3f}")
    row("a plain write of such a record, processor time, us", runs, lambda r: r["plain_write_cpu_us"], "{:.3f}")
    for client in CLIENTS:
        for rank in ("p50", "p99", "p999"):
            row(f"latency {client} at {options.rate:,} records/s, {rank}, ms", runs, lambda r: r[f"latency {client}"][rank], "{:.2f}", 1e3)
    for rank in ("p50", "p99"):
        row(f"a plain write and fsync of 12 KB, {rank}, ms", runs, lambda r: r["fsync"][rank], "{:.2f}", 1e3)
    for client in CLIENTS:
        for rank in ("p50", "p99"):
            row(f"transaction {client}, 10 records in 4 partitions, {rank}, ms", runs, lambda r: r[f"transactions {client}"][rank], "{:.2f}", 1e3)
    row("start to first byte, empty, ms", runs, lambda r: r["start_seconds"], "{:.0f}", 1e3)
    row("start to first byte, with the records, ms", runs, lambda r: r["restart_seconds lean"], "{:.0f}", 1e3)
    row("memory, idle, MiB", runs, lambda r: r["idle_bytes"], "{:.0f}", 1 / 2**20)
    for client in CLIENTS:
        row(f"memory, peak, {client}, MiB", runs, lambda r: r[f"load_bytes {client}"], "{:.0f}", 1 / 2**20)


def main(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh log")
    parser.add_argument("--records", type=int, default=4_000_000)
    parser.add_argument("--rate", type=int, default=50_000, help="of the latency test, records a second")
    parser.add_argument("--seconds", type=int, default=10, help="of each latency and transaction test")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--directory", help="where the log's files go: the disk that is measured")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    parent = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-", dir=options.directory))
    try:
        runs = []
        for number in range(options.repeats):
            runs.append(once(parent, options))
            print(f"run {number + 1}: " + ", ".join(
                f"{key} {value['records_per_second']:,.0f}/s" for key, value in runs[-1].items()
                if isinstance(value, dict) and "records_per_second" in value), flush=True)
        report(runs, options, machine())
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(
                {"machine": machine(), "options": vars(options), "runs": runs}, indent=1))
    finally:
        shutil.rmtree(parent, ignore_errors=True)

