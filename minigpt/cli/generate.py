"""`minigpt generate`: let a trained model write."""

import argparse
import sys
from collections.abc import Iterable

import numpy as np

from minigpt.cli.drafts import draft_options, speculation_of
from minigpt.cli.options import (
    MODEL,
    add_command,
    cache_option,
    checkpoint_option,
    flag_of,
    model_asked_for,
    positive,
    print_json,
    quantized_option,
    sampling_of,
    sampling_options,
    visible,
)
from minigpt.cli.prompts import by_engine, pieces_of, prompts_of, prompts_options, write_all
from minigpt.errors import UserError
from minigpt.files import equal_line_ends
from minigpt.infer import Sampling, Speculation, beam_search, generate_text, rewrite
from minigpt.infer.generate import check_tokenizer
from minigpt.infer.stop import until_stop
from minigpt.infer.window import check_writes
from minigpt.machine import blas_threads, threads_for_width
from minigpt.pretrained import OpenedModel
from minigpt.text import document_end

TEMPERATURE = 0.8  # of a model that continues a text; one that reads and writes takes the likeliest token

MOST_BEAMS = 256  # each keeps the keys and values of a whole text


def beams(text: str) -> int:
    """How many beams, for argparse."""
    if positive(text) > MOST_BEAMS:
        raise argparse.ArgumentTypeError(f"{text} beams would take too much memory; ask for at most {MOST_BEAMS}")
    return int(text)


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "generate",
        execute,
        "  minigpt generate runs/pydocs-tiny --prompt 'The function returns'\n"
        "  minigpt generate runs/pydocs-tiny --max-new-tokens 500 --temperature 0.8 --top-p 0.95 --seed 7\n"
        "  minigpt generate runs/pydocs-tiny --prompt 'class ' --temperature 0\n"
        "  minigpt generate smollm2 --prompt 'The capital of France is' --temperature 0 --max-new-tokens 20\n"
        "  minigpt generate smollm2 --prompt 'Once upon a time' --samples 8\n"
        "  minigpt generate smollm2 --prompts prompts.txt --json        all at the same time\n"
        "  minigpt generate smollm2 --prompt 'x = [1, 2, 3]; y = [1, 2,' --draft prompt\n"
        "  minigpt generate g2p --prompt shakespeare        the sounds of English words",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "--prompt", type=equal_line_ends, default="", help="the text to continue (default: start a new document)"
    )
    prompts_options(parser)
    parser.add_argument("--max-new-tokens", type=positive, default=200, help="how many tokens at most (default 200)")
    sampling_options(parser, temperature=TEMPERATURE)
    parser.set_defaults(temperature=None)  # so that one that was asked for is told from one that was not
    parser.add_argument(
        "--beams", type=beams, help=f"search for the likeliest text with this many beams instead, at most {MOST_BEAMS}"
    )
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before this text (repeatable)")
    draft_options(parser)
    cache_option(parser)
    quantized_option(parser)
    checkpoint_option(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object when done instead of streaming; of several texts, one in each line",
    )


def execute(arguments) -> int:
    """Write to standard output as the tokens come."""
    opened = model_asked_for(arguments)
    if opened.run is not None and not opened.model.two_stacks:
        opened.run.check_writes()
    check_writes(opened.model)
    check_tokenizer(opened.model, opened.tokenizer)
    sampling = _sampling(arguments, opened)
    together = by_engine(arguments, opened)
    with blas_threads(threads_for_width(opened.model.config.width)):
        if together:
            prompts = prompts_of(arguments, sampling)
            if arguments.prompts is None and arguments.samples == 1:
                _show(pieces_of(opened, prompts[0], arguments), arguments, None, echo=True)
            else:
                write_all(opened, prompts, arguments)
            return 0
        speculation = speculation_of(arguments, opened)
        pieces = _pieces(opened, arguments, sampling, speculation)
        _show(pieces, arguments, speculation, echo=not opened.model.two_stacks)
    return 0


def _sampling(arguments: argparse.Namespace, opened: OpenedModel) -> Sampling:
    """What the options ask for. `UserError` for options that would have no effect."""
    chosen = [name for name in ("temperature", "top_k", "top_p", "seed") if getattr(arguments, name) is not None]
    drawing = [flag_of(name) for name in chosen if name != "temperature" or arguments.beams]
    if arguments.beams and drawing:
        raise UserError(f"--beams looks for the likeliest text, so {drawing[0]} has no effect; leave one of them out")
    if arguments.temperature == 0 and drawing:
        raise UserError(f"--temperature 0 draws nothing, so {drawing[0]} has no effect; leave one of them out")
    if arguments.beams and arguments.draft is not None:
        raise UserError("--beams looks at many texts at once, and --draft is for one; leave one of them out")
    if opened.model.two_stacks and (arguments.beams or arguments.stop):
        raise UserError(
            "--beams and --stop are for models that continue a text; this one reads and writes; leave them out"
        )
    if arguments.temperature is None:
        arguments.temperature = 0.0 if opened.model.two_stacks and not chosen else TEMPERATURE
    return sampling_of(arguments)


def _pieces(
    opened: OpenedModel, arguments: argparse.Namespace, sampling: Sampling, speculation: Speculation | None
) -> Iterable[str]:
    """The text that the model writes, piece by piece."""
    model, params, tokenizer = opened.model, opened.params, opened.tokenizer
    if arguments.beams:
        return until_stop([_likeliest(opened, arguments)], arguments.stop)
    rng = np.random.default_rng(arguments.seed)
    if model.two_stacks:
        return [
            rewrite(model, params, tokenizer, arguments.prompt, arguments.max_new_tokens, sampling=sampling, rng=rng)
        ]
    return generate_text(
        model,
        params,
        tokenizer,
        arguments.prompt,
        arguments.max_new_tokens,
        sampling=sampling,
        rng=rng,
        stop=arguments.stop,
        speculation=speculation,
    )


def _show(pieces: Iterable[str], arguments: argparse.Namespace, speculation: Speculation | None, *, echo: bool) -> None:
    """Print them as they come, and what came of a draft on standard error. echo: the prompt stands before them."""
    if arguments.json:
        found = {"prompt": arguments.prompt, "text": "".join(pieces), "seed": arguments.seed}
        print_json(found if speculation is None else found | {"speculation": speculation.counts()})
        return
    print(arguments.prompt if echo else "", end="", flush=True)
    for piece in pieces:
        print(visible(piece), end="", flush=True)
    print()
    if speculation is not None:
        print(speculation, file=sys.stderr)


def _likeliest(opened: OpenedModel, arguments: argparse.Namespace) -> str:
    """The best continuation that beam search finds."""
    tokenizer = opened.tokenizer
    prompt = tokenizer.encode(arguments.prompt)
    start = prompt if len(prompt) else np.array([document_end(tokenizer)])
    stop_tokens = () if tokenizer.end_of_text is None else (tokenizer.end_of_text,)
    best = beam_search(
        opened.model,
        opened.params,
        start,
        arguments.max_new_tokens,
        beams=arguments.beams,
        stop_tokens=stop_tokens,
        vocabulary_size=tokenizer.vocabulary_size,
    )[0]
    return tokenizer.decode([token for token in best.tokens if token not in stop_tokens])
