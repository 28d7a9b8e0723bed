"""Security mode 5 of the M-Bus transport layer: AES-128-CBC (EN 13757-7, OMS).

The initialisation vector is said by the message itself: manufacturer (2) and the rest of the device address
(identification, version, device type: 6), as frames by radio have them, then the access number eight times. The
plaintext begins with 2F 2F, by which a wrong key is found out; nothing else protects it against change.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.values import Secret

BLOCK = 16
CHECK = b"\x2f\x2f"


def decipher_mode_5(ciphertext: bytes, key: Secret, radio_address: bytes, access_number: int) -> bytes:
    """Return the plaintext, 2F 2F at its beginning and filling at its end included.

    radio_address: manufacturer and the rest, eight octets. Raises ConfigurationError where the key has not 16 octets,
    DecipheringError where the ciphertext is not of whole blocks, or the key does not fit.
    """
    octets = key.reveal()
    if len(octets) != BLOCK:
        raise ConfigurationError(f"a key of M-Bus security mode 5 has {BLOCK} octets, not {len(octets)}")
    if not ciphertext or len(ciphertext) % BLOCK:
        raise DecipheringError(
            f"M-Bus security mode 5 has whole blocks of {BLOCK} octets, not {len(ciphertext)} octets"
        )
    vector = radio_address + bytes((access_number,)) * 8
    cipher = Cipher(AES(octets), CBC(vector)).decryptor()
    plaintext = cipher.update(ciphertext) + cipher.finalize()
    if not plaintext.startswith(CHECK):
        raise DecipheringError("M-Bus security mode 5: the key is not the one of this device")
    return plaintext
