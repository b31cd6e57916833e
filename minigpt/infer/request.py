"""What an engine is asked, and what it answers."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.sampling import PURE, Sampling
from minigpt.infer.window import check_prompt
from minigpt.values import check, whole

MOST_SAMPLES = 1024
MOST_ALTERNATIVES = 1024


@dataclass(frozen=True, eq=False)
class Request:
    """A text to be continued.

    Parameters
    ----------
    prompt : (T,) integers
        What stands before; cut to the last context of it, as `minigpt.generate` does.
    max_new_tokens : int
        How many are written at most, at least 1.
    sampling : Sampling
        How each is chosen.
    seed : int
        Sample i is what `minigpt.generate` writes with numpy.random.default_rng(seed + i).
    stop_tokens : tuple of int
        A text ends with the first of these, which is its last token.
    samples : int
        How many texts to write; the prompt is computed once for all of them.
    logprobs : int
        How many of the likeliest tokens to report at each place.
    vocabulary_size : int, optional
        Of the tokenizer, where the model's is padded past it; only ids below it are written.

    Raises
    ------
    UserError
        Names a value that does not fit.

    Examples
    --------
    >>> minigpt.Request(np.array([5, 6, 7]), max_new_tokens=20, seed=1).samples
    1
    """

    prompt: np.ndarray
    max_new_tokens: int
    sampling: Sampling = PURE
    seed: int = 0
    stop_tokens: tuple[int, ...] = ()
    samples: int = 1
    logprobs: int = 0
    vocabulary_size: int | None = None

    def __post_init__(self) -> None:
        prompt = check_prompt(self.prompt)
        if prompt.ndim != 1:
            raise UserError(f"the prompt has shape {prompt.shape}, but a request has one of (T,); make a request a row")
        object.__setattr__(self, "prompt", prompt.astype(np.int64))
        object.__setattr__(self, "stop_tokens", tuple(int(token) for token in self.stop_tokens))
        check("max_new_tokens", self.max_new_tokens, whole(1))
        check("seed", self.seed, whole(0))
        check("samples", self.samples, whole(1, MOST_SAMPLES))
        check("logprobs", self.logprobs, whole(0, MOST_ALTERNATIVES))
        check("vocabulary_size", self.vocabulary_size, whole(1).or_none())


class Event(NamedTuple):
    """One token that was written.

    Parameters
    ----------
    request : int
        The id that `Engine.submit` gave.
    sample : int
        Which of the request's texts, from 0.
    token : int
        What was written.
    logprob : float
        Of the token, in nats, by the model as it is: before temperature, top-k and top-p.
    alternatives : tuple of (int, float)
        The likeliest tokens at this place and their logprobs, likeliest first; as many as the request asks for.
    finish_reason : str, optional
        Of a text's last token: stop (it is one of the stop tokens) or length.

    Examples
    --------
    >>> minigpt.Event(request=1, sample=0, token=5, logprob=-0.7).finish_reason is None
    True
    """

    request: int
    sample: int
    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()
    finish_reason: str | None = None


@dataclass(eq=False)
class Sequence:
    """A text that is being written."""

    id: int  # of the request
    sample: int
    request: Request
    tokens: list[int]  # in view, at most a context of them: prompt, then what was written
    rng: np.random.Generator
    written: int = 0
    table: list[int] = field(default_factory=list)  # the pages of its keys and values
    gone: int = 0  # pages behind those of the sinks that were let go, since no window reaches them
    computed: int = 0  # tokens whose keys and values are in them
    sealed: int = 0  # pages that are full and known
    unwanted: set[int] = field(default_factory=set)  # samples that were called off before they began

    @property
    def order(self) -> tuple[int, int]:
        """Earlier requests go first."""
        return self.id, self.sample

    @property
    def waits_to_split(self) -> bool:
        """Whether other samples begin where this one's prompt ends."""
        return self.written == 0 and self.sample == 0 and self.request.samples > 1
