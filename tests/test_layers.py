"""The house has floors: a module imports only from those below it, and importing the package does nothing else."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minigpt"
FLOORS = (
    ("errors",),
    ("files", "machine", "progress", "values"),
    ("sound",),
    ("ops",),
    ("model",),
    ("optim",),
    ("check",),
    ("text",),
    ("objectives",),
    ("adapt",),
    ("train",),
    ("parallel",),
    ("multitask",),
    ("infer",),
    ("vision",),
    ("pretrained",),
    ("speech",),
    ("compress",),
    ("serve",),
    ("measure",),
    ("explain",),
    ("privacy",),
    ("finetune",),
    ("fairness",),
    ("plot",),
    ("plots_stack",),
    ("plots_layers",),
    ("plots_pieces",),
    ("plots_parallel",),
    ("plots_sight",),
    ("plots_corpus",),
    ("plots_tuning",),
    ("plots_multitask",),
    ("plots_inference",),
    ("plots_senses",),
    ("plots_explain",),
    ("corpus",),
    ("doctor",),
    ("grade",),
    ("course",),
    ("cli",),
)
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
TOP = ("__init__", "__main__")  # they show what the floors hold


def imports(source: str) -> set[str]:
    """The dotted names of the package's modules that `source` imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be read"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] == "minigpt"}


def test_every_module_stands_on_a_known_floor():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    files = {path.stem for path in PACKAGE.glob("*.py")}
    assert (folders | files) - set(TOP) <= set(FLOOR)


def test_imports_go_downward_only():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if here in TOP:
            continue
        for name in sorted(imports(path.read_text(encoding="utf-8"))):
            there = name.split(".")[1]
            if there not in (here, "__version__") and FLOOR.get(there, len(FLOORS)) >= FLOOR[here]:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


def test_an_upward_import_would_be_seen():
    assert imports("def f():\n    from minigpt.cli import main\n    import minigpt.train.loop\n") == {
        "minigpt.cli.main",
        "minigpt.train.loop",
    }


def test_import_is_light_and_writes_nothing():
    code = "import sys, minigpt; minigpt.Transformer; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout))
    assert "numpy" in loaded
    assert not loaded & {"matplotlib", "torch", "transformers", "tqdm", "regex", "safetensors", "hypothesis"}
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "most", "unneeded"),
    [
        (["--help"], 110, {"numpy", "minigpt.model", "minigpt.train"}),
        (["train", "no such text"], 550, {"matplotlib", "mpi4py", "jinja2", "minigpt.grade", "minigpt.check"}),
    ],
)
def test_a_command_says_its_first_word_before_it_imports_what_that_does_not_need(words, most, unneeded, tmp_path):
    code = "import sys; from minigpt.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(sorted(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert not loaded & unneeded
    assert len(loaded) < most


def test_no_rival_framework_is_imported_anywhere():
    rivals = ("torch", "transformers", "tokenizers", "tiktoken", "tensorflow", "jax")
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [module for module in modules if module.split(".")[0] in rivals], path


def test_no_two_test_files_have_one_name():
    """pytest puts every folder of tests on the path, so a module of the same name would hide another."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("*.py")]
    assert sorted(names) == sorted(set(names))
