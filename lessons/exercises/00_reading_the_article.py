"""Lesson 00: what an article drops, and how much of its source it holds."""

import re


def dropped_hedges(summary: str, body: str, hedges: list[str]) -> list[str]:
    """The hedges that stand in the summary of an article and no longer in its body.

    summary, body: text. hedges: words or phrases in lower case, such as "can" or "is reported to".
    A hedge occurs only as whole words: "can" does not occur in "significant". Letter case does not count ("Roughly"
    holds "roughly").

    Returns those of `hedges`, in their order, that occur in `summary` and do not occur in `body`.
    """
    raise NotImplementedError("write dropped_hedges")


def traced_and_covered(stated: list[set[int]], facts: set[int]) -> tuple[float, float]:
    """How well an article reports its source.

    stated: for each claim of the article, the numbers of the facts that it states; an empty set if it states none.
    A number that is not in `facts` does not count.
    facts: the numbers of all facts of the source.

    Returns (traced, covered): the share of the claims that state at least one of the facts, and the share of the
    facts that at least one claim states. Either is 0.0 if there is nothing to divide by.
    """
    raise NotImplementedError("write traced_and_covered")
