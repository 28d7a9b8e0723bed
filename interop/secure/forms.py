"""Whether what passed was in the form of its case: every service, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from interop import capture
from interop.secure import octets
from interop.secure.cases import LLS, Case

_ACSE: Final = range(0x60, 0x64)
"""AARQ, AARE, RLRQ, RLRE."""
_TAGS: Final = {
    "plain": frozenset((0xC0, 0xC1, 0xC3, 0xC4, 0xC5, 0xC7)),
    "glo": frozenset((0xC8, 0xC9, 0xCB, 0xCC, 0xCD, 0xCF)),
    "ded": frozenset((0xD0, 0xD1, 0xD3, 0xD4, 0xD5, 0xD7)),
    "general-glo": frozenset((0xDB,)),
    "general-ded": frozenset((0xDC,)),
    "ciphering": frozenset((0xDD,)),
    "signing": frozenset((0xDF,)),
    "glo+signing": frozenset((0xDF,)),
    "ciphering+signing": frozenset((0xDF,)),
    "signing+ciphering": frozenset((0xDD,)),
    "third-party": frozenset((0xDD,)),
}
_PROOF: Final = (0xCB, 0xCF)
"""glo-action-request and glo-action-response."""
_BITS: Final = {"a": 0x10, "e": 0x20}


def _control(apdu: bytes, form: str) -> int:
    """The security control, where it is easily found."""
    at = octets.length_at(apdu, 1)[1]
    if form.startswith("general"):
        at = octets.length_at(apdu, at + 8)[1]
    return apdu[at]


def check(case: Case, passed: Sequence[bytes]) -> None:
    """Raise where an APDU has another form than the case, or is as protected as another."""
    services = [apdu for apdu in passed if apdu[0] not in _ACSE]
    if case.mechanism > LLS and case.form != "glo":
        # Pass 3 and pass 4 may be service-specific and under the global key: the association does not stand yet.
        for tag in _PROOF:
            first = next((apdu for apdu in services if apdu[0] == tag), None)
            if first is not None:
                services.remove(first)
    if len(services) < 4:
        raise RuntimeError(f"only {len(services)} APDUs of services passed")
    wanted = case.suite | sum(_BITS[letter] for letter in case.protection)
    for apdu in services:
        if apdu[0] not in _TAGS[case.form]:
            raise RuntimeError(f"an APDU begins with {apdu[0]:02X}: that is not {case.form}")
        if case.form in ("glo", "ded", "general-glo", "general-ded"):
            control = _control(apdu, case.form) & 0x7F
            if control != wanted:
                raise RuntimeError(f"security control {control:02X} instead of {wanted:02X}")


def watched(
    case: Case, serving: AbstractContextManager[tuple[int, Any]], client: Callable[[int], object]
) -> capture.Conversation:
    """Let a client do its case with a server, and hold what passed against it; returns that."""
    with serving as (port, _), capture.relay(port) as (relayed, conversations):
        client(relayed)
        (passed,) = conversations
    check(case, [one for way in (True, False) for one in octets.apdus(passed, from_client=way)])
    return passed
