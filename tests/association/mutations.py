"""APDUs that are nearly valid, for properties about any octets."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st


@st.composite
def mutated(draw: st.DrawFn, valid: Sequence[bytes]) -> bytes:
    """A valid APDU with some octets changed, left out or put in; or two of them joined."""
    octets = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(octets)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "splice", "end"]))
        if kind == "change" and place < len(octets):
            octets[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del octets[place : place + draw(st.integers(1, 8))]
        elif kind == "insert":
            octets[place:place] = draw(st.binary(max_size=8))
        elif kind == "splice":
            octets[place:] = draw(st.sampled_from(valid))[place:]
        else:
            del octets[place:]
    return bytes(octets)


def anything(valid: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Such APDUs, valid ones, and any octets."""
    return st.one_of(mutated(valid), st.binary(max_size=60), st.sampled_from(valid))
