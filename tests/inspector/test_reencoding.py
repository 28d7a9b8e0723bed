"""Encoding what was decoded gives the same octets; the telegrams of which it gives the canonical ones are listed."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given

import cosemic
from cosemic import apdu
from cosemic.codec import EncodedData
from cosemic.inspector import Decoded, Message
from tests.inspector.expected_failures import EXPECTED_FAILURES, KINDS
from tests.inspector.generated import APDUS, DATA
from tests.vectors import Record, each_record, keys, octets

CANONICAL = {
    # a length of more octets than it needs
    "kamstrup-object-list-block": (b"\x01\x82\x00\x7b", b"\x01\x7b"),
    "ref-gbt-fragment": (b"\x82\x00\x02", b"\x02"),
    # a date-time with a Data tag in front (Kaifa)
    "kaifa-ma304h3e-list2": (b"\x09\x0c\x07\xe1", b"\x0c\x07\xe1"),
    "kaifa-hdlc-list1": (b"\x09\x0c\x07\xe1", b"\x0c\x07\xe1"),
    "kaifa-hdlc-list2": (b"\x09\x0c\x07\xe1", b"\x0c\x07\xe1"),
    "kaifa-hdlc-list3": (b"\x09\x0c\x07\xe1", b"\x0c\x07\xe1"),
    # a time without presence octet, and one without length
    "ref-sn-information-report-cosem-time": (b"\x18\x0c", b"\x18\x01\x0c"),
    "ref-event-notification-time-fixed": (b"\xc2\x01\x07", b"\xc2\x01\x0c\x07"),
    # true is any octet but 00, and sent as 01
    "ref-data-boolean-ff": (b"\x03\xff", b"\x03\x01"),
}
"""What stands in the octets, and what stands there after encoding them again; once in each."""


def pairs(decoded: Decoded) -> Iterator[tuple[bytes, bytes]]:
    """Yield the octets of each APDU and Data, those inside protected ones too, before and after."""
    found: list[object] = [decoded.message]
    found += [entry.message for entry in decoded.entries] + [entry.message for entry in decoded.frames]
    while found:
        message = found.pop()
        if isinstance(message, Message):
            yield message.octets, message.apdu.encode()
            found.append(message.content)
    if decoded.data is not None:
        yield decoded.data.octets, EncodedData.from_typed(decoded.data.typed()).octets


@each_record(*KINDS, where=lambda each: each["id"] not in EXPECTED_FAILURES)
def test_a_recorded_telegram_is_encoded_to_the_octets_it_came_from(record: Record) -> None:
    differences = [
        (before, after)
        for before, after in pairs(cosemic.decode(octets(record), keys=keys(record), kind=record["kind"]))
        if before != after
    ]
    if record["id"] not in CANONICAL:
        assert differences == []
        return
    ((before, after),) = differences
    sent, canonical = CANONICAL[record["id"]]
    assert before.replace(sent, canonical, 1) == after


@given(APDUS)
def test_any_apdu_means_the_same_after_encoding_it_again(octets: bytes) -> None:
    again = apdu.decode(octets).encode()
    # As text, because a NaN equals nothing.
    assert repr(cosemic.decode(again).to_dict()) == repr(cosemic.decode(octets).to_dict())
    assert apdu.decode(again).encode() == again


@given(DATA)
def test_any_data_means_the_same_after_encoding_it_again(octets: bytes) -> None:
    decoded = cosemic.decode(octets, kind="data")
    again = EncodedData.from_typed(decoded.data.typed()).octets
    assert repr(cosemic.decode(again, kind="data").to_dict()) == repr(decoded.to_dict())
