"""A household meter: energy in two tariffs, power, load profile, daily and billing values, and up to three clients.

======================  ==================================================================
0-0:42.0.0, 96.1.0      logical device name, serial number
0-0:1.0.0               clock
1-0:1.8.0, 1.8.1, 1.8.2 energy drawn: total, tariff 1, tariff 2; Wh
1-0:2.8.0               energy fed in; Wh
1-0:1.7.0, 2.7.0        power drawn and fed in; W
1-0:32.7.0, 31.7.0      voltage, current
1-0:99.1.0              load profile, 900 s: clock, status, 1.8.0, 2.8.0
1-0:99.2.0              daily values: clock, 1.8.1, 1.8.2, 2.8.0
0-0:98.1.0              billing values, each month: the same
======================  ==================================================================

Status of a load profile entry, one octet: AMR profile status (:mod:`cosemic.server.profile_status`), such as bit 5
(20 hex) where the clock was adjusted in the interval.

Without security the public client (16) reads everything. Where passwords or keys are configured it sees only names,
clock and invocation counter; the reading client (2) reads everything with a password (LLS), the management client (1)
reads and manages with HLS GMAC in authenticated and encrypted messages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from cosemic.association.service_provider import ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import CaptureObjectDefinition, Register, ScalerUnit
from cosemic.security import CounterStore, MemoryCounterStore
from cosemic.server import (
    MANAGEMENT_CLIENT,
    PUBLIC_CLIENT,
    Admission,
    Capture,
    ClockObject,
    CosemObject,
    LogicalDevice,
    Monthly,
    ProfileObject,
    ProfileStatusObject,
    data,
    managing,
    only,
    reading,
)
from cosemic.server.capturing import RowFunction
from cosemic.server.logical_device import utc_now
from cosemic.simulator.load_curve import DAY, FIRST_DAY, SLOT, LoadCurve
from cosemic.simulator.security import MAKER, READING_CLIENT, MeterSecurity
from cosemic.values import DateTime, Obis, Unit

CLOCK: Final = Obis("0-0:1.0.0")
STATUS: Final = Obis("0-0:96.10.1")
SERIAL_NUMBER: Final = Obis("0-0:96.1.0")
SECURITY_SETUP: Final = Obis("0-0:43.0.0")
INVOCATION_COUNTER: Final = Obis("0-0:43.1.0")
ENERGY: Final = Obis("1-0:1.8.0")
ENERGY_TARIFF_1: Final = Obis("1-0:1.8.1")
ENERGY_TARIFF_2: Final = Obis("1-0:1.8.2")
EXPORT: Final = Obis("1-0:2.8.0")
POWER: Final = Obis("1-0:1.7.0")
EXPORT_POWER: Final = Obis("1-0:2.7.0")
VOLTAGE: Final = Obis("1-0:32.7.0")
CURRENT: Final = Obis("1-0:31.7.0")
LOAD_PROFILE: Final = Obis("1-0:99.1.0")
DAILY_VALUES: Final = Obis("1-0:99.2.0")
BILLING_VALUES: Final = Obis("0-0:98.1.0")

_COUNTER: Final = DataType.DOUBLE_LONG_UNSIGNED
_WATT_HOURS: Final = ScalerUnit(0, Unit.of("Wh"))
_WATTS: Final = ScalerUnit(0, Unit.of("W"))
_DECIVOLTS: Final = ScalerUnit(-1, Unit.of("V"))
_CENTIAMPERES: Final = ScalerUnit(-2, Unit.of("A"))
_DAILY_ENTRIES: Final = 40
_BILLING_ENTRIES: Final = 13


class HouseholdMeter(LogicalDevice):
    """A household meter.

    serial: 0 to 9999999999999, makes name and system title. seed: makes the load curve and, with the serial number, the
    keys. security: ``none``, ``lls``, ``hls-gmac``, or a :class:`MeterSecurity`. now: tells the true time, aware.
    utc_offset: of the local zone, in minutes, a multiple of 15. solar: feeds in; None leaves it to the seed.
    profile_days: depth of the load profile. counters: where invocation counters are kept; in memory unless told.
    association_version: of class 15.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        serial: int,
        seed: int = 0,
        *,
        security: str | MeterSecurity = "none",
        now: Callable[[], dt.datetime] = utc_now,
        utc_offset: int = 60,
        solar: bool | None = None,
        profile_days: int = 14,
        counters: CounterStore | None = None,
        association_version: int = 1,
    ) -> None:
        if not 0 <= serial < 10**13:
            raise ConfigurationError(f"a serial number has up to 13 digits, not {serial}")
        if utc_offset % (SLOT // 60):
            raise ConfigurationError("the local zone is a multiple of 15 minutes from UTC")
        super().__init__(f"{MAKER.decode()}{serial:013}", now=now, association_version=association_version)
        self.serial = serial
        self.system_title = MAKER + (serial & 0xFFFFFFFFFF).to_bytes(5)
        self.security = security if isinstance(security, MeterSecurity) else MeterSecurity.of(security, serial, seed)
        curve_seed = seed * 1_000_003 + serial
        self.curve = LoadCurve(curve_seed, zone=utc_offset * 60, solar=curve_seed % 3 == 0 if solar is None else solar)
        self.clock = self.add(ClockObject(CLOCK, utc_offset=utc_offset, measuring_period=SLOT))
        self._since = dt.datetime.fromtimestamp(FIRST_DAY * DAY - utc_offset * 60, dt.UTC)
        self._add_registers()
        self._add_profiles(profile_days)
        self._admit(counters if counters is not None else MemoryCounterStore())

    # ---- objects ----------------------------------------------------------------------------------------------------

    def _add_registers(self) -> None:
        curve = self.curve
        self.add(data(SERIAL_NUMBER, DataType.OCTET_STRING, f"{self.serial:013}".encode()))
        self._status = self.add(ProfileStatusObject(self, self.clock, STATUS))

        def register(name: Obis, data_type: DataType, scaler_unit: ScalerUnit, of: Callable[[float], int]) -> None:
            def value(now: dt.datetime) -> EncodedData:
                return EncodedData.of(data_type, of(now.timestamp()))

            self.add(CosemObject(Register(name), {"value": value, "scaler_unit": scaler_unit}))

        register(ENERGY, _COUNTER, _WATT_HOURS, lambda moment: curve.energy(moment).imported)
        register(ENERGY_TARIFF_1, _COUNTER, _WATT_HOURS, lambda moment: curve.energy(moment).tariff_1)
        register(ENERGY_TARIFF_2, _COUNTER, _WATT_HOURS, lambda moment: curve.energy(moment).tariff_2)
        register(EXPORT, _COUNTER, _WATT_HOURS, lambda moment: curve.energy(moment).export)
        register(POWER, _COUNTER, _WATTS, lambda moment: curve.power(moment)[0])
        register(EXPORT_POWER, _COUNTER, _WATTS, lambda moment: curve.power(moment)[1])
        register(VOLTAGE, DataType.LONG_UNSIGNED, _DECIVOLTS, self._voltage)
        register(CURRENT, DataType.LONG_UNSIGNED, _CENTIAMPERES, self._current)

    def _voltage(self, moment: float) -> int:
        """Decivolts: some more at night, less under load."""
        return 2320 - self.curve.power(moment)[0] // 200 + (self.serial * 7 + int(moment) // 60 * 13) % 15

    def _current(self, moment: float) -> int:
        """Centiamperes that go with power and voltage."""
        return max(self.curve.power(moment)) * 1000 // self._voltage(moment)

    def _add_profiles(self, profile_days: int) -> None:
        curve, energy = self.curve, (_COUNTER, _COUNTER)

        def interval(capture: Capture) -> Sequence[Any]:
            counted = curve.energy(capture.at.timestamp())
            return stamp(capture), capture.status, counted.imported, counted.export

        def tariffs(capture: Capture) -> Sequence[Any]:
            counted = curve.energy(capture.at.timestamp())
            return stamp(capture), counted.tariff_1, counted.tariff_2, counted.export

        def stamp(capture: Capture) -> bytes:
            return DateTime.from_datetime(capture.shown).octets

        columns = ((8, CLOCK), (1, STATUS), (3, ENERGY), (3, EXPORT))
        types: tuple[DataType, ...] = (DataType.OCTET_STRING, DataType.UNSIGNED, *energy)
        self._add_profile(
            LOAD_PROFILE, columns, types, profile_days * DAY // SLOT, interval, capture_period=SLOT, status=self._status
        )
        columns = ((8, CLOCK), (3, ENERGY_TARIFF_1), (3, ENERGY_TARIFF_2), (3, EXPORT))
        types = (DataType.OCTET_STRING, *energy, _COUNTER)
        self._add_profile(DAILY_VALUES, columns, types, _DAILY_ENTRIES, tariffs, capture_period=DAY)
        self._add_profile(BILLING_VALUES, columns, types, _BILLING_ENTRIES, tariffs, schedule=Monthly())

    def _add_profile(
        self,
        name: Obis,
        columns: Sequence[tuple[int, Obis]],
        types: Sequence[DataType],
        profile_entries: int,
        row: RowFunction,
        **changed: Any,
    ) -> None:
        captured = [CaptureObjectDefinition(class_id, column, 2, 0) for class_id, column in columns]
        options = {"clock": self.clock, "row": row, "types": types, "since": self._since, **changed}
        self.add(ProfileObject(self, name, captured, profile_entries, **options))

    # ---- clients ----------------------------------------------------------------------------------------------------

    def _admit(self, counters: CounterStore) -> None:
        security = self.security
        public = reading()
        if security.kind != "none":
            public = only(reading(), "0-0:42.0.0", "0-0:40.0.0", SERIAL_NUMBER, CLOCK, INVOCATION_COUNTER, "0-0:41.0.0")
        self.admit(Admission(client_sap=PUBLIC_CLIENT, settings=ServerSettings(), rights=public))
        if security.kind != "none":
            self.admit(Admission(client_sap=READING_CLIENT, settings=security.reading_settings(), rights=reading()))
        if security.kind == "hls-gmac":
            self.admit(
                Admission(
                    client_sap=MANAGEMENT_CLIENT,
                    settings=security.management_settings(self.system_title, counters),
                    rights=managing(),
                    security_setup=SECURITY_SETUP,
                )
            )
