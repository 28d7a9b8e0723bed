"""One frame of a master, the time-out of its answer, and its repetitions (EN 13757-2)."""

from __future__ import annotations

from enum import Enum, auto

from cosemic.errors import ConfigurationError
from cosemic.link.contract import UNARMED
from cosemic.values import LineSettings


class Answer(Enum):
    """What became of the frame that was sent."""

    ACKNOWLEDGED = auto()
    RESPONSE = auto()
    NONE = auto()
    """Nothing right came to the last repetition, or the pause is over."""


class Exchange:
    """The frame that is due or was sent last, and when to do something about it.

    An answer is waited for ``response_timeout`` seconds longer than sending the frame and the longest answer takes on
    ``line``; then the frame is repeated unchanged, up to ``repetitions`` times.
    """

    def __init__(self, line: LineSettings, response_timeout: float, repetitions: int) -> None:
        if response_timeout <= 0 or repetitions < 0:
            raise ConfigurationError("the response time-out of an M-Bus link is above 0 s, repetitions 0 or more")
        self._line = line
        self._response_timeout = response_timeout
        self._repetitions = repetitions
        self._frame = b""
        self._longest = 1
        self._left = 0
        self._due = False
        self._deadline: float | None = None

    @property
    def calls(self) -> int:
        """How often a frame is sent that nobody answers."""
        return self._repetitions + 1

    def due(self) -> bool:
        """Whether the frame has yet to be handed out."""
        return self._due

    @property
    def deadline(self) -> float | None:
        """When the answer is overdue, or a pause over; None while the frame is due, and at rest."""
        return None if self._due else self._deadline

    def begin(self, frame: bytes, *, longest: int = 1, repeated: bool = True) -> None:
        """Make a frame due, the answer to which has at most ``longest`` octets."""
        self._frame = frame
        self._longest = longest
        self._left = self._repetitions if repeated else 0
        self._due = True
        self._deadline = UNARMED

    def hand_out(self) -> bytes:
        """Return the frame, once, where it is due."""
        if not self._due:
            return b""
        self._due = False
        return self._frame

    def arm(self, now: float) -> None:
        """Start the time-out of a frame that was handed out, or is about to be."""
        if self._deadline == UNARMED:
            self._deadline = now + self._response_timeout + self._line.seconds(len(self._frame) + self._longest)

    def overdue(self, now: float) -> bool:
        """Whether the deadline has come."""
        return not self._due and self._deadline is not None and now >= self._deadline

    def repeat(self, now: float) -> bool:
        """Make the frame due again; return False where no repetition is left."""
        if not self._left:
            return False
        self._left -= 1
        self._due = True
        self._deadline = UNARMED
        self.arm(now)
        return True

    def pause(self, until: float) -> None:
        """Send nothing until then; there is nothing to repeat."""
        self._left = 0
        self._deadline = until

    def end(self) -> None:
        """Come to rest."""
        self._due = False
        self._deadline = None
