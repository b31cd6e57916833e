"""How many small mistakes would the tests notice? python tests/mutation/run.py [--sample 420] [--workers 2]

A fixed random sample of mistakes (mutants.py) is made in a copy of the project, one at a time. First every test is run
once on the unchanged copy, to see which tests run which lines (covering.py, which needs `coverage`); a test that fails
there has no say. Then each mistake meets the tests that run its line, the nearest and quickest first, and those that
start processes of their own, where nobody watches; no other test could notice it. The first failure refuses it.
What was found goes into results.jsonl beside this file; started again, it goes on. A survivor that changes nothing
(equivalent.toml says why) is not counted. Tests are written for survivors, so the score of a sample grows without
saying much of other mistakes: the report tells also how many were refused when first met; --seed draws others.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Lock

from covering import Covered
from mutants import Mutant, compiles, mutants

HERE, ROOT = Path(__file__).parent, Path(__file__).resolve().parents[2]
RESULTS, EQUIVALENT = HERE / "results.jsonl", HERE / "equivalent.toml"
FOLDERS = ["ops", "model", "objectives", "optim", "train", "infer", "text", "parallel", "pretrained", "grade"]
# Tests of these folders' code that start processes, where no line is seen to be run.
UNWATCHED = {
    "objectives": ["tests/parallel/test_mpi.py"],
    "train": ["tests/train/test_loop.py", "tests/train/test_resume.py", "tests/test_output.py"],
    "text": ["tests/text/test_fetch.py"],
    "parallel": ["tests/parallel/test_mpi.py", "tests/parallel/test_faults.py"],
    "grade": ["tests/grade"],
}
SKIPPED = ("tests/mutation", "tests/test_package.py")  # they look at the project's own files, not at what it does
SECONDS = 300  # of tests for one mistake, as long as they take without one; --all: as many as there are
SLOWER = 8  # times as long as without a mistake (and half a minute) is taken for a hang, which refuses it, too
REFUSED, SURVIVED = "refused", "survived"


def sample(size: int, seed: int) -> list[Mutant]:
    """As many from each folder, and in a folder as many of each kind of change as there are, drawn by chance.

    The chance is a hash of the mistake, so that another change of the sources leaves the rest of the sample as it was.
    """
    chosen: list[Mutant] = []
    for folder in FOLDERS:
        kinds = defaultdict(list)
        for path in sorted((ROOT / "minigpt" / folder).rglob("*.py")):
            for mutant in mutants(path.relative_to(ROOT).as_posix(), path.read_bytes()):
                kinds[mutant.kind].append(mutant)
        for of_kind in kinds.values():
            of_kind.sort(key=lambda mutant: hashlib.sha256(f"{seed} {mutant.id}".encode()).digest())
        drawn: list[Mutant] = []
        while len(drawn) < size // len(FOLDERS) and any(kinds.values()):
            some = [kinds[kind].pop() for kind in sorted(kinds) if kinds[kind]]
            drawn += [mutant for mutant in some if compiles(mutant.apply((ROOT / mutant.path).read_bytes()))]
        chosen += drawn[: size // len(FOLDERS)]
    return chosen


def statement_lines(source: bytes, start: int) -> tuple[int, int]:
    """The first and last line of the statement around a place of the source; of a compound one, those of its head."""
    line = source[:start].count(b"\n") + 1
    spans = [(line, line)]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno
            spans += [(node.lineno, last)] if node.lineno <= line <= last else []
    return max(spans[1:] or spans)  # the innermost begins last


def statement(mutant: Mutant) -> str:
    """The source of the statement around a mistake, on one line."""
    source = (ROOT / mutant.path).read_bytes()
    first, last = statement_lines(source, mutant.start)
    return " ".join(line.strip() for line in source.decode("utf-8").splitlines()[first - 1 : last])


class Copies:
    """Copies of the project in which mistakes are made, one for each worker, and a place for what is seen there."""

    def __init__(self, folder: Path, count: int):
        self.folder = folder
        self.free: Queue[Path] = Queue()
        ignore = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", ".hypothesis", "runs", "*.egg-info", "build")
        for number in range(count):
            copy = folder / f"copy-{number}"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(ROOT, copy, ignore=ignore)
            self.free.put(copy)

    def watch(self) -> Covered:
        """Run every test once, unless that was done for these sources already, and read what was seen."""
        root = self.folder / "copy-0"
        sources = b"".join(path.read_bytes() for path in sorted((root / "minigpt").rglob("*.py")))
        seen = self.folder / f"seen-{hashlib.sha256(sources).hexdigest()[:12]}"
        if not seen.exists():
            part = seen.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            skipped = [f"--ignore={path}" for path in SKIPPED]
            ended = _run(root, ["-q", *skipped], {"MINIGPT_COVERING": str(part)}, None)
            if ended not in (0, 1):  # 1: some tests failed, which then have no say
                raise SystemExit(f"pytest ended with {ended} before it had run the tests; run it once, and mend it")
            part.rename(seen)
        return Covered(seen, root)

    def refuses(self, mutant: Mutant, tests: list[str], seconds: float) -> str | None:
        """The test that fails with the mistake, if any does."""
        copy = self.free.get()
        path, chosen = copy / mutant.path, copy.with_suffix(".chosen")
        source = path.read_bytes()
        try:
            path.write_bytes(mutant.apply(source))
            chosen.write_text("\n".join(tests), encoding="utf-8")
            chosen.with_suffix(".failed").unlink(missing_ok=True)
            files = list(dict.fromkeys(test.split("::")[0] for test in tests))
            ended = _run(copy, ["-x", "-q", "-n", "0", *files], {"MINIGPT_CHOSEN": str(chosen)}, seconds)
            if ended == 0:
                return None
            failed = chosen.with_suffix(".failed")
            return (
                failed.read_text(encoding="utf-8") if failed.exists() else "no end" if ended is None else "collection"
            )
        finally:
            path.write_bytes(source)
            self.free.put(copy)


def _run(copy: Path, options: list[str], environment: dict[str, str], seconds: float | None) -> int | None:
    """How pytest ended; None if it did not in this time."""
    command = [sys.executable, "-B", "-m", "pytest", "-p", "covering", "-p", "no:cacheprovider", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    shared = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(command, cwd=copy, env=shared | environment, start_new_session=True, **quiet)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def tests_for(mutant: Mutant, covered: Covered, limit: float) -> list[str]:
    """The tests that could notice it, the nearest and quickest first, as many as take `limit` seconds."""
    folder = mutant.path.split("/")[1]
    found = covered.tests(mutant.path, *statement_lines((ROOT / mutant.path).read_bytes(), mutant.start))
    unwatched = UNWATCHED.get(folder, [])
    others = {test for test in covered.seconds if any(test.startswith(path) for path in unwatched)} - covered.failed

    def order(test: str) -> tuple[bool, float]:
        near = 1 if test.startswith(f"tests/{folder}") else 4
        return test not in found, near * covered.seconds[test]

    chosen, total = [], 0.0
    for test in sorted(found | others, key=order):
        total += covered.seconds[test]
        if total > limit:
            break
        chosen.append(test)
    return chosen


def judge(mutant: Mutant, copies: Copies, covered: Covered, limit: float, only: list[str]) -> dict:
    """What becomes of one mistake. only: meet these tests (the beginnings of their names) and no others."""
    began = time.monotonic()
    tests = tests_for(mutant, covered, limit)
    if only:
        tests = [test for test in covered.seconds if any(test.startswith(name) for name in only)] or only
    expected = sum(covered.seconds.get(test, 10) for test in tests)
    by = copies.refuses(mutant, tests, 30 + SLOWER * expected) if tests else None
    row = {"id": mutant.id, "path": mutant.path, "line": mutant.line, "was": mutant.was, "now": mutant.now}
    row["statement"] = statement(mutant)
    found = {"found": SURVIVED if by is None else REFUSED, "by": by or f"{len(tests)} tests"}
    return row | found | {"seconds": round(time.monotonic() - began)}


def known(chosen: list[Mutant], *, first: bool = False) -> dict[str, dict]:
    """What was found, by the mistake's id: last or first. A row of another statement is of another mistake."""
    if not RESULTS.exists():
        return {}
    rows = list(map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines()))
    stands = {mutant.id: statement(mutant) for mutant in chosen}
    rows = [row for row in rows if row["id"] in stands and row.get("statement", stands[row["id"]]) == stands[row["id"]]]
    return {row["id"]: row for row in (reversed(rows) if first else rows)}


def equivalents(chosen: list[Mutant]) -> set[str]:
    """The ids of the mistakes that change nothing. An argument holds for the statement that it is about alone."""
    argued = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {mutant.id for mutant in chosen if mutant.id in argued and argued[mutant.id]["of"] in statement(mutant)}


def report(chosen: list[Mutant]) -> str:
    """The score of the sample, by folder, and the survivors."""
    equivalent, found, met = equivalents(chosen), known(chosen), known(chosen, first=True)
    counts: Counter = Counter()
    lines = []
    for mutant in chosen:
        if mutant.id not in found or mutant.id in equivalent:
            continue
        folder, refused = mutant.path.split("/")[1], found[mutant.id]["found"] == REFUSED
        counts[folder, refused] += 1
        if not refused:
            said = f"{mutant.was!r} -> {mutant.now!r}  ({found[mutant.id]['by']})"
            lines.append(f"  {mutant.id}  {mutant.path}:{mutant.line}  {said}"[:300])
    table = [f"  {f:12}{counts[f, True]:4} of {counts[f, True] + counts[f, False]:4}" for f in FOLDERS]
    refused, judged = sum(counts[f, True] for f in FOLDERS), counts.total()
    same = sum(mutant.id in equivalent for mutant in chosen)
    once = sum(row["found"] == REFUSED for name, row in met.items() if name not in equivalent)
    score = f"{refused} of {judged} refused, {refused / max(1, judged):.1%}, {once} of them when first met; "
    score += f"{same} change nothing; "
    return "\n".join([*table, score + f"{len(chosen) - judged - same} not judged yet", "survivors:", *lines])


def main() -> None:
    """Go on with the sample, and print the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=420, help="how many mistakes (default 420)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--workers", type=int, default=2, help="at once (default 2)")
    parser.add_argument("--folders", nargs="+", choices=FOLDERS, default=FOLDERS, help="judge only those of these")
    parser.add_argument("--work", type=Path, default=ROOT.parent / "mutation-work", help="where the copies are made")
    parser.add_argument("--all", action="store_true", help="all tests that run the line, however long they take")
    parser.add_argument("--again", nargs="*", metavar="TEST", help="judge survivors again (by these tests alone)")
    parser.add_argument("--report", action="store_true", help="only print what is known")
    arguments = parser.parse_args()
    chosen = sample(arguments.sample, arguments.seed)
    before = known(chosen)
    if not arguments.report:
        # In an order that has some of every folder early, so that a part of the sample says something, too.
        wanted = None if arguments.again is None else SURVIVED
        waiting = [m for m in chosen if m.path.split("/")[1] in arguments.folders]
        waiting = [m for m in waiting if before.get(m.id, {}).get("found") == wanted]
        random.Random(arguments.seed).shuffle(waiting)
        arguments.work.mkdir(parents=True, exist_ok=True)
        copies = Copies(arguments.work, arguments.workers)
        covered, lock = copies.watch(), Lock()

        def work(numbered: tuple[int, Mutant]) -> None:
            number, mutant = numbered
            row = judge(mutant, copies, covered, float("inf") if arguments.all else SECONDS, arguments.again or [])
            with lock, RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                print(f"{number + 1}/{len(waiting)} {row['found']} by {row['by']} {row['seconds']} s", flush=True)

        with ThreadPoolExecutor(arguments.workers) as pool:
            for _ in pool.map(work, enumerate(waiting)):
                pass
    print(report(chosen))


if __name__ == "__main__":
    main()
