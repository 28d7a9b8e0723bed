"""What the demo shows: a table of meters, the load of the fleet, what it cost, and what to do next."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from dataclasses import dataclass
from typing import Any, Final

from cosemic.cli._chart import BLOCKS, PLAIN, curve
from cosemic.cli._fleet_process import SimulatedMeter
from cosemic.cli._meter import plain, shown
from cosemic.cli._table import table
from cosemic.head_end import Outcome
from cosemic.head_end.load import Load
from cosemic.values import Obis

ENERGY: Final = Obis("1-0:1.8.0")
LABEL_HOURS: Final = 4
NARROWEST: Final = 40
SCALE: Final = 10
"""Characters of a line that the scale of the chart may take."""
UNBOUNDED: Final = 120
"""Characters of a line where no terminal looks on."""
QUERY: Final = "select * from load_profile limit 9"
READ: Final = '  cosemic read "tcp://127.0.0.1:4059?client=16" 1-0:1.8.0'
SECURITY: Final = {"none": "none", "lls": "LLS", "hls-gmac": "HLS GMAC, ciphered", "hls-ecdsa": "HLS ECDSA, ciphered"}
_NUMBERS: Final = frozenset((2, 3, 4, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """What came of a demo.

    since, until: what was asked for. rows: of load profiles, before and after. meters: each with what came of it and
    how many rows of it are stored. load: of the last day.
    """

    store: str
    since: dt.datetime
    until: dt.datetime
    rows_before: int
    rows_stored: int
    seconds: float
    seconds_to_start: float
    meters: list[tuple[SimulatedMeter, Outcome, int]]
    load: list[Load]

    @property
    def failed(self) -> int:
        """How many meters could not be read."""
        return sum(not outcome.done for _, outcome, _ in self.meters)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "store": self.store,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "meters": len(self.meters),
            "failed": self.failed,
            "rows_new": self._sum("rows"),
            "rows_before": self.rows_before,
            "rows_stored": self.rows_stored,
            "round_trips": self._sum("round_trips"),
            "octets": self._sum("octets"),
            "seconds": round(self.seconds, 3),
            "seconds_to_start": round(self.seconds_to_start, 3),
            "by_meter": [_meter(*each) for each in self.meters],
            "load_curve": [
                {"interval_start": each.interval_start.isoformat(), "watts": round(each.power), "meters": each.meters}
                for each in self.load
            ],
        }

    def text(self) -> str:
        """Return what is printed otherwise."""
        return "\n\n".join((self._table(), self._curve(), self._summary(), self._next()))

    def _sum(self, name: str) -> int:
        return sum(getattr(outcome, name) for _, outcome, _ in self.meters)

    def _table(self) -> str:
        lines = [("meter", "security", "objects", "energy import", "rows", "new", "status")]
        lines += [
            (
                str(meter.serial),
                SECURITY.get(meter.kind, meter.kind),
                shown(outcome.objects),
                shown(outcome.registers.get(ENERGY)),
                str(stored),
                str(outcome.rows),
                "; ".join(["complete" if outcome.done else f"failed: {outcome.error}", *outcome.remarks]),
            )
            for meter, outcome, stored in self.meters
        ]
        return table(lines, _NUMBERS)

    def _curve(self) -> str:
        local = [each.interval_start.astimezone() for each in self.load]
        labels = [f"{each:%H:%M}" if not (each.hour % LABEL_HOURS or each.minute) else "" for each in local]
        width = max(shutil.get_terminal_size((UNBOUNDED, 0)).columns, NARROWEST) - SCALE
        blocks = BLOCKS if _shows(BLOCKS) else PLAIN
        drawn = curve([each.power / 1000 for each in self.load], labels, width=width, blocks=blocks)
        return f"load of all meters in the last day, kW\n{drawn}"

    def _summary(self) -> str:
        new, before, count = self._sum("rows"), self.rows_before, len(self.meters)
        fleet = f"{count} meter{'s' * (count != 1)}"
        if not before:
            what = f"Read {new} rows of load profile of {fleet}"
        elif new:
            what = f"{before} rows were in the store already; read the {new} that were missing, of {fleet}"
        else:
            what = f"{before} rows were in the store already, none were missing; read the registers of {fleet}"
        return (
            f"{what}: {self._sum('round_trips')} round trips, {self._sum('octets') / 1e6:.1f} MB, {self.seconds:.1f} s "
            f"(and {self.seconds_to_start:.1f} s to start the meters)."
        )

    def _next(self) -> str:
        if self.failed:
            return f"{self.failed} failed. Next: run it again, it reads only what is missing."
        if self.rows_before:
            return f"Next: run `cosemic simulate` in another terminal, and read its meter yourself:\n{READ}"
        look = f'  sqlite3 {self.store} "{QUERY}"'
        return f"Next: run it again, it reads only what is missing; or look into the store, for example with\n{look}"


def _meter(meter: SimulatedMeter, outcome: Outcome, stored: int) -> dict[str, Any]:
    return {
        "serial": meter.serial,
        "security": meter.kind,
        "device_name": outcome.device_name,
        "objects": outcome.objects,
        "energy_import": plain(outcome.registers.get(ENERGY)),
        "rows_new": outcome.rows,
        "rows_stored": stored,
        "round_trips": outcome.round_trips,
        "octets": outcome.octets,
        "error": None if outcome.error is None else str(outcome.error),
        "remarks": outcome.remarks,
    }


def _shows(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
