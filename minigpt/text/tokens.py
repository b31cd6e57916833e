"""Token files: the ids of a whole corpus on disk, read without loading them, so a corpus may be larger than memory."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file, checksum, replacing
from minigpt.progress import progress_bar
from minigpt.text.corpora import Corpus
from minigpt.text.tokenizer import Tokenizer, document_end

# NumPy reads a file's header with Python's parser, which Python 3.11 cannot run in two threads at once: now and then it
# raises SystemError (github.com/python/cpython/issues/106905). Ranks that are threads open the same file together.
PARSER = threading.Lock()


def write_tokens(path: str | Path, tokenizer: Tokenizer, documents: Iterable[str], *, progress: bool = False) -> int:
    """Encode `documents` one by one into an .npy file at `path`, end-of-text after each. Returns how many tokens.

    The ids are uint16 when the vocabulary allows it, else uint32. The file appears only when it is complete.
    """
    dtype = np.dtype("<u2" if tokenizer.vocabulary_size <= 1 << 16 else "<u4")
    count, end = 0, document_end(tokenizer)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        _write_header(file, dtype, 0)
        for document in progress_bar(documents, desc="encoding", unit=" documents", leave=False, disable=not progress):
            ids = np.append(tokenizer.encode(document), end).astype(dtype)
            file.write(ids.tobytes())
            count += len(ids)
        file.seek(0)
        _write_header(file, dtype, count)  # NumPy leaves room in the header for a longer shape
    return count


def write_corpus(
    folder: Path, tokenizer: Tokenizer, corpus: Corpus, *, prefix: str = "", progress: bool = False
) -> dict[str, Any]:
    """Write PREFIXtraining.npy and PREFIXvalidation.npy; return what the folder's description says of the corpus."""
    files = {part: folder / f"{prefix}{part}.npy" for part in ("training", "validation")}
    counts = {
        part: write_tokens(file, tokenizer, getattr(corpus, part), progress=progress) for part, file in files.items()
    }
    return {
        "name": corpus.name,
        "sha256": corpus.sha256,
        "training_tokens": counts["training"],
        "validation_tokens": counts["validation"],
        "validation_bytes": sum(len(text.encode("utf-8")) for text in corpus.validation),
        "checksums": {part: checksum(file) for part, file in files.items()},
    }


def open_tokens(path: str | Path, vocabulary_size: int, *, expected: str | None = None) -> np.ndarray:
    """The ids in a file of `write_tokens`, (N,), mapped from disk, not loaded.

    expected: what `minigpt.files.checksum` gave when it was written. `UserError` if the file is missing, unreadable,
    truncated, foreign or changed, or holds an id outside the vocabulary.
    """
    check_is_file(path)
    try:
        if expected not in (None, checksum(path)):
            raise ValueError(f"its checksum is not {expected}, as when it was written")
        with PARSER:
            tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"there is no token file {path}; train again to make it") from None
    except PermissionError as error:
        raise UserError(f"{path} could not be read: {error.strerror}; ask for the right to read it") from None
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path} is damaged or not a token file ({error}); train again to make it") from None
    if not isinstance(tokens, np.ndarray) or tokens.ndim != 1 or tokens.dtype.kind != "u":
        raise UserError(f"{path} is not a token file of minigpt; train again to make it")
    for start in range(0, len(tokens), 1 << 22):
        if (largest := int(tokens[start : start + (1 << 22)].max())) >= vocabulary_size:
            raise UserError(f"{path} holds token {largest}, outside the vocabulary of {vocabulary_size}; train again")
    return tokens


def _write_header(file: BinaryIO, dtype: np.dtype, count: int) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)
