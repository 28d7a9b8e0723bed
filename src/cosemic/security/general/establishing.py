"""The key of one layer of general-ciphering, on both sides (reference, security 5.3, 8.1).

======================  ===============================================  ========================
key-info                key                                              fresh by
======================  ===============================================  ========================
absent, global unicast  GUEK                                             invocation counter
global broadcast        GBEK                                             invocation counter
wrapped                 drawn by the originator, wrapped under the KEK   transaction-id
C(1e,1s), C(0e,2s)      agreed                                           transaction-id
======================  ===============================================  ========================

Where META is not authenticated, a transaction-id could be changed: then it is the key itself that is remembered. So it
is where the transaction-id is empty and the dialect has :attr:`Quirk.NO_TRANSACTION_IDS`; of a signature the message
and r are remembered then, since s is not the only one that verifies. A message that is signed again, and comes out the
same, is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, TypeVar

from cosemic.dialect import Dialect, GeneralCipheringAad, Quirk, TransactionIds
from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.security.elliptic import AgreementKey, PublicKey
from cosemic.security.general.layout import GeneralHeader, KeyEstablishment, KeyInfo, SigningParts
from cosemic.security.general.parties import OwnParty, Party
from cosemic.security.general.transactions import Transaction, scope_of
from cosemic.security.hls import Randomness
from cosemic.security.key_agreement import MakeEphemeral, one_pass_originator, one_pass_recipient, static_unified
from cosemic.security.key_wrap import unwrap_key, wrap_key
from cosemic.security.keys import Key
from cosemic.security.protection import FAILED
from cosemic.security.suite import SecuritySuite
from cosemic.values.secret import Secret

WRAPPED: Final = KeyEstablishment.WRAPPED
ONE_PASS: Final = KeyEstablishment.ONE_PASS
STATIC: Final = KeyEstablishment.STATIC
Handle = TypeVar("Handle")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEstablisher:
    """Makes the keys of layers for one side. draw: random octets. make_ephemeral: a fresh key pair."""

    own: OwnParty
    suite: SecuritySuite
    dialect: Dialect
    draw: Randomness
    make_ephemeral: MakeEphemeral

    def given(self, kind: KeyEstablishment, party: Party, header: GeneralHeader) -> tuple[Key, KeyInfo]:
        """Return the key of a layer that is sent, and its key-info. Raises ConfigurationError without a needed key."""
        if kind is WRAPPED:
            secret = Secret(self.draw(self.suite.key_length), "wrapped key")
            return Key(secret), KeyInfo(kind, wrap_key(_there(_kek(party), kind), secret, self.suite))
        if kind is ONE_PASS:
            key, data = one_pass_originator(
                _there(self.own.signing_key, kind),
                _there(party.agreement, kind),
                header.originator,
                header.recipient,
                suite=self.suite,
                dialect=self.dialect,
                make_ephemeral=self.make_ephemeral,
            )
            return key, KeyInfo(kind, data)
        if kind is STATIC:
            own, peer = _there(self.own.agreement_key, kind), _there(party.agreement, kind)
            return self._static(own, peer, header), KeyInfo(kind)
        return _there(installed(kind, party), kind), KeyInfo(kind)

    def can_give(self, kind: KeyEstablishment, party: Party) -> bool:
        """Tell whether the keys are there that a layer of that kind needs which is sent."""
        if kind is WRAPPED:
            return _kek(party) is not None
        if kind is ONE_PASS:
            return self.own.signing_key is not None and party.agreement is not None
        if kind is STATIC:
            return self.own.agreement_key is not None and party.agreement is not None
        return installed(kind, party) is not None

    def taken(self, info: KeyInfo, party: Party, header: GeneralHeader) -> Key:
        """Return the key of a layer that was received.

        Raises DecipheringError without a needed key and where the key does not unwrap; SignatureInvalid, before
        anything is computed with it, for an ephemeral key that is not the originator's; DecodeError.
        """
        own = self.own.agreement_key
        key: Key | None = None
        if info.kind is WRAPPED:
            kek = _kek(party)
            key = None if kek is None else Key(unwrap_key(kek, info.data, self.suite, "wrapped key"))
        elif info.kind is ONE_PASS:
            if own is not None and party.signing is not None:
                titles = header.originator, header.recipient
                key = one_pass_recipient(own, party.signing, info.data, *titles, suite=self.suite, dialect=self.dialect)
        elif info.kind is STATIC:
            if own is not None and party.agreement is not None and not info.data:
                key = self._static(own, party.agreement, header)
        else:
            key = installed(info.kind, party)
        if key is None:
            raise DecipheringError(FAILED)
        return key

    def _static(self, own: AgreementKey, peer: PublicKey, header: GeneralHeader) -> Key:
        return static_unified(
            own,
            peer,
            header.originator,
            header.recipient,
            header.transaction_id,
            suite=self.suite,
            dialect=self.dialect,
        )

    def by_id(
        self, kind: KeyEstablishment, party: Party, header: GeneralHeader, *, authenticated: bool
    ) -> Transaction | None:
        """Return the transaction that makes a received layer fresh; None where its id could have been changed, or
        may be missing."""
        # With static keys the transaction-id is in the key.
        fixed = authenticated and self.dialect.general_ciphering_aad is GeneralCipheringAad.META
        if kind is not STATIC and (not fixed or self.goes_without_id(header)):
            return None
        return Transaction(self.scope(kind, party), party.title, header.transaction_id, self.dialect.transaction_ids)

    def by_key(self, kind: KeyEstablishment, party: Party, key: Key) -> Transaction:
        """Return the transaction that makes a received layer fresh, where only its key does."""
        scope = scope_of("key", self.scope(kind, party))
        return Transaction(scope, party.title, key.identity, TransactionIds.REMEMBERED)

    def used(self, party: Party, header: GeneralHeader, *, own: bool) -> Transaction:
        """Return the giving of a transaction-id under static keys. own: it is one of the own numbers, which rise."""
        rule = TransactionIds.RISING if own else self.dialect.transaction_ids
        scope = scope_of("given own" if own else "given", self.scope(STATIC, party))
        return Transaction(scope, self.own.title, header.transaction_id, rule)

    def signed(self, party: Party, parts: SigningParts) -> Transaction:
        """Return the transaction that makes a received signature fresh."""
        assert party.signing is not None
        scope = scope_of("signing", party.signing.octets, self.own.title)
        if self.goes_without_id(parts.header):
            r = parts.signature[: len(parts.signature) // 2]
            signed = hashlib.sha256(parts.meta + parts.content + r).digest()
            return Transaction(scope_of("signature", scope), party.title, signed, TransactionIds.REMEMBERED)
        return Transaction(scope, party.title, parts.header.transaction_id, self.dialect.transaction_ids)

    def goes_without_id(self, header: GeneralHeader) -> bool:
        """Tell whether the transaction-id is empty and may be."""
        return not header.transaction_id and Quirk.NO_TRANSACTION_IDS in self.dialect.quirks

    def scope(self, kind: KeyEstablishment, party: Party) -> bytes:
        """Return the scope of transactions under the keys of a kind that are shared with a party."""
        if kind is WRAPPED:
            kek = _kek(party)
            return scope_of("wrapped", b"" if kek is None else kek.identity, self.own.title)
        handle, peer = self.own.agreement_key, party.signing if kind is ONE_PASS else party.agreement
        keys = [each.octets for each in (handle.public if handle else None, peer) if each is not None]
        return scope_of(kind.name, *keys)


def installed(kind: KeyEstablishment, party: Party) -> Key | None:
    """Return the global key that a key-info names, None where there is none."""
    if party.material is None:
        return None
    if kind is KeyEstablishment.GLOBAL_BROADCAST:
        return party.material.broadcast_key
    return party.material.encryption_key


def _kek(party: Party) -> Key | None:
    return None if party.material is None else party.material.kek


def _there(handle: Handle | None, kind: KeyEstablishment) -> Handle:
    if handle is None:
        raise ConfigurationError(f"a layer with key-info {kind.label} needs a key that was not given")
    return handle
