"""The logistic function, of which SiLU and the tanh form of GELU are made."""

import numpy as np


def write_sigmoid(x: np.ndarray, *, out: np.ndarray) -> None:
    """out = 1 / (1 + exp(-x)). x, out: (...), which may be one array.

    (1 + tanh(x / 2)) / 2 is the same, but NumPy's tanh takes twice as long as its exp on processors without AVX-512.
    """
    np.negative(x, out=out)
    with np.errstate(over="ignore"):  # exp may become infinite; its inverse is then 0, as it should be
        np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)
