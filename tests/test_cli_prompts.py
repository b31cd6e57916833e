"""Many prompts at once: each text is the one that its prompt gets alone, in the file's order, bad lines named."""

import json

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, open_model
from minigpt.cli import main, prompts
from minigpt.cli.prompts import Engine
from minigpt.errors import visible
from minigpt.pretrained import save_pretrained
from minigpt.text import BytePairTokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model that knows nothing, with a tokenizer of bytes."""
    path = tmp_path_factory.mktemp("model") / "small"
    tokenizer = BytePairTokenizer.train(["the cat sat on the mat and the rat ate the hat"], 270)
    config = TransformerConfig(vocabulary_size=tokenizer.vocabulary_size, context=32, width=24, layers=1, heads=2)
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    params.flat += 0.3 * np.random.default_rng(1).standard_normal(params.flat.shape).astype(np.float32)
    save_pretrained(path, model, params, "gpt2", "GPT2LMHeadModel", tokenizer=tokenizer)
    assert open_model(path).tokenizer is not None
    return path


def said(capsys, *words):
    """The JSON values that a command prints, one in each line."""
    assert main(["generate", *map(str, words)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def alone(capsys, folder, *words):
    """The text of a command that writes one."""
    assert main(["generate", str(folder), "--json", *map(str, words)]) == 0
    return json.loads(capsys.readouterr().out)["text"]


def test_lines_of_text_in_their_order(folder, capsys, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_bytes(b"the cat\r\nsat\r\nthe cat sat on the mat\r\n")
    words = ["--max-new-tokens", 9, "--seed", 4]
    answers = said(capsys, folder, "--prompts", path, "--json", *words)
    assert [(one["line"], one["prompt"]) for one in answers] == [
        (1, "the cat"),
        (2, "sat"),
        (3, "the cat sat on the mat"),
    ]
    for one in answers:
        assert one["text"] == alone(capsys, folder, "--prompt", one["prompt"], *words)
        assert one["tokens"] == 9 or one["finish_reason"] == "stop"


def test_objects_say_what_is_different(folder, capsys, tmp_path):
    path = tmp_path / "prompts.jsonl"
    lines = [
        {"prompt": "the cat", "max_new_tokens": 12, "seed": 3},
        {"prompt": "a\nb", "temperature": 0, "max_new_tokens": 3},
        {"prompt": ""},
    ]
    path.write_text("\n\n".join(map(json.dumps, lines)), encoding="utf-8")
    answers = said(capsys, folder, "--prompts", path, "--json", "--max-new-tokens", 5, "--temperature", 1.5)
    assert [(one["line"], one["prompt"], one["seed"]) for one in answers] == [
        (1, "the cat", 3),
        (3, "a\nb", 0),
        (5, "", 0),
    ]
    expected = [
        ("--prompt", "the cat", "--max-new-tokens", 12, "--seed", 3, "--temperature", 1.5),
        ("--prompt", "a\nb", "--max-new-tokens", 3, "--temperature", 0),
        ("--max-new-tokens", 5, "--temperature", 1.5),
    ]
    assert [one["text"] for one in answers] == [alone(capsys, folder, *words) for words in expected]


def test_samples_are_those_of_the_seeds_that_follow(folder, capsys):
    words = ["--prompt", "the cat sat", "--max-new-tokens", 8]
    answers = said(capsys, folder, "--samples", 5, "--seed", 7, "--json", *words)
    assert [(one["sample"], one["seed"]) for one in answers] == [(0, 7), (1, 8), (2, 9), (3, 10), (4, 11)]
    assert [one["text"] for one in answers] == [alone(capsys, folder, "--seed", 7 + n, *words) for n in range(5)]
    assert main(["generate", str(folder), "--samples", "2", *map(str, words)]) == 0
    out = capsys.readouterr().out
    assert "--- sample 0\nthe cat sat" in out and "--- sample 1\nthe cat sat" in out


def test_a_stop_string_ends_its_text_alone(folder, capsys):
    words = ["--prompt", "the cat sat", "--max-new-tokens", 15]
    whole = alone(capsys, folder, "--seed", 1, *words)
    stop = whole[4:6]
    answers = said(capsys, folder, "--samples", 3, "--stop", stop, "--json", *words)
    for one in answers:
        assert one["text"] == alone(capsys, folder, "--seed", one["seed"], "--stop", stop, *words)
        assert stop not in one["text"]
    assert answers[1]["finish_reason"] == "stop"


def test_a_cache_in_8_bits_writes_what_such_an_engine_writes(folder, capsys, monkeypatch):
    words, made = ["--prompt", "the cat", "--max-new-tokens", 20, "--temperature", 1.5], []

    class Watched(Engine):
        def __init__(self, *arguments, **options):
            made.append(options)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(prompts, "Engine", Watched)
    alone(capsys, folder, *words)
    assert not made
    text = alone(capsys, folder, "--cache-bits", 8, *words)
    assert made == [{"cache_bits": 8}]
    assert text == said(capsys, folder, "--samples", 2, "--cache-bits", 8, "--json", *words)[0]["text"]
    assert main(["generate", str(folder), "--cache-bits", "8", *map(str, words)]) == 0
    assert capsys.readouterr().out == f"the cat{visible(text)}\n"
    assert main(["generate", str(folder), "--cache-bits", "8", "--draft", "prompt"]) == 2
    assert "--draft keeps keys and values of its own, so --cache-bits does not go with it" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["generate", str(folder), "--cache-bits", "4"])
    assert "choose from 8" in capsys.readouterr().err


def test_whoever_interrupts_gets_what_has_ended(folder, capsys, tmp_path, monkeypatch):
    path = tmp_path / "prompts.jsonl"
    lines = [{"prompt": "the", "max_new_tokens": count} for count in (9, 2, 1)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    step, steps = Engine.step, []

    def interrupted(engine):
        steps.append(engine)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step(engine)

    monkeypatch.setattr(Engine, "step", interrupted)
    assert main(["generate", str(folder), "--prompts", str(path)]) == 130
    out = capsys.readouterr().out
    assert "--- line 2\nthe" in out and "--- line 3\nthe" in out and "line 1" not in out


REFUSED = {
    "an empty line": ("a.txt", "the\n\ncat\n", (), "a.txt, line 2: there is no prompt"),
    "a line that is no JSON": ("a.jsonl", '{"prompt": "a"}\n{', (), "a.jsonl, line 2: this is no JSON"),
    "a line without a prompt": ("a.jsonl", '{"seed": 1}', (), "a.jsonl, line 1: there is no column 'prompt'"),
    "a field that is not known": ("a.jsonl", '{"prompt": "a", "tokens": 3}', (), "line 1: there is 'tokens'"),
    "a seed that is none": ("a.jsonl", '{"prompt": "a", "seed": -1}', (), "line 1: seed is -1"),
    "a temperature that is text": (
        "a.jsonl",
        '{"prompt": "a", "temperature": "hot"}',
        (),
        "line 1: temperature is 'hot'",
    ),
    "no tokens": ("a.jsonl", '{"prompt": "a", "max_new_tokens": 0}', (), "line 1: max_new_tokens is 0"),
    "an empty file": ("a.txt", "", (), "a.txt is empty"),
    "two ways to say it": ("a.txt", "the", ("--prompt", "a"), "--prompt and --prompts are both given"),
    "a search": ("a.txt", "the", ("--beams", "2"), "--beams is for one text, so --prompts does not go with it"),
    "samples that are alike": (
        "a.txt",
        "the",
        ("--samples", "2", "--temperature", "0"),
        "--temperature 0 draws nothing, so all --samples are alike",
    ),
    "a draft": ("a.txt", "the", ("--draft", "prompt"), "--draft is for one text"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_bad_lines_are_refused_by_number(what, folder, capsys, tmp_path):
    name, text, words, message = REFUSED[what]
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["generate", str(folder), "--prompts", str(tmp_path / name), *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.out == ""
