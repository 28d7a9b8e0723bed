"""Who is meant by an HDLC address (IEC 62056-46): special numbers, and addresses in more than one length.

==================  =====================  =====================  =========================================
part                1 or 2 octets          4 octets               means
==================  =====================  =====================  =========================================
upper or lower      00                     0000                   NO_STATION: discarded
upper or lower      7F                     3FFF                   ALL_STATION: everybody, nobody answers
lower               7E                     3FFE                   CALLING: the meter that sends by itself
==================  =====================  =====================  =========================================

An address of one octet has no lower part; between two stations it means whichever device is there.
"""

from __future__ import annotations

from typing import Final

from cosemic.link.hdlc.frame import HdlcAddress

NO_STATION: Final = 0
ALL_STATION: Final = 0x7F
"""The SAP of all logical devices, whatever the length of the address that names them."""


def calling(address: HdlcAddress) -> int:
    """Return CALLING, as a lower part of an address of this size."""
    return address.all_station - 1


def is_broadcast(address: HdlcAddress) -> bool:
    """Whether either part is ALL_STATION."""
    return address.all_station in (address.upper, address.lower)


def same_station(one: HdlcAddress, other: HdlcAddress) -> bool:
    """Whether two addresses, perhaps of different length, mean the same logical device."""
    return one.octets == other.octets or (one.upper == other.upper and same_device(one, other))


def same_device(one: HdlcAddress, other: HdlcAddress) -> bool:
    """Whether two addresses, perhaps of different length, may mean the same physical device."""
    if one.lower == other.lower or one.lower is None or other.lower is None:
        return True
    return any(each.lower in (each.all_station, calling(each)) for each in (one, other))


def written(address: HdlcAddress) -> str:
    """Return the address as a URL writes it: upper, or upper/lower."""
    return str(address.upper) if address.lower is None else f"{address.upper}/{address.lower}"
