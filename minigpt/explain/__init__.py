"""Why a model says what it says: what it looks at, what counts, which part of it does the work.

Everything is seen through the hooks of `minigpt.model.call`: no model knows that it is watched, and only looking
changes no bit of its answer.
"""

from minigpt.explain.attention import Maps, attention_maps, flow, rollout, rollout_across
from minigpt.explain.attribution import (
    Attribution,
    gradient,
    gradient_times_input,
    occlusion,
    smooth_gradient,
)
from minigpt.explain.autoencoder import (
    Planted,
    autoencoder_backward,
    autoencoder_forward,
    latents_of,
    planted_features,
    principal_directions,
    recovered,
    train_autoencoder,
)
from minigpt.explain.direct import Direct, direct_attribution
from minigpt.explain.heads import HeadScores, copying_loss, head_scores
from minigpt.explain.integrated import integrated_gradients
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
from minigpt.explain.probes import Probe, Probed, control_labels, probed
from minigpt.explain.question import Question, ask
from minigpt.explain.read import Reading, read_text
from minigpt.explain.shapley import shapley
from minigpt.explain.steering import direction_between, steering

__all__ = [
    "METHODS",
    "Attribution",
    "Direct",
    "HeadScores",
    "Lens",
    "Maps",
    "Method",
    "Place",
    "Planted",
    "Probe",
    "Probed",
    "Question",
    "Reading",
    "Translators",
    "ablating",
    "activation_patching",
    "ask",
    "attention_maps",
    "attribution_patching",
    "autoencoder_backward",
    "autoencoder_forward",
    "control_labels",
    "copying_loss",
    "direct_attribution",
    "direction_between",
    "flow",
    "gradient",
    "gradient_times_input",
    "head_scores",
    "integrated_gradients",
    "latents_of",
    "lens_logits",
    "logit_lens",
    "mean_activations",
    "occlusion",
    "patch",
    "path_patching",
    "planted_features",
    "principal_directions",
    "probed",
    "read_text",
    "recovered",
    "rollout",
    "rollout_across",
    "shapley",
    "smooth_gradient",
    "steering",
    "train_autoencoder",
    "tuned_lens",
]
