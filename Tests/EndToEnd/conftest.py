import pytest

from harness import BINARY, Site


@pytest.fixture
def site(tmp_path):
    """Makes sites below the test's directory and ends their processes with the test."""
    assert BINARY.exists(), f"{BINARY} is not built: swift build -c release --product millrace"
    sites = []

    def make(job, name="site", **settings):
        directory = tmp_path / name
        directory.mkdir()
        sites.append(Site(directory, job, **settings))
        return sites[-1]

    yield make
    for one in sites:
        one.close()
