"""Text in which every piece of personal information is labelled: templates with slots, filled from invented identities.

The templates and 3,000 identities are those of Microsoft's presidio-evaluator (MIT; the identities by
fakenamegenerator.com). What it draws with other packages, numbers of cards and the like, is drawn here.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigpt.corpus.personal.invented import INVENTED, pick
from minigpt.files import read_text
from minigpt.text.fetch import fetch_package

SLOT = re.compile(r"\{\{([a-z_]+)\}\}")
BETWEEN = re.compile(r"[\s,>?]{0,12}")  # between two parts of one address


class Label(NamedTuple):
    """text[start:end] is personal information of this kind."""

    start: int
    end: int
    kind: str


class Document(NamedTuple):
    """A text and all that is personal in it, in order."""

    text: str
    labels: tuple[Label, ...]


# What each slot is called here; slots that are not named (organizations, jobs, years) tell nothing of one person.
KIND_OF = {
    **dict.fromkeys(
        (
            "person",
            "name",
            "first_name",
            "last_name",
            "name_male",
            "name_female",
            "first_name_male",
            "first_name_female",
            "last_name_male",
            "last_name_female",
            "first_name_nonbinary",
        ),
        "name",
    ),
    **dict.fromkeys(
        ("address", "street_name", "building_number", "secondary_address", "postcode", "zipcode"), "address"
    ),
    "credit_card_number": "card",
    "iban": "iban",
    "phone_number": "phone",
    "email": "email",
    "ip_address": "ip",
    "ssn": "national_id",
    "us_driver_license": "national_id",
    "date_of_birth": "date_of_birth",
    "username": "username",
    "handle": "username",
    "profile": "url",
    "token": "key",
    "password": "key",
    **dict.fromkeys(("gb_nhs", "gb_nino", "de_tax", "es_dni", "in_aadhaar", "br_cpf", "nl_bsn"), "national_id"),
}
# Of kinds that the package's templates do not have.
MORE_SENTENCES = (
    "My NHS number is {{gb_nhs}}, and I was born on {{date_of_birth}}.",
    "National insurance: {{gb_nino}}",
    "Meine Steuer-ID lautet {{de_tax}}.",
    "DNI {{es_dni}}, tel. {{phone_number}}",
    "My Aadhaar number is {{in_aadhaar}}.",
    "CPF: {{br_cpf}}",
    "Mijn BSN is {{nl_bsn}}",
    "Thanks to {{handle}} and {{handle}} for the report!",
    "My username is {{username}} but I cannot log in.",
    "Login: {{username}}\nPassword: {{password}}",
    "/home/{{username}}/.config is not readable",
    "Find me on {{profile}}.",
    "The code is at {{profile}}, mail {{email}}",
    "export TOKEN={{token}}",
    'client = Client(api_key="{{token}}")',
    "I pushed {{token}} by mistake, please revoke it",
)
PLACES = ("city", "state_abbr", "country")  # part of an address beside one, otherwise not personal


class Templates(NamedTuple):
    """Sentences with slots, and the identities that fill them."""

    sentences: list[str]
    identities: list[dict[str, str]]
    organizations: list[str]


def load_templates(folder: Path | None = None, *, progress: bool = True) -> Templates:
    """The package's templates and identities, fetched the first time. `UserError` if that fails."""
    folder = fetch_package("presidio-evaluator", progress=progress) if folder is None else folder
    sentences = (folder / "templates.txt").read_bytes().decode("utf-8", "replace").splitlines()
    rows = csv.DictReader(read_text(folder / "FakeNameGenerator.com_3000.csv").splitlines())
    organizations = read_text(folder / "companies_and_organizations.csv").splitlines()[1:]
    return Templates([line.replace("\\n", "\n") for line in sentences if line.strip()], list(rows), organizations)


def labelled_documents(
    templates: Templates, count: int, rng: np.random.Generator, *, extra: dict[str, Callable[..., str]] | None = None
) -> Iterator[Document]:
    """`count` documents, each a template drawn at random and filled from identities drawn at random.

    One in eight is of `MORE_SENTENCES`, for kinds that the templates do not have.
    extra: other ways to fill slots, by their names; each takes an identity and the generator.
    """
    for _ in range(count):
        sentence = pick(MORE_SENTENCES if rng.random() < 1 / 8 else templates.sentences, rng)
        yield fill(sentence, templates, rng, extra or {})


def fill(
    sentence: str, templates: Templates, rng: np.random.Generator, extra: dict[str, Callable[..., str]]
) -> Document:
    """One template, filled. Slots of a name and of an address are of one person, others of that name anew."""
    parts: list[str] = []
    labels: list[Label] = []
    place, at = 0, 0
    for match in SLOT.finditer(sentence):
        between = sentence[at : match.start()]
        identity = templates.identities[rng.integers(len(templates.identities))]
        slot = match[1]
        value = _value(slot, identity, templates, rng, extra)
        start = place + len(between)
        parts += [between, value]
        place, at = start + len(value), match.end()
        labels += _label(slot, start, place, between, labels)
    return Document("".join([*parts, sentence[at:]]), tuple(labels))


def _label(slot: str, start: int, end: int, between: str, labels: list[Label]) -> Sequence[Label]:
    """The label of what was filled in; parts of one address are joined."""
    if start == end:
        return ()
    is_continued = bool(labels) and labels[-1].kind == "address" and labels[-1].end == start - len(between)
    if (slot in PLACES or KIND_OF.get(slot) == "address") and is_continued and BETWEEN.fullmatch(between):
        labels[-1] = Label(labels[-1].start, end, "address")
        return ()
    return (Label(start, end, KIND_OF[slot]),) if slot in KIND_OF else ()


def _value(
    slot: str,
    identity: dict[str, str],
    templates: Templates,
    rng: np.random.Generator,
    extra: dict[str, Callable[..., str]],
) -> str:
    if slot in extra:
        return extra[slot](identity, rng)
    if slot == "organization":
        return templates.organizations[rng.integers(len(templates.organizations))].strip()
    return INVENTED[slot](identity, rng).strip()
