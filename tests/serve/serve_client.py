"""A small model behind the server's application, and a client that needs no socket."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np

from minigpt import BytePairTokenizer, CharacterTokenizer, OpenedModel, Transformer, TransformerConfig, generate_text
from minigpt.infer import Engine, Sampling
from minigpt.serve import App, Gate, Limits, Served

TEXT = "the cat and the hat sat on the mat; ein Käfer läuft über die Straße, und 猫 geht auch. " * 4
MARKS = ["<|im_start|>", "<|im_end|>"]
SIZES = {"width": 24, "layers": 2, "heads": 4, "feed_forward_width": 20}


def small_decoder(context=96) -> OpenedModel:
    """A decoder with a chat template, whose parameters are all random; float64, so that rounding decides nothing."""
    tokenizer = BytePairTokenizer.train([TEXT], 300, special_tokens=MARKS)
    model = Transformer(TransformerConfig(vocabulary_size=300, context=context, position="rotary", **SIZES))
    params = model.init(np.random.default_rng(3), dtype=np.float64)
    params.flat += 0.3 * np.random.default_rng(4).standard_normal(params.flat.shape)
    return OpenedModel(model, params, tokenizer, "models/tiny")


def small_encoder() -> OpenedModel:
    """An encoder of letters."""
    tokenizer = CharacterTokenizer("abc ")
    model = Transformer(TransformerConfig(vocabulary_size=5, context=12, architecture="encoder", **SIZES))
    return OpenedModel(model, model.init(np.random.default_rng(5)), tokenizer, "letters")


def offline(opened, prompt, count, *, seed=0, stop=(), **sampling) -> str:
    """What `minigpt generate` writes."""
    rng = np.random.default_rng(seed)
    pieces = generate_text(
        opened.model, opened.params, opened.tokenizer, prompt, count, sampling=Sampling(**sampling), rng=rng, stop=stop
    )
    return "".join(pieces)


def app_of(opened, *, gate=None, memory=None, **limits) -> App:
    """The application, ready to be entered by `running`."""
    return App(Served(opened, Limits(**limits)), gate or Gate(), memory=memory)


def hold(monkeypatch) -> threading.Event:
    """An event before which the engine makes four steps and no more, however late the machine runs a test."""
    step, calls, event = Engine.step, [], threading.Event()

    def held(self):
        calls.append(self)
        assert len(calls) <= 4 or event.wait(120), "the test did not let the engine go on"
        return step(self)

    monkeypatch.setattr(Engine, "step", held)
    return event


@asynccontextmanager
async def running(app: App) -> AsyncIterator["Client"]:
    """A client of the application. When it ends nothing may be left of any request."""
    app.worker.start()
    try:
        async with asyncio.timeout(300):  # what waits for something that does not come fails
            yield Client(app)
            await settled(app)
    finally:
        app.worker.stop(10)


async def settled(app: App) -> None:
    """Wait until nobody is answered any more; fails if something of a request is left."""
    for _ in range(6000):
        now = app.worker.statistics
        if not (app.tasks or app.worker.waiting or now["pending"] or now["running"] or now.get("pages_used")):
            break
        await asyncio.sleep(0.01)
    assert (app.places, len(app.tasks), app.worker.waiting) == (0, 0, 0)
    assert (now["pending"], now["running"], now.get("pages_used", 0)) == (0, 0, 0)


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error, whose form is checked."""
        error = self.json["error"]
        assert set(error) == {"message", "type", "param", "code"} and error["message"]
        return error

    @property
    def events(self) -> list:
        """The values of a stream that was ended in its form."""
        parts = self.body.decode().split("\n\n")
        assert parts[-2:] == ["data: [DONE]", ""]
        return [json.loads(part.removeprefix("data: ")) for part in parts[:-2]]


class Client:
    """Speaks ASGI. submitted: how often the engine was given something to write."""

    def __init__(self, app: App):
        self.app, self.submitted = app, 0
        submit = app.worker.submit

        def counted(*asked):
            self.submitted += 1
            submit(*asked)

        app.worker.submit = counted

    async def get(self, path, **headers) -> Reply:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path, **body) -> Reply:
        body = {"model": self.app.served.name, **body}
        return await self.ask("POST", path, json.dumps(body).encode())

    async def ask(self, method, path, body=b"", *, headers=None, leaves=None, reads=None, part=1 << 16) -> Reply:
        """leaves: an event at which the client goes; reads: called before every piece of the answer is taken."""
        parts = [body[start : start + part] for start in range(0, len(body), part)] or [b""]
        said = {"host": "127.0.0.1", **({"content-type": "application/json"} if body else {}), **(headers or {})}
        sent: list[dict] = []

        async def receive():
            if parts:
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if reads is not None:
                await reads()
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in said.items()],
        }
        await self.app(scope, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        head = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Reply(sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:]))
