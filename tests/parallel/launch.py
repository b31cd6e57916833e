"""Starting ranks under mpiexec from a test, never longer than it should take."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import optional, require

HERE, ROOT = Path(__file__).parent, Path(__file__).parent.parent.parent
PATHS = os.pathsep.join(map(str, (ROOT, HERE, ROOT / "tests", ROOT / "tests" / "train")))


def start(ranks, *command, module=("-m", "mpi4py"), **options):
    """mpiexec with that many ranks; its output is one text. Skips where there is no MPI."""
    optional("mpi4py")
    beside = Path(sys.executable).parent / "mpiexec"
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    require(launcher is not None, "there is no mpiexec (pip install 'minigpt[mpi-laptop]')")
    environment = {**os.environ, "PYTHONPATH": PATHS, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [launcher, "-n", str(ranks), sys.executable, *module, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        **options,
    )


def until(holds: Callable[[], bool], process: subprocess.Popen, seconds: float = 300) -> None:
    """Wait for what the process is to do; fails with what it said if it ends, or that does not come in time."""
    end = time.monotonic() + seconds
    while not holds():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail(f"it did not come: {process.communicate()}")
        time.sleep(0.05)


def finish(process, seconds=300):
    """Its exit code and what it said. A job that does not end in time is killed, and the test fails."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        time.sleep(2)
        process.kill()
        pytest.fail(f"the ranks were still there after {seconds} s:\n{process.communicate()[0][-2000:]}")
    return process.returncode, said


def mpi(ranks, *command, seconds=300):
    return finish(start(ranks, *command), seconds)


def children(pid):
    """The Python processes below a process (Linux)."""
    require(Path("/proc").exists(), "there is no /proc to find the ranks in")
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (OSError, ValueError):
            continue
        if lines.get("PPid") == str(pid):
            below = children(int(status.parent.name))
            found += below or ([int(status.parent.name)] if "python" in lines["Name"] else [])
    return found
