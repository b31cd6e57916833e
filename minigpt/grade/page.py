"""The report on a class as one page that needs nothing else: a table of marks, and first what most got wrong."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from minigpt.files import write_text
from minigpt.grade.grader import Exam, Result
from minigpt.grade.report import Graded, common_mistakes, counted, total

# Blue and orange of Okabe and Ito (2008), which people with any kind of colour vision tell apart; signs say it too.
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: #444; padding-bottom: .4rem; }
th, td { border: 1px solid #bbb; padding: .3rem .6rem; text-align: left; vertical-align: top; }
thead th { background: #f0f0f0; } td.number { text-align: right; }
td.passed { background: #cfe6f5; } td.failed { background: #fbe3c0; } td.missing { color: #555; }
.scroll { overflow-x: auto; } details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; }
.file { color: #444; font-family: ui-monospace, monospace; }
pre { background: #f6f6f6; padding: .5rem; overflow-x: auto; }
"""


def write_page(path: str | Path, graded: Graded, exam: Exam) -> None:
    """Write the report, whole or not at all."""
    write_text(path, as_page(graded, exam))


def as_page(graded: Graded, exam: Exam) -> str:
    """The report as HTML."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Report on a class</title>',
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Report on a class</h1>",
        f"<p>{len(graded)} students. {escape(counted(exam, graded))}</p>",
        _mistakes(graded),
        _marks(graded),
        "<h2>What was said to each student</h2>",
        *(_student(student, results) for student, results in graded),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _mistakes(graded: Graded) -> str:
    found = common_mistakes(graded)
    if not found:
        return "<h2>The most common mistakes</h2>\n<p>No known mistake was found.</p>"
    rows = "\n".join(
        f'<tr><td class="number">{count}</td><td>{escape(exercise)}</td><td>{escape(likely)}</td></tr>'
        for exercise, likely, count in found
    )
    return (
        '<h2>The most common mistakes</h2>\n<div class="scroll"><table>\n'
        "<caption>Students whose answers equal those of a known mistake</caption>\n"
        '<thead><tr><th scope="col">students</th><th scope="col">exercise</th><th scope="col">likely mistake</th></tr>'
        f"</thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _marks(graded: Graded) -> str:
    names = list(dict.fromkeys(r.exercise for _, results in graded for r in results if r.exercise))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = []
    for student, results in graded:
        by_name = {result.exercise: result for result in results}
        cells = "".join(_mark(by_name.get(name)) for name in names)
        points, out_of = total(results)
        rows.append(
            f'<tr><th scope="row">{escape(student)}</th><td class="number">{points} of {out_of}</td>{cells}</tr>'
        )
    return (
        '<h2>Marks</h2>\n<div class="scroll"><table>\n'
        "<caption>&#10003; passed, &#10007; failed, &ndash; not attempted; in brackets the attempts, if there were more"
        f' than one</caption>\n<thead><tr><th scope="col">student</th><th scope="col">points</th>{head}</tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table></div>"
    )


def _mark(result: Result | None) -> str:
    if result is None or not result.attempts:
        return '<td class="missing"><span role="img" aria-label="not attempted">&ndash;</span></td>'
    kind, sign = ("passed", "&#10003;") if result.passed else ("failed", "&#10007;")
    more = f" ({result.attempts})" if result.attempts > 1 else ""
    image = f'<span role="img" aria-label="{kind}">{sign}</span>'
    return f'<td class="{kind}">{image} {result.points}/{result.out_of}{more}</td>'


def _student(student: str, results: Sequence[Result]) -> str:
    points, out_of = total(results)
    lines = [f"<details>\n<summary>{escape(student)}: {points} of {out_of} points</summary>\n<ul>"]
    for result in results:
        if result.exercise and not result.attempts:
            continue
        what = (
            f"<b>{escape(result.exercise)}</b> {'passed' if result.passed else 'failed'}: " if result.exercise else ""
        )
        likely = f"<br>Likely: {escape(result.likely)}" if result.likely else ""
        printed = f"<pre>{escape(result.printed)}</pre>" if result.printed else ""
        file = f' <span class="file">{escape(result.file)}</span>' if result.file else ""
        others = "".join(
            f'<br>Another attempt, which does not count: <span class="file">{escape(other.file)}</span>,'
            f" {'passed' if other.passed else 'failed'}"
            for other in result.others
        )
        lines.append(f"<li>{what}{escape(result.message)}{likely}{file}{printed}{others}</li>")
    return "\n".join([*lines, "</ul>\n</details>"])
