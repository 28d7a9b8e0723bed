"""A simulated meter: what each client sees and may do, registers that equal the profile, and how it behaves."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptor, CosemAttributeDescriptorWithSelection, CosemMethodDescriptor
from cosemic.association.requests import ActionList, GetList, SetList
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, ConfigurationError, ExceptionReceived
from cosemic.model import AMRProfileStatus, event_name
from cosemic.model.event_names import Companion
from cosemic.server import only, reading
from cosemic.simulator import HouseholdMeter, MeterPlan, MeterSecurity, SimulatedMeter, Time, names
from cosemic.simulator.customers import DAY, SLOT
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis, Secret
from tests.effort import examples
from tests.simulator.support import BERLIN, NOW, Local, View, client_of, entries, meter_at, standing, value

COUNTER = "0-0:43.1.0"
SUCCESS = DataAccessResult.SUCCESS
ZERO = EncodedData.of(DataType.INTEGER, 0)
BEGIN = dt.datetime(2025, 1, 1, tzinfo=BERLIN)
TIMES = st.integers(0, 700 * DAY).map(lambda seconds: BEGIN + dt.timedelta(seconds=seconds))
SKELETON = [
    "1/0-0:42.0.0", "15/0-0:40.0.0", "15/0-0:40.0.1", "8/0-0:1.0.0", "1/0-0:96.1.0", "1/0-0:96.1.1", "1/1-0:0.2.0",
    "1/1-0:0.2.8", "18/0-0:44.0.0", "20/0-0:13.0.0", "11/0-0:11.0.0", "9/0-0:10.0.100", "6/0-0:14.0.0",
    "10/0-0:12.0.0", "22/0-0:15.0.0", "9/0-0:10.0.1", "22/0-0:15.0.1", "9/0-0:10.0.106", "22/0-0:15.0.2",
    "9/0-0:10.0.107", "3/1-0:1.8.0", "3/1-0:1.8.1", "3/1-0:1.8.2", "3/1-0:2.8.0", "3/1-0:1.7.0", "3/1-0:32.7.0",
    "3/1-0:31.7.0", "5/1-0:1.4.0", "4/1-0:1.6.0", "7/1-0:99.1.0", "7/1-0:99.2.0", "7/0-0:98.1.0", "7/0-0:99.98.0",
    "7/0-0:99.98.1", "7/0-0:99.98.2", "7/1-0:99.97.0", "1/0-0:97.97.0", "1/0-0:97.98.0", "1/0-0:97.98.10",
    "1/0-0:97.98.20", "70/0-0:96.3.10", "71/0-0:17.0.0", "40/0-0:25.9.0", "21/0-0:16.0.0",
]  # fmt: skip


def date_time(moment: dt.datetime) -> EncodedData:
    return EncodedData.of(DataType.OCTET_STRING, DateTime.from_datetime(moment).octets)


def codes(meter: SimulatedMeter, log: str) -> list[str | None]:
    return [event_name(Companion.IDIS, Obis(log), code) for _, (code, *_) in entries(meter, log)]


# ---- what each client sees and may do --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["none", "lls", "hls-gmac"])
def test_each_kind_of_security_lets_its_client_read_everything(kind: str) -> None:
    meter, _ = meter_at(security=kind)
    client = client_of(meter).open()
    assert client.get(3, "1-0:1.8.0", 2) == meter.curve.imported(NOW.timestamp())
    assert client.get(3, "1-0:1.8.0", 3) == (0, 30)
    assert len(client.get(7, "1-0:99.1.0", 2)) == 192
    listed = {f"{entry[0]}/{Obis(entry[2])}" for entry in client.get(15, "0-0:40.0.0", 2)}
    assert {f"{name}*255" for name in SKELETON} <= listed
    client.release()


def test_every_attribute_that_is_listed_as_readable_is_read() -> None:
    meter, _ = meter_at()
    client = client_of(meter).open()
    for class_id, _, name, (attributes, _) in client.get(15, "0-0:40.0.0", 2):
        for index, mode, _ in attributes:
            if mode:
                found = client.get(class_id, str(Obis(name)), index)
                assert not isinstance(found, DataAccessResult), (class_id, Obis(name), index, found)


def test_where_there_is_security_the_public_client_sees_names_clock_firmware_and_counter_only() -> None:
    meter, _ = meter_at(security="hls-gmac")
    public = Local(meter, 16).open()
    assert public.get(1, "0-0:42.0.0", 2) == b"CSM0000000000001"
    assert public.get(1, "1-0:0.2.0", 2) == b"1.0.0"
    assert public.get(1, COUNTER, 2) == 0
    assert isinstance(public.get(8, "0-0:1.0.0", 2), bytes)
    for class_id, name in ((3, "1-0:1.8.0"), (64, "0-0:43.0.0"), (15, "0-0:40.0.3"), (70, "0-0:96.3.10")):
        assert public.get(class_id, name, 2) is DataAccessResult.OBJECT_UNDEFINED
    assert public.set(8, "0-0:1.0.0", 3, DataType.LONG, 0) is DataAccessResult.READ_WRITE_DENIED


def test_the_reading_client_reads_and_changes_nothing() -> None:
    meter, _ = meter_at(security="lls")
    client = client_of(meter).open()
    assert client.set(8, "0-0:1.0.0", 3, DataType.LONG, 0) is DataAccessResult.READ_WRITE_DENIED
    assert client.act(70, "0-0:96.3.10", 1, ZERO).result is ActionResult.READ_WRITE_DENIED
    assert value_of_public(meter) == b"CSM0000000000001"


def value_of_public(meter: SimulatedMeter) -> Any:
    return Local(meter, 16).open().get(1, "0-0:42.0.0", 2)


def test_without_security_the_public_client_may_do_everything_but_reset_energy() -> None:
    meter, _ = meter_at()
    client = client_of(meter).open()
    assert client.act(70, "0-0:96.3.10", 1, ZERO).result is ActionResult.SUCCESS
    assert client.act(70, "0-0:96.3.10", 2, ZERO).result is ActionResult.SUCCESS
    assert client.set(71, "0-0:17.0.0", 4, DataType.DOUBLE_LONG_UNSIGNED, 9000) is SUCCESS
    assert client.set(20, "0-0:13.0.0", 6, DataType.OCTET_STRING, b"next") is SUCCESS
    for name in ("1-0:1.8.0", "1-0:1.8.1", "1-0:2.8.0"):
        assert client.act(3, name, 1, ZERO).result is ActionResult.READ_WRITE_DENIED


def test_everything_that_is_configuration_can_be_written() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter).open()
    rights = {
        (entry[0], str(Obis(entry[2]))): {index for index, mode, _ in entry[3][0] if mode in (2, 3, 5, 6)}
        for entry in client.get(15, "0-0:40.0.0", 2)
    }
    for class_id, name, attributes in (
        (8, "0-0:1.0.0", {2, 3, 5, 6, 7, 8, 9}),
        (9, "0-0:10.0.100", {2}),
        (10, "0-0:12.0.0", {2}),
        (11, "0-0:11.0.0", {2}),
        (20, "0-0:13.0.0", set(range(2, 11))),
        (22, "0-0:15.0.0", {2, 3, 4}),
        (6, "0-0:14.0.0", {2, 3, 4}),
        (5, "1-0:1.4.0", {8, 9}),
        (7, "1-0:99.1.0", {3, 4, 5, 6, 8}),
        (40, "0-0:25.9.0", set(range(2, 13))),
        (71, "0-0:17.0.0", {2, 4, 5, 6, 7, 8, 9, 11}),
        (21, "0-0:16.0.0", {2, 3, 4}),
        (70, "0-0:96.3.10", {4}),
        (1, "0-0:97.98.10", {2}),
    ):
        assert rights[class_id, f"{name}*255"] == attributes, name


def test_the_push_setup_pushes_and_what_is_set_up_is_kept() -> None:
    meter, _ = meter_at()
    served = meter.object(40, names.PUSH_SETUP)
    assert served is not None
    assert served.invocable == {1, 2}
    client = client_of(meter).open()
    assert client.set(40, "0-0:25.9.0", 5, DataType.LONG_UNSIGNED, 30) is SUCCESS
    assert client.get(40, "0-0:25.9.0", 5) == 30


def test_rights_of_a_plan_take_the_place_of_the_usual_ones() -> None:
    meter, _ = meter_at(rights={16: only(reading(), "0-0:42.0.0", "3/1-0:1.8.0")})
    public = Local(meter, 16).open()
    assert public.get(3, "1-0:1.8.0", 2) > 0
    assert public.get(3, "1-0:2.8.0", 2) is DataAccessResult.OBJECT_UNDEFINED


def test_the_counter_object_follows_what_the_management_client_sends() -> None:
    meter, _ = meter_at(security="hls-gmac")
    public, client = Local(meter, 16).open(), client_of(meter).open()
    before = public.get(1, COUNTER, 2)
    client.get(3, "1-0:1.8.0", 2)
    assert public.get(1, COUNTER, 2) == before + 1 > 1


def test_wrong_passwords_and_keys_are_refused() -> None:
    for meter, changed in (
        (meter_at(security="lls")[0], {"password": "wrong"}),
        (meter_at(security="hls-gmac")[0], {"encryption_key": bytes(16)}),
        (meter_at(security="hls-gmac")[0], {"authentication_key": bytes(16)}),
    ):
        with pytest.raises(AssociationRejected):
            client_of(meter, **changed).open()


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_the_version_of_association_is_chosen(version: int) -> None:
    meter, _ = meter_at(security="hls-gmac", association_version=version)
    client = client_of(meter).open()
    versions = {entry[1] for entry in client.get(15, "0-0:40.0.0", 2) if entry[0] == 15}
    assert versions == {version}


def test_the_management_client_reads_writes_and_invokes_in_lists_under_ciphering() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter, dedicated_key=True).open()
    zone, time = (CosemAttributeDescriptor(8, names.CLOCK, index) for index in (3, 2))
    single = [CosemAttributeDescriptorWithSelection(one, None) for one in (zone, time)]
    answers = client.request(GetList((*single, CosemAttributeDescriptorWithSelection(zone, None))))
    assert answers[0].value() == answers[2].value() == -60
    written = client.request(
        SetList(tuple(single), (EncodedData.of(DataType.LONG, 0), EncodedData.of(DataType.LONG, 0)))
    )
    assert written == (DataAccessResult.SUCCESS, DataAccessResult.TYPE_UNMATCHED)
    assert client.get(8, "0-0:1.0.0", 3) == 0
    methods = (CosemMethodDescriptor(8, names.CLOCK, 3), CosemMethodDescriptor(3, names.ENERGY, 1))
    acted = client.request(ActionList(methods, (ZERO,) * 2))
    assert [one.result for one in acted] == [ActionResult.SUCCESS, ActionResult.READ_WRITE_DENIED]
    assert client.act(7, "0-0:98.1.0", 1, ZERO).result is ActionResult.SUCCESS
    assert client.get(7, "0-0:98.1.0", 2) == []


def test_the_management_client_is_not_let_in_without_ciphering() -> None:
    meter, _ = meter_at(security="hls-gmac")
    with pytest.raises(AssociationRejected):
        Local(meter, 1, ClientSettings()).open()
    standing_ = Local(meter, 1)
    standing_.server.receive(bytes.fromhex("c001c100010000600100ff0200"), 0.0)
    assert standing_.server.octets_to_send().hex() == "d80101"


def test_a_plain_request_in_a_ciphered_association_is_refused() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter).open()
    client.client.context = None
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        client.get(3, "1-0:1.8.0", 2)


# ---- what it measures ------------------------------------------------------------------------------------------------


@examples(25)
@given(now=TIMES, serial=st.integers(0, 20), customer=st.sampled_from(["household", "shop", "solar"]))
def test_registers_equal_the_profile_and_what_came_since(now: dt.datetime, serial: int, customer: str) -> None:
    meter, _ = meter_at(standing(now), serial=serial, customer=customer, profile_days=1, billing_periods=0)
    read = entries(meter, names.LOAD_PROFILE)
    imported, exported = (value(meter, 3, name) for name in (names.ENERGY, names.EXPORT))
    assert value(meter, 3, "1-0:1.8.1") + value(meter, 3, "1-0:1.8.2") == imported
    assert value(meter, 3, "1-0:2.8.1") + value(meter, 3, "1-0:2.8.2") == exported
    drawn, fed = (value(meter, 3, name) for name in (names.POWER, names.EXPORT_POWER))
    for before, after in itertools.pairwise(read):
        slot = meter.curve.power(before[0].timestamp())
        assert (after[1][1] - before[1][1], after[1][2] - before[1][2]) == (slot.imported // 4, slot.exported // 4)
    if read:
        end, (_, last_imported, last_exported) = read[-1]
        passed = (now - end).total_seconds()
        assert 0 <= passed < SLOT
        assert 0 <= drawn * passed / 3600 - (imported - last_imported) < 1
        assert 0 <= fed * passed / 3600 - (exported - last_exported) < 1


@examples(25)
@given(now=TIMES)
def test_the_profile_has_one_entry_for_each_quarter_up_to_now(now: dt.datetime) -> None:
    meter, _ = meter_at(standing(now), profile_days=1, billing_periods=0)
    stamps = [stamp for stamp, _ in entries(meter, names.LOAD_PROFILE)]
    passed = (now - BEGIN) // dt.timedelta(seconds=SLOT)
    assert len(stamps) == min(passed, 96) == value(meter, 7, names.LOAD_PROFILE, 7)
    last = dt.datetime.fromtimestamp(now.timestamp() // SLOT * SLOT, dt.UTC)
    assert stamps == [last - dt.timedelta(minutes=15 * back) for back in reversed(range(len(stamps)))]
    assert [stamp.utcoffset() for stamp in stamps] == [stamp.astimezone(BERLIN).utcoffset() for stamp in stamps]


def test_the_status_tells_daylight_saving() -> None:
    meter, _ = meter_at(standing(dt.datetime(2026, 3, 29, 12, tzinfo=BERLIN)))
    for stamp, (status, *_) in entries(meter, names.LOAD_PROFILE):
        saving = stamp.astimezone(BERLIN).dst()
        assert status == (AMRProfileStatus.DAYLIGHT_SAVING if saving else 0)


def test_daily_and_billing_values_are_captured_at_local_midnight() -> None:
    meter, _ = meter_at(billing_periods=3)
    daily, billing = entries(meter, names.DAILY_VALUES), entries(meter, names.BILLING_VALUES)
    assert (len(daily), len(billing)) == (40, 3)
    local = [stamp.astimezone(BERLIN) for stamp, _ in daily]
    assert {moment.time() for moment in local} == {dt.time(0)}
    assert [moment.date().isoformat() for moment in (local[0], local[-1])] == ["2026-10-12", "2026-11-20"]
    months = [stamp.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") for stamp, _ in billing]
    assert months == ["2026-09-01 00:00", "2026-10-01 00:00", "2026-11-01 00:00"]
    in_load_profile = {stamp: values[1:] for stamp, values in entries(meter, names.LOAD_PROFILE)}
    stamp, (_, first, second, *fed) = daily[-1]
    assert in_load_profile[stamp] == (first + second, sum(fed))


@pytest.mark.parametrize(("serial", "how_often"), [(1, 1), (58, 2)])
def test_the_maximum_of_a_billing_period_is_the_greatest_average_in_it_the_first_of_equals(
    serial: int, how_often: int
) -> None:
    now = standing(dt.datetime(2026, 10, 5, 12, tzinfo=BERLIN))
    meter, _ = meter_at(now, serial=serial, seed=0, customer="household", billing_periods=1)
    (stamp, row), curve = entries(meter, names.BILLING_VALUES)[0], meter.curve
    begin = int(dt.datetime(2026, 9, 1, tzinfo=BERLIN).timestamp())
    slots = range(begin, int(stamp.timestamp()), SLOT)
    averages = {slot + SLOT: 4 * (curve.imported(slot + SLOT) - curve.imported(slot)) for slot in slots}
    greatest = [end for end, average in averages.items() if average == max(averages.values())]
    assert len(greatest) == how_often
    assert (row[-2], DateTime(row[-1]).to_datetime().timestamp()) == (max(averages.values()), greatest[0])


def test_a_month_is_closed_by_the_schedule() -> None:
    meter, time = meter_at(standing(dt.datetime(2026, 11, 30, 23, 50, tzinfo=BERLIN)))
    before, maximum = value(meter, 1, "0-0:0.1.0"), value(meter, 4, names.MAXIMUM_DEMAND)
    time.step(minutes=11)
    assert value(meter, 1, "0-0:0.1.0") == before + 1 == 23
    stamp, row = entries(meter, names.BILLING_VALUES)[-1]
    assert stamp == dt.datetime(2026, 12, 1, tzinfo=BERLIN)
    assert row[-2] >= maximum
    assert value(meter, 4, names.MAXIMUM_DEMAND) == 0


def test_the_calendar_switches_the_tariff_registers() -> None:
    meter, time = meter_at(standing(dt.datetime(2026, 11, 20, 5, 50, tzinfo=BERLIN)))
    assert value(meter, 1, "0-0:96.14.0") == b"T2"
    night = value(meter, 3, "1-0:1.8.1")
    time.step(minutes=10)
    at_six = value(meter, 3, "1-0:1.8.2")
    assert value(meter, 3, "1-0:1.8.1") == night
    time.step(hours=2)
    assert (value(meter, 3, "1-0:1.8.2"), value(meter, 1, "0-0:96.14.0")) == (at_six, b"T1")
    assert value(meter, 3, "1-0:1.8.1") > night
    time.step(days=1)
    assert value(meter, 1, "0-0:96.14.0") == b"T2"  # a Saturday


def test_a_disconnected_supply_takes_no_energy_and_the_profile_shows_it() -> None:
    meter, time = meter_at()
    client = client_of(meter).open()
    assert client.act(70, "0-0:96.3.10", 1, ZERO).result is ActionResult.SUCCESS
    energy = client.get(3, "1-0:1.8.0", 2)
    time.step(hours=3)
    assert client.get(3, "1-0:1.8.0", 2) == energy
    assert (client.get(3, "1-0:1.7.0", 2), client.get(3, "1-0:31.7.0", 2)) == (0, 0)
    assert {row[1] for _, row in entries(meter, names.LOAD_PROFILE)[-12:]} == {energy}
    assert client.act(70, "0-0:96.3.10", 2, ZERO).result is ActionResult.SUCCESS
    assert client.get(70, "0-0:96.3.10", 2) is True
    since = time()
    time.step(hours=3)
    drawn = meter.curve.imported(time().timestamp()) - meter.curve.imported(since.timestamp())
    assert client.get(3, "1-0:1.8.0", 2) == energy + drawn
    assert codes(meter, "0-0:99.98.2") == ["Remote disconnection", "Remote connection"]


def test_the_limiter_opens_the_switch() -> None:
    meter, time = meter_at(customer="shop")
    client = client_of(meter).open()
    assert client.get(3, "1-0:1.7.0", 2) > 1000
    assert client.set(71, "0-0:17.0.0", 4, DataType.DOUBLE_LONG_UNSIGNED, 1000) is SUCCESS
    time.step(seconds=61)
    assert client.get(70, "0-0:96.3.10", 2) is False
    assert codes(meter, "0-0:99.98.2")[-1] == "Local disconnection"
    meter.breaker.press_button(time())
    assert client.get(70, "0-0:96.3.10", 2) is True


def test_the_clock_is_set_and_the_logs_and_the_status_tell_it() -> None:
    meter, time = meter_at()
    client = client_of(meter).open()
    time.step(minutes=10)
    assert client.set(8, "0-0:1.0.0", 2, *typed(date_time(time() + dt.timedelta(minutes=60)))) is SUCCESS
    time.step(minutes=30)
    stamps = [stamp.astimezone(BERLIN).strftime("%H:%M") for stamp, _ in entries(meter, names.LOAD_PROFILE)[-4:]]
    assert stamps == ["13:15", "13:30", "14:45", "15:00"]
    assert [row[0] for _, row in entries(meter, names.LOAD_PROFILE)[-4:]] == [0, 0, 0x20, 0]
    assert codes(meter, "0-0:99.98.0") == ["Clock adjusted (old time)", "Clock adjusted (new time)"]


def typed(encoded: EncodedData) -> tuple[DataType, Any]:
    return encoded.typed()


def test_power_failures_leave_gaps_and_are_told() -> None:
    meter, time = meter_at(standing(dt.datetime(2026, 11, 20, 12, 20, tzinfo=BERLIN)))
    energy = value(meter, 3, names.ENERGY)
    meter.happened("power-down")
    time.step(hours=1)
    meter.happened("power-up")
    assert value(meter, 3, names.ENERGY) == energy
    time.step(minutes=30)
    rows = entries(meter, names.LOAD_PROFILE)[-3:]
    assert [stamp.astimezone(BERLIN).strftime("%H:%M") for stamp, _ in rows] == ["12:15", "13:30", "13:45"]
    assert [row[0] for _, row in rows] == [0, AMRProfileStatus.POWER_DOWN, 0]
    assert codes(meter, "0-0:99.98.0") == ["Power down", "Power up"]
    assert [value(meter, 1, name) for name in ("0-0:96.7.21", "0-0:96.7.9", "0-0:96.7.19")] == [1, 1, 3600]
    assert [row for _, row in entries(meter, "1-0:99.97.0")] == [(3600,)]


def test_a_short_power_failure_is_counted_and_not_logged_as_a_long_one() -> None:
    meter, time = meter_at()
    meter.happened("power-down")
    time.step(minutes=3)
    meter.happened("power-up")
    assert [value(meter, 1, name) for name in ("0-0:96.7.21", "0-0:96.7.9", "0-0:96.7.19")] == [1, 0, 0]
    assert entries(meter, "1-0:99.97.0") == []


def test_an_entry_can_be_captured_beside_the_schedule() -> None:
    meter, _ = meter_at()
    client = client_of(meter).open()
    assert client.act(7, "1-0:99.1.0", 2, ZERO).result is ActionResult.SUCCESS
    (_, (_, before, _)), (stamp, (_, imported, _)) = entries(meter, names.LOAD_PROFILE)[-2:]
    assert stamp.astimezone(BERLIN).strftime("%H:%M:%S") == "13:34:56"
    assert before <= imported == value(meter, 3, names.ENERGY)


def test_voltage_and_current_are_those_of_the_curve() -> None:
    meter, _ = meter_at()
    shown = [value(meter, 3, f"1-0:{code}.7.0") for code in (32, 31, 14)]
    moment = NOW.timestamp()
    assert shown == [meter.curve.voltage(moment), meter.curve.current(moment), meter.curve.frequency(moment)]


def test_the_load_profile_has_the_period_that_is_planned() -> None:
    meter, _ = meter_at(capture_period=300)
    read = entries(meter, names.LOAD_PROFILE)
    assert len(read) == 2 * 288
    assert {late - early for (early, _), (late, _) in itertools.pairwise(read)} == {dt.timedelta(minutes=5)}


# ---- what it is ------------------------------------------------------------------------------------------------------


def test_meters_are_the_same_for_the_same_seed_and_serial_number_and_differ_otherwise() -> None:
    def shown(serial: int, seed: int) -> tuple[Any, ...]:
        meter, _ = meter_at(serial=serial, seed=seed, security="hls-gmac", profile_days=1, billing_periods=0)
        security = meter.security
        keys = tuple(one.reveal() for one in (security.password, security.encryption_key, security.authentication_key))
        return meter.name, meter.system_title, meter.curve.imported(NOW.timestamp()), *keys

    assert shown(4, 9) == shown(4, 9)
    for other in (shown(5, 9), shown(4, 10)):
        assert not set(shown(4, 9)[2:]) & set(other[2:])


def test_every_third_household_has_panels_and_the_type_tells_the_customer() -> None:
    kinds = [MeterPlan(serial=serial).kind.name for serial in range(9)]
    assert sorted(kinds) == ["household"] * 6 + ["solar"] * 3
    meter, _ = meter_at(customer="shop")
    assert value(meter, 1, names.METER_TYPE) == b"shop"


def test_a_household_meter_is_said_in_one_line() -> None:
    meter = HouseholdMeter(7, security="lls", solar=True, now=lambda: NOW, utc_offset=120)
    assert meter.plan == MeterPlan(serial=7, customer="solar", security="lls", zone=dt.timezone(dt.timedelta(hours=2)))
    assert meter.clock.time(NOW).utcoffset() == dt.timedelta(hours=2)
    assert HouseholdMeter(7, solar=False).curve.customer.name == "household"
    assert HouseholdMeter(7, zone=BERLIN, now=lambda: NOW).plan.zone is BERLIN


def test_the_settings_of_a_simulated_meter_show_no_key() -> None:
    security = MeterSecurity.of("hls-gmac", 1, 0)
    assert all(
        isinstance(security.client_settings()[name], Secret) for name in ("encryption_key", "authentication_key")
    )
    assert security.encryption_key.reveal().hex() not in repr(security) + repr(security.client_settings())
    assert "simulator" in repr(security.encryption_key)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"serial": -1}, "13 digits"),
        ({"serial": 10**13}, "13 digits"),
        ({"customer": "shopp"}, "is shop meant"),
        ({"profile_days": 0}, "a day or more"),
        ({"profile_days": 36_526}, "up to 36525"),
        ({"billing_periods": -1}, "billing periods"),
        ({"billing_periods": 1_201}, "0 to 1200 billing periods"),
        ({"capture_period": 7}, "60 s or more"),
        ({"capture_period": 1000}, "divides a day"),
        ({"zone": dt.timezone(dt.timedelta(minutes=7))}, "multiple of 15 minutes"),
        ({"security": "magic"}, "security is one of"),
        ({"association_version": 4}, "versions 0 to 3"),
    ],
)
def test_meters_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        SimulatedMeter(MeterPlan(**{"serial": 1} | options))


@pytest.mark.slow
@pytest.mark.no_cover
def test_the_deepest_records_can_be_made() -> None:
    meter, _ = meter_at(profile_days=36_525, billing_periods=1_200, capture_period=3_600)
    assert value(meter, 7, "1-0:99.1.0", 8) == 36_525 * 24


def test_a_zone_too_far_from_utc_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="12 hours"):
        HouseholdMeter(1, utc_offset=900)


def test_time_may_be_given_as_any_function() -> None:
    time = Time(NOW, speed=0)
    assert (
        value(SimulatedMeter(MeterPlan(serial=1), now=time), 8, names.CLOCK)
        == DateTime.from_datetime(NOW.astimezone(dt.timezone(dt.timedelta(hours=1)))).octets
    )
    assert View(SimulatedMeter(MeterPlan(serial=1))).get(8, "0-0:1.0.0", 2)
