"""`minigpt finetune` and `minigpt predict`."""

import csv
import hashlib
import io
import json
import string

import numpy as np
import pytest
from small_models import make_models

from minigpt import CharacterTokenizer, Corpus, TrainSettings, prepare_run
from minigpt.cli import finetune as cli_finetune
from minigpt.cli import main
from minigpt.files import read_json
from minigpt.finetune.report import lines_of
from minigpt.model import Overlay
from minigpt.model.params import sha256_of
from minigpt.pretrained import fitting_class, open_model
from minigpt.pretrained.peft import load_adapter
from minigpt.train import Interrupted, train
from minigpt.train import loop as loop_module


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("below"))


@pytest.fixture
def data(tmp_path):
    """A CSV file whose class is the first letter, and whose columns have other names."""
    rng, path = np.random.default_rng(0), tmp_path / "words.csv"
    rows = ["word,kind"]
    for number in range(60):
        letters = "".join(rng.choice(list("cdef"), rng.integers(3, 8)))
        rows.append(f'"{"ab"[number % 2]}{letters}",{["first", "second"][number % 2]}')
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def words(models, data, out, *more):
    base = ["finetune", str(models["encoder"]), str(data), "--task", "classify", "--text", "word", "--label", "kind"]
    return [*base, "--out", str(out), "--learning-rate", "0.005", "--batch", "8", *more]


def said_by(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("task", ["classify", "domain"])
def test_what_made_it_is_recorded_before_it_trains_and_stands_in_its_card(
    task, models, data, tmp_path, capsys, monkeypatch
):
    out, asked = tmp_path / "tuned", words(models, data, tmp_path / "tuned", "--epochs", "1")
    if task == "domain":
        texts = [tmp_path / "new" / f"{number}.txt" for number in range(10)]
        texts[0].parent.mkdir()
        for path in texts:
            path.write_text("abcd efgh\n" * 40, encoding="utf-8")
        asked = ["finetune", str(models["decoder"]), str(tmp_path / "new"), "--task", "domain", "--out", str(out)]
        asked += ["--steps", "2", "--batch", "4"]
    seen = []

    def look(tuning, **_options):
        seen.append(read_json(tuning.folder.path / "finetune.json")["provenance"])
        raise Interrupted(0)

    with monkeypatch.context() as patched:
        patched.setattr(cli_finetune, "tune", look)
        assert main(asked) == 130
    assert main(["finetune", "--resume", "--out", str(out)]) == 0
    after = read_json(out / "finetune.json")
    assert after["measured"] and after["provenance"] == seen[0]
    assert seen[0]["command"][:2] == ["minigpt", "finetune"] and str(tmp_path) not in " ".join(seen[0]["command"])
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    found = json.loads(said_by(capsys, "card", "tuned", "--facts"))
    training, source = found["training"], data if task == "classify" else None
    assert training["task"] == task and training["learns"] == "all" and training["steps"] > 0
    assert training["start"] == {"classify": "encoder", "domain": "decoder"}[task] and training["numpy"]
    assert training["start_sha256"] == sha256_of(open_model(after["below"]["name"]).params)
    assert source is None or training["corpus_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert training["corpus"] == {"classify": "words.csv", "domain": "new"}[task] and training["corpus_sha256"]
    assert found["energy"]["kilowatt_hours"] > 0
    card = said_by(capsys, "card", "tuned")
    assert f"| task | {task} | A `training.task` |" in card and str(tmp_path) not in card


def test_from_a_csv_file_to_answers(models, data, tmp_path, capsys):
    out = tmp_path / "tuned"
    result = json.loads(said_by(capsys, *words(models, data, out, "--epochs", "6", "--test", str(data), "--json")))
    assert result["test"]["accuracy"]["value"] > 0.9
    assert result["test"]["accuracy"]["low"] <= result["test"]["accuracy"]["value"]
    rows = list(csv.DictReader(io.StringIO(said_by(capsys, "predict", str(out), str(data)))))
    assert [row["label"] for row in rows[:4]] == ["first", "second", "first", "second"]
    assert all(0.5 <= float(row["probability"]) <= 1 for row in rows)
    with_probabilities = json.loads(said_by(capsys, "predict", str(out), str(data), "--json"))
    assert set(with_probabilities[0]["probabilities"]) == {"first", "second"}


def test_texts_without_answers_are_answered(models, data, tmp_path, capsys):
    said_by(capsys, *words(models, data, tmp_path / "tuned", "--epochs", "1"))
    new = tmp_path / "new.tsv"
    new.write_text("word\nbcd\nacd\n", encoding="utf-8")
    answers = tmp_path / "answers.csv"
    said_by(capsys, "predict", str(tmp_path / "tuned"), str(new), "--out", str(answers))
    assert len(answers.read_text(encoding="utf-8").splitlines()) == 3
    assert main(["predict", str(tmp_path / "tuned"), str(new), "--out", str(answers)]) == 2
    assert "is there already" in capsys.readouterr().err


def test_it_says_what_it_measured_and_how_the_model_is_used(models, data, tmp_path, capsys):
    said = said_by(capsys, *words(models, data, tmp_path / "tuned", "--epochs", "1"))
    assert "validation, 6 examples" in said
    assert "95% interval" in said
    assert "true, and said" in said
    assert f"minigpt predict {tmp_path / 'tuned'}" in said


def test_a_file_is_no_folder_for_a_model(models, data, capsys):
    before = data.read_bytes()
    for out in (data, data / "m"):
        assert main(words(models, data, out)) == 2
        assert "a file stands where a folder must be" in capsys.readouterr().err
    assert data.read_bytes() == before


def test_an_interval_without_any_width_is_none():
    lines = list(
        lines_of({"f1": {"value": 0.5, "low": 0.5, "high": 0.5}, "accuracy": {"value": 1, "low": 0.6, "high": 1}})
    )
    assert (
        lines[0].endswith("1.000   95% interval 0.600 to 1.000") and "no interval: the examples are too few" in lines[1]
    )


def test_a_class_cannot_steer_the_terminal():
    lines = list(lines_of({"labels": ["good\x1b[31m", "bad"], "confusion": [[1, 0], [0, 1]]}))
    assert "\x1b" not in "".join(lines) and r"good\x1b[31m" in lines[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--second", "other"], "no column 'other'"),
        (["--question", "word"], "--question is no column of the task classify"),
        (["--replay", "pydocs"], "replayed with --task domain alone"),
        (["--packed"], "packed matters to the task chat alone"),
        (["--learns", "low-rank", "--layers", "attention.nothing"], "no layer of this model is called"),
        (["--dropout", "1"], "dropout is 1.0"),
        (["--adapter-dropout", "0.1"], "low-rank adapters alone have a dropout"),
        (["--learns", "low-rank", "--adapter-dropout", "1"], "dropout of adapters is 1.0"),
        (["--seed", "-1"], "seed is -1"),
        (["--resume"], "leave both out"),
    ],
)
def test_what_does_not_fit_is_one_sentence(models, data, tmp_path, capsys, more, message):
    assert main(words(models, data, tmp_path / "tuned", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "tuned" / "finetune.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no example"),
        ("word,kind\n", "holds no example"),
        ('word,kind\na,b\n"c,d\n', "line 3"),
        ("word,kind\na,b,c\n", "line 2: there are 3 values, but the first line names 2"),
        ("word,word\na,b\n", "line 1: the column 'word' is there twice"),
    ],
)
def test_a_broken_file_is_named_with_its_line(models, tmp_path, capsys, text, message):
    data = tmp_path / "broken.csv"
    data.write_text(text, encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert message in capsys.readouterr().err


def test_a_broken_line_of_json_is_named(models, tmp_path, capsys):
    data = tmp_path / "broken.jsonl"
    data.write_text('{"word": "a", "kind": "b"}\n{"word": \n', encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert "line 2: this is no JSON" in capsys.readouterr().err
    data.write_text('{"word": "a", "kind": "b"}\n{"word": "a\\ud800", "kind": "c"}\n', encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert "line 2: it holds half of a surrogate pair" in capsys.readouterr().err


def test_a_model_that_continues_texts_is_not_asked_for_answers(models, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("abcd efgh\n" * 100, encoding="utf-8")
    out = tmp_path / "tuned"
    base = ["finetune", str(models["decoder"]), str(text), "--task", "domain", "--out", str(out)]
    said = said_by(capsys, *base, "--steps", "2", "--batch", "4")
    assert "bits per byte" in said
    assert main(["predict", str(out), str(text)]) == 2
    assert "continues texts" in capsys.readouterr().err
    assert said_by(capsys, "generate", str(out), "--prompt", "ab", "--max-new-tokens", "3")


def test_adapters_are_exported_as_peft_keeps_them(models, tmp_path, capsys):
    text, out, folder = tmp_path / "text.txt", tmp_path / "tuned", tmp_path / "adapter"
    text.write_text("abcd efgh\n" * 100, encoding="utf-8")
    base = ["finetune", str(models["decoder"]), str(text), "--task", "domain", "--steps", "5", "--batch", "4"]
    learns = ["--learns", "low-rank", "--rank", "2", "--adapter-dropout", "0.25", "--learning-rate", "0.05"]
    said_by(capsys, *base, *learns, "--out", str(out))
    assert str(models["decoder"]) in said_by(capsys, "export", str(out), str(folder), "--adapter")
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_dropout"]) == (2, 0.25)
    below, merged = open_model(models["decoder"]), open_model(out)
    trained = load_adapter(folder, below.model, *fitting_class(below.model.config))
    tokens = np.array([[1, 5, 2, 3]])
    ours, theirs = (
        below.model.forward(params, tokens)[0] for params in (merged.params, Overlay(below.params, trained))
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
    assert np.abs(ours - below.model.forward(below.params, tokens)[0]).max() > 1e-3
    said_by(capsys, *base, "--out", str(tmp_path / "whole"))
    assert main(["export", str(tmp_path / "whole"), str(tmp_path / "other"), "--adapter"]) == 2
    assert "has no adapters, since all was trained" in capsys.readouterr().err


def test_a_decoder_chooses_without_training(models, tmp_path, capsys):
    new, shots = tmp_path / "new.csv", tmp_path / "shots.csv"
    new.write_text("word\nab\ncd\n", encoding="utf-8")
    shots.write_text("word,kind\nef,x\n", encoding="utf-8")
    base = ["predict", str(models["decoder"]), str(new), "--prompt", "{text}\\n", "--text", "word"]
    said = json.loads(said_by(capsys, *base, "--choices", "x,y", "--json"))
    assert [set(one["probabilities"]) for one in said] == [{"x", "y"}] * 2
    with_shots = json.loads(
        said_by(capsys, *base, "--choices", "x,y", "--json", "--shots", str(shots), "--label", "kind")
    )
    assert with_shots != said
    assert main(base) == 2
    assert "--prompt needs --choices" in capsys.readouterr().err
    assert main([*base, "--choices", "a,b", "--shots", str(shots), "--label", "kind"]) == 2
    assert "is none of the choices" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rank", "4"], "--rank goes with --learns low-rank, and all learns"),
        (["--blocks", "2", "--learns", "head"], "--blocks goes with --learns last"),
        (["--layers", "attention.query"], "--layers goes with --learns low-rank"),
        (["--epochs", "1", "--steps", "2"], "--steps stands in place of --epochs"),
        (["--tokens", "99"], "choose fewer with --tokens"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(models, data, tmp_path, capsys, more, message):
    assert main(words(models, data, tmp_path / "tuned", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "tuned").exists()


def test_going_on_changes_nothing_and_a_prediction_leaves_no_option_out(models, data, tmp_path, capsys):
    out = str(tmp_path / "tuned")
    said_by(capsys, *words(models, data, out, "--steps", "2"))
    for more, message in [
        (["finetune", "--resume", "--out", out, "--epochs", "9"], "--epochs cannot change"),
        (["finetune", "--resume", "--out", out, "--task", "chat"], "--task cannot change"),
        (["predict", out, str(data), "--json", "--out", str(tmp_path / "x.csv")], "leave one of the two out"),
        (["predict", out, str(data), "--text", "kind"], "--text goes with --prompt"),
    ]:
        assert main(more) == 2
        assert message in capsys.readouterr().err


def test_a_test_that_cannot_be_measured_is_refused_before_training(models, data, tmp_path, capsys):
    for rows, message in [("word,kind\nab,third\n", "line 2: the class 'third'"), ("word\nab\n", "no column 'kind'")]:
        test = tmp_path / "test.csv"
        test.write_text(rows, encoding="utf-8")
        assert main(words(models, data, tmp_path / "tuned", "--test", str(test))) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "tuned").exists()


def test_what_goes_on_measures_the_test_as_what_never_stopped(models, data, tmp_path, capsys, monkeypatch):
    test, other, stopped = tmp_path / "test.csv", tmp_path / "other.csv", tmp_path / "stopped"
    test.write_text("word,kind\nacd,first\nbcd,second\nbce,second\n", encoding="utf-8")
    other.write_text("word,kind\nacd,first\n", encoding="utf-8")
    more = ["--steps", "6", "--workers", "1", "--test", str(test), "--json"]
    once = json.loads(said_by(capsys, *words(models, data, tmp_path / "once", *more)))
    assert once["test"]["examples"] == 3 and set(once["rivals"]) == {"most frequent class", "TF-IDF"}
    with monkeypatch.context() as patched:
        patched.setattr(loop_module.threading.Event, "is_set", lambda self: True)
        assert main(words(models, data, stopped, *more)) == 130
    capsys.readouterr()
    go_on = ["finetune", "--resume", "--out", str(stopped)]
    assert json.loads(said_by(capsys, *go_on, "--json")) == once | {"folder": str(stopped)}
    test.write_text("word,kind\nacd,second\n", encoding="utf-8")
    assert main(go_on) == 2
    assert "test.csv has changed since then" in capsys.readouterr().err
    said = said_by(capsys, *go_on, "--test", str(other))
    assert "test, 1 examples" in said and "beside it on the test" in said
    assert read_json(stopped / "finetune.json")["data"]["files"]["test"]["path"] == str(other)


def test_of_a_model_that_writes_the_test_measures_the_loss(tmp_path, capsys):
    corpus = Corpus("letters", (string.printable * 4,), ("abcd" * 40,))
    tokenizer = CharacterTokenizer.train(corpus.documents, special_tokens=("<|im_start|>", "<|im_end|>"))
    changes, settings = {"layers": 1, "width": 8, "heads": 1, "context": 128}, TrainSettings(steps=1, batch=2)
    below = prepare_run(tmp_path / "b", corpus, tokenizer=tokenizer, changes=changes, settings=settings, progress=False)
    train(below, show_progress=False)
    talks = tmp_path / "talks.jsonl"
    talk = {"messages": [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "cd"}]}
    talks.write_text(f"{json.dumps(talk)}\n" * 4, encoding="utf-8")
    words = ["finetune", str(below.path), str(talks), "--task", "chat", "--steps", "1", "--workers", "1"]
    result = json.loads(said_by(capsys, *words, "--out", str(tmp_path / "m"), "--test", str(talks), "--json"))
    assert result["test"]["examples"] == 4 and result["test"]["loss"] > 0


def test_answers_cannot_be_measured_where_there_are_none(models, data, tmp_path, capsys):
    said_by(capsys, *words(models, data, tmp_path / "tuned", "--steps", "2"))
    new = tmp_path / "new.csv"
    new.write_text("word\nbcd\n", encoding="utf-8")
    assert main(["predict", str(tmp_path / "tuned"), str(new), "--measure"]) == 2
    assert "new.csv, line 2: there is no column 'kind'" in capsys.readouterr().err


def test_an_answer_cannot_be_a_choice_twice(models, data, capsys):
    words = ["predict", str(models["decoder"]), str(data), "--prompt", "{text}", "--text", "word", "--choices"]
    assert main([*words, "a, a"]) == 2
    assert "has an answer twice" in capsys.readouterr().err


def test_a_quote_that_never_ends_is_named_where_it_begins(models, tmp_path, capsys):
    data = tmp_path / "broken.csv"
    data.write_text('word,kind\n"a\nb",c\n"d,e\nf,g\nh,i\n', encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert "line 4: unexpected end of data" in capsys.readouterr().err


def test_a_table_with_a_name_twice_is_refused(models, tmp_path, capsys):
    data = tmp_path / "twice.jsonl"
    data.write_text('{"word": "a", "kind": "x"}\n{"word": "b", "word": "c", "kind": "y"}\n', encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert "line 2: 'word' is there twice" in capsys.readouterr().err


def test_a_sign_that_the_tokenizer_lacks_is_named_with_its_line(models, data, tmp_path, capsys):
    data.write_text(data.read_text(encoding="utf-8") + "漢,first\n", encoding="utf-8")
    assert main(words(models, data, tmp_path / "tuned")) == 2
    assert "words.csv, line 62: the character '漢'" in capsys.readouterr().err
