"""Opening and releasing the association with one meter, with the invocation counter that it accepts.

A connection that was lost is made anew by those who use the association (:mod:`cosemic.client.services`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.client_layers import applied_by
from cosemic.association.control import State
from cosemic.association.known_rights import KnownRights, named_by, needed_by
from cosemic.association.requests import Action, ActionList, Get, Open, Opened, Read, Release, Request
from cosemic.association.settings import ClientSettings
from cosemic.association.third_party import ThirdParty
from cosemic.client.recovery import STANDARD, Recovery, repeated
from cosemic.client.resynchronising import Resynchronisation, may_be_counter, proposed_by
from cosemic.client.short_names import ShortNames, as_with_logical_names
from cosemic.client.steps import Connect, Procedure
from cosemic.codec import EncodedData
from cosemic.errors import (
    ActionFailed,
    ConnectionLost,
    CosemicError,
    DataAccessError,
    DecodeError,
    InvocationCounterError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.model.short_names import ASSOCIATION
from cosemic.security import Protection, SecurityMaterial, TransmitCounter
from cosemic.security.general import LayerPlan
from cosemic.stack import PUBLIC_CLIENT, ClientStack, Disconnect
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import Conformance, DataAccessResult, Obis

_HARMLESS: Final = Get(CosemAttributeDescriptor(15, Obis("0-0:40.0.0"), 1))
"""What every client may read: the logical name of its association."""
_HARMLESS_BY_SHORT_NAME: Final = Read((ASSOCIATION,))


class Associating:
    """The association with one meter; parameters as of :class:`cosemic.client.services.Services`."""

    def __init__(
        self,
        security: SecuritySettings,
        stack: Callable[[], ClientStack],
        zone: dt.tzinfo,
        recovery: Recovery = STANDARD,
    ) -> None:
        self.settings: ClientSettings = security.client
        self.zone = zone
        self.recovery = recovery
        self.layers: LayerPlan | None = None
        """Those of the requests of the procedure that runs, where it names some in place of those of the settings."""
        self.third_party: ThirdParty | None = None
        """Whose requests those of the procedure that runs are; None: they are ours."""
        self._learns_rights = security.client.rights is None
        self.short_names: ShortNames | None = None
        """What was learnt of short names, where the association has them."""
        self._make_stack = stack
        self._changed = False
        """The settings are not those that stacks are made with: keys were changed, or rights were learnt."""
        self.forget()
        self._client_sap, self._server_sap = self.stack.client_sap, self.stack.server_sap
        self._asked_first = False
        """The public client was asked on this connection. Some meters close it then: connect anew, and open at once."""

    def forget(self) -> None:
        """Forget what was learnt of the meter, and what the last connection cost."""
        self._resynchronisation = Resynchronisation(0)
        self._public_value: tuple[int | None] | None = None
        """What the public client read as invocation counter; None before it was asked in this opening."""
        self.short_names = ShortNames() if self.settings.short_names else None
        if self._learns_rights and self.settings.rights is not None:
            self.settings = replace(self.settings, rights=None)
        self.stack = self._fresh_stack()

    def _fresh_stack(self) -> ClientStack:
        stack = self._make_stack()
        if self._changed:
            stack.use(self.settings, stack.client_sap, stack.server_sap)
        return stack

    def use_keys(self, material: SecurityMaterial) -> None:
        """Open associations under other keys from now on: :meth:`open` one, since none that stands is used any more.

        Raises ConfigurationError where the keys do not suffice.
        """
        self.settings = replace(self.settings, material=material)
        self._public_value = None  # it was that of the other key
        self._changed = True

    # ---- access rights ----------------------------------------------------------------------------------------------

    def learn_rights(self, rights: KnownRights | None) -> None:
        """Hold what is asked and answered against access rights from now on, unless the settings have their own.

        None: they may have changed, and the meter alone decides.
        """
        if self._learns_rights and (rights is not None or self.settings.rights is not None):
            self.settings = replace(self.settings, rights=rights)
            self._changed = True
            self.stack.association.know_rights(rights)

    def lacking(self, request: Request) -> Protection:
        """Return the protection that a request needs, and would not have; none where no rights are known."""
        settings = self.settings
        if settings.rights is None or self.third_party is not None:
            return Protection.NONE
        needed = needed_by(request, settings.rights)
        if not settings.ciphered:
            return needed.request | needed.response
        plan = self.layers or settings.layers
        applied = settings.protection if plan is None or settings.sealed_inside else Protection.NONE
        return needed.request & ~(applied if plan is None else applied | applied_by(plan))

    def check_rights(self, request: Request) -> None:
        """Raise DataAccessError or ActionFailed, read-write-denied, for what the meter would refuse as unprotected."""
        if lacking := self.lacking(request):
            names = " and ".join(str(each.name).lower() for each in Protection(lacking))
            what = ", ".join(dict.fromkeys(_place(one) for one in named_by(request)))
            refused = ActionFailed if isinstance(request, Action | ActionList) else DataAccessError
            raise refused(
                f"{what}: the access rights of the meter want this {names}: say so in the security settings, by "
                "ciphering or layers; or check_rights = false, where the meter tells them wrongly",
                int(DataAccessResult.READ_WRITE_DENIED),
                DataAccessResult.READ_WRITE_DENIED.label,
                what,
            )

    @property
    def opened(self) -> Opened | None:
        """What was agreed when the association was opened; None while none stands."""
        return self.stack.association.opened

    @property
    def usable(self) -> bool:
        """Whether an association stands in which something can be asked: with short names, none whose last request was
        given up, because a late answer to it could be taken for that to the next."""
        return self.opened is not None and not self.stack.association.unanswered

    @property
    def agreed(self) -> Conformance:
        """The services that were agreed upon; none while no association stands.

        With short names, those of logical names too that stand for them (:mod:`cosemic.client.short_names`).
        """
        if self.opened is None:
            return Conformance(0)
        agreed = self.opened.conformance
        return agreed if self.short_names is None else as_with_logical_names(agreed)

    def connected_anew(self) -> ClientStack:
        """Take a fresh stack, for another connection; what it costs is added up."""
        traffic = self.stack.traffic
        if traffic.octets_sent or self.stack.association.state is not State.IDLE:
            self.stack = self._fresh_stack()
            self.stack.traffic = traffic
        elif self._changed:
            self.stack.use(self.settings, self._client_sap, self._server_sap)
        return self.stack

    # ---- the association --------------------------------------------------------------------------------------------

    def open(self) -> Procedure[Opened]:
        """Connect, and open the association; a counter that is not known is read through the public client first.

        Raises ConnectionFailed, AssociationRejected, SecurityError.
        """
        return repeated(self.recovery.opening, lambda _: self._open())

    def _open(self) -> Procedure[Opened]:
        self._asked_first = False
        self._public_value = None
        if self.short_names is not None:
            self.short_names.opened_anew()
        yield from self._leave()
        yield Connect()
        try:
            return (yield from self._associate())
        except ConnectionLost:
            if not self._asked_first:
                raise
        yield Connect()
        return (yield from self._associate())

    def _associate(self) -> Procedure[Opened]:
        transmit: TransmitCounter | None = None
        trying = False
        hint: InvocationCounterError | None = None
        if self.settings.uses_counters and self.settings.confirmed:
            context = self.settings.context()
            assert context is not None
            transmit = context.transmit
            if not transmit.known:
                if self._public_value is None:
                    self._asked_first = True
                    self._public_value = ((yield from self._public_counter()),)
                (value,) = self._public_value
                try:
                    if value is not None:
                        # What is read may be the last value used or the next one accepted: one more fits both.
                        trying = transmit.start_from(value + 1)
                except InvocationCounterError as error:
                    hint = error  # the own value may be right
        opened: Opened | None = None
        self._resynchronisation.settle()
        self._resynchronisation = Resynchronisation(self.settings.dialect.max_counter_jump)
        try:
            try:
                opened = yield Open()
            except CosemicError as error:
                if transmit is None:
                    raise
                if trying:
                    tried, trying = transmit.tried, False
                    transmit.abandon()
                else:
                    tried = transmit.tried
                opened = yield from self._open_with_another_counter(transmit, tried, error)
            return opened
        except CosemicError as error:
            if hint is not None:
                error.add_note(f"the invocation counter read through the public client was not used: {hint}")
            yield from self._leave()
            raise
        finally:
            if transmit is not None and trying and opened is None:
                transmit.abandon()
            if opened is None:
                self._resynchronisation.settle()

    def _open_with_another_counter(
        self, transmit: TransmitCounter, tried: int, error: CosemicError
    ) -> Procedure[Opened]:
        """Open once more where it was refused for the counter; raises the error where not.

        tried: the value behind those that were tried before without an answer, 0: none. The meter may have seen them.
        """
        value = proposed_by(error)
        if value is None and may_be_counter(error):
            read: int | None = None
            if transmit.known:
                yield from self._leave()
                read = yield from self._public_counter()
            value = max(tried, 0 if read is None else read + 1) or None
        elif value is None and tried and isinstance(error, ResponseTimeout | ConnectionLost):
            value = tried  # as by a meter that is silent then
            yield Connect()
        if value is None:
            raise error
        self._resynchronisation.take_up(value, transmit, error)
        opened: Opened = yield Open()
        return opened

    def _counter_refused(self, request: Request, error: CosemicError) -> Procedure[Any]:
        """Ask again where a request was refused for its counter and was not taken; raises the error where not."""
        context, value = self.stack.association.context, proposed_by(error)
        if value is None or context is None or context.material.dedicated_key is not None or not self.usable:
            raise error
        self._resynchronisation.take_up(value, context.transmit, error)
        try:
            if not isinstance(error, OutcomeUnknown):
                return (yield from transferred(request, self.short_names))
            with suppress(CosemicError):  # whatever comes of it: no other error may have the change repeated
                yield _HARMLESS if self.short_names is None else _HARMLESS_BY_SHORT_NAME
        finally:
            self._resynchronisation.settle()
        raise error

    def _public_counter(self) -> Procedure[int | None]:
        """Read the invocation counter as public client; None where the meter does not show it."""
        own = self.settings
        public = ClientSettings(
            short_names=own.short_names,
            response_timeout=own.response_timeout,
            repetitions=own.repetitions,
            datagram_lifetime=own.datagram_lifetime,
            dialect=own.dialect,
        )
        value: object = None
        try:
            self.stack.use(public, PUBLIC_CLIENT, self._server_sap)
            yield Open()
            try:
                wanted = Get(CosemAttributeDescriptor(1, self.settings.invocation_counter, 2))
                found = yield from transferred(wanted, ShortNames() if own.short_names else None)
                if isinstance(found, EncodedData):
                    value = found.value()
            except (ServiceFailed, ResponseTimeout, ProtocolError, DecodeError):
                pass  # it is not shown; the association is released all the same
            yield Release()
        except CosemicError:
            pass  # the own value is tried; where the connection is gone, the opening says so
        yield from self._leave()  # a data link connection is the public client's own
        self.stack.use(self.settings, self._client_sap, self._server_sap)
        return value if type(value) is int and 0 <= value < 0xFFFFFFFE else None

    def release(self) -> Procedure[None]:
        """Release the association, where one stands, and end the data link connection, where there is one."""
        failed: CosemicError | None = None
        if self.opened is not None and self.settings.dialect.release_request:
            try:
                yield Release()
            except CosemicError as error:
                failed = error
        yield from self._disconnect()
        if failed is not None:
            raise failed

    def _leave(self) -> Procedure[None]:
        """End the data link connection, if that can be: a meter left connected hears no sign-on, and a call goes on."""
        with suppress(CosemicError):
            yield from self._disconnect()

    def _disconnect(self) -> Procedure[None]:
        if self.stack.linked:
            yield Disconnect()


def _place(member: Any) -> str:
    """Class, logical name and number of an attribute or method."""
    number = member.attribute_id if isinstance(member, CosemAttributeDescriptor) else member.method_id
    return f"{member.class_id}/{member.instance_id}:{number}"


def transferred(request: Request, short_names: ShortNames | None) -> Procedure[Any]:
    """Yield a request, or what asks for the same with short names; returns its result."""
    if short_names is None:
        return (yield request)
    return (yield from short_names.transfer(request))
