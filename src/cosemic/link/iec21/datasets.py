"""Data sets of IEC 62056-21 (6.6): ``address(value*unit)(value*unit)``.

::

    1.8.0(000123.4*kWh) CR LF            one a line
    6.8(0029.055*MWh)6.26(01589.28*m3)   or several
    0.9.1(123456) CR LF (1)              without an address: it belongs to the address before

The address is a reduced OBIS code (IEC 62056-6-1) or a maker's own name. What stands between parentheses may be
anything else, so that :attr:`DataSet.values` holds it as it is; :attr:`DataSet.parts` splits value and unit.

Text is ISO 8859-1. Work and memory are linear in the octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.values import Obis, Quantity, Unit

LINE_END: Final = "\r\n"
_PIECE: Final = re.compile(rb"\(([^)]*)\)|([^(!\r\n]+)|[\r\n]+")
_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,32})(?:\.([0-9]{0,32}))?")
_UNSENDABLE: Final = re.compile(r"[^ -~]|[()/!]")
_PREFIXES: Final = {"": 0, "k": 3, "M": 6, "G": 9, "m": -3}
_PREFIXED: Final = ("Wh", "W", "varh", "var", "VAh", "VA", "J", "V", "A", "Hz", "Pa")
_PLAIN: Final = {each: each for each in ("m³", "m³/h", "l", "kg", "bar", "%", "h", "min", "s", "°C", "K")} | {
    "m3": "m³",
    "m3/h": "m³/h",
    "m3ph": "m³/h",
    "C": "°C",
}
"""``C`` is what 7-bit text makes of °C: no meter counts coulombs."""


def _units() -> dict[str, tuple[Unit, int]]:
    """Return unit and power of ten by what meters write."""
    units = {text: (Unit.of(symbol), 0) for text, symbol in _PLAIN.items()}
    for symbol in _PREFIXED:
        for prefix, scaler in _PREFIXES.items():
            for spelling in {symbol, symbol.replace("var", "VAr"), symbol.replace("var", "VAR")}:
                units[prefix + spelling] = Unit.of(symbol), scaler
    return units


_UNITS: Final = _units()


class Value(NamedTuple):
    """What stands in one pair of parentheses: before the asterisk, and behind it, which may be nothing."""

    text: str
    unit: str

    @property
    def quantity(self) -> Quantity | None:
        """The number in its unit, exact; None where it is no decimal number or its unit is not known."""
        number = _NUMBER.fullmatch(self.text.strip())
        unit = _UNITS.get(self.unit.strip())
        if number is None or unit is None:
            return None
        fraction = number[2] or ""
        return Quantity(int(number[1] + fraction), unit[1] - len(fraction), unit[0])


@dataclass(frozen=True, slots=True)
class DataSet:
    """What stands before the first parenthesis, which may be nothing, and what stands in each pair of them."""

    address: str
    values: tuple[str, ...]

    @property
    def parts(self) -> tuple[Value, ...]:
        """The values, each split at its asterisk."""
        return tuple(Value(*value.partition("*")[::2]) for value in self.values)

    @property
    def obis(self) -> Obis | None:
        """The code that the address is (electricity where group A is left out); None where it is none."""
        try:
            return Obis(self.address)
        except ConfigurationError:
            return None

    def encode(self) -> bytes:
        """Return the data set as sent. Raises EncodeError for ``( ) / !`` and controls, which no data set can hold."""
        for text in (self.address, *self.values):
            if found := _UNSENDABLE.search(text):
                raise EncodeError(f"a data set cannot hold the {found[0]!r} of {text[:40]!r} (IEC 62056-21, 6.6)")
        return (self.address + "".join(f"({value})" for value in self.values)).encode("ascii")


def scan_datasets(octets: bytes, start: int, end: int) -> tuple[tuple[DataSet, ...], int]:
    """Read data sets from ``start``; return them and where the first octet stands that belongs to none, or ``end``.

    Text without parentheses is a data set without values.
    """
    found: list[tuple[str, list[str]]] = []
    position = start
    while piece := _PIECE.match(octets, position, end):
        value, address = piece.groups()
        if value is not None:
            if not found:
                found.append(("", []))
            found[-1][1].append(value.decode("latin-1"))
        elif address is not None and address.strip():
            found.append((address.decode("latin-1"), []))
        position = piece.end()
    return tuple(DataSet(address, tuple(values)) for address, values in found), position


def read_datasets(octets: bytes) -> tuple[DataSet, ...]:
    """Read a data block: data sets, and ``!`` behind them or nothing. Raises DecodeError for anything else."""
    datasets, position = scan_datasets(octets, 0, len(octets))
    if octets[position:].rstrip(b"\r\n") not in (b"", b"!"):
        expected = ") behind this parenthesis" if octets[position : position + 1] == b"(" else "nothing behind !"
        raise DecodeError(expected, position, "datasets")
    return datasets


def write_datasets(datasets: Iterable[DataSet]) -> bytes:
    """Return data sets one a line, with a line end between them. Raises EncodeError as :meth:`DataSet.encode`."""
    return LINE_END.encode("ascii").join(each.encode() for each in datasets)


def data_block(datasets: Iterable[DataSet]) -> bytes:
    """Return the data block of a read-out: a line for each data set, and ``!`` at the end."""
    return b"".join(each.encode() + b"\r\n" for each in datasets) + b"!\r\n"
