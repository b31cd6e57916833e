"""Measuring: how well a model predicts, and what that has to be compared with."""

from minigpt.measure.baselines import bigram_nats, compressed_bits_per_byte, uniform_nats, unigram_nats
from minigpt.measure.evaluation import Evaluation, evaluate_text, mean_loss

__all__ = [
    "Evaluation",
    "bigram_nats",
    "compressed_bits_per_byte",
    "evaluate_text",
    "mean_loss",
    "uniform_nats",
    "unigram_nats",
]
