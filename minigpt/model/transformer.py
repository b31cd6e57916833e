"""The transformer: a decoder, an encoder, or both, from one stack; or a pipeline stage's part of it.

Decoder: Radford et al. (2018, 2019), GPT-1 and GPT-2. Encoder: Devlin et al. (2018), BERT. Both: Vaswani et al. (2017)
and Lewis et al. (2020), BART. They differ in what each position may see, which is in `minigpt.model.masks`, and in
nothing else.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.ahead import (
    ahead_arrays,
    ahead_backward,
    ahead_forward,
    areas_backward,
    areas_forward,
    counted_ahead,
)
from minigpt.model.arrays import Arrays, cut_array, cut_arrays, part
from minigpt.model.call import Batch, Call, Span
from minigpt.model.config import TransformerConfig
from minigpt.model.head import head_arrays, head_backward, head_forward, hook_answers, language_logits, ties_tokens
from minigpt.model.inputs import TOKENS
from minigpt.model.masks import Sight, decoder_sight, encoder_sight, needs_rules, ruled_sight
from minigpt.model.params import Gradients, Params, Weights, check_dtype
from minigpt.model.stack import (
    StackCache,
    begin_arrays,
    blocks_arrays,
    end_arrays,
    positions_from,
    stack_arrays,
    stack_backward,
    stack_forward,
)


class TransformerCache(NamedTuple):
    stack: StackCache  # of a pipeline stage: what it has of it
    encoder: StackCache | None  # of an encoder-decoder
    memory: np.ndarray | None  # (B, S, C)  what it made of the source
    head: Any
    projector: Any = None  # of what the encoder made, where that stands ahead of the tokens


class Transformer:
    """A configuration and what follows from it. Parameters, activations and randomness are passed in and out.

    stage, stages: of a pipeline, in which every stage has some of the blocks; the first also begins, the last also
    answers. Alone, a model is the first and the last of one.

    Parameters
    ----------
    config : TransformerConfig
        What it is made of.
    stage, stages : int
        See above.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50))
    >>> params = model.init(np.random.default_rng(0))
    >>> logits, cache = model.forward(params, np.array([[5, 6, 7]]))  # (B, T, V)
    >>> logits.shape
    (1, 3, 50)
    >>> grads = model.backward(params, cache, np.ones_like(logits))  # of the sum of all logits
    >>> grads["blocks.3.attention.query.weight"].shape
    (128, 128)
    """

    def __init__(self, config: TransformerConfig, *, stage: int = 0, stages: int = 1) -> None:
        """`UserError` if the model cannot be cut into so many stages."""
        if stages > config.layers:
            raise UserError(f"{stages} pipeline stages are more than the {config.layers} layers; use fewer stages")
        if stages > 1 and config.architecture == "encoder-decoder":
            raise UserError("a pipeline is for one stack, and an encoder-decoder has two; cut it in another way")
        if stages > 1 and config.experts:
            raise UserError("a mixture of experts is trained in one process; the other schemes do not share it out yet")
        self.config, self.stage, self.stages = config, stage, stages
        self.layers = part(config.layers, stage, stages)
        self.first, self.last = stage == 0, stage == stages - 1

    @property
    def two_stacks(self) -> bool:
        """Whether there is an encoder beside a decoder."""
        return self.config.encoder is not None

    def arrays(self) -> Arrays:
        """Name and record of every parameter array. A tied token table is on the first and on the last stage."""
        config = self.config
        arrays: Arrays = {}
        if self.two_stacks:
            arrays |= stack_arrays("encoder.", config.encoder)
        begin = begin_arrays("", config)
        if self.first:
            arrays |= begin
        elif self.last and ties_tokens(config):
            arrays[TOKENS] = begin[TOKENS]
        if config.encoder_ahead:
            arrays |= ahead_arrays(config)
        arrays |= blocks_arrays("", config, self.layers, cross=self.two_stacks and not config.encoder_ahead)
        if self.last:
            arrays |= end_arrays("", config) | head_arrays(config)
        return arrays

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter array."""
        return {name: record.shape for name, record in self.arrays().items()}

    def init(self, rng: np.random.Generator, *, dtype: Any = np.float32, rank: int = 0, ranks: int = 1) -> Params:
        """Fresh parameters: matrices normal with `init_std`, or `residual_std`, gains 1, biases 0.

        Each array is a function of one number from `rng` and of its name. So a pipeline stage, and a tensor-parallel
        rank (number `rank` of `ranks`), makes its own part alone and equal to that of the whole model.
        """
        make = self.maker(rng, rank=rank, ranks=ranks)
        check_dtype(dtype)
        params = Params(cut_arrays(self.arrays(), rank, ranks), dtype=dtype)
        for name in params:
            params[name] = make(name)
        return params

    def maker(self, rng: np.random.Generator, *, rank: int = 0, ranks: int = 1) -> Callable[[str], np.ndarray]:
        """A function that makes the fresh array of a name, one at a time, as `init` does; float64."""
        root, arrays = int(rng.integers(1 << 63)), self.arrays()

        def make(name: str) -> np.ndarray:
            record = arrays[name]
            array = np.full(record.shape, record.mean)
            if record.std:
                array += record.std * np.random.default_rng([root, *name.encode()]).standard_normal(record.shape)
            return cut_array(array, record, rank, ranks)

        return make

    def forward(
        self, params: Weights, batch: Batch | np.ndarray, call: Call = Call(), x: np.ndarray | None = None
    ) -> tuple[Any, TransformerCache]:
        """What the head says (with a language head the scores of the next token, (B, T, V)), and the cache.

        batch: a `Batch`, or its tokens alone, (B, T) integers. For the other heads see `minigpt.model.head`.
        x: (B, T, C), from the pipeline stage before this one; all stages but the last return the same for the next.
        `UserError` if there are more positions than the context, or a token is outside the vocabulary.
        """
        batch = as_batch(batch)
        x, cache = self.hidden_states(params, batch, call, x=x)
        if not self.last:
            return x, cache
        output, head_cache = head_forward(params, self.config, x, self.read_by_head(batch), call)
        return hook_answers(self.config, output, call), cache._replace(head=head_cache)

    def read_by_head(self, batch: Batch) -> np.ndarray | None:
        """(B, T) booleans: what is no padding, also where only the tokens say it, as Llama's classifier is used."""
        padding = self.config.padding
        if batch.present is not None or padding is None or self.config.pooled == "first":
            return batch.present
        return batch.tokens != padding

    def encode(self, params: Weights, batch: Batch, call: Call = Call()) -> tuple[np.ndarray, StackCache]:
        """What the encoder of an encoder-decoder makes of the source, (B, S, C), and the cache.

        Of an image with `encoder_areas` S counts these.
        """
        if batch.source is None:
            raise UserError("an encoder-decoder needs a text for its encoder; give the batch a source")
        if len(batch.source) != len(batch.tokens):
            raise UserError(f"{len(batch.source)} sources cannot go with {len(batch.tokens)} rows of tokens; pair them")
        if self.config.encoder_areas is not None and batch.source_present is not None:
            raise UserError("an image whose areas are averaged has no padding; leave source_present out")
        call = replace(call, past=None)  # what is read as a whole has no past
        config, source = self.config.encoder, Batch(batch.source, present=batch.source_present)

        def see(size: tuple[int, int]) -> Sight:
            rules = needs_rules(config, size[1], size[1])
            return ruled_sight(config, source, size) if rules else encoder_sight(source.present, size)

        x, cache = stack_forward(params, "encoder.", config, range(config.layers), batch.source, see=see, call=call)
        return areas_forward(self.config, x), cache

    def hidden_states(
        self,
        params: Weights,
        batch: Batch | np.ndarray,
        call: Call = Call(),
        *,
        memory: np.ndarray | None = None,
        x: np.ndarray | None = None,
    ) -> tuple[np.ndarray, TransformerCache]:
        """All of `forward` but the head: the final hidden states (B, T, C) and their cache.

        memory: what `encode` gave before, while writing; None encodes the batch's source. x: as in `forward`.
        """
        batch, encoder_cache = as_batch(batch), None
        if self.two_stacks and memory is None:
            memory, encoder_cache = self.encode(params, batch, call)
        past: Any = call.past
        ahead = projector = None
        if self.config.encoder_ahead and memory is not None:
            batch, seen = counted_ahead(batch, memory), None
            if past is None or past.length == 0:
                ahead, projector = ahead_forward(params, memory, call)
        else:
            seen = memory
        spans = None if past is None else past.spans
        start: Any = 0 if past is None else past.length if spans is None else positions_of(spans)
        sight = self.sight
        if spans is None and past and past.dropped:
            sight = partial(sight, gone=slice(self.config.sinks, self.config.sinks + past.dropped))
        x, cache = stack_forward(
            params,
            "",
            self.config,
            self.layers,
            batch.tokens,
            see=lambda shape: (
                sight(batch, shape, start=start, memory=seen) if spans is None else self._sight_of(spans, batch)
            ),
            x=x,
            start=start,
            segments=batch.segments,
            ahead=ahead,
            call=call,
        )
        x = x if ahead is None else x[:, ahead.shape[1] :]  # nobody asks what comes after a part of an image
        return x, TransformerCache(cache, encoder_cache, memory, None, projector)

    def sight(
        self,
        batch: Batch,
        shape: tuple[int, int],
        *,
        start: int = 0,
        memory: np.ndarray | None = None,
        gone: slice = slice(0, 0),
    ) -> Sight:
        """Who may look where, of (B, T) positions. This is all the difference between an encoder and a decoder.

        gone: positions that a cache has let go, since no window reaches them.
        """
        if needs_rules(self.config, shape[1], start + shape[1]):
            return ruled_sight(self.config, batch, shape, start=start, gone=gone, memory=memory)
        if self.config.architecture == "encoder":
            return encoder_sight(batch.present, shape)
        return decoder_sight(batch, shape[1], start=start, memory=memory)

    def _sight_of(self, spans: list[Span], batch: Batch) -> Sight:
        """Each sequence of a row sees itself, as it would alone: a mask for each span."""
        each = [self.sight(batch, (1, length_of(span)), start=span.start, gone=span.gone) for span in spans]
        return Sight([one.mask for one in each], bias=[one.bias for one in each])

    def logits(self, params: Weights, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """A language head alone: hidden states (..., C) to logits (..., V)."""
        return language_logits(params, self.config, x)

    def backward(
        self,
        params: Weights,
        cache: TransformerCache,
        doutput: Any,
        call: Call = Call(),
        *,
        grads: Params | None = None,
    ) -> Params:
        """Gradients of all parameters, given that of what `forward` returned.

        grads: where to write them (overwritten); None makes a new `Params`. An array that it lacks is frozen, and costs
        nothing.
        """
        grads = params.zeros_like() if grads is None else grads  # type: ignore[attr-defined]
        self.back(params, grads, cache, doutput, call)
        return grads

    def back(
        self, params: Weights, grads: Gradients, cache: TransformerCache, dx: Any, call: Call = Call()
    ) -> np.ndarray:
        """Write the gradients into `grads`; dx: of what `forward` returned. Returns that of its `x`: (B, T, C)."""
        config = self.config
        if TOKENS in grads and not (self.last and ties_tokens(config)):
            grads[TOKENS][...] = 0  # a tied head overwrites it; everything after adds to it
        dmemory = self._no_gradient_yet(cache)
        dx = stack_backward(
            params,
            grads,
            "",
            config,
            self.layers,
            self._back_head(grads, cache, dx, call),  # without a name here, which would keep it until all is done
            cache.stack,
            call=call,
            dmemory=dmemory,
        )
        if cache.projector is not None:
            dmemory = ahead_backward(grads, dmemory, cache.projector)
        if cache.encoder is not None:
            layers, dmemory = range(config.encoder.layers), areas_backward(config, dmemory)
            stack_backward(params, grads, "encoder.", config.encoder, layers, dmemory, cache.encoder, call=call)
        return dx

    def _back_head(self, grads: Gradients, cache: TransformerCache, doutput: Any, call: Call) -> np.ndarray:
        """Gradient of the hidden states, (B, T, C), also of what stood ahead, which said nothing."""
        if not self.last:
            return doutput
        dx = head_backward(grads, self.config, hook_answers(self.config, doutput, call, "d"), cache.head, call)
        if cache.projector is None or cache.memory is None:
            return dx
        silent = np.zeros((len(dx), cache.memory.shape[1], dx.shape[2]), dx.dtype)
        return np.concatenate([silent, dx], axis=1)

    def _no_gradient_yet(self, cache: TransformerCache) -> Any:
        """Zeros, to which every use of the encoder's states adds: (B, S, C); None without an encoder."""
        if cache.memory is None:
            return None
        return np.zeros((*cache.memory.shape[:2], self.config.width), cache.memory.dtype)


def positions_of(spans: list[Span]) -> np.ndarray:
    """(T,) positions of a row in which they lie one behind the other."""
    return np.concatenate([positions_from(span.start, length_of(span)) for span in spans])


def length_of(span: Span) -> int:
    """T, of its new positions."""
    return span.rows.stop - span.rows.start


def as_batch(batch: Batch | np.ndarray) -> Batch:
    """A batch, also of tokens alone."""
    return batch if isinstance(batch, Batch) else Batch(batch)
