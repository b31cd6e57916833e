"""A model's matrices rounded, one block after another, and what that does to each of them."""

from pathlib import Path
from typing import Any

import numpy as np

from minigpt.compress.activation_aware import activation_aware, output_error
from minigpt.compress.calibrate import Inputs, batches_of, matrices_of, walk
from minigpt.compress.rounding import Grid, Rounded, nearest
from minigpt.compress.second_order import second_order
from minigpt.compress.settings import ACTIVATION_AWARE, SECOND_ORDER, Compression
from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.model import Batch, Params, Transformer
from minigpt.model.inputs import TOKENS
from minigpt.model.params import checksum_of
from minigpt.pretrained.compressed import FILE, REPORT, new_folder, write_compressed
from minigpt.pretrained.opened import OpenedModel
from minigpt.pretrained.quantized_matrix import QuantizedMatrix, StoredWeights
from minigpt.pretrained.tuned import FILE as TUNED
from minigpt.progress import progress_bar
from minigpt.train.folder import history_of
from minigpt.values import about

HEAD = "head.weight"


def compress_model(
    opened: OpenedModel,
    out: str | Path,
    settings: Compression | None = None,
    *,
    text: np.ndarray | None = None,
    text_name: str = "",
    pruned: dict[str, Any] | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Write a compressed model into a new folder, which `open_model` opens.

    Parameters
    ----------
    opened : OpenedModel
        As `open_model` gives it.
    out : str or Path
        The folder, which must not be there yet.
    settings : Compression
        How; None: 4 bits to the nearest.
    text : (N,) integers, optional
        Token ids to calibrate with; needed by activation-aware and second-order.
    text_name : str
        What that text is called in the report.
    pruned : dict, optional
        What was taken out of the opened model before, for the report.
    progress : bool
        Draw a bar.

    Returns
    -------
    dict
        The report: what is also written as compression.json.

    Raises
    ------
    UserError
        Before anything is written.

    Examples
    --------
    >>> tokenizer = minigpt.CharacterTokenizer("abc")
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=4, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> report = minigpt.compress_model(minigpt.OpenedModel(model, params, tokenizer, "mine"), "small")
    >>> report["bits_per_weight"], minigpt.open_model("small").params["blocks.0.feed_forward.up.weight"].nbytes
    (4.67, 25344)
    """
    settings = Compression() if settings is None else settings
    with new_folder(out) as folder:
        batches = None if text is None else batches_of(opened.model, opened.tokenizer, text)
        params, matrices, rows = compress_params(opened.model, opened.params, settings, batches, progress=progress)
        made = _made(opened, settings, batches, text_name)
        write_compressed(folder, opened.model, params, matrices, opened.tokenizer, made)
        if (Path(opened.name) / TUNED).exists():  # for the commands that ask what it was tuned for
            (folder / TUNED).write_bytes((Path(opened.name) / TUNED).read_bytes())
        sizes = _sizes(opened.params, params, (folder / FILE).stat().st_size)
        report = made | {"pruned": pruned} | sizes | {"matrices": rows}
        write_json(folder / REPORT, report)
    return report


def _made(opened: OpenedModel, settings: Compression, batches: list[Batch] | None, text_name: str) -> dict[str, Any]:
    """Of what the model was made, and how."""
    calibration = None
    if batches is not None:
        calibration = {"text": text_name, "tokens": sum(batch.tokens.size for batch in batches)}
    history = {} if opened.run is None else {"run": history_of(opened.run)}
    return {
        "source": {"name": opened.name, "checksum": checksum_of(opened.params), **history},
        "settings": settings.to_dict(),
        "calibration": calibration,
    }


def compress_params(
    model: Transformer,
    params: Params,
    settings: Compression,
    batches: list[Batch] | None = None,
    *,
    progress: bool = False,
) -> tuple[StoredWeights, dict[str, Any], list[dict[str, Any]]]:
    """The weights with rounded matrices, the format of each of these, and what it did to each: a list of plain values.

    batches: what to calibrate with. `UserError` for weights that are in few bits already, for a method that needs text
    and has none, and for rows that no group divides.
    """
    if not isinstance(params, Params):
        raise UserError("this model is in few bits already; compress the model that it was made of")
    if settings.calibrated and batches is None:
        raise UserError(f"{settings.method} needs a text to calibrate with; give one, or take the method nearest")
    arrays = model.arrays()
    blocks = list(dict.fromkeys(record.block for record in arrays.values() if record.block))
    for block in blocks:  # before anything takes long
        for name in matrices_of(block, arrays):
            settings.group_of(name, arrays[name].shape[0])
    weights = StoredWeights({name: np.asarray(array, np.float32) for name, array in params.items()})
    formats: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    steps = walk(model, weights, batches) if batches is not None else ((block, {}) for block in blocks)
    work = _Work(settings, weights, formats, found)
    for block, inputs in progress_bar(steps, total=len(blocks), desc="compressing", disable=not progress):
        for name in matrices_of(block, arrays):
            work.round(name, inputs.get(name))
    for name in (TOKENS, HEAD):
        if name in arrays:
            work.round_table(name)
    return weights, formats, found


class _Work:
    """The weights on their way, and what is said of them."""

    def __init__(
        self, settings: Compression, weights: StoredWeights, formats: dict[str, Any], found: list[dict[str, Any]]
    ):
        self.settings, self.weights, self.formats, self.found = settings, weights, formats, found

    def round(self, name: str, inputs: Inputs | None) -> None:
        """A matrix of a block, whose rows are the outputs."""
        rows, settings = np.ascontiguousarray(self.weights[name].T), self.settings
        if inputs is not None and not np.isfinite(inputs.products).all():
            raise UserError(f"what the text becomes before {name} are no finite numbers; the model is damaged")
        grid = Grid(settings.bits, settings.group_of(name, rows.shape[1]), settings.symmetric)
        with about(name):
            made = _rounded(rows, grid, settings, inputs)
        self._put(name, rows, made, transposed=True, inputs=inputs)

    def round_table(self, name: str) -> None:
        """A table, to the nearest: of tokens, whose rows are looked up, or of a head, whose columns are outputs."""
        transposed, settings = name == HEAD, self.settings
        rows = np.ascontiguousarray(self.weights[name].T) if transposed else self.weights[name]
        grid = Grid(settings.table_bits, settings.group_of(name, rows.shape[1]), settings.symmetric)
        with about(name):
            made = nearest(rows, grid)
        self._put(name, rows, made, transposed=transposed, inputs=None)

    def _put(self, name: str, rows: np.ndarray, made: Rounded, *, transposed: bool, inputs: Inputs | None) -> None:
        matrix = made.matrix(transposed=transposed)
        bits, group, symmetric = made.grid
        said = {"bits": bits, "group": group, "symmetric": symmetric, "transposed": transposed}
        self.weights[name], self.formats[name] = matrix, said
        wrong = made.values() - rows
        errors: dict[str, Any] = {"weight_error": _relative(float(np.vdot(wrong, wrong)), float(np.vdot(rows, rows)))}
        if inputs is not None:
            of = [output_error(part, inputs.products.astype(np.float32)) for part in (wrong, rows)]
            errors["output_error"] = _relative(*of)
        self.found.append(
            {"name": name, **said, "bits_per_weight": round(8 * matrix.nbytes / matrix.size, 3), **errors}
        )


def _rounded(rows: np.ndarray, grid: Grid, settings: Compression, inputs: Inputs | None) -> Rounded:
    if inputs is None or not settings.calibrated:
        return nearest(rows, grid)
    products = inputs.products.astype(np.float32)
    if settings.method == ACTIVATION_AWARE:
        return activation_aware(rows, grid, products, inputs.sizes)
    assert settings.method == SECOND_ORDER
    return second_order(rows, grid, inputs.products, activation_order=settings.activation_order)


def _relative(wrong: float, whole: float) -> float:
    """The square root of the ratio of two sums of squares."""
    return round(float(np.sqrt(max(wrong, 0.0) / whole)), 6) if whole > 0 else 0.0


def _sizes(before: Params, after: StoredWeights, file: int) -> dict[str, Any]:
    count = before.flat.size
    stored = sum(weight.nbytes for _, weight in after.items())
    rounded = sum(weight.size for _, weight in after.items() if isinstance(weight, QuantizedMatrix))
    return {
        "parameters": count,
        "rounded": rounded,
        "bytes_in_32_bits": 4 * count,
        "bytes_in_16_bits": 2 * count,
        "file_bytes": file,
        "bits_per_weight": round(8 * stored / count, 2),
    }
