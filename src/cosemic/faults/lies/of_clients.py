"""Lies that a client tells while an association is opened or released (reference, application layer 5, 6.4, 14, 18)."""

from __future__ import annotations

from functools import partial
from typing import Final

from cosemic import apdu as a
from cosemic.faults.lies.lie import Family, Lie, Moment, Right, Says, Setting, Then
from cosemic.faults.lies.refusals import CONTEXT, initiate_error, refused
from cosemic.faults.lies.telling import before, initiate, instead, opening, wire
from cosemic.values import (
    BitString,
)

_OPEN: Final = Then.OPEN_AGAIN
_C: Final = Setting.CIPHERED
_NOT_OPEN: Final = Says("d80101", _OPEN)
_lie: Final = partial(Lie, family=Family.ASSOCIATION, moment=Moment.OPENING)


AARQ_LIES: Final = (
    _lie(
        "mechanism-missing",
        "no mechanism where one is set",
        "6.4: diagnostic 12",
        tell=opening(mechanism_name=None),
        client=refused(12),
        setting=Setting.PASSWORD,
    ),
    _lie(
        "password-wrong",
        "another password",
        "6.4: diagnostic 13",
        tell=opening(calling_authentication_value=a.AuthenticationValue(b"open simsim")),
        client=refused(13),
        setting=Setting.PASSWORD,
    ),
    _lie(
        "password-missing",
        "no password",
        "6.4: diagnostic 13",
        tell=opening(calling_authentication_value=None),
        client=refused(13),
        setting=Setting.PASSWORD,
    ),
    _lie(
        "protocol-version-two",
        "ACSE protocol version 2",
        "APPL_OPEN_4: refused by the provider, no-common-acse-version",
        tell=opening(protocol_version=BitString("01")),
        client=Says(f"61..{CONTEXT}a203020101a305a203020102", _OPEN),
    ),
    _lie(
        "quality-of-service",
        "a quality of service that nobody offers",
        "APPL_OPEN_11: it is not looked at",
        tell=initiate(proposed_quality_of_service=77),
        client=Right(),
    ),
    _lie(
        "dlms-version-proposed-seven",
        "dlms version 7",
        "APPL_OPEN_12: a version above 6 is answered with 6",
        tell=initiate(proposed_dlms_version_number=7),
        client=Right(),
    ),
    _lie(
        "dedicated-key-in-clear",
        "a dedicated key in an Initiate that is not ciphered",
        "6.1: a dedicated key stands in a ciphered Initiate only; it is ignored, or refused",
        tell=initiate(dedicated_key=bytes(16)),
        client=initiate_error("0e010006"),
    ),
    _lie(
        "aarq-twice",
        "the AARQ a second time",
        "6.4: an AARQ in an association releases it, and opens it anew",
        tell=wire(lambda octets, scene: [octets, octets]),
        client=Right(),
    ),
    _lie(
        "aare-from-a-client",
        "an AARE in place of the AARQ",
        "14: what is no AARQ is not served outside an association",
        tell=instead("6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f0400001e1d00000007"),
        client=_NOT_OPEN,
    ),
    _lie(
        "get-for-aarq",
        "a GET outside an association",
        "14: service-not-allowed, operation-not-possible (APPL_IDLE_N1)",
        tell=instead("c001c1000f0000280000ff0200"),
        client=_NOT_OPEN,
    ),
    _lie(
        "get-for-proof",
        "a GET in place of pass 3",
        "APPL_OPEN_3: nothing is served before pass 3",
        tell=instead("c001c1000f0000280000ff0200"),
        client=Says("d80101", _OPEN),
        moment=Moment.PROVING,
        setting=_C,
    ),
    _lie(
        "get-before-aarq",
        "a GET before the AARQ",
        "14: service-not-allowed, operation-not-possible; the AARQ behind it is served",
        tell=before("c001c1000f0000280000ff0200"),
        client=Says("d80101", _OPEN),
    ),
    _lie(
        "rlrq-in-clear",
        "an RLRQ whose InitiateRequest is not ciphered",
        "SYMSEC_REL_N1: nothing is released with too little protection, 14: deciphering-error",
        tell=instead("6203800100"),
        client=Right(_OPEN),
        moment=Moment.RELEASING,
        setting=_C,
    ),
)
