"""A logical device: its objects, and the clients that it lets in (IEC 62056-6-2, 4.6; IEC 62056-5-3).

::

    device = LogicalDevice("CSM0000000000001", system_title=bytes.fromhex("43534d0000000001"))
    device.add(CosemObject(Register("1-0:1.8.0"), {...}))
    device.admit(Admission(client_sap=16, settings=ServerSettings(), rights=reading()))

The device itself adds its logical device name (0-0:42.0.0*255), the current association (0-0:40.0.0*255) and, for each
client, its association (0-0:40.0.e*255), its Security setup and invocation counter (0-0:43.1.e*255, readable where the
rights say so) if it has keys.

========================  ====================================================================
data-access-result        when
========================  ====================================================================
object-undefined          no object of that name is in the view of the association
object-class-inconsistent an object of that name is in view, but of another class
read-write-denied         the right is missing, or the protection that it asks for
hardware-fault            the object has no value that fits its type, or what it needs cannot be read or written
========================  ====================================================================
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.service_provider import Access
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError, CosemicError
from cosemic.security import Requirement
from cosemic.server.association_object import CURRENT, AssociationObject
from cosemic.server.clients import Admission, AdmittedClient
from cosemic.server.objects import AccessRefused, CosemObject, Situation, data
from cosemic.server.rights import ObjectRights
from cosemic.server.security_setup_object import security_setup
from cosemic.values import ActionResult, ApplicationContext, DataAccessResult, Obis

LOGICAL_DEVICE_NAME: Final = Obis("0-0:42.0.0")
_GREATEST_SERVER_SAP: Final = 16383
_LONGEST_NAME: Final = 16
Served = TypeVar("Served", bound=CosemObject)


def utc_now() -> dt.datetime:
    """The time of this machine, aware."""
    return dt.datetime.now(dt.UTC)


class LogicalDevice:
    """A logical device.

    name: logical device name, at most 16 ASCII characters, the first three those of the maker. sap: server SAP, 1 for
    the management logical device. now: tells the time, aware. association_version: of class 15, 0 to 3.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        name: str,
        *,
        sap: int = 1,
        now: Callable[[], dt.datetime] = utc_now,
        association_version: int = 1,
    ) -> None:
        if not 1 <= sap <= _GREATEST_SERVER_SAP:
            raise ConfigurationError(f"a server SAP is 1 to {_GREATEST_SERVER_SAP}, not {sap}")
        if not name.isascii() or not 1 <= len(name) <= _LONGEST_NAME:
            raise ConfigurationError(f"a logical device name has 1 to {_LONGEST_NAME} ASCII characters, not {name!r}")
        if association_version not in range(4):
            raise ConfigurationError(f"Association LN has versions 0 to 3, not {association_version}")
        self.name = name
        self.now = now
        self.association_version = association_version
        self._sap = sap
        self._objects: dict[tuple[int, Obis], CosemObject] = {}
        self._by_name: dict[Obis, list[CosemObject]] = {}
        self._clients: dict[int, AdmittedClient] = {}
        self.add(data(LOGICAL_DEVICE_NAME, DataType.OCTET_STRING, name.encode()))
        self.add(AssociationObject(self, association_version, CURRENT))

    @property
    def sap(self) -> int:
        """Server SAP."""
        return self._sap

    @property
    def clients(self) -> tuple[AdmittedClient, ...]:
        """The clients that are let in, in the order of their admission."""
        return tuple(self._clients.values())

    def add(self, served: Served) -> Served:
        """Take an object; every client that is let in finds out its rights. Returns the object.

        Raises ConfigurationError where there is such an object already, or rights cannot be coded.
        """
        key = served.class_id, served.instance_id
        if key in self._objects:
            raise ConfigurationError(f"{self.name} has {served!r} already")
        for client in self._clients.values():
            client.learn(served)
        self._objects[key] = served
        self._by_name.setdefault(served.instance_id, []).append(served)
        return served

    def admit(self, admission: Admission) -> AdmittedClient:
        """Let a client in. Raises ConfigurationError for a client SAP that is taken, or rights that cannot be coded."""
        if admission.client_sap in self._clients:
            raise ConfigurationError(f"client SAP {admission.client_sap} is taken in {self.name}")
        client = AdmittedClient(admission, self.association_version)
        for served in self._objects.values():
            client.learn(served)
        self._clients[admission.client_sap] = client
        number = len(self._clients)
        name = Obis(bytes((0, 0, 40, 0, number, 255)))
        self.add(AssociationObject(self, self.association_version, name, client.client_sap))
        if client.settings.material is not None and admission.security_setup is not None:
            self._add_security_setup(client, admission.security_setup)
        return client

    def _add_security_setup(self, client: AdmittedClient, instance_id: Obis) -> None:
        if (64, instance_id) in self._objects:
            return
        self.add(security_setup(client, instance_id))
        counter = Obis(bytes((0, instance_id.b, 43, 1, instance_id.e, 255)))
        self.add(data(counter, DataType.DOUBLE_LONG_UNSIGNED, lambda now: client.lowest_acceptable_counter()))

    def object(self, class_id: int, instance_id: Obis | str) -> CosemObject | None:
        """Return an object."""
        return self._objects.get((class_id, instance_id if isinstance(instance_id, Obis) else Obis(instance_id)))

    def client(self, client_sap: int) -> AdmittedClient | None:
        """Return a client that is let in."""
        return self._clients.get(client_sap)

    def objects_in_view(self, client: AdmittedClient) -> Iterator[CosemObject]:
        """Return the objects that a client sees."""
        return (served for served in self._objects.values() if client.sees(served))

    def find(self, class_id: int, instance_id: Obis, client: AdmittedClient) -> tuple[CosemObject, ObjectRights]:
        """Return an object in the client's view and the rights to it. Raises AccessRefused."""
        key = class_id, instance_id
        rights = client.rights.get(key)
        if rights is not None:
            return self._objects[key], rights
        in_view = any(client.sees(served) for served in self._by_name.get(instance_id, ()))
        raise AccessRefused(
            DataAccessResult.OBJECT_CLASS_INCONSISTENT if in_view else DataAccessResult.OBJECT_UNDEFINED
        )


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
        try:
            served, rights = self.device.find(attribute.class_id, attribute.instance_id, self.client)
            right = rights.attribute(attribute.attribute_id)
            self._check(right.readable, right.requires, access)
            return served.read(attribute.attribute_id, selection, self._situation(access))
        except AccessRefused as refused:
            return refused.result
        except CosemicError:
            return DataAccessResult.HARDWARE_FAULT

    def set(
        self,
        attribute: CosemAttributeDescriptor,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        access: Access,
    ) -> DataAccessResult:
        """Write an attribute or a part of it."""
        try:
            served = self._writable(attribute, access)
            served.write(attribute.attribute_id, selection, value, self._situation(access))
        except AccessRefused as refused:
            return refused.result
        except CosemicError:
            return DataAccessResult.HARDWARE_FAULT
        return DataAccessResult.SUCCESS

    def action(
        self, method: CosemMethodDescriptor, parameters: EncodedData | None, access: Access
    ) -> ActionResponseWithOptionalData:
        """Invoke a method."""
        try:
            answer = self._accessible(method, access).invoke(method.method_id, parameters, self._situation(access))
        except AccessRefused as refused:
            return ActionResponseWithOptionalData(ActionResult[refused.result.name])
        except CosemicError:
            return ActionResponseWithOptionalData(ActionResult.HARDWARE_FAULT)
        return ActionResponseWithOptionalData(ActionResult.SUCCESS, answer)

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
        unprotected = requires.response and ApplicationContext.LN in self.client.settings.context_names
        if not allowed or requires.request & ~access.applied or (unprotected and not access.applied):
            # Without ciphering an answer cannot be protected.
            raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        access.require_response(requires.response)

    def _situation(self, access: Access) -> Situation:
        return Situation(self.device.now(), self.client.client_sap, access.client_title)
