"""The household meter: what each client sees, registers that equal the profile, captures when the clock is changed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.apdu import CosemAttributeDescriptor, CosemAttributeDescriptorWithSelection, CosemMethodDescriptor
from cosemic.association.requests import ActionList, GetList, SetList
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import AssociationRejected, ConfigurationError, ExceptionReceived
from cosemic.security import MemoryCounterStore
from cosemic.server import Situation
from cosemic.simulator import HouseholdMeter, MeterSecurity
from cosemic.simulator.household import CLOCK, ENERGY, EXPORT, INVOCATION_COUNTER, LOAD_PROFILE
from cosemic.simulator.load_curve import DAY, FIRST_DAY
from cosemic.store.security_settings import load_security
from cosemic.values import ActionResult, DataAccessResult, DateTime, Obis, Secret
from tests.server.support import NOW, Local

PROFILES = ("1-0:99.1.0", "1-0:99.2.0", "0-0:98.1.0")
COUNTER = "0-0:43.1.0"
TIMES = st.integers(0, 700 * DAY).map(lambda seconds: dt.datetime.fromtimestamp(FIRST_DAY * DAY + seconds, dt.UTC))


class Time:
    """A clock that is moved by hand."""

    def __init__(self, now: dt.datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_(self, **by: float) -> None:
        self.now += dt.timedelta(**by)


def client_of(meter: HouseholdMeter, **changed: Any) -> Local:
    """The client that the meter's settings are made for."""
    values = {**meter.security.client_settings(), **changed}
    if meter.security.kind == "hls-gmac":
        values.setdefault("counters", MemoryCounterStore())
    return Local(meter, meter.security.client_sap, load_security(values).client)


def value(meter: HouseholdMeter, class_id: int, name: Obis | str, attribute: int = 2) -> Any:
    served = meter.object(class_id, name)
    assert served is not None
    return served.read(attribute, None, Situation(meter.now())).value()


def entries(meter: HouseholdMeter, name: Obis | str = LOAD_PROFILE) -> list[tuple[dt.datetime, tuple[Any, ...]]]:
    return [(DateTime(stamp).to_datetime(), tuple(rest)) for stamp, *rest in value(meter, 7, name)]


def meter_at(now: dt.datetime = NOW, **options: Any) -> tuple[HouseholdMeter, Time]:
    time = Time(now)
    return HouseholdMeter(1, 5, now=time, **{"profile_days": 2} | options), time


@pytest.mark.parametrize("kind", ["none", "lls", "hls-gmac"])
def test_each_kind_of_security_lets_its_client_read_everything(kind: str) -> None:
    meter, _ = meter_at(security=kind)
    client = client_of(meter).open()
    assert client.get(3, "1-0:1.8.0", 2) == value(meter, 3, ENERGY)
    assert client.get(3, "1-0:1.8.0", 3) == (0, 30)
    assert len(client.get(7, "1-0:99.1.0", 2)) == 192
    listed = {Obis(entry[2]) for entry in client.get(15, "0-0:40.0.0", 2)}
    assert {Obis(name) for name in PROFILES} | {CLOCK, ENERGY, EXPORT} <= listed
    client.release()


def test_where_there_is_security_the_public_client_sees_names_clock_and_counter_only() -> None:
    meter, _ = meter_at(security="hls-gmac")
    public = Local(meter, 16).open()
    assert public.get(1, "0-0:42.0.0", 2) == b"CSM0000000000001"
    assert public.get(1, COUNTER, 2) == 0
    assert isinstance(public.get(8, "0-0:1.0.0", 2), bytes)
    for name in ("1-0:1.8.0", "0-0:43.0.0", "0-0:40.0.3"):
        class_id = {"1": 3, "0": 64 if "43" in name else 15}[name[0]]
        assert public.get(class_id, name, 2) is DataAccessResult.OBJECT_UNDEFINED
    assert public.set(8, "0-0:1.0.0", 3, DataType.LONG, 0) is DataAccessResult.READ_WRITE_DENIED


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


def test_the_management_client_reads_writes_and_invokes_in_lists_under_ciphering() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter, dedicated_key=True).open()
    zone, time = (CosemAttributeDescriptor(8, CLOCK, index) for index in (3, 2))
    single = [CosemAttributeDescriptorWithSelection(one, None) for one in (zone, time)]
    answers = client.request(GetList((*single, CosemAttributeDescriptorWithSelection(zone, None))))
    assert answers[0].value() == answers[2].value() == -60
    written = client.request(
        SetList(tuple(single), (EncodedData.of(DataType.LONG, 0), EncodedData.of(DataType.LONG, 0)))
    )
    assert written == (DataAccessResult.SUCCESS, DataAccessResult.TYPE_UNMATCHED)
    assert client.get(8, "0-0:1.0.0", 3) == 0
    methods = (CosemMethodDescriptor(8, CLOCK, 3), CosemMethodDescriptor(3, ENERGY, 1))
    acted = client.request(ActionList(methods, (EncodedData.of(DataType.INTEGER, 0),) * 2))
    assert [one.result for one in acted] == [ActionResult.SUCCESS, ActionResult.READ_WRITE_DENIED]
    assert client.act(7, "0-0:98.1.0", 1, EncodedData.of(DataType.INTEGER, 0)).result is ActionResult.SUCCESS
    assert client.get(7, "0-0:98.1.0", 2) == []


def test_the_management_client_is_not_let_in_without_ciphering() -> None:
    meter, _ = meter_at(security="hls-gmac")
    with pytest.raises(AssociationRejected):
        Local(meter, 1, ClientSettings()).open()
    standing = Local(meter, 1)
    standing.server.receive(bytes.fromhex("c001c100010000600100ff0200"), 0.0)
    assert standing.server.octets_to_send().hex() == "d80101"


def test_a_plain_request_in_a_ciphered_association_is_refused() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter).open()
    client.client.context = None
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        client.get(3, "1-0:1.8.0", 2)


@given(now=TIMES, serial=st.integers(0, 20))
def test_registers_equal_the_profile_and_what_came_since(now: dt.datetime, serial: int) -> None:
    meter = HouseholdMeter(serial, now=lambda: now, profile_days=1)
    read = entries(meter)
    if not read:
        return
    end, (status, imported, exported) = read[-1]
    assert status == 0
    passed = (now - end).total_seconds()
    assert 0 <= passed < 900
    drawn, fed = meter.curve.power(end.timestamp())
    assert abs(value(meter, 3, ENERGY) - imported - drawn * passed / 3600) <= 2
    assert abs(value(meter, 3, EXPORT) - exported - fed * passed / 3600) <= 2
    assert value(meter, 3, "1-0:1.8.1") + value(meter, 3, "1-0:1.8.2") == value(meter, 3, ENERGY)
    assert value(meter, 3, "1-0:1.7.0") == drawn


@given(now=TIMES)
def test_the_profile_has_one_entry_for_each_quarter_up_to_now(now: dt.datetime) -> None:
    meter = HouseholdMeter(1, now=lambda: now, profile_days=1)
    stamps = [stamp for stamp, _ in entries(meter)]
    passed = (now - dt.datetime.fromtimestamp(FIRST_DAY * DAY - 3600, dt.UTC)) // dt.timedelta(seconds=900)
    assert len(stamps) == min(passed, 96) == value(meter, 7, LOAD_PROFILE, 7)
    last = dt.datetime.fromtimestamp(now.timestamp() // 900 * 900, dt.UTC)
    assert stamps == [last - dt.timedelta(minutes=15 * back) for back in reversed(range(len(stamps)))]
    assert all(stamp.utcoffset() == dt.timedelta(hours=1) for stamp in stamps)


@settings(max_examples=30)
@given(steps=st.lists(st.integers(0, DAY), max_size=4), profile=st.sampled_from(PROFILES))
def test_what_is_captured_does_not_depend_on_when_it_was_asked_for(steps: list[int], profile: str) -> None:
    meter, time = meter_at(profile_days=1)
    for step in steps:
        time.pass_(seconds=step)
        value(meter, 7, profile)
    fresh, _ = meter_at(time.now, profile_days=1)
    # The one that looked first has captured what had room then.
    count = min(value(one, 7, profile, 7) for one in (meter, fresh))
    assert value(meter, 7, profile)[-count:] == value(fresh, 7, profile)[-count:]


def test_daily_values_are_captured_at_local_midnight_and_billing_values_each_month() -> None:
    meter, _ = meter_at()
    daily, billing = entries(meter, "1-0:99.2.0"), entries(meter, "0-0:98.1.0")
    assert (len(daily), len(billing)) == (40, 13)
    assert {stamp.strftime("%H:%M:%S %z") for stamp, _ in daily + billing} == {"00:00:00 +0100"}
    assert [stamp.strftime("%Y-%m-%d") for stamp, _ in (daily[0], daily[-1])] == ["2026-10-12", "2026-11-20"]
    assert [stamp.strftime("%Y-%m-%d") for stamp, _ in (billing[0], billing[-1])] == ["2025-11-01", "2026-11-01"]
    in_load_profile = {stamp: values[1] for stamp, values in entries(meter)}
    for stamp, (first, second, _) in daily[-1:]:
        assert in_load_profile[stamp] == first + second


def test_setting_the_clock_forward_leaves_a_gap_and_back_repeats_and_both_are_marked() -> None:
    meter, time = meter_at()
    clock = meter.clock

    def shift(minutes: int) -> None:
        new = DateTime.from_datetime(clock.time(time.now) + dt.timedelta(minutes=minutes))
        clock.write(2, None, EncodedData.of(DataType.OCTET_STRING, new.octets), Situation(time.now))

    shift(60)
    time.pass_(minutes=30)
    forward = entries(meter)[-4:]
    assert [stamp.strftime("%H:%M") for stamp, _ in forward] == ["13:15", "13:30", "14:45", "15:00"]
    assert [status for _, (status, *_) in forward] == [0, 0, 0x20, 0]
    shift(-60)
    time.pass_(minutes=15)
    back = entries(meter)[-3:]
    assert [stamp.strftime("%H:%M") for stamp, _ in back] == ["14:45", "15:00", "14:15"]
    assert [status for _, (status, *_) in back] == [0x20, 0, 0x20]
    counted = [imported for _, (_, imported, _) in entries(meter)]
    assert counted == sorted(counted)


def test_an_entry_can_be_captured_beside_the_schedule() -> None:
    meter, _ = meter_at(security="hls-gmac")
    client = client_of(meter).open()
    assert client.act(7, "1-0:99.1.0", 2, EncodedData.of(DataType.INTEGER, 0)).result is ActionResult.SUCCESS
    (_, (_, before, _)), (stamp, (_, imported, _)) = entries(meter)[-2:]
    assert stamp.strftime("%H:%M:%S") == "13:34:56"
    assert before <= imported == value(meter, 3, ENERGY)


def test_voltage_and_current_go_with_the_power() -> None:
    meter, _ = meter_at()
    volts, amperes, *watts = (value(meter, 3, f"1-0:{code}.7.0") for code in (32, 31, 1, 2))
    assert 2200 <= volts <= 2350
    assert abs(volts / 10 * amperes / 100 - max(watts)) <= 0.01 * volts / 10 + 1


def test_meters_are_the_same_for_the_same_seed_and_serial_number_and_differ_otherwise() -> None:
    def shown(serial: int, seed: int) -> tuple[Any, ...]:
        meter = HouseholdMeter(serial, seed, security="hls-gmac", now=lambda: NOW, profile_days=1)
        security = meter.security
        keys = tuple(one.reveal() for one in (security.password, security.encryption_key, security.authentication_key))
        return meter.name, meter.system_title, value(meter, 3, ENERGY), *keys

    assert shown(4, 9) == shown(4, 9)
    for other in (shown(5, 9), shown(4, 10)):
        assert not set(shown(4, 9)[2:]) & set(other[2:])


def test_the_settings_of_a_simulated_meter_show_no_key() -> None:
    security = MeterSecurity.of("hls-gmac", 1, 0)
    assert all(
        isinstance(security.client_settings()[name], Secret) for name in ("encryption_key", "authentication_key")
    )
    assert security.encryption_key.reveal().hex() not in repr(security) + repr(security.client_settings())
    assert "simulator" in repr(security.encryption_key)


def test_meters_that_cannot_be_are_refused() -> None:
    for options in ({"serial": -1}, {"serial": 10**13}, {"utc_offset": 7}, {"security": "magic"}, {"utc_offset": 900}):
        with pytest.raises(ConfigurationError):
            HouseholdMeter(**{"serial": 1} | options)  # type: ignore[arg-type]  # wrong on purpose
    assert Obis(COUNTER) == INVOCATION_COUNTER
