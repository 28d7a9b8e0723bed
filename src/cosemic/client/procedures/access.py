"""Several things asked of a meter at once: ACCESS, and all attributes of an object (IEC 62056-5-3, 9.3).

::

    await meter.access([
        Read("8/0-0:1.0.0*255:time"),
        Write("20/0-0:13.0.0*255:calendar_name_passive", b"winter"),
        Call("20/0-0:13.0.0*255:activate_passive_calendar"),
    ], break_on_error=True)

    await meter.read_all("3/1-0:1.8.0*255")        {"logical_name": ..., "value": Quantity(...), "scaler_unit": ...}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.association.attribute_0 import ALL_ATTRIBUTES, NO_DATA, split
from cosemic.association.requests import Access, AccessResult, Action, Get, Set
from cosemic.client.answers import decoded, denied, parameters_of, returned, scaler_unit
from cosemic.client.descriptors import attribute_descriptor, method_descriptor, selective_access
from cosemic.client.faces import ProcedureGroup
from cosemic.client.procedures.reading import as_viewed, read_out, unread_scalers
from cosemic.client.scaling import scaler_of, with_unit
from cosemic.client.steps import Procedure
from cosemic.client.targets import Named, parse
from cosemic.codec import EncodedData
from cosemic.errors import ConfigurationError, CosemicError, DecodeError, ServiceFailed
from cosemic.model import AccessSelection, AttributeReference, InterfaceClass, MethodReference, versions
from cosemic.values import Conformance, DataAccessResult, Obis

if TYPE_CHECKING:
    from cosemic.client.session import MethodTarget, Target

Reference = AttributeReference[Any] | MethodReference[Any, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """An attribute, or a part of it, to be read: as by ``meter.read``."""

    target: Target
    selection: AccessSelection | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """An attribute, or a part of it, to be written: as by ``meter.write``."""

    target: Target
    value: Any
    selection: AccessSelection | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A method to be invoked: as by ``meter.call``."""

    target: MethodTarget
    value: Any = None


Entry = Read | Write | Call


class AccessProcedures(ProcedureGroup):
    """ACCESS, and attribute 0."""

    def access(self, entries: Sequence[Entry], *, break_on_error: bool = False) -> Procedure[list[Any]]:
        """Read, write and call in one request; the meter does it in this order.

        Returns one result for each entry: what was read or returned, None for what was written, and for what failed its
        error: DataAccessError, ActionFailed, or DecodeError for what cannot be read. break_on_error: the meter stops at
        the first failure; what comes behind it was not done, and fails with other-reason.

        Raises ConfigurationError, EncodeError before anything is sent; ServiceFailed where the meter did not agree to
        ACCESS, or it is too much for one request; OutcomeUnknown where something was to be changed and no answer came.
        """
        session = self.session
        for entry in entries:
            if not isinstance(entry, Read | Write | Call):
                raise ConfigurationError(
                    f"an entry is Read(...), Write(...) or Call(...) of cosemic.client, not {type(entry).__name__}"
                )
        agreed = (yield from session.standing()) if entries else Conformance.ACCESS
        opened = session.opened
        if not agreed & Conformance.ACCESS and opened is not None and opened.confirmed:
            name = Conformance.ACCESS.names()[0]
            raise ServiceFailed(
                f"the meter did not agree to {name} when the association was opened: "
                "use read_many, write_many and call_many",
                label=name,
            )
        asked: list[Get | Set | Action] = []
        references: list[Reference] = []
        for entry in entries:
            reference, request = yield from self._requested(entry)
            references.append(reference)
            asked.append(request)
        whole = [
            one
            for one, entry in zip(references, entries, strict=True)
            if isinstance(one, AttributeReference) and isinstance(entry, Read) and entry.selection is None
        ]
        yield from self._learn_scalers(whole)
        changed = [one for one, entry in zip(references, entries, strict=True) if not isinstance(entry, Read)]
        accessed = yield from session.access_entries(Access(tuple(asked), break_on_error), *changed)
        return [
            self._outcome(entry, reference, result)
            for entry, reference, result in zip(entries, references, accessed.results, strict=True)
        ]

    def read_all(self, target: str | Obis | InterfaceClass) -> Procedure[dict[str, Any]]:
        """Read all attributes of an object, each as by ``meter.read``, under the names of its class.

        target: ``"1-0:1.8.0"``, ``"3/1-0:1.8.0*255"``, or an object of the model. What the meter does not show to this
        client is None. It is one request where the meter agreed to attribute 0 with GET and knows it of this object,
        and lists of them otherwise.

        Raises DataAccessError where the meter shows nothing of the object, ConfigurationError for a class that is not
        declared.
        """
        session = self.session
        named = _object(target)
        class_id, declared = yield from self._declared(named)
        attributes = sorted(declared.attributes.values(), key=lambda one: one.index)
        names = [one.name for one in attributes]
        references = [AttributeReference(class_id, named.instance_id, one.index, one) for one in attributes]
        if (yield from session.standing()) & Conformance.ATTRIBUTE0_SUPPORTED_WITH_GET:
            whole = yield from session.result_of(AttributeReference.of(class_id, named.instance_id, ALL_ATTRIBUTES))
            if isinstance(whole, EncodedData):
                return dict(zip(names, self._meanings(references, split(whole)), strict=True))
        values = yield from read_out(session, references)
        if all(isinstance(one, ServiceFailed) for one in values):
            raise values[0]
        return {
            name: None if isinstance(value, CosemicError) else value for name, value in zip(names, values, strict=True)
        }

    def _declared(self, named: Named) -> Procedure[tuple[int, type[InterfaceClass]]]:
        """The class of an object, in the version that the meter has. Raises ConfigurationError."""
        class_id, declared = yield from self.session.declaration(named)
        if declared is None:
            raise ConfigurationError(f"class {class_id} is not declared: read its attributes by number")
        if named.version is None and len(versions(class_id)) > 1:
            return class_id, type((yield from as_viewed(self.session, declared, named.instance_id)))
        return class_id, declared

    def _requested(self, entry: Entry) -> Procedure[tuple[Reference, Get | Set | Action]]:
        session = self.session
        if isinstance(entry, Call):
            method = yield from session.method(entry.target)
            return method, Action(method_descriptor(method), parameters_of(method, entry.value))
        reference = entry.target
        if not isinstance(reference, AttributeReference):
            reference = yield from session.attribute(reference)
        descriptor = attribute_descriptor(reference)
        selection = None if entry.selection is None else selective_access(entry.selection)
        if isinstance(entry, Read):
            return reference, Get(descriptor, selection)
        value = yield from session.encoded(reference, entry.value)
        return reference, Set(descriptor, value, selection)

    def _learn_scalers(self, references: Sequence[AttributeReference[Any]]) -> Procedure[None]:
        """Read scaler and unit of the values that have them and were not read before."""
        session = self.session
        wanted = unread_scalers(session, [scaler_of(one) for one in references])
        if wanted:
            for one, sent in zip(wanted, (yield from session.get_many(wanted)), strict=True):
                session.scalers[one] = scaler_unit(one, sent)

    def _outcome(self, entry: Entry, reference: Reference, found: AccessResult) -> Any:
        """What came of an entry: a value, None, or its error."""
        if isinstance(reference, MethodReference):
            # No data is how ACCESS says that a method returns nothing.
            parameters = None if found.data == NO_DATA and reference.method.returns is None else found.data
            try:
                return returned(reference, ActionResponseWithOptionalData(found.result, parameters))  # type: ignore[arg-type]  # the kind of the result was checked
            except (ServiceFailed, DecodeError) as error:
                return error
        if found.result != DataAccessResult.SUCCESS:
            return denied("write" if isinstance(entry, Write) else "read", reference, found.result)
        if isinstance(entry, Write):
            return None
        return self._value(reference, found.data, entry.selection is None if isinstance(entry, Read) else True)

    def _value(self, reference: AttributeReference[Any], sent: EncodedData, whole: bool) -> Any:
        try:
            value = decoded(reference, sent)
        except DecodeError as error:
            return error
        scaler = scaler_of(reference) if whole else None
        return value if scaler is None else with_unit(value, self.session.scalers.get(scaler))

    def _meanings(self, references: Sequence[AttributeReference[Any]], sent: Sequence[EncodedData]) -> list[Any]:
        """The values of all attributes, with the scaler and unit that came along; None for what is not shown."""
        shown = {number: value for number, value in enumerate(sent, 1) if value != NO_DATA}
        for reference in references:
            scaler = scaler_of(reference)
            if scaler is not None and scaler.instance_id == reference.instance_id and scaler.attribute_id in shown:
                self.session.scalers[scaler] = scaler_unit(scaler, shown[scaler.attribute_id])
        return [
            self._value(one, shown[one.attribute_id], True) if one.attribute_id in shown else None for one in references
        ]


def _object(target: str | Obis | InterfaceClass) -> Named:
    if isinstance(target, InterfaceClass):
        return Named(target.class_id, target.instance_id, target.version)
    named = parse(target)
    if named.member is not None:
        raise ConfigurationError(f"{target}: name the object alone, CLASS/OBIS, and not one of its attributes")
    return named


__all__: Final = ["AccessProcedures", "Call", "Entry", "Read", "Write"]
