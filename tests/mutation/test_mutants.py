"""The mistakes that tests/mutation makes are what they say, and the sample is the same every time."""

import ast
import json

import pytest
import run
from mutants import MISTAKES, compiles, mutants

SOURCE = b'''"""A docstring with 1 and <."""
def f(x: int = 2, *, \xc3\xa4=0.5) -> int:
    """Another."""
    if x < 3 and not x:
        x += 1
        table[x] = max(x, 4, key=f)
        print(x)
    return x @ f(x, -x)[1:x] if x is None else x
'''


def test_every_kind_of_mistake_is_made_and_compiles():
    found = mutants("minigpt/ops/f.py", SOURCE)
    kinds = {make.__name__.strip("_") for makes in MISTAKES.values() for make in makes}
    assert {mutant.kind for mutant in found} == kinds
    for mutant in found:
        changed = mutant.apply(SOURCE)
        assert compiles(changed)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(SOURCE))
        assert SOURCE[mutant.start : mutant.stop].decode() == mutant.was
    assert len({mutant.id for mutant in found}) == len(found)
    assert not [mutant for mutant in found if mutant.line in (1, 3)]  # docstrings do nothing


@pytest.mark.parametrize("change", ["x <= 3", "x < 4", "x -= 1", "x = 1", "min(x, 4, key=f)", "max(x, 4)", "ä=1.0"])
def test_some_of_them(change):
    sources = [mutant.apply(SOURCE).decode() for mutant in mutants("f.py", SOURCE)]
    assert any(change in source.replace("(x <= 3)", "x <= 3") for source in sources)


@pytest.fixture
def two_folders(monkeypatch):
    """A sample of the whole takes seconds."""
    monkeypatch.setattr(run, "FOLDERS", ["optim", "infer"])


def test_the_sample_has_as_many_of_every_folder_and_is_always_the_same(two_folders):
    sample = run.sample(100, 0)
    assert [mutant.id for mutant in sample] == [mutant.id for mutant in run.sample(100, 0)]
    folders = [mutant.path.split("/")[1] for mutant in sample]
    assert {folder: folders.count(folder) for folder in run.FOLDERS} == dict.fromkeys(run.FOLDERS, 50)
    assert len({mutant.id for mutant in sample}) == 100
    assert {mutant.id for mutant in run.sample(100, 1)} != {mutant.id for mutant in sample}


def test_another_change_of_the_sources_leaves_the_rest_of_the_sample(two_folders, monkeypatch):
    before = {mutant.id for mutant in run.sample(100, 0)}
    monkeypatch.setattr(run, "mutants", lambda path, source: mutants(path, source + b"\nunused = 1 < 2\n"))
    assert len(before & {mutant.id for mutant in run.sample(100, 0)}) > 80


@pytest.mark.parametrize(
    ("piece", "lines"), [(b"x < 3", (4, 4)), (b"table", (6, 6)), (b"x @", (8, 8)), (b"0.5", (2, 2))]
)
def test_the_statement_around_a_mistake(piece, lines):
    assert run.statement_lines(SOURCE, SOURCE.index(piece)) == lines


def test_a_statement_of_many_lines_is_one_and_the_head_of_a_compound_one_is_its_own():
    source = b"if (a and\n    b):\n    f(\n        1,\n        2)\n"
    assert run.statement_lines(source, source.index(b"b)")) == (1, 2)
    assert run.statement_lines(source, source.index(b"2)")) == (3, 5)


def test_the_tests_that_nobody_watches_are_there():
    assert all((run.ROOT / path).exists() for paths in [*run.UNWATCHED.values(), run.SKIPPED] for path in paths)


def test_what_is_known_of_another_statement_is_not_known(tmp_path, monkeypatch):
    """An id is that of another mistake once an equal piece comes before it."""
    source = b"first = a + 1\nsecond = b + 1\n"
    (tmp_path / "f.py").write_bytes(source)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(run, "EQUIVALENT", tmp_path / "equivalent.toml")
    one, two = (mutant for mutant in mutants("f.py", source) if mutant.now == "2")
    rows = [
        {"id": one.id, "statement": "first = a + 1", "found": "survived"},
        {"id": one.id, "statement": "first = a + 1", "found": "refused"},
        {"id": two.id, "statement": "was = c + 1", "found": "refused"},
    ]
    run.RESULTS.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    run.EQUIVALENT.write_text(f'[{one.id}]\nof = "b + 1"\n[{two.id}]\nof = "b + 1"\n', encoding="utf-8")
    assert run.known([one, two]) == {one.id: rows[1]}
    assert run.known([one, two], first=True) == {one.id: rows[0]}
    assert run.equivalents([one, two]) == {two.id}
