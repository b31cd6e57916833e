"""The site in headless Chromium: seconds until the first figure, memory, and speed against this machine's own Python.

Builds the site with everything in it, offers it on a free port, and opens a lesson: at first with an empty browser,
then again in the same one, once what a first visit leaves behind is there. Every turn begins with an empty browser.
Needs Chromium, and: pip install '.[site,browser]'
Run: python examples/benchmarks/site_visit.py [--site FOLDER] [--turns 3]
"""

import argparse
import functools
import http.server
import os
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from lessons.site.__main__ import build

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);\nplt.show()"
SPEED = """
import time
import numpy as np
from minigpt import Transformer, loss_and_gradient, preset
from minigpt.objectives import causal_lm

def least(work):
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)

rng = np.random.default_rng(0)
model = Transformer(preset("tiny", vocabulary_size=96, context=64, width=64, layers=2, heads=4))
params = model.init(rng)
batch = causal_lm(rng.integers(0, 96, (8, 65)))
square = rng.standard_normal((256, 256), np.float32)
found = [least(lambda: loss_and_gradient(model, params, batch)), least(lambda: square @ square)]
print(*found)
"""
ASK = """async (source) => {
  const told = [];
  await interpreter.ask("cell", { page: "speed", cell: "speed", source, quick: true }, (one) => told.push(one.text));
  return told.join("");
}"""
KEPT = "async () => Boolean(await caches.match(new URL('_image', location.href)))"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a line for each."""

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


def first_figure(tab: Page, address: str) -> float:
    """Seconds from the address to the figure of the page's first cell."""
    began = time.perf_counter()
    tab.goto(f"{address}/02_self_attention.html")
    code = tab.locator("div.cell[id] .cell_input pre").first
    tab.wait_for_selector(".run-bar")
    code.evaluate("(place, text) => (place.textContent = text)", FIGURE)
    tab.locator("div.cell[id] button", has_text="run").first.click()
    tab.wait_for_selector(".cell-live img")
    return time.perf_counter() - began


def main() -> None:
    """Print all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, help="one that is built, with --self-contained")
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = arguments.site or Path(folder, "site")
        if not arguments.site:
            build(site, self_contained=True)
        server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(Quiet, directory=site))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        measure(f"http://localhost:{server.server_port}", arguments.turns)
        server.shutdown()


def measure(address: str, turns: int) -> None:
    """Visits, then speed and memory in the last."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    visits = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        for _ in range(turns):
            tab = browser.new_context().new_page()
            cold = first_figure(tab, address)
            while not tab.evaluate(KEPT):
                time.sleep(0.1)
            visits.append((cold, first_figure(tab, address), first_figure(tab, address)))
            print("first figure, s: {:.1f} at first, {:.1f} and {:.1f} on return".format(*visits[-1]), flush=True)
        print("medians, s:", *(f"{statistics.median(column):.1f}" for column in zip(*visits, strict=True)))
        here: dict[str, list[float]] = {}
        exec(SPEED.replace("print(*found)", ""), here)
        there = [float(word) for word in tab.evaluate(ASK, SPEED).split()]
        for name, a, b in zip(("training step, width 64", "product, 256 wide"), here["found"], there, strict=True):
            print(f"{name}: {1000 * a:.2f} ms here, {1000 * b:.2f} ms in the page, {b / a:.0f} times")
        bytes_ = tab.evaluate("async () => (await performance.measureUserAgentSpecificMemory()).bytes")
        print(f"memory of the page with its interpreter: {bytes_ / 1e6:.0f} MB")
        browser.close()


if __name__ == "__main__":
    main()
