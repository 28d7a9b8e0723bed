"""gurux-dlms: `GXDLMSSecureNotify`, which makes what a meter sends, and its client, which reads what one has sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gurux_dlms import GXByteBuffer, GXReplyData
from gurux_dlms.enums import Authentication, Command, Conformance, DataType, InterfaceType, Security
from gurux_dlms.internal._GXCommon import _GXCommon
from gurux_dlms.objects import GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient
from gurux_dlms.secure.GXDLMSSecureNotify import GXDLMSSecureNotify

from interop import meter
from interop.driver import first_counter
from interop.notifying.driver import Told, confirms, listen_with, main, plain, send_octets
from interop.notifying.forms import CLIENT, MOST, SHORT_NAME, Form


def _keys(ciphering: Any, title: bytes, counter: int) -> None:
    ciphering.systemTitle = title
    ciphering.blockCipherKey = bytearray(meter.ENCRYPTION_KEY)
    ciphering.authenticationKey = bytearray(meter.AUTHENTICATION_KEY)
    ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    ciphering.invocationCounter = counter


def _energy(form: Form | None = None) -> Any:
    register = GXDLMSRegister(".".join(map(str, meter.ENERGY_IMPORT)))
    register.shortName = SHORT_NAME - 8
    if form is not None:
        register.value = form.number
        register.setDataType(2, DataType.UINT32)
    return register


def send(form: Form, port: int) -> bool | None:
    """As a meter of its kind."""
    notify = GXDLMSSecureNotify(form.kind != "report", CLIENT, meter.SERVER_SAP, InterfaceType.WRAPPER)
    if form.ciphered:
        notify.conformance |= Conformance.GENERAL_PROTECTION
        _keys(notify.ciphering, meter.METER_TITLE, first_counter() + form.number)
    if form.blocks:
        notify.conformance |= Conformance.GENERAL_BLOCK_TRANSFER
        notify.maxReceivePDUSize = MOST
    if form.kind == "data":
        body = GXByteBuffer()
        body.setUInt8(DataType.STRUCTURE)
        body.setUInt8(len(form.content))
        for one in form.content:
            data_type = DataType.OCTET_STRING if isinstance(one, bytes) else DataType.UINT32
            _GXCommon.setData(notify.settings, body, data_type, one)
        messages = notify.generateDataNotificationMessages(None, body)
    else:
        messages = notify.generateReport(None, [(_energy(form), 2)])
    # Every data-notification of it asks for a confirmation, with high priority: 0F C0 000001. It reads none.
    wpdus = [bytes(one) for one in messages]
    said = send_octets(port, wpdus)
    return confirms(said, wpdus[0]) if form.name == "confirmed" else None


def _begin() -> Callable[[bytes], Iterable[Told]]:
    client = GXDLMSSecureClient(True, CLIENT, meter.SERVER_SAP, Authentication.NONE, None, InterfaceType.WRAPPER)
    _keys(client.ciphering, b"GRX\x00\x00\x00\x00\x02", 1)
    energy = _energy()
    client.objects.append(energy)
    received, notification = GXByteBuffer(), GXReplyData()

    def take(octets: bytes) -> Iterable[Told]:
        received.set(octets)
        while received.available():
            client.getData(received, GXReplyData(), notification)
            if not notification.complete:
                return
            if not notification.isMoreData():
                yield {"told": _told(client, energy, notification)}
                notification.clear()

    return take


def _told(client: Any, energy: Any, notification: Any) -> list[Any]:
    if notification.command in (Command.EVENT_NOTIFICATION, Command.INFORMATION_REPORT):
        changed: list[Any] = []
        client.parseReport(notification, changed)
        ((target, attribute),) = changed
        if notification.command == Command.EVENT_NOTIFICATION:
            return ["event", int(target.objectType), meter.ENERGY_IMPORT.hex(), attribute, int(energy.value)]
        return ["report", [target.shortName + 8 * (attribute - 1)], [int(energy.value)]]
    return ["data", plain(notification.value)]


if __name__ == "__main__":
    main(listen_with(_begin), send)
