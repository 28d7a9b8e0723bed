"""A physical device: logical devices behind one address, and the associations with them (IEC 62056-5-3, 62056-6-2 4.6).

The management logical device (SAP 1), where there is one, gets the SAP assignment of all (0-0:41.0.0*255), which can
move the others. There is one association at a time for each pair of client SAP and server SAP of a lower layer; SAPs
that nobody has get no answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final

from cosemic.association.control import State
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import Associated, Refused, ServerEvent
from cosemic.association.service_provider import Agreement
from cosemic.errors import ConfigurationError
from cosemic.model import SAPAssignment
from cosemic.security.hls import Randomness
from cosemic.server.client_view import ClientView
from cosemic.server.clients import AdmittedClient
from cosemic.server.logical_device import GREATEST_SERVER_SAP, LogicalDevice
from cosemic.server.sap_assignment_object import (
    MANAGEMENT_LOGICAL_DEVICE,
    NO_SAP,
    SAP_ASSIGNMENT,
    SAPAssignmentObject,
)
from cosemic.values import Conformance

_AARQ: Final = b"\x60"


class DeviceAssociation:
    """One association with a logical device, sans-IO; octets are whole APDUs (see ServerAssociation).

    Tells the device when the association stands, has ended or is refused, and opens it with the settings of that
    moment. A device that has left its SAP is not there any more: its associations are ``gone`` and without effect.
    """

    def __init__(self, device: LogicalDevice, client: AdmittedClient, randomness: Randomness) -> None:
        self._device = device
        self._sap = device.sap
        self._client = client
        self._machine = ServerAssociation(
            client.settings, ClientView(device, client), randomness=randomness, history=client.history
        )
        self._standing: Agreement | None = None
        self._pending = False
        self._set_up = client.set_up
        self._told([])

    @property
    def machine(self) -> ServerAssociation:
        """The state machine."""
        return self._machine

    @property
    def agreement(self) -> Agreement | None:
        """What was agreed upon, where the association stands."""
        return self._standing

    @property
    def gone(self) -> bool:
        """Whether the device has left the SAP at which it was when the association was made."""
        return self._device.sap != self._sap

    def send(self, request: bytes) -> None:
        """Take a whole APDU that the device sends of its own accord."""
        self._machine.send(request)

    def receive(self, octets: bytes, now: float) -> list[ServerEvent]:
        """Take one APDU of the client; its answer is due afterwards. now: seconds, of one clock for all connections."""
        if self.gone:
            return self.lost()
        if octets[:1] == _AARQ:
            self._machine.settings = self._client.settings
            self._set_up = self._client.set_up
        else:
            self._take_keys()
        return self._told(self._machine.receive(octets, now))

    def receive_broadcast(self, octets: bytes, now: float) -> None:
        """Take one APDU that was sent to all logical devices: nothing is answered."""
        if not self.gone:
            self._take_keys()
            self._machine.receive_broadcast(octets, now)

    def _take_keys(self) -> None:
        """Go on with the keys and the policy that the Security setup has given it meanwhile.

        An association with a dedicated key keeps those that it was opened with, counters included, until it ends.
        """
        machine, settings, context = self._machine, self._client.settings, self._machine.context
        if self._set_up == self._client.set_up:
            return
        if context is None or self._standing is None or context.material.dedicated_key is not None:
            return
        self._set_up = self._client.set_up
        machine.settings = settings
        machine.context = fresh = settings.security_context(context.peer_title, True)
        if fresh is not None and self._standing.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            fresh.set_largest_apdu(settings.largest_joined)

    def octets_to_send(self) -> bytes:
        """Return the next APDU that is due, or nothing."""
        return self._machine.octets_to_send()

    def deadline(self) -> float | None:
        """Return when :meth:`tick` is due, or None."""
        return self._machine.deadline()

    def tick(self, now: float) -> list[ServerEvent]:
        """Tell the time."""
        return self._told(self._machine.tick(now))

    def lost(self) -> list[ServerEvent]:
        """The lower layer is gone (COSEM-ABORT.indication)."""
        return self._told(self._machine.lost())

    def _told(self, events: list[ServerEvent]) -> list[ServerEvent]:
        client, machine = self._client, self._machine
        for event in events:
            if isinstance(event, Associated):
                self._device.associated(client, event.client_title)
            elif isinstance(event, Refused):
                details = {"client_sap": client.client_sap, "reason": event.reason}
                self._device.happened("association-failed", **details, authentication=event.authentication)
        standing = machine.agreement if machine.state is State.ASSOCIATED else None
        if standing is not self._standing:
            if self._standing is not None:
                client.agreements.remove(self._standing)
            if standing is not None:
                client.agreements.append(standing)
            self._standing = standing
        pending = machine.state is State.ASSOCIATION_PENDING
        client.pending += pending - self._pending
        self._pending = pending
        return events


class PhysicalDevice:
    """Logical devices by their SAPs. Raises ConfigurationError for none, or two with one SAP or name."""

    def __init__(self, *devices: LogicalDevice) -> None:
        self._devices = devices
        saps = [device.sap for device in devices if device.sap != NO_SAP]
        if not devices or len({*saps}) < len(saps) or len({device.name for device in devices}) < len(devices):
            raise ConfigurationError("a physical device has logical devices, each with a SAP and a name of its own")
        management = self._at(MANAGEMENT_LOGICAL_DEVICE)
        if management is not None and management.object(SAPAssignment.class_id, SAP_ASSIGNMENT) is None:
            management.add(SAPAssignmentObject(self))

    @property
    def devices(self) -> tuple[LogicalDevice, ...]:
        """The logical devices, in the order given."""
        return self._devices

    def assign(self, device: LogicalDevice, sap: int) -> None:
        """Move a device to a SAP; 0 disconnects it. Raises ConfigurationError where that is taken or none."""
        if not NO_SAP <= sap <= GREATEST_SERVER_SAP:
            raise ConfigurationError(f"a server SAP is 0 to {GREATEST_SERVER_SAP}, not {sap}")
        if sap != NO_SAP and self._at(sap) not in (None, device):
            raise ConfigurationError(f"SAP {sap} is that of another logical device")
        device.connect(sap)

    def association(
        self, client_sap: int, server_sap: int, *, randomness: Randomness = secrets.token_bytes
    ) -> DeviceAssociation | None:
        """Return a fresh association for a pair of SAPs; None where there is no such client or logical device."""
        device = self._at(server_sap)
        client = device.client(client_sap) if device is not None else None
        return None if device is None or client is None else DeviceAssociation(device, client, randomness)

    def pre_established(self, client_sap: int) -> Iterator[int]:
        """Return the SAPs of the logical devices with which an association of that client stands from the beginning."""
        for device in self._devices:
            client = device.client(client_sap)
            if device.sap != NO_SAP and client is not None and client.settings.pre_established is not None:
                yield device.sap

    def _at(self, sap: int) -> LogicalDevice | None:
        found = (device for device in self._devices if device.sap == sap)
        return None if sap == NO_SAP else next(found, None)
