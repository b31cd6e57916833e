"""Keys, tokens and passwords: by what their issuers begin them with, by a cue, and by how random they look."""

import math
import re
from collections import Counter
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

# What issuers begin their tokens with, as their own pages and GitHub's list of scanned secrets give it.
PREFIXES = (
    r"(?:AKIA|ASIA|AGPA|AROA|AIDA|ANPA)[A-Z0-9]{16}",  # Amazon
    r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{20,64}",
    r"xox[abeoprs]-[\w-]{10,250}|xapp-\d-[\w-]{10,250}",  # Slack
    r"sk-(?:proj-|ant-|svcacct-|or-v1-)?[A-Za-z0-9_-]{20,250}",
    r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,120}|whsec_[A-Za-z0-9]{24,64}",  # Stripe
    r"AIza[\w-]{35}|ya29\.[\w-]{20,250}|GOCSPX-[\w-]{28}",  # Google
    r"SG\.[\w-]{16,32}\.[\w-]{16,64}",  # SendGrid
    r"key-[0-9a-f]{32}",  # Mailgun
    r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}|rubygems_[0-9a-f]{48}",
    r"hf_[A-Za-z0-9]{30,40}|dop_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"dckr_pat_[\w-]{27}|lin_api_[A-Za-z0-9]{40}|sq0(?:atp|csp)-[\w-]{22,43}|EAAA[\w-]{60}",
    r"SK[0-9a-f]{32}|AC[0-9a-f]{32}",  # Twilio
    r"\d{8,10}:AA[\w-]{33}",  # Telegram
    r"eyJ[\w-]{10,1000}\.eyJ[\w-]{10,2000}\.[\w-]{10,1000}",  # a JSON web token (RFC 7519)
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
)
KNOWN = re.compile(rf"(?<![\w-])(?:{'|'.join(PREFIXES)})(?![\w-])")
BLOCK = re.compile(r"-----BEGIN (?P<what>[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?)-----")
BEARER = re.compile(r"\b(?:Bearer|Basic|Token)[ ](?P<value>[A-Za-z0-9._~+/-]{16,500}={0,2})(?![\w])")
CUES = (
    r"(?:api[_ -]?(?:key|token|secret)|apikey|secret(?:[_ -]?(?:key|access[_ -]?key|token))?|(?:access|auth|"
    r"refresh|session|bearer|private|security|bot|id)[_ -]?(?:token|key)|token|(?:pass(?:word|wd|phrase|code)?|pwd|"
    r"passwort|kennwort|contraseña|mot de passe|senha|wachtwoord)|client[_ -]?secret|account[_ -]?key|"
    r"encryption[_ -]?key|signing[_ -]?key|credentials?)"
)
CUE_WORDS = ("key", "token", "secret", "pass", "pwd", "credential", "kennwort", "contraseña", "senha", "wachtwoord")
ASSIGNED = re.compile(
    rf"(?<![A-Za-z])(?P<cue>{CUES})[\"']?(?:[ ]{{0,8}}(?:[:=]{{1,2}}>?)[ ]{{0,8}}|[ ]is[ ]:?[ ]?|(?P<space>[ ]))"
    rf"(?P<mark>[\"'`]?)(?P<value>[^\s\"'`<>,;]{{6,500}})(?P=mark)",
    re.IGNORECASE,
)
PASSWORD = re.compile(r"pass|pwd|kennwort|contraseña|senha|wachtwoord", re.IGNORECASE)
NO_VALUE = re.compile(
    r"[$({\[\\]|^\*+$|^(?:your|my|the|some|example|changeme|placeholder|os\.|process\.|env|self\.|config|settings|"
    r"none|null|true|false|required|optional|string|str\b)|x{4}|\.{3}|://",
    re.IGNORECASE,
)
RANDOM = re.compile(r"(?<![\w+/=.@#%:-])[A-Za-z0-9+/_-]{32,200}={0,2}(?![\w+/=.@-])")
BEFORE_DIGEST = re.compile(r"(?:sha\d{1,3}|md5|base64|integrity|digest|checksum|hash)\W{1,4}$", re.IGNORECASE)


def find_keys(source: Source) -> Iterator[Span]:
    """Private keys, tokens of known issuers, values after a cue, and long rows of letters and digits that look drawn.

    Sums of files and other numbers in hexadecimal are left, unless they stand after a cue.
    """
    text = source.text
    yield from _blocks(text)
    yield from (Span(match.start(), match.end(), "key", 1.0) for match in KNOWN.finditer(text))
    yield from (
        Span(*match.span("value"), "key", 0.9)
        for match in source.near_words(BEARER, ("bearer ", "basic ", "token "))
        if _is_mixed(match["value"])
    )
    for match in source.near_words(ASSIGNED, CUE_WORDS):
        value = match["value"].rstrip(".!?)")
        if match["space"] and not (len(value) >= 16 and sum(map(str.isdigit, value)) >= 4):
            continue
        if _is_secret(value, is_password=bool(PASSWORD.search(match["cue"])), is_quoted=bool(match["mark"])):
            yield Span(match.start("value"), match.start("value") + len(value), "key", 0.88)
    for match in RANDOM.finditer(text):
        if _looks_drawn(match[0]) and not BEFORE_DIGEST.search(source.before(match.start(), 16)):
            yield Span(match.start(), match.end(), "key", 0.65)


def _blocks(text: str) -> Iterator[Span]:
    """Private keys from the line of their beginning to that of their end; without an end, to the end of the text."""
    place = 0
    while match := BLOCK.search(text, place):
        end_line = f"-----END {match['what']}-----"
        end = text.find(end_line, match.end())
        place = len(text) if end < 0 else end + len(end_line)
        yield Span(match.start(), place, "key", 1.0)


def entropy(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits for each."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) if text else 0.0


def _is_mixed(value: str) -> bool:
    """Whether letters and digits stand together as words do not have them."""
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and entropy(value) > 3


def _is_secret(value: str, *, is_password: bool, is_quoted: bool) -> bool:
    if len(value) < (6 if is_password else 12) or NO_VALUE.search(value):
        return False
    kinds = sum(
        any(test(c) for c in value) for test in (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    )
    if is_password:
        return kinds >= 3 or (any(c.isdigit() for c in value) and kinds >= 2) or (is_quoted and kinds >= 2)
    return _is_mixed(value) and entropy(value) > 2.5


def _looks_drawn(text: str) -> bool:
    """Three or more capitals, small letters and digits, in no words, no row of one kind longer than chance allows."""
    body = text.rstrip("=")
    if (
        re.fullmatch(r"[0-9a-fA-F-]+", body)
        or body.count("/") > len(body) / 16
        or body.count("-") + body.count("_") > 3
    ):
        return False
    counts = (sum(map(str.isupper, body)), sum(map(str.islower, body)), sum(map(str.isdigit, body)))
    longest = max((len(row) for row in re.findall(r"[a-z]+|[A-Z]+|\d+", body)), default=0)
    return min(counts) >= 3 and longest <= 8 and entropy(body) > 4.2
