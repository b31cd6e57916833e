"""`minigpt grade`: is this exercise right, and if not, what is the likely mistake?"""

import sys
from pathlib import Path

from minigpt.cli.options import add_command, file, positive, print_json
from minigpt.errors import UserError, visible_line
from minigpt.files import check_place
from minigpt.grade import Exam, Result, grade_class, read_class
from minigpt.grade.assembled.assemble import STEPS, assemble
from minigpt.grade.assembled.told import as_values, as_words
from minigpt.grade.grader import grade_path
from minigpt.grade.page import write_page
from minigpt.grade.report import as_text, common_mistakes, counted, write_csv
from minigpt.grade.sandbox import MEGABYTES, SECONDS

CURVE = "assembled.png"


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "grade",
        execute,
        "  minigpt grade lessons/exercises/05_backprop.py\n"
        "  minigpt grade my_file.py --exercise softmax_backward\n"
        "  minigpt grade submissions/ --lesson 05 --html report.html\n"
        "  minigpt grade submissions/ --csv                 a whole class, one folder or file per student\n"
        "  minigpt grade my_folder/ --assemble              your pieces as one GPT: check, train, write",
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
    parser.add_argument(
        "--assemble", action="store_true", help="put the exercises of a folder together into one GPT, and train it"
    )
    parser.add_argument("--steps", type=positive, help=f"of that training (default {STEPS})")
    parser.add_argument("--curve", type=file, metavar="CURVE.png", help=f"where to draw it (default {CURVE})")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON list")
    output.add_argument("--csv", action="store_true", help="print a table for a spreadsheet")
    output.add_argument("--html", type=file, metavar="REPORT.html", help="write a report on the class")


def execute(arguments) -> int:
    """0 if all that was graded is right, else 1."""
    if arguments.assemble:
        return _assemble(arguments)
    for name in ("steps", "curve"):
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name} is of the training that --assemble makes; add --assemble, or leave it out")
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
    _note_unset(exam)
    return 0 if passed else 1


def _note_unset(exam: Exam) -> None:
    if exam.limits.unset:
        print(f"note: this system sets no limit on {', '.join(sorted(exam.limits.unset))}", file=sys.stderr)


def _assemble(arguments) -> int:
    """The pieces of a folder as one GPT: 0 if all that is there is right and it ran to its end."""
    from minigpt.plots_pieces import save_two_curves

    for name in ("exercise", "lesson", "csv", "html"):
        if getattr(arguments, name):
            raise UserError(f"--assemble takes every piece in the folder and writes no table; leave --{name} out")
    curve = arguments.curve or Path(CURVE)
    check_place(curve)
    exam = Exam.of(seed=arguments.seed, seconds=arguments.seconds, megabytes=arguments.megabytes)
    found = assemble(
        arguments.path, exam, steps=arguments.steps or STEPS, told=lambda line: print(line, file=sys.stderr, flush=True)
    )
    if arguments.json:
        print_json(as_values(found))
    else:
        print(as_words(found))
    if found.yours and not found.problem:
        save_two_curves({"the library": found.library, "yours": found.yours}, found.baselines, curve)
        print(f"The curves are in {visible_line(str(curve))}.", file=sys.stderr if arguments.json else sys.stdout)
    if not arguments.json:
        print(f"The questions and the windows are those of --seed {exam.seed}.")
    _note_unset(exam)
    return 0 if found.passed else 1


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
