"""E-mail addresses (RFC 5321, section 4.1.2), also as people hide them from collectors: bob (at) example (dot) org."""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

DOMAIN = re.compile(r"@(?:[^\W_](?:[\w-]{0,62})\.){1,6}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w(])", re.IGNORECASE)
LOCAL_BACKWARD = re.compile(r"[\w.+%&'’~=/-]{1,64}")  # of the text before the @, read from its end
QUOTED_BACKWARD = re.compile(r'"[^"\n]{1,62}"')
SPELLED = re.compile(
    r"(?<![\w.])[\w+-](?>[\w.+-]{0,63})\s{0,2}[\[({<]\s?at\s?[\])}>]\s{0,2}[^\W_][\w-]{0,62}(?:(?:\.|"
    r"\s{0,2}[\[({<]\s?dot\s?[\])}>]\s{0,2})[\w-]{1,62}){1,5}",
    re.IGNORECASE,
)
CREDENTIALS = re.compile(r"://[^\s/@]{0,80}$")
# Endings that no address has: pictures of double size (logo@2x.png), and matrix products in code (a@b.shape).
FILES = "png jpg jpeg gif svg webp css scss js jsx tsx json xml html htm yml yaml toml txt pdf exe dll"
CODE = "shape dtype size sum mean weight bias data grad"
NO_DOMAINS = frozenset(f"{FILES} {CODE}".split())


def find_emails(source: Source) -> Iterator[Span]:
    """E-mail addresses. A user's name at a machine (git@github.com:name/project) is none."""
    text = source.text
    for match in DOMAIN.finditer(text):
        start = _start_of_local(source, match.start())
        is_code = match[0].rsplit(".", 1)[1].lower() in NO_DOMAINS
        is_repository = text[start : match.start()] == "git" and text[match.end() : match.end() + 1] == ":"
        if start < match.start() and not is_code and not is_repository:
            yield Span(start, match.end(), "email", 0.98)
    if "at" in text:
        for match in SPELLED.finditer(text):
            yield Span(match.start(), match.end(), "email", 0.85)


def _start_of_local(source: Source, at: int) -> int:
    """Where the part before the @ begins; `at` itself if there is none."""
    before = source.before(at, 65)[::-1]
    if quoted := QUOTED_BACKWARD.match(before):
        return at - quoted.end()
    found = LOCAL_BACKWARD.match(before)
    if not found or CREDENTIALS.search(source.before(at, 90)):
        return at
    local = found[0][::-1]
    local = local[max(local.rfind("="), local.rfind("/")) + 1 :].lstrip(".+%&'’~-")
    return at if local.endswith((".", "'", "’")) or ".." in local else at - len(local)
