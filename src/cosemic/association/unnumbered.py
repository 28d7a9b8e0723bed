"""Answers without an invoke-id: those to services with short names (IEC 62056-5-3; reference, application layer 13).

::

    ReadRequest    05    ReadResponse    0C
    WriteRequest   06    WriteResponse   0D

They are known by their place alone. What comes before the request has left answers nothing, and what comes when another
service was asked for is an error. Once an answer is missing, or cannot be read, every later one could be taken for it:
the client asks nothing more before it has connected anew (ciphered or not: nothing binds an answer to its request). So
it is after an error in clear where answers are ciphered: whoever forged it would shift all answers by one.
"""

from __future__ import annotations

from typing import Final

from cosemic.errors import ProtocolError

_RESPONSE: Final = 7
"""Between the tags of a request and its response."""
_NAMES: Final = {0x05: "Read", 0x06: "Write"}
UNNUMBERED_RESPONSES: Final = frozenset(request + _RESPONSE for request in _NAMES)
UNANSWERED: Final = (
    "a request before this one was not answered, and its answer could not be told from that to this one: connect again"
)


def comes_in_turn(tag: int, asked: int) -> bool:
    """Whether a response with that tag answers what was asked last; False where nothing of the kind was.

    asked: the tag of the request. Raises ProtocolError where it is of the other service.
    """
    if asked not in _NAMES:
        return False
    if tag != asked + _RESPONSE:
        raise ProtocolError(f"the meter answered {_NAMES[tag - _RESPONSE]}, and {_NAMES[asked]} was asked for")
    return True
