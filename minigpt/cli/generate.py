"""`minigpt generate`: let a trained model write."""

import numpy as np

from minigpt.cli.options import (
    MODEL,
    add_command,
    checkpoint_option,
    positive,
    print_json,
    sampling_of,
    sampling_options,
)
from minigpt.errors import UserError
from minigpt.infer import GREEDY, beam_search, generate_text, rewrite
from minigpt.infer.generate import check_tokenizer, until_stop
from minigpt.machine import blas_threads, threads_for_width
from minigpt.pretrained import open_model
from minigpt.text import document_end


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "generate",
        execute,
        "let a trained model continue a text",
        "  minigpt generate runs/pydocs-tiny --prompt 'The function returns'\n"
        "  minigpt generate runs/pydocs-tiny --max-new-tokens 500 --temperature 0.8 --top-p 0.95 --seed 7\n"
        "  minigpt generate runs/pydocs-tiny --prompt 'class ' --temperature 0\n"
        "  minigpt generate smollm2 --prompt 'The capital of France is' --temperature 0 --max-new-tokens 20\n"
        "  minigpt generate g2p --prompt shakespeare        the sounds of English words",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--prompt", default="", help="the text to continue (default: start a new document)")
    parser.add_argument("--max-new-tokens", type=positive, default=200, help="how many tokens at most (default 200)")
    sampling_options(parser, temperature=0.8)
    parser.add_argument("--beams", type=positive, help="search for the likeliest text with this many beams instead")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before this text (repeatable)")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object when done instead of streaming")


def execute(arguments) -> int:
    """Write to standard output as the tokens come."""
    sampling = sampling_of(arguments)
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    if opened.model.two_stacks:
        return _rewrite(opened, arguments, GREEDY if arguments.temperature is None else sampling)
    with blas_threads(threads_for_width(opened.model.config.width)):
        _show(opened, arguments, sampling)
    return 0


def _rewrite(opened, arguments, sampling) -> int:
    """Print what an encoder-decoder writes after reading the prompt."""
    text = rewrite(
        opened.model,
        opened.params,
        opened.tokenizer,
        arguments.prompt,
        arguments.max_new_tokens,
        sampling=sampling,
        rng=np.random.default_rng(arguments.seed),
    )
    if arguments.json:
        print_json({"prompt": arguments.prompt, "text": text, "seed": arguments.seed})
    else:
        print(text)
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
        arguments.max_new_tokens,
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
        opened.model, opened.params, start, arguments.max_new_tokens, beams=arguments.beams, stop_tokens=stop_tokens
    )[0]
    yield tokenizer.decode([token for token in best.tokens if token not in stop_tokens])
