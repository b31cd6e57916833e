"""Dates of birth: dates that a text says somebody was born on. Other dates are left."""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span
from minigpt.corpus.personal.words import words

# In English, German, French, Spanish, Italian, Portuguese, Dutch, Polish and the Scandinavian languages.
MONTHS = "|".join(
    sorted(
        words(
            """
            january jan januar janvier januari enero ene gennaio janeiro stycznia
            february feb februar février fevrier febrero februari febbraio fevereiro lutego
            march mar mars märz marz maart marzo março marco marca mrt
            april apr avril abril aprile kwietnia
            may mai mei mayo maggio maio maja maj
            june jun juni juin junio giugno junho czerwca
            july jul juli juillet julio luglio julho lipca
            august aug août aout agosto augusti augustus sierpnia
            september sep sept septembre septiembre settembre setembro września
            october oct oktober okt octobre octubre ottobre outubro października
            november nov novembre noviembre novembro listopada
            december dec dezember dez décembre decembre diciembre dicembre dezembro desember grudnia
            """
        ),
        key=len,
        reverse=True,
    )
)
MONTH = rf"(?:{MONTHS})\.?"
DAY = r"(?:[12]\d|3[01]|0?[1-9])"
YEAR = r"(?:18|19|20)\d\d"
DATE = re.compile(
    rf"(?<![\w./-])(?:{YEAR}([-./])(?:1[0-2]|0?[1-9])\1{DAY}|{YEAR}(?:1[0-2]|0[1-9])(?:[0-2]\d|3[01])|"
    rf"{YEAR}[ ]?年[ ]?\d\d?[ ]?月[ ]?\d\d?[ ]?日|{DAY}([-./ ])(?:1[0-2]|0?[1-9])\2(?:{YEAR}|\d\d)|"
    rf"(?:1[0-2]|0?[1-9])([-./]){DAY}\3(?:{YEAR}|\d\d)|{DAY}(?:st|nd|rd|th|er|º|\.)?(?:[ -](?:day[ ])?(?:of[ ]|"
    rf"de[ ])?)?{MONTH},?[ -]?(?:de[ ])?(?:{YEAR}|\d\d)|{MONTH}[ ]{DAY}(?:st|nd|rd|th)?,?[ ]{YEAR})"
    r"(?![^\W\d_T生]|[\d_-]|[./]\d)",  # T: of a time behind it (ISO 8601); 生: "born" in Japanese
    re.IGNORECASE,
)
# The first ones may be the name of a field.
FIELDS = r"birth(?:s|day|date)?|d\.?o\.?b|date_?of_?birth|geburts(?:datum|tag)|naissance|nacimiento|nascimento|nascita"
WORDS = (
    r"born|b-?day|geboren|geb|n[ée]+e?s?(?=[ ]le)|nacid[oa]|nat[oa](?=[ ](?:il|l'|a|in|em|no|na)\b)|nascid[oa]|"
    r"geboortedatum|född|født|syntynyt|urodzon[ya]|ur(?=\.)|родил(?:ся|ась)|рождения"
)
CUE = re.compile(
    rf"(?:(?<![\w.])b\.[ ]$|(?:(?:\b|_)(?:{FIELDS})|\b(?:{WORDS}))\b[^\n\d]{{0,12}}(?:\n[ \t]{{0,4}})?[^\n\d]{{0,24}}$|"
    r"生年月日|出生日期|生日)[ :：]{0,3}$",
    re.IGNORECASE,
)
CUE_AFTER = re.compile(
    r"[ ]?\(?(?:is (?:my|his|her|their) (?:birthday|date of birth)|geboren|\(?dob\)?)\b|[ ]?(?:生まれ|出生)",
    re.IGNORECASE,
)


def find_dates_of_birth(source: Source) -> Iterator[Span]:
    """Dates after "born on", "date of birth", "geboren am" and the like."""
    for match in source.near_digits(DATE):
        if CUE.search(source.before(match.start(), 60)) or CUE_AFTER.match(source.after(match.end())):
            yield Span(match.start(), match.end(), "date_of_birth", 0.95)
