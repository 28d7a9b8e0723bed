"""The course of a firmware update: what is done at each status of an image transfer (IEC 62056-6-2, 5.3).

An update looks at image_transfer_status and does the next thing, again and again; after a break it looks again, and so
goes on where the meter stands::

    image_transfer_status     what is done
    not-initiated             image_transfer_initiate
    initiated                 send the blocks that image_transferred_blocks_status misses; where it misses none:
                              image_verify
    verification-initiated    wait
    verification-successful   compare image_to_activate_info with what was sent; then image_activate, or hand it to the
                              Single action schedule (0-0:15.0.2), or end
    verification-failed       error; a transfer that was taken over is begun anew, once
    activation-initiated      wait
    activation-successful     end
    activation-failed         error

The class does not say whose image is on its way. The first look takes a transfer over where it has as many blocks as
this image, or has all of them and shows the identification and size of this image; any other is begun anew. Blocks of
two images do not pass verification, and an activation under way is left alone.

What moves is a status not reached before, or a block more than before. A look after which nothing has moved is counted:
the first is followed by the next at once, any other after ``interval`` seconds, ``most`` are the last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cosemic.client.procedures.changing import written
from cosemic.client.procedures.firmware_results import FirmwareProgress, FirmwareUpdate, ImageTransferState
from cosemic.client.procedures.persistence import Persistence
from cosemic.client.procedures.reading import read_as, read_out
from cosemic.client.steps import Now, Procedure
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    ChangeWithheld,
    CosemicError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
    TransportError,
)
from cosemic.model import (
    ActionItem,
    Data,
    ExecutionTime,
    ImageBlock,
    ImageToActivateInfo,
    ImageTransfer,
    ImageTransferInitiate,
    ImageTransferStatus,
    SingleActionSchedule,
)
from cosemic.values import ActionResult, BitString, Date, Time

if TYPE_CHECKING:
    from cosemic.client.session import Session

S = ImageTransferStatus
ACTIVE_FIRMWARE: Final = (Data("1-0:0.2.0"), Data("0-0:0.2.0"))
"""Active firmware identifier; the first that the meter shows counts."""
_ALL_CAME: Final = (S.VERIFICATION_INITIATED, S.VERIFICATION_SUCCESSFUL, S.ACTIVATION_INITIATED)
_MOST_FUTILE: Final = 3
IMAGE_ACTIVATION: Final = (10, 0, 107)
"""Value groups C, D and E of the Script table that activates images."""


@dataclass(frozen=True, slots=True)
class _ScheduleState:
    executed_script: ActionItem


@dataclass(slots=True)
class ImageUpdate:
    """An update under way.

    transfer, image, identifier: what goes where. activate: once it is verified; at: or at that time, by ``schedule``.
    signature, check, resume, enable, progress: see :meth:`FirmwareProcedures.update`. most: looks after which nothing
    has moved. interval: seconds between them.
    """

    session: Session
    transfer: ImageTransfer
    image: bytes
    identifier: bytes
    activate: bool
    at: dt.datetime | None
    schedule: SingleActionSchedule
    signature: bytes | None
    check: bool
    resume: bool
    enable: bool
    progress: Callable[[FirmwareProgress], None]
    most: int
    interval: float

    _block_size: int = 0
    _blocks: int = 0
    _begun: bool = False
    """The transfer is ours: begun, or taken over."""
    _resumed_at: int | None = None
    _done: int = 0
    """Blocks that the meter has."""
    _sent: int = 0
    _asked: bool = False
    """Activation was asked for; whether it was answered with success is the next."""
    _accepted: bool = False
    _acknowledged: int = 0
    """Blocks that were missing before the last pass, in which all of them were acknowledged."""
    _fewest: int = 0
    """Blocks that were missing, at the best look after such a pass."""
    _futile: int = 0
    """Such passes, one after the other, that have left no fewer missing."""
    _active_before: object = None
    _info: tuple[ImageToActivateInfo, ...] = ()
    """As it was before activation; a meter may forget it then."""
    _furthest: tuple[int, int] = (-1, 0)
    _told: FirmwareProgress | None = None
    _course: Persistence = field(init=False)

    def __post_init__(self) -> None:
        self._course = Persistence(self.session, self.most, self.interval, self._exhausted)

    def run(self) -> Procedure[FirmwareUpdate]:
        """Do whatever the status of the meter asks for, until the image is where it is wanted."""
        seen = yield from self._look()
        if self.resume:
            yield from self._take_over(seen)
        while True:
            furthest = self._furthest
            if self._begun:
                self._reached(seen.image_transfer_status)
            step = _STEPS.get(seen.image_transfer_status)
            if step is None:
                raise ProtocolError(f"{self.transfer.image_transfer_status} is {seen.image_transfer_status}: no status")
            if (yield from (step if self._begun else ImageUpdate._begin)(self, seen)):
                return (yield from self._result(seen))
            if self._furthest == furthest:
                yield from self._course.stalled()
            seen = yield from self._look()

    # ---- what is done at a status; True ends the update --------------------------------------------------------------

    def _begin(self, seen: ImageTransferState) -> Procedure[bool]:
        if self._asked:
            return (yield from self._restarted())
        if seen.image_transfer_status is S.ACTIVATION_INITIATED:
            raise self._failure(S.ACTIVATION_INITIATED, "another image is being activated: try again when it is")
        if not seen.image_transfer_enabled:
            yield from self._enable()
        initiate = ImageTransferInitiate(self.identifier, len(self.image))
        if (yield from self._course.told(self.transfer.image_transfer_initiate, initiate)) == ActionResult.SUCCESS:
            self._begun = True
            self._reached(S.INITIATED)
        return False

    def _send(self, seen: ImageTransferState) -> Procedure[bool]:
        missing = yield from self._missing(seen)
        self._done = self._blocks - len(missing)
        self._judge_pass(missing)
        self._reached(S.INITIATED)
        for number in missing:
            start = number * self._block_size
            block = ImageBlock(number, self.image[start : start + self._block_size])
            self._sent += 1
            if (yield from self._course.told(self.transfer.image_block_transfer, block)) != ActionResult.SUCCESS:
                return False
            self._done += 1
            self._reached(S.INITIATED)
        self._acknowledged = len(missing)
        if not missing:
            yield from self._course.told(self.transfer.image_verify, 0)
        return False

    def _judge_pass(self, missing: Sequence[int]) -> None:
        """Look what became of blocks that were all acknowledged. Raises ProtocolError where it is nothing, again."""
        if len(missing) < self._acknowledged:
            self._futile = 0
            if len(missing) < self._fewest:  # not where a meter loses again and again what it has kept
                self._course.moved()
        elif self._acknowledged:
            self._futile += 1
            if self._futile >= _MOST_FUTILE:
                raise ProtocolError(
                    f"the meter acknowledges the blocks that it misses, {missing[0]} for one, and misses them all the "
                    "same: begin anew with resume=False"
                )
        self._fewest = min(self._fewest or self._blocks, len(missing))
        self._acknowledged = 0

    def _verified(self, seen: ImageTransferState) -> Procedure[bool]:
        self._info = seen.image_to_activate_info
        wrong = self._mismatch(self._info) if self.check else ""
        if wrong:
            self._give_up(S.VERIFICATION_SUCCESSFUL, f"{wrong}: it is not activated")
            return False
        if self.at is not None:
            yield from self._course.lasting(self._hand_over)
        if not self.activate:
            return True
        if not self._asked:
            self._active_before = yield from self._course.lasting(self._active)
        if not self._accepted:
            self._asked = True
            self._accepted = (yield from self._course.told(self.transfer.image_activate, 0)) == ActionResult.SUCCESS
        return False

    def _failed(self, seen: ImageTransferState) -> Procedure[bool]:
        yield from ()
        if seen.image_transfer_status is S.VERIFICATION_FAILED:
            self._give_up(S.VERIFICATION_FAILED, "the meter found the image, or its signature, wrong: check the file")
            return False
        raise self._failure(S.ACTIVATION_FAILED, "the meter keeps its firmware: see its error register and event log")

    def _wait(self, seen: ImageTransferState) -> Procedure[bool]:
        yield from ()
        return False

    def _end(self, seen: ImageTransferState) -> Procedure[bool]:
        yield from ()
        return True

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _look(self) -> Procedure[ImageTransferState]:
        seen = yield from self._course.lasting(lambda: read_as(self.session, ImageTransferState, self.transfer))
        if seen.image_block_size < 1:
            raise ProtocolError(f"{self.transfer.image_block_size} is 0: no image can be transferred to this meter")
        if self._block_size not in (0, seen.image_block_size):
            raise ProtocolError(
                f"{self.transfer.image_block_size} has changed in the middle of the transfer: call again"
            )
        self._block_size = seen.image_block_size
        self._blocks = -(-len(self.image) // self._block_size)
        self._tell(seen.image_transfer_status)
        return seen

    def _take_over(self, seen: ImageTransferState) -> Procedure[None]:
        info = seen.image_to_activate_info
        if seen.image_transfer_status is S.INITIATED:
            bitmap = yield from self._course.lasting(self._bitmap)
            if bitmap is not None and len(bitmap) == self._blocks:
                self._begun, self._resumed_at = True, bitmap.count("1")
        elif seen.image_transfer_status in _ALL_CAME and info and not self._mismatch(info):
            self._begun, self._resumed_at, self._done = True, self._blocks, self._blocks

    def _missing(self, seen: ImageTransferState) -> Procedure[Sequence[int]]:
        bitmap = yield from self._course.lasting(self._bitmap)
        if bitmap is None:
            return range(min(seen.image_first_not_transferred_block_number, self._blocks), self._blocks)
        return [number for number in range(self._blocks) if bitmap[number : number + 1] != "1"]

    def _bitmap(self) -> Procedure[BitString | None]:
        """Which blocks the meter has; None where it does not say."""
        (found,) = yield from read_out(self.session, [self.transfer.image_transferred_blocks_status])
        return found if isinstance(found, BitString) else None

    def _active(self) -> Procedure[object]:
        """The active firmware identifier; None where the meter does not show it."""
        found = yield from read_out(self.session, [one.value for one in ACTIVE_FIRMWARE])
        return next((one for one in found if not isinstance(one, CosemicError)), None)

    def _mismatch(self, info: Sequence[ImageToActivateInfo]) -> str:
        """What of image_to_activate_info is not as it was sent; a meter that shows nothing says nothing."""
        if not info:
            return ""
        ours = [one for one in info if one.image_to_activate_identification == self.identifier]
        if not ours:
            shown = ", ".join(repr(one.image_to_activate_identification) for one in info)
            return f"image_to_activate_identification is {shown}, not {self.identifier!r}"
        if all(one.image_to_activate_size != len(self.image) for one in ours):
            return f"image_to_activate_size is {ours[0].image_to_activate_size}, not {len(self.image)} octets"
        if self.signature is not None and all(one.image_to_activate_signature != self.signature for one in ours):
            return f"image_to_activate_signature is {ours[0].image_to_activate_signature.hex()}"
        return ""

    # ---- the schedule, the restart -----------------------------------------------------------------------------------

    def _hand_over(self) -> Procedure[None]:
        """Set the schedule that activates the image."""
        assert self.at is not None
        if self.at <= (yield Now()):
            raise ChangeWithheld(
                f"activate: the image is verified, and {self.at} is over: call again with a time to come"
            )
        script = (yield from read_as(self.session, _ScheduleState, self.schedule)).executed_script
        if tuple(script.script_logical_name[2:5]) != IMAGE_ACTIVATION:
            raise ServiceFailed(
                f"{self.schedule!r} runs script {script.script_selector} of {script.script_logical_name}, which "
                "activates no image: activate='now', or name the schedule that does",
                label="no-image-activation",
                subject=str(self.schedule.executed_script),
            )
        at = self.at
        time = Time.of(hour=at.hour, minute=at.minute, second=at.second, hundredths=0)
        entries = (ExecutionTime(time, Date.from_date(at.date())),)
        yield from written(self.session, self.schedule.execution_time, entries)

    def _restarted(self) -> Procedure[bool]:
        """Tell whether a meter that has forgotten the transfer, after a restart, has taken the image."""
        active = yield from self._course.lasting(self._active)
        if active is not None and self._active_before is not None and active != self._active_before:
            return True
        raise OutcomeUnknown(
            "the meter has restarted and forgotten the image transfer, and its active firmware identifier is "
            f"{active!r}, before it was {self._active_before!r}: its event log may tell whether the image is active"
        )

    def _enable(self) -> Procedure[None]:
        if not self.enable:
            raise ServiceFailed(
                f"{self.transfer.image_transfer_enabled} is false: call with enable=True, or set it",
                label="image-transfer-not-enabled",
                subject=str(self.transfer.image_transfer_enabled),
            )
        yield from self._course.lasting(lambda: written(self.session, self.transfer.image_transfer_enabled, True))

    # ---- how far it is -----------------------------------------------------------------------------------------------

    def _reached(self, status: ImageTransferStatus | int) -> None:
        here = int(status), self._done
        if here > self._furthest:
            self._furthest = here
            self._course.moved()
            self._tell(status)

    def _tell(self, status: ImageTransferStatus | int) -> None:
        now = FirmwareProgress(status, self._done, self._blocks)
        if now != self._told:
            self._told = now
            self.progress(now)

    def _give_up(self, status: ImageTransferStatus, why: str) -> None:
        """Begin a transfer anew that was taken over. Raises ServiceFailed for our own."""
        if self._resumed_at is None:
            raise self._failure(status, why)
        self._begun, self._resumed_at, self._done, self._furthest = False, None, 0, (-1, 0)
        self._acknowledged = self._fewest = 0

    # ---- the ends ----------------------------------------------------------------------------------------------------

    def _failure(self, status: ImageTransferStatus, why: str) -> ServiceFailed:
        where = str(self.transfer.image_transfer_status)
        return ServiceFailed(f"{where}: {status.label} ({status.value}) - {why}", status.value, status.label, where)

    def _exhausted(self, error: CosemicError | None) -> CosemicError:
        at = (
            f"{self._done} of {self._blocks} blocks have come"
            if self._furthest[0] <= S.INITIATED
            else "all blocks came"
        )
        if isinstance(error, AssociationRejected):
            why = "the meter opens no association any more"
        else:
            why = f"the image transfer has not moved for {self.most} looks, {self.interval} s apart"
        text = f"{why}; {at}"
        ended: CosemicError
        if self._asked:
            ended = OutcomeUnknown(f"{text}: whether the image is active is not known, read the state later")
        elif isinstance(error, TransportError | AssociationError):
            error.add_note(f"{text}: the same call goes on from here")
            return error
        else:
            ended = ResponseTimeout(f"{text}: the same call goes on from here")
        ended.__cause__ = error
        return ended

    def _result(self, seen: ImageTransferState) -> Procedure[FirmwareUpdate]:
        after = None
        if self._asked:
            after = yield from self._course.lasting(self._active)
        return FirmwareUpdate(
            identifier=self.identifier,
            size=len(self.image),
            block_size=self._block_size,
            blocks=self._blocks,
            blocks_sent=self._sent,
            resumed_at=self._resumed_at,
            status=seen.image_transfer_status,
            info=seen.image_to_activate_info or self._info,
            activation=self.at,
            active_before=self._active_before,
            active_after=after,
            reconnections=self._course.reconnections,
        )


_STEPS: Final[dict[int, Callable[[ImageUpdate, ImageTransferState], Procedure[bool]]]] = {
    S.NOT_INITIATED: ImageUpdate._begin,
    S.INITIATED: ImageUpdate._send,
    S.VERIFICATION_INITIATED: ImageUpdate._wait,
    S.VERIFICATION_SUCCESSFUL: ImageUpdate._verified,
    S.VERIFICATION_FAILED: ImageUpdate._failed,
    S.ACTIVATION_INITIATED: ImageUpdate._wait,
    S.ACTIVATION_SUCCESSFUL: ImageUpdate._end,
    S.ACTIVATION_FAILED: ImageUpdate._failed,
}
