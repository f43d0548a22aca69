"""Real processes for the tests: each in a directory of its own, on ports of its own, stopped by its own id."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import duckdb
import pyarrow.dataset
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("MILLRACE_BINARY", ROOT / ".build/release/millrace"))
SHARED = ROOT.parent / "shared"


GIVEN_PORTS = set()


def free_port():
    """Never the same twice: the system may give a port again as soon as it is free."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in GIVEN_PORTS:
            GIVEN_PORTS.add(port)
            return port


def await_that(condition, seconds, what):
    """Polls until `condition` gives something true, which is returned. `what` is a text, or gives one."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what() if callable(what) else what} did not happen within {seconds} s"
        time.sleep(0.02)


class Site:
    """A daemon file, a job file and what processes started in the directory leave there."""

    def __init__(self, directory, job, interval="200ms", partitions=4, log=True, brokers=None, token=None):
        self.directory = pathlib.Path(directory)
        self.kafka_port, self.http_port = free_port(), free_port()
        self.token = token
        self.brokers = brokers or f"127.0.0.1:{self.kafka_port}"
        self.http = f"http://127.0.0.1:{self.http_port}"
        log_text = f"log: {{listen: 127.0.0.1:{self.kafka_port}, directory: ./data/log, default_partitions: {partitions}}}\n"
        self.config = self.directory / "millrace.yaml"
        self.config.write_text(
            f"http: {{listen: 127.0.0.1:{self.http_port}{f', token: {token}' if token else ''}}}\n" + (log_text if log else "")
            + "state: {directory: ./data/state, memory: 256MiB}\n"
            + f"checkpoint: {{interval: {interval}, storage: ./data/checkpoints}}\n"
        )
        self.job = self.directory / "job.yaml"
        self.job.write_text(job)
        self.processes = []

    def start(self, *arguments):
        """Starts `millrace run` or `log`; its log lines go to a file."""
        output = open(self.directory / "stderr.log", "ab")
        process = subprocess.Popen(
            [BINARY, *map(str, arguments), "--config", self.config, "--log", "json"],
            cwd=self.directory, stderr=output, stdout=output, stdin=subprocess.DEVNULL)
        output.close()
        self.processes.append(process)
        return process

    def start_log(self):
        process = self.start("log")
        self.await_ready(process)
        return process

    def start_job(self, *arguments):
        return self.start("run", self.job, *arguments)

    def run(self, *arguments, seconds=120):
        """A bounded run; returns its exit code."""
        process = self.start_job("--until-end", *arguments)
        try:
            return process.wait(seconds)
        finally:
            self.kill(process)

    def command(self, *arguments, seconds=120, check=True):
        done = subprocess.run(
            [BINARY, *map(str, arguments)], cwd=self.directory, capture_output=True, text=True, timeout=seconds)
        assert not check or done.returncode == 0, done.stderr
        return done

    def get(self, path, method="GET", headers=None):
        """Status and body, or None while nobody listens."""
        headers = headers if headers is not None else {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            with urllib.request.urlopen(
                    urllib.request.Request(self.http + path, method=method, headers=headers), timeout=15) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def await_ready(self, process=None, seconds=60):
        def ready():
            assert process is None or process.poll() is None, self.log_text()
            answer = self.get("/readyz")
            return answer and answer[0] == 200
        await_that(ready, seconds, "readiness")

    def status(self, job):
        """What `/api/jobs/{job}` says; None while nobody listens."""
        answer = self.get(f"/api/jobs/{job}")
        return json.loads(answer[1]) if answer and answer[0] == 200 else None

    def commit(self, job):
        """Commits now; the epoch that everything before is in."""
        status, body = self.get(f"/api/jobs/{job}/checkpoint", method="POST")
        assert status == 200, body
        return json.loads(body)["epoch"]

    def committed(self, group, topic):
        """The group's committed offsets by partition, with what is left up to the stable end."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, "isolation.level": "read_committed"})
        try:
            numbers = consumer.list_topics(topic, 20).topics[topic].partitions
            offsets = {}
            for place in consumer.committed([TopicPartition(topic, number) for number in numbers], 20):
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, place.partition), 20)
                start = place.offset if place.offset >= 0 else low
                offsets[place.partition] = (place.offset, high - start)
            return offsets
        finally:
            consumer.close()

    def metric(self, name, **labels):
        """The sum of all series of a metric that have these labels."""
        total = 0.0
        for line in (self.get("/metrics") or (0, ""))[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return total

    def stop(self, process, seconds=60):
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    @staticmethod
    def kill(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def close(self):
        for process in self.processes:
            self.kill(process)

    def log_text(self):
        file = self.directory / "stderr.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def deltas(self):
        """The delta files of the checkpoint storage, oldest first for each task."""
        return sorted((self.directory / "data/checkpoints").rglob("*.delta"))

    def create(self, *topics, partitions=4, config=None):
        admin = AdminClient({"bootstrap.servers": self.brokers})
        made = admin.create_topics(
            [NewTopic(topic, partitions, 1, config=config or {}) for topic in topics])
        for future in made.values():
            future.result(30)

    def produce(self, topic, records, **settings):
        """Records are (key, value) or (key, value, keyword arguments)."""
        producer = Producer({"bootstrap.servers": self.brokers, "partitioner": "murmur2_random", "linger.ms": 5,
                             "message.max.bytes": 20_000_000, **settings})
        failed = []
        for record in records:
            key, value, *more = record
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=lambda error, _: error and failed.append(error),
                                     **(more[0] if more else {}))
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0 and not failed, failed[:3]

    def consume(self, topic, isolation="read_committed"):
        """All records of a topic, by partition in offset order."""
        consumer = Consumer({
            "bootstrap.servers": self.brokers, "group.id": "reader", "isolation.level": isolation,
            "enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 20_000_000})
        try:
            description = consumer.list_topics(topic, 20).topics[topic]
            assert description.error is None, description.error
            left = set(description.partitions)
            consumer.assign([TopicPartition(topic, number, 0) for number in left])
            records = []
            deadline = time.monotonic() + 60
            while left:
                assert time.monotonic() < deadline, f"{topic} did not end"
                message = consumer.poll(1)
                if message is None:
                    continue
                if message.error():
                    assert message.error().name() == "_PARTITION_EOF", message.error()
                    left.discard(message.partition())
                else:
                    records.append(message)
            return sorted(records, key=lambda m: (m.partition(), m.offset()))
        finally:
            consumer.close()

    def json_records(self, topic):
        return [json.loads(message.value()) for message in self.consume(topic)]

    def parquet_rows(self, path="lake"):
        """The rows of a Parquet sink as pyarrow reads them; DuckDB has to see the same number and sum."""
        directory = self.directory / path
        files = [str(p) for p in directory.rglob("*.parquet")]
        if not files:
            return []
        table = pyarrow.dataset.dataset(files, format="parquet").to_table()
        assert duckdb.sql(f"select count(*) from '{directory}/**/*.parquet'").fetchall()[0][0] == table.num_rows
        return table.to_pylist()

    def dead_letters(self, topic="dead"):
        """Headers as text, and the record."""
        return [(dict((k, v.decode()) for k, v in m.headers()), m) for m in self.consume(topic)]
