"""pydlms-client: what its library encodes, ciphers and cuts; its `PushDecoder`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydlms import DlmsData, ObisCode, SecurityContext
from pydlms.apdu.gbt import split_gbt
from pydlms.apdu.sn import InformationReportRequest
from pydlms.apdu.xdlms import AttributeDescriptor, DataNotification, EventNotificationRequest
from pydlms.push import PushDecoder
from pydlms.security.ciphering import wrap_general_glo
from pydlms.wrapper import encode_wrapper

from interop import meter
from interop.driver import first_counter
from interop.notifying.driver import Told, confirms, listen_with, main, plain, send_octets
from interop.notifying.forms import CLIENT, MOST, SHORT_NAME, TITLE, Form

CONFIRMED = 1 << 30
"""Service class of a long-invoke-id-and-priority."""


def _context(title: bytes, counter: int) -> Any:
    return SecurityContext(
        meter.ENCRYPTION_KEY, meter.AUTHENTICATION_KEY, client_system_title=title, invocation_counter=counter
    )


def _apdu(form: Form) -> bytes:
    value = DlmsData.uint32(form.number)
    if form.kind == "event":
        attribute = AttributeDescriptor(3, ObisCode.from_bytes(meter.ENERGY_IMPORT), 2)
        return bytes(EventNotificationRequest(attribute, value).to_bytes())
    if form.kind == "report":
        return bytes(InformationReportRequest(None, [SHORT_NAME], [value]).to_bytes())
    body = [DlmsData.octet_string(one) if isinstance(one, bytes) else value for one in form.content]
    number = form.number | (CONFIRMED if form.name == "confirmed" else 0)
    return bytes(DataNotification(number, DlmsData.structure(body)).to_bytes())


def send(form: Form, port: int) -> bool | None:
    """As a meter of its kind."""
    apdu = _apdu(form)
    if form.ciphered:
        apdu = wrap_general_glo(_context(meter.METER_TITLE, first_counter() + form.number), apdu)
    # Streaming on every block, the last one included, and window 0: nobody acknowledges anything.
    apdus = split_gbt(apdu, MOST - 9, 0, True) if form.blocks else [apdu]
    wpdus = [encode_wrapper(meter.SERVER_SAP, CLIENT, one) for one in apdus]
    said = send_octets(port, wpdus)
    return confirms(said, wpdus[0]) if form.name == "confirmed" else None


def _value(data: Any) -> Any:
    return [_value(one) for one in data.value] if isinstance(data.value, list) else plain(data.value)


def _told(message: Any) -> Told:
    sent = message.notification
    told: list[Any] = ["data", _value(sent.body)] if isinstance(sent, DataNotification) else []
    if isinstance(sent, EventNotificationRequest):
        named = sent.attribute
        told = [
            "event",
            int(named.class_id),
            named.instance_id.to_bytes().hex(),
            named.attribute_id,
            _value(sent.value),
        ]
    elif isinstance(sent, InformationReportRequest):
        told = ["report", list(sent.names), [_value(one) for one in sent.values]]
    title = message.system_title
    return {"told": told, "title": title.hex() if title else None, "authenticated": message.authenticated}


def _begin() -> Callable[[bytes], Iterable[Told]]:
    decoder = PushDecoder("wrapper", security=_context(TITLE, 1))
    return lambda octets: map(_told, decoder.feed(octets))


if __name__ == "__main__":
    main(listen_with(_begin), send)
