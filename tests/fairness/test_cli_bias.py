"""`minigpt bias`: what suits a model, what is said before a set is read, JSON with hashes, and refusals."""

import json
import re

import pytest
from tiny_run import make_run

from minigpt.cli import main
from minigpt.fairness import MEASURES, measures
from minigpt.fairness.association import ASSOCIATIONS
from minigpt.fairness.pairs import FILE
from minigpt.train import train

VECTORS = "3 2\nlove 1 0\nlily 1 0.5\ngun 0 1\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make_run(tmp_path_factory.mktemp("runs") / "cats", steps=4, sizes={"context": 40})
    train(folder, show_progress=False)
    return str(folder.path)


@pytest.fixture
def small_sets(tmp_path, monkeypatch):
    (tmp_path / FILE).parent.mkdir()
    where = ("mat", "log", "home")
    lines = [f"{n},the cat sat on {where[n % 3]},the dog sat on {where[n % 3]},stereo,{'ab'[n % 2]}" for n in range(12)]
    (tmp_path / FILE).write_text(
        "\n".join([",sent_more,sent_less,stereo_antistereo,bias_type", *lines]), encoding="utf-8"
    )
    monkeypatch.setattr(measures, "fetch_package", lambda package, progress=True: tmp_path)


def test_a_measure_prints_its_licence_first_and_its_table(run, small_sets, capsys):
    assert main(["bias", run, "--measure", "crows-pairs"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("crows-pairs: CC-BY-SA-4.0; its sentences repeat offensive stereotypes")
    assert "a, 6 pairs" in said.out and "What it misses: Many of its pairs" in said.out
    assert "the cat" not in said.out


def test_json_has_intervals_p_and_hashes(run, small_sets, capsys):
    assert main(["bias", run, "--measure", "crows-pairs", "--most", "6", "--seed", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    found = said["measures"]["crows-pairs"]
    assert said["model"] == run and len(said["hashes"]["model"]) == 64
    assert found["asked"] == found["pairs"] == 6 and len(found["asked_sha256"]) == 64
    assert found["data"]["sha256"].startswith("ce08678") and {"value", "low", "high"} == set(found["nats"])
    assert main(["bias", run, "--measure", "crows-pairs", "--most", "6", "--seed", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measures"]["crows-pairs"]["asked_sha256"] != found["asked_sha256"]


def test_every_measure_is_listed_with_what_it_misses(capsys):
    assert main(["bias", "--list"]) == 0
    shown = f"\n{capsys.readouterr().out}"
    assert all(f"\n{name} " in shown for name in MEASURES) and shown.count("misses: ") == len(MEASURES)
    assert main(["bias", "--list", "--json"]) == 0
    out = capsys.readouterr().out
    rows = json.loads(out[out.index("{") :])
    assert set(rows) == set(MEASURES) and all(row["misses"] and row["source"] for row in rows.values())


@pytest.mark.parametrize(("words", "says"), [
    ([], "name a MODEL, or ask for --list"),
    (["RUN", "--seed", "1"], "--seed changes nothing without --most"),
    (["RUN", "--measure", "bbq"], "bbq takes a fine-tuned model"),
    (["RUN", "--measure", "groups"], "is no classifier; groups takes"),
    (["RUN", "--measure", "seat"], "has no sentence vectors"),
    (["RUN", "--measure", "crows-pairs", "--group", "x"], "--group is for the measure groups"),
    (["VECTORS", "--measure", "crows-pairs"], "is a file of word vectors, and this takes a model"),
    (["nothing"], "nothing"),
    (["RUN", "--most", "3", "--seed", "-1"], "--seed is -1"),
    (["RUN", "--measure", "groups", "--group", ""], "is no classifier"),
])  # fmt: skip
def test_what_does_not_fit_is_one_sentence(words, says, run, small_sets, tmp_path, capsys):
    vectors = tmp_path / "mine.vec"
    vectors.write_text(VECTORS, encoding="utf-8")
    (tmp_path / "WEAT.json").write_text("{}", encoding="utf-8")
    places = {"RUN": run, "VECTORS": str(vectors)}
    assert main(["bias", *(places.get(word, word) for word in words)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("minigpt: ") and says in said


def test_vectors_of_other_words_are_refused(small_sets, tmp_path, capsys):
    vectors = tmp_path / "mine.vec"
    vectors.write_text(VECTORS, encoding="utf-8")
    names = {name for one in ASSOCIATIONS for name in (*one.targets, *one.attributes)}
    lists = {name: [f"{name} {n}" for n in range(5)] for name in names}
    (tmp_path / "WEAT.json").write_text(json.dumps(lists), encoding="utf-8")
    assert main(["bias", str(vectors)]) == 2
    said = capsys.readouterr()
    assert "none of the 10 questions can be asked; the first: 0 of the 5 words" in said.err and said.out == ""


def test_what_one_measure_found_is_kept_where_another_is_refused(run, small_sets, capsys):
    assert main(["bias", run, "--measure", "bbq", "crows-pairs", "--json"]) == 2
    said = capsys.readouterr()
    found = json.loads(said.out)["measures"]
    assert "bbq takes a fine-tuned model" in found["bbq"]["refused"] and found["crows-pairs"]["pairs"] == 12
    assert "minigpt: bbq: " in said.err


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    below = make_run(folder / "cats", steps=2, sizes={"context": 40})
    train(below, show_progress=False)
    write_people(folder / "learn.csv", [("the cat sat", "yes", "a"), ("the dog sat", "no", "b")] * 10)
    words = ["finetune", str(below.path), str(folder / "learn.csv"), "--task", "classify", "--epochs", "1"]
    assert main([*words, "--out", str(folder / "tuned")]) == 0
    return str(folder / "tuned")


def write_people(path, rows):
    path.write_text("\n".join(["text,label,group", *map(",".join, rows)]), encoding="utf-8")


@pytest.mark.parametrize(("label", "more", "says"), [
    ("maybe", (), "label is 'maybe', which is no class of"),
    ("yes", ("--group", "origin"), "line 2: there is no column 'origin', but: text, label, group; name the one"),
    ("yes", ("--group", ""), "there is no column ''"),
])  # fmt: skip
def test_a_class_or_column_that_is_not_there_is_named(label, more, says, classifier, tmp_path, capsys):
    people = [("the cat sat on", label if n == 7 else "yn"[n % 2].replace("y", "yes").replace("n", "no"), "ab"[n // 4])
              for n in range(8)]  # fmt: skip
    write_people(tmp_path / "people.csv", people)
    capsys.readouterr()
    assert main(["bias", classifier, "--data", str(tmp_path / "people.csv"), *more]) == 2
    assert says in capsys.readouterr().err


def test_the_name_of_a_group_steers_no_terminal(classifier, tmp_path, capsys):
    write_people(
        tmp_path / "people.csv", [("cat", ("yes", "no")[n % 2], "a\x1b[31m" if n < 4 else "b") for n in range(8)]
    )
    assert main(["bias", classifier, "--data", str(tmp_path / "people.csv")]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_a_text_is_written_with_both_sides(tmp_path, capsys):
    source, out = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("He left.\nThe king came.\n\nIt rained.\n \n\nHe saw her.\n", encoding="utf-8")
    assert main(["corpus", "swap", str(source), str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert out.read_text(encoding="utf-8") == (
        "He left.\nThe king came.\n\nShe left.\nThe queen came.\n\nIt rained.\n\nHe saw her.\n"
    )
    assert (said["pieces"], said["swapped"], said["words"], said["unsure"]) == (3, 1, 2, 1)
    assert said["bytes"] == out.stat().st_size and said["bytes_before"] == source.stat().st_size
    again = tmp_path / "c.txt"
    assert main(["corpus", "swap", str(source), str(again), "--pairs", "rained=snowed", "HE=she"]) == 0
    assert "She saw her.\n" in again.read_text(encoding="utf-8")
    assert "3 of 3 paragraphs also stand with 3 words exchanged" in capsys.readouterr().out


def test_lines_of_json_keep_their_fields(tmp_path):
    source, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    source.write_text('{"text": "She is ä.", "id": 1}\n{"text": "Rain.", "id": 2}\n', encoding="utf-8")
    assert main(["corpus", "swap", str(source), str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows == [{"text": "She is ä.", "id": 1}, {"text": "He is ä.", "id": 1}, {"text": "Rain.", "id": 2}]


@pytest.mark.parametrize(("more", "says"), [
    (["b.txt", "--pairs", "he"], "must be two different words, such as he=she"),
    (["b.txt", "--pairs", "he=He"], "must be two different words"),
    (["b.txt", "--pairs", "him=her", "his=her"], "'his' stands in two pairs|'her' stands in two pairs"),
    (["b.jsonl"], "are of two kinds"),
    (["b.txt.gz"], "would be packed"),
    (["a.txt"], "is there already"),
])  # fmt: skip
def test_what_cannot_be_exchanged_is_refused(more, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("He left.\n", encoding="utf-8")
    assert main(["corpus", "swap", "a.txt", *more]) == 2
    assert re.search(says, capsys.readouterr().err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]
