"""Changes that nobody answers: unconfirmed SET and ACTION, also to many meters at once (IEC 62056-5-3, 6.3; reference,
application layer 18).

::

    async with Meter.connect("udp://239.1.1.1:4059?client=1&server=127", security="all.toml") as meters:
        await meters.call_unconfirmed("20/0-0:13.0.0*255:activate_passive_calendar")

They end as soon as they were sent. Whether they were done can only be read, from each meter in an association of its
own; nothing is repeated. Where nothing is answered, objects are named with their class; with short names, which would
have to be read, they are those that have a reserved base name, as the script table for broadcasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosemic.association.requests import Action, Set
from cosemic.client.answers import parameters_of
from cosemic.client.descriptors import attribute_descriptor, method_descriptor, selective_access
from cosemic.client.faces import ProcedureGroup
from cosemic.client.steps import Procedure
from cosemic.model import AccessSelection
from cosemic.values import Priority, ServiceClass

if TYPE_CHECKING:
    from cosemic.client.session import MethodTarget, Target


class UnconfirmedProcedures(ProcedureGroup):
    """What is sent without an answer."""

    def write_unconfirmed(
        self,
        target: Target,
        value: Any,
        selection: AccessSelection | None = None,
        *,
        priority: Priority = Priority.NORMAL,
    ) -> Procedure[None]:
        """Write one attribute, or a part of it, without an answer; parameters as of ``write``.

        priority: high where the meter agreed to priority-mgmt. Raises EncodeError, ServiceFailed for what does not fit
        one APDU or was not agreed upon, ConnectionLost: nothing was sent then.
        """
        session = self.session
        reference = yield from session.attribute(target)
        data = yield from session.encoded(reference, value)
        chosen = None if selection is None else selective_access(selection)
        request = Set(
            attribute_descriptor(reference), data, chosen, service_class=ServiceClass.UNCONFIRMED, priority=priority
        )
        yield from session.send_unconfirmed(request, reference)

    def call_unconfirmed(
        self, target: MethodTarget, value: Any = None, *, priority: Priority = Priority.NORMAL
    ) -> Procedure[None]:
        """Invoke a method without an answer; parameters as of ``call``. Raises as :meth:`write_unconfirmed`."""
        session = self.session
        reference = yield from session.method(target)
        request = Action(
            method_descriptor(reference),
            parameters_of(reference, value),
            service_class=ServiceClass.UNCONFIRMED,
            priority=priority,
        )
        yield from session.send_unconfirmed(request, reference)
