"""`minigpt export`: a model as a folder that transformers opens."""

import argparse
from pathlib import Path

from minigpt.cli.options import MODEL, add_command, checkpoint_option, print_json
from minigpt.errors import UserError
from minigpt.pretrained import fitting_class, open_model, save_pretrained


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "export",
        execute,
        "  minigpt export runs/pydocs-tiny my-model\n"
        "  python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('my-model')\"",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("folder", metavar="DIR", type=Path, help="a new folder")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Write config.json, model.safetensors and the tokenizer's files."""
    folder = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and not empty; choose a new folder")
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    family, cls = fitting_class(opened.model.config)
    save_pretrained(folder, opened.model, opened.params, family, cls, tokenizer=opened.tokenizer)
    if arguments.json:
        print_json({"folder": str(folder), "family": family, "class": cls})
    else:
        print(f"{folder} holds a {cls}; transformers opens it, and so does minigpt")
    return 0
