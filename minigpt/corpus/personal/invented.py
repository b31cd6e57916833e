"""What fills the slots of templates: from an identity (a row of FakeNameGenerator's table), or drawn."""

import datetime
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from minigpt.corpus.personal.checks import luhn_digit
from minigpt.corpus.personal.money import IBAN_LENGTHS, ISSUERS, mod_97
from minigpt.corpus.personal.national_checks import is_aadhaar, is_bsn, is_cpf, is_dni, is_german_tax, is_nhs

Identity = dict[str, str]
Value = TypeVar("Value")
DIGITS = "0123456789"
CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# How numbers are written in the countries that presidio-evaluator has; # is a digit.
PHONES = (
    "##########",
    "###-###-####",
    "###-#######",
    "07700 ### ###",
    "07700 ######",
    "07700######",
    "(07700) ### ###",
    "(07700)######",
    "+447700 ### ###",
    "+447700######",
    "+91##########",
    "0##########",
    "+41 2# ### ## ##",
    "+41 (0)7# ### ## ##",
    "+46 (0)8 ### ### ##",
    "+46 (0)## ## ## ##",
    "(###)###-####",
    "###.###.####",
    "###-###-####x###",
    "(###)###-####x####",
    "+1-###-###-####",
    "001-###-###-####",
    "+49 30 ########",
    "+33 6 ## ## ## ##",
    "+55 11 9####-####",
    "+81 90-####-####",
    "+61 4## ### ###",
)
LICENCES = (
    "#######",
    "?###-###-##-###-#",
    "####-##-####",
    "?#######",
    "?##-##-####",
    "?############",
    "#########",
    "??######?",
)
COUNTRIES = (
    "France",
    "Brazil",
    "Japan",
    "Kenya",
    "Canada",
    "Norway",
    "India",
    "Peru",
    "Italy",
    "Turkey",
    "Vietnam",
    "Ghana",
)
JOBS = (
    "teacher",
    "Surveillance officer",
    "nurse",
    "electrician",
    "Accountant",
    "software engineer",
    "Librarian",
    "pilot",
)
NATIONS = (
    "French",
    "Brazilian",
    "Japanese",
    "Kenyan",
    "Canadian",
    "Norwegian",
    "Indian",
    "Peruvian",
    "Italian",
    "Turkish",
)
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PROFILES = ("https://github.com/", "https://www.linkedin.com/in/", "https://example.social/@", "https://example.com/~")
UNITS = ("Apt. ###", "Suite ###", "Apt. ##", "Suite ##", "Unit #", "Flat #")


def pick(values: Sequence[Value], rng: np.random.Generator) -> Value:
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def filled(form: str, rng: np.random.Generator) -> str:
    """The form with a digit for each # and a capital for each ?."""
    return "".join(pick(DIGITS, rng) if c == "#" else pick(CAPITALS, rng) if c == "?" else c for c in form)


def card_number(rng: np.random.Generator) -> str:
    """A number of an issuer's beginning and length, with its check digit; a third of them in groups of four."""
    issuer = pick([issuer for issuer in ISSUERS if not issuer.rare], rng)
    first, last = int(issuer.first), int(issuer.last)
    length = issuer.lengths[0]
    digits = str(rng.integers(first, last + 1)).zfill(len(issuer.first))
    digits += "".join(str(digit) for digit in rng.integers(0, 10, length - len(digits) - 1))
    digits += str(luhn_digit([int(c) for c in digits]))
    mark = pick(["", "", "", "", " ", "-"], rng)
    return mark.join(digits[at : at + 4] for at in range(0, length, 4)) if length == 16 else digits


def iban_number(rng: np.random.Generator) -> str:
    """An account of one of the countries, with its check digits; a third of them in groups of four."""
    country = pick(sorted(IBAN_LENGTHS), rng)
    account = filled("#" * (IBAN_LENGTHS[country] - 4), rng)
    if country in ("GB", "NL", "IE", "BG", "GI"):
        account = filled("????", rng) + account[4:]
    whole = f"{country}{98 - mod_97(account + country + '00'):02d}{account}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if rng.random() < 1 / 3 else whole


def ip_address(rng: np.random.Generator) -> str:
    """Version 4, and one in five of version 6."""
    if rng.random() < 0.8:
        return ".".join(str(part) for part in (rng.integers(1, 224), *rng.integers(0, 256, 3)))
    return ":".join(f"{group:04x}" for group in rng.integers(0, 2**16, 8))


def ssn(rng: np.random.Generator) -> str:
    """A number that the Social Security Administration could hand out."""
    area = pick([area for area in range(1, 900) if area != 666], rng)
    return f"{area:03d}-{rng.integers(1, 100):02d}-{rng.integers(1, 10000):04d}"


def _any_date(rng: np.random.Generator) -> str:
    day = datetime.date(1950, 1, 1) + datetime.timedelta(days=int(rng.integers(0, 27000)))
    return pick(
        [
            day.isoformat(),
            day.strftime("%d/%m/%Y"),
            f"{day:%B} {day.day}, {day.year}",
            f"{day.day} {day:%b} {day.year}",
        ],
        rng,
    )


def _birthday(identity: Identity, rng: np.random.Generator) -> str:
    month, day, year = map(int, identity["Birthday"].split("/"))
    date = datetime.date(year, month, day)
    return pick([identity["Birthday"], date.isoformat(), f"{date:%B} {day}, {year}", date.strftime("%d.%m.%Y")], rng)


def _full_name(identity: Identity, rng: np.random.Generator) -> str:
    middle = pick(["", "", "", "", f"{identity['MiddleInitial']} ", f"{identity['MiddleInitial']}. "], rng)
    return f"{identity['GivenName']} {middle}{identity['Surname']}"


def _address(identity: Identity, rng: np.random.Generator) -> str:
    street, city, code, country = (identity[key] for key in ("StreetAddress", "City", "ZipCode", "CountryFull"))
    unit = filled(pick(UNITS, rng), rng)
    state = identity["State"] or identity["StateFull"]
    forms = (
        f"{street}, {city}, {country}",
        f"{street}\n{city}, {state} {code}",
        f"{street} {unit}, {city}, {country} {code}",
        f"{street}\n {unit}\n {city}\n {country} {code}",
        f"{street}, {code} {city}",
        f"{street}\n{city}\n{country} {code}",
    )
    return pick(forms, rng)


def _phone(identity: Identity, rng: np.random.Generator) -> str:
    return filled(pick(PHONES, rng), rng) if rng.random() < 0.5 else identity["TelephoneNumber"]


def _column(name: str) -> Callable[[Identity, np.random.Generator], str]:
    return lambda identity, rng: identity[name]


def _one_of(values: Sequence[str]) -> Callable[[Identity, np.random.Generator], str]:
    return lambda identity, rng: pick(values, rng)


def _valid(form: str, is_valid: Callable[[str], bool]) -> Callable[[Identity, np.random.Generator], str]:
    """Of numbers of this form the first drawn that the country's rules allow."""

    def draw(_identity: Identity, rng: np.random.Generator) -> str:
        while not is_valid((number := filled(form, rng)).replace(" ", "").replace(".", "").replace("-", "")):
            pass
        return number

    return draw


def _drawn(prefix: str, length: int) -> Callable[[Identity, np.random.Generator], str]:
    letters = CAPITALS + CAPITALS.lower() + DIGITS
    return lambda identity, rng: prefix + "".join(pick(letters, rng) for _ in range(length))


TOKENS = (_drawn("ghp_", 36), _drawn("sk_live_", 24), _drawn("hf_", 34), _drawn("glpat-", 20), _drawn("npm_", 36))

INVENTED: dict[str, Callable[[Identity, np.random.Generator], str]] = {
    **dict.fromkeys(("person", "name", "name_male", "name_female"), _full_name),
    **dict.fromkeys(
        ("first_name", "first_name_male", "first_name_female", "first_name_nonbinary"), _column("GivenName")
    ),
    **dict.fromkeys(("last_name", "last_name_male", "last_name_female"), _column("Surname")),
    **dict.fromkeys(("prefix", "prefix_male", "prefix_female"), _column("Title")),
    **dict.fromkeys(("postcode", "zipcode"), _column("ZipCode")),
    "address": _address,
    "street_name": _column("StreetAddress"),
    "building_number": lambda identity, rng: str(rng.integers(1, 2000)),
    "secondary_address": lambda identity, rng: filled(pick(UNITS, rng), rng),
    "city": _column("City"),
    "state_abbr": _column("State"),
    "country": _column("CountryFull"),
    "email": _column("EmailAddress"),
    "phone_number": _phone,
    "url": lambda identity, rng: f"{pick(['http://www.', 'https://', 'https://www.'], rng)}{identity['Domain']}/",
    "date_of_birth": _birthday,
    "date_time": lambda identity, rng: _any_date(rng),
    "credit_card_number": lambda identity, rng: card_number(rng),
    "iban": lambda identity, rng: iban_number(rng),
    "ip_address": lambda identity, rng: ip_address(rng),
    "ssn": lambda identity, rng: ssn(rng),
    "us_driver_license": lambda identity, rng: filled(pick(LICENCES, rng), rng),
    "age": lambda identity, rng: str(rng.integers(1, 105)),
    "year": lambda identity, rng: str(rng.integers(1900, 2030)),
    "job": _one_of(JOBS),
    "nationality": _one_of(NATIONS),
    "nation_woman": _one_of(NATIONS),
    "nation_plural": lambda identity, rng: f"{pick(NATIONS, rng)}s",
    "day_of_week": _one_of(WEEK),
    "username": _column("Username"),
    "handle": lambda identity, rng: f"@{identity['Username']}",
    "profile": lambda identity, rng: pick(PROFILES, rng) + identity["Username"],
    "token": lambda identity, rng: pick(TOKENS, rng)(identity, rng),
    "password": lambda identity, rng: f"{identity['Password']}{rng.integers(10, 99)}!",
    "gb_nhs": _valid("### ### ####", is_nhs),
    "gb_nino": _valid("AB ## ## ## C", lambda number: True),
    "de_tax": _valid("## ### ### ###", is_german_tax),
    "es_dni": _valid("########?", is_dni),
    "in_aadhaar": _valid("#### #### ####", lambda number: number[0] > "1" and is_aadhaar(number)),
    "br_cpf": _valid("###.###.###-##", is_cpf),
    "nl_bsn": _valid("#########", is_bsn),
}
