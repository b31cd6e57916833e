"""Processes that share the chunks of a corpus. What each does with a chunk depends on the chunk alone."""

import pickle
import queue
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import IO, Any, Protocol

from minigpt.errors import UserError

CHILD = "import sys; sys.path[:0] = {paths!r}; from minigpt.corpus.worker import child; child()"
LENGTH = struct.Struct("<Q")


class Task(Protocol):
    """What is done with each chunk; it is pickled once for each process."""

    def __call__(self, chunk: Any) -> Any: ...


class Worker:
    """A process that has the task. It ends when its parent does, however that ends, with its standard input."""

    def __init__(self, task: Task):
        command = [sys.executable, "-c", CHILD.format(paths=[path for path in sys.path if path])]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        self._send(task)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(OSError):  # what was not sent yet goes nowhere
            self._in.close()
        self._out.close()

    def ask(self, chunk: Any) -> Any:
        """What the task makes of the chunk; what it raises is raised here. `UserError` if the process has ended."""
        self._send(chunk)
        try:
            answer = _receive(self._out)
        except EOFError:
            raise self._lost() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _send(self, value: Any) -> None:
        try:
            _send(self._in, value)
        except OSError:
            raise self._lost() from None

    def _lost(self) -> UserError:
        return UserError(
            f"a worker process has ended (code {self._process.wait()}), perhaps for want of memory; give the same "
            "command again, with fewer --workers"
        )


def child() -> None:
    """What a worker does: answer until nobody asks. Ctrl-C is its parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        task = _receive(sys.stdin.buffer)
        while True:
            _send(sys.stdout.buffer, _answer(task, _receive(sys.stdin.buffer)))


def _answer(task: Task, chunk: Any) -> Any:
    try:
        return task(chunk)
    except Exception as error:
        return error


def in_order(task: Task, chunks: Iterable[Any], workers: int) -> Iterator[Any]:
    """task(chunk) for every chunk, in their order; at most two for each worker are in memory."""
    if workers == 1:
        yield from map(task, chunks)
        return
    with ThreadPoolExecutor(workers) as pool, ExitStack() as stack:  # the processes end first, then who waits for them
        idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for _ in range(workers):
            idle.put(stack.enter_context(Worker(task)))
        waiting: deque[Future] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(_ask_one, idle, chunk))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _ask_one(idle: "queue.SimpleQueue[Worker]", chunk: Any) -> Any:
    worker = idle.get()
    try:
        return worker.ask(chunk)
    finally:
        idle.put(worker)


def _send(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """EOFError if nothing more comes."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    length = LENGTH.unpack(head)[0]
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # of our own process, started above
