"""What the benchmarks share: contests in turn, the machine's own limits, a table or JSON at the end."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


class Contest:
    """Runs ours and every rival in turn, `rounds` times, so that whatever slows the machine down slows all of them.

    `ours` and `rivals` (by name) are functions without arguments. Each runs once before, untimed, to warm up.
    """

    def __init__(self, ours: Callable, rivals: dict[str, Callable], rounds: int):
        contestants = {"minigpt": ours, **rivals}
        for contestant in contestants.values():
            contestant()
        self.seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                start = time.perf_counter()
                contestant()
                self.seconds[name].append(time.perf_counter() - start)

    @property
    def ours(self) -> float:
        """Our median, in seconds."""
        return statistics.median(self.seconds["minigpt"])

    def rows(self) -> list[dict]:
        """For each rival both medians, in seconds, and their ratio: above 1, we are faster."""
        medians = {name: statistics.median(values) for name, values in self.seconds.items() if name != "minigpt"}
        return [
            {"minigpt_seconds": self.ours, "rival": name, "rival_seconds": median, "ratio": median / self.ours}
            for name, median in medians.items()
        ]


def best_of(contestant: Callable, rounds: int = 10) -> float:
    """The shortest of some rounds, in seconds: what the machine can do when nothing disturbs it."""
    return min(Contest(contestant, {}, rounds).seconds["minigpt"])


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
    """The most memory that this process has held, in bytes; None where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


def peak_memory_of(script: str, *arguments: str) -> float | None:
    """The peak memory of `script` run alone with `arguments`; it must print `peak_memory()` as JSON last."""
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def arguments_for(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print a list of objects instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a glance, not a measurement")
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
