"""Ranks as processes that share memory: they say what MPI would say, and leave nothing behind however they end."""

import os
import signal
import subprocess
import sys
import time
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
        parent.send_signal(signal.SIGKILL)
    for child in below:  # they sleep, and so notice it only when they would meet
        os.kill(child, signal.SIGTERM)
    until = time.monotonic() + 120
    while time.monotonic() < until and any(Path(f"/proc/{child}").exists() for child in below):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in below)
    assert not list(Path("/dev/shm").glob("*minigpt*"))


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
