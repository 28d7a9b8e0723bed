"""The formulas of authentication mechanisms 1 to 7 (IEC 62056-5-3 and Green Book 9.2.7.4; reference, security 6).

::

    pass 1   client -> server   CtoS in the AARQ          pass 3   client -> server   f(StoC)
    pass 2   server -> client   StoC in the AARE          pass 4   server -> client   f(CtoS)

    mechanism      f(StoC)                                               f(CtoS)
    2 secret       as the maker says                                     the same of CtoS
    3 MD5          MD5(StoC | secret)                                    MD5(CtoS | secret)
    4 SHA-1        SHA-1(StoC | secret)                                  SHA-1(CtoS | secret)
    5 GMAC         SC | IC | GMAC(title C | IC; SC | AK | StoC)          SC | IC | GMAC(title S | IC; SC | AK | CtoS)
    6 SHA-256      SHA-256(secret | title C | title S | StoC | CtoS)     titles and challenges exchanged
    7 ECDSA        signature of C over title C | title S | StoC | CtoS   of S, titles and challenges exchanged

In each formula one side answers a challenge of the other: ``answered`` is the challenge that came, ``own`` the one that
was sent. Both sides of an association, with the rules that the formulas alone do not give, are in
:mod:`cosemic.security.authentication`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from cosemic.errors import AuthenticationFailed, ConfigurationError, SignatureInvalid
from cosemic.security import signatures
from cosemic.security.elliptic import PublicKey, SigningKey
from cosemic.security.keys import Key
from cosemic.security.suite import COUNTER_LIMIT, SYSTEM_TITLE_LENGTH, TAG_LENGTH, SecurityControl
from cosemic.values.secret import Secret

SHORTEST_CHALLENGE: Final = 8
LONGEST_CHALLENGE: Final = 64
CHALLENGE_LENGTH: Final = 16
"""Octets that are sent unless told otherwise; some meters take no other length."""
SHORTEST_SIGNED_CHALLENGE: Final = 32
"""Of mechanism 7, which sends as many unless told otherwise."""
GMAC_VALUE_LENGTH: Final = 17

Randomness = Callable[[int], bytes]
"""Gives so many octets; :func:`secrets.token_bytes` outside of tests."""
Transformation = Callable[[bytes, Secret], bytes]
"""f of mechanism 2, which each maker defines: challenge and secret in, value out."""


def make_challenge(
    length: int = CHALLENGE_LENGTH, randomness: Randomness = secrets.token_bytes, *, shortest: int = SHORTEST_CHALLENGE
) -> bytes:
    """Return a fresh challenge of ``shortest`` to 64 octets. Raises ConfigurationError for another length."""
    if not shortest <= length <= LONGEST_CHALLENGE:
        raise ConfigurationError(f"a challenge has {shortest} to 64 octets, not {length}")
    return randomness(length)


def password_matches(expected: Secret, received: bytes) -> bool:
    """Tell whether the password of mechanism 1 is right, in constant time over equal lengths.

    A server that has no password set refuses all, the empty one included.
    """
    right = expected.reveal()
    return compare_digest(right, received) and bool(right)


def aes_128_ecb(challenge: bytes, secret: Secret) -> bytes:
    """Transform a challenge as is common in the field for mechanism 2: AES-128-ECB with the secret as key.

    Challenge and secret are filled up with zeros to whole blocks of 16 octets. Raises ConfigurationError when the
    secret is longer than 16 octets.
    """
    key = secret.reveal()
    if not 1 <= len(key) <= 16:
        raise ConfigurationError(f"the secret of AES-128-ECB (mechanism 2) has 1 to 16 octets, not {len(key)}")
    cipher = Cipher(AES(key.ljust(16, b"\0")), ECB()).encryptor()  # noqa: S305 - the makers' choice, not ours
    return cipher.update(challenge.ljust(-(-len(challenge) // 16) * 16, b"\0")) + cipher.finalize()


def md5(answered: bytes, secret: Secret) -> bytes:
    """Return f of mechanism 3: 16 octets. Deprecated, for meters that know no better."""
    return hashlib.md5(answered + secret.reveal(), usedforsecurity=False).digest()


def sha1(answered: bytes, secret: Secret) -> bytes:
    """Return f of mechanism 4: 20 octets. Deprecated, for meters that know no better."""
    return hashlib.sha1(answered + secret.reveal(), usedforsecurity=False).digest()


def sha256(answered: bytes, own: bytes, answering_title: bytes, asking_title: bytes, secret: Secret) -> bytes:
    """Return f of mechanism 6: 32 octets. Raises AuthenticationFailed when a title has not 8 octets."""
    named = _of_both_sides(6, answering_title, asking_title, answered, own)
    return hashlib.sha256(secret.reveal() + named).digest()


def ecdsa(answered: bytes, own: bytes, answering_title: bytes, asking_title: bytes, key: SigningKey) -> bytes:
    """Return f of mechanism 7: the signature r | s of the side that answers, 64 or 96 octets.

    Raises AuthenticationFailed when a title has not 8 octets.
    """
    return key.sign(_of_both_sides(7, answering_title, asking_title, answered, own))


def verify_ecdsa(
    value: bytes, answered: bytes, own: bytes, answering_title: bytes, asking_title: bytes, public: PublicKey
) -> None:
    """Return for a right value of mechanism 7; ``public`` is the key of the side that answers.

    The other arguments are those of :func:`ecdsa`. Raises AuthenticationFailed, always the same.
    """
    try:
        signatures.verify(public, _of_both_sides(7, answering_title, asking_title, answered, own), value)
    except SignatureInvalid:
        raise AuthenticationFailed(NOT_SIGNED) from None


def _of_both_sides(mechanism: int, answering_title: bytes, asking_title: bytes, answered: bytes, own: bytes) -> bytes:
    """Return titles and challenges in the order of mechanisms 6 and 7."""
    for title in (answering_title, asking_title):
        if len(title) != SYSTEM_TITLE_LENGTH:
            raise AuthenticationFailed(
                f"mechanism {mechanism} needs both system titles of 8 octets, not one of {len(title)}"
            )
    return answering_title + asking_title + answered + own


def gmac_control(suite: int, *, without_suite: bool = False) -> SecurityControl:
    """Return SC of mechanism 5: ``10`` and the suite; bare ``10`` where the dialect says ``without_suite``."""
    return SecurityControl.of(0 if without_suite else suite, authenticated=True)


def gmac(
    answered: bytes,
    key: Key,
    authentication_key: Key,
    answering_title: bytes,
    invocation_counter: int,
    control: SecurityControl,
) -> bytes:
    """Return f of mechanism 5: SC, IC and tag, 17 octets.

    key: the encryption key. answering_title: 8 octets, of the side that answers. invocation_counter: the next of its
    transmit counter for that key. Raises AuthenticationFailed for another title or counter than can be used.
    """
    if len(answering_title) != SYSTEM_TITLE_LENGTH or not 0 <= invocation_counter < COUNTER_LIMIT:
        raise AuthenticationFailed("mechanism 5 needs a system title of 8 octets and a counter below FFFFFFFF")
    counter = invocation_counter.to_bytes(4, "big")
    authenticated = authentication_key.authenticated_data(control) + answered
    tag = key.aead.encrypt(answering_title + counter, b"", authenticated)[:TAG_LENGTH]
    return control.octet + counter + tag


def verify_gmac(
    value: bytes,
    answered: bytes,
    key: Key,
    authentication_key: Key,
    answering_title: bytes,
    control: SecurityControl,
) -> int:
    """Return the invocation counter of a right value of mechanism 5; the other arguments are those of :func:`gmac`.

    Raises AuthenticationFailed, always the same, for another length, SC or tag, and for counter FFFFFFFF.
    """
    counter = int.from_bytes(value[1:5], "big")
    if len(value) != GMAC_VALUE_LENGTH or value[0] != control or counter == COUNTER_LIMIT:
        raise AuthenticationFailed(FAILED)
    if not compare_digest(gmac(answered, key, authentication_key, answering_title, counter, control), value):
        raise AuthenticationFailed(FAILED)
    return counter


NOT_SIGNED: Final = (
    "the peer did not prove that it holds the private key of its certificate: check the certificates of both sides, "
    "and the system titles"
)
FAILED: Final = "the peer did not prove that it knows the secret: check secret or keys, and the system titles"
