"""Procedures whose requests go in layers of general protection, or are those of a third party (reference, security 14).

Both go around any procedure: what it yields is changed on its way, and it knows nothing of it::

    yield from in_layers(session, "sign+cipher:one-pass", session.read("1-0:1.8.0"))
    yield from on_behalf_of(session, third_party, session.read("1-0:1.8.0"))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from cosemic.association.requests import DataTransfer, Failed, PassOn, may_change
from cosemic.association.third_party import ThirdParty
from cosemic.client.steps import Procedure, Step
from cosemic.errors import ConfigurationError, CosemicError, OutcomeUnknown, ProtocolError
from cosemic.security.general import LayerPlan
from cosemic.store.party_settings import plan_of

if TYPE_CHECKING:
    from cosemic.client.services import Services

T = TypeVar("T")
Layers = str | Sequence[str] | LayerPlan
"""Layers as text (:mod:`cosemic.security.general.plan_text`), or themselves."""


def in_layers(session: Services, layers: Layers | None, procedure: Procedure[T]) -> Procedure[T]:
    """Run a procedure whose requests go in these layers; None: in those of the settings.

    Opening and releasing the association are no such requests. Raises ConfigurationError for layers that cannot be.
    """
    if layers is None:
        return (yield from procedure)
    title = session.settings.server_title
    if session.settings.parties is None or title is None:
        procedure.close()
        raise ConfigurationError(
            "layers need general protection: say key_infos and server_title in the security settings, and the keys"
        )
    plan = plan_of(layers, title)

    def perform(step: Step) -> Procedure[Any]:
        if isinstance(step, DataTransfer | PassOn) and step.layers is None:
            step = replace(step, layers=plan)
        return (yield step)

    around, session.layers = session.layers, plan
    try:
        return (yield from _relayed(procedure, perform))
    finally:
        session.layers = around


def on_behalf_of(session: Services, third_party: ThirdParty, procedure: Procedure[T]) -> Procedure[T]:
    """Run a procedure whose requests are those of a third party; they are handed on in the association of the session.

    The settings of the session name it among ``brokers_for``. Raises, beside what the procedure raises, SecurityError
    for an answer that is not the meter's.
    """

    def perform(step: Step) -> Procedure[Any]:
        if not isinstance(step, DataTransfer):
            return (yield step)
        if session.opened is not None:
            third_party.fit(session.room_to_pass_on, session.agreed)
        return (yield from _asked(third_party, step))

    around, session.third_party = session.third_party, third_party
    try:
        return (yield from _relayed(procedure, perform))
    finally:
        session.third_party = around


def _asked(third_party: ThirdParty, request: Any) -> Procedure[Any]:
    """Have a request of a third party handed on until it is answered."""
    third_party.send(request)
    try:
        while octets := third_party.octets_to_send():
            try:
                answer = yield PassOn(octets)
            except OutcomeUnknown as error:
                if not may_change(request) and isinstance(error.__cause__, CosemicError):
                    raise error.__cause__ from None  # nothing but a reading was handed on
                raise
            for event in third_party.receive(answer):
                if isinstance(event, Failed):
                    raise event.error
                return event.result
        raise ProtocolError("the meter answered something else than what the third party asked for")
    finally:
        third_party.cancel()


def _relayed(procedure: Procedure[T], perform: Callable[[Step], Procedure[Any]]) -> Procedure[T]:
    """Run a procedure, with each of its steps performed by another one."""
    try:
        step = next(procedure)
        while True:
            try:
                result = yield from perform(step)
            except CosemicError as error:
                step = procedure.throw(error)
            else:
                step = procedure.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # the value of the procedure
    finally:
        procedure.close()
