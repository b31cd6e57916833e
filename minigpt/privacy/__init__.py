"""What a model gives away of its training text, and training that bounds it.

Guessing which texts were trained on, from scores (`area_under_curve` is 0.5 for chance); text that comes out by heart;
planted numbers; and DP-SGD, whose noise bounds what one example can change.

>>> minigpt.privacy.area_under_curve(seen=np.array([3.0, 2.0, 2.0]), unseen=np.array([1.0, 2.0]))
0.8333333333333334
>>> minigpt.privacy.noise_for(8.0, rate=0.01, steps=1000, delta=1e-5) < minigpt.privacy.noise_for(
...     1.0, rate=0.01, steps=1000, delta=1e-5
... )
True
"""

from minigpt.privacy.accountant import noise_for, renyi_divergence, spent
from minigpt.privacy.audit import audit_run
from minigpt.privacy.canaries import Canary, exposure, plant, read_canaries
from minigpt.privacy.extraction import extracted
from minigpt.privacy.membership import area_under_curve, membership_scores
from minigpt.privacy.training import PrivateGradient, poisson_rows

__all__ = [
    "Canary",
    "PrivateGradient",
    "area_under_curve",
    "audit_run",
    "exposure",
    "extracted",
    "membership_scores",
    "noise_for",
    "plant",
    "poisson_rows",
    "read_canaries",
    "renyi_divergence",
    "spent",
]
