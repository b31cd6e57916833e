"""Dates of birth: dates that a text says somebody was born on. Other dates are left."""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

MONTHS = (
    r"(?:jan(?:uar[yi]?|vier)?|feb(?:ruar[yi]?)?|f[ée]vrier|m[aä]r(?:ch|z|s)?|mars|apr(?:il|ile)?|avril|abril|"
    r"ma[iyj]o?|jun[ei]?|juin|junio|jul[yi]?|juillet|julio|aug(?:ust)?|ao[uû]t|agosto|sep(?:t(?:ember)?|tembre|"
    r"tiembre)?|o[ck]t(?:ober|obre|ubre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember|embre)?|d[ée]cembre|diciembre|"
    r"enero|febrero|marzo)\.?"
)
DAY = r"(?:[12]\d|3[01]|0?[1-9])"
YEAR = r"(?:18|19|20)\d\d"
DATE = re.compile(
    rf"(?<![\w./-])(?:{YEAR}([-./])(?:1[0-2]|0?[1-9])\1{DAY}|{DAY}([-./ ])(?:1[0-2]|0?[1-9])\2(?:{YEAR}|\d\d)|"
    rf"(?:1[0-2]|0?[1-9])([-./]){DAY}\3(?:{YEAR}|\d\d)|{DAY}(?:st|nd|rd|th|\.)?[ -](?:of[ ]|"
    rf"de[ ])?{MONTHS},?[ -](?:de[ ])?(?:{YEAR}|\d\d)|{MONTHS}[ ]{DAY}(?:st|nd|rd|th)?,?[ ]{YEAR})(?![\w-]|[./]\d)",
    re.IGNORECASE,
)
WORDS = (
    r"born|birth(?:s|day|date)?|d\.?o\.?b|b-?day|geboren|geb|geburts(?:datum|tag)|n[ée]+e?s?(?=[ ]le)|naissance|"
    r"nacid[oa]|nacimiento|nat[oa]|nascita|nascid[oa]|nascimento|geboortedatum|född|født|syntynyt|urodzon[ya]"
)
CUE = re.compile(rf"(?<![\w.])b\.[ ]$|\b(?:{WORDS})\b[^\n\d]{{0,12}}(?:\n[ \t]{{0,4}})?[^\n\d]{{0,24}}$", re.IGNORECASE)
CUE_AFTER = re.compile(
    r"[ ]?\(?(?:is (?:my|his|her|their) (?:birthday|date of birth)|geboren|\(?dob\)?)\b", re.IGNORECASE
)


def find_dates_of_birth(source: Source) -> Iterator[Span]:
    """Dates after "born on", "date of birth", "geboren am" and the like."""
    for match in source.near_digits(DATE):
        if CUE.search(source.before(match.start(), 60)) or CUE_AFTER.match(source.after(match.end())):
            yield Span(match.start(), match.end(), "date_of_birth", 0.95)
