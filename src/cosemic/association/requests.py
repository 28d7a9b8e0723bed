"""What is asked of a client association, and what comes of it (service primitives of IEC 62056-5-3).

====================  =======================================================
request               result in :class:`Completed`
====================  =======================================================
Open                  :class:`Opened`
Get                   EncodedData or DataAccessResult
GetList               a tuple of these
Set                   DataAccessResult
SetList               a tuple of these
Action                ActionResponseWithOptionalData
ActionList            a tuple of these
Access                :class:`Accessed`
Read                  a tuple of EncodedData or DataAccessResult
Write                 a tuple of DataAccessResult
UnconfirmedWrite      None, as soon as it was sent
Release               None
PassOn                octets that the third party gets
unconfirmed ones      None, as soon as it was sent
====================  =======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cosemic.apdu import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    ParameterizedAccess,
    SelectiveAccessDescriptor,
)
from cosemic.association.notifications import Notified
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError
from cosemic.security.general import LayerPlan
from cosemic.values import ActionResult, Conformance, DataAccessResult, Priority, ServiceClass

INVOKES: Final = 0
"""Selector of the parameterized access that invokes a method; those of attributes count from 1."""


@dataclass(slots=True, eq=False)
class Open:
    """COSEM-OPEN.request: open the association as its parameters say."""


@dataclass(slots=True, eq=False, kw_only=True)
class DataTransfer:
    """What every data transfer service has (reference, application layer 7, 18).

    service_class: an unconfirmed request ends with None as soon as it was sent: it is executed and never answered, not
    even with an error. It has to fit one APDU. priority: high only where priority-mgmt was agreed. layers: of
    general-ciphering and general-signing around it; None: those of the settings.
    """

    service_class: ServiceClass = ServiceClass.CONFIRMED
    priority: Priority = Priority.NORMAL
    layers: LayerPlan | None = None


@dataclass(slots=True, eq=False)
class Get(DataTransfer):
    """GET.request of one attribute, or of a part of it."""

    attribute: CosemAttributeDescriptor
    selection: SelectiveAccessDescriptor | None = None


@dataclass(slots=True, eq=False)
class GetList(DataTransfer):
    """GET.request of several attributes."""

    attributes: tuple[CosemAttributeDescriptorWithSelection, ...]


@dataclass(slots=True, eq=False)
class Set(DataTransfer):
    """SET.request of one attribute."""

    attribute: CosemAttributeDescriptor
    value: EncodedData
    selection: SelectiveAccessDescriptor | None = None


@dataclass(slots=True, eq=False)
class SetList(DataTransfer):
    """SET.request of several attributes; one value each."""

    attributes: tuple[CosemAttributeDescriptorWithSelection, ...]
    values: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class Action(DataTransfer):
    """ACTION.request of one method."""

    method: CosemMethodDescriptor
    parameters: EncodedData | None = None


@dataclass(slots=True, eq=False)
class ActionList(DataTransfer):
    """ACTION.request of several methods; null-data where a method has no parameters."""

    methods: tuple[CosemMethodDescriptor, ...]
    parameters: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class Access(DataTransfer):
    """ACCESS.request: attributes to get and set and methods to invoke, executed in this order.

    break_on_error: nothing after the first failure is executed. self_descriptive: what was asked for is to be repeated
    in the answer. date_time: of the request, 12 octets, or none.
    """

    entries: tuple[Get | Set | Action, ...]
    break_on_error: bool = False
    self_descriptive: bool = False
    date_time: bytes = b""


@dataclass(slots=True, eq=False)
class Read:
    """Read.request: variables by their short names, 0 to 0xFFFF.

    With parameterized access it is the name of an attribute and its selector with the access parameters, or that of a
    method and :data:`INVOKES` with the invocation parameters: the method is invoked, and read is what it returns.
    """

    variables: tuple[int | ParameterizedAccess, ...]


@dataclass(slots=True, eq=False)
class Write:
    """Write.request: variables by their short names, one value each; that of a method is invoked with its value."""

    variables: tuple[int | ParameterizedAccess, ...]
    values: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class UnconfirmedWrite:
    """UnconfirmedWrite.request: as Write, but nothing is answered. It has to fit one APDU."""

    variables: tuple[int | ParameterizedAccess, ...]
    values: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class Release:
    """COSEM-RELEASE.request."""


@dataclass(slots=True, eq=False)
class PassOn:
    """What a third party has protected for the server, handed on as it is, inside layers of our own.

    apdu: general-ciphering or general-signing; the settings name its originator among ``brokers_for``. layers: as of
    :class:`DataTransfer`.
    """

    apdu: bytes
    layers: LayerPlan | None = None


Request = (
    Open
    | Get
    | GetList
    | Set
    | SetList
    | Action
    | ActionList
    | Access
    | Read
    | Write
    | UnconfirmedWrite
    | Release
    | PassOn
)
CHANGES = (Set, SetList, Action, ActionList, Write, UnconfirmedWrite, PassOn)
"""Requests whose outcome is unknown when no answer comes."""


def may_change(request: object) -> bool:
    """Whether the outcome of a request is unknown when no answer comes."""
    if isinstance(request, Access):
        return any(isinstance(entry, CHANGES) for entry in request.entries)
    if isinstance(request, Read):
        named = request.variables
        return any(isinstance(one, ParameterizedAccess) and one.selector == INVOKES for one in named)
    return isinstance(request, CHANGES)


class AccessResult(NamedTuple):
    """What came of one entry of an ACCESS.request; the data is null-data where there is none."""

    result: DataAccessResult | ActionResult
    data: EncodedData


@dataclass(frozen=True, slots=True)
class Accessed:
    """The answer to an ACCESS.request: one result for each entry; its date-time as sent, empty where it has none."""

    results: tuple[AccessResult, ...]
    date_time: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """What was agreed when the association was opened.

    ``max_pdu_size`` is the largest APDU that the server takes (0: no limit); ``server_title`` its system title.
    ``confirmed``: whether confirmed services are served.
    """

    conformance: Conformance
    dlms_version: int
    max_pdu_size: int
    server_title: bytes | None
    confirmed: bool = True


@dataclass(slots=True)
class Completed:
    """The answer to a request came; see the table above."""

    request: object
    result: Any


@dataclass(slots=True)
class Failed:
    """A request ended without an answer that could be used; the association may still stand."""

    request: object
    error: CosemicError


@dataclass(frozen=True, slots=True)
class Aborted:
    """COSEM-ABORT.indication: the association is gone; ``error`` says why."""

    error: CosemicError


Event = Completed | Failed | Aborted | Notified
