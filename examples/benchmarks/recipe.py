"""What does each choice in the recipe of `minigpt train` give? The same with one choice taken back, for the same time.

Nine tenths of the training documents of Python's documentation are trained on, and the other tenth judges: the held-out
part, on which the README's number is measured, is never read. First each recipe's step is timed, in turn, so that
slower steps mean fewer of them. Then each is trained from several seeds. What was found stands in --out, and started
again, the contest goes on from there.
Run: python examples/benchmarks/recipe.py [--seeds 3] [--steps 600] [--out recipe.json] [--json]
"""

import json
import statistics
import tempfile
from dataclasses import fields
from pathlib import Path

from common import arguments_for, machine_name, report

from minigpt.files import replacing
from minigpt.parallel.workers import on_workers
from minigpt.text import Corpus, load_corpus
from minigpt.train import TrainSettings, prepare_run, train

RECIPES = {  # the default, and what is changed in it
    "default": {},
}
WINDOWS = 800  # of the judging part, for a smaller error of the measurement
TRIAL, TURNS = 40, 3  # steps that are timed, and how often


def development(corpus):
    """The corpus without its held-out part: every tenth training document judges."""
    numbered = list(enumerate(corpus.training))
    judging = tuple(text for number, text in numbered if number % 10 == 5)
    return Corpus(corpus.name, tuple(text for number, text in numbered if number % 10 != 5), judging)


def trained(corpus, recipe, steps, seed):
    """Seconds of training, and the bits per byte of the judging part at its end."""
    names = {field.name for field in fields(TrainSettings)}
    chosen = {name: value for name, value in recipe.items() if name in names}
    of_model = {name: value for name, value in recipe.items() if name not in names | {"vocabulary"}}
    settings = TrainSettings(
        **{"steps": steps, "seed": seed, "workers": 2, "validate_every": steps, "validation_windows": WINDOWS, **chosen}
    )
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        run = prepare_run(
            Path(folder) / "run",
            corpus,
            changes=of_model,
            vocabulary=recipe.get("vocabulary"),
            settings=settings,
            progress=False,
        )
        _, progress = train(
            run, engine=on_workers(run), on_validation=lambda _, row: rows.append(row), show_progress=False
        )
    return progress.seconds, rows[-1]["validation_bits_per_byte"]


def contest(corpus, steps, seeds, found, keep):
    """Fill `found`: seconds of a step, steps, and bits per byte from each seed, of every recipe."""
    for turn in range(TURNS):
        for name, recipe in RECIPES.items():
            row = found.setdefault(name, {"turns": [], "bits_per_byte": []})
            if len(row["turns"]) == turn:
                row["turns"].append(trained(corpus, recipe, TRIAL, 0)[0] / TRIAL)
                keep()
    seconds = {name: statistics.median(row["turns"]) for name, row in found.items()}
    for seed in range(seeds):
        for name, recipe in RECIPES.items():
            row = found[name]
            row["steps"] = round(steps * seconds["default"] / seconds[name])
            if len(row["bits_per_byte"]) == seed:
                row["bits_per_byte"].append(trained(corpus, recipe, row["steps"], seed)[1])
                keep()


def main():
    parser = arguments_for(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600, help="of the default (default 600)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"), help="what was found")
    arguments = parser.parse_args()
    text = arguments.out.read_text(encoding="utf-8") if arguments.out.exists() else "{}"
    kept = json.loads(text)
    if kept.get("steps", arguments.steps) != arguments.steps:
        raise SystemExit(f"{arguments.out} is of {kept['steps']} steps, not {arguments.steps}; choose another --out")
    found = {name: row for name, row in kept.get("found", {}).items() if name in RECIPES}

    def keep():
        with replacing(arguments.out) as temporary:
            rest = {"machine": machine_name(), "steps": arguments.steps, "found": found}
            temporary.write_text(json.dumps(rest, indent=2) + "\n", encoding="utf-8")

    contest(development(load_corpus("pydocs")), arguments.steps, arguments.seeds, found, keep)
    default = found["default"]["bits_per_byte"]
    rows = []
    for name, row in found.items():
        bits = row["bits_per_byte"]
        cost = [a - b for a, b in zip(bits, default, strict=True)]
        rows.append(
            {
                "recipe": name,
                "ms a step": 1000 * statistics.median(row["turns"]),
                "steps": row["steps"],
                "bits per byte": statistics.mean(bits),
                "lowest": min(bits),
                "highest": max(bits),
                "worse than the default by": statistics.mean(cost),
            }
        )
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
