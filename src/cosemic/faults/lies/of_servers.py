"""Lies that a server tells while an association is opened or released (reference, application layer 5, 6, 18)."""

from __future__ import annotations

from functools import partial
from typing import Final

from cosemic import apdu as a
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    DecodeError,
    ExceptionReceived,
    PolicyViolation,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Setting, Then
from cosemic.faults.lies.scene import Scene
from cosemic.faults.lies.telling import initiate, instead, opening, plain, wire
from cosemic.values import (
    AssociationResult,
    Conformance,
    UserDiagnostic,
)

_OPEN: Final = Then.OPEN_AGAIN
_CONNECT: Final = Then.CONNECT_AGAIN
_C: Final = Setting.CIPHERED
_EVERYTHING: Final = Conformance(0x7EFFFF)
_USER: Final = "acse_service_user"
_lie: Final = partial(Lie, family=Family.ASSOCIATION, moment=Moment.OPENING)


def _challenge_of_the_client(scene: Scene) -> a.AuthenticationValue:
    """The challenge of the AARQ that came."""
    return a.AuthenticationValue(a.AARQ.decode(scene.heard[-1]).calling_authentication_value or b"")


AARE_LIES: Final = (
    _lie(
        "rejected-without-reason",
        "result rejected-permanent with diagnostic null",
        "5.2: the result decides",
        tell=opening(result=AssociationResult.REJECTED_PERMANENT),
        server=Fails(AssociationRejected, _OPEN),
    ),
    _lie(
        "result-unknown",
        "result 7",
        "5.2: results are 0 to 2; what does not accept refuses",
        tell=opening(result=7),
        server=Fails(AssociationRejected, _OPEN),
    ),
    _lie(
        "accepted-with-failure",
        "result accepted with diagnostic authentication-failure",
        "5.2: the result decides, and the diagnostic beside it is a hint",
        tell=opening(result_source_diagnostic=a.ResultSourceDiagnostic(_USER, UserDiagnostic.AUTHENTICATION_FAILURE)),
        server=Right(),
    ),
    _lie(
        "challenged-unasked",
        "diagnostic authentication-required where no authentication was asked for",
        "6: passes 3 and 4 follow a challenge, which a client without a secret cannot answer",
        tell=opening(result_source_diagnostic=a.ResultSourceDiagnostic(_USER, UserDiagnostic.AUTHENTICATION_REQUIRED)),
        server=Fails(AuthenticationFailed, _OPEN),
    ),
    _lie(
        "initiate-is-an-error",
        "result accepted with a ConfirmedServiceError",
        "6.2: an AARE that accepts brings the InitiateResponse",
        tell=opening(user_information=bytes.fromhex("0e010601")),
        server=Fails(DecodeError, _OPEN),
    ),
    _lie(
        "dlms-version-seven",
        "a negotiated dlms version of 7, where 6 was proposed",
        "6.2: the server answers with a version that both speak",
        tell=initiate(negotiated_dlms_version_number=7),
        server=Fails(ProtocolError, _OPEN),
    ),
    _lie(
        "pdu-size-twelve",
        "a max-receive-pdu-size of 12 octets, in which no GET fits",
        "6.1: 12 octets are the least; what does not fit is not sent",
        tell=initiate(server_max_receive_pdu_size=12),
        server=Fails(ServiceFailed, at=Moment.READING, then=_OPEN),
    ),
    _lie(
        "pdu-size-largest",
        "a max-receive-pdu-size larger than the client's",
        "6.2: the size is that of the server's own receiver, and binds nobody to use it",
        tell=initiate(server_max_receive_pdu_size=0xFFFF),
        server=Right(),
    ),
    _lie(
        "everything-agreed",
        "an agreement to services that were not proposed",
        "6.3: agreed upon is what both want; the others are not asked for",
        tell=initiate(conformance=_EVERYTHING),
        server=Right(),
    ),
    _lie(
        "everything-agreed-narrow",
        "the same, where GET, SET and ACTION were proposed alone",
        "as everything-agreed",
        tell=initiate(conformance=_EVERYTHING),
        server=Fails(ServiceFailed, at=Moment.LIST_READING),
        setting=Setting.NARROW,
    ),
    _lie(
        "nothing-agreed",
        "an agreement to no service at all",
        "6.3, 6.4: nothing is asked for that was not agreed upon",
        tell=initiate(conformance=Conformance(0)),
        server=Fails(ServiceFailed, at=Moment.READING, then=_OPEN),
    ),
    _lie(
        "aarq-echoed",
        "the client's AARQ back",
        "an AARQ answers nothing; nothing is agreed upon",
        tell=wire(lambda octets, scene: [scene.heard[-1]]),
        server=Fails(ResponseTimeout, _CONNECT),
    ),
    _lie(
        "aarq-echoed-ciphered",
        "the client's ciphered AARQ back",
        "as aarq-echoed; in a ciphered context no APDU but the AARE comes in clear",
        tell=wire(lambda octets, scene: [scene.heard[-1]]),
        server=Fails(PolicyViolation, _CONNECT),
        setting=_C,
    ),
    _lie(
        "rlre-for-aare",
        "an RLRE to the AARQ",
        "5.3: an RLRE answers an RLRQ",
        tell=instead("6303800100"),
        server=Fails(ResponseTimeout, _CONNECT),
    ),
    _lie(
        "exception-for-aare",
        "an exception-response to the AARQ",
        "14: the server answers, and the answer is an error",
        tell=instead("d80101"),
        server=Fails(ExceptionReceived, _OPEN),
    ),
    _lie(
        "aare-to-nothing",
        "an AARE before the answer to a GET",
        "5.2: an AARE answers an AARQ; what nobody asked for is passed over",
        tell=wire(lambda octets, scene: [scene.said[0], octets]),
        server=Right(),
        moment=Moment.READING,
    ),
    _lie(
        "aare-twice",
        "the AARE a second time",
        "as aare-to-nothing",
        tell=wire(lambda octets, scene: [octets, octets]),
        server=Right(),
    ),
    _lie(
        "challenge-missing",
        "diagnostic authentication-required without a challenge",
        "18: without StoC there is nothing to answer: the client aborts (CL-04)",
        tell=opening(responding_authentication_value=None),
        server=Fails(AuthenticationFailed, _OPEN),
        setting=_C,
    ),
    _lie(
        "challenge-skipped",
        "an AARE that accepts at once, where high level security was asked for",
        "18: the association is open only after passes 3 and 4",
        tell=opening(
            responding_authentication_value=None,
            result_source_diagnostic=a.ResultSourceDiagnostic(_USER, UserDiagnostic.NULL),
        ),
        server=Fails(AuthenticationFailed, _OPEN),
        setting=_C,
    ),
    _lie(
        "challenge-reflected",
        "the client's own challenge as StoC",
        "18: StoC differs from CtoS, or the client aborts (CL-04, SEC-06)",
        tell=opening(responding_authentication_value=_challenge_of_the_client),
        server=Fails(AuthenticationFailed, _OPEN),
        setting=_C,
    ),
    _lie(
        "proof-missing",
        "pass 4 with success, and without f(CtoS)",
        "security 6: the client is satisfied by nothing but a right f(CtoS) (CL-14)",
        tell=instead("c701II0000"),
        server=Fails(AuthenticationFailed, _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
    _lie(
        "proof-reflected",
        "the client's own f(StoC) as f(CtoS)",
        "as proof-missing; f holds the title of the side that answers",
        tell=plain(lambda octets, scene: octets[:5] + b"\0" + scene.request[-19:]),
        server=Fails(AuthenticationFailed, _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
    _lie(
        "proof-refused",
        "action-result read-write-denied to a right f(StoC)",
        "18: a proof that is refused ends the association",
        tell=instead("c701II0300"),
        server=Fails(AuthenticationFailed, _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
    _lie(
        "value-for-proof",
        "a get-response in place of pass 4",
        "18: pass 4 is an action-response",
        tell=instead("c401II00090101"),
        server=Fails(ProtocolError, _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
    _lie(
        "aare-for-rlre",
        "an AARE to the RLRQ",
        "5.3: an RLRE answers an RLRQ; a server that never does is taken as released after the time-out",
        tell=wire(lambda octets, scene: [scene.said[0]]),
        server=Right(_CONNECT),
        moment=Moment.RELEASING,
    ),
)
