"""`minigpt serve`: a model over HTTP, in the form of OpenAI's API."""

import argparse
import ipaddress
import math
import os
from pathlib import Path
from urllib.parse import urlsplit

from minigpt.cli.options import (
    MODEL,
    add_command,
    cache_option,
    checkpoint_option,
    file,
    model_asked_for,
    positive,
    quantized_option,
    visible,
)
from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.serve.gate import name_of
from minigpt.serve.limits import Limits

KEY = "MINIGPT_API_KEY"
LOOPBACK = "127.0.0.1"
LIMITS = {  # option -> its field of `Limits`, and its help
    "--max-body": ("body_bytes", "bytes of a request"),
    "--max-prompt-tokens": ("prompt_tokens", "tokens of a prompt (default: the model's context)"),
    "--max-new-tokens": ("new_tokens", "tokens of an answer (default: the model's context)"),
    "--max-choices": ("choices", "answers that one request may ask for, prompts times n"),
    "--max-inputs": ("inputs", "texts that one request may ask the vectors of"),
    "--max-running": ("running", "answers that are written at the same time"),
    "--max-queue": ("queue", "answers that may wait; whoever comes then is told to ask again (429)"),
    "--max-connections": ("connections", "connections at a time"),
    "--timeout": ("seconds", "seconds for one request"),
    "--read-timeout": ("read_seconds", "seconds for a request's head to come, and as much for its body"),
    "--stall-timeout": ("stall_seconds", "seconds that a client may stop reading"),
}


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "serve",
        execute,
        "  minigpt serve smollm2                        then open http://127.0.0.1:8000\n"
        "  minigpt serve runs/pydocs-tiny --port 8080\n"
        "  minigpt serve minilm                         sentence vectors, at /v1/embeddings\n"
        f"  minigpt serve smollm2 --host 0.0.0.0         for other machines; needs a key in {KEY}",
    )
    parser.add_argument("model", metavar="MODEL", help=f"a decoder or an encoder: {MODEL}")
    quantized_option(parser)
    checkpoint_option(parser)
    parser.add_argument("--host", default=LOOPBACK, help=f"the address to listen at (default {LOOPBACK}: this machine)")
    parser.add_argument("--port", type=port, default=8000, help="default 8000; 0 takes a free one")
    parser.add_argument(
        "--name", type=label, help="by which clients ask for the model (default: the last part of MODEL)"
    )
    key = parser.add_mutually_exclusive_group()
    key.add_argument(
        "--api-key-file", type=file, metavar="FILE", help=f"holds the key that clients need (or set {KEY})"
    )
    key.add_argument("--api-key", metavar="KEY", help="the same; but other users of the machine can see it")
    parser.add_argument(
        "--host-name",
        action="append",
        type=name_of_host,
        default=[],
        metavar="NAME",
        help="another name of this server (repeatable)",
    )
    parser.add_argument(
        "--origin",
        action="append",
        type=origin,
        default=[],
        metavar="URL",
        help="another site whose pages may ask (repeatable)",
    )
    parser.add_argument(
        "--grace", type=seconds, default=30.0, help="seconds for answers to finish when the server ends (default 30)"
    )
    parser.add_argument(
        "--cache-memory",
        type=positive,
        metavar="BYTES",
        help="for keys and values (default: what they need, up to 1 GB or a whole context, and half of what is free)",
    )
    cache_option(parser)
    group = parser.add_argument_group("limits")
    for option, (name, help) in LIMITS.items():
        default = getattr(Limits(), name)
        kind = seconds if isinstance(default, float) else positive
        tail = "" if default is None else f" (default {default:g})" if kind is seconds else f" (default {default})"
        group.add_argument(option, dest=name, type=kind, default=default, metavar="N", help=help + tail)


def port(text: str) -> int:
    """The number of a port, for argparse."""
    if not text.isascii() or not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, from 0 to 65535")
    return int(text)


def label(text: str) -> str:
    """What a client can write into `model`, for argparse."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is no name; take some letters")
    return text


def name_of_host(text: str) -> str:
    """A name as it stands in a Host header, without scheme and port, for argparse."""
    if not text or name_of(text) != text.lower():
        raise argparse.ArgumentTypeError(f"{visible(text)} is not the bare name of a machine, such as example.org")
    return text


def origin(text: str) -> str:
    """A site as a browser writes it into an Origin header, for argparse: a path or a slash would match nothing."""
    try:
        parts = urlsplit(text)
        bare = f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        bare = ""
    if bare != text or parts.scheme not in ("http", "https") or not parts.hostname or text != text.lower():
        raise argparse.ArgumentTypeError(f"{visible(text)} is not a site such as https://example.org, without a path")
    return text


def seconds(text: str) -> float:
    """A time above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def execute(arguments) -> int:
    """Serve until a signal comes."""
    from minigpt.serve.app import App
    from minigpt.serve.gate import HERE, Gate
    from minigpt.serve.run import bind, check_installed, run
    from minigpt.serve.served import Served

    check_installed()
    key, here = _key(arguments), _is_loopback(arguments.host)
    if not here and key is None:
        raise UserError(
            f"--host {arguments.host} lets other machines ask, but there is no key; set {KEY}, or listen at {LOOPBACK}"
        )
    listener = bind(arguments.host, arguments.port)  # before a large model is read for nothing
    try:
        opened = model_asked_for(arguments)
    except UserError:
        listener.close()
        raise
    limits = Limits(**{name: getattr(arguments, name) for name, _ in LIMITS.values()})
    served = Served(opened, limits, arguments.name)
    hosts = [*HERE, arguments.host, *arguments.host_name] if here or arguments.host_name else None
    app = App(
        served, Gate(key, hosts, arguments.origin), memory=arguments.cache_memory, cache_bits=arguments.cache_bits
    )
    shown = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{shown}:{listener.getsockname()[1]}"

    def ready() -> None:
        print(f"{visible(served.name)} answers at {address}", flush=True)

    with blas_threads(threads_for_width(served.model.config.width)):
        run(app, listener, grace=arguments.grace, ready=ready)
    return 0


def _key(arguments: argparse.Namespace) -> str | None:
    """What clients must send; None for nobody asked."""
    path: Path | None = arguments.api_key_file
    key = arguments.api_key
    key = os.environ.get(KEY) if key is None else key
    key = key if path is None else read_text(str(path)).strip()
    if key is not None and not (key and key.isascii() and key.isprintable() and " " not in key):
        raise UserError("the API key must be printable ASCII characters without spaces; choose another one")
    return key


def _is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
