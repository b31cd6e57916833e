"""What lying side by side gives: query, key and value (and gate and up) in one matrix, or each in its own.

The same model and parameters twice: writing one token at a time, and training steps. Each of the two works in a process
of its own, in turn. SmolLM2 takes part if it has been fetched (`minigpt chat smollm2` does so).
Run: python examples/benchmarks/fused.py [--tasks write:4x128] [--quick] [--json]
"""

from functools import partial

import decode
import smollm2
import train_step
from common import arguments_for, compare, compete, report, take_turns

from minigpt import Params
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.pretrained import is_fetched


def apart(params):
    """The same parameters, every array alone."""
    records = {name: record._replace(beside="") for name, record in params.arrays.items()}
    alone = Params(records, dtype=params.flat.dtype)
    for name, array in params.items():
        alone[name] = array
    return alone


LAYOUTS = {"side by side": lambda params: params, "apart": apart}


def tasks():
    """name -> (what makes the function, given a change of the parameters; BLAS threads; turns; timed calls in each)."""
    found = {}
    for size, (*_, turns, calls) in decode.SIZES.items():
        found[f"write:{size}"] = (partial(decode.our_writer, size), decode.threads_of(size), turns, calls)
    if is_fetched("smollm2"):
        found["write:SmolLM2"] = (smollm2.our_writer, None, 9, 1)
    for size, (*_, turns, calls) in train_step.SIZES.items():
        found[f"train:{size}"] = (partial(train_step.threads_step, size), 1, turns, calls)
    return found


def main():
    """Every task in turn."""
    every = tasks()
    parser = arguments_for(__doc__)
    parser.add_argument("--tasks", nargs="+", choices=tuple(every), default=tuple(every))
    arguments = parser.parse_args()
    quick = ["--quick"] if arguments.quick else []
    if arguments.contestant:
        make, threads, _, calls = every[arguments.tasks[0]]
        keep_freed_memory()
        with blas_threads(threads):
            take_turns(lambda: make(LAYOUTS[arguments.contestant]), 1 if quick else calls)
        return
    rows = []
    for task in arguments.tasks:
        turns = 1 if quick else every[task][2]
        found = compete(__file__, list(LAYOUTS), turns, "--tasks", task, *quick)
        rows += [{"task": task, **row} for row in compare(found, "side by side")]
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
