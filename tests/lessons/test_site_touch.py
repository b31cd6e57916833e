"""The site under a finger, in two tabs, to a screen reader, and where network or storage fail."""

import re
from typing import ClassVar

import pytest
from browser import Quiet, chromium_of_this_machine, open_playground, ran, served, write
from conftest import thorough

pytestmark = thorough
LESSON = "02_self_attention.html"
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {configurable: true, get() { throw new Error('denied') }})"
FULL_STORAGE = "Storage.prototype.setItem = () => { throw new Error('full') }"


class Halving(Quiet):
    """Breaks off in the middle of what is in `halved`."""

    halved: ClassVar[set[str]] = set()

    def copyfile(self, source, outputfile):
        if self.path.rpartition("/")[2] in self.halved:
            data = source.read()
            outputfile.write(data[: len(data) // 2])
        else:
            super().copyfile(source, outputfile)


@pytest.fixture(scope="module")
def address(course_site):
    with served(course_site, Halving) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with chromium_of_this_machine("--host-resolver-rules=MAP course.school 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def open_page(chromium, address):
    """Opens pages, each in a browser of its own unless a context is given. None of their scripts may fail."""
    contexts, failed = [], []

    def open_(name=LESSON, context=None, before=lambda context: None, **options):
        if context is None:
            context = chromium.new_context(**options)
            contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(600_000)
        page.on("pageerror", lambda error: failed.append(str(error)))
        before(context)
        page.goto(name if name.startswith("http") else f"{address}/{name}")
        page.wait_for_selector(".run-button")
        return page

    yield open_
    Halving.halved.clear()
    for context in contexts:
        context.close()
    assert failed == []


@pytest.fixture
def open_phone(open_page):
    def open_(name=LESSON, width=360, height=740, **options):
        return open_page(name, viewport={"width": width, "height": height}, has_touch=True, is_mobile=True, **options)

    return open_


def menus_open(page):
    for name, menu in (("Contents of the course", "primary"), ("Contents of this page", "secondary")):
        page.get_by_role("button", name=name).tap()
        page.locator(f"#pst-{menu}-sidebar-modal[open]").wait_for()
        page.keyboard.press("Escape")
        page.locator(f"#pst-{menu}-sidebar-modal[open]").wait_for(state="detached")


def test_the_menus_open_under_a_finger_and_make_way_for_what_was_chosen(open_phone):
    page = open_phone()
    menus_open(page)
    page.get_by_role("button", name="Contents of this page").tap()
    page.locator("dialog[open] a[href='#verdict']").tap()
    page.locator("dialog[open]").wait_for(state="detached")
    page.evaluate("place = () => document.querySelector('#verdict').getBoundingClientRect().top")
    page.wait_for_function("0 <= place() && place() < 370", timeout=60_000)


@pytest.mark.parametrize(("width", "height"), [(320, 568), (740, 360)])
def test_nothing_is_too_wide_or_too_small_to_tap(open_phone, width, height):
    page = open_phone(width=width, height=height)
    for name in ("index.html", LESSON, "playground.html", "search.html?q=softmax"):
        page.goto(page.url.rpartition("/")[0] + "/" + name)
        if "search" in name:
            page.locator("#search-results li").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, label, select, textarea, .toctree-wrapper a")].filter(
            (one) => one.checkVisibility() && one.getBoundingClientRect().height < 24).map((one) => one.outerHTML)"""
        )
        assert small == [], name
        assert not page.locator("#pst-back-to-top").is_visible(), "it would lie over what is read"
        sizes = page.evaluate(
            """() => [...document.querySelectorAll("article textarea, .play input, .play select")].map(
            (one) => parseFloat(getComputedStyle(one).fontSize))"""
        )
        assert min(sizes, default=16) >= 16, "a phone enlarges the page for such a field"


def test_a_slash_can_be_written_into_a_cell(open_page):
    page = open_page()
    code = page.locator(".cell_input pre").first
    code.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("6 / 3")
    assert code.inner_text() == "6 / 3"
    page.keyboard.press("Shift+Enter")
    assert ran(page) == "well" and page.locator(".cell-live").first.text_content() == "2.0\n"


def test_what_runs_is_told_and_stopped_beside_it_and_runs_once(open_phone):
    page = open_phone()
    page.evaluate(
        """() => {
            window.told = [];
            const status = document.querySelectorAll("div.cell[id]")[5].querySelector(".run-status");
            new MutationObserver(() => told.push(status.textContent)).observe(status, {childList: true});
        }"""
    )
    cell = write(page, 5, "print('once')")
    page.wait_for_function("told.some((words) => words.includes('interpreter'))")  # also if it was soon over
    cell.get_by_role("button", name="run", exact=True).tap()  # whoever is impatient
    assert ran(page, 5) == "well"
    write(page, 6, "1")
    assert ran(page, 6) == "well" and cell.locator(".cell-live").text_content() == "once\n"
    stop = cell.get_by_role("button", name="stop")
    assert not stop.is_visible()
    write(page, 5, "while True: pass")
    stop.tap()
    assert ran(page, 5) == "badly" and not stop.is_visible()


def test_two_tabs_show_what_was_written_last(open_page):
    first = open_page()
    second = open_page(context=first.context)
    code, other = (page.locator(".cell_input pre").nth(1) for page in (first, second))
    was = code.inner_text()

    def differ(text):
        second.wait_for_function("text => document.querySelectorAll('.cell_input pre')[1].innerText === text", arg=text)

    code.press("Control+Home")
    first.keyboard.type("one\n")
    differ("one\n" + was)
    other.press("Control+Home")
    second.keyboard.type("two\n")
    first.wait_for_function("document.querySelectorAll('.cell_input pre')[1].innerText.startsWith('two\\none\\n')")
    first.locator("div.cell[id]").nth(1).get_by_role("button", name="reset").click()
    differ(was)
    first.locator(".exercise-editor").fill("mine")
    second.wait_for_function("document.querySelector('.exercise-editor').value === 'mine'")
    for page, value in ((first, 1), (second, 2)):
        write(page, 0, f"x = {value}")
    for page, value in ((first, 1), (second, 2)):
        assert ran(page, 0) == "well"
        write(page, 1, "x")
        assert ran(page, 1) == "well" and page.locator(".cell-live").nth(1).text_content() == f"{value}\n"


@pytest.mark.parametrize("storage", [NO_STORAGE, FULL_STORAGE])
def test_where_nothing_is_kept_the_page_works_and_says_so(open_phone, storage):
    page = open_phone(before=lambda context: context.add_init_script(storage))
    page.locator(".cell_input pre").first.press("a")
    assert "does not keep what you write" in page.locator("div.cell[id] .run-status").first.text_content()
    page.locator(".exercise-editor").press("a")
    assert "does not keep what you write" in page.locator("section.exercise .run-status").text_content()
    menus_open(page)


@pytest.mark.parametrize("part", ["worker.js", "pyodide.asm.wasm", "minigpt.zip", "numpy-", "half of pyodide.asm.wasm"])
def test_what_does_not_come_is_said_and_comes_with_the_next_try(open_page, part):
    _, _, name = part.rpartition("half of ")
    pattern = re.compile(f".*{re.escape(name)}.*")

    def cut(context):
        if "half of" in part:
            Halving.halved.add(name)
        else:
            context.route(pattern, lambda route: route.abort())

    page = open_page(before=cut, service_workers="block")
    cell = write(page, 0, "import numpy\nnumpy.arange(3).sum()")
    assert ran(page) == "badly"
    words = cell.locator(".out-error").text_content()
    assert words.startswith("the interpreter could not be fetched: ") and "undefined" not in words
    assert words.endswith("Look at the network, then try again.")
    assert cell.locator(".run-status").text_content() == "not finished"
    Halving.halved.clear()
    page.context.unroute(pattern)
    write(page, 0, "import numpy\nint(numpy.arange(3).sum())")
    assert ran(page) == "well" and cell.locator(".cell-live").text_content() == "3\n"


def test_a_package_that_does_not_come_later_is_fetched_again(open_page):
    pattern = re.compile(r".*contourpy.*")
    page = open_page(before=lambda one: one.route(pattern, lambda route: route.abort()), service_workers="block")
    figure = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);\nplt.show()"
    write(page, 0, "x = 3")
    assert ran(page) == "well"
    cell = write(page, 0, figure)
    assert ran(page) == "badly"
    assert cell.locator(".out-error").text_content() == "contourpy did not come. Look at the network, then try again."
    page.context.unroute(pattern)
    write(page, 0, figure + "\nprint(x)")
    assert ran(page) == "well" and cell.locator("img").count() == 1 and "3" in cell.locator(".out-text").text_content()


def test_chapters_that_do_not_come_are_fetched_again(open_page):
    pattern = re.compile(r".*chapters\.zip")
    page = open_page(before=lambda one: one.route(pattern, lambda route: route.abort()), service_workers="block")
    source = "from minigpt.text import pydocs\nlen(list(pydocs._topics())) > 50"
    cell = write(page, 0, source)
    assert ran(page) == "badly"
    assert "did not come. Look at the network, then try again." in cell.locator(".out-error").text_content()
    page.context.unroute(pattern)
    write(page, 0, source)
    assert ran(page) == "well" and cell.locator(".cell-live").text_content() == "True\n"


def test_plain_http_on_another_host_runs_without_what_it_lacks(open_page, address):
    page = open_page(address.replace("localhost", "course.school") + "/" + LESSON)
    assert not page.evaluate("isSecureContext || Boolean(self.caches)")
    cell = write(page, 0, "6 * 7")
    assert ran(page) == "well" and cell.locator(".cell-live").text_content() == "42\n"


def test_the_playground_answers_beside_its_buttons_and_in_words(open_phone, address):
    page = open_phone("playground.html")
    open_playground(page, address)
    unseen = "[...document.querySelectorAll('.play [tabindex=\"0\"]')].filter((one) => !one.clientHeight).length"
    assert page.evaluate(unseen) == 0, "the keyboard would go where nothing is to be seen"
    page.locator("#play-candidates").tap()
    said = page.locator("#play-next .run-status")
    said.get_by_text("train a model first").wait_for()
    page.locator("#play-steps").fill("10")
    page.locator("#play-go").tap()
    page.locator("#play-train .run-status").get_by_text("trained for 10 steps").wait_for()
    assert page.locator("#play-sample").get_attribute("aria-live") == "off", "it changes all the time"
    assert "after 10 steps, held out" in page.locator("#play-loss").get_attribute("aria-label")
    assert "layer 1, head 3: " in page.locator("#play-attention").get_attribute("aria-label")
    page.locator("#play-candidates").tap()
    said.get_by_text("the likeliest of ").wait_for()


def test_a_playground_without_its_script_says_so(open_page):
    page = open_page("playground.html", before=lambda one: one.route("**/playground.js*", lambda route: route.abort()))
    page.locator("#play-status").get_by_text("reload").wait_for()
