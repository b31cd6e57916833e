"""The decoder-only transformer: tokens in, a score for every possible next token out.

Radford et al. (2018, 2019), GPT-1 and GPT-2: the decoder of Vaswani et al. (2017) without cross-attention.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.block import block_backward, block_forward, block_shapes
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Params
from minigpt.model.parts import Shapes, apply_dropout, apply_norm, back_norm, norm_shapes
from minigpt.model.run import Batch, Run
from minigpt.ops import (
    causal_mask,
    dropout_backward,
    embedding_backward,
    embedding_forward,
    linear_backward,
    linear_forward,
    rotary_angles,
    sinusoidal_positions,
)


class TransformerCache(NamedTuple):
    embedding: Any
    positions: np.ndarray  # (T,)
    dropout: Any
    blocks: list[Any]
    norm: Any
    head: Any


class Transformer:
    """A configuration and what follows from it. Parameters, activations and randomness are passed in and out."""

    def __init__(self, config: TransformerConfig):
        self.config = config

    def shapes(self) -> Shapes:
        """Name and shape of every parameter array."""
        config = self.config
        shapes: Shapes = {"token_embedding.weight": (config.vocabulary_size, config.width)}
        if config.position == "learned":
            shapes["position_embedding.weight"] = (config.context, config.width)
        for layer in range(config.layers):
            shapes.update(block_shapes(f"blocks.{layer}", config))
        if config.norm_place == "pre":
            shapes.update(norm_shapes("final_norm", config))
        if not config.tied:
            shapes["head.weight"] = (config.width, config.vocabulary_size)
        return shapes

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
                residual = name.endswith(("attention.output.weight", "feed_forward.down.weight"))
                std = self.config.init_std / (math.sqrt(2 * self.config.layers) if residual else 1)
                array[...] = std * rng.standard_normal(array.shape)
        return params

    def forward(self, params: Params, batch: Batch | np.ndarray, run: Run = Run()) -> tuple[np.ndarray, Any]:
        """Scores of the next token at every position.

        batch: a `Batch`, or its tokens alone, (B, T) integers. Returns logits: (B, T, V) and the cache for `backward`.
        `UserError` if there are more positions than the context, or a token is outside the vocabulary.
        """
        x, cache = self.hidden(params, batch, run)
        logits, head_cache = self.logits(params, x)
        return run.tap("logits", logits), cache._replace(head=head_cache)

    def hidden(self, params: Params, batch: Batch | np.ndarray, run: Run) -> tuple[np.ndarray, TransformerCache]:
        """All of `forward` but the head: the final hidden states (B, T, C) and their cache."""
        config = self.config
        tokens = batch.tokens if isinstance(batch, Batch) else batch
        start = run.past.length if run.past is not None else 0
        positions = np.arange(start, start + tokens.shape[1])
        if len(positions) == 0 or positions[-1] >= config.context:
            raise UserError(
                f"{start + len(positions)} positions do not fit the context of 1 to {config.context}; shorten the input"
            )
        x, embedding_cache = embedding_forward(tokens, params["token_embedding.weight"])  # (B, T, C)
        x, rotary = self._add_positions(params, x, positions)
        x, dropout_cache = apply_dropout(config, x, run)
        x = run.tap("embedding", x)
        # A single query is the last position, which sees everything: no mask.
        mask = causal_mask(len(positions), start + len(positions)) if len(positions) > 1 else None
        blocks = []
        for layer in range(config.layers):
            x, block_cache = block_forward(params, f"blocks.{layer}", config, x, mask=mask, rotary=rotary, run=run)
            blocks.append(block_cache)
        norm_cache = None
        if config.norm_place == "pre":
            x, norm_cache = apply_norm(params, "final_norm", config, x)
        return run.tap("final", x), TransformerCache(
            embedding_cache, positions, dropout_cache, blocks, norm_cache, None
        )

    def logits(self, params: Params, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """The head: hidden states (..., C) to logits (..., V), through the token embedding when it is tied."""
        weight = params["token_embedding.weight"].T if self.config.tied else params["head.weight"]  # (C, V)
        return linear_forward(x, weight)

    def backward(
        self,
        params: Params,
        cache: TransformerCache,
        dlogits: np.ndarray,
        run: Run = Run(),
        *,
        grads: Params | None = None,
    ) -> Params:
        """Gradients of all parameters, given dlogits: (B, T, V).

        grads: where to write them (overwritten); None makes a new `Params`.
        """
        config = self.config
        grads = params.zeros_like() if grads is None else grads
        dembedding = grads["token_embedding.weight"]
        if config.tied:
            dx = linear_backward(dlogits, cache.head, out=(dembedding.T, None))[0]
        else:
            dembedding[...] = 0
            dx = linear_backward(dlogits, cache.head, out=(grads["head.weight"], None))[0]
        dx = run.tap("dfinal", dx)
        if config.norm_place == "pre":
            dx = back_norm(grads, "final_norm", config, dx, cache.norm)
        for layer in reversed(range(config.layers)):
            dx = block_backward(grads, f"blocks.{layer}", config, dx, cache.blocks[layer], run=run)
        dx = dropout_backward(run.tap("dembedding", dx), cache.dropout)
        if config.position == "learned":
            grads["position_embedding.weight"][...] = 0
            grads["position_embedding.weight"][cache.positions] = dx.sum(axis=0)  # every sequence used the same rows
        if config.scale_embedding:
            dx = dx * math.sqrt(config.width)
        embedding_backward(dx, cache.embedding, add_to=dembedding)  # a tied table has two uses: two gradients
        return grads

    def _add_positions(self, params, x, positions):
        """x with positions added to it, and the angles for rotary positions (which act inside attention), or None."""
        config = self.config
        if config.scale_embedding:
            x = x * math.sqrt(config.width)
        if config.position == "learned":
            return x + params["position_embedding.weight"][positions], None
        if config.position == "sinusoidal":
            return x + sinusoidal_positions(positions, config.width, dtype=x.dtype), None
        return x, rotary_angles(positions, config.head_width, theta=config.rotary_theta, dtype=x.dtype)
