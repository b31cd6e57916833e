"""Two towers, as CLIP: which of 100 captions belongs to a scene of two handwritten digits?

    python examples/pictures_and_texts.py [--steps 600] [--seed 0]

Scenes such as "a seven above a three" are composed anew in every step; a tenth of the captions is never trained on. The
scenes that are asked about are made of digits that training never saw.
"""

import argparse

import numpy as np

from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.optim import warmup_cosine
from minigpt.text import BytePairTokenizer
from minigpt.vision.named import named_images, split
from minigpt.vision.scenes import WORDS, captions_of, compose, named_digits
from minigpt.vision.towers import (
    fit_towers,
    found_first,
    image_vectors,
    nearest_texts,
    text_batch,
    text_vectors,
    towers_for,
)

BATCH, ASKED, AMONG = 64, 400, 100


def main() -> None:
    """Train, then ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    learnt, asked = (named_digits(named_images(name)) for name in ("mnist", "mnist-test"))
    captions = captions_of(WORDS)
    held_out, rest = split(len(captions), len(captions) // 10)
    known, new = [captions[row] for row in rest], [captions[row] for row in held_out]
    tokenizer = BytePairTokenizer.train(captions, 512, at_most=True, progress=False)
    longest = max(len(tokenizer.encode(caption)) for caption in captions)
    size = (2 * learnt.size[0], 2 * learnt.size[1], 1)
    towers = towers_for(size, tokenizer.vocabulary_size, longest)
    params = towers.init(np.random.default_rng(arguments.seed))

    def scaled(pixels: np.ndarray) -> np.ndarray:
        return np.moveaxis(pixels, -1, 1).astype(np.float32) / 128 - 0.25

    def batches():
        for step in range(arguments.steps):
            rng = np.random.default_rng([arguments.seed, step])
            chosen = rng.choice(len(known), BATCH, replace=False)
            scenes = compose(learnt, [known[row] for row in chosen], rng)
            yield scaled(scenes.pixels), text_batch(tokenizer, scenes.captions)

    def show(step: int, loss: float) -> None:
        if (step + 1) % 50 == 0:
            print(f"step {step + 1:5}  loss {loss:.3f}  temperature {np.exp(-params.log_scale[0]):.3f}", flush=True)

    rng = np.random.default_rng(4096)
    with blas_threads(threads_for_width(64)):
        fit_towers(towers, params, batches(), warmup_cosine(2e-3, warmup=50, total=arguments.steps), on_step=show)
        every = text_vectors(towers, params, tokenizer, captions)
        for what, some in (("captions that were trained on", known), ("captions that never were", new)):
            wanted = [some[row] for row in rng.integers(0, len(some), ASKED)]
            own = np.array([captions.index(caption) for caption in wanted])
            vectors = image_vectors(towers, params, scaled(compose(asked, wanted, rng).pixels))
            first = found_first(vectors, own, every, AMONG, rng)
            for name, values in (
                (f"the first of {AMONG}", first),
                ("the first of all", nearest_texts(vectors, every) == own),
            ):
                mean = bootstrapped_mean(values)
                print(f"{what:32} {name:18} {mean.value:.3f}   95% interval {mean.low:.3f} to {mean.high:.3f}")


if __name__ == "__main__":
    main()
