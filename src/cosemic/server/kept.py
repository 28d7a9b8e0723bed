"""Objects whose static attributes are checked before they are written, and outlive the process.

A subclass says in :meth:`KeptObject.check` what it does not take, and does in ``leaving`` and ``taken`` what goes
before and follows from a new value; methods of the class change attributes with :meth:`KeptObject.change`. So a refused
service changes nothing. Results: see :mod:`cosemic.server.objects`; what ``check`` refuses is ``other-reason``, and so
is an array of more than :data:`MOST_ELEMENTS`: what a client writes bounds what the device has to do with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NoReturn

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import Attribute, InterfaceClass
from cosemic.server.objects import AccessRefused, CosemObject, Handler, Situation
from cosemic.values import DataAccessResult

MOST_ELEMENTS: Final = 1000
"""Elements of an array that a client may write, or make with methods."""


class KeptObject(CosemObject):
    """An object that keeps attributes.

    interface, methods: as of :class:`~cosemic.server.objects.CosemObject`. values: of all attributes, constant ones
    only. writable: the names of those that can be written.

    Raises ConfigurationError, also for values that it would refuse; EncodeError.
    """

    def __init__(
        self,
        interface: InterfaceClass,
        values: Mapping[str, Any],
        *,
        writable: Collection[str] = (),
        methods: Mapping[str, Handler] | None = None,
    ) -> None:
        self._decoded: dict[str, Any] = {}
        self._names = tuple(values)
        super().__init__(interface, values, writers=dict.fromkeys(writable), methods=methods)
        for name in self._names:
            try:
                self.check(name, self.value(name), None)
            except AccessRefused:
                raise ConfigurationError(f"{interface!r}: {name} cannot be {values[name]!r}") from None

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse a value of the declared type that the attribute cannot take. Raises AccessRefused.

        at: true time; None for what is configured.
        """

    def leaving(self, name: str, at: dt.datetime) -> None:
        """Do what has to be done while the value that is to be replaced still holds."""

    def taken(self, name: str, at: dt.datetime) -> None:
        """Do what follows from a new value of an attribute."""

    def value(self, name: str) -> Any:
        """Return the value of an attribute, decoded."""
        if name not in self._decoded:
            declared = self.interface.attribute_named(name)
            self._decoded[name] = declared.decode(self._constants[declared.index].typed())
        return self._decoded[name]

    def keep(self, name: str, value: Any) -> None:
        """Give an attribute a new value, and keep it. Raises StoreError."""
        self.put(name, value)
        self._decoded.pop(name, None)
        index = self.interface.attribute_named(name).index
        self.memory.save(str(index), self._constants[index].octets)

    def change(self, name: str, value: Any, at: dt.datetime) -> None:
        """Give an attribute a new value, and do what follows from it. Raises AccessRefused, StoreError."""
        _refuse_too_many(value)
        self.leaving(name, at)
        self.keep(name, value)
        self.taken(name, at)

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute if it takes the value. Raises AccessRefused."""
        if attribute_id not in self.writable or selection is not None:
            super().write(attribute_id, selection, value, situation)  # says why not
            return
        declared = self._admit(attribute_id, value, situation)
        self.leaving(declared.name, situation.now)
        super().write(attribute_id, selection, value, situation)
        self._decoded.pop(declared.name, None)
        self.taken(declared.name, situation.now)

    def check_write(self, attribute_id: int, value: EncodedData, situation: Situation) -> None:
        """Refuse what :meth:`write` would refuse, so far as that can be told ahead. Raises AccessRefused."""
        super().check_write(attribute_id, value, situation)
        self._admit(attribute_id, value, situation)

    def _admit(self, attribute_id: int, value: EncodedData, situation: Situation) -> Attribute[Any]:
        """Return the declaration of an attribute that may have this value. Raises AccessRefused."""
        declared = self.interface.attributes[attribute_id]
        decoded = self._decode(declared.type, value)
        _refuse_too_many(decoded)
        self.check(declared.name, decoded, situation.now)
        return declared

    def restore(self) -> None:
        """Take up what was written, or changed by a method. Raises StoreError."""
        for name in self._names:
            index = self.interface.attribute_named(name).index
            octets = self.memory.load(str(index))
            if octets is not None:
                self._constants[index] = EncodedData(octets)
        self._decoded.clear()


def _refuse_too_many(value: Any) -> None:
    refuse_unless(not isinstance(value, tuple | list) or len(value) <= MOST_ELEMENTS)


def refuse() -> NoReturn:
    """Raise AccessRefused for a value of the right type that cannot be taken."""
    raise AccessRefused(DataAccessResult.OTHER_REASON)


def refuse_unless(fine: bool) -> None:
    """Raise AccessRefused for a value of the right type that cannot be taken, unless it is fine."""
    if not fine:
        refuse()


def are_different(keys: Iterable[Any]) -> bool:
    """Whether no two keys are equal."""
    listed = list(keys)
    return len(set(listed)) == len(listed)
