"""The Java peers: Maven builds them from `interop/java/`, Java runs them; both must be there.

A server prints `{"port": n}` when it listens; a client prints the lines that `interop.driver` describes. What they need
to know of the meter is written to a file of properties, so that `interop.meter` stays the only description.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from interop import meter

SOURCES = Path(__file__).parent / "java"
TARGET = SOURCES.parents[1] / "build" / "interop-java"
DESCRIPTION = TARGET / "meter.properties"
BUILD_SECONDS = 300


class JavaMissing(Exception):
    """Java or Maven is not there, or the build did not succeed; the message says which."""


def version(artifact: str) -> str:
    """The version that `pom.xml` pins, by the name of its property (`gurux.dlms`, `jdlms`)."""
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ElementTree.parse(SOURCES / "pom.xml").find(f"m:properties/m:{artifact}.version", space)
    return (found.text or "") if found is not None else ""


def _stamp(stamp: datetime) -> str:
    return stamp.strftime("%Y-%m-%dT%H:%M:%SZ")


def _records(rows: list[tuple[datetime, int]]) -> str:
    return ";".join(f"{_stamp(stamp)},{number},{meter.clock_octets(stamp).hex()}" for stamp, number in rows)


_NAMES = (
    "ASSOCIATION_VIEW", "CLOCK", "LOGICAL_DEVICE_NAME", "PROFILE_STATUS", "ENERGY_IMPORT", "LOAD_PROFILE",
    "IMAGE_TRANSFER", "BREAKER", "CALENDAR", "SPECIAL_DAYS", "LIMITER", "MESSAGE", "KEPT_REGISTER", "TARIFF_SCRIPTS",
    "REGISTER_ACTIVATION", "EVENT_LOG", "EVENT_CODE", "BILLING",
)  # fmt: skip
_OCTETS = (
    "ENCRYPTION_KEY", "AUTHENTICATION_KEY", "METER_TITLE", "DEVICE_NAME", "IMAGE", "IMAGE_IDENTIFIER", "NEW_MESSAGE"
)  # fmt: skip
_VALUES = (
    "HOST", "SERVER_SAP", "MAX_PDU_SIZE", "CAPTURE_PERIOD", "IMAGE_BLOCK", "NEW_THRESHOLD", "NEW_VALUE", "PEAK_SCRIPT",
    "FIRST_ENTRY", "LAST_ENTRY", "CLOCK_SHIFT",
)  # fmt: skip
_MOMENTS = ("FIRST", "SINCE", "UNTIL", "CLOCK_SET")


def _description() -> dict[str, object]:
    """What the Java side has to know of :mod:`interop.meter`: names and octets in hex, moments in both forms."""
    registers = (f"{name.hex()},{value},{scaler},{unit}" for name, (value, scaler, unit) in meter.REGISTERS.items())
    rows = (
        f"{_stamp(stamp)},{status},{energy_import},{energy_export},{meter.clock_octets(stamp).hex()}"
        for stamp, status, energy_import, energy_export in meter.rows()
    )
    index, date, day_id = meter.NEW_HOLIDAY
    return {
        **{name.lower(): getattr(meter, name).hex() for name in (*_NAMES, *_OCTETS)},
        **{name.lower(): getattr(meter, name) for name in _VALUES},
        **{name.lower(): _stamp(getattr(meter, name)) for name in _MOMENTS},
        **{f"{name.lower()}_octets": meter.clock_octets(getattr(meter, name)).hex() for name in _MOMENTS},
        **{f"sap.{association.name}": association.client_sap for association in meter.ASSOCIATIONS.values()},
        "password": meter.PASSWORD.decode(),
        "password_octets": meter.PASSWORD.hex(),
        "device_name_text": meter.DEVICE_NAME.decode(),
        "registers": ";".join(registers),
        "capture_objects": ";".join(
            f"{class_id},{name.hex()},{attribute}" for class_id, name, attribute in meter.CAPTURE_OBJECTS
        ),
        "rows": ";".join(rows),
        "events": _records(meter.EVENTS),
        "billings": _records(meter.BILLINGS),
        "new_calendar": meter.NEW_CALENDAR.decode(),
        "new_holiday_index": index,
        "new_holiday_date": date.hex(),
        "new_holiday_day_id": day_id,
    }


@cache
def build() -> None:
    """Compile the sources once, offline where the libraries are there already; raises JavaMissing."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise JavaMissing(f"{program} is not installed")
    said = ""
    for options in (["--offline"], []):
        command = ["mvn", "--quiet", "--batch-mode", *options, "--file", str(SOURCES / "pom.xml"), "package"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        said = done.stdout.strip() or done.stderr.strip()
        if done.returncode == 0:
            lines = (f"{key}={value}\n" for key, value in _description().items())
            DESCRIPTION.write_text("".join(lines), "ascii")
            return
    raise JavaMissing(f"Maven could not build interop/java: {said.splitlines()[0] if said else 'no reason given'}")


def command(program: str, *arguments: str) -> list[str]:
    """The command line of one of our Java programs, which takes the description first; raises JavaMissing."""
    build()
    classpath = os.pathsep.join([str(TARGET / "classes"), str(TARGET / "lib" / "*")])
    # The peers write date-times in the zone of the machine unless told otherwise.
    return ["java", "-Duser.timezone=UTC", "-cp", classpath, f"interop.{program}", str(DESCRIPTION), *arguments]


@contextmanager
def serve(program: str, association: str, way: str) -> Iterator[int]:
    """Run a server program; yields the port it listens on."""
    process = subprocess.Popen(command(program, association, way), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise JavaMissing(f"{program} ended before it listened")
        yield json.loads(line)["port"]
    finally:
        process.terminate()
        process.communicate()
