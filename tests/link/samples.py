"""What the tests of links share: any address and control field, frames as FORMAT.md writes them, the plain CRC."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from cosemic.link.hdlc import Control, HdlcAddress, HdlcFrame, HdlcParameters, encode_frame
from cosemic.values.enumerations import FrameType

SEVEN = st.integers(0, 0x7F)
FOURTEEN = st.integers(0, 0x3FFF)
ADDRESSES = st.one_of(
    st.builds(HdlcAddress, SEVEN),
    st.builds(HdlcAddress, SEVEN, SEVEN, st.just(2)),
    st.builds(HdlcAddress, FOURTEEN, FOURTEEN, st.just(4)),
)
THREE = st.integers(0, 7)
BIT = st.integers(0, 1)
UNNUMBERED = st.sampled_from([each for each in FrameType if each > FrameType.RNR])
CONTROLS = st.one_of(
    st.builds(Control, st.just(FrameType.I), THREE, THREE, BIT),
    st.builds(Control, st.sampled_from([FrameType.RR, FrameType.RNR]), st.none(), THREE, BIT),
    st.builds(Control, UNNUMBERED, st.none(), st.none(), BIT),
)


def described(frame: HdlcFrame) -> dict[str, Any]:
    """The frame as FORMAT.md writes it; `apdu` is not HDLC's."""

    def address(of: HdlcAddress) -> dict[str, Any]:
        return {"upper": of.upper, "lower": of.lower}

    control = frame.control
    negotiates = control.type in (FrameType.SNRM, FrameType.UA) and frame.information
    parameters = HdlcParameters.decode(frame.information) if negotiates else None
    return {
        "frame": {
            "segmented": frame.segmented,
            "length": frame.length,
            "destination": address(frame.destination),
            "source": address(frame.source),
            "control": {"type": control.type.label, "ns": control.ns, "nr": control.nr, "pf": control.pf},
            "fcs_ok": frame.fcs_ok,
            "hcs_ok": frame.hcs_ok,
        },
        "information": frame.information.hex(),
        "parameters": parameters
        and {name: getattr(parameters, name) for name in ("max_info_tx", "max_info_rx", "window_tx", "window_rx")},
    }


def without_apdu(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "apdu"}


def plain_check_sequence(content: bytes) -> bytes:
    """CRC-16/X-25 bit by bit, the definition of the reference text."""
    register = 0xFFFF
    for octet in content:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


def encoded_again(frame: HdlcFrame) -> bytes:
    return encode_frame(frame.destination, frame.source, frame.control, frame.information, segmented=frame.segmented)


def in_pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream cut at these places, which may be any numbers."""
    marks = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(marks)]
