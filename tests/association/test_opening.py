"""Opening: all mechanisms, contexts, keys and envelopes; what is agreed; what a client does not believe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.control import State
from cosemic.association.exchanges import client_conformance
from cosemic.association.requests import Action, Failed, Get, Open, Release, Set
from cosemic.association.server_events import Associated, Refused, Released
from cosemic.association.service_provider import ServerSettings
from cosemic.association.serving import server_conformance
from cosemic.association.settings import BOTH, ClientSettings, plain_room
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm, Quirk, ResponseForm
from cosemic.errors import (
    AssociationError,
    AuthenticationFailed,
    ConfigurationError,
    CosemicError,
    DecipheringError,
    DecodeError,
    ExceptionReceived,
    InvocationCounterError,
    PolicyViolation,
    ProtocolError,
    ResponseTimeout,
    SecurityError,
    ServiceErrorReceived,
)
from cosemic.security import (
    TITLED_MECHANISMS,
    Envelope,
    Key,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityMaterial,
    SecurityPolicy,
)
from cosemic.security.authentication import OUTSTANDING
from cosemic.values import (
    ActionResult,
    ApplicationContext,
    AssociationResult,
    Conformance,
    ErrorClass,
    ErrorService,
    Secret,
    UserDiagnostic,
)
from tests.association.samples import (
    AK,
    CLIENT_TITLE,
    ECHO,
    EK,
    OTHER_TITLE,
    PASSWORD,
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

MECHANISMS = [M.LOWEST, M.LLS, M.HLS, M.HLS_MD5, M.HLS_SHA1, M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA]
HIGH = MECHANISMS[2:]
mechanisms = pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda each: each.label)
high = pytest.mark.parametrize("mechanism", HIGH, ids=lambda each: each.label)
contexts = pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])


@pytest.fixture(autouse=True)
def no_challenge_stays_outstanding() -> Any:
    before = len(OUTSTANDING)
    yield
    assert len(OUTSTANDING) <= before


@mechanisms
@contexts
@pytest.mark.parametrize("dedicated", [False, True], ids=["global", "dedicated"])
@pytest.mark.parametrize("form", list(CipheredForm), ids=lambda each: each.value)
def test_every_mechanism_opens_in_every_context_and_serves(
    mechanism: M, ciphered: bool, dedicated: bool, form: CipheredForm
) -> None:
    dialect = STANDARD.but(ciphered_form=form)
    if dedicated and not ciphered:
        with pytest.raises(ConfigurationError, match="dedicated key"):
            settings(mechanism, client={"dedicated_key": True})
        return
    conversation = talk(
        mechanism, ciphered=ciphered, client={"dedicated_key": dedicated}, dialect=dialect, opened=False
    )
    opened = conversation.open()
    titled = ciphered or mechanism in TITLED_MECHANISMS
    assert opened.server_title == (SERVER_TITLE if titled else None)
    assert opened.dlms_version == 6
    assert conversation.client.opened is opened
    assert conversation.server_events == [Associated(CLIENT_TITLE if titled else None)]
    assert (conversation.client.state, conversation.server.state) == (State.ASSOCIATED, State.ASSOCIATED)
    assert conversation.ask(Get(REGISTER)) == VALUE
    tags = {apdu[0] for apdu in conversation.requests[1:] + conversation.answers[1:]}
    general = form is CipheredForm.GENERAL
    if not ciphered:
        assert tags <= {0xC0, 0xC3, 0xC4, 0xC7}
    elif general:
        assert tags == ({0xDC} if dedicated else {0xDB})
    else:
        assert tags <= ({0xD0, 0xD3, 0xD4, 0xD7} if dedicated else {0xC8, 0xCB, 0xCC, 0xCF})
    # The Initiate stays under the global key, whatever the services use.
    information = a.AARQ.decode(conversation.requests[0]).user_information
    assert information is not None
    assert information[0] == (0x01 if not ciphered else 0xDB if general else 0x21)
    assert conversation.ask(Release()) is None
    assert conversation.server_events[-1] == Released()


@pytest.mark.parametrize("form", list(CipheredForm), ids=lambda each: each.value)
def test_an_initiate_response_comes_in_the_form_of_the_request(form: CipheredForm) -> None:
    conversation = talk(ciphered=True, dialect=STANDARD.but(ciphered_form=form))
    information = a.AARE.decode(conversation.answers[0]).user_information
    assert information is not None
    assert information[0] == (0xDB if form is CipheredForm.GENERAL else 0x28)


def test_an_aare_names_what_was_selected_and_nothing_else() -> None:
    """application_layer.md 5.2, 6.2, 19: 88, 89 and AA are there only where authentication was selected."""
    plain = talk()
    conformance = plain.client.opened.conformance.octets.hex()  # type: ignore[union-attr]
    body = f"a109060760857405080101 a203020100 a305a103020100 be10040e 0800065f1f0400{conformance}ffff0007"
    assert plain.answers[0].hex() == "6129" + body.replace(" ", "")
    challenged = a.AARE.decode(talk(M.HLS_GMAC).answers[0])
    assert challenged.responding_ap_title == SERVER_TITLE
    assert challenged.responder_acse_requirements == a.AUTHENTICATION_REQUIREMENT
    assert challenged.mechanism_name is M.HLS_GMAC
    assert challenged.responding_authentication_value is not None
    assert challenged.result_source_diagnostic.diagnostic is UserDiagnostic.AUTHENTICATION_REQUIRED


@pytest.mark.parametrize("form", list(ResponseForm), ids=lambda each: each.value)
@pytest.mark.parametrize("asked", list(CipheredForm), ids=lambda each: each.value)
@pytest.mark.parametrize("dedicated", [False, True], ids=["global", "dedicated"])
def test_the_answer_comes_in_the_form_that_the_dialect_of_the_server_names(
    form: ResponseForm, asked: CipheredForm, dedicated: bool
) -> None:
    conversation = secure(
        client={"dialect": STANDARD.but(ciphered_form=asked), "dedicated_key": dedicated},
        server={"dialect": STANDARD.but(response_form=form)},
    )
    assert conversation.ask(Get(REGISTER)) == VALUE
    general = form is ResponseForm.GENERAL or (form is ResponseForm.MIRRORED and asked is CipheredForm.GENERAL)
    envelope = Envelope.of(conversation.answers[-1])
    assert envelope is Envelope.kind(dedicated=dedicated, general=general)


def test_a_dedicated_key_is_fresh_for_each_association_and_never_in_clear() -> None:
    drawn: list[bytes] = []
    conversation = secure(client={"dedicated_key": True}, opened=False)

    def randomness(length: int) -> bytes:
        drawn.append(bytes((length + len(drawn) + n) % 256 for n in range(length)))
        return drawn[-1]

    conversation.client.randomness = randomness
    for _ in range(2):
        conversation.open()
        conversation.ask(Release())
    assert [len(one) for one in drawn] == [16] * 4  # challenge and dedicated key, twice
    sent = b"".join(conversation.requests)
    assert [one in sent for one in drawn] == [True, False] * 2


@pytest.mark.parametrize("key", [EK, b"", b"\0" * 15, b"\0" * 17], ids=["global key", "none", "short", "long"])
def test_a_dedicated_key_that_cannot_be_one_is_refused(key: bytes) -> None:
    conversation = secure(opened=False)
    client, _ = settings(M.HLS_GMAC, ciphered=True)
    context = client.context()
    assert context is not None
    initiate = a.InitiateRequest(key, True, None, 6, client_conformance(), 0xFFFF).encode()
    aarq = a.AARQ(
        application_context_name=ApplicationContext.LN_CIPHERED,
        calling_ap_title=CLIENT_TITLE,
        sender_acse_requirements=a.AUTHENTICATION_REQUIREMENT,
        mechanism_name=M.HLS_GMAC,
        calling_authentication_value=a.AuthenticationValue(b"challenge"),
        user_information=context.protect_apdu(initiate, Envelope.GLO),
    )
    conversation.server.receive(aarq.encode(), 0.0)
    aare = a.AARE.decode(conversation.server.octets_to_send())
    assert aare.result == AssociationResult.REJECTED_PERMANENT
    assert conversation.server.state is State.IDLE


# ---- what is agreed -------------------------------------------------------------------------------------------------

bits = st.integers(0, (1 << 24) - 1).map(Conformance)


@given(bits, bits, st.booleans())
def test_what_is_agreed_never_exceeds_what_either_side_proposes(
    ours: Conformance, theirs: Conformance, c: bool
) -> None:
    conversation = talk(
        M.LOWEST, ciphered=c, client={"conformance": ours}, server={"conformance": theirs}, opened=False
    )
    able = client_conformance() | (Conformance.GENERAL_PROTECTION if c else Conformance(0))
    event = conversation.event(Open())
    if isinstance(event, Failed):
        assert not ours & theirs & (Conformance.GET | Conformance.SET | Conformance.ACTION)
        return
    assert event.result.conformance == ours & theirs & able


def test_what_is_announced_is_what_the_services_are_made_of() -> None:
    """The bits of application_layer.md 6.3 whose services are served, and no other."""
    names = [
        "attribute0-supported-with-set",
        "priority-mgmt-supported",
        "attribute0-supported-with-get",
        "block-transfer-with-get-or-read",
        "block-transfer-with-set-or-write",
        "block-transfer-with-action",
        "multiple-references",
        "data-notification",
        "access",
        "get",
        "set",
        "selective-access",
        "event-notification",
        "action",
    ]
    assert client_conformance().names() == server_conformance().names() == names


def test_a_server_that_agrees_to_more_than_was_proposed_is_not_taken_at_its_word() -> None:
    conversation = talk(opened=False, client={"conformance": Conformance.GET})
    everything = a.InitiateResponse(None, 6, Conformance((1 << 24) - 1), 0xFFFF, 7).encode()
    conversation.to_client = lambda octets: with_information(octets, everything)
    assert conversation.open().conformance == Conformance.GET


@given(st.integers(12, 400), st.booleans(), st.booleans())
def test_a_plain_apdu_of_the_room_fits_when_it_is_protected(size: int, general: bool, dedicated: bool) -> None:
    room = plain_room(size, protected=True, general=general)
    envelope = Envelope.kind(dedicated=dedicated, general=general)
    keys = material().with_dedicated_key(Key(Secret(b"d" * 16)) if dedicated else None)
    context = SecurityContext(CLIENT_TITLE, SERVER_TITLE, keys, MemoryCounterStore())
    if room > 0:
        assert len(context.protect_apdu(b"\xc0" * room, envelope)) <= size
    assert len(context.protect_apdu(b"\xc0" * max(room + 2, 1), envelope)) > size
    assert plain_room(size, protected=False, general=general) == size
    assert plain_room(0, protected=False, general=False) == 0xFFFF


@pytest.mark.parametrize("ours", [0, 12, 64, 0xFFFF])
@pytest.mark.parametrize("theirs", [0, 32, 64, 0xFFFF])
def test_no_apdu_is_longer_than_the_other_side_takes(ours: int, theirs: int) -> None:
    conversation = talk(client={"max_pdu_size": ours}, server={"max_pdu_size": theirs})
    assert conversation.client.opened is not None
    assert conversation.client.opened.max_pdu_size == theirs
    long = octets(300)
    assert conversation.ask(Set(REGISTER, long)) == 0
    assert conversation.ask(Get(REGISTER)) == long
    assert conversation.ask(Action(ECHO, long)).return_parameters == long
    assert all(len(apdu) <= (theirs or 0xFFFF) for apdu in conversation.requests[1:])
    assert all(len(apdu) <= (ours or 0xFFFF) for apdu in conversation.answers[1:])


@pytest.mark.parametrize("form", list(CipheredForm), ids=lambda each: each.value)
@pytest.mark.parametrize("size", [75, 96, 128, 200, 300])
def test_protection_counts_when_apdus_are_measured(size: int, form: CipheredForm) -> None:
    dialect = STANDARD.but(ciphered_form=form)
    conversation = secure(client={"max_pdu_size": size}, server={"max_pdu_size": size}, dialect=dialect)
    long = octets(700)
    assert conversation.ask(Set(REGISTER, long)) == 0
    assert conversation.ask(Get(REGISTER)) == long
    for apdu in (*conversation.requests[1:], *conversation.answers[1:]):
        assert len(apdu) <= size


# ---- what the client does not believe -------------------------------------------------------------------------------


def with_information(octets: bytes, information: bytes | None) -> bytes:
    aare = a.AARE.decode(octets)
    aare.user_information = information
    return aare.encode()


def aare(octets: bytes, **changed: Any) -> bytes:
    """An AARE with fields changed; another APDU as it is."""
    if octets[0] != 0x61:
        return octets
    made = a.AARE.decode(octets)
    for name, value in changed.items():
        setattr(made, name, value)
    return made.encode()


def refused(conversation: Talk, error: type[CosemicError], match: str = "") -> str:
    with pytest.raises(error, match=match or None) as caught:
        conversation.open()
    assert type(caught.value) is error
    assert conversation.client.state is State.IDLE
    assert conversation.client.opened is None
    assert conversation.client.context is None
    assert not conversation.client.busy
    return str(caught.value)


@high
@contexts
def test_our_own_challenge_in_the_aare_is_refused_before_anything_is_answered(mechanism: M, ciphered: bool) -> None:
    conversation = talk(mechanism, ciphered=ciphered, opened=False)

    def reflect(octets: bytes) -> bytes:
        own = a.AARQ.decode(conversation.requests[0]).calling_authentication_value
        return aare(octets, responding_authentication_value=own)

    conversation.to_client = reflect
    refused(conversation, AuthenticationFailed, "challenge of ours")
    assert len(conversation.requests) == 1


@high
def test_a_challenge_of_another_opening_of_this_process_is_refused_too(mechanism: M) -> None:
    other = talk(mechanism, opened=False)
    other.client.send(Open())
    challenge = a.AARQ.decode(other.client.octets_to_send()).calling_authentication_value
    conversation = talk(mechanism, opened=False)
    if mechanism is M.HLS_GMAC:
        assert challenge is not None  # the same key in both
    conversation.to_client = lambda octets: aare(octets, responding_authentication_value=challenge)
    refused(conversation, AuthenticationFailed, "challenge of ours")
    other.client.cancel()


@pytest.mark.parametrize("mechanism", [M.LOWEST, M.HLS_GMAC, M.HLS_SHA256, M.HLS_ECDSA], ids=lambda each: each.label)
@contexts
def test_our_own_title_in_the_aare_is_refused(mechanism: M, ciphered: bool) -> None:
    conversation = talk(mechanism, ciphered=ciphered, client={"system_title": CLIENT_TITLE}, opened=False)
    conversation.to_client = lambda octets: aare(octets, responding_ap_title=CLIENT_TITLE)
    refused(conversation, DecipheringError, "our own")
    assert len(conversation.requests) == 1


@mechanisms
@contexts
def test_another_meter_than_the_settings_name_is_refused(mechanism: M, ciphered: bool) -> None:
    more = {"server_title": OTHER_TITLE, "system_title": CLIENT_TITLE}
    server = {"system_title": SERVER_TITLE}
    conversation = talk(mechanism, ciphered=ciphered, client=more, server=server, opened=False)
    refused(conversation, DecipheringError, "another system title")
    assert len(conversation.requests) == 1


def test_an_empty_title_is_none() -> None:
    conversation = talk(opened=False)
    conversation.to_client = lambda octets: aare(octets, responding_ap_title=b"")
    assert conversation.open().server_title is None


@high
def test_a_server_that_skips_high_level_security_is_refused(mechanism: M) -> None:
    conversation = talk(mechanism, opened=False)
    skipped = a.ResultSourceDiagnostic("acse_service_user", UserDiagnostic.NULL)
    conversation.to_client = lambda octets: aare(
        octets, result_source_diagnostic=skipped, responding_authentication_value=None
    )
    refused(conversation, AuthenticationFailed, "skips the authentication")
    assert len(conversation.requests) == 1


@high
def test_a_challenge_with_the_diagnostic_null_is_answered_like_any_other(mechanism: M) -> None:
    conversation = talk(mechanism, opened=False)
    null = a.ResultSourceDiagnostic("acse_service_user", UserDiagnostic.NULL)
    conversation.to_client = lambda octets: (
        aare(octets, result_source_diagnostic=null) if octets[:1] == b"\x61" else octets
    )
    conversation.open()
    assert len(conversation.requests) == 2


@pytest.mark.parametrize("mechanism", [M.LOWEST, M.LLS], ids=lambda each: each.label)
def test_a_server_that_wants_high_level_security_is_told_apart(mechanism: M) -> None:
    conversation = talk(mechanism, opened=False)
    wanted = a.ResultSourceDiagnostic("acse_service_user", UserDiagnostic.AUTHENTICATION_REQUIRED)
    conversation.to_client = lambda octets: aare(octets, result_source_diagnostic=wanted)
    refused(conversation, AuthenticationFailed, "asks for high level security")


@high
@pytest.mark.parametrize(
    "changed",
    [
        {"responding_authentication_value": None},
        {"responding_authentication_value": a.AuthenticationValue(b"1234567")},
        {"responding_authentication_value": a.AuthenticationValue(b"1" * 65)},
        {"mechanism_name": M.LLS},
    ],
    ids=["no challenge", "short challenge", "long challenge", "another mechanism"],
)
def test_a_challenge_that_cannot_be_one_is_refused(mechanism: M, changed: dict[str, Any]) -> None:
    conversation = talk(mechanism, opened=False)
    conversation.to_client = lambda octets: aare(octets, **changed)
    refused(conversation, AuthenticationFailed)
    assert len(conversation.requests) == 1


def proof(octets: bytes, value: EncodedData | int | None, result: ActionResult = ActionResult.SUCCESS) -> bytes:
    """Pass 4 with another proof; every other APDU as it is."""
    if octets[0] != 0xC7:
        return octets
    response = a.ActionResponseNormal.decode(octets)
    response.single_response = a.ActionResponseWithOptionalData(result, value)  # type: ignore[arg-type]
    return response.encode()


@high
@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, ActionResult.SUCCESS),
        (EncodedData.of(DataType.OCTET_STRING, b""), ActionResult.SUCCESS),
        (EncodedData.of(DataType.OCTET_STRING, b"\x10\x00\x00\x00\x00" + b"x" * 12), ActionResult.SUCCESS),
        (EncodedData.of(DataType.VISIBLE_STRING, "x" * 16), ActionResult.SUCCESS),
        (EncodedData.of(DataType.NULL_DATA), ActionResult.SUCCESS),
        (0, ActionResult.SUCCESS),
        (None, ActionResult.READ_WRITE_DENIED),
    ],
    ids=["no data", "empty", "wrong", "a text", "null", "a result", "denied"],
)
def test_only_a_right_proof_opens_the_association(
    mechanism: M, value: EncodedData | int | None, result: ActionResult
) -> None:
    conversation = talk(mechanism, opened=False)
    conversation.to_client = lambda octets: proof(octets, value, result)
    refused(conversation, AuthenticationFailed)


@high
def test_every_flipped_bit_of_the_proof_is_noticed(mechanism: M) -> None:
    conversation = talk(mechanism, opened=False)
    length = 0
    for bit in range(17 * 8):

        def flip(octets: bytes, bit: int = bit) -> bytes:
            nonlocal length
            if octets[0] != 0xC7:
                return octets
            value = a.ActionResponseNormal.decode(octets).single_response.return_parameters
            assert isinstance(value, EncodedData)
            content = bytearray(value.value())
            length = len(content)
            if bit >= length * 8:
                return octets
            content[bit // 8] ^= 1 << bit % 8
            return proof(octets, EncodedData.of(DataType.OCTET_STRING, bytes(content)))

        conversation.to_client = flip
        event = conversation.event(Open())
        if bit < length * 8:
            assert isinstance(event, Failed)
            assert isinstance(event.error, AuthenticationFailed)
        else:
            conversation.ask(Release())


@high
def test_f_of_our_challenge_cannot_be_the_other_sides_answer(mechanism: M) -> None:
    """What the client proves itself with, handed back to it, proves nothing."""
    conversation = talk(mechanism, opened=False)

    def hand_back(octets: bytes) -> bytes:
        if octets[0] != 0xC7:
            return octets
        ours = a.ActionRequestNormal.decode(conversation.requests[-1]).method_invocation_parameters
        return proof(octets, ours)

    conversation.to_client = hand_back
    refused(conversation, AuthenticationFailed)


@pytest.mark.parametrize(
    ("information", "error"),
    [
        (None, ProtocolError),
        (b"", DecodeError),
        (b"\x08", DecodeError),
        (a.InitiateResponse(None, 5, Conformance.GET, 0xFFFF, 7).encode(), ProtocolError),
        (a.InitiateResponse(None, 6, Conformance.GET, 11, 7).encode(), ProtocolError),
        (a.InitiateResponse(None, 6, Conformance.GET, 1, 7).encode(), ProtocolError),
        (a.InitiateResponse(None, 6, Conformance.GET, 0xFFFF, 7).encode() + b"\0", DecodeError),
        (b"\x28\x1f" + b"\x30" * 31, PolicyViolation),
    ],
    ids=["none", "empty", "cut", "version 5", "11 octets", "1 octet", "trailing", "ciphered"],
)
def test_an_initiate_response_that_is_none_is_refused(information: bytes | None, error: type[CosemicError]) -> None:
    conversation = talk(opened=False)
    conversation.to_client = lambda octets: with_information(octets, information)
    refused(conversation, error)


def test_an_aare_for_another_context_is_refused() -> None:
    conversation = talk(opened=False)
    conversation.to_client = lambda octets: aare(octets, application_context_name=ApplicationContext.SN)
    refused(conversation, ProtocolError, "another application context")


def test_a_plain_initiate_response_in_a_ciphered_association_is_refused() -> None:
    plain = a.InitiateResponse(None, 6, Conformance.GET, 0xFFFF, 7).encode()
    for protection in (BOTH, Protection.AUTHENTICATED, Protection.ENCRYPTED):
        conversation = talk(
            ciphered=True, opened=False, client={"protection": protection}, policy=SecurityPolicy(0, int(protection))
        )
        conversation.to_client = lambda octets: with_information(octets, plain)
        refused(conversation, PolicyViolation)


def test_without_the_title_of_the_meter_nothing_is_deciphered() -> None:
    conversation = talk(ciphered=True, opened=False)
    conversation.to_client = lambda octets: aare(octets, responding_ap_title=None)
    refused(conversation, DecipheringError)


def test_a_title_from_the_settings_stands_in_for_one_that_is_not_sent() -> None:
    conversation = talk(ciphered=True, opened=False, client={"server_title": SERVER_TITLE})
    conversation.to_client = lambda octets: aare(octets, responding_ap_title=None)
    conversation.open()
    assert conversation.ask(Get(REGISTER)) == VALUE


def test_general_envelopes_are_not_used_where_the_meter_did_not_agree_to_them() -> None:
    conversation = secure(
        opened=False,
        client={"dialect": STANDARD.but(ciphered_form=CipheredForm.GENERAL)},
        server={"conformance": server_conformance()},
    )
    refused(conversation, ProtocolError, "general-protection")


def test_a_server_does_not_open_general_envelopes_that_were_not_agreed_upon() -> None:
    conversation = secure(server={"conformance": server_conformance()})
    context = conversation.client.context
    assert context is not None
    request = a.GetRequestNormal(a.InvokeIdAndPriority.of(1), REGISTER).encode()
    conversation.server.receive(context.protect_apdu(request, Envelope.GENERAL_GLO), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80202")
    assert conversation.shelf.calls == []


@pytest.mark.parametrize("answer", ["d80101", "d80105", "d80106000000ff", "0e010601"])
@pytest.mark.parametrize("passes", [0, 1], ids=["for the AARQ", "for pass 3"])
def test_error_apdus_end_the_opening(answer: str, passes: int) -> None:
    conversation = talk(M.HLS_GMAC, opened=False)
    conversation.to_client = lambda octets: bytes.fromhex(answer) if len(conversation.answers) == passes + 1 else octets
    kind = ServiceErrorReceived if answer.startswith("0e") else ExceptionReceived
    refused(conversation, kind)


def test_the_counter_in_an_exception_response_is_told_and_not_taken() -> None:
    conversation = secure(opened=False)
    conversation.to_client = lambda octets: bytes.fromhex("d8010600001234")
    with pytest.raises(ExceptionReceived, match="4660 or more") as caught:
        conversation.open()
    assert caught.value.invocation_counter == 0x1234
    assert (
        conversation.client.settings.counters.transmit_state(material().encryption_key.identity, CLIENT_TITLE).trial
        is None
    )


def test_an_opening_without_answer_is_not_tried_again_on_the_same_connection() -> None:
    conversation = talk(opened=False)
    conversation.to_client = lambda octets: None
    refused(conversation, ResponseTimeout)
    assert conversation.client.unanswered
    with pytest.raises(AssociationError, match="connect again"):
        conversation.client.send(Open())


def test_other_apdus_are_passed_over_while_the_aare_is_waited_for() -> None:
    conversation = talk(opened=False)
    conversation.client.send(Open())
    for octets_ in ("6303800100", "c401410011 05"):
        assert conversation.client.receive(bytes.fromhex(octets_), 0.0) == []
    (notified,) = conversation.client.receive(bytes.fromhex("0f00000001000200"), 0.0)
    assert type(notified).__name__ == "Notified"
    assert [type(event).__name__ for event in conversation.step()] == ["Completed"]


def test_a_response_instead_of_an_aare_with_the_right_invoke_id_is_an_error() -> None:
    conversation = talk(opened=False)
    conversation.to_client = lambda octets: bytes.fromhex("c40140 00 1105")
    refused(conversation, ProtocolError, "AARE was expected")


def test_pass_4_of_another_kind_is_an_error() -> None:
    conversation = talk(M.HLS_MD5, opened=False)
    conversation.to_client = lambda octets: octets if octets[0] == 0x61 else bytes.fromhex("c50140 00")
    refused(conversation, ProtocolError, "action-response-normal was expected")


def test_short_lengths_of_acse_are_mended_only_where_the_dialect_says_so() -> None:
    def shorten(octets: bytes) -> bytes:
        if octets[0] != 0x61:
            return octets
        made = bytearray(octets)
        made[1] -= 1
        start = octets.index(b"\xbe")
        made[start + 1] -= 1
        made[start + 3] -= 1
        return bytes(made)

    conversation = talk(opened=False)
    conversation.to_client = shorten
    refused(conversation, DecodeError)
    conversation = talk(opened=False, dialect=STANDARD.but(quirks=frozenset({Quirk.ACSE_SHORT_LENGTHS})))
    conversation.to_client = shorten
    conversation.open()


# ---- counters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_a_tried_counter_is_kept_when_the_meter_has_proved_itself(ciphered: bool) -> None:
    store = MemoryCounterStore()
    conversation = talk(M.HLS_GMAC, ciphered=ciphered, client={"counters": store}, opened=False)
    counter = store.transmit_counter(material().encryption_key.identity, CLIENT_TITLE)
    counter.start_from(5000)
    conversation.open()
    assert counter.known
    assert counter.next() >= 5000


def test_a_tried_counter_is_not_kept_for_an_initiate_response_that_was_recorded() -> None:
    """An authenticated InitiateResponse of old times proves nothing about today's counter: pass 4 has to be right."""
    recorded = secure().answers[0]
    store = MemoryCounterStore()
    conversation = secure(client={"counters": store}, opened=False)
    counter = store.transmit_counter(material().encryption_key.identity, CLIENT_TITLE)
    counter.start_from(5000)
    conversation.to_client = lambda octets: recorded if octets[0] == 0x61 else octets
    with pytest.raises(CosemicError):
        conversation.open()
    assert not counter.known


def test_a_recorded_aare_is_refused_once_its_counter_was_seen() -> None:
    conversation = secure()
    recorded = conversation.answers[0]
    conversation.ask(Release())
    conversation.to_client = lambda octets: recorded if octets[0] == 0x61 else octets
    refused(conversation, InvocationCounterError)


def test_a_store_that_fails_ends_the_opening_and_sends_nothing() -> None:
    class Broken(MemoryCounterStore):
        def change_transmit(self, *args: Any) -> Any:
            raise SecurityError("the disk is full")

    conversation = secure(client={"counters": Broken()}, opened=False)
    with pytest.raises(SecurityError, match="disk"):
        conversation.client.send(Open())
    assert conversation.client.octets_to_send() == b""
    assert conversation.client.state is State.IDLE
    assert conversation.client.context is None


def test_a_store_of_the_server_that_fails_refuses_the_association() -> None:
    class Broken(MemoryCounterStore):
        def change_transmit(self, *args: Any) -> Any:
            raise SecurityError("the disk is full")

    conversation = secure(server={"counters": Broken()}, opened=False)
    event = conversation.event(Open())
    assert isinstance(event, Failed)
    assert "no-reason-given" in str(event.error)
    assert isinstance(conversation.server_events[-1], Refused)


# ---- release --------------------------------------------------------------------------------------------------------


def test_a_release_without_answer_is_one_where_the_dialect_says_so() -> None:
    conversation = talk()
    conversation.to_client = lambda octets: None
    assert conversation.ask(Release()) is None
    assert conversation.client.state is State.IDLE
    conversation = talk(dialect=STANDARD.but(release_unanswered_is_released=False))
    conversation.to_client = lambda octets: None
    with pytest.raises(ResponseTimeout):
        conversation.ask(Release())
    assert conversation.client.state is State.IDLE


def test_a_release_in_a_ciphered_association_is_authenticated() -> None:
    conversation = secure()
    changed: list[bytes] = []

    def tamper(octets: bytes) -> bytes:
        if octets[0] == 0x62:
            octets = octets[:-1] + bytes((octets[-1] ^ 1,))
            changed.append(octets)
        return octets

    conversation.to_server = tamper
    with pytest.raises(ExceptionReceived, match="deciphering-error"):
        conversation.ask(Release())
    assert changed
    assert conversation.server.state is State.ASSOCIATED


def test_a_release_with_another_apdu_than_an_initiate_request_releases_nothing() -> None:
    conversation = secure()
    context = conversation.client.context
    assert context is not None
    get = context.protect_apdu(a.GetRequestNormal(a.InvokeIdAndPriority.of(1), REGISTER).encode())
    conversation.server.receive(a.RLRQ(user_information=get).encode(), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80105")
    assert conversation.server.state is State.ASSOCIATED


def test_a_release_can_go_without_user_information() -> None:
    conversation = secure(dialect=STANDARD.but(protect_release=False))
    assert conversation.ask(Release()) is None
    assert conversation.requests[-1] == bytes.fromhex("6203800100")


def test_an_rlrq_outside_an_association_is_answered() -> None:
    conversation = talk(opened=False)
    assert conversation.server.receive(bytes.fromhex("6200"), 0.0) == []
    assert conversation.server.octets_to_send() == bytes.fromhex("6303800100")


def test_an_rlrq_that_cannot_be_read_releases_nothing() -> None:
    conversation = talk()
    assert conversation.server.receive(bytes.fromhex("6205"), 0.0) == []
    assert conversation.server.octets_to_send() == bytes.fromhex("d80103")  # nothing was ciphered
    assert conversation.server.state is State.ASSOCIATED


# ---- settings that do not fit together ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"ciphered": True},
        {"mechanism": M.LLS},
        {"mechanism": M.LLS, "secret": Secret.password("")},
        {"mechanism": M.LLS, "secret": Secret.password("x"), "ciphered": True, "material": material(),
         "dialect": STANDARD.but(lls_in_ciphered_context=False)},
        {"mechanism": M.HLS_MD5},
        {"mechanism": M.HLS_GMAC},
        {"mechanism": M.HLS_ECDSA},
        {"mechanism": M.HLS_SHA256, "secret": Secret.password("x")},
        {"ciphered": True, "material": material()},
        {"ciphered": True, "material": SecurityMaterial.of(Secret(EK)), "system_title": CLIENT_TITLE},
        {"ciphered": True, "material": material(), "system_title": CLIENT_TITLE, "protection": Protection.SIGNED},
        {"ciphered": True, "material": material(), "system_title": CLIENT_TITLE, "server_title": CLIENT_TITLE},
        {"system_title": b"1234567"},
        {"server_title": b"123456789"},
        {"user_id": 256},
        {"user_id": -1},
        {"max_pdu_size": 11},
        {"max_pdu_size": 65536},
        {"response_timeout": 0.0},
        {"response_timeout": float("nan")},
    ],
)  # fmt: skip
def test_client_settings_that_cannot_work_are_refused_when_they_are_made(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ClientSettings(**changed)
    assert EK.hex() not in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"context_names": frozenset({ApplicationContext.LN_CIPHERED})},
        {"context_names": frozenset({ApplicationContext.LN_CIPHERED}), "material": material()},
        {"policy": SecurityPolicy(0, 1)},
        {"policy": SecurityPolicy(1, 0x20)},
        {"context_names": frozenset({ApplicationContext.LN_CIPHERED}), "system_title": SERVER_TITLE,
         "material": SecurityMaterial.of(Secret(EK)), "policy": SecurityPolicy(0, 1)},
        {"mechanism": M.LLS},
        {"mechanism": M.HLS_SHA1},
        {"mechanism": M.HLS_GMAC},
        {"max_pdu_size": 11},
        {"system_title": b"1"},
        {"system_title": SERVER_TITLE, "client_title": SERVER_TITLE},
    ],
)  # fmt: skip
def test_server_settings_that_cannot_work_are_refused_when_they_are_made(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ServerSettings(**changed)


def test_settings_never_show_keys_or_passwords() -> None:
    for mechanism in MECHANISMS:
        for one in settings(mechanism, ciphered=True):
            shown = repr(one)
            for secret in (EK, AK, PASSWORD):
                assert secret.hex() not in shown
                assert repr(secret)[2:-1] not in shown


def test_the_user_id_travels_in_the_calling_ae_invocation_id() -> None:
    conversation = talk(client={"user_id": 200})
    assert a.AARQ.decode(conversation.requests[0]).calling_ae_invocation_id == 200


def test_a_shelf_is_served_by_two_associations_at_once() -> None:
    shelf = Shelf()
    one, other = (Talk(*settings(M.HLS_GMAC, ciphered=True), shelf) for _ in range(2))
    one.open()
    other.open()
    one.ask(Set(REGISTER, octets(3)))
    assert other.ask(Get(REGISTER)) == octets(3)


def test_replacing_a_setting_checks_it_again() -> None:
    client, _ = settings(M.HLS_GMAC, ciphered=True)
    with pytest.raises(ConfigurationError):
        replace(client, system_title=b"")


def test_confirmed_service_error_names_are_those_of_the_standard() -> None:
    information = a.ConfirmedServiceError(ErrorService.INITIATE_ERROR, ErrorClass.INITIATE, 4).encode()
    conversation = talk(opened=False)
    rejected = {"result": AssociationResult.REJECTED_TRANSIENT, "user_information": information}
    conversation.to_client = lambda octets: aare(octets, **rejected)
    event = conversation.event(Open())
    assert isinstance(event, Failed)
    assert "initiate: refused-by-the-vde-handler" in str(event.error)
    assert "rejected-transient" in str(event.error)
