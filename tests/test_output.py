"""A command ends in one sentence, or quietly when nobody reads any more; a training goes on."""

import errno
import io
import json
import os
import subprocess
import sys

import pytest
from tiny_run import make_run

import minigpt.cli
from minigpt.cli import claims, main, prepare
from minigpt.cli.output import Outlet, outlets, print_json, sentence
from minigpt.train import open_run

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
PROGRAM = [sys.executable, "-m", "minigpt"]
posix = pytest.mark.skipif(os.name == "nt", reason="no shell of this kind on Windows")


class Stream(io.StringIO):
    """Raises the error number `failure` after `good` writes."""

    def __init__(self, failure, good=0):
        super().__init__()
        self.failure, self.good = failure, good

    def write(self, text):
        self.good -= 1
        if self.good < 0:
            raise OSError(self.failure, os.strerror(self.failure))
        return super().write(text)


def shell(line, tmp_path):
    """The exit code of the first command of the line, and everything that was printed."""
    script = f"{line}\nexit ${{PIPESTATUS[0]}}"
    words = ["bash", "-c", script.replace("MINIGPT", " ".join(PROGRAM))]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, timeout=600, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("failure", [errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL])
def test_a_reader_that_leaves_ends_a_command_quietly(failure, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Stream(failure, good=1))
    assert main(["claims"]) == 0
    assert capsys.readouterr().err == ""


def test_a_full_disk_behind_the_output_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Stream(errno.ENOSPC, good=1))
    assert main(["claims"]) == 2
    assert capsys.readouterr().err == (
        f"minigpt: standard output: {os.strerror(errno.ENOSPC)}; free some space or choose another folder\n"
    )


@pytest.mark.parametrize(("failure", "code", "streams"), [
    (errno.EPIPE, 0, ["stdout"]), (errno.EIO, 0, ["stdout", "stderr"]), (errno.ENOSPC, 2, ["stdout"]),
    (errno.ENOSPC, 0, ["stderr"]),
])  # fmt: skip
def test_a_training_goes_on_without_display(failure, code, streams, tmp_path, monkeypatch):
    make_run(tmp_path / "run", steps=20)
    for name in streams:
        monkeypatch.setattr(sys, name, Stream(failure))
    assert main(["train", "--resume", "--out", str(tmp_path / "run")]) == code
    assert open_run(tmp_path / "run", "last").progress["step"] == 20
    assert (tmp_path / "run" / "loss.png").exists()


def test_an_input_that_was_closed_is_at_its_end(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with outlets(), pytest.raises(EOFError):
        input()
    assert sys.stdin is None


def test_closed_streams_are_no_place_for_files(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["claims"]) == 0 and main(["train", str(tmp_path / "nothing")]) == 2


@posix
@pytest.mark.parametrize(("line", "code", "says"), [
    ("MINIGPT claims | head -n 1", 0, "verdict"),
    ("MINIGPT train --help | head -n 1", 0, "usage"),
    ("MINIGPT claims >&-", 0, ""),
    ("MINIGPT claims 2>&- >&-", 0, ""),
])  # fmt: skip
def test_a_shell_shows_no_more_than_was_read(line, code, says, tmp_path):
    ended, said = shell(line, tmp_path)
    assert ended == code and says in said and said.count("\n") <= 1, said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
@pytest.mark.parametrize("line", ["MINIGPT claims >/dev/full", "MINIGPT scale --help >/dev/full"])
def test_dev_full_is_one_sentence(line, tmp_path):
    code, said = shell(line, tmp_path)
    assert code == 2 and said.count("\n") == 1 and said.startswith("minigpt: standard output: No space left"), said


FAILURES = {
    "memory": (MemoryError(), "not enough memory for --exact 7"),
    "file": (PermissionError(errno.EACCES, "Permission denied", "notes/x.txt"), "notes/x.txt: Permission denied; ask"),
    "name": (OSError(errno.ENAMETOOLONG, "File name too long", "aaa"), "aaa: File name too long; choose a shorter"),
    "number": (OverflowError("int too large"), "a number is too large (int too large): --exact 7"),
    "depth": (RecursionError(), "nested too deeply"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("as_json", [False, True])
def test_whatever_fails_is_one_sentence(name, as_json, monkeypatch, capsys):
    error, says = FAILURES[name]

    def fail(arguments):
        raise error

    def add(subparsers):
        parser = subparsers.add_parser("claims")
        parser.add_argument("--exact", type=int)
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(execute=fail)

    monkeypatch.setattr(claims, "add", add)
    assert main(["claims", "--exact", "7", *(["--json"] if as_json else [])]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("minigpt: ") and says in said.err and said.err.count("\n") == 1
    assert json.loads(said.out)["error"] in said.err if as_json else said.out == ""


COMMANDS_WITH_JSON = {
    "train": ["nothing.txt"],
    "distill": ["nothing"],
    "finetune": ["nothing", "nothing.csv", "--task", "classify"],
    "predict": ["nothing", "nothing.csv"],
    "ask": ["nothing", "nothing.png", "what?"],
    "generate": ["nothing"],
    "embed": ["nothing", "nothing.txt"],
    "transcribe": ["nothing.wav"],
    "evaluate": ["nothing", "nothing.txt"],
    "audit": ["nothing"],
    "explain": ["nothing", "text"],
    "card": ["--verify", "nothing.md"],
    "bias": ["nothing"],
    "export": ["nothing", "folder"],
    "compress": ["nothing", "folder"],
    "corpus": ["fetch", "nothing"],
    "grade": ["nothing.py"],
    "scale": ["--layers", "0"],
    "gradcheck": ["nothing"],
    "claims": ["99"],
}


@pytest.mark.parametrize("name", COMMANDS_WITH_JSON)
def test_a_failure_is_json_for_programs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        code = main([name, *COMMANDS_WITH_JSON[name], "--json"])
    except SystemExit as leaving:  # words that are not understood
        code = leaving.code
    said = capsys.readouterr()
    assert code == 2 and json.loads(said.out)["error"] in said.err


def test_every_command_with_json_is_in_the_table(capsys):
    for name in minigpt.cli.COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        has = "--json" in capsys.readouterr().out
        assert has == (name in COMMANDS_WITH_JSON or name == "doctor"), name


def test_what_is_no_number_is_null(capsys):
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": ("x", -float("inf"))})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": ["x", None]}


@pytest.mark.parametrize("words", [["--batch", "200000"], ["--preset", "gpt2-xl"]])
def test_what_would_not_fit_into_memory_is_said_before_it_is_tried(words, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("a cat. " * 99, encoding="utf-8")
    monkeypatch.setattr(prepare, "available_memory", lambda: 10**10)
    assert main(["train", "text.txt", *words]) == 2
    said = capsys.readouterr().err
    assert words[0] in said and "but 10.0 GB of memory are free; choose a smaller" in said
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(("words", "says"), [
    (["train", ""], "the name of the corpus is empty"),
    (["train", "README.md", "--out", "a" * 300], "File name too long; choose a shorter name"),
    (["train", "README.md", "--tokenizer", "characters", "--vocabulary", "9"], "--vocabulary is for bpe"),
])  # fmt: skip
def test_words_that_cannot_be_meant(words, says, capsys):
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_flags_are_named_also_with_an_equals_sign():
    said = sentence(MemoryError(), ["train", "--batch=200000", "--preset", "gpt2", "--json", "--out", "here"])
    assert "--batch 200000, --preset gpt2;" in said


def test_a_console_of_another_code_page_shows_everything(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    with outlets():
        print("ətˈɛnʃən → 中")
    assert raw.getvalue().decode("utf-8").strip() == "ətˈɛnʃən → 中"


def test_an_outlet_is_a_stream_until_it_is_lost():
    outlet = Outlet(Stream(errno.EPIPE, good=2), "it")
    print("all of it", file=outlet, flush=True)
    assert outlet.getvalue() == "all of it\n" and not outlet.isatty()
    with pytest.raises(BrokenPipeError):
        outlet.write("more")
    assert outlet.write("and more") == 8  # dropped
