"""Private keys at rest: PKCS#8, encrypted (RFC 5958; PBES2 of RFC 8018 with scrypt of RFC 7914 and AES-256-CBC).

::

    EncryptedPrivateKeyInfo = SEQUENCE {
        SEQUENCE { PBES2, SEQUENCE { SEQUENCE { scrypt, SEQUENCE { salt, N, r, p } },
                                     SEQUENCE { aes256-CBC, iv } } },
        OCTET STRING }

OpenSSL reads it. The library that is used here would write the same with PBKDF2 of 2,048 rounds, which is guessed at
some hundred times faster.

Whoever writes a key file chooses what opening it costs, and the library does whatever it says: the numbers are bounded
here, before it is asked.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from cosemic.errors import CertificateError, ConfigurationError, DecodeError
from cosemic.security.certificates import der
from cosemic.security.certificates.pem import ENCRYPTED_KEY, from_pem, to_pem
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.values.secret import Secret

SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 14, 8, 5
"""16 MiB, and some 0.2 s: what OpenSSL allows itself to read, and five times the work of one pass."""
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")
LONGEST_KEY: Final = 8192
"""Octets of a key file that is looked at."""
MOST_MEMORY: Final = 256 << 20
"""Octets that scrypt may take when a key file is read."""
MOST_WORK: Final = 1 << 30
"""Octets that scrypt may go through: memory by passes."""
MOST_ROUNDS: Final = 10_000_000
"""Of PBKDF2, and of what was before it."""
_DEEPEST: Final = 8
_UNREADABLE: Final = "the private key cannot be read: the passphrase is wrong, or it is no key"


def encrypt_key(
    key: SoftwareSigningKey, passphrase: Secret, *, random: Callable[[int], bytes] = secrets.token_bytes
) -> bytes:
    """Return a private key as encrypted PKCS#8, PEM. Raises ConfigurationError for an empty passphrase."""
    if not passphrase.reveal():
        raise ConfigurationError("a private key is kept under a passphrase: give one")
    plain = key.to_cryptography().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, iv = random(16), random(16)
    derived = Scrypt(salt, 32, SCRYPT_N, SCRYPT_R, SCRYPT_P).derive(passphrase.reveal())
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(derived), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    numbers = b"".join(map(der.integer, (SCRYPT_N, SCRYPT_R, SCRYPT_P)))
    derivation = der.tlv(der.SEQUENCE, _SCRYPT, der.tlv(der.SEQUENCE, der.tlv(der.OCTET_STRING, salt), numbers))
    cipher = der.tlv(der.SEQUENCE, _AES_256_CBC, der.tlv(der.OCTET_STRING, iv))
    algorithm = der.tlv(der.SEQUENCE, _PBES2, der.tlv(der.SEQUENCE, derivation, cipher))
    octets = der.tlv(der.SEQUENCE, algorithm, der.tlv(der.OCTET_STRING, ciphertext))
    return to_pem(octets, ENCRYPTED_KEY)


def decrypt_key(octets: bytes, passphrase: Secret | None) -> SoftwareSigningKey:
    """Return the private key of a PKCS#8 file, PEM or DER, on P-256 or P-384.

    passphrase: None for one that is not encrypted. Raises ConfigurationError, which tells nothing of the key.
    """
    if len(octets) > LONGEST_KEY:
        raise ConfigurationError("the key file is too long to hold one private key")
    load = load_pem_private_key if octets.lstrip().startswith(b"-----") else load_der_private_key
    try:
        if load is load_pem_private_key and ENCRYPTED_KEY.encode() in octets:
            ((_, octets), *_), load = from_pem(octets, ENCRYPTED_KEY), load_der_private_key
        affordable = load is load_pem_private_key or _is_affordable(octets)
    except CertificateError:
        raise ConfigurationError(_UNREADABLE) from None
    if not affordable:
        raise ConfigurationError("the private key asks for too much memory or time to be opened: encrypt it anew")
    try:
        # Whether the primes of an RSA key are any is not of interest: it is refused.
        key = load(octets, None if passphrase is None else passphrase.reveal(), unsafe_skip_rsa_key_validation=True)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return SoftwareSigningKey(key)
    except TypeError:
        how = (
            "it is not encrypted, and a passphrase is given"
            if passphrase is not None
            else "it is encrypted: give the passphrase"
        )
        raise ConfigurationError(f"the private key cannot be read: {how}") from None
    except DecodeError:
        pass
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(_UNREADABLE) from None
    raise ConfigurationError("the private key is not on P-256 or P-384: make one for suite 1 or 2")


def _is_affordable(octets: bytes) -> bool:
    """Tell whether a key costs no more to be opened than any is worth. Raises CertificateError."""
    parts = der.elements(der.whole(octets, "private key").contents, "private key")
    if not parts or parts[0].tag != der.SEQUENCE:  # it is not encrypted
        return True
    numbers = _numbers(parts[0], 0)
    if _SCRYPT in parts[0].whole:
        n, r, p = (*numbers, 0, 0, 0)[:3]
        return 0 < 128 * n * r <= MOST_MEMORY and 128 * n * r * p <= MOST_WORK
    return all(number <= MOST_ROUNDS for number in numbers)


def _numbers(element: der.Element, depth: int) -> list[int]:
    """Return all INTEGERs of an AlgorithmIdentifier; negative ones are large. Raises CertificateError."""
    if depth == _DEEPEST:
        der.refuse("the private key is nested too deeply")
    found = []
    for part in der.elements(element.contents, "private key"):
        if part.tag == der.INTEGER:
            found.append(int.from_bytes(part.contents, "big"))
        elif part.tag == der.SEQUENCE:
            found += _numbers(part, depth + 1)
    return found
