"""Negotiation by SNRM and UA (IEC 62056-46), from either side.

SNRM carries what the client can do, UA what the server makes of it; each from its sender's viewpoint, so that the
receiver of one station answers to the transmitter of the other::

                           SNRM                          UA
    client -> server       05 max info transmit     ->   06 min(SNRM 05, server receive)
    server -> client       06 max info receive      ->   05 min(SNRM 06, server transmit)
    client -> server       07 window transmit       ->   08 min(SNRM 07, server receive)
    server -> client       08 window receive        ->   07 min(SNRM 08, server transmit)

A parameter that is absent, or 0, stands for its default (128, 1), which every station can do; without an information
field all do. Some servers write 05 and 06 (07 and 08) from the client's viewpoint: where the two of a UA differ, a
client sends by the smaller one.
"""

from __future__ import annotations

from typing import NamedTuple

from cosemic.errors import DecodeError
from cosemic.link.hdlc.fields import DEFAULT_MAX_INFO, DEFAULT_WINDOW, HdlcParameters
from cosemic.link.hdlc.settings import HdlcSettings


class Agreement(NamedTuple):
    """Octets of information fields and I frames before an acknowledgement, from the own viewpoint."""

    max_info_tx: int = DEFAULT_MAX_INFO
    max_info_rx: int = DEFAULT_MAX_INFO
    window_tx: int = DEFAULT_WINDOW
    window_rx: int = DEFAULT_WINDOW

    @classmethod
    def of(cls, settings: HdlcSettings) -> Agreement:
        """Return what a station can do."""
        return cls(
            settings.max_info_transmit, settings.max_info_receive, settings.window_transmit, settings.window_receive
        )

    @classmethod
    def decode(cls, information: bytes) -> Agreement:
        """Read the information field of a SNRM or UA, or none. Raises DecodeError where it is no such field."""
        told = HdlcParameters.decode(information) if information else HdlcParameters()
        values = (told.max_info_tx, told.max_info_rx, told.window_tx, told.window_rx)
        return cls(*(value or default for value, default in zip(values, DEFAULTS, strict=True)))

    def encode(self) -> bytes:
        """Return the information field. Raises EncodeError where a value is out of its bounds."""
        return HdlcParameters(*self).encode()


DEFAULTS = Agreement()


def offered(own: Agreement) -> bytes:
    """Return the information field of a client's SNRM: none where all are defaults."""
    return b"" if own == DEFAULTS else own.encode()


def agreed_by_client(own: Agreement, information: bytes) -> Agreement:
    """Return what holds for a client after this UA. A field that cannot be read stands for the defaults."""
    try:
        told = Agreement.decode(information)
    except DecodeError:
        told = DEFAULTS
    return Agreement(
        min(own.max_info_tx, told.max_info_rx, told.max_info_tx),
        min(own.max_info_rx, told.max_info_tx),
        min(own.window_tx, told.window_rx, told.window_tx),
        min(own.window_rx, told.window_tx),
    )


def agreed_by_server(own: Agreement, information: bytes) -> tuple[Agreement, bytes]:
    """Return what holds for a server after this SNRM, and the information field of its UA, which always has all four.

    Raises DecodeError or EncodeError where it has to be refused: it cannot be read, or asks for less than the least.
    """
    asked = Agreement.decode(information)
    agreed = Agreement(
        min(own.max_info_tx, asked.max_info_rx),
        min(own.max_info_rx, asked.max_info_tx),
        min(own.window_tx, asked.window_rx),
        min(own.window_rx, asked.window_tx),
    )
    return agreed, agreed.encode()
