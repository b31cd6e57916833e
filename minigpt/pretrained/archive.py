"""The g2p model: a BART of letters and sounds, in an archive of NumPy's."""

import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.pretrained.families import FAMILIES, read_params


class Sounds(NamedTuple):
    """Letters in, sounds out: two alphabets, each character's place is its id. 1 begins a word, 2 ends it."""

    letters: str
    sounds: str

    @property
    def kind(self) -> str:
        """By which it is told from other tokenizers."""
        return "sounds"

    @property
    def special_tokens(self) -> dict[str, int]:
        """BART's marks."""
        return {"<s>": 1, "</s>": 2}

    @property
    def end_of_text(self) -> int:
        """The mark that ends a word."""
        return 2

    @property
    def vocabulary_size(self) -> int:
        """How many ids either alphabet has: the model has one table for both."""
        return max(len(self.letters), len(self.sounds))

    def encode(self, word: str) -> np.ndarray:
        """The ids of a word's letters, between a beginning and an end: (T,) int64; letters without an id are 3."""
        known = [self.letters.find(letter) if letter != "_" else -1 for letter in word]
        return np.array([1, *(id_ if id_ >= 0 else 3 for id_ in known), 2], np.int64)

    def decode(self, ids: Any) -> str:
        """The sounds of ids; marks are left out."""
        return "".join(self.sounds[id_] for id_ in ids if 4 <= id_ < len(self.sounds))


def model_of_archive(path: Path, *, dtype: Any) -> tuple[Transformer, Params, Sounds]:
    """The model in the archive. `UserError` if it is damaged, or not that model."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            tensors = {name: archive[name] for name in archive.files}
        meta = json.loads(str(tensors.pop("meta_json")))
        theirs = {
            "vocab_size": len(tensors["model.shared.weight"]),
            "d_model": meta["d_model"],
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": meta["num_heads"],
            "decoder_attention_heads": meta["num_heads"],
            "encoder_ffn_dim": meta["ffn_dim"],
            "decoder_ffn_dim": meta["ffn_dim"],
            "max_position_embeddings": meta["max_position_embeddings"],
            "pad_token_id": meta["pad_token_id"],
            "head_bias": True,
        }
        alphabets = Sounds(meta["grapheme_chars"], meta["phoneme_chars"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or not the archive of the g2p model ({error}); fetch it again") from None
    family = FAMILIES["bart"]
    cls = family.head_class("BartForConditionalGeneration")
    model = Transformer(TransformerConfig(**family.read_config(theirs, cls)))
    links = family.all_links(model.config, cls, family.base)
    return model, read_params(model.shapes(), links, tensors, dtype=dtype), alphabets
