"""`minigpt generate`: let a trained model write."""

import numpy as np

from minigpt.cli.options import add_command, positive, print_json
from minigpt.errors import UserError
from minigpt.infer import Sampling, beam_search, generate_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.train import open_run


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "generate",
        run,
        "let a trained model continue a text",
        "  minigpt generate runs/pydocs-tiny --prompt 'The function returns'\n"
        "  minigpt generate runs/pydocs-tiny --tokens 500 --temperature 0.8 --top-p 0.95 --seed 7\n"
        "  minigpt generate runs/pydocs-tiny --prompt 'class ' --temperature 0",
    )
    parser.add_argument("folder", metavar="RUN", help="the folder that `minigpt train` made")
    parser.add_argument("--prompt", default="", help="the text to continue (default: start a new document)")
    parser.add_argument("--tokens", type=positive, default=200, help="how many tokens at most (default 200)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest token (default 0.8)")
    parser.add_argument("--top-k", type=int, help="draw only from the K likeliest tokens")
    parser.add_argument(
        "--top-p", type=float, help="draw only from the likeliest tokens that together have probability P"
    )
    parser.add_argument("--beams", type=positive, help="search for the likeliest text with this many beams instead")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before this text (repeatable)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same text (default 0)")
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="which parameters (default best)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object when done instead of streaming")


def run(arguments) -> int:
    """Write to standard output as the tokens come."""
    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.top_p)
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    opened = open_run(arguments.folder, arguments.checkpoint)
    with blas_threads(threads_for_width(opened.model.config.width)):
        _show(opened, arguments, sampling)
    return 0


def _show(opened, arguments, sampling) -> None:
    pieces = _beam_pieces(opened, arguments) if arguments.beams else _sampled_pieces(opened, arguments, sampling)
    if arguments.json:
        print_json({"prompt": arguments.prompt, "text": "".join(pieces), "seed": arguments.seed})
        return
    print(arguments.prompt, end="", flush=True)
    for piece in pieces:
        print(piece, end="", flush=True)
    print()


def _sampled_pieces(opened, arguments, sampling):
    return generate_text(
        opened.model,
        opened.params,
        opened.tokenizer,
        arguments.prompt,
        arguments.tokens,
        sampling=sampling,
        rng=np.random.default_rng(arguments.seed),
        stop=arguments.stop,
    )


def _beam_pieces(opened, arguments):
    tokenizer = opened.tokenizer
    prompt = tokenizer.encode(arguments.prompt)
    start = prompt if len(prompt) else np.array([tokenizer.end_of_text])
    stop_tokens = (tokenizer.end_of_text,)
    best = beam_search(
        opened.model, opened.params, start, arguments.tokens, beams=arguments.beams, stop_tokens=stop_tokens
    )[0]
    yield tokenizer.decode([token for token in best.tokens if token not in stop_tokens])
