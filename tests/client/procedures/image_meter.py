"""An image transfer as IEC 62056-6-2, 5.3 describes it, written for tests: short, without memory, with whims."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from cosemic.codec import DataType
from cosemic.model import (
    ActionItem,
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferStatus,
    SingleActionSchedule,
    SingleActionScheduleType,
)
from cosemic.server import CosemObject
from cosemic.server.objects import AccessRefused, data
from cosemic.values import BitString, DataAccessResult, Obis

S = ImageTransferStatus
R = DataAccessResult
OLD = b"old firmware"


class ImageMeter:
    """The image transfer of a meter.

    verifying, activating: how often the status is read until it is over. good: what the image has to be; None: any.
    """

    def __init__(self, block_size: int = 8, *, enabled: bool = True, good: bytes | None = None) -> None:
        self.block_size = block_size
        self.enabled = enabled
        self.good = good
        self.status = S.NOT_INITIATED
        self.verifying = 0
        self.activating = 0
        self.quiet = 0
        """Activation is accepted, and for so many looks there is nothing to be seen of it."""
        self.fails_activation = False
        self.forgets = False
        self.keeps_info = True
        self.active = OLD
        self.shown_size: int | None = None
        self.shown_identifier: bytes | None = None
        self.busy_blocks: dict[int, int] = {}
        self.refused_blocks: dict[int, int] = {}
        self.drops: list[int] = []
        """Blocks that are acknowledged once, and not kept."""
        self.identifier = b""
        self.size = 0
        self.blocks: dict[int, bytes] = {}
        self.initiated = 0
        self.received: list[int] = []
        self.verified = 0
        self.activated = 0
        self.activations: list[bytes] = []
        self.looks = 0
        self.on_activate: Callable[[], None] = lambda: None
        self.on_block: Callable[[int], None] = lambda number: None
        self.transfer = CosemObject(
            ImageTransfer("0-0:44.0.0"),
            {
                "image_block_size": lambda now: self.block_size,
                "image_transferred_blocks_status": lambda now: self.bitmap(),
                "image_first_not_transferred_block_number": lambda now: self.first(),
                "image_transfer_enabled": lambda now: self.enabled,
                "image_transfer_status": lambda now: self.look(),
                "image_to_activate_info": lambda now: self.info(),
            },
            writers={"image_transfer_enabled": self.set_enabled},
            methods={
                "image_transfer_initiate": self.initiate,
                "image_block_transfer": self.take,
                "image_verify": self.verify,
                "image_activate": self.activate,
            },
        )
        self.firmware = data("1-0:0.2.0", DataType.OCTET_STRING, lambda now: self.active)

    @property
    def objects(self) -> tuple[CosemObject, CosemObject]:
        return self.transfer, self.firmware

    @property
    def count(self) -> int:
        return -(-self.size // max(self.block_size, 1))

    @property
    def image(self) -> bytes:
        return b"".join(self.blocks[number] for number in sorted(self.blocks))

    def bitmap(self) -> BitString:
        return BitString("".join("1" if number in self.blocks else "0" for number in range(self.count)))

    def first(self) -> int:
        return next((number for number in range(self.count) if number not in self.blocks), self.count)

    def info(self) -> list[ImageToActivateInfo]:
        if self.status is not S.VERIFICATION_SUCCESSFUL and not (
            self.keeps_info and self.status > S.VERIFICATION_FAILED
        ):
            return []
        size = self.size if self.shown_size is None else self.shown_size
        name = self.identifier if self.shown_identifier is None else self.shown_identifier
        return [ImageToActivateInfo(size, name, hashlib.sha256(self.image).digest())]

    def set_enabled(self, value: bool, situation: Any) -> None:
        self.enabled = value

    def look(self) -> ImageTransferStatus:
        self.looks += 1
        if self.status is S.VERIFICATION_INITIATED:
            self.verifying -= 1
            if self.verifying <= 0:
                self.judge()
        elif self.status is S.VERIFICATION_SUCCESSFUL and self.activated and self.quiet:
            self.quiet -= 1
            if not self.quiet:
                self.take_over()
        elif self.status is S.ACTIVATION_INITIATED:
            self.activating -= 1
            if self.activating <= 0:
                self.take_over()
        return self.status

    def initiate(self, image: Any, situation: Any) -> None:
        if not self.enabled:
            raise AccessRefused(R.READ_WRITE_DENIED)
        self.initiated += 1
        self.identifier, self.size = image.image_identifier, image.image_size
        self.blocks = {}
        self.status = S.INITIATED

    def take(self, block: Any, situation: Any) -> None:
        number = block.image_block_number
        if self.status is not S.INITIATED or number >= self.count:
            raise AccessRefused(R.OTHER_REASON)
        if self.busy_blocks.get(number):
            self.busy_blocks[number] -= 1
            raise AccessRefused(R.TEMPORARY_FAILURE)
        if self.refused_blocks.get(number):
            self.refused_blocks[number] -= 1
            raise AccessRefused(R.OTHER_REASON)
        self.received.append(number)
        if number in self.drops:
            self.drops.remove(number)
            return
        self.blocks[number] = block.image_block_value
        self.on_block(number)

    def verify(self, _: Any, situation: Any) -> None:
        if self.status is not S.INITIATED or self.first() < self.count:
            raise AccessRefused(R.OTHER_REASON)
        self.verified += 1
        if self.verifying:
            self.status = S.VERIFICATION_INITIATED
            raise AccessRefused(R.TEMPORARY_FAILURE)
        self.judge()
        if self.status is S.VERIFICATION_FAILED:
            raise AccessRefused(R.OTHER_REASON)

    def judge(self) -> None:
        whole = len(self.image) == self.size and self.good in (None, self.image)
        self.status = S.VERIFICATION_SUCCESSFUL if whole else S.VERIFICATION_FAILED

    def activate(self, _: Any, situation: Any) -> None:
        if self.status is not S.VERIFICATION_SUCCESSFUL:
            raise AccessRefused(R.OTHER_REASON)
        self.activated += 1
        self.on_activate()
        if self.quiet:
            return
        if self.activating:
            self.status = S.ACTIVATION_INITIATED
            raise AccessRefused(R.TEMPORARY_FAILURE)
        self.take_over()

    def take_over(self) -> None:
        if self.fails_activation:
            self.status = S.ACTIVATION_FAILED
            return
        self.active = self.image
        self.activations.append(self.image)
        self.status = S.NOT_INITIATED if self.forgets else S.ACTIVATION_SUCCESSFUL


def schedule(script: str = "0-0:10.0.107", instance: str = "0-0:15.0.2") -> CosemObject:
    """A single action schedule whose times can be written."""
    return CosemObject(
        SingleActionSchedule(instance),
        {
            "executed_script": ActionItem(Obis(script), 1),
            "type": SingleActionScheduleType.ONE_ENTRY_WILDCARD_DATE_ALLOWED,
            "execution_time": [],
        },
        writers={"execution_time": None},
    )
