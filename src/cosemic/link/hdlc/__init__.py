"""HDLC, the connection-oriented profile of IEC 62056-46 (in newer editions 7-6): frames, and the two stations.

- :mod:`~cosemic.link.hdlc.frame`: one frame between its flags, addresses, control field, checks.
- :mod:`~cosemic.link.hdlc.stream`: frames in a stream of octets.
- :mod:`~cosemic.link.hdlc.fields`: information fields of SNRM, UA and FRMR, the LLC octets of I and UI.
- :mod:`~cosemic.link.hdlc.reassembly`: segments into messages.
- :mod:`~cosemic.link.hdlc.primary`: the client's station, with :mod:`~cosemic.link.hdlc.turn`, what it does when it is
  its turn.
- :mod:`~cosemic.link.hdlc.secondary`: the stations of a server.
- :mod:`~cosemic.link.hdlc.settings`, :mod:`~cosemic.link.hdlc.negotiation`: what they can do, and agree on.
- :mod:`~cosemic.link.hdlc.numbered`, :mod:`~cosemic.link.hdlc.line`, :mod:`~cosemic.link.hdlc.addresses`: what both
  have in common: sequence variables and segments, frames on a medium, who is meant.
"""

from __future__ import annotations

from cosemic.link.hdlc.fields import LLC_REQUEST, LLC_RESPONSE, FrameReject, HdlcParameters, split_llc
from cosemic.link.hdlc.frame import FLAG, Control, HdlcAddress, HdlcFrame, decode_frame, encode_frame
from cosemic.link.hdlc.primary import HdlcPrimaryLink
from cosemic.link.hdlc.reassembly import HdlcMessage, HdlcReassembler
from cosemic.link.hdlc.secondary import HdlcSecondaryLink
from cosemic.link.hdlc.settings import HdlcSettings
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
    "HdlcPrimaryLink",
    "HdlcReassembler",
    "HdlcSecondaryLink",
    "HdlcSettings",
    "HdlcStreamReader",
    "decode_frame",
    "encode_frame",
    "split_llc",
]
