"""Invented values in place of real ones: the same for the same, of the same form, and nobody's."""

import datetime
import hashlib
import hmac
import re
from collections.abc import Callable
from itertools import count

import numpy as np

from minigpt.corpus.personal.checks import digits_of, luhn_digit
from minigpt.corpus.personal.money import mod_97
from minigpt.corpus.personal.national import is_handed_out
from minigpt.corpus.personal.phone import NORTH_AMERICAN
from minigpt.corpus.personal.words import words
from minigpt.errors import UserError

Maker = Callable[[str, Callable[[str], int]], str]
AREAS = sorted(
    words(
        "201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 "
        "248 251 252 253 254"
    )
)
PARTICLES = words(
    """
    van von de da do dos di del della der den ter ten la le el al bin ibn zu af av
    """
)
SYLLABLES = sorted(
    words(
        "bal bren cor dal dor fen gar hul jas kel lam lor mar mel nor pel quin ral rem sal sor tam tel tor "
        "val vel wen wil yar zan"
    )
)
ENDS = sorted(words("a an e el en i in is o on or un"))


class Pseudonyms:
    """The same value gives the same pseudonym, as long as the secret is the same; without it no way leads back.

    secret: bytes that the user keeps, or a generator that 32 bytes are drawn from. Pseudonyms lie in ranges that are
    handed out to nobody: example.org (RFC 2606), 192.0.2.0/24 and 2001:db8::/32 (RFC 5737, 3849), 555-0100 to 555-0199,
    07700 900000 to 900999 (Ofcom), cards that begin with 0, accounts of the country ZZ, which ISO 3166 leaves to users,
    national numbers that no country's rules allow, dates from 1900 to 1909. These ranges are small, so two values may
    share a pseudonym: 254 addresses of version 4, some 3,000 telephone numbers.
    """

    def __init__(self, secret: bytes | np.random.Generator):
        self._secret = secret.bytes(32) if isinstance(secret, np.random.Generator) else bytes(secret)
        if len(self._secret) < 16:
            raise UserError(f"a secret of {len(self._secret)} bytes can be guessed; give 16 or more")

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of a value of this kind. How it is spelled (case, spaces) does not matter."""

        def number(text: str) -> int:
            same = "".join(text.casefold().split())
            digest = hmac.new(self._secret, f"{kind}\0{same}".encode("utf-8", "surrogatepass"), hashlib.sha256)
            return int.from_bytes(digest.digest())

        if kind not in MAKERS:
            raise UserError(f"there are no pseudonyms for the kind {kind!r}; choose of {', '.join(MAKERS)}")
        return MAKERS[kind](value, number)


def _email(value: str, number: Callable[[str], int]) -> str:
    return f"user{number(value) % 10**8:08d}@example.org"


def _ip(value: str, number: Callable[[str], int]) -> str:
    drawn = number(value)
    return f"2001:db8::{drawn % 2**16:x}:{drawn >> 16 & 0xFFFF:x}" if ":" in value else f"192.0.2.{1 + drawn % 254}"


def _digits_like(value: str, digits: str) -> str:
    """Digits in the places where the value has some, with what stands between them."""
    rest = iter(digits)
    return "".join(next(rest) if c.isdigit() else c for c in value)


def _phone(value: str, number: Callable[[str], int]) -> str:
    """The number without its extension, whatever stands between its digits; in the form of the value if that can be."""
    plain = re.split(r"[xe]", value, maxsplit=1, flags=re.IGNORECASE)[0].rstrip()
    digits = "".join(map(str, digits_of(plain)))
    drawn = number(digits)
    american = f"{AREAS[drawn % len(AREAS)]}55501{drawn // 100 % 100:02d}"
    british = f"7700900{drawn % 1000:03d}"
    if len(digits) == 11 and digits.startswith("07"):
        return _digits_like(plain, f"0{british}")
    if len(digits) == 12 and digits.startswith("447"):
        return _digits_like(plain, f"44{british}")
    if NORTH_AMERICAN.fullmatch(plain) or len(digits) == 10:
        return _digits_like(plain, digits[:-10] + american)
    return f"+1-{american[:3]}-555-{american[6:]}"


def _card(value: str, number: Callable[[str], int]) -> str:
    """A number that begins with 0000, which no card does, with the right check digit."""
    length = sum(c.isdigit() for c in value)
    digits = f"0000{number('-'.join(map(str, digits_of(value)))) % 10 ** (length - 5):0{length - 5}d}"
    return _digits_like(value, f"{digits}{luhn_digit([int(c) for c in digits])}")


def _iban(value: str, number: Callable[[str], int]) -> str:
    account = f"{number(re.sub('[^A-Z0-9]', '', value.upper())) % 10**16:016d}"
    return f"ZZ{98 - mod_97(account + 'ZZ00'):02d}{account}"


def _national_id(value: str, number: Callable[[str], int]) -> str:
    """Other digits and an X for each letter, the first such that no country's rules allow."""
    drawn = number("".join(c for c in value if c.isalnum()))
    form = "".join("X" if c.isalpha() else c for c in value)
    length = sum(c.isdigit() for c in value)
    stride = 10**length * 618 // 1000 | 1  # neighbours are often allowed together
    spelled = (_digits_like(form, f"{(drawn + step * stride) % 10**length:0{length}d}") for step in count())
    return next(text for text in spelled if not is_handed_out(text))


def _url(value: str, number: Callable[[str], int]) -> str:
    return f"https://example.org/user{number(value) % 10**8:08d}"


def _address(value: str, number: Callable[[str], int]) -> str:
    drawn = number(value)
    return f"{1 + drawn % 999} {_word(drawn // 1000)} Example Street"


def _date_of_birth(value: str, number: Callable[[str], int]) -> str:
    return (datetime.date(1900, 1, 1) + datetime.timedelta(days=number(value) % 3650)).isoformat()


def _username(value: str, number: Callable[[str], int]) -> str:
    return f"{'@' if value.startswith('@') else ''}user{number(value.lstrip('@')) % 10**8:08d}"


def _key(value: str, number: Callable[[str], int]) -> str:
    return f"key-{number(value) % 10**8:08d}"


def _name(value: str, number: Callable[[str], int]) -> str:
    """Each word for itself, so that Ann Smith, Ann and Smith stay who they are; what joins them stays."""
    return re.sub(
        r"[^\W\d_]+",
        lambda word: word[0] if word[0].lower() in PARTICLES else _named_like(word[0], number(word[0])),
        value,
    )


def _named_like(word: str, drawn: int) -> str:
    name = _word(drawn)
    return name[0] if len(word) == 1 else name.upper() if word.isupper() else name.lower() if word.islower() else name


def _word(drawn: int) -> str:
    """One of 30 x 30 x 12 invented words."""
    first, rest = drawn % len(SYLLABLES), drawn // len(SYLLABLES)
    second, end = rest % len(SYLLABLES), rest // len(SYLLABLES) % len(ENDS)
    return (SYLLABLES[first] + SYLLABLES[second] + ENDS[end]).capitalize()


MAKERS: dict[str, Maker] = {
    "email": _email,
    "phone": _phone,
    "ip": _ip,
    "card": _card,
    "iban": _iban,
    "national_id": _national_id,
    "url": _url,
    "address": _address,
    "date_of_birth": _date_of_birth,
    "username": _username,
    "key": _key,
    "name": _name,
}
