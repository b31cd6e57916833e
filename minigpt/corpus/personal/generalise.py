"""Quasi-identifiers: what names nobody alone, and one person together. Made coarser, and measured.

Sweeney (2002), "k-anonymity: a model for protecting privacy": a table has k-anonymity if whoever is looked up by the
quasi-identifiers shares them with k - 1 others at least. That is a property of these columns of this table, and no
promise: who knows another column, or that all k share a secret, learns it all the same (Machanavajjhala et al. 2007).
"""

import datetime
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from minigpt.corpus.personal.birth import YEAR
from minigpt.errors import UserError

OLDEST = 90  # ages from here on are one group (45 CFR 164.514(b)(2)(i)(C))
BRITISH = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)\s*\d[A-Z]{2}", re.IGNORECASE)
CANADIAN = re.compile(r"([A-Z]\d[A-Z])\s*\d[A-Z]\d", re.IGNORECASE)


def age_band(age: Any, width: int = 10) -> str:
    """The band of an age in years: 37 gives 30-39; from 90 on, 90+. `UserError` if it is no age."""
    text = str(age).strip()
    if not re.fullmatch(r"\d{1,3}(\.\d+)?", text):
        raise UserError(f"{text!r:.50} is no age in years; leave the row out, or another rule for the column")
    years = int(float(text))
    low = years // width * width
    return f"{OLDEST}+" if years >= OLDEST else f"{low}-{min(low + width, OLDEST) - 1}"


def year_of(date: Any) -> str:
    """The year of a date: 1982-03-29 and 29 March 1982 give 1982. `UserError` if there is none, or more than one."""
    if isinstance(date, datetime.date):
        return str(date.year)
    years = set(re.findall(rf"(?<!\d){YEAR}(?!\d)", str(date)))
    if len(years) != 1:
        raise UserError(f"{date!s:.50} does not say one year in four digits; write the date as 1982-03-29")
    return years.pop()


def first_part(postcode: Any) -> str:
    """The part of a postcode that stands for a region: SW1A of SW1A 1AA, K1A of K1A 0B1, else the first digits.

    Of five digits or more three stay, of four two; of a code of three digits one.
    """
    text = str(postcode).strip()
    if split := BRITISH.fullmatch(text) or CANADIAN.fullmatch(text):
        return split[1].upper()
    digits = re.sub(r"\D", "", text.split("-")[0])
    if len(digits) < 3:
        raise UserError(f"{text!r:.50} is no postcode with three digits or more; leave the row out")
    return digits[: 3 if len(digits) >= 5 else len(digits) - 2]


RULES: dict[str, Callable[[Any], Any]] = {
    "age": age_band,
    "date": year_of,
    "postcode": first_part,
    "drop": lambda value: "",
}
Record = Mapping[str, Any]


def generalise(records: Sequence[Record], rules: Mapping[str, str | Callable[[Any], Any]]) -> list[dict[str, Any]]:
    """The records with coarser values in some columns.

    Parameters
    ----------
    records : sequence of mappings
        Rows of a table, column to value.
    rules : mapping
        Column to "age", "date", "postcode", "drop", or a function of the value.

    Raises
    ------
    UserError
        If there is no such rule or column, or a value that the rule does not understand.

    Examples
    --------
    >>> from minigpt.corpus.personal.generalise import generalise
    >>> generalise([{"age": 37, "postcode": "SW1A 1AA", "illness": "flu"}], {"age": "age", "postcode": "postcode"})
    [{'age': '30-39', 'postcode': 'SW1A', 'illness': 'flu'}]
    """
    made = {}
    for column, rule in rules.items():
        if isinstance(rule, str) and rule not in RULES:
            raise UserError(f"there is no rule {rule!r} for the column {column}; choose of {', '.join(RULES)}")
        made[column] = RULES[rule] if isinstance(rule, str) else rule
    rows = []
    for record in records:
        _check_columns(record, made)
        rows.append({name: made[name](value) if name in made else value for name, value in record.items()})
    return rows


class Anonymity(NamedTuple):
    """How many share the quasi-identifiers of a record."""

    k: int  # the smallest number of records that have the same
    records: int
    classes: int  # how many different combinations there are
    unique: float  # the share of records that nobody shares
    risk: float  # the chance to name the right record for one who is looked up: classes / records


def k_anonymity(records: Sequence[Record], quasi: Sequence[str]) -> Anonymity:
    """k of a table, for these columns. `UserError` if it is empty or a column is missing.

    Examples
    --------
    >>> from minigpt.corpus.personal.generalise import k_anonymity
    >>> k_anonymity([{"age": 37}, {"age": 37}, {"age": 38}], ["age"])
    Anonymity(k=1, records=3, classes=2, unique=0.3333333333333333, risk=0.6666666666666666)
    """
    if isinstance(quasi, str) or not records or not quasi:
        raise UserError(f"k-anonymity needs records and columns, not {len(records)} records and {quasi!r}; give both")
    for record in records:
        _check_columns(record, quasi)
    sizes = Counter(tuple(record[column] for column in quasi) for record in records)
    unique = sum(size == 1 for size in sizes.values()) / len(records)
    return Anonymity(min(sizes.values()), len(records), len(sizes), unique, len(sizes) / len(records))


def _check_columns(record: Record, columns: Sequence[str] | Mapping[str, Any]) -> None:
    missing = [column for column in columns if column not in record]
    if missing:
        raise UserError(f"a record has no column {missing[0]!r}; it has {', '.join(map(str, record)) or 'none'}")
