"""Which explanation finds a cause that is known? Trains models with a planted rule and tries every method on them.

python examples/explanation_trials.py                 five seeds, about a minute; prints the table
python examples/explanation_trials.py trials.json     also writes it, as the library keeps it
"""

import sys

from minigpt.explain.table import run_trials
from minigpt.files import write_json

SEEDS, TEXTS = 5, 25
SHOWN = ("direct", "two hops", "deletion, two hops", "insertion, two hops", "randomized, two hops", "seeds")


def main(paths: list[str]) -> None:
    """Run, print, write."""
    trials = run_trials(SEEDS, TEXTS)
    print(f"accuracy of the models: {trials.accuracy}")
    print(f"{'':24}" + "".join(f"{name:>21}" for name in SHOWN))
    for method in trials.measures:
        print(f"{method:24}" + "".join(f"{trials.mean(method, measure):21.2f}" for measure in SHOWN))
    for path in paths:
        write_json(path, trials._asdict())


if __name__ == "__main__":
    main(sys.argv[1:])
