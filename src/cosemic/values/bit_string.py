"""BIT STRING values of the Data type bit-string (tag 4) and of the class attributes that hold one.

On the wire: a length in bits, then the bits, first bit in the most significant place of the first octet; the last
octet is filled up with zeros (A-XDR, IEC 62056-5-3, 8).
"""

from __future__ import annotations

from typing import Self

from cosemic.errors import DecodeError, EncodeError


class BitString(str):
    """Bits as text of ``0`` and ``1``, first bit first: ``BitString("0101")[1] == "1"``.

    Raises EncodeError for any other text.
    """

    __slots__ = ()

    def __new__(cls, bits: str = "") -> Self:
        if not set(bits) <= {"0", "1"}:
            raise EncodeError(f"a bit-string is text of 0 and 1, not {bits[:40]!r}")
        return str.__new__(cls, bits)

    @classmethod
    def from_octets(cls, octets: bytes, bits: int) -> Self:
        """Return the first ``bits`` bits of ``octets``; what fills up the last octet is not looked at.

        Raises DecodeError unless ``octets`` is as long as ``bits`` needs.
        """
        if bits < 0 or len(octets) != (bits + 7) // 8:
            raise DecodeError(f"{(bits + 7) // 8} octets for {bits} bits, not {len(octets)}")
        return str.__new__(cls, f"{int.from_bytes(octets):0{8 * len(octets)}b}"[:bits] if bits else "")

    @property
    def octets(self) -> bytes:
        """The bits in octets, filled up with zeros."""
        size = (len(self) + 7) // 8
        return int(self.ljust(8 * size, "0"), 2).to_bytes(size) if size else b""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str.__repr__(self)})"
