"""`minigpt doctor`: is everything sound, and if not, what to do?"""

from minigpt.cli.options import add_command
from minigpt.cli.output import print_json
from minigpt.doctor import examine, is_run


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "doctor",
        execute,
        "  minigpt doctor\n  minigpt doctor runs/pydocs-tiny\n  minigpt doctor runs/pydocs-tiny --json",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="the folder of a run, of which every file is read")
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")


def execute(arguments) -> int:
    """0 if all is sound, else 1."""
    if arguments.run is not None:
        is_run(arguments.run)
    findings = []
    for finding in examine(arguments.run):
        findings.append(finding)
        if not arguments.json:
            print(finding.text(), flush=True)
    if arguments.json:
        print_json([finding.to_dict() for finding in findings])
    return 0 if all(finding.sound for finding in findings) else 1
