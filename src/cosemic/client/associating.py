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
from cosemic.association.control import State
from cosemic.association.requests import Get, Open, Opened, Read, Release, Request
from cosemic.association.settings import ClientSettings
from cosemic.client.recovery import STANDARD, Recovery, repeated
from cosemic.client.resynchronising import Resynchronisation, may_be_counter, proposed_by
from cosemic.client.short_names import ShortNames, as_with_logical_names
from cosemic.client.steps import Connect, Procedure
from cosemic.codec import EncodedData
from cosemic.errors import (
    ConnectionLost,
    CosemicError,
    DecodeError,
    InvocationCounterError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.model.short_names import ASSOCIATION
from cosemic.security import SecurityMaterial, TransmitCounter
from cosemic.stack import PUBLIC_CLIENT, ClientStack, Disconnect
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import Conformance, Obis

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
        self.short_names: ShortNames | None = None
        """What was learnt of short names, where the association has them."""
        self._make_stack = stack
        self._rekeyed = False
        """The settings are not those that stacks are made with: keys were changed."""
        self.forget()
        self._client_sap, self._server_sap = self.stack.client_sap, self.stack.server_sap
        self._asked_first = False
        """The public client was asked on this connection. Some meters close it then: connect anew, and open at once."""

    def forget(self) -> None:
        """Forget what was learnt of the meter, and what the last connection cost."""
        self._resynchronisation = Resynchronisation(0)
        self._public_value: tuple[int | None] | None = None
        """What the public client read as invocation counter; None before it was asked."""
        self.short_names = ShortNames() if self.settings.short_names else None
        self.stack = self._fresh_stack()

    def _fresh_stack(self) -> ClientStack:
        stack = self._make_stack()
        if self._rekeyed:
            stack.use(self.settings, stack.client_sap, stack.server_sap)
        return stack

    def use_keys(self, material: SecurityMaterial) -> None:
        """Open associations under other keys from now on: :meth:`open` one, since none that stands is used any more.

        Raises ConfigurationError where the keys do not suffice.
        """
        self.settings = replace(self.settings, material=material)
        self._public_value = None  # it was that of the other key
        self._rekeyed = True

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
        elif self._rekeyed:
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
                    hint = error  # it was tried before, in vain: the own value may be right
        opened: Opened | None = None
        self._resynchronisation.settle()
        self._resynchronisation = Resynchronisation(self.settings.dialect.max_counter_jump)
        try:
            try:
                opened = yield Open()
            except CosemicError as error:
                if transmit is None or trying:
                    raise
                opened = yield from self._open_with_another_counter(transmit, error)
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

    def _open_with_another_counter(self, transmit: TransmitCounter, error: CosemicError) -> Procedure[Opened]:
        """Open once more where it was refused for the counter; raises the error where not."""
        value = proposed_by(error)
        if value is None and may_be_counter(error) and transmit.known:
            yield from self._leave()
            read = yield from self._public_counter()
            value = None if read is None else read + 1
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


def transferred(request: Request, short_names: ShortNames | None) -> Procedure[Any]:
    """Yield a request, or what asks for the same with short names; returns its result."""
    if short_names is None:
        return (yield request)
    return (yield from short_names.transfer(request))
