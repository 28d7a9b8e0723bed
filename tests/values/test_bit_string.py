"""BIT STRING values."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.values import BitString


def test_the_first_bit_is_the_most_significant_of_the_first_octet() -> None:
    assert BitString("10000001" + "11").octets == b"\x81\xc0"
    assert BitString.from_octets(b"\x81\xc0", 10) == "1000000111"
    assert BitString.from_octets(b"\x81\xff", 10) == "1000000111"
    assert BitString.from_octets(b"", 0) == BitString() == ""
    assert BitString("").octets == b""
    assert repr(BitString("01")) == "BitString('01')"


@given(st.text("01", max_size=100))
def test_bits_go_through_octets(bits: str) -> None:
    value = BitString(bits)
    assert len(value.octets) == (len(bits) + 7) // 8
    back = BitString.from_octets(value.octets, len(bits))
    assert type(back) is BitString
    assert back == value == bits
    assert type(pickle.loads(pickle.dumps(value))) is BitString


@given(st.binary(max_size=20), st.integers(-8, 200))
def test_octets_that_do_not_fit_the_length_are_refused(octets: bytes, bits: int) -> None:
    if bits >= 0 and (bits + 7) // 8 == len(octets):
        assert len(BitString.from_octets(octets, bits)) == bits
    else:
        with pytest.raises(DecodeError):
            BitString.from_octets(octets, bits)


@pytest.mark.parametrize("text", ["2", "0b1", "01 01", "٠١"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(EncodeError):
        BitString(text)
