"""National numbers of persons, known by their form and, where they have them, their check digits.

A number whose form is common (nine or eleven digits in a row) counts only after a cue, that is, where the text says
what it is; the table says which.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from minigpt.corpus.personal.national_checks import (
    is_aadhaar,
    is_any,
    is_belgian,
    is_bsn,
    is_codice_fiscale,
    is_cpf,
    is_cpr,
    is_curp,
    is_dni,
    is_fodselsnummer,
    is_german_tax,
    is_hetu,
    is_kimlik,
    is_korean,
    is_luhn,
    is_nhs,
    is_nir,
    is_personnummer,
    is_pesel,
    is_resident_identity,
    is_rut,
    is_south_african,
    is_ssn,
    is_tfn,
)
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span


class NationalNumber(NamedTuple):
    """A country's number. alone: which spelling counts without a cue (a pattern); "" for none."""

    country: str
    form: str  # a pattern, without the borders
    is_valid: Callable[[str], bool]  # of the letters and digits alone, in capitals
    cue: str
    alone: str = ""


CODICE = r"[A-Z]{6}[\dLMNP-V]{2}[ABCDEHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]"
CARD_OF_LAW = (
    r"(?:(?:driv(?:er|ing)[’'`]?s?[ ])?licen[cs]e(?=[ ](?:no|num|is|id)|[ ]?[:#])|driv(?:er|"
    r"ing)[’'`]?s?[ ]licen[cs]e|passport|identity card|id card|permit|führerschein|reisepass|permis de conduire|"
    r"passeport|pasaporte|carn[ée])"
)
NUMBERS = (
    NationalNumber(
        "US", r"\d{3}([ -]?)\d\d\1\d{4}", is_ssn, r"ssn|social[ -]security|itin|tax(?:payer)? id", r"\d{3}-\d\d-\d{4}"
    ),
    NationalNumber(
        "GB", r"\d{3}([ -]?)\d{3}\1\d{4}", is_nhs, r"nhs|national health|health (?:service )?(?:number|no)|patient"
    ),
    NationalNumber(
        "GB",
        r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PRSTW-Z][A-CEGHJ-NPRSTW-Z]([ -]?)\d\d\1\d\d\1\d\d(?:\1[A-D])?",
        is_any,
        r"national insurance|nino?",
        r".*[A-D]",
    ),
    NationalNumber("DE", r"\d\d([ /]?)\d{3}\1\d{3}\1\d{3}", is_german_tax, r"steuer\w*|idnr|tax|tin", r".*"),
    NationalNumber(
        "FR",
        r"[123478][ .]?\d\d[ .]?\d\d[ .]?(?:\d\d|2[AB])[ .]?\d{3}[ .]?\d{3}[ .]?\d\d",
        is_nir,
        r"nir|s[ée]curit[ée] sociale|insee",
        r".*",
    ),
    NationalNumber(
        "ES",
        r"(?:\d{8}|\d\d\.\d{3}\.\d{3}|[XYZ][ -]?\d{7})[ -]?[A-HJ-NP-TV-Z]",
        is_dni,
        r"dni|nie|nif|identidad",
        r".*[A-Z]",
    ),
    NationalNumber("IT", CODICE, is_codice_fiscale, r"codice fiscale|c\.?f\.?", r".*"),
    NationalNumber("IN", r"[2-9]\d{3}([ -]?)\d{4}\1\d{4}", is_aadhaar, r"aadhaa?r|uidai?", r".*[ -].*"),
    NationalNumber("IN", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", is_any, r"pan|permanent account", r"[A-Z]{3}P.*"),
    NationalNumber("BR", r"\d{3}(\.?)\d{3}\1\d{3}[-/]?\d\d", is_cpf, r"cpf|cadastro", r".*\..*"),
    NationalNumber("CL", r"\d{1,2}(\.?)\d{3}\1\d{3}-?[\dK]", is_rut, r"rut|run", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]"),
    NationalNumber("PL", r"\d{11}", is_pesel, r"pesel"),
    NationalNumber(
        "SE",
        r"(?:19|20)?\d{6}[-+]?\d{4}",
        is_personnummer,
        r"personnummer|samordningsnummer|personal (?:identity )?n",
        r"\d{6}[-+]\d{4}",
    ),
    NationalNumber(
        "FI", r"\d{6}[-+A-FU-Y]\d{3}[\dA-FHJ-NPR-Y]", is_hetu, r"henkilötunnus|hetu|personal identity", r".*"
    ),
    NationalNumber(
        "NO", r"\d{6}[ ]?\d{5}", is_fodselsnummer, r"f[øo]dselsnummer|personnummer|national identity|d-nummer"
    ),
    NationalNumber("DK", r"\d{6}[ -]?\d{4}", is_cpr, r"cpr|personnummer"),
    NationalNumber(
        "BE",
        r"\d\d\.?\d\d\.?\d\d-?\d{3}\.?\d\d",
        is_belgian,
        r"rijksregister\w*|registre national|national (?:register|number)|nrn|insz|niss",
        r".*\..*-.*",
    ),
    NationalNumber("NL", r"\d{9}", is_bsn, r"bsn|burgerservicenummer|sofi"),
    NationalNumber("CN", r"[1-9]\d{5}(?:18|19|20)\d{9}[\dX]", is_resident_identity, r"身份证\w*|resident id\w*", r".*"),
    NationalNumber("MX", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HM][A-Z]{5}[A-Z\d]\d", is_curp, r"curp", r".*"),
    NationalNumber("TR", r"\d{11}", is_kimlik, r"kimlik|t\.?c\.?"),
    NationalNumber(
        "ZA", r"\d{6}[ ]?\d{4}[ ]?[01]\d\d", is_south_african, r"(?:identity|id) (?:number|no)|south african id|said"
    ),
    NationalNumber("KR", r"\d{6}-?[1-8]\d{6}", is_korean, r"resident registration|rrn|주민등록번호", r".*-.*"),
    NationalNumber("CA", r"\d{3}([ -]?)\d{3}\1\d{3}", is_luhn, r"sin|social insurance"),
    NationalNumber("AU", r"\d{3}([ ]?)\d{3}\1\d{3}", is_tfn, r"tfn|tax file"),
    NationalNumber("IL", r"\d{9}", is_luhn, r"teudat zehut|israeli id|תעודת זהות"),
    NationalNumber("", r"(?=[A-Z\d-]{0,16}\d)[A-Z\d](?:-?[A-Z\d]){4,16}", is_any, CARD_OF_LAW),
)
PATTERNS = tuple(
    re.compile(rf"(?<![\w.+-])(?<!\d[ ]){number.form}(?![\w]|[.-]\d)", re.IGNORECASE if number.cue else 0)
    for number in NUMBERS
)
BETWEEN = r"(?:\b[^\n\d]{0,24}?)"  # what may stand between a cue and its number
CUES = tuple(re.compile(rf"(?<![^\W_])(?:{number.cue})(?![^\W_]){BETWEEN}\W?$", re.IGNORECASE) for number in NUMBERS)
ALONE = tuple(re.compile(number.alone) if number.alone else None for number in NUMBERS)
OTHER = re.compile(
    r"\b(?:isbn|order|tracking|serial|part|ticket|invoice|sku|version|ean|imei|timestamp|build|id)\b\W{0,3}(?:no|"
    r"number|nr)?\W{0,3}$",
    re.IGNORECASE,
)


def is_handed_out(text: str) -> bool:
    """Whether some country's rules allow the number; where rules tell little (a licence's), it is not asked."""
    plain = re.sub(r"[\W_]", "", text.upper())
    numbers = [number for number in NUMBERS if number.country and text.isascii()]
    return any(re.fullmatch(number.form, text, re.IGNORECASE) and number.is_valid(plain) for number in numbers)


def find_national_numbers(source: Source) -> Iterator[Span]:
    """Numbers of persons, of the countries in `NUMBERS`; also of driving licences and passports, after a cue."""
    for number, pattern, cue, alone in zip(NUMBERS, PATTERNS, CUES, ALONE, strict=True):
        for match in source.near_digits(pattern):
            spelled = match[0]
            if not spelled.isascii() or not number.is_valid(re.sub(r"[\W_]", "", spelled.upper())):
                continue
            before = source.before(match.start())
            if cue.search(before):
                yield Span(match.start(), match.end(), "national_id", 0.97)
            elif alone and alone.fullmatch(spelled) and not OTHER.search(before):
                yield Span(match.start(), match.end(), "national_id", 0.86)
