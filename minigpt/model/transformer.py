"""The transformer: a decoder, an encoder, or both, from one stack.

Decoder: Radford et al. (2018, 2019), GPT-1 and GPT-2. Encoder: Devlin et al. (2018), BERT. Both: Vaswani et al. (2017)
and Lewis et al. (2020), BART. They differ in what each position may see, which is `_sight`, and in nothing else.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.block import Sight
from minigpt.model.call import Batch, Call
from minigpt.model.config import TransformerConfig
from minigpt.model.head import head_backward, head_forward, head_shapes, language_logits
from minigpt.model.params import Params
from minigpt.model.parts import Shapes
from minigpt.model.stack import TOKENS, StackCache, stack_backward, stack_forward, stack_shapes
from minigpt.ops import causal_mask, padding_mask


class TransformerCache(NamedTuple):
    stack: StackCache
    encoder: StackCache | None  # of an encoder-decoder
    memory: np.ndarray | None  # (B, S, C)  what it made of the source
    head: Any


class Transformer:
    """A configuration and what follows from it. Parameters, activations and randomness are passed in and out."""

    def __init__(self, config: TransformerConfig):
        self.config = config

    @property
    def two_stacks(self) -> bool:
        """Whether there is an encoder beside a decoder."""
        return self.config.architecture == "encoder-decoder"

    def shapes(self) -> Shapes:
        """Name and shape of every parameter array."""
        config = self.config
        shapes: Shapes = {TOKENS: (config.vocabulary_size, config.width)}
        if self.two_stacks:
            shapes.update(stack_shapes("encoder.", config.encoder()))
        shapes.update(stack_shapes("", config, cross=self.two_stacks))
        return {**shapes, **head_shapes(config)}

    def init(self, rng: np.random.Generator, *, dtype: Any = np.float32) -> Params:
        """Fresh parameters: matrices normal with `init_std`, gains 1, biases 0.

        The matrices that write into the residual stream are smaller by sqrt(2 L), so that the sum of 2 L such writes
        does not grow with depth (Radford et al. 2019, section 2.3).
        """
        params = Params(self.shapes(), dtype=dtype)
        for name, array in params.items():
            if name.endswith(".gain"):
                array[...] = 1
            elif array.ndim > 1:
                residual = name.endswith(("attention.output.weight", ".down.weight"))
                std = self.config.init_std / (math.sqrt(2 * self.config.layers) if residual else 1)
                array[...] = std * rng.standard_normal(array.shape)
        return params

    def forward(self, params: Params, batch: Batch | np.ndarray, call: Call = Call()) -> tuple[Any, TransformerCache]:
        """What the head says (with a language head the scores of the next token, (B, T, V)), and the cache.

        batch: a `Batch`, or its tokens alone, (B, T) integers. For the other heads see `minigpt.model.head`.
        `UserError` if there are more positions than the context, or a token is outside the vocabulary.
        """
        batch = _as_batch(batch)
        x, cache = self.hidden_states(params, batch, call)
        output, head_cache = head_forward(params, self.config, x, batch.present, call)
        if isinstance(output, np.ndarray):
            output = call.hook("logits", output)
        return output, cache._replace(head=head_cache)

    def encode(self, params: Params, batch: Batch, call: Call = Call()) -> tuple[np.ndarray, StackCache]:
        """What the encoder of an encoder-decoder makes of the source: (B, S, C), and the cache."""
        if batch.source is None:
            raise UserError("an encoder-decoder needs a text for its encoder; give the batch a source")
        mask = None if batch.source_present is None else padding_mask(batch.source_present)
        call = replace(call, past=None)  # what is read as a whole has no past
        return stack_forward(params, "encoder.", self.config.encoder(), batch.source, sight=Sight(mask), call=call)

    def hidden_states(
        self, params: Params, batch: Batch | np.ndarray, call: Call = Call(), *, memory: np.ndarray | None = None
    ) -> tuple[np.ndarray, TransformerCache]:
        """All of `forward` but the head: the final hidden states (B, T, C) and their cache.

        memory: what `encode` gave before, while writing; None encodes the batch's source.
        """
        batch = _as_batch(batch)
        encoder_cache = None
        if self.two_stacks and memory is None:
            memory, encoder_cache = self.encode(params, batch, call)
        start = call.past.length if call.past is not None else 0
        sight = self._sight(batch, start, memory)
        x, stack_cache = stack_forward(
            params, "", self.config, batch.tokens, sight=sight, start=start, segments=batch.segments, call=call
        )
        return x, TransformerCache(stack_cache, encoder_cache, memory, None)

    def logits(self, params: Params, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """A language head alone: hidden states (..., C) to logits (..., V)."""
        return language_logits(params, self.config, x)

    def backward(
        self,
        params: Params,
        cache: TransformerCache,
        doutput: Any,
        call: Call = Call(),
        *,
        grads: Params | None = None,
    ) -> Params:
        """Gradients of all parameters, given that of what `forward` returned.

        grads: where to write them (overwritten); None makes a new `Params`.
        """
        config = self.config
        grads = params.zeros_like() if grads is None else grads
        if not config.tied or config.head not in ("language", "masked", "pretraining"):
            grads[TOKENS][...] = 0  # a tied head overwrites it; everything after adds to it
        dx = head_backward(grads, config, doutput, cache.head, call)
        dmemory = None if cache.memory is None else np.zeros_like(cache.memory)
        stack_backward(params, grads, "", config, dx, cache.stack, call=call, dmemory=dmemory)
        if cache.encoder is not None:
            stack_backward(params, grads, "encoder.", config.encoder(), dmemory, cache.encoder, call=call)
        return grads

    def _sight(self, batch: Batch, start: int, memory: np.ndarray | None) -> Sight:
        """Who may look where. This is the difference between an encoder and a decoder, all of it."""
        length = batch.tokens.shape[1]
        mask = None
        # A single query is the last position, which sees everything: no mask.
        if self.config.architecture != "encoder" and length > 1:
            mask = causal_mask(length, start + length)  # (T, S)
            if batch.prefix is not None:
                mask = mask | (np.arange(start + length) < batch.prefix[:, None, None, None])  # (B, 1, T, S)
        if batch.present is not None:
            mask = padding_mask(batch.present) if mask is None else mask & padding_mask(batch.present)
        memory_mask = None if batch.source_present is None else padding_mask(batch.source_present)
        return Sight(mask, None, memory, memory_mask)


def _as_batch(batch: Batch | np.ndarray) -> Batch:
    return batch if isinstance(batch, Batch) else Batch(batch)
