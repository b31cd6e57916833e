"""What a model is trained to do: each objective makes a batch from tokens, and one loss scores them all.

>>> batch = minigpt.objectives.prefix_lm(np.array([[5, 6, 7, 8]]), prefix=np.array([2]))
>>> (batch.targets != minigpt.ops.IGNORED).tolist()  # what is inside of the prefix is not asked for
[[False, True, True]]
>>> minigpt.OBJECTIVES["masked"].architecture
'encoder'
"""

from minigpt.objectives.accuracy import HeldOut, Judged, judge, right_answers
from minigpt.objectives.causal import causal_lm, fill_in_the_middle, prefix_lm
from minigpt.objectives.denoising import infilling, sequence_to_sequence, span_corruption
from minigpt.objectives.masked import masked_lm
from minigpt.objectives.mixture import mixture
from minigpt.objectives.record import Objective, Texts
from minigpt.objectives.refusal import check_suits, check_trains
from minigpt.objectives.registry import OBJECTIVES, TRAINS, objective_of
from minigpt.objectives.score import Counts, loss, loss_and_gradient, scored
from minigpt.objectives.sentences import next_sentence, sentence_order
from minigpt.objectives.special import find_special_tokens, special_tokens

__all__ = [
    "OBJECTIVES",
    "TRAINS",
    "Counts",
    "HeldOut",
    "Judged",
    "Objective",
    "Texts",
    "causal_lm",
    "check_suits",
    "check_trains",
    "fill_in_the_middle",
    "find_special_tokens",
    "infilling",
    "judge",
    "loss",
    "loss_and_gradient",
    "masked_lm",
    "mixture",
    "next_sentence",
    "objective_of",
    "prefix_lm",
    "right_answers",
    "scored",
    "sentence_order",
    "sequence_to_sequence",
    "span_corruption",
    "special_tokens",
]
