"""An opened model with a share of it taken out, before its matrices are rounded."""

from dataclasses import replace
from typing import Any

import numpy as np

from minigpt.compress.calibrate import AT_ONCE, LEAST, LONGEST
from minigpt.compress.prune import groups_of, prune_magnitude, prune_structured
from minigpt.compress.settings import METHODS, Compression
from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.objectives import causal_lm
from minigpt.pretrained.opened import OpenedModel

UNITS = 32  # feed-forward units stay by so many, that a group of rounded numbers divides them


def pruned_model(
    opened: OpenedModel,
    share: float | None,
    settings: Compression,
    *,
    structured: bool = False,
    two_of_four: bool = False,
    text: np.ndarray | None = None,
) -> tuple[OpenedModel, dict[str, Any]]:
    """The model without `share` of its heads and feed-forward units, or with so many zeros; and what was done.

    two_of_four: in place of a share, two zeros in every four inputs, see `prune_magnitude`. text: (N,) ids, on which
    the importance of heads and units is measured. `UserError` for a share that leaves nothing, for a model that does
    not continue texts, and for zeros that rounding would not keep: only the method nearest, with symmetric groups,
    does.
    """
    if not isinstance(opened.params, Params):
        raise UserError("this model is in few bits already; prune the model that it was made of")
    if not structured:
        if settings.method != METHODS[0] or not settings.symmetric:
            raise UserError(
                "zeros stay zeros with the method nearest and symmetric groups only; choose these, or prune whole "
                "heads and units (structured)"
            )
        zeroed = prune_magnitude(opened.params, share, two_of_four=two_of_four)
        said = {"share": 0.5, "kind": "2:4"} if two_of_four else {"share": share, "kind": "magnitude"}
        return replace(opened, params=zeroed), said
    if share is None:
        raise UserError("two of four is a form for numbers, not for heads and units; give their share")
    config = opened.model.config
    if config.architecture != "decoder" or config.head != "language":
        raise UserError("heads and units are pruned by what a decoder loses when it continues a text; this is none")
    if text is None or len(text) < LEAST:
        raise UserError(f"importance is measured on a text of at least {LEAST} tokens; give one")
    sizes = kept_sizes(groups_of(config), config.heads, config.feed_forward_width or 0, share)
    length = min(config.context, LONGEST, len(text) - 1)
    windows = text[: len(text) // (length + 1) * (length + 1)].reshape(-1, length + 1)
    parts = np.array_split(windows, max(1, windows.size // AT_ONCE))
    model, params = prune_structured(opened.model, opened.params, (causal_lm(part) for part in parts), **sizes)
    return replace(opened, model=model, params=params), {"share": share, "kind": "structured", **sizes}


def kept_sizes(groups: int, heads: int, units: int, share: float) -> dict[str, int]:
    """How many heads and units stay, so that about `share` of each goes. `UserError` if that is all of them."""
    if not 0 < share < 1:
        raise UserError(f"the share to prune is {share}, but it must be above 0 and below 1")
    kept_groups = max(1, round((1 - share) * groups))
    kept_units = max(1, round((1 - share) * units / UNITS)) * UNITS
    return {"heads": kept_groups * (heads // groups), "feed_forward": min(units, kept_units)}
