"""The notifications that are sent, and what a listener must tell of each.

==============  =======================================================================================================
setup           data-notification in clear; ours is sent by a push setup (class 40) of a meter
setup-glo       the same in general-glo-ciphering, by the security that the meter asks of its client
blocks          data-notification longer than the receiver takes, in unconfirmed general block transfer
blocks-glo      the same, ciphered first and then cut
confirmed       data-notification that asks for a confirmation, which must come
event           event-notification of the energy
event-glo       the same in general-glo-ciphering
report          information-report of the energy under its short name
==============  =======================================================================================================

A data-notification holds the device name, a moment, a number that tells it from the others, and, where it is long,
octets. A listener prints ``{"told": ["data", [...]]}``, ``["event", class_id, logical name in hex, attribute, value]``
or ``["report", [short name, ...], [value, ...]]``: numbers as they are, octets in hex; beside that, where its
software says so, ``title`` of the sender in hex, and whether it was ``authenticated``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from interop import meter

SHORT_NAME: Final = 0x1008
"""Of the value of the energy imported."""
MOST: Final = 300
"""Octets of the longest APDU that a receiver of blocks takes."""
CLIENT: Final = 16
TITLE: Final = b"HES\x00\x00\x00\x00\x09"
"""Of the receiver."""


@dataclass(frozen=True)
class Form:
    """One of them. number: what tells it from the others."""

    name: str
    number: int

    @property
    def kind(self) -> str:
        """``data``, ``event`` or ``report``."""
        begin = self.name.partition("-")[0]
        return begin if begin in ("event", "report") else "data"

    @property
    def ciphered(self) -> bool:
        """Whether it is."""
        return self.name.endswith("-glo")

    @property
    def blocks(self) -> bool:
        """Whether it comes in blocks."""
        return self.name.startswith("blocks")

    @property
    def content(self) -> list[bytes | int]:
        """What a data-notification holds."""
        held: list[bytes | int] = [meter.DEVICE_NAME, meter.clock_octets(meter.FIRST), self.number]
        return [*held, meter.LONG_MESSAGE] if self.blocks else held

    @property
    def told(self) -> list[Any]:
        """What a listener must tell."""
        if self.kind == "event":
            return ["event", 3, meter.ENERGY_IMPORT.hex(), 2, self.number]
        if self.kind == "report":
            return ["report", [SHORT_NAME], [self.number]]
        return ["data", [one.hex() if isinstance(one, bytes) else one for one in self.content]]


FORMS: Final = {
    name: Form(name, 1_000_001 + at)
    for at, name in enumerate(
        ("setup", "setup-glo", "blocks", "blocks-glo", "confirmed", "event", "event-glo", "report")
    )
}
