"""A GPT of a student's pieces: whose they are, which is wrong, and what it does as a whole."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import thorough

import minigpt
from lessons.sources import LESSONS
from minigpt import Transformer, TransformerConfig, UserError
from minigpt.check.model import random_params
from minigpt.cli import main
from minigpt.grade import EXERCISES, Exam
from minigpt.grade.assembled import assemble as assembling
from minigpt.grade.assembled import gpt, parts, pieces
from minigpt.grade.assembled.assemble import Assembled, Lesson, assemble, train_library
from minigpt.grade.assembled.told import as_values, as_words
from minigpt.grade.operation import judge_operation
from minigpt.grade.sandbox import Direct
from minigpt.grade.work import Work, read_work
from minigpt.text import CharacterTokenizer, Corpus

pytestmark = pytest.mark.usefixtures("patient_grader")
SEED = 5
OPERATIONS = ("linear", "layer_norm", "gelu_tanh", "attention", "embedding", "cross_entropy")
WRONG = {  # piece -> its lesson, what is written below the solution, words of the mistake that is named
    "next_token_batch": (
        "01",
        "def next_token_batch(tokens, starts, length):\n"
        "    windows = tokens[starts[:, None] + np.arange(length)]\n    return windows, windows",
        "targets are the inputs themselves",
    ),
    "causal_mask": (
        "02",
        "def causal_mask(length):\n    return ~np.tri(length, dtype=bool)",
        "mask is inverted",
    ),
    "split_heads": (
        "02",
        "def split_heads(x, heads):\n    batch, length, width = x.shape\n"
        "    return x.reshape(batch, heads, length, width // heads)",
        "reshape to (B, H, T, D) mixes tokens",
    ),
    "gelu_tanh": (
        "03",
        "def gelu_tanh_backward(dy, cache):\n    x, t = cache\n    return dy * 0.5 * (1 + t)",
        "the product rule adds x times",
    ),
    "sample_top_k": (
        "04",
        "def sample_top_k(logits, k, uniform):\n    kept = np.argsort(-logits, kind='stable')[:k]\n"
        "    p = np.exp(logits[kept] - logits[kept].max())\n"
        "    return int(kept[min(np.searchsorted(np.cumsum(p / p.sum()), uniform, side='right'), k - 1)])",
        "from the likeliest on",
    ),
    "linear": (
        "05",
        "def linear_backward(dy, cache):\n    x, weight = cache\n    rows = dy.reshape(-1, weight.shape[1])\n"
        "    return dy @ weight.T, x.reshape(-1, weight.shape[0]).T @ rows, rows.mean(axis=0)",
        "mean",
    ),
    "layer_norm": (
        "05",
        "def layer_norm_backward(dy, cache):\n    n, std, gain = cache\n    h = dy * gain\n"
        "    rows = tuple(range(dy.ndim - 1))\n"
        "    return (h - h.mean(-1, keepdims=True)) / std, (dy * n).sum(axis=rows), dy.sum(axis=rows)",
        "variance",
    ),
    "attention": (
        "05",
        "def attention_backward(dy, cache):\n    q, k, v, w = cache\n    dw = dy @ v.swapaxes(-1, -2)\n"
        "    ds = w * (dw - (dw * w).sum(-1, keepdims=True))\n"
        "    return ds @ k, ds.swapaxes(-1, -2) @ q, w.swapaxes(-1, -2) @ dy",
        "1/sqrt(D) is left out",
    ),
    "adamw_step": (
        "06",
        "def adamw_step(p, g, m, v, step, *, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):\n"
        "    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g\n"
        "    return p - learning_rate * (m / (np.sqrt(v) + epsilon) + weight_decay * p), m, v",
        "bias correction",
    ),
    "clip_by_global_norm": (
        "06",
        "def clip_by_global_norm(gradient, maximum):\n    return np.clip(gradient, -maximum, maximum)",
        "clipped each entry",
    ),
    "warmup_cosine": (
        "06",
        "def warmup_cosine(step, *, peak, warmup, total, final=0.1):\n    share = (step - warmup) / (total - warmup)\n"
        "    return peak * step / warmup if step < warmup else "
        "peak * (final + (1 - final) * (1 + math.cos(math.pi * min(1.0, share))) / 2)",
        "warm-up begins at 0",
    ),
    "embedding": (
        "13",
        "def embedding_backward(dy, cache):\n    tokens, shape = cache\n    dweight = np.zeros(shape, dy.dtype)\n"
        "    dweight[tokens] += dy\n    return dweight",
        "twice",
    ),
    "cross_entropy": (
        "13",
        "def cross_entropy_backward(dloss, cache):\n    logp, wanted, asked = cache\n"
        "    return (np.exp(logp) - wanted) * asked[..., None] * dloss",
        "divide by their number",
    ),
    "block": (
        "13",
        "def block_backward(dy, cache, norm1, attention, norm2, network):\n"
        "    cache1, cache2, cache3, cache4 = cache\n"
        "    dy = norm2.backward(network.backward(dy, cache4), cache3)\n"
        "    return norm1.backward(attention.backward(dy, cache2), cache1)",
        "straight down the stream",
    ),
}


def solution(number):
    (path,) = (LESSONS / "solutions").glob(f"{number}_*.py")
    return path.read_text(encoding="utf-8")


def folder_of(tmp_path, **files):
    """A student's folder; name -> source."""
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def library_ops():
    """All of the library's pieces."""
    plain = {name: EXERCISES[name].right for name in parts.NAMES if not hasattr(pieces, f"{name}_forward")}
    return SimpleNamespace(**{**vars(pieces), **plain})


@pytest.fixture(autouse=True)
def short_text(monkeypatch):
    """A corpus that is there at once."""
    monkeypatch.setattr(
        assembling, "load_corpus", lambda *_, **__: Corpus("fables", ("The fox met a hen by the old gate. " * 40,), ())
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_textbook_pieces_are_the_library(operation):
    names = [f"{operation}_forward", f"{operation}_backward"]
    assert "are right in" in judge_operation(operation, Direct(**{name: getattr(pieces, name) for name in names}))


def test_the_plain_gpt_is_the_transformer():
    config = TransformerConfig(vocabulary_size=13, context=6, width=12, layers=3, heads=3, feed_forward_width=20)
    model = Transformer(config)
    params = random_params(model, np.random.default_rng(1))
    windows = np.random.default_rng(2).integers(0, 13, (4, 7))
    loss, grads = minigpt.loss_and_gradient(model, params, minigpt.causal_lm(windows))
    yours, g = gpt.loss_and_gradient(dict(params.items()), windows[:, :-1], windows[:, 1:], 3, library_ops())
    assert yours == pytest.approx(float(loss), rel=1e-12)
    for name in params:
        np.testing.assert_allclose(g[name], grads[name], rtol=1e-9, atol=1e-12)


def test_the_plain_training_is_the_library_s():
    text = "the cat and the hat " * 30
    tokenizer = CharacterTokenizer.train([text])
    lesson = Lesson(tokenizer, tokenizer.encode(text).astype(np.int64), np.arange(60).reshape(20, 3))
    windows = [lesson.windows(step) for step in range(20)]
    config = TransformerConfig(vocabulary_size=tokenizer.vocabulary_size, context=64, width=12, layers=1, heads=3)
    model = Transformer(config)
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    decayed = [name for name, record in params.arrays.items() if record.decays]
    _, state = gpt.begin({name: array.copy() for name, array in params.items()}, decayed, lesson.tokens)
    settings = {**assembling.SETTINGS, **assembling.warmed_up(20), "context": 64}
    yours = gpt.train(state, lesson.starts, 0, 3, settings, library_ops())
    np.testing.assert_allclose(yours, train_library(model, params, windows, assembling.SETTINGS), rtol=1e-9)
    np.testing.assert_allclose(state.w["blocks.0.attention.key.weight"], params["blocks.0.attention.key.weight"])


@pytest.mark.parametrize("name", parts.NAMES)
def test_a_wrong_piece_is_named_with_its_mistake(name):
    lesson, code, words = WRONG[name]
    work = Work(f"{lesson}.py", ((f"{lesson}.py", f"{solution(lesson)}\n\n{code}\n".encode()),))
    found = {piece.name: piece for piece in parts.find_pieces([work], Exam.of(seed=SEED))}
    assert [piece.name for piece in found.values() if piece.wrong] == [name]
    assert words in found[name].result.likely
    assert "of lesson" in next(piece for piece in found.values() if piece.work is None).origin


def test_of_two_versions_the_right_one_is_taken_and_a_half_is_none():
    wrong = Work("b.py", (("b.py", f"{solution('05')}\n\n{WRONG['layer_norm'][1]}".encode()),))
    works = [read_work(LESSONS / "solutions" / "02_self_attention.py"), wrong]
    right = Work("c.py", (("c.py", solution("05").encode()),))
    found = {piece.name: piece for piece in parts.find_pieces([*works, right], Exam.of(seed=SEED))}
    assert (found["layer_norm"].work, found["linear"].work) == (right, wrong)
    assert found["attention"].work is wrong  # 02 has the forward alone
    assert found["block"].work is None


def test_what_is_sent_holds_no_answer_to_what_is_written():
    """A student's file that stands beside the library's pieces finds only those that it lacks."""
    missing = [piece for piece in parts.find_pieces([], Exam.of(seed=SEED)) if piece.name in ("linear", "causal_mask")]
    ((_, source),) = parts.library_source(missing).blocks
    assert source.count(b"def ") == 3
    assert b"attention" not in source and b"layer_norm" not in source


def test_a_folder_becomes_a_gpt(tmp_path, capsys):
    folder = folder_of(tmp_path, a=solution("02"), b=solution("13"))
    curve = tmp_path / "curve.png"
    assert main(["grade", str(folder), "--assemble", "--steps", "12", "--seed", "3", "--curve", str(curve)]) == 0
    said = capsys.readouterr().out
    assert "5 of 14 pieces are yours" in said
    assert "the library; linear_forward and linear_backward of lesson 05 are missing" in said
    assert "equals central differences" in said and "the same to rounding" in said
    assert curve.read_bytes().startswith(b"\x89PNG")


def test_a_wrong_backward_shows_in_the_whole(tmp_path, capsys):
    folder = folder_of(tmp_path, mine=f"{solution('13')}\n\n{WRONG['block'][1]}\n")
    found = assemble(folder, Exam.of(seed=3), steps=4)
    assert not found.passed and not found.problem
    assert "the gradient of token_embedding.weight is wrong" in found.gradient
    assert found.yours[0] == pytest.approx(found.library[0], abs=1e-5) and found.apart > 0.001
    said = as_words(found)
    assert "WRONG  block" in said and "likely: Your backward goes through the layers alone" in said
    assert "The piece to look at: block" in said and "Your curve is not the library's" in said
    values = json.loads(json.dumps(as_values(found)))
    assert [row["piece"] for row in values["pieces"] if row["right"] is False] == ["block"]


def test_curves_that_agree_do_not_hide_a_wrong_gradient():
    found = Assembled([], SEED, gradient="the gradient of x is wrong", yours=[2.0, 1.5], library=[2.0, 1.503])
    said = as_words(found)
    assert "never more than 3.0e-03 nats apart, and yet the gradient is wrong" in said and "to rounding" not in said


def test_a_wrong_forward_shows_in_the_loss_of_the_whole(tmp_path):
    folder = folder_of(tmp_path, mine=f"{solution('02')}\n\n{WRONG['causal_mask'][1]}\n")
    found = assemble(folder, Exam.of(seed=3), steps=2)
    assert "the loss of the whole is wrong: yours" in found.gradient


@thorough
@pytest.mark.parametrize(("code", "message"), [
    ("while True: pass", "took longer than 2 seconds and was stopped"),
    ("np.ones(10**12)", "needs more than 300 MB of memory in line"),
    ("1 / 0", "raises ZeroDivisionError in line"),
    ("import os; os._exit(0)", "ended the process that graded it"),
    ("open('/etc/passwd')", "may not read or change files outside"),
    ("import minigpt", "may not import minigpt"),
    ("return np.nan * weight[tokens], cache", "not finite"),
])  # fmt: skip
def test_limits_hold_in_the_whole(tmp_path, code, message):
    """A piece that is right while it is judged alone, and does something else once it is called often."""
    source = f"{solution('13')}\n\ncalls = []\nright = embedding_forward\ndef embedding_forward(tokens, weight):\n"
    source += (
        f"    cache = right(tokens, weight)[1]\n    calls.append(1)\n    if weight.shape == (11, 12):\n        {code}\n"
    )
    source += "    return right(tokens, weight)\n"
    seconds = 2 if "while True" in code else 120  # or a slow machine would end the others too soon
    found = assemble(folder_of(tmp_path, mine=source), Exam.of(seed=3, seconds=seconds, megabytes=300), steps=2)
    assert not found.passed and message in found.problem


def test_what_cannot_be_assembled_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no piece of a GPT"):
        assemble(folder_of(tmp_path, mine=solution("00")), Exam.of(seed=3))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no \.py file and no notebook"):
        assemble(tmp_path / "empty", Exam.of(seed=3))
    with pytest.raises(UserError, match="there is no file or folder"):
        assemble(tmp_path / "gone", Exam.of(seed=3))


@pytest.mark.parametrize("flags", [
    ["--assemble", "--lesson", "05"],
    ["--assemble", "--csv"],
    ["--steps", "3"],
    ["--curve", "x.png"],
])  # fmt: skip
def test_flags_that_do_not_go_together(tmp_path, flags, capsys):
    assert main(["grade", str(tmp_path), *flags]) == 2
    assert "--assemble" in capsys.readouterr().err
