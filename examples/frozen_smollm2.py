"""SmolLM2, which has only read, is shown pictures: a prefix of four vectors ahead of the question, and nothing else.

    minigpt train easy-vqa --task ask --out runs/shapes
    python examples/frozen_smollm2.py runs/shapes [--core-minutes 30] [--rows 8] [--seed 0]

All of the language model is frozen; the gradient goes through it into what makes the prefix (Tsimpoukelli et al. 2021,
"Multimodal Few-Shot Learning with Frozen Language Models", arXiv:2106.13884). The eye is the encoder of a run that
answers questions of easy-vqa, frozen too, so that what it says of each picture is computed once: the means of its
vectors over the four quarters of the picture. What learns is one block on these four vectors, and the projector. An
eye that was trained on these questions is more than a language model alone has: the control is the same prefix of
another picture, and the most frequent answer to each question.

Time is that of the processor, of all cores together: 30 minutes are 15 of two cores.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigpt import Batch, Call, Overlay, Params, Transformer, UserError, open_model
from minigpt.machine import blas_threads
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.model import Weights
from minigpt.ops import IGNORED
from minigpt.train import fit
from minigpt.train.provenance import provenance
from minigpt.vision.asked import Asked, by_first_word
from minigpt.vision.asking import Sentences
from minigpt.vision.questions import Questions, blind_answers, read_questions

QUARTERS, PARTS, RATE, WARMUP, LONGEST = 4, 50, 3e-3, 0.05, 64
EYE = {"input": "patches", "context": QUARTERS, "layers": 1, "heads": 4, "position": "learned"}
EYE |= {"norm": "rms", "feed_forward_width": 192}


def features(eye: Asked, found: Questions) -> np.ndarray:
    """(P, 4, C) what the frozen eye says of the quarters of every picture."""
    said = []
    if eye.folder.config.vectors_ahead != QUARTERS:
        raise UserError(f"the eye says {eye.folder.config.vectors_ahead} vectors, not four; train it with --areas 2")
    for first in range(0, len(found.pixels), PARTS):
        pixels = eye.folder.scaled(np.asarray(found.pixels[first : first + PARTS]))
        batch = Batch(np.zeros((len(pixels), 1), np.int64), source=pixels)
        said.append(eye.model.encode(eye.params, batch, Call().forward_only())[0])
    return np.concatenate(said)


class Asker:
    """Questions with the features of their pictures."""

    def __init__(self, sentences: Sentences, seen: np.ndarray):
        self.sentences, self.seen = sentences, seen

    def batch(self, rows: np.ndarray, pictures: np.ndarray) -> Batch:
        """The questions of these rows, about these pictures."""
        return self.sentences.batch(rows, self.seen[pictures])

    def right(self, model: Transformer, params: Overlay, rows: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """(N,) whether exactly the answer is written to each of the rows."""
        said = []
        for first in range(0, len(rows), PARTS):
            batch = self.batch(rows[first : first + PARTS], pictures[first : first + PARTS])
            logits, _ = model.forward(params, batch, Call().forward_only())
            assert batch.targets is not None
            said.append(((logits.argmax(axis=-1) == batch.targets) | (batch.targets == IGNORED)).all(axis=1))
        return np.concatenate(said)


def seeing(language_model: Transformer, width: int) -> Transformer:
    """The same decoder with a prefix of vectors that are made of features, (4, width)."""
    eye = {**EYE, "width": width, "input_width": width}
    changes = {"architecture": "encoder-decoder", "encoder_ahead": True, "encoder": eye, "context": LONGEST}
    return Transformer(type(language_model.config).from_dict({**language_model.config.to_dict(), **changes}))


def prefix_of(model: Transformer, frozen: Weights, rng: np.random.Generator) -> Params:
    """Fresh parameters of what makes the prefix: all that the frozen ones lack."""
    make, arrays = model.maker(rng), model.arrays()
    prefix = Params({name: record for name, record in arrays.items() if name not in frozen})
    for name in prefix:
        prefix[name] = make(name)
    return prefix


def train(model: Transformer, params: Overlay, asker: Asker, rows: int, seconds: float, seed: int) -> int:
    """Until so many seconds of processor time are over; how many steps that were."""
    began, steps = time.process_time(), 0

    def share() -> float:
        return (time.process_time() - began) / seconds

    def batches() -> Iterator[Batch]:
        nonlocal steps
        while share() < 1:
            chosen = np.random.default_rng([seed, steps]).choice(len(asker.sentences.rows), rows, replace=False)
            yield asker.batch(chosen, asker.sentences.pictures[chosen])
            steps += 1
            if steps % 25 == 0:
                print(f"step {steps:5}, {100 * share():3.0f} % of the time", flush=True)

    # The rate follows the clock: how many steps the time allows, nobody knows before.
    fit(model, params, batches(), lambda step: RATE * min(share() / WARMUP, 1 - min(share(), 1), 1) + 1e-6)
    return steps


def report(what: str, right: np.ndarray, test: Questions) -> None:
    """How often exactly the answer is written, also by the first word of the question."""
    mean = bootstrapped_mean(right)
    kinds = "  ".join(f"{kind} {right[rows].mean():.3f}" for kind, rows in by_first_word(test).items())
    print(f"{what:32} {mean.value:.3f}   95% interval {mean.low:.3f} to {mean.high:.3f}   {kinds}", flush=True)


def main() -> None:
    """Train, then ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("eye", metavar="RUN")
    parser.add_argument("--core-minutes", type=float, default=30)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--asked", type=int, default=500, help="questions of the test, drawn at random")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps({**provenance(sys.argv[1:], Path(__file__).name), "seed": arguments.seed}), flush=True)

    rng = np.random.default_rng([arguments.seed, 1])
    found, test, opened = read_questions("easy-vqa"), read_questions("easy-vqa-test"), open_model("smollm2")
    test = test.take(rng.choice(len(test.questions), arguments.asked, replace=False))
    eye = Asked(arguments.eye)
    with blas_threads(arguments.threads):
        learnt = Asker(Sentences(opened.tokenizer, found), features(eye, found))
        asked = Asker(Sentences(opened.tokenizer, test), features(eye, test))
        model = seeing(opened.model, learnt.seen.shape[-1])
        prefix = prefix_of(model, opened.params, rng)
        params = Overlay(opened.params, prefix)
        print(f"{prefix.flat.size:,} numbers learn, {opened.params.flat.size:,} are frozen", flush=True)
        rows, other = np.arange(len(test.questions)), rng.permutation(len(test.pixels))
        blind = np.array(blind_answers(found, test)) == np.array(test.answers)
        report("the most frequent answer", blind, test)
        report("before", asked.right(model, params, rows, test.pictures), test)
        steps = train(model, params, learnt, arguments.rows, 60 * arguments.core_minutes, arguments.seed)
        what = f"after {steps:,} steps of {arguments.rows}"
        report(what, asked.right(model, params, rows, test.pictures), test)
        report(f"{what}, another picture", asked.right(model, params, rows, other[test.pictures]), test)


if __name__ == "__main__":
    main()
