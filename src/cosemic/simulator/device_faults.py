"""Faults that are in a simulated meter itself: wrong keys, counters that jump, a wrong clock, power that fails.

They take effect when octets come from a client. What happens once is done once in each spell; wrong keys are in place
as long as the fault holds, for associations that are opened meanwhile.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any, Final

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import Clock
from cosemic.security import SecurityMaterial
from cosemic.security.suite import COUNTER_LIMIT
from cosemic.simulator import names
from cosemic.simulator.faults import ClockWrong, CounterJump, Faults, Gaps, WrongKey
from cosemic.simulator.meter import SimulatedMeter
from cosemic.simulator.outages import Outages
from cosemic.simulator.security import CLIENT_TITLE
from cosemic.values import ClockStatus, DateTime, Secret

_WRONG: Final = bytes(16)


class DeviceFaults:
    """The faults of one device, as long as it is there. faults: those of its place."""

    def __init__(self, meter: SimulatedMeter, faults: Faults) -> None:
        self._meter = meter
        self._faults = faults
        self._proper: dict[int, ServerSettings] = {}
        """By client SAP, how associations are opened with the right keys, while they are not."""
        self._gaps: Gaps | None = None
        Outages(meter, meter.records.power_failures, faults, meter.plan.curve_seed)

    @property
    def powered(self) -> bool:
        """Whether the device has power."""
        return self._meter.records.power_failures.since is None

    def apply(self) -> None:
        """Let the faults that hold now take effect. Raises StoreError."""
        meter, faults = self._meter, self._faults
        gaps = faults.of(Gaps)
        if gaps is not self._gaps:
            self._gaps = gaps
            meter.clockwork.reconsider()
        at = meter.advance()
        jump = faults.strikes(CounterJump)
        if jump is not None:
            for client in meter.clients:
                _jump(self._proper.get(client.client_sap, client.settings), client.last_title, jump.by)
        wrong = faults.strikes(ClockWrong)
        if wrong is not None:
            self._set_clock(wrong, at)
        self._exchange_keys(faults.active(WrongKey) is not None)
        meter.commit()

    def _exchange_keys(self, wrong: bool) -> None:
        for client in self._meter.clients:
            proper = self._proper.pop(client.client_sap, None)
            if proper is not None:
                client.settings = proper
            if wrong:
                self._proper[client.client_sap] = client.settings
                client.settings = _with_wrong_keys(client.settings)

    def _set_clock(self, wrong: ClockWrong, at: dt.datetime) -> None:
        clock = self._meter.clock
        shown = DateTime.from_datetime(clock.time(at) + dt.timedelta(seconds=wrong.seconds))
        value = EncodedData.of(DataType.OCTET_STRING, shown.octets)
        self._meter.write(Clock.class_id, names.CLOCK, Clock.time.index, value, at)
        if wrong.invalid:
            clock.mark(ClockStatus.INVALID_VALUE, at)


def _with_wrong_keys(settings: ServerSettings) -> ServerSettings:
    changed: dict[str, Any] = {}
    if settings.material is not None:
        changed["material"] = SecurityMaterial.of(Secret(_WRONG), Secret(_WRONG))
    if settings.secret is not None:
        changed["secret"] = Secret.password(_WRONG.hex())
    return replace(settings, **changed)


def _jump(settings: ServerSettings, title: bytes | None, by: int) -> None:
    """Let the counters under the keys of a client be what they would be after so many more messages."""
    if settings.material is None:
        return
    key, store = settings.material.encryption_key.identity, settings.counters
    client = title or CLIENT_TITLE
    last = min(store.lowest_acceptable(key, client) + by, COUNTER_LIMIT) - 1
    store.accept(key, client, last, fresh=False)
    own = store.transmit_state(key, settings.system_title).next
    store.transmit_counter(key, settings.system_title).raise_to(min(own + by, COUNTER_LIMIT - 1))
