"""Rotary positions for texts longer than those of training: the angles are stretched, each kind in its own way.

A frequency whose wave is longer than the training texts has never been seen to turn around; one step further is a place
that the model does not know. Interpolation squeezes the positions between known ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.values import FLAG, Kind, check, choice, is_finite, number, shown, whole

MOST_FACTOR, LEAST_TURNS, MOST_TURNS = 1e6, 1e-6, 1e9  # beyond these no float holds the base, or the pair


@dataclass(frozen=True, kw_only=True)
class RotaryScaling:
    """How rotary frequencies are changed.

    Parameters
    ----------
    kind : str
        `linear`: all divided by the factor (Chen et al. 2023, arXiv:2306.15595). `ntk`: the base grows, so that the
        slowest is divided by the factor and the fastest is not touched (bloc97 2023, "NTK-Aware Scaled RoPE").
        `dynamic`: the same, with a factor that follows the length of the text once it is longer than `original_context`
        (emozilla 2023). `yarn`: fast ones stay, slow ones are divided, with a ramp between them, and the scores are
        sharpened (Peng et al. 2023, arXiv:2309.00071). `llama3`: the same idea by wavelength (Llama 3.1's code).
        `divided`: each pair by a number of its own.
    factor : float
        How many times longer the texts may be.
    original_context : int, optional
        The longest text of training. None: the context of the configuration.
    divisors : sequence of float, optional
        Of `divided`: a number for each pair, by which its frequency is divided, whatever made them.
    attention_factor : float, optional
        Of YaRN: cos and sin are multiplied by it. None: 0.1 ln(factor) + 1.
    mscale, mscale_all_dim : float, optional
        Of YaRN: where both are given, the factor is (0.1 mscale ln(factor) + 1) / (0.1 mscale_all_dim ln(factor) + 1).
    beta_fast, beta_slow : float
        Of YaRN: turns within the original context, above which a frequency stays, and below which it is divided.
    truncate : bool
        Of YaRN: whether the ramp begins and ends at whole pairs.
    low_frequency_factor, high_frequency_factor : float
        Of Llama 3: waves longer than original_context / low are divided, those shorter than / high stay.

    Examples
    --------
    >>> config = minigpt.preset("tiny", vocabulary_size=50, rotary_scaling={"kind": "linear", "factor": 4.0})
    >>> config.rotary_scaling.factor
    4.0
    """

    kind: str
    factor: float
    original_context: int | None = None
    divisors: tuple[float, ...] | None = None
    attention_factor: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    low_frequency_factor: float = 1.0
    high_frequency_factor: float = 4.0

    def __post_init__(self) -> None:
        if isinstance(self.divisors, list):  # from JSON
            object.__setattr__(self, "divisors", tuple(self.divisors))
        for field in fields(self):
            check(f"rotary_scaling.{field.name}", getattr(self, field.name), FIELDS[field.name])
        if (self.kind == "divided") != (self.divisors is not None):
            raise UserError(f"rotary_scaling.divisors belong to divided alone, but the kind is {self.kind}")
        if self.low_frequency_factor >= self.high_frequency_factor:
            raise UserError(
                f"rotary_scaling.low_frequency_factor is {self.low_frequency_factor}, but it must be less than "
                f"high_frequency_factor, {self.high_frequency_factor}"
            )
        for field in fields(self):
            of = OF_KIND.get(field.name, (self.kind,))
            if self.kind not in of and getattr(self, field.name) != field.default:
                raise UserError(
                    f"rotary_scaling.{field.name} is for {' and '.join(of)}, not for {self.kind}; leave it out"
                )

    def original(self, context: int) -> int:
        """The longest text of training; context: of the configuration."""
        return self.original_context or context

    @property
    def follows_length(self) -> bool:
        """Whether all angles of a text change when it becomes longer, so that no keys can be kept."""
        return self.kind == "dynamic"


def scaled_frequencies(
    scaling: RotaryScaling | None, width: int, theta: float, context: int, length: int
) -> tuple[np.ndarray, float]:
    """Frequencies of the pairs, (D/2,) float64, and what cos and sin are multiplied by.

    width: D; theta: the base; context: of the configuration; length: of the text, which `dynamic` follows.
    """
    if scaling is None:
        return _frequencies(theta, width), 1.0
    return KINDS[scaling.kind](scaling, width, theta, scaling.original(context), length)


def _frequencies(theta: float, width: int) -> np.ndarray:
    return theta ** (-np.arange(0, width, 2) / width)  # (D/2,)


def _linear(scaling: RotaryScaling, width: int, theta: float, _original: int, _length: int) -> tuple[np.ndarray, float]:
    return _frequencies(theta, width) / scaling.factor, 1.0


def _ntk(scaling: RotaryScaling, width: int, theta: float, _original: int, _length: int) -> tuple[np.ndarray, float]:
    return _frequencies(_larger_base(theta, scaling.factor, width), width), 1.0


def _dynamic(scaling: RotaryScaling, width: int, theta: float, original: int, length: int) -> tuple[np.ndarray, float]:
    stretch = scaling.factor * max(length, original) / original - (scaling.factor - 1)
    return _frequencies(_larger_base(theta, stretch, width), width), 1.0


def _larger_base(theta: float, stretch: float, width: int) -> float:
    """The base with which the slowest of the D/2 frequencies, theta^(-(D-2)/D), is divided by `stretch`."""
    return theta * stretch ** (width / (width - 2)) if width > 2 else theta


def _yarn(scaling: RotaryScaling, width: int, theta: float, original: int, _length: int) -> tuple[np.ndarray, float]:
    def pair_of(turns: float) -> float:
        """Which pair turns so often within the original context."""
        return width * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_of(scaling.beta_fast), pair_of(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    high += 0.001 if low == high else 0  # no division by zero
    divided = np.clip((np.arange(width // 2) - low) / (high - low), 0, 1)  # how much of each
    frequencies = _frequencies(theta, width)
    return frequencies / scaling.factor * divided + frequencies * (1 - divided), _temperature(scaling)


def _temperature(scaling: RotaryScaling) -> float:
    """Peng et al. (2023), arXiv:2309.00071: queries and keys grow by it, so the scores by its square."""

    def grown(mscale: float) -> float:
        return 0.1 * mscale * math.log(scaling.factor) + 1 if scaling.factor > 1 else 1.0

    if scaling.attention_factor is not None:
        return scaling.attention_factor
    if scaling.mscale and scaling.mscale_all_dim:
        return grown(scaling.mscale) / grown(scaling.mscale_all_dim)
    return grown(1.0)


def _llama3(scaling: RotaryScaling, width: int, theta: float, original: int, _length: int) -> tuple[np.ndarray, float]:
    frequencies = _frequencies(theta, width)
    turns = original * frequencies / (2 * math.pi)  # within the original context
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = np.clip((turns - low) / (high - low), 0, 1)  # how much of each
    return (1 - kept) * frequencies / scaling.factor + kept * frequencies, 1.0


def _divided(
    scaling: RotaryScaling, width: int, theta: float, _original: int, _length: int
) -> tuple[np.ndarray, float]:
    assert scaling.divisors is not None, "checked when the record was made"
    if len(scaling.divisors) != width // 2:
        raise UserError(f"{len(scaling.divisors)} divisors do not fit the {width // 2} pairs of a head; give as many")
    return _frequencies(theta, width) / np.array(scaling.divisors), 1.0


KINDS: dict[str, Callable[..., tuple[np.ndarray, float]]] = {
    "linear": _linear,
    "ntk": _ntk,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
    "divided": _divided,
}
BY_FACTOR = tuple(kind for kind in KINDS if kind != "divided")  # what a kind and a factor say all of
FIELDS: dict[str, Kind] = {
    "kind": choice(*KINDS),
    "factor": number(1.0, MOST_FACTOR),
    "original_context": whole(1).or_none(),
    "divisors": Kind(
        "a list of numbers above 0",
        lambda value: isinstance(value, tuple) and all(is_finite(x) and x > 0 for x in value),
    ).or_none(),
    **dict.fromkeys(("attention_factor", "mscale", "mscale_all_dim"), number(0.0).or_none()),
    **dict.fromkeys(("beta_fast", "beta_slow"), number(LEAST_TURNS, MOST_TURNS)),
    **dict.fromkeys(("low_frequency_factor", "high_frequency_factor"), number(0.0)),
    "truncate": FLAG,
}
OF_KIND: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("attention_factor", "mscale", "mscale_all_dim", "beta_fast", "beta_slow", "truncate"), ("yarn",)),
    **dict.fromkeys(("low_frequency_factor", "high_frequency_factor"), ("llama3",)),
    "divisors": ("divided",),
    "original_context": ("dynamic", "yarn", "llama3"),
}


def fields_of(kind: str) -> set[str]:
    """The fields that say something of this kind."""
    return {field.name for field in fields(RotaryScaling) if kind in OF_KIND.get(field.name, (kind,))}


def scaling_of(value: Any, context: int) -> RotaryScaling | None:
    """A record, also from the table of its fields; without an original context it is this one.

    `UserError` names a field that does not fit.
    """
    if value is None:
        return None
    if not isinstance(value, RotaryScaling):
        known = {field.name for field in fields(RotaryScaling)}
        for name in value:
            if name not in known:
                raise UserError(f"rotary_scaling has no field {shown(name)}; {', '.join(sorted(known))} are")
        missing = {"kind", "factor"} - value.keys()
        if missing:
            raise UserError(f"rotary_scaling has no {max(missing)}; give it one")
        value = RotaryScaling(**value)
    if value.original_context is None and "original_context" in fields_of(value.kind):
        value = replace(value, original_context=context)
    return value
