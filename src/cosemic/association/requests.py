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
Release               None
====================  =======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosemic.apdu import (
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError
from cosemic.values import Conformance


@dataclass(slots=True, eq=False)
class Open:
    """COSEM-OPEN.request: open the association as its parameters say."""


@dataclass(slots=True, eq=False)
class Get:
    """GET.request of one attribute, or of a part of it."""

    attribute: CosemAttributeDescriptor
    selection: SelectiveAccessDescriptor | None = None


@dataclass(slots=True, eq=False)
class GetList:
    """GET.request of several attributes."""

    attributes: tuple[CosemAttributeDescriptorWithSelection, ...]


@dataclass(slots=True, eq=False)
class Set:
    """SET.request of one attribute."""

    attribute: CosemAttributeDescriptor
    value: EncodedData
    selection: SelectiveAccessDescriptor | None = None


@dataclass(slots=True, eq=False)
class SetList:
    """SET.request of several attributes; one value each."""

    attributes: tuple[CosemAttributeDescriptorWithSelection, ...]
    values: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class Action:
    """ACTION.request of one method."""

    method: CosemMethodDescriptor
    parameters: EncodedData | None = None


@dataclass(slots=True, eq=False)
class ActionList:
    """ACTION.request of several methods; null-data where a method has no parameters."""

    methods: tuple[CosemMethodDescriptor, ...]
    parameters: tuple[EncodedData, ...]


@dataclass(slots=True, eq=False)
class Release:
    """COSEM-RELEASE.request."""


Request = Open | Get | GetList | Set | SetList | Action | ActionList | Release
CHANGES = (Set, SetList, Action, ActionList)
"""Requests whose outcome is unknown when no answer comes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was agreed when the association was opened.

    ``max_pdu_size`` is the largest APDU that the server takes (0: no limit); ``server_title`` its system title.
    """

    conformance: Conformance
    dlms_version: int
    max_pdu_size: int
    server_title: bytes | None


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


Event = Completed | Failed | Aborted
