"""Lies about the services: what a server answers, what a client asks (reference, application layer 7 to 10, 14, 18).

A client that is lied to ends in ProtocolError for an APDU of the wrong kind, in DecodeError for octets that are none;
of a change it can only say OutcomeUnknown. An answer with another invoke-id answers another request.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from cosemic.errors import (
    DecodeError,
    ExceptionReceived,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    ServiceErrorReceived,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Says, Silent
from cosemic.faults.lies.scene import Scene
from cosemic.faults.lies.telling import before, instead, plain, wire

_lie: Final = partial(Lie, family=Family.SERVICES)
_MALFORMED: Final = Says("d80103")
_UNKNOWN: Final = Says("d80202")
_KIND: Final = "8 to 10: each request has its own response"
_CHECKLIST: Final = "20: refused, whatever the octets behind say"
_DEEP: Final = "0101" * 100 + "1105"
_NOTIFICATION: Final = "c20000030100010800ff021105"


def _flipped(at: int, bits: int) -> partial[bytes | None]:
    """Invert bits of one octet."""
    return partial(_flip, at, bits)


def _flip(at: int, bits: int, octets: bytes, scene: Scene) -> bytes | None:
    return octets[:at] + bytes((octets[at] ^ bits,)) + octets[at + 1 :]


REQUEST_LIES: Final = (
    _lie(
        "response-for-request",
        "a get-response to the server",
        "14: what is no request is service-unknown, service-not-supported",
        tell=instead("c401II001105"),
        client=_UNKNOWN,
    ),
    _lie(
        "short-name-request",
        "a ReadRequest in an association with logical names",
        "14: as response-for-request (APPL_DATA_LN_N4)",
        tell=instead("0501020008"),
        client=_UNKNOWN,
    ),
    _lie(
        "unconfirmed",
        "a GET of service-class unconfirmed",
        "18: an unconfirmed service is never answered",
        tell=plain(_flipped(2, 0x40)),
        client=Silent(),
    ),
    _lie(
        "list-count-huge",
        "a list of 4,294,967,295 attributes, of which one is there",
        _CHECKLIST,
        tell=instead("c003II84ffffffff00030100010800ff0200"),
        moment=Moment.LIST_READING,
        client=_MALFORMED,
    ),
    _lie(
        "values-fewer",
        "one value fewer than attributes in a SET with list",
        "9: one value for each; the request is malformed, and nothing is written",
        tell=instead("c104II02" + "00010000600100ff0200" + "00010000600100ff0200" + "010601020304"),
        moment=Moment.LIST_WRITING,
        client=_MALFORMED,
    ),
    _lie(
        "value-of-another-type-written",
        "an octet-string for a number",
        "7: type-unmatched, and nothing is written",
        tell=instead("c101II00010000600100ff020009020102"),
        moment=Moment.WRITING,
        client=Says("c501..0c"),
    ),
    _lie(
        "value-cut",
        "an octet-string of 12 octets, of which two are there",
        _CHECKLIST,
        tell=instead("c101II00010000600100ff0200090c0102"),
        moment=Moment.WRITING,
        client=_MALFORMED,
    ),
    _lie(
        "value-count-huge",
        "an array of 4,294,967,295 elements, of which one is there",
        "AL-C18: refused",
        tell=instead("c101II00010000600100ff02000184ffffffff1105"),
        moment=Moment.WRITING,
        client=_MALFORMED,
    ),
    _lie(
        "value-deep",
        "a hundred arrays, each in the one before",
        "AL-C17: refused above the declared depth",
        tell=instead("c101II00010000600100ff0200" + _DEEP),
        moment=Moment.WRITING,
        client=_MALFORMED,
    ),
    _lie(
        "parameter-cut",
        "a method whose parameter is cut off",
        _CHECKLIST,
        tell=instead("c301II00120000" + "2c0000ff0201" + "0202"),
        moment=Moment.INVOKING,
        client=_MALFORMED,
    ),
)

SERVICE_LIES: Final = (
    _lie(
        "tag-unknown",
        "an APDU whose tag nobody has given a meaning",
        "20: unknown alternatives are refused",
        tell=instead("ff01II00"),
        server=Fails(DecodeError),
        client=_UNKNOWN,
    ),
    _lie(
        "choice-unknown",
        "alternative 9 of a GET",
        "20: unknown alternatives are refused (APPL_DATA_LN_N1)",
        tell=plain(lambda octets, scene: octets[:1] + b"\x09" + octets[2:]),
        server=Fails(DecodeError),
        client=_MALFORMED,
    ),
    _lie(
        "octet-behind",
        "an octet behind a complete APDU",
        "20: octets behind a complete APDU are refused",
        tell=plain(lambda octets, scene: octets + b"\0"),
        server=Fails(DecodeError),
        client=_MALFORMED,
    ),
    _lie(
        "notification-first",
        "an event-notification before the APDU",
        "12: it may come at any time, and answers nothing; no service of a server",
        tell=before(_NOTIFICATION),
        server=Right(),
        client=_UNKNOWN,
        notifications=1,
    ),
    _lie(
        "twice",
        "the APDU a second time",
        "18: a response is matched by its invoke-id, so that the second is none of the next request",
        tell=wire(lambda octets, scene: [octets, octets]),
        server=Right(),
        client=Right(),
    ),
    *REQUEST_LIES,
)

ANSWER_LIES: Final = (
    _lie(
        "invoke-id-other",
        "the answer with another invoke-id",
        "18: the response is matched by its invoke-id; one to another request is discarded (CL-01)",
        tell=plain(_flipped(2, 0x01)),
        server=Fails(ResponseTimeout),
    ),
    _lie(
        "priority-other",
        "the answer with another priority",
        "7: a response copies invoke-id and priority",
        tell=plain(_flipped(2, 0x80)),
        server=Fails(ResponseTimeout),
    ),
    _lie(
        "set-answer",
        "a set-response to a GET",
        _KIND,
        tell=instead("c501II00"),
        server=Fails(ProtocolError),
    ),
    _lie(
        "action-answer",
        "an action-response to a GET",
        _KIND,
        tell=instead("c701II0000"),
        server=Fails(ProtocolError),
    ),
    _lie(
        "request-back",
        "the client's own request",
        "a request answers nothing",
        tell=wire(lambda octets, scene: [scene.heard[-1]]),
        server=Fails(ResponseTimeout),
    ),
    _lie(
        "exception",
        "an exception-response to a GET that could be answered",
        "14, CL-09: it may come at any time",
        tell=instead("d80202"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "service-error",
        "a confirmedServiceError to a GET that could be answered",
        "14, CL-09: it may come at any time",
        tell=instead("0e050401"),
        server=Fails(ServiceErrorReceived),
    ),
    _lie(
        "two-for-one",
        "two results to a GET of one attribute",
        _KIND,
        tell=instead("c403II02001105001106"),
        server=Fails(ProtocolError),
    ),
    _lie(
        "list-shorter",
        "one result fewer than attributes",
        "8: one result for each, in order",
        tell=instead("c403II010006075bcd15"),
        moment=Moment.LIST_READING,
        server=Fails(ProtocolError),
    ),
    _lie(
        "list-longer",
        "one result more than attributes",
        "8: one result for each, in order",
        tell=instead("c403II03001105001106001107"),
        moment=Moment.LIST_READING,
        server=Fails(ProtocolError),
    ),
    _lie(
        "list-count-lies",
        "a list of 4,294,967,295 results, of which one is there",
        _CHECKLIST,
        tell=instead("c403II84ffffffff001105"),
        moment=Moment.LIST_READING,
        server=Fails(DecodeError),
    ),
    _lie(
        "value-of-another-type",
        "an array where the class has a number",
        "2, 6-2: the declared type of the attribute",
        tell=instead("c401II0001021105" + "1106"),
        server=Fails(DecodeError),
    ),
    _lie(
        "data-cut",
        "an octet-string of 12 octets, of which two are there",
        _CHECKLIST,
        tell=instead("c401II00090c0102"),
        server=Fails(DecodeError),
    ),
    _lie(
        "data-count-huge",
        "an array of 4,294,967,295 elements, of which one is there",
        _CHECKLIST,
        tell=instead("c401II000184ffffffff1105"),
        server=Fails(DecodeError),
    ),
    _lie(
        "data-deep",
        "a hundred arrays, each in the one before",
        "2.2: nesting is bounded",
        tell=instead("c401II00" + _DEEP),
        server=Fails(DecodeError),
    ),
    _lie(
        "notifications-endless",
        "a hundred notifications before the answer",
        "12: they answer nothing; a peer that sends nothing else is broken",
        tell=before(_NOTIFICATION, 100),
        server=Fails(ProtocolError),
        notifications=100,
    ),
    _lie(
        "get-answer-to-set",
        "a get-response to a SET",
        "9: nobody knows what became of the value",
        tell=instead("c401II001105"),
        moment=Moment.WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _lie(
        "set-answer-cut",
        "a set-response without its result",
        "as get-answer-to-set",
        tell=instead("c501II"),
        moment=Moment.WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _lie(
        "set-refused",
        "an exception-response to a SET, in an association without ciphering",
        "14: the server answers, and the answer is an error",
        tell=instead("d80202"),
        moment=Moment.WRITING,
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "set-list-shorter",
        "one result fewer than values",
        "9: one result for each",
        tell=instead("c505II0100"),
        moment=Moment.LIST_WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _lie(
        "get-answer-to-action",
        "a get-response to an ACTION",
        "10: nobody knows whether the method was invoked",
        tell=instead("c401II001105"),
        moment=Moment.INVOKING,
        server=Fails(OutcomeUnknown),
    ),
)
