"""Checks of images that carry the proof of their integrity at their end, for :class:`ImageTransferObject`.

::

    crc32_at_end     content | CRC-32 (ISO 3309, IEEE 802.3) of the content, 4 octets, most significant first
    sha256_at_end    content | SHA-256 of the content, 32 octets

Nothing but integrity is proved so: whoever makes an image can make its proof. It is reported as
image_to_activate_signature.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from cosemic.model.image_transfer import ImageToActivateInfo
from cosemic.security.digests import sha256_of
from cosemic.server.image_transfer import Image


def crc32_at_end(image: Image) -> tuple[ImageToActivateInfo, ...]:
    """Take an image that ends with its CRC-32."""
    return _checked(image, 4, lambda content: zlib.crc32(content).to_bytes(4))


def sha256_at_end(image: Image) -> tuple[ImageToActivateInfo, ...]:
    """Take an image that ends with its SHA-256."""
    return _checked(image, 32, sha256_of)


def _checked(image: Image, length: int, proof: Callable[[bytes], bytes]) -> tuple[ImageToActivateInfo, ...]:
    content, found = image.content[:-length], image.content[-length:]
    if not content or proof(content) != found:
        return ()
    return (ImageToActivateInfo(len(image.content), image.identifier, found),)
