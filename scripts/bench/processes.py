"""The log, the daemon and their clients as processes of their own, with what each of their threads used. Standard library only."""
import collections
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("MILLRACE_BINARY", ROOT / ".build/release/millrace"))
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def machine():
    """The processor's name and how many there are."""
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


ROLES = (
    ("log-sync", "log disk"), ("log-", "log disk"), ("log", "log network"), ("rdk:", "librdkafka"), ("worker", "workers"), ("job", "commit"),
    ("parallel", "commit"), ("maintenance", "maintenance"), ("rocksdb", "maintenance"),
)


def role(thread):
    """Which part of Millrace a thread belongs to, by its name."""
    return next((name for prefix, name in ROLES if thread.startswith(prefix)), "other")


class Threads:
    """What the threads of a process used, as last seen: they take theirs with them when they end."""

    def __init__(self, pid):
        self.pid, self.seen, self.memory_max = pid, {}, 0

    def look(self):
        try:
            for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
                text = (task / "stat").read_text()
                # Nanoseconds on a processor, and ready while there was none.
                used, waited, _ = map(int, (task / "schedstat").read_text().split())
                self.seen[task.name] = (text[text.index("(") + 1: text.rindex(")")], used / 1e9, waited / 1e9)
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            self.memory_max = max(self.memory_max, int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024)
        except (FileNotFoundError, ProcessLookupError, AttributeError):
            pass
        return self

    def used(self):
        """Processor seconds by role."""
        return self._by_role(1)

    def waited(self):
        """Seconds by role in which a thread could have run and no processor was free."""
        return self._by_role(2)

    def _by_role(self, field):
        total = collections.Counter()
        for entry in self.seen.values():
            total[role(entry[0])] += entry[field]
        return total


def metrics(port):
    """Of a daemon: name with labels to value; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    except OSError:
        return {}


def total(values, name, label=""):
    return sum(float(v) for k, v in values.items() if k.split("{")[0] == name and label in k)


def quantile(values, name, share):
    """Of a histogram, evened out within its ranges; None when nothing was counted."""
    ranges = collections.Counter()
    for key, value in values.items():
        found = re.search(r'le="([^"]+)"', key) if key.startswith(name + "_bucket") else None
        if found:
            ranges[float(found.group(1).replace("+Inf", "inf"))] += float(value)
    bounds = sorted(ranges)
    if not bounds or not ranges[bounds[-1]]:
        return None
    wanted, below, start = share * ranges[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if ranges[bound] >= wanted:
            if bound == float("inf") or ranges[bound] == below:
                return start
            return start + (bound - start) * (wanted - below) / (ranges[bound] - below)
        below, start = ranges[bound], bound


class Process:
    """Millrace in `directory`, started with these arguments; its log goes to NAME.log there."""

    def __init__(self, directory, name, *arguments, environment=None):
        self.errors = pathlib.Path(directory) / f"{name}.log"
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [BINARY, *map(str, arguments)], cwd=directory, stderr=open(self.errors, "ab"), env={**os.environ, **(environment or {})})
        self.threads = Threads(self.process.pid)

    def check(self):
        if self.process.poll() is not None:
            raise SystemExit(f"a process ended by itself:\n{self.errors.read_text()[-2000:]}")

    def resident(self):
        """Bytes of memory that it has now."""
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) * 1024

    def stop(self):
        """Ends it in order."""
        self.threads.look()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.process.wait(timeout=60) != 0:
            raise SystemExit(f"a process did not end in order:\n{self.errors.read_text()[-2000:]}")


class Log(Process):
    """The log alone."""

    def __init__(self, directory, partitions=4):
        self.port, self.http = free_port(), free_port()
        config = pathlib.Path(directory) / "log.yaml"
        config.write_text(
            f"http: {{listen: 127.0.0.1:{self.http}}}\n"
            f"log: {{listen: 127.0.0.1:{self.port}, directory: ./data/log, fsync: commit, default_partitions: {partitions}}}\n")
        super().__init__(directory, "log", "log", "--config", config, "--log", "json")
        while not metrics(self.http):
            self.check()
            time.sleep(0.01)

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"

    def generate(self, topic, *options):
        subprocess.run(
            [BINARY, "generate", "--brokers", self.brokers, *map(str, options), topic], check=True, stderr=subprocess.DEVNULL)


class Daemon(Process):
    """A daemon that runs one job against a log elsewhere."""

    def __init__(self, directory, job, log, memory="512MiB", interval="1s", workers=None):
        self.http = free_port()
        config = pathlib.Path(directory) / "daemon.yaml"
        config.write_text(
            f"http: {{listen: 127.0.0.1:{self.http}}}\n"
            f"state: {{directory: ./data/state, memory: {memory}}}\n"
            f"checkpoint: {{interval: {interval}, storage: ./data/checkpoints}}\n" + (f"workers: {workers}\n" if workers else ""))
        super().__init__(
            directory, "daemon", "run", "--config", config, "--log", "json", job, environment={"MILLRACE_BROKERS": log.brokers})

    def metrics(self):
        return metrics(self.http)
