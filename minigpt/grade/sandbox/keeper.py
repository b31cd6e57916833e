"""Starts the worker, and ends all that the worker started.

On Linux the worker is a child of this process, which adopts whatever the student's code leaves behind, also processes
that left their group and session, and kills it when the grader closes the control pipe, or dies.
"""

import os
import signal
import sys
import time

NOBODY = 65534
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
SECONDS = 5.0  # for ending them


def main() -> None:
    """Arguments: the folder that NumPy is in, the number of the control pipe or "", and "nobody" or ""."""
    numpy, control, user = sys.argv[1:]
    code = sys.path[0]
    sys.path.insert(1, numpy)
    from minigpt.grade.sandbox import worker

    sys.path[:] = [path for path in sys.path if path not in (code, numpy)]  # NumPy is here; nothing else is found
    for name in [name for name in sys.modules if name.partition(".")[0] == "minigpt"]:
        del sys.modules[name]
    if control and _adopts():
        _fork_and_keep(int(control))
    if user == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    worker.serve()


def _adopts() -> bool:
    """Whether this process is now the parent of its grandchildren that lose theirs."""
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError, TypeError):
        return False


def _fork_and_keep(control: int) -> None:
    """The child returns; the parent waits for the end of the control pipe, ends everybody, and then itself."""
    if os.fork() == 0:
        os.close(control)
        os.setpgid(0, 0)
        return
    for stream in (0, 1, 2):  # the worker's end must be seen as the end of its pipes
        os.close(stream)
    while os.read(control, 1):
        pass
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        _kill_children()
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.002)
    os._exit(0)


def _kill_children() -> None:
    """Of this process, which those that it adopted are too."""
    me = str(os.getpid()).encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = file.read().rpartition(b")")[2].split()[1]
            if parent == me:
                os.kill(int(name), signal.SIGKILL)
        except OSError:  # it has ended meanwhile
            continue
