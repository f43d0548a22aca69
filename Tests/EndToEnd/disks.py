"""File systems of a bounded size, for what happens when they are full."""
import errno
import os
import pathlib
import subprocess


def why_none():
    """Why a tmpfs cannot be mounted here; None where it can."""
    probe = pathlib.Path("/tmp") / "millrace-mount-probe"
    probe.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", probe], capture_output=True, text=True)
    if done.returncode == 0:
        subprocess.run(["umount", probe], check=True)
    probe.rmdir()
    return done.stderr.strip() or None


class Disk:
    """A tmpfs below a test's directory."""

    def __init__(self, path, megabytes):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", self.path], check=True)
        self.filler = self.path / "filler"
        self.is_filling = False

    def fill(self):
        """Takes whatever room there is, also what has been freed since the last call."""
        for step in (1 << 20, 4096):
            try:
                with open(self.filler, "ab", buffering=0) as file:
                    while True:
                        file.write(bytes(step))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error

    def used(self):
        """Bytes, also of files without a name."""
        now = os.statvfs(self.path)
        return (now.f_blocks - now.f_bfree) * now.f_frsize

    def empty(self):
        self.filler.unlink(missing_ok=True)

    def close(self):
        # Lazily: whoever still has a file open there is on its way out.
        subprocess.run(["umount", "-l", self.path], check=True)
