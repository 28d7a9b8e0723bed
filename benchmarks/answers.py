"""What the responder answers: prepared octets for each APDU, put together by hand (IEC 62056-5-3 clause 8).

::

    AARQ                  AARE: of what is proposed, what a meter of these services agrees to
    GET of the profile    its Data in blocks of the size that the AARQ named; get-request-next
    GET of anything else  double-long-unsigned, by the E of the logical name; normal and with-list
    ACCESS                the same, one for each attribute
    RLRQ                  RLRE

The invoke-id-and-priority is that of the request.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from benchmarks import samples

RLRE: Final = bytes.fromhex("6303800100")
_UNKNOWN: Final = b"\xd8\x01\x02"
_EMPTY_BLOCK: Final = 12
"""Octets of a get-response-with-datablock around its raw data."""
_ENTRY: Final = 10
"""Octets of an attribute in a list: its descriptor, and one octet before or behind it."""
_AGREED: Final = int.from_bytes(samples.SERVER_CONFORMANCE, "big") | samples.MULTIPLE_REFERENCES | samples.ACCESS


def proposed_pdu_size(aarq: bytes) -> int:
    """Return client-max-receive-pdu-size, with which an AARQ ends."""
    return int.from_bytes(aarq[-2:], "big") or 0xFFFF


def answer(apdu: bytes, pdu_size: int) -> bytes:
    """Return the answer to an APDU, for a client that takes ``pdu_size`` octets."""
    match apdu[:2]:
        case b"\xc0\x01":
            if apdu[3:12] == samples.PROFILE_BUFFER:
                return _block(1, pdu_size, apdu[2:3])
            return b"\xc4\x01" + apdu[2:3] + b"\x00" + _value(apdu[9])
        case b"\xc0\x02":
            return _block(int.from_bytes(apdu[3:7], "big") + 1, pdu_size, apdu[2:3])
        case b"\xc0\x03":
            return b"\xc4\x03" + apdu[2:4] + b"".join(b"\x00" + _value(e) for e in apdu[4 + 6 :: _ENTRY])
    match apdu[0]:
        case 0xD9:
            return b"\xda" + apdu[1:5] + _accessed(apdu[5:])
        case 0x60:
            return _aare(apdu)
        case 0x62:
            return RLRE
    return _UNKNOWN


def _aare(aarq: bytes) -> bytes:
    agreed = _AGREED & int.from_bytes(aarq[-5:-2], "big")
    return samples.AARE[:-7] + agreed.to_bytes(3, "big") + samples.AARE[-4:]


def _value(e: int) -> bytes:
    return b"\x06" + (samples.REGISTER_VALUE + e).to_bytes(4, "big")


@cache
def _accessed(asked: bytes) -> bytes:
    """What follows the long-invoke-id of an access-request: date-time (empty or 12 octets), attributes, null-data."""
    count_at = 1 + asked[0]
    count = asked[count_at]
    names = asked[count_at + 1 : count_at + 1 + _ENTRY * count]
    data = b"".join(map(_value, names[1 + 6 :: _ENTRY]))
    return b"\x00\x00" + bytes([count]) + data + bytes([count]) + b"\x01\x00" * count


def _block(number: int, pdu_size: int, invoke_id_and_priority: bytes) -> bytes:
    parts = _parts(pdu_size)
    if not 1 <= number <= len(parts):
        return _UNKNOWN
    head = bytes([number == len(parts)]) + number.to_bytes(4, "big") + b"\x00"
    raw = parts[number - 1]
    return b"\xc4\x02" + invoke_id_and_priority + head + samples.length(len(raw)) + raw


@cache
def _parts(pdu_size: int) -> list[bytes]:
    """The raw data of the profile, cut so that each block fills an APDU."""
    whole = samples.encoded_rows(samples.even_rows(samples.PROFILE_ROWS))
    size = pdu_size - _EMPTY_BLOCK
    return [whole[at : at + size] for at in range(0, len(whole), size)]
