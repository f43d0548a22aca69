"""The clients under test as processes: how each is built and started, and how the tests talk to it."""
import functools
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

from harness import ROOT

HERE = pathlib.Path(__file__).parent
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TRANSACTIONAL = ["confluent", "librdkafka", "kafka-python", "aiokafka", "java"]
ALL = [*TRANSACTIONAL, "kafka-go"]


@functools.cache
def _folder():
    """Compiled programs live as long as the run of the tests."""
    return tempfile.TemporaryDirectory(prefix="millrace-clients-")


@functools.cache
def _command(kind):
    program = pathlib.Path(_folder().name) / kind
    if kind == "librdkafka":
        build = ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-o", program, HERE / "librdkafka_client.c", "-lrdkafka", "-lz"]
    elif kind == "kafka-go":
        build = ["go", "build", "-o", program, HERE / "kafka_go_client.go"]
    elif kind == "java":
        return [ROOT / "scripts/java-client.sh"]
    else:
        return [sys.executable, HERE / f"{kind.replace('-', '_')}_client.py"]
    # Debian installs Go packages as sources in a path of their own; nothing is fetched.
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": f"{_folder().name}/go-cache"}
    done = subprocess.run(build, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [program]


def run(kind, verb, brokers, *arguments, stdin="", seconds=120):
    """A program from start to end; what it said, by lines."""
    words = [*map(str, _command(kind)), verb, brokers, *map(str, arguments)]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"{kind} {verb}: {done.stderr[-3000:]}"
    return done.stdout.splitlines()


class Conversation:
    """A program that runs until its standard input ends, and what it has said so far."""

    def __init__(self, kind, verb, brokers, *arguments):
        self.kind, self.said, self._answers = kind, [], queue.Queue()
        self._errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [*map(str, _command(kind)), verb, brokers, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, bufsize=1)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))
            self._answers.put(self.said[-1])

    def ask(self, *words, seconds=60):
        """Says one line and waits for the answer to it."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._answers.get(timeout=0.2)
            except queue.Empty:
                alive = self.process.poll() is None and time.monotonic() < deadline
                assert alive, f"{self.kind}: no answer to {words} within {seconds} s: {self.errors()}"

    def expect_ok(self, *words):
        answer = self.ask(*words)
        assert answer == "ok", f"{self.kind}: {' '.join(map(str, words))}: {answer}: {self.errors()}"

    def errors(self):
        self._errors.seek(0)
        return self._errors.read()[-3000:]

    def leave(self, seconds=30):
        """Lets it end by itself, as a program that shuts down in order does."""
        self.process.stdin.write("\n") if self.process.poll() is None else None
        self.process.stdin.close()
        code = self.process.wait(seconds)
        self._reader.join(5)
        assert code == 0, f"{self.kind}: ended with {code}: {self.errors()}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)


class Member(Conversation):
    """A member of a consumer group that reads and commits."""

    def __init__(self, kind, brokers, group, topic, instance=None, strategy="range"):
        self.group, self.topic = group, topic
        super().__init__(kind, "member", brokers, group, topic, instance or "-", strategy)

    def records(self):
        """Partition and offset of each record that it has read."""
        return [tuple(map(int, line.split()[1:3])) for line in list(self.said) if line.startswith("record ")]
