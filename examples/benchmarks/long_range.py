"""SmolLM2 beyond its context: nats by position under each rotary scaling, needles by distance, and induction.

Windows of Shakespeare are read with the positions as they are and stretched, by a model that was not trained on; the
same windows for all, so differences are paired. "short" is what a scaling costs on texts that need none. The context of
SmolLM2 is 8,192, and reading 32,768 tokens takes some minutes of two cores for each window and scaling.
Run: python examples/benchmarks/long_range.py [--length 32768] [--windows 1] [--only none yarn] [--needles 0] [--json]
"""

import json
import time

import numpy as np
from common import answer_of, arguments_for, report

from minigpt import load_corpus, open_model
from minigpt.machine import blas_threads
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.measure.long_range import induction_score, needle_texts, retrieval, stretched, token_losses
from minigpt.model.scaling import fields_of

KINDS = ("none", "linear", "ntk", "dynamic", "yarn", "llama3")
SHORT, SHORT_WINDOWS = 1024, 16  # texts that need no scaling
BLOCK = 256  # tokens, drawn together for an interval: neighbours have much in common
TEXT = "shakespeare"


def scaled(opened, kind, factor, length):
    """The model with one kind of scaling, for texts of `length`."""
    config = opened.model.config
    if kind == "none":
        return stretched(opened.model, length)
    scaling = {"kind": kind, "factor": float(factor)}
    if "original_context" in fields_of(kind):
        scaling["original_context"] = config.context
    return stretched(opened.model, length, rotary_scaling=scaling)


def windows_of(tokens, length, count):
    """(count, length + 1) tokens from places spread over the text."""
    starts = np.linspace(0, len(tokens) - length - 1, count).astype(int)
    return np.stack([tokens[start : start + length + 1] for start in starts])


def by_position(kind, arguments):
    """Nats of every token of the long windows and of the short ones."""
    opened = open_model("smollm2")
    tokens = np.asarray(opened.tokenizer.encode("\n".join(load_corpus(TEXT, progress=False).documents)))
    factor = max(2, arguments.length // opened.model.config.context)
    model, start = scaled(opened, kind, factor, arguments.length), time.perf_counter()
    long = token_losses(model, opened.params, windows_of(tokens, arguments.length, arguments.windows))
    short = token_losses(model, opened.params, windows_of(tokens, SHORT, SHORT_WINDOWS))
    return {"long": long.tolist(), "short": short.tolist(), "seconds": time.perf_counter() - start}


def table(found, parts):
    """Rows of a table: nats by position, and what is lost or gained against no scaling, with 95% intervals."""
    plain, rows = {name: np.array(found["none"][name]) for name in ("long", "short")}, []
    for kind, answer in found.items():
        long, short = np.array(answer["long"]), np.array(answer["short"])
        places = np.array_split(np.arange(long.shape[1]), parts)
        row = {"scaling": kind, "short": short.mean()} | {
            f"{part[0]:,} to {part[-1]:,}": long[:, part].mean() for part in places
        }
        if kind != "none":
            changes = [short - plain["short"], *(long[:, part] - plain["long"][:, part] for part in places[-2:])]
            names = ("short, more", "last but one", "last")
            row |= {name: _with_interval(x) for name, x in zip(names, changes, strict=True)}
        rows.append(row | {"seconds": answer["seconds"]})
    return rows


def _with_interval(differences):
    """The mean of (windows, positions), blocks of neighbours drawn again."""
    whole = differences.shape[1] // BLOCK * BLOCK
    found = bootstrapped_mean(differences[:, :whole].reshape(-1, BLOCK).mean(axis=1))
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def needles(arguments):
    """How often SmolLM2 finds a number by its distance, one number or four in the text."""
    opened, rows = open_model("smollm2"), []
    filler = "\n".join(load_corpus("kjv", progress=False).documents)[:400_000]
    for length, distance in ((512, 100), (512, 400), (2048, 400), (2048, 1900), (4096, 1900), (4096, 3900)):
        row = {"length": length, "distance": distance}
        for count in (1, 4):
            rng = np.random.default_rng(0)
            asked = needle_texts(rng, opened.tokenizer, filler, arguments.needles, length, distance, needles=count)
            found = retrieval(opened.model, opened.params, asked)
            row[f"of {count}"] = f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
        rows.append(row)
    return rows


def induction(arguments):
    """Random tokens twice: nats of both halves, and the heads that look at what came next the last time."""
    opened = open_model("smollm2")
    found = induction_score(opened.model, opened.params, np.random.default_rng(0), count=8, length=64)
    best = np.argsort(found.heads, axis=None)[::-1][:5]
    heads = ", ".join("{}.{} {:.2f}".format(*np.unravel_index(i, found.heads.shape), found.heads.flat[i]) for i in best)
    return [{"first": found.first.value, "again": found.second.value, "block.head, attention": heads}]


def main():
    """A process for each scaling, in turn, then the needles."""
    parser = arguments_for(__doc__)
    parser.add_argument("--length", type=int, default=32768, help="of a window")
    parser.add_argument("--windows", type=int, default=1)
    parser.add_argument("--parts", type=int, default=8, help="of a window, whose positions are told together")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--needles", type=int, default=20, help="texts for each distance; 0: none")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.length, arguments.needles = min(arguments.length, 9000), min(arguments.needles, 4)
    if arguments.contestant:
        with blas_threads(arguments.threads):
            run = {"needles": needles, "induction": induction}.get(arguments.contestant)
            print(json.dumps(run(arguments) if run else by_position(arguments.contestant, arguments)))
        return
    passed = [f"--{name}={getattr(arguments, name)}" for name in ("length", "windows", "needles")]
    passed += [] if arguments.threads is None else [f"--threads={arguments.threads}"]
    kinds = ["none", *(kind for kind in arguments.only if kind != "none")]
    report(table({kind: answer_of(__file__, kind, *passed) for kind in kinds}, arguments.parts), arguments.json)
    for name in ("needles", "induction") if arguments.needles else ():
        report(answer_of(__file__, name, *passed), arguments.json)


if __name__ == "__main__":
    main()
