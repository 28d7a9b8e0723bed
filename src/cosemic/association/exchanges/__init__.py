"""The data transfer services of a client, each as one generator (reference, application layer 8 to 11, 15).

An exchange yields the APDU to send, is given the APDU that answered it, and returns the result. :data:`SERVICES` is the
table of what the client can do; the conformance it proposes (:func:`client_conformance`) is derived from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any, Final

from cosemic.association.exchanges.access import access
from cosemic.association.exchanges.action import action, action_list
from cosemic.association.exchanges.get import get, get_list
from cosemic.association.exchanges.pass_on import pass_on
from cosemic.association.exchanges.set import set_, set_list
from cosemic.association.exchanges.short_names import read, unconfirmed_write, write
from cosemic.association.notifications import notification_conformance
from cosemic.association.requests import (
    Access,
    Action,
    ActionList,
    Get,
    GetList,
    PassOn,
    Read,
    Request,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.association.terms import Exchange, Numbering, Terms
from cosemic.values import Conformance


@dataclass(frozen=True, slots=True)
class Service:
    """How a request is served, and which conformance bits that makes true.

    numbering: by what an answer is known. short_names: it belongs to associations with short-name referencing.
    """

    exchange: Callable[[Any, Terms], Exchange]
    conformance: Conformance
    numbering: Numbering = Numbering.SHORT
    short_names: bool = False


_C: Final = Conformance
_short_names: Final = partial(Service, numbering=Numbering.NONE, short_names=True)
SERVICES: Final[dict[type[Request], Service]] = {
    Get: Service(
        get, _C.GET | _C.SELECTIVE_ACCESS | _C.BLOCK_TRANSFER_WITH_GET_OR_READ | _C.ATTRIBUTE0_SUPPORTED_WITH_GET
    ),
    GetList: Service(get_list, _C.GET | _C.MULTIPLE_REFERENCES),
    Set: Service(
        set_, _C.SET | _C.SELECTIVE_ACCESS | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE | _C.ATTRIBUTE0_SUPPORTED_WITH_SET
    ),
    SetList: Service(set_list, _C.SET | _C.MULTIPLE_REFERENCES),
    Action: Service(action, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION),
    ActionList: Service(action_list, _C.ACTION | _C.MULTIPLE_REFERENCES),
    Access: Service(access, _C.ACCESS, numbering=Numbering.LONG),
    PassOn: Service(pass_on, _C(0), numbering=Numbering.TRANSACTION),
    Read: _short_names(
        read, _C.READ | _C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS | _C.BLOCK_TRANSFER_WITH_GET_OR_READ
    ),
    Write: _short_names(
        write, _C.WRITE | _C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    ),
    UnconfirmedWrite: _short_names(
        unconfirmed_write, _C.UNCONFIRMED_WRITE | _C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS
    ),
}


def client_conformance(*, short_names: bool = False) -> Conformance:
    """Return what the client can do, without ciphering, in an association with this referencing.

    The notifications are those that it takes.
    """
    bits = reduce(or_, (one.conformance for one in SERVICES.values() if one.short_names is short_names))
    bits |= notification_conformance(short_names=short_names)
    return bits if short_names else bits | _C.PRIORITY_MGMT_SUPPORTED
