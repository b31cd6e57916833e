"""Which tests run which lines: a plugin of pytest for run.py, which asks who could notice a mistake.

MINIGPT_COVERING=FOLDER: every process that tests writes down what its tests ran. MINIGPT_CHOSEN=FILE: only the tests
that stand in it are run, in its order, and the first that fails is written into FILE.failed.
"""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest


class Watch:
    """Writes `covered-PID` (coverage's data, with a context for each test) and `tests-PID.json`."""

    def __init__(self, folder: Path):
        import coverage

        self.folder = folder
        data = str(folder / f"covered-{os.getpid()}")
        self.coverage = coverage.Coverage(data_file=data, source=["minigpt"], config_file=False, concurrency=["thread"])
        self.seconds: Counter = Counter()
        self.failed: set[str] = set()
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        """What is run from now on is run by this test."""
        self.coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report) -> None:
        """Add the seconds of its preparation, of itself and of its clearing up."""
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Keep what was seen."""
        self.coverage.stop()
        self.coverage.save()
        found = {"seconds": self.seconds, "failed": sorted(self.failed)}
        (self.folder / f"tests-{os.getpid()}.json").write_text(json.dumps(found), encoding="utf-8")


class Choice:
    """Runs the tests of a file."""

    def __init__(self, file: Path):
        self.file = file
        names = file.read_text(encoding="utf-8").splitlines()
        self.places = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items) -> None:
        """Leave the others out."""
        chosen = [item for item in items if item.nodeid in self.places]
        items[:] = sorted(chosen, key=lambda item: self.places[item.nodeid])

    def pytest_runtest_logreport(self, report) -> None:
        """Say who refused it."""
        if report.failed:
            self.file.with_suffix(".failed").write_text(report.nodeid, encoding="utf-8")


def pytest_configure(config) -> None:
    """Watch this process, unless it only hands tests out to others; or choose."""
    if "MINIGPT_CHOSEN" in os.environ:
        config.pluginmanager.register(Choice(Path(os.environ["MINIGPT_CHOSEN"])))
    elif hasattr(config, "workerinput") or not config.option.numprocesses:
        config.pluginmanager.register(Watch(Path(os.environ["MINIGPT_COVERING"])))


class Covered:
    """What was watched, read back."""

    def __init__(self, folder: Path, root: Path):
        """root: where the tests were run."""
        import coverage

        self.seconds: dict[str, float] = {}
        self._lines: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        failed: set[str] = set()
        for file in folder.glob("tests-*.json"):
            found = json.loads(file.read_text(encoding="utf-8"))
            self.seconds |= found["seconds"]
            failed |= set(found["failed"])
        for file in folder.glob("covered-*"):
            data = coverage.CoverageData(str(file))
            data.read()
            for path in data.measured_files():
                lines = self._lines[Path(path).relative_to(root).as_posix()]
                for line, tests in data.contexts_by_lineno(path).items():
                    lines[line] |= set(tests) - failed
        self.failed = failed

    def tests(self, path: str, first: int, last: int) -> set[str]:
        """The tests that run a line of these; if only an import runs them, those that run any line of the file."""
        lines = self._lines[path]
        found = set().union(*(lines[line] for line in range(first, last + 1) if line in lines))
        if found == {""}:
            found = set().union(*lines.values())
        return found - {""}
