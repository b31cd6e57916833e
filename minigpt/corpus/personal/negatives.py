"""Text that only looks personal: versions, ISBNs, log lines, sums, code, integers of the length of a telephone number.

None of it tells anything of a person, so whatever is found here is a false alarm.
"""

import datetime
import uuid
from collections.abc import Callable, Iterator

import numpy as np

from minigpt.corpus.personal.checks import luhn_digit, weighted
from minigpt.corpus.personal.invented import filled, pick


def hard_negatives(count: int, rng: np.random.Generator) -> Iterator[str]:
    """`count` texts, the makers by turns."""
    for index in range(count):
        yield MAKERS[index % len(MAKERS)](rng)


def _version(rng: np.random.Generator) -> str:
    parts = ".".join(str(part) for part in rng.integers(0, 60, rng.integers(2, 5)))
    forms = (
        "Version {} fixes the crash.",
        "requires numpy>={}",
        "pip install tool=={}",
        "v{} is out",
        "Chrome/{} Safari/537.36",
        "upgraded to release {}",
        "tool-{}.tar.gz",
    )
    return pick(forms, rng).format(parts)


def _isbn(rng: np.random.Generator) -> str:
    digits = [9, 7, 8, *rng.integers(0, 10, 9).tolist()]
    digits.append(-weighted(digits, (1, 3) * 6) % 10)
    thirteen = "".join(map(str, digits))
    ten = [int(digit) for digit in rng.integers(0, 10, 9)]
    check = -weighted(ten, range(10, 1, -1)) % 11
    spelled = "".join(map(str, ten)) + ("X" if check == 10 else str(check))
    hyphens = f"{spelled[0]}-{spelled[1:4]}-{spelled[4:9]}-{spelled[9]}"
    return pick(
        [
            f"ISBN {thirteen}",
            f"ISBN {hyphens}",
            f"ISBN-13: {thirteen[:3]}-{thirteen[3]}-{thirteen[4:7]}-{thirteen[7:12]}-{thirteen[12]}",
            f"the edition of 1998 (ISBN {spelled})",
        ],
        rng,
    )


def _moment(rng: np.random.Generator) -> datetime.datetime:
    return datetime.datetime(2000, 1, 1) + datetime.timedelta(seconds=int(rng.integers(0, 9 * 10**8)))


def _log(rng: np.random.Generator) -> str:
    level = pick(["INFO", "WARN", "ERROR", "DEBUG"], rng)
    thread, took = rng.integers(1, 99999), rng.integers(1, 10**6)
    moment = _moment(rng)
    forms = (
        f"{moment} {level} worker-{thread % 64}: {took} rows in {thread} ms",
        f'[{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /index.html HTTP/1.1" 200 {took}',
        f"{moment:%b %d %H:%M:%S} kernel: [{took}.{thread:06d}] usb 1-1: new device",
        f"{moment.timestamp():.0f} {level} heap 0x{took:08x} 00{thread}",
        f"process {thread} exited with code {thread % 256} after {took}.{thread % 1000:03d} s",
    )
    return pick(forms, rng)


def _guid(rng: np.random.Generator) -> str:
    value = uuid.UUID(bytes=rng.bytes(16), version=4)
    return pick(
        [f"id {value}", f"{{{str(value).upper()}}}", f"request {value.hex} was served", f"urn:uuid:{value}"], rng
    )


def _digest(rng: np.random.Generator) -> str:
    forms = (
        f"commit {rng.bytes(20).hex()}",
        f"sha256 {rng.bytes(32).hex()}",
        f"MD5 ({pick(['a', 'b'], rng)}.iso) = {rng.bytes(16).hex()}",
        f"index {rng.bytes(4).hex()[:7]}..{rng.bytes(4).hex()[:7]} 100644",
        f"color: #{rng.bytes(3).hex()}",
        f"crc32 {rng.bytes(4).hex()}",
    )
    return pick(forms, rng)


def _date(rng: np.random.Generator) -> str:
    moment = _moment(rng)
    forms = (
        f"The meeting of {moment:%Y-%m-%d} was moved.",
        f"released {moment:%d.%m.%Y %H:%M}",
        f"due {moment:%m/%d/%Y}",
        f"{moment:%Y%m%d}-{moment:%H%M%S}",
        f"from {moment:%Y-%m-%d} to {moment:%Y}-12-31",
        f"on {moment.day} {moment:%B %Y}, 17:30",
        f"{moment.isoformat()}Z",
    )
    return pick(forms, rng)


def _code(rng: np.random.Generator) -> str:
    a, b, c = rng.integers(0, 1000, 3)
    forms = (
        f"x = a[{a}::{b}] @ w.T + {c}",
        f"@property\ndef size(self):\n    return {a}",
        "@app.route('/users')\ndef users():\n    return token",
        "password = getpass.getpass()",
        f"if (count > {a}{b:03d}{c:03d}) {{ return -1; }}",
        "token = tokens[index]",
        "import numpy as np  # see @param x",
        f"std::vector<int> v({a}, {b});",
        f"for i in range({a}{b:03d}00): pass",
        f"UPDATE t SET n = {a} WHERE id = {b}{c:03d}",
        "username = input('name: ')",
        "api_key = os.environ['API_KEY']",
        f"const MAX = {a}_{b:03d}_{c:03d};",
        '<img src="logo@2x.png">',
        "git clone git@github.com:group/project.git",
        f"margin: {a}px {b}px {c}px 0",
        "secret: ${SECRET}",
        f"assert f({a}, {b}) == {c}",
        "y = hidden@weight.T",
        f"0x{a:08x} + 0b{b:b}",
        f"10.{a}e-{b % 9 + 1}",
        f'printf("%d %s\\n", {a}, name);',
    )
    return pick(forms, rng)


def _integer(rng: np.random.Generator) -> str:
    digits = filled("#" * int(rng.integers(8, 13)), rng)
    forms = (
        "The table has {} rows.",
        "order {} was shipped",
        "in total {} bytes",
        "offset {} is past the end",
        "item no. {}",
        "{}",
        "invoice {} of March",
        "a population of {}",
        "seed={}",
        "ticket #{} is closed",
        "timestamp {}",
        "part number {}",
        "n = {}",
    )
    return pick(forms, rng).format(digits)


def _grouped(rng: np.random.Generator) -> str:
    a, b, c = (int(part) for part in rng.integers(100, 1000, 3))
    forms = (
        f"{a},{b},{c} inhabitants",
        f"{a % 90 + 10}.{b}.{c} Euro",
        f"${a},{b}.{c % 90 + 10}",
        f"{a}.{b}{c} N, {b % 90}.{c}{a} W",
        f"won {a % 7}-{b % 7}, {b % 7}-{c % 7}, 7-6",
        f"doi:10.{a + 1000}/{b}.{c}",
        f"RFC {a}, section {b % 9}.{c % 9}.{a % 9}",
        f"pages {a}-{a + b}",
        f"{a}x{b}x{c} mm",
        f"ratio {a}/{b}",
        f"{a} {b} {c}",
        f"model {a}-{b % 100}-{c % 10}A",
    )
    return pick(forms, rng)


def _long_number(rng: np.random.Generator) -> str:
    """Of a card's length, without its check digit."""
    digits = filled("#" * int(rng.integers(12, 19)), rng)
    digits += str((luhn_digit([int(c) for c in digits]) + int(rng.integers(1, 10))) % 10)
    return pick(["tracking {}", "{}", "EAN {}", "the hash is {} today", "{} nanoseconds"], rng).format(digits)


def _prose(rng: np.random.Generator) -> str:
    year, number = rng.integers(1700, 2025), rng.integers(2, 400)
    forms = (
        f"In {year} the company opened {number} stores.",
        f"Chapter {number} tells of the winter of {year}.",
        f"The recipe needs {number} g of flour and 2 eggs.",
        f"Figure {number}: the loss after {year} steps.",
        f"See table {number} on page {year}.",
        f"He scored {number} points in {year}.",
        f"The train leaves at 17:{number % 60:02d} from platform {number % 20}.",
        f"About {number} percent agreed.",
        f"Top {number} Ways to Save Money",
        f"It weighs {number} kg.",
        f"Windows {number % 11} and Python 3.{number % 14}",
        f"{number} Days Later",
    )
    return pick(forms, rng)


MAKERS: tuple[Callable[[np.random.Generator], str], ...] = (
    _version,
    _isbn,
    _log,
    _guid,
    _digest,
    _date,
    _code,
    _integer,
    _grouped,
    _long_number,
    _prose,
)
