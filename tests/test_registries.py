"""The pages, the commands and the messages say what the registries hold: whoever adds an entry is told what is missing.

What belongs to one folder is compared there: `ops/test_completeness.py`, `objectives/test_registry.py`.
"""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minigpt
from minigpt.cli import COMMANDS, _parser, main
from minigpt.course.claims import load_claims
from minigpt.errors import UserError
from minigpt.model import PRESETS, TransformerConfig
from minigpt.model import config as config_module
from minigpt.model.head import HEADS
from minigpt.objectives import OBJECTIVES, objective_of
from minigpt.ops import ACTIVATIONS
from minigpt.pretrained import NAMED, fetch_named, open_model
from minigpt.pretrained.families import FAMILIES, family_of
from minigpt.text import CORPORA, load_corpus

ROOT = Path(minigpt.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SIZES = {"context": 8, "width": 16, "layers": 1, "heads": 2}  # any preset is quick to build like this
VARIABLE = re.compile(r"MINIGPT_[A-Z_]+")


def row(first: str) -> str:
    """The line of a table of the README that begins with `first`."""
    (line,) = re.findall(rf"^\| {re.escape(first)}.*$", README, re.MULTILINE)
    return line


def quoted(text: str) -> list[str]:
    """What stands in `backticks`, in order."""
    return re.findall(r"`([\w-]+)`", text)


def command_lines(text: str) -> list[str]:
    """Every line that begins with `minigpt COMMAND`, without the explanation that two spaces part from it."""
    lines = re.findall(r"^ *(minigpt [a-z].*?)(?:   *\S.*)?$", text, re.MULTILINE)
    return [line for line in lines if line.split()[1] in COMMANDS]


def parses(line: str) -> bool:
    """Whether the command line, which is not run, is understood."""
    words = shlex.split(line)[1:]
    return callable(_parser(words[0]).parse_args(words).execute)


def test_the_readme_names_texts_presets_and_published_models():
    assert set(quoted(row("texts, `minigpt corpus list` | ").split("|")[2])) <= set(CORPORA)
    assert set(quoted(row("presets, `--preset` | ").split("|")[2])) == set(PRESETS)
    assert set(quoted(row("published models | ").split("|")[2])) == set(NAMED)


def test_the_readme_names_every_family():
    (line,) = re.findall(r"^(.*) are configurations of the same transformer", README, re.MULTILINE)
    assert {name.replace("-", "").lower() for name in re.split(", | and ", line)} == set(FAMILIES)


def test_the_readme_counts_lessons_and_claims():
    lessons = re.findall(r"^\| \d\d \| \[.*\]\((lessons/\w+\.ipynb)\)", README, re.MULTILINE)
    assert lessons == sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "lessons").glob("*.ipynb"))
    assert len(load_claims().claims) == 40 and "its forty claims" in " ".join(README.split())


def test_the_readme_draws_every_folder_of_the_package():
    drawn = set(re.findall(r"^  ([a-z]+)/ ", README, re.MULTILINE))
    there = {path.name for path in (ROOT / "minigpt").iterdir() if (path / "__init__.py").exists()}
    assert there <= drawn and drawn - there == {"benchmarks", "site"}


def test_the_readme_shows_every_command_and_variable():
    assert not [name for name in COMMANDS if f"minigpt {name}" not in README]
    used = {name for path in (ROOT / "minigpt").rglob("*.py") for name in VARIABLE.findall(path.read_text("utf-8"))}
    used |= set(VARIABLE.findall((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")))
    built = {"MINIGPT_RESULTS"}  # set by what builds the lessons, and by nobody else
    assert set(VARIABLE.findall(README)) == used - built


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text(README, encoding="utf-8")
    names: dict = {}
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 1
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert np.isfinite(names["loss"])


@pytest.mark.parametrize("line", command_lines(README))
def test_the_readmes_command_lines_are_understood(line):
    assert parses(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_its_help_and_its_examples_are_understood(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    help_ = capsys.readouterr().out
    assert ended.value.code == 0
    assert " ".join(help_.split()).count(" ".join(COMMANDS[name].split())[1:]) == 1
    lines = command_lines(help_.partition("examples:")[2])
    assert lines and all(map(parses, lines))


def test_the_table_of_commands_and_their_files_agree(capsys):
    files = {path.stem for path in (ROOT / "minigpt" / "cli").glob("*.py") if "def add(" in path.read_text("utf-8")}
    assert files == set(COMMANDS)
    with pytest.raises(SystemExit):
        main(["nothing"])
    error = capsys.readouterr().err
    assert all(repr(name) in error for name in COMMANDS)


def test_a_command_brings_its_own_module_alone(monkeypatch):
    for name in COMMANDS:
        monkeypatch.delitem(sys.modules, f"minigpt.cli.{name}", raising=False)
    _parser("gradcheck")
    assert [name for name in COMMANDS if f"minigpt.cli.{name}" in sys.modules] == ["gradcheck"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_model_that_computes(name):
    model = minigpt.Transformer(minigpt.preset(name, vocabulary_size=11, **SIZES))
    logits, _ = model.forward(model.init(np.random.default_rng(0)), np.array([[1, 2, 3]]))
    assert logits.shape == (1, 3, 11) and np.isfinite(logits).all()
    assert minigpt.preset(name).vocabulary_size == 50257  # GPT-2's, if no other is given


def wrong_field(**field):
    return lambda: TransformerConfig(vocabulary_size=11, **SIZES, **field)


ASKED = {  # registry, a wrong name, and what is said about it
    "activation": (ACTIVATIONS, wrong_field(activation="nothing")),
    "head": (HEADS, wrong_field(head="nothing")),
    "preset": (PRESETS, lambda: minigpt.preset("nothing")),
    "objective": (OBJECTIVES, lambda: objective_of("nothing")),
    "family": (FAMILIES, lambda: family_of("nothing")),
    "corpus": (CORPORA, lambda: load_corpus("nothing")),
    "published": (NAMED, lambda: fetch_named("nothing")),
    "opened": (NAMED, lambda: open_model("nothing")),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_wrong_name_is_answered_with_all_that_there_are(what, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    registry, ask = ASKED[what]
    entry = next(iter(registry.values()))
    monkeypatch.setitem(registry, "planted", replace(entry, name="planted") if what == "family" else entry)
    if what in config_module.CHOICES:  # made once, of the registry
        assert config_module.CHOICES[what] == tuple(name for name in registry if name != "planted")
        monkeypatch.setitem(config_module.CHOICES, what, tuple(registry))
    with pytest.raises(UserError) as refused:
        ask()
    assert not [name for name in registry if name not in str(refused.value)]


def test_a_new_objective_corpus_or_model_is_offered_by_the_command_line(monkeypatch, capsys):
    monkeypatch.setitem(OBJECTIVES, "planted", OBJECTIVES["causal"])
    monkeypatch.setitem(CORPORA, "planted", CORPORA["pydocs"])
    with pytest.raises(SystemExit):
        main(["train", "--objective", "nothing"])
    assert "planted" in capsys.readouterr().err
    assert main(["corpus", "list"]) == 0
    assert "\nplanted " in capsys.readouterr().out


def test_an_interrupted_command_ends_with_130(monkeypatch, capsys):
    from minigpt.cli import claims

    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "execute", interrupted)
    assert main(["claims"]) == 130
    assert "interrupted" in capsys.readouterr().err
