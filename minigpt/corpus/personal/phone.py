"""Telephone numbers: international ones, national ones by the form of their groups, and any others after a cue.

A row of digits alone is a telephone number only where the text says so. International numbers have up to 15 digits
(ITU-T E.164), North American ones a code and an exchange that begin with 2 to 9 (NANPA).
"""

import re
from collections.abc import Iterator

from minigpt.corpus.personal.checks import digits_of
from minigpt.corpus.personal.source import Source
from minigpt.corpus.personal.span import Span

# Separators stand one by one, so that a number does not run on into what else is on the line.
NUMBER = re.compile(
    r"(?<![\w@#$€£%/+-])(?<!\d[ .,])(?:\+|(?=[\d(]))(?:\(\d{1,5}\)|"
    r"\d{1,15}+)(?:[ .\-\u2010-\u2013/\u00a0]?\(\d{1,5}\)|(?:[ .\-\u2010-\u2013/\u00a0]|"
    r"(?<=\)))\d{1,11}+){0,7}+(?:[ ]?(?:x|ext\.?[ ]?|extension[ ])\d{1,6})?+(?![\w%€$]|[.,:/-]\d)",
    re.IGNORECASE,
)
EXTENSION = re.compile(r"[ ]?(?:x|ext\.?[ ]?|extension[ ])\d{1,6}$", re.IGNORECASE)
# The calling codes of countries, by their length (ITU-T E.164, annex of 2016).
CODES = re.compile(
    r"1|7|20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2(?:1[1-8]|[2-69]\d)|3(?:5\d|7[0-8]|8[0-79])|"
    r"42[0139]|5(?:0\d|9\d)|6(?:7\d|8\d|9[0-2])|8(?:5[02356]|80|86)|9(?:6\d|7[0-7]|9[2-8])"
)
NORTH_AMERICAN = re.compile(
    r"(?:(?:\+|00)?1[ .-])?(?:\([2-9]\d\d\)[ ]?|[2-9]\d\d(?P<mark>[ .-]))[2-9]\d\d(?(mark)(?P=mark)|[ .-])\d{4}"
)
# National numbers that begin with the trunk prefix 0, or a code in brackets, and have at least two groups.
TRUNK = re.compile(
    r"0\d{1,5}(?:[ /-]\d{2,8}|[ .]\d{2,4}(?:[ .]\d{2,4}){1,4}|-\d{3,4}-\d{3,4}|[ -]\d{3,4}[ -]\d{2,4}(?:[ -]\d\d)?)"
)
BRACKETS = re.compile(r"(?:8[ ])?(?!\((?:19|20)\d\d\))\(0?\d{1,5}\)[ -]?\d{2,5}(?:[ -]?\d{2,5}){1,3}")
DOTTED_PAIRS = re.compile(r"0[1-9](?:[. -]\d\d){4}")
DATE = re.compile(r"(?:(?:18|19|20)\d\d([ ./-])[01]?\d\1[0-3]?\d|[0-3]?\d([ ./-])[0-3]?\d\2(?:18|19|20)\d\d)(?:\D|$)")
SHORT_DATE = re.compile(r"[0-3]?\d([ ./-])[0-3]?\d\1\d\d(?:\D|$)")
SHORTER = re.compile(r"[ ]\d{1,11}$|^[^ ]*$")

NOUNS = (
    r"(?:tele)?phones?|phone[ ]?(?:number|no)|tel|mob|mobiles?|cell(?:phone|ular)?s?|fax(?:es)?|landline|hotline|"
    r"helpline|whatsapp|signal|viber|telegram|sms|voicemail|pager|switchboard|desk|direct[ ]line|"
    r"contact[ ](?:number|no)|telefon(?:nummer)?|handy(?:nummer)?|mobil(?:nummer)?|rufnummer|festnetz|"
    r"t[ée]l[ée]phone|portable|tel[ée]fonos?|m[óo]vil|celular(?:es)?|telefone|cellulare|telefoon(?:nummer)?|"
    r"telefonnummer|puhelin|telefonszám|telefonu|kom[óo]rk[ai]|zadzwo[ńn]|dzwo[ńn]|телефону?|тел|моб|τηλ|ph"
)
VERBS = (
    r"call(?:s|ed|ing)?|phon(?:e|ed|ing)|dial(?:s|led|ed|ing)?|ring|rang|text(?:s|ed|ing)?|messag(?:e|es|ed|ing)|"
    r"reach(?:ed)?|contact(?:s|ed)?|answer(?:s|ing)?|registered|anrufen|erreich(?:en|bar)|appele[rz]|reached|"
    r"llam(?:ar|e|a|ame)|chiama(?:re|mi)?|lig(?:ar|ue)|bel"
)
TALK = (
    r"(?:[ ](?:me|us|him|her|them|you|back|now|at|on|to|under|via|is|are|was|the|my|our|his|their|your|any|time|"
    r"tomorrow|today|or|and|unter|au|al|em|directly|please))"
)
IS = (
    r"(?:[ ](?:no|nr|number|num|is|are|was|at|on|to|numbers?|me|us|office|home|work|ist|lautet|est|es|[éè]|jest|är|er)"
    r"\b\.?)"
)
# Of scripts without spaces, and of Arabic, whose words carry what others put beside them.
UNSPACED = r"電話(?:番号)?|电话(?:号码)?|手机号?码?|手機|携帯(?:番号)?|전화(?:번호)?|휴대폰|هاتفي?|جوالي?"
CUE = re.compile(
    rf"(?:\b(?:{NOUNS})\b\.?{IS}{{0,3}}[\s:=#.(\"'–-]{{0,4}}|\b(?:{VERBS})\b{TALK}{{1,5}}[ :]{{1,2}}|"
    rf"\b(?:can|may|could|please|to|or|just|should|must|will|and)[ ](?:{VERBS})[ ]|"
    rf"\b(?:registered|answering|reach|dial|text[ ]\w{{1,12}}[ ]to)[ ]|"
    rf"\b(?:my|his|her|our|their|your)[ ](?:new[ ])?(?:number|no\.?|"
    rf"nr\.?)(?:[ ]is)?[ :]{{1,3}}|(?:{UNSPACED})[は是]?[ :]{{0,3}})$",
    re.IGNORECASE,
)
CUE_GROUPED = re.compile(rf"\b(?:{VERBS})[ ]$", re.IGNORECASE)  # enough for a number in groups
CUE_AFTER = re.compile(
    r"[ ]?[-(,]?[ ]?(?:office|fax|mobile|cell|home|work|phone|tel)\b|[ ]is[ ](?:my|his|her|our|their|"
    r"the)[ ](?:new[ ])?(?:mobile|cell|phone|number|fax|work|home)\b",
    re.IGNORECASE,
)
# Words that say what else a number is.
NO_CUE = re.compile(
    r"(?:\b(?:isbn(?:-1[03])?|issn|orders?|invoice|tracking|serial|part|ticket|case|sku|version|release|rows?|id|"
    r"ids|ref|reference|timestamp|port|bytes?|pages?|pp|account|acct|build|commit|issue|chapter|lines?|error|code|"
    r"size|offset|seed|count|total|ean|upc|asin|doi|imei|batch|lot|item|product|model|ssn|nhs|passport|licen[cs]e|"
    r"zip|postcode|room)\b(?:[ ](?:no|number|nr|is|id|code)\b\.?){0,2}[\s:=#.(\"'–-]{0,4})$",
    re.IGNORECASE,
)
UNIT = re.compile(
    r"[ ](?:rows?|bytes?|records|users|items|points|times|tokens|lines|years|days|hours|seconds|ms|km|kg|people|"
    r"steps|dollars|euros?)\b"
)


def find_phones(source: Source) -> Iterator[Span]:
    """Telephone numbers, with their extension."""
    for match in source.near_digits(NUMBER):
        start, text = match.start(), match[0]
        shorter = SHORTER.sub("", text)  # "415-555-2671 3 times": the last group may be another number
        for spelled in (text, shorter) if shorter else (text,):
            if score := _score(source, start, start + len(spelled), spelled):
                yield Span(start, start + len(spelled), "phone", score)
                break


def _score(source: Source, start: int, end: int, text: str) -> float:
    """How surely the text at start:end is a telephone number; 0 if it is none."""
    plain = EXTENSION.sub("", text)
    digits = "".join(map(str, digits_of(plain)))
    before, after = source.before(start), source.after(end)
    if not 6 <= len(digits) <= 15 or NO_CUE.search(before) or UNIT.match(after) or DATE.match(plain):
        return 0
    if CUE.search(before) or CUE_AFTER.match(after) or (plain != digits and CUE_GROUPED.search(before)):
        return 0.95
    if SHORT_DATE.match(plain) and not DOTTED_PAIRS.fullmatch(plain):
        return 0
    if plain.startswith("+"):
        return 0.9 if _is_international(digits) and not re.search(r"\D\d$", plain) else 0
    return 0 if plain == digits else _score_of_groups(plain, digits)


def _score_of_groups(plain: str, digits: str) -> float:
    """Of a number in groups, without a cue: by its form."""
    if digits.startswith("00"):
        return 0.8 if _is_international(digits[2:]) else 0
    if NORTH_AMERICAN.fullmatch(plain):
        return 0.85
    is_national = any(form.fullmatch(plain) for form in (TRUNK, BRACKETS, DOTTED_PAIRS))
    return 0.7 if is_national and (9 if digits[0] == "0" else 8) <= len(digits) <= 12 else 0


def _is_international(digits: str) -> bool:
    """Whether the digits after + or 00 begin with a country's code; those of America and Russia have eleven."""
    return len(digits) == 11 if digits.startswith(("1", "7")) else len(digits) >= 9 and bool(CODES.match(digits))
