"""The playground's answers: a tiny GPT that learns in the page, its next words, who sees whom, a backward of yours."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minigpt
from minigpt.errors import UserError
from minigpt.infer.rewrite import rewrite
from minigpt.infer.sampling import distribution
from minigpt.objectives import causal_lm, loss, loss_and_gradient, prefix_lm
from minigpt.optim import adamw, clip_by_global_norm, warmup_cosine

GIVEN = Path("/home/pyodide/given")
ROWS = 8  # windows in a batch
SHOWN = 15  # candidates
_kept: dict[str, Any] = {}  # the model that learns, the one that was opened


class Learner:
    """A tiny GPT, its text, and how far it has come."""

    def __init__(self, text: str, settings: dict[str, Any]):
        context = number(settings, "context")
        if len(text) < 4 * context:
            raise UserError(
                f"the text has {len(text)} characters; give at least {4 * context}, four times the context"
            )
        self.text = text
        self.tokenizer = minigpt.CharacterTokenizer.train([text])
        tokens = self.tokenizer.encode(text)
        cut = len(tokens) - max(context + 1, len(tokens) // 10)
        self.training, self.held_out = tokens[:cut], tokens[cut:]
        config = minigpt.preset(
            "tiny",
            vocabulary_size=self.tokenizer.vocabulary_size,
            context=context,
            **{name: number(settings, name) for name in ("width", "layers", "heads")},
        )
        self.rng = np.random.default_rng(int(settings.get("seed", 0)))
        self.model = minigpt.Transformer(config)
        self.params = self.model.init(self.rng)
        self.prefix = settings.get("mask") == "prefix"
        self.optimizer = adamw(weight_decay=0.01, decayed=self.params.matrix_size)
        self.state = self.optimizer.init(self.params.flat)
        self.step, self.total = 0, number(settings, "steps")
        self.rate = warmup_cosine(
            number(settings, "rate", float), warmup=max(1, self.total // 20), total=self.total
        )

    def batch(self, tokens: np.ndarray) -> Any:
        """Windows from anywhere in the tokens."""
        length = self.model.config.context + 1
        starts = self.rng.integers(0, len(tokens) - length + 1, ROWS)
        windows = np.stack([tokens[start : start + length] for start in starts])
        return prefix_lm(windows, np.full(ROWS, length // 2)) if self.prefix else causal_lm(windows)

    def learn(self, steps: int) -> list[float]:
        """So many steps more; the loss before each."""
        losses = []
        for _ in range(min(steps, self.total - self.step)):
            value, grads = loss_and_gradient(self.model, self.params, self.batch(self.training))
            if not value < math.inf:
                raise UserError(f"the loss of step {self.step} is {value}; lower the learning rate")
            clip_by_global_norm(grads.flat, 1.0)
            self.optimizer.update(
                self.params.flat, grads.flat, self.state, learning_rate=self.rate(self.step)
            )
            losses.append(value)
            self.step += 1
        return losses


def number(settings: dict[str, Any], name: str, kind: Any = int) -> Any:
    """What a field of the page says. `UserError` if that is no number, such as a field left empty."""
    try:
        return kind(settings[name])
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UserError(f"{name.replace('_', '-')} is {settings[name]!r}; give {wanted}") from None


def known(learner: Learner, prompt: str) -> str:
    """The prompt without characters that are not in the learner's text; where nothing is left, the text's beginning."""
    characters = set(learner.text)
    return "".join(one for one in prompt if one in characters) or learner.text[:4]


def begin(settings: dict[str, Any]) -> dict[str, Any]:
    """A new model for a text."""
    learner = _kept["model"] = Learner(settings["text"], settings)
    return {
        "parameters": int(learner.params.flat.size),
        "vocabulary": learner.tokenizer.vocabulary_size,
        "guessing": math.log(learner.tokenizer.vocabulary_size),
    }


def learn(settings: dict[str, Any]) -> dict[str, Any]:
    """Some steps, then a look: losses in nats, what it writes, where the last layer of the probe's positions look."""
    learner = _chosen("model")
    losses = learner.learn(int(settings["count"]))
    held_out = loss(learner.model, learner.params, learner.batch(learner.held_out))
    prompt = known(learner, settings["prompt"])
    sample = "".join(
        minigpt.generate_text(
            learner.model,
            learner.params,
            learner.tokenizer,
            prompt,
            60,
            sampling=minigpt.Sampling(temperature=0.8),
            rng=np.random.default_rng(learner.step),
        )
    )
    return {
        "step": learner.step,
        "total": learner.total,
        "losses": losses,
        "held_out": held_out,
        "sample": prompt + sample,
        **attention({"prompt": prompt}),
    }


def attention(settings: dict[str, Any]) -> dict[str, Any]:
    """The weights of every head on the prompt, (L, H, T, T), and its pieces."""
    chosen = _chosen("model")
    tokens = chosen.tokenizer.encode(settings["prompt"] or "\n")[
        -min(24, chosen.model.config.context) :
    ]
    seen: dict[str, np.ndarray] = {}
    call = minigpt.Call(
        hook=lambda name, x: seen.setdefault(name, x) if name.endswith("attention.weights") else x
    )
    chosen.model.forward(chosen.params, tokens[None], call.forward_only())
    weights = np.stack([x[0] for name, x in seen.items()])
    return {
        "attention": np.round(weights, 3).tolist(),
        "pieces": [_piece(chosen.tokenizer, t) for t in tokens],
    }


def candidates(settings: dict[str, Any]) -> dict[str, Any]:
    """The likeliest next tokens, with their probability before and after temperature, top-k and top-p."""
    chosen = _chosen(settings.get("whose", "model"))
    if chosen.model.config.architecture != "decoder":
        raise UserError(
            f"the model is an {chosen.model.config.architecture}, which does not write; open a decoder"
        )
    tokens = chosen.tokenizer.encode(settings["prompt"] or "\n")[-chosen.model.config.context :]
    logits = chosen.model.forward(chosen.params, tokens[None])[0][:, -1].astype(np.float64)
    before = distribution(logits, minigpt.Sampling())[0]
    sampling = sampling_of(settings)
    if sampling.temperature:
        after = distribution(logits, sampling)[0]
    else:  # greedy
        after = np.zeros_like(before)
        after[before.argmax()] = 1
    rows = [
        {"token": _piece(chosen.tokenizer, i), "before": float(before[i]), "after": float(after[i])}
        for i in np.argsort(-before, kind="stable")[:SHOWN]
    ]
    return {"rows": rows, "kept": int((after > 0).sum()), "vocabulary": int(before.size)}


def write(settings: dict[str, Any]) -> dict[str, Any]:
    """A continuation of the prompt."""
    chosen = _chosen(settings.get("whose", "model"))
    pieces = minigpt.generate_text(
        chosen.model,
        chosen.params,
        chosen.tokenizer,
        settings["prompt"] or "\n",
        int(settings.get("count", 80)),
        sampling=sampling_of(settings),
        rng=np.random.default_rng(),
    )
    return {"text": "".join(pieces)}


def sampling_of(settings: dict[str, Any]) -> Any:
    """0 stands for "do not cut" of top-k."""
    return minigpt.Sampling(
        temperature=number(settings, "temperature", float),
        top_k=number(settings, "top_k") or None,
        top_p=number(settings, "top_p", float),
    )


def leaks(settings: dict[str, Any]) -> dict[str, Any]:
    """Which output moves when which input is changed, (T, T): found by changing each, not by reading the mask."""
    words = (settings["text"].split() or ["the", "keys", "are", "old"])[:10]
    numbers = np.array([[sorted(set(words)).index(word) for word in words]])
    mask, size = settings["mask"], numbers.size
    model = minigpt.Transformer(
        minigpt.preset(
            "tiny",
            vocabulary_size=len(set(words)) + 1,
            context=size,
            width=32,
            heads=4,
            layers=2,
            architecture="encoder" if mask == "encoder" else "decoder",
        )
    )
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    prefix = np.array([max(1, min(number(settings, "prefix"), size))]) if mask == "prefix" else None

    def final(tokens: np.ndarray) -> np.ndarray:
        seen: dict[str, np.ndarray] = {}
        call = minigpt.Call(hook=seen.setdefault)
        model.forward(params, minigpt.Batch(tokens, prefix=prefix), call)
        return seen["final"][0]

    plain, moved = final(numbers), np.zeros((size, size), bool)
    for j in range(size):
        changed = numbers.copy()
        changed[0, j] = len(set(words))
        moved[:, j] = np.abs(final(changed) - plain).max(1) > 1e-12
    asked = np.arange(size) if prefix is None else np.arange(int(prefix[0]) - 1, size)
    leaking = [int(i) for i in asked if i + 1 < size and moved[i, i + 1]]
    return {"words": words, "moved": moved.tolist(), "leaking": leaking, "asked": asked.tolist()}


def open_files(settings: dict[str, Any]) -> dict[str, Any]:
    """Open what was given as files: an archive of g2p, or the folder of a run or of a published model."""
    names = [GIVEN / name for name in settings["names"]]
    if not names:
        raise UserError("no file was chosen; choose the archive of g2p, or the folder of a model")
    alone = len(names) == 1 and names[0].parent == GIVEN  # not the only file of a folder
    if alone and names[0].suffix == ".npz":
        from minigpt.pretrained.archive import model_of_archive

        opened: Any = Opened(*model_of_archive(names[0], dtype=np.float32))
    elif alone:
        opened = minigpt.open_model(names[0], quantized=names[0].suffix == ".gguf")
    else:
        marks = ("run.json", "config.json")
        tops = {name.parent for name in names if name.name in marks}
        if not tops:
            raise UserError("the folder is no model's: it has neither a run.json nor a config.json")
        opened = minigpt.open_model(min(tops, key=lambda folder: len(folder.parts)))
    _kept["opened"] = opened
    config = opened.model.config
    size = sum(math.prod(array.shape) for array in opened.model.arrays().values())
    return {
        "architecture": config.architecture,
        "layers": config.layers,
        "width": config.width,
        "parameters": int(size),
    }


class Opened:
    """A model, its parameters and its tokenizer."""

    def __init__(self, model: Any, params: Any, tokenizer: Any):
        self.model, self.params, self.tokenizer = model, params, tokenizer


def use(settings: dict[str, Any]) -> dict[str, Any]:
    """What the opened model is for: sounds of a word, likeness of sentences, a continuation."""
    opened, lines = (
        _chosen("opened"),
        [line for line in settings["text"].splitlines() if line.strip()],
    )
    kind = opened.model.config.architecture
    if kind == "encoder-decoder":
        said = [
            f"{line}: {rewrite(opened.model, opened.params, opened.tokenizer, line, 60)}"
            for line in lines[:10]
        ]
        return {"text": "\n".join(said)}
    if kind == "encoder":
        vectors = minigpt.embed(opened.model, opened.params, opened.tokenizer, lines[:12])
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [
            f"{value:6.2f}  {line}"
            for value, line in zip(vectors @ vectors[0], lines, strict=False)
        ]
        return {"text": "cosine with the first line\n" + "\n".join(rows)}
    return write(
        {
            "whose": "opened",
            "prompt": settings["text"],
            "temperature": 0.8,
            "top_k": 0,
            "top_p": 0.95,
        }
    )


def check(settings: dict[str, Any]) -> dict[str, Any]:
    """A pair of functions, NAME_forward and NAME_backward, against numerical slopes."""
    names: dict[str, Any] = {"np": np}
    exec(compile(settings["source"], "<yours>", "exec"), names)
    pairs = [
        name[:-8]
        for name in names
        if name.endswith("_forward") and name[:-8] + "_backward" in names
    ]
    if len(pairs) != 1:
        raise UserError("define one pair of functions, NAME_forward and NAME_backward")
    forward, backward = names[pairs[0] + "_forward"], names[pairs[0] + "_backward"]
    count = forward.__code__.co_argcount
    rng = np.random.default_rng(int(settings.get("seed", 0)))
    arrays = [rng.standard_normal((3, 4)) for _ in range(count)]
    report = minigpt.check_gradient(forward, backward, *arrays)
    return {"passed": bool(report.passed), "text": str(report)}


def answer(what: str, settings: str, emit: Callable[[str, str, str], None]) -> str:
    """The JSON of an answer; `problem` holds the sentence if there is none."""
    try:
        return json.dumps(ANSWERS[what](json.loads(settings)))
    except UserError as error:
        return json.dumps({"problem": str(error).replace(f"{GIVEN}/", "")})
    except Exception as error:
        return json.dumps({"problem": f"{type(error).__name__}: {error}"})


ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "begin": begin, "learn": learn, "attention": attention, "candidates": candidates, "write": write, "leaks": leaks,
    "open": open_files, "use": use, "check": check,
}  # fmt: skip


def _chosen(name: str) -> Any:
    if name not in _kept:
        raise UserError(
            "train a model first" if name == "model" else "open a model from a file first"
        )
    return _kept[name]


def _piece(tokenizer: Any, token: int) -> str:
    return tokenizer.decode([int(token)])
