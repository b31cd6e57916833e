"""`minigpt export`: a model as a folder that transformers opens, or its adapters as one that PEFT opens."""

import argparse
from pathlib import Path

from minigpt.cli.options import MODEL, add_command, checkpoint_option, print_json
from minigpt.errors import UserError
from minigpt.model import Overlay, Transformer
from minigpt.pretrained import fitting_class, open_model, save_pretrained
from minigpt.pretrained.opened import open_tuned
from minigpt.pretrained.peft import save_adapter
from minigpt.pretrained.tuned import open_tuned_folder


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "export",
        execute,
        "  minigpt export runs/pydocs-tiny my-model\n"
        "  python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('my-model')\"\n"
        "  minigpt export runs/talks-smollm2-chat my-adapter --adapter",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("folder", metavar="DIR", type=Path, help="a new folder")
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="of a model that was fine-tuned low-rank: the adapters alone, as PEFT has",
    )
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Write config.json, model.safetensors and the tokenizer's files; or those of an adapter."""
    folder = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and not empty; choose a new folder")
    if arguments.adapter:
        return _adapter(arguments)
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    family, cls = fitting_class(opened.model.config)
    save_pretrained(folder, opened.model, opened.params, family, cls, tokenizer=opened.tokenizer)
    if arguments.json:
        print_json({"folder": str(folder), "family": family, "class": cls})
    else:
        print(f"{folder} holds a {cls}; transformers opens it, and so does minigpt")
    return 0


def _adapter(arguments: argparse.Namespace) -> int:
    """Write what was trained on top of a model."""
    tuned = open_tuned_folder(arguments.model)
    if tuned.learns.way != "low-rank":
        raise UserError(f"{tuned.path} has no adapters, since {tuned.learns.way} was trained; leave --adapter out")
    model, (params, _) = Transformer(tuned.config), open_tuned(tuned, arguments.checkpoint)
    assert isinstance(params, Overlay)
    family, cls = fitting_class(tuned.config)
    below, dropout = tuned.below["name"], tuned.learns.dropout
    save_adapter(arguments.folder, model, params.trained, family, cls, below=below, dropout=dropout)
    if arguments.json:
        print_json({"folder": str(arguments.folder), "family": family, "class": cls, "below": below})
    else:
        print(f"{arguments.folder} holds adapters for a {cls}, {below}; PEFT opens it")
    return 0
