"""How many small mistakes would the tests notice? python tests/mutation/run.py [--sample 420] [--workers 2]

A fixed random sample of mistakes (mutants.py) is made in a copy of the project, one at a time. The nearest tests run
first, then those of neighbouring folders, then (with --all) everything; the first failure refuses the mistake. Each set
of tests must pass on the unchanged copy first, or a refusal would mean nothing. What was found goes into results.jsonl
beside this file; started again, it goes on. A survivor that changes nothing (equivalent.toml says why) is not counted.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import Queue
from threading import Lock

from mutants import Mutant, compiles, mutants

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[2]
RESULTS, EQUIVALENT = HERE / "results.jsonl", HERE / "equivalent.toml"
SECONDS = 1800  # for one set of tests; a mistake that makes them hang is refused, too
FOLDERS = ["ops", "model", "objectives", "optim", "train", "infer", "text", "parallel", "pretrained", "grade"]
NEIGHBOURS = {
    "ops": ["check", "model"],
    "model": ["check", "adapt", "objectives", "infer"],
    "objectives": ["train/test_objective_runs.py", "measure/test_guesses.py"],
    "optim": ["train", "check"],
    "train": ["test_cli.py", "parallel/test_ranks.py", "parallel/test_faults.py"],
    "infer": ["test_cli.py", "measure", "pretrained/test_open_model.py"],
    "text": ["pretrained", "test_cli.py"],
    "parallel": ["train", "measure"],
    "pretrained": ["text", "test_cli.py"],
    "grade": ["course", "check", "test_cli.py"],
}
REFUSED, SURVIVED = "refused", "survived"


def sample(size: int, seed: int) -> list[Mutant]:
    """As many from each folder, and in a folder as many of each kind of change as there are, drawn by chance."""
    rng, chosen = random.Random(seed), []
    for folder in FOLDERS:
        kinds = defaultdict(list)
        for path in sorted((ROOT / "minigpt" / folder).rglob("*.py")):
            for mutant in mutants(path.relative_to(ROOT).as_posix(), path.read_bytes()):
                kinds[mutant.kind].append(mutant)
        for of_kind in kinds.values():
            rng.shuffle(of_kind)
        drawn = []
        while len(drawn) < size // len(FOLDERS) and any(kinds.values()):
            some = [of_kind.pop() for of_kind in kinds.values() if of_kind]
            drawn += [mutant for mutant in some if compiles(mutant.apply((ROOT / mutant.path).read_bytes()))]
        chosen += drawn[: size // len(FOLDERS)]
    return chosen


def rings(path: str) -> list[list[str]]:
    """The tests for a file, nearest first: sets of paths below `tests`."""
    _, folder, *_, name = Path(path).with_suffix("").parts
    own = ROOT / "tests" / folder
    near = [file for file in own.glob("test_*.py") if name.split("_")[0] in file.stem]
    files = [file.relative_to(ROOT / "tests").as_posix() for file in near]
    return [ring for ring in (files, [folder if own.is_dir() else f"test_{folder}.py"], NEIGHBOURS[folder]) if ring]


class Copies:
    """Copies of the project in which mistakes are made, one for each worker."""

    def __init__(self, count: int, folder: Path):
        self.free: Queue[Path] = Queue()
        ignore = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", "runs", "*.egg-info", "build")
        for number in range(count):
            shutil.copytree(ROOT, folder / str(number), ignore=ignore)
            self.free.put(folder / str(number))

    def passes(self, tests: tuple[str, ...], mutant: Mutant | None = None) -> bool:
        """Whether these tests pass, with the mistake or without one."""
        copy = self.free.get()
        try:
            if mutant is None:
                return _pytest(copy, tests)
            path = copy / mutant.path
            source = path.read_bytes()
            try:
                path.write_bytes(mutant.apply(source))
                return _pytest(copy, tests)
            finally:
                path.write_bytes(source)
        finally:
            self.free.put(copy)


def _pytest(copy: Path, tests: tuple[str, ...]) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider"]
    paths = [f"tests/{test}" if test else "tests" for test in tests]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [*command, *paths, "--ignore=tests/mutation", "--ignore=tests/test_package.py"],
        cwd=copy,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(SECONDS) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def judge(mutant: Mutant, copies: Copies, clean, everything: bool) -> dict:
    """Run the rings until one refuses the mistake."""
    began, asked = time.monotonic(), [*rings(mutant.path), *([[""]] if everything else [])]
    row = {"id": mutant.id, "path": mutant.path, "line": mutant.line, "was": mutant.was, "now": mutant.now}
    for ring in asked:
        tests = tuple(ring)
        if not clean(tests):
            raise SystemExit(f"{' '.join(tests)} fails without any mistake; mend that first")
        if not copies.passes(tests, mutant):
            return {**row, "found": REFUSED, "by": " ".join(tests), "seconds": round(time.monotonic() - began)}
    by = "everything" if everything else "the neighbours"
    return {**row, "found": SURVIVED, "by": by, "seconds": round(time.monotonic() - began)}


def known() -> dict[str, dict]:
    """What was found before, by the mistake's id."""
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())
    return {row["id"]: row for row in rows}


def report(chosen: list[Mutant]) -> str:
    """The score of the sample, by folder, and the survivors."""
    equivalent = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")) if EQUIVALENT.exists() else {}
    found = {mutant.id: known()[mutant.id] for mutant in chosen if mutant.id in known()}
    counts: Counter = Counter()
    lines = []
    for mutant in chosen:
        if mutant.id not in found or mutant.id in equivalent:
            continue
        folder, refused = mutant.path.split("/")[1], found[mutant.id]["found"] == REFUSED
        counts[folder, refused] += 1
        if not refused:
            lines.append(f"  {mutant.id}  {mutant.path}:{mutant.line}  {mutant.was!r} -> {mutant.now!r}"[:200])
    table = [f"  {f:12}{counts[f, True]:4} of {counts[f, True] + counts[f, False]:4}" for f in FOLDERS]
    refused, judged = sum(counts[f, True] for f in FOLDERS), counts.total()
    same = sum(mutant.id in equivalent for mutant in chosen)
    score = f"{refused} of {judged} refused, {refused / max(1, judged):.1%}; {same} change nothing; "
    return "\n".join([*table, score + f"{len(chosen) - judged - same} not judged yet", "survivors:", *lines])


def main() -> None:
    """Go on with the sample, and print the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=420, help="how many mistakes (default 420)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--workers", type=int, default=2, help="at once (default 2)")
    parser.add_argument("--folders", nargs="+", choices=FOLDERS, default=FOLDERS, help="judge only those of these")
    parser.add_argument("--all", action="store_true", help="survivors meet the whole of the tests, too: takes hours")
    parser.add_argument("--again", action="store_true", help="judge survivors again, after tests were added")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    arguments = parser.parse_args()
    chosen, before = sample(arguments.sample, arguments.seed), known()
    if not arguments.report:
        # In an order that has some of every folder early, so that a part of the sample says something, too.
        waiting = [m for m in chosen if m.path.split("/")[1] in arguments.folders]
        waiting = [m for m in waiting if m.id not in before or (arguments.again and before[m.id]["found"] == SURVIVED)]
        random.Random(arguments.seed).shuffle(waiting)
        lock = Lock()
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.workers) as pool:
            copies = Copies(arguments.workers, Path(folder))
            clean = cache(copies.passes)

            def work(numbered: tuple[int, Mutant]) -> None:
                number, mutant = numbered
                row = judge(mutant, copies, clean, arguments.all)
                with lock, RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                    print(f"{number + 1}/{len(waiting)} {row['found']} by {row['by']} {row['seconds']} s", flush=True)

            for _ in pool.map(work, enumerate(waiting)):
                pass
    print(report(chosen))


if __name__ == "__main__":
    main()
