"""The procedures of a client on a meter that switches, measures, closes months and logs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType
from cosemic.errors import ServiceFailed
from cosemic.model import ControlMode, ControlState, DisconnectControlVersion0, ValueDefinition
from cosemic.server import (
    Admission,
    DisconnectControlObject,
    EventLog,
    LimiterObject,
    LogicalDevice,
    PhysicalDevice,
    managing,
    serve_in_thread,
)
from cosemic.server.clock import ClockObject
from cosemic.values import Obis, Quantity, Unit
from tests.server.running import START, curve
from tests.server.test_billing import build


class Time:
    """The time of the meter."""

    def __init__(self) -> None:
        self.now = START


@pytest.fixture
def meter() -> Iterator[tuple[BlockingMeter, DisconnectControlObject, Time]]:
    time = Time()
    device = LogicalDevice("TST0000000000001", now=lambda: time.now, start=START)
    build(device, source=curve(250))
    clock = device.object(8, "0-0:1.0.0")
    assert isinstance(clock, ClockObject)
    EventLog(device, clock, "0-0:99.98.2")
    switch = device.add(DisconnectControlObject(device))
    power = ValueDefinition(5, Obis("1-0:1.4.0"), 3)
    device.add(LimiterObject(device, clock, "0-0:17.0.0", power, (DataType.DOUBLE_LONG_UNSIGNED, 5000)))
    device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
    with (
        serve_in_thread(PhysicalDevice(device)) as server,
        BlockingMeter.connect(f"tcp://127.0.0.1:{server.port}?client=16&server=1") as client,
    ):
        yield client, switch, time


Meter = tuple[BlockingMeter, DisconnectControlObject, Time]


def test_the_supply_is_switched_and_the_log_names_it(meter: Meter) -> None:
    client, switch, time = meter
    assert client.breaker.disconnect().control_state is ControlState.DISCONNECTED
    assert client.breaker.reconnect().needs_button
    switch.press_button(time.now)
    assert client.breaker.state().output_state
    names = [event.name for event in client.events.read("0-0:99.98.2")]
    assert names == ["Remote disconnection", "Ready for manual reconnection", "Manual connection"]


def test_a_mode_that_wants_a_hand_at_the_meter_says_so(meter: Meter) -> None:
    client, switch, time = meter
    client.write(DisconnectControlVersion0("0-0:96.3.10").control_mode, ControlMode.MODE_2)
    switch.press_button(time.now)
    with pytest.raises(ServiceFailed, match="button"):
        client.breaker.reconnect()


def test_demand_is_read_and_ended_and_a_month_is_closed(meter: Meter) -> None:
    client, _, time = meter
    time.now += dt.timedelta(minutes=37, seconds=30)
    demand = client.demand.read("1-0:1.4.0")
    assert demand.last_average_value == Quantity(1000, 0, Unit.of("W"))
    assert demand.current_average_value == Quantity(500, 0, Unit.of("W"))
    client.demand.next_period("1-0:1.4.0")
    assert client.demand.read("1-0:1.4.0").current_average_value == Quantity(0, 0, Unit.of("W"))
    client.billing.end_period()
    (period,) = client.billing.periods()
    assert Quantity(1000, 0, Unit.of("W")) in period.values
    assert client.demand.captured("1-0:1.6.0").value == Quantity(0, 0, Unit.of("W"))


def test_a_limit_is_set_in_its_unit_and_an_emergency_in_local_time(meter: Meter) -> None:
    client, _, time = meter
    client.limiter.set_thresholds(normal=Quantity(3, 3, Unit.of("W")), emergency=Quantity(2, 3, Unit.of("W")))
    client.limiter.set_groups([5])
    client.limiter.set_emergency_profile(5, dt.datetime(2026, 1, 31, 14, 0), 3600)
    assert client.limiter.read().threshold_active == Quantity(3000, 0, Unit.of("W"))
    time.now += dt.timedelta(hours=1)
    state = client.limiter.read()
    assert state.emergency_profile_active
    assert state.threshold_active == Quantity(2000, 0, Unit.of("W"))
