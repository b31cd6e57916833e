"""`minigpt grade`: is this exercise right, and if not, what is the likely mistake?"""

import sys

from minigpt.cli.options import add_command, file, positive, print_json
from minigpt.errors import UserError
from minigpt.files import check_place
from minigpt.grade import Exam, Result, grade_class, read_class
from minigpt.grade.grader import grade_path
from minigpt.grade.page import write_page
from minigpt.grade.report import as_text, common_mistakes, counted, write_csv
from minigpt.grade.sandbox import MEGABYTES, SECONDS


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "grade",
        execute,
        "  minigpt grade lessons/exercises/05_backprop.py\n"
        "  minigpt grade my_file.py --exercise softmax_backward\n"
        "  minigpt grade submissions/ --lesson 05 --html report.html\n"
        "  minigpt grade submissions/ --csv                 a whole class, one folder or file per student",
    )
    parser.add_argument("path", type=file, metavar="FILE", help="a file, or a folder with the work of a class")
    parser.add_argument("--exercise", metavar="NAME", help="grade this one only")
    parser.add_argument("--lesson", metavar="NAME", help="grade the exercises of this lesson only: 05, or 05_backprop")
    parser.add_argument("--seed", type=int, help="ask the questions of an earlier run (default: new ones)")
    parser.add_argument(
        "--seconds",
        type=positive,
        default=int(SECONDS),
        help=f"for one call (default {SECONDS:g}); a file has 12 times",
    )
    parser.add_argument(
        "--megabytes", type=positive, default=MEGABYTES, help=f"of memory; not on Windows (default {MEGABYTES})"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON list")
    output.add_argument("--csv", action="store_true", help="print a table for a spreadsheet")
    output.add_argument("--html", type=file, metavar="REPORT.html", help="write a report on the class")


def execute(arguments) -> int:
    """0 if all that was graded is right, else 1."""
    exam = Exam.of(
        arguments.exercise,
        arguments.lesson,
        seed=arguments.seed,
        seconds=arguments.seconds,
        megabytes=arguments.megabytes,
    )
    if arguments.html:
        check_place(arguments.html)
    if arguments.path.is_dir():
        graded = grade_class(read_class(arguments.path), exam)
    elif arguments.path.exists():
        graded = iter([("", grade_path(arguments.path, exam))])
    else:
        raise UserError(f"there is no file or folder {arguments.path}; check the path")
    passed = write_csv(graded, sys.stdout, exam.seed) if arguments.csv else _tell(arguments, exam, graded)
    if exam.limits.unset:
        print(f"note: this system sets no limit on {', '.join(sorted(exam.limits.unset))}", file=sys.stderr)
    return 0 if passed else 1


def _tell(arguments, exam: Exam, graded) -> bool:
    """As text, JSON or a page; returns whether all passed."""
    done: list[tuple[str, list[Result]]] = []
    for student, results in graded:
        done.append((student, results))
        if not arguments.json and not arguments.html:
            print(as_text(student, results), flush=True)
    if arguments.json:
        rows = [{"student": student, **result.to_dict(), "seed": exam.seed} for student, rs in done for result in rs]
        print_json(rows)
    elif arguments.html:
        write_page(arguments.html, done, exam)
        print(f"wrote {arguments.html}, a report on {len(done)} students. {counted(exam, done)}")
    else:
        if arguments.path.is_dir():
            mistakes = common_mistakes(done)[:5]
            print(
                "\n".join(
                    [
                        "The most common mistakes:" if mistakes else "No known mistake was found.",
                        *(
                            f"  {count} time{'s' if count > 1 else ''}, {exercise}: {likely}"
                            for exercise, likely, count in mistakes
                        ),
                    ]
                )
            )
        print(counted(exam, done))
    return all(result.passed for _, results in done for result in results)
