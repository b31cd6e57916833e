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
from minigpt.measure.long_range import (
    induction_score,
    loss_by_position,
    needle_texts,
    needle_tokens,
    retrieval,
    stretched,
    token_losses,
)

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
    "induction_score",
    "loss_by_position",
    "mean_loss",
    "needle_texts",
    "needle_tokens",
    "retrieval",
    "stretched",
    "token_losses",
    "uniform_nats",
    "unigram_nats",
]
