"""`minigpt generate`: let a trained model write."""

import numpy as np

from minigpt.cli.options import add_command, positive, print_json, sampling_of, sampling_options
from minigpt.errors import UserError
from minigpt.files import equal_line_ends
from minigpt.infer import GREEDY, beam_search, generate, generate_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.pretrained import NAMED, load_pretrained
from minigpt.text import document_end
from minigpt.train import open_run


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
    parser.add_argument("folder", metavar="RUN", help="the folder that `minigpt train` made, or smollm2, g2p, a .gguf")
    parser.add_argument(
        "--prompt", type=equal_line_ends, default="", help="the text to continue (default: start a new document)"
    )
    parser.add_argument("--max-new-tokens", type=positive, default=200, help="how many tokens at most (default 200)")
    sampling_options(parser, temperature=0.8)
    parser.add_argument("--beams", type=positive, help="search for the likeliest text with this many beams instead")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before this text (repeatable)")
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="which parameters (default best)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object when done instead of streaming")


def execute(arguments) -> int:
    """Write to standard output as the tokens come."""
    sampling = sampling_of(arguments)
    published = arguments.folder in NAMED or arguments.folder.endswith(".gguf")
    opened = load_pretrained(arguments.folder) if published else open_run(arguments.folder, arguments.checkpoint)
    if opened.model.two_stacks:
        return _translate(opened, arguments)
    with blas_threads(threads_for_width(opened.model.config.width)):
        _show(opened, arguments, sampling)
    return 0


def _translate(opened, arguments) -> int:
    """Write what an encoder-decoder makes of each word of the prompt: the likeliest, by greedy search."""
    words = arguments.prompt.split()
    if not words:
        raise UserError("this model reads words; give it some with --prompt")
    written = []
    for word in words:
        source = opened.tokenizer.encode(word)
        max_new_tokens = min(arguments.max_new_tokens, opened.model.config.context - 1)
        ids = generate(
            opened.model,
            opened.params,
            source[:1],  # both alphabets begin a word with the same mark
            max_new_tokens,
            sampling=GREEDY,
            stop_tokens=[int(source[-1])],
            source=source,
        )
        written.append(opened.tokenizer.decode(list(ids)))
    if arguments.json:
        print_json({"prompt": arguments.prompt, "text": " ".join(written), "seed": arguments.seed})
    else:
        print(" ".join(written))
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
    start = prompt if len(prompt) else np.array([document_end(tokenizer)])
    stop_tokens = () if tokenizer.end_of_text is None else (tokenizer.end_of_text,)
    best = beam_search(
        opened.model, opened.params, start, arguments.max_new_tokens, beams=arguments.beams, stop_tokens=stop_tokens
    )[0]
    yield tokenizer.decode([token for token in best.tokens if token not in stop_tokens])
