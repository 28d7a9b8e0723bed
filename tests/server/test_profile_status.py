"""The status of each entry: what happened in its interval, what holds at its end (AMR profile status)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import CaptureObjectDefinition
from cosemic.model.profile_status import AMRProfileStatus
from cosemic.server import Capture, ProfileObject, ProfileStatusObject
from cosemic.server.state import StateFile
from cosemic.values import BitString, ClockStatus, Obis
from tests.effort import examples
from tests.server.profile_support import ENERGY, PROFILE, START, ZONE, Bench, states

NAME = Obis("0-0:96.10.2")
COLUMN = CaptureObjectDefinition(1, NAME, 2, 0)
CAD, PDN, DST = AMRProfileStatus.CLOCK_ADJUSTED, AMRProfileStatus.POWER_DOWN, AMRProfileStatus.DAYLIGHT_SAVING
ERR, CIV, DNV = AMRProfileStatus.CRITICAL_ERROR, AMRProfileStatus.CLOCK_INVALID, AMRProfileStatus.DATA_NOT_VALID


class Status(Bench):
    """A bench with a profile status, captured each quarter of an hour."""

    def __init__(self, now: dt.datetime = START, *, computed: bool = False, **options: Any) -> None:
        super().__init__(now, **options)
        self.amr = self.device.add(ProfileStatusObject(self.device, self.clock, NAME))
        if self.device.clockwork.done is None:
            self.device.advance()
        made: dict[str, Any] = {"capture_period": 900, "status": self.amr}
        if computed:
            types = (DataType.UNSIGNED, DataType.DOUBLE_LONG)
            made |= {"row": lambda capture: (capture.status, self.seconds(capture.at)), "types": types, "since": now}
        self.quarters = self.profile((COLUMN, ENERGY), **made)

    def statuses(self) -> list[tuple[int, AMRProfileStatus]]:
        """Minute and status of the entries that have one."""
        return [(energy // 60, AMRProfileStatus(bits)) for bits, energy in self.get() if bits]

    def shown(self) -> int:
        value = self.view.get(1, str(NAME), 2).value()
        assert isinstance(value, int)
        return value


MODES = pytest.mark.parametrize("computed", [False, True])


@MODES
def test_an_interval_in_which_the_clock_was_set_says_so_and_no_other(computed: bool) -> None:
    bench = Status(computed=computed)
    bench.pass_(minutes=20)
    bench.set_clock(minutes=2)
    assert bench.shown() == CAD
    bench.pass_(hours=1)
    assert bench.statuses() == [(28, CAD)]
    assert bench.shown() == 0


@MODES
def test_a_correction_within_the_limit_of_the_clock_is_no_adjustment(computed: bool) -> None:
    bench = Status(computed=computed)
    bench.pass_(minutes=20)
    bench.set_clock(seconds=60)
    bench.pass_(minutes=15)
    bench.set_clock(seconds=-61)
    bench.pass_(minutes=30)
    assert [bits for _, bits in bench.statuses()] == [CAD]


@MODES
@pytest.mark.parametrize("stored", [False, True])
def test_what_happened_is_told_at_the_capture_that_ends_its_interval_however_late_that_is_made(
    computed: bool, stored: bool
) -> None:
    bench = Status(computed=computed, state=states(stored))
    for minute, bits in ((16, PDN), (30, DNV), (44, CAD), (59, PDN)):
        bench.now = START + dt.timedelta(minutes=minute)
        bench.device.advance()
        bench.amr.mark(bits, bench.now)
    bench.pass_(hours=9)
    # The moment of a capture belongs to what follows.
    assert bench.statuses() == [(30, PDN), (45, DNV | CAD), (60, PDN)]


def test_what_happens_at_the_moment_of_a_capture_is_told_once_by_the_next() -> None:
    bench = Status()
    bench.amr.mark(PDN, bench.now)
    for _ in range(2):
        bench.quarters.capture(bench.now)
        bench.pass_(minutes=1)
    bench.quarters.capture(bench.now)
    assert [bits for bits, _ in bench.get()] == [0, PDN, 0]


@MODES
def test_a_power_failure_marks_the_interval_of_each_of_its_ends(computed: bool) -> None:
    bench = Status(computed=computed)
    for minute, name in ((16, "power-down"), (17, "power-up"), (50, "power-down"), (100, "power-up")):
        bench.now = START + dt.timedelta(minutes=minute)
        bench.device.advance()
        bench.device.tell(name, bench.now)
    bench.pass_(hours=1)
    assert bench.statuses() == [(30, PDN), (105, PDN)]


def test_profiles_of_different_periods_find_what_happened_since_their_own_last_capture() -> None:
    bench = Status()
    hours = ProfileObject(
        bench.device, "1-0:99.2.0", (COLUMN, ENERGY), 100, clock=bench.clock, capture_period=3600, status=bench.amr
    )
    bench.device.add(hours)
    for minute, bits in ((16, PDN), (47, CAD), (61, CAD), (130, PDN)):
        bench.now = START + dt.timedelta(minutes=minute)
        bench.device.advance()
        bench.amr.mark(bits, bench.now)
    bench.pass_(hours=2)
    assert bench.statuses() == [(30, PDN), (60, CAD), (75, CAD), (135, PDN)]
    by_hour = bench.view.get(7, "1-0:99.2.0", 2).value()
    assert [(energy // 60, bits) for bits, energy in by_hour] == [(60, PDN | CAD), (120, CAD), (180, PDN), (240, 0)]


@examples(40)
@given(
    marks=st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([CAD, PDN, DNV])), max_size=30),
    asked=st.lists(st.integers(0, 3000), max_size=5),
    computed=st.booleans(),
)
def test_no_mark_is_lost_or_doubled_whenever_somebody_asks(
    marks: list[tuple[int, AMRProfileStatus]], asked: list[int], computed: bool
) -> None:
    bench = Status(computed=computed)
    expected: dict[int, AMRProfileStatus] = {}
    events = [*marks, *((minute, None) for minute in asked)]
    for minute, bits in sorted(events, key=lambda one: one[0]):
        bench.now = START + dt.timedelta(minutes=minute)
        bench.device.advance()
        if bits is None:
            bench.get(7)
        else:
            bench.amr.mark(bits, bench.now)
            end = minute // 15 * 15 + 15
            expected[end] = expected.get(end, AMRProfileStatus(0)) | bits
    bench.now = START + dt.timedelta(minutes=3100)
    assert bench.statuses() == sorted(expected.items())


def test_marks_that_nobody_captures_do_not_grow_without_end() -> None:
    bench = Bench()
    status = bench.device.add(ProfileStatusObject(bench.device, bench.clock, NAME))
    slow = bench.profile((COLUMN,), status=status)
    fast = ProfileObject(bench.device, "1-0:99.2.0", (COLUMN,), 5, status=status)
    slow.capture(bench.now)
    for number in range(300):
        bench.pass_(seconds=1)
        status.mark(CAD if number else PDN, bench.now)
        bench.pass_(seconds=1)
        fast.capture(bench.now)
    assert len(status._marks) <= 100
    bench.pass_(seconds=1)
    slow.capture(bench.now)
    assert bench.get()[-1] == (CAD | PDN,)


@MODES
def test_what_the_clock_says_of_itself_stands_in_every_status(computed: bool) -> None:
    bench = Status(dt.datetime(2026, 10, 25, 1, 20, tzinfo=ZONE), daylight_saving=True, computed=computed)
    bench.begin = bench.now
    bench.pass_(minutes=50)
    assert bench.statuses() == [(10, DST), (25, DST)]  # 03:15 and 03:30 of 02:20: summer until 03:00
    bench.device.advance()
    bench.clock.mark(ClockStatus.INVALID_VALUE, bench.now)
    bench.pass_(minutes=15)
    assert bench.statuses()[2:] == [(55, CIV | DNV)]
    assert bench.shown() == CIV | DNV


def test_a_critical_error_stands_until_it_is_taken_back_and_makes_data_invalid() -> None:
    bench = Status()
    bench.amr.standing = ERR
    bench.pass_(minutes=30)
    bench.device.advance()
    bench.amr.standing = AMRProfileStatus(0)
    bench.pass_(minutes=30)
    assert bench.statuses() == [(15, ERR | DNV), (30, ERR | DNV)]


def test_a_row_in_which_something_could_not_be_read_is_not_valid() -> None:
    bench = Status()
    bench.energy.put("value", lambda now: (DataType.UNSIGNED, 256))
    bench.quarters.capture(bench.now)
    assert bench.get() == [(DNV, None)]


@pytest.mark.parametrize(
    ("data_type", "octets"),
    [
        (DataType.UNSIGNED, "1184"),
        (DataType.LONG_UNSIGNED, "120084"),
        (DataType.DOUBLE_LONG_UNSIGNED, "0600000084"),
        (DataType.BIT_STRING, "040821"),
    ],
)
def test_a_status_has_the_type_that_the_companion_gives_it(data_type: DataType, octets: str) -> None:
    bench = Bench()
    status = bench.device.add(ProfileStatusObject(bench.device, bench.clock, NAME, data_type=data_type))
    profile = bench.profile((COLUMN,), status=status)
    status.mark(PDN | DNV, bench.now)
    assert bench.view.get(1, str(NAME), 2).octets.hex() == octets
    bench.pass_(minutes=1)
    profile.capture(bench.now)
    assert bench.view.get(7, PROFILE, 2).octets.hex() == "01010201" + octets
    sent = bench.get()[0][0]
    assert AMRProfileStatus.of(sent) == PDN | DNV
    assert isinstance(sent, BitString) is (data_type is DataType.BIT_STRING)


def test_a_status_of_another_type_is_refused() -> None:
    bench = Bench()
    with pytest.raises(ConfigurationError):
        ProfileStatusObject(bench.device, bench.clock, NAME, data_type=DataType.LONG)


@MODES
def test_what_happened_outlives_the_process(computed: bool) -> None:
    file = StateFile(":memory:")
    bench = Status(computed=computed, state=file)
    bench.pass_(minutes=16)
    bench.set_clock(hours=2)
    assert bench.get(7) == 1
    again = Status(bench.now, computed=computed, state=file)
    assert again.shown() == CAD
    again.pass_(minutes=15)
    assert again.statuses() == [(30, CAD)]


def test_a_function_is_told_the_status_of_the_interval() -> None:
    bench = Bench()
    amr = ProfileStatusObject(bench.device, bench.clock, NAME)
    told: list[Capture] = []

    def made(capture: Capture) -> Sequence[Any]:
        told.append(capture)
        return b"", capture.status, 0

    types = (DataType.OCTET_STRING, DataType.UNSIGNED, DataType.LONG)
    bench.profile(row=made, types=types, capture_period=900, since=bench.now, status=amr)
    amr.mark(PDN, bench.now)
    bench.pass_(minutes=30)
    assert [row[1] for row in bench.get()] == [PDN, 0]
    assert [capture.status for capture in told] == [PDN, 0]
