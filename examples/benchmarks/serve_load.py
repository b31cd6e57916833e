"""A server under load: ten thousand requests, good and bad, from many clients; then memory, speed and what is left.

Starts `minigpt serve` as a process of its own on a free port and asks it over sockets, with the standard library alone.
Half of the requests want a text; a tenth each a stream, a conversation, or the list of models; a tenth is broken, and a
tenth leaves before the answer. Every answer with a seed is compared with `minigpt.generate_text`, and the server's own
counts with ours.
Needs the server's library: pip install '.[serve]'
Run: python examples/benchmarks/serve_load.py [--requests 10000] [--clients 50] [--model MODEL]
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import minigpt

PROMPTS = ["the cat", "a hat and", "on the mat; ", ""]
KINDS = ["whole"] * 5 + ["stream", "chat", "models", "broken", "leaves"]
TOKENS = 12


def small_model(folder: Path) -> Path:
    """Write a model with a chat template."""
    text = "the cat and the hat sat on the mat; a dog ran round the old house and barked at them all day. " * 9
    tokenizer = minigpt.BytePairTokenizer.train([text], 280, special_tokens=["<|im_start|>", "<|im_end|>"])
    sizes = {"width": 64, "heads": 4, "layers": 2, "context": 256}
    model = minigpt.Transformer(minigpt.preset("gpt2", vocabulary_size=280, **sizes))
    params = model.init(np.random.default_rng(0))
    params.flat += 0.1 * np.random.default_rng(1).standard_normal(params.flat.shape, np.float32)
    minigpt.save_pretrained(folder, model, params, "gpt2", "GPT2LMHeadModel", tokenizer=tokenizer)
    return folder


def resident(process: subprocess.Popen) -> float:
    """Megabytes of memory; NaN where the system does not say."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Load:
    """Many clients of one server."""

    def __init__(self, port: int, model: str):
        self.port, self.model = port, model
        self.answers: dict[tuple[str, int], str] = {}

    def ask(self, number: int) -> tuple[str, int]:
        """One request. Returns its kind and the status of the answer."""
        draw = random.Random(number)
        kind, prompt, seed = draw.choice(KINDS), draw.choice(PROMPTS), draw.randrange(100)
        route, body = "/v1/completions", {"model": self.model, "prompt": prompt, "seed": seed, "max_tokens": TOKENS}
        if kind == "chat":
            del body["prompt"]
            route, body["messages"] = "/v1/chat/completions", [{"role": "user", "content": prompt or "hi"}]
        data = json.dumps({**body, "stream": kind == "stream"}).encode()
        if kind == "broken":
            data = data[: draw.randrange(1, len(data))]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            if kind == "models":
                connection.request("GET", "/v1/models")
            else:
                connection.request("POST", route, data, {"Content-Type": "application/json"})
            if kind == "leaves":
                return kind, 0
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if kind in ("whole", "stream") and response.status == 200:
            self.compare(prompt, seed, self.text_of(text, kind))
        return kind, response.status

    @staticmethod
    def text_of(data: bytes, kind: str) -> str:
        """What was written."""
        if kind == "whole":
            return json.loads(data)["choices"][0]["text"]
        parts = [part.removeprefix("data: ") for part in data.decode().split("\n\n")]
        assert parts[-2] == "[DONE]"
        return "".join(json.loads(part)["choices"][0]["text"] for part in parts[:-2])

    def compare(self, prompt: str, seed: int, text: str) -> None:
        """All answers to one prompt and seed are one text."""
        if self.answers.setdefault((prompt, seed), text) != text:
            raise SystemExit(f"two answers for {prompt!r} and seed {seed}: {text!r}")

    def metrics(self) -> dict[str, float]:
        """The server's own numbers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def offline_differences(load: Load, path: str) -> int:
    """How many of the answers are not what is written offline."""
    opened = minigpt.open_model(path)
    wrong = 0
    for (prompt, seed), text in load.answers.items():
        rng = np.random.default_rng(seed)
        pieces = minigpt.generate_text(opened.model, opened.params, opened.tokenizer, prompt, TOKENS, rng=rng)
        wrong += "".join(pieces) != text
    return wrong


def measure(process: subprocess.Popen, load: Load, requests: int, clients: int) -> None:
    """Ask, in ten parts, and print a line after each."""
    counts: Counter[tuple[str, int]] = Counter()
    with ThreadPoolExecutor(clients) as pool:
        for part in range(10):
            start = time.perf_counter()
            numbers = range(part * requests // 10, (part + 1) * requests // 10)
            counts.update(pool.map(load.ask, numbers))
            seconds = time.perf_counter() - start
            print(f"{numbers.stop:7,} requests   {len(numbers) / seconds:6.1f} a second   {resident(process):7.1f} MB")
    for (kind, status), count in sorted(counts.items()):
        print(f"  {kind:7} {status or 'left':>5} {count:7,}")
    for _ in range(300):
        now = load.metrics()
        left = {name: now[f"minigpt_{name}"] for name in ("queued", "running", "pages_used")}
        if not any(left.values()):
            break
        time.sleep(0.1)
    print("left over:", ", ".join(f"{name} {value:g}" for name, value in left.items()))
    asked = sum(value for name, value in now.items() if name.startswith("minigpt_requests_total") and "/v1/" in name)
    print(f"requests that the server counted: {asked:,.0f} of {requests:,}")


def main() -> None:
    """Start the server, ask it, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--model", help="one that chats (default: a small one, made for this)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.model or str(small_model(Path(folder) / "small"))
        command = [sys.executable, "-m", "minigpt", "serve", path, "--port", "0", "--name", "served"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            load = Load(port, "served")
            measure(process, load, arguments.requests, arguments.clients)
            process.terminate()
            print("exit code", process.wait(60))
            print(f"answers unlike the offline ones: {offline_differences(load, path)} of {len(load.answers)}")
        finally:
            process.kill()


if __name__ == "__main__":
    main()
