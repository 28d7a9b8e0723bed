"""HDLC frames of the connection-oriented profile, IEC 62056-46 (in newer editions 7-6): what captures need.

- :mod:`~cosemic.link.hdlc.frame`: one frame between its flags, addresses, control field, checks.
- :mod:`~cosemic.link.hdlc.stream`: frames in a stream of octets.
- :mod:`~cosemic.link.hdlc.fields`: information fields of SNRM, UA and FRMR, the LLC octets of I and UI.
- :mod:`~cosemic.link.hdlc.reassembly`: segments into messages.
"""

from __future__ import annotations

from cosemic.link.hdlc.fields import LLC_REQUEST, LLC_RESPONSE, FrameReject, HdlcParameters, split_llc
from cosemic.link.hdlc.frame import FLAG, Control, HdlcAddress, HdlcFrame, decode_frame, encode_frame
from cosemic.link.hdlc.reassembly import HdlcMessage, HdlcReassembler
from cosemic.link.hdlc.stream import HdlcStreamReader

__all__ = [
    "FLAG",
    "LLC_REQUEST",
    "LLC_RESPONSE",
    "Control",
    "FrameReject",
    "HdlcAddress",
    "HdlcFrame",
    "HdlcMessage",
    "HdlcParameters",
    "HdlcReassembler",
    "HdlcStreamReader",
    "decode_frame",
    "encode_frame",
    "split_llc",
]
