"""Lies about WPDUs (IEC 62056-4-7; reference, transports 1).

A stream has no marks by which a receiver could find the next WPDU. So what comes of a lie about length is the same for
both sides: it ends in an error at once, or in silence, and the connection cannot be used any more.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from cosemic.errors import DecodeError, ProtocolError, ResponseTimeout
from cosemic.faults.lies.lie import Closes, Fails, Family, Lie, Says, Silent, Then
from cosemic.faults.lies.telling import HEADER, header, wpdu

_AGAIN: Final = Then.CONNECT_AGAIN
_VERSION: Final = "4-7: version 0001 is the only one; on another the connection is closed"
_LENGTH: Final = "4-7: length counts the octets of the APDU, and nothing else"
_SAPS: Final = "4-7: the answer swaps the wPorts of the request; what is for others is not for this association"
OTHER_SAP: Final = 0x77
"""A SAP that nobody has, on either side."""
_lie: Final = partial(Lie, family=Family.WRAPPER)


WRAPPER_LIES: Final = (
    _lie(
        "version-two",
        "version 0002",
        _VERSION,
        reframe=header(version=2),
        server=Fails(ProtocolError, _AGAIN),
        client=Closes(),
    ),
    _lie(
        "version-zero",
        "version 0000",
        _VERSION,
        reframe=header(version=0),
        server=Fails(ProtocolError, _AGAIN),
        client=Closes(),
    ),
    _lie(
        "hdlc-instead",
        "an HDLC frame in place of the WPDU",
        _VERSION,
        reframe=lambda octets, scene: bytes.fromhex("7ea0070321930f017e"),
        server=Fails(ProtocolError, _AGAIN),
        client=Closes(),
    ),
    _lie(
        "length-short",
        "a length field that is one too small",
        _LENGTH,
        reframe=header(longer=-1),
        server=Fails(DecodeError, _AGAIN),
        client=Says("d80103", _AGAIN),
    ),
    _lie(
        "length-long",
        "a length field that is one too large",
        _LENGTH,
        reframe=header(longer=1),
        server=Fails(ResponseTimeout, _AGAIN),
        client=Silent(_AGAIN),
    ),
    _lie(
        "length-zero",
        "a length field of 0 before an APDU",
        _LENGTH,
        reframe=wpdu(
            lambda version, source, destination, length, apdu: HEADER.pack(version, source, destination, 0) + apdu
        ),
        server=Fails(ProtocolError, _AGAIN),
        client=Closes(),
    ),
    _lie(
        "header-counted",
        "a length field that counts the header too",
        _LENGTH,
        reframe=header(longer=8),
        server=Fails(ResponseTimeout, _AGAIN),
        client=Silent(_AGAIN),
    ),
    _lie(
        "header-cut",
        "five octets of the header, and nothing more",
        "4-7: a header has eight octets; a half message waits for the rest, within the time-out of the receiver",
        reframe=lambda octets, scene: octets[:5],
        server=Fails(ResponseTimeout, _AGAIN),
        client=Silent(_AGAIN),
    ),
    _lie(
        "header-twice",
        "the header twice",
        _LENGTH,
        reframe=lambda octets, scene: octets[:8] + octets,
        server=Fails(DecodeError, _AGAIN),
        client=Closes(),
    ),
    _lie(
        "saps-swapped",
        "source and destination wPort the wrong way round",
        _SAPS,
        reframe=wpdu(
            lambda version, source, destination, length, apdu: HEADER.pack(version, destination, source, length) + apdu
        ),
        server=Fails(ResponseTimeout),
        client=Silent(),
    ),
    _lie(
        "source-foreign",
        "the source wPort of somebody else",
        _SAPS,
        reframe=header(source=OTHER_SAP),
        server=Fails(ResponseTimeout),
        client=Silent(),
    ),
    _lie(
        "destination-foreign",
        "the destination wPort of somebody else",
        _SAPS,
        reframe=header(destination=OTHER_SAP),
        server=Fails(ResponseTimeout),
        client=Silent(),
    ),
    _lie(
        "destination-nobody",
        "destination wPort 0000",
        "4-7: wPort 0000 is no-station",
        reframe=header(destination=0),
        server=Fails(ResponseTimeout),
        client=Silent(),
    ),
)
