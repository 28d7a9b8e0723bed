"""What a client sees of each fault, and that all is well again when it is over."""

from __future__ import annotations

import datetime as dt
import itertools
import time as clock
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from cosemic.client import recovery
from cosemic.client.recovery import Rule
from cosemic.dialect import STANDARD as STANDARD_DIALECT
from cosemic.errors import (
    AssociationRejected,
    ConnectionLost,
    ExceptionReceived,
    OutcomeUnknown,
    ResponseTimeout,
)
from cosemic.model import AMRProfileStatus, Clock
from cosemic.security import MemoryCounterStore, SecurityMaterial
from cosemic.simulator import (
    ClockWrong,
    CounterJump,
    Endpoint,
    Fault,
    FaultOrder,
    Fleet,
    Gaps,
    NoAnswer,
    Reboot,
    Reset,
    Slow,
    Time,
    WrongKey,
    firmware_image,
)
from cosemic.simulator.security import CLIENT_TITLE
from cosemic.values import ClockStatus
from tests.simulator.clients import beside, energy_of, let_go, opened
from tests.simulator.support import BERLIN, NOW

pytestmark = pytest.mark.slow

T = TypeVar("T")
SHORT = 0.2
"""Seconds that a client waits."""
AT_ONCE = recovery.STANDARD.but(
    reading={error: Rule((0.0, 0.0), reconnect=True) for error in (ConnectionLost, ResponseTimeout)}
)


def fleet_of(*faults: Fault, kind: str = "none", time: Time | None = None, **options: Any) -> Fleet:
    """One meter whose time stands still."""
    said: dict[str, Any] = {"profile_days": 1, "zone": BERLIN} | options
    orders = [FaultOrder(fault) for fault in faults]
    return Fleet.of(1, 5, kinds=(kind,), now=time or Time(NOW, speed=0), faults=orders, **said)


def at_meter(work: Callable[[Endpoint], T], *faults: Fault, **options: Any) -> T:
    """Do some work at a meter with faults."""
    fleet = fleet_of(*faults, **options)
    return beside(fleet, lambda: work(fleet.endpoints[0]))


def test_no_answer_is_a_timeout() -> None:
    def work(endpoint: Endpoint) -> None:
        endpoint.site.faults.add(NoAnswer())
        with pytest.raises(ResponseTimeout):
            energy_of(endpoint, timeout=SHORT)
        endpoint.site.faults.remove(NoAnswer)
        assert energy_of(endpoint) > 0

    at_meter(work)


@pytest.mark.parametrize("executes", [True, False])
def test_no_answer_to_a_change_leaves_its_outcome_unknown_until_it_is_read_back(executes: bool) -> None:
    def work(endpoint: Endpoint) -> None:
        zone = Clock("0-0:1.0.0").time_zone
        with opened(endpoint, timeout=SHORT) as meter:
            endpoint.site.faults.add(NoAnswer(executes=executes))
            with pytest.raises(OutcomeUnknown):
                meter.write(zone, -120)
        endpoint.site.faults.clear()
        with opened(endpoint) as meter:
            assert meter.read(zone) == (-120 if executes else -60)

    at_meter(work)


def test_a_slow_meter_answers_late_and_in_order() -> None:
    def work(endpoint: Endpoint) -> None:
        endpoint.site.faults.add(Slow(delay=0.06))
        begun = clock.monotonic()
        assert energy_of(endpoint) > 0
        assert clock.monotonic() - begun > 0.12  # two answers at least
        endpoint.site.faults.add(Slow(delay=30))
        with pytest.raises(ResponseTimeout):
            energy_of(endpoint, timeout=SHORT)
        endpoint.site.faults.clear()
        assert energy_of(endpoint) > 0

    at_meter(work)


def test_an_answer_that_comes_when_the_client_is_gone_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def work(endpoint: Endpoint) -> None:
        endpoint.site.faults.add(Slow(delay=0.1))
        with pytest.raises(ResponseTimeout):
            energy_of(endpoint, timeout=0.02)
        assert energy_of(endpoint) > 0  # takes longer than the answer that is late

    at_meter(work)
    assert caplog.records == []


def test_a_reset_in_the_middle_is_a_lost_connection() -> None:
    def work(endpoint: Endpoint) -> None:
        with pytest.raises(ConnectionLost):
            energy_of(endpoint)
        endpoint.site.faults.clear()
        assert energy_of(endpoint) > 0

    at_meter(work, Reset(after=2))


@pytest.mark.parametrize("after", [2, 3, 4])
def test_the_answer_that_is_cut_is_the_one_that_is_said(after: int) -> None:
    def work(endpoint: Endpoint) -> int:
        with opened(endpoint) as meter:
            for number in range(2, 9):  # the first is that to the opening
                try:
                    meter.get("3/1-0:1.8.0:2")
                except ConnectionLost:
                    return number
        return 0

    assert at_meter(work, Reset(after=after)) == after


def test_every_connection_is_reset_and_a_reading_client_comes_through() -> None:
    def work(endpoint: Endpoint) -> None:
        with opened(endpoint, recovery=AT_ONCE) as meter:
            energies = [meter.read("1-0:1.8.0").raw for _ in range(6)]
            assert len(set(energies)) == 1

    at_meter(work, Reset(after=4))


def test_where_a_connection_is_reset_is_drawn_by_the_seed() -> None:
    def answers(endpoint: Endpoint) -> list[int]:
        counts = []
        for _ in range(4):
            count = 0
            try:
                with opened(endpoint) as meter:
                    while True:
                        count += 1
                        meter.read("1-0:1.8.0")
            except ConnectionLost:
                counts.append(count)
        return counts

    first = at_meter(answers, Reset())
    assert first == at_meter(answers, Reset())
    assert len(set(first)) > 1
    assert max(first) <= 10


@pytest.mark.parametrize("kind", ["lls", "hls-gmac"])
def test_wrong_keys_are_a_rejection(kind: str) -> None:
    counters = MemoryCounterStore()

    def work(endpoint: Endpoint) -> None:
        energy_of(endpoint, counters=counters)
        endpoint.site.faults.add(WrongKey())
        with pytest.raises(AssociationRejected):
            energy_of(endpoint, counters=counters)
        let_go(endpoint)
        with pytest.raises(AssociationRejected):
            energy_of(endpoint, counters=counters)
        endpoint.site.faults.remove(WrongKey)
        assert energy_of(endpoint, counters=counters) > 0

    at_meter(work, kind=kind)


def test_wrong_keys_are_of_associations_that_are_opened_meanwhile() -> None:
    def work(endpoint: Endpoint) -> None:
        with opened(endpoint) as meter:
            endpoint.site.faults.add(WrongKey())
            assert meter.read("1-0:1.8.0").raw > 0

    at_meter(work, kind="hls-gmac")


def test_a_counter_that_jumps_within_the_limit_is_followed() -> None:
    def work(endpoint: Endpoint) -> None:
        with opened(endpoint, MemoryCounterStore()) as meter:
            meter.read("1-0:1.8.0")
            endpoint.site.faults.add(CounterJump(by=STANDARD_DIALECT.max_counter_jump - 100))
            for _ in range(2):
                assert meter.read("1-0:1.8.0").raw > 0

    at_meter(work, kind="hls-gmac")


def test_a_counter_that_jumps_too_far_is_refused_until_the_client_takes_it_over() -> None:
    counters = MemoryCounterStore()

    def work(endpoint: Endpoint) -> None:
        with opened(endpoint, counters) as meter:
            meter.read("1-0:1.8.0")
            endpoint.site.faults.add(CounterJump(by=2_000_000))
            for _ in range(2):
                with pytest.raises(ExceptionReceived) as caught:
                    meter.read("1-0:1.8.0")
                assert caught.value.service_error == "invocation-counter-error"
                assert (caught.value.invocation_counter or 0) > 2_000_000
        with pytest.raises(AssociationRejected):
            energy_of(endpoint, counters=counters)
        with opened(publicly(endpoint)) as public:
            shown: Any = public.read("0-0:43.1.0")
        key = SecurityMaterial.of(endpoint.security["encryption_key"], None).encryption_key.identity
        counters.transmit_counter(key, CLIENT_TITLE).raise_to(shown)
        assert energy_of(endpoint, counters=counters) > 0
        assert energy_of(endpoint, counters=MemoryCounterStore()) > 0  # a new client reads it by itself

    at_meter(work, kind="hls-gmac")


def publicly(endpoint: Endpoint) -> Endpoint:
    """The same meter for the public client."""
    return replace(endpoint, kind="none", security={}, url=endpoint.url.replace("client=1&", "client=16&"))


def test_a_wrong_clock_is_seen_and_set_right_again() -> None:
    time = Time(NOW, speed=0)

    def work(endpoint: Endpoint) -> None:
        with opened(endpoint) as meter:
            off = meter.read(Clock("0-0:1.0.0").time).to_datetime() - time()
            assert off == dt.timedelta(seconds=-90)
            assert meter.read(Clock("0-0:1.0.0").status) & ClockStatus.INVALID_VALUE
            meter.clock.set(time())
            assert meter.read(Clock("0-0:1.0.0").time).to_datetime() == time()
            assert not meter.read(Clock("0-0:1.0.0").status) & ClockStatus.INVALID_VALUE

    at_meter(work, ClockWrong(seconds=-90, invalid=True), time=time)


def test_power_failures_leave_gaps_status_bits_and_events() -> None:
    time = Time(dt.datetime(2026, 11, 20, 12, 5, tzinfo=BERLIN), speed=0)

    def work(endpoint: Endpoint) -> None:
        with opened(endpoint) as meter:
            profile = meter.load_profile("1-0:99.1.0", time() - dt.timedelta(days=3), time())
            failed = [row for row in profile if row.values[0] & AMRProfileStatus.POWER_DOWN]
            assert 200 < len(profile) < 288
            assert len(profile.gaps()) >= 3
            assert 6 <= len(failed) <= 14
            energies = [row.values[1].raw for row in profile]
            assert energies == sorted(energies)
            events = meter.events.read("0-0:99.98.0")
            down, up = ([event.time for event in events if event.name == name] for name in ("Power down", "Power up"))
            assert len(down) == len(up) == meter.read("0-0:96.7.21") >= 6
            lasted = [(late - early).total_seconds() for early, late in zip(down, up, strict=True) if early and late]
            assert all(1 <= seconds <= 7_200 for seconds in lasted)
            assert meter.read("0-0:96.7.9") == sum(seconds > 180 for seconds in lasted)

    at_meter(work, Gaps(each=43_200, longest=7_200), time=time, profile_days=4)


def test_power_failures_are_the_same_for_the_same_seed() -> None:
    def rows(endpoint: Endpoint) -> list[dt.datetime | None]:
        with opened(endpoint) as meter:
            return [row.interval_end for row in meter.load_profile("1-0:99.1.0", NOW - dt.timedelta(days=2), NOW)]

    gaps = Gaps(each=86_400, longest=20_000)
    first = at_meter(rows, gaps, profile_days=3)
    assert first == at_meter(rows, gaps, profile_days=3)
    assert len(first) < 192


def test_nobody_answers_while_power_is_down() -> None:
    time = Time(NOW, speed=0)

    def work(endpoint: Endpoint) -> None:
        endpoint.site.faults.add(Gaps(each=3600, longest=1800, begin=1))
        answered = []
        for _ in range(120):
            time.step(minutes=1)
            try:
                answered.append(energy_of(endpoint) > 0)
            except ConnectionLost:
                answered.append(False)
        assert answered.count(True) > 60
        assert answered.count(False) > 5
        failures = sum(late < early for early, late in itertools.pairwise(answered))
        with opened(endpoint) as meter:
            assert meter.read("0-0:96.7.21") == failures >= 1

    at_meter(work, time=time)


def test_power_is_back_when_the_fault_is_put_off() -> None:
    time = Time(NOW, speed=0)

    def work(endpoint: Endpoint) -> None:
        endpoint.site.faults.add(Gaps(each=3600, longest=1800, begin=1))
        lost = 0
        for _ in range(150):
            time.step(minutes=1)
            try:
                energy_of(endpoint)
            except ConnectionLost:
                lost += 1
                break
        assert lost == 1
        endpoint.site.faults.clear()
        assert energy_of(endpoint) > 0
        assert endpoint.meter.records.power_failures.since is None
        assert endpoint.meter.supply.on

    at_meter(work, time=time)


def test_a_reboot_in_the_middle_loses_an_answer_and_nothing_else() -> None:
    def work(endpoint: Endpoint) -> None:
        zone = Clock("0-0:1.0.0").time_zone
        with opened(endpoint) as meter:
            first = endpoint.meter
            with pytest.raises(OutcomeUnknown):
                meter.write(zone, -120)
        assert endpoint.meter is not first
        with opened(endpoint) as meter:
            assert meter.read(zone) == -120
            names = [event.name for event in meter.events.read("0-0:99.98.0")]
            assert names[-2:] == ["Power down", "Power up"]

    at_meter(work, Reboot(after=2))


def test_a_firmware_transfer_goes_on_after_a_reboot_in_its_middle() -> None:
    image = firmware_image("3.1.4", octets=8_000)

    def work(endpoint: Endpoint) -> None:
        blocks: list[int] = []
        patient = recovery.STANDARD.but(reading={ConnectionLost: Rule((0.0, 0.0), reconnect=True)})
        with opened(endpoint, recovery=patient) as meter:
            done = meter.firmware.update(image, "v3", progress=lambda step: blocks.append(step.blocks), interval=0.01)
            assert meter.read("1-0:0.2.0") == b"3.1.4"
        assert endpoint.meter.records.power_failures.since is None
        assert endpoint.meter.firmware.version == "3.1.4"
        assert blocks == sorted(blocks)
        assert done is not None

    at_meter(work, Reboot(after=25))


def test_a_fault_has_its_time() -> None:
    time = Time(NOW, speed=0)

    def work(endpoint: Endpoint) -> None:
        outcomes = []
        for _ in range(4):
            try:
                energy_of(endpoint)
                outcomes.append(True)
            except ConnectionLost:
                outcomes.append(False)
            time.step(minutes=10)
        assert outcomes == [True, False, True, False]

    at_meter(work, Reset(after=1, begin=600, length=60, every=1200), time=time)


def test_other_meters_of_the_fleet_are_well() -> None:
    fleet = Fleet.of(
        4,
        5,
        kinds=("none",),
        now=lambda: NOW,
        profile_days=1,
        faults=[FaultOrder(Reset(after=1), serials=(1_000_003,))],
    )

    def work() -> None:
        for number, endpoint in enumerate(fleet.endpoints):
            if number == 2:
                with pytest.raises(ConnectionLost):
                    energy_of(endpoint)
            else:
                assert energy_of(endpoint) > 0

    beside(fleet, work)
