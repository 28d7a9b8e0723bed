"""A client and a device in one process: requests in, results out, nothing but APDUs between them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.client import ClientAssociation
from cosemic.association.requests import Action, Completed, Failed, Get, Open, Release, Request, Set
from cosemic.association.server_events import Associated
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.association.settings import ClientSettings
from cosemic.codec import DataType, EncodedData
from cosemic.model import AccessSelection
from cosemic.security import Protection
from cosemic.server import (
    Admission,
    ClientView,
    CosemObject,
    DeviceAssociation,
    LogicalDevice,
    PhysicalDevice,
    managing,
)
from cosemic.values import DataAccessResult, Obis

NOW = dt.datetime(2026, 11, 20, 12, 34, 56, tzinfo=dt.UTC)
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED


class Local:
    """A client whose APDUs go straight to the association of the device."""

    def __init__(self, device: LogicalDevice, client_sap: int, settings: ClientSettings | None = None) -> None:
        association = PhysicalDevice(device).association(client_sap, device.sap)
        assert association is not None
        self.server: DeviceAssociation = association
        self.client = ClientAssociation(settings or ClientSettings())
        self.exchanged = 0

    def request(self, request: Request) -> Any:
        """Return the result; raises what the request fails with."""
        self.client.send(request)
        self.client.tick(0.0)
        while apdu := self.client.octets_to_send():
            self.server.receive(apdu, 0.0)
            while answer := self.server.octets_to_send():
                self.exchanged += 1
                for event in self.client.receive(answer, 0.0):
                    if isinstance(event, Failed):
                        raise event.error
                    assert isinstance(event, Completed)
                    return event.result
        raise AssertionError("no answer")

    def open(self) -> Local:
        """Open the association."""
        self.request(Open())
        return self

    def release(self) -> None:
        """Release the association."""
        self.request(Release())

    def get(self, class_id: int, name: str, attribute: int, selection: AccessSelection | None = None) -> Any:
        """Return the native value of an attribute, or the data-access-result."""
        result = self.request(Get(CosemAttributeDescriptor(class_id, Obis(name), attribute), selective(selection)))
        return result.value() if isinstance(result, EncodedData) else result

    def set(self, class_id: int, name: str, attribute: int, data_type: DataType, value: Any) -> DataAccessResult:
        """Write an attribute."""
        descriptor = CosemAttributeDescriptor(class_id, Obis(name), attribute)
        result: DataAccessResult = self.request(Set(descriptor, EncodedData.of(data_type, value)))
        return result

    def act(self, class_id: int, name: str, method: int, parameters: EncodedData | None = None) -> Any:
        """Invoke a method."""
        result: ActionResponseWithOptionalData = self.request(
            Action(CosemMethodDescriptor(class_id, Obis(name), method), parameters)
        )
        return result


class View:
    """One client's view of a device without an association: how the services are answered under a protection."""

    def __init__(self, device: LogicalDevice, client_sap: int = 16, applied: Protection = Protection.NONE) -> None:
        client = device.client(client_sap)
        assert client is not None
        self.view = ClientView(device, client)
        self.applied = applied
        self.response = Protection.NONE

    def _access(self) -> Access:
        self.last = Access(self.applied)
        return self.last

    def get(self, class_id: int, name: str, attribute: int, selection: AccessSelection | None = None) -> Any:
        """Return EncodedData or a data-access-result."""
        descriptor = CosemAttributeDescriptor(class_id, Obis(name), attribute)
        return self.view.get(descriptor, selective(selection), self._access())

    def set(self, class_id: int, name: str, attribute: int, value: EncodedData) -> DataAccessResult:
        """Write an attribute."""
        return self.view.set(CosemAttributeDescriptor(class_id, Obis(name), attribute), None, value, self._access())

    def act(
        self, class_id: int, name: str, method: int, parameters: EncodedData | None = None
    ) -> ActionResponseWithOptionalData:
        """Invoke a method."""
        return self.view.action(CosemMethodDescriptor(class_id, Obis(name), method), parameters, self._access())


def selective(selection: AccessSelection | None) -> SelectiveAccessDescriptor | None:
    """Return a selection as it is sent."""
    if selection is None:
        return None
    return SelectiveAccessDescriptor(selection.selector, EncodedData.from_typed(selection.parameters))


def device_with(
    *objects: CosemObject, association_version: int = 1, settings: ServerSettings | None = None, **changed: Any
) -> LogicalDevice:
    """Return a device at :data:`NOW` with objects that client 16 may do everything with."""
    device = LogicalDevice("TST0000000000001", now=lambda: NOW, association_version=association_version)
    for served in objects:
        device.add(served)
    admission = {"client_sap": 16, "settings": settings or ServerSettings(), "rights": managing()} | changed
    device.admit(Admission(**admission))
    return device


__all__ = ["BOTH", "NOW", "Associated", "Local", "View", "device_with", "selective"]
