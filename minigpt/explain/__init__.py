"""Why a model says what it says: what it looks at, what counts, which part of it does the work.

Everything is seen through the hooks of `minigpt.model.call`: no model knows that it is watched, and only looking
changes no bit of its answer.
"""

from minigpt.explain.attention import Maps, attention_maps, flow, rollout, rollout_across
from minigpt.explain.attribution import (
    Attribution,
    gradient,
    gradient_times_input,
    integrated_gradients,
    occlusion,
    smooth_gradient,
)
from minigpt.explain.lens import Lens, Translators, lens_logits, logit_lens, tuned_lens
from minigpt.explain.methods import METHODS, Method
from minigpt.explain.question import Question, ask
from minigpt.explain.shapley import shapley

__all__ = [
    "METHODS",
    "Attribution",
    "Lens",
    "Maps",
    "Method",
    "Question",
    "Translators",
    "ask",
    "attention_maps",
    "flow",
    "gradient",
    "gradient_times_input",
    "integrated_gradients",
    "lens_logits",
    "logit_lens",
    "occlusion",
    "rollout",
    "rollout_across",
    "shapley",
    "smooth_gradient",
    "tuned_lens",
]
