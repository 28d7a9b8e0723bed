"""Objects of a meter by name: ``meter["7/0-0:99.98.0*255"].buffer()``.

An object has the attributes and methods of its class, under the names of the standard::

    obj = meter["8/0-0:1.0.0*255"]
    await obj.time()                    read an attribute
    await obj.time_zone.write(-60)      write it
    await obj.status.get()              read it as it was sent
    await obj.adjust_to_minute()        invoke a method
    await obj.shift_time(30)            with its parameter

An attribute is read in part with a selection of :mod:`cosemic.client.selections`, ``obj.buffer(by_entry(1, 10))``, or
with any other selector of its class: ``obj.buffer.select("range_descriptor", descriptor)``.

Class and version are looked up in the association view where they are not named and make a difference. ``dir(obj)``
lists what the class has. On a :class:`~cosemic.client.BlockingMeter` the same without ``await``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cosemic.client.faces import AsyncRunner, BlockingRunner
from cosemic.client.session import Session
from cosemic.client.steps import Procedure
from cosemic.client.targets import Named, parse
from cosemic.errors import ConfigurationError
from cosemic.model import (
    AccessSelection,
    AttributeReference,
    InterfaceClass,
    MethodReference,
    interface_class,
    versions,
)
from cosemic.values import Obis

Runner = AsyncRunner | BlockingRunner
Reference = AttributeReference[Any] | MethodReference[Any, Any]


class MeterObject:
    """One object of a meter; see the module."""

    def __init__(self, meter: Runner, which: str | Obis | InterfaceClass) -> None:
        self._meter = meter
        if isinstance(which, InterfaceClass):
            self._named = Named(which.class_id, which.instance_id, which.version)
        else:
            self._named = parse(which)
        if self._named.member is not None:
            raise ConfigurationError(f"{which}: name the object alone, CLASS/OBIS, and its attributes behind a dot")

    def __getattr__(self, name: str) -> Member:
        if name.startswith("_"):  # asked for by Python itself, also before the object is made
            raise AttributeError(name)
        names = self._names()
        if names is not None and name not in names:
            raise AttributeError(f"{self!r} has no attribute or method {name!r}: {', '.join(names)}")
        return Member(self._meter, self._named.of(name))

    def _names(self) -> tuple[str, ...] | None:
        """Names of attributes and methods, in any version that it may have; None while its class is not known."""
        class_id, version = self._named.class_id, self._named.version
        for entry in self._meter.session.view or ():
            if entry.logical_name == self._named.instance_id and class_id in (None, entry.class_id):
                class_id, version = entry.class_id, entry.version if version is None else version
                break
        if class_id is None or not versions(class_id):
            return None
        known = versions(class_id)
        kinds = [interface_class(class_id, one) for one in ([version] if version in known else known)]
        return tuple(dict.fromkeys(name for kind in kinds if kind is not None for name in _members(kind)))

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(self._names() or ())]

    def __repr__(self) -> str:
        return f"<object {self._named}>"


def _members(kind: type[InterfaceClass]) -> list[str]:
    return [one.name for one in kind.attributes.values()] + [one.name for one in kind.methods.values()]


class Member:
    """An attribute or a method of an object; results as from the meter: on asyncio to be awaited."""

    def __init__(self, meter: Runner, named: Named) -> None:
        self._meter = meter
        self._named = named

    def __call__(self, value: Any = None) -> Any:
        """Read the attribute, or the part that a selection names; invoke the method, with its parameter."""
        return self._meter.run(self._called(value))

    def get(self, selection: AccessSelection | None = None) -> Any:
        """Read the attribute as it was sent."""
        return self._meter.run(self._got(selection))

    def write(self, value: object, selection: AccessSelection | None = None) -> Any:
        """Write the attribute."""
        return self._meter.run(self._written(value, selection))

    def select(self, which: int | str, parameters: Any) -> Any:
        """Read a part of the attribute: number or name of a selector of its class, and its parameters."""
        return self._meter.run(self._selected(which, parameters))

    def _called(self, value: Any) -> Procedure[Any]:
        reference = yield from self._reference()
        if isinstance(reference, MethodReference):
            return (yield from self._session.call(reference, value))
        if value is not None and not isinstance(value, AccessSelection):
            raise ConfigurationError(f"{reference} is read with a selection, and written with write(): not {value!r}")
        return (yield from self._session.read(reference, value))

    def _got(self, selection: AccessSelection | None) -> Procedure[Any]:
        return (yield from self._session.get((yield from self._attribute()), selection))

    def _written(self, value: object, selection: AccessSelection | None) -> Procedure[None]:
        yield from self._session.write((yield from self._attribute()), value, selection)

    def _selected(self, which: int | str, parameters: Any) -> Procedure[Any]:
        reference = yield from self._attribute()
        return (yield from self._session.read(reference, reference.select(which, parameters)))

    def _attribute(self) -> Procedure[AttributeReference[Any]]:
        reference = yield from self._reference()
        if isinstance(reference, MethodReference):
            raise ConfigurationError(f"{reference} is a method: call it")
        return reference

    def _reference(self) -> Procedure[Reference]:
        named = self._named
        class_id, declared = yield from self._session.declaration(named)
        if declared is not None and any(one.name == named.member for one in declared.methods.values()):
            return named.method_of(class_id, declared)
        return named.attribute_of(class_id, declared)

    @property
    def _session(self) -> Session:
        return self._meter.session

    def __repr__(self) -> str:
        return f"<{self._named.member} of {self._named}>"
