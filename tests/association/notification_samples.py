"""Settings of a meter that pushes and of who receives it, and what passes between them."""

from __future__ import annotations

from typing import Any

from cosemic.association.notified import NotificationReceiver, Originator, Originators, ReceivingSettings
from cosemic.association.notifying import NotificationSender, NotifyingSettings
from cosemic.security import MemoryCounterStore, SecurityMaterial
from cosemic.values import Secret
from tests.association.samples import CLIENT_TITLE, SERVER_TITLE, material

GBEK = bytes.fromhex("0F0E0D0C0B0A09080706050403020100")


def with_broadcast_key() -> SecurityMaterial:
    one = material()
    return SecurityMaterial(
        suite=one.suite,
        encryption_key=one.encryption_key,
        authentication_key=one.authentication_key,
        broadcast_key=SecurityMaterial.of(Secret(GBEK)).encryption_key,
    )


def sending(**more: Any) -> NotifyingSettings:
    """A meter with keys that reports to the client."""
    settings: dict[str, Any] = {
        "system_title": SERVER_TITLE,
        "material": material(),
        "counters": MemoryCounterStore(),
        "recipient_title": CLIENT_TITLE,
    }
    return NotifyingSettings(**settings | more)


def receiving(*originators: Originator, **more: Any) -> ReceivingSettings:
    """A client that knows these senders; the meter unless told."""
    known = {one.system_title: one for one in originators or (Originator(SERVER_TITLE, material()),)}
    settings: dict[str, Any] = {
        "keys": lambda title: known.get(title),
        "system_title": CLIENT_TITLE,
        "counters": MemoryCounterStore(),
    }
    return ReceivingSettings(**settings | more)


def sender(**more: Any) -> NotificationSender:
    return NotificationSender(sending(**more))


def receiver(*originators: Originator, shared: Originators | None = None, **more: Any) -> NotificationReceiver:
    return NotificationReceiver(receiving(*originators, **more), originators=shared)


def due(machine: Any) -> list[bytes]:
    """All APDUs that are due."""
    found = []
    while octets := machine.octets_to_send():
        found.append(octets)
    return found
