"""Working in pieces that stay in the processor's cache.

A chain of ten element-wise steps over an array of 10 MB reads and writes main memory ten times. The same chain over
256 KB at a time reads and writes it once, which is up to twice as fast.
"""

from collections.abc import Iterator

import numpy as np

BLOCK = 65536  # entries


def blocks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Matching views of `arrays`, at most `BLOCK` entries at a time. All have one shape; what is written is contiguous.

    Some may be columns of a wider matrix, as gate and up are: then the blocks are whole rows.
    """
    if arrays[0].size <= BLOCK:  # one token's worth, where every microsecond of Python counts
        yield arrays
        return
    width = arrays[0].shape[-1]
    whole = all(array.flags.c_contiguous for array in arrays)
    flat = [array.reshape(-1) if whole else array.reshape(-1, width) for array in arrays]
    step = BLOCK if whole else max(1, BLOCK // width)
    for start in range(0, len(flat[0]), step):
        yield tuple(array[start : start + step] for array in flat)
