"""Values as they are typed in: text or JSON, made into what the declared type of an attribute or parameter takes.

========================  =================================================================================
declared type             what is written
========================  =================================================================================
numbers, booleans         ``5``, ``true``
enumerations              the number, or the name of the standard: ``connected``
bits                      the number, or a list of names: ``["daylight-saving-active"]``
octet-string              hexadecimal, or ``text:...``
logical name              an OBIS code: ``1-0:1.8.0``
date-time, date, time     ISO 8601: ``2026-11-01T06:00:00+01:00``; or the octets in hexadecimal, wildcards included
bit-string                ``10110``
structure                 an object by the names of the fields, or a list in their order
array                     a list
any type                  ``{"type": "double-long-unsigned", "value": 5}``, or ``--type`` for simple ones
========================  =================================================================================
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import ConfigurationError, CosemicError, EncodeError
from cosemic.model.compound import AnyData, ArrayOf, Choice, CompactArrayOf, Structure, StructureOf
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import Formatted
from cosemic.model.forms import StandsFor
from cosemic.model.types import Bits, CosemType, Octets
from cosemic.values import BitString, Date, DateTime, Obis, Time, Unit

_TEXT: Final = "text:"
_HOW_OCTETS: Final = "write it in hexadecimal, or text behind text:, as in text:cellar"
_TYPES: Final = {one.label: one for one in DataType}


class _Integer(int):
    """A number as it was typed in; octets and bits may be written with digits alone, too."""

    written: str

    def __repr__(self) -> str:
        return self.written


class _Real(float):
    """As above; octets in hexadecimal may look like one: 12e4."""

    written: str

    def __repr__(self) -> str:
        return self.written


def parsed(text: str) -> Any:
    """Return what was typed in: JSON where it is some, else the text itself."""
    try:
        plain = json.loads(text)
    except ValueError:
        return text
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return plain
    number = _Integer(plain) if isinstance(plain, int) else _Real(plain)
    number.written = text.strip()
    return number


def _as_written(plain: Any) -> Any:
    """The text of a number that was typed in; anything else as it is."""
    return plain.written if isinstance(plain, _Integer | _Real) else plain


def value_of(declared: CosemType[Any], plain: Any) -> Any:
    """Return what ``declared.encode`` takes for a plain value. Raises ConfigurationError that says what is wanted."""
    while isinstance(declared, StandsFor):
        declared = declared.declared
    if _names_type(plain):
        return typed_of(plain["type"], plain["value"])
    if isinstance(declared, type) and issubclass(declared, Structure):
        return _structure(declared, plain)
    if isinstance(declared, ArrayOf | CompactArrayOf):
        return tuple(value_of(declared.element, one) for one in _list(plain, declared))
    if isinstance(declared, StructureOf):
        return tuple(value_of(AnyData, one) for one in _list(plain, declared))
    if isinstance(declared, Choice):
        return _chosen(declared, plain)
    return _simple(declared, plain)


def typed_of(label: str, plain: Any) -> Typed:
    """Return a typed value of a simple type. Raises ConfigurationError."""
    data_type = _TYPES.get(label) if isinstance(label, str) else None
    if data_type is None:
        raise ConfigurationError(f"{label!r} is no type: {', '.join(sorted(_TYPES))}")
    if data_type in (DataType.ARRAY, DataType.STRUCTURE):
        return data_type, tuple(_typed_element(one) for one in _list(plain, label))
    try:
        value = _NATIVES[data_type](plain) if data_type in _NATIVES else plain
        return EncodedData.of(data_type, value).typed()
    except (CosemicError, TypeError, ValueError):
        how = f": {_HOW_OCTETS}" if data_type is DataType.OCTET_STRING else ""
        raise ConfigurationError(f"{plain!r} is no {label}{how}") from None


def _names_type(plain: Any) -> bool:
    """Whether a value says of what type it is."""
    return isinstance(plain, Mapping) and set(plain) == {"type", "value"}


def _typed_element(plain: Any) -> Typed:
    if not _names_type(plain):
        raise ConfigurationError(f'{plain!r} has no type: {{"type": "unsigned", "value": 5}}')
    return typed_of(plain["type"], plain["value"])


def _structure(declared: type[Structure], plain: Any) -> Structure:
    fields = declared.fields_declared
    if isinstance(plain, Mapping):
        given = dict(plain)
        unknown = set(given) - {one.name for one in fields}
        if unknown:
            raise ConfigurationError(
                f"{', '.join(sorted(unknown))}: no field of {declared.notation()}: "
                f"{', '.join(one.name for one in fields)}"
            )
    else:
        given = dict(zip((one.name for one in fields), _list(plain, declared.notation()), strict=False))
        if len(plain) > len(fields):
            raise ConfigurationError(f"{declared.notation()} has {len(fields)} fields, not {len(plain)}")
    kinds = {one.name: one.type for one in fields}
    try:
        return declared(**{name: value_of(kinds[name], one) for name, one in given.items()})
    except TypeError:
        missing = [one.name for one in fields if one.name not in given and not one.optional]
        raise ConfigurationError(f"{declared.notation()} wants {', '.join(missing)} too") from None


def _chosen(declared: Choice[Any], plain: Any) -> Any:
    """The alternative that takes the value; several may: a number can have many sizes."""
    if isinstance(plain, _Integer | _Real):
        plain = int(plain) if isinstance(plain, int) else float(plain)  # a number, and no octets
    found: list[Typed] = []
    for one in declared.alternatives:
        try:
            found.append(one.encode(value_of(one, plain)))
        except (ConfigurationError, EncodeError):
            continue
    if len({typed[0] for typed in found}) == 1:
        return found[0]
    if not found:
        raise ConfigurationError(f"{plain!r} is no {declared.notation()}: {declared.definition()}")
    types = ", ".join(dict.fromkeys(typed[0].label for typed in found))
    raise ConfigurationError(f'{plain!r} may be {types}: say which with --type, or {{"type": ..., "value": ...}}')


def _simple(declared: CosemType[Any], plain: Any) -> Any:
    try:
        value = _converted(declared, plain)
        declared.encode(value)
    except (CosemicError, KeyError, TypeError, ValueError):  # KeyError: a name that is not of the enumeration
        raise ConfigurationError(f"{plain!r} is no {_wanted(declared)}") from None
    return value


def _wanted(declared: CosemType[Any]) -> str:
    """What is to be typed in."""
    name, definition = declared.notation(), declared.definition()
    how = _HOW_OCTETS if isinstance(declared, Octets) else definition
    return name if how == name else f"{name}: {how}"


def _converted(declared: CosemType[Any], plain: Any) -> Any:
    if isinstance(declared, EnumOf):
        return declared.values[_member(plain)] if isinstance(plain, str) else plain
    if isinstance(declared, BitsOf):
        if isinstance(plain, list):
            return declared.flags(sum(declared.flags[_member(one)] for one in plain))
        return declared.flags(plain)
    if isinstance(declared, Formatted):
        make = _FORMATS.get(declared.python)
        return make(plain) if make is not None else declared.to_python(plain)
    if isinstance(declared, Octets):
        return octets(plain)
    return BitString(_as_written(plain)) if isinstance(declared, Bits) else plain


def _member(name: str) -> str:
    return name.strip().upper().replace("-", "_").replace(" ", "_")


def octets(plain: str) -> bytes:
    """Return octets: hexadecimal, or text behind ``text:``. Raises ValueError, TypeError."""
    plain = _as_written(plain)
    if not isinstance(plain, str):
        raise TypeError("octets are written as text")
    return plain[len(_TEXT) :].encode() if plain.startswith(_TEXT) else bytes.fromhex(plain)


def _date_time(plain: str) -> DateTime:
    plain = _as_written(plain)
    try:
        return DateTime(bytes.fromhex(plain))
    except ValueError:
        moment = dt.datetime.fromisoformat(plain)
        return DateTime.from_datetime(moment)


def _date(plain: str) -> Date:
    plain = _as_written(plain)
    try:
        return Date(bytes.fromhex(plain))
    except ValueError:
        return Date.from_date(dt.date.fromisoformat(plain))


def _time(plain: str) -> Time:
    plain = _as_written(plain)
    try:
        return Time(bytes.fromhex(plain))
    except ValueError:
        return Time.from_time(dt.time.fromisoformat(plain))


def _unit(plain: str | int) -> Unit:
    return Unit.of(plain) if isinstance(plain, str) else Unit(plain)


_FORMATS: Final[dict[Any, Callable[[Any], Any]]] = {
    Obis: Obis,
    DateTime: _date_time,
    Date: _date,
    Time: _time,
    Unit: _unit,
}
_NATIVES: Final[dict[DataType, Callable[[Any], Any]]] = {
    DataType.OCTET_STRING: octets,
    DataType.BIT_STRING: lambda plain: BitString(_as_written(plain)),
    DataType.DATE_TIME: _date_time,
    DataType.DATE: _date,
    DataType.TIME: _time,
}


def _list(plain: Any, what: object) -> list[Any]:
    if not isinstance(plain, list):
        raise ConfigurationError(f"{plain!r} is no list of {what}")
    return plain
