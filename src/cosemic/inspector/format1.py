"""Format 1: the dictionaries of ``Decoded.to_dict()``, derived from the declared classes of ``apdu``.

The keys are the names of the declared fields, save where the tables of ``shapes`` say otherwise; the
dictionaries of sequences, lists, choices and enumerations follow from the declarations themselves:

=================  =================================================================
SEQUENCE           dictionary; an APDU has ``apdu``, and ``type`` where it has forms
SEQUENCE OF        list
CHOICE             dictionary with the alternative as its one key
ENUMERATED         name of the standard, or the number where it has none
OCTET STRING       hexadecimal text; the fields in ``EMPTY_IS_NULL``: null where empty
BIT STRING         names of the bits that are 1
Data               ``[type-name, value]``
=================  =================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from cosemic import apdu
from cosemic.codec import Choice, DataType, EncodedData, Limits, ObjectIdentifier, Sequence, TaggedChoice, Typed
from cosemic.inspector.message import Message, Protection, Unreadable
from cosemic.inspector.shapes import EMPTY_IS_NULL, RENAMED, SHAPES, Entry
from cosemic.link.iec21 import CapturedCommand, DataSet, Readout
from cosemic.telegram import P1Telegram
from cosemic.values import (
    AcseRequirement,
    ActionResult,
    Conformance,
    Enumeration,
    Obis,
    ProtocolVersionBit,
    error_value_label,
    lookup,
)

Json = Any
"""What ``json.dumps`` takes."""

_GENERALIZED_TIME: Final = re.compile(rb"[0-9]{10,14}([.,][0-9]+)?(Z|[+-][0-9]{2,4})?")
_VERBATIM: Final = frozenset((DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY))
_BITS: Final[dict[str, type[Enumeration]]] = {
    "protocol_version": ProtocolVersionBit,
    "sender_acse_requirements": AcseRequirement,
    "responder_acse_requirements": AcseRequirement,
}

Maker = Callable[["Format1", Any, Message], Json]


class Format1:
    """Makes the dictionaries; ``limits`` bound the Data values in them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def message(self, message: Message) -> dict[str, Json]:
        """Dictionary of an APDU with what is inside it."""
        pdu = message.apdu
        kind = type(pdu)
        if kind is apdu.ServiceSpecificCiphering:
            return {"apdu": pdu.label, **_protected(self, message)}
        return {**_HEADS[kind], **self.fields(pdu, message)}

    def fields(self, value: Any, message: Message) -> dict[str, Json]:
        """Dictionary of the fields of a sequence."""
        found: dict[str, Json] = {}
        for key, make in _MAKERS[type(value)]:
            made = make(self, value, message)
            if key:
                found[key] = made
            else:
                found.update(made)
        return found

    def value(self, value: Any, message: Message) -> Json:
        """Value of a field whose type says all."""
        show = _BY_TYPE.get(type(value))
        if show is not None:
            return show(self, value)
        if isinstance(value, Enumeration):
            return value.label
        if isinstance(value, tuple):
            return [self.value(element, message) for element in value]
        if isinstance(value, TaggedChoice):
            return {value.alternative: self.value(value.value, message)}
        return self.fields(value, message)

    def data(self, encoded: EncodedData) -> list[Json]:
        """Rule 7: a Data value."""
        return data_list(encoded.typed(self.limits))


def data_list(typed: Typed) -> list[Json]:
    """Return ``[type-name, value]`` of a typed value; nested ones to any depth."""
    top: list[Json] = []
    pending: list[tuple[Typed, list[Json]]] = [(typed, top)]
    while pending:
        (kind, value), into = pending.pop()
        if kind in _VERBATIM:
            elements: list[Json] = []
            into.append([kind.label, elements])
            pending.extend((element, elements) for element in reversed(value))
        elif kind is DataType.NULL_DATA or kind is DataType.DONT_CARE:
            into.append([kind.label])
        elif kind is DataType.OCTET_STRING:
            into.append([kind.label, value.hex()])
        elif kind in _DATES:
            into.append([kind.label, value.octets.hex()])
        elif kind is DataType.BIT_STRING:
            into.append([kind.label, str(value)])
        else:
            into.append([kind.label, value])
    made: list[Json] = top[0]
    return made


_DATES: Final = frozenset((DataType.DATE_TIME, DataType.DATE, DataType.TIME))
_BY_TYPE: Final[dict[type, Callable[[Format1, Any], Json]]] = {
    type(None): lambda _, value: value,
    bool: lambda _, value: value,
    int: lambda _, value: value,
    str: lambda _, value: value,
    bytes: lambda _, value: value.hex(),
    Obis: lambda _, value: str(value),
    EncodedData: Format1.data,
    Conformance: lambda _, value: value.names(),
    ObjectIdentifier: lambda _, value: str(value),
    apdu.AuthenticationValue: lambda _, value: {"charstring": value.hex()},
    apdu.AuthenticationBits: lambda _, value: {"bitstring": value.hex()},
    apdu.ResultSourceDiagnostic: lambda _, value: {value.source: _named(value.diagnostic)},
    apdu.InvokeIdAndPriority: lambda _, value: {
        "invoke_id": value.invoke_id,
        "service_class": value.service_class.label,
        "priority": value.priority.label,
    },
    apdu.LongInvokeIdAndPriority: lambda _, value: {
        "invoke_id": value.invoke_id,
        "self_descriptive": value.self_descriptive,
        "break_on_error": value.break_on_error,
        "service_class": value.service_class.label,
        "priority": value.priority.label,
    },
    apdu.BlockControl: lambda _, value: {
        "last_block": value.last_block,
        "streaming": value.streaming,
        "window": value.window,
    },
}
"""Python types of the declared fields that stand for one thing only."""


def _named(value: int) -> str | int:
    return value.label if isinstance(value, Enumeration) else int(value)


def _bits(bits: str, names: type[Enumeration]) -> list[str | int]:
    known = lookup(names)
    return [_named(known[place]) if place < 256 else place for place, bit in enumerate(bits) if bit == "1"]


# ---- fields that their type does not explain -------------------------------------------------------------------------


def _protected(format1: Format1, message: Message) -> dict[str, Json]:
    protection = message.protection
    assert isinstance(protection, Protection)
    plaintext = protection.plaintext
    return {
        "security_control": int(protection.control),
        "invocation_counter": protection.invocation_counter,
        "tag_ok": protection.tag_ok,
        "plaintext_length": None if plaintext is None else len(plaintext),
        "content": _content(format1, message),
    }


def _content(format1: Format1, message: Message) -> Json:
    content = message.content
    if isinstance(content, Unreadable):
        return {"octets": content.octets.hex(), "error": content.error}
    if isinstance(content, P1Telegram):
        return {"p1": p1_dict(content)}
    return None if content is None else format1.message(content)


def p1_dict(telegram: P1Telegram) -> dict[str, Json]:
    """Dictionary of a P1 telegram."""
    return {
        "identification": telegram.identification,
        "datasets": _datasets(telegram.datasets),
        "crc": telegram.crc,
        "crc_computed": telegram.crc_computed,
        "crc_ok": telegram.crc_ok,
    }


def readout_dict(readout: Readout) -> dict[str, Json]:
    """Dictionary of a read-out of IEC 62056-21."""
    return {"identification": readout.identification, **_checked(readout)}


def command_dict(command: CapturedCommand) -> dict[str, Json]:
    """Dictionary of a programming command of IEC 62056-21."""
    return {"command": command.command, **_checked(command)}


def _checked(block: Readout | CapturedCommand) -> dict[str, Json]:
    return {
        "datasets": _datasets(block.datasets),
        "bcc": block.bcc,
        "bcc_computed": block.bcc_computed,
        "bcc_ok": block.bcc_ok,
    }


def _datasets(datasets: tuple[DataSet, ...]) -> list[Json]:
    return [{"address": one.address, "values": list(one.values)} for one in datasets]


def _current_time(octets: bytes | None) -> str | None:
    """GeneralizedTime is text; the twelve octets of a COSEM date-time, which some meters send, are not."""
    if not octets:
        return None
    if len(octets) == 12 and not _GENERALIZED_TIME.fullmatch(octets):
        return octets.hex()
    return octets.decode("latin-1")


def _error_value(pdu: apdu.ConfirmedServiceError) -> str | int:
    return error_value_label(pdu.error_class, pdu.error_value)


def _service_error(value: tuple[int, int | None]) -> dict[str, Json]:
    error, counter = value
    return {"service_error": _named(error), "invocation_counter": counter}


def _bare_result(value: Any, format1: Format1) -> dict[str, Json]:
    if isinstance(value, EncodedData):
        return {"result": ActionResult.SUCCESS.label, "return_parameters": {"data": format1.data(value)}}
    return {"result": _named(lookup(ActionResult)[int(value)]), "return_parameters": None}


_SPECIAL: Final[dict[tuple[type | None, str], Maker]] = {
    (None, "current_time"): lambda _f, pdu, _m: _current_time(pdu.current_time),
    (None, "user_information"): lambda f, _pdu, m: _content(f, m),
    (None, "ciphered_content"): lambda f, _pdu, m: _protected(f, m),
    (apdu.ExceptionResponse, "service_error"): lambda _f, pdu, _m: _service_error(pdu.service_error),
    (apdu.ConfirmedServiceError, "error_value"): lambda _f, pdu, _m: _error_value(pdu),
    (apdu.GeneralSigning, "content"): lambda f, _pdu, m: _content(f, m),
    (apdu.BareActionResponse, "result"): lambda f, pdu, _m: _bare_result(pdu.result, f),
}


# ---- from declaration to dictionary ----------------------------------------------------------------------------------


def _chooser(kind: Any, field: str) -> Callable[[object], str] | None:
    """Return what names the alternative of a CHOICE field whose values do not name it themselves."""
    wire = kind.wire.fields[field] if issubclass(kind, Sequence) else None
    while wire is not None and not hasattr(wire, "name_of"):
        wire = getattr(wire, "inner", None)
    return wire.name_of if wire is not None else None


def _maker(kind: type, field: str) -> Maker:
    special = _SPECIAL.get((kind, field)) or _SPECIAL.get((None, field))
    if special is not None:
        return special
    if field in EMPTY_IS_NULL:
        return lambda _f, pdu, _m: (getattr(pdu, field) or b"").hex() or None
    if field in _BITS:
        names = _BITS[field]
        return lambda _f, pdu, _m: None if getattr(pdu, field) is None else _bits(getattr(pdu, field), names)
    name_of = _chooser(kind, field)
    if name_of is None:
        return lambda f, pdu, m: f.value(getattr(pdu, field), m)

    def chosen(f: Format1, value: Any, m: Message) -> Json:
        if value is None:
            return None
        if isinstance(value, tuple):
            return [chosen(f, element, m) for element in value]
        return {name_of(value): f.value(value, m)}

    return lambda f, pdu, m: chosen(f, getattr(pdu, field), m)


def _entries(kind: Any) -> tuple[Entry, ...]:
    if kind in SHAPES:
        return SHAPES[kind]
    keys = ((RENAMED.get(field, field), field) for field in kind.__fields__)
    return tuple(f"+{field}" if key == "+" else f"{key}:{field}" for key, field in keys)


def _makers(kind: type, entries: tuple[Entry, ...]) -> tuple[tuple[str, Maker], ...]:
    made: list[tuple[str, Maker]] = []
    for entry in entries:
        if isinstance(entry, tuple):
            key, below = entry
            inner = _makers(kind, below)
            made.append((key, lambda f, pdu, m, inner=inner: _group(inner, f, pdu, m)))  # type: ignore[misc]  # bound now
        elif entry.startswith("+"):
            made.append(("", _maker(kind, entry[1:])))
        else:
            key, _, field = entry.rpartition(":")
            made.append((key or field, _maker(kind, field)))
    return tuple(made)


def _group(makers: tuple[tuple[str, Maker], ...], format1: Format1, pdu: Any, message: Message) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, make in makers:
        made = make(format1, pdu, message)
        found.update({key: made} if key else made)
    return found


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _declared() -> dict[type, dict[str, str]]:
    """Every class that is an APDU, with the head of its dictionary."""
    heads: dict[type, dict[str, str]] = {}
    for top in apdu.COSEM_PDU:
        if issubclass(top, Choice):
            forms: dict[type, str] = top.names  # type: ignore[attr-defined]  # set when the class is made
            for kind, form in forms.items():
                heads[kind] = {"apdu": _kebab(top.__name__), "type": form.replace("_", "-")}
        else:
            heads[top] = {"apdu": _kebab(top.__name__)}
    heads[apdu.BareActionResponse] = {"apdu": "action-response", "type": "normal"}
    return heads


def apdu_name(pdu: Any) -> str:
    """Name of an APDU with its form: ``get-request normal``."""
    if isinstance(pdu, apdu.ServiceSpecificCiphering):
        return pdu.label
    return " ".join(_HEADS[type(pdu)].values())


class _Makers(dict[type, tuple[tuple[str, Maker], ...]]):
    """The makers of each class, derived when it is met first."""

    def __missing__(self, kind: type) -> tuple[tuple[str, Maker], ...]:
        made = self[kind] = _makers(kind, _entries(kind))
        if kind is apdu.GeneralSigning:
            made = self[kind] = (*made, ("signature_ok", lambda _f, _pdu, m: m.signature_ok))
        return made


_HEADS: Final = _declared()
_MAKERS: Final = _Makers()
