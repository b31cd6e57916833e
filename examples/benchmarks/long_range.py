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

from minigpt import Engine, Request, load_corpus, open_model
from minigpt.infer import GREEDY
from minigpt.machine import blas_threads
from minigpt.measure.intervals import bootstrapped_mean, share
from minigpt.measure.long_range import NAMES, NEEDLE, QUESTION, induction_score, stretched, token_losses
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


def hidden_numbers(rng, tokenizer, filler, length, distances):
    """A text with a needle at each distance from its end: its tokens, and for each needle its question and answer."""
    names, numbers = rng.permutation(NAMES)[: len(distances)], rng.integers(1000, 10000, len(distances))
    end, text, asked = int(rng.integers(length, len(filler))), [], []
    for distance, name, number in sorted(zip(distances, names, numbers, strict=True)):
        needle = tokenizer.encode(NEEDLE.format(name, number)).tolist()
        between = distance - len(needle) - len(text)
        text = [*needle, *filler[end - between : end], *text]
        end -= between
        question = tokenizer.encode(QUESTION.format(name)).tolist()
        asked.append((question, tokenizer.encode(QUESTION.format(name) + f" {number}").tolist()[len(question) :]))
    return [*filler[end - (length - len(text)) : end], *text], asked


def needles(arguments):
    """How often SmolLM2 finds a number by its distance, one in the text or four; and beyond its context, stretched.

    A text with four numbers is asked for each of them; the engine keeps its keys, so it is read once.
    """
    opened, rows = open_model("smollm2"), []
    tokenizer, context = opened.tokenizer, opened.model.config.context
    filler = tokenizer.encode("\n".join(load_corpus("kjv", progress=False).documents)[:400_000]).tolist()
    beyond = context + context // 4
    for kind, length, distances in (
        ("none", 2048, (1900,)),
        ("none", 2048, (100, 600, 1200, 1900)),
        ("none", context // 2, (100, 1200, 2500, 3900)),
        *((kind, beyond, (100, 3900, 7500, 10_000)) for kind in ("none", "yarn")),
    ):
        model = scaled(opened, kind, 2, max(length, context) + 256)
        found = {distance: 0 for distance in distances}
        rng = np.random.default_rng(0)
        count = arguments.needles if length <= context else -(-arguments.needles // 2)
        for _ in range(count):
            engine = Engine(model, opened.params, slots=1, page=256, piece=2048, memory=2 << 30)
            text, asked = hidden_numbers(rng, tokenizer, filler, length, distances)
            for distance, (question, answer) in zip(sorted(distances), asked, strict=True):
                engine.submit(Request(np.array(text + question), len(answer), sampling=GREEDY))
                written = []
                while engine.pending or engine.running:
                    written += [event.token for event in engine.step()]
                found[distance] += written == answer
        for distance, right in found.items():
            right = share(right, count)
            said = f"{right.value:.2f} ({right.low:.2f} to {right.high:.2f})"
            rows.append(
                {"scaling": kind, "length": length, "numbers": len(distances), "distance": distance} | {"found": said}
            )
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
    parser.add_argument("--needles", type=int, default=8, help="texts for each length; 0: none")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.length, arguments.needles = min(arguments.length, 9000), min(arguments.needles, 2)
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
