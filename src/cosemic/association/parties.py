"""Who protects what is exchanged in an association by general-ciphering and general-signing (IEC 62056-5-3; reference,
security 5.3 to 5.5, 14).

Both sides of the association share global keys; third parties, who have no association of their own, agree on keys with
the server, and sign. Their APDUs are carried by the client, which puts its own layer around them::

    third party                      client                                server
    TP( request )          ->        client( TP( request ) )      ->       opened, rights held against it, served
    TP( response )         <-        taken off, handed on         <-       client( TP( response ) )

:class:`GeneralParties` is what one side has: its own private keys, the public ones of the others, and what it takes
from whom. From it, and from the keys of the moment, a :class:`GeneralProtection` is made when an association opens, and
anew when other public keys count than before: certificates come, run out, are revoked and removed while it stands.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from cosemic.dialect import Dialect, Quirk
from cosemic.errors import ConfigurationError
from cosemic.security import (
    AgreementKey,
    CounterStore,
    Key,
    Protection,
    PublicKey,
    SecurityMaterial,
    SigningKey,
    usable,
)
from cosemic.security.general import GeneralProtection, KeyEstablishment, OwnParty, Party, TransactionStore
from cosemic.security.general.opening import MAX_LAYERS, DateTimeCheck
from cosemic.security.general.party_keys import NO_PARTY_KEYS, PartyKeys
from cosemic.security.suite import SYSTEM_TITLE_LENGTH

BOTH: Final = Protection.AUTHENTICATED | Protection.ENCRYPTED
AGREED: Final = frozenset({KeyEstablishment.ONE_PASS, KeyEstablishment.STATIC})
"""The forms of key-info of those who hold no global key."""
UNICAST: Final = frozenset({KeyEstablishment.ABSENT, KeyEstablishment.GLOBAL_UNICAST})
"""The forms of key-info that stand for the global unicast encryption key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdParty:
    """A party without an association of its own, as the server knows it.

    title: 8 octets. authentication_key: AK of what is exchanged with it;
    :data:`~cosemic.security.keys.NO_AUTHENTICATION_KEY` where none is used. key_infos: the forms of key-info that are
    taken from it, agreed keys only. Its public keys are found by its title.

    Raises ConfigurationError.
    """

    title: bytes
    authentication_key: Key
    key_infos: frozenset[KeyEstablishment] = AGREED

    def __post_init__(self) -> None:
        if len(self.title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"the system title of a third party has 8 octets, not {len(self.title)}")
        if self.key_infos - AGREED:
            raise ConfigurationError("a third party holds no global key: it can only agree on keys, and sign")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralParties:
    """What one side of an association has for general-ciphering and general-signing.

    transactions: where transaction-ids are kept, shared by all that use the same keys; where keys of single messages
    are taken, a store that outlives the process. key_infos: the forms of key-info that are taken from the other side of
    the association, and that it takes. signing_key, agreement_key: the own private keys; those of
    :mod:`cosemic.security.certified_keys` may come later. keys: finds the public keys of the others. third_parties:
    (server) those whose requests are served, with the rights of the client that brings them. brokers_for: (client)
    titles of the third parties whose APDUs are handed on. max_layers: that are taken off one APDU. date_time_accepted:
    tells whether a date-time of 12 octets is recent enough; None: none is looked at.

    Raises ConfigurationError.
    """

    transactions: TransactionStore
    key_infos: frozenset[KeyEstablishment] = frozenset({KeyEstablishment.GLOBAL_UNICAST})
    signing_key: SigningKey | None = None
    agreement_key: AgreementKey | None = None
    keys: PartyKeys = NO_PARTY_KEYS
    third_parties: tuple[ThirdParty, ...] = ()
    brokers_for: Collection[bytes] = ()
    max_layers: int = MAX_LAYERS
    date_time_accepted: DateTimeCheck | None = None

    def __post_init__(self) -> None:
        if any(len(title) != SYSTEM_TITLE_LENGTH for title in self.brokers_for):
            raise ConfigurationError("the third parties that are handed on are named by system titles of 8 octets")
        if self.max_layers < 1:
            raise ConfigurationError(f"max_layers is 1 or more, not {self.max_layers}")

    def protection(
        self,
        own_title: bytes,
        peer_title: bytes,
        material: SecurityMaterial,
        counters: CounterStore,
        *,
        dialect: Dialect,
        encryption_alone: bool,
        expand_to: int,
    ) -> GeneralProtection:
        """Return the protection of one association, with the keys of this moment.

        own_title, peer_title: of both sides of it, 8 octets. material, counters: of the association. encryption_alone:
        layers of the peer that are encrypted and not authenticated are taken. expand_to: octets of the largest APDU.
        Raises ConfigurationError for keys and titles that do not go together.
        """
        peer = self._party(peer_title, self.key_infos, material=material, encryption_alone=encryption_alone)
        others = [
            self._party(one.title, one.key_infos, authentication_key=one.authentication_key)
            for one in self.third_parties
        ]
        return GeneralProtection(
            self.own(own_title),
            [peer, *others],
            suite=material.suite,
            counters=counters,
            transactions=self.transactions,
            dialect=dialect,
            brokers_for=frozenset(self.brokers_for),
            max_layers=self.max_layers,
            expand_to=expand_to,
            date_time_accepted=self.date_time_accepted,
        )

    def believed(self, peer_title: bytes) -> tuple[PublicKey | None, ...]:
        """Return the public keys that count at this moment, the own ones first: when they change, so does the
        protection."""
        titles = (peer_title, *(one.title for one in self.third_parties))
        own = (usable(self.signing_key), usable(self.agreement_key))
        return (
            *(None if handle is None else handle.public for handle in own),
            *(key for title in titles for key in believed(self.keys, title)),
        )

    def own(self, title: bytes) -> OwnParty:
        """Return this side with its keys of this moment."""
        return OwnParty(title=title, signing_key=usable(self.signing_key), agreement_key=usable(self.agreement_key))

    def _party(
        self,
        title: bytes,
        key_infos: frozenset[KeyEstablishment],
        *,
        material: SecurityMaterial | None = None,
        authentication_key: Key | None = None,
        encryption_alone: bool = False,
    ) -> Party:
        """Return what is known of a party: forms that need a public key which nobody vouches for are not among them."""
        signing, agreement = believed(self.keys, title)
        missing = set() if agreement else {KeyEstablishment.STATIC}
        if signing is None and agreement is None:
            missing.add(KeyEstablishment.ONE_PASS)
        return Party(
            title=title,
            key_infos=key_infos - missing,
            material=material,
            authentication_key=authentication_key,
            signing=signing,
            agreement=agreement,
            broker=material is not None and bool(self.third_parties),
            encryption_alone=encryption_alone,
        )


def believed(keys: PartyKeys, title: bytes) -> tuple[PublicKey | None, PublicKey | None]:
    """Return the public keys of a party that count at this moment: for signatures, and for key agreement."""
    return keys.signing_key_of(title), keys.agreement_key_of(title)


def check_parties(parties: GeneralParties, own_title: bytes, material: SecurityMaterial, dialect: Dialect) -> None:
    """Raise ConfigurationError for parties that cannot be those of an association with these keys."""
    parties.own(own_title).check(material.suite)
    if KeyEstablishment.WRAPPED in parties.key_infos and material.kek is None:
        raise ConfigurationError("wrapped keys need the master key beside the others (kek)")
    if KeyEstablishment.GLOBAL_BROADCAST in parties.key_infos and material.broadcast_key is None:
        raise ConfigurationError("key-info global-broadcast needs the broadcast key beside the others")
    titles = [own_title, *(one.title for one in parties.third_parties)]
    if len(set(titles)) < len(titles) or own_title in parties.brokers_for:
        raise ConfigurationError("two parties have the same system title")
    if Quirk.CIPHERED_BLOCKS in dialect.quirks:
        raise ConfigurationError("blocks that are ciphered one by one do not go with general protection of the whole")


def is_forgeable(protection: Protection, key_info: KeyEstablishment | None) -> bool:
    """Tell whether a layer could be a value of HLS mechanism 5: a tag alone, under the global unicast key.

    What is authenticated then are SC, AK and octets that the challenger chooses: META and the APDU among them.
    """
    return protection == Protection.AUTHENTICATED and key_info in UNICAST
