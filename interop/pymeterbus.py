"""pyMeterBus' opinion of a recorded conversation on the wired M-Bus: what it makes of each frame.

Of long frames it knows those with variable data (CI 72, 76) only; of others, DLMS among them, it reads the head, and
says `Not a variable data long frame`; where there are fewer octets than a header of variable data has, which it looks
for all the same, it raises IndexError.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as distribution_version

from interop.capture import Conversation

E5, SHORT, LONG = b"\xe5", 0x10, 0x68
VARIABLE_DATA = (0x72, 0x76)
OTHER = "Not a variable data long frame"


class PyMeterBusMissing(Exception):
    """It is not installed."""


def version() -> str:
    """Its version, or nothing."""
    try:
        return distribution_version("pymeterbus")
    except PackageNotFoundError:
        return ""


def _frames(octets: bytes) -> Iterator[bytes]:
    while octets:
        size = {SHORT: 5, LONG: 6 + octets[1] if len(octets) > 1 else 0}.get(octets[0], 1)
        yield octets[:size]
        octets = octets[size:]


def _wrong(frame: bytes) -> str:
    """What it finds wrong with a frame, or nothing."""
    import meterbus

    head = meterbus.TelegramHeader()
    try:
        head.load(list(frame[:6] + frame[-2:] if frame[0] == LONG else frame))
        meterbus.load(frame)
    except IndexError:
        if frame[0] != LONG or frame[6] in VARIABLE_DATA:
            return f"{frame.hex()}: IndexError"
    except meterbus.exceptions.MBusError as error:
        said = getattr(error, "msg", type(error).__name__)
        if said != OTHER:
            return f"{frame.hex()}: {said}"
    if frame == E5:
        return ""
    c, a = frame[4:6] if frame[0] == LONG else frame[1:3]
    return "" if (head.cField.parts, head.aField.parts) == ([c], [a]) else f"{frame.hex()}: other fields"


def examine(conversations: Iterable[Conversation]) -> tuple[str, str]:
    """Return what frames it had before it, and what is wrong with one of them, or nothing. Raises PyMeterBusMissing."""
    if not version():
        raise PyMeterBusMissing("pyMeterBus is not installed")
    sides = [[octets for side, octets in one.chunks if side is ours] for one in conversations for ours in (True, False)]
    frames = [frame for chunks in sides for frame in _frames(b"".join(chunks))]
    kinds = Counter({SHORT: "short", LONG: "long"}.get(frame[0], "single") for frame in frames)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"frames: {told}" if told else "", next(filter(None, map(_wrong, frames)), "")
