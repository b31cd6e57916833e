"""Every link of the pages, followed: none may lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ATTRIBUTES = {
    "a": "href",
    "link": "href",
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
}


class Page(HTMLParser):
    """The links and the anchors of a page, and what it has a browser load."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it points to."""
        values = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}
        link = values.get(ATTRIBUTES.get(tag, ""))
        if link is not None:
            self.links.append(link)
            if tag != "a" and values.get("rel") not in ("canonical",):
                self.loaded.append(link)


def broken_links(site: Path) -> list[str]:
    """`page: link` for each link within the site that leads to no file, or to no place in its page."""
    pages = {
        path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            there = (
                pages.get(site.joinpath(target.relative_to(site.resolve())))
                if target.is_relative_to(site.resolve())
                else None
            )
            if not target.is_file() or (there and unquote(parts.fragment) not in there.anchors):
                broken.append(f"{path.relative_to(site).as_posix()}: {link}")
    return broken


def loaded_from_elsewhere(site: Path) -> list[str]:
    """What a browser would load from another address on opening a page."""
    pages = {
        path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    }
    return [
        f"{path.relative_to(site).as_posix()}: {link}"
        for path, page in pages.items()
        for link in page.loaded
        if urlsplit(link).netloc
    ]
