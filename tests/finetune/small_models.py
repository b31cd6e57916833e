"""Two small models on the disk, an encoder and a decoder, which fine-tuning begins with."""

import numpy as np

from minigpt import Corpus, TrainSettings, prepare_run
from minigpt.train import train

LETTERS = "abcdefgh xyz\n"


def make_models(where):
    """architecture -> the folder, below `where`, of a run of a few steps."""
    rng, found = np.random.default_rng(0), {}
    text = "".join(rng.choice(list(LETTERS), 4000))
    for architecture, objective in (("encoder", "masked"), ("decoder", "causal")):
        path = where / architecture
        settings = TrainSettings(steps=3, batch=4, validate_every=3, validation_windows=8)
        changes = {"layers": 2, "width": 32, "heads": 2, "context": 24}
        folder = prepare_run(
            path,
            Corpus("letters", (text,), (text[:800],)),
            objective=objective,
            tokenizer="characters",
            changes=changes,
            settings=settings,
            progress=False,
        )
        train(folder, show_progress=False)
        found[architecture] = path
    return found
