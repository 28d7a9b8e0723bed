"""What is repeated, and when: rules by class of error.

Only reading is repeated by itself; a repeated APDU is a new one, with a new invocation counter. A change (SET, ACTION)
whose answer is missing ends in :class:`~cosemic.errors.OutcomeUnknown`, which names what to read back, and no rule has
it repeated; one that was never sent, because the connection had been lost, is sent by the rules of reading. An
association that was refused is not asked for again, unless the meter says that the reason is transient.

:data:`STANDARD` holds the rules below. A recovery of your own is data too::

    patient = STANDARD.but(reading={**STANDARD.reading, ResponseTimeout: Rule((10, 30, 60), reconnect=True)})
    Meter.connect(url, recovery=patient)

===========  ==================  ==============  =========
while        error               repeated after  reconnect
===========  ==================  ==============  =========
reading      ConnectionLost      1, 2 s          yes
reading      ConnectionFailed    1, 2 s          yes
reading      ResponseTimeout     0 s             yes
reading      ProtocolError       0 s             yes
reading      temporary-failure   1, 2, 4 s       no
reading      deciphering-error   0 s             yes
opening      rejected-transient  1, 2 s          yes
===========  ==================  ==============  =========

deciphering-error: of a Read, with which a meter with short names refuses the invocation counter too; the opening of the
next association learns it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeVar

from cosemic.client.steps import Procedure, Wait
from cosemic.errors import (
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
)

T = TypeVar("T")

Failure = type[CosemicError] | str
"""A class of error, or a result by its label of the standard: ``temporary-failure``, ``rejected-transient``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Seconds to wait before each repetition, as many as there may be; and whether each goes over a new connection."""

    waits: tuple[float, ...]
    reconnect: bool = False


_LINK: Final = Rule((1.0, 2.0), reconnect=True)
READING: Final[Mapping[Failure, Rule]] = MappingProxyType(
    {
        ConnectionLost: _LINK,
        ConnectionFailed: _LINK,
        ResponseTimeout: Rule((0.0,), reconnect=True),
        ProtocolError: Rule((0.0,), reconnect=True),
        "temporary-failure": Rule((1.0, 2.0, 4.0)),
        "read, application-reference: deciphering-error": Rule((0.0,), reconnect=True),
    }
)
OPENING: Final[Mapping[Failure, Rule]] = MappingProxyType({"rejected-transient": Rule((1.0, 2.0), reconnect=True)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The rules of one meter.

    reading: for GET, for a change that was not sent, and for opening an association again. opening: for opening one.
    reopen: a call that finds the connection lost opens the association again; without, it raises ConnectionLost.

    The label of a result goes before the class of the error, a class before those it inherits from.
    """

    # By factories, since dataclasses take no mapping proxy for a default.
    reading: Mapping[Failure, Rule] = field(default_factory=lambda: READING)
    opening: Mapping[Failure, Rule] = field(default_factory=lambda: OPENING)
    reopen: bool = True

    def on_one_connection(self) -> Recovery:
        """Return a copy that connects once: nothing is repeated over a new connection."""
        kept = {
            name: {failure: rule for failure, rule in rules.items() if not rule.reconnect}
            for name, rules in (("reading", self.reading), ("opening", self.opening))
        }
        return self.but(reopen=False, **kept)

    def but(self, **rules: object) -> Recovery:
        """Return a copy with the given rules."""
        return replace(self, **rules)  # type: ignore[arg-type]  # names are checked by replace itself


STANDARD: Final = Recovery()
NONE: Final = Recovery(reading=MappingProxyType({}), opening=MappingProxyType({}), reopen=False)
"""Nothing is repeated, and nothing opened again."""


def rule_for(error: CosemicError, rules: Mapping[Failure, Rule]) -> Rule | None:
    """Return what is to be done about an error; None: nothing, as always where a change may have been made."""
    if isinstance(error, OutcomeUnknown):
        return None
    for name in ("label", "state_error", "result"):
        rule = rules.get(getattr(error, name, ""))
        if rule is not None:
            return rule
    for kind in type(error).__mro__:
        rule = rules.get(kind)
        if rule is not None:
            return rule
    return None


def repeated(rules: Mapping[Failure, Rule], attempt: Callable[[bool], Procedure[T]]) -> Procedure[T]:
    """Run an attempt, again and again as the rules allow; it is told whether a new connection is wanted."""
    failures, anew = 0, False
    while True:
        try:
            return (yield from attempt(anew))
        except CosemicError as error:
            rule = rule_for(error, rules)
            if rule is None or failures >= len(rule.waits):
                raise
        if rule.waits[failures]:
            yield Wait(rule.waits[failures])
        failures += 1
        anew = rule.reconnect
