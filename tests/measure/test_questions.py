"""Questions by likelihood: what is right, what counts after a gap, what is refused, and others' files."""

import json

import numpy as np
import pytest

from minigpt import CharacterTokenizer, Transformer, UserError, preset
from minigpt.corpus.overlap import contamination
from minigpt.measure.choices import continuations
from minigpt.measure.harness import is_samples, read_results, read_samples
from minigpt.measure.tasks import Question, answer_task, compare_answers, prompts_hash, read_task, task_report

TOKENIZER = CharacterTokenizer("abcdefgh ")
MODEL = Transformer(preset("tiny", vocabulary_size=10, layers=1, width=24, heads=2, context=16, init_std=0.4))
PARAMS = MODEL.init(np.random.default_rng(0), dtype=np.float64)


def nats(prompt, end):
    return continuations(MODEL, PARAMS, TOKENIZER, [(prompt, end)])[0].log_probability


def written(tmp_path, *lines, name="task.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_the_likeliest_choice_is_right_and_a_gap_counts_what_comes_after(tmp_path):
    path = written(
        tmp_path,
        {"prompt": "ab", "choices": ["c", "dd ", "e"], "answer": 2},
        {"prompt": "ab", "choices": ["c", "d"], "after": " hah", "answer": 0, "group": "g"},
        {"prompt": "", "choices": ["a", "b"], "answer": 1},
    )
    questions = read_task(path)
    answers = answer_task(MODEL, PARAMS, TOKENIZER, questions)
    logs = [nats("ab", choice) for choice in ("c", "dd ", "e")]
    assert answers.right[0] == (np.argmax(logs) == 2)
    assert answers.right_by_byte[0] == (np.argmax(np.array(logs) / [1, 3, 1]) == 2)
    spaced = [Question("ab", (" c", " hh", " ggg"), right) for right in range(3)]
    others = np.array([nats("ab", choice) for choice in spaced[0].choices])
    found = answer_task(MODEL, PARAMS, TOKENIZER, spaced)
    assert found.right_by_character.argmax() == np.argmax(others / [1, 2, 3]) and found.right_by_character.sum() == 1
    assert found.right_by_byte.argmax() == np.argmax(others / [2, 3, 4])
    assert answers.confidence[0] == pytest.approx((np.exp(logs) / np.exp(logs).sum()).max())
    whole = [nats("ab", "c hah"), nats("ab", "d hah")]
    assert answers.nats[1] == pytest.approx(-whole[0]) and answers.right[1] == (whole[0] > whole[1])
    report = task_report(questions, answers)
    assert report["questions"] == 3 and report["chance"] == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert report["hashes"]["prompts"] == prompts_hash(questions) != prompts_hash(questions[:2])
    assert sum(row["count"] for row in report["calibration"]["bins"]) == 3


def test_an_open_answer_is_right_if_the_model_would_write_it():
    ids = list(TOKENIZER.encode("ab"))
    for _ in range(3):
        ids.append(int(MODEL.forward(PARAMS, np.array([ids]))[0][0, -1, :9].argmax()))
    said = TOKENIZER.decode(ids[2:])
    other = said[:-1] + ("a" if said[-1] != "a" else "b")
    answers = answer_task(MODEL, PARAMS, TOKENIZER, [Question("ab", (said,), 0), Question("ab", (other,), 0)])
    assert answers.right.tolist() == [True, False]
    assert "calibration" not in task_report([Question("ab", (said,), 0)] * 2, answers)


@pytest.mark.parametrize(("line", "says"), [
    ({"prompt": "a", "choices": ["b"], "answer": 0}, "there are 1 choices"),
    ({"prompt": "a", "choices": ["b", "c"], "answer": 2}, "answer is 2, but it must be a whole number"),
    ({"prompt": "a", "choices": ["b", "b"], "answer": 0}, "twice"),
    ({"prompt": "a", "choices": ["b", ""], "answer": 0}, "a choice is empty"),
    ({"prompt": "a", "choices": ["b", 7], "answer": 0}, r"choices\[1\] is 7"),
    ({"prompt": "a", "answer": True}, "answer is True"),
    ({"prompt": "a", "answers": " b"}, "there is 'answers', but a question has prompt, choices"),
    ({"choices": ["b", "c"], "answer": 0}, "prompt must be a string"),
    ("{", "this is no JSON"),
])  # fmt: skip
def test_a_line_that_is_no_question_is_named(line, says, tmp_path):
    path = written(tmp_path, {"prompt": "a", "answer": "b"}, line)
    with pytest.raises(UserError, match=f"line 2: .*{says}"):
        read_task(path)


def test_two_models_are_paired_question_by_question():
    questions = [Question("a", ("b", "c"), 0)] * 8
    first, second = np.array([1, 1, 1, 1, 0, 0, 1, 0], bool), np.array([1, 0, 0, 1, 0, 0, 1, 1], bool)
    found = compare_answers(questions, first, second)
    assert (found["only_first"], found["only_second"]) == (2, 1)
    assert found["difference"]["value"] == pytest.approx(1 / 8)
    assert found["difference"]["low"] < 0 < found["difference"]["high"]
    assert found["smallest_difference"] > 1 / 8  # eight questions cannot show it
    assert found["p"] == 1.0  # 2 against 1: every way of calling them is as far apart
    assert compare_answers(questions, np.ones(8, bool), np.zeros(8, bool))["p"] == 2 / 2**8
    together = [Question("a", ("b", "c"), 0, group=name) for name in "aabbccdd"]
    grouped = compare_answers(together, np.ones(8, bool), np.zeros(8, bool))
    assert grouped["p"] == pytest.approx(2 / 2**4, abs=0.01)  # four groups, however many questions


def harness_line(number, prompt, choices, target, right, *, new=True):
    asked = [[prompt, choice] for choice in choices]
    if new:
        asked = {f"gen_args_{n}": dict(zip(("arg_0", "arg_1"), pair, strict=True)) for n, pair in enumerate(asked)}
    return {"doc_id": number, "doc": {}, "target": target, "arguments": asked, "acc": right, "acc_norm": 1.0}


@pytest.mark.parametrize("new", [True, False])
def test_what_another_program_asked_is_asked_again(tmp_path, new):
    path = written(
        tmp_path,
        harness_line(0, "ab", ["c", "d"], "1", 1.0, new=new),
        harness_line(1, "h", [*"abcdefg", " ", "h", "ab", "ac"], 10, 0.0, new=new),
        name="samples_x.jsonl",
    )
    assert is_samples(path)
    samples = read_samples(path)
    assert samples.questions[0] == Question("ab", ("c", "d"), 1)
    assert samples.questions[1].choices[10] == "ac" and samples.questions[1].answer == 10
    assert samples.right["acc"].tolist() == [True, False] and samples.right["acc_norm"].all()


@pytest.mark.parametrize(("change", "says"), [
    ({"target": "yes"}, "target is 'yes'"),
    ({"arguments": [["a", "b"], ["c", "d"]]}, "choices stand in the prompt"),
    ({"arguments": [["a", {"until": ["x"]}]]}, "no pair of a prompt and a continuation"),
    ({"arguments": {}}, "must hold the requests"),
    ({"acc": 0.5}, "acc is 0.5"),
    ({"target": "\u00b2"}, "target is '\u00b2'"),
    ({"target": "1" * 5000}, "target is '1"),
    ({"arguments": [["a", "b"], ["a", "b"]]}, "a choice is there twice"),
])  # fmt: skip
def test_samples_that_cannot_be_asked_are_refused(tmp_path, change, says):
    path = written(tmp_path, harness_line(0, "ab", ["c", "d"], 0, 1.0) | change, name="samples_x.jsonl")
    with pytest.raises(UserError, match=f"line 1: .*{says}"):
        read_samples(path)


def test_answers_that_are_there_for_some_questions_alone_are_refused(tmp_path):
    whole = harness_line(0, "ab", ["c", "d"], 0, 1.0)
    path = written(tmp_path, whole, {k: v for k, v in whole.items() if k != "acc"}, name="samples_x.jsonl")
    with pytest.raises(UserError, match="1 of 2 questions have acc; the others need it too"):
        read_samples(path)


@pytest.mark.parametrize(("error", "kept"), [("N/A", None), (0.0, 0.0), (-4, "refused"), ("x", "refused")])
def test_a_standard_error_is_a_number_or_not_known(tmp_path, error, kept):
    path = tmp_path / "results_1.json"
    path.write_text(json.dumps({"results": {"arc": {"acc,none": 0.5, "acc_stderr,none": error}}}))
    if kept != "refused":
        assert read_results(path)[0].error == kept
        return
    with pytest.raises(UserError, match="must be 0 or more"):
        read_results(path)


def test_published_results_are_read_and_others_are_refused(tmp_path):
    measures = {"alias": "arc", "acc,none": 0.55, "acc_stderr,none": 0.01, "acc_norm,none": 0.5, "perplexity,none": 9.0}
    path = tmp_path / "results_1.json"
    path.write_text(json.dumps({"results": {"arc": measures}, "n-samples": {"arc": {"effective": 2376}}}))
    found = read_results(path)
    assert [(one.measure, one.value, one.error, one.questions) for one in found] == [
        ("acc", 0.55, 0.01, 2376), ("acc_norm", 0.5, None, 2376),
    ]  # fmt: skip
    for value in ({"results": {}}, {"results": {"arc": 3}}, {"results": {"arc": {"acc,none": 55}}}, {}):
        path.write_text(json.dumps(value))
        with pytest.raises(UserError, match=r"results_1\.json"):
            read_results(path)


def test_a_question_that_stands_in_the_training_text_is_found():
    words = [f"word{n}" for n in range(400)]
    seen, unseen = " ".join(words[100:120]), " ".join(f"other{n}" for n in range(20))
    found = contamination([seen, unseen, "short"], " ".join(words))
    assert (found["pieces"], found["sharing"], found["half_in"], found["words"]) == (2, 1, 1, 13)
