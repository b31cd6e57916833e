"""Ranks as processes that share memory: they say what MPI would say, and leave nothing behind however they end."""

import gc
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import process_ranks
import pytest
from conftest import require
from launch import PATHS, children

from minigpt import UserError
from minigpt.parallel import processes as module
from minigpt.parallel.processes import CHUNK, Lost, Unshared, processes


def others(function, size, arguments=None, arrays=()):
    return processes(f"process_ranks:{function.__name__}", size, arguments or {}, arrays)


@pytest.mark.parametrize("count", [7, 2 * CHUNK // 8 + 5])
def test_they_say_what_mpi_would_say(count, tmp_path):
    size, seed = 3, 11
    with others(process_ranks.write_collectives, size, {"seed": seed, "count": count, "path": str(tmp_path)}) as comm:
        process_ranks.write_collectives(comm, seed, count, tmp_path)
    drawn = [np.random.default_rng([seed, rank]).normal(size=count) for rank in range(size)]
    total, begin = drawn[0] + drawn[1] + drawn[2], 0
    for rank in range(size):
        found = np.load(tmp_path / f"{rank}.npz")
        assert np.array_equal(found["Bcast"], drawn[2]) and np.array_equal(found["Allgather"], drawn)
        assert np.array_equal(found["Allreduce"], total)
        assert np.array_equal(found["Reduce"], total if rank == 1 else np.zeros(count))
        stop = begin + found["Reduce_scatter"].size
        assert np.array_equal(found["Reduce_scatter"], total[begin:stop])
        begin = stop
    assert begin == count


def test_all_see_what_one_writes():
    with others(process_ranks.one_row_each, 3, {"count": 50}, [(3 * 50, np.int64)]) as comm:
        process_ranks.one_row_each(comm, 50)


def test_they_are_replicas_and_nothing_else():
    with others(process_ranks.split, 2) as comm:
        process_ranks.split(comm)
    with others(process_ranks.split, 3) as comm, pytest.raises(UserError, match="use MPI for a grid"):
        comm.Allgather = lambda send, receive: receive.__setitem__(..., [[0, 0], [0, 1], [1, 0]])
        comm.Split(0)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
@pytest.mark.parametrize(
    ("how", "says"), [("kill", "killed by signal 9"), ("raise", "ended with code 1"), ("exit", "ended with code 3")]
)
def test_one_that_ends_ends_all_with_a_sentence(how, says, capfd):
    with (
        pytest.raises(Lost, match=f"a worker process .*{says}.*; what was saved stays"),
        others(process_ranks.end, 3, {"how": how}) as comm,
    ):
        process_ranks.end(comm, how)
    assert not children(os.getpid())
    assert ("something is wrong here" in capfd.readouterr().err) == (how == "raise")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_one_that_is_long_in_ending_is_waited_for():
    with (
        pytest.raises(Lost, match="a worker process ended with code 3"),
        others(process_ranks.end, 2, {"how": "slowly"}) as comm,
    ):
        process_ranks.end(comm, "slowly")


def test_one_that_stands_still_is_ended(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    began = time.monotonic()
    with others(process_ranks.stand_still, 2) as comm:
        comm.Barrier()
    assert time.monotonic() - began < 300 and not children(os.getpid())


PARENT = """
import process_ranks, time
from minigpt.parallel.processes import processes
with processes("process_ranks:stand_still", 3, {}, [(1000, "float64")]) as comm:
    comm.Barrier()
    print("here", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_nothing_is_left_when_the_first_one_is_killed():
    require(Path("/proc").exists(), "there is no /proc to find processes in")
    environment = {**os.environ, "PYTHONPATH": PATHS}
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout.readline() == b"here\n"
        below = children(parent.pid)
        assert len(below) == 2
        memory = mapped(parent.pid)
        assert len(memory) == 1 and all(mapped(child) == memory for child in below)
        parent.send_signal(signal.SIGKILL)
    for child in below:  # they sleep, and so notice it only when they would meet
        os.kill(child, signal.SIGTERM)
    until = time.monotonic() + 120
    while time.monotonic() < until and any(Path(f"/proc/{child}").exists() for child in below):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in below)
    assert not any(memory & mapped(process.name) for process in Path("/proc").glob("[0-9]*"))


@pytest.mark.parametrize("how", ["kill", "raise", "exit", "interrupt", "well"])
def test_the_memory_is_gone_however_they_end(how):
    before = mapped("self")
    here = memory_of(how)
    gc.collect()
    assert len(here - before) == 1 and not (here - before) & mapped("self")
    assert not [path for path in Path("/proc/self/fd").iterdir() if "memfd:minigpt" in target(path)]


def memory_of(how):
    """What this process shared with others that end in this way; nothing refers to it any more."""
    with suppress(Lost, KeyboardInterrupt), others(process_ranks.end, 3, {"how": how}) as comm:
        here = mapped("self")
        if how == "interrupt":
            comm.Barrier()
            signal.raise_signal(signal.SIGINT)
        process_ranks.end(comm, how)
    return here


def mapped(process):
    """The memory of ours that a process has: device and inode of each piece (Linux; it appears in no folder)."""
    require(Path("/proc/self/maps").exists() and hasattr(os, "memfd_create"), "there is no /proc, or no memfd, to see")
    try:
        lines = Path("/proc", str(process), "maps").read_text(encoding="utf-8").splitlines()
    except OSError:  # it is gone, or another user's
        return set()
    return {tuple(line.split()[3:5]) for line in lines if "memfd:minigpt" in line}


def target(link):
    try:
        return os.readlink(link)
    except OSError:  # closed by now
        return ""


def test_where_memory_cannot_be_shared_it_is_said(monkeypatch):
    def refuse(size):
        raise OSError("no space left on device")

    monkeypatch.setattr(module.Segment, "make", refuse)
    with pytest.raises(Unshared, match="no space left on device"), others(process_ranks.split, 2):
        pass


def test_where_processes_cannot_be_started_it_is_said(monkeypatch):
    monkeypatch.setattr(module.sys, "executable", "/nowhere/python")
    with pytest.raises(Unshared, match="cannot share memory here"), others(process_ranks.split, 2):
        pass


def test_memory_without_a_name_where_the_system_has_no_memfd(monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with others(process_ranks.one_row_each, 2, {"count": 3}, [(6, np.int64)]) as comm:
        process_ranks.one_row_each(comm, 3)


@pytest.mark.skipif(os.name == "nt", reason="Windows has such memory, and all the other tests use it")
def test_memory_with_a_name_as_on_windows(monkeypatch, tmp_path):
    """All but the memory itself: that it is asked for by a new name, that the others are told it, and nothing else."""

    def make(size):
        with monkeypatch.context() as patched:  # processes are started as this system can
            patched.setattr(module.sys, "platform", "win32")
            return on_windows(size)

    on_windows = module.Segment.make
    monkeypatch.setattr(module.Segment, "make", make)
    begins = f"import process_ranks, minigpt.parallel.processes as p; process_ranks.name_memory(p, {str(tmp_path)!r}); "
    monkeypatch.setattr(module, "CHILD", module.CHILD.replace("from minigpt", begins + "from minigpt", 1))
    monkeypatch.setattr(module, "mmap", module.mmap)  # put back at the end
    process_ranks.name_memory(module, tmp_path)
    for _ in range(2):
        with others(process_ranks.one_row_each, 3, {"count": 3}, [(9, np.int64)]) as comm:
            process_ranks.one_row_each(comm, 3)
    names = [path.name for path in tmp_path.iterdir()]
    assert len(names) == 2 and all(re.fullmatch("minigpt-[0-9a-f]{32}", name) for name in names)
