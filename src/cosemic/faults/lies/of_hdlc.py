"""Lies about HDLC frames (IEC 62056-46; reference, transports 3).

A frame that is damaged, for somebody else, or out of its turn is discarded in silence; the primary asks again after its
response time-out, and the secondary sends from N(R) on. So most lies end rightly, a little later. What cannot be mended
so ends the data link connection (DM, FRMR), and with it the association.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from cosemic.errors import ConnectionFailed, ConnectionLost, ProtocolError, ResponseTimeout
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Reframe, Right, Silent, Then
from cosemic.faults.lies.scene import Scene
from cosemic.link.hdlc import FLAG, Control, FrameReject, HdlcAddress, HdlcFrame, HdlcParameters, HdlcStreamReader
from cosemic.link.hdlc.checks import check_sequence
from cosemic.link.hdlc.frame import encode_frame
from cosemic.values.enumerations import FrameType

_lie: Final = partial(Lie, family=Family.HDLC)
_connecting: Final = partial(Lie, family=Family.HDLC, moment=Moment.CONNECTING)
_AGAIN: Final = Then.CONNECT_AGAIN
_DISCARDED: Final = "3.5: such a frame is discarded silently, and asked for again after the response time-out"
_ADDRESS: Final = "3.2: a frame for or from somebody else is discarded"
_SEQUENCE: Final = "3.5: wrong N(S): discarded, and answered with the N(R) that is expected"
_NEGOTIATION: Final = "3.4: UA is the final word, and a client still applies the lesser of its own and UA's"
_FOREIGN: Final = 0x55
_ZEROS: Final = bytes.fromhex("818012 050100 060100 070400000000 080400000000")
"""Negotiation parameters, all of them 0."""
_NOISE: Final = bytes(range(256)) * 16
Change: TypeAlias = Callable[[bytes, HdlcFrame], bytes]
"""The octets of a frame without its flags, and the frame; returns what is sent, flags included."""


def _frame(change: Change, *types: FrameType) -> Reframe:
    """Change the first frame of some types, I where none is named."""

    def reframe(octets: bytes, scene: Scene) -> bytes | None:
        at = 0
        for frame in HdlcStreamReader().receive(octets):
            end = at + frame.length + 2
            if frame.control.type in (types or (FrameType.I,)):
                return octets[:at] + change(octets[at + 1 : end - 1], frame) + octets[end:]
            at = end
        return None

    return reframe


def _flagged(body: bytes) -> bytes:
    return FLAG + body + FLAG


def _made(frame: HdlcFrame) -> bytes:
    octets = encode_frame(frame.destination, frame.source, frame.control, frame.information, segmented=frame.segmented)
    return _flagged(octets)


def _with(**fields: Any) -> Reframe:
    """A frame with other fields."""
    return _frame(lambda body, frame: _made(frame._replace(**fields)))


def _numbered(*, ns: int = 0, nr: int = 0) -> Reframe:
    """An I frame whose numbers are so far off."""

    def change(body: bytes, frame: HdlcFrame) -> bytes:
        control = frame.control
        wrong = control._replace(ns=((control.ns or 0) + ns) % 8, nr=((control.nr or 0) + nr) % 8)
        return _made(frame._replace(control=wrong))

    return _frame(change)


def _header(change: Callable[[bytearray], object]) -> Reframe:
    """Another header with check sequences that are right for it."""

    def changed(body: bytes, frame: HdlcFrame) -> bytes:
        size = 2 + frame.destination.size + frame.source.size + 1
        header = bytearray(body[:size])
        change(header)
        checked = bytes(header) + check_sequence(header) + frame.information
        return _flagged(checked + check_sequence(checked))

    return _frame(changed)


def _instead(type_: FrameType, information: bytes = b"", of: FrameType = FrameType.I) -> Reframe:
    """An unnumbered frame in place of another one."""
    return _frame(lambda body, frame: _made(frame._replace(control=Control(type_), information=information)), of)


def _inverted(at: int) -> Reframe:
    """A bit of an octet of the frame inverted."""

    def change(body: bytes, frame: HdlcFrame) -> bytes:
        octets = bytearray(body)
        octets[at] ^= 0x10
        return _flagged(bytes(octets))

    return _frame(change)


def _parameters(parameters: bytes, *types: FrameType) -> Reframe:
    """SNRM or UA with another information field."""
    return _frame(lambda body, frame: _made(frame._replace(information=parameters)), *types)


def _added(number: int) -> Callable[[bytearray], object]:
    """A length field that lies by so much."""

    def change(header: bytearray) -> None:
        header[1] += number

    return change


def _set(at: int, octet: int) -> Callable[[bytearray], object]:
    def change(header: bytearray) -> None:
        header[at] = octet

    return change


HDLC_LIES: Final = (
    _lie("fcs-wrong", "a wrong FCS", _DISCARDED, reframe=_inverted(-1), server=Right(), client=Right()),
    _lie("hcs-wrong", "a wrong HCS", _DISCARDED, reframe=_inverted(5), server=Right(), client=Right()),
    _lie(
        "information-damaged",
        "an octet of the information that fits no FCS",
        _DISCARDED,
        reframe=_inverted(12),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "frame-length-long",
        "a length field that is one too large, and check sequences right for it",
        "3.1: the length delimits; no flag stands where it says, so that the search goes on",
        reframe=_header(_added(1)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "frame-length-short",
        "a length field that is one too small",
        "3.1: as frame-length-long",
        reframe=_header(_added(-1)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "format-type-other",
        "frame format type 1011",
        "HDLC_FRAME_N3: no answer to any type but 1010",
        reframe=_header(_set(0, 0xB0)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "control-unknown",
        "a control field that the profile does not have",
        "HDLC_FRAME_N5: no answer, or FRMR",
        reframe=_header(_set(4, 0xEF)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "flag-missing-at-the-end",
        "no closing flag",
        "HDLC_FRAME_N1: no answer; the next frame's flag may close it",
        reframe=_frame(lambda body, frame: FLAG + body),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "flag-missing-at-the-beginning",
        "no opening flag",
        "HDLC_FRAME_N1: no answer",
        reframe=_frame(lambda body, frame: body + FLAG),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "noise-before-the-frame",
        "four kilobytes of noise before the frame",
        "3.1: what is no frame is passed over",
        reframe=_frame(lambda body, frame: _NOISE + _flagged(body)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "station-foreign",
        "the destination address of another station",
        _ADDRESS,
        reframe=_with(destination=HdlcAddress(_FOREIGN)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "sender-foreign",
        "the source address of another station",
        _ADDRESS,
        reframe=_with(source=HdlcAddress(_FOREIGN)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "station-nobody",
        "the destination address NO_STATION",
        "3.2: a NO_STATION address is discarded",
        reframe=_with(destination=HdlcAddress(0)),
        server=Right(),
        client=Right(),
    ),
    _lie("ns-ahead", "N(S) one ahead", _SEQUENCE, reframe=_numbered(ns=1), server=Right(), client=Right()),
    _lie("ns-repeated", "N(S) of the frame before", _SEQUENCE, reframe=_numbered(ns=7), server=Right(), client=Right()),
    _lie(
        "nr-invalid",
        "an N(R) for frames that were never sent",
        "HDLC_INFO_N2: a secondary answers FRMR, a primary discards the frame",
        reframe=_numbered(nr=3),
        server=Right(),
        client=Silent(_AGAIN),
    ),
    _lie(
        "frame-twice",
        "the I frame a second time",
        "DL-C01: answered once",
        reframe=_frame(lambda body, frame: _flagged(body) * 2),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "turn-kept",
        "P/F = 0 in the last frame",
        "DL-C12: the turn is not passed; it is asked for after the response time-out",
        reframe=_frame(lambda body, frame: _made(frame._replace(control=frame.control._replace(pf=0)))),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "busy-once",
        "RNR in place of the answer",
        "3.5: busy, the primary polls again",
        reframe=_frame(
            lambda body, frame: _made(
                frame._replace(control=Control(FrameType.RNR, None, frame.control.nr), information=b"")
            )
        ),
        server=Right(),
    ),
    _lie(
        "information-empty",
        "an I frame without information, under the number of the answer",
        "3.5: the number is used up, and the answer never comes",
        reframe=_with(information=b""),
        server=Fails(ResponseTimeout),
    ),
    _lie(
        "segment-missing",
        "the segmentation bit in the last segment",
        "3.5: more segments are waited for, until the response time-out",
        reframe=_with(segmented=True),
        server=Fails(ResponseTimeout, _AGAIN),
        client=Silent(_AGAIN),
    ),
    _lie(
        "information-too-long",
        "an information field of 1,000 octets where 128 were agreed upon",
        "HDLC_INFO_N1: FRMR, or no answer",
        reframe=_frame(lambda body, frame: _made(frame._replace(information=frame.information.ljust(1000, b"\0")))),
        server=Fails(ProtocolError),
        client=Silent(_AGAIN),
    ),
    _lie(
        "llc-missing",
        "no LLC octets",
        "3.5, DL-C15: the first segment begins with E6 E6 00 or E6 E7 00; ignored, or read all the same",
        reframe=_frame(lambda body, frame: _made(frame._replace(information=frame.information[3:]))),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "dm",
        "DM in place of the answer",
        "3.4: DM is the end of the connection, and of all associations on it",
        reframe=_instead(FrameType.DM),
        server=Fails(ConnectionLost, _AGAIN),
    ),
    _lie(
        "frmr",
        "FRMR in place of the answer",
        "3.4: FRMR is the end of the connection, and of all associations on it",
        reframe=_instead(FrameType.FRMR, FrameReject(0x10, 0, 0, False, undefined_control=True).encode()),
        server=Fails(ProtocolError, _AGAIN),
    ),
    _lie(
        "ua-unasked",
        "UA in place of the answer",
        "3.4: UA answers SNRM and DISC; passed over, and the answer is asked for again",
        reframe=_instead(FrameType.UA),
        server=Right(),
    ),
    _lie(
        "snrm-amid-a-session",
        "SNRM in place of the request",
        "DL-C04: numbers begin anew, and the associations are released",
        reframe=_instead(FrameType.SNRM),
        client=Silent(_AGAIN),
    ),
    _lie(
        "disc-amid-a-session",
        "DISC in place of the request",
        "DL-C05: the connection is over, and the associations with it",
        reframe=_instead(FrameType.DISC),
        client=Silent(_AGAIN),
    ),
    _connecting(
        "snrm-refused",
        "DM to every SNRM",
        "3.4: a refused SNRM is answered with DM",
        reframe=_instead(FrameType.DM, of=FrameType.UA),
        times=None,
        server=Fails(ConnectionFailed, _AGAIN),
    ),
    _connecting(
        "agreed-more-than-asked",
        "an information field of 2030 octets and a window of 7, where 128 and 1 were asked for",
        _NEGOTIATION,
        reframe=_parameters(HdlcParameters(2030, 2030, 7, 7).encode(), FrameType.UA),
        server=Right(),
    ),
    _connecting(
        "agreed-garbage",
        "negotiation parameters that are none",
        "DL-C11: defaults, or DM, or no answer",
        reframe=_parameters(b"\x81\x80\xff\x05", FrameType.UA, FrameType.SNRM),
        server=Right(),
        client=Right(),
    ),
    _connecting(
        "window-of-zero",
        "a window of 0, and information fields of 0 octets",
        "3.4: windows are 1 to 7, information fields 32 to 2030",
        reframe=_parameters(_ZEROS, FrameType.UA, FrameType.SNRM),
        server=Right(),
        client=Right(),
    ),
)
