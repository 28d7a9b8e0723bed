"""The three schemes of key agreement (NIST SP 800-56A; Green Book 9.2.3.4.6; reference, security 8).

::

    scheme                        U uses       V uses      transported, and signed
    C(2e,0s) ephemeral unified    ephemeral    ephemeral   both ways Q || signature(key_id || Q)
    C(1e,1s) one-pass             ephemeral    static      Q || signature(Q)
    C(0e,2s) static unified       static       static      nothing; the transaction-id makes the key fresh

U is the client in the first, the originator in the others. Z is wiped as soon as the key is derived. A signature is
verified before anything is computed with the key that it came with.

What the schemes cannot see is for the caller to refuse: one-pass keys come again with a repeated APDU, so a
transaction-id is taken once; a static key is the same for the same transaction-id, so it is *given* once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cosemic.codec.length import encode_length
from cosemic.dialect import STANDARD, Dialect, EphemeralSignature
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError
from cosemic.security.elliptic import AgreementKey, PublicKey, SigningKey, SoftwareAgreementKey, curve_of, wipe
from cosemic.security.key_derivation import Algorithm, kdf
from cosemic.security.keys import Key
from cosemic.security.signatures import verify
from cosemic.security.suite import SYSTEM_TITLE_LENGTH, SecuritySuite

ONE_PASS_PARAMETERS: Final = b"\x01"
"""key-parameters of an agreed key: C(1e,1s)."""
STATIC_PARAMETERS: Final = b"\x02"
"""key-parameters of an agreed key: C(0e,2s)."""
MASTER_KEY_ID: Final = 3
KEY_IDS: Final = frozenset(range(MASTER_KEY_ID + 1))
"""Keys that are agreed: 0 global unicast encryption, 1 global broadcast encryption, 2 authentication, 3 master key."""

TITLES: Final = "key agreement needs two different system titles of 8 octets: check the titles of both sides"
TRANSACTION: Final = "key agreement with static keys needs a transaction-id: it is what makes the key fresh"
OFFERS: Final = "the keys agreed are not those offered, each once: check what both sides want to agree"

MakeEphemeral = Callable[[SecuritySuite], AgreementKey]
"""Gives a fresh key pair; :meth:`SoftwareAgreementKey.generate` outside of tests."""


def one_pass_originator(
    signing_key: SigningKey,
    recipient: PublicKey,
    originator_title: bytes,
    recipient_title: bytes,
    *,
    suite: SecuritySuite,
    dialect: Dialect = STANDARD,
    algorithm: Algorithm | None = None,
    make_ephemeral: MakeEphemeral = SoftwareAgreementKey.generate,
) -> tuple[Key, bytes]:
    """Return a fresh key of C(1e,1s) and the key-ciphered-data for it, 128 or 192 octets.

    signing_key: digital signature key of the originator. recipient: its static key agreement key. algorithm: the use
    of the key; encryption unless told otherwise. Raises ConfigurationError for keys that are not of the suite's curve,
    DecipheringError for titles that cannot be used.
    """
    _check(suite, originator_title, recipient_title, signing_key.public, recipient)
    ephemeral = make_ephemeral(suite)
    q = ephemeral.public.octets
    key = _derive(ephemeral, recipient, originator_title, recipient_title, suite, dialect, algorithm)
    return key, q + signing_key.sign(_one_pass_signed(q, dialect))


def one_pass_recipient(
    own: AgreementKey,
    signer: PublicKey,
    key_ciphered_data: bytes,
    originator_title: bytes,
    recipient_title: bytes,
    *,
    suite: SecuritySuite,
    dialect: Dialect = STANDARD,
    algorithm: Algorithm | None = None,
) -> Key:
    """Return the key of C(1e,1s) that key-ciphered-data stand for.

    own: static key agreement key. signer: digital signature key of the originator. Raises SignatureInvalid when the
    ephemeral key is not the originator's; DecodeError for another length than 128 or 192 octets, and for a signed key
    that is no point of the curve; otherwise as :func:`one_pass_originator`.
    """
    _check(suite, originator_title, recipient_title, own.public, signer)
    q, signature = _split(key_ciphered_data, suite)
    verify(signer, _one_pass_signed(q, dialect), signature)
    ephemeral = PublicKey.of(q, suite)
    return _derive(own, ephemeral, originator_title, recipient_title, suite, dialect, algorithm)


def static_unified(
    own: AgreementKey,
    peer: PublicKey,
    originator_title: bytes,
    recipient_title: bytes,
    transaction_id: bytes,
    *,
    suite: SecuritySuite,
    dialect: Dialect = STANDARD,
    algorithm: Algorithm | None = None,
) -> Key:
    """Return the key of C(0e,2s), the same on both sides.

    own, peer: static key agreement keys. transaction_id: of the APDU, without its length; never used before between
    these keys in this direction. Raises as :func:`one_pass_originator`; DecipheringError without a transaction-id too.
    """
    _check(suite, originator_title, recipient_title, own.public, peer)
    if not transaction_id:
        raise DecipheringError(TRANSACTION)
    party_u = originator_title + encode_length(len(transaction_id)) + transaction_id
    return _derive(own, peer, party_u, recipient_title, suite, dialect, algorithm)


class EphemeralAgreement:
    """One call of key_agreement of Security setup by C(2e,0s), of the client or of the server.

    signing_key: own digital signature key. peer: that of the other side. client_title, server_title: system titles.
    Each key has ephemeral pairs of its own; after :meth:`accept` they are gone, whether it succeeded or not.

    Raises ConfigurationError for keys that are not of the suite's curve, and when ``peer`` is the own key;
    DecipheringError for titles that cannot be used.
    """

    def __init__(
        self,
        signing_key: SigningKey,
        peer: PublicKey,
        client_title: bytes,
        server_title: bytes,
        *,
        suite: SecuritySuite,
        dialect: Dialect = STANDARD,
        make_ephemeral: MakeEphemeral = SoftwareAgreementKey.generate,
    ) -> None:
        _check(suite, client_title, server_title, signing_key.public, peer)
        self._signing_key = signing_key
        self._peer = peer
        self._titles = client_title, server_title
        self._suite = suite
        self._dialect = dialect
        self._make_ephemeral = make_ephemeral
        self._offered: dict[int, AgreementKey] = {}

    def offer(self, key_id: int) -> bytes:
        """Return the client's key_data for a key, 128 or 192 octets.

        Raises ConfigurationError for a key that is not agreed, or was offered already.
        """
        if key_id not in KEY_IDS or key_id in self._offered:
            raise ConfigurationError(f"key {int(key_id)} cannot be offered: each of 0 to 3 can, once")
        self._offered[key_id] = ephemeral = self._make_ephemeral(self._suite)
        return self._signed(key_id, ephemeral)

    def accept(self, key_id: int, answer: bytes) -> Key:
        """Return the key that the server's key_data stand for, it being the only one offered; as :meth:`accept_all`."""
        return self.accept_all([(key_id, answer)])[key_id]

    def accept_all(self, answers: Sequence[tuple[int, bytes]]) -> dict[int, Key]:
        """Return the keys that the server's answers, (key_id, key_data) each, stand for: all of them or none.

        Raises DecipheringError unless they are those offered, each once; SignatureInvalid, DecodeError as
        :func:`one_pass_recipient`.
        """
        offered, self._offered = self._offered, {}
        if sorted(key_id for key_id, _ in answers) != sorted(offered):
            raise DecipheringError(OFFERS)
        peers = self._verified(answers)
        return {key_id: self._derived(key_id, offered[key_id], peer) for key_id, peer in peers.items()}

    def answer(self, key_id: int, offer: bytes) -> tuple[bytes, Key]:
        """Return the server's key_data for a client's, and the key agreed; as :meth:`answer_all`."""
        ((_, answer),), keys = self.answer_all([(key_id, offer)])
        return answer, keys[key_id]

    def answer_all(self, offers: Sequence[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], dict[int, Key]]:
        """Return the server's answers to offers, (key_id, key_data) each, and the keys agreed: all of them or none.

        Raises DecipheringError for a key that is not agreed or offered twice; SignatureInvalid, DecodeError as
        :func:`one_pass_recipient`.
        """
        key_ids = [key_id for key_id, _ in offers]
        if len(set(key_ids)) != len(key_ids) or not KEY_IDS.issuperset(key_ids):
            raise DecipheringError(OFFERS)
        answers: list[tuple[int, bytes]] = []
        keys: dict[int, Key] = {}
        for key_id, peer in self._verified(offers).items():
            ephemeral = self._make_ephemeral(self._suite)
            keys[key_id] = self._derived(key_id, ephemeral, peer)
            answers.append((key_id, self._signed(key_id, ephemeral)))
        return answers, keys

    def _signed(self, key_id: int, ephemeral: AgreementKey) -> bytes:
        q = ephemeral.public.octets
        return q + self._signing_key.sign(bytes((key_id,)) + q)

    def _verified(self, received: Iterable[tuple[int, bytes]]) -> dict[int, PublicKey]:
        """Return the ephemeral keys of the other side, all of them verified."""
        keys = {}
        for key_id, key_data in received:
            q, signature = _split(key_data, self._suite)
            verify(self._peer, bytes((key_id,)) + q, signature)
            keys[key_id] = PublicKey.of(q, self._suite)
        return keys

    def _derived(self, key_id: int, ephemeral: AgreementKey, peer: PublicKey) -> Key:
        of = Algorithm.for_wrapping if key_id == MASTER_KEY_ID else Algorithm.for_encryption
        return _derive(ephemeral, peer, *self._titles, self._suite, self._dialect, of(self._suite))


def _check(suite: SecuritySuite, title_u: bytes, title_v: bytes, own: PublicKey, peer: PublicKey) -> None:
    curve = curve_of(suite)
    if own.curve is not curve or peer.curve is not curve:
        raise ConfigurationError(
            f"security suite {suite.id} agrees keys on {curve.name}, not on {own.curve.name} and {peer.curve.name}: "
            "check the certificates of both sides"
        )
    if own == peer:
        raise ConfigurationError("the peer's public key is the own one: check the certificates of both sides")
    if len(title_u) != SYSTEM_TITLE_LENGTH or len(title_v) != SYSTEM_TITLE_LENGTH or title_u == title_v:
        raise DecipheringError(TITLES)


def _split(key_data: bytes, suite: SecuritySuite) -> tuple[bytes, bytes]:
    """Return public key and signature of what is transported."""
    length = suite.public_key_length
    if len(key_data) != length + suite.signature_length:
        raise DecodeError(
            f"public key and signature, {length + suite.signature_length} octets", len(key_data), "key-ciphered-data"
        )
    return key_data[:length], key_data[length:]


def _one_pass_signed(q: bytes, dialect: Dialect) -> bytes:
    return b"\x01" + q if dialect.ephemeral_signature is EphemeralSignature.KEY_ID_AND_Q else q


def _derive(
    own: AgreementKey,
    peer: PublicKey,
    party_u: bytes,
    party_v: bytes,
    suite: SecuritySuite,
    dialect: Dialect,
    algorithm: Algorithm | None,
) -> Key:
    if algorithm is None:
        algorithm = Algorithm.for_encryption(suite)
    z = own.exchange(peer)
    try:
        return kdf(suite, z, algorithm, party_u, party_v, dialect)
    finally:
        wipe(z)
