"""Masked language modelling: hide some tokens, and ask for them with the text on both sides in view."""

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives.record import ONLY_ENCODER, Objective, Texts
from minigpt.ops import IGNORED


def masked_lm(
    tokens: np.ndarray,
    rng: np.random.Generator,
    *,
    mask: int,
    vocabulary_size: int,
    rate: float = 0.15,
    masked: float = 0.8,
    random: float = 0.1,
    special: tuple[int, ...] = (),
    present: np.ndarray | None = None,
    word_starts: np.ndarray | None = None,
) -> Batch:
    """Choose a share of the tokens and ask for them, and for nothing else.

    In each row round(rate * eligible), but at least one, are chosen. Of these the share `masked` becomes the token
    `mask`, `random` becomes any token, and the rest stays as it is, so that the model cannot rely on the mask to know
    which tokens it will be asked for. Devlin et al. (2018), arXiv:1810.04805, section 3.1 and appendix A.1; rates:
    Wettig et al. (2022), arXiv:2202.08005.

    Parameters
    ----------
    tokens : (B, T) integers
        Of texts.
    rng : numpy.random.Generator
        Chooses.
    mask : int
        The id of the token that hides.
    vocabulary_size : int
        V; ids below it may stand in for a token.
    rate, masked, random : float
        Shares, see above.
    special : tuple of int
        Ids that are never chosen.
    present : (B, T) booleans, optional
        False = padding, never chosen.
    word_starts : (B, T) booleans, optional
        When given, whole words are chosen: a word begins where it is True.

    Returns
    -------
    Batch
        Tokens with some hidden, (B, T); targets (B, T), `minigpt.ops.IGNORED` wherever nothing is asked.

    Raises
    ------
    UserError
        For shares that do not fit, or a text in which nothing may be chosen.

    Examples
    --------
    >>> tokens, rng = np.array([[5, 6, 7, 8]]), np.random.default_rng(0)
    >>> batch = minigpt.masked_lm(tokens, rng, mask=9, vocabulary_size=10, masked=1, random=0)
    >>> int((batch.tokens == 9).sum()), int((batch.targets != minigpt.ops.IGNORED).sum())
    (1, 1)
    """
    if not 0 < rate <= 1 or masked < 0 or random < 0 or masked + random > 1:
        raise UserError(f"the rates {rate}, {masked} and {random} must be shares: 0 < rate <= 1, masked + random <= 1")
    eligible = ~np.isin(tokens, special)
    if present is not None:
        eligible &= present
    if not eligible.any(axis=1).all():
        raise UserError("a text has no token that could be masked; leave out texts of special tokens only")
    order = rng.random(tokens.shape)  # the lowest are chosen
    if word_starts is not None:
        word = np.maximum(np.cumsum(word_starts, axis=1) - 1, 0)  # (B, T)  which word each token belongs to
        order = np.take_along_axis(order, word, axis=1)
    order[~eligible] = np.inf
    wanted = np.maximum(1, np.round(rate * eligible.sum(axis=1))).astype(int)  # (B,)
    limit = np.take_along_axis(np.sort(order, axis=1), wanted[:, None] - 1, axis=1)
    chosen = order <= limit  # ties are whole words: the last one may bring a few tokens more

    fate = rng.random(tokens.shape)
    seen = np.where(chosen & (fate < masked), mask, tokens)
    anything = rng.integers(0, vocabulary_size, tokens.shape)
    seen = np.where(chosen & (fate >= masked) & (fate < masked + random), anything, seen)
    return Batch(seen, np.where(chosen, tokens, IGNORED), present=present, objective="masked_lm")


def _masked_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    return masked_lm(
        texts.windows[:, :-1],
        rng,
        mask=texts.special["mask"],
        vocabulary_size=texts.vocabulary_size,
        special=tuple(texts.special.values()),
    )


def _hidden(texts: Texts, _rng: np.random.Generator, batch: Batch) -> np.ndarray:
    """Which of the chosen tokens cannot be seen: of the others a half stands in sight and a half is another token."""
    assert batch.targets is not None
    return (batch.targets != IGNORED) & (batch.tokens == texts.special["mask"])


MASKED = Objective(
    name="masked",
    function="masked_lm",
    summary="hidden tokens, from those on both sides (BERT)",
    refusals=ONLY_ENCODER,
    make=_masked_batch,
    model={"head": "masked"},
    special=("mask",),
    counted="masked tokens",
    missing=_hidden,
    sample="filled",
)
