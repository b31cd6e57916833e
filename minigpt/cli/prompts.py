"""Many texts for `minigpt generate`: prompts from a file, written at the same time, printed in the file's order."""

import argparse
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigpt.cli.options import file, flag_of, positive, print_json, read_utf8, visible
from minigpt.errors import UserError
from minigpt.infer import Engine, Request, Sampling
from minigpt.infer.request import MOST_SAMPLES
from minigpt.pretrained import OpenedModel
from minigpt.progress import progress_bar
from minigpt.serve.writing import Writing
from minigpt.text import document_end
from minigpt.text.records import Record, read_records
from minigpt.values import TEXT, about, number, read, shown, whole

FIELDS = ("prompt", "max_new_tokens", "seed", "temperature")  # of a line of a JSON Lines file


class Prompt(NamedTuple):
    """What one line asks for."""

    place: str  # for messages, "" where there is no file
    line: int | None
    text: str
    max_new_tokens: int
    seed: int
    sampling: Sampling


class Text:
    """One that is being written."""

    def __init__(self, prompt: Prompt, sample: int, writing: Writing):
        """writing: makes text of its tokens."""
        self.prompt, self.sample, self.writing = prompt, sample, writing
        self.pieces: list[str] = []

    @property
    def ended(self) -> bool:
        """Whether it is whole."""
        return self.writing.finish_reason is not None

    def to_dict(self) -> dict:
        """For JSON."""
        named = {} if self.prompt.line is None else {"line": self.prompt.line}
        return {
            **named,
            "sample": self.sample,
            "prompt": self.prompt.text,
            "text": "".join(self.pieces),
            "seed": self.prompt.seed + self.sample,
            "tokens": self.writing.tokens,
            "finish_reason": self.writing.finish_reason,
        }

    def heading(self, samples: int) -> str:
        """What stands above it."""
        line = [] if self.prompt.line is None else [f"line {self.prompt.line}"]
        return ", ".join(line + ([f"sample {self.sample}"] if samples > 1 else []))


def prompts_options(parser: argparse.ArgumentParser) -> None:
    """--prompts and --samples."""
    parser.add_argument(
        "--prompts",
        type=file,
        metavar="FILE",
        help="continue all of these: a prompt in each line, or in a .jsonl file an object with prompt and, where it is "
        "not as the options say, max_new_tokens, seed, temperature",
    )
    parser.add_argument(
        "--samples", type=_samples, default=1, help=f"write so many of each prompt, at most {MOST_SAMPLES} (default 1)"
    )


def _samples(text: str) -> int:
    if positive(text) > MOST_SAMPLES:
        raise argparse.ArgumentTypeError(f"{text} samples are more than the {MOST_SAMPLES} of one prompt")
    return int(text)


def by_engine(arguments: argparse.Namespace, opened: OpenedModel) -> bool:
    """Whether several texts are asked for, or a cache in few bits. `UserError` for options that do not go with it."""
    reasons = {"--prompts": arguments.prompts, "--samples": arguments.samples > 1, "--cache-bits": arguments.cache_bits}
    asked = next((flag for flag, value in reasons.items() if value), None)
    if asked is None:
        return False
    if arguments.prompts is not None and arguments.prompt:
        raise UserError("--prompt and --prompts are both given; put the one prompt into the file too")
    for name in ("beams", "draft", "draft_tokens"):
        if getattr(arguments, name) is not None:
            why = "keeps keys and values of its own" if asked == "--cache-bits" else "is for one text"
            raise UserError(f"{flag_of(name)} {why}, so {asked} does not go with it; leave one of them out")
    if arguments.samples > 1 and arguments.temperature == 0:
        raise UserError("--temperature 0 draws nothing, so all --samples are alike; leave one of them out")
    if opened.model.two_stacks:
        raise UserError(f"{asked} is for models that continue a text; this one reads and writes; leave it out")
    return True


def prompts_of(arguments: argparse.Namespace, sampling: Sampling) -> list[Prompt]:
    """The prompts of --prompts, or that of --prompt; what a line leaves open is as the options say.

    A file that ends in .jsonl has an object in every line, any other a prompt. `UserError` names the line that is
    neither.
    """
    asked = Prompt("", None, arguments.prompt, arguments.max_new_tokens, arguments.seed, sampling)
    if arguments.prompts is None:
        return [asked]
    if Path(arguments.prompts).suffix.lower() == ".jsonl":
        return [_of_record(record, asked) for record in read_records(arguments.prompts)]
    lines = read_utf8(arguments.prompts).removesuffix("\n").split("\n")
    empty = next((line for line, text in enumerate(lines, 1) if not text.strip()), None)
    if empty is not None:
        raise UserError(f"{arguments.prompts}, line {empty}: there is no prompt; leave the line out")
    return [
        asked._replace(place=f"{arguments.prompts}, line {line}", line=line, text=text)
        for line, text in enumerate(lines, 1)
    ]


def _of_record(record: Record, asked: Prompt) -> Prompt:
    with about(record.place):
        unknown = [name for name in record.values if name not in FIELDS]
        if unknown:
            raise UserError(f"there is {shown(unknown[0])}, but a line has {', '.join(FIELDS)}; take it out")
        values = record.values
        return Prompt(
            record.place,
            int(record.place.rpartition(" ")[2]),
            record.value("prompt", TEXT),
            read(values, "max_new_tokens", whole(1), asked.max_new_tokens),
            read(values, "seed", whole(0), asked.seed),
            replace(asked.sampling, temperature=read(values, "temperature", number(0.0), asked.sampling.temperature)),
        )


def write_all(opened: OpenedModel, prompts: list[Prompt], arguments: argparse.Namespace) -> None:
    """Write all samples of all prompts, and print each as soon as it and those before it have ended.

    Whoever interrupts it gets what has ended by then.
    """
    engine, texts = _submitted(opened, prompts, arguments)
    left = deque(texts.values())
    ended = (text for text, _ in _pieces(engine, texts) if text.ended)
    with progress_bar(ended, total=len(texts), desc="writing") as bar:
        try:
            for _ in bar:
                while left and left[0].ended:
                    _show(left.popleft(), arguments)
        except KeyboardInterrupt:
            for text in left:
                if text.ended:
                    _show(text, arguments)
            raise


def pieces_of(opened: OpenedModel, prompt: Prompt, arguments: argparse.Namespace) -> Iterator[str]:
    """The text of one prompt as it comes."""
    for _, piece in _pieces(*_submitted(opened, [prompt], arguments)):
        yield piece


Texts = dict[tuple[int, int], Text]  # (request, sample) -> text


def _submitted(opened: OpenedModel, prompts: list[Prompt], arguments: argparse.Namespace) -> tuple[Engine, Texts]:
    """An engine that has all the prompts, and the texts that it will write."""
    engine = Engine(opened.model, opened.params, cache_bits=arguments.cache_bits)
    samples, texts = arguments.samples, {}
    requests = [_request(opened, prompt, samples) for prompt in prompts]
    for prompt, request in zip(prompts, requests, strict=True):
        with about(prompt.place or "the prompt"):
            id_ = engine.submit(request)
        for sample in range(samples):
            writing = Writing(opened.tokenizer, arguments.stop, request.stop_tokens)
            texts[id_, sample] = Text(prompt, sample, writing)
    return engine, texts


def _request(opened: OpenedModel, prompt: Prompt, samples: int) -> Request:
    tokenizer = opened.tokenizer
    end = tokenizer.end_of_text
    with about(prompt.place or "the prompt"):
        return Request(
            tokenizer.encode(prompt.text) if prompt.text else np.array([document_end(tokenizer)]),
            prompt.max_new_tokens,
            prompt.sampling,
            seed=prompt.seed,
            stop_tokens=() if end is None else (end,),
            samples=samples,
            vocabulary_size=tokenizer.vocabulary_size,
        )


def _pieces(engine: Engine, texts: Texts) -> Iterator[tuple[Text, str]]:
    """Run the engine to its end; every piece as it comes, and the text that it belongs to."""
    while engine.pending or engine.running:
        for event in engine.step():
            text = texts[event.request, event.sample]
            text.pieces.append(text.writing.add(event).text)
            if text.ended and event.finish_reason is None:
                engine.cancel(event.request, event.sample)
            yield text, text.pieces[-1]


def _show(text: Text, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(text.to_dict(), indent=None)
    else:
        written = text.prompt.text + "".join(text.pieces)
        print(f"--- {text.heading(arguments.samples)}\n{visible(written)}", flush=True)
