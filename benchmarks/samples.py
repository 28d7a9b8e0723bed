"""Octets and truths of the workloads, put together with `struct` alone: no contender has a hand in them.

Data encodings: IEC 62056-6-2 clause 4 (`Data`); APDUs: IEC 62056-5-3 clause 8; AARQ and AARE as on a wrapper
association with low level security; protection with suite 0, authenticated encryption, IEC 62056-5-3 clause 5.7.
"""

from __future__ import annotations

import random
import struct
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

REGISTER_LOGICAL_NAME = bytes.fromhex("0100010800ff")
REGISTER_VALUE = 12345678
PROFILE_ROWS = 10_000
PDU_SIZES = {"1k": 1024, "64k": 65_535}
PROFILE_LOGICAL_NAME = bytes.fromhex("0100630100ff")
PROFILE_BUFFER = b"\x00\x07" + PROFILE_LOGICAL_NAME + b"\x02"
ACCESSED = [bytes((0, 0, 96, 8, e, 255)) for e in range(50)]
"""Logical names of Data objects; the value of each is that of the register and its E."""
SINGLY = "gets-50-tcp"
PASSWORD = b"12345678"

ENCRYPTION_KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
AUTHENTICATION_KEY = bytes.fromhex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf")
CLIENT_TITLE = b"CSM\x00\x00\x00\x00\x01"
METER_TITLE = b"MTR\x00\x00\x00\x00\x02"
AUTHENTICATED_ENCRYPTION = 0x30
TAG_LENGTH = 12

Rows = list[list[Any]]


def length(n: int) -> bytes:
    """The length octets of A-XDR: one below 128, else their number and the octets."""
    if n < 0x80:
        return bytes([n])
    octets = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def clock(minute_of_2026: int) -> bytes:
    """Twelve octets of a COSEM date-time, one hour east of UTC, winter time."""
    stamp = datetime(2026, 1, 1) + timedelta(minutes=minute_of_2026)
    day_of_week = stamp.isoweekday()
    return struct.pack(
        ">HBBBBBBBhB", stamp.year, stamp.month, stamp.day, day_of_week, stamp.hour, stamp.minute, 0, 0, -60, 0
    )


def even_rows(count: int) -> Rows:
    """A load profile: clock, status, four registers that grow; every row of the same shape."""
    dice = random.Random(1)
    registers = [12_345_678, 4_321, 98_765_432, 1_000_000_000]
    rows: Rows = []
    for number in range(count):
        registers = [value + dice.randrange(500) for value in registers]
        rows.append([clock(15 * number), dice.choice((0, 0, 0, 8)), *registers])
    return rows


def uneven_rows(count: int) -> Rows:
    """A compressed load profile: clock and status mostly null-data, readings of two lengths, some missing."""
    dice = random.Random(2)
    rows: Rows = []
    for number in range(count):
        readings = [dice.choice((None, dice.randrange(1 << 16), dice.randrange(1 << 16, 1 << 32))) for _ in range(4)]
        rows.append([clock(15 * number) if number % 24 == 0 else None, 0 if number % 4 == 0 else None, *readings])
    return rows


def encoded_rows(rows: Rows) -> bytes:
    """An array of structures: octet-string, unsigned, and readings; None is null-data.

    Readings are double-long-unsigned; where any cell of the rows is null-data, those below 65,536 are long-unsigned.
    """
    even = all(None not in row for row in rows)
    out = bytearray(b"\x01" + length(len(rows)))
    for stamp, status, *readings in rows:
        out += bytes([2, 2 + len(readings)])
        out += b"\x00" if stamp is None else b"\x09\x0c" + stamp
        out += b"\x00" if status is None else bytes([0x11, status])
        for reading in readings:
            if reading is None:
                out += b"\x00"
            elif even or reading > 0xFFFF:
                out += b"\x06" + reading.to_bytes(4, "big")
            else:
                out += b"\x12" + reading.to_bytes(2, "big")
    return bytes(out)


ATTRIBUTE_2 = b"\x00\x03" + REGISTER_LOGICAL_NAME + b"\x02"
GET_REQUEST = b"\xc0\x01\xc1" + ATTRIBUTE_2 + b"\x00"
GET_RESPONSE = b"\xc4\x01\xc1\x00\x06" + REGISTER_VALUE.to_bytes(4, "big")
SET_REQUEST = b"\xc1\x01\xc1" + ATTRIBUTE_2 + b"\x00" + b"\x06" + REGISTER_VALUE.to_bytes(4, "big")
ACTION_REQUEST = b"\xc3\x01\xc1\x00\x03" + REGISTER_LOGICAL_NAME + b"\x01\x01\x0f\x00"

CONFORMANCE = bytes.fromhex("007e1f")
"""Priority management, attribute 0 with get, all block transfers, multiple references, the services of a reader."""
SERVER_CONFORMANCE = bytes.fromhex("00501d")
MULTIPLE_REFERENCES, ACCESS = 0x000200, 0x000040
"""Conformance bits 14 and 17, which the responder agrees to where they are proposed."""
MAX_RECEIVE_PDU_SIZE = 0xFFFF
SERVER_MAX_RECEIVE_PDU_SIZE = 0x0400

APPLICATION_CONTEXT_LN = bytes.fromhex("a109060760857405080101")
MECHANISM_LOW = bytes.fromhex("60857405080201")


def _ber(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + length(len(content)) + content


INITIATE_REQUEST = b"\x01\x00\x00\x00\x06\x5f\x1f\x04\x00" + CONFORMANCE + MAX_RECEIVE_PDU_SIZE.to_bytes(2, "big")
INITIATE_RESPONSE = (
    b"\x08\x00\x06\x5f\x1f\x04\x00" + SERVER_CONFORMANCE + SERVER_MAX_RECEIVE_PDU_SIZE.to_bytes(2, "big") + b"\x00\x07"
)
AARQ = _ber(
    0x60,
    APPLICATION_CONTEXT_LN
    + _ber(0x8A, b"\x07\x80")
    + _ber(0x8B, MECHANISM_LOW)
    + _ber(0xAC, _ber(0x80, PASSWORD))
    + _ber(0xBE, _ber(0x04, INITIATE_REQUEST)),
)
AARE = _ber(
    0x61,
    APPLICATION_CONTEXT_LN
    + bytes.fromhex("a203020100")
    + bytes.fromhex("a305a103020100")
    + _ber(0xBE, _ber(0x04, INITIATE_RESPONSE)),
)
AARQ_TRUTH = {
    "mechanism": 1,
    "password": PASSWORD,
    "conformance": int.from_bytes(CONFORMANCE, "big"),
    "max_receive_pdu_size": MAX_RECEIVE_PDU_SIZE,
}
AARE_TRUTH = {
    "result": 0,
    "conformance": int.from_bytes(SERVER_CONFORMANCE, "big"),
    "max_receive_pdu_size": SERVER_MAX_RECEIVE_PDU_SIZE,
}


def response_of(octets: int) -> bytes:
    """A get-response-normal of exactly so many octets, its value one octet-string (not compressible, fixed)."""
    for head in (b"\xc4\x01\xc1\x00\x09\x00", b"\xc4\x01\xc1\x00\x09\x81\x00", b"\xc4\x01\xc1\x00\x09\x82\x00\x00"):
        body = random.Random(octets).randbytes(octets - len(head))
        apdu = head[:5] + length(len(body)) + body
        if len(apdu) == octets:
            return apdu
    raise ValueError(octets)


def protected(plain: bytes, title: bytes, invocation_counter: int, *, general: bool) -> bytes:
    """`plain` as glo-get-response (CC), or as general-glo-ciphering (DB)."""
    control = bytes([AUTHENTICATED_ENCRYPTION])
    nonce = title + invocation_counter.to_bytes(4, "big")
    sealed = AESGCM(ENCRYPTION_KEY).encrypt(nonce, plain, control + AUTHENTICATION_KEY)
    content = control + nonce[8:] + sealed[: len(plain) + TAG_LENGTH]
    return (b"\xdb\x08" + title if general else b"\xcc") + length(len(content)) + content


def protected_series(octets: int, count: int, *, general: bool) -> list[bytes]:
    """The response of so many octets, protected by the meter under each counter from 1 to `count`."""
    plain = response_of(octets)
    return [protected(plain, METER_TITLE, counter, general=general) for counter in range(1, count + 1)]


def opened(apdu: bytes) -> bytes:
    """The plain text of what a contender protected, however it framed it; raises where a tag or length is wrong."""
    at = 1 if apdu[0] != 0xDB else 2 + apdu[1]
    at += 1 if apdu[at] < 0x80 else 1 + (apdu[at] & 0x7F)
    control, counter, sealed = apdu[at : at + 1], apdu[at + 1 : at + 5], apdu[at + 5 :]
    plain_length = len(sealed) - TAG_LENGTH
    # A tag of 12 octets cannot be handed to AESGCM: encrypting again gives the octets that it must have been.
    stream = AESGCM(ENCRYPTION_KEY).encrypt(CLIENT_TITLE + counter, bytes(plain_length), control + AUTHENTICATION_KEY)
    plain = bytes(a ^ b for a, b in zip(sealed[:plain_length], stream[:plain_length], strict=True))
    again = AESGCM(ENCRYPTION_KEY).encrypt(CLIENT_TITLE + counter, plain, control + AUTHENTICATION_KEY)
    if again[: len(sealed)] != sealed:
        raise ValueError("the authentication tag is wrong")
    return plain


CLIENT_ADDRESS, METER_ADDRESS = 16, 1
HDLC_SIZES = (128, 2030)
"""The default and the longest information field."""


def hdlc_check(octets: bytes) -> bytes:
    """CRC-16/X-25, bit by bit as it is defined, low octet first (IEC 62056-46)."""
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


def hdlc_information(octets: int) -> bytes:
    """An information field of so many octets, with the LLC octets of a server."""
    return LLC_RESPONSE + random.Random(octets).randbytes(octets - len(LLC_RESPONSE))


def hdlc_frame(destination: int, source: int, control: int, information: bytes) -> bytes:
    """A frame between its flags, with addresses of one octet."""
    length = (9 if information else 7) + len(information)
    content = struct.pack(">HBBB", 0xA000 | length, destination << 1 | 1, source << 1 | 1, control)
    if information:
        content += hdlc_check(content) + information
    return b"\x7e" + content + hdlc_check(content) + b"\x7e"


HDLC_I_FRAME = 0x30
"""I, N(S) = 0, N(R) = 1, P/F = 1."""
HDLC_UI_FRAME = 0x13
HDLC_RR_FRAME, HDLC_UA_FRAME = 0x11, 0x73
HDLC_DEFAULTS = bytes.fromhex("8180140502008006020080070400000001080400000001")
"""What a UA agrees to: information fields of 128 octets, windows of 1."""
LLC_RESPONSE = b"\xe6\xe7\x00"
HDLC_STREAM_FRAMES = 40
HDLC_CHUNK = 1460
"""Of a stream, as one segment of TCP brings it."""


def hdlc_stream() -> bytes:
    """Pushes in UI frames of 128 octets of information, one after the other."""
    frame = hdlc_frame(CLIENT_ADDRESS, METER_ADDRESS, HDLC_UI_FRAME, hdlc_information(128))
    return frame * HDLC_STREAM_FRAMES


def in_octets(stream: bytes) -> list[bytes]:
    """The stream as a slow line hands it up."""
    return [stream[at : at + 1] for at in range(len(stream))]


def in_chunks(stream: bytes) -> list[bytes]:
    """The stream as a socket hands it up."""
    return [stream[at : at + HDLC_CHUNK] for at in range(0, len(stream), HDLC_CHUNK)]
