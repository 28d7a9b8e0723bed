"""Lies about opening an association that both sides tell, in AARQ and AARE (IEC 62056-5-3, ACSE and Initiate).

The diagnostics of a refusal are those of the reference, application layer 6.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from cosemic import apdu as a
from cosemic.codec.ber import ObjectIdentifier
from cosemic.errors import (
    AuthenticationFailed,
    DecipheringError,
    DecodeError,
    PolicyViolation,
    ProtocolError,
    ServiceFailed,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Says, Setting, Then
from cosemic.faults.lies.refusals import CIPHERED_CONTEXT, UNREADABLE, initiate_error, refused
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import acse, initiate, opening, plain, wire
from cosemic.values import (
    ApplicationContext,
    AuthenticationMechanism,
    Conformance,
)

_OPEN: Final = Then.OPEN_AGAIN
_CONNECT: Final = Then.CONNECT_AGAIN
_C: Final = Setting.CIPHERED
_lie: Final = partial(Lie, family=Family.ASSOCIATION, moment=Moment.OPENING)


def _initiate_in_clear(said: Said, scene: Scene) -> Sequence[bytes]:
    plain_initiate, _ = scene.seals.own(acse(said.apdu).user_information or b"")
    return opening(user_information=plain_initiate)(said, scene) or ()


OPENING_LIES: Final = (
    _lie(
        "context-short-names",
        "application context 2, short names",
        "6.4: a context that is not offered is refused, diagnostic 2; an AARE names the one asked for",
        tell=opening(application_context_name=ApplicationContext.SN),
        server=Fails(ProtocolError, _OPEN),
        client=refused(2, "a109060760857405080102"),
    ),
    _lie(
        "context-foreign",
        "an application context under somebody else's arc",
        "as context-short-names (APPL_OPEN_5)",
        tell=opening(application_context_name=ObjectIdentifier(bytes.fromhex("60857405070101"))),
        server=Fails(ProtocolError, _OPEN),
        client=refused(2, "a109060760857405070101"),
    ),
    _lie(
        "initiate-missing",
        "no user-information",
        "5.1, 5.2: user-information holds the Initiate; without it nothing is agreed upon",
        tell=opening(user_information=None),
        server=Fails(ProtocolError, _OPEN),
        client=initiate_error("0e010600"),
    ),
    _lie(
        "initiate-garbage",
        "user-information that is no Initiate",
        "as initiate-missing",
        tell=opening(user_information=bytes.fromhex("deadbeef")),
        server=Fails(DecodeError, _OPEN),
        client=initiate_error("0e010600"),
    ),
    _lie(
        "initiate-in-clear",
        "a plain Initiate in a ciphered context",
        "security 17: protection is what the policy demands, never what arrived",
        tell=_initiate_in_clear,
        server=Fails(PolicyViolation, _OPEN),
        client=initiate_error("0e010006", CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "conformance-nothing",
        "a conformance block without a bit",
        "6.4: nothing in common is refused, 0E 01 06 02; a client does not ask for what was not agreed upon",
        tell=initiate(conformance=Conformance(0)),
        server=Fails(ServiceFailed, at=Moment.READING, then=_OPEN),
        client=initiate_error("0e010602"),
    ),
    _lie(
        "conformance-everything",
        "a conformance block with every bit",
        "6.3: what is agreed upon is what both have",
        tell=initiate(conformance=Conformance(0xFFFFFF)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "dlms-version-five",
        "dlms version 5",
        "6.4: a version below 6 is refused, 0E 01 06 01",
        tell=initiate(dlms_version=5),
        server=Fails(ProtocolError, _OPEN),
        client=initiate_error("0e010601"),
    ),
    _lie(
        "pdu-size-eleven",
        "a max-receive-pdu-size of 11 octets",
        "6.4: fewer than 12 octets, other than 0, are refused, 0E 01 06 03",
        tell=initiate(max_receive_pdu_size=11),
        server=Fails(ProtocolError, _OPEN),
        client=initiate_error("0e010603"),
    ),
    _lie(
        "title-of-the-peer",
        "the system title of the other side as its own",
        "security 3: the own title coming back is refused before any cryptography; diagnostic 3",
        tell=opening(title=lambda scene: scene.seals.peer_title),
        server=Fails(DecipheringError, _OPEN),
        client=refused(3, CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "title-missing",
        "no system title in a ciphered context",
        "6.4: a missing title is refused, diagnostic 3",
        tell=opening(title=None),
        server=Fails(DecipheringError, _OPEN),
        client=refused(3, CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "title-short",
        "a system title of 7 octets",
        "security 2: a system title has 8 octets; diagnostic 3",
        tell=opening(title=b"MMM1234"),
        server=Fails(DecipheringError, _OPEN),
        client=refused(3, CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "title-foreign",
        "the system title of somebody else",
        "security 3: the nonce holds the title of the originator, so that nothing can be deciphered",
        tell=opening(title=b"XXX00001"),
        server=Fails(DecipheringError, _OPEN),
        client=initiate_error("0e010006", CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "mechanism-other",
        "another authentication mechanism than is set",
        "6.4: an unknown mechanism is refused, diagnostic 11; an AARE names the one asked for",
        tell=opening(mechanism_name=AuthenticationMechanism.HLS_MD5),
        server=Fails(AuthenticationFailed, _OPEN),
        client=refused(11, CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "challenge-short",
        "a challenge of 4 octets",
        "security 6: a challenge has 8 to 64 octets; diagnostic 13",
        tell=opening(authentication_value=a.AuthenticationValue(b"1234")),
        server=Fails(AuthenticationFailed, _OPEN),
        client=refused(13, CIPHERED_CONTEXT),
        setting=_C,
    ),
    _lie(
        "opening-cut",
        "half of the AARQ or AARE",
        "application layer 20: lengths beyond the octets there are refused; whether an AARE follows cannot be told",
        tell=wire(lambda octets, scene: [octets[: len(octets) // 2]]),
        server=Fails(DecodeError, _CONNECT),
        client=UNREADABLE,
    ),
    _lie(
        "opening-longer",
        "an octet behind the end of the AARQ or AARE",
        "application layer 20: octets behind a complete APDU are refused; whether an AARE follows cannot be told",
        tell=wire(lambda octets, scene: [octets + b"\0"]),
        server=Fails(DecodeError, _CONNECT),
        client=UNREADABLE,
    ),
    _lie(
        "proof-wrong",
        "f of another challenge",
        "security 6: only a right f(CtoS) satisfies the client; the server answers read-write-denied and the "
        "association is gone",
        tell=plain(lambda octets, scene: octets[:-1] + bytes((octets[-1] ^ 1,))),
        server=Fails(AuthenticationFailed, _OPEN),
        client=Says("c701..0300", _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
)
