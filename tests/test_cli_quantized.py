"""`--quantized`: the commands that write, score and serve leave a GGUF file in its few bits, and refuse any other."""

import json

import numpy as np
import pytest
from conftest import optional
from runs import MODERN, a_run

from minigpt import BytePairTokenizer, open_model, save_gguf
from minigpt.cli import main, options
from minigpt.pretrained.quantized_matrix import StoredWeights

TEXT = "the cat sat on the mat and the rat ate the hat. "
COMMANDS = ("generate", "chat", "evaluate", "serve")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run, and files of it: in 4 bits, and in 32; what is evaluated."""
    path = tmp_path_factory.mktemp("quantized")
    tokenizer = BytePairTokenizer.train([TEXT], 280, special_tokens=["<|im_start|>", "<|im_end|>"])
    sizes = {**MODERN, "width": 32, "feed_forward_width": 64, "context": 256}
    run = open_model(a_run(path / "run", tokenizer, **sizes))
    for kind in ("Q4_0", "F32"):
        save_gguf(path / f"{kind}.gguf", run.model, run.params, run.tokenizer, kind=kind)
    (path / "text.txt").write_text(TEXT * 4, encoding="utf-8")
    (path / "task.jsonl").write_text(json.dumps({"prompt": "the cat", "choices": [" sat", " ate"], "answer": 0}) + "\n")
    return path


@pytest.fixture
def opened(monkeypatch):
    """What the commands opened."""
    seen = []
    monkeypatch.setattr(options, "open_model", lambda *a, **k: seen.append(open_model(*a, **k)) or seen[-1])
    return seen


def words_of(command, place, monkeypatch):
    """More words of a command; a server that ends at once."""
    if command == "serve":
        optional("uvicorn")
        monkeypatch.setattr("minigpt.serve.run.run", lambda app, listener, **_: listener.close())
    return {
        "generate": ["--prompt", "the", "--max-new-tokens", "9", "--temperature", "0"],
        "chat": ["--say", "the cat", "--max-new-tokens", "5", "--temperature", "0"],
        "evaluate": [str(place / "text.txt")],
        "task": [str(place / "task.jsonl")],
        "serve": ["--port", "0"],
    }[command]


@pytest.mark.parametrize("command", [*COMMANDS, "task"])
def test_the_file_s_bits_stay_and_the_answers_too(command, place, opened, monkeypatch, capsys):
    name, words = "evaluate" if command == "task" else command, words_of(command, place, monkeypatch)
    answers = []
    for more in ([], ["--quantized"]):
        assert main([name, str(place / "Q4_0.gguf"), *words, *more]) == 0
        answers.append(capsys.readouterr().out)
    whole, few = (one.params for one in opened)
    assert isinstance(few, StoredWeights) and not isinstance(whole, StoredWeights)
    assert few["blocks.0.attention.query.weight"].kind.name == "Q4_0"
    if command != "serve":  # which says its port
        assert answers[0] == answers[1]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["run", "F32.gguf"])
def test_what_is_in_no_few_bits_is_refused_by_name(command, name, place, monkeypatch, capsys):
    words = words_of(command, place, monkeypatch)
    assert main([command, str(place / name), *words, "--quantized"]) == 2
    error = capsys.readouterr().err
    assert f"{name} is no GGUF file or compressed model with fewer than 32" in error and "--quantized" in error


def test_a_compressed_model_is_left_as_it_always_is(place, opened, tmp_path, capsys):
    assert main(["compress", str(place / "run"), str(tmp_path / "small"), "--bits", "8", "--group", "32"]) == 0
    for more in ([], ["--quantized"]):
        assert main(["evaluate", str(tmp_path / "small"), str(place / "text.txt"), *more]) == 0
    assert all(isinstance(one.params, StoredWeights) for one in opened)
    first, second = (np.asarray(one.params["token_embedding.weight"]) for one in opened)
    assert np.array_equal(first, second)


def test_a_file_that_is_missing_is_what_is_said(tmp_path, capsys):
    assert main(["generate", str(tmp_path / "none.gguf"), "--quantized"]) == 2
    assert "--quantized" not in capsys.readouterr().err
