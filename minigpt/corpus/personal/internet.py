"""Addresses of machines: IP, version 4 and 6."""

import ipaddress
import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
FOUR = re.compile(rf"(?<![\w.+~^-])(?:{OCTET}\.){{3}}{OCTET}(?![\w-]|\.\w)")
SIX = re.compile(
    r"(?<![\w:.])(?=[0-9a-f]{0,4}:)[0-9a-f:]{6,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])", re.IGNORECASE
)
CUE = re.compile(
    r"(?<![^\W_])(?:ip|ipv4|host|address|server|client|gateway|dns|ping|peer|from|source|remote\w*)\b", re.IGNORECASE
)
# What else has four numbers with dots: versions of programs (Chrome/120.0.0.0, v1.2.3.4) and parts of documents.
NO_CUE = re.compile(
    r"(?:\b(?:versions?|ver|v|releases?|build|rev|revision|firmware|driver|patch|update|upgraded?|sdk|api|section|"
    r"chapter|clause|article|paragraph|appendix|table|figure|oid|ec|requires?)\b[\s:.=(#v\"'-]{0,4}(?:\w{1,12} )?|"
    r"[A-Za-z]/|==|[<>~!]=)\s{0,2}$",
    re.IGNORECASE,
)
NOBODY = tuple(map(ipaddress.ip_network, ("0.0.0.0/8", "127.0.0.0/8", "255.0.0.0/8", "8.8.8.8", "8.8.4.4", "1.1.1.1")))


def find_ips(source: Source) -> Iterator[Span]:
    """IP addresses, but for those that are the same for everybody: this machine, everything, masks."""
    for match in source.near_digits(FOUR):
        if match[0].isascii() and _is_address(source, match):
            yield Span(match.start(), match.end(), "ip", 0.95)
    if ":" in source.text:
        for match in SIX.finditer(source.text):
            if _is_version_6(match[0]):
                yield Span(match.start(), match.end(), "ip", 0.98)


def _is_address(source: Source, match: re.Match[str]) -> bool:
    before = source.before(match.start())
    if NO_CUE.search(before) and "://" not in before[-8:]:
        return False
    address = ipaddress.ip_address(match[0])
    if any(address in network for network in NOBODY):
        return False
    return bool(CUE.search(before)) or any(int(part) > 63 for part in match[0].split("."))  # 5.15.0.91 is a version


def _is_version_6(text: str) -> bool:
    """Whether it is an address, and not a slice ([1::2]), a time or a name in C++ (ab::cd)."""
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return False
    groups = [group for group in text.split(":") if group]
    if "::" not in text:
        return any(c.isalpha() for c in text)
    is_handed_out = len(groups[0]) == 4 and groups[0][0] in "23fF"
    return is_handed_out and any(c.isdigit() for c in text) and (len(groups) > 2 or any(c.isalpha() for c in text))
