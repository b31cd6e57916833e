"""Two towers, as CLIP: which of 100 captions belongs to a scene of two handwritten digits?

    python examples/pictures_and_texts.py [--steps 4500] [--seeds 3]

Scenes such as "a seven above a three" are composed anew in every step; a tenth of the captions is never trained on. The
scenes that are asked about are made of digits that training never saw. Asked is whether the own caption is the
nearest of 100 (chance 0.01), and whether it is the nearest of all 200, which names scenes by a list of words alone
(chance 0.005): for captions that were never trained on, classes are named zero-shot. And whether this nearest one has
the right digits, wherever they stand. Blind: the same model is asked with the vector of another scene in place of the
own one.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigpt import Batch
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.optim import warmup_cosine
from minigpt.text import BytePairTokenizer
from minigpt.train.provenance import provenance
from minigpt.vision.augment import Augmentation, augmented
from minigpt.vision.named import named_images
from minigpt.vision.scenes import Arrangement, arrangements, compose, named_digits, shared_out
from minigpt.vision.towers import (
    TowerParams,
    Towers,
    fit_towers,
    found_first,
    image_vectors,
    nearest_texts,
    text_batch,
    text_vectors,
    towers_for,
)

BATCH, ASKED, AMONG, PATCH = 64, 500, 100, 7
CHANGES = Augmentation(shift=1, turn=8.0)


def scaled(pixels: np.ndarray) -> np.ndarray:
    """(N, Z, Y, X), as the tower sees them."""
    return np.moveaxis(pixels, -1, 1).astype(np.float32) / 128 - 0.25


def trained(tokenizer: BytePairTokenizer, steps: int, seed: int) -> tuple[Towers, TowerParams]:
    """Both towers after their steps."""
    digits, (known, _) = named_digits(named_images("mnist")), shared_out()
    longest = max(len(tokenizer.encode(one.caption)) for one in arrangements())
    size = (2 * digits.size[0], 2 * digits.size[1], 1)
    towers = towers_for(size, tokenizer.vocabulary_size, longest, patch=PATCH)
    params = towers.init(np.random.default_rng(seed))

    def batches() -> Iterator[tuple[np.ndarray, Batch]]:
        for step in range(steps):
            rng = np.random.default_rng([seed, step])
            chosen = rng.choice(len(known), BATCH, replace=False)
            scenes = compose(digits, [known[row] for row in chosen], rng)
            yield augmented(scaled(scenes.pixels), CHANGES, rng), text_batch(tokenizer, scenes.captions)

    def show(step: int, loss: float) -> None:
        if (step + 1) % 100 == 0:
            print(f"step {step + 1:5}  loss {loss:.3f}  temperature {np.exp(-params.log_scale[0]):.3f}", flush=True)

    fit_towers(towers, params, batches(), warmup_cosine(2e-3, warmup=min(50, steps), total=steps), on_step=show)
    return towers, params


def digits_of(one: Arrangement) -> list[str]:
    """What stands there, wherever it stands."""
    return sorted((one.first, one.second))


def ask(towers: Towers, params: TowerParams, tokenizer: BytePairTokenizer) -> None:
    """Print what is found of scenes of new digits."""
    rng, digits = np.random.default_rng(4096), named_digits(named_images("mnist-test"))
    every = arrangements()
    texts = text_vectors(towers, params, tokenizer, [one.caption for one in every])
    for what, some in zip(("captions that were trained on", "captions that never were"), shared_out(), strict=True):
        wanted = [some[row] for row in rng.integers(0, len(some), ASKED)]
        own = np.array([every.index(one) for one in wanted])
        seen = image_vectors(towers, params, scaled(compose(digits, wanted, rng).pixels))
        for who, vectors in (("", seen), (", blind", rng.permutation(seen))):
            nearest = nearest_texts(vectors, texts)
            same = [digits_of(every[row]) == digits_of(one) for row, one in zip(nearest, wanted, strict=True)]
            for name, values in (
                (f"first of {AMONG}", found_first(vectors, own, texts, AMONG, rng)),
                (f"first of {len(every)}", nearest == own),
                ("its digits", np.array(same)),
            ):
                mean = bootstrapped_mean(values)
                print(f"{what + who:38} {name:13} {mean.value:.3f}   95% interval {mean.low:.3f} to {mean.high:.3f}")


def main() -> None:
    """Train with every seed, then ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps({**provenance(sys.argv[1:], Path(__file__).name), "seeds": arguments.seeds}))
    captions = [one.caption for one in arrangements()]
    tokenizer = BytePairTokenizer.train(captions, 512, at_most=True, progress=False)
    with blas_threads(threads_for_width(64)):
        for seed in range(arguments.seeds):
            print(f"seed {seed}", flush=True)
            ask(*trained(tokenizer, arguments.steps, seed), tokenizer)


if __name__ == "__main__":
    main()
