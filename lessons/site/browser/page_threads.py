"""Threads where there are none: a browser's Python has one, so work is done in turns.

A pool does its work at once. Ranks, which wait for each other, take turns: each has a stack of its own, and whoever
waits lets the others go on. That needs a browser with stack switching; where it is missing, ranks are refused.
"""

import concurrent.futures
import gc
import types
from collections.abc import Callable
from threading import BrokenBarrierError
from typing import Any

from minigpt.errors import UserError


class Pool(concurrent.futures.Executor):
    """`ThreadPoolExecutor`, one task after another."""

    def __init__(self, *_arguments: Any, **_options: Any):
        """However many threads are asked for, there is one."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        """Done when this returns."""
        future: concurrent.futures.Future = concurrent.futures.Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


class Turn:
    """`threading.Thread`: its target runs until it waits for somebody.

    Python's collector of cycles looks at one stack and may free what another still uses, so it rests meanwhile.
    """

    _begun = 0  # that have not been joined

    def __init__(self, target: Callable[..., Any], args: tuple = (), **_options: Any):
        self._target, self._args = target, args

    def start(self) -> None:
        """Until it waits for the first time."""
        from pyodide.code import run_js
        from pyodide.ffi import can_run_sync, create_proxy

        if not can_run_sync():
            raise UserError(
                "this browser cannot let ranks take turns, since it has no stack switching; "
                "Chrome and Edge have it from 137 on"
            )
        Turn._begun += 1
        gc.disable()
        self._work = create_proxy(self._run)
        # It begins once whoever starts it waits: a stack that begins inside of another is not kept apart from it.
        later = "(work) => new Promise((go) => setTimeout(go)).then(() => work.callPromising())"
        self._end = run_js(later)(self._work)

    def join(self, timeout: float | None = None) -> None:
        """Until it has ended."""
        from pyodide.ffi import run_sync

        run_sync(self._end)
        self._work.destroy()
        Turn._begun -= 1
        if not Turn._begun:
            gc.enable()

    def _run(self) -> None:
        # A context cannot be left in another order than it was entered, so the copies of `launch` are left out.
        self._args[0](*self._args[1:]) if self._args else self._target()


class Condition:
    """`threading.Condition`. Nobody else runs between two waits, so its lock is nothing."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def __enter__(self) -> "Condition":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def notify_all(self) -> None:
        """Wake all."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.resolve(True)

    def wait_for(self, happened: Callable[[], bool], timeout: float | None = None) -> bool:
        """Let the others go on until it has happened; False after so many seconds without news."""
        from pyodide.code import run_js
        from pyodide.ffi import run_sync

        while not happened():
            one = run_js("Promise.withResolvers()")
            self._waiting.append(one)
            late = "(one, seconds) => setTimeout(() => one.resolve(false), 1000 * seconds)"
            timer = None if timeout is None else run_js(late)(one, timeout)
            news = run_sync(one.promise)
            if timer is not None:
                run_js("clearTimeout")(timer)
            if not news:
                return happened()
        return True


class Barrier:
    """`threading.Barrier`."""

    def __init__(self, parties: int):
        self._parties, self._here, self._round, self._broken = parties, 0, 0, False
        self._changed = Condition()

    def wait(self, timeout: float | None = None) -> None:
        """Until all are here; `BrokenBarrierError` if somebody gave up."""
        mine, self._here = self._round, self._here + 1
        if self._here == self._parties and not self._broken:
            self._here, self._round = 0, self._round + 1
            self._changed.notify_all()
        elif not self._changed.wait_for(lambda: self._round != mine or self._broken, timeout):
            self.abort()
        if self._broken and self._round == mine:
            raise BrokenBarrierError

    def abort(self) -> None:
        """Wake all with an error."""
        self._broken = True
        self._changed.notify_all()


def install() -> None:
    """Before the library is imported: from now on pools and ranks take turns."""
    concurrent.futures.ThreadPoolExecutor = Pool  # type: ignore[misc, assignment]


def let_ranks_take_turns() -> None:
    """Before ranks are launched."""
    from minigpt.parallel import threads

    threads.threading = types.SimpleNamespace(  # type: ignore[assignment]
        Thread=Turn, Barrier=Barrier, Condition=Condition, BrokenBarrierError=BrokenBarrierError
    )
