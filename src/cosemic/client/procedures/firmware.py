"""Firmware of a meter: how far its image transfer is, and updating it (Image transfer, IEC 62056-6-2, 5.3).

The course of an update is a table of what is done at each status: :mod:`cosemic.client.procedures.image_update`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import BinaryIO, Final, Literal

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import polls
from cosemic.client.procedures.firmware_results import FirmwareProgress, FirmwareUpdate, ImageTransferState
from cosemic.client.procedures.image_update import ImageUpdate
from cosemic.client.procedures.reading import read_as
from cosemic.client.steps import Now, Procedure
from cosemic.client.timepiece import aware
from cosemic.errors import ConfigurationError
from cosemic.model import ImageTransfer, SingleActionSchedule
from cosemic.values import Obis

__all__ = [
    "Activation",
    "AsyncFirmware",
    "BlockingFirmware",
    "FirmwareProcedures",
    "FirmwareProgress",
    "FirmwareUpdate",
    "ImageTransferState",
]

Activation = Literal["now", "not"] | dt.datetime
"""When a verified image is activated; a naive time is the meter's own."""
IMAGE_TRANSFER: Final = Obis("0-0:44.0.0")
ACTIVATION_SCHEDULE: Final = Obis("0-0:15.0.2")
_MOST_OCTETS: Final = 0xFFFFFFFF


class FirmwareProcedures(ProcedureGroup):
    """Firmware of a meter."""

    def state(self, *, obis: Obis | str = IMAGE_TRANSFER) -> Procedure[ImageTransferState]:
        """Read how far the image transfer of the meter is.

        Raises DataAccessError, DecodeError. Image transfer, IEC 62056-6-2, 5.3.
        """
        return read_as(self.session, ImageTransferState, ImageTransfer(obis))

    def update(
        self,
        image: bytes | BinaryIO,
        identifier: str | bytes,
        *,
        activate: Activation = "now",
        signature: bytes | None = None,
        check: bool = True,
        resume: bool = True,
        enable: bool = False,
        progress: Callable[[FirmwareProgress], None] | None = None,
        patience: float = 900.0,
        interval: float = 5.0,
        obis: Obis | str = IMAGE_TRANSFER,
        schedule: Obis | str = ACTIVATION_SCHEDULE,
    ) -> Procedure[FirmwareUpdate]:
        """Transfer an image, have the meter verify it, and activate it.

        image: its octets, or a file opened for reading octets. identifier: image_identifier, as the maker gives it.
        activate: ``"now"``; ``"not"``, which ends with the verified image; or a time (to the second), at which the
            Single action schedule ``schedule`` of the meter does it.
        signature: what image_to_activate_signature has to be. check: do not activate what by image_to_activate_info is
            not of this identifier and size.
        resume: go on with a transfer that is on its way; False: begin it anew.
        enable: set image_transfer_enabled where it is false.
        progress: called when the status has changed, and when a block has come.
        patience: seconds to wait, in all, while nothing moves; interval: seconds between two looks at the meter.

        Breaks, missing answers and temporary-failure are got over. Whatever ends the call, the same call goes on where
        the meter stands then.

        Raises ConfigurationError before anything is sent; ServiceFailed where the meter refuses or the image fails, the
        status as label; TransportError when nothing moves any more; AssociationRejected where the meter refuses the
        client for good; ChangeWithheld where the time of activation is over once the image is verified; OutcomeUnknown
        where it cannot be told whether the image is active. Image transfer, IEC 62056-6-2, 5.3.
        """
        octets: object = image.read() if hasattr(image, "read") else image
        if not isinstance(octets, bytes) or not 0 < len(octets) <= _MOST_OCTETS:
            raise ConfigurationError("an image has 1 to 4294967295 octets: give bytes, or a file opened with 'rb'")
        at = None
        if isinstance(activate, dt.datetime):
            at = aware(activate, self.session.zone).astimezone(self.session.zone)
            if at <= (yield Now()):
                raise ConfigurationError(f"activate: {at} is over: give a time to come, or 'now'")
        elif activate not in ("now", "not"):
            raise ConfigurationError(f"activate: {activate!r} is none of 'now', 'not' and a time")
        update = ImageUpdate(
            self.session,
            ImageTransfer(obis),
            octets,
            identifier.encode() if isinstance(identifier, str) else identifier,
            activate=activate == "now",
            at=at,
            schedule=SingleActionSchedule(schedule),
            signature=signature,
            check=check,
            resume=resume,
            enable=enable,
            progress=progress or (lambda _: None),
            most=polls(patience, interval),
            interval=interval,
        )
        return (yield from update.run())


class AsyncFirmware(AsyncGroup):
    """Firmware of a meter, on asyncio."""

    state = asynchronously(FirmwareProcedures.state)
    update = asynchronously(FirmwareProcedures.update)


class BlockingFirmware(BlockingGroup):
    """Firmware of a meter, for blocking code."""

    state = blocking(FirmwareProcedures.state)
    update = blocking(FirmwareProcedures.update)
