"""Numbers of persons: check digits drawn at random, the forms of many countries, and what only looks like one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.corpus.personal import find
from minigpt.corpus.personal.checks import luhn, luhn_digit, mod_11_10, mod_97, verhoeff
from minigpt.corpus.personal.money import IBAN_LENGTHS, is_iban
from minigpt.corpus.personal.national import NUMBERS
from minigpt.corpus.personal.phone import CODES

digits = st.lists(st.integers(0, 9), min_size=7, max_size=18)


def pieces(text, kind):
    return [text[span.start : span.end] for span in find(text, [kind])]


@pytest.mark.parametrize("check", [luhn, verhoeff, mod_11_10])
@given(digits, st.data())
def test_one_digit_of_ten_is_right_and_no_other_digit_may_change(check, body, data):
    right = [digit for digit in range(10) if check([*body, digit])]
    assert len(right) == 1
    number = [*body, right[0]]
    place = data.draw(st.integers(0, len(number) - 1))
    number[place] = (number[place] + data.draw(st.integers(1, 9))) % 10
    assert not check(number)


@given(digits, st.data())
def test_verhoeff_sees_neighbours_that_changed_places(body, data):
    number = [*body, next(digit for digit in range(10) if verhoeff([*body, digit]))]
    place = data.draw(st.integers(0, len(number) - 2))
    if number[place] != number[place + 1]:
        number[place], number[place + 1] = number[place + 1], number[place]
        assert not verhoeff(number)


def test_check_digits_of_published_examples():
    assert luhn([int(c) for c in "79927398713"]) and luhn_digit([7, 9, 9, 2, 7, 3, 9, 8, 7, 1]) == 3
    assert verhoeff([2, 3, 6, 3]) and mod_97("3214282912345698765432161182") == 1
    assert mod_11_10([int(c) for c in "86095742719"])


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.data())
def test_an_account_of_any_country_is_found_whole_and_none_with_a_changed_sign(country, data):
    body = data.draw(st.text("0123456789", min_size=IBAN_LENGTHS[country] - 4, max_size=IBAN_LENGTHS[country] - 4))
    remainder = int(body + "".join(str(int(c, 36)) for c in country) + "00") % 97
    account = f"{country}{98 - remainder:02d}{body}"
    grouped = " ".join(re.findall(".{1,4}", account))
    assert pieces(f"Send it to {grouped}, please", "iban") == [grouped]
    assert pieces(f"Send it to {account} please", "iban") == [account]
    place = data.draw(st.integers(4, len(account) - 1))
    changed = account[:place] + str((int(account[place]) + 1) % 10) + account[place + 1 :]
    assert not is_iban(changed) and not pieces(f"Send it to {changed} please", "iban")


@given(st.text("0123456789", min_size=14, max_size=14), st.sampled_from(["", " ", "-"]))
def test_cards_are_found_in_groups(rest, mark):
    body = "4" + rest
    number = body + str(luhn_digit([int(c) for c in body]))
    spelled = mark.join(re.findall(".{4}", number))
    assert pieces(f"card: {spelled}.", "card") == [spelled]


NATIONAL = [
    ("SSN", "536-22-8726", "536-00-8726"),
    ("NHS number", "943 476 5919", "943 476 5918"),
    ("national insurance", "AB 12 34 56 C", "BG 12 34 56 C"),
    ("Steuer-ID", "86 095 742 719", "86 095 742 718"),
    ("sécurité sociale", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
    ("sécurité sociale", "1 84 12 2A 451 089 33", "1 84 12 2A 451 089 34"),
    ("DNI", "12345678Z", "12345678A"),
    ("NIE", "X1234567L", "X1234567M"),
    ("codice fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
    ("Aadhaar", "2341 2341 2346", "2341 2341 2347"),
    ("PAN", "ABCPE1234F", "ABCXE1234F"),
    ("CPF", "529.982.247-25", "529.982.247-26"),
    ("RUT", "12.345.678-5", "12.345.678-4"),
    ("PESEL", "44051401359", "44051401358"),
    ("personnummer", "811218-9876", "811218-9875"),
    ("henkilötunnus", "131052-308T", "131052-308U"),
    ("rijksregisternummer", "85.07.30-033.28", "85.07.30-033.29"),
    ("BSN", "111222333", "111222334"),
    ("resident id", "11010519491231002X", "110105194912310021"),
    ("CURP", "HEGG560427MVZRRL04", "HEGG560427MVZRRL05"),
    ("T.C. kimlik", "10000000146", "10000000147"),
    ("ID number", "8001015009087", "8001015009088"),
    ("social insurance", "046 454 286", "046 454 287"),
    ("tax file number", "123 456 782", "123 456 783"),
]


@pytest.mark.parametrize(("cue", "right", "wrong"), NATIONAL)
def test_national_numbers_with_their_cue(cue, right, wrong):
    assert pieces(f"My {cue} is {right}, thanks.", "national_id") == [right]
    assert not pieces(f"My {cue} is {wrong}, thanks.", "national_id")


@pytest.mark.parametrize("number", ["943 476 5919", "44051401359", "111222333", "046 454 286", "529 982 247 25"])
def test_forms_that_other_numbers_have_count_with_their_cue_only(number):
    assert not pieces(f"There are {number} of them.", "national_id")


@pytest.mark.parametrize("number", ["536-22-8726", "12345678Z", "RSSMRA85T10A562S", "529.982.247-25", "131052-308T"])
def test_forms_that_nothing_else_has_need_no_cue(number):
    assert pieces(f"({number})", "national_id") == [number]


def test_licences_and_passports_after_their_cue():
    assert pieces("My driver's license number is S530-460-99-424-0", "national_id") == ["S530-460-99-424-0"]
    assert pieces("Passport no: C01X0006H.", "national_id") == ["C01X0006H"]
    assert len({number.country for number in NUMBERS}) > 20


PHONES = [
    "+1-212-555-0123",
    "+41 (0)22 345 67 89",
    "+447700900123",
    "+49 30 12345678",
    "+81 90-1234-5678",
    "(212) 555-0123",
    "(212)555-0123x4417",
    "212-555-0123",
    "212.555.0123 ext. 5",
    "001-212-555-0123",
    "0044 20 7946 0958",
    "020 7946 0958",
    "030/12345678",
    "01 23 45 67 89",
    "01.89.75.72.28",
    "(02) 4785 8164",
    "0699 183 83 86",
    "06-21456718",
    "(17) 6020-7557",
    "+55 11 91234-5678",
    "+91 98765 43210",
]


@pytest.mark.parametrize("number", PHONES)
def test_telephone_numbers_that_need_no_cue(number):
    assert pieces(f"Hello, {number}!\nBye", "phone") == [number]


@pytest.mark.parametrize(
    "number", ["5550123456", "84 23 30", "448 2197", "9416 5007", "(59) 106-048", "42-95-00-21", "25 470375"]
)
@pytest.mark.parametrize(
    "text",
    [
        "call me at {} now",
        "Phone: {}\n",
        "messages to {}. Bye",
        "my number is {}",
        "it is {}-Fax",
        "Mobile:{}",
        "Mi teléfono es {}",
        "Zadzwoń: {}",
        "телефон: {}",
    ],
)
def test_any_row_of_digits_after_a_cue(text, number):
    assert pieces(text.format(number), "phone") == [number]


@pytest.mark.parametrize("number", ["5550123456", "84 23 30", "448 2197", "9416 5007", "25 470375"])
def test_a_row_of_digits_without_a_cue_is_left(number):
    assert not pieces(f"There were {number} of them", "phone")


@pytest.mark.parametrize(
    "text",
    [
        "order 5550123456",
        "the call returned 5550123456 rows",
        "call(5550123456)",
        "2024-01-15 10:30:45",
        "call on 12.05.2023 at 10",
        "ISBN 0-306-40615-2",
        "978-3-16-148410-0",
        "123e4567-e89b-12d3-a456-426614174000",
        "1,234,567,890",
        "3.14159265358979",
        "192.168.100.200",
        "10.1000/182",
        "$212-555-0123",
        "ticket 212-555-0123",
    ],
)
def test_other_numbers_are_no_telephone_numbers(text):
    assert not find(text, ["phone"])


def test_every_country_code_is_one_or_none():
    known = [str(code) for code in (1, 7, 20, 33, 44, 49, 55, 61, 81, 86, 91, 212, 351, 380, 420, 852, 971)]
    assert all(CODES.fullmatch(code) for code in known)
    assert not any(CODES.fullmatch(code) for code in ("0", "2", "21", "80", "99", "210"))
