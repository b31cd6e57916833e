"""Check digits, which most numbers of that length that nobody was given do not have."""

from collections.abc import Sequence
from functools import reduce


def digits_of(text: str) -> list[int]:
    """The digits in a text, whatever stands between them."""
    return [int(c) for c in text if "0" <= c <= "9"]


def luhn(digits: Sequence[int]) -> bool:
    """Whether the last digit is right (ISO/IEC 7812-1, annex B): every second one from the right counts double."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def luhn_digit(digits: Sequence[int]) -> int:
    """The digit to put behind these, so that `luhn` holds."""
    return next(digit for digit in range(10) if luhn([*digits, digit]))


def weighted(digits: Sequence[int], weights: Sequence[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))


def mod_97(text: str) -> int:
    """The remainder of letters and digits by 97, a letter counting as 10 to 35 (ISO/IEC 7064, MOD 97-10)."""
    return int("".join(str(int(c, 36)) for c in text)) % 97


def mod_11_10(digits: Sequence[int]) -> bool:
    """Whether the last digit is right (ISO/IEC 7064, MOD 11,10), as in German tax numbers."""
    product = reduce(lambda product, digit: ((digit + product) % 10 or 10) * 2 % 11, digits[:-1], 10)
    return (product + digits[-1]) % 10 == 1


# Verhoeff (1969), "Error Detecting Decimal Codes": the products of the dihedral group D5, and a permutation's powers.
DIHEDRAL = tuple(
    tuple((a + b) % 5 + 5 * (b > 4) if a < 5 else (a - b) % 5 + 5 * (b < 5) for b in range(10)) for a in range(10)
)
SHUFFLE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def verhoeff(digits: Sequence[int]) -> bool:
    """Whether the last digit is right."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        for _ in range(place % 8):
            digit = SHUFFLE[digit]
        state = DIHEDRAL[state][digit]
    return state == 0
