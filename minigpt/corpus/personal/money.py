"""Numbers that pay: cards (ISO/IEC 7812) and bank accounts (IBAN, ISO 13616)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from minigpt.corpus.personal.checks import digits_of, luhn, mod_97
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span


class Issuer(NamedTuple):
    """Whose cards begin with first to last, and how long they are. rare: counts with a cue only."""

    first: str
    last: str
    lengths: tuple[int, ...]
    rare: bool = False


LONG = tuple(range(16, 20))
ISSUERS = (
    Issuer("4", "4", (16, 19)),  # Visa
    Issuer("4", "4", (13,), rare=True),
    Issuer("51", "55", (16,)),  # Mastercard
    Issuer("2221", "2720", (16,)),
    Issuer("34", "34", (15,)),  # American Express
    Issuer("37", "37", (15,)),
    Issuer("6011", "6011", LONG),  # Discover
    Issuer("644", "659", LONG),
    Issuer("300", "305", (14, 16)),  # Diners Club
    Issuer("36", "36", (14, 16)),
    Issuer("38", "39", (14, 16)),
    Issuer("3528", "3589", LONG),  # JCB
    Issuer("2131", "2131", (15,)),
    Issuer("1800", "1800", (15,)),
    Issuer("62", "62", LONG),  # UnionPay
    Issuer("2200", "2204", LONG),  # Mir
    Issuer("60", "60", (16,)),  # RuPay
    Issuer("81", "82", (16,)),
    Issuer("50", "50", tuple(range(12, 20)), rare=True),  # Maestro
    Issuer("56", "69", tuple(range(12, 20)), rare=True),
)
CARD = re.compile(r"(?<![\w.,+-])(?<!\d[ ])\d{3,4}(?:[ -]?\d){8,15}(?![\w]|[.,-]\d)")
CARD_TIGHT = re.compile(r"\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}")
CARD_CUE = re.compile(
    r"\b(?:card|cards|cc|credit|debit|visa|mastercard|amex|american express|maestro|discover|diners|jcb|karte|"
    r"kreditkarte|carte|tarjeta|cartão|carta|pan)\b",
    re.IGNORECASE,
)
OTHER_NUMBER = re.compile(
    r"\b(?:isbn|ean|gtin|upc|imei|iccid|order|tracking|serial|timestamp|invoice|sku|part|ticket|parcel|shipment|"
    r"issn|doi|seed|hash|offset|nonce|uid|guid|uuid|epoch|id)\b[\w\s#:.=\"'()/-]{0,12}$",
    re.IGNORECASE,
)
# How long an IBAN is, by its country (SWIFT, IBAN registry, release 99).
IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD FK",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK MN",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTHS = {country: length for length, countries in IBAN_COUNTRIES.items() for country in countries.split()}
IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?=[ -]?[A-Z\d]{1,4})", re.IGNORECASE)


def find_cards(source: Source) -> Iterator[Span]:
    """Numbers of cards: of an issuer's beginning and length, the check digit right, in the usual groups."""
    for match in source.near_digits(CARD):
        digits = "".join(map(str, digits_of(match[0])))
        issuers = [issuer for issuer in ISSUERS if is_of(issuer, digits)]
        if not issuers or not CARD_TIGHT.fullmatch(match[0]) or not luhn(digits_of(digits)) or len(set(digits)) == 1:
            continue
        before = source.before(match.start())
        has_cue = bool(CARD_CUE.search(before))
        if has_cue or not (OTHER_NUMBER.search(before) or all(issuer.rare for issuer in issuers)):
            yield Span(match.start(), match.end(), "card", 0.99 if has_cue else 0.9)


def is_of(issuer: Issuer, digits: str) -> bool:
    """Whether a number has the issuer's beginning and one of its lengths."""
    return issuer.first <= digits[: len(issuer.first)] <= issuer.last and len(digits) in issuer.lengths


def find_ibans(source: Source) -> Iterator[Span]:
    """Numbers of bank accounts: of the country's length, the check digits right."""
    for match in source.near_digits(IBAN):
        length = IBAN_LENGTHS.get(match[0][:2].upper())
        whole = length and re.compile(rf"[A-Z]{{2}}\d{{2}}(?:[ -]?[A-Z\d]){{{length - 4}}}(?![^\W_])", re.I).match(
            source.text, match.start()
        )
        if whole and is_iban(whole[0]):
            yield Span(whole.start(), whole.end(), "iban", 1.0)


def is_iban(text: str) -> bool:
    """Whether the letters and digits of a text are an IBAN: its country's length, remainder 1 by 97."""
    letters = re.sub(r"[^A-Z\d]", "", text.upper())
    return IBAN_LENGTHS.get(letters[:2]) == len(letters) and mod_97(letters[4:] + letters[:4]) == 1
