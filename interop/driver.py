"""What all clients have in common: the command line, what they can be told to do, and the JSON lines they print.

`python -m interop.clients.NAME PLACE ASSOCIATION [READING ...]` prints one line for the association, for each reading
(the first three, if none is named) and for the release: `{"reading": ..., "value": ...}` or `{"reading": ...,
"error": "..."}`. A place is `tcp@4059`: a way of :mod:`interop.ways`, and a port. A reading is a method of the client
by that name, with `_` for `-`. Values:

==============  ========================================================================================================
register        `[value, scaler, unit]`
view            a list of `[class_id, version, logical name in hex]`
profile         a list of `[clock in hex, status, import, export]`
attributes      a list of `[class_id, version, logical name in hex, attribute, octets in hex or null, what went wrong]`:
                the octets of the value as they came; then nothing, `refused 3` with the data-access-result, or what the
                client's own decoder says of the octets
a deed          what the client reads afterwards (:mod:`interop.deeds`)
==============  ========================================================================================================
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from interop.meter import ASSOCIATIONS, Association
from interop.ways import Place

READINGS = ("register", "view", "profile")
ATTRIBUTES = "attributes"

AttributeRow = tuple[int, int, str, int, str | None, str]


class Reader(Protocol):
    """A client with an open association; what else it can do are methods named after it."""

    def register(self) -> list[int]:
        """Value, scaler and unit of the energy imported."""

    def view(self) -> list[list[Any]]:
        """The object list of the association."""

    def profile(self) -> list[list[Any]]:
        """The load profile from `SINCE` to `UNTIL`."""

    def close(self) -> None:
        """Release the association and close the connection."""


Connect = Callable[[Place, Association], Reader]


def first_counter() -> int:
    """An invocation counter above that of any run before."""
    return int(time.time())


def _report(out: TextIO, reading: str, act: Callable[[], Any], *, tell: bool = True) -> Any:
    line: dict[str, Any] = {"reading": reading}
    value = None
    try:
        value = act()
        line["value"] = value if tell else None
    except Exception as error:  # whatever a peer raises is its answer
        line["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(line), file=out, flush=True)
    return value


def main(connect: Connect) -> None:
    """Read the meter at the place and by the association that the command line names."""
    place, association = Place.read(sys.argv[1]), ASSOCIATIONS[sys.argv[2]]
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        reader = _report(out, "association", lambda: connect(place, association), tell=False)
        if reader is None:
            return
        for reading in sys.argv[3:] or READINGS:
            _report(out, reading, getattr(reader, reading.replace("-", "_")))
        _report(out, "release", reader.close)
