"""What a long computation asks of the machine: BLAS threads, and freed memory kept for the next step."""

import ctypes
import sys
from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

WIDE = 512  # model width from which BLAS threads pay
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def blas_threads(count: int | None) -> AbstractContextManager:
    """A context in which one matrix product uses `count` threads (None: all cores).

    With one Python thread per part of a batch, BLAS must use one each: two that each wake two spend their time waiting.
    Entering takes milliseconds, so enter once, around the whole computation.
    """
    return threadpool_limits(count, user_api="blas")


def threads_for_width(width: int) -> int | None:
    """How many BLAS threads to use for a model of this width: one for a narrow model, all cores for a wide one.

    A small matrix is multiplied before a second thread has woken up.
    """
    return 1 if width < WIDE else None


def keep_freed_memory() -> None:
    """Ask the C library to keep freed memory for the process instead of giving it back to the system.

    A training step frees and asks again for the same hundreds of arrays; each time the system would hand out fresh
    pages that it first has to fill with zeros, which took a fifth of the step of a small model. The setting holds until
    the process ends. Only glibc (Linux) has it; elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return
    if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the most that older versions take
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
