"""Which explanation finds a cause that is known? Trains models with a planted rule and tries every method on them.

python examples/explanation_trials.py                 five seeds, about a minute; prints the tables
python examples/explanation_trials.py trials.json     also writes them, as the library keeps them
python examples/explanation_trials.py --kept          prints the tables that the library keeps, and trains nothing
"""

import argparse
import json
import sys
from pathlib import Path

from minigpt.explain.table import Trials, kept_trials, run_trials
from minigpt.files import write_json
from minigpt.train.provenance import provenance

SEEDS, TEXTS = 5, 25
SHOWN = ("direct", "two hops", "deletion, two hops", "insertion, two hops", "randomized, two hops", "seeds")


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", metavar="FILE.json")
    parser.add_argument("--kept", action="store_true")
    arguments = parser.parse_args()
    if not arguments.kept:
        print(json.dumps({**provenance(sys.argv[1:], Path(__file__).name), "seeds": SEEDS}), flush=True)
    trials = kept_trials() if arguments.kept else run_trials(SEEDS, TEXTS)
    print(f"accuracy of the models: {trials.accuracy}")
    print(f"{'':24}" + "".join(f"{name:>21}" for name in SHOWN))
    for method in trials.measures:
        print(f"{method:24}" + "".join(f"{trials.mean(method, measure):21.2f}" for measure in SHOWN))
    print_agreement(trials)
    if arguments.out is not None:
        write_json(arguments.out, trials._asdict())


def print_agreement(trials: Trials) -> None:
    """How alike the scores of two methods are, whether right or not."""
    names = list(trials.agreement)
    print("\nagreement: the rank correlation of two methods' scores, a mean over texts of both kinds and seeds")
    print(f"{'':28}" + "".join(f"{number:>6}" for number in range(1, len(names) + 1)))
    for number, name in enumerate(names, 1):
        print(f"{number:2} {name:25}" + "".join(f"{value:6.2f}" for value in trials.agreement[name]))


if __name__ == "__main__":
    main()
