"""Does a language model that is frozen read pictures as well as one that learns with them? And what of a pair of shape
and colour that was never shown together?

    python examples/frozen_or_whole.py [--steps 2000] [--seeds 1] [--first-seed 0]

Questions are those of easy-vqa. A small language model is trained on questions and answers without pictures; then two
arms go on from it, each with as many steps: whole (encoder, projector and language model learn), and frozen (the
language model stays as it is; Tsimpoukelli et al. 2021, arXiv:2106.13884). Both are trained once more without red
triangles, blue circles and yellow rectangles; the first time they went without as many pictures, drawn at random. All
are asked about these pairs, and about others.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigpt import Batch, Call, Overlay, Params, Transformer
from minigpt.machine import blas_threads
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.ops import IGNORED
from minigpt.optim import Schedule, warmup_cosine
from minigpt.text import BytePairTokenizer
from minigpt.train import fit
from minigpt.train.provenance import provenance
from minigpt.vision.asking import FIRST, VOCABULARY, Sentences, asking_config
from minigpt.vision.questions import Questions, blind_answers, read_questions

PAIRS = (("red", "triangle"), ("blue", "circle"), ("yellow", "rectangle"))
SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
BATCH, RATE, DECAY, TOGETHER = 32, 2e-3, 0.05, 200


def facts(found: Questions) -> dict[int, set[str]]:
    """Picture -> the colour and the shape that its questions and answers tell of it."""
    known: dict[int, set[str]] = defaultdict(set)
    for question, answer, picture in zip(found.questions, found.answers, found.pictures.tolist(), strict=True):
        words = question.rstrip("?").split()
        named = [word for word in words if word in SHAPES + COLOURS]
        if answer in SHAPES + COLOURS:
            known[picture] |= {answer, *named}
        elif (answer == "yes") != ("not" in words or "no" in words):
            known[picture] |= set(named)
    return known


def is_of_pairs(found: Questions) -> tuple[np.ndarray, np.ndarray]:
    """(N,) of each question: whether its picture shows one of the pairs; whether shape and colour are known at all."""
    known = facts(found)
    of_pair = np.array([any(known[picture] >= set(pair) for pair in PAIRS) for picture in found.pictures.tolist()])
    return of_pair, np.array([len(known[picture]) == 2 for picture in found.pictures.tolist()])


class Asker:
    """Batches of questions about pictures, and who is right."""

    def __init__(self, tokenizer: BytePairTokenizer, found: Questions):
        self.sentences, self.found = Sentences(tokenizer, found), found
        self.every = np.arange(len(found.questions))
        self.first = np.flatnonzero([question.startswith("what") for question in found.questions])

    def batch(self, rows: np.ndarray, blind: bool = False) -> Batch:
        """Some questions; blind: without their pictures."""
        pixels = self.found.pixels[self.found.pictures[rows]]
        batch = self.sentences.batch(rows, np.moveaxis(pixels, -1, 1).astype(np.float32) / 64 - 3)
        return batch._replace(source=None) if blind else batch

    def batches(self, steps: int, seed: int, blind: bool = False) -> Iterator[Batch]:
        """One for each step; in the first fifth only what has more answers than yes and no."""
        for step in range(steps):
            rows = self.first if step < steps // FIRST else self.every
            drawn = np.random.default_rng([seed, step]).choice(rows, BATCH, replace=False)
            yield self.batch(drawn, blind)

    def right(self, model: Transformer, params: Params | Overlay) -> np.ndarray:
        """(N,) whether exactly the answer is written."""
        said = []
        for first in range(0, len(self.sentences.rows), TOGETHER):
            batch = self.batch(np.arange(first, min(first + TOGETHER, len(self.sentences.rows))))
            logits, _ = model.forward(params, batch, Call().forward_only())
            assert batch.targets is not None
            said.append(((logits.argmax(axis=-1) == batch.targets) | (batch.targets == IGNORED)).all(axis=1))
        return np.concatenate(said)


def language_model(seeing: Transformer, asker: Asker, steps: int, seed: int) -> Params:
    """A decoder of the same shape, after it has read questions and answers without pictures."""
    config = {**seeing.config.to_dict(), "architecture": "decoder", "encoder": None}
    config |= {"encoder_ahead": False, "encoder_areas": None}
    model = Transformer(type(seeing.config).from_dict(config))
    params = model.init(np.random.default_rng([seed, 1]))
    fit(model, params, asker.batches(steps, seed, blind=True), _rate(steps))
    return params


def trained(
    model: Transformer, known: Params, asker: Asker, steps: int, seed: int, *, frozen: bool
) -> Params | Overlay:
    """The arm after its steps, from the language model `known`."""
    fresh = model.init(np.random.default_rng([seed, 2]))
    for name, array in known.items():
        fresh[name] = array
    eye = fresh.only([name for name in fresh if name not in known])
    params: Params | Overlay = Overlay(known, eye) if frozen else fresh
    fit(model, params, asker.batches(steps, seed), _rate(steps), weight_decay=DECAY)
    return params


def _rate(steps: int) -> Schedule:
    return warmup_cosine(RATE, warmup=min(100, steps), total=steps)


def main() -> None:
    """All arms with every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=1, help="so many, one after the other")
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps({**provenance(sys.argv[1:], Path(__file__).name), "settings": vars(arguments)}), flush=True)

    found, test = read_questions("easy-vqa"), read_questions("easy-vqa-test")
    of_pair, known = is_of_pairs(found)
    test_of_pair, test_known = is_of_pairs(test)
    texts = [f"{question} {answer}" for question, answer in zip(found.questions, found.answers, strict=True)]
    tokenizer = BytePairTokenizer.train(texts, VOCABULARY, at_most=True, progress=False)
    asked = Asker(tokenizer, test)
    longest = max(asked.sentences.longest, Sentences(tokenizer, found).longest)
    model = Transformer(asking_config(found.pixels.shape[1:], tokenizer.vocabulary_size, longest, None))

    def report(what: str, right: np.ndarray) -> None:
        for where, rows in (("the pairs", test_of_pair & test_known), ("others", ~test_of_pair & test_known)):
            mean = bootstrapped_mean(right[rows])
            print(
                f"{what:30} {where:10} {mean.value:.3f}   95% interval {mean.low:.3f} to {mean.high:.3f}   "
                f"of {rows.sum():,}",
                flush=True,
            )

    report("the question alone", np.array(blind_answers(found, test)) == np.array(test.answers))
    with blas_threads(1):
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            pictures = np.unique(found.pictures[known])
            gone = np.unique(found.pictures[known & of_pair])
            random = np.random.default_rng([seed, 3]).choice(pictures, len(gone), replace=False)
            kept = found.take(np.flatnonzero(known & ~np.isin(found.pictures, random)))
            without = found.take(np.flatnonzero(known & ~of_pair))
            for what, some in (("", kept), (", pairs never shown", without)):
                asker = Asker(tokenizer, some)
                reader = language_model(model, asker, arguments.steps, seed)
                for frozen in (False, True):
                    params = trained(model, reader, asker, arguments.steps, seed, frozen=frozen)
                    name = f"seed {seed}, {'frozen' if frozen else 'whole'}{what}"
                    report(name, asked.right(model, params))


if __name__ == "__main__":
    main()
