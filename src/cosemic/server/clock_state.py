"""What a clock is set to, as it outlives the process (class 8; IEC 62056-6-2, 5.5)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from cosemic.model.time import ClockBase, PresetAdjustingTime
from cosemic.server.local_time import DaylightSaving
from cosemic.server.recurrence import RESOLUTION
from cosemic.values import ClockStatus, DateTime

NO_FLAGS: Final = ClockStatus(0)


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a clock is set to, and what of it outlives the process.

    offset: of the clock to true time. standard: minutes east of UTC in normal time. rule: of daylight saving. flags:
    the status but for daylight saving. preset: of preset_adjusting_time.
    """

    offset: dt.timedelta
    standard: int
    rule: DaylightSaving
    base: ClockBase = ClockBase.INTERNAL_CRYSTAL
    flags: ClockStatus = NO_FLAGS
    preset: PresetAdjustingTime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is kept."""
        rule, preset = self.rule, self.preset
        return {
            "offset": self.offset // RESOLUTION,
            "standard": self.standard,
            "rule": [rule.begin.octets.hex(), rule.end.octets.hex(), rule.deviation, rule.enabled],
            "base": int(self.base),
            "flags": int(self.flags),
            "preset": preset and [stamp.octets.hex() for stamp in stamps_of(preset)],
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> ClockState:
        """Return the state that was kept."""
        begin, end, deviation, enabled = kept["rule"]
        preset = kept["preset"]
        return cls(
            kept["offset"] * RESOLUTION,
            kept["standard"],
            DaylightSaving(DateTime(bytes.fromhex(begin)), DateTime(bytes.fromhex(end)), deviation, enabled),
            ClockBase(kept["base"]),
            ClockStatus(kept["flags"]),
            preset and PresetAdjustingTime(*(DateTime(bytes.fromhex(stamp)) for stamp in preset)),
        )


def stamps_of(preset: PresetAdjustingTime) -> tuple[DateTime, DateTime, DateTime]:
    """Return preset_time and the bounds of its interval."""
    return preset.preset_time, preset.validity_interval_start, preset.validity_interval_end
