"""A year of a meter, told in ``year_life``, held against what ``year_expected`` works out for it.

The first weeks are run for a first impression, then the whole year. What a client reads at the end comes over TCP.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cosemic.model import ProfileGeneric
from cosemic.values import DateTime
from tests.effort import uncovered
from tests.server import year_expected as expected
from tests.server.year_household import BERLIN, START, UTC, local
from tests.server.year_life import Life, story

pytestmark = pytest.mark.slow

LOAD_PROFILE, DAILY, BILLING = "1-0:99.1.0", "1-0:99.2.0", "0-0:98.1.0"
OUTPUTS, STANDARD_LOG, SWITCH_LOG = "0-0:99.98.7", "0-0:99.98.0", "0-0:99.98.2"
WHOLE = "the end"
TOTAL, FED_IN, FIRMWARE = (3, "1-0:1.8.0*255", 2), (3, "1-0:2.8.0*255", 2), (1, "1-0:0.2.0*255", 2)
TARIFFS = [(3, f"1-0:1.8.{n}*255", 2) for n in (1, 2)]
Attributes = dict[tuple[int, str, int], Any]
FROM_THE_FIRST_WEEKS_ON = ["winter", WHOLE]


@dataclass
class Lived:
    """A life up to the end of a chapter. chapters: when each ended, and what could be read then. seconds: of work."""

    life: Life
    chapters: dict[str, tuple[dt.datetime, Attributes]] = field(default_factory=dict)
    buffers: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    seconds: float = 0

    def holds(self, name: str, rows: expected.Rows) -> None:
        """Hold the buffer of a profile against the rows that there must be, up to now."""
        wanted = [row for at, row in rows if at <= self.life.now]
        for found, one in zip(self.buffers[name], wanted, strict=False):
            assert found == one, (_shown(found), _shown(one))
        assert len(self.buffers[name]) == len(wanted)


def _shown(row: Sequence[Any]) -> list[Any]:
    return [str(DateTime(cell)) if isinstance(cell, bytes) else cell for cell in row]


_lives: dict[tuple[str, bool, Path | None], Lived] = {}


def lived(until: str, *, finer: bool = False, path: Path | None = None) -> Lived:
    """Live up to the end of a chapter, and read the profiles."""
    key = until, finer, path
    if key not in _lives:
        begun = time.process_time()
        with uncovered() if until == WHOLE else nullcontext():
            _lives[key] = _live(until, finer, path)
        _lives[key].seconds = time.process_time() - begun
    return _lives[key]


def _live(until: str, finer: bool, path: Path | None) -> Lived:
    found = Lived(Life(finer=finer, path=path))
    for chapter in story(found.life):
        found.chapters[chapter] = found.life.now, found.life.attributes()
        if chapter == until:
            break
    with found.life.client() as meter:
        for name in (LOAD_PROFILE, DAILY, BILLING, OUTPUTS, STANDARD_LOG, SWITCH_LOG):
            found.buffers[name] = list(meter.read(ProfileGeneric(name).buffer))
    found.life.end()
    return found


@pytest.fixture(params=FROM_THE_FIRST_WEEKS_ON)
def year(request: pytest.FixtureRequest) -> Lived:
    return lived(request.param)


# ---- profiles --------------------------------------------------------------------------------------------------------


def test_each_quarter_of_an_hour_has_its_row_with_stamp_status_and_energies(year: Lived) -> None:
    year.holds(LOAD_PROFILE, expected.load_profile())


def test_each_day_has_its_row_with_the_energies_of_the_tariffs(year: Lived) -> None:
    year.holds(DAILY, expected.daily_profile())


def test_each_month_is_billed_once_with_its_maximum_demand(year: Lived) -> None:
    year.holds(BILLING, expected.billing())


@pytest.mark.parametrize(
    "day, intervals",
    [
        ("01-31", 96),
        ("03-28", 96),
        ("03-29", 92),
        ("10-25", 100),
    ],
)
def test_a_client_reads_as_many_intervals_as_the_local_day_has(day: str, intervals: int) -> None:
    since = local(f"{day} 00:00")
    with lived("winter" if day.startswith("01") else WHOLE).life.client() as meter:
        until = (since.astimezone(BERLIN).replace(tzinfo=None) + dt.timedelta(days=1)).replace(tzinfo=BERLIN)
        rows = meter.load_profile(LOAD_PROFILE, since, until).rows()
        assert [row.interval_end for row in rows] == [since + expected.QUARTER * n for n in range(1, intervals + 1)]
        assert not any(row.marks for row in rows)


def test_while_power_is_away_nothing_is_captured_and_the_next_row_says_so(year: Lived) -> None:
    rows = [(DateTime(row[0]).to_datetime().astimezone(UTC), row[1]) for row in year.buffers[LOAD_PROFILE]]
    outages = [outage for outage in expected.OUTAGES if outage[1] < year.life.now]
    behind = [next(at for at, _ in rows if at > until) for _, until in outages]
    assert [at for at, status in rows if status & expected.POWER_DOWN] == behind
    assert not [at for at, _ in rows for since, until in outages if since < at <= until]
    assert not any(DateTime(row[0]).to_datetime() in behind for row in year.buffers[DAILY])


# ---- registers -------------------------------------------------------------------------------------------------------


def test_registers_are_the_integral_of_what_flowed(year: Lived) -> None:
    for now, attributes in year.chapters.values():
        assert _number(attributes[TOTAL]) == expected.register("drawn", now)
        assert _number(attributes[FED_IN]) == expected.register("fed in", now)


def test_tariffs_share_out_the_total_by_season_weekday_and_special_day(year: Lived) -> None:
    for now, attributes in year.chapters.values():
        counted = [_number(attributes[tariff]) for tariff in TARIFFS]
        assert sum(counted) == _number(attributes[TOTAL])
        assert tuple(counted) == expected.tariff_registers([START, now])[-1]


def _number(octets: bytes) -> int:
    assert octets[0] == 6  # double-long-unsigned
    return int.from_bytes(octets[1:])


# ---- schedules, logs, firmware ---------------------------------------------------------------------------------------


def test_the_schedule_runs_each_script_at_its_local_time(year: Lived) -> None:
    year.holds(OUTPUTS, expected.outputs())


def test_the_standard_log_has_each_event_in_order(year: Lived) -> None:
    year.holds(STANDARD_LOG, expected.standard_log())


def test_the_log_of_the_switch_has_each_event_in_order(year: Lived) -> None:
    year.holds(SWITCH_LOG, expected.switch_log())


def test_each_disconnection_lasts_as_long_as_it_should() -> None:
    events = [(DateTime(stamp).to_datetime(), code) for stamp, code in lived(WHOLE).buffers[SWITCH_LOG]]
    off = [at for at, code in events if code in (62, 64)]
    on = [at for at, code in events if code in (61, 63, 69)]
    off.remove(local("07-25 10:20"))  # ready for the button, and disconnected again
    minutes = [(back - gone) // expected.MINUTE for gone, back in zip(off, on, strict=True)]
    assert minutes == [45, 390, 300, 45, 10, 150, 40, 55, 10, 440]


def test_new_firmware_is_active_from_its_time_on() -> None:
    identifiers = {chapter: attributes[FIRMWARE][2:] for chapter, (_, attributes) in lived(WHOLE).chapters.items()}
    before = dict.fromkeys(("winter", "spring", "summer", "autumn", "before the firmware"), b"1.0")
    assert identifiers == {**before, WHOLE: b"2.0"}


def test_a_year_is_lived_and_read_in_less_than_a_minute() -> None:
    assert lived(WHOLE).seconds < 60


# ---- the same, lived otherwise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", FROM_THE_FIRST_WEEKS_ON)
def test_steps_that_are_twice_as_fine_make_no_difference(until: str) -> None:
    _are_the_same(lived(until, finer=True), lived(until))


@pytest.mark.parametrize("until", FROM_THE_FIRST_WEEKS_ON)
def test_a_meter_that_is_killed_again_and_again_goes_on_as_if_nothing_had_been(until: str, tmp_path: Path) -> None:
    killed = lived(until, path=tmp_path / "state")
    assert killed.life.kills >= (50 if until == WHOLE else 10)
    _are_the_same(killed, lived(until))


def _are_the_same(one: Lived, other: Lived) -> None:
    for chapter, (now, attributes) in other.chapters.items():
        assert one.chapters[chapter][0] == now
        found = one.chapters[chapter][1]
        assert found.keys() == attributes.keys()
        assert {key: (found[key], value) for key, value in attributes.items() if found[key] != value} == {}
    for name, rows in other.buffers.items():
        assert one.buffers[name] == rows
