"""A run small enough to train in a second, and a program that trains it."""

import sys
from dataclasses import replace
from pathlib import Path

from minigpt import TransformerConfig
from minigpt.text import CharacterTokenizer, write_tokens
from minigpt.train import RunFolder, TrainSettings, open_folder, open_run, train

TEXT = "the cat sat on the mat and the dog sat on the log; then they all went home. " * 40


def make_run(path: Path, *, dropout: float = 0.1, sizes: dict | None = None, **settings) -> RunFolder:
    """A folder with a tiny corpus and a model of 6,000 parameters, unless `sizes` changes it; not trained yet."""
    tokenizer = CharacterTokenizer.train([TEXT])
    shape = {"context": 12, "width": 16, "layers": 2, "heads": 2, "feed_forward_width": 24, **(sizes or {})}
    config = TransformerConfig(vocabulary_size=tokenizer.vocabulary_size, dropout=dropout, init_std=0.1, **shape)
    for part, text in (("training", TEXT), ("validation", TEXT[:500])):
        write_tokens(path / f"{part}.npy", tokenizer, [text])
    tokenizer.save(path / "tokenizer.json")
    given = {"steps": 40, "batch": 4, "warmup": 5, "validate_every": 10, "log_every": 1, **settings}
    corpus = {"name": "cats", "sha256": "", "validation_tokens": 501, "validation_bytes": 500}
    folder = RunFolder(path, config, TrainSettings(**given), corpus)
    folder.save()
    return folder


def parameters(path: Path) -> bytes:
    """The parameters in last.safetensors, to the bit."""
    return open_run(path, "last").params.flat.tobytes()


if __name__ == "__main__":  # python tiny_run.py FOLDER: train it, with an announcement after every validation
    opened = open_folder(sys.argv[1])
    if len(sys.argv) > 2:
        opened = replace(opened, settings=replace(opened.settings, steps=int(sys.argv[2])))
    train(opened, on_validation=lambda params, row: print(row["step"], flush=True), show_progress=False)
