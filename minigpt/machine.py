"""What a long computation asks of the machine: BLAS threads, free memory, freed memory kept for the next step."""

import ctypes
import math
import os
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from threadpoolctl import threadpool_limits

WIDE = 512  # model width from which BLAS threads pay
CONTROL_GROUP = Path("/sys/fs/cgroup")  # of a container on Linux, version 2
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def blas_threads(count: int | None) -> AbstractContextManager:
    """A context in which one matrix product uses `count` threads (None: all cores).

    With one Python thread per part of a batch, BLAS must use one each: two that each wake two spend their time waiting.
    Entering takes milliseconds, so enter once, around the whole computation.
    """
    return threadpool_limits(count, user_api="blas")


def cores() -> int:
    """The cores that this process may use: those it is bound to, or fewer if its container has the time of fewer."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # ValueError: "max"
        granted, period = (CONTROL_GROUP / "cpu.max").read_text(encoding="ascii").split()
        return min(bound, math.ceil(int(granted) / int(period)))
    return bound


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


def available_memory() -> int | None:
    """Bytes that this process can still take, the least of what the machine, its container and `ulimit -v` allow.

    None where nothing is known: only Linux says what is free; elsewhere it is what the machine has, if it says that.
    """
    known = [size for size in (_free_memory(), _left_in_container(), _left_below_limit()) if size is not None]
    return min(known, default=None)


def _free_memory() -> int | None:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    with suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _left_in_container() -> int | None:
    """What control groups, version 2, leave."""
    with suppress(OSError, ValueError):  # ValueError: "max"
        most = int((CONTROL_GROUP / "memory.max").read_text(encoding="ascii"))
        return most - int((CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
    return None


def _left_below_limit() -> int | None:
    """What `ulimit -v` leaves."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            return most - pages * os.sysconf("SC_PAGE_SIZE")
    return None
