"""What each benchmark of a job runs on."""
import dataclasses
import pathlib

from processes import ROOT


@dataclasses.dataclass
class Job:
    file: pathlib.Path
    what: str
    topic: str = "clicks"
    events: int = 8_000_000
    users: int = 200_000
    span: str = "2h"
    options: tuple = ()
    # Bids instead of clicks.
    is_nexmark: bool = False
    memory: str = "1GiB"
    # Of what goes out, where the job file leaves it open.
    compression: str = "lz4"

    def text(self, name):
        """The job file under another name: a group of its own, so that it begins at the first record."""
        lines = self.file.read_text().replace("${COMPRESSION:-lz4}", self.compression).splitlines(keepends=True)
        return "".join(f"job: {name}\n" if line.startswith("job:") else line for line in lines)

    def fill(self, log, seed):
        of = ("--of", "bids") if self.is_nexmark else ("--users", self.users)
        log.generate(self.topic, "--events", self.events, "--seed", seed, "--span", self.span, *of, *self.options)


BENCH = ROOT / "config/bench"
SESSIONS = ROOT / "config/jobs/clickstream-sessions.yaml"

JOBS = {
    "passthrough": Job(BENCH / "passthrough.yaml", "decode, filter, encode: 97% of the records go out again"),
    "passthrough-plain": Job(BENCH / "passthrough.yaml", "the same, and what goes out is not compressed", compression="none"),
    "tumbling": Job(BENCH / "tumbling.yaml", "counts per page, every 5 minutes", topic="clicks-by-page", span="30m", options=("--key", "page")),
    "sessions": Job(SESSIONS, "the main job: dedupe and sessions of 200,000 users"),
    "sessions-large": Job(
        SESSIONS, "sessions of 5 million users in a third of the memory that they need", events=10_000_000, users=5_000_000, span="25m",
        memory="512MiB"),
    "dedupe": Job(BENCH / "dedupe.yaml", "20 million ids", events=20_000_000),
    "hot": Job(SESSIONS, "the main job with half the events one user's", options=("--hot", "50")),
    "salted": Job(BENCH / "salted.yaml", "sessions of which each is folded by up to 4 tasks: two shuffles"),
    "hot-salted": Job(BENCH / "salted.yaml", "the same with half the events one user's", options=("--hot", "50")),
    "shuffled": Job(BENCH / "shuffled.yaml", "counts per page of a topic that is partitioned by users: one shuffle of partial windows"),
} | {
    f"nexmark-{query}": Job(BENCH / f"nexmark/{query}.yaml", f"Nexmark {query}: {what}", topic="bids", span="30m", is_nexmark=True)
    for query, what in {
        "q0": "bids as they are", "q1": "prices in euros", "q2": "some auctions", "q7": "highest price in 10 s", "q11": "sessions of bidders",
        "q14": "calculation and choice", "q16": "channels by day", "q17": "auctions by day", "q18": "last bid by bidder and auction",
    }.items()
}
