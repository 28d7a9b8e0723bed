"""How what a client says is judged: against the description of the meter, and against what our meter has seen of it.

=================  ================================================================================================
an attribute       is
=================  ================================================================================================
``read``           the octets came as our meter sent them, and the client understood them
``refused``        read-write-denied, and the client may not read it, or the object does not have it
``misunderstood``  the octets came as our meter sent them, and the client's decoder has a known fault
``wrong``          all else
=================  ================================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interop import meter
from interop.deeds import DEEDS, cells
from interop.driver import AttributeRow
from interop.peers import Client, Server
from interop.watched import Watched

REFUSED = "refused 3"
"""read-write-denied."""


@dataclass(frozen=True)
class AttributeResult:
    """How one attribute fared."""

    class_id: int
    version: int
    logical_name: str
    attribute: int
    outcome: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.class_id}/{self.logical_name}:{self.attribute} of version {self.version}: {self.why}"


def wrong(reading: str, told: Any, server: Server, watched: Watched | None, client_sap: int) -> str:
    """What is wrong with a reading, or nothing; attributes are judged one by one."""
    if reading == "view":
        return _wrong_view(told, server, watched.view(client_sap) if watched is not None else None)
    if reading == "register":
        expected: Any = list(meter.REGISTERS[meter.ENERGY_IMPORT])
    elif reading == "profile":
        expected = cells(meter.selected_rows())
    else:
        expected = DEEDS[reading].expected
    if told != expected:
        if isinstance(expected, list) and isinstance(told, list) and len(told) != len(expected):
            return f"{len(told)} items instead of {len(expected)}"
        return f"read {str(told)[:120]} instead of {str(expected)[:120]}"
    return _unseen(reading, watched) if reading in DEEDS and watched is not None else ""


def _wrong_view(told: Any, server: Server, whole: set[tuple[int, int, str]] | None) -> str:
    seen = {(class_id, bytes.fromhex(name)) for class_id, _, name in told}
    missing = ", ".join(f"{class_id}/{name.hex()}" for class_id, name in sorted(server.view - seen))
    if missing:
        return f"the view lacks {missing}"
    if whole is not None and sorted(map(tuple, told)) != sorted(whole):
        return f"{len(told)} objects in view, and not the {len(whole)} that the meter shows"
    return ""


def _unseen(deed: str, watched: Watched) -> str:
    """What our meter should have told, and has not."""
    name, details = DEEDS[deed].happening, DEEDS[deed].details
    seen = (one.details for one in watched.told if one.name == name)
    if not name or any(all(happened.get(key) == value for key, value in details.items()) for happened in seen):
        return ""
    return f"the client is content, but the meter does not tell {name}"


def attributes(
    rows: Iterable[AttributeRow], client: Client, client_sap: int, watched: Watched, *, shows_faults: bool
) -> list[AttributeResult]:
    """Judge what a client says of every attribute that it knows.

    shows_faults: the meter has values that the faults of clients show with, so that one that does not show is gone.
    """
    return [AttributeResult(*row[:4], *_outcome(row, client, client_sap, watched, shows_faults)) for row in rows]


def _outcome(
    row: AttributeRow, client: Client, client_sap: int, watched: Watched, shows_faults: bool
) -> tuple[str, str]:
    class_id, version, name, attribute, octets, said = row
    if octets is None:
        may_be_read = watched.is_readable(client_sap, class_id, name, attribute)
        return ("refused", "") if said == REFUSED and not may_be_read else ("wrong", said)
    if bytes.fromhex(octets) not in watched.answers.get((class_id, name, attribute), ()):
        return "wrong", "the octets are not those that the meter sent"
    fault = client.misunderstood.get((class_id, version, attribute), "")
    if said:
        return ("misunderstood", fault) if fault else ("wrong", said)
    return ("wrong", f"is understood, though {fault}") if fault and shows_faults else ("read", "")


def summary(judged: list[AttributeResult], view: int) -> tuple[bool, str]:
    """Whether the reading of all attributes is passed, and how it went; view: objects that the client sees."""
    count = Counter(one.outcome for one in judged)
    objects = len({(one.class_id, one.logical_name) for one in judged})
    told = f"{count['read']} read, {count['refused']} refused, {count['misunderstood']} misunderstood"
    told += f"; {objects} of {view} objects are of classes that it knows"
    for one in judged:
        if one.outcome == "wrong":
            return False, f"{count['wrong']} wrong, first {one}; {told}"
    return bool(judged), told
