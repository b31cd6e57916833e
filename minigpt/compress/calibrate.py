"""What the matrices of a model are multiplied with, block after block, on real text.

Of the inputs X, (N, inputs), of a matrix only X^T X and the mean of |X| are kept. Between two blocks the residual
stream of the whole text is kept, N C numbers. A block sees what the rounded blocks before it make of the text.

A head does not look at the values V = X W, it mixes them: A V = (A X) W, A its weights. So the inputs that count for
the matrix of the values are A X, of all heads (Kim et al. 2024, "Towards Next-Level Post-Training Quantization of
Hyper-Scale Transformers", arXiv:2402.08958). With X itself the first token of a window, at which many heads look when
they have nothing to say, counts no more than any other, and SmolLM2's values lose more than to the nearest.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Transformer, TransformerConfig
from minigpt.model.arrays import MATRIX, Arrays
from minigpt.model.block import block_forward
from minigpt.model.masks import Sight, encoder_sight
from minigpt.model.stack import begin_forward, end_forward, rotary_of
from minigpt.pretrained.quantized_matrix import StoredWeights
from minigpt.text.frame import frame_of

LONGEST = 512  # tokens in a window
AT_ONCE = 2048  # tokens
LEAST = 512  # tokens, below which nothing can be said

VALUES, WEIGHTS = "attention.value.weight", "attention.weights"  # also of cross-attention

Walk = Generator[tuple[str, dict[str, "Inputs"]], None, Any]


class Inputs:
    """A summary of the inputs of a matrix."""

    def __init__(self, width: int):
        self.count = 0
        self.products = np.zeros((width, width))  # X^T X
        self._sizes = np.zeros(width)

    @property
    def sizes(self) -> np.ndarray:
        """The mean of |X|: (inputs,)."""
        return self._sizes / max(1, self.count)

    def add(self, x: np.ndarray) -> None:
        """x: (..., inputs)."""
        rows = x.reshape(-1, x.shape[-1])
        self.count += len(rows)
        self.products += rows.T @ rows
        self._sizes += np.abs(rows).sum(axis=0)


class MixedInputs(Inputs):
    """Of the matrix of an attention's values: of what its heads mix."""

    def add(self, x: np.ndarray) -> None:
        """x: (..., inputs), which wait for the weights."""
        self._waiting = x

    def mix(self, weights: np.ndarray) -> np.ndarray:
        """weights: (B, H, T, S) of the inputs that wait, B S; returned as they are."""
        inputs = self._waiting.reshape(weights.shape[0], weights.shape[3], -1)
        for heads, x in zip(weights, inputs, strict=True):
            for head in heads:
                super().add(head @ x)
        return weights


class Watched:
    """A matrix that tells a summary of what it is multiplied with."""

    __array_ufunc__ = None  # so that NumPy leaves `x @ self` to this class

    def __init__(self, matrix: np.ndarray, inputs: Inputs | None):
        """inputs: None where a matrix of the same input tells them already."""
        self.matrix, self.inputs, self.shape = matrix, inputs, matrix.shape

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        if self.inputs is not None:
            self.inputs.add(x)
        return x @ self.matrix


def batches_of(model: Transformer, tokenizer: Any, ids: np.ndarray) -> list[Batch]:
    """Windows of a text, (N,) ids, as the model reads them: of an encoder with its marks around them.

    An encoder-decoder reads each window and writes it again. `UserError` for too short a text.
    """
    if len(ids) < LEAST:
        raise UserError(f"the text to calibrate with has {len(ids)} tokens, but at least {LEAST} are needed; take more")
    encoder = model.config.architecture == "encoder"
    frame = frame_of(tokenizer) if encoder else None
    contexts = [config.context for config in (model.config, model.config.encoder) if config]
    length = min(*contexts, LONGEST, len(ids)) - (frame.marks if frame else 0)
    windows = ids[: len(ids) // length * length].reshape(-1, length)
    if frame is not None:
        windows = np.stack([frame.row(window)[0] for window in windows])
    parts = np.array_split(windows, max(1, windows.size // AT_ONCE))
    return [Batch(part, source=part if model.two_stacks else None) for part in parts]


def walk(model: Transformer, weights: StoredWeights, batches: list[Batch]) -> Walk:
    """Yield each block's name and the inputs of its matrices; the caller may then change `weights`, and it goes on."""
    memories: list[Any] = [None] * len(batches)
    if model.two_stacks:
        sources = [batch.source for batch in batches]
        whole = [partial(encoder_sight, batch.source_present) for batch in batches]
        memories = yield from _stack(model, weights, "encoder.", model.config.encoder, sources, whole)
    sights: list[Callable[[tuple[int, int]], Sight]] = [
        partial(_sight, model, batch, memory) for batch, memory in zip(batches, memories, strict=True)
    ]
    yield from _stack(model, weights, "", model.config, [batch.tokens for batch in batches], sights)


def _sight(model: Transformer, batch: Batch, memory: Any, shape: tuple[int, int]) -> Sight:
    return model.sight(batch, shape, memory=memory)


def _stack(
    model: Transformer,
    weights: StoredWeights,
    prefix: str,
    config: TransformerConfig,
    inputs: list[Any],
    sights: Sequence[Callable[[tuple[int, int]], Sight]],
) -> Walk:
    """Walk one stack; returns its hidden states of each batch."""
    arrays = model.arrays()
    streams = [begin_forward(weights, prefix, config, tokens, call=Call())[0] for tokens in inputs]
    seen = []
    for see, x in zip(sights, streams, strict=True):
        seen.append(see(x.shape[:2])._replace(rotary=rotary_of(config, np.arange(x.shape[1]), x.dtype)))
    for layer in range(config.layers):
        name = f"{prefix}blocks.{layer}"
        watched, found = _watch(weights, name, arrays)
        watch = Call(hook=partial(_mixed, found))
        for x, sight in zip(streams, seen, strict=True):
            block_forward(watched, name, config, x, sight=sight, call=watch)
        yield name, found
        for number, sight in enumerate(seen):
            streams[number] = block_forward(weights, name, config, streams[number], sight=sight, call=Call())[0]
    return [end_forward(weights, prefix, config, x, call=Call())[0] for x in streams]


def _watch(weights: StoredWeights, block: str, arrays: Arrays) -> tuple[StoredWeights, dict[str, Inputs]]:
    """The weights with the block's matrices watched, and their inputs, one summary for all that lie side by side.

    But the values have one of their own.
    """
    watched, found = StoredWeights(weights), {}
    words: dict[str, Inputs] = {}
    for name in matrices_of(block, arrays):
        values, width = name.endswith(VALUES), arrays[name].shape[0]
        word = name if values else arrays[name].beside or name
        first = word not in words
        inputs = words.setdefault(word, MixedInputs(width) if values else Inputs(width))
        watched[name], found[name] = Watched(weights[name], inputs if first else None), inputs
    return watched, found


def _mixed(found: dict[str, Inputs], name: str, x: np.ndarray) -> np.ndarray:
    """A hook: the weights of an attention go to its values' inputs."""
    inputs = found.get(name.removesuffix(WEIGHTS) + VALUES) if name.endswith(WEIGHTS) else None
    return inputs.mix(x) if isinstance(inputs, MixedInputs) else x


def matrices_of(block: str, arrays: Arrays) -> list[str]:
    """The names of a block's matrices."""
    return [name for name, one in arrays.items() if one.block == block and one.kind == MATRIX and len(one.shape) == 2]
