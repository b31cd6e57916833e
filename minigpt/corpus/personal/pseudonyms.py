"""Invented values in place of real ones: the same for the same, of the same form, and nobody's."""

import hashlib
import hmac
from collections.abc import Callable

import numpy as np

from minigpt.corpus.personal.money import mod_97
from minigpt.errors import UserError


class Pseudonyms:
    """The same value gives the same pseudonym, as long as the secret is the same; without it no way leads back.

    secret: bytes that the user keeps, or a generator that 32 bytes are drawn from. Pseudonyms lie in ranges that are
    handed out to nobody: example.org (RFC 2606), 192.0.2.0/24 and 2001:db8::/32 (RFC 5737, 3849), 555-0100 to 555-0199,
    cards that begin with 0, accounts of the country ZZ, which ISO 3166 leaves to users.
    """

    def __init__(self, secret: bytes | np.random.Generator):
        self._secret = secret.bytes(32) if isinstance(secret, np.random.Generator) else bytes(secret)
        if len(self._secret) < 16:
            raise UserError(f"a secret of {len(self._secret)} bytes can be guessed; give 16 or more")

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of a value of this kind. How it is spelled (case, spaces) does not matter."""
        same = "".join(value.casefold().split())
        digest = hmac.new(self._secret, f"{kind}\0{same}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return MAKERS.get(kind, _placeholder_of(kind))(value, int.from_bytes(digest))


def _placeholder_of(kind: str) -> Callable[[str, int], str]:
    return lambda _value, number: f"{kind}-{number % 10**8:08d}"


def _email(_value: str, number: int) -> str:
    return f"user{number % 10**8:08d}@example.org"


def _ip(value: str, number: int) -> str:
    return f"2001:db8::{number % 2**16:x}:{number >> 16 & 0xFFFF:x}" if ":" in value else f"192.0.2.{1 + number % 254}"


def _digits_like(value: str, digits: str) -> str:
    """Digits in the places where the value has some, with what stands between them."""
    rest = iter(digits)
    return "".join(next(rest) if c.isdigit() else c for c in value)


def _card(value: str, number: int) -> str:
    """A number that begins with 0000, which no card does, with the right check digit."""
    length = sum(c.isdigit() for c in value)
    digits = f"0000{number % 10 ** (length - 5):0{length - 5}d}"
    doubled = sum(sum(divmod(2 * int(c), 10)) for c in digits[::-2])
    check = -(doubled + sum(int(c) for c in digits[-2::-2])) % 10
    return _digits_like(value, f"{digits}{check}")


def _iban(_value: str, number: int) -> str:
    account = f"{number % 10**16:016d}"
    return f"ZZ{98 - mod_97(account + 'ZZ00'):02d}{account}"


MAKERS: dict[str, Callable[[str, int], str]] = {"email": _email, "ip": _ip, "card": _card, "iban": _iban}
