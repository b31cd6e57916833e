"""Where the time of a training step, and of a token, goes: shares of the processor's time by file of minigpt.

One process with one BLAS thread, under Python's own profiler. What a file of minigpt calls in NumPy counts as its own,
so `ops/linear.py` is the products of all linear layers. The profiler makes each call of a function dearer, so what has
many small calls looks somewhat larger than it is. `python` is what runs in no file of minigpt.
Run: python examples/benchmarks/where_it_goes.py [--quick] [--json]
"""

import cProfile
import pstats
import time
from collections import Counter

from common import arguments_for, report
from smollm2 import TOKENS, our_writer
from train_step import SIZES, threads_step

from minigpt.errors import UserError
from minigpt.machine import blas_threads

SHOWN = 8  # files of each profile; the others count as one


def profile(work, times):
    """File -> its share of the processor's time while `work` is called so many times; and the seconds of one call."""
    work()
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    for _ in range(times):
        work()
    profiler.disable()
    seconds: Counter[str] = Counter()
    for (path, _, _), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():
        _, library, file = path.replace("\\", "/").rpartition("minigpt/")
        seconds[file if library else "python"] += own
    whole = seconds.total()
    shares = {name: one / whole for name, one in seconds.most_common(SHOWN)}
    return {**shares, "all others": 1 - sum(shares.values())}, whole / times


def main():
    arguments = arguments_for(__doc__).parse_args()
    rows = []
    with blas_threads(1):
        works = {f"a step, {size}": (threads_step(size, threads=1), 2 if size == "124M" else 10) for size in SIZES}
        try:
            works["a token, SmolLM2-135M"] = our_writer(), 1
        except UserError as error:
            print(error)
        for what, (work, times) in works.items():
            shares, seconds = profile(work, 1 if arguments.quick else times)
            each = seconds / TOKENS if "token" in what else seconds
            for name, one in shares.items():
                rows.append({"what": what, "milliseconds": 1e3 * each, "file": name, "share": one})
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
