"""The thread that owns the engine. The event loop sends it requests and gets tokens back; neither waits for the other.

Continuous batching needs one owner: a request that comes while a step is computed joins at the next one. So the loop
only ever puts commands into a queue, and the thread takes all of them between two steps.
"""

import asyncio
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from minigpt.errors import UserError, visible
from minigpt.infer import Engine, Event, Request
from minigpt.serve.refused import Refused


class Ticket:
    """What comes back for one request of a client: tokens, or the error that ended it. It belongs to the event loop.

    buffered: how many may wait to be read; 0 for any number. For a client who reads more slowly than that nothing more
    is written, so that no other has to wait. overflow: what to call then.
    """

    def __init__(self, buffered: int, overflow: Callable[["Ticket"], None]):
        self._overflow = overflow
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Queue[tuple[int, Event] | Exception] = asyncio.Queue(buffered)
        self._lost = False

    def send(self, news: list[Any]) -> None:
        """From any thread: what is new. A loop that has ended hears nothing."""
        try:
            self._loop.call_soon_threadsafe(self._put, news)
        except RuntimeError:
            return

    def _put(self, news: list[Any]) -> None:
        if self._lost:  # what comes after a gap is of no use
            return
        try:
            for one in news:
                self._news.put_nowait(one)
        except asyncio.QueueFull:
            self._lost = True
            self._overflow(self)

    async def next(self) -> tuple[int, Event]:
        """Which of the prompts, and its next token. Raises the error that ended the request."""
        if self._lost and self._news.empty():
            raise Refused(
                503, "the answer was read too slowly and was ended; ask for less, or read on", code="too_slow"
            )
        one = await self._news.get()
        if isinstance(one, Exception):
            raise one
        return one


class Worker:
    """Owns an engine and everything else that computes.

    Parameters
    ----------
    make : callable, optional
        Makes the engine, and another one should a step ever fail. None where nothing is written (an encoder).
    """

    def __init__(self, make: Callable[[], Engine] | None):
        self._make = make
        self._engine = None if make is None else make()
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._tickets: dict[int, tuple[Ticket, int]] = {}  # number of a request -> who asked, for which prompt
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.statistics = self._look()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End after the current step; wait so long for it."""
        self._commands.put(None)
        self._thread.join(seconds)

    @property
    def longest(self) -> int | None:
        """As of the engine; for before `start`."""
        return None if self._engine is None else self._engine.longest

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Prompts whose answers are not read to their end."""
        return len(self._tickets)

    def submit(self, ticket: Ticket, requests: list[Request]) -> None:
        """Write these. The ticket hears of each token."""
        self._commands.put(partial(self._submit, ticket, requests))

    def cancel(self, ticket: Ticket) -> None:
        """Write no more for this ticket; nothing happens if all has been written."""
        self._commands.put(partial(self._cancel, ticket))

    def end(self, ticket: Ticket, place: int, sample: int) -> None:
        """Write no more of one sample of the ticket's prompt `place`."""
        self._commands.put(partial(self._end, ticket, place, sample))

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns, called between two steps."""
        future: Future[Any] = Future()

        def compute() -> None:
            if not future.set_running_or_notify_cancel():  # who asked has left
                return
            try:
                future.set_result(function(*arguments))
            except Exception as error:
                future.set_exception(error)

        self._commands.put(compute)
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        while self._obey():
            if self._engine is None or not self._busy:
                continue
            try:
                events = self._engine.step()
            except Exception:  # nobody's request may end the server
                self._fail()
                continue
            self._deliver(events)
            self.statistics = self._look()

    def _obey(self) -> bool:
        """Carry out all commands that are there; wait for one if there is nothing to write. False: the end."""
        wait = not self._busy
        while True:
            try:
                command = self._commands.get(block=wait)
            except queue.Empty:
                return True
            if command is None:
                return False
            command()
            wait = False

    @property
    def _busy(self) -> bool:
        return self._engine is not None and bool(self._engine.pending or self._engine.running)

    def _submit(self, ticket: Ticket, requests: list[Request]) -> None:
        assert self._make is not None
        try:
            self._engine = self._engine or self._make()
        except (UserError, MemoryError):
            ticket.send([Refused(503, "there is not enough memory for the cache; ask again in a while", code="busy")])
            return
        try:
            for place, request in enumerate(requests):
                self._tickets[self._engine.submit(request)] = ticket, place
        except UserError as error:
            ticket.send([error])
            self._cancel(ticket)

    def _cancel(self, ticket: Ticket) -> None:
        for number in [number for number, (owner, _) in self._tickets.items() if owner is ticket]:
            self._tickets.pop(number)
            if self._engine is not None:
                self._engine.cancel(number)
        self.statistics = self._look()

    def _end(self, ticket: Ticket, place: int, sample: int) -> None:
        for number, asked in self._tickets.items():
            if asked == (ticket, place) and self._engine is not None:
                self._engine.cancel(number, sample)

    def _deliver(self, events: list[Event]) -> None:
        """Every ticket hears once of all that a step wrote for it."""
        news: dict[Ticket, list[tuple[int, Event]]] = {}
        for event in events:
            ticket, place = self._tickets[event.request]
            news.setdefault(ticket, []).append((place, event))
        for ticket, found in news.items():
            ticket.send(found)

    def _fail(self) -> None:
        """A step went wrong: all who wait hear it, and the next request gets a new engine."""
        print(f"minigpt: {visible(traceback.format_exc())}", file=sys.stderr)
        for ticket in {ticket for ticket, _ in self._tickets.values()}:
            ticket.send([Refused(500, "the engine failed; the server's owner can see why", code="mistake")])
        self._tickets.clear()
        self._engine = None

    def _look(self) -> dict[str, int]:
        """The engine's numbers, for other threads."""
        if self._engine is None:
            return {"pending": 0, "running": 0}
        return {**self._engine.statistics, "pending": self._engine.pending, "running": self._engine.running}
