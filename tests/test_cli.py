"""The command line: what it prints, and what it says when the input is bad."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import killed_at_the_end

from minigpt.check import CASES, table
from minigpt.cli import main
from minigpt.text import CORPORA

SMALL = [
    "--steps",
    "30",
    "--batch",
    "4",
    "--context",
    "16",
    "--vocabulary",
    "300",
    "--workers",
    "1",
    "--validate-every",
    "10",
]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A text file of 12 kB."""
    path = tmp_path_factory.mktemp("text") / "story.txt"
    lines = [
        f"On day {n} the {a} met a {b} and they walked.\n"
        for n, (a, b) in enumerate([("fox", "hen"), ("cat", "dog")] * 120)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(story, tmp_path_factory):
    """The folder of a finished run."""
    path = tmp_path_factory.mktemp("runs") / "story"
    assert main(["train", str(story), *SMALL, "--out", str(path)]) == 0
    return path


def test_train_leaves_everything_that_is_promised(trained):
    names = {path.name for path in trained.iterdir()}
    files = {"run.json", "tokenizer.json", "training.npy", "validation.npy", "metrics.csv", "loss.png"}
    assert names == files | {"best.safetensors", "last.safetensors"}
    header = (trained / "metrics.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {"step", "loss", "validation_loss", "tokens_per_second"} <= set(header)
    assert (trained / "loss.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_train_says_what_was_reached_as_json(story, tmp_path, capsys):
    assert main(["train", str(story), *SMALL, "--out", str(tmp_path / "run"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["baselines"]) == {"uniform", "unigram", "bigram", "gzip", "bz2", "xz", "xz primed"}
    assert 0 < result["bits_per_byte"] < result["baselines"]["uniform"]


def test_the_same_seed_trains_the_same_model(trained, story, tmp_path):
    assert main(["train", str(story), *SMALL, "--out", str(tmp_path / "again")]) == 0
    assert main(["train", str(story), *SMALL, "--out", str(tmp_path / "other"), "--seed", "1"]) == 0
    from minigpt.train import open_run

    first, again, other = (open_run(path).params.flat for path in (trained, tmp_path / "again", tmp_path / "other"))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_sentence_of_the_article_trains_an_encoder(story, tmp_path, capsys):
    out = tmp_path / "masked"
    assert main(["train", str(story), "--objective", "masked", *SMALL, "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["objective"] == "masked" and result["counted"] == "masked tokens"
    assert set(result["baselines"]) == {"most frequent", "bigram"} and result["bits_per_byte"] is None
    assert 0 < result["accuracy"] < 1
    assert main(["train", "--resume", "--out", str(out), "--steps", "32"]) == 0
    assert "Accuracy of masked tokens in the held-out text" in capsys.readouterr().out
    assert main(["generate", str(out)]) == 2
    assert "it does not continue a text; train one that does" in capsys.readouterr().err


def test_the_choices_are_the_registry_s(capsys):
    from minigpt.objectives import OBJECTIVES

    with pytest.raises(SystemExit):
        main(["train", "--objective", "rlhf"])
    error = capsys.readouterr().err
    assert all(name in error for name in OBJECTIVES)


def test_a_large_file_is_sampled_and_that_is_said(trained, story, capsys):
    words = ["evaluate", str(trained), str(story), "--json", "--most-characters", "500"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    whole = len(story.read_text(encoding="utf-8"))
    assert json.loads(out)["sampled_of_characters"] == whole and json.loads(out)["bytes"] <= 500
    assert f"has {whole:,} characters; a sample of" in err


def test_generate_streams_text_that_the_seed_decides(trained, capsys):
    words = ["generate", str(trained), "--prompt", "On day", "--max-new-tokens", "20"]
    texts = []
    for seed in ("3", "3", "4"):
        assert main([*words, "--seed", seed]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].startswith("On day")
    assert main([*words, "--json", "--temperature", "0.7", "--top-k", "5", "--top-p", "0.9"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == "On day"
    assert main([*words, "--beams", "2"]) == 0


def test_line_ends_of_every_system_are_alike(trained, story, capsys, tmp_path):
    other = tmp_path / "other.txt"
    other.write_bytes(b"\xef\xbb\xbf" + story.read_bytes().replace(b"\n", b"\r\n"))
    said = [main(["evaluate", str(trained), str(path), "--json"]) or capsys.readouterr().out for path in (story, other)]
    assert said[0] == said[1]
    for prompt in ("a\nb", "a\r\nb", "a\rb"):
        words = ["generate", str(trained), "--prompt", prompt, "--max-new-tokens", "8", "--json"]
        assert main(words) == 0
        said.append(capsys.readouterr().out)
    assert said[2] == said[3] == said[4]


def test_evaluate_names_its_numbers(trained, story, capsys, monkeypatch):
    assert main(["evaluate", str(trained), str(story), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["bytes"] == len(story.read_bytes())
    bits = result["nats_per_token"] * result["tokens"] / result["bytes"] / np.log(2)
    assert result["bits_per_byte"] == pytest.approx(bits)
    assert result["nats_per_token"] < result["baseline_nats_per_token"]["uniform"] == pytest.approx(np.log(300))
    with monkeypatch.context() as patched:  # before any work
        patched.setattr("minigpt.cli.evaluate.evaluate_text", None)
        assert main(["evaluate", str(trained), str(story), "--by-position", "999999"]) == 2
        assert "hold 0 windows of 999,999" in capsys.readouterr().err
    assert main(["evaluate", str(trained), str(story), "--by-position", "3"]) == 0
    table = capsys.readouterr().out
    rivals = ("uniform", "unigram", "bigram", "gzip", "bz2", "xz", "xz primed", "this model")
    assert all(name in table for name in rivals)
    lines = table.splitlines()
    assert lines[-4].startswith("position in the window nats per token") and lines[-1].split()[:3] == ["2", "to", "2"]


def test_evaluate_tells_details_compares_and_finds_training_text(trained, story, capsys, tmp_path):
    assert main(["evaluate", str(trained), str(story), "--details", "--training", "--against", str(trained)]) == 0
    table = capsys.readouterr().out
    assert "perplexity" in table and "times in its training text" in table and "calibration error" in table
    assert f"less {trained} (" in table and "+0.000 bits per byte" in table
    assert "share 13 words in a row with the training text" in table
    words = ["evaluate", str(trained), str(story), "--against", str(trained), "--training", str(story), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["perplexity"] == pytest.approx(np.exp(found["nats_per_token"]))
    assert found["contamination"]["half_in"] == found["contamination"]["pieces"] > 20
    assert len(found["hashes"]["data"]) == 64 and found["hashes"]["model"] == found["against"]["hashes"]["model"]


def test_evaluate_asks_the_questions_of_a_task(trained, capsys, tmp_path, monkeypatch):
    path = tmp_path / "task.jsonl"
    lines = [{"prompt": "On day 3 the", "choices": [" fox", " zzq"], "answer": 0}] * 3
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert main(["evaluate", str(trained), str(path), "--json", "--against", str(trained)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"]["value"] == 1 and found["chance"] == 0.5
    assert found["against"]["difference"]["value"] == 0 and set(found["hashes"]) == {"prompts", "model", "data"}
    assert main(["evaluate", str(trained), str(path), "--training"]) == 0
    assert "3 questions" in capsys.readouterr().out
    for option in (["--details"], ["--most-characters", "5"]):
        assert main(["evaluate", str(trained), str(path), *option]) == 2
        assert "is for texts, and this is a task" in capsys.readouterr().err
    with monkeypatch.context() as patched:  # nothing is asked before all is there
        patched.setattr("minigpt.cli.evaluate_task.answer_task", None)
        for option in (["--against", "none"], ["--against", "none.jsonl"], ["--training", "none.txt"]):
            assert main(["evaluate", str(trained), str(path), *option]) == 2
            assert f"{option[1]} " in capsys.readouterr().err
    assert main(["evaluate", str(trained), str(path), "--details"]) == 2
    assert "--details is for texts, and this is a task" in capsys.readouterr().err


def test_evaluate_refuses_a_model_whose_answers_are_no_numbers(trained, story, tmp_path, capsys):
    from minigpt.train import open_run
    from minigpt.train.checkpoint import load_checkpoint, save_checkpoint

    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    (broken / "task.jsonl").write_text('{"prompt": "On", "answer": " day"}', encoding="utf-8")
    params, progress = load_checkpoint(broken / "best.safetensors", open_run(trained).folder.config)
    params["final_norm.gain"][:] = np.nan
    save_checkpoint(broken / "best.safetensors", open_run(trained).folder.config, params, {}, progress)
    for file in (str(story), str(broken / "task.jsonl")):
        assert main(["evaluate", str(broken), file]) == 2
        said = capsys.readouterr()
        assert "scores that are no finite numbers" in said.err and said.err.count("minigpt:") == 1 and not said.out


def test_resume_trains_to_more_steps(trained, story, tmp_path):
    path = tmp_path / "run"
    assert main(["train", str(story), *SMALL, "--out", str(path)]) == 0
    assert main(["train", "--resume", "--out", str(path), "--steps", "40"]) == 0
    last = (path / "metrics.csv").read_text(encoding="utf-8").splitlines()[-1]
    assert last.startswith("40,")


def test_a_run_is_never_overwritten(trained, story, capsys):
    before = (trained / "last.safetensors").read_bytes()
    assert main(["train", str(story), *SMALL, "--out", str(trained)]) == 2
    assert "already holds a run; add --resume" in capsys.readouterr().err
    assert (trained / "last.safetensors").read_bytes() == before


def test_without_out_every_run_gets_its_own_folder(story, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", str(story), *SMALL, "--steps", "2"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["story-tiny", "story-tiny-2"]
    assert main(["train", "--resume", "--steps", "3"]) == 0


@pytest.fixture
def operations_only(monkeypatch):
    """A few operations; `tests/check/test_table.py` has all, and whole models."""
    monkeypatch.setattr(table, "CONFIGS", {})
    monkeypatch.setattr(table, "CASES", tuple(case for case in CASES if case.operation in ("silu", "linear")))


def test_gradcheck_prints_a_table_for_people_or_programs(operations_only, capsys):
    assert main(["gradcheck", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["passed"] for row in rows)
    assert {"operation", "argument", "max_absolute_error", "max_relative_error"} <= set(rows[0])


def test_gradcheck_fails_when_a_gradient_is_wrong(operations_only, monkeypatch, capsys):
    from minigpt.check import cases

    right = cases.OPERATIONS["silu"]
    wrong = right._replace(backward=lambda dy, cache: 1.001 * right.backward(dy, cache))
    monkeypatch.setitem(cases.OPERATIONS, "silu", wrong)
    assert main(["gradcheck"]) == 1
    assert "silu" in capsys.readouterr().out


def test_corpora_are_listed(capsys):
    assert main(["corpus", "list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == list(CORPORA)
    assert main(["corpus", "list"]) == 0
    assert "always there" in capsys.readouterr().out


def text_of(tmp_path, content):
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    return str(path)


BAD_INPUT = {
    "an empty corpus": (lambda t, s, r: ["train", text_of(t, b"")], "is empty"),
    "a corpus shorter than the context": (
        lambda t, s, r: ["train", text_of(t, b"a few words\n" * 4), "--tokenizer", "characters"],
        "but the context of 64 needs at least 65",
    ),
    "a missing file": (lambda t, s, r: ["train", str(t / "missing.txt")], "there is no corpus or file"),
    "invalid UTF-8": (lambda t, s, r: ["train", text_of(t, b"abc \xff\xfe def")], "not UTF-8 text (byte 4)"),
    "an impossible vocabulary": (lambda t, s, r: ["train", str(s), "--vocabulary", "100"], "100"),
    "a missing tokenizer": (
        lambda t, s, r: ["train", str(s), "--tokenizer", "nothing.json"],
        "--tokenizer nothing.json",
    ),
    "an architecture that the objective cannot train": (
        lambda t, s, r: ["train", str(s), "--objective", "masked", "--architecture", "decoder"],
        "the objective masked cannot train a decoder: under a causal mask",
    ),
    "an encoder that would see what it is asked": (
        lambda t, s, r: ["train", str(s), "--architecture", "encoder"],
        "the objective causal cannot train an encoder: every position",
    ),
    "pairs of sentences from one document": (
        lambda t, s, r: ["train", str(s), "--objective", "next-sentence", "--context", "16", "--vocabulary", "300"],
        "must be two or more documents",
    ),
    "a tokenizer without a mask": (
        lambda t, s, r: ["train", str(s), "--objective", "masked", "--tokenizer", str(r / "tokenizer.json")],
        "needs a special token <|mask|>",
    ),
    "a learning rate below zero": (lambda t, s, r: ["train", str(s), "--learning-rate", "-1"], "learning_rate is -1.0"),
    "slices for ranks that are not there": (
        lambda t, s, r: ["train", str(s), "--zero", "2"],
        "--zero 2 is for several",
    ),
    "a model without a name": (lambda t, s, r: ["evaluate", "", str(s)], "the name of the model is empty"),
    "a text without a name": (lambda t, s, r: ["evaluate", str(r), ""], "the name of a file is empty"),
    "dropout of everything": (lambda t, s, r: ["train", str(s), "--dropout", "1"], "dropout is 1.0"),
    "a run to resume that is not there": (
        lambda t, s, r: ["train", "--resume", "--out", str(t / "nothing")],
        "is not the folder of a run",
    ),
    "a file where the run should go": (lambda t, s, r: ["train", str(s), "--out", str(s)], "is a file"),
    "a run that is not there": (lambda t, s, r: ["generate", str(t)], "has no run.json"),
    "a temperature below zero": (lambda t, s, r: ["generate", str(r), "--temperature", "-1"], "temperature is -1.0"),
    "no tokens to choose from": (lambda t, s, r: ["generate", str(r), "--top-k", "0"], "top_k is 0"),
    "more than all probability": (lambda t, s, r: ["generate", str(r), "--top-p", "1.5"], "top_p is 1.5"),
    "a seed of a search": (lambda t, s, r: ["generate", str(r), "--beams", "2", "--seed", "0"], "--seed has no effect"),
    "a seed where nothing is drawn": (
        lambda t, s, r: ["generate", str(r), "--temperature", "0", "--seed", "1"],
        "--temperature 0 draws nothing, so --seed has no effect",
    ),
    "a choice where nothing is drawn": (
        lambda t, s, r: ["generate", str(r), "--temperature", "0", "--top-k", "3"],
        "so --top-k has no effect",
    ),
    "a device to train on": (lambda t, s, r: ["train", os.devnull], "no file but a device"),
    "an exercise of another lesson": (
        lambda t, s, r: ["grade", str(s), "--lesson", "01", "--exercise", "softmax"],
        "lesson 01 has no exercise softmax",
    ),
    "more seconds than a day": (lambda t, s, r: ["grade", str(s), "--seconds", "9" * 22], "seconds is 999"),
    "a report where a folder is": (lambda t, s, r: ["grade", str(t), "--html", str(t)], "is a folder, a device"),
    "a report below a file": (lambda t, s, r: ["grade", str(t), "--html", str(s / "x" / "y.html")], "is a file"),
    "a report without a name": (lambda t, s, r: ["grade", str(t), "--html", ""], "the name of the file is empty"),
    "a class without a name": (lambda t, s, r: ["grade", ""], "the name of the file is empty"),
    "a tokenizer without a name": (
        lambda t, s, r: ["train", str(s), "--tokenizer", ""],
        "the name of the tokenizer is empty",
    ),
    "steps in another notation": (
        lambda t, s, r: ["train", str(s), "--steps", "1e3"],
        "1e3 is not a whole number of at least 1",
    ),
    "a text to evaluate that is missing": (
        lambda t, s, r: ["evaluate", str(r), str(t / "no.txt")],
        "could not be read",
    ),
    "a text to evaluate that is empty": (lambda t, s, r: ["evaluate", str(r), text_of(t, b"")], "is empty"),
    "a text to evaluate that is no text": (lambda t, s, r: ["evaluate", str(r), text_of(t, b"\xc3")], "not UTF-8"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(name, tmp_path, story, trained, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, says = BAD_INPUT[name]
    try:
        code = main(words(tmp_path, story, trained))
    except SystemExit as ended:  # an option is wrong
        code = ended.code
    assert code == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("best.safetensors", lambda data: data[: len(data) // 2], "damaged or not a minigpt checkpoint"),
        ("best.safetensors", lambda data: b"", "damaged or not a minigpt checkpoint"),
        ("run.json", lambda data: data[:50], "could not be read as JSON"),
        ("run.json", lambda data: data.replace(b'"width": 128', b'"width": 256'), "another configuration: its width"),
        ("run.json", lambda data: data.replace(b'"heads": 4', b'"heads": 5'), "4 key-value heads do not divide"),
        (
            "run.json",
            lambda data: data.replace(b'"heads": 4', b'"heads": 5').replace(b'"head_width": 32', b'"head_width": null'),
            "5 heads do not divide the width 128",
        ),
        ("tokenizer.json", lambda data: b"{}", "no tokenizer of minigpt"),
    ],
)
def test_damaged_runs_are_refused(trained, tmp_path, capsys, name, damage, says):
    for path in trained.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(damage(data) if path.name == name else data)
    assert main(["generate", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err


def test_a_tokenizer_of_another_run_is_refused(trained, tmp_path, capsys):
    from minigpt.text import CharacterTokenizer

    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    CharacterTokenizer.train(["abc"]).save(tmp_path / "tokenizer.json")
    assert main(["generate", str(tmp_path)]) == 2
    assert "one of the two files is from another run" in capsys.readouterr().err


def test_divergence_is_a_sentence(story, tmp_path, capsys):
    words = [
        "train",
        str(story),
        *SMALL,
        "--out",
        str(tmp_path / "run"),
        "--learning-rate",
        "1e30",
        "--optimizer",
        "sgd",
    ]
    assert main(words) == 2
    assert "training diverged; start again with a lower --learning-rate" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_ctrl_c_saves_and_says_how_to_go_on(story, tmp_path):
    import signal

    words = ["train", str(story), *SMALL, "--steps", "100000", "--validate-every", "10", "--out", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "minigpt", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with killed_at_the_end(process):
        process.stdout.readline()  # the first sample
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"minigpt train --resume --out {tmp_path / 'run'}" in errors
    assert (tmp_path / "run" / "last.safetensors").exists()


def test_help_shows_examples(capsys):
    for command in ("train", "generate", "evaluate", "gradcheck", "corpus"):
        with pytest.raises(SystemExit) as leaving:
            main([command, "--help"])
        assert leaving.value.code == 0
        assert f"minigpt {command}" in capsys.readouterr().out.split("examples:")[1]
