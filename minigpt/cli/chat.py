"""`minigpt chat`: talk with a published model."""

import sys
import time
from collections.abc import Iterator

import numpy as np

from minigpt.cli.options import (
    MODEL,
    add_command,
    checkpoint_option,
    model_asked_for,
    positive,
    quantized_option,
    sampling_of,
    sampling_options,
    visible,
)
from minigpt.cli.output import remark
from minigpt.errors import UserError
from minigpt.infer import Sampling, generate
from minigpt.infer.generate import whole_characters
from minigpt.infer.window import check_writes
from minigpt.machine import blas_threads
from minigpt.pretrained import OpenedModel
from minigpt.text.chat import END, chat_tokens, recent_chat_tokens


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "chat",
        execute,
        "  minigpt chat smollm2\n  minigpt chat smollm2 --say 'Why is the sky blue?'",
    )
    parser.add_argument("model", metavar="MODEL", help=f"a decoder that was trained to chat: {MODEL}")
    parser.add_argument("--say", metavar="TEXT", help="say this, print the answer and end")
    parser.add_argument("--max-new-tokens", type=positive, default=256, help="the longest answer (default 256)")
    quantized_option(parser)
    checkpoint_option(parser)
    sampling_options(parser, temperature=0.2, top_p=0.9)


def execute(arguments) -> int:
    """Read, answer, until the input ends."""
    sampling, rng = sampling_of(arguments), np.random.default_rng(arguments.seed)
    opened = model_asked_for(arguments)
    messages: list[dict[str, str]] = []
    check_writes(opened.model)
    chat_tokens(opened.tokenizer, messages)  # refuses a model that does not chat before anyone has typed
    with blas_threads(None):
        if arguments.say is not None:
            _answer(opened, messages, arguments.say, arguments.max_new_tokens, sampling, rng)
            return 0
        while (said := _ask()) is not None:
            before = list(messages)
            try:
                _answer(opened, messages, said, arguments.max_new_tokens, sampling, rng)
            except UserError as error:  # the conversation goes on
                messages[:] = before
                remark(str(error))
            except KeyboardInterrupt:  # ends the answer, and what was said of it stands
                print("\n[stopped; Ctrl-C once more ends the conversation]", file=sys.stderr)
    return 0


def _answer(
    opened: OpenedModel, messages: list[dict[str, str]], said: str, longest: int, sampling: Sampling, rng
) -> None:
    """Add what was said and the answer, printed as it is written, to the messages; drop the oldest that do not fit."""
    model, params, tokenizer = opened.model, opened.params, opened.tokenizer
    longest = min(longest, model.config.context // 2)
    messages.append({"role": "user", "content": said})
    prompt, forgotten = recent_chat_tokens(tokenizer, messages, model.config.context - longest)
    if forgotten:
        print(f"[the first {forgotten} messages no longer fit and are forgotten]", file=sys.stderr)
        del messages[:forgotten]
    stop = [tokenizer.special_tokens[END]]
    ids = generate(
        model,
        params,
        prompt,
        longest,
        sampling=sampling,
        rng=rng,
        stop_tokens=stop,
        vocabulary_size=tokenizer.vocabulary_size,
    )
    answer = {"role": "assistant", "content": ""}
    messages.append(answer)
    for piece in _speak(ids, tokenizer):
        answer["content"] += piece


def _ask() -> str | None:
    """What is typed; None at the end of the input."""
    try:
        return input("you: ")
    except EOFError:
        print()
        return None


def _speak(ids, tokenizer) -> Iterator[str]:
    """Print the answer as it is written, then how fast it came. Yields its pieces, each before it is printed."""
    start, times = time.perf_counter(), []

    def chunks():
        for id_ in ids:
            times.append(time.perf_counter())
            if id_ != tokenizer.special_tokens[END]:
                yield tokenizer.decode_bytes([id_])

    for piece in whole_characters(chunks()):
        yield piece
        print(visible(piece), end="", flush=True)
    print()
    if times:
        speed = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        print(f"[first token after {times[0] - start:.2f} s, then {speed:.1f} tokens/s]", file=sys.stderr)
