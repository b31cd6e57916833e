"""The g2p model: a BART of letters and sounds, in an archive of NumPy's."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.pretrained.families import FAMILIES, read_params
from minigpt.text.sounds import SoundsTokenizer
from minigpt.values import TEXT, about, read, whole


def model_of_archive(path: Path, *, dtype: Any) -> tuple[Transformer, Params, SoundsTokenizer]:
    """The model in the archive. `UserError` if it is damaged, or not that model."""
    check_is_file(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            tensors = {name: archive[name] for name in archive.files}
        meta = json.loads(str(tensors.pop("meta_json")))
        theirs = {
            "vocab_size": len(tensors["model.shared.weight"]),
            "d_model": read(meta, "d_model", whole(1)),
            "encoder_layers": 1,
            "decoder_layers": 1,
            **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), read(meta, "num_heads", whole(1))),
            **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), read(meta, "ffn_dim", whole(1))),
            "max_position_embeddings": read(meta, "max_position_embeddings", whole(1)),
            "pad_token_id": read(meta, "pad_token_id", whole(0)),
            "head_bias": True,
        }
        alphabets = SoundsTokenizer(
            read(meta, "grapheme_chars", TEXT), read(meta, "phoneme_chars", TEXT), theirs["vocab_size"]
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged or not the archive of the g2p model ({error}); fetch it again") from None
    family = FAMILIES["bart"]
    cls = family.head_class("BartForConditionalGeneration")
    with about(path):
        model = Transformer(TransformerConfig(**family.read_config(theirs, cls)))
        links = family.all_links(model.config, cls, family.base)
        return model, read_params(model.arrays(), links, tensors, dtype=dtype), alphabets
