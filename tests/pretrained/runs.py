"""Folders of runs that were never trained: a configuration, random parameters, a tokenizer, a little text."""

import numpy as np

from minigpt import Transformer, TransformerConfig
from minigpt.text import BytePairTokenizer, write_tokens
from minigpt.train import RunFolder, TrainSettings, save_checkpoint

TEXT = "The quick brown fox jumps over 13 lazy dogs; naïve café 東京.\n\tIt's   fine, isn't it? " * 3
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False, "key_value_heads": 2}
ENCODER = {"architecture": "encoder", "norm_place": "post", "segments": 2, "embedding_norm": True, "head": "masked"}
BOTH = {"architecture": "encoder-decoder", "norm_place": "post", "embedding_norm": True}


def byte_pairs(tokens=300):
    return BytePairTokenizer.train([TEXT], tokens)


def a_run(path, tokenizer=None, *, padded=0, **choices):
    """The folder of a run, opened with `open_model` like any other."""
    tokenizer = byte_pairs() if tokenizer is None else tokenizer
    sizes = {"context": 24, "width": 16, "layers": 2, "heads": 4, "feed_forward_width": 20, "init_std": 0.3}
    vocabulary_size = tokenizer.vocabulary_size + padded
    config = TransformerConfig(vocabulary_size=vocabulary_size, **{**sizes, **choices})
    rng = np.random.default_rng(3)
    params = Transformer(config).init(rng)
    params.flat[...] += 0.1 * rng.standard_normal(params.flat.size)
    RunFolder(path, config, TrainSettings(), {"name": "text", "sha256": "", "validation_bytes": 1}).save()
    tokenizer.save(path / "tokenizer.json")
    for which in ("training", "validation"):
        write_tokens(path / f"{which}.npy", tokenizer, [TEXT])
    for number, which in enumerate(("last", "best")):
        save_checkpoint(path / f"{which}.safetensors", config, params, {}, {"step": number, "best_loss": 1.0})
        params.flat[...] *= 0.9
    return path
