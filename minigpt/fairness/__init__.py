"""Bias, measured: in word and sentence vectors, in what is likely, in answers and in a classifier's mistakes.

Every measure says how far it can be relied on (an interval, a p, what it misses), and is tried on a planted world that
is fair, or not, by construction (`minigpt.fairness.planted`).

>>> minigpt.fairness.swapped("He said that she left.", minigpt.fairness.both_ways([("he", "she")]))
'She said that he left.'
>>> minigpt.fairness.effect_size(np.array([0.3, 0.2, 0.3]), np.array([-0.2, -0.3, -0.1])) > 1.7
True
"""

from minigpt.fairness.association import associate, associations, effect_size
from minigpt.fairness.counterfactual import augmented, both_ways, swapped
from minigpt.fairness.groups import group_report
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.fairness.measures import MEASURES, Wanted, measure_bias, suiting
from minigpt.fairness.pairs import Pair, pair_scores, preference
from minigpt.fairness.questions import bbq_report
from minigpt.fairness.stereoset import Choice, choice_scores, stereoset_report
from minigpt.fairness.subject import Subject
from minigpt.fairness.winobias import Riddle, accuracy_gap

__all__ = [
    "MEASURES",
    "Asked",
    "Choice",
    "Pair",
    "Riddle",
    "Subject",
    "Wanted",
    "accuracy_gap",
    "associate",
    "associations",
    "augmented",
    "bbq_report",
    "both_ways",
    "choice_scores",
    "effect_size",
    "group_report",
    "log_likelihoods",
    "measure_bias",
    "pair_scores",
    "preference",
    "stereoset_report",
    "suiting",
    "swapped",
]
