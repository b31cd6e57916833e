"""From tokens to answers: whole, or as a stream of parts."""

import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from minigpt.infer import Request
from minigpt.serve.exchange import Exchange
from minigpt.serve.job import Form, Job
from minigpt.serve.metrics import Metrics
from minigpt.serve.served import Served
from minigpt.serve.worker import Ticket, Worker
from minigpt.serve.writing import Piece, Told, Writing


class Answer:
    """All that is written for one request of a client."""

    def __init__(self, form: Form, job: Job, served: Served, beginnings: list[str], metrics: Metrics, came: float):
        """beginnings: what stands before what is written, for each prompt. came: when the request did."""
        self.form, self.job, self.metrics, self.limits = form, job, metrics, served.limits
        self._beginnings = [beginning for beginning in beginnings for _ in range(job.choices)]
        stop_tokens = served.stop_tokens[form.route]
        self._writings = [Writing(served.tokenizer, job.stop, stop_tokens) for _ in self._beginnings]
        self._last = [came] * job.count  # when the last token of each was written
        self._head = {"id": form.prefix + secrets.token_hex(12), "created": int(time.time()), "model": served.name}

    async def whole(self, exchange: Exchange, worker: Worker, requests: list[Request]) -> None:
        """Send all of it at once."""
        texts: list[list[str]] = [[] for _ in self._writings]
        told: list[list[Told]] = [[] for _ in self._writings]
        async with aclosing(self._pieces(worker, requests, buffered=0)) as pieces:  # no client's reading holds it up
            async for index, piece in pieces:
                texts[index].append(piece.text)
                told[index] += piece.told
        choices = [
            self.form.choice(
                index, beginning, Piece("".join(texts[index]), told[index]), writing.finish_reason, self.job
            )
            for index, (beginning, writing) in enumerate(zip(self._beginnings, self._writings, strict=True))
        ]
        head = {**self._head, "object": self.form.whole}
        await exchange.reply(200, {**head, "choices": choices, "usage": self._usage(requests)})

    async def stream(self, exchange: Exchange, worker: Worker, requests: list[Request]) -> None:
        """Send every part as it is written, as server-sent events."""
        head: dict[str, Any] = {**self._head, "object": self.form.part}
        head |= {"usage": None} if self.job.include_usage else {}
        await exchange.begin_events()
        for index, beginning in enumerate(self._beginnings):
            if (opening := self.form.opening(index, beginning)) is not None:
                await exchange.event({**head, "choices": [opening]})
        async with aclosing(self._pieces(worker, requests, buffered=self.limits.buffered)) as pieces:
            async for index, piece in pieces:
                reason = self._writings[index].finish_reason
                if piece.text or piece.told or reason:
                    part = self.form.chunk(index, self._beginnings[index], piece, reason, self.job)
                    await exchange.event({**head, "choices": [part]})
        if self.job.include_usage:
            await exchange.event({**head, "choices": [], "usage": self._usage(requests)})
        await exchange.end_events()

    async def _pieces(
        self, worker: Worker, requests: list[Request], *, buffered: int
    ) -> AsyncGenerator[tuple[int, Piece], None]:
        """What each choice goes on with, until all have ended. However this is left, the engine stops writing.

        buffered: as of `Ticket`.
        """
        ticket = Ticket(buffered, worker.cancel)
        worker.submit(ticket, requests)
        left = len(self._writings)
        try:
            while left:
                place, event = await ticket.next()
                index = place * self.job.choices + event.sample
                writing = self._writings[index]
                if writing.finish_reason is not None:  # written before the engine heard that a stop string ended it
                    continue
                self._count(index)
                piece = writing.add(event)
                if writing.finish_reason is not None:
                    left -= 1
                    worker.end(ticket, place, event.sample)
                yield index, piece
        finally:
            worker.cancel(ticket)

    def _count(self, index: int) -> None:
        now = time.perf_counter()
        first = self._writings[index].tokens == 0
        (self.metrics.first_token if first else self.metrics.each_token).observe(now - self._last[index])
        self._last[index] = now
        self.metrics.tokens_out += 1

    def _usage(self, requests: list[Request]) -> dict[str, int]:
        read, written = sum(len(request.prompt) for request in requests), sum(one.tokens for one in self._writings)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
