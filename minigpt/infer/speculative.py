"""Speculative decoding: a draft guesses some tokens, and one call of the large model judges them all.

Leviathan, Kalman & Matias (2023), "Fast Inference from Transformers via Speculative Decoding", arXiv:2211.17192,
section 2 and algorithm 1; Chen et al. (2023), "Accelerating Large Language Model Decoding with Speculative Sampling",
arXiv:2302.01318, algorithm 2. A call that scores n + 1 positions reads every weight once, as a call for one does, so
what was guessed rightly costs little.

What is promised, up to the rounding of a product of n + 1 rows instead of one:

    greedy, and every draft that draws nothing (prompt look-up)   the tokens that plain writing gives, for each seed
    a draft that draws                                            their distribution, after temperature, top-k and top-p

With `adapt` a draft that makes writing slower, by the clock, is switched off for the rest of the text. The first line
of the table holds all the same. A drawn text keeps its distribution, and since the random numbers are then used
otherwise, the same seed may give another text; `adapt=False` makes it a function of the seed alone.
"""

import time
from collections.abc import Callable, Collection, Iterator
from statistics import fmean, median
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.drafts import NOTHING, Draft, Proposal, check_continues
from minigpt.infer.sampling import Sampling, distribution, draw, next_tokens
from minigpt.infer.window import Window

PLAIN_EVERY = 32  # calls of which one has no draft, to know what that costs
RUNNING = 16  # calls that decide whether a draft pays


class Round(NamedTuple):
    """One call of the large model."""

    drafted: int  # tokens that were guessed
    accepted: int  # of them; one more, the model's own, is written each time
    draft_seconds: float
    call_seconds: float  # of the large model, and of choosing


class Speculation:
    """How a draft is used for one text, and what came of it.

    Parameters
    ----------
    draft : Draft
        `PromptLookup()`, `DraftModel(...)` or `early_exit(...)`.
    draft_tokens : int
        How many are guessed at most before the model is asked.
    adapt : bool
        Stop guessing where it makes writing slower; see the module for what this means for the text.
    plain_first : int
        Calls without a draft after the prompt's, which tell what one costs; so does each 32nd later. -1: not even the
        prompt's.
    clock : callable
        Seconds.

    Raises
    ------
    UserError
        Unless at least one token is to be guessed.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50))
    >>> params = model.init(np.random.default_rng(0))
    >>> speculation = minigpt.Speculation(minigpt.early_exit(model, params, 1))
    >>> greedy = minigpt.Sampling(temperature=0)
    >>> ids = minigpt.generate(model, params, np.array([5, 6]), 9, sampling=greedy, speculation=speculation)
    >>> len(list(ids)) == speculation.tokens == speculation.calls + speculation.accepted
    True
    """

    def __init__(
        self,
        draft: Draft,
        draft_tokens: int = 4,
        *,
        adapt: bool = True,
        plain_first: int = 3,
        clock: Callable[[], float] = time.perf_counter,
    ):
        if draft_tokens < 1:
            raise UserError(f"cannot guess {draft_tokens} tokens at a time; ask for 1 or more")
        self.draft, self.draft_tokens, self.adapt, self.clock = draft, draft_tokens, adapt, clock
        self.plain_first = plain_first
        self.rounds: list[Round] = []
        self.off_after: int | None = None  # the tokens that were written when the draft was switched off

    @property
    def calls(self) -> int:
        """How often the large model was asked."""
        return len(self.rounds)

    @property
    def proposed(self) -> int:
        """How many tokens were guessed."""
        return sum(one.drafted for one in self.rounds)

    @property
    def accepted(self) -> int:
        """How many of these were written."""
        return sum(one.accepted for one in self.rounds)

    @property
    def tokens(self) -> int:
        """How many were written in all."""
        return self.accepted + self.calls

    @property
    def draft_seconds(self) -> float:
        """What guessing took."""
        return sum(one.draft_seconds for one in self.rounds)

    @property
    def acceptance(self) -> float | None:
        """The share of the judged guesses that were accepted, alpha of definition 3.1; None if none was judged.

        Guesses after the first wrong one are not judged, so this is more than accepted / proposed.
        """
        return self.accepted / self.judged if self.judged else None

    @property
    def judged(self) -> int:
        """How many guesses the large model was asked about: those up to the first wrong one of each call."""
        return sum(one.accepted + (one.accepted < one.drafted) for one in self.rounds)

    @property
    def plain_seconds(self) -> float | None:
        """What a call without a draft takes, and so a token: the median; None without any after the prompt's."""
        plain = [one.call_seconds for one in self.rounds[1:] if not one.drafted]
        return median(plain) if plain else None

    @property
    def ratio(self) -> float | None:
        """How many times as fast writing was as without a draft, from the second call on; None if not known."""
        if self.plain_seconds is None:
            return None
        later = self.rounds[1:]
        taken = sum(one.draft_seconds + one.call_seconds for one in later)
        return self.plain_seconds * sum(one.accepted + 1 for one in later) / taken if taken else None

    @property
    def break_even(self) -> float | None:
        """The acceptance at which a draft of this cost begins to pay; None if none does or nothing was guessed."""
        drafted = [one for one in self.rounds[1:] if one.drafted]
        if not drafted or not self.plain_seconds:
            return None
        cost = median(one.draft_seconds + one.call_seconds for one in drafted) / self.plain_seconds
        return break_even(cost, fmean(one.drafted for one in drafted))

    def begin(self, window: Window, prompt: np.ndarray, room: int) -> None:
        """Forget what was, and prepare the draft for a text that begins with the prompt, (T,), of which the window may
        hold the end alone."""
        check_continues(window.model)
        if len(window.tokens) != 1:
            raise UserError(f"a draft is for one text at a time, not {len(window.tokens)}; write them one by one")
        self.rounds, self.off_after = [], None
        vocabulary_size = window.vocabulary_size or window.model.config.vocabulary_size
        self.draft.begin(prompt, room, vocabulary_size)

    def write(
        self, window: Window, tokens: np.ndarray, left: int, sampling: Sampling, rng: np.random.Generator | None
    ) -> list[int]:
        """Guess, ask the large model once, and add what is accepted to the window: 1 to `left` tokens.

        tokens: (T,), all that was read and written.
        """
        start = self.clock()
        count = min(self.draft_tokens, left - 1, window.room) if self._guesses() else 0
        proposal = self.draft.propose(tokens, count, sampling, rng) if count > 0 else NOTHING
        guessed = self.clock()
        logits = window.logits_ahead(proposal.ids[None])[0]  # (n + 1, V)
        ids = judge(logits, proposal, sampling, rng)
        window.keep(np.array([ids[:-1]], np.int64))
        window.append(np.array(ids[-1:]))
        self.rounds.append(Round(len(proposal.ids), len(ids) - 1, guessed - start, self.clock() - guessed))
        if self.adapt and self.off_after is None and self._slower():
            self.off_after = self.tokens
        return ids

    def _guesses(self) -> bool:
        """Whether the next call has a draft. Some have none even so, and which ones does not depend on the clock."""
        return self.off_after is None and self.calls > self.plain_first and self.calls % PLAIN_EVERY < PLAIN_EVERY - 1

    def _slower(self) -> bool:
        """Whether the last calls with a draft took longer for a token than those without."""
        last = [one for one in self.rounds if one.drafted][-RUNNING:]
        plain = [one.call_seconds for one in self.rounds[1:] if not one.drafted][-RUNNING:]
        if len(last) < RUNNING or not plain or not self.rounds[-1].drafted:
            return False
        taken = median(one.draft_seconds + one.call_seconds for one in last)
        return taken / fmean(one.accepted + 1 for one in last) > median(plain)

    def counts(self) -> dict[str, Any]:
        """What came of it, for programs."""
        names = ("calls", "tokens", "proposed", "accepted", "acceptance", "break_even", "ratio", "draft_seconds")
        return {"draft": self.draft.name, **{name: getattr(self, name) for name in names}, "off_after": self.off_after}

    def __str__(self) -> str:
        """The same in one sentence."""
        said = f"{self.draft.name}: {self.tokens} tokens in {self.calls} calls"
        said += f", {self.tokens / self.calls:.2f} a call" if self.calls else ""
        if self.acceptance is None:
            return f"{said}; nothing was guessed"
        even = (
            "at this cost no share would pay" if self.break_even is None else f"they pay from {self.break_even:.2f} on"
        )
        said += f"; {self.proposed} guessed, {self.judged} judged, {self.accepted} of these accepted, a share of "
        said += f"{self.acceptance:.2f} ({even})"
        said += "" if self.ratio is None else f"; {self.ratio:.2f} times as fast as without"
        off = f"; slower than without, so switched off after {self.off_after} tokens"
        return said + (off if self.off_after is not None else "")


def speculate(
    window: Window,
    speculation: Speculation,
    prompt: np.ndarray,
    max_new_tokens: int,
    sampling: Sampling,
    rng: np.random.Generator | None,
    stop_tokens: Collection[int],
) -> Iterator[np.ndarray]:
    """The ids of `generate`, (1,) each, with a draft. prompt: (T,), all of it, also what the window has no room for.

    Around the context's end nothing changes: no guess reaches beyond it, and the full window slides as it always does.
    `UserError` for several texts, an encoder-decoder, and a draft that does not fit.
    """
    speculation.begin(window, prompt, max_new_tokens)  # now, not when the first token is asked for

    def rounds() -> Iterator[np.ndarray]:
        text, length = np.concatenate([prompt, np.empty(max_new_tokens, np.int64)]), len(prompt)
        while length < len(text):
            ids = speculation.write(window, text[:length], len(text) - length, sampling, rng)
            text[length : length + len(ids)] = ids
            length += len(ids)
            for id_ in ids:
                yield np.array([id_])
                if id_ in stop_tokens:
                    return

    return rounds()


def judge(logits: np.ndarray, proposal: Proposal, sampling: Sampling, rng: np.random.Generator | None) -> list[int]:
    """The tokens that a call writes: the guesses up to the first wrong one, then one of the large model's own.

    logits: (n + 1, V), where the n guesses stand and after them.
    """
    ids: list[int] = []
    for row, guess in enumerate(proposal.ids.tolist()):
        drawn_with = None if proposal.probabilities is None else proposal.probabilities[row]
        ids.append(choose(logits[row : row + 1], guess, drawn_with, sampling, rng))
        if ids[-1] != guess:
            return ids
    return [*ids, int(next_tokens(logits[-1:], sampling, rng)[0])]


def choose(
    logits: np.ndarray, guess: int, drawn_with: np.ndarray | None, sampling: Sampling, rng: np.random.Generator | None
) -> int:
    """One token, distributed as logits: (1, V) and the sampling say, and as often as can be the guess.

    drawn_with: (V,), the probabilities q that the guess was drawn with. With p those of the large model, the guess x is
    accepted with probability min(1, p(x) / q(x)); otherwise the token is drawn from max(0, p - q), whose sum is made 1
    (Leviathan et al., section 2.3; that this gives p is shown in their appendix A.1). A guess that was not drawn, None,
    needs none of this: the token is drawn as always, and the guess was right if it is the same.
    """
    if drawn_with is None:
        return int(next_tokens(logits, sampling, rng)[0])
    p = distribution(logits, sampling)  # (1, V)
    if happens(p[0, guess] / drawn_with[guess], rng):
        return guess
    rest = np.maximum(p - drawn_with, 0)
    return int(draw(rest if rest.any() else p, rng)[0])  # all zero: p = q but for rounding


def happens(probability: float, rng: Any) -> bool:
    """True with this probability, if it is below 1, and always from there on."""
    return bool(rng.random() < probability)


def break_even(cost: float, drafted: float) -> float | None:
    """The acceptance at which guesses pay: alpha with (1 - alpha^(drafted + 1)) / (1 - alpha) = cost.

    The left side is the number of tokens of a call (Leviathan et al., equation 1), if every guess is accepted with the
    same probability. cost: what drafted guesses and the call that judges them take, in calls without a draft; theorem
    3.8 has drafted * c + 1 there, as if a call took the same time for any number of rows. None if not even acceptance 1
    pays.

    Examples
    --------
    >>> round(break_even(cost=1.75, drafted=2), 6)
    0.5
    """
    if cost > drafted + 1:
        return None
    low, high = 0.0, 1.0
    for _ in range(60):
        alpha = (low + high) / 2
        tokens = (1 - alpha ** (drafted + 1)) / (1 - alpha)
        low, high = (alpha, high) if tokens < cost else (low, alpha)
    return high
