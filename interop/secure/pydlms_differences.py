"""Where pydlms-client does otherwise than the standard, with the octets of both.

Its defaults for general-ciphering and general-signing are those of Gurux; it has options for the standard's. What it
has no option for, a switch of the dialect takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from pydlms.security.general import GeneralAad, SigningForm

from cosemic.dialect import (
    STANDARD,
    Dialect,
    EphemeralCounter,
    GeneralCipheringAad,
    GeneralSigningTbs,
    Quirk,
)
from interop import capture
from interop.secure import facts, octets, ours, pydlms_peer
from interop.secure.cases import GMAC, NONE, Case
from interop.secure.octets import spaced
from interop.secure.outcomes import Outcome, differing

WITHOUT_IDS = STANDARD.but(quirks=frozenset({Quirk.NO_TRANSACTION_IDS}))
RISING = WITHOUT_IDS.but(ephemeral_counter=EphemeralCounter.RISING)
ITS_AAD = {"general_aad": GeneralAad.SC_AK}
ITS_SIGNING = {"signing_form": SigningForm.CONTENT}
TITLES = {"client": facts.CLIENT_TITLE, "server": facts.METER_TITLE}


class Observed:
    """One association after the other, in one role of the peer, with what passed in the last one."""

    def __init__(self, role: str, case: Case, **changed: Any) -> None:
        self._role, self._case, self._changed = role, case, changed
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []

    def run(self, dialect: Dialect) -> Callable[[], None]:
        """Return what has an association with that dialect on our side."""

        def act() -> None:
            serving: Any = (
                ours.serve(self._case, dialect)
                if self._role == "client"
                else pydlms_peer.serve(self._case, **self._changed)
            )
            with serving as (port, _), capture.relay(port) as (relayed, conversations):
                try:
                    if self._role == "client":
                        pydlms_peer.run(self._case, relayed, **self._changed)
                    else:
                        ours.run(self._case, relayed, dialect)
                finally:
                    (passed,) = conversations
                    self.requests = octets.apdus(passed, from_client=True)
                    self.answers = octets.apdus(passed, from_client=False)

        return act

    @property
    def of_the_peer(self) -> list[bytes]:
        """What it sent in layers."""
        sent = self.requests if self._role == "client" else self.answers
        return [apdu for apdu in sent if apdu[0] in (0xDD, 0xDF)]


def _first(observed: Observed) -> bytes:
    sent = observed.of_the_peer
    if not sent:
        raise RuntimeError("it sent nothing in layers")
    return sent[0]


def _aad(role: str, suite: int) -> Outcome:
    case = Case(suite, NONE, "ciphering", "ae", "identified", "ae")
    observed = Observed(role, case, **ITS_AAD, invocation_counter=1)

    def show() -> str:
        apdu = _first(observed)
        tag, short, whole = octets.both_tags(apdu, suite)
        if tag != short or tag == whole:
            raise RuntimeError(f"the tag {tag.hex()} is not that over SC and AK")
        parts = octets.split(apdu)
        control, header = octets.ciphered(parts).control, parts.header
        return (
            f"of {spaced(apdu, most=64)} it has the tag {spaced(short)}, over {control:02X} AK; "
            f"the standard's is {spaced(whole)}, over the same and {spaced(header)}; "
            "general_ciphering_aad sc-ak takes it"
        )

    # Nothing in layers is asked without authentication of its own: the first that differs is refused.
    switched = WITHOUT_IDS.but(general_ciphering_aad=GeneralCipheringAad.SC_AK)
    name = f"suite-{suite}/general-ciphering-aad"
    return differing(role, name, observed.run(WITHOUT_IDS), observed.run(switched), show)


def _tbs(role: str, suite: int) -> Outcome:
    case = Case(suite, NONE, "signing", "", policy="s")
    observed = Observed(role, case, **ITS_SIGNING)

    def show() -> str:
        apdu = _first(observed)
        over = octets.signed_over(apdu, TITLES[role], suite)
        if over != "content":
            raise RuntimeError(f"it signs {over}")
        parts = octets.split(apdu)
        length = parts.rest[0]
        content = parts.rest[1 : 1 + length]
        return (
            f"it signs {spaced(parts.header)} {spaced(content)}; the standard {spaced(parts.header)} {length:02X} "
            f"{spaced(content)}, the length of the content included; "
            "general_signing_tbs without-content-length takes it"
        )

    switched = WITHOUT_IDS.but(general_signing_tbs=GeneralSigningTbs.WITHOUT_CONTENT_LENGTH)
    name = f"suite-{suite}/general-signing-tbs"
    return differing(role, name, observed.run(WITHOUT_IDS), observed.run(switched), show)


def _ids(role: str, case: Case) -> Outcome:
    observed = Observed(role, case)
    # With static keys it has an id of its own in its requests.
    dialect = STANDARD.but(ephemeral_counter=EphemeralCounter.RISING)

    def show() -> str:
        apdu = _first(observed)
        if octets.split(apdu).fields[0]:
            raise RuntimeError("it has a transaction-id")
        asked = next(one for one in observed.requests if one[0] in (0xDD, 0xDF))
        said = f"its {'request' if role == 'client' else 'answer'} is {spaced(apdu, most=24)}, without transaction-id"
        if role == "server":
            return f"{said}, though asked {spaced(asked, most=24)}; the quirk no-transaction-ids takes it"
        return f"{said}: the standard has one, 08 and 8 octets; the quirk no-transaction-ids takes it"

    name = f"suite-{case.suite}/transaction-id/{case.form}{f'/{case.key_info}' if case.key_info else ''}"
    return differing(role, name, observed.run(dialect), observed.run(RISING), show)


def _counter(role: str, case: Case) -> Outcome:
    observed = Observed(role, case)

    def show() -> str:
        sent = observed.answers if role == "client" else observed.requests
        rising = [_counter_of(apdu) for apdu in sent if apdu[0] == 0xDD]
        if rising != sorted(set(rising)):
            raise RuntimeError(f"the counters are {rising}")
        control = 0x30 | case.suite
        return (
            f"under a fresh key it takes {control:02X} 00000000 once and refuses it the next time; the standard's "
            f"counter begins anew with each key; with ephemeral_counter rising we send {control:02X} {rising[0]:08X}, "
            f"{control:02X} {rising[1]:08X} ..."
        )

    name = f"suite-{case.suite}/ephemeral-counter/{case.key_info}"
    return differing(role, name, observed.run(WITHOUT_IDS), observed.run(RISING), show)


def _counter_of(apdu: bytes) -> int:
    rest = octets.split(apdu).rest
    if rest[:2] == b"\1\0":
        at = 3
    elif rest[:2] == b"\1\1":
        at = 3 + 1 + rest[3]
    else:
        length, at = octets.length_at(rest, 4)
        at += length
    _, at = octets.length_at(rest, at)
    return int.from_bytes(rest[at + 1 : at + 5], "big")


def _gmac(suite: int) -> Outcome:
    case = Case(suite, GMAC, "plain")
    observed = Observed("server", case)
    bare = STANDARD.but(gmac_control_without_suite=True)

    def show() -> str:
        proofs = [apdu for apdu in observed.answers if apdu[:1] == b"\xc7" and b"\x09\x11" in apdu]
        proof = proofs[0][proofs[0].index(b"\x09\x11") + 2 :]
        if proof[0] != 0x10:
            raise RuntimeError(f"its proof begins with {proof[0]:02X}")
        return (
            f"its f(CtoS) is {spaced(proof)}, and it takes no other; the standard's security control is 1{suite}; "
            "gmac_control_without_suite takes it"
        )

    return differing("server", f"suite-{suite}/gmac-control", observed.run(STANDARD), observed.run(bare), show)


def outcomes() -> Iterator[Outcome]:
    """One after the other."""
    for role in ("client", "server"):
        for suite in range(3):
            yield _aad(role, suite)
            ciphering = Case(suite, NONE, "ciphering", "ae", "wrapped", "ae")
            if role == "client" or suite:
                yield _ids(role, ciphering)
            yield _counter(role, ciphering)
            if not suite:
                continue
            yield _tbs(role, suite)
            yield _ids(role, Case(suite, NONE, "signing", "", policy="s"))
            for key_info in ("one-pass", "static"):
                agreed = replace(ciphering, key_info=key_info)
                if role == "server" or key_info == "one-pass":
                    yield _ids(role, agreed)
                yield _counter(role, agreed)
    for suite in (1, 2):
        yield _gmac(suite)
