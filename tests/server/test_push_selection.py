"""What a push holds: parts of buffers against a plain oracle, rights and protection, confirmed advance."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD
from cosemic.model import CaptureObjectDefinition, ScalerUnit, SortMethod
from cosemic.model.protection import IdentifiedKey, KeyInfoElement, KeyInfoType, ProtectionType
from cosemic.model.push import (
    PushConfirmationParameters,
    PushOperationMethod,
    RestrictionByDate,
    RestrictionByEntry,
    RestrictionElement,
    RestrictionType,
)
from cosemic.security import MemoryCounterStore, Protection, Requirement, SecurityMaterial, SecurityPolicy
from cosemic.server import ProfileObject, data, first, managing, only, reading
from cosemic.server.push.protection import push_protection
from cosemic.server.push.refusal import PushRefused
from cosemic.server.push.selection import MOST_OCTETS
from cosemic.server.registers import RegisterObject
from cosemic.server.state import StateFile
from cosemic.values import ApplicationContext, DataAccessResult, Date, DateTime, Obis, Secret, Unit
from tests.effort import examples
from tests.server.push_support import CONFIRMED, FAILED, PUSH, SENT, VALUE, Pushing, listed
from tests.server.support import BOTH, View
from tests.server.test_push_setup import protection
from tests.server.time_support import on, stamp, utc

PROFILE = "1-0:99.1.0"
START = utc(2026, 10, 20)
HOUR = dt.timedelta(hours=1)
SUCCESS = DataAccessResult.SUCCESS
COLUMNS = tuple(
    CaptureObjectDefinition(class_id, Obis(name), attribute, 0)
    for class_id, name, attribute in ((8, "0-0:1.0.0", 2), (1, VALUE, 2), (1, "0-0:96.1.1", 2))
)
METHOD_0 = PushOperationMethod.UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE
CONFIRM = PushOperationMethod.CONFIRMED_RETRY_ON_MISSING_CONFIRMATION
TITLE, CLIENT_TITLE = b"TSTMETER", b"TSTCLIEN"


def profiled(now: dt.datetime = START, state: Any = None, *, period: int = 3600, **options: Any) -> Pushing:
    """A device with a profile of hours, whose second column counts them."""
    profile = options.pop("profile", {})
    begun = options.pop("begun", now)
    pushing = Pushing(now, state, start=begun, **options)
    device = pushing.device
    pushing.value.put("value", lambda at: (DataType.LONG_UNSIGNED, int((at - START) / HOUR)))
    device.add(data("0-0:96.1.1", DataType.UNSIGNED, 5))
    device.add(ProfileObject(device, PROFILE, COLUMNS, 2000, clock=pushing.clock, capture_period=period, **profile))
    return pushing


def by(kind: RestrictionType, value: Any) -> RestrictionElement:
    return RestrictionElement(kind, value)


def buffer(data_index: int = 0, *more: Any) -> Any:
    return listed(2, 7, PROFILE, 2, data_index, *more)


def pushed(pushing: Pushing, *push_object_list: Any) -> Any:
    """Return what one push of a list holds, at this moment."""
    assert pushing.set(2, push_object_list) is SUCCESS
    assert pushing.push() == "success"
    return pushing.sent()


# ---- attributes ------------------------------------------------------------------------------------------------------


def test_whole_attributes_elements_and_all_attributes() -> None:
    pushing = Pushing(START)
    device = pushing.device
    unit = ScalerUnit(-1, Unit.of("Wh"))
    device.add(RegisterObject("1-0:1.8.0", DataType.LONG_UNSIGNED, unit, lambda now: 77))
    found = pushed(
        pushing,
        listed(2, 3, "1-0:1.8.0", 2),
        listed(2, 3, "1-0:1.8.0", 3),
        listed(2, 3, "1-0:1.8.0", 3, 2),
        listed(2, 3, "1-0:1.8.0", 3, 3),
        listed(2, 3, "1-0:1.8.0", 2, 1),
        listed(2, 3, "1-0:1.8.0", 0),
    )
    wh = int(Unit.of("Wh"))
    name = bytes(Obis("1-0:1.8.0"))
    assert found == (77, (-1, wh), wh, None, None, (name, 77, (-1, wh)))


def test_an_element_of_a_buffer_is_its_entry() -> None:
    pushing = profiled()
    pushing.go(START + 5 * HOUR)
    ((row,),) = [pushed(pushing, buffer(2))]
    assert row[1] == 2


# ---- buffers, against an oracle --------------------------------------------------------------------------------------


class Oracle:
    """The rows that a profile of a period must hold, worked out from local time alone."""

    def __init__(self, pushing: Pushing, period: int) -> None:
        zone = pushing.clock.zone
        self.now = zone.shown(pushing.now)
        if period == 86400:
            days = (self.now.date() - dt.timedelta(days=ago) for ago in range(20, -1, -1))
            ends = [self._midnight(day) for day in days]
        else:
            ends = [START + number * dt.timedelta(seconds=period) for number in range(1, 2000)]
        self.moments = [zone.shown(end) for end in ends if START < end <= pushing.now]

    def values(self, wanted: Any) -> list[int]:
        return [int((moment - START) / HOUR) for moment in self.moments if wanted(moment)]

    def selected(self, data_index: int) -> list[int]:
        kind, count = data_index >> 12, data_index & 0xFF
        if kind == 1:
            return self.values(lambda moment: True)[-count:] if count else []
        if kind == 0xB:
            return self.values(lambda moment: moment > self.now - dt.timedelta(seconds=count))
        begin, end = self._bounds("mhdMmhdM"[(kind - 7 if kind < 0xB else kind - 8)], count)
        return self.values(lambda moment: begin < moment and (kind < 0xB or moment <= end))

    def _bounds(self, unit: str, count: int) -> tuple[dt.datetime, dt.datetime]:
        now = self.now
        if unit in "mh":
            end = now - dt.timedelta(
                minutes=now.minute if unit == "h" else 0, seconds=now.second, microseconds=now.microsecond
            )
            return end - count * dt.timedelta(minutes=60 if unit == "h" else 1), end
        last = now.date() if unit == "d" else now.date().replace(day=1)
        first_day = last
        for _ in range(count):
            first_day -= dt.timedelta(days=1)
            if unit == "M":
                first_day = first_day.replace(day=1)
        return self._midnight(first_day), self._midnight(last)

    def _midnight(self, day: dt.date) -> dt.datetime:
        # Central Europe switches at 01:00 UTC, so that any midnight is one, and shown once.
        for hours in (1, 2):
            offset = dt.timezone(dt.timedelta(hours=hours))
            moment = dt.datetime.combine(day, dt.time.min, offset)
            summer = dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC) <= moment < dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC)
            if summer is (hours == 2):
                return moment
        raise AssertionError(day)


@examples(60, deadline=None)
@given(
    st.sampled_from([1, 7, 8, 9, 0xA, 0xB, 0xC, 0xD, 0xE, 0xF]),
    st.one_of(st.integers(0, 3), st.integers(0, 255)),
    st.integers(1, 16 * 24 * 60),
    st.sampled_from([900, 3600, 86400]),
)
def test_ranges_of_a_data_index_are_those_of_the_oracle(kind: int, count: int, minutes: int, period: int) -> None:
    pushing = profiled(period=period)
    pushing.go(START + dt.timedelta(minutes=minutes, seconds=7))
    data_index = kind << 12 | count
    (rows,) = pushed(pushing, buffer(data_index))
    assert [row[1] for row in rows] == Oracle(pushing, period).selected(data_index)


def test_a_complete_day_ends_with_the_entry_of_midnight_unless_the_dialect_says_otherwise() -> None:
    for dialect, hours in ((STANDARD, range(1, 25)), (STANDARD.but(intervals_stamped_at_end=False), range(24))):
        pushing = profiled(utc(2026, 11, 3, 22, 30), dialect=dialect)
        pushing.go(utc(2026, 11, 5, 10))
        (rows,) = pushed(pushing, buffer(0xE001))
        midnight = utc(2026, 11, 3, 23)
        assert [row[1] for row in rows] == [int((midnight - START) / HOUR) + hour for hour in hours]


def test_columns_by_number_in_a_data_index_and_by_name() -> None:
    pushing = profiled()
    pushing.go(START + 5 * HOUR)
    (rows,) = pushed(pushing, buffer(0x1202))
    assert [len(row) for row in rows] == [2, 2]
    assert [row[1] for row in rows] == [4, 5]
    (rows,) = pushed(pushing, buffer(0, by(RestrictionType.NONE, None), COLUMNS[2], COLUMNS[1]))
    assert rows == [(5, hour) for hour in range(1, 6)]
    stranger = CaptureObjectDefinition(3, Obis("1-0:1.8.0"), 2, 0)
    assert pushed(pushing, buffer(0, by(RestrictionType.NONE, None), stranger)) == (None,)


def test_restrictions_by_entry_and_by_date() -> None:
    pushing = profiled(utc(2026, 10, 24, 22))  # midnight
    pushing.go(utc(2026, 10, 27))
    begin = int((pushing.now - START) / HOUR) - 50

    def hours(restriction: RestrictionElement) -> list[int]:
        (rows,) = pushed(pushing, buffer(0, restriction))
        return [row[1] - begin for row in rows]

    def dates(first: Any, last: Any) -> list[int]:
        return hours(by(RestrictionType.BY_DATE, RestrictionByDate(first, last)))

    assert hours(by(RestrictionType.BY_ENTRY, RestrictionByEntry(2, 4))) == [2, 3, 4]
    assert hours(by(RestrictionType.BY_ENTRY, RestrictionByEntry(48, 0))) == [48, 49, 50]
    # The day on which daylight saving ends has 25 hours; its first entry, of 00:00, was not captured.
    assert dates(on("2026-10-25"), on("2026-10-25")) == list(range(1, 25))
    assert dates(stamp("2026-10-26 00:00:00"), stamp("2026-10-26 02:00:00")) == [25, 26, 27]
    assert dates(Date.of(), on("2026-10-24")) == []
    assert dates(DateTime.of(), DateTime.of()) == list(range(1, 51))


def test_the_last_entries_of_a_lifo_buffer_are_the_newest() -> None:
    pushing = profiled(profile={"sort_method": SortMethod.LIFO})
    pushing.go(START + 5 * HOUR)
    (rows,) = pushed(pushing, buffer(0x1002))
    assert [row[1] for row in rows] == [5, 4]


@pytest.mark.parametrize("data_index", [0x2001, 0x6001])
def test_ranges_of_no_kind_are_refused(data_index: int) -> None:
    pushing = profiled()
    assert pushing.set(2, [buffer(data_index)]) is DataAccessResult.OTHER_REASON
    both = buffer(0x1001, by(RestrictionType.BY_ENTRY, RestrictionByEntry(1, 1)))
    assert pushing.set(2, [both]) is DataAccessResult.OTHER_REASON


def test_what_is_too_much_for_one_push_is_not_pushed() -> None:
    pushing = Pushing(START)
    pushing.device.add(data("0-0:96.1.2", DataType.OCTET_STRING, bytes(1 << 19)))
    assert pushing.set(2, [listed(2, 1, "0-0:96.1.2", 2)] * 3) is SUCCESS
    pushing.push()
    assert pushing.go(START, SENT) == []
    assert f"more than {MOST_OCTETS} octets" in pushing.told[-1].details["reason"]


# ---- rights and protection of the push client ------------------------------------------------------------------------


def secured(policy: int, broadcast: bool = False) -> ServerSettings:
    material = SecurityMaterial.of(
        Secret(bytes(range(16))), Secret(bytes(range(16, 32))), broadcast_key=Secret(bytes(16)) if broadcast else None
    )
    return ServerSettings(
        context_names=frozenset((ApplicationContext.LN_CIPHERED,)),
        material=material,
        counters=MemoryCounterStore(),
        system_title=TITLE,
        client_title=CLIENT_TITLE,
        policy=SecurityPolicy(0, policy),
    )


def test_what_the_push_client_may_not_read_is_null_data() -> None:
    secret = "0-0:96.1.1"
    pushing = Pushing(START, rights=only(managing(), PUSH, VALUE), push_object_list=(
        listed(2, 1, VALUE, 2), listed(2, 1, secret, 2), listed(2, 1, secret, 0), listed(2, 1, "0-0:96.1.9", 2),
    ))  # fmt: skip
    pushing.device.add(data(secret, DataType.UNSIGNED, 5))
    pushing.push()
    assert pushing.sent() == (7, None, (None, None), None)


def test_the_own_logical_name_needs_no_right_and_the_rest_of_the_setup_does() -> None:
    pushing = Pushing(
        START, rights=only(reading(), VALUE), push_object_list=(listed(2, 40, PUSH, 1), listed(2, 40, PUSH, 3))
    )
    pushing.setup.push(START)
    assert pushing.sent() == (bytes(Obis(PUSH)), None)


def test_values_that_need_protection_are_pushed_with_that_protection_only() -> None:
    needs = first(only(reading(Requirement(Protection.NONE, BOTH)), VALUE), managing())
    objects = (listed(2, 1, VALUE, 2),)
    for policy, layers, expected in (
        (3, (), (7,)),
        (0, (), (None,)),
        (0, (protection(ProtectionType.ENCRYPTION),), (None,)),
        (0, (protection(ProtectionType.AUTHENTICATION_AND_ENCRYPTION),), (7,)),
        (1, (protection(ProtectionType.ENCRYPTION),), (7,)),
    ):
        pushing = Pushing(
            START, settings=secured(policy), rights=needs, push_object_list=objects, push_protection_parameters=layers
        )
        pushing.setup.push(START)
        assert pushing.sent() == expected, (policy, layers)


def test_less_protection_while_it_is_repeated_makes_the_message_anew_without_the_value() -> None:
    needs = first(only(reading(Requirement(Protection.NONE, BOTH)), VALUE), managing())
    pushing = Pushing(
        START, settings=secured(0), rights=needs, push_object_list=(listed(2, 1, VALUE, 2),), number_of_retries=1,
        push_protection_parameters=(protection(ProtectionType.AUTHENTICATION_AND_ENCRYPTION),),
    )  # fmt: skip
    pushing.setup.push(START)
    ((_, outgoing),) = pushing.go(START)
    assert pushing.set(10, ()) is SUCCESS
    pushing.device.outbox.finish(outgoing, FAILED)
    assert pushing.sent() == (None,)


def key_info(kind: KeyInfoType, value: Any) -> Any:
    return KeyInfoElement(kind, value)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([protection(ProtectionType.DIGITAL_SIGNATURE)], "digital-signature is not for pushes"),
        ([protection(ProtectionType.AUTHENTICATION)] * 2, "2 layers of protection: a push has one"),
        ([protection(ProtectionType.ENCRYPTION, transaction_id=b"1")], "need general-ciphering"),
        ([protection(ProtectionType.ENCRYPTION, other_information=b"1")], "need general-ciphering"),
        ([protection(ProtectionType.ENCRYPTION, originator_system_title=CLIENT_TITLE)], "not that of this device"),
        ([protection(ProtectionType.ENCRYPTION, recipient_system_title=TITLE)], "not that of the push client"),
        (
            [
                protection(
                    ProtectionType.ENCRYPTION,
                    key_info=key_info(KeyInfoType.IDENTIFIED_KEY, IdentifiedKey.GLOBAL_BROADCAST_ENCRYPTION_KEY),
                )
            ],
            "no global broadcast key",
        ),
    ],
)
def test_protection_that_suite_0_or_the_keys_do_not_have_is_refused_by_name(layers: Any, why: str) -> None:
    pushing = Pushing(START, settings=secured(0))
    assert pushing.set(10, layers) is DataAccessResult.OTHER_REASON
    assert why in pushing.told[-1].details["reason"]
    with pytest.raises(PushRefused, match=why):
        push_protection(pushing.setup.push_client(), layers)


def test_the_policy_of_the_push_client_protects_and_layers_come_on_top() -> None:
    for policy, layers, expected in (
        (0, (), Protection.NONE),
        (3, (), BOTH),
        (1, (protection(ProtectionType.ENCRYPTION),), BOTH),
        (0, (protection(ProtectionType.AUTHENTICATION),), Protection.AUTHENTICATED),
    ):
        pushing = Pushing(START, settings=secured(policy), push_protection_parameters=layers)
        pushing.setup.push(START)
        ((_, outgoing),) = pushing.go(START, SENT)
        sending = outgoing.settings
        assert (sending.protection if sending.material else Protection.NONE) == expected
        assert sending.recipient_title == CLIENT_TITLE


# ---- confirmed advance -----------------------------------------------------------------------------------------------


def confirmed(state: Any = None, now: dt.datetime = START, **options: Any) -> Pushing:
    return profiled(now, state, push_object_list=(buffer(),), push_operation_method=CONFIRM, **options)


def hours_of(pushing: Pushing, answer: Any) -> list[int]:
    pushing.setup.push(pushing.now)
    (rows,) = pushing.sent(None, answer)
    return [row[1] for row in rows]


def test_confirmed_entries_are_not_pushed_again_and_others_are() -> None:
    pushing = confirmed()
    pushing.go(START + 3 * HOUR)
    assert hours_of(pushing, FAILED) == [1, 2, 3]
    pushing.go(START + 4 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [1, 2, 3, 4]
    assert hours_of(pushing, CONFIRMED) == []
    pushing.go(START + 6 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [5, 6]


def test_what_counts_as_sent_survives_a_restart_and_is_forgotten_by_reset(tmp_path: Path) -> None:
    path = tmp_path / "state"
    pushing = confirmed(StateFile(path).of("d"))
    pushing.go(START + 3 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [1, 2, 3]
    again = confirmed(StateFile(path).of("d"), START + 5 * HOUR)
    again.device.advance()
    assert hours_of(again, FAILED) == [4, 5]
    assert View(again.device).act(40, PUSH, 2).result.label == "success"
    assert hours_of(again, CONFIRMED) == [1, 2, 3, 4, 5]


def test_unconfirmed_pushes_hold_everything_each_time() -> None:
    pushing = profiled(push_object_list=(buffer(),))
    pushing.go(START + 2 * HOUR)
    assert hours_of(pushing, SENT) == hours_of(pushing, SENT) == [1, 2]


def test_what_counts_as_sent_is_left_out_of_confirmed_pushes_alone() -> None:
    pushing = confirmed()
    pushing.go(START + 2 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [1, 2]
    assert pushing.set(11, METHOD_0) is SUCCESS
    assert hours_of(pushing, SENT) == [1, 2]


def test_what_was_captured_before_the_start_date_counts_as_sent() -> None:
    parameters = PushConfirmationParameters(stamp("2026-10-20 04:00:00"), 0)  # START + 2 hours
    pushing = confirmed(confirmation_parameters=parameters)
    pushing.go(START + 4 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [3, 4]


def test_what_is_captured_again_after_the_clock_was_put_back_is_pushed() -> None:
    pushing = confirmed()
    pushing.go(START + 5 * HOUR)
    assert hours_of(pushing, CONFIRMED) == [1, 2, 3, 4, 5]
    earlier = EncodedData.of(DataType.OCTET_STRING, stamp("2026-10-20 03:30:00").octets)
    assert View(pushing.device).set(8, "0-0:1.0.0", 2, earlier) is SUCCESS
    pushing.go(START + 6 * HOUR)
    assert len(hours_of(pushing, CONFIRMED)) == 4 + 1  # those of 04:00 to 07:00 again, and the new one


@pytest.mark.parametrize("how", ["confirmed afterwards", "restarted"])
def test_the_clock_is_put_back_while_a_push_is_under_way_or_before_a_restart(how: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    pushing = confirmed(StateFile(path).of("d"))
    pushing.go(START + 5 * HOUR)
    pushing.setup.push(pushing.now)
    ((_, outgoing),) = pushing.go(pushing.now, CONFIRMED if how == "restarted" else None)
    earlier = EncodedData.of(DataType.OCTET_STRING, stamp("2026-10-20 03:30:00").octets)
    assert View(pushing.device).set(8, "0-0:1.0.0", 2, earlier) is SUCCESS
    pushing.device.commit()
    if how == "restarted":
        pushing = confirmed(StateFile(path).of("d"), START + 5 * HOUR)
        pushing.device.advance()
    else:
        pushing.device.outbox.finish(outgoing, CONFIRMED)
    pushing.go(START + 6 * HOUR)
    assert len(hours_of(pushing, CONFIRMED)) == 4 + 1
