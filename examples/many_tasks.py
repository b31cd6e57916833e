"""One stack that reads, sees and hears: film reviews, handwritten digits and spoken digits in one mixture.

python examples/many_tasks.py                       three seeds
python examples/many_tasks.py --examples 50         of 50 texts, images and words each
python examples/many_tasks.py --shares 3 1 1        of five rows of a mixture three are texts

Three encoders differ in their first layer alone (words, patches of an image, frames of a sound); blocks and head are
common. The head has twelve classes, ten digits and two opinions: a written 7 and a spoken "seven" are one class. Each
task is also learnt alone, by a model of the same size, which sees as many of its rows. The mixture is trained three
times as long as one of these (as long as the three take together), and also only as long as one. While the longer of
the two is trained, the gradients of the tasks at what they share are compared, each also with another batch of its own
task.
The spoken digits need what `examples/spoken_digits.py` needs.

Measured once, accuracy on what was not trained on, means of three seeds, for film reviews, written and spoken digits:
each alone 0.703, 0.903, 0.992; together with three times the steps 0.682, 0.884, 0.990, with as many steps as one alone
0.554, 0.761, 0.989. Sharing costs little here, and gains nothing.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from spoken_digits import BANDS, DIGITS, FRAMES, UNHEARD, VARIANTS, middle, synthesized

from minigpt import Batch, Params, Transformer, TransformerConfig
from minigpt.finetune.named import named_records
from minigpt.multitask import Asked, Joint, Task, cosines, exact_match, task_gradients, train_tasks
from minigpt.train.provenance import arrays_sha256, provenance
from minigpt.vision.named import named_images

CLASSES = (*DIGITS, "negative", "positive")
WORDS, LONGEST, PATCH, ASKED = 4000, 24, 7, 500
COMPARED, ROWS = 6, 64  # times that gradients are compared in a training, and rows of each
UNKNOWN, PADDING = 0, 1
Inputs = tuple[np.ndarray, np.ndarray]  # what is read, and the class of each row

SIZES = {
    "context": FRAMES // 2, "width": 64, "layers": 2, "heads": 4, "architecture": "encoder", "position": "sinusoidal",
    "head": "sequence", "labels": len(CLASSES), "pooled": "mean", "pooler": False, "tied": False, "init_std": 0.1,
}  # fmt: skip
READERS = {
    "text": {"vocabulary_size": WORDS},
    "image": {"vocabulary_size": 1, "input": "patches", "input_width": PATCH**2},
    "sound": {"vocabulary_size": 1, "input": "frames", "input_width": BANDS},
}


def texts() -> tuple[Inputs, Inputs]:
    """Snippets of film reviews as the numbers of their words, (N, LONGEST), to learn from and to be asked."""
    sets = [named_records(name, progress=False) for name in ("film", "film-test")]
    split = [[re.findall(r"[a-z']+", record.values["text"].lower())[:LONGEST] for record in some] for some in sets]
    counts = Counter(word for words in split[0] for word in words)
    ids = {word: number + 2 for number, (word, _) in enumerate(counts.most_common(WORDS - 2))}
    found = []
    for some, records in zip(split, sets, strict=True):
        rows = np.full((len(some), LONGEST), PADDING)
        for row, words in zip(rows, some, strict=True):
            row[: max(1, len(words))] = [ids.get(word, UNKNOWN) for word in words] or [UNKNOWN]
        found.append((rows, np.array([CLASSES.index(record.values["label"]) for record in records])))
    return found[0], found[1]


def images() -> tuple[Inputs, Inputs]:
    """Handwritten digits in patches, (N, 16, 49)."""
    found = []
    for name in ("mnist", "mnist-test"):
        some = named_images(name, progress=False)
        pixels, side = some.pixels[..., 0].astype(np.float32) / 128 - 0.25, some.size[0] // PATCH
        cut = pixels.reshape(-1, side, PATCH, side, PATCH).swapaxes(2, 3).reshape(-1, side**2, PATCH**2)
        found.append((cut, some.targets([str(digit) for digit in range(10)])))
    return found[0], found[1]


def sounds() -> tuple[Inputs, Inputs]:
    """Spoken digits, (N, FRAMES, BANDS): voices to learn from, and others to be asked."""
    found = []
    for voices in (VARIANTS[::3], UNHEARD[::2]):
        spoken, labels = synthesized(DIGITS, voices)
        found.append((np.stack([middle(one) for one in spoken]), labels))
    return found[0], found[1]


def batch_of(inputs: Inputs, rows: np.ndarray) -> Batch:
    """Some rows. Texts end where their padding begins."""
    x, labels = inputs[0][rows], inputs[1][rows]
    return Batch(x, labels=labels, present=(x != PADDING) if x.dtype.kind == "i" else None)


def drawing(inputs: Inputs) -> Callable[[np.random.Generator, int], Batch]:
    """What draws rows of a set."""
    return lambda rng, count: batch_of(inputs, rng.integers(0, len(inputs[1]), count))


def report(name: str, found: Sequence[Sequence[float]]) -> None:
    """The mean of the seeds for each task, and how far they lie apart."""
    values = np.array(found)
    cells = [f"{v.mean():.3f} ({v.min():.3f} to {v.max():.3f})" for v in values.T]
    print(f"{name:42}" + "   ".join(cells), flush=True)


class Angles:
    """The cosines between tasks' gradients, compared now and then in a training of so many steps."""

    def __init__(self, joint: Joint, tasks: Sequence[Task], steps: int):
        self.joint, self.tasks, self.steps = joint, tasks, steps
        self.found: list[np.ndarray] = []  # each (N, N): of tasks; on the diagonal with another batch of the same task

    def watch(self, step: int, params: Params) -> None:
        """Compare, if it is time."""
        if step % max(1, self.steps // COMPARED):
            return
        rng = np.random.default_rng([3, step])
        asked = [Asked(task, task.make(rng, ROWS)) for task in (*self.tasks, *self.tasks)]
        every, count = cosines(task_gradients(self.joint, params, asked)), len(self.tasks)
        self.found.append(every[:count, count:])

    def lines(self) -> list[str]:
        """For each two tasks the mean, and from where to where."""
        found = np.stack(self.found)
        return [
            f"  {one.name:6} and {other.name:6} {of_both.mean():6.3f} ({of_both.min():.3f} to {of_both.max():.3f})"
            for row, one in enumerate(self.tasks)
            for column, other in enumerate(self.tasks[row:], row)
            for of_both in [found[:, row, column]]
        ]


def main() -> None:
    """Read, train alone and together, ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300, help="of a task alone")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--examples", type=int, help="learn from so many of each task instead of from all")
    parser.add_argument(
        "--shares", type=float, nargs=3, metavar=("TEXT", "IMAGE", "SOUND"), help="of a mixture (default: all alike)"
    )
    arguments = parser.parse_args()

    sets = {"text": texts(), "image": images(), "sound": sounds()}
    learnt = {name: tuple(part[: arguments.examples] for part in shuffled(pair[0])) for name, pair in sets.items()}
    asked = {name: shuffled(pair[1]) for name, pair in sets.items()}
    tasks = [Task(name, drawing((some[0], some[1])), name) for name, some in learnt.items()]
    models = {name: Transformer(TransformerConfig(**{**SIZES, **fields})) for name, fields in READERS.items()}
    joint = Joint(models)

    made = provenance(sys.argv[1:], Path(__file__).name)
    hashes = {name: arrays_sha256(*some) for name, some in learnt.items()}
    print(json.dumps({**made, "seeds": arguments.seeds, "shares": arguments.shares, "sha256": hashes}))
    counts = [len(some[1]) for some in learnt.values()]
    print(
        "examples:", dict(zip(learnt, counts, strict=True)), " numbers:", joint.init(np.random.default_rng(0)).flat.size
    )
    print(f"{'accuracy':42}" + "   ".join(f"{name:22}" for name in sets))
    common = [max(np.bincount(pair[1][1])) / len(pair[1][1]) for pair in sets.values()]
    report("the most frequent class", [common])

    def scores(params, which: Sequence[Task]) -> list[float]:
        held_out = [batch_of(asked[task.name], np.arange(min(ASKED, len(asked[task.name][1])))) for task in which]
        return [exact_match(joint.model(task), params, batch) for task, batch in zip(which, held_out, strict=True)]

    def together(steps: int, watch: Callable[[int, Params], None] | None = None) -> list[list[float]]:
        return [
            scores(
                train_tasks(joint, tasks, steps, shares=arguments.shares, rows=32, seed=seed, watch=watch).params, tasks
            )
            for seed in range(arguments.seeds)
        ]

    alone = [
        [
            scores(
                train_tasks(Joint({t.reader: joint.model(t)}), [t], arguments.steps, rows=32, seed=seed).params, [t]
            )[0]
            for t in tasks
        ]
        for seed in range(arguments.seeds)
    ]
    report("three models, each alone", alone)
    angles = Angles(joint, tasks, 3 * arguments.steps)
    report("one model, three times the steps", together(3 * arguments.steps, angles.watch))
    report("one model, as many steps as one alone", together(arguments.steps))
    print("cosines of gradients, of all seeds and times:", *angles.lines(), sep="\n")


def shuffled(inputs: Inputs) -> Inputs:
    """In another order, always the same."""
    order = np.random.default_rng(0).permutation(len(inputs[1]))
    return inputs[0][order], inputs[1][order]


if __name__ == "__main__":
    main()
