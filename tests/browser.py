"""What tests of pages share: Chromium, and axe-core's word on what somebody could not use."""

import functools
import http.server
import json
import os
import shutil
import threading
from contextlib import contextmanager

from conftest import optional, require

from lessons.site.fetch import fetch_npm

AXE = (
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)


@contextmanager
def chromium_of_this_machine(*options):
    """A headless Chromium; skips where there is none."""
    optional("playwright")
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require(program is not None, "Chromium is not installed (apt install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=[*options, *["--no-sandbox"] * (os.geteuid() == 0)]
        )
        yield browser
        browser.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that tells nobody what it was asked."""

    def log_message(self, *_arguments):
        pass


@contextmanager
def served(folder, handler=Quiet):
    """The address at which the files of a folder are offered."""
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def ran(tab, number=0):
    """How the cell ended, once it has: well or badly."""
    cell = tab.locator("div.cell[id]").nth(number)
    tab.wait_for_function("n => document.querySelectorAll('div.cell[id]')[n].dataset.ran", arg=number)
    return cell.get_attribute("data-ran")


def write(tab, number, source):
    """Have a cell run something else, whose end `ran` awaits."""
    cell = tab.locator("div.cell[id]").nth(number)
    cell.locator(".cell_input pre").evaluate("(place, text) => (place.textContent = text)", source)
    cell.evaluate("place => delete place.dataset.ran")
    cell.get_by_role("button", name="run", exact=True).click()
    return cell


def open_playground(tab, address):
    """Its buttons do something once its script has come, which may be after the page; `checked` is its last."""
    tab.goto(f"{address}/playground.html")
    tab.wait_for_selector("#play-checked ~ .run-status", state="attached")


def written_by(tab, number, text):
    """Wait until the running cell has printed this."""
    has = "([n, text]) => document.querySelectorAll('.cell-live')[n].textContent.includes(text)"
    tab.wait_for_function(has, arg=[number, text])


def check_accessible(tab):
    """AssertionError names what of the page in `tab` breaks WCAG 2.1, levels A and AA."""
    tab.evaluate((fetch_npm(*AXE) / "axe.min.js").read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    bad = {one["id"]: [node["html"][:200] for node in one["nodes"][:3]] for one in found["violations"]}
    assert bad == {}, json.dumps(bad, indent=1)
