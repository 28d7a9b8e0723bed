"""A simulated meter: a complete electricity meter whose registers follow a load curve (reference: object models, 2).

======================  ==============================================================================================
0-0:42.0.0, 96.1.x      logical device name; serial number, maker, kind of customer
1-0:0.2.0, 0-0:44.0.0   firmware and image transfer (:mod:`~cosemic.simulator.firmware`)
0-0:1.0.0               clock, with the daylight saving of its zone
0-0:13.0.0 and others   two tariffs: calendar, special days, scripts, activation (:mod:`~cosemic.simulator.tariffs`)
1-0:1.8.x, 2.8.x        energy drawn and fed in: total, tariff 1, tariff 2; Wh. 3.8.0: reactive energy drawn; varh
1-0:1.7.0, 2.7.0, 3.7.0 power drawn, fed in, reactive; W, var. 32.7.0, 31.7.0, 14.7.0: voltage, current, frequency
1-0:1.4.0, 1.6.0        demand of 900 s, and its maximum of the billing period; W
1-0:99.1.0 and others   profiles, billing, event logs, alarms (:mod:`~cosemic.simulator.records`)
0-0:96.3.10 and others  disconnect control, limiter, schedules, push setup (:mod:`~cosemic.simulator.controls`)
======================  ==============================================================================================

What is configuration can be written. Without security the public client (16) may do everything. Where passwords or keys
are configured it sees only names, clock, firmware and invocation counter; the reading client (2) reads everything with
a password (LLS), the management client (1) may do everything with HLS GMAC, in authenticated and encrypted messages.
The registers of energy are never reset.

What was before the process began is there at once (:mod:`~cosemic.simulator.history`), and goes on from the last
midnight that is at least an hour back: so whatever is read does not depend on when the meter was made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import ScalerUnit
from cosemic.security import CounterStore, MemoryCounterStore
from cosemic.security.general import MemoryTransactionStore, TransactionStore
from cosemic.server import (
    MANAGEMENT_CLIENT,
    PUBLIC_CLIENT,
    Admission,
    ClockObject,
    LogicalDevice,
    MeteredEnergy,
    RegisterObject,
    Supply,
    data,
    first,
    managing,
    only,
    reading,
)
from cosemic.server.logical_device import utc_now
from cosemic.server.registers import Source
from cosemic.server.state import FORGETFUL, DeviceState, load_json, save_json
from cosemic.simulator import names
from cosemic.simulator.controls import Controls, breaker_of
from cosemic.simulator.customers import DAY, HOUSEHOLD, SLOT, SOLAR
from cosemic.simulator.firmware import Firmware
from cosemic.simulator.history import History
from cosemic.simulator.plan import MeterPlan, clock_rule
from cosemic.simulator.records import COUNT, WATTS, Records
from cosemic.simulator.security import HIGH_LEVEL, MAKER, READING_CLIENT, MeterSecurity, context_names, meter_title
from cosemic.simulator.tariffs import Tariffs
from cosemic.values import Obis, Unit

_WATT_HOURS: Final = ScalerUnit(0, Unit.of("Wh"))
_VAR_HOURS: Final = ScalerUnit(0, Unit.of("varh"))
_VARS: Final = ScalerUnit(0, Unit.of("var"))
_DECIVOLTS: Final = ScalerUnit(-1, Unit.of("V"))
_CENTIAMPERES: Final = ScalerUnit(-2, Unit.of("A"))
_CENTIHERTZ: Final = ScalerUnit(-2, Unit.of("Hz"))
_SETTLED: Final = 3600
"""Seconds that must have passed since the midnight from which a meter goes on."""
_ENERGY: Final = (
    names.ENERGY, names.ENERGY_TARIFF_1, names.ENERGY_TARIFF_2,
    names.EXPORT, names.EXPORT_TARIFF_1, names.EXPORT_TARIFF_2, names.REACTIVE,
)  # fmt: skip
_PUBLIC: Final = (
    "0-0:40.0.0", "0-0:41.0.0", "0-0:42.0.0",
    names.SERIAL_NUMBER, names.CLOCK, names.FIRMWARE, names.INVOCATION_COUNTER,
)  # fmt: skip


class SimulatedMeter(LogicalDevice):
    """A simulated meter.

    plan: what it is like. now: tells the true time, aware. state: what outlives the process. counters: where invocation
    counters are kept; in memory unless told. lived: how much of what was before has been gone through step by step,
    instead of in closed forms, as with power failures.

    Parts, beside the objects by their names: ``curve``, ``clock``, ``supply``, ``breaker``, ``tariffs``, ``records``
    (its profiles, demand, billing, logs), ``firmware``, ``controls``. Raises ConfigurationError, StoreError.
    """

    def __init__(
        self,
        plan: MeterPlan,
        *,
        now: Callable[[], dt.datetime] = utc_now,
        state: DeviceState | None = None,
        counters: CounterStore | None = None,
        transactions: TransactionStore | None = None,
        lived: dt.timedelta = dt.timedelta(0),
    ) -> None:
        self.plan = plan
        self.serial = plan.serial
        self.security = plan.protection()
        self.system_title = meter_title(plan.serial)
        standard, rule = clock_rule(plan.zone)
        self.curve = plan.curve()
        name = logical_device_name(plan.serial)
        memory = FORGETFUL if state is None else state.of("simulator")
        kept = load_json(memory, "start")
        start = self._last_midnight(now() - lived) if kept is None else dt.datetime.fromisoformat(kept)
        super().__init__(name, now=now, association_version=plan.association_version, state=state, start=start)
        self.clock = self.add(
            ClockObject(
                names.CLOCK,
                utc_offset=standard,
                measuring_period=SLOT,
                daylight_saving=rule,
                device=self,
            )
        )
        history = History(plan, self.curve, self.clock, start)
        self._add_identity()
        self.tariffs = Tariffs(self, self.clock)
        self.breaker = breaker_of(self)
        self.supply = Supply(self, self.breaker)
        self._add_measurement(history)
        self.records = Records(
            self,
            self.clock,
            self._drawn.counted,
            load_entries=plan.profile_days * DAY // plan.capture_period,
            capture_period=plan.capture_period,
            periods=history.periods,
        )
        self.firmware = Firmware(self, plan.firmware)
        self.controls = Controls(self, self.clock, self.breaker, self.tariffs.special_days, plan)
        for make in plan.objects:
            self.add(make(self))
        self._admit(
            counters if counters is not None else MemoryCounterStore(),
            transactions if transactions is not None else MemoryTransactionStore(),
        )
        if kept is None:
            history.enter(self.records)
            save_json(memory, "start", start.isoformat())
            self.commit()

    def _last_midnight(self, now: dt.datetime) -> dt.datetime:
        curve = self.curve
        moment = curve.midnight(curve.day_of(now.timestamp() - _SETTLED))
        begun = curve.midnight(0)
        return dt.datetime.fromtimestamp(begun if moment < begun <= now.timestamp() else moment, dt.UTC)

    # ---- objects ----------------------------------------------------------------------------------------------------

    def _add_identity(self) -> None:
        for name, text in (
            (names.SERIAL_NUMBER, f"{self.serial:013}"),
            (names.MAKER_NAME, "Cosemic"),
            (names.METER_TYPE, self.curve.customer.name),
        ):
            self.add(data(name, DataType.OCTET_STRING, text.encode()))

    def _add_measurement(self, history: History) -> None:
        curve = self.curve

        def total(of: Callable[[float], int]) -> Source:
            return lambda at: of(at.timestamp())

        energy = MeteredEnergy(self, self.supply, self.tariffs.activation)
        imported, exported = history.tariffs
        self._drawn = energy.add(names.ENERGY, _WATT_HOURS, total(curve.imported), tariffs=imported)
        energy.add(names.EXPORT, _WATT_HOURS, total(curve.exported), tariffs=exported)
        energy.add(names.REACTIVE, _VAR_HOURS, total(curve.reactive))

        def measured(name: Obis, data_type: DataType, unit: ScalerUnit, of: Callable[[float], int]) -> None:
            self.add(RegisterObject(name, data_type, unit, lambda now: of(now.timestamp())))

        def flowing(of: Callable[[float], int]) -> Callable[[float], int]:
            return lambda moment: of(moment) if self.supply.on else 0

        measured(names.POWER, COUNT, WATTS, flowing(lambda moment: curve.power(moment).imported))
        measured(names.EXPORT_POWER, COUNT, WATTS, flowing(lambda moment: curve.power(moment).exported))
        measured(names.REACTIVE_POWER, COUNT, _VARS, flowing(lambda moment: curve.power(moment).reactive))
        measured(names.VOLTAGE, DataType.LONG_UNSIGNED, _DECIVOLTS, curve.voltage)
        measured(names.CURRENT, DataType.LONG_UNSIGNED, _CENTIAMPERES, flowing(curve.current))
        measured(names.FREQUENCY, DataType.LONG_UNSIGNED, _CENTIHERTZ, curve.frequency)

    # ---- clients ----------------------------------------------------------------------------------------------------

    def _admit(self, counters: CounterStore, transactions: TransactionStore) -> None:
        security, everything = self.security, first(only(reading(), *_ENERGY), managing())
        rights = {
            PUBLIC_CLIENT: everything if security.kind == "none" else only(reading(), *_PUBLIC),
            READING_CLIENT: reading(),
            MANAGEMENT_CLIENT: everything,
        } | dict(self.plan.rights)
        contexts = context_names(self.plan.referencing)
        public = ServerSettings(context_names=contexts)
        self.admit(Admission(client_sap=PUBLIC_CLIENT, settings=public, rights=rights[PUBLIC_CLIENT]))
        if security.kind != "none":
            settings = replace(security.reading_settings(), context_names=contexts)
            self.admit(Admission(client_sap=READING_CLIENT, settings=settings, rights=rights[READING_CLIENT]))
        if security.kind in HIGH_LEVEL:
            ciphered = context_names(self.plan.referencing, ciphered=True)
            settings = security.management_settings(self.system_title, counters, transactions)
            self.admit(
                Admission(
                    client_sap=MANAGEMENT_CLIENT,
                    settings=replace(settings, context_names=ciphered),
                    rights=rights[MANAGEMENT_CLIENT],
                    security_setup=names.SECURITY_SETUP,
                )
            )


def logical_device_name(serial: int) -> str:
    """Return the logical device name of the meter with a serial number."""
    return f"{MAKER.decode()}{serial:013}"


class HouseholdMeter(SimulatedMeter):
    """A simulated meter of a household, said in one line.

    solar: feeds in; None leaves it to the seed. utc_offset: of the local zone, in minutes, a multiple of 15; zone: in
    its place, with daylight saving. The others are those of :class:`~cosemic.simulator.plan.MeterPlan` and of
    SimulatedMeter. Raises ConfigurationError, StoreError.
    """

    def __init__(
        self,
        serial: int,
        seed: int = 0,
        *,
        security: str | MeterSecurity = "none",
        now: Callable[[], dt.datetime] = utc_now,
        utc_offset: int = 60,
        zone: dt.tzinfo | None = None,
        solar: bool | None = None,
        profile_days: int = 14,
        counters: CounterStore | None = None,
        association_version: int = 1,
        state: DeviceState | None = None,
        referencing: str = "ln",
    ) -> None:
        if not -720 <= utc_offset <= 720:
            raise ConfigurationError(f"a clock is at most 12 hours from UTC, not {utc_offset} minutes")
        plan = MeterPlan(
            serial=serial,
            seed=seed,
            customer=None if solar is None else (SOLAR if solar else HOUSEHOLD).name,
            security=security,
            zone=dt.timezone(dt.timedelta(minutes=utc_offset)) if zone is None else zone,
            profile_days=profile_days,
            association_version=association_version,
            referencing=referencing,
        )
        super().__init__(plan, now=now, state=state, counters=counters)
