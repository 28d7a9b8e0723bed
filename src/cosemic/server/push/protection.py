"""How a push is protected: security policy of the push client's association, and push_protection_parameters.

::

    association      the policy of its Security setup asks for the protection of what the device sends
    parameters       none, or one layer: authentication, encryption or both, under the global unicast key or the
                     global broadcast key; it comes on top of the policy

What is protected travels in general-glo-ciphering. Named and refused is what needs more: digital signatures, wrapped
and agreed keys, several layers, and transaction id or other information, for which there is only general-ciphering.
System titles are the own one and that of the client, or left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cosemic.association.notifying import NotifyingSettings
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError
from cosemic.model.protection import (
    IdentifiedKey,
    KeyInfoType,
    ProtectionOptions,
    ProtectionParametersElement,
    ProtectionType,
)
from cosemic.security import Protection
from cosemic.server.clients import AdmittedClient
from cosemic.server.push.refusal import PushRefused

LARGEST_APDU: Final = 0xFFFF
"""Octets of an APDU in the wrapper; longer pushes are cut (general block transfer)."""
LARGEST_IN_DATAGRAM: Final = 65499
"""The same over UDP: with the headers of wrapper, UDP and IPv4 (8, 8 and 20 octets) a packet has 65535 at most."""
_APPLIES: Final[Mapping[int, Protection]] = {
    ProtectionType.AUTHENTICATION: Protection.AUTHENTICATED,
    ProtectionType.ENCRYPTION: Protection.ENCRYPTED,
    ProtectionType.AUTHENTICATION_AND_ENCRYPTION: Protection.AUTHENTICATED | Protection.ENCRYPTED,
}


def push_protection(client: AdmittedClient, elements: Sequence[ProtectionParametersElement]) -> Protection:
    """Return what a push to a client is protected with. Raises PushRefused."""
    settings = client.settings
    policy: Protection = settings.policy.requires.response
    if not elements:
        return policy
    if len(elements) > 1:
        raise PushRefused(f"{len(elements)} layers of protection: a push has one, give one element")
    asked = elements[0]
    applied = _APPLIES.get(asked.protection_type)
    if applied is None:
        raise PushRefused(f"protection_type {_name(asked.protection_type)} is not for pushes: use 0, 1 or 2")
    if settings.material is None:
        raise PushRefused(f"client {client.client_sap} has no keys to protect a push with")
    _check(client, asked.protection_options)
    return applied | policy


def sending(
    client: AdmittedClient,
    elements: Sequence[ProtectionParametersElement],
    *,
    response_timeout: float,
    largest: int = LARGEST_APDU,
    dialect: Dialect = STANDARD,
) -> NotifyingSettings:
    """Return how notifications go to a client; response_timeout: seconds to wait for a confirmation.

    largest: octets of an APDU that the transport service carries. Raises PushRefused.
    """
    settings, protection = client.settings, push_protection(client, elements)
    beforehand = settings.pre_established
    if beforehand is not None and beforehand.max_pdu_size:
        largest = min(largest, beforehand.max_pdu_size)
    broadcast = bool(elements) and _is_broadcast(elements[0].protection_options)
    try:
        return NotifyingSettings(
            system_title=settings.system_title,
            material=settings.material if protection else None,
            counters=settings.counters,
            protection=protection,
            recipient_title=client.last_title,
            broadcast=broadcast,
            max_pdu_size=largest,
            response_timeout=response_timeout,
            dialect=dialect,
            limits=settings.limits,
        )
    except ConfigurationError as error:
        raise PushRefused(str(error)) from None


def _check(client: AdmittedClient, options: ProtectionOptions) -> None:
    settings, key = client.settings, options.key_info
    if key.key_info_type != KeyInfoType.IDENTIFIED_KEY:
        raise PushRefused(f"key_info_type {_name(key.key_info_type)} is not for pushes: use an identified key")
    if key.key_info_options not in list(IdentifiedKey):
        raise PushRefused(f"no identified key is {key.key_info_options}")
    assert settings.material is not None
    if _is_broadcast(options) and settings.material.broadcast_key is None:
        raise PushRefused(f"client {client.client_sap} has no global broadcast key")
    if options.transaction_id or options.other_information:
        raise PushRefused("transaction id and other information need general-ciphering: leave them empty")
    if options.originator_system_title not in (b"", settings.system_title):
        raise PushRefused("the originator_system_title is not that of this device: leave it empty")
    if options.recipient_system_title not in (b"", client.last_title):
        raise PushRefused("the recipient_system_title is not that of the push client: leave it empty")


def _is_broadcast(options: ProtectionOptions) -> bool:
    return options.key_info.key_info_options == IdentifiedKey.GLOBAL_BROADCAST_ENCRYPTION_KEY


def _name(value: object) -> str:
    return getattr(value, "label", str(value))
