"""What does each choice in the recipe of `minigpt train` give? One is changed at a time, for the same processor time.

Nine tenths of the training documents of Python's documentation are trained on, and the other tenth judges, whole: the
held-out part, on which the README's number is measured, is never read. A recipe whose step takes longer gets fewer
steps: the numbers of steps below were set by times measured on one machine, and the column "seconds" says how equal the
processor time of training is on yours. Each run has a process and a core of its own. What was found is kept with the
machine's name, and the contest goes on from there.

How to read it: the spread of three seeds is about 1.7 standard deviations of one run, and a difference between two runs
has 1.4 of them, since equal seeds do not make two recipes alike. So a row of one seed says something only if it is at
least twice as far from the default as the default's spread. The rates beside the default's are tried for AdamW alone.
Run: python examples/benchmarks/recipe.py [--out recipe.json] [--json]
"""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from statistics import mean
from threading import Lock

from common import answer_of, arguments_for, machine_name, report

from minigpt.files import replacing
from minigpt.machine import cores
from minigpt.text import Corpus, load_corpus
from minigpt.train import TrainSettings, prepare_run, train
from minigpt.train.engine import OneProcess

GPT2 = {"norm": "layer", "position": "learned", "activation": "gelu_tanh", "gated": False, "bias": True}
RECIPES = {  # what is changed, steps, seeds
    "default": ({}, 675, 3),
    "vocabulary 1024": ({"vocabulary": 1024}, 900, 3),
    "vocabulary 8192": ({"vocabulary": 8192}, 500, 1),
    "rate 0.006": ({"learning_rate": 0.006}, 675, 1),
    "rate 0.002": ({"learning_rate": 0.002}, 675, 1),
    "linear, to zero": ({"schedule": "linear", "final_rate": 0.0}, 675, 1),
    "batch 8": ({"batch": 8}, 1000, 1),
    "Muon, rate 0.006": ({"optimizer": "muon", "learning_rate": 0.006}, 530, 1),
    "Muon, rate 0.02": ({"optimizer": "muon", "learning_rate": 0.02}, 530, 1),
    "GPT-2's blocks": ({**GPT2, "init_std": 0.02}, 675, 1),
}
WHOLE = 10_000  # windows: more than there are


def development(corpus):
    """The corpus without its held-out part: every tenth training document judges."""
    numbered = list(enumerate(corpus.training))
    judging = tuple(text for number, text in numbered if number % 10 == 5)
    return Corpus(corpus.name, tuple(text for number, text in numbered if number % 10 != 5), judging)


class Clocked(OneProcess):
    """Notes the processor time at which judging begins, which is no part of training."""

    def judge(self, held_out):
        self.trained = time.process_time()
        return super().judge(held_out)


def trained(name, seed):
    """What was trained, bits per byte of the judging part, and seconds of processor time for a step."""
    changes, steps, _ = RECIPES[name]
    settings = {field.name for field in fields(TrainSettings)}
    chosen = {key: value for key, value in changes.items() if key in settings}
    of_model = {key: value for key, value in changes.items() if key not in settings | {"vocabulary"}}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = prepare_run(
            Path(folder) / "run",
            development(load_corpus("pydocs", progress=False)),
            changes=of_model,
            vocabulary=changes.get("vocabulary"),
            settings=TrainSettings(
                **{"steps": steps, "seed": seed, "validate_every": steps, "validation_windows": WHOLE, **chosen}
            ),
            progress=False,
        )
        engine, began = Clocked(run), time.process_time()
        train(run, engine=engine, on_validation=lambda _, row: rows.append(row), show_progress=False)
    bits = rows[-1]["validation_bits_per_byte"]
    return {"changes": changes, "steps": steps, "bits_per_byte": bits, "seconds": (engine.trained - began) / steps}


def contest(kept, keep):
    """Train what is not known yet, as many at a time as there are cores."""
    lock = Lock()

    def work(one):
        name, seed = one
        answer = answer_of(__file__, name, "--seed", str(seed), OPENBLAS_NUM_THREADS="1")
        with lock:
            kept.setdefault(name, {})[str(seed)] = answer
            keep()

    wanted = [(name, seed) for name, (_, _, seeds) in RECIPES.items() for seed in range(seeds)]
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, [one for one in wanted if str(one[1]) not in kept.get(one[0], {})]))


def known(path):
    """What the file holds of this contest, recipe -> seed -> result. SystemExit if it holds anything else."""
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        other = [kept["machine"]] if kept["machine"] != machine_name() else []
        other += [
            name
            for name, seeds in kept["found"].items()
            for one in seeds.values()
            if [one["changes"], one["steps"]] != list(RECIPES.get(name, ())[:2])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SystemExit(f"{path} is not what a contest of recipes keeps; choose another --out") from None
    if other:
        raise SystemExit(f"{path} is of another contest ({other[0]}); choose another --out")
    return kept["found"]


def rows_of(found):
    """A row for each recipe; "worse by" is the mean of the differences between equal seeds."""
    rows = []
    for name, (_, steps, _) in RECIPES.items():
        bits = {seed: one["bits_per_byte"] for seed, one in found[name].items()}
        milliseconds = 1000 * mean(one["seconds"] for one in found[name].values())
        worse = [value - found["default"][seed]["bits_per_byte"] for seed, value in bits.items()]
        rows.append(
            {
                "recipe": name,
                "steps": steps,
                "ms a step": milliseconds,
                "seconds": steps * milliseconds / 1000,
                "bits per byte": mean(bits.values()),
                "seeds": len(bits),
                "spread": max(bits.values()) - min(bits.values()) if len(bits) > 1 else None,
                "worse by": mean(worse),
            }
        )
    return rows


def main():
    parser = arguments_for(__doc__, quick=False)
    parser.add_argument("--seed", type=int, help="(of a contestant)")
    parser.add_argument("--out", type=Path, default=Path("recipe.json"), help="what was found")
    arguments = parser.parse_args()
    if arguments.contestant:
        print(json.dumps(trained(arguments.contestant, arguments.seed)))
        return
    found = known(arguments.out)

    def keep():
        with replacing(arguments.out) as temporary:
            text = json.dumps({"machine": machine_name(), "found": found}, indent=2)
            temporary.write_text(text + "\n", encoding="utf-8")

    keep()  # what cannot be written is said now
    contest(found, keep)
    report(rows_of(found), arguments.json)


if __name__ == "__main__":
    main()
