"""The records that ``decode`` cannot read yet, with the reason; every other record of its kinds passes."""

from __future__ import annotations

EXPECTED_FAILURES: dict[str, str] = {}
KINDS = ("apdu", "messages", "data", "hdlcframe", "hdlcstream", "gbt-frames", "amis", "p1", "readout", "progcmd")


def among(*kinds: str) -> dict[str, str]:
    """Return those of the list that have one of these kinds."""
    from tests.vectors import book

    return {name: why for name, why in EXPECTED_FAILURES.items() if name not in book() or book()[name]["kind"] in kinds}
