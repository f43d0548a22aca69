"""A full disk: said where people look, waited for, and nothing is lost."""
import pytest

import disks
from disks import Disk
from harness import await_that
from test_recovery import START, clicks, outcome

pytestmark = pytest.mark.skipif(disks.why_none() is not None, reason=f"no tmpfs can be mounted: {disks.why_none()}")


@pytest.mark.parametrize("what, events, users", [("first windows", 100_000, 100_000), ("more windows", 100_000, 100_000), ("ids", 400_000, 50)])
def test_an_instance_whose_state_directory_is_full_says_so_and_goes_on_when_there_is_room(site, what, events, users):
    log = site("", name="log")
    log.start_log()
    job = site(clicks("tight", log.brokers), name="job", log=False, brokers=log.brokers)
    # So little that state has to move to the disk.
    job.config.write_text(job.config.read_text().replace("256MiB", "16MiB"))
    log.create("clicks")
    disk = Disk(job.directory / "data/state", 64)
    try:
        process = job.start_job()
        job.await_ready(process)

        def generate(seed, start):
            log.command("generate", "--events", events, "--users", users, "--seed", seed, "--span", "1h", "--start", start,
                        "--brokers", log.brokers, "clicks")
        if what == "more windows":
            generate(2, START)
            await_that(lambda: disk.used() > 4 << 20, 60, "state on the disk")
        disk.fill()
        generate(1, START + 1_800_000)

        def says_so():
            # Also what is freed meanwhile is taken at once.
            disk.fill()
            assert process.poll() is None, job.log_text()[-3_000:]
            answer = job.get("/readyz")
            return answer and answer[0] == 503 and "No space left on device" in answer[1]
        await_that(says_so, 60, lambda: f"the reason ({job.get('/readyz')})")

        # Started on a full disk it waits as well.
        job.kill(process)
        process = job.start_job()
        await_that(says_so, 60, lambda: f"the reason after a restart ({job.get('/readyz')})")

        disk.empty()
        await_that(lambda: sum(lag for _, lag in log.committed("tight", "clicks").values()) == 0, 90, "everything")
        await_that(lambda: job.get("/readyz")[0] == 200, 60, lambda: f"readiness ({job.get('/readyz')})")
        assert job.stop(process) == 0, job.log_text()[-3_000:]
        assert job.run("--flush") == 0, job.log_text()[-3_000:]
    finally:
        job.close()
        disk.close()
    calm = site(clicks("calm", log.brokers), name="calm", log=False, brokers=log.brokers)
    assert calm.run("--flush") == 0, calm.log_text()[-3_000:]
    wanted = outcome(log, calm, "calm")
    assert len(wanted[0]) > users // 4
    assert outcome(log, job, "tight") == wanted
