"""What a stack begins with: each kind of input, and how it becomes vectors of the model's width.

A kind is a record: the arrays it needs, its forward and its backward. The rest of a beginning (positions, segments,
normalization, dropout) is the same for all, in `minigpt.model.stack`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from minigpt.model.arrays import Arrays
from minigpt.model.inputs import frames, images, patches, tokens
from minigpt.model.inputs.tokens import TOKENS


class Input(NamedTuple):
    """A kind of input."""

    arrays: Callable[[str, Any], Arrays]  # (prefix, config) -> its arrays
    forward: Callable[..., tuple[Any, Any]]  # (params, prefix, config, inputs, call) -> x: (B, T, C), cache
    backward: Callable[..., None]  # (grads, prefix, config, dx, cache): writes or adds gradients
    length: Callable[[Any, Any], int]  # (config, inputs) -> T, how many vectors they become


INPUTS = {
    "tokens": Input(tokens.arrays, tokens.forward, tokens.backward, tokens.length),
    "patches": Input(patches.arrays, patches.forward, patches.backward, patches.length),
    "images": Input(images.arrays, images.forward, images.backward, images.length),
    "frames": Input(frames.arrays, frames.forward, frames.backward, frames.length),
}

__all__ = ["INPUTS", "TOKENS", "Input"]
