"""An exercise uses what its own lesson or an earlier one has taught: its imports, its words, the functions it names."""

import ast
import re
import sys
from functools import cache

import pytest

from lessons.sources import LESSONS, lesson_sources
from minigpt.grade import EXERCISES

NAMES = [path.stem for path in lesson_sources()]
each = pytest.mark.parametrize("lesson", NAMES)
WORDS = (  # technical ones
    "activation", "AdamW", "all-reduce", "attention", "backward", "batch", "bits per byte", "causal", "chunk",
    "compute", "cross-attention", "cross-entropy", "decay", "decoder", "earlier positions are kept", "embedding",
    "encoder", "expert", "exposure", "fill-in-the-middle", "gain", "GELU", "gradient", "head", "hidden unit", "key",
    "key-value", "layer norm", "learning rate", "logits", "mask", "memory", "merge", "micro-batch", "MinHash",
    "moment", "nats", "noise scale", "padding", "pipeline", "power law", "prefix", "projection", "quasi-identifier",
    "query", "rank", "ReLU", "residual stream", "reward", "ring", "shingle", "silu", "softmax", "span", "SwiGLU",
    "teacher forcing", "token", "tokenizer", "upstream", "vocabulary", "warm-up", "weight decay",
)  # fmt: skip


@cache
def prose(lesson):
    """What a lesson says, without its code and its exercises."""
    text = (LESSONS / f"{lesson}.py").read_text(encoding="utf-8").partition("# ## Exercises")[0]
    cells = text.split("# %%")
    said = " ".join(cell for cell in cells if cell.startswith(" [markdown]"))
    return " ".join(re.sub(r"\n#|[*`]", " ", said).split())


def says(text, word):
    """Whether a text has the word, alone or in the plural."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?:s|es)?(?![\w-])", text, re.IGNORECASE)


def stub(lesson):
    return ast.parse((LESSONS / "exercises" / f"{lesson}.py").read_text(encoding="utf-8"))


def asked(lesson):
    """The docstrings of a lesson's stubs, as one text."""
    nodes = [node for node in ast.walk(stub(lesson)) if isinstance(node, ast.FunctionDef)]
    return " ".join(" ".join(ast.get_docstring(node).split()) for node in nodes)


@each
def test_imports_are_numpy_and_python_s_own(lesson):
    modules = set()
    for node in ast.walk(stub(lesson)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.partition(".")[0])
    assert modules <= {"numpy", *sys.stdlib_module_names}


@each
def test_words_have_been_said_before(lesson):
    taught = " ".join(prose(name) for name in NAMES if name <= lesson)
    new = [term for term in WORDS if says(asked(lesson), term) and not says(taught, term)]
    assert not new, f"the exercises of {lesson} speak of {new}, which no lesson up to it does"


@each
def test_functions_that_are_named_belong_to_earlier_lessons(lesson):
    text = asked(lesson)
    later = [
        name
        for exercise in EXERCISES.values()
        if exercise.lesson > lesson
        for name in exercise.functions
        if "_" in name and says(text, name)
    ]
    written = {node.name for node in stub(lesson).body if isinstance(node, ast.FunctionDef)}
    assert set(later) <= written, f"the exercises of {lesson} name {later}, which later lessons ask for"


def test_a_word_too_early_would_be_seen():
    assert says("as when keys of earlier positions are kept", "earlier positions are kept")
    assert says("two Gradients of it", "gradient") and not says("upstreaming", "upstream")
    assert not says(prose("00_reading_the_article"), "micro-batch")
