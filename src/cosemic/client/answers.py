"""What the answers of a meter mean to the user: values as declared or as sent, refusals with advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.codec import EncodedData
from cosemic.errors import ActionFailed, DataAccessError, DecodeError, EncodeError, OutcomeUnknown
from cosemic.model import AttributeReference, MethodReference, Reading, ScalerUnit, Storage, interface_class
from cosemic.values import ActionResult, DataAccessResult

T = TypeVar("T")

# By data-access-result; the codes of an action-result mean the same.
_ADVICE: Final[Mapping[int, str]] = {
    DataAccessResult.READ_WRITE_DENIED: "this client has no right to it: use another client SAP or more security",
    DataAccessResult.OBJECT_UNDEFINED: "the meter has no such object: see what `objects` lists",
    DataAccessResult.OBJECT_CLASS_INCONSISTENT: "the object is of another class: see what `objects` lists",
    DataAccessResult.OBJECT_UNAVAILABLE: "the object is not there at the moment",
    DataAccessResult.TYPE_UNMATCHED: "the value has another type than the meter wants",
    DataAccessResult.SCOPE_OF_ACCESS_VIOLATED: "the meter does not take this selection or access",
    DataAccessResult.TEMPORARY_FAILURE: "try again later",
    DataAccessResult.HARDWARE_FAULT: "the meter reports a fault of its own",
}


def decoded(reference: AttributeReference[Any], data: EncodedData) -> Any:
    """A value for the user: as its class declares it; as sent where a meter in the field does otherwise."""
    try:
        return tolerated(reference, data)
    except DecodeError:
        return data.value()


def tolerated(reference: AttributeReference[T], data: EncodedData) -> T:
    """A value as its class declares it, or in a form that meters in the field send. Raises DecodeError."""
    return reference.decode(data.typed(), Reading(seen_also=True))


def declared(reference: AttributeReference[T], data: EncodedData) -> T:
    """A value to work with: of the declared type, or another width of it, and within the limits of the declared one.

    Raises DecodeError for anything else.
    """
    value = tolerated(reference, data)
    try:
        reference.encode(value)
    except EncodeError as error:
        raise DecodeError(str(error), path=reference.attribute.name) from None
    return value


def scaler_unit(reference: AttributeReference[ScalerUnit], found: EncodedData | DataAccessResult) -> ScalerUnit | None:
    """Scaler and unit, where the meter gives them; without, a value stays the number that was sent."""
    if not isinstance(found, EncodedData):
        return None
    try:
        return declared(reference, found)
    except DecodeError:
        return None


def denied(what: str, reference: object, result: DataAccessResult | int) -> DataAccessError:
    """What a data-access-result other than success raises."""
    return DataAccessError(*_refusal(what, reference, result))


def not_done(reference: MethodReference[Any, Any], result: ActionResult | int) -> ActionFailed:
    """What an action-result other than success raises."""
    return ActionFailed(*_refusal("call", reference, result))


def parameters_of(reference: MethodReference[Any, Any], value: Any) -> EncodedData:
    """The parameter of a method as it is sent. Raises EncodeError."""
    return value if isinstance(value, EncodedData) else EncodedData.from_typed(reference.encode(value))


def returned(reference: MethodReference[Any, Any], answer: ActionResponseWithOptionalData) -> Any:
    """What a method returned. Raises ActionFailed, DataAccessError, DecodeError."""
    if answer.result != ActionResult.SUCCESS:
        raise not_done(reference, answer.result)
    found = answer.return_parameters
    if isinstance(found, EncodedData):
        return reference.decode(found.typed()) if reference.method.returns is not None else found.value()
    if found is not None and found != DataAccessResult.SUCCESS:
        raise denied("call", reference, found)
    return None


def _refusal(what: str, reference: object, result: int) -> tuple[str, int, str, str]:
    """Message, code, label and subject of a ServiceFailed."""
    label = getattr(result, "label", str(int(result)))
    advice = _ADVICE.get(int(result))
    text = f"{what} of {reference}: {label} ({int(result)})" + (f" - {advice}" if advice else "")
    return text, int(result), label, str(reference)


def unanswered(
    subjects: Sequence[AttributeReference[Any] | MethodReference[Any, Any]], error: OutcomeUnknown
) -> OutcomeUnknown:
    """Name what was to be changed, and what to read back to learn whether it was."""
    what = "write" if isinstance(subjects[0], AttributeReference) else "call"
    if len({isinstance(one, AttributeReference) for one in subjects}) > 1:
        what = "change"
    named = ", ".join(map(str, subjects))
    back = ", ".join(dict.fromkeys(map(_read_back, subjects)))
    return OutcomeUnknown(
        f"{what} of {named}: {error.__cause__ or error} - it may have been done: read back {back} before you repeat it",
        named,
    )


def _read_back(subject: AttributeReference[Any] | MethodReference[Any, Any]) -> str:
    """What tells whether a change was made: the attribute itself; for a method, what the object updates."""
    if isinstance(subject, AttributeReference):
        return str(subject)
    known = interface_class(subject.class_id)
    attributes = [one for index, one in sorted(known.attributes.items()) if index > 1] if known else []
    changing = [one.name for one in attributes if one.storage is not Storage.STATIC]
    names = changing or [one.name for one in attributes]
    return f"{', '.join(names) or 'the attributes'} of {subject.instance_id}"
