"""Objects that a simulated meter has besides its own, from data: constants, functions of time, and its load curve.

::

    object = "3/1-0:52.7.0"                       # class and logical name
    version = 0                                   # of the class; the newest unless said
    writable = ["scaler_unit"]                    # attributes that clients may write

    [attributes]
    value = { type = "long-unsigned", function = "sine", mean = 2310, amplitude = 25, period = 3600 }
    scaler_unit = [-1, "V"]

A constant is written as for ``cosemic write``: as the declared type of the attribute takes it, or with its type
(:mod:`cosemic.model.plain_values`). A function gives a number of a type:

==========  =====================================================================================================
sine        ``mean`` + ``amplitude`` * sin(2 pi t / ``period`` s)
steps       each of ``values`` for ``every`` seconds, over and over again
curve       ``factor`` * what the load curve of the meter has: ``of`` = imported, exported, reactive (Wh, varh),
            imported-power, exported-power, reactive-power (W, var), voltage (0.1 V), current (0.01 A), frequency
            (0.01 Hz)
==========  =====================================================================================================
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, CosemicError, EncodeError
from cosemic.model import InterfaceClass, interface_class, versions
from cosemic.model.plain_values import value_of
from cosemic.model.types import CosemType
from cosemic.server import CosemObject
from cosemic.simulator.load_curve import LoadCurve
from cosemic.simulator.wording import check_names, made, one_of

if TYPE_CHECKING:
    from cosemic.simulator.meter import SimulatedMeter

Maker = Callable[["SimulatedMeter"], CosemObject]
_NAMED: Final = re.compile(r"(\d{1,5})/(\S+)")
_FLOATS: Final = (DataType.FLOAT32, DataType.FLOAT64)


class Function(Protocol):
    """A function of time and of the load curve of a meter."""

    def value(self, moment: float, curve: LoadCurve) -> float:
        """Return the value at a moment (seconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Sine:
    """Rises and falls; period in seconds."""

    mean: float
    amplitude: float
    period: float

    def __post_init__(self) -> None:
        if not self.period > 0:
            raise ConfigurationError(f"the period of a sine is more than 0 s, not {self.period}")

    def value(self, moment: float, curve: LoadCurve) -> float:
        """Return the value at a moment."""
        return self.mean + self.amplitude * math.sin(2 * math.pi * (moment % self.period) / self.period)


@dataclass(frozen=True, slots=True)
class Steps:
    """One value after the other; every in seconds."""

    values: tuple[float, ...]
    every: float

    def __post_init__(self) -> None:
        if not self.values or not self.every > 0:
            raise ConfigurationError("steps have values, and each of them lasts more than 0 s")

    def value(self, moment: float, curve: LoadCurve) -> float:
        """Return the value at a moment."""
        return self.values[int(moment // self.every) % len(self.values)]


@dataclass(frozen=True, slots=True)
class Curve:
    """What the load curve has."""

    of: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        one_of("what a curve is of", self.of, _QUANTITIES)

    def value(self, moment: float, curve: LoadCurve) -> float:
        """Return the value at a moment."""
        return self.factor * _QUANTITIES[self.of](curve, moment)


_QUANTITIES: Final[Mapping[str, Callable[[LoadCurve, float], int]]] = {
    "imported": LoadCurve.imported,
    "exported": LoadCurve.exported,
    "reactive": LoadCurve.reactive,
    "imported-power": lambda curve, moment: curve.power(moment).imported,
    "exported-power": lambda curve, moment: curve.power(moment).exported,
    "reactive-power": lambda curve, moment: curve.power(moment).reactive,
    "voltage": LoadCurve.voltage,
    "current": LoadCurve.current,
    "frequency": LoadCurve.frequency,
}
_FUNCTIONS: Final[Mapping[str, type[Sine | Steps | Curve]]] = {"sine": Sine, "steps": Steps, "curve": Curve}
_TYPES: Final = {one.label: one for one in DataType}


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of an object, but for its attributes."""

    object: str
    version: int | None = None
    writable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _OfTime:
    """A number of a type that a function gives."""

    data_type: DataType
    function: Function

    def at(self, moment: float, curve: LoadCurve) -> EncodedData:
        """Return the number at a moment. Raises EncodeError."""
        number = self.function.value(moment, curve)
        if self.data_type in _FLOATS:
            return EncodedData.of(self.data_type, number)
        if not math.isfinite(number):
            raise EncodeError(f"{number} is no {self.data_type.label}")
        return EncodedData.of(self.data_type, round(number))

    def of(self, curve: LoadCurve) -> Callable[[dt.datetime], EncodedData]:
        """Return it as a function of time alone."""
        return lambda now: self.at(now.timestamp(), curve)


def object_from(table: Mapping[str, Any], what: str) -> Maker:
    """Return what makes the object that a table describes, for any meter. Raises ConfigurationError."""
    if not isinstance(table, Mapping) or not isinstance(attributes := table.get("attributes", {}), Mapping):
        raise ConfigurationError(f"{what} is a table, and its attributes are one")
    check_names(what, table, (*(one.name for one in dataclasses.fields(_Said)), "attributes"))
    said = made(_Said, {name: value for name, value in table.items() if name != "attributes"}, what)
    interface = _interface(said, what)
    check_names(said.object, (*attributes, *said.writable), [one.name for one in interface.attributes.values()])
    values = {
        name: _value(interface.attribute_named(name).type, written, f"{name} of {said.object}")
        for name, written in attributes.items()
    }

    def make(curve: LoadCurve) -> CosemObject:
        given = {name: value.of(curve) if isinstance(value, _OfTime) else value for name, value in values.items()}
        return CosemObject(interface, given, writers=dict.fromkeys(said.writable))

    make(LoadCurve(0))  # says now what cannot be
    return lambda meter: make(meter.curve)


def _interface(said: _Said, what: str) -> InterfaceClass:
    matched = _NAMED.fullmatch(said.object)
    if matched is None:
        raise ConfigurationError(f"object of {what} is class and OBIS code, as 3/1-0:52.7.0, not {said.object!r}")
    declared = interface_class(int(matched[1]), said.version)
    if declared is None:
        known = ", ".join(map(str, versions(int(matched[1])))) or "none"
        raise ConfigurationError(f"{said.object}: versions of class {matched[1]} that are known: {known}")
    return declared(matched[2])


def _value(declared: CosemType[Any], written: Any, what: str) -> EncodedData | _OfTime:
    """A constant, encoded once for all meters, or a function."""
    try:
        if isinstance(written, Mapping) and "function" in written:
            return _function(written, what)
        return EncodedData.from_typed(declared.encode(value_of(declared, written)))
    except CosemicError as error:
        raise ConfigurationError(f"{what}: {error}") from None


def _function(written: Mapping[str, Any], what: str) -> _OfTime:
    label = one_of(f"type of {what}", written.get("type"), _TYPES)
    name = one_of(f"function of {what}", written["function"], _FUNCTIONS)
    rest = {key: value for key, value in written.items() if key not in ("type", "function")}
    found = _OfTime(_TYPES[label], made(_FUNCTIONS[name], rest, f"{name} of {what}"))
    found.at(0.0, LoadCurve(0))
    return found
