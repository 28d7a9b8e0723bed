"""One push on its way: when its attempts begin, and how many there are (class 40; IEC 62056-6-2, 5.3).

::

    triggered --> waiting --(due, in a window)--> under way --(delivered)--> done
                     ^                               |
                     +------(failed, retries left)---+--(failed, none left)--> given up

    due          triggered or to be repeated, then the next window, then up to randomisation_start_interval later, but
                 within that window
    n-th retry   repetition_delay behind the failure; from version 2 on min * (exponent / 100) ** (n - 1), at most max

The first attempt and whatever has to wait for a window are put off at random; a retry within the window is not.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, Final, Protocol, Self

from cosemic.model.push import PushRepetitionDelay
from cosemic.server.push.windows import Windows
from cosemic.server.recurrence import RESOLUTION

_PERCENT: Final = 100
_MICROSECONDS: Final = 1_000_000


class Chance(Protocol):
    """What randomness is drawn from, such as ``random.Random``."""

    def random(self) -> float:
        """Return a number from 0 to below 1."""


@dataclass(slots=True)
class Attempts:
    """The attempts of one push; moments are true time, aware.

    earliest: from when on the next one may begin. due: when it does; None while it is under way. failed: how many have
    failed. again: whether it was triggered once more meanwhile. invoke_id, stamp: of the message, once it is made;
    reached: up to which moment, by the clock of the meter, it reports.
    """

    earliest: dt.datetime
    due: dt.datetime | None
    failed: int = 0
    again: bool = False
    invoke_id: int | None = None
    stamp: bytes = b""
    reached: dt.datetime | None = None

    @property
    def under_way(self) -> bool:
        """Whether an attempt has begun, and its result is not known."""
        return self.due is None

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes."""
        values: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("earliest", "due", "reached"):
            values[name] = values[name] and values[name].isoformat()
        return values | {"stamp": self.stamp.hex()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return what was kept."""
        for name in ("earliest", "due", "reached"):
            values[name] = values[name] and dt.datetime.fromisoformat(values[name])
        return cls(**values | {"stamp": bytes.fromhex(values["stamp"])})


def beginning(windows: Windows, earliest: dt.datetime, interval: int, chance: Chance) -> dt.datetime | None:
    """Return when an attempt begins that may do so from a moment on; None: no window comes any more.

    interval: randomisation_start_interval, seconds.
    """
    opening = windows.opening(earliest)
    if opening is None or not interval:
        return opening
    closing = windows.closing(opening)
    room = dt.timedelta(seconds=interval)
    if closing is not None:
        room = min(room, closing - opening - RESOLUTION)
    return opening + chance.random() * room


def repetition_delay(setting: int | PushRepetitionDelay, number: int) -> dt.timedelta:
    """Return how long after a failure the retry of that number, from 1 on, may begin."""
    if isinstance(setting, int):
        return dt.timedelta(seconds=setting)
    grown = setting.repetition_delay_min * _MICROSECONDS * setting.repetition_delay_exponent ** (number - 1)
    most = setting.repetition_delay_max * _MICROSECONDS
    return dt.timedelta(microseconds=min(grown // _PERCENT ** (number - 1), most))
