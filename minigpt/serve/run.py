"""The application behind a socket: uvicorn, with bounds on connections and heads, and an end in good order.

uvicorn alone, because it is the smallest that is well kept: three packages in pure Python (itself, h11, click), and an
application of nine routes needs no framework on top. What speaks HTTP is theirs; all that decides is here.
"""

import asyncio
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from minigpt.errors import UserError
from minigpt.serve.app import App
from minigpt.serve.exchange import Exchange
from minigpt.serve.limits import Limits
from minigpt.serve.refused import Refused

END = 2.0  # seconds for answers to say that they were ended
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    SIGNALS.append(signal.SIGBREAK)  # Ctrl+Break


def check_installed() -> None:
    """`UserError` where the server library is missing."""
    try:
        import uvicorn  # noqa: F401
    except ImportError:
        raise UserError("serving needs a server library; install it with pip install 'minigpt[serve]'") from None


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 takes a free one. `UserError` for an address that cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"--host {host!r} is no address of this machine ({error}); try 127.0.0.1") from None
    try:
        if sys.platform == "win32":  # elsewhere REUSEADDR lets a server begin again at once; there it would share
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise UserError(
            f"{host} port {port} cannot be served ({error.strerror or error}); choose another --port or --host"
        ) from None
    listener.setblocking(False)
    return listener


def run(app: App, listener: socket.socket, *, grace: float, ready: Callable[[], None]) -> None:
    """Serve until a signal comes, then let what runs finish for up to `grace` seconds; a second signal ends at once.

    ready: called once requests are answered. Leaves in good order.
    """
    app.worker.start()
    try:
        asyncio.run(server_of(app, grace=grace, ready=ready).serve(sockets=[listener]))
    finally:
        app.worker.stop(END)
        listener.close()


def server_of(app: App, *, grace: float, ready: Callable[[], None]) -> Any:
    """uvicorn's server of the application, with our bounds and signals; see `run`."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_protocol(app.limits),
        loop="asyncio",
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(app.limits.read_seconds)),
        timeout_graceful_shutdown=round(END),
    )
    return _server(config, app, grace, ready)


def _server(config: Any, app: App, grace: float, ready: Callable[[], None]) -> Any:
    """uvicorn's server, with other signals."""
    import uvicorn

    class Server(uvicorn.Server):
        """Ends when the last answer is out, when the grace is over, or at the second signal."""

        signals, deadline = 0, 0.0

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():  # which alone hears signals
                yield
                return
            before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        def handle_exit(self, sig: int, frame: Any) -> None:
            self.signals += 1

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            ready()

        async def on_tick(self, counter: int) -> bool:
            if self.signals:
                self.deadline = self.deadline or time.monotonic() + grace
                app.draining = True
                if not app.tasks or self.signals > 1 or time.monotonic() > self.deadline:
                    app.end()
                    self.should_exit, self.force_exit = True, self.signals > 1
            return await super().on_tick(counter)

    return Server(config)


def _protocol(limits: Limits) -> type:
    """uvicorn's HTTP, with bounds on open connections and on the time for a head."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        """One connection."""

        clock: asyncio.TimerHandle | None = None  # until the head of a request is there
        stall: asyncio.TimerHandle | None = None  # until the client reads on

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > 2 * limits.connections:
                transport.abort()
            elif len(self.connections) > limits.connections:
                self.app = _too_many
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            _stop(self.clock)
            _stop(self.stall)
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self.stall = self.loop.call_later(limits.stall_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            _stop(self.stall)

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is None or self.cycle.response_complete:
                self._watch()
            else:
                _stop(self.clock)
                self.clock = None

        def _watch(self) -> None:
            """From now on the head of a request may take so long, however slowly its bytes trickle in."""
            if self.clock is None:
                self.clock = self.loop.call_later(limits.read_seconds, self.transport.abort)

    return Protocol


def _stop(clock: asyncio.TimerHandle | None) -> None:
    """Stop the clock, if there is one."""
    if clock is not None:
        clock.cancel()


async def _too_many(scope: Any, receive: Any, send: Any) -> None:
    """The application of a connection too many."""
    exchange = Exchange(scope, receive, send, Limits())
    exchange.headers["Connection"] = "close"
    await exchange.refuse(
        Refused(503, "too many connections are open; ask again in a while", code="busy", headers={"Retry-After": "1"})
    )
