"""A logical device as one client sees it: services under its rights, each served as a whole (IEC 62056-5-3, 6.2).

Attribute 0 is all of an object: a GET gives what the client may read under the protection of its request, null-data for
the rest, and is refused where that would be everything; a SET writes nothing unless the client may write all that is
given, each value has its type, and the object would take it so far as that can be told ahead.

A service advances the device to now, is served or refused, and what has changed is committed before the answer leaves.
See :mod:`cosemic.server.logical_device` for the results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.attribute_0 import ALL_ATTRIBUTES, NO_DATA, joined, split
from cosemic.association.service_provider import Access
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError, DecodeError, StoreError
from cosemic.model import Clock
from cosemic.model.short_names import MemberKind
from cosemic.security import Protection, Requirement
from cosemic.server.clients import AdmittedClient
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.rights import ObjectRights
from cosemic.values import ActionResult, DataAccessResult, Obis

T = TypeVar("T")
_CLOCK = Clock(Obis("0-0:1.0.0"))
_STAMP = 12
"""Octets of a date-time."""


class ClientView:
    """A logical device as one client sees it.

    It is the :class:`~cosemic.association.service_provider.ServiceProvider` of its associations, and RightsChecker.
    Whatever fails behind an object, such as a counter store, is answered and never raised.
    """

    def __init__(self, device: LogicalDevice, client: AdmittedClient) -> None:
        self.device = device
        self.client = client

    def get(
        self, attribute: CosemAttributeDescriptor, selection: SelectiveAccessDescriptor | None, access: Access
    ) -> EncodedData | DataAccessResult:
        """Read an attribute or a part of it."""

        def serve() -> EncodedData:
            served, rights = self.device.find(attribute.class_id, attribute.instance_id, self.client)
            if attribute.attribute_id == ALL_ATTRIBUTES:
                return self._read_all(served, rights, selection, access)
            right = rights.attribute(attribute.attribute_id)
            self.check(right.readable, right.requires, access)
            return served.read(attribute.attribute_id, selection, self._situation(access))

        return self._outcome(serve)

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> DataAccessResult:
        """Write an attribute or a part of it."""

        def serve() -> DataAccessResult:
            served = self._writable(attribute, access)
            if attribute.attribute_id == ALL_ATTRIBUTES:
                self._write_all(served, attribute, selection, value, access)
            else:
                self._write(served, attribute.attribute_id, selection, value, self._situation(access))
            return DataAccessResult.SUCCESS

        return self._outcome(serve)

    def _write(
        self,
        served: CosemObject,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        served.write(attribute_id, selection, value, situation)
        written = {"class_id": served.class_id, "obis": served.instance_id, "attribute": attribute_id}
        self.device.tell("parameter-written", situation.now, **written, client_sap=situation.client_sap)

    def _read_all(
        self, served: CosemObject, rights: ObjectRights, selection: SelectiveAccessDescriptor | None, access: Access
    ) -> EncodedData:
        """Read all attributes; what is not to be had is null-data."""
        if selection is not None:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        situation = self._situation(access)
        found = [self._read_one(served, index, rights, access, situation) for index in _attributes(served)]
        if all(value is None for value in found):
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        return joined([NO_DATA if value is None else value for value in found])

    def _read_one(
        self, served: CosemObject, attribute_id: int, rights: ObjectRights, access: Access, situation: Situation
    ) -> EncodedData | None:
        right = rights.attribute(attribute_id)
        try:
            self.check(right.readable, right.requires, access)
            return served.read(attribute_id, None, situation)
        except StoreError:
            raise
        except (AccessRefused, CosemicError):
            return None

    def _write_all(
        self,
        served: CosemObject,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> None:
        """Write what is given of all attributes."""
        if selection is not None:
            raise AccessRefused(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
        try:
            values = split(value)
        except DecodeError:
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED) from None
        attributes = _attributes(served)
        if len(values) != len(attributes):
            raise AccessRefused(DataAccessResult.TYPE_UNMATCHED)
        changes = [(index, one) for index, one in zip(attributes, values, strict=True) if one != NO_DATA]
        situation = self._situation(access)
        for index, one in changes:
            single = CosemAttributeDescriptor(attribute.class_id, attribute.instance_id, index)
            self._writable(single, access).check_write(index, one, situation)
        for index, one in changes:
            self._write(served, index, None, one, situation)

    def date_time(self) -> bytes:
        """Return what the clock of the device shows, as date-time of 12 octets; none where it has no clock."""
        with self.device.lock:
            try:
                now = self.device.advance()
                shown = self.device.read(_CLOCK.class_id, _CLOCK.instance_id, Clock.time.index, now).value()
            except (AccessRefused, CosemicError):
                return b""
        return shown if isinstance(shown, bytes) and len(shown) == _STAMP else b""

    def action(
        self, method: CosemMethodDescriptor, parameters: EncodedData | None, access: Access
    ) -> ActionResponseWithOptionalData:
        """Invoke a method."""

        def serve() -> EncodedData | None:
            return self._accessible(method, access).invoke(method.method_id, parameters, self._situation(access))

        answer = self._outcome(serve)
        if isinstance(answer, DataAccessResult):
            return ActionResponseWithOptionalData(ActionResult[answer.name])
        return ActionResponseWithOptionalData(ActionResult.SUCCESS, answer)

    def resolve(self, short_name: int) -> CosemAttributeDescriptor | CosemMethodDescriptor | None:
        """Return what a short name stands for; None where the client sees nothing there."""
        found = self.device.short_names.resolve(short_name)
        if found is None:
            return None
        placed, member = found
        served = self.device.object_for(self.client, placed.class_id, placed.logical_name)
        if served is None or not self.client.sees(served):
            return None
        described = CosemAttributeDescriptor if member.kind is MemberKind.ATTRIBUTE else CosemMethodDescriptor
        return described(placed.class_id, placed.logical_name, member.number)

    def _outcome(self, serve: Callable[[], T]) -> T | DataAccessResult:
        """Serve, and make what has changed last, be it only by the passing of time, before the answer leaves."""
        with self.device.lock:
            return self._served(serve)

    def _served(self, serve: Callable[[], T]) -> T | DataAccessResult:
        device = self.device
        outcome: T | DataAccessResult
        try:
            try:
                outcome = serve()
            except AccessRefused as refused:
                outcome = refused.result
            except StoreError:
                raise
            except CosemicError:
                # What was changed before stands in memory, and has to last like everything else.
                outcome = DataAccessResult.HARDWARE_FAULT
            device.commit()
        except StoreError as error:
            device.fail(error)
            return DataAccessResult.HARDWARE_FAULT
        return outcome

    def may_set(self, attribute: CosemAttributeDescriptor, access: Access) -> DataAccessResult:
        """Return why a SET would be refused: there is no such object, or no right to it."""
        try:
            self._writable(attribute, access)
        except AccessRefused as refused:
            return refused.result
        return DataAccessResult.SUCCESS

    def may_act(self, method: CosemMethodDescriptor, access: Access) -> ActionResult:
        """Return why an ACTION would be refused: there is no such object, or no right to it."""
        try:
            self._accessible(method, access)
        except AccessRefused as refused:
            return ActionResult[refused.result.name]
        return ActionResult.SUCCESS

    def _writable(self, attribute: CosemAttributeDescriptor, access: Access) -> CosemObject:
        """The object of an attribute that may be written; of attribute 0, where one of them may."""
        served, rights = self.device.find(attribute.class_id, attribute.instance_id, self.client)
        if attribute.attribute_id == ALL_ATTRIBUTES:
            if not any(rights.attribute(index).writable for index in _attributes(served)):
                raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
            return served
        right = rights.attribute(attribute.attribute_id)
        self.check(right.writable, right.requires, access)
        return served

    def _accessible(self, method: CosemMethodDescriptor, access: Access) -> CosemObject:
        served, rights = self.device.find(method.class_id, method.instance_id, self.client)
        right = rights.method(method.method_id)
        self.check(right.accessible, right.requires, access)
        return served

    def check(self, allowed: bool, requires: Requirement, access: Access) -> None:
        """Refuse what is not allowed or not protected enough; ask for the protection of the answer.

        Raises AccessRefused.
        """
        if self.client.raised is not None:
            requires = self._raised(requires | self.client.raised, access)
        unprotected = requires.response and not all(name.ciphered for name in self.client.settings.context_names)
        unsigned = requires.response & Protection.SIGNED and not access.signable
        if not allowed or requires.request & ~access.applied or (unprotected and not access.applied) or unsigned:
            # Without ciphering an answer cannot be protected, nor without layers signed: nothing is done before.
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        access.require_response(requires.response)

    @staticmethod
    def _raised(requires: Requirement, access: Access) -> Requirement:
        """Refuse an answer in clear of an association that was opened before the policy was raised."""
        agreement = access.agreement
        if requires.response and agreement is not None and not agreement.application_context.ciphered:
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        return requires

    def _situation(self, access: Access) -> Situation:
        return Situation(self.device.advance(), self.client.client_sap, access.agreement, access)


def _attributes(served: CosemObject) -> range:
    """Numbers of all attributes of an object, as attribute 0 has them in order."""
    return range(1, max(served.interface.attributes) + 1)
