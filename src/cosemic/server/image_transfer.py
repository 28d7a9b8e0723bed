"""Image transfer that behaves (class 18, version 0; IEC 62056-6-2, 5.3).

What each method does, by image_transfer_status; what it says is the action-result, where that is not success::

    status                   initiate           block              verify             activate
    NOT_INITIATED            begins             other-reason       other-reason       other-reason
    INITIATED                begins anew        taken              starts             verifies first, then starts
    VERIFICATION_INITIATED   begins anew        temporary-failure  temporary-failure  temporary-failure
    VERIFICATION_SUCCESSFUL  begins anew        other-reason       success            starts
    VERIFICATION_FAILED      begins anew        taken: INITIATED   other-reason       other-reason
    ACTIVATION_INITIATED     temporary-failure  temporary-failure  temporary-failure  temporary-failure
    ACTIVATION_SUCCESSFUL    begins anew        other-reason       other-reason       success
    ACTIVATION_FAILED        begins anew        other-reason       starts             other-reason

Verification and activation that take time answer temporary-failure when they start, and until they are done; whoever
asks again is told how they ended, and a repeated activation activates nothing twice. The verification of an image that
has not come whole fails. While image_transfer_enabled is FALSE every method ends with other-reason, and so do an image
that is empty or larger than the device takes, a block beyond the last, and one that has not the size of its place.

Blocks count from 0; all but the last have image_block_size octets. They may come in any order and again. Each is kept
before it is acknowledged, so that a transfer goes on where a broken one or the end of the process has left it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model.image_transfer import (
    ImageBlock,
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferInitiate,
    ImageTransferStatus,
)
from cosemic.server.clockwork import Order
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused, CosemObject, Situation
from cosemic.server.state import load_json, save_json
from cosemic.values import BitString, DataAccessResult, Obis

LONGEST_IDENTIFIER: Final = 255
"""Octets of an image_identifier."""
_NAME: Final = Obis("0-0:44.0.0")
_AT_ONCE: Final = dt.timedelta(0)
_KEPT_AS: Final = "transfer"
_MISSING, _COME = b"0", b"1"
_Status = ImageTransferStatus
_RUNNING: Final = frozenset((_Status.VERIFICATION_INITIATED, _Status.ACTIVATION_INITIATED))


@dataclass(frozen=True, slots=True)
class Image:
    """An image that has come whole."""

    identifier: bytes
    content: bytes


Check = Callable[[Image], Sequence[ImageToActivateInfo]]
"""Returns what an image brings to be activated, one entry or several; none where the image is not right."""
Activation = Callable[[Image, dt.datetime], bool]
"""Puts an image to use at a moment (aware); returns whether that has worked."""


def any_image(image: Image) -> tuple[ImageToActivateInfo, ...]:
    """Take every image as it is."""
    return (ImageToActivateInfo(len(image.content), image.identifier, b""),)


def _without_effect(image: Image, at: dt.datetime) -> bool:
    return True


class ImageTransferObject(CosemObject):
    """Takes images for a device, and verifies and activates them.

    block_size: octets. largest: octets of the largest image that is taken. enabled: image_transfer_enabled at first.
    check, activate: see :data:`Check`, :data:`Activation`; unless given, every image is right and activating it has no
    effect. verification_time, activation_time: how long they take.

    Happenings: image-initiated, image-verified, image-verification-failed, image-activated. Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str = _NAME,
        *,
        block_size: int = 200,
        largest: int = 1 << 20,
        enabled: bool = True,
        check: Check = any_image,
        activate: Activation = _without_effect,
        verification_time: dt.timedelta = _AT_ONCE,
        activation_time: dt.timedelta = _AT_ONCE,
    ) -> None:
        if block_size < 1 or largest < 1:
            raise ConfigurationError(f"blocks and images have octets, not {block_size} and {largest}")
        self._device = device
        self._block_size = block_size
        self._largest = largest
        self._check = check
        self._activation = activate
        self._verification_time = verification_time
        self._activation_time = activation_time
        self._enabled = enabled
        self._status = _Status.NOT_INITIATED
        self._identifier = b""
        self._size = 0
        self._come = bytearray()
        """For each block whether it has come."""
        self._blocks: dict[int, bytes] = {}
        self._ready: tuple[ImageToActivateInfo, ...] = ()
        self._until: dt.datetime | None = None
        """When the verification or activation that runs is done."""
        self._activate_then = False
        """The verification that runs is part of an activation."""
        super().__init__(
            ImageTransfer(instance_id),
            {
                "image_block_size": block_size,
                "image_transferred_blocks_status": lambda now: BitString(self._come.decode("ascii")),
                "image_first_not_transferred_block_number": lambda now: self._first_missing(),
                "image_transfer_enabled": lambda now: self._enabled,
                "image_transfer_status": lambda now: self._status,
                "image_to_activate_info": lambda now: self._ready,
            },
            writers={"image_transfer_enabled": self._enable},
            methods={
                "image_transfer_initiate": self._initiate,
                "image_block_transfer": self._take,
                "image_verify": self._verify,
                "image_activate": self._activate,
            },
        )
        device.run(self, Order.SWITCHING)

    @property
    def status(self) -> ImageTransferStatus:
        """How far the transfer has come."""
        return self._status

    # ---- as time passes ---------------------------------------------------------------------------------------------

    def due(self, after: dt.datetime) -> dt.datetime | None:
        """Return when the verification or activation that runs is done."""
        return self._until

    def run(self, at: dt.datetime, until: dt.datetime) -> dt.datetime:
        """End the verification or activation that runs."""
        self._until = None
        if self._status is _Status.VERIFICATION_INITIATED:
            self._verified(at)
        else:
            self._activated(at)
        self._save()
        return at

    # ---- services ---------------------------------------------------------------------------------------------------

    def _enable(self, enabled: bool, situation: Situation) -> None:
        self._enabled = enabled
        self._save()

    def _initiate(self, announced: ImageTransferInitiate, situation: Situation) -> None:
        self._need_enabled()
        if self._status is _Status.ACTIVATION_INITIATED:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        identifier, size = announced.image_identifier, announced.image_size
        if not 1 <= size <= self._largest or len(identifier) > LONGEST_IDENTIFIER:
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._forget_blocks()
        self._identifier, self._size = identifier, size
        self._come = bytearray(_MISSING * self._count())
        self._ready = ()
        self._end_at(None)
        self._status = _Status.INITIATED
        self._save()
        self._told("image-initiated", situation.now, identification=identifier, size=size)

    def _take(self, block: ImageBlock, situation: Situation) -> None:
        self._need_enabled()
        if self._status in _RUNNING:
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE)
        number, octets = block.image_block_number, block.image_block_value
        takes = self._status in (_Status.INITIATED, _Status.VERIFICATION_FAILED)
        if not takes or number >= len(self._come) or len(octets) != self._length(number):
            raise AccessRefused(DataAccessResult.OTHER_REASON)
        self._blocks[number] = octets
        self._come[number : number + 1] = _COME
        self.memory.save(_block_name(number), octets)
        if self._status is not _Status.INITIATED:
            self._status = _Status.INITIATED
            self._save()

    def _verify(self, _: int, situation: Situation) -> None:
        self._need_enabled()
        if self._status in (_Status.INITIATED, _Status.ACTIVATION_FAILED):
            self._start_verification(situation.now, activate_then=False)
            self._save()
        self._answer(_Status.VERIFICATION_SUCCESSFUL)

    def _activate(self, _: int, situation: Situation) -> None:
        self._need_enabled()
        if self._status is _Status.INITIATED:
            self._start_verification(situation.now, activate_then=True)
            self._save()
        elif self._status is _Status.VERIFICATION_SUCCESSFUL:
            self._start_activation(situation.now)
            self._save()
        self._answer(_Status.ACTIVATION_SUCCESSFUL)

    def _need_enabled(self) -> None:
        if not self._enabled:
            raise AccessRefused(DataAccessResult.OTHER_REASON)

    def _answer(self, wanted: ImageTransferStatus) -> None:
        """Answer success where it has come to what is wanted; otherwise why not."""
        if self._status is not wanted:
            running = self._status in _RUNNING
            raise AccessRefused(DataAccessResult.TEMPORARY_FAILURE if running else DataAccessResult.OTHER_REASON)

    # ---- verification and activation --------------------------------------------------------------------------------

    def _start_verification(self, now: dt.datetime, *, activate_then: bool) -> None:
        self._status = _Status.VERIFICATION_INITIATED
        self._activate_then = activate_then
        if self._verification_time:
            self._end_at(now + self._verification_time)
        else:
            self._verified(now)

    def _verified(self, at: dt.datetime) -> None:
        whole = not self._come.count(_MISSING)
        self._ready = tuple(self._check(self._image())) if whole else ()
        if not self._ready:
            self._status = _Status.VERIFICATION_FAILED
            self._told("image-verification-failed", at, identification=self._identifier)
            return
        self._status = _Status.VERIFICATION_SUCCESSFUL
        self._told("image-verified", at, identification=self._identifier)
        if self._activate_then:
            self._start_activation(at)

    def _start_activation(self, now: dt.datetime) -> None:
        self._status = _Status.ACTIVATION_INITIATED
        if self._activation_time:
            self._end_at(now + self._activation_time)
        else:
            self._activated(now)

    def _activated(self, at: dt.datetime) -> None:
        if not self._activation(self._image(), at):
            self._status = _Status.ACTIVATION_FAILED
            return
        images = [info.image_to_activate_identification for info in self._ready]
        self._status = _Status.ACTIVATION_SUCCESSFUL
        self._forget_blocks()
        self._ready = ()
        self._told("image-activated", at, identification=self._identifier, images=images)

    def _end_at(self, moment: dt.datetime | None) -> None:
        """Say when what runs is done; None where nothing does."""
        self._until = moment
        self._device.clockwork.reconsider()

    def _told(self, name: str, at: dt.datetime, **details: Any) -> None:
        self._device.tell(name, at, obis=self.instance_id, **details)

    # ---- blocks -----------------------------------------------------------------------------------------------------

    def _count(self) -> int:
        return -(-self._size // self._block_size)

    def _length(self, number: int) -> int:
        return min(self._block_size, self._size - number * self._block_size)

    def _first_missing(self) -> int:
        """Number of the first block that has not come; where all have, that of blocks."""
        first = self._come.find(_MISSING)
        return len(self._come) if first < 0 else first

    def _image(self) -> Image:
        return Image(self._identifier, b"".join(self._blocks[number] for number in range(self._count())))

    def _forget_blocks(self) -> None:
        for number in self._blocks:
            self.memory.save(_block_name(number), None)
        self._blocks.clear()

    # ---- what outlives the process ----------------------------------------------------------------------------------

    def _save(self) -> None:
        kept = {
            "enabled": self._enabled,
            "status": int(self._status),
            "identifier": self._identifier.hex(),
            "size": self._size,
            "block_size": self._block_size,
            "until": None if self._until is None else self._until.isoformat(),
            "activate_then": self._activate_then,
            "ready": [[size, name.hex(), signature.hex()] for size, name, signature in map(_fields, self._ready)],
        }
        save_json(self.memory, _KEPT_AS, kept)

    def restore(self) -> None:
        """Go on where the process ended; with blocks of another size now, begin anew. Raises StoreError."""
        kept = load_json(self.memory, _KEPT_AS)
        if kept is None:
            return
        self._enabled = kept["enabled"]
        self._size = kept["size"]
        if kept["block_size"] != self._block_size:
            self._discard(-(-self._size // kept["block_size"]))
            return
        self._status = _Status(kept["status"])
        self._identifier = bytes.fromhex(kept["identifier"])
        self._until = None if kept["until"] is None else dt.datetime.fromisoformat(kept["until"])
        self._activate_then = kept["activate_then"]
        self._ready = tuple(
            ImageToActivateInfo(size, bytes.fromhex(name), bytes.fromhex(signature))
            for size, name, signature in kept["ready"]
        )
        loaded = ((number, self.memory.load(_block_name(number))) for number in range(self._count()))
        self._blocks = {number: octets for number, octets in loaded if octets is not None}
        activated = self._status is _Status.ACTIVATION_SUCCESSFUL
        self._come = bytearray(
            b"".join(_COME if activated or number in self._blocks else _MISSING for number in range(self._count()))
        )

    def _discard(self, blocks: int) -> None:
        """Forget a transfer that cannot go on."""
        for number in range(blocks):
            self.memory.save(_block_name(number), None)
        self._size = 0
        self._save()


def _block_name(number: int) -> str:
    return f"block {number}"


def _fields(info: ImageToActivateInfo) -> tuple[int, bytes, bytes]:
    return (
        info.image_to_activate_size,
        info.image_to_activate_identification,
        info.image_to_activate_signature,
    )
