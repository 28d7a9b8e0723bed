"""The tables of the store; what they are for stands in :mod:`cosemic.head_end.store`."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x434F534D
"""Marks a file as ours: COSM."""
VERSION: Final = 1
STATEMENTS: Final = (
    """CREATE TABLE meters (
        meter INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, device_name TEXT, objects INTEGER, collected INTEGER
    )""",
    """CREATE TABLE registers (
        meter INTEGER NOT NULL, object TEXT NOT NULL, attribute INTEGER NOT NULL,
        value, scaler INTEGER, unit INTEGER, read_at INTEGER NOT NULL,
        PRIMARY KEY (meter, object, attribute)
    ) WITHOUT ROWID""",
    """CREATE TABLE channels (
        channel INTEGER PRIMARY KEY, meter INTEGER NOT NULL, profile TEXT NOT NULL, object TEXT NOT NULL,
        attribute INTEGER NOT NULL, data_index INTEGER NOT NULL,
        UNIQUE (meter, profile, object, attribute, data_index)
    )""",
    """CREATE TABLE readings (
        channel INTEGER NOT NULL, interval_start INTEGER NOT NULL, occurrence INTEGER NOT NULL,
        interval_end INTEGER NOT NULL, value, scaler INTEGER, unit INTEGER, status, marks INTEGER NOT NULL,
        PRIMARY KEY (channel, interval_start, occurrence)
    ) WITHOUT ROWID""",
    """CREATE TABLE coverage (
        meter INTEGER NOT NULL, profile TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (meter, profile, since)
    ) WITHOUT ROWID""",
    """CREATE VIEW load_profile AS
        SELECT name AS meter, profile, object, attribute,
               datetime(interval_start, 'unixepoch') AS interval_start,
               datetime(interval_end, 'unixepoch') AS interval_end,
               value, scaler, unit, status, marks
        FROM readings JOIN channels USING (channel) JOIN meters USING (meter)""",
)
