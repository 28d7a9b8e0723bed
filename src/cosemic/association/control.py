"""The control function of the application layer as tables (IEC 62056-5-3, clause 6.2: states and transitions).

Client::

    INACTIVE --CONNECT--> IDLE --OPEN--> ASSOCIATION_PENDING --ACCEPTED--> ASSOCIATED --RELEASE--> RELEASE_PENDING
                           ^                   |    ^ |                                                |
                           |                REFUSED | CHALLENGED (HLS passes 3 and 4)                  |
                           +-------------------+----+-------------------- RELEASED --------------------+

Server: the same states, seen from the other side; HLS passes 3 and 4 happen in ASSOCIATION_PENDING, where nothing but
reply_to_HLS_authentication is served. ABORT (loss of the lower layer) leads from any state to INACTIVE.
"""

from __future__ import annotations

from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from cosemic.errors import AssociationError, NotAssociated


class State(Enum):
    """State of one application association."""

    INACTIVE = "inactive"
    IDLE = "idle"
    ASSOCIATION_PENDING = "association pending"
    ASSOCIATED = "associated"
    RELEASE_PENDING = "release pending"

    __hash__ = object.__hash__  # members are compared by identity; the hash of their names takes longer


class Transition(Enum):
    """What moves the control function."""

    CONNECT = auto()
    """The lower layer is connected."""
    OPEN = auto()
    """COSEM-OPEN.request (client), AARQ (server)."""
    CHALLENGED = auto()
    """AARE: accepted, but authentication goes on (HLS)."""
    ACCEPTED = auto()
    """The association stands: AARE accepted, or HLS pass 4 right."""
    REFUSED = auto()
    """AARE refused, HLS failed, no answer in time."""
    SERVICE = auto()
    """A data transfer service."""
    AUTHENTICATE = auto()
    """reply_to_HLS_authentication."""
    RELEASE = auto()
    """COSEM-RELEASE.request (client), RLRQ (server)."""
    RELEASED = auto()
    """RLRE, or none in time."""
    ABORT = auto()
    """The lower layer is gone."""

    __hash__ = object.__hash__


_ABORT: Final = {(state, Transition.ABORT): State.INACTIVE for state in State}

CLIENT: Final = MappingProxyType(
    {
        (State.INACTIVE, Transition.CONNECT): State.IDLE,
        (State.IDLE, Transition.OPEN): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.CHALLENGED): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.AUTHENTICATE): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.ACCEPTED): State.ASSOCIATED,
        (State.ASSOCIATION_PENDING, Transition.REFUSED): State.IDLE,
        (State.ASSOCIATED, Transition.SERVICE): State.ASSOCIATED,
        (State.ASSOCIATED, Transition.AUTHENTICATE): State.ASSOCIATED,
        (State.ASSOCIATED, Transition.RELEASE): State.RELEASE_PENDING,
        (State.RELEASE_PENDING, Transition.RELEASED): State.IDLE,
    }
    | _ABORT
)

SERVER: Final = MappingProxyType(
    {
        (State.INACTIVE, Transition.CONNECT): State.IDLE,
        (State.IDLE, Transition.OPEN): State.ASSOCIATION_PENDING,
        # A second AARQ replaces the association that stands (reference, application layer 6.4).
        (State.ASSOCIATED, Transition.OPEN): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.OPEN): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.CHALLENGED): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.AUTHENTICATE): State.ASSOCIATION_PENDING,
        (State.ASSOCIATION_PENDING, Transition.ACCEPTED): State.ASSOCIATED,
        (State.ASSOCIATION_PENDING, Transition.REFUSED): State.IDLE,
        (State.ASSOCIATED, Transition.SERVICE): State.ASSOCIATED,
        (State.ASSOCIATED, Transition.RELEASE): State.RELEASE_PENDING,
        (State.ASSOCIATION_PENDING, Transition.RELEASE): State.RELEASE_PENDING,
        (State.IDLE, Transition.RELEASE): State.RELEASE_PENDING,
        (State.RELEASE_PENDING, Transition.RELEASED): State.IDLE,
    }
    | _ABORT
)


class ControlFunction:
    """The state of one association, moved by one of the tables above."""

    __slots__ = ("_table", "state")

    def __init__(self, table: MappingProxyType[tuple[State, Transition], State]) -> None:
        self._table = table
        self.state = State.INACTIVE

    def allows(self, transition: Transition) -> bool:
        """Whether the present state knows this transition."""
        return (self.state, transition) in self._table

    def move(self, transition: Transition) -> State:
        """Go to the next state; raises AssociationError where the present one does not know the transition."""
        try:
            self.state = self._table[self.state, transition]
        except KeyError:
            raise refusal(self.state, transition) from None
        return self.state


def refusal(state: State, transition: Transition) -> AssociationError:
    """The error for a transition that a state does not know, in words that say what to do."""
    if transition is Transition.SERVICE and state is not State.ASSOCIATED:
        return NotAssociated(f"the association is {state.value}: open it before asking for a service")
    if transition is Transition.OPEN and state is State.ASSOCIATED:
        return AssociationError("the association is open already: release it before opening it again")
    return AssociationError(
        f"{transition.name.lower().replace('_', ' ')} is not possible: the association is {state.value}"
    )
