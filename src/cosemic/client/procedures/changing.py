"""Changes that several procedures make: what was not answered is read back, and said.

::

    answered                          the change is made, or refused: DataAccessError, ActionFailed
    not answered, read back as asked  the change is made
    not answered, read back as before ChangeNotMade: send it again
    not answered, cannot be told      OutcomeUnknown

Reading back opens a lost association again, as far as the recovery of the session allows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from cosemic.client.answers import tolerated
from cosemic.client.steps import Procedure, Wait
from cosemic.codec import EncodedData
from cosemic.dialect import DeviationSign
from cosemic.errors import ChangeNotMade, ConfigurationError, CosemicError, OutcomeUnknown
from cosemic.model import AttributeReference, MethodReference
from cosemic.values import DateTime

if TYPE_CHECKING:
    from cosemic.client.session import Session

T = TypeVar("T")


def written(session: Session, reference: AttributeReference[T], value: T | EncodedData) -> Procedure[None]:
    """Write one attribute; when no answer comes, read it back.

    Raises DataAccessError, EncodeError; ChangeNotMade, OutcomeUnknown.
    """
    sent = value if isinstance(value, EncodedData) else EncodedData.from_typed(reference.encode(value))

    def as_sent() -> Procedure[bool]:
        found = yield from session.get(reference)
        return found.octets == sent.octets or tolerated(reference, found) == tolerated(reference, sent)

    yield from confirmed(session.write(reference, sent), as_sent, f"write of {reference}")


def given_written(session: Session, changes: Iterable[tuple[AttributeReference[Any], object]]) -> Procedure[None]:
    """Write the attributes for which a value is given, one after the other, each as by :func:`written`."""
    for reference, value in changes:
        if value is not None:
            yield from written(session, reference, value)


def called(
    session: Session, method: MethodReference[Any, Any], parameter: Any, made: Callable[[], Procedure[bool | None]]
) -> Procedure[None]:
    """Invoke a method; when no answer comes, ask ``made``: True, False, or None where it cannot be told.

    Raises ActionFailed, EncodeError; ChangeNotMade, OutcomeUnknown.
    """
    yield from confirmed(session.call(method, parameter), made, str(method))


def confirmed(change: Procedure[Any], made: Callable[[], Procedure[bool | None]], what: str) -> Procedure[None]:
    """Make a change; when no answer comes, ask whether it was made."""
    try:
        yield from change
    except OutcomeUnknown as unknown:
        try:
            found = yield from made()
        except CosemicError as error:
            raise unread(unknown, error) from unknown.__cause__
        if found is None:
            raise
        if not found:
            raise ChangeNotMade(
                f"{what}: {_root(unknown)}; read back: it has not been done, send it again"
            ) from unknown


def unread(unknown: OutcomeUnknown, error: CosemicError) -> OutcomeUnknown:
    """Say of a change that it could not be read back either."""
    unknown.add_note(f"it could not be read back: {error}")
    return unknown


def _root(error: BaseException) -> BaseException:
    """The error that was first."""
    return error if error.__cause__ is None else _root(error.__cause__)


def awaited(
    read: Callable[[], Procedure[T]], reached: Callable[[T], bool], *, timeout: float, interval: float
) -> Procedure[T]:
    """Read until it is as it should be, at most for ``timeout`` seconds, every ``interval``; return what came last."""
    found = yield from read()
    for _ in range(polls(timeout, interval)):
        if reached(found):
            break
        yield Wait(interval)
        found = yield from read()
    return found


def polls(timeout: float, interval: float) -> int:
    """How often ``interval`` fits into ``timeout``, once at least. Raises ConfigurationError for no times."""
    if not (0 < interval < float("inf") and 0 <= timeout < float("inf")):
        raise ConfigurationError(f"{timeout} s every {interval} s is no time to wait: give seconds, above 0")
    return max(1, round(timeout / interval))


def stamp(session: Session, moment: dt.datetime) -> DateTime:
    """Return a moment as the meter takes it; a naive one is the meter's own, without deviation. Raises EncodeError."""
    inverted = session.settings.dialect.deviation_sign is DeviationSign.INVERTED
    return DateTime.from_datetime(moment, inverted_deviation=inverted)
