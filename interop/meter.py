"""The meter that all servers show and all clients read: its associations, its objects, and what they must answer.

Three associations on the TCP wrapper (IEC 62056-4-7), server SAP 1: public (client SAP 16, no security), low level
security (client SAP 2), and HLS GMAC in the ciphered context with authenticated encryption, suite 0 (client SAP 3).
Objects: logical device name, clock, two registers, a status, a load profile of one day in quarters of an hour, UTC.
Those that clients act upon, and histories of a few rows, are there as far as a server can have them
(:mod:`interop.peers`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOST = "127.0.0.1"
SERVER_SAP = 1
PASSWORD = b"12345678"
ENCRYPTION_KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
AUTHENTICATION_KEY = bytes.fromhex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf")
METER_TITLE = b"MTR\x00\x00\x00\x00\x01"
MAX_PDU_SIZE = 512
"""Small enough for the association view and half a day of load profile to need block transfer."""


@dataclass(frozen=True)
class Association:
    """One way to talk to the meter."""

    name: str
    client_sap: int
    mechanism: int
    ciphered: bool
    manages: bool
    """Whether the client may change the meter, or only read it."""


ASSOCIATIONS = {
    association.name: association
    for association in (
        Association("none", 16, 0, ciphered=False, manages=False),
        Association("lls", 2, 1, ciphered=False, manages=True),
        Association("hls-gmac", 3, 5, ciphered=True, manages=True),
    )
}

ASSOCIATION_VIEW = bytes.fromhex("0000280000ff")
CLOCK = bytes.fromhex("0000010000ff")
LOGICAL_DEVICE_NAME = bytes.fromhex("00002a0000ff")
ENERGY_IMPORT = bytes.fromhex("0100010800ff")
ENERGY_EXPORT = bytes.fromhex("0100020800ff")
PROFILE_STATUS = bytes.fromhex("0000600a01ff")
LOAD_PROFILE = bytes.fromhex("0100630100ff")

IMAGE_TRANSFER = bytes.fromhex("00002c0000ff")
BREAKER = bytes.fromhex("000060030aff")
CALENDAR = bytes.fromhex("00000d0000ff")
SPECIAL_DAYS = bytes.fromhex("00000b0000ff")
LIMITER = bytes.fromhex("0000110000ff")
MESSAGE = bytes.fromhex("0000600d01ff")
BILLING = bytes.fromhex("0000620100ff")
KEPT_REGISTER = bytes.fromhex("0100800801ff")

TRIGGER, CIPHERED_TRIGGER = bytes.fromhex("0000600e01ff"), bytes.fromhex("0000600e02ff")
"""Data objects: who reads one is sent notifications first, in clear or ciphered."""

EVENT_LOG = bytes.fromhex("0000636200ff")
EVENT_CODE = bytes.fromhex("0000600b00ff")

REGISTERS = {ENERGY_IMPORT: (12_345_678, -1, 30), ENERGY_EXPORT: (4_321, 0, 30)}
"""Logical name: value (double-long-unsigned), scaler, unit (30 is Wh)."""

DEVICE_NAME = b"MTR0000000000001"
CAPTURE_PERIOD = 900
CAPTURE_OBJECTS = ((8, CLOCK, 2), (1, PROFILE_STATUS, 2), (3, ENERGY_IMPORT, 2), (3, ENERGY_EXPORT, 2))
"""class_id, logical name, attribute; data index 0."""

VIEW = {(8, CLOCK), (1, LOGICAL_DEVICE_NAME), (3, ENERGY_IMPORT), (3, ENERGY_EXPORT), (7, LOAD_PROFILE)}
"""class_id and logical name that an association view must at least contain."""

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ROWS = 96
SINCE = FIRST + timedelta(hours=6)
UNTIL = FIRST + timedelta(hours=17, minutes=45)
"""The range that clients select, both ends included: 48 rows."""


def clock_octets(stamp: datetime) -> bytes:
    """A COSEM date-time in UTC: deviation 0, status 0 (IEC 62056-6-2 clause 4.1.6.1)."""
    day = (stamp.year, stamp.month, stamp.day, stamp.isoweekday())
    return struct.pack(">HBBBBBBBhB", *day, stamp.hour, stamp.minute, stamp.second, 0, 0, 0)


Row = tuple[datetime, int, int, int]


def rows() -> list[Row]:
    """The whole buffer: stamp, status, import, export."""
    return [
        (FIRST + timedelta(seconds=CAPTURE_PERIOD * n), 8 if n % 10 == 0 else 0, 12_000_000 + 137 * n, 4_000 + 3 * n)
        for n in range(ROWS)
    ]


def selected_rows() -> list[Row]:
    """What a range selection from `SINCE` to `UNTIL` must answer."""
    return [row for row in rows() if SINCE <= row[0] <= UNTIL]


EVENTS = [(FIRST + timedelta(hours=3 * n), code) for n, code in enumerate((1, 2, 4, 5))]
"""Moment and code: power down and up, clock adjusted from and to."""
BILLINGS = [(FIRST + timedelta(days=30 * n), 12_000_000 + 100_000 * n) for n in range(3)]
"""Moment and energy imported."""

IMAGE = bytes(n * n % 251 for n in range(5_000))
IMAGE_IDENTIFIER = b"interop-1"
IMAGE_BLOCK = 200
"""Octets: the last block is not a whole one, and no block needs block transfer."""

CLOCK_SET = datetime(2026, 12, 24, 10, 20, 30, tzinfo=UTC)
CLOCK_SHIFT = 600
"""Seconds: the time to which the clock is set, and by how much it is shifted after that."""

FIRST_ENTRY, LAST_ENTRY = 3, 7
"""Of the load profile, counted from 1."""

TARIFF_SCRIPTS = bytes.fromhex("00000a0064ff")
REGISTER_ACTIVATION = bytes.fromhex("00000e0000ff")
PEAK_SCRIPT, PEAK = 3, b"peak"
"""A script that no calendar runs, and the name of the active mask afterwards."""

NEW_MESSAGE = b"hello"
LONG_MESSAGE = bytes(n % 251 for n in range(2_000))
"""Octets: more than three APDUs hold."""
OTHER_MESSAGE, ACCESSED_MESSAGE = b"one of a list", b"by access"
NEW_VALUE, OTHER_VALUE = 4_711, 1_174
NOT_THERE, NO_METHOD = bytes.fromhex("0000600d02ff"), 9
"""The name of no object, and the number of no method of the switch."""
NEW_THRESHOLD = 4_000
NEW_CALENDAR = b"2027"
NEW_HOLIDAY = (2, bytes.fromhex("07ea0c1aff"), 2)
"""index, date (2026-12-26, its weekday left open), day_id."""


def entries() -> list[Row]:
    """What a selection of the entries must answer."""
    return rows()[FIRST_ENTRY - 1 : LAST_ENTRY]
