"""What a process may use of its machine."""

import os

import pytest

from minigpt import machine


@pytest.mark.parametrize(
    ("said", "expected"),
    [("max 100000", 8), ("100000 100000", 1), ("20000 100000", 1), ("250000 100000", 3), ("6400000 100000", 8)],
)
def test_a_container_may_grant_the_time_of_fewer_cores(tmp_path, monkeypatch, said, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "CONTROL_GROUP", tmp_path)
    assert machine.cores() == 8
    (tmp_path / "cpu.max").write_text(said + "\n", encoding="ascii")
    assert machine.cores() == expected


def test_a_container_may_grant_less_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CONTROL_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("300\n", encoding="ascii")
    assert machine.available_memory() == 700
