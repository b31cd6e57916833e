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
from minigpt.explain.direct import Direct, direct_attribution
from minigpt.explain.lens import Lens, Translators, lens_logits, logit_lens, tuned_lens
from minigpt.explain.methods import METHODS, Method
from minigpt.explain.patching import (
    Place,
    ablating,
    activation_patching,
    attribution_patching,
    mean_activations,
    patch,
    path_patching,
)
from minigpt.explain.question import Question, ask
from minigpt.explain.read import Reading, read_text
from minigpt.explain.shapley import shapley

__all__ = [
    "METHODS",
    "Attribution",
    "Direct",
    "Lens",
    "Maps",
    "Method",
    "Place",
    "Question",
    "Reading",
    "Translators",
    "ablating",
    "activation_patching",
    "ask",
    "attention_maps",
    "attribution_patching",
    "direct_attribution",
    "flow",
    "gradient",
    "gradient_times_input",
    "integrated_gradients",
    "lens_logits",
    "logit_lens",
    "mean_activations",
    "occlusion",
    "patch",
    "path_patching",
    "read_text",
    "rollout",
    "rollout_across",
    "shapley",
    "smooth_gradient",
    "tuned_lens",
]
