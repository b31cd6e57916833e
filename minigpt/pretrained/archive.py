"""The g2p model: a BART of letters and sounds, in an archive of NumPy's."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.pretrained.families import FAMILIES, read_params
from minigpt.text.sounds import SoundsTokenizer


def model_of_archive(path: Path, *, dtype: Any) -> tuple[Transformer, Params, SoundsTokenizer]:
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
        alphabets = SoundsTokenizer(meta["grapheme_chars"], meta["phoneme_chars"], theirs["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or not the archive of the g2p model ({error}); fetch it again") from None
    family = FAMILIES["bart"]
    cls = family.head_class("BartForConditionalGeneration")
    model = Transformer(TransformerConfig(**family.read_config(theirs, cls)))
    links = family.all_links(model.config, cls, family.base)
    return model, read_params(model.arrays(), links, tensors, dtype=dtype), alphabets
