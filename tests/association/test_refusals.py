"""Every refusal of application_layer.md 6.4: what the server answers, and how the client understands it."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import State
from cosemic.association.exchanges import client_conformance
from cosemic.association.requests import Failed, Get, Open, Set
from cosemic.association.server import ServerAssociation
from cosemic.association.server_events import Associated, Refused, Released
from cosemic.association.serving import server_conformance
from cosemic.association.settings import ClientSettings
from cosemic.dialect import STANDARD, ResponseForm
from cosemic.errors import AssociationRejected, ExceptionReceived
from cosemic.security import Envelope, Protection, SecurityContext, SecurityPolicy
from cosemic.values import (
    ApplicationContext,
    BitString,
    Conformance,
    ProviderDiagnostic,
    Secret,
    UserDiagnostic,
)
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    EK,
    OTHER_TITLE,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Shelf,
    Talk,
    material,
    octets,
    secure,
    settings,
    talk,
)


def rejection(conversation: Talk, diagnostic: str, service_error: str | None = None) -> AssociationRejected:
    """Open, and hold the refusal against what is expected on both sides."""
    event = conversation.event(Open())
    assert isinstance(event, Failed)
    error = event.error
    assert type(error) is AssociationRejected
    assert (error.result, error.diagnostic, error.service_error) == ("rejected-permanent", diagnostic, service_error)
    for part in (error.result, diagnostic, service_error or ""):
        assert part in str(error)
    assert isinstance(conversation.server_events[-1], Refused)
    assert conversation.server.state is State.IDLE
    assert conversation.client.state is State.IDLE
    assert conversation.server.context is None
    return error


def test_another_application_context() -> None:
    conversation = Talk(settings()[0], settings(ciphered=True)[1])
    rejection(conversation, "application-context-name-not-supported")
    conversation = Talk(settings(ciphered=True)[0], settings()[1])
    rejection(conversation, "application-context-name-not-supported")


@pytest.mark.parametrize("name", [ApplicationContext.SN, ApplicationContext.SN_CIPHERED, 9])
def test_an_application_context_that_is_not_served_is_named_in_the_answer(name: int) -> None:
    server = talk(opened=False).server
    server.receive(a.AARQ(application_context_name=name, user_information=b"").encode(), 0.0)  # type: ignore[arg-type]
    aare = a.AARE.decode(server.octets_to_send())
    assert aare.result_source_diagnostic.diagnostic == UserDiagnostic.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED
    assert aare.encode()[4:13] == a.AARQ(application_context_name=name).encode()[4:13]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "mechanism", [M.LOWEST, M.HLS_MD5, M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA], ids=lambda each: each.label
)
@pytest.mark.parametrize("title", [None, b"", b"1234567", b"123456789", SERVER_TITLE])
def test_a_calling_title_that_is_missing_or_wrong(mechanism: M, title: bytes | None) -> None:
    ciphered = mechanism in (M.LOWEST, M.HLS_MD5)
    conversation = talk(mechanism, ciphered=ciphered, opened=False)
    conversation.to_server = lambda octets: aarq(octets, calling_ap_title=title)
    rejection(conversation, "calling-ap-title-not-recognized")


@pytest.mark.parametrize("mechanism", list(M)[:7], ids=lambda each: each.label)
@pytest.mark.parametrize("title", [b"", OTHER_TITLE])
def test_another_client_than_the_one_that_is_let_in(mechanism: M, title: bytes) -> None:
    titled = mechanism in (M.HLS_GMAC, M.HLS_SHA256)
    client = {"system_title": title or (OTHER_TITLE if titled else b"")}
    conversation = talk(mechanism, opened=False, client=client, server={"client_title": CLIENT_TITLE})
    rejection(conversation, "calling-ap-title-not-recognized")


def aarq(octets: bytes, **changed: Any) -> bytes:
    if octets[0] != 0x60:
        return octets
    made = a.AARQ.decode(octets)
    for name, value in changed.items():
        setattr(made, name, value)
    return made.encode()


@pytest.mark.parametrize("asked", list(M)[:7], ids=lambda each: each.label)
@pytest.mark.parametrize("served", list(M)[:7], ids=lambda each: each.label)
def test_another_mechanism_than_the_one_served(asked: M, served: M) -> None:
    titled = {"system_title": CLIENT_TITLE}
    conversation = Talk(settings(asked, client=titled)[0], settings(served)[1])
    if asked is served:
        conversation.open()
        return
    missing = asked is M.LOWEST
    name = "authentication-mechanism-name-" + ("required" if missing else "not-recognized")
    error = rejection(conversation, name)
    assert "mechanism" in str(error)
    assert "client SAP" in str(error)


@pytest.mark.parametrize("password", [b"", b"open sesam", b"open sesame ", b"Open sesame", b"\0" * 11])
@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_a_wrong_password(password: bytes, ciphered: bool) -> None:
    conversation = talk(M.LLS, ciphered=ciphered, opened=False)
    conversation.to_server = lambda octets: aarq(octets, calling_authentication_value=a.AuthenticationValue(password))
    error = rejection(conversation, "authentication-failure")
    assert "password" in str(error)
    assert password.decode() not in str(error) or not password.strip(b"\0")


@pytest.mark.parametrize("mechanism", list(M)[2:7], ids=lambda each: each.label)
@pytest.mark.parametrize("challenge", [None, b"1234567", b"1" * 65], ids=["none", "short", "long"])
def test_a_challenge_that_cannot_be_one(mechanism: M, challenge: bytes | None) -> None:
    value = None if challenge is None else a.AuthenticationValue(challenge)
    conversation = talk(mechanism, opened=False)
    conversation.to_server = lambda octets: aarq(octets, calling_authentication_value=value)
    rejection(conversation, "authentication-failure")


def test_the_servers_challenge_may_not_be_the_clients() -> None:
    client, served = settings(M.HLS_MD5)
    conversation = Talk(client)
    conversation.server = ServerAssociation(served, Shelf(), randomness=lambda length: b"7" * length)
    conversation.client = ClientAssociation(client, randomness=lambda length: b"7" * length)
    rejection(conversation, "authentication-failure")


def initiate(**changed: Any) -> bytes:
    given: dict[str, Any] = {
        "dedicated_key": None,
        "response_allowed": True,
        "proposed_quality_of_service": None,
        "proposed_dlms_version_number": 6,
        "proposed_conformance": client_conformance(),
        "client_max_receive_pdu_size": 0xFFFF,
    }
    return a.InitiateRequest(**(given | changed)).encode()


@pytest.mark.parametrize(
    ("information", "service_error"),
    [
        (initiate(proposed_dlms_version_number=5), "initiate: dlms-version-too-low"),
        (initiate(proposed_dlms_version_number=0), "initiate: dlms-version-too-low"),
        (initiate(proposed_conformance=Conformance(0)), "initiate: incompatible-conformance"),
        (initiate(proposed_conformance=Conformance.READ | Conformance.WRITE), "initiate: incompatible-conformance"),
        (initiate(client_max_receive_pdu_size=11), "initiate: pdu-size-too-short"),
        (initiate(client_max_receive_pdu_size=1), "initiate: pdu-size-too-short"),
        (initiate(dedicated_key=b"1" * 16), "application-reference: deciphering-error"),
        (b"\x21\x02\x30\x00", "application-reference: deciphering-error"),
        (b"\xdb\x00\x00", "application-reference: deciphering-error"),
        (None, "initiate: other"),
        (b"\x01\x00", "initiate: other"),
        (initiate() + b"\0", "initiate: other"),
        (b"\x08\x00", "initiate: other"),
    ],
)
def test_an_initiate_request_that_cannot_be_accepted(information: bytes | None, service_error: str) -> None:
    conversation = talk(opened=False)
    conversation.to_server = lambda octets: aarq(octets, user_information=information)
    rejection(conversation, "no-reason-given", service_error)


def test_the_octets_of_a_refusal_are_those_of_the_reference() -> None:
    """application_layer.md 6.4: 0E 01 06 01 for a version too low, 0E 01 00 06 for what cannot be deciphered."""
    conversation = talk(opened=False)
    conversation.to_server = lambda octets: aarq(octets, user_information=initiate(proposed_dlms_version_number=5))
    conversation.event(Open())
    assert conversation.answers[-1].endswith(bytes.fromhex("be06 0404 0e010601"))
    conversation = secure(opened=False)
    conversation.to_server = lambda octets: octets[:-1] + bytes((octets[-1] ^ 1,))
    conversation.event(Open())
    assert conversation.answers[-1].endswith(bytes.fromhex("be06 0404 0e010006"))


@pytest.mark.parametrize("version", ["0", "01", ""])
def test_another_acse_version(version: str) -> None:
    conversation = talk(opened=False)
    conversation.to_server = lambda octets: aarq(octets, protocol_version=BitString(version))
    rejection(conversation, "no-common-acse-version")
    conversation.to_server = lambda octets: aarq(octets, protocol_version=BitString("100001"))
    conversation.open()


@pytest.mark.parametrize("octets_", ["60", "6000", "60ff", "6001a1", "61" * 9 + "60"])
def test_an_aarq_that_cannot_be_read_is_refused_by_the_provider(octets_: str) -> None:
    server = talk(opened=False).server
    if not octets_.startswith("60"):
        octets_ = "60" + octets_
    events = server.receive(bytes.fromhex(octets_), 0.0)
    assert isinstance(events[0], Refused)
    aare = a.AARE.decode(server.octets_to_send())
    assert aare.result_source_diagnostic == ("acse_service_provider", ProviderDiagnostic.NO_REASON_GIVEN)


@pytest.mark.parametrize(
    ("protection", "policy"),
    [
        (Protection.NONE, 1),
        (Protection.NONE, 2),
        (Protection.NONE, 3),
        (Protection.AUTHENTICATED, 2),
        (Protection.AUTHENTICATED, 3),
        (Protection.ENCRYPTED, 1),
        (Protection.ENCRYPTED, 3),
    ],
)
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.HLS_GMAC], ids=lambda each: each.label)
def test_an_initiate_with_less_protection_than_the_policy(protection: Protection, policy: int, mechanism: M) -> None:
    conversation = talk(
        mechanism,
        ciphered=True,
        opened=False,
        client={"protection": protection},
        policy=SecurityPolicy(0, policy),
    )
    rejection(conversation, "no-reason-given", "application-reference: deciphering-error")


def test_keys_that_differ() -> None:
    from cosemic.security import SecurityMaterial

    for keys in (
        SecurityMaterial.of(Secret(AK), Secret(AK)),
        SecurityMaterial.of(Secret(EK), Secret(EK)),
    ):
        conversation = secure(opened=False, client={"material": keys})
        error = rejection(conversation, "no-reason-given", "application-reference: deciphering-error")
        assert "check encryption key, authentication key and the system titles" in str(error)


def test_a_refusal_that_comes_ciphered_is_read() -> None:
    conversation = secure(opened=False)
    context = SecurityContext(SERVER_TITLE, CLIENT_TITLE, material(), conversation.server.settings.counters)

    def cipher(octets: bytes) -> bytes:
        made = a.AARE.decode(octets)
        made.result = 1  # type: ignore[assignment]
        made.user_information = context.protect_apdu(bytes.fromhex("0e010604"), Envelope.GLO)
        return made.encode()

    conversation.to_client = cipher
    event = conversation.event(Open())
    assert isinstance(event.error, AssociationRejected)  # type: ignore[union-attr]
    assert event.error.service_error == "initiate: refused-by-the-vde-handler"  # type: ignore[union-attr]


@pytest.mark.parametrize("information", ["2804", "2e11" + "30" * 17, "0e", "ffff", ""])
def test_a_refusal_with_information_that_cannot_be_read_is_a_refusal(information: str) -> None:
    for conversation in (secure(opened=False), talk(opened=False)):

        def spoil(octets: bytes) -> bytes:
            made = a.AARE.decode(octets)
            made.result = 1  # type: ignore[assignment]
            made.user_information = bytes.fromhex(information)
            return made.encode()

        conversation.to_client = spoil
        event = conversation.event(Open())
        assert isinstance(event.error, AssociationRejected)  # type: ignore[union-attr]
        assert event.error.service_error is None  # type: ignore[union-attr]


# ---- sizes ----------------------------------------------------------------------------------------------------------


def test_a_ciphered_association_needs_room_for_a_protected_answer() -> None:
    conversation = secure(opened=False, client={"max_pdu_size": 12})
    rejection(conversation, "no-reason-given", "initiate: pdu-size-too-short")
    specific = {"dialect": STANDARD.but(response_form=ResponseForm.SERVICE_SPECIFIC)}
    none = {"conformance": server_conformance() & ~Conformance.ACCESS}
    # Pass 4 takes 25 octets, and its protection 19.
    conversation = secure(opened=False, client={"max_pdu_size": 43}, server=specific | none)
    rejection(conversation, "no-reason-given", "initiate: pdu-size-too-short")
    secure(client={"max_pdu_size": 44}, server=specific | none)


def test_a_request_that_is_too_long_is_refused_unread() -> None:
    conversation = talk(server={"max_pdu_size": 64})
    conversation.client._terms.room = 0xFFFF
    with pytest.raises(ExceptionReceived, match="pdu-too-long"):
        conversation.ask(Set(REGISTER, octets(100)))
    assert conversation.shelf.calls == []


# ---- order and outside ----------------------------------------------------------------------------------------------

OUTSIDE = bytes.fromhex("d80101")


@pytest.mark.parametrize("octets_", ["c0014100030100010800ff0200", "", "00", "ff", "d80101", "c40141001105", "c8"])
def test_outside_an_association_everything_is_answered_alike(octets_: str) -> None:
    conversation = talk(opened=False)
    assert conversation.server.receive(bytes.fromhex(octets_), 0.0) == []
    assert conversation.server.octets_to_send() == OUTSIDE
    assert conversation.shelf.calls == []


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_before_pass_3_nothing_but_pass_3_is_served(ciphered: bool) -> None:
    conversation = talk(M.HLS_GMAC, ciphered=ciphered, opened=False)
    conversation.client.send(Open())
    conversation.step()
    assert conversation.server.state is State.ASSOCIATION_PENDING
    pass_3 = conversation.client.octets_to_send()
    context = conversation.client.context

    def sealed(request: Any) -> bytes:
        return context.protect_apdu(request.encode()) if context is not None else request.encode()

    invoke = a.InvokeIdAndPriority.of(1)
    reply = a.CosemMethodDescriptor(
        15,
        a.ActionRequestNormal.decode(bytes.fromhex("c30141000f0000280000ff0100")).cosem_method_descriptor.instance_id,
        2,
    )
    for request in (
        a.GetRequestNormal(invoke, REGISTER),
        a.SetRequestNormal(invoke, REGISTER, None, VALUE),
        a.ActionRequestNormal(invoke, reply, VALUE),
        a.GetRequestNext(invoke, 1),
    ):
        assert conversation.server.receive(sealed(request), 0.0) == []
        assert conversation.server.octets_to_send() == OUTSIDE
    assert conversation.shelf.calls == []
    if not ciphered:  # the counters of the ciphered one have moved on: its pass 3 would be a replay
        assert conversation.server.receive(pass_3, 0.0) == [Associated(CLIENT_TITLE)]
    conversation.client.cancel()


@pytest.mark.parametrize("mechanism", list(M)[2:7], ids=lambda each: each.label)
def test_a_wrong_proof_of_the_client_ends_the_association_and_there_is_one_attempt(mechanism: M) -> None:
    conversation = talk(mechanism, opened=False)
    right: list[bytes] = []

    def spoil(octets: bytes) -> bytes:
        if octets[0] != 0xC3:
            return octets
        right.append(octets)
        return octets[:-1] + bytes((octets[-1] ^ 1,))

    conversation.to_server = spoil
    event = conversation.event(Open())
    assert "read-write-denied" in str(event.error)  # type: ignore[union-attr]
    assert conversation.server.state is State.IDLE
    assert isinstance(conversation.server_events[-1], Refused)
    conversation.server.receive(right[0], 0.0)
    assert conversation.server.octets_to_send() == OUTSIDE


def test_a_pass_3_that_is_no_octet_string_is_wrong() -> None:
    for tail in ("00", "0111 05", "010a 0161"):
        conversation = talk(M.HLS_MD5, opened=False)
        conversation.client.send(Open())
        conversation.step()
        conversation.server.receive(bytes.fromhex("c30140000f0000280000ff01" + tail), 0.0)
        response = a.ActionResponseNormal.decode(conversation.server.octets_to_send())
        assert response.single_response.result.label == "read-write-denied"
        assert conversation.server.state is State.IDLE
        conversation.client.cancel()


def test_pass_3_can_come_once() -> None:
    conversation = talk(M.HLS_MD5)
    assert conversation.server.receive(conversation.requests[-1], 0.0) == []
    answer = conversation.server.octets_to_send()
    assert answer[:2] == b"\xc7\x01"  # a method like any other now, which this provider knows nothing of
    assert conversation.shelf.calls[-1][0] == "action"


@pytest.mark.parametrize("mechanism", [M.LOWEST, M.LLS, M.HLS_GMAC], ids=lambda each: each.label)
def test_a_second_aarq_replaces_the_association(mechanism: M) -> None:
    conversation = talk(mechanism)
    again = Talk(*settings(mechanism), conversation.shelf)
    again.server = conversation.server
    again.open()
    assert again.ask(Get(REGISTER)) == VALUE


def test_a_second_aarq_that_is_refused_leaves_no_association() -> None:
    conversation = talk(M.LLS)
    wrong = Talk(settings(M.LLS, client={"secret": Secret.password("wrong")})[0])
    wrong.server = conversation.server
    rejection(wrong, "authentication-failure")
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        conversation.ask(Get(REGISTER))


def test_a_second_aarq_while_pass_3_is_due_starts_anew() -> None:
    conversation = talk(M.HLS_GMAC, opened=False)
    conversation.client.send(Open())
    conversation.step()
    stale = conversation.client.octets_to_send()
    again = Talk(settings(M.HLS_GMAC)[0])
    again.server = conversation.server
    again.client.send(Open())
    again.step()
    again.server.receive(stale, 0.0)
    assert a.ActionResponseNormal.decode(again.server.octets_to_send()).single_response.result != 0
    conversation.client.cancel()
    again.client.cancel()


# ---- without answers ------------------------------------------------------------------------------------------------


def test_an_unconfirmed_association_gets_no_aare_and_serves_unconfirmed_requests_only() -> None:
    conversation = talk(opened=False)
    quiet = a.AARQ(
        application_context_name=ApplicationContext.LN, user_information=initiate(response_allowed=False)
    ).encode()
    assert conversation.server.receive(quiet, 0.0) == [Associated(None)]
    assert conversation.server.octets_to_send() == b""
    conversation.server.receive(bytes.fromhex("c10101 00030100010800ff0200 1107"), 0.0)
    assert conversation.server.octets_to_send() == b""
    assert [kind for kind, _ in conversation.shelf.calls] == ["set"]
    conversation.server.receive(bytes.fromhex("c10141 00030100010800ff0200 1108"), 0.0)
    assert conversation.server.octets_to_send() == OUTSIDE
    assert len(conversation.shelf.calls) == 1


@pytest.mark.parametrize(
    "changed",
    [{"proposed_dlms_version_number": 1}, {"proposed_conformance": Conformance(0)}, {"dedicated_key": b"1" * 16}],
)
def test_a_refusal_that_nobody_wants_to_hear_is_not_sent(changed: dict[str, Any]) -> None:
    server = talk(opened=False).server
    information = initiate(response_allowed=False, **changed)
    aarq_ = a.AARQ(application_context_name=ApplicationContext.LN, user_information=information)
    assert isinstance(server.receive(aarq_.encode(), 0.0)[0], Refused)
    assert server.octets_to_send() == b""


def test_high_level_security_without_an_aare_is_refused() -> None:
    conversation = talk(M.HLS_MD5, opened=False)
    conversation.to_server = lambda octets: aarq(octets, user_information=initiate(response_allowed=False))
    event = conversation.event(Open())
    assert conversation.answers == []
    assert isinstance(event, Failed)
    assert conversation.server.state is State.IDLE


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_unconfirmed_requests_are_executed_and_never_answered(ciphered: bool) -> None:
    conversation = talk(ciphered=ciphered)
    context = conversation.client.context
    for request in (
        "c1010100030100010800ff0200110a",  # right
        "c1010100030100630900ff0200110a",  # refused by the provider
        "c00301 00",  # a list of nothing
        "c00201 00000001",  # no long get
        "c10301 01 00000001 00",  # no long set
        "c30601 01 00000001 00",
    ):
        octets_ = bytes.fromhex(request)
        octets_ = octets_ if context is None else context.protect_apdu(octets_)
        assert conversation.server.receive(octets_, 0.0) == []
        assert conversation.server.octets_to_send() == b""
    assert conversation.ask(Get(REGISTER)).value() == 10


def test_an_unconfirmed_request_that_was_not_agreed_upon_is_not_answered_either() -> None:
    conversation = talk(server={"conformance": Conformance.GET})
    conversation.server.receive(bytes.fromhex("c1010100030100010800ff0200110a"), 0.0)
    assert conversation.server.octets_to_send() == b""
    assert conversation.shelf.calls == []


def test_an_unconfirmed_request_that_cannot_be_read_or_is_too_long_is_not_answered() -> None:
    conversation = talk(server={"max_pdu_size": 64, "conformance": ~Conformance.GENERAL_BLOCK_TRANSFER})
    for request in ("c10101", "c1010100030100010800ff0200", "c1010100030100010800ff02000950" + "00" * 80):
        conversation.server.receive(bytes.fromhex(request), 0.0)
        assert conversation.server.octets_to_send() == b""
        conversation.server.receive(bytes.fromhex(request[:4] + "41" + request[6:]), 0.0)
        assert conversation.server.octets_to_send()[0] == 0xD8
    assert conversation.shelf.calls == []


def test_unconfirmed_requests_outside_an_association_are_passed_over() -> None:
    conversation = talk(opened=False)
    for request in ("c1010100030100010800ff0200110a", "d9000000010001010003010001" + "0800ff020100"):
        conversation.server.receive(bytes.fromhex(request), 0.0)
        assert conversation.server.octets_to_send() == b""
    assert conversation.shelf.calls == []


def test_unconfirmed_requests_before_pass_3_are_passed_over() -> None:
    conversation = talk(M.HLS_MD5, opened=False)
    conversation.client.send(Open())
    conversation.step()
    for request in ("c1010100030100010800ff0200110a", "c30101000f0000280000ff0101" + "090161"):
        conversation.server.receive(bytes.fromhex(request), 0.0)
        assert conversation.server.octets_to_send() == b""
        assert conversation.shelf.calls == []
    assert conversation.server.state is State.ASSOCIATION_PENDING
    conversation.client.cancel()


NOT_SUPPORTED = bytes.fromhex("d80202")


@pytest.mark.parametrize(
    "octets_", ["", "00", "05010201000", "d80101", "c4014100", "0f0000000100 00", "e6", "db", "dd", "ff"]
)
def test_apdus_that_are_no_requests_are_not_supported(octets_: str) -> None:
    conversation = talk()
    octets_ = octets_.replace(" ", "")
    conversation.server.receive(bytes.fromhex(octets_ if len(octets_) % 2 == 0 else octets_[:-1]), 0.0)
    assert conversation.server.octets_to_send() == NOT_SUPPORTED


@pytest.mark.parametrize("octets_", ["c0", "c001", "c00141", "c0014100030100010800ff0201", "c007410001", "c1014100"])
def test_requests_that_cannot_be_read_are_told_so(octets_: str) -> None:
    conversation = talk()
    conversation.server.receive(bytes.fromhex(octets_), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80103")
    assert conversation.shelf.calls == []
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_the_device_can_send_of_its_own_accord() -> None:
    conversation = secure()
    notification = bytes.fromhex("0f400000010002021100 1105".replace(" ", ""))
    event = bytes.fromhex("c2000001000060 0b00ff021105".replace(" ", ""))
    for apdu, envelope in ((notification, Envelope.GENERAL_GLO), (event, Envelope.GLO)):
        conversation.server.send(apdu)
        octets_ = conversation.server.octets_to_send()
        assert Envelope.of(octets_) is envelope
        conversation.client.send(Get(REGISTER))
        (notified,) = conversation.client.receive(octets_, 0.0)
        assert type(notified).__name__ == "Notified"
        assert [type(each).__name__ for each in conversation.step()] == ["Completed"]
        if apdu is notification:  # it asks to be confirmed
            assert Envelope.of(conversation.client.octets_to_send()) is Envelope.GENERAL_GLO
    plain = talk()
    plain.server.send(notification)
    assert plain.server.octets_to_send() == notification


def test_a_released_association_says_so_once() -> None:
    conversation = talk()
    assert conversation.server.receive(bytes.fromhex("6200"), 0.0) == [Released()]
    conversation.server.octets_to_send()
    assert conversation.server.receive(bytes.fromhex("6200"), 0.0) == []


def test_a_public_client_needs_no_settings() -> None:
    assert ClientSettings().application_context is ApplicationContext.LN
    assert not ClientSettings().uses_counters
