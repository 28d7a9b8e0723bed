"""What an editor and a type checker know of a meter; read by test_typed_access, never run."""

from __future__ import annotations

from typing import Any, assert_type

from cosemic import BlockingMeter, Clock, Meter, ProfileGeneric, Register
from cosemic.client.objects import MeterObject
from cosemic.client.procedures.clock import Synchronised
from cosemic.client.procedures.clock_reading import ClockReading
from cosemic.client.scaling import Readable
from cosemic.client.selections import by_class, by_entry
from cosemic.client.steps import Procedure
from cosemic.client.view import ListedObject
from cosemic.codec import EncodedData
from cosemic.model import AssociationLN, Data, LoadProfile, ScalerUnit
from cosemic.values import DateTime, Quantity, Unit

CLOCK = Clock("0-0:1.0.0")
ENERGY = Register("1-0:1.8.0")


async def asynchronously(meter: Meter) -> None:
    assert_type(await meter.read(CLOCK.time), DateTime)
    assert_type(await meter.read(ENERGY.value), Readable)
    assert_type(await meter.read(ENERGY.scaler_unit), ScalerUnit)
    assert_type(await meter.read(ProfileGeneric("1-0:99.1.0").buffer, by_entry(1, 2)), tuple[tuple[Any, ...], ...])
    assert_type(await meter.read(Data("0-0:96.1.0").value), Any)
    assert_type(await meter.read("1-0:1.8.0"), Any)
    assert_type(await meter.read_many(["1-0:1.8.0", CLOCK.time]), list[Any])
    assert_type(await meter.get("1-0:1.8.0"), EncodedData)
    await meter.write(CLOCK.time_zone, -60)
    await meter.write(ENERGY.value, Quantity(1, 3, Unit(30)))
    await meter.write(ENERGY.value, 5)
    assert_type(await meter.call(AssociationLN("0-0:40.0.0").reply_to_HLS_authentication, b""), bytes)
    await meter.call(CLOCK.shift_time, 5)
    await meter.call(CLOCK.adjust_to_minute)
    assert_type(await meter.objects(select=by_class(7)), list[ListedObject])
    assert_type(await meter.load_profile("1-0:99.1.0", "2026-11-01", "2026-11-02"), LoadProfile)
    assert_type(await meter.clock.read(), ClockReading)
    assert_type(await meter.clock.synchronise(3, policy="auto"), Synchronised)
    assert_type(meter["8/0-0:1.0.0"], MeterObject)
    assert_type(await meter, Meter)


def blocking(meter: BlockingMeter) -> None:
    assert_type(meter.read(CLOCK.time), DateTime)
    assert_type(meter.read(ENERGY.value), Readable)
    assert_type(meter.call(AssociationLN("0-0:40.0.0").reply_to_HLS_authentication, b""), bytes)
    assert_type(meter.objects(refresh=True), list[ListedObject])
    assert_type(meter.clock.synchronise(3, policy="auto"), Synchronised)
    with meter as same:
        assert_type(same, BlockingMeter)


def procedure(meter: BlockingMeter) -> Procedure[int | None]:
    time = yield from meter.session.read(CLOCK.time)
    assert_type(time, DateTime)
    return time.deviation
