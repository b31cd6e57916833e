"""Where the lessons are."""

from pathlib import Path

LESSONS = Path(__file__).parent


def lesson_sources(names: list[str] | None = None) -> list[Path]:
    """The sources of the lessons whose file names begin with one of `names`; all of them if there are none."""
    sources = sorted(LESSONS.glob("[0-9][0-9]_*.py"))
    chosen = [
        path for path in sources if not names or any(path.stem.startswith(name) for name in names)
    ]
    missing = [
        name for name in names or [] if not any(path.stem.startswith(name) for path in chosen)
    ]
    if missing:
        raise SystemExit(
            f"no lesson is called {missing[0]}; there are {', '.join(path.stem for path in sources)}"
        )
    return chosen
