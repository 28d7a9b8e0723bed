"""Lies about Read and Write, with short names (IEC 62056-5-3; reference, application layer 13, 14, 18).

Answers have no invoke-id. What cannot be the answer, and what is missing, leaves the client out of step: it could take
every later answer for that to the request before, so that it asks nothing more on this connection. Of a Write it can
only say OutcomeUnknown. The names are those of the meter that the lies are told by, and to::

    2008    a number that is read           2208    a long octet-string
    2108    a number that is written        FFF8    nothing
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from cosemic.errors import DecodeError, OutcomeUnknown, ProtocolError, ResponseTimeout, ServiceErrorReceived
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Says, Setting, Silent, Tell, Then
from cosemic.faults.lies.of_time_and_size import LATE
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import initiate, instead, plain

_AGAIN: Final = Then.CONNECT_AGAIN
_COUNT: Final = "13: one result for each variable, in order"
_OTHER_SERVICE: Final = "13: each request has its own response; without an invoke-id nothing else tells what it answers"
_NUMBERS: Final = "13: block numbers rise by 1; blocks out of order are refused (20)"
_MALFORMED: Final = Says("0e0503")
_FILLER: Final = 64
"""Octets of a block of a transfer that never ends."""

_lie: Final = partial(Lie, family=Family.SHORT_NAMES, setting=Setting.SHORT_NAMES)
_reading: Final = partial(_lie, moment=Moment.BLOCK_READING)
_listing: Final = partial(_lie, moment=Moment.LIST_READING)
_setting: Final = partial(_lie, moment=Moment.WRITING)
_writing: Final = partial(_lie, moment=Moment.BLOCK_WRITING)


def _numbered(at: int, change: Callable[[int], int]) -> Tell:
    """Change the number of a block, which stands there."""

    def changed(octets: bytes, scene: Scene) -> bytes:
        return octets[:at] + change(int.from_bytes(octets[at : at + 2], "big")).to_bytes(2, "big") + octets[at + 2 :]

    return plain(changed)


def _block(rest: str) -> Tell:
    """The block that is due, with other contents; ``NN`` stands for its number."""
    return plain(
        lambda octets, scene: b"\x0c\x01\x02" + bytes.fromhex(rest.replace("NN", f"{scene.block_number + 1:04x}"))
    )


def _endless(head: str, content: bytes) -> Tell:
    """Block after block of a request, from the one that is due on."""

    def tell(said: Said, scene: Scene) -> Sequence[bytes]:
        first = scene.block_number if scene.request[2:3] in b"\x06\x07" else 1
        start, behind = bytes.fromhex(head.partition("NN")[0]), bytes.fromhex(head.partition("NN")[2])
        return [start + number.to_bytes(2, "big") + behind + content for number in range(first, first + 500)]

    return tell


_ANSWERED: Final = 4
"""Where the number of a block stands: 0C 01 02 last-block, 06 01 07 last-block."""
_NAMED: Final = 3
"""05 01 05, 0D 01 02."""

_ANSWERS: Final = (
    _lie("sn-results-more", "two results to a Read of one", _COUNT, tell=instead("0c02001105001106"),
         server=Fails(ProtocolError)),
    _lie("sn-results-none", "a ReadResponse without results", _COUNT, tell=instead("0c00"),
         server=Fails(ProtocolError)),
    _lie("sn-acknowledged", "the acknowledgement of a block that nobody sent",
         "13: a variable that is read is answered with data, an error, or the first block",
         tell=instead("0c01030001"), server=Fails(ProtocolError)),
    _lie("sn-value-cut", "an octet-string of 12 octets, of which two are there",
         "20: refused; what answered cannot be told from what still comes",
         tell=instead("0c0100090c0102"), server=Fails(DecodeError, _AGAIN)),
    _lie("sn-value-of-another-type", "an array where the class has a number", "2, 6-2: the declared type",
         tell=instead("0c010001021105" + "1106"), server=Fails(DecodeError)),
    _lie("sn-success-without-data", "data-access-error success in place of the value",
         "13: success is no error; there is no value", tell=instead("0c010100"),
         server=Fails(ProtocolError)),
    _lie("sn-error-of-read", "a confirmedServiceError to a Read that could be answered", "14: it may come at any time",
         tell=instead("0e050401"), server=Fails(ServiceErrorReceived)),
    _lie("sn-error-of-write", "a confirmedServiceError of Write to a Read", "14: the answer is an error all the same",
         tell=instead("0e060401"), server=Fails(ServiceErrorReceived)),
    _lie("sn-write-answer", "a WriteResponse to a Read", _OTHER_SERVICE, tell=instead("0d0100"),
         server=Fails(ProtocolError, _AGAIN)),
    _lie("sn-get-answer", "a get-response to a Read", "6.3: GET was not agreed upon; it answers nothing",
         tell=instead("c401c1001105"), server=Fails(ResponseTimeout, _AGAIN)),
    _lie("sn-late", "a ReadResponse after the response time-out",
         "13: nothing tells it from the answer to the next request: that is not sent",
         pace=lambda octets: [(LATE, octets)], server=Fails(ResponseTimeout, _AGAIN)),
    _listing("sn-list-shorter", "one result fewer than variables", _COUNT, tell=instead("0c01001105"),
             server=Fails(ProtocolError)),
    _listing("sn-list-longer", "one result more than variables", _COUNT, tell=instead("0c03001105001106001107"),
             server=Fails(ProtocolError)),
    _listing("sn-list-count-lies", "4,294,967,295 results, of which one is there", "20: refused",
             tell=instead("0c84ffffffff001105"), server=Fails(DecodeError, _AGAIN)),
    _lie("vaa-name-other", "an InitiateResponse for another vaa-name",
         "6.2: FA00 with short names; it speaks for another association", moment=Moment.OPENING,
         tell=initiate(vaa_name=0x1234), server=Fails(ProtocolError, Then.OPEN_AGAIN)),
    _setting("sn-written-twice", "two results to a Write of one", "13: one result for each; nobody knows which counts",
             tell=instead("0d020000"), server=Fails(OutcomeUnknown)),
    _setting("sn-read-answer", "a ReadResponse to a Write", _OTHER_SERVICE, tell=instead("0c01001105"),
             server=Fails(OutcomeUnknown, _AGAIN)),
    _setting("sn-write-error-of-read", "a confirmedServiceError of Read to a Write",
             "14: nothing else was asked for, so that it refuses that", tell=instead("0e050501"),
             server=Fails(ServiceErrorReceived)),
    _setting("sn-write-answer-cut", "a WriteResponse without its result", "20: refused; nobody knows what was written",
             tell=instead("0d01"), server=Fails(OutcomeUnknown, _AGAIN)),
)  # fmt: skip

_BLOCKS: Final = (
    _reading("sn-block-skipped", "the number after the one that is due", _NUMBERS,
             tell=lambda said, scene: _numbered(_at(said), lambda n: n + 1)(said, scene),
             server=Fails(ProtocolError), client=Says("0c01010f")),
    _reading("sn-block-repeated", "the number of the block before", _NUMBERS,
             tell=_numbered(_ANSWERED, lambda n: n - 1), server=Fails(ProtocolError)),
    _reading("sn-blocks-restarted", "number 1 again, in the middle of a transfer", _NUMBERS,
             tell=_numbered(_ANSWERED, lambda n: 1), passing=1, server=Fails(ProtocolError)),
    _reading("sn-blocks-endless", "block after block, and never the last", "CL-08: the client stops at a limit",
             tell=plain(lambda octets, scene: b"\x0c\x01\x02\0" + (scene.block_number + 1).to_bytes(2, "big")
                        + b"\x81\xc8" + bytes(200)),
             times=None, server=Fails(ProtocolError)),
    _reading("sn-last-block-empty", "a last block without data, before all data have come",
             "13: the joined raw data are whole results", tell=_block("01NN00"), server=Fails(DecodeError)),
    _reading("sn-block-empty", "a block without data that is not the last", "13: such a transfer need not end",
             tell=_block("00NN00"), server=Fails(ProtocolError)),
    _reading("sn-value-amid-blocks", "a value in place of a block", "13: a transfer goes on with a block, or an error",
             tell=instead("0c01001105"), server=Fails(ProtocolError)),
    _reading("sn-two-blocks-at-once", "two blocks in one ReadResponse", "13: one block stands in one response",
             tell=plain(lambda octets, scene: b"\x0c\x02" + (octets[2:6] + b"\2\0\0") * 2),
             server=Fails(ProtocolError)),
    _writing("sn-acknowledged-other", "the acknowledgement of another block", "13: it names the block received",
             tell=_numbered(_NAMED, lambda n: n + 1), server=Fails(OutcomeUnknown)),
    _writing("sn-written-early", "success before the last block was sent", "13: nothing is written before the last",
             tell=instead("0d0100"), server=Fails(OutcomeUnknown)),
)  # fmt: skip


def _at(said: Said) -> int:
    return _ANSWERED if said.plain[:1] == b"\x0c" else _NAMED


_REQUESTS: Final = (
    _lie("sn-get-request", "a GET in an association with short names", "6.3: confirmedServiceError service-unsupported",
         tell=instead("c001c1000f0000280000ff0200"), client=Says("0e050302")),
    _lie("sn-list-of-nothing", "a Read of no variable", "20: refused", tell=instead("0500"), client=_MALFORMED),
    _lie("sn-count-huge", "4,294,967,295 variables, of which one is there", "20: refused",
         tell=instead("0584ffffffff022008"), client=_MALFORMED),
    _lie("sn-variable-and-block", "a variable and a block-number-access in one Read",
         "13: a block is asked for alone", tell=instead("0502022008050001"), client=_MALFORMED),
    _lie("sn-block-of-nothing", "a block-number-access without a transfer", "13, 7: no-long-get-in-progress",
         tell=instead("0501050001"), client=Says("0c010110")),
    _lie("sn-detailed-access", "the choice that nobody uses", "13: 03 is not used; unknown choices are refused (20)",
         tell=instead("0501032008"), client=_MALFORMED),
    _lie("sn-unconfirmed-write", "an UnconfirmedWrite of nothing that there is", "18: it is never answered",
         tell=instead("160102fff8011105"), client=Silent(_AGAIN)),
    _lie("sn-request-blocks-endless", "block after block of a Read, and never the last",
         "15: long-get-aborted; memory is bounded", tell=_endless("05010600NN40", bytes(_FILLER)),
         client=Says("0c01010f")),
    _setting("sn-values-fewer", "one value fewer than variables", "13: one for each; nothing is written",
             tell=instead("0602022108022108010600000008"), client=Says("0e0603")),
    _setting("sn-value-of-another-type-written", "an octet-string for a number", "7: type-unmatched",
             tell=instead("0601022108010902" + "0102"), client=Says("0d01010c")),
    _setting("sn-block-of-no-write", "the second block of a Write that nobody began",
             "13, 7: no-long-set-in-progress", tell=instead("060107000002" + "0109020102"), client=Says("0d010112")),
    _writing("sn-write-block-skipped", "the number after the one that is due", "13, 7: data-block-number-invalid",
             tell=_numbered(_ANSWERED, lambda n: n + 1), client=Says("0d010113")),
    _writing("sn-write-blocks-endless", "block after block of a Write, and never the last",
             "15: long-set-aborted; memory is bounded", tell=_endless("06010700NN010940", bytes(_FILLER)),
             client=Says("0d010111")),
    _writing("sn-write-block-no-octets", "a block whose raw data are a number", "13: raw data are an octet-string",
             tell=plain(lambda octets, scene: octets[:6] + b"\x01\x11\x05"), client=Says("0e0603")),
)  # fmt: skip

SHORT_NAME_LIES: Final = (*_ANSWERS, *_BLOCKS, *_REQUESTS)
