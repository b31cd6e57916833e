"""One training in a folder at a time, and a killed one is no hindrance."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import killed_at_the_end
from tiny_run import make_run, parameters

from minigpt import UserError
from minigpt.cli import main
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import lock as lock_module
from minigpt.train import open_folder, open_run, train
from minigpt.train.lock import is_locked, locked, try_lock

PROGRAM = Path(__file__).parent / "tiny_run.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}
FUZZ = int(os.environ.get("MINIGPT_FUZZ", "1"))  # pairs of processes, and kills
WORDS = ["--tokenizer", "characters", "--context", "8", "--batch", "2", "--steps", "3", "--workers", "1"]


def start(words, **more):
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        **more,
    )


def test_two_at_once_into_one_folder_one_trains_and_one_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("a cat sat on a mat. " * 40, encoding="utf-8")
    for number in range(min(FUZZ, 50)):
        out = tmp_path / f"run-{number}"
        words = ["-m", "minigpt", "train", tmp_path / "text.txt", *WORDS, "--out", out]
        both = [start(words) for _ in range(2)]
        said = [process.communicate(timeout=300)[0] for process in both]
        codes = [process.returncode for process in both]
        assert sorted(codes) == [0, 2], said
        refused = said[codes.index(2)]
        assert f"is at work in {out}" in refused or f"{out} already holds a run" in refused
        assert open_run(out, "last").progress["step"] == 3
        assert not list(out.glob(".*"))


def test_two_at_once_without_a_name_get_two_folders(tmp_path):
    (tmp_path / "text.txt").write_text("a cat sat on a mat. " * 40, encoding="utf-8")
    both = [start(["-m", "minigpt", "train", "text.txt", *WORDS], cwd=tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"text-tiny", "text-tiny-2"}


def test_a_second_training_is_refused_and_changes_nothing(tmp_path, capsys):
    make_run(tmp_path, steps=1_000_000)
    with killed_at_the_end(start([PROGRAM, tmp_path])) as process:
        process.stdout.readline()
        before = (tmp_path / "run.json").read_bytes()
        assert is_locked(tmp_path)
        with pytest.raises(UserError, match=rf"another training \(process {process.pid} on .*\) is at work"):
            train(open_folder(tmp_path), show_progress=False)
        assert main(["train", "--resume", "--out", str(tmp_path), "--steps", "2000000"]) == 2
        assert "is at work in" in capsys.readouterr().err
        assert (tmp_path / "run.json").read_bytes() == before
    assert (tmp_path / ".lock").exists() and not is_locked(tmp_path)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not (tmp_path / ".lock").exists()


def test_who_only_looks_whether_it_is_locked_is_waited_for(tmp_path, monkeypatch):
    """Whoever looks has the lock for a moment, which is long where the machine is busy."""
    (tmp_path / ".lock").touch()
    file, pauses = open(tmp_path / ".lock", "rb"), []  # noqa: SIM115  (closed in a pause)
    assert try_lock(file)

    def pause(seconds):
        pauses.append(seconds)
        if sum(pauses) > 0.5:
            file.close()

    monkeypatch.setattr(lock_module, "time", SimpleNamespace(sleep=pause))
    with locked(tmp_path):
        assert file.closed


def test_of_many_ranks_the_first_holds_the_lock_and_all_are_refused(tmp_path):
    folder = make_run(tmp_path, dropout=0.0)
    refused = []

    def rank(comm):
        try:
            train(folder, engine=Ranks(folder, make_grid(comm, data=2)), show_progress=False)
        except UserError as error:
            refused.append(str(error))

    with locked(tmp_path):
        launch(rank, 2)
    assert len(refused) == 2 and all("another training" in said for said in refused)
    launch(rank, 2)
    assert len(refused) == 2 and open_run(tmp_path, "last").progress["step"] == 40


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_killed_at_any_moment_it_goes_on(tmp_path):
    """Also while it prepares and while it writes: a lock and half-written files are left behind."""
    settings = {"steps": 60, "validate_every": 5}
    train(make_run(tmp_path / "whole", **settings), show_progress=False)
    killed = tmp_path / "killed"
    make_run(killed, **settings)
    chance = random.Random(5)
    for _ in range(FUZZ):
        process = start([PROGRAM, killed, 60])
        if chance.random() < 0.8:
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        process.communicate()
    (killed / f".best.safetensors.{process.pid}.part").write_bytes(b"half")
    (killed / ".lock").write_text("a process that is gone", encoding="utf-8")
    process = start([PROGRAM, killed, 60])
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    assert parameters(killed) == parameters(tmp_path / "whole")
    assert not list(killed.glob(".*"))


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_closed_terminal_saves_first(tmp_path):
    make_run(tmp_path, steps=1_000_000, validate_every=50)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup what is started would ignore it
    try:
        process = start([PROGRAM, tmp_path])
    finally:
        signal.signal(signal.SIGHUP, before)
    with killed_at_the_end(process):
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        said = process.communicate(timeout=300)[0]
    assert process.returncode == 1 and "Interrupted" in said
    assert open_run(tmp_path, "last").progress["step"] >= 50 and not list(tmp_path.glob(".*"))


def test_a_system_without_hangups_and_one_that_ignores_them(monkeypatch):
    from minigpt.train.loop import _requests

    hangup = signal.SIGHUP
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_DFL)
    assert hangup in _requests()
    monkeypatch.setattr(signal, "getsignal", lambda number: signal.SIG_IGN)
    assert hangup not in _requests()  # nohup
    monkeypatch.delattr(signal, "SIGHUP")
    assert _requests() == [signal.SIGINT, signal.SIGTERM]


class NoLocks:
    LOCK_EX = LOCK_NB = LK_NBLCK = 0

    def __init__(self, error):
        self.error = error

    def flock(self, *_):
        raise self.error

    locking = flock


@pytest.mark.parametrize(
    ("modules", "free"),
    [
        ({"fcntl": None, "msvcrt": None}, True),  # a system that has no locks
        ({"fcntl": NoLocks(OSError(95, "not supported"))}, True),  # a file system that has none
        ({"fcntl": NoLocks(BlockingIOError())}, False),
        ({"fcntl": None, "msvcrt": NoLocks(PermissionError(13, "denied"))}, False),  # Windows
    ],
)
def test_other_systems(modules, free, tmp_path, monkeypatch):
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(lock_module, "PAUSE", 0)
    with open(tmp_path / "file", "ab+") as file:
        assert try_lock(file) == free
    if free:
        with locked(tmp_path):
            pass
    else:
        with pytest.raises(UserError, match="is at work"), locked(tmp_path):
            pass


def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"could not write .*Not a directory"), locked(tmp_path / "file"):
        pass
    with pytest.raises(UserError, match="its folder is gone"), locked(tmp_path / "nothing"):
        pass
