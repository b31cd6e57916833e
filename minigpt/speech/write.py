"""One window: what a Whisper writes of 30 seconds, and whether that can be believed.

Radford et al. (2022), arXiv:2212.04356, section 4.5: the likeliest token each time; where the text repeats itself or is
improbable, again, drawn with more and more chance.
"""

import zlib
from typing import Any, NamedTuple

import numpy as np

from minigpt.infer.past import KeyValuePast
from minigpt.infer.sampling import Sampling, check_scores, log_sum, next_tokens
from minigpt.model import Call
from minigpt.model.inputs import TOKENS
from minigpt.speech.rules import Rules
from minigpt.speech.special import Special

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MOST_COMPRESSION = 2.4  # a text that shrinks more than that repeats itself
LEAST_LOG_PROBABILITY = -1.0  # of a token, in the mean
MOST_NO_SPEECH = 0.6  # where the text is improbable, too
HOPELESS_NO_SPEECH = 0.3  # where it is improbable or repeats itself whatever the temperature
SURELY_NO_SPEECH = 0.75  # whatever the text: hums and chimes have more, recordings of speech less than 0.1


class Written(NamedTuple):
    """What was written of a window."""

    tokens: list[int]  # without the end
    log_probability: float  # of a token in the mean, the end among them, in nats
    compression: float  # bytes of the text before and after zlib
    no_speech: float  # the probability that nobody speaks
    temperature: float

    @property
    def is_silence(self) -> bool:
        """Whether nobody speaks: the model is sure of it, or finds it likely and its own text cannot be believed.

        By the paper's rule, likely and improbable, tiny.en writes "you" of a hum, with a mean of -0.65 nats, and
        "Beeping Beeping Beeping", each sure to follow the last, of a tone of 440 Hz.
        """
        is_last = self.temperature == TEMPERATURES[-1]
        doubted = self.no_speech > (HOPELESS_NO_SPEECH if is_last else MOST_NO_SPEECH) and self.is_doubtful
        return doubted or self.no_speech > SURELY_NO_SPEECH

    @property
    def is_doubtful(self) -> bool:
        """Whether the text repeats itself, or is improbable."""
        return self.compression > MOST_COMPRESSION or self.log_probability < LEAST_LOG_PROBABILITY


def write(opened: Any, special: Special, memory: np.ndarray, *, times: bool, rng: np.random.Generator) -> Written:
    """The text of a window. memory: (1, S, C), what the encoder made of it; rng: for drawing where greed fails."""
    for temperature in TEMPERATURES:
        written = _attempt(opened, special, memory, times, Sampling(temperature=temperature), rng)
        if written.is_silence or not written.is_doubtful:
            break
    return written


def _attempt(
    opened: Any, special: Special, memory: np.ndarray, times: bool, sampling: Sampling, rng: np.random.Generator
) -> Written:
    model, params = opened.model, opened.params
    context, rules = model.config.context, Rules(special, times=times)
    call = Call(past=KeyValuePast(model.config, 1, context, params[TOKENS].dtype))
    asked = [special.start] if times else [special.start, special.no_times]
    states = model.hidden_states(params, np.array([asked]), call, memory=memory)[0]
    said = model.logits(params, states[0])[0]  # (what was asked, V)
    no_speech = float(np.exp(said[0, special.no_speech] - log_sum(said[0])))
    tokens: list[int] = []
    total, scores = 0.0, said[-1:]  # (1, V)
    for _ in range(context - len(asked)):
        check_scores(scores)
        rules.apply(scores[0], tokens)
        token = int(next_tokens(scores, sampling, rng)[0])
        total += float(scores[0, token]) - log_sum(scores[0])
        if token == special.end:
            break
        tokens.append(token)
        states = model.hidden_states(params, np.array([[token]]), call, memory=memory)[0]
        scores = model.logits(params, states[0])[0]
    compression = compression_of(tokens, opened.tokenizer, special)
    return Written(tokens, total / (len(tokens) + 1), compression, no_speech, sampling.temperature)


def compression_of(tokens: list[int], tokenizer: Any, special: Special) -> float:
    """How many times smaller zlib makes the text; 0 of no text."""
    text = tokenizer.decode_bytes([token for token in tokens if token < special.end])
    return len(text) / len(zlib.compress(text)) if text else 0.0
