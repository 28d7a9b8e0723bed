"""The layers that may stand between a wireless frame and its transport layer (EN 13757-4, EN 13757-7).

Each begins with a CI field of its own; behind it stands the next layer, again with its CI field::

    extended link layer (EN 13757-4)
      8C   CC (1)  ACC (1)
      8D   CC (1)  ACC (1)  SN (4)  payload CRC (2)
      8E   CC (1)  ACC (1)  receiver M2 A2 (8)
      8F   CC (1)  ACC (1)  receiver M2 A2 (8)  SN (4)  payload CRC (2)
    authentication and fragmentation layer (EN 13757-7)
      90   AFLL (1)  FCL (2)  [MCL (1)]  [KI (2)]  [MCR (4)]  [MAC]  [ML (2)]       AFLL counts FCL to ML

Numbers are little-endian. CC is communication control, ACC counts accesses, SN is the session: bits 29 to 31 name its
encryption, 0 is none, 1 is AES-CTR. The payload CRC, that of :func:`~cosemic.link.mbus.wireless.crc`, covers all behind
it. FCL: bits 0 to 7 the number of the fragment, bit 14 more fragments follow; bits 13, 12, 11, 10, 9 say that MCL, ML,
MCR, MAC, KI are there.

Read here is where these layers end. Their encryption and authentication are not: what is encrypted, or one fragment of
several, is refused, while a MAC is shown and not verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.mbus.header import DeviceAddress
from cosemic.link.mbus.wireless import crc

FRAGMENTATION: Final = 0x90
_RECEIVER: Final = frozenset((0x8E, 0x8F))
_SESSION: Final = frozenset((0x8D, 0x8F))
_EXTENDED: Final = frozenset((0x8C, 0x8D, 0x8E, 0x8F))
_MORE_FRAGMENTS: Final = 0x4000
_FIELDS: Final = ((0x2000, "mcl", 1), (0x0200, "ki", 2), (0x0800, "mcr", 4))
_MAC: Final = 0x0400
_ML: Final = 0x1000
_MOST_LAYERS: Final = 4


@dataclass(frozen=True, slots=True)
class ExtendedLinkLayer:
    """``receiver`` stands in CI 8E and 8F, ``session`` in 8D and 8F."""

    communication_control: int
    access_number: int
    receiver: DeviceAddress | None = None
    session: int | None = None

    @property
    def ci(self) -> int:
        """The CI field that these fields need."""
        return 0x8C | (self.receiver is not None) << 1 | (self.session is not None)

    @property
    def encryption(self) -> int:
        """How what follows is encrypted; 0 is not at all."""
        return 0 if self.session is None else self.session >> 29

    def encode(self, payload: bytes) -> bytes:
        """Return the layer, its CI field first, with ``payload`` behind it. Raises EncodeError where a field is too
        large."""
        if not (0 <= self.communication_control <= 0xFF and 0 <= self.access_number <= 0xFF):
            raise EncodeError("CC and ACC of an extended link layer are octets")
        if self.session is not None and not 0 <= self.session < 1 << 32:
            raise EncodeError("SN of an extended link layer is of 32 bits")
        layer = bytes((self.ci, self.communication_control, self.access_number))
        if self.receiver is not None:
            layer += self.receiver.encode_radio()
        if self.session is not None:
            layer += self.session.to_bytes(4, "little") + crc(payload).to_bytes(2, "little")
        return layer + payload


@dataclass(frozen=True, slots=True)
class FragmentationLayer:
    """The authentication and fragmentation layer; fields that are not there are None, or empty."""

    fragment: int
    more_fragments: bool
    mcl: int | None = None
    ki: int | None = None
    mcr: int | None = None
    mac: bytes = b""
    ml: int | None = None


WirelessLayer: TypeAlias = ExtendedLinkLayer | FragmentationLayer


def split_layers(payload: bytes) -> tuple[tuple[WirelessLayer, ...], int, bytes]:
    """Take the layers off a payload that begins with a CI field; return them, the CI field behind them, and the rest.

    At most four layers are taken off. Raises DecodeError where octets are missing, a payload CRC is wrong, or the rest
    is encrypted or a fragment.
    """
    layers: list[WirelessLayer] = []
    while payload and len(layers) < _MOST_LAYERS:
        ci = payload[0]
        if ci in _EXTENDED:
            layer, payload = _extended(ci, payload)
        elif ci == FRAGMENTATION:
            layer, payload = _fragmentation(payload)
        else:
            return tuple(layers), ci, payload[1:]
        layers.append(layer)
    raise DecodeError(f"a CI field behind {len(layers)} layers", 0, "wmbus")


def _extended(ci: int, payload: bytes) -> tuple[WirelessLayer, bytes]:
    receiver_end = 11 if ci in _RECEIVER else 3
    end = receiver_end + (6 if ci in _SESSION else 0)
    if len(payload) < end:
        raise DecodeError(f"{end} octets of an extended link layer, not {len(payload)}", 0, "wmbus.ell")
    receiver = DeviceAddress.decode_radio(payload[3:11]) if ci in _RECEIVER else None
    if ci not in _SESSION:
        return ExtendedLinkLayer(payload[1], payload[2], receiver), payload[end:]
    session = int.from_bytes(payload[receiver_end : receiver_end + 4], "little")
    layer = ExtendedLinkLayer(payload[1], payload[2], receiver, session)
    if layer.encryption:
        raise DecodeError("an extended link layer without encryption: it cannot be deciphered here", 0, "wmbus.ell")
    if crc(payload[end:]) != int.from_bytes(payload[end - 2 : end], "little"):
        raise DecodeError("the right CRC of the payload", end - 2, "wmbus.ell.crc")
    return layer, payload[end:]


def _fragmentation(payload: bytes) -> tuple[WirelessLayer, bytes]:
    end = 2 + payload[1] if len(payload) > 1 else 0
    if not 4 <= end <= len(payload):
        raise DecodeError("AFLL, and as many octets as it says", 1, "wmbus.afl")
    control = int.from_bytes(payload[2:4], "little")
    fields: dict[str, int] = {}
    offset = 4
    for bit, name, length in _FIELDS:
        if control & bit:
            fields[name] = int.from_bytes(payload[offset : offset + length], "little")
            offset += length
    ml_length = 2 if control & _ML else 0
    mac = payload[offset : end - ml_length]
    if offset + ml_length > end or bool(mac) != bool(control & _MAC):
        raise DecodeError("the fields that FCL names, as long as AFLL says", 2, "wmbus.afl")
    if ml_length:
        fields["ml"] = int.from_bytes(payload[end - ml_length : end], "little")
    layer = FragmentationLayer(control & 0xFF, bool(control & _MORE_FRAGMENTS), mac=mac, **fields)
    if layer.more_fragments or layer.fragment > 1:
        raise DecodeError(f"a whole message, not fragment {layer.fragment} of several", 2, "wmbus.afl")
    return layer, payload[end:]
