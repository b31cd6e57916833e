"""Can a text model be shown images? A glyph in one quarter of an image, and the caption "GLYPH QUARTER".

    python examples/image_in_a_text_model.py [--steps 300] [--seeds 3]

Three arms, each with as many steps: blind (the images are blank); a language model that was trained on captions and
then frozen under a new eye and a new projector (Tsimpoukelli et al. 2021, arXiv:2106.13884); all trained together.
Chance is 1/8 for the glyph and 1/4 for the quarter. The frozen model is hardly better than blind: captions alone teach
it to look at nothing that stands before them. Lesson 20 shows that, and a frozen model that reads every picture.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from minigpt import Batch, Overlay, Params, Transformer, TransformerConfig
from minigpt.machine import blas_threads
from minigpt.optim import warmup_cosine
from minigpt.train import fit
from minigpt.train.provenance import provenance

GLYPHS, QUARTERS, SIDE, START = 8, 4, 6, 0
DECODER = {"vocabulary_size": 1 + GLYPHS + QUARTERS, "width": 32, "layers": 2, "heads": 4, "position": "rotary"}
EYE = {"input": "images", "image": (1, 2 * SIDE, 2 * SIDE), "patch": (SIDE, SIDE), "context": 4, "layers": 1}
SHAPES = np.random.default_rng(28).integers(0, 2, (GLYPHS, SIDE, SIDE)).astype(np.float32)  # the same for all seeds


def captioned(rng: np.random.Generator, rows: int, *, blank: bool = False) -> Batch:
    """Images with a glyph each, and noise; what is scored is the glyph's name and then the quarter's."""
    glyphs, quarters = rng.integers(0, GLYPHS, rows), rng.integers(0, QUARTERS, rows)
    images = 0.3 * rng.standard_normal((rows, 1, 2 * SIDE, 2 * SIDE)).astype(np.float32)
    for image, glyph, quarter in zip(images, glyphs, quarters, strict=True):
        row, column = divmod(int(quarter), 2)
        image[0, row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] += SHAPES[glyph]
    names = np.stack([1 + glyphs, 1 + GLYPHS + quarters], axis=1)  # (B, 2)
    tokens = np.concatenate([np.full((rows, 1), START), names[:, :1]], axis=1)
    return Batch(tokens, names, source=np.zeros_like(images) if blank else images)


def seeing_model() -> Transformer:
    """An encoder of one layer, a projector, a decoder."""
    return Transformer(
        TransformerConfig(
            **DECODER,
            context=6,
            architecture="encoder-decoder",
            encoder_ahead=True,
            encoder={**EYE, "position": "learned"},
        )
    )


def trained(arm: str, steps: int, seed: int) -> tuple[Transformer, Params | Overlay]:
    """The model of an arm after its steps."""
    model, rate = seeing_model(), warmup_cosine(5e-3, warmup=min(20, steps), total=steps)
    params: Params | Overlay = model.init(np.random.default_rng(seed))
    if arm == "frozen":
        writer = Transformer(TransformerConfig(**DECODER, context=6))
        known = writer.init(np.random.default_rng([seed, 1]))
        fit(
            writer,
            known,
            (captioned(np.random.default_rng([seed, 2, s]), 64)._replace(source=None) for s in range(steps)),
            rate,
        )
        eye = params.only([name for name in params if name not in known])
        params = Overlay(known, eye)
    batches = (captioned(np.random.default_rng([seed, 3, step]), 64, blank=arm == "blind") for step in range(steps))
    fit(model, params, batches, rate)
    return model, params


def accuracy(arm: str, steps: int, seed: int) -> np.ndarray:
    """(2,) how often the glyph and the quarter are right, on 1,000 new images."""
    model, params = trained(arm, steps, seed)
    batch = captioned(np.random.default_rng(4096), 1000, blank=arm == "blind")
    logits, _ = model.forward(params, batch)
    return (logits.argmax(axis=-1) == batch.targets).mean(axis=0)


def main() -> None:
    """Every arm with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps({**provenance(sys.argv[1:], Path(__file__).name), "settings": vars(arguments)}), flush=True)
    with blas_threads(1):
        for arm in ("blind", "frozen", "all"):
            found = np.array([accuracy(arm, arguments.steps, seed) for seed in range(arguments.seeds)])
            for name, column in zip(("glyph", "quarter"), found.T, strict=True):
                each = "  ".join(f"{value:.3f}" for value in column)
                print(f"{arm:8} {name:8} {column.mean():.3f}   each seed: {each}", flush=True)


if __name__ == "__main__":
    main()
