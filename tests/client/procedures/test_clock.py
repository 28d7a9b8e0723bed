"""The clock of a meter: a clock that runs beside the true time, over a line with latency, and what is done to it."""

from __future__ import annotations

import datetime as dt
import struct
import zoneinfo
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cosemic.apdu import ActionResponseWithOptionalData, CosemAttributeDescriptor
from cosemic.association.requests import Action, Get, GetList, Request, Set
from cosemic.client import BlockingMeter
from cosemic.client.procedures.clock import ClockProcedures, ClockSettings, Correction
from cosemic.client.procedures.clock_reading import Clockface, ClockReading
from cosemic.client.recovery import NONE
from cosemic.client.session import Session
from cosemic.client.steps import Connect, Now, Procedure, Wait
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, DeviationSign, Dialect
from cosemic.errors import (
    ActionFailed,
    ChangeNotMade,
    ChangeWithheld,
    ConfigurationError,
    DataAccessError,
    DecodeError,
    OutcomeUnknown,
    ProtocolError,
)
from cosemic.model import Clock
from cosemic.model.time import ClockBase
from cosemic.server.clock import ClockObject
from cosemic.stack import ClientStack
from cosemic.store.security_settings import load_security
from cosemic.values import ActionResult, ClockStatus, DataAccessResult, DateTime
from tests.client.procedures.bench import both_faces
from tests.server.support import NOW, device_with

T = TypeVar("T")
START = dt.datetime(2026, 11, 20, 12, 34, 56, tzinfo=dt.UTC)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
SECOND = dt.timedelta(seconds=1)
Form = Callable[[dt.datetime], bytes]


def full(zone: dt.tzinfo = BERLIN, inverted: bool = False) -> Form:
    """Everything specified."""
    return lambda moment: DateTime.from_datetime(moment.astimezone(zone), inverted_deviation=inverted).octets


def sparse(zone: dt.tzinfo = BERLIN) -> Form:
    """Neither day of week, hundredths nor deviation."""

    def octets(moment: dt.datetime) -> bytes:
        sent = full(zone)(moment)
        return sent[:4] + b"\xff" + sent[5:8] + b"\xff\x80\x00" + sent[11:]

    return octets


class Bench:
    """A meter that has a clock, and nothing else; performs the steps of procedures in its own time."""

    def __init__(
        self,
        offset: float = 0.0,
        *,
        start: dt.datetime = START,
        latency: float = 0.2,
        form: Form | None = None,
        zone: dt.tzinfo = dt.UTC,
        dialect: Dialect = STANDARD,
    ) -> None:
        security = load_security(None, dialect=dialect)
        self.session = Session(security, lambda: ClientStack(security.client, 16, 1), zone, NONE)
        self.clock = ClockProcedures(self.session)
        self.true = start
        self.offset = dt.timedelta(seconds=offset)
        self.latency = dt.timedelta(seconds=latency)
        self.form = form or full()
        self.waited = 0.0
        self.requests: list[Request] = []
        self.written: list[DateTime] = []
        self.leaps: list[tuple[dt.datetime, dt.datetime]] = []
        self.values: dict[int, Any] = {}
        self.answer: Callable[[Request], Any] | None = None
        self.period = (DataType.DOUBLE_LONG_UNSIGNED, 900)

    @property
    def time(self) -> dt.datetime:
        """What the clock shows."""
        return self.true + self.offset

    def run(self, procedure: Procedure[T]) -> T:
        result: Any = None
        error: Exception | None = None
        try:
            while True:
                step = procedure.send(result) if error is None else procedure.throw(error)
                error = result = None
                try:
                    result = self._perform(step)
                except (OutcomeUnknown, DataAccessError) as raised:
                    error = raised
        except StopIteration as done:
            value: T = done.value
            return value

    def _perform(self, step: Any) -> Any:
        if isinstance(step, Now):
            return self.true
        if isinstance(step, Wait):
            self.waited += step.seconds
            self.true += dt.timedelta(seconds=step.seconds)
            return None
        assert not isinstance(step, Connect)
        self.requests.append(step)
        self.true += self.latency / 2
        result = self.answer(step) if self.answer is not None else None
        if result is None:
            result = self._answer(step)
        self.true += self.latency / 2
        if isinstance(result, Exception):
            raise result
        return result

    def _answer(self, request: Any) -> Any:
        if isinstance(request, GetList):
            return tuple(self._read(one.cosem_attribute_descriptor) for one in request.attributes)
        if isinstance(request, Get):
            return self._read(request.attribute)
        if isinstance(request, Set):
            if request.attribute.attribute_id == 2:
                stamp = DateTime(request.value.value())
                self.written.append(stamp)
                inverted = self.session.settings.dialect.deviation_sign is DeviationSign.INVERTED
                self.leap(stamp.to_datetime(BERLIN, inverted_deviation=inverted) - self.true)
            else:
                self.values[request.attribute.attribute_id] = request.value.typed()
            return DataAccessResult.SUCCESS
        assert isinstance(request, Action)
        assert request.parameters is not None
        if request.method.method_id == 6:
            self.leap(self.offset + request.parameters.value() * SECOND)
        return ActionResponseWithOptionalData(ActionResult.SUCCESS)

    def _read(self, attribute: CosemAttributeDescriptor) -> EncodedData | DataAccessResult:
        if attribute.class_id == 7:
            return EncodedData.from_typed(self.period)
        if attribute.attribute_id == 2:
            return EncodedData.of(DataType.OCTET_STRING, self.form(self.time))
        typed = self.values.get(attribute.attribute_id)
        return DataAccessResult.READ_WRITE_DENIED if typed is None else EncodedData.from_typed(typed)

    def leap(self, offset: dt.timedelta) -> None:
        before = self.time
        self.offset = offset
        self.leaps.append((before, self.time))

    def kinds(self) -> list[str]:
        return [type(one).__name__ for one in self.requests]


# ---- reading --------------------------------------------------------------------------------------------------------


def test_the_offset_is_measured_in_the_middle_of_the_round_trip() -> None:
    reading = (bench := Bench(12.5, latency=4.0)).run(bench.clock.read())
    assert reading.offset == 12.5 * SECOND
    assert reading.round_trip == 4 * SECOND
    assert reading.uncertainty == 2 * SECOND
    assert reading.sent.deviation == -60


def test_without_hundredths_the_offset_is_known_to_a_second_less() -> None:
    reading = (bench := Bench(0.9, latency=1.0, form=sparse(), zone=BERLIN)).run(bench.clock.read())
    assert reading.offset is not None
    assert abs(reading.offset - 0.9 * SECOND) <= reading.uncertainty == 1.5 * SECOND


@pytest.mark.parametrize("octets", ["ffffffffffffffffff8000ff", "07ea0231ff0000000080ff00", "07eaff0505000000ff8000ff"])
def test_a_clock_that_shows_no_moment_has_no_offset(octets: str) -> None:
    reading = (bench := Bench(form=lambda _: bytes.fromhex(octets))).run(bench.clock.read())
    assert (reading.time, reading.offset) == (None, None)
    assert reading.sent.octets.hex() == octets


def test_a_time_that_is_no_date_time_is_a_decode_error() -> None:
    bench = Bench(form=lambda _: b"today")
    with pytest.raises(DecodeError):
        bench.run(bench.clock.read())


def test_the_deviation_may_have_the_other_sign() -> None:
    bench = Bench(3, form=full(inverted=True), dialect=Dialect(deviation_sign=DeviationSign.INVERTED))
    reading = bench.run(bench.clock.read())
    assert reading.sent.deviation == 60
    assert reading.offset == 3 * SECOND


# ---- synchronisation ------------------------------------------------------------------------------------------------


def test_a_clock_within_the_threshold_is_left_alone() -> None:
    bench = Bench(4.9)
    done = bench.run(bench.clock.synchronise(5))
    assert done.action is Correction.NOTHING
    assert done.before == done.after
    assert bench.kinds() == ["Get"]


def test_less_than_can_be_told_is_left_alone() -> None:
    bench = Bench(1.9, latency=4.0)
    assert bench.run(bench.clock.synchronise(0)).action is Correction.NOTHING
    bench = Bench(2.1, latency=4.0)
    assert bench.run(bench.clock.synchronise(0)).action is Correction.SHIFTED


@pytest.mark.parametrize("offset", [12, -12])
def test_a_small_deviation_is_shifted_and_read_back(offset: float) -> None:
    bench = Bench(offset)
    done = bench.run(bench.clock.synchronise())
    assert done.action is Correction.SHIFTED
    assert bench.kinds() == ["Get", "Action", "Get"]
    action = bench.requests[1]
    assert isinstance(action, Action)
    assert action.parameters == EncodedData.of(DataType.LONG, -offset)
    assert done.before.offset == offset * SECOND
    assert done.after.offset == dt.timedelta()
    assert done.waited == dt.timedelta()


def test_a_large_deviation_is_set() -> None:
    bench = Bench(-3600)
    done = bench.run(bench.clock.synchronise(boundary=0))
    assert done.action is Correction.SET
    assert abs(bench.offset) <= SECOND
    assert bench.written[0].deviation == -60


@pytest.mark.parametrize(("policy", "action"), [("set", Correction.SET), ("shift", Correction.SHIFTED)])
def test_the_policy_chooses(policy: Any, action: Correction) -> None:
    bench = Bench(30)
    assert bench.run(bench.clock.synchronise(policy=policy)).action is action
    assert abs(bench.offset) <= SECOND


def test_a_time_that_is_written_is_that_of_its_arrival() -> None:
    bench = Bench(30, latency=4.0)
    assert abs(bench.run(bench.clock.synchronise(policy="set")).after.offset or dt.timedelta()) <= SECOND / 100
    assert abs(bench.run(bench.clock.set()).offset or dt.timedelta()) <= SECOND / 100


def test_more_than_a_shift_takes_is_refused_where_only_shifting_is_allowed() -> None:
    bench = Bench(901)
    with pytest.raises(ChangeWithheld, match=r"901\.0 s ahead"):
        bench.run(bench.clock.synchronise(policy="shift", boundary=0))
    assert bench.kinds() == ["Get"]


@pytest.mark.parametrize("wrong", [{"policy": "slowly"}, {"crossing": "leap"}, {"threshold": -1}, {"boundary": -1}])
def test_wrong_rules_are_refused_before_anything_is_asked(wrong: dict[str, Any]) -> None:
    bench = Bench()
    with pytest.raises(ConfigurationError):
        bench.run(bench.clock.synchronise(**wrong))
    assert not bench.requests


def refusing(result: ActionResult) -> Callable[[Request], Any]:
    return lambda request: ActionResponseWithOptionalData(result) if isinstance(request, Action) else None


def test_a_meter_that_cannot_be_shifted_is_set() -> None:
    bench = Bench(30)
    bench.answer = refusing(ActionResult.OBJECT_UNDEFINED)
    assert bench.run(bench.clock.synchronise()).action is Correction.SET
    bench = Bench(30)
    bench.answer = refusing(ActionResult.OBJECT_UNDEFINED)
    with pytest.raises(ActionFailed):
        bench.run(bench.clock.synchronise(policy="shift"))
    bench.answer = refusing(ActionResult.HARDWARE_FAULT)
    with pytest.raises(ActionFailed):
        bench.run(bench.clock.synchronise())
    assert not bench.written


def test_a_meter_that_says_yes_and_does_nothing_is_told_of() -> None:
    bench = Bench(30)
    bench.answer = refusing(ActionResult.SUCCESS)
    with pytest.raises(ProtocolError, match=r"30\.0 s ahead"):
        bench.run(bench.clock.synchronise())


def unanswered(bench: Bench, kind: type[Request], *, done: bool) -> Callable[[Request], Any]:
    def answer(request: Request) -> Any:
        if not isinstance(request, kind):
            return None
        if done:
            bench._answer(request)
        return OutcomeUnknown("no answer within 10 s")

    return answer


@pytest.mark.parametrize(("policy", "kind"), [("shift", Action), ("set", Set)])
def test_a_correction_that_is_not_answered_is_read_back(policy: Any, kind: Any) -> None:
    bench = Bench(30)
    bench.answer = unanswered(bench, kind, done=True)
    assert abs(bench.run(bench.clock.synchronise(policy=policy)).after.offset or bench.latency) <= SECOND
    bench = Bench(30)
    bench.answer = unanswered(bench, kind, done=False)
    with pytest.raises(ChangeNotMade):
        bench.run(bench.clock.synchronise(policy=policy))


# ---- capture periods ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "offset"),
    [
        ("12:45:10", 30),  # ahead, and over the end already: wait until it is truly over
        ("12:44:50", -30),  # behind: wait until the meter has captured
        ("12:44:59", 10),  # the correction might arrive behind the end
    ],
)
def test_a_correction_over_the_end_of_a_capture_period_is_put_off(shown: str, offset: float) -> None:
    time = dt.datetime.combine(START.date(), dt.time.fromisoformat(shown), dt.UTC)
    bench = Bench(offset, start=time - offset * SECOND)
    done = bench.run(bench.clock.synchronise())
    assert done.action is Correction.SHIFTED
    assert 0 < done.waited.total_seconds() == bench.waited < 60
    ((before, after),) = bench.leaps
    assert before.replace(minute=45, second=0, microsecond=0) < min(before, after)


def test_waiting_may_be_refused() -> None:
    bench = Bench(30, start=dt.datetime(2026, 11, 20, 12, 44, 40, tzinfo=dt.UTC))
    with pytest.raises(ChangeWithheld, match="end of a capture period"):
        bench.run(bench.clock.synchronise(crossing="refuse"))
    assert bench.kinds() == ["Get"]


def test_what_always_leaps_is_refused_unless_it_may() -> None:
    bench = Bench(1200)
    with pytest.raises(ChangeWithheld, match="capture period of 900 s; boundary=0"):
        bench.run(bench.clock.synchronise())
    assert bench.run(bench.clock.synchronise(boundary=0)).action is Correction.SET


def test_the_capture_period_of_a_profile_is_read() -> None:
    bench = Bench(1200, start=dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC))
    bench.period = DataType.DOUBLE_LONG_UNSIGNED, 3600
    assert bench.run(bench.clock.synchronise(profiles=["1-0:99.1.0"])).action is Correction.SET
    bench = Bench(1200, start=dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC))
    bench.session.load_profiles = (Clock("1-0:99.1.0").instance_id,)
    with pytest.raises(ChangeWithheld):
        bench.run(bench.clock.synchronise())


def test_a_profile_that_captures_on_events_has_no_period() -> None:
    bench = Bench(1200)
    bench.period = DataType.DOUBLE_LONG_UNSIGNED, 0
    assert bench.run(bench.clock.synchronise(profiles=["1-0:99.1.0"])).action is Correction.SET


def test_a_clock_that_somebody_else_moves_is_given_up() -> None:
    bench = Bench(0, start=dt.datetime(2026, 11, 20, 12, 45, 10, tzinfo=dt.UTC))

    def moved(request: Request) -> None:
        bench.offset = dt.datetime(2026, 11, 20, 12, 44, 50, tzinfo=dt.UTC) - bench.true

    bench.answer = moved
    with pytest.raises(ChangeWithheld, match="something else"):
        bench.run(bench.clock.synchronise())


def test_a_clock_that_stays_invalid_after_it_was_set_is_told_of() -> None:
    bench = Bench(form=lambda _: b"\xff" * 12)
    with pytest.raises(ProtocolError, match="the clock shows "):
        bench.run(bench.clock.synchronise())
    assert bench.kinds() == ["Get", "Set", "Get"]


@pytest.mark.parametrize(
    "form",
    [
        lambda _: bytes.fromhex("ffffffffffffffffff8000ff"),
        lambda moment: full()(moment - dt.timedelta(days=9000))[:11] + b"\x01",
    ],
)
def test_a_clock_that_is_invalid_is_set_at_once(form: Form) -> None:
    bench = Bench(form=form, zone=BERLIN)

    def well_again(request: Request) -> None:
        if isinstance(request, Set):
            bench.form = full()

    bench.answer = well_again
    assert bench.run(bench.clock.synchronise()).action is Correction.SET
    assert abs(bench.offset) <= SECOND
    assert bench.written[0].clock_status == ClockStatus(0)
    assert not bench.waited


@given(
    st.floats(-1500, 1500),
    st.integers(0, 86399),
    st.sampled_from([0.0, 0.05, 0.7, 3.0]),
    st.sampled_from([60, 300, 900, 3600]),
    st.booleans(),
)
def test_whatever_the_clock_shows_it_is_right_afterwards_and_no_period_was_leapt_over(
    offset: float, second: int, latency: float, period: int, few: bool
) -> None:
    assume(abs(offset) > 5)
    start = START.replace(hour=0, minute=0, second=0) + second * SECOND
    bench = Bench(offset, start=start, latency=latency, form=sparse() if few else full(), zone=BERLIN)
    try:
        done = bench.run(bench.clock.synchronise(5, boundary=period))
    except ChangeWithheld:
        assert abs(offset) + 1 + 5 * (latency / 2 + 1 + 2) >= period
        assert not bench.leaps
        return
    assert abs(bench.offset) <= (6 if few else 5) * SECOND  # without hundredths it is known to a second
    if done.action is Correction.NOTHING:
        assert few
        return
    ((before, after),) = bench.leaps
    assert before.timestamp() // period == after.timestamp() // period
    assert bench.waited <= abs(offset) + 1 + 3 * (latency / 2 + 1 + 2)


# ---- the form in which a time is written ----------------------------------------------------------------------------


@given(
    st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2090, 1, 1)),
    st.integers(-100_000, 100_000),
    st.booleans(),
    st.sampled_from([full(), sparse(), full(dt.timezone(dt.timedelta(hours=-3.5)))]),
)
def test_a_time_is_written_as_the_meter_tells_it(moment: dt.datetime, wrong: int, inverted: bool, form: Form) -> None:
    aware = moment.replace(tzinfo=dt.UTC)
    face = Clockface(BERLIN, DeviationSign.INVERTED if inverted else DeviationSign.STANDARD)
    like = DateTime(form(aware + wrong * SECOND))
    if inverted and like.deviation is not None:
        like = DateTime(like.octets[:9] + (-like.deviation).to_bytes(2, signed=True) + like.octets[11:])
    written = face.written(aware, like)
    for name in ("day_of_week", "hundredths", "deviation", "clock_status"):
        assert (getattr(written, name) is None) == (getattr(like, name) is None)
    assert written.deviation == like.deviation
    meant = face.moment(written)
    assert meant is not None
    assert abs(meant - aware) <= (SECOND / 2 if like.hundredths is None else SECOND / 100)


def test_without_deviation_the_daylight_saving_bit_is_that_of_the_time_written() -> None:
    july, january = dt.datetime(2026, 7, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    written = Clockface(BERLIN).written(july, DateTime(sparse()(january)))
    assert (written.hour, written.clock_status) == (2, ClockStatus.DAYLIGHT_SAVING_ACTIVE)
    back = Clockface(BERLIN).written(january, DateTime(sparse()(july)))
    assert (back.hour, back.clock_status) == (1, ClockStatus(0))
    fixed = Clockface(dt.timezone(dt.timedelta(hours=2))).written(july, DateTime(sparse()(july)))
    assert fixed.clock_status == ClockStatus.DAYLIGHT_SAVING_ACTIVE  # the zone does not tell: as the meter has it


def test_only_the_daylight_saving_bit_is_written_back() -> None:
    like = DateTime(full()(START)[:11] + b"\x8f")
    assert Clockface(BERLIN).written(START, like).clock_status == ClockStatus.DAYLIGHT_SAVING_ACTIVE


@pytest.mark.parametrize(
    ("time", "true", "period", "pause"),
    [
        ("10:14:00", "10:14:30", 900, 0),
        ("10:14:00", "10:14:58", 900, 66),  # less than the margin before the end
        ("10:14:50", "10:15:10", 900, 16),
        ("10:15:10", "10:14:50", 900, 16),
        ("10:15:03", "10:15:09", 900, 0),
        ("10:15:02", "10:15:09", 900, 4),  # what was meant to be behind the end might come before it
        ("10:15:09", "10:15:01", 900, 5),
        ("23:59:50", "23:59:40", 86400, 0),
        ("00:00:10", "23:59:40", 86400, 26),
        ("10:00:00", "10:15:00", 900, None),
        ("10:00:03", "10:14:49", 900, None),  # there would be no time left to make it
        ("10:00:03", "10:14:47", 900, 0),
        ("10:00:30", "10:55:00", 3600, 0),
        ("10:00:00", "10:55:00", 0, 0),
    ],
)
def test_how_long_a_correction_is_put_off(time: str, true: str, period: int, pause: int | None) -> None:
    day = dt.date(2026, 11, 20)
    shown = dt.datetime.combine(day, dt.time.fromisoformat(time), dt.timezone(dt.timedelta(hours=1)))
    right = dt.datetime.combine(day, dt.time.fromisoformat(true), dt.timezone(dt.timedelta(hours=1)))
    if abs(right - shown) > dt.timedelta(hours=12):
        right -= dt.timedelta(days=1)
    reading = ClockReading(DateTime.from_datetime(shown), shown, right.astimezone(dt.UTC), dt.timedelta())
    found = reading.pause(dt.timedelta(seconds=period), 3 * SECOND)
    assert found == (None if pause is None else pause * SECOND)


# ---- the other methods ----------------------------------------------------------------------------------------------


def test_setting_the_true_time_or_another() -> None:
    bench = Bench(4000)
    assert abs(bench.run(bench.clock.set()).offset or SECOND) <= SECOND
    bench.run(bench.clock.set(dt.datetime(2030, 1, 2, 3, 4, 5)))  # naive: in the zone of the meter, UTC here
    assert bench.written[-1].to_datetime() == dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    exactly = DateTime(bytes.fromhex("07ea0b14ff0a0000ffffc400"))
    bench.run(bench.clock.set(exactly))
    assert bench.written[-1] == exactly


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("adjust_to_quarter", 1),
        ("adjust_to_measuring_period", 2),
        ("adjust_to_minute", 3),
        ("adjust_to_preset_time", 4),
    ],
)
def test_adjusting_calls_the_method_and_reads_back(name: str, method: int) -> None:
    bench = Bench(1)
    reading = bench.run(getattr(bench.clock, name)())
    assert reading.offset == SECOND
    action = bench.requests[0]
    assert isinstance(action, Action)
    assert (action.method.method_id, action.parameters) == (method, EncodedData.of(DataType.INTEGER, 0))


def test_shifting_takes_what_the_class_allows() -> None:
    bench = Bench(20)
    assert bench.run(bench.clock.shift(-20)).offset == dt.timedelta()
    with pytest.raises(ValueError, match="901"):
        bench.run(bench.clock.shift(901))


def test_a_preset_time_and_the_interval_in_which_it_may_be_set() -> None:
    bench = Bench()
    hour = dt.timedelta(hours=1)
    bench.run(bench.clock.preset(START + hour, START, START + 2 * hour))
    action = bench.requests[-1]
    assert isinstance(action, Action)
    assert action.parameters is not None
    stamps = [DateTime(octets).to_datetime() for octets in action.parameters.value()]
    assert stamps == [START + hour, START, START + 2 * hour]


def test_the_settings_are_read_and_written_in_an_order_that_does_no_harm() -> None:
    bench = Bench()
    bench.values = {3: (DataType.LONG, -60), 8: (DataType.BOOLEAN, True), 9: (DataType.ENUM, 1)}
    assert bench.run(bench.clock.settings()) == ClockSettings(
        time_zone=-60, daylight_savings_enabled=True, clock_base=ClockBase.INTERNAL_CRYSTAL
    )
    begin = DateTime(bytes.fromhex("fffffffe07020000ff8000ff"))
    found = bench.run(bench.clock.configure(time_zone=0, daylight_savings_begin=begin, daylight_savings_enabled=False))
    assert (found.time_zone, found.daylight_savings_begin, found.daylight_savings_enabled) == (0, begin, False)
    assert [one.attribute.attribute_id for one in bench.requests if isinstance(one, Set)] == [8, 3, 5]
    bench.requests.clear()
    bench.run(bench.clock.configure(daylight_savings_deviation=60, daylight_savings_enabled=True))
    assert [one.attribute.attribute_id for one in bench.requests if isinstance(one, Set)] == [7, 8]


def test_a_time_source_that_is_set_back_while_reading_leaves_nothing_certain() -> None:
    bench = Bench(0)
    bench.latency = dt.timedelta(seconds=-20)
    reading = bench.run(bench.clock.read())
    assert (reading.round_trip, reading.uncertainty) == (20 * SECOND, 10 * SECOND)


FIELDS = st.tuples(
    st.sampled_from([0, 1, 1900, 2026, 9999, 0xFFFF]), *[st.integers(0, 255) for _ in range(7)],
    st.sampled_from([-0x8000, -841, -840, -60, 0, 840, 841, 0x7FFF]), st.integers(0, 255),
)  # fmt: skip


@given(st.binary(min_size=12, max_size=12) | FIELDS.map(lambda fields: struct.pack(">H7BhB", *fields)), st.booleans())
def test_any_twelve_octets_are_a_reading_that_can_be_corrected(octets: bytes, inverted: bool) -> None:
    face = Clockface(BERLIN, DeviationSign.INVERTED if inverted else DeviationSign.STANDARD)
    sent = DateTime(octets)
    reading = ClockReading(sent, face.moment(sent), START, SECOND)
    assert reading.is_off(SECOND) or abs(reading.offset or SECOND) <= 2 * SECOND
    pause = reading.pause(900 * SECOND, SECOND)
    assert pause is None or dt.timedelta() <= pause <= 901 * SECOND
    meant = face.moment(face.written(START, sent))
    assert meant is not None
    assert abs(meant - START) <= SECOND


def test_both_faces_synchronise_a_clock_that_is_served() -> None:
    def use(meter: Any) -> Any:
        if isinstance(meter, BlockingMeter):
            meter.clock.shift(30)
            return meter.clock.synchronise(1)

        async def steps() -> Any:
            await meter.clock.shift(-30)
            return await meter.clock.synchronise(1, policy="set")

        return steps()

    with both_faces(device_with(ClockObject(utc_offset=60)), now=lambda: NOW) as run:
        shifted, was_set = run(use)
    assert (shifted.action, was_set.action) == (Correction.SHIFTED, Correction.SET)
    assert (shifted.before.offset, was_set.before.offset) == (30 * SECOND, -30 * SECOND)
    assert (shifted.after.offset, was_set.after.offset) == (dt.timedelta(), dt.timedelta())


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize("name", ["threshold", "boundary"])
def test_times_that_are_none_are_refused(name: str, seconds: float) -> None:
    bench = Bench()
    with pytest.raises(ConfigurationError):
        bench.run(ClockProcedures(bench.session).synchronise(**{name: seconds}))
