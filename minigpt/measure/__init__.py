"""Measuring: how well a model predicts, and what that has to be compared with."""

from minigpt.measure.baselines import (
    bigram_nats,
    compressed_bits_per_byte,
    counted_nats,
    uniform_nats,
    unigram_nats,
)
from minigpt.measure.evaluation import Evaluation, evaluate_text, mean_loss
from minigpt.measure.fits import Chinchilla, PowerLaw, bootstrap, confidence_band, fit_chinchilla, fit_power_law
from minigpt.measure.guesses import Guesses, guesses

__all__ = [
    "Chinchilla",
    "Evaluation",
    "Guesses",
    "PowerLaw",
    "bigram_nats",
    "bootstrap",
    "compressed_bits_per_byte",
    "confidence_band",
    "counted_nats",
    "evaluate_text",
    "fit_chinchilla",
    "fit_power_law",
    "guesses",
    "mean_loss",
    "uniform_nats",
    "unigram_nats",
]
