"""A conversation on the command line: answers, what is forgotten, what is refused, what Ctrl-C ends."""

import builtins

import pytest
from runs import MODERN, TEXT, a_run

from minigpt.cli import chat, main
from minigpt.cli.options import visible
from minigpt.text import BytePairTokenizer

MARKS = ["<|im_start|>", "<|im_end|>"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tokenizer = BytePairTokenizer.train([TEXT], 310, special_tokens=MARKS)
    return str(a_run(tmp_path_factory.mktemp("runs") / "chat", tokenizer, **{**MODERN, "context": 256}))


def conversation(monkeypatch, *said):
    """What is typed, and then the end of the input. An exception among it is raised."""
    typed = iter(said)

    def ask(_prompt):
        line = next(typed, EOFError())
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr(builtins, "input", ask)


def test_one_answer(model, capsys):
    words = ["chat", model, "--say", "hi", "--max-new-tokens", "5"]
    answers = []
    for seed in ("1", "1", "2"):
        assert main([*words, "--seed", seed]) == 0
        out, err = capsys.readouterr()
        answers.append(out)
        assert "tokens/s" in err
    assert answers[0] == answers[1] != answers[2]


def test_a_conversation_remembers_what_was_said(model, monkeypatch, capsys):
    prompts, original = [], chat.generate
    monkeypatch.setattr(chat, "generate", lambda *a, **k: prompts.append(a[2]) or original(*a, **k))
    conversation(monkeypatch, "hi", "and you")
    assert main(["chat", model, "--max-new-tokens", "5"]) == 0
    assert len(prompts) == 2 and len(prompts[1]) > len(prompts[0])
    assert prompts[1][: len(prompts[0])].tolist() == prompts[0].tolist(), "the answer follows what was asked first"


def test_a_message_that_is_too_long_ends_nothing(model, monkeypatch, capsys):
    prompts, original = [], chat.generate
    monkeypatch.setattr(chat, "generate", lambda *a, **k: prompts.append(a[2]) or original(*a, **k))
    conversation(monkeypatch, "first", "x" * 999, "second")
    assert main(["chat", model, "--max-new-tokens", "5"]) == 0
    assert "say it in fewer words" in capsys.readouterr().err
    assert len(prompts) == 2 and prompts[1][: len(prompts[0])].tolist() == prompts[0].tolist()


def test_ctrl_c_ends_the_answer_and_then_the_conversation(model, monkeypatch, capsys):
    seen = []

    def interrupted(*_arguments, **_options):
        seen.append(_arguments[2])
        yield 60
        raise KeyboardInterrupt

    monkeypatch.setattr(chat, "generate", interrupted)
    conversation(monkeypatch, "first", "second", KeyboardInterrupt())
    assert main(["chat", model]) == 130
    assert capsys.readouterr().err.count("[stopped; Ctrl-C once more ends the conversation]") == 2
    assert 60 in seen[1], "what was said of the answer stands"


@pytest.mark.parametrize(("text", "shown"), [
    ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ("one\rforged", "one\\rforged"),
    ("\u202eback", "\\u202eback"),
    ("\x9b2J", "\\x9b2J"),
    ("tab\tline\nnaïve 東京 👩\u200d🔬", "tab\tline\nnaïve 東京 👩\u200d🔬"),
])  # fmt: skip
def test_what_would_steer_a_terminal_is_shown(text, shown):
    assert visible(text) == shown


def test_too_many_beams_are_refused(model, capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["generate", model, "--beams", "100000000"])
    assert leaving.value.code == 2
    assert "ask for at most 256" in capsys.readouterr().err
