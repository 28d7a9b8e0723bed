"""Values in words: what a person wants to know of an octet-string, a number or a date.

An octet-string may hold a logical name, a date-time or text, and nothing in it says which; what is shown is a guess
that fits, beside the octets themselves.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.codec import DataType
from cosemic.model.obis_names import describe
from cosemic.values import DateTime, Enumeration, Obis, Quantity, Unit

LONGEST: Final = 48
"""Octets shown in one line."""
_NUMBERS: Final = frozenset(
    kind for kind in DataType if kind.label.endswith(("long", "unsigned", "integer", "long64")) and not kind.is_delta
) | {DataType.FLOAT32, DataType.FLOAT64}
_SCALER_UNIT: Final = b"\x02\x02\x0f"
_SENSIBLE_YEARS: Final = range(1990, 2100)


def octets_text(octets: bytes) -> str:
    """Return hexadecimal text, cut where it is long."""
    if not octets:
        return "(empty)"
    return octets.hex() if len(octets) <= LONGEST else f"{octets[:LONGEST].hex()}... ({len(octets)} octets)"


def one_line(text: str) -> str:
    """Return text as it can stand in a line: what a terminal would act upon is escaped."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def octet_string_text(octets: bytes) -> str:
    """Return the octets, and what they seem to mean."""
    meaning = _meaning(octets)
    return f"{octets_text(octets)}  {meaning}" if meaning else octets_text(octets)


def _meaning(octets: bytes) -> str:
    if len(octets) == 12 and int.from_bytes(octets[:2]) in _SENSIBLE_YEARS:
        return str(DateTime(octets))
    if len(octets) >= 2 and octets.isascii() and octets.decode().isprintable():
        return repr(octets.decode())
    if len(octets) == 6 and octets[5] == 0xFF:
        return obis_text(Obis(octets))
    return ""


def obis_text(code: Obis, class_id: int | None = None) -> str:
    """Return a code and its name."""
    return f"{code}  {describe(code, class_id)}"


def value_text(value: Any) -> str:
    """Return a field of an APDU in words."""
    if isinstance(value, Enumeration):
        return value.label
    if isinstance(value, Obis):
        return obis_text(value)
    if isinstance(value, bytes):
        return octet_string_text(value)
    if hasattr(value, "names"):
        return ", ".join(value.names()) or "(none)"
    if value is None:
        return "-"
    return str(value) if isinstance(value, str) or type(value) in (int, bool) else repr(value).strip("<>")


def data_text(kind: DataType, value: Any, following: bytes) -> str:
    """Return a value inside a Data in words.

    following: the octets behind it; where they are a scaler_unit, as many pushes have it, the value is shown with it.
    """
    if kind is DataType.OCTET_STRING:
        return octet_string_text(value)
    if kind in (DataType.VISIBLE_STRING, DataType.UTF8_STRING):
        return repr(value)
    if kind in (DataType.NULL_DATA, DataType.DONT_CARE):
        return ""
    if kind in (DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY):
        unit = _scaler_unit(following)
        return f"({value})" + (f"  scaler {unit[0]}, unit {unit[1]}" if unit else "")
    unit = _scaler_unit(following) if kind in _NUMBERS else None
    return str(value) if unit is None else f"{value}  = {Quantity(value, *unit)}"


def _scaler_unit(octets: bytes) -> tuple[int, Unit] | None:
    """Read structure { integer scaler, enum unit } from the start of some octets; None where it is not there."""
    if octets[:3] != _SCALER_UNIT or octets[4:5] != b"\x16" or len(octets) < 6:
        return None
    return int.from_bytes(octets[3:4], signed=True), Unit(octets[5])
