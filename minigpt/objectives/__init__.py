"""What a model is trained to do: each objective makes a batch from tokens, and one loss scores them all."""

from minigpt.objectives.causal import causal_lm, fill_in_the_middle, prefix_lm
from minigpt.objectives.denoising import infilling, sequence_to_sequence, span_corruption
from minigpt.objectives.masked import masked_lm
from minigpt.objectives.mixture import mixture
from minigpt.objectives.refusal import TRAINS, check_suits
from minigpt.objectives.score import Counts, loss, loss_and_gradient, scored
from minigpt.objectives.sentences import next_sentence, sentence_order

__all__ = [
    "TRAINS",
    "Counts",
    "causal_lm",
    "check_suits",
    "fill_in_the_middle",
    "infilling",
    "loss",
    "loss_and_gradient",
    "masked_lm",
    "mixture",
    "next_sentence",
    "prefix_lm",
    "scored",
    "sentence_order",
    "sequence_to_sequence",
    "span_corruption",
]
