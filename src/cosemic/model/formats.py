"""Types whose carrier means something: logical names, dates and times, units (IEC 62056-6-2, 4.1 and 4.3).

::

    LogicalName          octet-string of 6             Obis
    DateTimeOctets       octet-string of 12            DateTime     also read: date-time
    DateTimeData         date-time                     DateTime     also read: octet-string of 12
    UnitCode             enum                          Unit
    SystemTitle[8]       octet-string                  bytes, which another part of the house understands
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic

from cosemic.codec import DataType, Typed
from cosemic.errors import DecodeError, EncodeError
from cosemic.model.types import (
    STRICT,
    Bits,
    Enum,
    Notation,
    Number,
    Octets,
    OctetString,
    Plain,
    Reading,
    Sizes,
    T,
    label,
    short,
    spans_of,
)
from cosemic.values import Date, DateTime, Obis, Time, Unit


class Formatted(Notation, Generic[T]):
    """A carrier whose content means something: ``octet-string[6] as logical-name``.

    to_python, to_carrier: the two directions; ``to_python`` raises ValueError or DecodeError for what has no meaning.
    also: another tag that carries the same (date-time beside octet-string[12]): a deviation where it is not declared.
    """

    def __init__(
        self,
        carrier: Octets | Bits | Number | Plain[T],
        form: str,
        python: type[T],
        to_python: Callable[[Any], T],
        to_carrier: Callable[[T], Any],
        *,
        name: str = "",
        also: DataType | None = None,
    ) -> None:
        self.carrier = carrier
        self.form = form
        self.python = python
        self.to_python = to_python
        self.to_carrier = to_carrier
        self.name = name
        self.also = also

    def tags(self) -> frozenset[DataType]:
        """Return the tag of the carrier."""
        return self.carrier.tags()

    def definition(self) -> str:
        """Return the carrier and the format."""
        return f"{self.carrier.definition()} as {self.form}" if self.form else self.carrier.definition()

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the Python value; raises DecodeError for a carrier without meaning in this format."""
        value: Any
        if typed[0] is self.also:
            reading.report(self.definition(), label(typed))
            value = typed[1]
        else:
            value = self.carrier.decode(typed, reading)
        try:
            return value if isinstance(value, self.python) else self.to_python(value)
        except DecodeError as error:
            raise DecodeError(f"{self.definition()}: {error.expected}") from None
        except ValueError:
            raise DecodeError(f"{self.definition()}, not {short(value)}") from None

    def encode(self, value: T) -> Typed:
        """Return the typed carrier; raises EncodeError."""
        if not isinstance(value, self.python):
            raise EncodeError(f"{short(value)} is no {self.notation()}")
        carrier: Any = self.to_carrier(value)
        return self.carrier.encode(carrier)


def _date_time(octets: bytes) -> DateTime:
    """The octets of a date-time; none at all are what some meters send for a date that is not set."""
    return DateTime(octets or _NO_DATE_TIME)


_NO_DATE_TIME: Final = bytes.fromhex("ffffffffffffffffff8000ff")


def _octets(value: DateTime | Date | Time) -> bytes:
    return value.octets


def _itself(value: T) -> T:
    return value


DateTimeData: Final = Formatted(
    Plain(DataType.DATE_TIME, DateTime), "", DateTime, _date_time, _itself, also=DataType.OCTET_STRING
)
DateData: Final = Formatted(Plain(DataType.DATE, Date), "", Date, Date, _itself, also=DataType.OCTET_STRING)
TimeData: Final = Formatted(Plain(DataType.TIME, Time), "", Time, Time, _itself, also=DataType.OCTET_STRING)
DateTimeOctets: Final = Formatted(
    OctetString[12], "date-time", DateTime, _date_time, _octets, name="date_time_octets", also=DataType.DATE_TIME
)
DateOctets: Final = Formatted(OctetString[5], "date", Date, Date, _octets, name="date_octets", also=DataType.DATE)
TimeOctets: Final = Formatted(OctetString[4], "time", Time, Time, _octets, name="time_octets", also=DataType.TIME)
LogicalName: Final = Formatted(OctetString[6], "logical-name", Obis, Obis, bytes, name="logical_name")
UnitCode: Final = Formatted(Enum, "", Unit, Unit, int, name="unit")


class Contents(Octets):
    """An octet-string whose contents another part of the house understands: a certificate, a system title ..."""

    def __init__(self, form: str, sizes: tuple[tuple[int, int | None], ...] = ()) -> None:
        super().__init__(sizes)
        self.form = form

    def __getitem__(self, sizes: Sizes) -> Contents:
        return Contents(self.form, spans_of(sizes))

    def definition(self) -> str:
        """Return the carrier and the format."""
        return f"{super().definition()} as {self.form}"


SystemTitle: Final = Contents("system-title")
ObjectIdentifier: Final = Contents("oid")
X509Certificate: Final = Contents("x509-certificate")
Pkcs10Request: Final = Contents("pkcs10-request")
