"""Ours: the push setup of a meter with its outlet, and what sends notifications without one; the acceptor."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosemic.apdu import CosemAttributeDescriptor, DataNotification, EventNotificationRequest
from cosemic.association.notifications import Notification, Notified, NotifyData, NotifyEvent, ReportInformation
from cosemic.association.notifying import Delivered, NotificationSender, NotifyingEvent, NotifyingSettings
from cosemic.association.service_provider import ServerSettings
from cosemic.client.acceptor import Acceptor, Pushed
from cosemic.codec import DataType, EncodedData
from cosemic.link.contract import ApduReceived
from cosemic.link.wrapper import WrapperLink
from cosemic.model.push import (
    PushMessage,
    PushObjectDefinition,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
)
from cosemic.security import MemoryCounterStore, Protection, SecurityMaterial
from cosemic.server import Admission, ClockObject, LogicalDevice, PushOutlet, PushSetupObject, data, managing
from cosemic.store.meters import KnownMeter
from cosemic.values import Obis, Secret
from interop import meter
from interop.notifying.driver import PATIENCE, Told, main, plain, send_octets
from interop.notifying.forms import CLIENT, MOST, SHORT_NAME, TITLE, Form
from interop.ours import settings_of

_COUNTERS = MemoryCounterStore()
_HELD = (Obis(meter.LOGICAL_DEVICE_NAME), Obis("0-0:96.1.1"), Obis("0-0:96.1.2"))
"""Name, moment and number, as Data objects."""


def _number(form: Form) -> EncodedData:
    return EncodedData.of(DataType.DOUBLE_LONG_UNSIGNED, form.number)


def _notification(form: Form) -> Notification:
    if form.kind == "event":
        return NotifyEvent(CosemAttributeDescriptor(3, Obis(meter.ENERGY_IMPORT), 2), _number(form))
    if form.kind == "report":
        return ReportInformation((SHORT_NAME,), (_number(form),))
    body = [
        (DataType.OCTET_STRING, one) if isinstance(one, bytes) else (DataType.DOUBLE_LONG_UNSIGNED, one)
        for one in form.content
    ]
    return NotifyData(EncodedData.of(DataType.STRUCTURE, tuple(body)), confirmed=form.name == "confirmed")


def _send_directly(form: Form, port: int) -> bool | None:
    """As a device that knows its destination, and what that takes."""
    settings = NotifyingSettings(max_pdu_size=MOST if form.blocks else 0)
    if form.ciphered:
        material = SecurityMaterial.of(Secret(meter.ENCRYPTION_KEY), Secret(meter.AUTHENTICATION_KEY))
        settings = dataclasses.replace(
            settings, system_title=meter.METER_TITLE, material=material, counters=_COUNTERS, recipient_title=TITLE
        )
    sender, link = NotificationSender(settings), WrapperLink()
    sender.send(_notification(form))
    while apdu := sender.octets_to_send():
        link.send(apdu, source=meter.SERVER_SAP, destination=CLIENT)
    events: list[NotifyingEvent] = []
    for answer in link.receive(send_octets(port, [link.octets_to_send()]), 0.0):
        if isinstance(answer, ApduReceived):
            events += sender.receive(answer.apdu, 0.0)
    return any(isinstance(one, Delivered) for one in events) if form.name == "confirmed" else None


def _pushing(form: Form, port: int) -> tuple[LogicalDevice, PushSetupObject]:
    """A meter that is to push to that port what the form holds."""
    device = LogicalDevice(meter.DEVICE_NAME.decode(), association_version=3)
    clock = device.add(ClockObject(utc_offset=0))
    for name, one in zip(_HELD[1:], form.content[1:], strict=True):
        data_type = DataType.OCTET_STRING if isinstance(one, bytes) else DataType.DOUBLE_LONG_UNSIGNED
        device.add(data(name, data_type, one))
    settings = ServerSettings()
    if form.ciphered:
        settings = settings_of(meter.ASSOCIATIONS["hls-gmac"])
        settings = dataclasses.replace(settings, counters=_COUNTERS, client_title=TITLE)
    device.admit(Admission(client_sap=CLIENT, settings=settings, rights=managing()))
    everything = RestrictionElement(RestrictionType.NONE, None)
    setup = PushSetupObject(
        device,
        clock,
        push_object_list=[PushObjectDefinition(1, name, 2, 0, everything, ()) for name in _HELD],
        send_destination_and_method=SendDestinationAndMethod(
            TransportService.TCP, f"{meter.HOST}:{port}".encode(), PushMessage.A_XDR_APDU
        ),
        push_client_SAP=CLIENT,
    )
    return device, device.add(setup)


async def _push(form: Form, port: int) -> None:
    device, setup = _pushing(form, port)
    came = asyncio.Event()
    names: list[str] = []

    def told(happening: Any) -> None:
        if happening.name.startswith("push-"):
            names.append(happening.name)
            came.set()

    device.listeners.append(told)
    async with PushOutlet(device, poll=0.02, linger=0.05):
        setup.push(device.now())
        device.outbox.stir()
        await asyncio.wait_for(came.wait(), PATIENCE)
    if names != ["push-delivered"]:
        raise RuntimeError(", ".join(names))


def send(form: Form, port: int) -> bool | None:
    """As our meter."""
    if form.name.startswith("setup"):
        return asyncio.run(_push(form, port))
    return _send_directly(form, port)


def _told(notified: Notified) -> Told:
    apdu = notified.apdu
    told: list[Any]
    if isinstance(apdu, DataNotification):
        told = ["data", plain(apdu.notification_body.value())]
    elif isinstance(apdu, EventNotificationRequest):
        named = apdu.cosem_attribute_descriptor
        value = apdu.attribute_value.value()
        told = ["event", named.class_id, named.instance_id.octets.hex(), named.attribute_id, value]
    else:
        told = ["report", plain(apdu.variable_access_specification), plain([one.value() for one in apdu.list_of_data])]
    title = notified.system_title
    return {"told": told, "title": title.hex() if title else None, "authenticated": notified.authenticated}


def listen(tell: Callable[[Told], None]) -> None:
    """As a head-end that knows the keys of the meter."""

    async def accept(folder: str) -> None:
        security = {
            "encryption_key": meter.ENCRYPTION_KEY,
            "authentication_key": meter.AUTHENTICATION_KEY,
            "system_title": TITLE,
            "server_title": meter.METER_TITLE,
            "counters": str(Path(folder) / "counters"),
        }
        known = {"meter": KnownMeter("meter", f"tcp://{meter.HOST}:1?client={CLIENT}&server=1", security)}
        async with Acceptor(
            f"tcp://{meter.HOST}:4059?client={CLIENT}", known, port=0, require=Protection.NONE, ask_names=False
        ) as acceptor:
            tell({"port": acceptor.port})
            async for event in acceptor:
                if isinstance(event, Pushed):
                    tell(_told(event.notified))

    with tempfile.TemporaryDirectory(prefix="cosemic-interop-") as folder:
        asyncio.run(accept(folder))


if __name__ == "__main__":
    main(listen, send)
