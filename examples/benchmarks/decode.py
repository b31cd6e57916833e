"""Writing greedily, one token at a time: minigpt against transformers.generate, on the same GPT-2 weights.

Each writes in a process of its own, in turn. Both keep keys and values, stop at the same end-of-text token, and must
write the same tokens. Ours takes one BLAS thread for a narrow model; transformers is measured with all cores, as it
comes, and with one thread.
Needs PyTorch and transformers: pip install '.[parity]'
Run: python examples/benchmarks/decode.py [--sizes 4x128] [--quick] [--json]
"""

import numpy as np
from common import arguments_for, compare, compete, measure_gemv, report, take_turns

from minigpt import Transformer, TransformerConfig
from minigpt.infer import GREEDY, generate
from minigpt.machine import blas_threads, cores, threads_for_width

PROMPT = 16  # tokens
# name: (layers, width, heads, vocabulary, context, tokens to write, turns, texts in a turn)
# The first two are the character-level models that train_step.py trains, writing their context full; the last is GPT-2.
SIZES = {
    "4x128": (4, 128, 4, 65, 64, 48, 10, 5),
    "6x384": (6, 384, 6, 65, 256, 240, 6, 2),
    "12x768": (12, 768, 12, 50257, 1024, 64, 7, 1),
}
NAMES = {
    "attention_norm.gain": "ln_1.weight",
    "attention_norm.bias": "ln_1.bias",
    "attention.output.weight": "attn.c_proj.weight",
    "attention.output.bias": "attn.c_proj.bias",
    "feed_forward_norm.gain": "ln_2.weight",
    "feed_forward_norm.bias": "ln_2.bias",
    "feed_forward.up.weight": "mlp.c_fc.weight",
    "feed_forward.up.bias": "mlp.c_fc.bias",
    "feed_forward.down.weight": "mlp.c_proj.weight",
    "feed_forward.down.bias": "mlp.c_proj.bias",
}


def our_model(size):
    """The model and its parameters."""
    layers, width, heads, vocabulary, context, *_ = SIZES[size]
    model = Transformer(
        TransformerConfig(
            vocabulary_size=vocabulary, context=context, layers=layers, width=width, heads=heads, init_std=0.05
        )
    )
    return model, model.init(np.random.default_rng(0))


def our_writer(size, change=lambda params: params):
    """A function that writes and returns the tokens. change: of the parameters, before it begins."""
    model, params = our_model(size)
    params = change(params)
    prompt, count = prompt_and_count(size)
    stop = [model.config.vocabulary_size - 1]
    return lambda: [int(token) for token in generate(model, params, prompt, count, sampling=GREEDY, stop_tokens=stop)]


def transformers_writer(size, threads):
    """The same from transformers."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(threads)
    model, params = our_model(size)
    config, end = model.config, model.config.vocabulary_size - 1
    sizes = {"vocab_size": config.vocabulary_size, "n_positions": config.context, "n_embd": config.width}
    depth = {"n_layer": config.layers, "n_head": config.heads}
    rival = GPT2LMHeadModel(GPT2Config(**sizes, **depth, bos_token_id=end, eos_token_id=end)).eval()
    named = dict(rival.named_parameters())
    for name, array in in_their_names(config, params):
        named[name].data.copy_(torch.from_numpy(array))
    prompt, count = prompt_and_count(size)
    tokens = torch.from_numpy(prompt)[None]
    mask = torch.ones_like(tokens)

    def write():
        out = rival.generate(tokens, attention_mask=mask, max_new_tokens=count, do_sample=False, pad_token_id=end)
        return out[0, PROMPT:].tolist()

    return write


def in_their_names(config, params):
    """Our parameters as (their name, array). GPT-2 keeps query, key and value side by side in one matrix."""
    yield "transformer.wte.weight", params["token_embedding.weight"]
    yield "transformer.wpe.weight", params["position_embedding.weight"]
    yield "transformer.ln_f.weight", params["final_norm.gain"]
    yield "transformer.ln_f.bias", params["final_norm.bias"]
    for layer in range(config.layers):
        ours, theirs = f"blocks.{layer}", f"transformer.h.{layer}"
        for name, their_name in NAMES.items():
            yield f"{theirs}.{their_name}", params[f"{ours}.{name}"]
        for kind in ("weight", "bias"):
            parts = [params[f"{ours}.attention.{part}.{kind}"] for part in ("query", "key", "value")]
            yield f"{theirs}.attn.c_attn.{kind}", np.concatenate(parts, axis=-1)


def prompt_and_count(size):
    """The prompt, (T,) token ids, and how many tokens to write."""
    vocabulary, count = SIZES[size][3], SIZES[size][5]
    return np.random.default_rng(1).integers(0, vocabulary, PROMPT), count


WRITERS = {
    "minigpt": our_writer,
    "transformers.generate": lambda size: transformers_writer(size, cores()),
    "transformers.generate, one thread": lambda size: transformers_writer(size, 1),
}


def turns_of(size, quick):
    """How many turns, and how many timed texts in each."""
    return (1, 1) if quick else SIZES[size][6:]


def threads_of(size):
    """BLAS threads, as `minigpt generate` has them."""
    return threads_for_width(SIZES[size][1])


def contest(size, quick):
    """Rows of the table for one size."""
    count = SIZES[size][5]
    turns, _ = turns_of(size, quick)
    found = compete(__file__, list(WRITERS), turns, "--sizes", size, *(["--quick"] if quick else []))
    tokens = found["minigpt"].said
    assert len(tokens) == count, "the end-of-text token came up; choose another seed"
    assert all(turns.said == tokens for turns in found.values()), "all must write the same tokens"
    arrays, seconds = our_model(size)[1].items(), found["minigpt"].median
    read = sum(array.nbytes for name, array in arrays if array.ndim > 1 and name != "position_embedding.weight")
    with blas_threads(threads_of(size)):
        bandwidth = measure_gemv(read / 1e6)
    shared = {
        "tokens_per_second": count / seconds,
        "share_of_gemv": read * count / seconds / bandwidth,  # every token reads every matrix once
        "gemv_gigabytes_per_second": bandwidth / 1e9,
    }
    return [{"size": size, "tokens": count, **row, **shared} for row in compare(found)]


def main():
    """Every size in turn."""
    parser = arguments_for(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    arguments = parser.parse_args()
    if arguments.contestant:
        (size,), make = arguments.sizes, WRITERS[arguments.contestant]
        imports = () if make is our_writer else ("torch", "transformers")
        with blas_threads(threads_of(size)):
            take_turns(lambda: make(size), turns_of(size, arguments.quick)[1], imports=imports)
        return
    report([row for size in arguments.sizes for row in contest(size, arguments.quick)], arguments.json)


if __name__ == "__main__":
    main()
