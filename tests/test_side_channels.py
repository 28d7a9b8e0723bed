"""Secrets are compared in constant time, and what is refused is refused with the same work and in the same words.

Nothing here measures time: the comparisons are found in the code, and counted while it works.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.errors import CosemicError, DecipheringError
from cosemic.security import SecurityControl, credentials, hls, protect, protection, unprotect
from cosemic.values import Secret
from tests.association.samples import M, Talk, settings, talk
from tests.association.test_refusals import aarq
from tests.security.samples import AK, CLIENT, EK, GET, key

SOURCE = Path(__file__).parents[1] / "src" / "cosemic"
WORDS = {
    "mac", "gmac", "proof", "secret", "password", "passphrase", "signature", "digest", "reveal", "right", "scalar", "z",
    "shared_secret", "encryption_key", "authentication_key", "broadcast_key", "dedicated_key", "kek", "key_octets",
}  # fmt: skip
"""Names of what nobody may learn by how long a comparison takes."""
TAGS_ARE_SECRET = (
    "protection.py",
    "hls.py",
    "credentials.py",
    "lanes.py",
    "general/ciphering.py",
    "general/receiving_lane.py",
)
"""Modules of security/ in which a tag is one of GCM; elsewhere tags are those of APDUs and of DER."""
COMPARED = {
    "security/credentials.py": 1,
    "security/hls.py": 2,
    "security/protection.py": 2,
    "security/tls_identity.py": 1,
    "store/key_store/audit.py": 1,
    "values/secret.py": 2,
}
"""Where we compare ourselves, and how often at least; other tags and signatures are verified by the library."""


def named(node: ast.expr) -> set[str]:
    """The names of which a value is part, attribute, result or slice."""
    match node:
        case ast.Name():
            return {node.id}
        case ast.Attribute():
            return {node.attr}
        case ast.Call():
            return named(node.func)
        case ast.Subscript():
            return named(node.value)
        case ast.BinOp():
            return named(node.left) | named(node.right)
        case _:
            return set()


def harmless(node: ast.expr) -> bool:
    """Whether a value is a number, None, empty, or a length: nothing is learnt from it."""
    if isinstance(node, ast.Constant):
        return node.value is None or isinstance(node.value, int) or not node.value
    return isinstance(node, ast.Call) and named(node.func) == {"len"}


def suspicious(source: str, words: set[str]) -> list[int]:
    """The lines that compare what is secret by ``==``, ``!=``, ``in`` or ``startswith``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            kinds = [isinstance(each, ast.Eq | ast.NotEq) for each in node.ops]
            if any(kinds) and not any(map(harmless, sides)) and any(named(side) & words for side in sides):
                found.append(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            begins = node.func.attr in ("startswith", "endswith")
            found += [node.lineno] if begins and named(node.func.value) & words else []
    return found


def modules() -> Iterator[tuple[str, str]]:
    for room in ("security", "association", "store", "server", "client", "values"):
        for path in sorted((SOURCE / room).rglob("*.py")):
            yield path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")


def words_of(name: str) -> set[str]:
    tags = name.startswith("security/") and name.removeprefix("security/") in TAGS_ARE_SECRET
    return WORDS | {"tag"} if tags else WORDS


ALLOWED = {
    # Secrets, and keys by their secrets, compare in constant time themselves.
    "client/procedures/key_change.py": 1,
    "security/context.py": 1,
    "store/key_store/change.py": 1,
    # Signatures and digests of firmware images, which are public.
    "client/procedures/image_update.py": 1,
    "server/image_checks.py": 1,
    # The digest of a notification, by which its repetition is known.
    "association/notifications.py": 1,
}


@pytest.mark.slow
def test_no_tag_proof_or_secret_is_compared_octet_by_octet() -> None:
    found = {name: suspicious(source, words_of(name)) for name, source in modules()}
    assert {name: len(lines) for name, lines in found.items() if lines} == ALLOWED


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("if tag == expected: pass", True),
        ("if body[-12:] != self._tag(body)[:12] and tag == made[:12]: pass", True),
        ("if secret.reveal() == value: pass", True),
        ("return password != given", True),
        ("ok = received == self.secret.reveal()[:8]", True),
        ("if octets.startswith(b'x') or proof.startswith(octets): pass", True),
        ("if proof is None or len(tag) == 12: pass", False),
        ("if password == b'': pass", False),
        ("return compare_digest(tag, made)", False),
    ],
)
def test_such_a_comparison_would_be_seen(line: str, seen: bool) -> None:
    source = f"def f(self):\n    {line}\n"
    assert bool(suspicious(source, WORDS | {"tag"})) == seen


def test_each_comparison_of_our_own_is_one_in_constant_time() -> None:
    found = {name: source.count("compare_digest(") for name, source in modules()}
    assert {name: count for name, count in COMPARED.items() if found[name] < count} == {}


# ---- the same work --------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what is compared in constant time, one after the other."""
    seen: list[int] = []
    for module in (hls, protection, credentials):
        right = module.compare_digest  # type: ignore[attr-defined]

        def counted(one: Any, other: Any, right: Any = right) -> bool:
            seen.append(len(one))
            return bool(right(one, other))

        monkeypatch.setattr(module, "compare_digest", counted)
    return seen


def test_every_password_is_compared_once_whatever_is_wrong_with_it(compared: list[int]) -> None:
    for given in (b"12345678", b"", b"1", b"02345678", b"12345670", b"1" * 200):
        hls.password_matches(Secret(b"12345678"), given)
    hls.password_matches(Secret(b""), b"")
    assert compared == [8, 8, 8, 8, 8, 8, 0]


@pytest.mark.parametrize("control", [0x10, 0x30])
def test_every_tag_is_compared_whole_wherever_it_is_wrong(control: int, compared: list[int]) -> None:
    right = protect(SecurityControl(control), key(EK), key(AK), CLIENT, 7, GET)
    for at in (-1, -6, -12, 5):
        wrong = bytearray(right)
        wrong[at] ^= 1
        with pytest.raises(DecipheringError) as refused:
            unprotect(bytes(wrong), key(EK), key(AK), CLIENT)
        assert str(refused.value) == protection.FAILED
    assert compared == [12] * 4


# ---- the same words -------------------------------------------------------------------------------------------------


def refusal_of(conversation: Talk) -> bytes:
    with pytest.raises(CosemicError):
        conversation.open()
    return conversation.answers[-1]


def test_a_wrong_password_is_refused_alike_whoever_the_user_is_and_whatever_is_wrong() -> None:
    refusals = set()
    for user in (None, 7, 8):
        for password in (b"", b"open", b"open sesamf", b"Open sesame", b"open sesame!"):
            ours, theirs = settings(M.LLS, server={"users": frozenset((7,))})
            conversation = Talk(ours, theirs)
            changed: dict[str, Any] = {
                "calling_authentication_value": a.AuthenticationValue(password),
                "calling_ae_invocation_id": user,
            }
            conversation.to_server = lambda octets, changed=changed: aarq(octets, **changed)  # type: ignore[misc]
            refusals.add(refusal_of(conversation))
    assert len(refusals) == 1


@pytest.mark.parametrize("mechanism", [M.HLS_MD5, M.HLS_SHA256, M.HLS_GMAC, M.HLS_ECDSA], ids=lambda each: each.label)
def test_a_wrong_proof_is_refused_alike_whatever_is_wrong(mechanism: M) -> None:
    refusals = set()
    for at in (-1, -8, -12):
        conversation = talk(mechanism, opened=False)

        def flipped(octets: bytes, at: int = at) -> bytes:
            if octets[0] != 0xC3:
                return octets
            return octets[:at] + bytes((octets[at] ^ 1,)) + octets[len(octets) + at + 1 :]

        conversation.to_server = flipped
        refusals.add(refusal_of(conversation))
    assert len(refusals) == 1


def test_a_peer_learns_nothing_of_why_an_apdu_was_refused() -> None:
    refusals = set()
    for change in range(4):
        conversation = talk(M.HLS_GMAC, ciphered=True)
        right = protect(SecurityControl(0x30), key(EK), key(AK), CLIENT, 1000, GET)
        wrong = bytearray(right)
        wrong[(-1, 7, 20, 5)[change]] ^= 0x01
        sealed = a.decode(b"\xc8" + bytes((len(wrong),)) + bytes(wrong)).encode()
        conversation.server.receive(sealed, conversation.now)
        refusals.add(conversation.server.octets_to_send())
    assert refusals == {bytes.fromhex("d80105")}
