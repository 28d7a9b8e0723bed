"""Firmware of a simulated meter: which one is active, and images to try updates with (class 18; IEC 62056-6-2, 5.3).

::

    image    COSEMIC FIRMWARE <version> LF | filling | SHA-256 of all before, 32 octets

An image that is not like this fails its verification. Once it is activated, the meter shows the version it holds
(1-0:0.2.0) and its SHA-256 (1-0:0.2.8).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from random import Random
from typing import Final

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.model import ImageToActivateInfo
from cosemic.security.digests import sha256_of
from cosemic.server import Image, ImageTransferObject, LogicalDevice, data, sha256_at_end
from cosemic.server.state import FORGETFUL, load_json, save_json
from cosemic.simulator.names import FIRMWARE, FIRMWARE_SIGNATURE, IMAGE_TRANSFER

IMAGE_SIZE: Final = 20_000
"""Octets of an image, unless said."""
_PROOF: Final = 32
_HEAD: Final = re.compile(rb"COSEMIC FIRMWARE ([!-~]{1,32})\n")


def firmware_image(version: str, octets: int = IMAGE_SIZE) -> bytes:
    """Return an image that makes ``version`` the firmware of a simulated meter; octets: its size.

    Raises ConfigurationError for a version that is not 1 to 32 printable ASCII characters without spaces, or a size in
    which it has no place.
    """
    head = b"COSEMIC FIRMWARE " + version.encode("utf-8") + b"\n"
    if not _HEAD.fullmatch(head):
        raise ConfigurationError(f"a version has 1 to 32 ASCII characters and no spaces: 2.0.1, not {version!r}")
    filling = octets - len(head) - _PROOF
    if filling < 0:
        raise ConfigurationError(f"an image of version {version} has at least {octets - filling} octets, not {octets}")
    content = head + Random(f"Cosemic image {version}").randbytes(filling)
    return content + sha256_of(content)


class Firmware:
    """The firmware of a device; adds its objects and the image transfer, ``transfer``.

    version: as made.

    Raises ConfigurationError, StoreError.
    """

    def __init__(self, device: LogicalDevice, version: str) -> None:
        self._memory = FORGETFUL if device.state is None else device.state.of("firmware")
        kept = load_json(self._memory, "active")
        self.version: str = version if kept is None else kept[0]
        self.signature = sha256_of(version.encode()) if kept is None else bytes.fromhex(kept[1])
        device.add(data(FIRMWARE, DataType.OCTET_STRING, lambda now: self.version.encode()))
        device.add(data(FIRMWARE_SIGNATURE, DataType.OCTET_STRING, lambda now: self.signature))
        self.transfer = device.add(ImageTransferObject(device, IMAGE_TRANSFER, check=_check, activate=self._activate))

    def _activate(self, image: Image, at: dt.datetime) -> bool:
        head = _HEAD.match(image.content)
        assert head is not None  # it was verified before
        self.version, self.signature = head[1].decode(), image.content[-_PROOF:]
        save_json(self._memory, "active", [self.version, self.signature.hex()])
        return True


def _check(image: Image) -> Sequence[ImageToActivateInfo]:
    return sha256_at_end(image) if _HEAD.match(image.content) else ()
