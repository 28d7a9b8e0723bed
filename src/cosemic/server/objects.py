"""COSEM objects that a logical device serves: an interface class of the model, with values (IEC 62056-6-2, clause 4).

::

    CosemObject(
        Register("1-0:1.8.0"),
        {"value": lambda now: (DataType.DOUBLE_LONG_UNSIGNED, 1234), "scaler_unit": ScalerUnit(0, Unit.of("Wh"))},
    )

A value is a constant, or a function of the time ``now`` (aware); it is given as the declared type of the attribute
takes it, or as EncodedData, which goes out as it is. What is not given is not served.

What a client has written outlives the process where the device has a state (:mod:`cosemic.server.state`): an attribute
with the writer None is kept under its number. An object with a state of its own saves it in :attr:`CosemObject.memory`
when it changes, and takes it up again in :meth:`CosemObject.restore`.

========================  ==================================================================
data-access-result        when
========================  ==================================================================
read-write-denied         no such attribute or method here, or it cannot be read or written
type-unmatched            a value, parameter or selection is not of the declared type
scope-of-access-violated  a selection that the attribute does not know
========================  ==================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.association.service_provider import Access, Agreement
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import Data, InterfaceClass
from cosemic.model.types import STRICT, CosemType, Number
from cosemic.server.state import FORGETFUL, Memory
from cosemic.values import DataAccessResult, Obis

_NO_DATA: Final = EncodedData.of(DataType.NULL_DATA)


class AccessRefused(Exception):
    """A service is refused with ``result``; an ACTION is refused with the action-result of the same name."""

    def __init__(self, result: DataAccessResult) -> None:
        self.result = result
        super().__init__(result.label)


@dataclass(frozen=True, slots=True)
class Situation:
    """Under what circumstances an object is asked: the time (aware), the client, and what its association agreed upon.

    access: how the request is protected, for who reads or acts through the object with the rights of the client.
    Another object of the device has neither client nor association.
    """

    now: dt.datetime
    client_sap: int = 0
    agreement: Agreement | None = None
    access: Access | None = None


Reader = Callable[[dt.datetime], Any]
Writer = Callable[[Any, Situation], None]
Handler = Callable[[Any, Situation], Any]


class CosemObject:
    """An object of a logical device.

    interface: class and logical name. values: by name of the attribute; logical_name need not be given. writers: of
    attributes that may be written; they take the decoded value; None keeps the value as the new one. methods: by name;
    they take the decoded parameter and return what the method returns. Writers and methods raise
    :class:`AccessRefused` for what they do not take.

    Raises ConfigurationError for a name that the class does not have, EncodeError for a value that does not fit.
    """

    def __init__(
        self,
        interface: InterfaceClass,
        values: Mapping[str, Any],
        *,
        writers: Mapping[str, Writer | None] | None = None,
        methods: Mapping[str, Handler] | None = None,
    ) -> None:
        self.interface = interface
        self.memory: Memory = FORGETFUL
        """What outlives the process; that of the device once the object is added to one."""
        self._constants: dict[int, EncodedData] = {}
        self._readers: dict[int, Reader] = {}
        for name, value in {"logical_name": interface.instance_id, **values}.items():
            self.put(name, value)
        self._writers = {interface.attribute_named(name).index: writer for name, writer in (writers or {}).items()}
        self._methods = {interface.method_named(name).index: handler for name, handler in (methods or {}).items()}
        for index, writer in self._writers.items():
            if writer is None and index not in self._constants:
                raise ConfigurationError(f"{interface!r}: attribute {index} is written but has no value to replace")

    # ---- what it is -------------------------------------------------------------------------------------------------

    @property
    def class_id(self) -> int:
        """Class of the object."""
        return self.interface.class_id

    @property
    def instance_id(self) -> Obis:
        """Logical name of the object."""
        return self.interface.instance_id

    @property
    def readable(self) -> frozenset[int]:
        """Attributes that have a value."""
        return frozenset((*self._constants, *self._readers))

    @property
    def writable(self) -> frozenset[int]:
        """Attributes that can be written."""
        return frozenset(self._writers)

    @property
    def invocable(self) -> frozenset[int]:
        """Methods that are served."""
        return frozenset(self._methods)

    def selectors(self, attribute_id: int) -> tuple[int, ...]:
        """Return the numbers of the ways of selective access that an attribute knows."""
        return ()

    def put(self, name: str, value: Any) -> None:
        """Set the value of an attribute: a constant or a function of ``now``.

        Raises ConfigurationError for an unknown name, EncodeError for a value that does not fit the declared type.
        """
        attribute = self.interface.attribute_named(name)
        if callable(value):
            self._constants.pop(attribute.index, None)
            self._readers[attribute.index] = value
        else:
            encoded = self._encode(attribute.type, value)
            self._readers.pop(attribute.index, None)
            self._constants[attribute.index] = encoded

    def attach(self, memory: Memory) -> None:
        """Become part of a device: what was kept takes the place of what was configured. Raises StoreError."""
        self.memory = memory
        self.restore()

    def restore(self) -> None:
        """Take up what was kept in :attr:`memory`. Raises StoreError."""
        for index, writer in self._writers.items():
            octets = self.memory.load(str(index)) if writer is None else None
            if octets is not None:
                self._constants[index] = EncodedData(octets)

    # ---- services ---------------------------------------------------------------------------------------------------

    def read(self, attribute_id: int, selection: SelectiveAccessDescriptor | None, situation: Situation) -> EncodedData:
        """Return an attribute or a part of it. Raises AccessRefused; EncodeError where the value does not fit."""
        if selection is not None:
            return self.select(attribute_id, selection, situation)
        constant = self._constants.get(attribute_id)
        if constant is not None:
            return constant
        reader = self._readers.get(attribute_id)
        if reader is None:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        return self._encode(self.interface.attributes[attribute_id].type, reader(situation.now))

    def select(self, attribute_id: int, selection: SelectiveAccessDescriptor, situation: Situation) -> EncodedData:
        """Return the part of an attribute that is selected. Raises AccessRefused."""
        raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute. Raises AccessRefused."""
        if attribute_id not in self._writers:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        if selection is not None:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        decoded = self._fitting(attribute_id, value)
        writer = self._writers[attribute_id]
        if writer is not None:
            writer(decoded, situation)
        else:
            self._constants[attribute_id] = value
            self.memory.save(str(attribute_id), value.octets)

    def check_write(self, attribute_id: int, value: EncodedData, situation: Situation) -> None:
        """Refuse what :meth:`write` would refuse, so far as that can be told ahead. Raises AccessRefused."""
        if attribute_id not in self._writers:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        self._fitting(attribute_id, value)

    def _fitting(self, attribute_id: int, value: EncodedData) -> Any:
        """The value to be written, decoded, if it is of the type that it has to be."""
        decoded = self._decode(self.interface.attributes[attribute_id].type, value)
        present = self._constants.get(attribute_id)
        if present is not None and present.type is not value.type:
            # Where the class leaves the type to the instance, the present value tells it.
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED)
        return decoded

    def invoke(self, method_id: int, parameters: EncodedData | None, situation: Situation) -> EncodedData | None:
        """Invoke a method; return what it returns. Raises AccessRefused."""
        handler = self._methods.get(method_id)
        if handler is None:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        declared = self.interface.methods[method_id]
        parameter: CosemType[Any] = declared.parameter
        given = _NO_DATA if parameters is None else parameters
        if given == _NO_DATA and isinstance(parameter, Number) and parameter.low == parameter.high:
            # A method that needs no data is invoked without any, or with null-data in a list.
            answer = handler(parameter.low, situation)
        else:
            answer = handler(self._decode(parameter, given), situation)
        return None if declared.returns is None else self._encode(declared.returns, answer)

    @staticmethod
    def _encode(declared: CosemType[Any], value: Any) -> EncodedData:
        return value if isinstance(value, EncodedData) else EncodedData.from_typed(declared.encode(value))

    @staticmethod
    def _decode(declared: CosemType[Any], value: EncodedData) -> Any:
        try:
            return declared.decode(value.typed(), STRICT)
        except DecodeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None

    def __repr__(self) -> str:
        return f"<{self.interface!r}>"


def data(instance_id: Obis | str, data_type: DataType, value: Any, *, writable: bool = False) -> CosemObject:
    """Return a Data object (class 1) with one value of a type; a function of ``now`` gives a value of that type.

    Raises EncodeError for a constant that does not fit.
    """
    content = (lambda now: EncodedData.of(data_type, value(now))) if callable(value) else (data_type, value)
    return CosemObject(Data(instance_id), {"value": content}, writers={"value": None} if writable else None)
