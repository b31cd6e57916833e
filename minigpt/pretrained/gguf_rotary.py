"""How GGUF files say scaled rotary positions: settings of rope.scaling, or an array of divisors (rope_freqs.weight)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.model.scaling import RotaryScaling, scaled_frequencies
from minigpt.values import is_finite, shown

FREQUENCIES = "rope_freqs.weight"
TYPE, FACTOR, FORMER_FACTOR = "llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.rope.scale_linear"
ORIGINAL, ATTENTION = "llama.rope.scaling.original_context_length", "llama.rope.scaling.attn_factor"
BETAS = {"llama.rope.scaling.yarn_beta_fast": "beta_fast", "llama.rope.scaling.yarn_beta_slow": "beta_slow"}
FINETUNED = "llama.rope.scaling.finetuned"  # says nothing of the angles
LLAMA3 = (8.0, 32.0)  # the factors of Llama 3.1 and 3.2, whose files hold only the divisors
TRAINED = 8192  # the original context of both


def understood(meta: Mapping[str, Any]) -> set[str]:
    """The settings that `read_scaling` reads, without the architecture's name."""
    names = {TYPE, FACTOR, FORMER_FACTOR, FINETUNED} if meta.get(TYPE, "linear") in ("linear", "yarn") else set()
    if meta.get(TYPE) == "yarn":
        names |= {ORIGINAL, ATTENTION, *BETAS}
    missing = TYPE in meta and FACTOR not in meta  # then it is refused as what it says
    return set() if missing else {name.removeprefix("llama.") for name in names}


def read_scaling(meta: Mapping[str, Any], divisors: np.ndarray | None, fields: Mapping[str, Any]) -> Any:
    """A `RotaryScaling`, or None. divisors: of the array, if there is one; fields: ours, of the rest of the file.

    A factor without a kind is linear, as in llama.cpp. `UserError` for what is said twice.
    """
    scaling = _from_settings(meta, fields["context"])
    if divisors is None or np.array_equal(divisors, np.ones_like(divisors)):
        return scaling
    if scaling is not None:
        raise UserError(f"the file has {FREQUENCIES} and rope.scaling.factor; they scale rotary angles twice")
    width = fields["head_width"] or fields["width"] // fields["heads"]
    if divisors.shape != (width // 2,) or not (np.isfinite(divisors).all() and (divisors > 0).all()):
        raise UserError(
            f"models with {FREQUENCIES}, rotary angles that are stretched, are not supported where they are not "
            f"{width // 2} numbers above 0, one for each pair of a head"
        )
    return _from_divisors(divisors, width, float(fields["rotary_theta"]))


def said_scaling(scaling: RotaryScaling | None) -> dict[str, Any]:
    """The settings that say it, without the architecture's name; none for what they cannot say."""
    if scaling is None or scaling.kind not in ("linear", "yarn"):
        return {}
    said: dict[str, Any] = {TYPE: scaling.kind, FACTOR: float(scaling.factor)}
    if scaling.kind == "yarn":
        said[ORIGINAL] = scaling.original_context
        said |= {theirs: float(getattr(scaling, ours)) for theirs, ours in BETAS.items()}
        if scaling.attention_factor is not None:
            said[ATTENTION] = scaling.attention_factor / _temperature(scaling.factor)
    return {name.removeprefix("llama."): value for name, value in said.items()}


def made_divisors(config: TransformerConfig) -> dict[str, np.ndarray]:
    """The array that says a scaling for which there are no settings, by its name: (D/2,) float32; none for the others.

    It says by what each frequency is divided, not how that came: Llama 3's own factors are recognized again, any other
    scaling is read as its divisors. What follows the length of a text cannot be said so.
    """
    scaling = config.rotary_scaling
    if scaling is None or said_scaling(scaling) or scaling.follows_length:
        return {}
    (plain, _), (scaled, _) = (_scaled(one, config) for one in (None, scaling))
    return {FREQUENCIES: (plain / scaled).astype(np.float32)}


def same_angles(one: TransformerConfig, other: TransformerConfig) -> bool:
    """Whether both turn queries and keys alike, but for the rounding of 32 bits."""
    scalings = one.rotary_scaling, other.rotary_scaling
    if any(scaling is not None and scaling.follows_length for scaling in scalings):
        return scalings[0] == scalings[1]
    (ours, sharpened), (theirs, sharpened_too) = (_scaled(config.rotary_scaling, config) for config in (one, other))
    return np.allclose(ours, theirs, rtol=1e-6, atol=0) and bool(np.isclose(sharpened, sharpened_too, rtol=1e-6))


def _scaled(scaling: RotaryScaling | None, config: TransformerConfig) -> tuple[np.ndarray, float]:
    assert config.head_width is not None, "it follows from the width"
    return scaled_frequencies(scaling, config.head_width, config.rotary_theta, config.context, config.context)


def _from_settings(meta: Mapping[str, Any], context: int) -> RotaryScaling | None:
    kind, factor = meta.get(TYPE, "linear"), meta.get(FACTOR, meta.get(FORMER_FACTOR, 1.0))
    if kind not in ("linear", "yarn") or factor in (0.0, 1.0):
        return None
    if not is_finite(factor):
        raise UserError(f"{FACTOR} is {shown(factor)}, but it must be a number of at least 1")
    if kind == "linear":
        return RotaryScaling(kind="linear", factor=factor)
    given: dict[str, Any] = {ours: meta[theirs] for theirs, ours in BETAS.items() if theirs in meta}
    if ATTENTION in meta:
        given["attention_factor"] = meta[ATTENTION] * _temperature(factor)
    return RotaryScaling(kind="yarn", factor=factor, original_context=meta.get(ORIGINAL, context), **given)


def _temperature(factor: float) -> float:
    """What YaRN multiplies cos and sin by if the file says nothing else; llama.cpp multiplies its setting by it."""
    return float(0.1 * np.log(factor) + 1)


def _from_divisors(divisors: np.ndarray, width: int, theta: float) -> RotaryScaling:
    """Llama 3's scaling where it gives these divisors, else the divisors themselves."""
    plain, _ = scaled_frequencies(None, width, theta, TRAINED, 1)
    for factor in LLAMA3:
        scaling = RotaryScaling(kind="llama3", factor=factor, original_context=TRAINED)
        scaled, _ = scaled_frequencies(scaling, width, theta, TRAINED, 1)
        if np.allclose(plain / scaled, divisors, rtol=1e-5, atol=0):
            return scaling
    largest = max(1.0, float(divisors.max()))
    return RotaryScaling(kind="divided", factor=largest, divisors=tuple(float(divisor) for divisor in divisors))
