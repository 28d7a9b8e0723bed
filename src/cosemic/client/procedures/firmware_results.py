"""What firmware procedures tell and return."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cosemic.model import ImageToActivateInfo, ImageTransferStatus


@dataclass(frozen=True, slots=True)
class ImageTransferState:
    """What a meter says of its image transfer; the size of a block is in octets."""

    image_block_size: int
    image_first_not_transferred_block_number: int
    image_transfer_enabled: bool
    image_transfer_status: ImageTransferStatus | int
    image_to_activate_info: tuple[ImageToActivateInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class FirmwareProgress:
    """How far an update is: the status of the meter, and how many of the blocks it has."""

    status: ImageTransferStatus | int
    blocks: int
    of_blocks: int


@dataclass(frozen=True, slots=True)
class FirmwareUpdate:
    """What an update has done.

    identifier, size (octets), block_size (octets), blocks: of the image. blocks_sent: in this call, repeated ones too.
    resumed_at: how many blocks the meter had already; None: the transfer was begun in this call. status: that of the
    meter at the end. info: image_to_activate_info as it was shown last; empty where the meter does not show it.
    activation: the time for which it is scheduled. active_before, active_after: active firmware identifier around the
    activation; None where the meter does not show it, or nothing was activated. reconnections: after breaks.
    """

    identifier: bytes
    size: int
    block_size: int
    blocks: int
    blocks_sent: int
    resumed_at: int | None
    status: ImageTransferStatus | int
    info: tuple[ImageToActivateInfo, ...]
    activation: dt.datetime | None
    active_before: object
    active_after: object
    reconnections: int
