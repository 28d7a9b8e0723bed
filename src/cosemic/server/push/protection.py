"""How a push is protected: security policy of the push client's association, and push_protection_parameters.

::

    association      the policy of its Security setup asks for the protection of what the device sends
    parameters       one layer: authentication, encryption or both, under the global unicast or broadcast key; it comes
                     on top of the policy, and travels in general-glo-ciphering
                     whatever needs more: digital signatures, wrapped and agreed keys, several layers and other
                     information travel in general-ciphering and general-signing (:mod:`.layers`), where the
                     association has parties; otherwise they are named and refused

System titles are the own one and that of the client, or left out; transaction ids are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

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
from cosemic.security.general import GeneralProtection, LayerPlan
from cosemic.server.clients import AdmittedClient
from cosemic.server.push.layers import LayeredSettings, applied_by, plan_of
from cosemic.server.push.refusal import PushRefused

LARGEST_APDU: Final = 0xFFFF
"""Octets of an APDU in the wrapper; longer pushes are cut (general block transfer)."""
_ENCIPHERED: Final = Protection.AUTHENTICATED | Protection.ENCRYPTED
LARGEST_IN_DATAGRAM: Final = 65499
"""The same over UDP: with the headers of wrapper, UDP and IPv4 (8, 8 and 20 octets) a packet has 65535 at most."""
_APPLIES: Final[Mapping[int, Protection]] = {
    ProtectionType.AUTHENTICATION: Protection.AUTHENTICATED,
    ProtectionType.ENCRYPTION: Protection.ENCRYPTED,
    ProtectionType.AUTHENTICATION_AND_ENCRYPTION: Protection.AUTHENTICATED | Protection.ENCRYPTED,
}


def general_of(client: AdmittedClient) -> GeneralProtection | None:
    """Return the general protection of the association of a client, None where it has none. Raises PushRefused."""
    settings, title = client.settings, client.last_title
    if settings.parties is None or settings.material is None or not title:
        return None
    try:
        return settings.parties.protection(
            settings.system_title,
            title,
            settings.material,
            settings.counters,
            dialect=settings.dialect,
            encryption_alone=False,
            expand_to=LARGEST_APDU,
        )
    except ConfigurationError as error:
        raise PushRefused(str(error)) from None


def push_protection(
    client: AdmittedClient,
    elements: Sequence[ProtectionParametersElement],
    general: GeneralProtection | None = None,
) -> Protection:
    """Return what a push to a client is protected with. general: layers besides one of a global key.

    Raises PushRefused.
    """
    settings = client.settings
    policy: Protection = settings.policy.requires.response
    if not elements:
        return policy
    if general is not None and _is_layered(elements):
        return applied_by(_plan(client, elements, general)) | policy
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
    general: GeneralProtection | None = None,
) -> NotifyingSettings:
    """Return how notifications go to a client; response_timeout: seconds to wait for a confirmation.

    largest: octets of an APDU that the transport service carries. general: as of :func:`push_protection`. Raises
    PushRefused.
    """
    settings, protection = client.settings, push_protection(client, elements, general)
    beforehand = settings.pre_established
    if beforehand is not None and beforehand.max_pdu_size:
        largest = min(largest, beforehand.max_pdu_size)
    kept: dict[str, Any] = {
        "system_title": settings.system_title,
        "counters": settings.counters,
        "recipient_title": client.last_title,
        "max_pdu_size": largest,
        "response_timeout": response_timeout,
        "dialect": dialect,
        "limits": settings.limits,
    }
    try:
        if general is not None and _is_layered(elements):
            plan = _plan(client, elements, general)
            policy = settings.policy.requires.response
            inside = policy & _ENCIPHERED if policy & ~applied_by(plan) else Protection.NONE
            required = protection & _ENCIPHERED
            return LayeredSettings(
                layered=general, plan=plan, material=settings.material, protection=inside, require=required, **kept
            )
        return NotifyingSettings(
            material=settings.material if protection else None,
            protection=protection,
            broadcast=bool(elements) and _is_broadcast(elements[0].protection_options),
            **kept,
        )
    except ConfigurationError as error:
        raise PushRefused(str(error)) from None


def _is_layered(elements: Sequence[ProtectionParametersElement]) -> bool:
    """Whether parameters ask for what only general-ciphering and general-signing can do."""
    if len(elements) != 1 or elements[0].protection_type not in _APPLIES:
        return bool(elements)
    options = elements[0].protection_options
    return options.key_info.key_info_type != KeyInfoType.IDENTIFIED_KEY or bool(options.other_information)


def _plan(
    client: AdmittedClient, elements: Sequence[ProtectionParametersElement], general: GeneralProtection
) -> LayerPlan:
    """Return layers that can be applied, and are for the client. Raises PushRefused."""
    title, settings = client.last_title or b"", client.settings
    if settings.material is None:
        raise PushRefused(f"client {client.client_sap} has no keys to protect a push with")
    if general.own.title != settings.system_title:
        raise PushRefused("general protection of this push setup is that of another device")
    plan = plan_of(elements, settings.system_title, title)
    missing = settings.policy.requires.response & Protection.SIGNED & ~applied_by(plan)
    if missing:
        raise PushRefused("the security policy asks for a digital signature: add an element with protection_type 3")
    for layer in plan.layers:
        party = general.parties.get(layer.recipient or title)
        if layer.recipient not in (b"", title) or party is None:
            raise PushRefused("the recipient_system_title is not that of the push client: leave it empty")
        if layer.signing and general.own.signing_key is None:
            raise PushRefused("there is no key for digital signatures: give general protection one")
        if layer.key_info is not None and layer.key_info not in party.key_infos:
            raise PushRefused(f"key_info {layer.key_info.name.lower()} is not permitted for the push client")
    return plan


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
