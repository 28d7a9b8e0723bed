"""The records that ``decode`` cannot read yet, with the reason; every other record of its kinds passes."""

from __future__ import annotations

M_BUS = "M-Bus frames are not read"
SIGNATURE = "signatures are not verified"

EXPECTED_FAILURES = {
    "elster-kmswest-mbus": M_BUS,
    "kaifa-netz-noe-mbus": M_BUS,
    "kaifa-tirol-example": M_BUS,
    "ref-general-signing": SIGNATURE,
    "ref-general-signing-wrong": SIGNATURE,
}
KINDS = ("apdu", "messages", "data", "hdlcframe", "hdlcstream", "gbt-frames", "p1")


def among(*kinds: str) -> dict[str, str]:
    """Return those of the list that have one of these kinds."""
    from tests.vectors import book

    return {name: why for name, why in EXPECTED_FAILURES.items() if name not in book() or book()[name]["kind"] in kinds}
