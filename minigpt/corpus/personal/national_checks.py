"""Whether a country's rules allow a number of a person: its check digits, its date of birth, its ranges.

Every function takes the letters and digits alone, in capitals. Sources: the authorities' own rules, as collected in
OECD, "Tax identification numbers", and in Wikipedia's articles of the same names.
"""

import datetime

from minigpt.corpus.personal.checks import digits_of, luhn, mod_11_10, verhoeff, weighted

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def is_ssn(text: str) -> bool:
    """Social Security Administration (2011); 900 and above are taxpayers' numbers of the Internal Revenue Service."""
    area, group, serial = text[:3], text[3:5], text[5:]
    is_itin = area >= "900" and (
        "50" <= group <= "65" or "70" <= group <= "88" or ("90" <= group <= "99" and group != "93")
    )
    return serial != "0000" and group != "00" and (is_itin or (area not in ("000", "666") and area < "900"))


def is_nhs(text: str) -> bool:
    digits = digits_of(text)
    return (weighted(digits[:9], range(10, 1, -1)) + digits[9]) % 11 == 0 and len(set(digits)) > 1


def is_german_tax(text: str) -> bool:
    """§ 139b AO: of the first ten digits one occurs two or three times, all others at most once."""
    digits = digits_of(text)
    counts = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    return digits[0] != 0 and counts[0] in (2, 3) and counts[1] == 1 and mod_11_10(digits)


def is_nir(text: str) -> bool:
    """The key of INSEE's number: 97 less the remainder by 97; Corsica's 2A and 2B count as 19 and 18."""
    number = int(text[:13].replace("2A", "19").replace("2B", "18"))
    return text[0] in "123478" and 97 - number % 97 == int(text[13:]) and _is_nir_month(text[3:5])


def _is_nir_month(month: str) -> bool:
    return "01" <= month <= "12" or "20" <= month <= "42" or month >= "50"  # above 12: the month was not known


def is_dni(text: str) -> bool:
    """The letter of Spanish numbers, by the remainder by 23; X, Y and Z of foreigners count as 0, 1 and 2."""
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


ODD = dict(
    zip(
        "0123456789" + LETTERS,
        [
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            1,
            0,
            5,
            7,
            9,
            13,
            15,
            17,
            19,
            21,
            2,
            4,
            18,
            20,
            11,
            3,
            6,
            8,
            12,
            14,
            16,
            10,
            22,
            25,
            24,
            23,
        ],
        strict=True,
    )
)


def is_codice_fiscale(text: str) -> bool:
    """Decree of 23 December 1976: characters in odd places by a table, those in even places by their rank."""
    even = sum(int(c) if c.isdigit() else LETTERS.index(c) for c in text[1:15:2])
    return LETTERS[(sum(ODD[c] for c in text[0:15:2]) + even) % 26] == text[15]


def is_cpf(text: str) -> bool:
    digits = digits_of(text)
    checks = [weighted(digits[:size], range(size + 1, 1, -1)) * 10 % 11 % 10 for size in (9, 10)]
    return checks == digits[9:] and len(set(digits)) > 1


def is_rut(text: str) -> bool:
    total = sum(digit * (2 + place % 6) for place, digit in enumerate(reversed(digits_of(text[:-1]))))
    return "0123456789K0"[11 - total % 11] == text[-1]


def is_pesel(text: str) -> bool:
    digits = digits_of(text)
    century, month = divmod(int(text[2:4]), 20)
    is_day = _is_date((1900, 2000, 2100, 2200, 1800)[century] + int(text[:2]), month, int(text[4:6]))
    return is_day and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def is_personnummer(text: str) -> bool:
    """Sweden: the last ten digits end in Luhn's; 60 is added to the day of who is not registered."""
    text = text[-10:]
    return _is_date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6]) % 60) and luhn(digits_of(text))


def is_hetu(text: str) -> bool:
    """Finland: the last sign is the remainder by 31 of the nine digits before it."""
    digits = "".join(c for c in text[:-1] if c.isdigit())
    is_day = _is_date(2000 + int(digits[4:6]), int(digits[2:4]), int(digits[:2]))
    return is_day and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == text[-1]


def is_fodselsnummer(text: str) -> bool:
    digits = digits_of(text)
    first = weighted(digits[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
    return first and weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def is_cpr(text: str) -> bool:
    return _is_date(2000 + int(text[4:6]), int(text[2:4]), int(text[:2]))  # Denmark's check digit ended in 2007


def is_belgian(text: str) -> bool:
    number, check = int(text[:9]), int(text[9:])
    return check in (97 - number % 97, 97 - (2 * 10**9 + number) % 97)  # the second: born in 2000 or later


def is_bsn(text: str) -> bool:
    return weighted(digits_of(text), (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and int(text) > 0


def is_resident_identity(text: str) -> bool:
    """GB 11643-1999: a date of birth, and ISO/IEC 7064, MOD 11-2."""
    total = sum(int(c) * pow(2, 17 - place, 11) for place, c in enumerate(text[:17]))
    return _is_date(int(text[6:10]), int(text[10:12]), int(text[12:14])) and "10X98765432"[total % 11] == text[17]


def is_curp(text: str) -> bool:
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - place) for place, c in enumerate(text[:17]))
    return -total % 10 == int(text[17])


def is_kimlik(text: str) -> bool:
    digits = digits_of(text)
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def is_south_african(text: str) -> bool:
    return _is_date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6])) and luhn(digits_of(text))


def is_korean(text: str) -> bool:
    digits = digits_of(text)
    total = weighted(digits[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return _is_date(2000 + int(text[:2]), int(text[2:4]), int(text[4:6])) and (11 - total % 11) % 10 == digits[12]


def is_tfn(text: str) -> bool:
    return weighted(digits_of(text), (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and len(set(text)) > 1


def is_luhn(text: str) -> bool:
    return luhn(digits_of(text)) and len(set(text)) > 1


def is_any(_text: str) -> bool:
    return True


def is_aadhaar(text: str) -> bool:
    return verhoeff(digits_of(text))
