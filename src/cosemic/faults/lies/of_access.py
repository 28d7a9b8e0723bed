"""Lies about ACCESS, attribute 0, and what was not agreed upon (reference, application layer 6.3, 7, 11).

Two entries are asked for: the register and the number; or, with break-on-error, to read a register that is not there
and to write the number.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from cosemic.errors import DecodeError, OutcomeUnknown, ProtocolError, ResponseTimeout, ServiceFailed
from cosemic.faults.lies.lie import Fails, Family, Gets, Lie, Moment, Right, Says, Setting, Silent
from cosemic.faults.lies.scene import Scene
from cosemic.faults.lies.telling import before, instead, plain
from cosemic.values import DataAccessResult

_COUNT: Final = "11: as many results, and as many data, as entries were asked for"
_OUTCOME: Final = _COUNT + "; nobody knows what was changed"
_UNKNOWN: Final = Says("d80202")
_MALFORMED: Final = Says("d80103")
_BIT: Final = "6.3: what was not agreed upon is service-not-supported, and not executed"
_WHOLE: Final = "7: one member for each attribute, in their order; nothing is written"
_R: Final = "0100010000600100ff02"
_N: Final = "0100010000600100ff02"
_W: Final = "0200010000600100ff02"
_MEMBER: Final = "0600000008"

_lie: Final = partial(Lie, family=Family.ACCESS)
_reading: Final = partial(_lie, moment=Moment.ACCESSING)
_writing: Final = partial(_lie, moment=Moment.ACCESS_WRITING)
_narrow: Final = partial(_lie, setting=Setting.NARROW, client=_UNKNOWN)


def _numbered(octets: bytes, scene: Scene) -> bytes:
    """The answer with another long-invoke-id."""
    return octets[:4] + bytes((octets[4] ^ 1,)) + octets[5:]


def _other_echo(octets: bytes, scene: Scene) -> bytes:
    """The answer with another entry in what it repeats of the request."""
    at = octets.index(bytes.fromhex(_N))
    return octets[: at + 6] + bytes((octets[at + 6] ^ 1,)) + octets[at + 7 :]


_RESPONSES: Final = (
    _reading("access-id-other", "the answer to another request", "11, 18: it is matched by its long-invoke-id",
             tell=plain(_numbered), server=Fails(ResponseTimeout)),
    _reading("access-data-fewer", "one Data fewer than results", _COUNT,
             tell=instead("daLLLLLLLL00000106000000070201000100"), server=Fails(ProtocolError)),
    _reading("access-results-fewer", "one result fewer than Data", _COUNT,
             tell=instead("daLLLLLLLL0000020600bc614e0600000007010100"), server=Fails(ProtocolError)),
    _reading("access-more", "three results and Data for two entries", _COUNT,
             tell=instead("daLLLLLLLL00000311051106110703010001000100"), server=Fails(ProtocolError)),
    _reading("access-nothing", "no results and no Data", _COUNT, tell=instead("daLLLLLLLL00000000"),
             server=Fails(ProtocolError)),
    _reading("access-results-of-set", "results of SET to GETs", "11: each result is of the kind of its entry",
             tell=instead("daLLLLLLLL0000020600bc614e06000000070202000200"), server=Fails(ProtocolError)),
    _reading("access-echo-differs", "another entry in the request that is repeated",
             "11: the request is repeated as it was made, or not; the results may belong to another",
             tell=plain(_other_echo), server=Fails(ProtocolError)),
    _reading("access-error-with-data", "Data beside the results object-undefined",
             "11: the Data of a failure is null-data; what failed has no value",
             tell=instead("daLLLLLLLL0000021105110602010401" + "04"),
             server=Gets((DataAccessResult.OBJECT_UNDEFINED,) * 2)),
    _reading("access-cut", "two Data announced, and one there", "20: refused",
             tell=instead("daLLLLLLLL0000020600bc614e"), server=Fails(DecodeError)),
    _reading("access-count-lies", "4,294,967,295 Data, of which one is there", "20: refused",
             tell=instead("daLLLLLLLL000084ffffffff1105"), server=Fails(DecodeError)),
    _reading("access-date-time-cut", "a date-time of 12 octets, of which two are there", "20: refused",
             tell=instead("daLLLLLLLL0c07ea"), server=Fails(DecodeError)),
    _reading("access-answered-by-get", "a get-response to an ACCESS", "11: ACCESS has its own response",
             tell=instead("c401c1001105"), server=Fails(ResponseTimeout)),
    _lie("access-for-get", "an access-response to a GET", "8: GET has its own response",
         tell=instead("da4000000100000111" + "05010100"), server=Fails(ResponseTimeout)),
    _writing("access-goes-on", "an entry that was served behind the break",
             "11: behind the first failure nothing is executed; the results are told as they are",
             tell=instead("daLLLLLLLL0000020000" + "0201040200"),
             server=Gets((DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.SUCCESS))),
    _writing("access-written-fewer", "one result fewer than entries, one of which writes", _OUTCOME,
             tell=instead("daLLLLLLLL00000100" + "010104"), server=Fails(OutcomeUnknown)),
    _writing("access-written-cut", "an answer without its results", _OUTCOME,
             tell=instead("daLLLLLLLL0000020000"), server=Fails(OutcomeUnknown)),
    _lie("unconfirmed-answered", "an answer to the request before, which asked for none",
         "18: an unconfirmed request is never answered; it answers no other one",
         tell=before("c5010000"), server=Right()),
)  # fmt: skip

_REQUESTS: Final = (
    _reading("access-counts-differ", "one Data fewer than entries",
             "11: one for each; nothing is executed, and every result is other-reason",
             tell=instead(f"d9400000010002{_R}{_W}0100"), client=Says("da400000010000020000" + "0201fa02fa")),
    _reading("access-of-nothing", "an ACCESS without entries", "11: as many results as entries",
             tell=instead("d940000001000000"), client=Says("da4000000100000000")),
    _reading("access-count-huge", "4,294,967,295 entries, of which one is there", "20: refused",
             tell=instead(f"d9400000010084ffffffff{_R}"), client=_MALFORMED),
    _reading("access-choice-unknown", "an entry of choice 9", "20: refused",
             tell=instead("d9400000010001" + "09" + _R[2:] + "0100"), client=_MALFORMED),
    _reading("access-data-behind", "Data behind the last entry's", "20: octets behind a complete APDU are refused",
             tell=instead(f"d9400000010001{_R}01000000"), client=_MALFORMED),
    _reading("access-unconfirmed", "an ACCESS of service-class unconfirmed", "11: it gets no response",
             tell=instead(f"d9000000010001{_R}0100"), client=Silent()),
    _reading("access-too-many", "a hundred entries, whose results do not fit",
             "18: an APDU above max-receive-pdu-size is pdu-too-long",
             tell=instead("d940000001" + "0064" + _R * 100 + "64" + "00" * 100), client=Says("d80104")),
    _lie("whole-object-shorter", "attribute 0 written with one member too few", _WHOLE, moment=Moment.WRITING,
         tell=instead("c101II00010000600100ff0000" + "020100"), client=Says("c501..0c")),
    _lie("whole-object-longer", "attribute 0 written with one member too many", _WHOLE, moment=Moment.WRITING,
         tell=instead("c101II00010000600100ff0000" + "020300" + _MEMBER * 2), client=Says("c501..0c")),
    _lie("whole-object-no-structure", "attribute 0 written with a number", _WHOLE, moment=Moment.WRITING,
         tell=instead("c101II00010000600100ff0000" + _MEMBER), client=Says("c501..0c")),
)  # fmt: skip

_NOT_AGREED: Final = (
    _narrow("service-not-agreed", "an ACCESS", _BIT, tell=instead(f"d9400000010001{_R}0100")),
    _narrow("list-not-agreed", "a GET with list", _BIT, tell=instead("c003II0100010000600100ff0200")),
    _narrow("selection-not-agreed", "a GET with selective access", _BIT,
            tell=instead("c001II00010000600100ff0201021105")),
    _narrow("whole-object-not-agreed", "a GET of attribute 0", _BIT, tell=instead("c001II00010000600100ff0000")),
    _narrow("blocks-not-agreed", "the first block of a SET", _BIT, moment=Moment.WRITING,
            tell=instead("c102II00010000600101ff02000000000001020900")),
    _narrow("general-block-not-agreed", "a GET in a general block", _BIT,
            tell=instead("e0810001000" + "00dc001c1000f0000280000ff0200")),
    _narrow("read-not-agreed", "a Read", _BIT, tell=instead("0501022008")),
    _lie("answer-in-blocks-not-agreed", "the first block of an answer", "6.3: the client asks for no block",
         setting=Setting.NARROW, tell=instead("c402II000000000100020900"), server=Fails(ServiceFailed)),
    _lie("answer-in-general-blocks-not-agreed", "the answer in a general block", "6.3, 16: it answers nothing",
         setting=Setting.NARROW, tell=plain(lambda octets, scene: b"\xe0\x81\0\1\0\0" + bytes((len(octets),)) + octets),
         server=Fails(ResponseTimeout)),
)  # fmt: skip

ACCESS_LIES: Final = (*_RESPONSES, *_REQUESTS, *_NOT_AGREED)
