"""minigpt: a transformer in plain NumPy, every gradient written by hand.

Quick start: a transformer learns a sentence by heart, letter by letter, and says it.

>>> import numpy as np
>>> import minigpt
>>> text = "every gradient is written by hand. "
>>> tokenizer = minigpt.CharacterTokenizer.train([text])
>>> config = minigpt.preset("tiny", vocabulary_size=tokenizer.vocabulary_size, layers=1, width=32, context=16)
>>> model = minigpt.Transformer(config)  # holds the configuration only
>>> params = model.init(np.random.default_rng(0))  # one flat vector with a named view for every array
>>> windows = np.lib.stride_tricks.sliding_window_view(tokenizer.encode(2 * text), 17)  # (B, T + 1) tokens
>>> batches = [minigpt.causal_lm(windows)] * 40
>>> losses = minigpt.fit(model, params, batches, minigpt.warmup_cosine(0.02, warmup=5, total=40))
>>> losses[-1] < 0.1 < losses[0]  # nats per letter
True
>>> "".join(minigpt.generate_text(model, params, tokenizer, "every", 30, sampling=minigpt.Sampling(temperature=0)))
' gradient is written by hand. '

`minigpt.open_model("smollm2")` opens a published model, `minigpt.check_gradient(forward, backward, *arrays)` judges a
backward of yours, `help(minigpt.generate)` shows how a name is used, and `dir(minigpt)` lists all of them. The folders
hold more: `minigpt.ops` the mathematics, `minigpt.objectives` what a model is trained to do, `minigpt.train` the
training of a run (`minigpt.train.train`), `minigpt.corpus` the cleaning of a corpus, `minigpt.privacy` what a model
gives away, `minigpt.fairness` whom it treats otherwise. The command line is told in the README.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_STUB = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
_MODULES = {line.names[0].name: line.module for line in _STUB.body if isinstance(line, ast.ImportFrom)}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    """A name of the stub beside this file, imported now that it is asked for."""
    if name not in _MODULES:
        import difflib

        near = difflib.get_close_matches(name, __all__, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "dir(minigpt) lists what it has"
        raise AttributeError(f"module 'minigpt' has no attribute {name!r}; {hint}")
    if _MODULES[name] == __name__:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*_MODULES, *(name for name in globals() if name.startswith("__"))])
