"""Changing the keys of a meter so that it is never lost: what is sent is kept before, and proved before it counts.

::

    the new keys are pending, durably        nothing was sent: a meter that is asked for has the current ones
    key_transfer is sent                     answered, refused, or nothing came: the meter is in doubt
    a fresh association is opened            under the pending keys, under the current ones: one of both answers
    an authenticated answer under ...        the pending keys: they are current now
                                             the current keys: the pending ones are forgotten, ChangeNotMade
    neither answers                          OutcomeUnknown; both stay, and the next opening tries again

A proof is that an association was opened under the keys and a reading in it was answered, with the protection that the
settings ask for and never less. What a meter says in clear proves nothing. Each key keeps its own invocation counters.
Each is tried once, or as often as a connection breaks, and once more where the meter names another counter: one that
counts failures does not shut us out.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from cosemic.association.parties import UNICAST
from cosemic.client.recovery import repeated
from cosemic.client.steps import Procedure
from cosemic.errors import ConfigurationError, CosemicError, DataAccessError, OutcomeUnknown, StoreError
from cosemic.model import AssociationLN, AssociationSN
from cosemic.model.security_setup import SetupKeyId
from cosemic.security import Key, Protection, SecurityMaterial
from cosemic.security.general.parties import PREFERRED
from cosemic.security.key_keeper import KeyKeeper, Keys, KeyState
from cosemic.values import Secret

if TYPE_CHECKING:
    from cosemic.client.session import Session

ASSOCIATION_KEYS: Final = (SetupKeyId.GLOBAL_UNICAST_ENCRYPTION_KEY, SetupKeyId.AUTHENTICATION_KEY)
"""The keys that an association proves."""
_FIELDS: Final = {
    SetupKeyId.GLOBAL_UNICAST_ENCRYPTION_KEY: "encryption_key",
    SetupKeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY: "broadcast_key",
    SetupKeyId.AUTHENTICATION_KEY: "authentication_key",
    SetupKeyId.MASTER_KEY: "kek",
}


def with_keys(material: SecurityMaterial, keys: Keys) -> SecurityMaterial:
    """Return security material with keys in place of its own. Raises ConfigurationError for a wrong length."""
    fresh: dict[str, Any] = {_FIELDS[key_id]: Key(secret) for key_id, secret in keys.items()}
    return replace(material, **fresh)


def material_of(session: Session) -> SecurityMaterial:
    """Return the keys that the session is opened with. Raises ConfigurationError where it has none."""
    material = session.settings.material
    if material is None:
        raise ConfigurationError("the meter is opened without keys: give encryption_key and authentication_key")
    return material


def check_provable(session: Session) -> None:
    """Raise ConfigurationError where no association under new keys would prove that the meter has them."""
    settings = session.settings
    required = settings.protection if settings.require is None else settings.require
    authenticated = settings.protection & required & Protection.AUTHENTICATED
    if not (settings.ciphered and settings.confirmed and authenticated):
        raise ConfigurationError(
            "new keys are sent and proved in an association whose messages are authenticated with the keys before and "
            "with the new ones: open the meter with ciphering, and with authentication in both directions"
        )


def check_sendable(session: Session, key_ids: Collection[SetupKeyId]) -> None:
    """Raise ConfigurationError for keys that cannot be proved, and where they could come to the meter too late.

    A key_transfer that somebody holds back must not be taken after the keys before were proved, and the new ones
    forgotten. The counter of the global key sees to that, that of a dedicated key does not, and keys of single messages
    have none.
    """
    check_provable(session)
    if session.settings.dedicated_key:
        raise ConfigurationError(
            "keys are not changed in an association with a dedicated key, where what is held back can be delivered "
            "later: open the meter without one"
        )
    if not _counted(session):
        raise ConfigurationError(
            "keys are not changed in layers whose key is that of one message, where what is held back can be delivered "
            "later: open the meter with layers under the global key, cipher:global-unicast, or without"
        )
    if not set(ASSOCIATION_KEYS) & set(key_ids):
        raise ConfigurationError(
            "broadcast and master key are proved by a key of the association that is changed with them, for the meter "
            "takes all keys or none: add the unicast encryption key"
        )


def _counted(session: Session) -> bool:
    """Whether what is asked carries a counter of the global unicast key, and is authenticated with it."""
    settings, plan = session.settings, session.layers or session.settings.layers
    if plan is None or settings.sealed_inside or settings.parties is None:
        return True
    preferred = next((kind for kind in PREFERRED if kind in settings.parties.key_infos), None)
    return any(
        layer.protection & Protection.AUTHENTICATED and (layer.key_info or preferred) in UNICAST
        for layer in plan.layers
    )


def fresh_keys(session: Session, keeper: KeyKeeper, wanted: Collection[SetupKeyId] | Keys) -> Keys:
    """Return the keys to be sent: those given, or drawn. Raises ConfigurationError for a wrong or known one."""
    length = material_of(session).suite.key_length
    keys = {
        SetupKeyId(key_id): wanted[key_id] if isinstance(wanted, Mapping) else Secret(secrets.token_bytes(length))
        for key_id in wanted
    }
    known = {*keeper.keys(KeyState.CURRENT).values(), *keeper.keys(KeyState.PREVIOUS).values()}
    if len(set(keys.values())) < len(keys) or known & set(keys.values()):
        raise ConfigurationError("a key is in use, was in use, or is given twice: draw a fresh one for each")
    if any(len(secret.reveal()) != length for secret in keys.values()):
        raise ConfigurationError(f"the keys of this meter have {length} octets each")
    return keys


def current_material(session: Session, keeper: KeyKeeper) -> SecurityMaterial:
    """Return the current keys as they are kept, beside those of the session that are not."""
    return with_keys(material_of(session), keeper.keys(KeyState.CURRENT))


def use_fresh(session: Session, material: SecurityMaterial) -> None:
    """Open associations under keys that were just made. Raises StoreError.

    The invocation counters of a fresh key begin at 0 on both sides, so that ours is known: nothing that a meter says in
    clear is needed to find it, and nobody can move it by saying something else. Those of a key that stays go on.
    """
    before = material_of(session)
    session.use_keys(material)
    if before.encryption_key == material.encryption_key:
        return
    context = session.settings.context()
    if context is not None:
        context.transmit.confirm()


def settled(session: Session, keeper: KeyKeeper, *, pending_first: bool = True) -> Procedure[bool]:
    """Find out which keys the meter has, and keep that; the association stands under them then.

    Returns whether it has the pending ones. Raises OutcomeUnknown where neither are proved, StoreError.
    """
    current = current_material(session, keeper)
    pending = with_keys(current, keeper.keys(KeyState.PENDING))
    failures: list[CosemicError] = []
    for is_pending in (pending_first, not pending_first):
        try:
            if is_pending:
                use_fresh(session, pending)
            else:
                session.use_keys(current)
            yield from _proved(session)
        except (StoreError, ConfigurationError):
            raise
        except CosemicError as error:
            error.add_note(f"tried: the {'pending' if is_pending else 'current'} keys")
            failures.append(error)
            continue
        if is_pending:
            keeper.promote()
        else:
            keeper.withdraw()
        return is_pending
    session.use_keys(current)
    reasons = "; ".join(dict.fromkeys(map(str, failures)))  # often the same with both keys
    raise OutcomeUnknown(
        "which keys the meter has is not known, both are kept: recover it when it can be reached, and give a keeper "
        f"when you connect ({reasons})"
    ) from failures[-1]


def _proved(session: Session) -> Procedure[None]:
    """Open a fresh association, and have a reading answered in it."""

    def attempt(anew: bool) -> Procedure[None]:
        yield from session.open()
        named = (AssociationLN if session.short_names is None else AssociationSN)("0-0:40.0.0")
        try:
            yield from session.get_attribute(named.logical_name)
        except DataAccessError:
            return  # it is refused, and by one who has the keys

    return repeated(session.recovery.reading, attempt)
