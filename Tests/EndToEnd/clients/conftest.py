import pathlib
import sys

import pytest

from harness import BINARY, Site

sys.path.insert(0, str(pathlib.Path(__file__).parent))


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A freshly started log that the tests of one file share, each with topics and groups of its own."""
    assert BINARY.exists(), f"{BINARY} is not built: swift build -c release --product millrace"
    site = Site(tmp_path_factory.mktemp("log"), "job: none\n", partitions=1)
    site.start_log()
    yield site
    site.close()


@pytest.fixture
def conversations():
    """Ends the processes that a test has left running."""
    started = []

    def start(conversation):
        started.append(conversation)
        return conversation

    yield start
    for one in started:
        one.kill()
