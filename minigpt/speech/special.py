"""The tokens by which a Whisper is told what to do, those that say when, and those that it must not write.

Radford et al. (2022), arXiv:2212.04356, section 2.3 and figure 1. Which tokens are suppressed follows from the
vocabulary, as in the authors' program (github.com/openai/whisper, tokenizer.py): what is noted of sounds that are no
speech, such as brackets and notes of music, and the tokens that only ask.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Transformer

SIGNS = [*'"#()*+/:;<=>@[\\]^_`{|}~「」『』']
SIGNS += [
    "<<",
    ">>",
    "<<<",
    ">>>",
    "--",
    "---",
    "-(",
    "-[",
    "('",
    '("',
    "((",
    "))",
    "(((",
    ")))",
    "[[",
    "]]",
    "{{",
    "}}",
]
SIGNS += ["♪♪", "♪♪♪"]
NOTES = [*"♩♪♫♬♭♮♯"]  # of these the first token counts, where they have more
INSIDE = (" -", " '")  # may stand inside of words only, where they have no space before them
ASKING = ("startoftranscript", "translate", "transcribe", "startoflm", "startofprev")
NO_SPEECH = ("nocaptions", "nospeech")  # the older name and the newer one
STEP = 0.02  # seconds from one token of time to the next


class Special(NamedTuple):
    """Ids."""

    start: int  # of a transcript
    end: int
    no_times: int  # asks for a text without times
    no_speech: int
    zero: int  # the first token of time, 0.00 s; all ids from there on are times
    suppressed: np.ndarray  # (N,)
    suppressed_first: np.ndarray  # further ones, which cannot begin a text
    latest_first: int = round(1.0 / STEP)  # a text begins within the first second of its window


def special_of(model: Transformer, tokenizer: Any) -> Special:
    """The special tokens of a Whisper. `UserError` for another model, and one that knows many languages."""
    config = model.config
    hears = config.architecture == "encoder-decoder" and config.encoder.input == "frames" and config.head == "language"
    if not hears:
        raise UserError("this model does not listen; transcribing takes a Whisper, such as the one called whisper")
    if tokenizer is None:
        raise UserError("this Whisper came without a tokenizer; put its tokenizer.json into the folder")
    known = tokenizer.special_tokens

    def id_of(*names: str) -> int:
        found = [known[f"<|{name}|>"] for name in names if f"<|{name}|>" in known]
        if not found:
            raise UserError(f"its tokenizer has no <|{names[0]}|>, so this is no Whisper that can be asked; check it")
        return found[0]

    start, no_times = id_of("startoftranscript"), id_of("notimestamps")
    if id_of("endoftext") != start - 1 or no_times - start != 105:
        raise UserError("this Whisper knows many languages, which is not supported; tiny.en, base.en and so on are")
    asking = [id_of(name) for name in ASKING] + [id_of(*NO_SPEECH)]
    suppressed = {*asking, *(int(tokenizer.encode(sign)[0]) for sign in INSIDE)}
    for sign in SIGNS + NOTES:
        for text in (sign, f" {sign}"):
            ids = tokenizer.encode(text)
            if len(ids) == 1 or sign in NOTES:
                suppressed.add(int(ids[0]))
    end = id_of("endoftext")
    first = np.array([int(tokenizer.encode(" ")[0]), end])
    return Special(start, end, no_times, id_of(*NO_SPEECH), no_times + 1, np.array(sorted(suppressed)), first)
