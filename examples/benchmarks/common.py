"""What the benchmarks share: contests of processes in turn, the machine's own limits, a table or JSON at the end."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PAUSE = 0.1  # seconds after a turn: threads that have nothing to do still spin for a moment, on anyone's core


class Turns(NamedTuple):
    """What a contestant did."""

    said: Any  # what its first call returned
    seconds: list[float]  # of its timed calls
    megabytes: float | None  # the most that its process and its workers held, beyond its own imports

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.seconds)


def compete(script: str, names: Sequence[str], turns: int, *arguments: str) -> dict[str, Turns]:
    """Every contestant works in a process of its own, in turn, so that whatever slows the machine down slows all.

    `script --contestant NAME *arguments` is started for each of `names` and must end in `take_turns`.
    """
    command = [sys.executable, script, *arguments, "--contestant"]
    with ExitStack() as stack:
        workers, said = {}, {}
        for name in names:  # one after another: threads of several BLAS, each waiting busily, would wait for each other
            workers[name] = stack.enter_context(_start([*command, name]))
            said[name] = _answer(name, workers[name])
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(turns):
            for name, worker in workers.items():
                time.sleep(PAUSE)
                print(file=worker.stdin, flush=True)
                seconds[name] += _answer(name, worker)
        for worker in workers.values():
            worker.stdin.close()
        return {name: Turns(said[name], seconds[name], _answer(name, workers[name])) for name in names}


def take_turns(make: Callable[[], Callable], calls: int, *, imports: Sequence[str] = ()) -> None:
    """The contestant's side: make() gives a function without arguments; every turn calls it once, then `calls` times.

    Only the latter are timed. What the function returns the first time must be fit for JSON. imports: modules that
    `make` will import, so that their memory is not counted.
    """
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever libraries print is no answer
    for module in imports:
        import_module(module)
    before = peak_memory()
    function = make()
    print(json.dumps(function()), file=answers, flush=True)
    for _ in sys.stdin:
        function()
        print(json.dumps(seconds_of(function, calls)), file=answers, flush=True)
    after = peak_memory()
    print(json.dumps(None if before is None or after is None else (after - before) / 1e6), file=answers, flush=True)


def free_environment() -> dict[str, str]:
    """The environment without limits on threads, so that every contestant sets its own."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}


def answer_of(script: str, name: str, *arguments: str, **environment: str) -> Any:
    """What `script --contestant name *arguments` prints, as JSON, once it has ended: a contest that nobody disturbs."""
    command = [sys.executable, script, "--contestant", name, *arguments]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, env=free_environment() | environment, check=False, encoding="utf-8"
    )
    if ended.returncode:
        raise SystemExit(f"{name} gave up (code {ended.returncode}); its message, if it had one, is above")
    return json.loads(ended.stdout)


def _start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=free_environment(),
    )


def _answer(name: str, worker: subprocess.Popen) -> Any:
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{name} gave up; its message is above")
    return json.loads(line)


def compare(found: dict[str, Turns], ours: str = "minigpt") -> list[dict]:
    """For each rival both medians, in seconds, their ratio (above 1, we are faster), and both peaks of memory."""
    mine = found[ours]
    return [
        {
            f"{ours.replace(' ', '_')}_seconds": mine.median,
            "rival": name,
            "rival_seconds": turns.median,
            "ratio": turns.median / mine.median,
            f"{ours.replace(' ', '_')}_megabytes": mine.megabytes,
            "rival_megabytes": turns.megabytes,
        }
        for name, turns in found.items()
        if name != ours
    ]


def seconds_of(function: Callable, rounds: int) -> list[float]:
    """The seconds of each of `rounds` calls."""
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return seconds


def best_of(function: Callable, rounds: int = 10) -> float:
    """The shortest of some calls, in seconds: what the machine can do when nothing disturbs it."""
    function()
    return min(seconds_of(function, rounds))


def measure_sgemm(size: int = 2048) -> float:
    """Floating-point operations a second that a large float32 matrix product reaches, with BLAS's present threads."""
    a = np.ones((size, size), np.float32)
    return 2 * size**3 / best_of(lambda: a @ a)


def measure_gemv(megabytes: float) -> float:
    """Bytes a second that one float32 vector-matrix product reaches, the matrix being of `megabytes`."""
    rows = max(1, round(megabytes * 1e6 / 4 / 1024))
    matrix, vector = np.ones((rows, 1024), np.float32), np.ones((1, rows), np.float32)
    return matrix.nbytes / best_of(lambda: vector @ matrix)


def machine_name() -> str:
    """Processor, cores, system, Python and NumPy."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return (
        f"{processor}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}"
    )


def peak_memory() -> float | None:
    """The most memory that this process and its children have held, in bytes, None where the system does not say.

    What several of them share is counted once.
    """
    children = " ".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    try:
        return sum(map(_peak_of, ["self", *children.split()]))
    except (OSError, KeyError):
        return None


def _peak_of(process: str) -> float:
    """Of one process, with its part of what it shares with others."""
    lines = [
        line.split()
        for name in ("status", "smaps_rollup")
        for line in Path("/proc", process, name).read_text().splitlines()[1:]
    ]
    kilobytes = {line[0]: float(line[1]) for line in lines if line[-1] == "kB"}
    return 1024 * (kilobytes["VmHWM:"] - kilobytes["RssShmem:"] + kilobytes["Pss_Shmem:"])


def arguments_for(description: str, *, quick: bool = True) -> argparse.ArgumentParser:
    """The options that every benchmark has, --quick but for those that cannot be."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print a list of objects instead of a table")
    if quick:
        parser.add_argument("--quick", action="store_true", help="fewer rounds: a glance, not a measurement")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    return parser


def report(rows: list[dict], as_json: bool) -> None:
    """Print the rows: as JSON, or under the machine's name as a table."""
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print(machine_name())
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _cell(value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
