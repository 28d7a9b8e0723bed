"""How octets go between a client and a meter: the TCP wrapper, HDLC, the sign-on of mode E before it, wired M-Bus; on
the wrapper also with short names, and with general blocks.

======================  ==============================================================================================
way                     what it is
======================  ==============================================================================================
``tcp``                 the wrapper of IEC 62056-4-7
``sn``                  the same, with short names; what our meter answers at length joins to the Data alone, as pydlms
                        wants it; our client takes either
``gbt-w1``, ``gbt-w6``  as ``tcp``, with general block transfer: blocks that are taken at a time, both ways
``hdlc-w7-i128-a2``     HDLC of IEC 62056-46 over TCP: window, octets of information fields, octets of server addresses
``mode-e``              IEC 62056-21 mode E over a pseudo-terminal, then HDLC with what it has by default
``mbus``                IEC 62056-7-3 over TCP, as behind a converter, the meter called by its primary address
``mbus-secondary``      the same, the meter selected by its secondary address
======================  ==============================================================================================

Of window, information field and address, each value meets each value of the other two. A client is told the way and
where it leads in one argument: :class:`Place`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STATION: Final = 17
"""Lower HDLC address of the meter, for addresses that have a lower part."""
BUS_ADDRESS: Final = 5
"""Its primary M-Bus address."""
IDENTIFICATION: Final = "12345678"
"""Of its secondary M-Bus address, which is on line: four octets BCD, lowest first; manufacturer CSM, version, medium
electricity."""
SECONDARY: Final = bytes.fromhex("78563412") + bytes.fromhex("6d0e") + bytes((1, 2))

READINGS: Final = ("register", "view", "profile", "set-clock")
"""What is done on all ways of another framing than the wrapper, which has everything."""
_IN_GENERAL_BLOCKS: Final = ("long-access",)
"""What needs them."""


@dataclass(frozen=True)
class Way:
    """One way. window, max_info, address: of HDLC, both ways. short_names: in place of logical ones. block_window: of
    general blocks; 0 for those of each service. readings: what is done on it; None: everything."""

    name: str
    window: int = 1
    max_info: int = 128
    address: int = 1
    short_names: bool = False
    block_window: int = 0
    readings: tuple[str, ...] | None = READINGS

    @property
    def framing(self) -> str:
        """``tcp``, ``hdlc``, ``mode-e`` or ``mbus``."""
        if self.name == "mode-e":
            return self.name
        return "tcp" if self.short_names or self.block_window else self.name.partition("-")[0]

    @property
    def cuts(self) -> bool:
        """Whether clients, too, take APDUs of ``meter.MAX_PDU_SIZE`` at most, so that answers come in blocks."""
        return self.short_names or bool(self.block_window)

    def has(self, reading: str) -> bool:
        """Whether that is done on it."""
        return reading not in _IN_GENERAL_BLOCKS if self.readings is None else reading in self.readings

    @property
    def station(self) -> int | None:
        """The lower part of the server address, where it has one."""
        return None if self.address == 1 else STATION

    @property
    def selects(self) -> bool:
        """Whether the meter is selected by its secondary address."""
        return self.name.endswith("secondary")


def _hdlc(window: int, max_info: int, address: int) -> Way:
    return Way(f"hdlc-w{window}-i{max_info}-a{address}", window, max_info, address)


TCP: Final = Way("tcp", readings=None)
SN: Final = Way(
    "sn",
    short_names=True,
    readings=(*READINGS, "entries", "message", "long-message", "value", "disconnect", "shift-clock", "notified"),
)
GBT: Final = tuple(
    Way(
        f"gbt-w{window}",
        block_window=window,
        readings=("register", "view", "profile", "access-read", "long-message", "long-access"),
    )
    for window in (1, 6)
)
MODE_E: Final = Way("mode-e")
HDLC: Final = (
    _hdlc(1, 128, 1), _hdlc(7, 2030, 1), _hdlc(1, 2030, 2), _hdlc(7, 128, 2), _hdlc(1, 128, 4), _hdlc(7, 2030, 4),
)  # fmt: skip
MBUS: Final = (Way("mbus"), Way("mbus-secondary"))
OBSERVED: Final = (TCP, SN, *GBT, *HDLC[:2], HDLC[3], *MBUS)
"""The ways that are recorded for a dissector."""
WAYS: Final = {way.name: way for way in (TCP, SN, *GBT, *HDLC, MODE_E, *MBUS)}


@dataclass(frozen=True)
class Place:
    """A way, and where it leads: a port of the loopback interface, or the path of a serial port."""

    way: Way
    where: int | str

    def __str__(self) -> str:
        return f"{self.way.name}@{self.where}"

    @classmethod
    def read(cls, text: str) -> Place:
        """Return the place of an argument, ``WAY@WHERE``."""
        way, _, where = text.partition("@")
        return cls(WAYS[way], int(where) if where.isdecimal() else where)

    @property
    def port(self) -> int:
        """The port, of ways over TCP."""
        assert isinstance(self.where, int)
        return self.where

    @property
    def path(self) -> str:
        """The serial port, of mode E."""
        assert isinstance(self.where, str)
        return self.where
