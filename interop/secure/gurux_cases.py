"""All cases with gurux-dlms: its client with our meter in all suites, and what its server can do.

The case ``hls-ecdsa`` has a challenge of 32 octets from us, because the 16 that it draws are too few.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from functools import partial
from typing import Final

from gurux_dlms.objects import GXDLMSSecuritySetup
from gurux_dlms.objects.enums import GlobalKeyType, SecurityPolicy

from interop.secure import facts, forms, gurux_peer, gurux_server, ours
from interop.secure.cases import ECDSA, GMAC, MATRIX, Case
from interop.secure.outcomes import Outcome, differing, tried

_NO_SHA384: Final = (
    "its signatures ask twice for P-256, and never for P-384: ValueError, Invalid private key scheme; and the length "
    "of an AARQ over 127 octets it writes in one octet, 60 8E in place of 60 81 8E"
)
_LACKS: Final = {
    "*/ciphering/*": "its general-ciphering raises AttributeError",
    "*signing*": "it has no general-signing",
    "*/third-party/*": "it knows no third parties",
    "suite-2/hls-ecdsa/*": _NO_SHA384,
}
_SHORT_CHALLENGE: Final = (
    "its AARE with a challenge has a length too small by two, AA 10 80 10 and 16 octets in place of AA 12 80 10"
)
_NO_CIPHERED_AARE: Final = (
    "its server raises when it makes an AARE with ciphering, TypeError, setUInt8() missing an argument, and answers "
    "with an HDLC frame, 7E A0 ..., or without a tag"
)
_SUITE_0: Final = "its wrapping of keys has 16 octets alone: ValueError, Key Encrypting Key"


def _lacking(case: Case) -> str:
    return next((why for pattern, why in _LACKS.items() if fnmatch(case.name, pattern)), "")


def _run(case: Case) -> None:
    forms.watched(case, ours.serve(case), lambda port: gurux_peer.run(case, port))


def _of_its_own(case: Case) -> None:
    """With the challenge that it draws."""
    with ours.serve(case) as (port, _):
        gurux_peer.run(case, port, challenge=b"")


def _show() -> str:
    return (
        "its CtoS of mechanism 7 has 16 octets, AC 12 80 10 ...; the standard's has 32 to 64, AC 22 80 20 ...; with "
        "one of 32 it is let in"
    )


def _transferred(suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae", policy="ae")
    fresh = {int(key_id): facts.fresh(suite, int(key_id)) for key_id in _KEYS}
    with ours.serve(case) as (port, device):
        reading = gurux_peer.Reader(case, port)
        wanted = [(key_id, fresh[int(key_id)]) for key_id in _KEYS]
        reading.call(lambda client: GXDLMSSecuritySetup().globalKeyTransfer(client, facts.master(suite), wanted))
        ours.expect("keys", ours.keys_of(device), fresh)


_KEYS: Final = (
    GlobalKeyType.UNICAST_ENCRYPTION,
    GlobalKeyType.BROADCAST_ENCRYPTION,
    GlobalKeyType.AUTHENTICATION,
    GlobalKeyType.KEK,
)


def _activated(suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae")
    with ours.serve(case) as (port, device):
        reading = gurux_peer.Reader(case, port)
        reading.call(lambda client: GXDLMSSecuritySetup().activate(client, SecurityPolicy(3)))
        ours.expect("policy", ours.policy_in_force(device), 3)
        reading.use()
        reading.close()


def _served(case: Case) -> Outcome:
    why = _lacking(case) or (_NO_CIPHERED_AARE if case.ciphered or case.mechanism == GMAC else "")
    why = why or (_SHORT_CHALLENGE if case.mechanism > 1 else "")
    if why:
        return Outcome("server", case.name, None, why)
    return tried("server", case.name, lambda: gurux_server.run(case), "read, released: SET and ACTION raise in it")


def outcomes() -> Iterator[Outcome]:
    """One after the other."""
    for case in MATRIX:
        if lacking := _lacking(case):
            yield Outcome("client", case.name, None, lacking)
        else:
            yield tried("client", case.name, partial(_run, case))
    drawn = Case(1, ECDSA)
    yield differing("client", "suite-1/challenge", lambda: _of_its_own(drawn), lambda: _run(drawn), _show)
    yield tried("client", "suite-0/setup/key-transfer", lambda: _transferred(0), "the meter has them")
    yield tried("client", "suite-0/setup/security-activate", lambda: _activated(0), "in force")
    yield Outcome("client", "suite-2/setup/key-transfer", None, _SUITE_0)
    for case in MATRIX:
        if not case.suite:
            yield _served(case)
