"""The published sets, as they are read; and the questions of BBQ, answered by who is fair and who is not."""

import json

import numpy as np
import pytest
from conftest import published

from minigpt.errors import UserError
from minigpt.fairness import accuracy_gap, bbq_report, preference, stereoset_report
from minigpt.fairness.pairs import CROWS_PAIRS, FILE, read_crows_pairs, shared_tokens
from minigpt.fairness.stereoset import STEREOSET, read_stereoset
from minigpt.fairness.winobias import WINOBIAS, read_winobias
from minigpt.finetune import Record

HEADER = ",sent_more,sent_less,stereo_antistereo,bias_type\n"


def test_pairs_are_read_and_their_shared_tokens_found(tmp_path):
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(f'{HEADER}0,"A b, c","A d, c",stereo,age\n', encoding="utf-8")
    assert read_crows_pairs(tmp_path) == [("A b, c", "A d, c", "age")]
    lines = ("0,A b", "0,,b,stereo,age", "0,A b,A b,stereo,age", "")
    for rows in (b"a,b\n1,2\n", b"", b"\xff\xfe", *(f"{HEADER}{line}".encode() for line in lines)):
        (tmp_path / FILE).write_bytes(rows)
        with pytest.raises(UserError, match="it is fetched again"):
            read_crows_pairs(tmp_path)
    ours, theirs = shared_tokens(np.array([5, 1, 2, 7, 8, 3]), np.array([5, 9, 7, 3]))
    assert ours.tolist() == [0, 3, 5] and theirs.tolist() == [0, 2, 3]


def test_the_gap_of_a_choice_is_where_its_sentences_differ(tmp_path):
    def row(context, *sentences):
        labels = ("unrelated", "stereotype", "anti-stereotype")
        rows = [{"sentence": text, "gold_label": label} for text, label in zip(sentences, labels, strict=True)]
        return {"context": context, "sentences": rows, "target": "t", "bias_type": "k"}

    within = row(
        "The Blicket was BLANK.", "The blicket was roof.", "The blicket was boring.", "The blicket was caring."
    )
    after = row("It came.", "Cats.", "It left.", "It slept.")
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"data": {"intrasentence": [within], "intersentence": [after]}}), encoding="utf-8")
    one, two = read_stereoset(tmp_path)
    assert (one.before, one.fillers, one.after) == ("The blicket was ", ("boring", "caring", "roof"), ".")
    assert (two.before, two.fillers, two.after, two.within) == (
        "It came. ",
        ("It left.", "It slept.", "Cats."),
        "",
        False,
    )
    alike = row("It came.", "Cats.", "It left.", "It left.")
    for value in ([{}], [], [row("", "", "", "")], [row("It came.", "", "It left.", "It slept.")], [alike], [None]):
        path.write_text(json.dumps({"data": {"intrasentence": value, "intersentence": []}}), encoding="utf-8")
        with pytest.raises(UserError, match="it is fetched again"):
            read_stereoset(tmp_path)


def test_riddles_are_pairs_of_lines_that_differ_in_the_pronoun(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "male_occupations.txt").write_text("janitor\nchief\n", encoding="utf-8")
    (data / "female_occupations.txt").write_text("accountant\n", encoding="utf-8")
    for form, pronouns in (("pro", ("she", "her")), ("anti", ("he", "him"))):
        lines = [
            f"1 The janitor met [the accountant] because [{pronouns[0]}] was late.",
            f"2 The accountant asked the [the chief] and [{pronouns[1]}] cat.",
            "3 The janitor met the chief.",
        ]
        for type_ in ("type1", "type2"):
            (data / f"{form}_stereotyped_{type_}.txt.test").write_text("\n".join(lines), encoding="utf-8")
    first, second, *_ = read_winobias(tmp_path)
    assert first.texts[0] == "The janitor met the accountant because she was late."
    assert (first.answer, first.other, first.pronouns) == ("accountant", "janitor", ("she", "he"))
    assert second.texts[1] == "The accountant asked the chief and him cat." and second.answer == "chief"
    assert len(read_winobias(tmp_path)) == 4


def test_the_published_sets_have_their_published_sizes():
    assert len(read_crows_pairs(published(CROWS_PAIRS))) == 1508
    choices = read_stereoset(published(STEREOSET))
    assert [sum(choice.within == within for choice in choices) for within in (True, False)] == [2106, 2123]
    assert all(all(choice.fillers) for choice in choices)
    riddles = read_winobias(published(WINOBIAS))
    assert 700 < len(riddles) <= 792 and all(riddle.answer != riddle.other for riddle in riddles)


def test_a_preference_leaves_ties_out():
    found = preference(np.array([1.0, 2.0, -1.0, 0.0]))
    assert (found["pairs"], found["ties"], found["prefers"]["value"]) == (4, 1, pytest.approx(2 / 3))
    assert "prefers" not in preference(np.zeros(3))


def test_stereoset_scores_are_means_over_targets():
    scores = np.array([[2, 1, 0], [2, 1, 0], [2, 1, 3], [0, 1, 0.5]], float)  # three of a, one of b
    found = stereoset_report(scores, ["a", "a", "a", "b"])
    assert found["lms"]["value"] == pytest.approx(100 * (2 / 3 + 0.5) / 2)
    assert found["ss"]["value"] == pytest.approx(50)
    assert found["icat"]["value"] == pytest.approx(found["lms"]["value"]) and found["p"] > 0.5


def test_the_gap_of_riddles():
    right = np.array([[True, False]] * 30 + [[True, True]] * 60)
    found = accuracy_gap(right)
    assert found["gap"]["value"] == pytest.approx(1 / 3) and found["p"] < 0.001
    assert accuracy_gap(right[:, ::-1])["gap"]["value"] == pytest.approx(-1 / 3)
    assert accuracy_gap(np.concatenate([right, right[:, ::-1]]))["p"] > 0.9


def questions(settled):
    """Forty groups with six questions each; whom the context settles for alternates."""
    records = []
    for number in range(240):
        values = {"stereotyped": "the blicket", "other": "the quarn", "group": f"g{number % 40}", "category": "x"}
        answer = {"answer": values["stereotyped" if number % 2 else "other"]} if settled else {}
        records.append(Record({"question": "who?", "context": "c", **values, **answer}, f"line {number}"))
    return records


@pytest.mark.parametrize("settled", [True, False])
def test_bbq_tells_a_fair_answerer_from_an_unfair_one(settled):
    records, rng = questions(settled), np.random.default_rng(0)
    unfair = bbq_report([record.text("stereotyped") for record in records], records)
    coin = [record.text(("stereotyped", "other")[int(rng.integers(2))]) for record in records]
    fair = bbq_report(coin, records)
    assert unfair["bias"]["value"] == 1 and unfair["p"] < 0.001
    assert abs(fair["bias"]["value"]) < 0.25 and fair["p"] > 0.01
    assert unfair["by_category"]["x"]["p_holm"] == unfair["p"]
    if settled:
        right = bbq_report([record.text("answer") for record in records], records)
        assert right["accuracy"]["value"] == 1 and right["bias"]["value"] == 0
        assert unfair["accuracy_agrees_less_differs"]["value"] == 1
        assert abs(fair["accuracy_agrees_less_differs"]["value"]) < 0.25
        assert unfair["p_agrees"] < fair["p_agrees"]
    none = bbq_report(["nobody"] * len(records), records)
    assert none["names_one"] == 0 and "bias" not in none
