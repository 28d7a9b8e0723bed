"""A physical device: logical devices behind one address, and the associations with them (IEC 62056-5-3, 62056-6-2 4.6).

The management logical device (SAP 1), where there is one, gets the SAP assignment of all (0-0:41.0.0*255). There is one
association at a time for each pair of client SAP and server SAP of a lower layer; SAPs that nobody has get no answer.
"""

from __future__ import annotations

import secrets
from typing import Final

from cosemic.association.control import State
from cosemic.association.server import Associated, ServerAssociation, ServerEvent
from cosemic.errors import ConfigurationError
from cosemic.model import SAPAssignment
from cosemic.model.access_control import SAPAssignmentElement
from cosemic.security.hls import Randomness
from cosemic.server.clients import AdmittedClient
from cosemic.server.logical_device import ClientView, LogicalDevice
from cosemic.server.objects import CosemObject
from cosemic.values import Obis

MANAGEMENT_LOGICAL_DEVICE: Final = 1
SAP_ASSIGNMENT: Final = Obis("0-0:41.0.0")
_AARQ: Final = b"\x60"


class DeviceAssociation:
    """One association with a logical device, sans-IO; octets are whole APDUs (see ServerAssociation).

    Tells the device when the association stands and when it has ended, and opens it with the settings of that moment.
    """

    def __init__(self, device: LogicalDevice, client: AdmittedClient, randomness: Randomness) -> None:
        self._client = client
        self._machine = ServerAssociation(
            client.settings, ClientView(device, client), randomness=randomness, history=client.history
        )
        self._stands = False

    @property
    def machine(self) -> ServerAssociation:
        """The state machine."""
        return self._machine

    def send(self, request: bytes) -> None:
        """Take a whole APDU that the device sends of its own accord."""
        self._machine.send(request)

    def receive(self, octets: bytes, now: float) -> list[ServerEvent]:
        """Take one APDU of the client; its answer is due afterwards. now: seconds, of one clock for all connections."""
        if octets[:1] == _AARQ:
            self._machine.settings = self._client.settings
        return self._told(self._machine.receive(octets, now))

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._machine.octets_to_send()

    def deadline(self) -> float | None:
        """Return None: a server waits for its client."""
        return self._machine.deadline()

    def tick(self, now: float) -> list[ServerEvent]:
        """Tell the time."""
        return self._told(self._machine.tick(now))

    def lost(self) -> list[ServerEvent]:
        """The lower layer is gone (COSEM-ABORT.indication)."""
        return self._told(self._machine.lost())

    def _told(self, events: list[ServerEvent]) -> list[ServerEvent]:
        for event in events:
            if isinstance(event, Associated):
                self._client.last_title = event.client_title or self._client.last_title
        stands = self._machine.state is State.ASSOCIATED
        self._client.standing += stands - self._stands
        self._stands = stands
        return events


class PhysicalDevice:
    """Logical devices by their SAPs. Raises ConfigurationError for none, or two with one SAP."""

    def __init__(self, *devices: LogicalDevice) -> None:
        self._devices = {device.sap: device for device in devices}
        if not devices or len(self._devices) != len(devices):
            raise ConfigurationError("a physical device has logical devices, each with a SAP of its own")
        management = self._devices.get(MANAGEMENT_LOGICAL_DEVICE)
        if management is not None and management.object(SAPAssignment.class_id, SAP_ASSIGNMENT) is None:
            assignment = [SAPAssignmentElement(device.sap, device.name.encode()) for device in devices]
            management.add(CosemObject(SAPAssignment(SAP_ASSIGNMENT), {"SAP_assignment_list": assignment}))

    @property
    def devices(self) -> tuple[LogicalDevice, ...]:
        """The logical devices, in the order given."""
        return tuple(self._devices.values())

    def association(
        self, client_sap: int, server_sap: int, *, randomness: Randomness = secrets.token_bytes
    ) -> DeviceAssociation | None:
        """Return a fresh association for a pair of SAPs; None where there is no such client or logical device."""
        device = self._devices.get(server_sap)
        client = device.client(client_sap) if device is not None else None
        return None if device is None or client is None else DeviceAssociation(device, client, randomness)
