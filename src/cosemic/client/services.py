"""The association with one meter, and the services on it: GET, SET, ACTION, single and in lists (IEC 62056-5-3, 9.3).

Every service says what it means where the meter refuses, and follows the rules of :mod:`cosemic.client.recovery`:
reading is repeated, a change is not. A call that finds the association lost opens it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.control import State
from cosemic.association.requests import (
    Action,
    ActionList,
    Get,
    GetList,
    Open,
    Opened,
    Release,
    Request,
    Set,
    SetList,
)
from cosemic.association.settings import ClientSettings, plain_room
from cosemic.client.answers import denied, unanswered
from cosemic.client.recovery import STANDARD, Recovery, repeated
from cosemic.client.steps import Connect, Procedure
from cosemic.codec import EncodedData
from cosemic.errors import (
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
from cosemic.model import AccessSelection, AttributeReference, MethodReference
from cosemic.security import TransmitCounter
from cosemic.stack import PUBLIC_CLIENT, ClientStack, Disconnect
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import Conformance, DataAccessResult, lookup

T = TypeVar("T")
LIST_LENGTH: Final = 16
"""Attributes asked for in one request, where the meter agrees to lists, and where so many fit."""
_ENTRY: Final = 10
"""Octets of an attribute in a list, without selection."""
_METHOD: Final = 9
"""Octets of a method in a list."""
_HEAD: Final = 4
"""Octets of a request with a list before its items; one more counts the values, where there are any."""


class Services:
    """An association and what can be asked on it.

    stack: makes the stack of a new connection. zone: of the meter, for stamps without deviation and for naive times
    given. recovery: what is repeated.
    """

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
        self._make_stack = stack
        self.forget()
        self._client_sap, self._server_sap = self.stack.client_sap, self.stack.server_sap
        self._asked_first = False
        """The public client was asked on this connection. Some meters close it then: connect anew, and open at once."""

    def forget(self) -> None:
        """Forget what was learnt of the meter, and what the last connection cost."""
        self._public_value: tuple[int | None] | None = None
        """What the public client read as invocation counter; None before it was asked."""
        self.stack = self._make_stack()

    @property
    def opened(self) -> Opened | None:
        """What was agreed when the association was opened; None while none stands."""
        return self.stack.association.opened

    @property
    def agreed(self) -> Conformance:
        """The services that were agreed upon; none while no association stands."""
        return self.opened.conformance if self.opened is not None else Conformance(0)

    def connected_anew(self) -> ClientStack:
        """Take a fresh stack, for another connection; what it costs is added up."""
        traffic = self.stack.traffic
        if traffic.octets_sent or self.stack.association.state is not State.IDLE:
            self.stack = self._make_stack()
            self.stack.traffic = traffic
        return self.stack

    # ---- the association --------------------------------------------------------------------------------------------

    def open(self) -> Procedure[Opened]:
        """Connect, and open the association; a counter that is not known is read through the public client first.

        Raises ConnectionFailed, AssociationRejected, SecurityError.
        """
        return repeated(self.recovery.opening, lambda _: self._open())

    def _open(self) -> Procedure[Opened]:
        self._asked_first = False
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
        if self.settings.uses_counters:
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
        try:
            opened = yield Open()
            return opened
        except CosemicError as error:
            if hint is not None:
                error.add_note(f"the invocation counter read through the public client was not used: {hint}")
            yield from self._leave()
            raise
        finally:
            if transmit is not None and trying and opened is None:
                transmit.abandon()

    def _public_counter(self) -> Procedure[int | None]:
        """Read the invocation counter as public client; None where the meter does not show it."""
        own = self.settings
        public = ClientSettings(
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
                found = yield Get(CosemAttributeDescriptor(1, self.settings.invocation_counter, 2))
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

    # ---- reading ----------------------------------------------------------------------------------------------------

    def get_attribute(
        self, reference: AttributeReference[Any], selection: AccessSelection | None = None
    ) -> Procedure[EncodedData]:
        """GET one attribute, or a part of it, as it is sent. Raises DataAccessError."""
        request = Get(_attribute(reference), None if selection is None else _selective(selection))
        return repeated(self.recovery.reading, lambda anew: self._get(request, reference, anew))

    def _get(self, request: Get, reference: AttributeReference[Any], anew: bool) -> Procedure[EncodedData]:
        if anew or self.opened is None:
            yield from self._stand(anew)
        result = yield request
        if not isinstance(result, EncodedData):
            raise denied("read", reference, result)
        return result

    def get_many(
        self, references: Sequence[AttributeReference[Any]]
    ) -> Procedure[list[EncodedData | DataAccessResult]]:
        """GET several attributes in as few requests as the meter agrees to; a refusal stands where a value would."""
        yield from repeated(self.recovery.reading, self._stand)
        results: list[EncodedData | DataAccessResult] = []
        for part in self._lists(references, [_ENTRY] * len(references)):
            if len(part) == 1:
                results.append((yield from self.result_of(part[0])))
                continue
            entries = tuple(CosemAttributeDescriptorWithSelection(_attribute(one)) for one in part)
            try:
                found = yield from repeated(self.recovery.reading, partial(self._ask, GetList(entries)))
            except DecodeError:
                # Some servers end the list at the first object that they do not have: asked singly, they answer.
                for one in part:
                    results.append((yield from self.result_of(one)))  # noqa: PERF401 - a comprehension cannot yield
                continue
            for one, result in zip(part, found, strict=True):
                again = result == DataAccessResult.TEMPORARY_FAILURE
                results.append((yield from self.result_of(one)) if again else result)
        return results

    def result_of(self, reference: AttributeReference[Any]) -> Procedure[EncodedData | DataAccessResult]:
        """GET one attribute; a refusal is a result too."""
        try:
            return (yield from self.get_attribute(reference))
        except DataAccessError as error:
            return lookup(DataAccessResult)[error.code]  # type: ignore[return-value]  # an int where it has no name

    # ---- changes ----------------------------------------------------------------------------------------------------

    def set_attribute(
        self, reference: AttributeReference[Any], value: EncodedData, selection: AccessSelection | None = None
    ) -> Procedure[None]:
        """SET one attribute, or a part of it. Raises DataAccessError; OutcomeUnknown where no answer came."""
        chosen = None if selection is None else _selective(selection)
        result = yield from self._change(Set(_attribute(reference), value, chosen), reference)
        if result != DataAccessResult.SUCCESS:
            raise denied("write", reference, result)

    def set_many(
        self, references: Sequence[AttributeReference[Any]], values: Sequence[EncodedData]
    ) -> Procedure[list[DataAccessResult]]:
        """SET several attributes in as few requests as the meter agrees to; OutcomeUnknown where no answer came."""
        yield from repeated(self.recovery.reading, self._stand)
        results: list[DataAccessResult] = []
        pairs = list(zip(references, values, strict=True))
        for part in self._lists(pairs, [_ENTRY + len(value.octets) for _, value in pairs], _HEAD + 1):
            some = tuple(reference for reference, _ in part)
            octets = tuple(value for _, value in part)
            if len(part) == 1:
                results.append((yield from self._change(Set(_attribute(some[0]), octets[0]), *some)))
            else:
                entries = tuple(CosemAttributeDescriptorWithSelection(_attribute(one)) for one in some)
                results += yield from self._change(SetList(entries, octets), *some)
        return results

    def invoke(
        self, reference: MethodReference[Any, Any], parameters: EncodedData | None
    ) -> Procedure[ActionResponseWithOptionalData]:
        """ACTION on one method; returns the answer, whatever it is. OutcomeUnknown where none came."""
        return self._change(Action(_method(reference), parameters), reference)

    def invoke_many(
        self, references: Sequence[MethodReference[Any, Any]], parameters: Sequence[EncodedData]
    ) -> Procedure[list[ActionResponseWithOptionalData]]:
        """ACTION on several methods in as few requests as the meter agrees to; OutcomeUnknown where no answer came."""
        yield from repeated(self.recovery.reading, self._stand)
        results: list[ActionResponseWithOptionalData] = []
        pairs = list(zip(references, parameters, strict=True))
        for part in self._lists(pairs, [_METHOD + len(value.octets) for _, value in pairs], _HEAD + 1):
            some = tuple(reference for reference, _ in part)
            octets = tuple(value for _, value in part)
            if len(part) == 1:
                results.append((yield from self.invoke(some[0], octets[0])))
            else:
                results += yield from self._change(ActionList(tuple(map(_method, some)), octets), *some)
        return results

    def _change(
        self, request: Request, *subjects: AttributeReference[Any] | MethodReference[Any, Any]
    ) -> Procedure[Any]:
        """Ask for a change; again only where it is known that nothing was sent."""
        try:
            return (yield from repeated(self.recovery.reading, partial(self._ask, request)))
        except OutcomeUnknown as error:
            raise unanswered(subjects, error) from error.__cause__

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _ask(self, request: Request, anew: bool) -> Procedure[Any]:
        if anew or self.opened is None:
            yield from self._stand(anew)
        return (yield request)

    def _stand(self, anew: bool) -> Procedure[None]:
        """Have the association stand: it is opened where it was lost, or where a new connection is wanted."""
        if anew or (self.opened is None and self.recovery.reopen):
            yield from self.open()

    def _lists(self, items: Sequence[T], sizes: Sequence[int], head: int = _HEAD) -> Iterator[Sequence[T]]:
        """Cut items into parts for one request each, of one where no lists are agreed; sizes: in octets."""
        most, room = LIST_LENGTH, self._room() - head
        if not self.agreed & Conformance.MULTIPLE_REFERENCES:
            most = 1
        begin, taken = 0, 0
        for at, size in enumerate(sizes):
            if at > begin and (at - begin == most or taken + size > room):
                yield items[begin:at]
                begin, taken = at, 0
            taken += size
        if items:
            yield items[begin:]

    def _room(self) -> int:
        """Octets that a request may have, before it is protected."""
        if self.opened is None:
            return 0
        protected = self.settings.ciphered and bool(self.settings.protection)
        return plain_room(self.opened.max_pdu_size, protected=protected, general=self.settings.general)


def _attribute(reference: AttributeReference[Any]) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(reference.class_id, reference.instance_id, reference.attribute_id)


def _method(reference: MethodReference[Any, Any]) -> CosemMethodDescriptor:
    return CosemMethodDescriptor(reference.class_id, reference.instance_id, reference.method_id)


def _selective(selection: AccessSelection) -> SelectiveAccessDescriptor:
    return SelectiveAccessDescriptor(selection.selector, EncodedData.from_typed(selection.parameters))
