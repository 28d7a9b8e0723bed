"""Going on after breaks: for long procedures that can tell from the meter where they stand.

Whatever does not move is counted; the first time is followed up at once, any other after a pause, and at last the
procedure ends with the error that it gives itself. Whenever something has moved, counting begins anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cosemic.client.steps import Procedure, Reconnect, Wait
from cosemic.errors import (
    ActionFailed,
    AssociationError,
    AssociationRejected,
    ChangeNotMade,
    CosemicError,
    OutcomeUnknown,
    TransportError,
)
from cosemic.model import MethodReference
from cosemic.values import ActionResult, AssociationResult

if TYPE_CHECKING:
    from cosemic.client.session import Session

T = TypeVar("T")
_FOR_NOW: Final = AssociationResult.REJECTED_TRANSIENT.label


class Persistence:
    """How a procedure gets over breaks.

    most: how often nothing may move, one after the other. interval: seconds from the second time on. exhausted: makes
    the error that ends the procedure; it is given the last one, or None where the meter only keeps it waiting.
    """

    def __init__(
        self, session: Session, most: int, interval: float, exhausted: Callable[[CosemicError | None], CosemicError]
    ) -> None:
        self.session = session
        self.most = most
        self.interval = interval
        self.reconnections = 0
        self._exhausted = exhausted
        self._stalls = 0
        self._refused: tuple[int, object] | None = None

    def moved(self) -> None:
        """Something has moved: count anew."""
        self._stalls = 0

    def stalled(self, error: CosemicError | None = None) -> Procedure[None]:
        """Nothing has moved: pause. Raises what ``exhausted`` makes."""
        self._stalls += 1
        if self._stalls > self.most:
            raise self._exhausted(error)
        if self._stalls > 1:
            yield Wait(self.interval)

    def lasting(self, ask: Callable[[], Procedure[T]]) -> Procedure[T]:
        """Read, or write what may be written again, until there is an answer."""
        while True:
            try:
                return (yield from ask())
            except (TransportError, AssociationError, OutcomeUnknown, ChangeNotMade) as error:
                yield from self._restored(error)

    def told(self, method: MethodReference[Any, Any], parameter: object) -> Procedure[int | None]:
        """Invoke a method; return its action-result, None where there was no answer.

        What is refused, other than for the moment, is returned once: the meter may be somewhere else than was thought.
        Refused again it raises ActionFailed.
        """
        try:
            yield from self.session.call(method, parameter)
        except ActionFailed as error:
            if error.code != ActionResult.TEMPORARY_FAILURE:
                if self._refused == (method.method_id, parameter):
                    raise
                self._refused = method.method_id, parameter
            return error.code
        except (TransportError, AssociationError, OutcomeUnknown) as error:
            yield from self._restored(error)
            return None
        self._refused = None
        return int(ActionResult.SUCCESS)

    def _restored(self, error: CosemicError) -> Procedure[None]:
        """Connect anew after a break, until an association stands; refused for good, it is not asked for again."""
        while True:
            if isinstance(error, AssociationRejected) and error.result != _FOR_NOW:
                raise self._exhausted(error)
            yield from self.stalled(error)
            try:
                yield Reconnect()
            except (TransportError, AssociationError) as another:
                error = another
            else:
                self.reconnections += 1
                return
