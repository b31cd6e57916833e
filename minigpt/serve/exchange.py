"""One request of a client and its answer, over ASGI: bounded reading, whole answers and streams.

ASGI (https://asgi.readthedocs.io, HTTP and WebSocket message format 2.3) is how Python's servers call an application:
`scope` is the head of the request, `receive` gives the body or says that the client has left, `send` takes the answer.
"""

import asyncio
import json
from typing import Any

from minigpt.serve.limits import Limits
from minigpt.serve.refused import Refused, unfit

DRAINED = 16 << 20  # bytes beyond the limit that are read and dropped, so that the client comes to hear the refusal
MOST_DIGITS = 20  # of a Content-Length: more than any length has
GONE = 499  # nginx's number for a client who left before the answer, in the metrics alone
JSON = "application/json"
SAFE = {  # of every answer: no browser may guess its type, frame it, keep it or say where it came from
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


class Gone(Exception):
    """The client has left."""


class Exchange:
    """A request, and what is sent for it.

    `status` is what was answered, None before that; `headers` go with every answer.
    """

    def __init__(self, scope: Any, receive: Any, send: Any, limits: Limits):
        self.method: str = scope["method"]
        self.path = path_of(scope["path"])
        self.asked: dict[str, str] = {}  # the first value of each header of the request
        for name, value in scope["headers"]:
            self.asked.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        self.headers = dict(SAFE)
        self.status: int | None = None
        self._receive, self._send, self._limits = receive, send, limits
        self._ended = False

    async def body(self) -> bytes:
        """All of it. `Refused` if it is too long or comes too slowly; `Gone`."""
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                return await self._read()
        except TimeoutError:
            self.headers["Connection"] = "close"
            seconds = self._limits.read_seconds
            raise Refused(408, f"the body did not come within {seconds:g} s; send it faster", code="timeout") from None

    async def _read(self) -> bytes:
        parts, size, most = [], 0, self._limits.body_bytes
        promised = self.asked.get("content-length", "")
        if promised.isdecimal() and len(promised) < MOST_DIGITS and int(promised) > most + DRAINED:
            raise self._too_large()  # a client that promises so much need not send it to hear so
        more = True
        while more and size <= most + DRAINED:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size <= most:
                parts.append(part)
        if size > most:
            raise self._too_large()
        return b"".join(parts)

    def _too_large(self) -> Refused:
        self.headers["Connection"] = "close"
        most = self._limits.body_bytes
        return Refused(413, f"the body has more than {most:,} bytes; send less", code="body_too_large")

    async def gone(self) -> None:
        """Returns when the client leaves; for after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            continue

    def check_json(self) -> None:
        """`Refused` unless the body is said to be JSON: no page of a foreign site may send that unasked."""
        kind = self.asked.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON:
            raise unfit(
                f"the Content-Type must be {JSON}; say so in the head of the request", code="wrong_content_type"
            )

    async def reply(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        """A whole answer in JSON."""
        await self.reply_bytes(status, json.dumps(value, allow_nan=False).encode(), JSON, headers)

    async def reply_bytes(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        """A whole answer of any kind."""
        length = {"Content-Type": kind, "Content-Length": str(len(body))}
        await self._begin(status, {**length, **(headers or {})})
        await self._give(body, more=False)

    async def refuse(self, refused: Refused) -> None:
        """Say why there is no answer, also where one has begun: then as its last event."""
        if self.status is None:
            await self.reply(refused.status, refused.body(), refused.headers)
        elif not self._ended:
            await self.event(refused.body())
            await self._give(b"", more=False)

    async def begin_events(self) -> None:
        """Begin an answer in server-sent events (HTML standard, section 9.2)."""
        await self._begin(200, {"Content-Type": "text/event-stream; charset=utf-8"})

    async def event(self, value: Any) -> None:
        """One event; waits while the client does not read."""
        await self._give(b"data: " + json.dumps(value, allow_nan=False).encode() + b"\n\n", more=True)

    async def end_events(self) -> None:
        """The last event, as OpenAI's clients know it."""
        await self._give(b"data: [DONE]\n\n", more=False)

    async def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        pairs = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in {**self.headers, **headers}.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _give(self, body: bytes, *, more: bool) -> None:
        self._ended = not more
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def path_of(target: str) -> str:
    """The path of a request, also where the whole address stands for it (RFC 9112, section 3.2.2)."""
    scheme, _, rest = target.partition("://")
    return "/" + rest.partition("/")[2].partition("?")[0] if scheme.lower() in ("http", "https") else target
