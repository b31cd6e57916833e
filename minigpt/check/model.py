"""Are all gradients of a whole transformer right?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.check.gradient import check_gradient
from minigpt.check.report import GradientReport
from minigpt.model import Batch, Call, Params, Transformer, TransformerConfig
from minigpt.model.arrays import BIAS, GAIN
from minigpt.ops import IGNORED, cross_entropy_backward, cross_entropy_forward

SMALL: dict[str, Any] = {  # V, T, C, L, H, F and D = 5 all differ; the batch of 2 is shorter than the context
    "vocabulary_size": 13,
    "context": 7,
    "width": 30,
    "layers": 2,
    "heads": 6,
    "feed_forward_width": 11,
}

BERT: dict[str, Any] = {
    "architecture": "encoder",
    "norm_place": "post",
    "activation": "gelu",
    "segments": 3,
    "embedding_norm": True,
}
TWO_STACKS: dict[str, Any] = {"architecture": "encoder-decoder", "encoder": {"layers": 1}}
VIT: dict[str, Any] = {"architecture": "encoder", "input": "patches", "input_width": 9, "tied": False}
IMAGES: dict[str, Any] = {  # 3 x 2 patches of 2 x 3 pixels, and a column of pixels that is in none
    "architecture": "encoder",
    "input": "images",
    "image": (3, 6, 7),
    "patch": (2, 3),
    "tied": False,
}
HALVED = {**IMAGES, "image": (3, 4, 13), "context": 8}  # 2 x 4 patches
WHISPER: dict[str, Any] = {  # an encoder that differs from its decoder wherever it can; 11 frames become 6 positions
    "input": "frames",
    "input_width": 4,
    "context": 6,
    "position": "sinusoidal",
    "layers": 3,
    "heads": 3,
    "feed_forward_width": 14,
    "norm": "rms",
    "norm_place": "post",
    "activation": "relu",
    "gated": True,
    "attention_bias": True,
    "feed_forward_bias": False,
    "embedding_norm": True,
}

CONFIGS: dict[str, TransformerConfig] = {
    "GPT-2": TransformerConfig(**SMALL),
    "2017, post-norm": TransformerConfig(
        **SMALL, norm_place="post", activation="relu", position="sinusoidal", scale_embedding=True, tied=False
    ),
    "modern, grouped heads": TransformerConfig(
        **{**SMALL, "width": 24},  # rotary positions need an even D, here 4
        key_value_heads=3,
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
    ),
    "ALiBi, window and sinks": TransformerConfig(
        **SMALL, position="alibi", window=3, sinks=1, key_value_heads=2, dropout=0.2
    ),
    "YaRN": TransformerConfig(
        **{**SMALL, "width": 36},
        position="rotary",
        rotary_scaling={"kind": "yarn", "factor": 3.0, "original_context": 40, "beta_fast": 4.0},
    ),
    "windows in two stacks": TransformerConfig(
        **SMALL, architecture="encoder-decoder", encoder={"layers": 1, "window": 3}, window=2, position="alibi"
    ),
    "GEGLU, dropout": TransformerConfig(**SMALL, activation="gelu", gated=True, dropout=0.2, tied=False),
    "experts": TransformerConfig(
        **SMALL, experts=3, experts_per_token=2, load_balancing=0.0, gated=True, activation="silu"
    ),
    "BERT": TransformerConfig(**SMALL, **BERT, head="pretraining", dropout=0.2),
    "BERT, span": TransformerConfig(**SMALL, **BERT, head="span"),
    "BERT, masked": TransformerConfig(**SMALL, **BERT, head="masked", tied=False),
    "encoder without a head": TransformerConfig(**SMALL, architecture="encoder", head="none"),
    "encoder, token classes": TransformerConfig(**SMALL, architecture="encoder", head="token", labels=4, tied=False),
    "decoder, sequence classes": TransformerConfig(
        **SMALL, head="sequence", labels=4, pooled="last", pooler=False, head_bias=False
    ),
    "encoder, classes of the mean": TransformerConfig(**SMALL, **BERT, head="sequence", labels=4, pooled="mean"),
    "BART": TransformerConfig(
        **{
            **SMALL,
            **BERT,
            **TWO_STACKS,
            "segments": 0,
            "encoder": {"layers": 1, "heads": 3, "feed_forward_width": 17},
        },
        scale_embedding=True,
        head_bias=True,
    ),
    "modern encoder-decoder": TransformerConfig(
        **{**SMALL, "width": 18},
        **TWO_STACKS,
        head_width=4,
        key_value_heads=2,
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
        attention_bias=True,
        tied=False,
        dropout=0.2,
    ),
    "ViT": TransformerConfig(
        **SMALL, **VIT, class_token=True, head="sequence", labels=4, pooler=False, activation="gelu", dropout=0.2
    ),
    "ViT, patch classes": TransformerConfig(
        **SMALL, **VIT, head="token", labels=4, position="sinusoidal", norm="rms", embedding_norm=True, bias=False
    ),
    "ViT, of images": TransformerConfig(
        **SMALL, **IMAGES, class_token=True, head="sequence", labels=4, pooler=False, activation="gelu", dropout=0.2
    ),
    "ViT, of images on a grid": TransformerConfig(
        **{**SMALL, "width": 36, "context": 6},
        **IMAGES,
        head="sequence",
        labels=4,
        pooled="mean",
        position="sinusoidal_2d",
        bias=False,
    ),
    "an image ahead of a text": TransformerConfig(
        **{**SMALL, "context": 11},
        architecture="encoder-decoder",
        encoder_ahead=True,
        encoder={**IMAGES, "context": 7, "class_token": True, "width": 12, "heads": 3, "layers": 1, "position": "none"},
    ),
    "halves of an image's sides ahead of a text": TransformerConfig(
        **{**SMALL, "context": 9},
        architecture="encoder-decoder",
        encoder_ahead=True,
        encoder_areas=2,
        encoder={**HALVED, "width": 12, "heads": 3, "layers": 1, "position": "learned"},
    ),
    "Whisper": TransformerConfig(**SMALL, **TWO_STACKS | {"encoder": WHISPER}, activation="gelu", attention_bias=False),
    "Whisper, keys without bias": TransformerConfig(
        **SMALL, **TWO_STACKS | {"encoder": {**WHISPER, "gated": False}}, activation="gelu", key_bias=False
    ),
}


def check_model(
    config: TransformerConfig | Transformer,
    *,
    seed: int = 0,
    samples: int | None = 4,
    absolute: float = 1e-10,
    **settings: Any,
) -> GradientReport:
    """`check_gradient` of the cross-entropy of what a transformer's head says, for every one of its parameter arrays.

    Matrices are random, gains and biases away from 1 and 0, tokens and targets random with some targets ignored;
    dropout, if the configuration has any, draws the same masks every time.

    Parameters
    ----------
    config : TransformerConfig or Transformer
        What to check, at a size at which a forward takes about a millisecond; or a model, to check one of your own.
    seed, samples, absolute, **settings
        As in `check_gradient`; besides its sampled entries every array is checked along a random direction, which no
        wrong entry escapes.

    Returns
    -------
    GradientReport
        One `ArgumentReport` for each parameter array.

    Examples
    --------
    >>> sizes = {"vocabulary_size": 5, "context": 3, "width": 4, "layers": 1, "heads": 2, "feed_forward_width": 3}
    >>> config = minigpt.TransformerConfig(**sizes)
    >>> report = minigpt.check_model(config, samples=1)
    >>> report.passed, len(report.arguments)
    (True, 20)
    """
    model = config if isinstance(config, Transformer) else Transformer(config)
    rng = np.random.default_rng(seed)
    params = random_params(model, rng)
    batch = random_batch(model.config, rng)

    def filled(arrays: Sequence[np.ndarray]) -> Params:
        filled = Params(params.arrays, dtype=arrays[0].dtype)
        for name, array in zip(params, arrays, strict=True):
            filled[name] = array
        return filled

    def forward(*arrays: np.ndarray) -> tuple[Any, Any]:
        call, current = Call(rng=np.random.default_rng([seed, 2])), filled(arrays)
        output, cache = model.forward(current, batch, call)
        outputs = output if isinstance(output, tuple) else (output,)
        losses = [cross_entropy_forward(y, _random_targets(y, seed)) for y in outputs]
        return sum(loss for loss, _ in losses), (current.flat, cache, [loss_cache for _, loss_cache in losses])

    def backward(dloss: Any, caches: Any) -> tuple[np.ndarray, ...]:
        flat, cache, loss_caches = caches
        current = Params(params.arrays, flat=flat)
        doutput = tuple(cross_entropy_backward(dloss, loss_cache) for loss_cache in loss_caches)
        grads = model.backward(current, cache, doutput[0] if len(doutput) == 1 else doutput)
        return tuple(grads[name] for name in params)

    arrays = [array for _, array in params.items()]
    return check_gradient(
        forward, backward, *arrays, seed=seed, samples=samples, absolute=absolute, names=list(params), **settings
    )


def random_params(model: Transformer, rng: np.random.Generator) -> Params:
    """Parameters in float64: matrices at the size that keeps activations', gains and biases away from 1 and 0."""
    params = model.init(rng, dtype=np.float64)
    for name, array in params.items():
        kind = params.arrays[name].kind
        if kind == GAIN:
            array[...] = rng.uniform(0.5, 1.5, array.shape)
        elif kind == BIAS:
            array[...] = rng.uniform(-0.5, 0.5, array.shape)
        else:
            array[...] = rng.standard_normal(array.shape) / np.sqrt(array.shape[0])
    return params


def random_batch(config: TransformerConfig, rng: np.random.Generator) -> Batch:
    """Inputs, and where the architecture has a use for them padding, segments, a prefix and a source."""
    ahead = config.vectors_ahead
    shape = (2, config.context if config.input == "images" else max(1, config.context - ahead - 1))
    batch = Batch(_random_inputs(config, rng, shape[1]))
    if config.architecture == "decoder" and config.head == "language":
        return batch
    present = np.arange(shape[1]) < [[shape[1]], [max(1, shape[1] - 2)]]
    segments = rng.integers(0, config.segments, shape) if config.segments else None
    if config.architecture == "encoder-decoder":
        length = config.encoder.context
        source = _random_inputs(config.encoder, rng, length)
        some = np.arange(length) < [[length - 1], [length]]
        source_present = some if config.encoder_areas is None else None
        return batch._replace(source=source, source_present=source_present, prefix=np.array([1, 2]))
    return batch._replace(present=present, segments=segments)


def _random_inputs(config: TransformerConfig, rng: np.random.Generator, length: int) -> np.ndarray:
    """What becomes `length` positions: two of tokens, patches, images or (an odd number of) frames."""
    if config.input == "tokens":
        return rng.integers(0, config.vocabulary_size, (2, length))
    if config.input == "images":
        return rng.standard_normal((2, *config.image))
    count = {"patches": length - config.class_token, "frames": 2 * length - 1}[config.input]
    return rng.standard_normal((2, count, config.input_width or 1))


def _random_targets(output: np.ndarray, seed: int) -> np.ndarray:
    targets = np.random.default_rng([seed, 3]).integers(0, output.shape[-1], output.shape[:-1])
    if targets.ndim > 1:
        targets[0, targets.shape[1] // 2] = IGNORED
    return targets
