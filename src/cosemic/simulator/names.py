"""Logical names of the objects of a simulated meter (IEC 62056-6-1)."""

from __future__ import annotations

from typing import Final

from cosemic.values import Obis

SERIAL_NUMBER: Final = Obis("0-0:96.1.0")
MAKER_NAME: Final = Obis("0-0:96.1.1")
METER_TYPE: Final = Obis("0-0:96.1.2")
FIRMWARE: Final = Obis("1-0:0.2.0")
FIRMWARE_SIGNATURE: Final = Obis("1-0:0.2.8")
IMAGE_TRANSFER: Final = Obis("0-0:44.0.0")
SECURITY_SETUP: Final = Obis("0-0:43.0.0")
INVOCATION_COUNTER: Final = Obis("0-0:43.1.0")
PUSH_SETUP: Final = Obis("0-0:25.9.0")

CLOCK: Final = Obis("0-0:1.0.0")
SPECIAL_DAYS: Final = Obis("0-0:11.0.0")
SCHEDULE: Final = Obis("0-0:12.0.0")
CALENDAR: Final = Obis("0-0:13.0.0")
TARIFFS: Final = Obis("0-0:14.0.0")
ACTIVE_TARIFF: Final = Obis("0-0:96.14.0")
TARIFF_SCRIPTS: Final = Obis("0-0:10.0.100")
BILLING_SCRIPTS: Final = Obis("0-0:10.0.1")
BREAKER_SCRIPTS: Final = Obis("0-0:10.0.106")
IMAGE_SCRIPTS: Final = Obis("0-0:10.0.107")
END_OF_BILLING: Final = Obis("0-0:15.0.0")
BREAKER_SCHEDULE: Final = Obis("0-0:15.0.1")
IMAGE_SCHEDULE: Final = Obis("0-0:15.0.2")

ENERGY: Final = Obis("1-0:1.8.0")
ENERGY_TARIFF_1: Final = Obis("1-0:1.8.1")
ENERGY_TARIFF_2: Final = Obis("1-0:1.8.2")
EXPORT: Final = Obis("1-0:2.8.0")
EXPORT_TARIFF_1: Final = Obis("1-0:2.8.1")
EXPORT_TARIFF_2: Final = Obis("1-0:2.8.2")
REACTIVE: Final = Obis("1-0:3.8.0")
POWER: Final = Obis("1-0:1.7.0")
EXPORT_POWER: Final = Obis("1-0:2.7.0")
REACTIVE_POWER: Final = Obis("1-0:3.7.0")
VOLTAGE: Final = Obis("1-0:32.7.0")
CURRENT: Final = Obis("1-0:31.7.0")
FREQUENCY: Final = Obis("1-0:14.7.0")
DEMAND: Final = Obis("1-0:1.4.0")
MAXIMUM_DEMAND: Final = Obis("1-0:1.6.0")
VOLTAGE_MONITOR: Final = Obis("0-0:16.0.0")

STATUS: Final = Obis("0-0:96.10.1")
DAILY_STATUS: Final = Obis("0-0:96.10.2")
LOAD_PROFILE: Final = Obis("1-0:99.1.0")
DAILY_VALUES: Final = Obis("1-0:99.2.0")
BILLING_VALUES: Final = Obis("0-0:98.1.0")
EVENT_LOG: Final = Obis("0-0:99.98.0")
FRAUD_LOG: Final = Obis("0-0:99.98.1")
BREAKER_LOG: Final = Obis("0-0:99.98.2")
POWER_FAILURES: Final = Obis("0-0:96.7.21")
LONG_POWER_FAILURES: Final = Obis("0-0:96.7.9")
LAST_POWER_FAILURE: Final = Obis("0-0:96.7.19")
POWER_FAILURE_LOG: Final = Obis("1-0:99.97.0")

BREAKER: Final = Obis("0-0:96.3.10")
LIMITER: Final = Obis("0-0:17.0.0")
