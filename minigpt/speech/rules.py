"""What may come next in a transcript: some tokens never, times in pairs and never backwards.

As the authors' program has it (github.com/openai/whisper, decoding.py); the paper tells of it in section 4.5.
"""

import numpy as np

from minigpt.infer.sampling import log_sum
from minigpt.speech.special import Special

NEVER = -np.inf


class Rules:
    """Rules for the scores of one text. times: whether it has times at all."""

    def __init__(self, special: Special, *, times: bool):
        self.special, self.times = special, times

    def apply(self, scores: np.ndarray, written: list[int]) -> None:
        """Set what may not follow `written` to -inf in scores: (V,)."""
        scores[self.special.suppressed] = NEVER
        if not written:
            scores[self.special.suppressed_first] = NEVER
        if self.times:
            self._apply_times(scores, written)

    def _apply_times(self, scores: np.ndarray, written: list[int]) -> None:
        zero, end = self.special.zero, self.special.end
        scores[self.special.no_times] = NEVER
        is_time = [token >= zero for token in written[-2:]]
        if is_time and is_time[-1]:
            if len(is_time) == 1 or is_time[0]:  # a pair is complete, so a word follows
                scores[zero:] = NEVER
            else:  # a text has ended: its pair begins the next one, or all ends
                scores[:end] = NEVER
        said = [token for token in written if token >= zero]
        if said:
            opens = is_time[-1] and not (len(is_time) == 1 or is_time[0])
            scores[zero : said[-1] + (not opens)] = NEVER  # the second of a pair may be the same time
        if not written:
            scores[:zero] = NEVER
            scores[zero + self.special.latest_first + 1 :] = NEVER
        elif np.isfinite(scores[zero:].max()) and log_sum(scores[zero:]) > scores[:zero].max():
            scores[:zero] = NEVER  # together, all times are likelier than any one word
