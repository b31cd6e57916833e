"""`minigpt lessons`: the course in a folder of yours."""

from minigpt.cli.options import add_command, quoted
from minigpt.course.handout import copy_lessons


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "lessons",
        execute,
        "  minigpt lessons my-course\n  minigpt lessons my-course --solutions",
    )
    parser.add_argument("folder", metavar="DIR", help="is made if need be; what is there already is left alone")
    parser.add_argument("--solutions", action="store_true", help="copy the solutions of the exercises, too")


def execute(arguments) -> int:
    """Copy, and say what to do next."""
    copied, kept = copy_lessons(arguments.folder, solutions=arguments.solutions)
    print(f"copied {len(copied)} file{'' if len(copied) == 1 else 's'} to {arguments.folder}")
    if kept:
        print("was there already, and left alone:", *kept, sep="\n  ")
    notebooks, exercises = ([path for path in sorted(copied + kept) if path.suffix == end] for end in (".ipynb", ".py"))
    print(f"Next:  open {notebooks[0]}, write into {exercises[0]},\n       minigpt grade {quoted(exercises[0])}")
    return 0
