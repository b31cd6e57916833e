"""What `import minigpt` offers: each name is there, is public where it comes from, and has an example that runs."""

import configparser
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigpt

ROOT = Path(minigpt.__file__).parents[1]
HEAVY = ("matplotlib", "safetensors", "regex", "tqdm", "torch", "transformers", "hypothesis")
LIGHT = ("Batch", "Call", "Overlay", "PRESETS", "Params", "Transformer", "TransformerConfig", "UserError", "preset")
LIGHT += ("OBJECTIVES", "adamw", "causal_lm", "launch", "loss_and_gradient", "masked_lm", "merge", "ops")
TABLES = ("CORPORA", "OBJECTIVES", "PRESETS")  # dictionaries, which have no docstring of their own


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has after `code`: in full for minigpt's, the first part of others'."""
    code = f"import sys\n{code}\nprint('loaded:', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    names = done.stdout.rpartition("loaded:")[2].split()
    return {name if name.startswith("minigpt") else name.split(".")[0] for name in names}


@pytest.mark.parametrize("name", minigpt.__all__)
def test_a_name_is_there_and_public_where_it_comes_from(name):
    value = getattr(minigpt, name)
    home = importlib.import_module(minigpt._MODULES[name])
    if home is minigpt:
        assert value is importlib.import_module(f"minigpt.{name}")
        return
    assert value is getattr(home, name) and value is not None
    assert name in getattr(home, "__all__", [name]) and not name.startswith("_")


def test_no_name_is_there_twice_and_dir_shows_all():
    stub = (ROOT / "minigpt" / "__init__.pyi").read_text(encoding="utf-8")
    names = re.findall(r"^from [\w.]+ import (\w+) as \1$", stub, re.MULTILINE)
    assert len(names) == stub.count("\nfrom ") > 40
    assert sorted(names) == sorted(set(names)) == sorted(minigpt.__all__)
    assert {*minigpt.__all__, "__version__", "__doc__"} <= set(dir(minigpt))
    assert not [name for name in dir(minigpt) if not name.startswith("__") and name not in minigpt.__all__]


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(AttributeError, match=r"no attribute 'open_modle'; did you mean open_model"):
        _ = minigpt.open_modle
    with pytest.raises(AttributeError, match=r"dir\(minigpt\) lists"):
        _ = minigpt.zzz
    with pytest.raises(ImportError):
        from minigpt import nothing_like_it  # noqa: F401


def test_the_import_brings_no_name_and_the_help_nothing_heavy():
    assert {name for name in loaded_after("import minigpt") if name.startswith("minigpt")} == {"minigpt"}
    assert "numpy" not in loaded_after("import minigpt; dir(minigpt); minigpt.__version__")
    show = "from minigpt.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not loaded_after(show) & {*HEAVY, "numpy"}


def test_light_names_bring_nothing_heavy():
    after = loaded_after("import minigpt\n" + "\n".join(f"minigpt.{name}" for name in LIGHT))
    assert "minigpt.model" in after and not after & set(HEAVY)


def test_the_version_is_the_one_of_the_package():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", encoding="utf-8")
    assert minigpt.__version__ == settings["metadata"]["version"]


def examples_of(name: str, value: object) -> list[doctest.DocTest]:
    """The examples in the docstring of `value` alone: for a class, not those of its methods."""
    parser, names = doctest.DocTestParser(), {"np": np, "minigpt": minigpt}
    test = parser.get_doctest(value.__doc__ or "", names, name, None, 0)
    return [test] if test.examples else []


@pytest.mark.parametrize("name", ["minigpt", *(name for name in minigpt.__all__ if name not in TABLES)])
def test_the_examples_of_a_name_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    value = minigpt if name == "minigpt" else getattr(minigpt, name)
    (test,) = examples_of(name, value) or pytest.fail(f"give the docstring of {name} an example")
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert outcome.failed == 0, "".join(said)


@pytest.mark.parametrize("name", [name for name in minigpt.__all__ if name not in TABLES])
def test_a_docstring_names_every_argument(name):
    value = getattr(minigpt, name)
    if inspect.ismodule(value) or (inspect.isclass(value) and issubclass(value, Exception)):
        return
    lines = [line.strip() for line in inspect.getdoc(value).splitlines()]
    sections = ("Parameters", "Returns", "Examples") if inspect.isfunction(value) else ("Parameters", "Examples")
    assert not [section for section in sections if section not in lines], f"{name} lacks a section"
    start, end = lines.index("Parameters"), lines.index("Examples")
    described = {word.strip("* ") for line in lines[start:end] for word in line.partition(" : ")[0].split(",")}
    arguments = set(inspect.signature(value).parameters) - {"self"}
    assert arguments <= described, f"{name} does not describe {sorted(arguments - described)}"
