"""All cases with pydlms-client: its client reads our meter, and ours reads its."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from pydlms.security.v44 import v44_decompressor

from cosemic.dialect import STANDARD, Dialect, EphemeralCounter, Quirk
from interop.secure import forms, ours, pydlms_differences, pydlms_peer, pydlms_setup
from interop.secure.cases import AGREED, COMPRESSED, GMAC, MATRIX, Case
from interop.secure.outcomes import Outcome, tried

WITHOUT_IDS: Final = STANDARD.but(quirks=frozenset({Quirk.NO_TRANSACTION_IDS}))
_NO_SIGNED_INSIDE: Final = "it signs around what it has ciphered, DF ... DD ..., and has nothing signed inside DD"
_NO_THIRD_PARTIES: Final = "its meter knows no third parties"


def dialect_of(case: Case, role: str) -> tuple[Dialect, str]:
    """What our side needs to be told of it, beside its options for the standard's forms; and how that is said."""
    switched, told = STANDARD, []
    if case.layered:
        switched, told = WITHOUT_IDS, ["no-transaction-ids"]
    if case.key_info in ("wrapped", *AGREED):
        switched = switched.but(ephemeral_counter=EphemeralCounter.RISING)
        told.append("ephemeral_counter rising")
    if role == "server" and case.mechanism == GMAC and case.suite:
        switched = switched.but(gmac_control_without_suite=True)
        told.append("gmac_control_without_suite")
    if case.extra == "compressed":
        switched = switched.but(compression=True)
        told.append("compression")
    return switched, f"; with {', '.join(told)}" if told else ""


def _lacks(case: Case, role: str) -> str:
    if case.form == "signing+ciphering":
        return _NO_SIGNED_INSIDE
    return _NO_THIRD_PARTIES if role == "server" and case.form == "third-party" else ""


def _run(case: Case, role: str, dialect: Dialect) -> None:
    """Compressed cases count what the peer has decompressed: nothing would be no test."""
    expanded: list[int] = []
    changed = {}
    if case.extra == "compressed":
        decompress = v44_decompressor()

        def counted(octets: bytes) -> bytes:
            whole = decompress(octets)
            expanded.append(len(whole) - len(octets))
            return whole

        changed = {"decompressor": counted}
    if role == "client":
        forms.watched(case, ours.serve(case, dialect), lambda port: pydlms_peer.run(case, port, **changed))
    else:
        forms.watched(case, pydlms_peer.serve(case, **changed), lambda port: ours.run(case, port, dialect))
    if changed and not any(saved > 0 for saved in expanded):
        raise RuntimeError("nothing came compressed")


def outcomes() -> Iterator[Outcome]:
    """One after the other."""
    for role in ("client", "server"):
        for case in (*MATRIX, *COMPRESSED):
            if lacking := _lacks(case, role):
                yield Outcome(role, case.name, None, lacking)
                continue
            dialect, how = dialect_of(case, role)
            yield tried(
                role,
                case.name,
                partial(_run, case, role, dialect),
                f"read, written, acted, released{how}",
            )
    yield from pydlms_differences.outcomes()
    yield from pydlms_setup.outcomes()
