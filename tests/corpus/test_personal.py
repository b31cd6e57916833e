"""Personal information: what is found, what is left alone, and what stands in its place."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.corpus.personal import KINDS, Pseudonyms, Span, find, replace
from minigpt.corpus.personal.plain import plain
from minigpt.corpus.personal.span import without_overlaps
from minigpt.errors import UserError


def found(text, *kinds):
    """(kind, the piece of the text) of everything that is found."""
    return [(span.kind, text[span.start : span.end]) for span in find(text, kinds or KINDS)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Write to ann@example.org.", "ann@example.org"),
        ("mailto:a.b+c@mail.example.co.uk?subject=x", "a.b+c@mail.example.co.uk"),
        ("'o'brien@example.ie'", "o'brien@example.ie"),
        ("<jörg@bücher.example>", "jörg@bücher.example"),
        ("user=bob@example.com&x=1", "bob@example.com"),
        ("at bob (at) example (dot) org now", "bob (at) example (dot) org"),
    ],
)
def test_an_address_is_found_to_the_character(text, address):
    assert found(text, "email") == [("email", address)]


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png",
        "y = a@b.shape",
        "c = a@b.T",
        "git@github.com:ann/tool.git",
        "https://u:pw@example.com/",
        "@a.bc",
        "a@b",
    ],
)
def test_what_only_looks_like_an_address_is_left(text):
    assert not find(text, ["email"])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("from 10.20.30.4 port 22", "10.20.30.4"),
        ("http://192.168.7.1/x", "192.168.7.1"),
        ("it is 203.0.113.77.", "203.0.113.77"),
        ("host 1.2.3.4", "1.2.3.4"),
        ("[2001:db8:85a3::8a2e:370:7334]:80", "2001:db8:85a3::8a2e:370:7334"),
        ("fe80::1ff:fe23:4567:890a", "fe80::1ff:fe23:4567:890a"),
    ],
)
def test_addresses_of_machines(text, address):
    assert found(text, "ip") == [("ip", address)]


@pytest.mark.parametrize(
    "text",
    [
        "Chrome/120.0.6099.0",
        "version 10.2.33.4",
        "(EC 1.5.99.2)",
        "v1.22.33.4",
        "1.2.3.4",
        "127.0.0.1",
        "255.255.255.0",
        "300.1.2.3",
        "1.3.6.1.4.1",
        "x[1::2]",
        "10:20:30",
        "std::cafe",
        "aa:bb:cc:dd:ee:ff",
        "foo==10.0.12.3",
        "::1",
    ],
)
def test_versions_masks_and_slices_are_no_addresses_of_machines(text):
    assert not find(text, ["ip"])


@pytest.mark.parametrize(
    "number", ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005", "3530111333300000"]
)
def test_cards_with_the_right_check_digit_are_found_and_with_a_wrong_one_left(number):
    assert found(f"my card {number}, please", "card") == [("card", number)]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not find(f"my card {wrong}, please", ["card"])


@pytest.mark.parametrize(
    "text", ["ISBN 9780306406157", "order 4111111111111111", "card 411111111111 1111", "4.111111111111111"]
)
def test_other_long_numbers_are_no_cards(text):
    assert not find(text, ["card"])


@pytest.mark.parametrize("account", ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "NO93 8601 1117 947"])
def test_accounts(account):
    assert found(f"pay to {account} now", "iban") == [("iban", account)]
    assert found(f"PAY TO {account.lower()} NOW", "iban") == [("iban", account.lower())]
    wrong = account[:-1] + str((int(account[-1]) + 1) % 10)
    assert not find(f"pay to {wrong} now", ["iban"])


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(UserError, match="'emial'"):
        find("x", ["emial"])
    with pytest.raises(UserError, match="sequence"):
        find("x", "email")


spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6), st.sampled_from("ab"), st.sampled_from([0.5, 0.7, 0.9])).map(
        lambda t: Span(t[0], t[0] + t[1], t[2], t[3])
    )
)


@given(spans)
def test_of_two_that_overlap_the_surer_stays(drawn):
    kept = without_overlaps(drawn)
    assert kept == sorted(kept)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    for span in set(drawn) - set(kept):
        rivals = [other for other in kept if other.start < span.end and span.start < other.end]
        assert any((other.score, other.end - other.start) >= (span.score, span.end - span.start) for other in rivals)


TEXT = "ann@example.com wrote from 10.2.33.4 to bob@example.com, and ANN@example.com paid with 4111 1111 1111 1111."


def test_placeholders_and_removal():
    assert replace(TEXT, find(TEXT)) == "<EMAIL> wrote from <IP> to <EMAIL>, and <EMAIL> paid with <CARD>."
    assert replace(TEXT, find(TEXT), "remove") == " wrote from  to , and  paid with ."
    with pytest.raises(UserError, match="'hide'"):
        replace(TEXT, [], "hide")
    with pytest.raises(UserError, match="overlaps"):
        replace("abc", [Span(0, 2, "email", 1.0), Span(1, 3, "email", 1.0)])


def test_the_same_value_has_the_same_pseudonym_and_the_secret_decides_which():
    first, again = (replace(TEXT, find(TEXT), Pseudonyms(b"a secret of sixteen")) for _ in range(2))
    other = replace(TEXT, find(TEXT), Pseudonyms(np.random.default_rng(0)))
    assert first == again != other
    ann, bob, same = re.findall(r"\S+@example\.org", first)
    assert ann == same != bob
    assert "192.0.2." in first
    with pytest.raises(UserError, match="guessed"):
        Pseudonyms(b"short")


@given(st.integers(0, 2**32))
def test_pseudonyms_have_the_form_and_the_check_digits_of_what_they_replace(seed):
    pseudonyms = Pseudonyms(np.random.default_rng(seed))
    assert re.fullmatch(r"0000 \d{4} \d{4} \d{4}", pseudonyms.of("card", "4111 1111 1111 1111"))
    digits = [int(c) for c in pseudonyms.of("card", "378282246310005")]
    assert sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(digits))) % 10 == 0
    account = pseudonyms.of("iban", "DE89370400440532013000")
    assert int("".join(str(int(c, 36)) for c in account[4:] + account[:4])) % 97 == 1
    assert account.startswith("ZZ")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("card 4111\u00a01111\u00a01111\u00a01111.", "card", "4111\u00a01111\u00a01111\u00a01111"),
        ("card ４１１１ １１１１ １１１１ １１１１", "card", "４１１１ １１１１ １１１１ １１１１"),
        (
            "IBAN DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
            "iban",
            "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        ),
        ("SSN 536\u201122\u20118145", "national_id", "536\u201122\u20118145"),
        ("call +44\u200f 7700\u200f 900123 now", "phone", "+44\u200f 7700\u200f 900123"),
        ("phone: ٠١٠٠١٢٣٤٥٦٧", "phone", "٠١٠٠١٢٣٤٥٦٧"),
        ("電話は03-3224-9999です。", "phone", "03-3224-9999"),
        ("请拨打我的手机13812345678谢谢", "phone", "13812345678"),
        ("an e\u0301mile@exa\u0301mple.fr", "email", "e\u0301mile@exa\u0301mple.fr"),
        ("write anna\u200b.smith@example.org", "email", "anna\u200b.smith@example.org"),
    ],
)
def test_spaces_digits_and_marks_of_any_script_hide_nothing(text, kind, value):
    assert (kind, value) in found(text, kind)
    assert value not in replace(text, find(text))


@given(st.text(alphabet="a1é漢\u0301\u200f\u00a0１٣ ", max_size=30))
def test_every_place_of_plain_text_is_one_of_the_text(text):
    shown, places = plain(text)
    places = list(range(len(text) + 1)) if places is None else places
    assert len(places) == len(shown) + 1 and places[-1] == len(text)
    assert all(first <= second for first, second in pairwise(places))
    assert shown.replace(" ", "") == "".join(plain(text[place])[0] for place in sorted(set(places[:-1]))).replace(
        " ", ""
    )


def test_a_value_has_one_pseudonym_whatever_signs_it_is_written_with():
    pseudonyms = Pseudonyms(b"a secret that is kept")
    texts = ["4111 1111 1111 1111", "4111\u00a01111\u00a01111\u00a01111", "４１１１ １１１１ １１１１ １１１１"]
    assert len({replace(text, find(text, ["card"]), pseudonyms) for text in texts}) == 1
