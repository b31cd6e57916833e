"""`minigpt claims`."""

import json

import pytest

from minigpt.cli import main
from minigpt.course.claims import load_claims
from minigpt.course.folder import lessons_folder


@pytest.mark.parametrize("columns", ["40", "80", "132", "400"])
def test_the_table_fits_the_terminal_and_loses_nothing(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= min(max(int(columns), 72), 160)
    ids = [line[:3] for line in lines if line[:1] == "C" and line[1:3].isdigit()]
    assert ids == [claim.id for claim in load_claims().claims]
    text = "".join(lines).replace(" ", "")
    assert all(mark.replace(" ", "") in text for mark in load_claims().verdicts)


def test_only_what_a_lesson_recorded_counts_as_measured(monkeypatch, capsys, tmp_path):
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    (lessons / "claims.toml").write_bytes((lessons_folder() / "claims.toml").read_bytes())
    row = {"lesson": "02_self_attention", "name": "E07.learned_accuracy", "value": 0.998, "above": 0.9, "below": None}
    (lessons / "results.json").write_text(json.dumps([row]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["claims"]) == 0
    out = capsys.readouterr().out
    others = len(load_claims().claim("C10").measures) - 1
    assert out.count("not yet measured") == 39 + others  # 39 claims, and all numbers of C10 but one
    assert "learned_accuracy 0.998 (at least 0.9)" in out.split("C10")[1].split("C11")[0]
    assert "uniform_accuracy not yet measured" in out.split("C10")[1].split("C11")[0]
    said = " ".join(out.split())
    assert "40 claims. Every verdict is argued from documents. The numbers of 1 claims were measured" in said
    assert "those of 0 counted in a record" in said


@pytest.mark.parametrize("name", ["C09", "c09"])
def test_one_claim_in_full(name, capsys):
    assert main(["claims", name]) == 0
    out = " ".join(capsys.readouterr().out.split())
    claim = load_claims().claim("C09")
    for text in (
        claim.claim,
        claim.verdict,
        claim.why,
        claim.lesson,
        *claim.sources,
        *(one.what for one in claim.measures),
    ):
        assert text in out


def test_json_is_a_list_of_forty_or_one_object(capsys):
    assert main(["claims", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 40
    keys = {"id", "part", "where", "claim", "verdict", "marks", "why", "grade", "sources", "experiments", "lesson"}
    assert {frozenset(row) for row in rows} == {frozenset(keys | {"measures", "status", "kind"})}
    for measure in (one for row in rows for one in row["measures"]):
        assert set(measure) == {"name", "what", "value", "above", "below", "kind"}
        assert measure["value"] is None or isinstance(measure["value"], float)
    assert main(["claims", "C09", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == rows[8]


@pytest.mark.parametrize("name", ["C41", "C00", "9", "attention"])
def test_an_unknown_claim_is_the_users_to_mend(name, capsys):
    assert main(["claims", name]) == 2
    assert capsys.readouterr().err == f"minigpt: there is no claim {name}; there are C01 to C40\n"
