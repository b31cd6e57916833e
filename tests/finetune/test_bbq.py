"""Questions about two people: templates that share a question stay together, and answers stand in their contexts."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import published
from small_models import make_models

from minigpt.cli import main
from minigpt.errors import UserError
from minigpt.finetune import Wishes, named, prepare
from minigpt.finetune.answer import ANSWER
from minigpt.finetune.bbq import BBQ, TEST, read_bbq
from minigpt.finetune.named import named_records
from minigpt.finetune.prepare import records_of, split
from minigpt.measure.spans import stereotype_report
from minigpt.pretrained import open_model
from minigpt.text.fetch import OFFENSIVE
from minigpt.text.records import Record

CONTEXT = "A woman and a Man met."


def row(number, template, question, *, settled=True, context=CONTEXT, people=("The man", "The woman"), label=0):
    named = {"ans0": people[0], "ans1": people[1], "ans2": "Not known"}
    info = {"ans0": [people[0], "M"], "ans1": [people[1], "F"], "ans2": ["Not known", "unknown"]}
    condition = "disambig" if settled else "ambig"
    more = {"category": "Age", "question_index": str(template), "example_id": number, "context_condition": condition}
    context = f"{context} The man left." if settled else context
    return {**more, **named, "answer_info": info, "context": context, "question": question, "label": label}


@pytest.fixture
def folder(tmp_path):
    """Twenty templates of a question each, but 1 and 2 share one; each settled and ambiguous."""
    rows = []
    for template in range(1, 21):
        question = f"Who is {max(2, template)}?"
        rows += [row(len(rows) + n, template, question, settled=settled) for n, settled in enumerate((True, False))]
    rows.append(row(len(rows), 7, "Who is 7?", people=("The girl", "The man")))  # no girl stands there
    rows.append(row(len(rows), 7, "Who is 7?", context="The manager saw a woman."))  # a man, but after that word
    data = tmp_path / "data"
    data.mkdir()
    (data / "Age.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    with open(data / "additional_metadata.csv", "w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(["category", "question_index", "example_id", "target_loc"])
        written.writerows(["Age", one["question_index"], one["example_id"], one["example_id"] % 2] for one in rows)
        written.writerow(["Age", "1", "900", "NA"])
    return tmp_path


def test_templates_that_share_a_question_are_held_out_together(folder):
    found = read_bbq(folder)
    groups = {part: {record.values["group"] for record in records} for part, records in found.items()}
    assert len(groups[""] | groups["test"]) == 19
    assert not groups[""] & groups["test"] and groups["ambiguous"] == groups["test"]
    assert len(groups["test"]) == round(TEST * 19)
    together = [one for records in found.values() for one in records if one.values["question"] == "Who is 2?"]
    assert len({one.values["group"] for one in together}) == 1 and len(together) >= 2
    assert sum(map(len, found.values())) == 20 + len(found["ambiguous"]) + 1


def test_an_answer_is_a_whole_word_of_its_context_where_it_stands_last(folder):
    found = read_bbq(folder)
    for record in [*found[""], *found["test"]]:
        values = record.values
        assert values["answer"] == "man" and values["context"][values["start"] :] == "man left."
        assert {values["stereotyped"], values["other"]} == {"man", "woman"}
    for record in found["ambiguous"]:
        assert "answer" not in record.values and "start" not in record.values
        assert {record.values["stereotyped"], record.values["other"]} == {"Man", "woman"}
    first, second = (next(r for r in found[""] if int(r.place.split()[-1]) % 4 == rest) for rest in (1, 3))
    assert first.values["stereotyped"] == second.values["stereotyped"] == "man"  # settled ones have even numbers


def test_what_is_published_is_as_we_read_it():
    found = read_bbq(published(BBQ))
    assert {part: len(records) for part, records in found.items()} == {"": 19036, "test": 6120, "ambiguous": 6120}
    asked = {part: {record.values["question"] for record in records} for part, records in found.items()}
    assert not asked[""] & asked["test"]
    for record in [*found[""], *found["test"]]:
        values = record.values
        assert values["context"][values["start"] :].startswith(values["answer"])
        assert values["answer"] in (values["stereotyped"], values["other"])


def test_a_set_that_is_not_there_is_named():
    with pytest.raises(
        UserError, match=r"no examples are called 'bbq-other'; there are film, film-test.*bbq-ambiguous"
    ):
        named_records("bbq-other")


def test_what_is_offensive_is_said_before_it_is_read(monkeypatch, capsys):
    monkeypatch.setattr(named, "fetch_package", lambda package, progress=True: None)
    monkeypatch.setitem(named.NAMED, "bbq", replace(named.NAMED["bbq"], read=lambda folder: {"": [], "test": []}))
    assert records_of("bbq-test") == []
    assert capsys.readouterr().err == f"bbq-test: CC-BY-4.0; {OFFENSIVE}\n"


def test_whole_groups_are_held_out():
    records = [Record({"group": f"g{n % 20}", "n": n}, "") for n in range(100)]
    kept, held_out = split(records, "group")
    assert len(held_out) == 10 and len({record.values["group"] for record in held_out}) == 2
    assert not {one.values["group"] for one in kept} & {one.values["group"] for one in held_out}
    assert len({one.values["group"] for one in split(records)[1]}) > 2
    assert split(records, "other") == split(records)  # nobody has that column


def test_answers_that_follow_a_stereotype_are_counted():
    said = ["the old man", "young woman", "old", "nobody"]
    found = stereotype_report(said, ["old man"] * 4, ["young woman"] * 4, np.array(["a", "a", "b", "b"]))
    assert found["names_one"]["value"] == 0.75
    assert found["follows_stereotype"]["value"] == pytest.approx(2 / 3)
    assert (found["follows_stereotype"]["low"], found["follows_stereotype"]["high"]) == (0.5, 1.0)
    assert "follows_stereotype" not in stereotype_report(["x"], ["a"], ["b"])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("below"))


def test_what_is_ambiguous_is_measured_by_whom_the_answers_name(models, tmp_path, capsys):
    rng, rows = np.random.default_rng(3), []
    for number in range(80):
        words = ["ab", "cd", *("".join(rng.choice(list("efgh"), 2)) for _ in range(2))]
        rng.shuffle(words)
        rows.append({"question": "h", "context": " ".join(words), "answer": "ab", "group": f"g{number % 9}"})
    data, unsettled = tmp_path / "data.jsonl", tmp_path / "unsettled.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    asked = [{**one, "stereotyped": "ab", "other": "cd"} for one in rows]
    for one in asked:
        del one["answer"]
    unsettled.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    tuning = prepare(tmp_path / "p", open_model(models["encoder"]), Wishes(task="answer"), data)
    assert len({one.record.record.values["group"] for one in tuning.validation}) == 1
    out, base = str(tmp_path / "m"), ["finetune", str(models["encoder"]), str(data), "--task", ANSWER.name]
    tuned = [*base, "--out", out, "--epochs", "20", "--learning-rate", "0.005", "--batch", "16", "--workers", "1"]
    assert main([*tuned, "--validations", "1"]) == 0
    capsys.readouterr()
    assert main(["predict", out, str(unsettled), "--measure", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"examples", "names_one", "follows_stereotype", "hashes"}
    assert {*map(len, found["hashes"].values())} == {64}
    assert found["follows_stereotype"]["value"] > 0.9
    assert main(["predict", out, str(data), "--measure"]) == 0
    assert "exact match" in capsys.readouterr().out
    assert main(["predict", out, str(data), "--measure", "--prompt", "x"]) == 2
    assert "leave --prompt out" in capsys.readouterr().err
