"""The server as an ASGI application: which request goes where, what is counted, and how it ends."""

import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from minigpt.errors import UserError, visible
from minigpt.infer import Engine
from minigpt.serve import chat, completions
from minigpt.serve.answer import Answer
from minigpt.serve.embeddings import answer, read_inputs, vector
from minigpt.serve.exchange import GONE, Exchange, Gone
from minigpt.serve.fields import parse
from minigpt.serve.gate import Gate
from minigpt.serve.job import Form
from minigpt.serve.metrics import OTHER, Metrics
from minigpt.serve.page import page
from minigpt.serve.refused import Refused, busy, closing, unfit
from minigpt.serve.served import CHAT, COMPLETIONS, EMBEDDINGS, Served
from minigpt.serve.worker import Worker
from minigpt.values import shown

MODELS, MODEL = "/v1/models", "/v1/models/"
POSTED = (COMPLETIONS, CHAT, EMBEDDINGS)
ALLOWED = {"Access-Control-Allow-Methods": "GET, POST", "Access-Control-Allow-Headers": "authorization, content-type"}
ENGINE = {  # of `Engine.statistics`, for /metrics
    "prompt_computed": "tokens of prompts that were computed",
    "prompt_reused": "tokens of prompts that were found in the cache",
    "steps": "forwards of the model",
    "preempted": "answers that made room for others and were computed again",
    "pages": "pages of keys and values",
    "pages_used": "pages that answers use",
    "pages_kept": "pages that are kept for later prompts",
}


class App:
    """Answers requests in OpenAI's form with a served model.

    Parameters
    ----------
    served : Served
        The model.
    gate : Gate
        Who may ask.
    memory : int, optional
        Bytes for keys and values; see `minigpt.infer.Engine`.
    cache_bits : int, optional
        8: keep them in 8 bits.

    Raises
    ------
    UserError
        For memory or bits that would have no effect, since the model keeps no keys and values.
    """

    def __init__(self, served: Served, gate: Gate, *, memory: int | None = None, cache_bits: int | None = None):
        for name, value in (("cache-memory", memory), ("cache-bits", cache_bits)):
            if served.encodes and value is not None:
                raise UserError(
                    f"{served.name} makes vectors of texts and keeps no keys and values, so --{name} has no effect; "
                    "leave it out"
                )
        self.served, self.gate, self.limits = served, gate, served.limits
        self.metrics, self.created = Metrics(), int(time.time())
        self.draining = False  # no new requests
        self.tasks: set[asyncio.Task[None]] = set()  # that answer
        self.places = 0  # answers that wait or are written

        def make() -> Engine:
            return Engine(served.model, served.params, slots=self.limits.running, memory=memory, cache_bits=cache_bits)

        self.worker = Worker(None if served.encodes else make)
        if self.worker.longest is not None:
            served.bound(self.worker.longest)
        post: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            COMPLETIONS: lambda exchange: self._write(exchange, completions.FORM),
            CHAT: lambda exchange: self._write(exchange, chat.FORM),
            EMBEDDINGS: self._embed,
        }
        get = {"/": self._page, "/health": self._health, "/metrics": self._metrics, MODELS: self._models}
        self._routes = {path: {"POST": handler} for path, handler in post.items()}
        self._routes |= {
            path: {"GET": handler, "HEAD": handler} for path, handler in {**get, MODEL: self._model}.items()
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request; the entrance of ASGI."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not spoken here")
        began, exchange = time.perf_counter(), Exchange(scope, receive, send, self.limits)
        route = self._route(exchange.path)
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._answer(exchange, route)
        except Refused as refused:
            await exchange.refuse(refused)
        except UserError as error:
            await exchange.refuse(unfit(str(error)))
        except Gone:
            exchange.status = exchange.status or GONE
        except asyncio.CancelledError:  # by `end`, once
            await exchange.refuse(closing())
        except Exception:  # a fault of the server; the words of a client that stand in it cannot steer a terminal
            print(f"minigpt: {visible(traceback.format_exc())}", file=sys.stderr)
            await exchange.refuse(Refused(500, "the server made a mistake; its owner can see which", code="mistake"))
        finally:
            self.tasks.discard(task)
            self.metrics.count(route, exchange.method, exchange.status or GONE, time.perf_counter() - began)

    def _route(self, path: str) -> str:
        """Which of the known routes a path is."""
        if path.startswith(MODEL) and len(path) > len(MODEL):
            return MODEL
        return path if path in self._routes and path != MODEL else OTHER

    def _answered(self) -> list[str]:
        """The routes that this model answers."""
        names = {MODEL: f"{MODEL}{self.served.name}"}
        return [names.get(path, path) for path in self._routes if path not in POSTED or path in self.served.routes]

    async def _answer(self, exchange: Exchange, route: str) -> None:
        if self.draining:
            raise closing()
        self.gate.check(exchange)
        if route == OTHER:
            raise Refused(404, f"there is no {shown(exchange.path)}; the routes are {', '.join(self._answered())}")
        handlers = self._routes[route]
        if exchange.method == "OPTIONS":
            await exchange.reply_bytes(204, b"", "text/plain", ALLOWED)
        elif exchange.method not in handlers:
            methods = ", ".join(handlers)
            raise Refused(405, f"{route} takes {methods}, not {shown(exchange.method)}", headers={"Allow": methods})
        else:
            await handlers[exchange.method](exchange)

    async def _write(self, exchange: Exchange, form: Form) -> None:
        """Completions and chat."""
        came = time.perf_counter()
        body = await self._read(exchange, form.route)
        job = form.read(body)
        with self._place(job.count):
            requests, beginnings = await asyncio.to_thread(form.requests, job, self.served)
            self.metrics.tokens_in += sum(len(request.prompt) for request in requests)
            writer = Answer(form, job, self.served, beginnings, self.metrics, came)
            send = writer.stream if job.stream else writer.whole
            await self._bounded(exchange, send(exchange, self.worker, requests))

    async def _embed(self, exchange: Exchange) -> None:
        texts, form = read_inputs(await self._read(exchange, EMBEDDINGS), self.served)
        if len(texts) > self.limits.inputs:
            most = self.limits.inputs
            raise unfit(f"this asks for {len(texts)} vectors, but one request may have {most}; send several", "input")
        with self._place(1):
            await self._bounded(exchange, self._send_vectors(exchange, texts, form))

    async def _send_vectors(self, exchange: Exchange, texts: list[Any], form: str) -> None:
        ids = [await asyncio.to_thread(self.served.tokens, text, "input") for text in texts]
        found = [await self.worker.call(vector, self.served, row) for row in ids]
        rows, counts = [row for row, _ in found], [count for _, count in found]
        self.metrics.tokens_in += sum(counts)
        await exchange.reply(200, answer(rows, counts, form, self.served.name))

    async def _read(self, exchange: Exchange, route: str) -> dict[str, Any]:
        """The body of a question that this model can answer."""
        exchange.check_json()
        body = parse(await exchange.body())
        name = body.get("model")
        if isinstance(name, str) and name != self.served.name:
            raise self._unknown(name)
        self.served.check_route(route)
        return body

    def _unknown(self, name: str) -> Refused:
        message = f"there is no model {shown(name)} here; this server has {self.served.name}"
        return Refused(404, message, param="model", code="model_not_found")

    @contextmanager
    def _place(self, count: int) -> Iterator[None]:
        """Room for so many answers among those that wait and are written. `Refused` if there is none."""
        if count > self.limits.choices:
            raise unfit(
                f"this asks for {count} answers, but one request may have {self.limits.choices}; send several", "n"
            )
        if self.places + count > self.limits.running + self.limits.queue:
            raise busy(f"{self.places} answers wait or are written already; ask again in a while")
        self.places += count
        try:
            yield
        finally:
            self.places -= count

    async def _bounded(self, exchange: Exchange, work: Any) -> None:
        """Do the work while the client stays, and no longer than the limit."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(exchange.gone())
        try:
            done, _ = await asyncio.wait((task, gone), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                return task.result()
            if gone in done:
                raise Gone
            raise Refused(503, f"the answer took more than {self.limits.seconds:g} s; ask for less", code="timeout")
        finally:
            for one in (task, gone):
                one.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)

    def end(self) -> None:
        """End what is still being answered."""
        for task in list(self.tasks):
            task.cancel()

    async def _page(self, exchange: Exchange) -> None:
        body, policy = page()
        await exchange.reply_bytes(200, body, "text/html; charset=utf-8", {"Content-Security-Policy": policy})

    async def _health(self, exchange: Exchange) -> None:
        alive = self.worker.alive
        await exchange.reply(200 if alive else 503, {"status": "ok" if alive else "the engine has stopped"})

    async def _metrics(self, exchange: Exchange) -> None:
        now = self.worker.statistics
        gauges = {
            "queued": ("answers that wait for their turn", max(0, self.places - now["running"])),
            "running": ("answers that are being written", now["running"]),
            **{name: (help, now[name]) for name, help in ENGINE.items() if name in now},
        }
        text = self.metrics.text(gauges)
        await exchange.reply_bytes(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _models(self, exchange: Exchange) -> None:
        await exchange.reply(200, {"object": "list", "data": [self.served.described(self.created)]})

    async def _model(self, exchange: Exchange) -> None:
        name = exchange.path.removeprefix(MODEL)
        if name != self.served.name:
            raise self._unknown(name)
        await exchange.reply(200, self.served.described(self.created))
