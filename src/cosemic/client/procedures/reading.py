"""What several procedures read: whole objects into the fields of a result, values with their scaler and unit.

A result is a frozen dataclass whose fields bear the names of attributes; :func:`read_as` fills it. A field with a
default is one that the meter may refuse, or that a version of the class does not have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cosemic.client.answers import decoded, denied, scaler_unit, tolerated
from cosemic.client.scaling import scaler_of, with_unit
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError, DecodeError, ServiceFailed
from cosemic.model import (
    AttributeReference,
    InterfaceClass,
    ScalerUnit,
    interface_class,
)
from cosemic.values import DataAccessResult, Obis

if TYPE_CHECKING:
    from cosemic.client.session import Session

K = TypeVar("K")
C = TypeVar("C", bound=InterfaceClass)


def read_as(session: Session, kind: type[K], interface: InterfaceClass) -> Procedure[K]:
    """Read the attributes of an object that the fields of ``kind`` are named after, in as few requests as possible.

    Values with scaler and unit are a Quantity. Raises DataAccessError for an attribute that is refused and has no
    default, DecodeError for one that is not as its class declares it.
    """
    by_name = {one.name: one for one in interface.attributes.values()}
    fields = [field for field in dataclasses.fields(kind) if field.name in by_name]  # type: ignore[arg-type]  # kind is a dataclass
    references = [
        AttributeReference(interface.class_id, interface.instance_id, by_name[field.name].index, by_name[field.name])
        for field in fields
    ]
    values: dict[str, Any] = {}
    for field, value in zip(fields, (yield from read_out(session, references, lenient=False)), strict=True):
        if not isinstance(value, CosemicError):
            values[field.name] = value
        elif isinstance(value, DecodeError) or field.default is dataclasses.MISSING:
            raise value
    return kind(**values)


def read_out(
    session: Session, references: Sequence[AttributeReference[Any]], *, lenient: bool = True
) -> Procedure[list[Any]]:
    """Read attributes; what is refused, or cannot be read, stands in the list as its error.

    Values with scaler and unit are a Quantity; scaler and unit are read once for each object. lenient: a value that is
    not as declared comes as it was sent; otherwise as DecodeError.
    """
    scalers = [scaler_of(one) for one in references]
    wanted = unread_scalers(session, scalers)
    found = yield from session.get_many([*references, *wanted])
    for reference, sent in zip(wanted, found[len(references) :], strict=True):
        session.scalers[reference] = scaler_unit(reference, sent)
    return [
        _value(one, sent, session.scalers.get(scaler) if scaler is not None else None, lenient)
        for one, scaler, sent in zip(references, scalers, found, strict=False)
    ]


def unread_scalers(
    session: Session, scalers: Sequence[AttributeReference[ScalerUnit] | None]
) -> list[AttributeReference[ScalerUnit]]:
    """Return those that have not been read yet, each once."""
    return list(dict.fromkeys(one for one in scalers if one is not None and one not in session.scalers))


def _value(
    reference: AttributeReference[Any], sent: EncodedData | DataAccessResult, unit: ScalerUnit | None, lenient: bool
) -> Any:
    if not isinstance(sent, EncodedData):
        return denied("read", reference, sent)
    try:
        value = decoded(reference, sent) if lenient else tolerated(reference, sent)
    except DecodeError as error:
        return error
    return with_unit(value, unit)


def as_viewed(session: Session, newest: type[C], instance_id: Obis | str) -> Procedure[C]:
    """Return an object in the version that the association view says it has; without view, in the newest one."""
    wanted = newest(instance_id)
    try:
        view = yield from session.objects()
    except (ServiceFailed, DecodeError):
        return wanted
    for entry in view:
        if (entry.class_id, entry.logical_name) == (wanted.class_id, wanted.instance_id):
            known: Any = interface_class(entry.class_id, entry.version)
            if known is not None:
                return known(wanted.instance_id)  # type: ignore[no-any-return]  # a version of the same class
    return wanted


def title_of(session: Session) -> bytes | None:
    """Return the system title of the meter, as far as it is known: 8 octets."""
    opened = session.opened
    return session.settings.server_title or (None if opened is None else opened.server_title)
