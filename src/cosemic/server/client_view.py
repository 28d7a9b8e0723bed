"""A logical device as one client sees it: services under its rights, each served as a whole (IEC 62056-5-3, 6.2).

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
from cosemic.association.service_provider import Access
from cosemic.codec import EncodedData
from cosemic.errors import CosemicError, StoreError
from cosemic.security import Requirement
from cosemic.server.clients import AdmittedClient
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.values import ActionResult, DataAccessResult

T = TypeVar("T")


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
            right = rights.attribute(attribute.attribute_id)
            self._check(right.readable, right.requires, access)
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
            situation = self._situation(access)
            served.write(attribute.attribute_id, selection, value, situation)
            written = {"class_id": served.class_id, "obis": served.instance_id, "attribute": attribute.attribute_id}
            self.device.tell("parameter-written", situation.now, **written, client_sap=situation.client_sap)
            return DataAccessResult.SUCCESS

        return self._outcome(serve)

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
        served, rights = self.device.find(attribute.class_id, attribute.instance_id, self.client)
        right = rights.attribute(attribute.attribute_id)
        self._check(right.writable, right.requires, access)
        return served

    def _accessible(self, method: CosemMethodDescriptor, access: Access) -> CosemObject:
        served, rights = self.device.find(method.class_id, method.instance_id, self.client)
        right = rights.method(method.method_id)
        self._check(right.accessible, right.requires, access)
        return served

    def _check(self, allowed: bool, requires: Requirement, access: Access) -> None:
        """Refuse what is not allowed or not protected enough; ask for the protection of the answer."""
        unprotected = requires.response and not all(name.ciphered for name in self.client.settings.context_names)
        if not allowed or requires.request & ~access.applied or (unprotected and not access.applied):
            # Without ciphering an answer cannot be protected.
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        access.require_response(requires.response)

    def _situation(self, access: Access) -> Situation:
        return Situation(self.device.advance(), self.client.client_sap, access.agreement)
