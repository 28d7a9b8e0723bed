"""High level security 2 to 7 under attack (6): challenges that are reflected, repeated or too short, and proofs of
another association, another direction or another form. Each is refused in the same words, and nothing stands then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.requests import Failed, Open
from cosemic.codec import DataType, EncodedData
from cosemic.errors import CosemicError
from cosemic.security import MemoryCounterStore
from cosemic.values import Obis
from tests.association.matrix.attacks import other_s, signature_changes
from tests.association.matrix.by_hand import sign, verify
from tests.association.matrix.sides import GET, ask_server, remembered
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    EK,
    LONG_AK,
    LONG_EK,
    OTHER_TITLE,
    PASSWORD,
    SERVER_TITLE,
    SIGNING,
    M,
    Talk,
    talk,
)

SECRET = [(M.HLS, 0), (M.HLS_MD5, 0), (M.HLS_SHA1, 0), (M.HLS_SHA256, 0)]
KEYED = [(M.HLS_GMAC, 0), (M.HLS_GMAC, 1), (M.HLS_GMAC, 2), (M.HLS_ECDSA, 1), (M.HLS_ECDSA, 2)]
ALL = SECRET + KEYED
mechanisms = pytest.mark.parametrize(
    ("mechanism", "suite"),
    [pytest.param(*each, marks=[pytest.mark.slow] if each in KEYED[2::2] else []) for each in ALL],
    ids=[f"{one.label}-{suite}" for one, suite in ALL],
)
DENIED = bytes.fromhex("C70141")


def proof(
    mechanism: M,
    suite: int,
    answered: bytes,
    own: bytes,
    who: bytes,
    other: bytes,
    counter: int = 5000,
    control: int = 0,
) -> bytes:
    """f of the challenge ``answered``, by who sent ``own``."""
    if mechanism is M.HLS:
        cipher = Cipher(AES(PASSWORD.ljust(16, b"\0")), ECB()).encryptor()
        return cipher.update(answered.ljust(-(-len(answered) // 16) * 16, b"\0"))
    if mechanism is M.HLS_MD5:
        return hashlib.md5(answered + PASSWORD).digest()
    if mechanism is M.HLS_SHA1:
        return hashlib.sha1(answered + PASSWORD).digest()
    if mechanism is M.HLS_SHA256:
        return hashlib.sha256(PASSWORD + who + other + answered + own).digest()
    if mechanism is M.HLS_ECDSA:
        key = SIGNING[suite][who].to_cryptography()
        return sign(key, suite, who + other + answered + own)
    ek, ak = (LONG_EK, LONG_AK) if suite == 2 else (EK, AK)
    sc, ic = bytes((control or 0x10 | suite,)), counter.to_bytes(4, "big")
    return sc + ic + AESGCM(ek).encrypt(who + ic, b"", sc + ak + answered)[:12]


class Attacked:
    """One opening, with pass 3 about to be sent by somebody: the server waits for it."""

    def __init__(self, mechanism: M, suite: int) -> None:
        self.mechanism, self.suite = mechanism, suite
        self.talk = talk(mechanism, suite=suite, opened=False)
        self.talk.client.send(Open())
        aarq = self.talk.client.octets_to_send()
        self.c_to_s = bytes(a.AARQ.decode(aarq).calling_authentication_value or b"")
        self.aare = ask_server(self.talk, aarq)
        self.s_to_c = bytes(a.AARE.decode(self.aare).responding_authentication_value or b"")

    def proof(self, **changed: Any) -> bytes:
        """The right f(StoC), or one with other parts."""
        parts = {"answered": self.s_to_c, "own": self.c_to_s, "who": CLIENT_TITLE, "other": SERVER_TITLE} | changed
        return proof(self.mechanism, self.suite, **parts)

    def pass_3(self, value: bytes) -> bytes:
        described = a.CosemMethodDescriptor(15, Obis("0-0:40.0.0"), 1)
        request = a.ActionRequestNormal(
            a.InvokeIdAndPriority(0x41), described, EncodedData.of(DataType.OCTET_STRING, value)
        )
        return ask_server(self.talk, request.encode())

    def close(self) -> None:
        self.talk.client.cancel()


def wrong_proofs(attacked: Attacked) -> list[tuple[str, bytes]]:
    """Values that are not f(StoC), each close to it."""
    mechanism, suite, right = attacked.mechanism, attacked.suite, attacked.proof()
    elsewhere = Attacked(mechanism, suite)
    found = [
        ("nothing", b""),
        ("zeros", bytes(len(right))),
        ("cut by one", right[:-1]),
        ("one more", right + b"\0"),
        ("the challenge itself", attacked.s_to_c),
        ("our own challenge", attacked.c_to_s),
        ("of another association", elsewhere.proof()),
        ("of our own challenge", attacked.proof(answered=attacked.c_to_s, own=attacked.s_to_c)),
        ("an octet less of the challenge", attacked.proof(answered=attacked.s_to_c[:-1])),
        ("twice", right * 2),
    ]
    elsewhere.close()
    if mechanism in (M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA):
        found.append(("as the server would", attacked.proof(who=SERVER_TITLE, other=CLIENT_TITLE)))
    if mechanism is M.HLS_SHA256:
        found.append(("of a stranger", attacked.proof(who=OTHER_TITLE)))
    if mechanism is M.HLS_GMAC:
        found.append(("under the title of a stranger", attacked.proof(who=OTHER_TITLE)))
        found += [
            (f"control {control:02X}", attacked.proof(control=control))
            for control in (0x00, 0x20, 0x30, 0x10, 0x11, 0x12, 0x13, 0x50, 0x90)
            if control and control != 0x10 | suite
        ]
        found.append(("counter FFFFFFFF", attacked.proof(counter=0xFFFFFFFF)))
        found += [(f"a tag of {left}", right[: 5 + left]) for left in range(12)]
        found.append(("a tag of 16", right + bytes(4)))
    if mechanism is M.HLS_ECDSA:
        found += [(name, change(right)) for name, change in signature_changes(suite)]
        swapped = sign(SIGNING[suite][SERVER_TITLE].to_cryptography(), suite, b"")
        found.append(("a signature of nothing", swapped))
    return found


@mechanisms
def test_a_server_judges_every_wrong_proof_in_the_same_way(mechanism: M, suite: int) -> None:
    answers = set()
    number = len(wrong_proofs(Attacked(mechanism, suite)))
    for case in range(number):
        attacked = Attacked(mechanism, suite)
        name, value = wrong_proofs(attacked)[case]
        counters = attacked.talk.server.settings.counters
        assert isinstance(counters, MemoryCounterStore)
        before = dict(counters._receive)
        answers.add(attacked.pass_3(value))
        assert dict(counters._receive) == before, name
        assert attacked.talk.server.state is State.IDLE, name
        assert attacked.talk.server.context is None
        assert ask_server(attacked.talk, GET) == bytes.fromhex("D80101")
        assert attacked.talk.shelf.calls == []
        attacked.close()
    assert len(answers) == 1
    (answer,) = answers
    assert answer[:3] == DENIED


@mechanisms
def test_the_right_proof_made_by_hand_opens_once(mechanism: M, suite: int) -> None:
    attacked = Attacked(mechanism, suite)
    right = attacked.proof()
    answer = attacked.pass_3(right)
    assert answer[:5] == DENIED + b"\0\1"
    assert attacked.talk.server.state is State.ASSOCIATED
    f_c_to_s = a.ActionResponse.decode(answer).single_response.return_parameters.value()
    sides = attacked.c_to_s, attacked.s_to_c, SERVER_TITLE, CLIENT_TITLE
    if mechanism is M.HLS_ECDSA:
        key = SIGNING[suite][SERVER_TITLE].to_cryptography().public_key()
        verify(key, suite, SERVER_TITLE + CLIENT_TITLE + attacked.c_to_s + attacked.s_to_c, f_c_to_s)
    else:
        assert f_c_to_s == proof(mechanism, suite, *sides, counter=int.from_bytes(f_c_to_s[1:5], "big"))
    again = a.ActionResponse.decode(attacked.pass_3(right)).single_response
    assert again.return_parameters is None  # it is a method like any other by now
    attacked.close()


@mechanisms
def test_nothing_but_a_proof_is_served_before(mechanism: M, suite: int) -> None:
    attacked = Attacked(mechanism, suite)
    for octets in (GET, b"\xc0", b"\xc8\x00", b"\xdd\x00", attacked.aare):
        assert ask_server(attacked.talk, octets)[:2] in (b"\xd8\x01", b"\xd8\x02")
    assert attacked.talk.shelf.calls == []
    assert attacked.talk.server.state is State.ASSOCIATION_PENDING
    assert attacked.pass_3(attacked.proof())[:4] == DENIED + b"\0"
    attacked.close()


@mechanisms
def test_the_second_attempt_comes_too_late(mechanism: M, suite: int) -> None:
    attacked = Attacked(mechanism, suite)
    right = attacked.proof()
    attacked.pass_3(bytes(len(right)))
    assert attacked.pass_3(right) == bytes.fromhex("D80101")
    attacked.close()


def changed_aarq(mechanism: M, suite: int, **fields: Any) -> tuple[Talk, bytes]:
    conversation = talk(mechanism, suite=suite, opened=False)
    conversation.client.send(Open())
    aarq = a.AARQ.decode(conversation.client.octets_to_send())
    conversation.client.cancel()
    return conversation, _replaced(aarq, **fields)


def _replaced(apdu: Any, **fields: Any) -> bytes:
    names = [name for name in type(apdu).__annotations__ if hasattr(apdu, name)]
    octets: bytes = type(apdu)(**({name: getattr(apdu, name) for name in names} | fields)).encode()
    return octets


@mechanisms
def test_an_opening_that_is_weaker_than_agreed_is_refused(mechanism: M, suite: int) -> None:
    shortest = 32 if mechanism is M.HLS_ECDSA else 8
    others = [other for other in M if other is not mechanism]
    cases: list[dict[str, Any]] = [{"mechanism_name": other} for other in others]
    cases += [{"mechanism_name": None}, {"sender_acse_requirements": None}]
    cases.append({"mechanism_name": None, "sender_acse_requirements": None, "calling_authentication_value": None})
    cases += [
        {"calling_authentication_value": a.AuthenticationValue(bytes(length))}
        for length in (0, 1, shortest - 1, 65, 200)
    ]
    cases.append({"calling_authentication_value": None})
    if mechanism in (M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA):
        cases += [{"calling_ap_title": title} for title in (SERVER_TITLE, None, b"", CLIENT_TITLE[:7])]
    for case in cases:
        conversation, octets = changed_aarq(mechanism, suite, **case)
        before = remembered(conversation.server)
        answer = ask_server(conversation, octets)
        aare = a.AARE.decode(answer)
        assert aare.result != 0, case
        assert aare.responding_authentication_value is None, case
        after = remembered(conversation.server)
        assert after["state"] is State.IDLE
        assert {name for name in before if before[name] != after[name]} <= {"history"}, case


# ---- the client under attack -----------------------------------------------------------------------------------------


def told_by(mechanism: M, suite: int, change: Callable[[a.AARE, bytes], bytes]) -> tuple[Talk, Any]:
    """What a client makes of an AARE that was changed; change: of the AARE and CtoS."""
    conversation = talk(mechanism, suite=suite, opened=False)
    own: list[bytes] = []

    def asked(octets: bytes) -> bytes:
        if octets[0] == 0x60:
            own.append(bytes(a.AARQ.decode(octets).calling_authentication_value or b""))
        return octets

    conversation.to_server = asked
    conversation.to_client = lambda octets: change(a.AARE.decode(octets), own[0]) if octets[0] == 0x61 else octets
    return conversation, conversation.event(Open())


@mechanisms
def test_a_client_proves_nothing_to_who_challenges_it_wrongly(mechanism: M, suite: int) -> None:
    shortest = 32 if mechanism is M.HLS_ECDSA else 8
    other = Attacked(mechanism, suite)
    titled = mechanism in (M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA)
    value = a.AuthenticationValue
    cases: dict[str, Callable[[a.AARE, bytes], bytes]] = {
        "its own challenge": lambda aare, own: _replaced(aare, responding_authentication_value=value(own)),
        "that of another opening": lambda aare, own: _replaced(
            aare, responding_authentication_value=value(other.c_to_s)
        ),
        "too short": lambda aare, own: _replaced(aare, responding_authentication_value=value(bytes(shortest - 1))),
        "too long": lambda aare, own: _replaced(aare, responding_authentication_value=value(bytes(65))),
        "empty": lambda aare, own: _replaced(aare, responding_authentication_value=value(b"")),
        "none": lambda aare, own: _replaced(aare, responding_authentication_value=None),
        "another mechanism": lambda aare, own: _replaced(
            aare, mechanism_name=M.HLS_MD5 if mechanism is not M.HLS_MD5 else M.HLS
        ),
        "low level": lambda aare, own: _replaced(aare, mechanism_name=M.LLS),
        "no authentication": lambda aare, own: _replaced(
            aare,
            mechanism_name=None,
            responding_authentication_value=None,
            responder_acse_requirements=None,
            result_source_diagnostic=a.ResultSourceDiagnostic("acse_service_user", 0),
        ),
    }
    if titled:
        cases["our own title"] = lambda aare, own: _replaced(aare, responding_ap_title=CLIENT_TITLE)
        cases["no title"] = lambda aare, own: _replaced(aare, responding_ap_title=None)
        cases["a title of seven octets"] = lambda aare, own: _replaced(aare, responding_ap_title=SERVER_TITLE[:7])
    for name, change in cases.items():
        conversation, event = told_by(mechanism, suite, change)
        assert isinstance(event, Failed), name
        assert isinstance(event.error, CosemicError), name
        assert len(conversation.requests) == 1, name
        assert conversation.client.opened is None
        assert conversation.client.state is State.IDLE
    other.close()


@mechanisms
def test_a_client_believes_no_server_that_proves_nothing(mechanism: M, suite: int) -> None:
    recorded = talk(mechanism, suite=suite)
    old = a.ActionResponse.decode(recorded.answers[-1]).single_response.return_parameters
    cases: dict[str, Callable[[bytes, bytes], bytes]] = {
        "our own proof": lambda mine, right: mine,
        "that of another association": lambda mine, right: old.value(),
        "nothing": lambda mine, right: b"",
        "zeros": lambda mine, right: bytes(len(right)),
        "cut": lambda mine, right: right[:-1],
        "one more": lambda mine, right: right + b"\0",
        "the last bit": lambda mine, right: right[:-1] + bytes((right[-1] ^ 1,)),
    }
    if mechanism is M.HLS_ECDSA:
        for number, (_, change) in enumerate(signature_changes(suite)):
            cases[f"signature {number}"] = lambda mine, right, change=change: change(right)
    if mechanism is M.HLS_GMAC:
        for control in (0x20, 0x30, 0x10 | (suite + 1) % 3, 0x50):
            cases[f"control {control:02X}"] = lambda mine, right, sc=control: bytes((sc,)) + right[1:]
    for name, change in cases.items():
        conversation = talk(mechanism, suite=suite, opened=False)

        def answered(octets: bytes, conversation: Talk = conversation, change: Any = change) -> bytes:
            if octets[0] != 0xC7:
                return octets
            mine = a.ActionRequest.decode(conversation.requests[-1]).method_invocation_parameters.value()
            right = a.ActionResponse.decode(octets).single_response.return_parameters.value()
            value = EncodedData.of(DataType.OCTET_STRING, change(mine, right))
            return octets[:6] + value.octets

        conversation.to_client = answered
        before = dict(conversation.client.settings.counters._receive)  # type: ignore[attr-defined]
        event = conversation.event(Open())
        assert isinstance(event, Failed), name
        assert conversation.client.opened is None, name
        assert dict(conversation.client.settings.counters._receive) == before, name  # type: ignore[attr-defined]
    for bare in (b"\0\0", b"\3\0", b"\0\1\1\3"):  # success without a proof, a refusal, an error in its place
        conversation = talk(mechanism, suite=suite, opened=False)
        conversation.to_client = lambda octets, bare=bare: octets[:3] + bare if octets[0] == 0xC7 else octets  # type: ignore[misc]
        assert isinstance(conversation.event(Open()), Failed)
        assert conversation.client.opened is None


@pytest.mark.parametrize("suite", [1, 2])
def test_of_a_signed_proof_n_minus_s_is_as_good(suite: int) -> None:
    """9: both hold; the challenge is used once, so that nothing is repeated by it."""
    attacked = Attacked(M.HLS_ECDSA, suite)
    assert attacked.pass_3(other_s(suite)(attacked.proof()))[:4] == DENIED + b"\0"
    attacked.close()
