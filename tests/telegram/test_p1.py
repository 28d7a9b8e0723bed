"""P1 telegrams: recorded ones, what may stand around them, and what is none."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError
from cosemic.telegram import DataSet, P1Telegram, crc16_arc, read_p1
from tests.vectors import Record, compare, each_record, octets, record

BODY = b"/XXX5meter\r\n\r\n1-0:1.8.0(000123.456*kWh)\r\n!"


def pairs(body: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """Data sets between a first line and the end."""
    return [(one.address, one.values) for one in read_p1(b"/XXX5\r\n" + body + b"!").datasets]


@each_record("p1")
def test_a_recorded_telegram_gives_what_its_record_says(record: Record) -> None:
    telegram = read_p1(octets(record))
    have = asdict(telegram) | {"crc_ok": telegram.crc_ok}
    have["datasets"] = [dict(one, values=list(one["values"])) for one in have["datasets"]]
    assert compare(record["expected"], have) == []
    assert have.keys() == record["expected"].keys()


@each_record("p1", where=lambda each: each["expected"]["crc_ok"] is True)
def test_any_octet_that_differs_makes_the_crc_wrong(record: Record) -> None:
    telegram = bytearray(octets(record))
    at = telegram.index(b"(") + 1
    telegram[at] ^= 1
    assert read_p1(bytes(telegram)).crc_ok is False


def test_the_check_value_of_crc_16_arc() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", []),
        (b"1-0:1.8.0(1)\r\n", [("1-0:1.8.0", ("1",))]),
        (b"1.8(1)(2)\r\n(3)\n2.8()\r", [("1.8", ("1", "2", "3")), ("2.8", ("",))]),
        (b"1.8(1)2.8(2)", [("1.8", ("1",)), ("2.8", ("2",))]),
        (b"(1)\r\n1.8(2)", [("", ("1",)), ("1.8", ("2",))]),
        (b"text\r\n \r\n1.8(a!b\xb0/)", [("text", ()), ("1.8", ("a!b\xb0/",))]),
    ],
)
def test_data_sets(body: bytes, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert pairs(body) == expected


@pytest.mark.parametrize(
    ("behind", "crc"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"0F0\r\n", 0x0F0),
        (b"\r\n  25803103\r\n\xff\xff", 0x2580),
        (b"abcd", 0xABCD),
        (b"\r\n\xff", None),
    ],
)
def test_the_crc_is_what_stands_behind_the_end(behind: bytes, crc: int | None) -> None:
    computed = None if crc is None else crc16_arc(BODY)
    for noise in (b"", b"\x00\xff\r\n"):
        assert read_p1(noise + BODY + behind) == P1Telegram(
            "/XXX5meter", (DataSet("1-0:1.8.0", ("000123.456*kWh",)),), crc, computed
        )


@pytest.mark.parametrize(
    ("wrong", "offset"),
    [
        (b"", 0),
        (BODY[1:], 0),
        (b"x" + BODY, 0),
        (BODY[:-1], len(BODY) - 1),
        (BODY[:-5] + b"!", 23),
        (BODY + b"\r\n" + BODY, len(BODY) + 2),
    ],
)
def test_what_is_no_telegram_is_refused_where_it_is_wrong(wrong: bytes, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        read_p1(wrong)
    assert caught.value.offset == offset


@given(st.lists(st.sampled_from([*b"/()!\r\n 1*\xff"]), max_size=30).map(bytes) | st.binary(max_size=60))
def test_any_octets_give_a_telegram_or_a_decode_error(octets: bytes) -> None:
    try:
        telegram = read_p1(octets)
    except DecodeError:
        return
    assert telegram.identification.startswith("/")
    text = octets.decode("latin-1")
    assert all(value in text for one in telegram.datasets for value in (one.address, *one.values))


def test_a_telegram_that_is_cut_off_anywhere_before_its_end_is_refused() -> None:
    telegram = octets(record("p1-v5"))
    for end in range(telegram.index(b"!")):
        with pytest.raises(DecodeError):
            read_p1(telegram[:end])
