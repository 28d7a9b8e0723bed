"""All cases with gurux.dlms.java: its client with our meter, and ours with its server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from functools import partial
from typing import Any, Final

from cosemic.dialect import STANDARD, Dialect, GeneralSigningTbs, Quirk
from cosemic.security import SecurityPolicy
from interop import jvm
from interop.secure import facts, forms, octets, ours
from interop.secure.authority import Authority
from interop.secure.cases import ECDSA, GMAC, MATRIX, NONE, Case
from interop.secure.java_peer import Peer, started
from interop.secure.octets import spaced
from interop.secure.outcomes import Outcome, differing, tried

WITHOUT_IDS: Final = STANDARD.but(quirks=frozenset({Quirk.NO_TRANSACTION_IDS}))
CONTENT_ALONE: Final = WITHOUT_IDS.but(general_signing_tbs=GeneralSigningTbs.WITHOUT_CONTENT_LENGTH)
SIGNED: Final = Case(1, NONE, "glo+signing", "ae", policy="aes")
_NO_CIPHERING: Final = "its client sends no general-ciphering: with agreed keys set it sends DB or DC, and signed DF"
_TITLE: Final = (
    "its AARE has the title of the meter twice, first as calling-AP-title, A6 0A 04 08 ... A2 03 ..., which no AARE has"
)
_CLIENT: Final = {
    "suite-2/hls-ecdsa/*": "in suite 2 its signatures have 64 octets, 09 40 ..., in place of 96, 09 60 ...",
    "*/glo+signing/*": "its pass 3 is not signed, CB ... in place of DF ... CB ..., though all else is",
    "*/signing/*": "it signs around what it has ciphered, DF ... C8 ...",
    "*/ciphering/*": _NO_CIPHERING,
    "*/ciphering+signing/*": _NO_CIPHERING,
    "*/signing+ciphering/*": _NO_CIPHERING,
    "*/third-party/*": "it knows no third parties",
}
_SERVER: Final = {
    "*/hls-sha256/*": _TITLE,
    "*/hls-ecdsa/*": f"{_TITLE}; and its challenge has 16 octets, AA 12 80 10 ..., in place of 32 or more",
    "*/ciphering/*": "its server answers general-ciphering with agreed keys of its own alone",
}
_NO_P384: Final = "it makes no ephemeral keys in suite 2: IllegalArgumentException, P384 is not supported"
_NO_ANSWER: Final = "its server answers nothing to (global_)key_transfer: a client does not know what has become of it"
_SILENT: Final = STANDARD.but(release_request=False)
"""Its server answers no RLRQ of a ciphered context."""


def _reason(lacks: dict[str, str], case: Case) -> str:
    return next((why for pattern, why in lacks.items() if fnmatch(case.name, pattern)), "")


def _some_time(act: Callable[[], object]) -> None:
    """Once in 128 signatures r or s has a leading octet of zero: it leaves that out, and fills up the right end."""
    for left in reversed(range(4)):
        try:
            act()
        except RuntimeError:  # what it was refused
            if not left:
                raise
        else:
            return


def _signed(peer: Peer, dialect: Dialect) -> list[bytes]:
    """Let its client sign everything; returns what it sent."""
    passed = forms.watched(SIGNED, ours.serve(SIGNED, dialect), lambda port: peer.run(SIGNED, port))
    return octets.apdus(passed, from_client=True)


class _Signing:
    """What its client signs, over what."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._sent: list[bytes] = []

    def run(self, dialect: Dialect) -> None:
        self._sent = _signed(self._peer, dialect)

    def _first(self) -> octets.Split:
        return octets.split(next(apdu for apdu in self._sent if apdu[0] == 0xDF))

    def show_form(self) -> str:
        apdu = next(apdu for apdu in self._sent if apdu[0] == 0xDF)
        over = octets.signed_over(apdu, facts.CLIENT_TITLE, SIGNED.suite)
        if over != "content":
            raise RuntimeError(f"it signs {over}")
        parts = octets.split(apdu)
        length = parts.rest[0]
        content = spaced(parts.rest[1 : 1 + length])
        return (
            f"it signs {spaced(parts.header)} {content}; the standard {spaced(parts.header)} {length:02X} {content}, "
            "the length of the content included; general_signing_tbs without-content-length takes it"
        )

    def show_ids(self) -> str:
        parts = self._first()
        if parts.fields[0]:
            raise RuntimeError("it has a transaction-id")
        return f"its request is DF {spaced(parts.header)} ..., without transaction-id; no-transaction-ids takes it"


def _transferred(peer: Peer, suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae", policy="ae")
    fresh = {key_id: facts.fresh(suite, key_id) for key_id in range(4)}
    with ours.serve(case) as (port, device):
        given = {f"fresh_{key_id}": key.hex() for key_id, key in fresh.items()}
        peer.run(case, port, deed="transfer", unreleased="yes", **given)
        ours.expect("keys", ours.keys_of(device), fresh)


def _activated(peer: Peer, suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae")
    policy = 0x6C if suite else 3
    with ours.serve(case) as (port, device):
        peer.run(case, port, deed="activate", policy=policy)
        ours.expect("policy", ours.policy_in_force(device), policy)


def _agreed(peer: Peer, suite: int) -> None:
    case = Case(suite, GMAC, "glo", "ae", policy="ae")
    with ours.serve(case) as (port, device):
        before = ours.keys_of(device)
        peer.run(case, port, deed="agree", unreleased="yes")
        if ours.keys_of(device)[0] == before[0]:
            raise RuntimeError("the key is the same as before")


def _certified(peer: Peer, suite: int) -> None:
    case, authority = Case(suite, GMAC, "glo", "ae", policy="ae"), Authority(suite)
    with ours.serve(case, certificates=authority.store()) as (port, _):
        request = peer.run(case, port, deed="request")
        certificate = authority.certified(bytes.fromhex(request))
        exported = peer.run(case, port, deed="import", certificate=certificate.octets.hex())
        ours.expect("exported", exported, certificate.octets.hex())


def _its_client(peer: Peer) -> Iterator[Outcome]:
    def run(case: Case) -> None:
        def once() -> None:
            forms.watched(case, ours.serve(case), lambda port: peer.run(case, port))

        _some_time(once) if case.mechanism == ECDSA else once()

    for case in MATRIX:
        if lacking := _reason(_CLIENT, case):
            yield Outcome("client", case.name, None, lacking)
        else:
            yield tried("client", case.name, partial(run, case))
    how = "read, written, acted, released; with no-transaction-ids, general_signing_tbs without-content-length"
    yield tried("client", SIGNED.name, partial(_some_time, lambda: _signed(peer, CONTENT_ALONE)), how)
    signing = _Signing(peer)
    standard = STANDARD.but(general_signing_tbs=GeneralSigningTbs.WITHOUT_CONTENT_LENGTH)
    for name, refused, show in (
        ("general-signing-tbs", WITHOUT_IDS, signing.show_form),
        ("transaction-id/glo+signing", standard, signing.show_ids),
    ):
        switched = partial(_some_time, partial(signing.run, CONTENT_ALONE))
        yield differing("client", f"suite-1/{name}", partial(signing.run, refused), switched, show)
    for suite in range(3):
        at = f"suite-{suite}/setup"
        yield tried("client", f"{at}/key-transfer", partial(_transferred, peer, suite), "the meter has them")
        yield tried("client", f"{at}/security-activate", partial(_activated, peer, suite), "in force")
        if suite:
            yield (
                tried("client", f"{at}/key-agreement", partial(_agreed, peer, suite), "the meter has it")
                if suite == 1
                else Outcome("client", f"{at}/key-agreement", None, _NO_P384)
            )
            yield tried(
                "client",
                f"{at}/certificates/signature",
                partial(_certified, peer, suite),
                "key pair, request, import, export by entity",
            )


def _activate(peer: Peer, suite: int) -> None:
    """Our client has its server raise the policy."""
    case = Case(suite, GMAC, "glo", "ae", policy="ae")
    policy = SecurityPolicy(1, 0x6C) if suite else SecurityPolicy(0, 3)
    with peer.serve(case) as (port, _), ours.connected(case, port, _SILENT) as opened:
        opened.security.activate(policy)
        ours.use(opened)


def _its_server(peer: Peer) -> Iterator[Outcome]:
    def run(case: Case, **more: Any) -> None:
        forms.watched(case, peer.serve(case), lambda port: ours.run(case, port, _SILENT, **more))

    run(Case(0, NONE))  # what a JVM does first takes its time
    for case in MATRIX:
        if case.layered:
            continue
        if lacking := _reason(_SERVER, case):
            yield Outcome("server", case.name, None, lacking)
        else:
            yield tried("server", case.name, partial(run, case), "read, written, acted")
    for suite in range(3):
        at = f"suite-{suite}/setup"
        yield Outcome("server", f"{at}/key-transfer", None, _NO_ANSWER)
        yield tried("server", f"{at}/security-activate", partial(_activate, peer, suite), "in force")


def outcomes() -> Iterator[Outcome]:
    """One after the other."""
    for role, program, cases in (("client", "SecureClient", _its_client), ("server", "SecureServer", _its_server)):
        try:
            with started(program) as peer:
                yield from cases(peer)
        except jvm.JavaMissing as missing:
            yield Outcome(role, "all", None, str(missing))
