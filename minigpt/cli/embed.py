"""`minigpt embed`: how alike are the lines of a file?"""

from typing import Any

import numpy as np

from minigpt.cli.options import add_command, print_json, read_utf8
from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.pretrained import load_pretrained

SHOWN = 10  # of the most alike pairs


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "embed",
        execute,
        "compare the lines of a file by meaning",
        "  minigpt embed minilm sentences.txt\n  minigpt embed minilm sentences.txt --json",
    )
    parser.add_argument("model", help="minilm, or a folder with a BERT encoder")
    parser.add_argument("file", help="a text file, one sentence on a line")
    parser.add_argument("--json", action="store_true", help="print sentences, embeddings and similarities")


def execute(arguments) -> int:
    """Print the most alike pairs, or everything."""
    lines = [line.strip() for line in read_utf8(arguments.file).splitlines() if line.strip()]
    if len(lines) < 2:
        raise UserError(f"{arguments.file} has {len(lines)} lines of text, but comparing takes two or more; add some")
    embeddings = embed(load_pretrained(arguments.model), lines)
    similarity = embeddings @ embeddings.T
    if arguments.json:
        print_json({"sentences": lines, "similarity": similarity.tolist(), "embeddings": embeddings.tolist()})
        return 0
    pairs = sorted(((similarity[i, j], i, j) for i in range(len(lines)) for j in range(i)), reverse=True)
    for value, i, j in pairs[:SHOWN]:
        print(f"{value:6.3f}  {lines[j]}\n        {lines[i]}")
    return 0


def embed(pretrained: Any, sentences: list[str]) -> np.ndarray:
    """The mean of the encoder's last hidden states over a sentence's tokens, of length 1: (N, C).

    Reimers & Gurevych (2019), "Sentence-BERT", arXiv:1908.10084, section 3.
    """
    model, params, tokenizer = pretrained
    if model.config.architecture != "encoder" or not hasattr(tokenizer, "encode_pair"):
        raise UserError("sentences are compared by an encoder with its own tokenizer, such as minilm")
    rows = []
    for sentence in sentences:
        ids, segments = tokenizer.encode_pair(sentence, longest=model.config.context)
        x, _ = model.hidden_states(params, Batch(ids[None], segments=segments[None]))
        mean = x[0].mean(axis=0)
        rows.append(mean / np.linalg.norm(mean))
    return np.stack(rows)
