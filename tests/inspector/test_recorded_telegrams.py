"""Every recorded telegram gives what its record says, by FORMAT.md rule 11; those that cannot yet are listed."""

from __future__ import annotations

import pytest

import cosemic
from cosemic.errors import DecodeError
from tests.inspector.expected_failures import EXPECTED_FAILURES, KINDS
from tests.vectors import Record, compare, each_record, keys, octets


# Strict: a listed record that passes fails the test, and so does an id that no record has.
@each_record(*KINDS, expected_failures=EXPECTED_FAILURES)
def test_a_record_gives_what_it_says(record: Record) -> None:
    decoded = cosemic.decode(octets(record), keys=keys(record), kind=record["kind"])
    assert compare(record["expected"], decoded.to_dict()) == []


@each_record("quirk", "broken")
def test_a_broken_telegram_is_refused_and_read_with_its_quirks(record: Record) -> None:
    expected = record["expected"]
    with pytest.raises(DecodeError):
        cosemic.decode(octets(record), keys=keys(record), kind=expected["decode_as"])
    if expected["tolerant"] is not None:
        decoded = cosemic.decode(
            octets(record), keys=keys(record), kind=expected["decode_as"], quirks=expected["quirks"]
        )
        assert compare(expected["tolerant"], decoded.to_dict()) == []


@each_record("apdu", where=lambda each: each["id"] not in EXPECTED_FAILURES)
def test_without_a_kind_one_apdu_is_read(record: Record) -> None:
    decoded = cosemic.decode(record["hex"], keys=keys(record))
    assert decoded.to_dict() == cosemic.decode(octets(record), keys=keys(record), kind="apdu").to_dict()


@each_record("apdu-untagged")
def test_rows_without_data_tags_are_no_apdu(record: Record) -> None:
    with pytest.raises(DecodeError):
        cosemic.decode(octets(record), kind="apdu")
