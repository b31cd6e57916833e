"""What tests of pages share: Chromium, and axe-core's word on what somebody could not use."""

import json
import os
import shutil
from contextlib import contextmanager

from conftest import optional, require

from lessons.site.fetch import fetch_npm

AXE = (
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
)


@contextmanager
def chromium_of_this_machine():
    """A headless Chromium; skips where there is none."""
    optional("playwright")
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    require(program is not None, "Chromium is not installed (apt install chromium)")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


def check_accessible(tab):
    """AssertionError names what of the page in `tab` breaks WCAG 2.1, levels A and AA."""
    tab.evaluate((fetch_npm(*AXE) / "axe.min.js").read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    bad = {one["id"]: [node["html"][:200] for node in one["nodes"][:3]] for one in found["violations"]}
    assert bad == {}, json.dumps(bad, indent=1)
