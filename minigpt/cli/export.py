"""`minigpt export`: a model as a folder for transformers or a GGUF file for llama.cpp; its adapters for PEFT."""

import argparse
from pathlib import Path

from minigpt.cli.options import MODEL, add_command, checkpoint_option, print_json
from minigpt.errors import UserError
from minigpt.model import Overlay, Transformer
from minigpt.pretrained import fitting_class, open_model, save_gguf, save_pretrained
from minigpt.pretrained.opened import open_tuned
from minigpt.pretrained.peft import save_adapter
from minigpt.pretrained.quantized import WRITTEN
from minigpt.pretrained.tuned import open_tuned_folder
from minigpt.pretrained.vit_folder import write_preprocessor
from minigpt.vision import ImageFolder, has_images, open_image_folder

USUAL = "F16"


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "export",
        execute,
        "  minigpt export runs/pydocs-tiny my-model\n"
        "  python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('my-model')\"\n"
        "  minigpt export runs/pydocs-tiny my-model.gguf --type Q8_0\n"
        "  minigpt export runs/talks-smollm2-chat my-adapter --adapter",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("folder", metavar="OUT", type=Path, help="a new folder, or a new .gguf file")
    parser.add_argument(
        "--type", choices=WRITTEN, help=f"of a .gguf file: how its matrices are stored (default {USUAL})"
    )
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="of a model that was fine-tuned low-rank: the adapters alone, as PEFT has",
    )
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Write config.json, model.safetensors and the tokenizer's files; or those of an adapter."""
    folder, is_file = arguments.folder, arguments.folder.suffix.lower() == ".gguf"
    if folder.exists() and (is_file or not folder.is_dir() or any(folder.iterdir())):
        what = "there already" if is_file or not folder.is_dir() else "there already and not empty"
        raise UserError(f"{folder} is {what}; choose a new {'file' if is_file else 'folder'}")
    if arguments.type and not is_file:
        raise UserError(f"--type is for a .gguf file, and {folder} will be a folder; leave it out, or end it in .gguf")
    if arguments.adapter and is_file:
        raise UserError("adapters alone are written as a folder; leave .gguf out, or --adapter")
    if arguments.adapter:
        return _adapter(arguments)
    if has_images(arguments.model):
        _check_images(open_image_folder(arguments.model))
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    family, cls = fitting_class(opened.model.config)
    if is_file:
        kind = arguments.type or USUAL
        save_gguf(folder, opened.model, opened.params, opened.tokenizer, kind=kind)
        said = {"file": str(folder), "family": family, "class": cls, "type": kind, "bytes": folder.stat().st_size}
        text = f"{folder} holds a {cls} in {kind}, {said['bytes']:,} bytes; llama.cpp opens it, and so does minigpt"
        print_json(said) if arguments.json else print(text)
        return 0
    save_pretrained(folder, opened.model, opened.params, family, cls, tokenizer=opened.tokenizer)
    if has_images(arguments.model):
        write_preprocessor(folder, open_image_folder(arguments.model))
    if arguments.json:
        print_json({"folder": str(folder), "family": family, "class": cls})
    else:
        print(f"{folder} holds a {cls}; transformers opens it, and so does minigpt")
    return 0


def _check_images(run: ImageFolder) -> None:
    """`UserError` for a model of images that no published family, or no published preprocessor, can describe."""
    if run.task != "classify" or not run.config.class_token:
        raise UserError(
            f"{run.path} is no model as published vision transformers are; train one with --task classify --recipe vit"
        )
    if run.learnt_bytes is False:
        raise UserError(
            f"{run.path} learnt from pixels that are no whole numbers of 0 to 255, as published vision transformers "
            "take them; train on such"
        )


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
