"""Addresses, dates of birth, URLs, user names, keys and names: spans to the character, and what is left alone."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.corpus.personal import KINDS, Pseudonyms, find, replace
from minigpt.corpus.personal.negatives import hard_negatives
from minigpt.errors import UserError


def pieces(text, kind):
    return [text[span.start : span.end] for span in find(text, [kind])]


@pytest.mark.parametrize(
    "address",
    [
        "3585 Galts Ave, Red Deer, AB T4N 2A6",
        "1600 Pennsylvania Avenue NW, Washington, DC 20500",
        "Hauptstraße 12, 10115 Berlin",
        "12 rue de la Paix, Paris",
        "Via Roma 10, 35030 Montemerlo",
        "350 Adelaide St\nToronto, ON M5H 1P6",
        "Unit 1234 Box 5678\nAPO AE 12345",
        "456 Smith Squares Apt. 301\nNorth Johnland, CA 90210",
        "Wilgenlaan 40, 7881 PT Emmen",
        "Binzmühlestrasse 30\n San Bernardino\n Switzerland 6565",
        "92 Hounslow Rd, Leeds, CM22 5BG",
        "ul. Insurekcji 16, 43-600 Jaworzno",
    ],
)
def test_an_address_is_found_from_its_street_to_its_postcode(address):
    assert pieces(f"please: {address}!", "address") == [address]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Meet me at Viru 65 tonight", "Viru 65"),
        ("Our shop is on Viru 65 now", "Viru 65"),
        ("Turn left into Viru 65, then stop", "Viru 65"),
        ("on the corner of Viru 65 and the river", "Viru 65"),
        ("Address:\n   Velký průhon 426", "Velký průhon 426"),
        ("My zip code is 75005", "75005"),
        ("ZIP: 101", "101"),
    ],
)
def test_a_cue_makes_an_address_of_words_and_a_number(text, address):
    assert pieces(text, "address") == [address]


@pytest.mark.parametrize("address", ["Boston, MA 02115", "Leeds CM22 5BG", "Toronto, ON M5H 1P6"])
def test_a_town_with_a_postcode_of_an_unmistakable_form_is_an_address(address):
    assert pieces(f"she moved to {address} then", "address") == [address]


def test_a_name_in_a_street_does_not_hide_the_address_that_a_postcode_makes_sure():
    text = "It is in Antonio Vázquez 27 Flat 6, Arona, Spain 38640"
    assert [(span.kind, text[span.start : span.end]) for span in find(text)] == [("address", text[9:])]


def test_a_name_before_an_address_is_no_part_of_it():
    text = "Ms. Ann Christensen Suite 377 1562 Ööbiku\nTartu EE 51004"
    assert pieces(text, "name")[0].startswith("Ann Christensen")
    assert pieces(text, "address") == ["Suite 377 1562 Ööbiku\nTartu EE 51004"]


def test_a_list_of_two_addresses_is_not_read_across_its_and():
    text = "Via Varrone 35\nVilla Santa Croce, CE 81013, and Hauptstraße 12, 10115 Berlin"
    assert pieces(text, "address") == ["Via Varrone 35\nVilla Santa Croce, CE 81013", "Hauptstraße 12, 10115 Berlin"]


@pytest.mark.parametrize(
    "text",
    [
        "I bought 3 Red Roses in Park Lane",
        "Section 12 Main Street",
        "5 Ways to Win",
        "on 12 March Street parade",
        "In 1906 Road Works began",
        "During 1906 it rained",
        "Chapter 12 of War and Peace",
        "Windows 11 Home",
        "Top 10 Places",
        "addresses. RFC 6125 says so",
        "matching of IP addresses, see PEP 3119.\n\nUnit tests are in",
        "SCENE 7.  Florence. A room",
        "Gene ID 250, Uniprot P05187",
        "or 2 episodes within 6",
        "we go to Gate 12, Terminal 3",
        "the shop is on Channel 4",
        "zip 101 files",
        "Model B12 3CD",
        "Room 101, building 7",
        "PID 12345, PPID 1, UID 1000",
    ],
)
def test_numbers_beside_words_are_no_addresses(text):
    assert not find(text, ["address"])


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ('"birthDate": "1982-03-29T00:00:00Z"', "1982-03-29"),
        ("date_of_birth: 1982/03/29", "1982/03/29"),
        ("dateOfBirth=19820329", "19820329"),
        ("DOB 29MAR1982", "29MAR1982"),
        ("née le 1er mai 1982", "1er mai 1982"),
        ("nato il 5 maggio 1982", "5 maggio 1982"),
        ("geboren op 5 mei 1982", "5 mei 1982"),
        ("born on the 12th day of May 1982", "12th day of May 1982"),
        ("Дата рождения: 29.03.1982", "29.03.1982"),
        ("生年月日: 1982年3月29日", "1982年3月29日"),
        ("1982年3月29日生まれ", "1982年3月29日"),
    ],
)
def test_dates_of_birth_of_fields_and_of_other_languages(text, date):
    assert pieces(text, "date_of_birth") == [date]


@pytest.mark.parametrize(
    "text", ["NATO was founded on 4 April 1949", "is ur party on 5 May 2020?", "released 19820329"]
)
def test_dates_of_other_things_are_left(text):
    assert not find(text, ["date_of_birth"])


@pytest.mark.parametrize("date", ["3/29/1982", "1982-03-29", "29 March 1982", "March 29, 1982", "29.03.1982"])
def test_dates_of_birth_count_with_their_cue_only(date):
    for text in ("She was born on {}.", "Date of birth: {}", "DOB {}", "geboren am {}", "my birthday is {}"):
        assert pieces(text.format(date), "date_of_birth") == [date]
    assert not find(f"The contract of {date} was signed", ["date_of_birth"])


def test_the_year_alone_is_left_of_a_date_of_birth():
    text = "She was born on 29 March 1982."
    assert replace(text, find(text), "generalise") == "She was born on 1982."


@pytest.mark.parametrize(
    "url",
    [
        "https://joe:pw@example.com/x",
        "https://github.com/ann-b",
        "https://www.linkedin.com/in/ann-smith-12",
        "https://example.social/@ann",
        "http://example.com/~ann/",
        "https://example.com/users/ann",
        "https://example.com/s?x=1&user=ann",
        "twitter.com/ann_b",
    ],
)
def test_urls_that_name_a_user(url):
    assert pieces(f"see {url}.", "url") == [url]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "https://github.com/features",
        "https://github.com/group/project/issues/86361",
        "https://docs.example.org/3/re.html#x",
        "https://example.com/users/12",
        "ssh://git@github.com/x",
    ],
)
def test_other_urls_are_left(url):
    assert not find(f"see {url}", ["url"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("thanks @ann_b, bye", "@ann_b"),
        ("username: ann_12", "ann_12"),
        ("my username is annab.", "annab"),
        ("cd /home/ann/x", "ann"),
        (r"C:\Users\Ann\x", "Ann"),
        ('login = "ann"', "ann"),
    ],
)
def test_names_on_machines(text, name):
    assert pieces(text, "username") == [name]


@pytest.mark.parametrize(
    "text",
    [
        "@property\ndef f(self):",
        "  @param x the",
        "@dataclass(frozen=True)",
        "npm i @types/node",
        "username: str",
        "user_name = get_user()",
        "/Users/runner/x",
        "@media (max-width: 3px)",
        "SET @count = 5",
        "user_id: UserId",
        "the user is likely using",
        "the @no_type_check effect",
        "WHERE id = @id",
        "@name ||= x",
        "login: failed",
        "login: see the manual",
        "a@b",
    ],
)
def test_annotations_and_types_are_no_names(text):
    assert not find(text, ["username"])


BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("id AKIAIOSFODNN7EXAMPLE!", "AKIAIOSFODNN7EXAMPLE"),
        (f"x {'ghp_' + 'a1B2' * 9} y", "ghp_" + "a1B2" * 9),
        (f"x\n{BLOCK}\ny", BLOCK),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", "-----BEGIN PRIVATE KEY-----\nMIIEow"),
        ("password: hunter22!x", "hunter22!x"),
        ('api_key="9f86d081884c7d659a2feaa0c55ad015"', "9f86d081884c7d659a2feaa0c55ad015"),
        ("Authorization: Bearer abc123DEF456ghi789JKL", "abc123DEF456ghi789JKL"),
        ("seen: q7Rz2LkP9xVb4NtM8sWd3HjF6yTc1GgA", "q7Rz2LkP9xVb4NtM8sWd3HjF6yTc1GgA"),
    ],
)
def test_keys(text, key):
    assert pieces(text, "key") == [key]


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['X']",
        "password is required",
        "token = tokens[i]",
        "secret: ${SECRET}",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "123e4567-e89b-12d3-a456-426614174000",
        "thisIsAVeryLongCamelCaseIdentifierName2024Version",
        "integrity sha512-abC1defGHI2jklMNO3pqrSTU4vwxYZ5abcDEF6ghiJKL7mno==",
    ],
)
def test_sums_identifiers_and_code_are_no_keys(text):
    assert not find(text, ["key"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Kesira Korgay.", "Kesira Korgay"),
        ("ask Dr. Ude Obi about it", "Ude Obi"),
        ("Anna van den Berg said so", "Anna van den Berg"),
        ("Dear Ushi,", "Ushi"),
        ("I met Anna's boss", "Anna"),
        ("Yours sincerely,\nOlu Adu", "Olu Adu"),
        ("Mr. J. Smith paid", "J. Smith"),
        ("Mary O'Brien was born", "Mary O'Brien"),
        ("ask Dr. D’Angelo about it", "D’Angelo"),
        ("My name is John F-Smith.", "John F-Smith"),
        ("it was Kesira Johnson who", "Kesira Johnson"),
        ("Name: Ude Obi\nAge: 3", "Ude Obi"),
    ],
)
def test_names_by_lists_and_context(text, name):
    assert pieces(text, "name") == [name]


@pytest.mark.parametrize(
    "text",
    [
        "The Great Wall",
        "Hello World",
        "Johnson Street",
        "Washington University",
        "Jan 17 12:00",
        "Dear Customer,",
        "In May we saw",
        "Mark the end",
        "the name is required",
    ],
)
def test_other_words_with_capitals_are_no_names(text):
    assert not find(text, ["name"])


def test_hard_negatives_give_nothing():
    found = [(text, find(text)) for text in hard_negatives(500, np.random.default_rng(7))]
    assert not [(text, spans) for text, spans in found if spans]


PARTS = [
    *"0123456789 0123456789 .-/:@_()+'\n\t",
    "٣",
    "²",
    "K",
    "ſ",
    "İ",
    "ß",
    "é",
    "\ud800",
    "𝒜",
    "Ann",
    "Smith",
    "Mr.",
    "phone ",
    "SSN ",
    "born ",
    "http://",
    "www.",
    "key=",
    "user: ",
    "AB",
    "x",
    "Street",
    "rue ",
    "4111",
    "DE89",
    "2001:db8::",
    "NHS ",
    "CPF ",
    "BSN ",
    "password: ",
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
def test_whatever_the_text_spans_lie_in_it_and_can_be_replaced(text):
    spans = find(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    for how in ("placeholder", "remove", "generalise", Pseudonyms(b"a secret of sixteen")):
        replace(text, spans, how)


def test_bytes_are_refused():
    with pytest.raises(UserError, match="bytes"):
        find(b"ann@example.org")


UNITS = [
    "1",
    "1 ",
    "12-",
    "a@b.",
    "A ",
    "Aa ",
    "password: a",
    "eyJ",
    "1.1.",
    "fe80:",
    "@a ",
    "Ab 1 ",
    "12 Ab ",
    "1 Ab\n",
    "(",
    "+1",
    "'",
    "\n",
    "-----BEGIN PRIVATE KEY-----",
    "born on 1.1.1990 ",
    "http://",
    "a (at) ",
    "é",
    "/home/",
]


@pytest.mark.parametrize("unit", UNITS)
def test_hostile_text_takes_time_in_proportion_to_its_length(unit):
    import time

    def seconds(length):
        text = unit * (length // len(unit))
        start = time.process_time()
        find(text, KINDS)
        return time.process_time() - start

    # Another program may slow one of the two down, but not three times; what is quadratic takes 64 times as long.
    ratios = (seconds(32_000) / max(seconds(4_000), 0.02) for _ in range(3))
    assert any(ratio < 24 for ratio in ratios)
