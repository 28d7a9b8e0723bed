"""Associations in security suites 0, 1 and 2: keys of their lengths everywhere, and high level security of each."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.association.notifications import NotifyData
from cosemic.association.notified import Originator
from cosemic.association.notifying import Delivered
from cosemic.association.requests import Action, Failed, Get, Open, Set
from cosemic.association.server_events import Associated, Refused
from cosemic.association.settings import ClientSettings, PreEstablished, to_all_stations
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    CertificateError,
    ConfigurationError,
    CosemicError,
    DecipheringError,
    ExceptionReceived,
    OutcomeUnknown,
)
from cosemic.security import SERVED_MECHANISMS, KnownSigners, MemoryCounterStore, SecurityMaterial, SecurityPolicy
from cosemic.security.certificates import CertificateStore, TrustedSigners
from cosemic.security.envelopes import open_envelope
from cosemic.security.suite import security_suite
from cosemic.values import ActionResult, DataAccessResult, Priority, Secret, ServiceClass
from tests.association.notification_samples import due, receiver, sender
from tests.association.samples import (
    CLIENT_TITLE,
    CLOCK,
    ECHO,
    OTHER_TITLE,
    REGISTER,
    SERVER_TITLE,
    SIGNING,
    VALUE,
    M,
    Talk,
    material,
    octets,
    settings,
    talk,
)
from tests.security.laboratory import AT, SIGNATURE, YEAR, issued, new_root

SUITES = (0, 1, 2)
KEY_LENGTHS = {0: 16, 1: 16, 2: 32}
suites = pytest.mark.parametrize("suite", SUITES)
signing = pytest.mark.parametrize("suite", [1, 2])
HIGH = [(M.HLS_GMAC, 0), (M.HLS_GMAC, 1), (M.HLS_GMAC, 2), (M.HLS_ECDSA, 1), (M.HLS_ECDSA, 2)]
high = pytest.mark.parametrize(("mechanism", "suite"), HIGH, ids=lambda one: getattr(one, "label", str(one)))
GENERAL = STANDARD.but(ciphered_form=CipheredForm.GENERAL)


def proof_of(apdu: bytes, talk_: Talk) -> bytes:
    """f(StoC) of a plain pass 3."""
    parameters = a.ActionRequest.decode(apdu).method_invocation_parameters
    return bytes(parameters.value())


# ---- services --------------------------------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.LLS, *sorted(SERVED_MECHANISMS)], ids=lambda each: each.label)
@pytest.mark.parametrize("dedicated", [False, True], ids=["global", "dedicated"])
@pytest.mark.parametrize("dialect", [STANDARD, GENERAL], ids=["specific", "general"])
def test_every_mechanism_opens_and_serves_in_every_suite(
    suite: int, mechanism: M, dedicated: bool, dialect: Any
) -> None:
    if mechanism is M.HLS_ECDSA and suite == 0:
        pytest.skip("suite 0 has no signatures")
    conversation = talk(mechanism, ciphered=True, suite=suite, client={"dedicated_key": dedicated}, dialect=dialect)
    assert conversation.server_events == [Associated(CLIENT_TITLE)]
    assert conversation.ask(Get(REGISTER)) == VALUE
    assert conversation.ask(Set(CLOCK, octets(200))) is DataAccessResult.SUCCESS
    assert conversation.ask(Get(CLOCK)) == octets(200)
    answer = conversation.ask(Action(ECHO, octets(7)))
    assert answer == octets(7) or answer == ActionResponseWithOptionalData(ActionResult.SUCCESS, octets(7))
    controls = {open_envelope(apdu).content[0] for apdu in conversation.requests[1:] + conversation.answers[1:]}
    assert controls == {0x30 | suite}


@suites
def test_the_dedicated_key_has_the_length_of_the_suite(suite: int) -> None:
    conversation = talk(ciphered=True, suite=suite, client={"dedicated_key": True})
    context = conversation.client.context
    assert context is not None
    assert context.material.dedicated_key is not None
    assert len(context.material.dedicated_key) == KEY_LENGTHS[suite]
    assert conversation.server.context is not None
    assert conversation.server.context.material.dedicated_key == context.material.dedicated_key


@suites
@pytest.mark.parametrize("length", [0, 8, 15, 16, 17, 24, 31, 32, 33, 48])
def test_a_dedicated_key_of_another_length_is_refused(suite: int, length: int) -> None:
    """A server refuses it: here the client's random numbers are of another length."""
    conversation = talk(ciphered=True, suite=suite, opened=False)
    context = conversation.client.settings.context()
    assert context is not None
    request = a.InitiateRequest(bytes(range(0x70, 0x70 + length)) or None, True, None, 6, 0x7E1F, 0xFFFF)  # type: ignore[arg-type]
    aarq = a.AARQ(
        application_context_name=conversation.client.settings.application_context,
        calling_ap_title=CLIENT_TITLE,
        user_information=context.protect_apdu(request.encode()),
    )
    events = conversation.server.receive(aarq.encode(), 0.0)
    fits = length in (0, KEY_LENGTHS[suite])
    assert isinstance(events[0], Associated if fits else Refused)


@suites
@pytest.mark.parametrize("other", SUITES)
def test_an_apdu_of_another_suite_changes_nothing(suite: int, other: int) -> None:
    conversation = talk(ciphered=True, suite=suite)
    counter = conversation.server.context.receive  # type: ignore[union-attr]
    before = counter.lowest

    def renamed(apdu: bytes) -> bytes:
        return apdu[:2] + bytes((apdu[2] & 0xF0 | other,)) + apdu[3:]

    conversation.to_server = renamed
    if other == suite:
        assert conversation.ask(Get(REGISTER)) == VALUE
        return
    with pytest.raises(ExceptionReceived, match="deciphering-error"):
        conversation.ask(Get(REGISTER))
    assert counter.lowest == before
    assert conversation.shelf.calls == []


@pytest.mark.parametrize(("ours", "theirs"), [(one, other) for one in SUITES for other in SUITES if one != other])
def test_sides_in_two_suites_do_not_come_together(ours: int, theirs: int) -> None:
    client, _ = settings(ciphered=True, suite=ours)
    _, server = settings(ciphered=True, suite=theirs)
    conversation = Talk(client, server)
    with pytest.raises(AssociationRejected, match="deciphering-error"):
        conversation.open()
    assert server.counters.receive_counter(material(theirs).encryption_key.identity, CLIENT_TITLE).lowest == 0


# ---- HLS 5 -----------------------------------------------------------------------------------------------------------


@suites
@pytest.mark.parametrize("bare", [False, True], ids=["with suite", "bare"])
@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_values_of_hls_5_carry_the_suite_or_bare_10_as_the_dialect_says(suite: int, bare: bool, ciphered: bool) -> None:
    dialect = STANDARD.but(gmac_control_without_suite=bare)
    conversation = talk(M.HLS_GMAC, ciphered=ciphered, suite=suite, dialect=dialect)
    assert conversation.ask(Get(REGISTER)) == VALUE
    if not ciphered:
        assert proof_of(conversation.requests[1], conversation)[0] == (0x10 if bare else 0x10 | suite)


@signing
def test_exactly_one_form_of_hls_5_is_taken(suite: int) -> None:
    for bare in (False, True):
        conversation = talk(
            M.HLS_GMAC,
            suite=suite,
            opened=False,
            client={"dialect": STANDARD.but(gmac_control_without_suite=bare)},
            server={"dialect": STANDARD.but(gmac_control_without_suite=not bare)},
        )
        with pytest.raises(AuthenticationFailed):
            conversation.open()
        assert not [each for each in conversation.server_events if isinstance(each, Associated)]


# ---- HLS 7 -----------------------------------------------------------------------------------------------------------


@signing
@pytest.mark.parametrize("short_names", [False, True], ids=["ln", "sn"])
@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_hls_7_opens_with_logical_and_short_names(suite: int, short_names: bool, ciphered: bool) -> None:
    from cosemic.values import ApplicationContext

    name = ApplicationContext.of(short_names=short_names, ciphered=ciphered)
    conversation = talk(
        M.HLS_ECDSA,
        ciphered=ciphered,
        suite=suite,
        client={"short_names": short_names},
        server={"context_names": frozenset((name,))},
    )
    aarq, aare = a.AARQ.decode(conversation.requests[0]), a.AARE.decode(conversation.answers[0])
    assert aarq.mechanism_name is aare.mechanism_name is M.HLS_ECDSA
    assert len(aarq.calling_authentication_value or b"") == len(aare.responding_authentication_value or b"") == 32
    assert (aarq.calling_ap_title, aare.responding_ap_title) == (CLIENT_TITLE, SERVER_TITLE)
    assert aarq.calling_ae_qualifier is aare.responding_ae_qualifier is None
    assert conversation.client.opened is not None
    assert conversation.server_events == [Associated(CLIENT_TITLE)]


@signing
def test_a_server_with_another_private_key_is_not_believed(suite: int) -> None:
    stranger = {"signing_key": SIGNING[suite][CLIENT_TITLE].generate(security_suite(suite))}
    conversation = talk(M.HLS_ECDSA, suite=suite, server=stranger, opened=False)
    with pytest.raises(AuthenticationFailed, match="private key of its certificate"):
        conversation.open()
    assert conversation.client.opened is None
    with pytest.raises(CosemicError):
        conversation.ask(Get(REGISTER))


@signing
def test_a_client_with_another_private_key_gets_one_attempt_and_nothing_is_served(suite: int) -> None:
    stranger = {"signing_key": SIGNING[suite][CLIENT_TITLE].generate(security_suite(suite))}
    conversation = talk(M.HLS_ECDSA, suite=suite, client=stranger, opened=False)
    with pytest.raises(AuthenticationFailed):
        conversation.open()
    assert [type(each) for each in conversation.server_events] == [Refused]
    get = a.GetRequestNormal(a.InvokeIdAndPriority.of(1), REGISTER, None)
    conversation.server.receive(get.encode(), 0.0)
    assert conversation.shelf.calls == []


@signing
def test_pass_3_and_4_that_are_changed_on_the_way_are_refused(suite: int) -> None:
    """An octet of the signature in each place of passes 3 and 4; all bits are tried where the formulas are."""
    length = 2 * security_suite(suite).coordinate_length
    for back in (-1, -length // 2, -length):
        to_meter = talk(M.HLS_ECDSA, suite=suite, opened=False)
        to_meter.to_server = changed_in(0xC3, back)
        with pytest.raises(AuthenticationFailed):
            to_meter.open()
        assert [type(each) for each in to_meter.server_events] == [Refused]
        to_client = talk(M.HLS_ECDSA, suite=suite, opened=False)
        to_client.to_client = changed_in(0xC7, back)
        with pytest.raises(AuthenticationFailed):
            to_client.open()
        assert to_client.client.opened is None


def changed_in(tag: int, back: int) -> Any:
    def change(apdu: bytes) -> bytes:
        if apdu[0] != tag:
            return apdu
        at = len(apdu) + back
        return apdu[:at] + bytes((apdu[at] ^ 1,)) + apdu[at + 1 :]

    return change


@signing
def test_a_recorded_proof_opens_nothing_again(suite: int) -> None:
    first = talk(M.HLS_ECDSA, suite=suite)
    again = Talk(first.client.settings, first.server.settings)
    again.to_server = lambda apdu: first.requests[1] if apdu[0] == 0xC3 else apdu
    with pytest.raises(AuthenticationFailed):
        again.open()
    later = Talk(first.client.settings, first.server.settings)
    later.to_client = lambda apdu: first.answers[1] if apdu[0] == 0xC7 else apdu
    with pytest.raises(AuthenticationFailed):
        later.open()
    assert later.client.opened is None


@signing
def test_a_server_that_hands_back_what_it_got_is_refused(suite: int) -> None:
    conversation = talk(M.HLS_ECDSA, suite=suite, opened=False)

    def mirrored(apdu: bytes) -> bytes:
        if apdu[0] != 0xC7:
            return apdu
        proof = EncodedData.of(DataType.OCTET_STRING, proof_of(conversation.requests[-1], conversation))
        answer = a.ActionResponseWithOptionalData(ActionResult.SUCCESS, proof)
        return a.ActionResponseNormal(a.ActionResponse.decode(apdu).invoke_id_and_priority, answer).encode()

    conversation.to_client = mirrored
    with pytest.raises(AuthenticationFailed):
        conversation.open()


@pytest.mark.parametrize("length", [0, 8, 16, 31, 65])
def test_challenges_of_hls_7_have_32_to_64_octets(length: int) -> None:
    challenge = a.AuthenticationValue(bytes(range(length)))
    short = talk(M.HLS_ECDSA, opened=False)
    short.to_server = lambda apdu: rewritten(a.AARQ, apdu, calling_authentication_value=challenge)
    with pytest.raises(AssociationRejected, match="authentication-failure"):
        short.open()
    shorter = talk(M.HLS_ECDSA, opened=False)
    shorter.to_client = lambda apdu: rewritten(a.AARE, apdu, responding_authentication_value=challenge)
    with pytest.raises(AuthenticationFailed, match="32 to 64"):
        shorter.open()
    assert len(shorter.requests) == 1


def rewritten(kind: Any, apdu: bytes, **changed: Any) -> bytes:
    if apdu[0] not in (0x60, 0x61):
        return apdu
    decoded = kind.decode(apdu)
    return bytes(kind(**({name: getattr(decoded, name) for name in kind.__slots__} | changed)).encode())


@pytest.mark.parametrize("suite", [1, 2])
@pytest.mark.parametrize("missing", [-1, 0])
def test_an_association_in_which_pass_4_does_not_fit_is_refused(suite: int, missing: int) -> None:
    """Pass 4 is action-response-normal: 8 octets and the signature."""
    size = 8 + security_suite(suite).signature_length + missing
    conversation = talk(M.HLS_ECDSA, suite=suite, client={"max_pdu_size": size}, opened=False)
    if missing:
        with pytest.raises(AssociationRejected, match="pdu-size-too-short"):
            conversation.open()
    else:
        conversation.open()


# ---- certificates in the AE-qualifiers -------------------------------------------------------------------------------


class Certified:
    """A root, and both sides with certificates of it that they send each other."""

    def __init__(self, suite: int, **times: dt.datetime) -> None:
        self.suite = suite
        self.root = new_root(suite)
        self.certificates = {title: self.issue(title, SIGNING[suite][title]) for title in (CLIENT_TITLE, SERVER_TITLE)}
        self.now = AT

    def issue(self, title: bytes, key: Any, **more: Any) -> bytes:
        times = {"not_before": AT - YEAR, "not_after": AT + YEAR} | more
        return self.root.issue(key.public, title, SIGNATURE, **times).octets

    def signers(self, title: bytes) -> TrustedSigners:
        store = CertificateStore(title, security_suite(self.suite), anchors=(self.root.certificate,))
        return TrustedSigners(store, lambda: self.now)

    def talk(self, **sent: bytes | None) -> Talk:
        certificates = {"client": self.certificates[CLIENT_TITLE], "server": self.certificates[SERVER_TITLE]} | sent
        return talk(
            M.HLS_ECDSA,
            suite=self.suite,
            client={"signers": self.signers(CLIENT_TITLE), "certificate": certificates["client"]},
            server={"signers": self.signers(SERVER_TITLE), "certificate": certificates["server"]},
            opened=False,
        )


@signing
def test_certificates_travel_as_octet_strings_of_their_der(suite: int) -> None:
    world = Certified(suite)
    conversation = world.talk()
    conversation.open()
    ours, theirs = world.certificates[CLIENT_TITLE], world.certificates[SERVER_TITLE]
    for apdu, tag, certificate in ((conversation.requests[0], 0xA7, ours), (conversation.answers[0], 0xA5, theirs)):
        inner = b"\x04\x82" + len(certificate).to_bytes(2, "big") + certificate
        assert bytes((tag, 0x82)) + len(inner).to_bytes(2, "big") + inner in apdu
    assert conversation.ask(Get(REGISTER)) == VALUE


@pytest.mark.parametrize("what", ["none", "expired", "another title", "another root", "garbage", "of another key"])
def test_a_client_whose_certificate_does_not_hold_is_refused_by_the_aare(what: str) -> None:
    world = Certified(1)
    key = SIGNING[1][CLIENT_TITLE]
    sent = {
        "none": None,
        "expired": world.issue(CLIENT_TITLE, key, not_after=AT - dt.timedelta(days=1)),
        "another title": world.issue(OTHER_TITLE, key),
        "another root": issued(new_root(), CLIENT_TITLE).octets,
        "garbage": b"\x30\x03abc",
        "of another key": world.issue(CLIENT_TITLE, key.generate(security_suite(1))),
    }[what]
    conversation = world.talk(client=sent)
    if what == "of another key":
        with pytest.raises(AuthenticationFailed):
            conversation.open()
        return
    says = "calling-ap-title-not-recognized" if what == "none" else "calling-ae-qualifier-not-recognized"
    with pytest.raises(AssociationRejected, match=f"(?i){says}") as caught:
        conversation.open()
    assert "expired" not in str(caught.value)  # the reason is for the meter's own log
    assert len(conversation.requests) == 1
    assert [type(each) for each in conversation.server_events] == [Refused]


@pytest.mark.parametrize("what", ["none", "expired", "another title", "another root", "garbage"])
def test_a_meter_whose_certificate_does_not_hold_gets_no_proof(what: str) -> None:
    world = Certified(1)
    key = SIGNING[1][SERVER_TITLE]
    sent = {
        "none": None,
        "expired": world.issue(SERVER_TITLE, key, not_after=AT - dt.timedelta(days=1)),
        "another title": world.issue(OTHER_TITLE, key),
        "another root": issued(new_root(), SERVER_TITLE).octets,
        "garbage": b"\x30\x03abc",
    }[what]
    conversation = world.talk(server=sent)
    event = conversation.event(Open())
    assert isinstance(event, Failed)
    assert isinstance(event.error, CertificateError)
    assert len(conversation.requests) == 1
    assert conversation.client.opened is None


def test_a_certificate_that_ran_out_shuts_out_those_who_came_in_before() -> None:
    world = Certified(1)
    world.talk().open()
    world.now = AT + 2 * YEAR
    with pytest.raises(AssociationRejected):
        world.talk().open()


def test_settings_of_hls_7_that_cannot_work_are_refused_when_they_are_made() -> None:
    signers = KnownSigners({SERVER_TITLE: SIGNING[1][SERVER_TITLE].public})
    whole: dict[str, Any] = {
        "mechanism": M.HLS_ECDSA,
        "signing_key": SIGNING[1][CLIENT_TITLE],
        "signers": signers,
        "system_title": CLIENT_TITLE,
    }
    ClientSettings(**whole)
    for changed, says in (
        ({"signing_key": None}, "private key"),
        ({"signers": None}, "trust anchors"),
        ({"system_title": b""}, "system title"),
        ({"certificate": b""}, "certificate"),
        ({"ciphered": True, "material": material(0)}, "suite 1 or 2"),
        ({"ciphered": True, "material": material(2)}, "on P-384, not on P-256"),
        ({"mechanism": M.LOWEST, "certificate": b"x"}, "hls-ecdsa alone"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            ClientSettings(**(whole | changed))


# ---- notifications and broadcast -------------------------------------------------------------------------------------


@suites
def test_notifications_are_delivered_and_confirmed_in_every_suite(suite: int) -> None:
    meter = sender(material=material(suite))
    client = receiver(Originator(SERVER_TITLE, material(suite)))
    meter.send(NotifyData(octets(300), confirmed=True))
    (apdu,) = due(meter)
    assert open_envelope(apdu).content[0] == 0x30 | suite
    (notified,) = client.receive(apdu, 1.0)
    assert notified.apdu.notification_body == octets(300)  # type: ignore[union-attr]
    (confirmation,) = due(client)
    assert open_envelope(confirmation).content[0] == 0x30 | suite
    (event,) = meter.receive(confirmation, 2.0)
    assert isinstance(event, Delivered)


@suites
def test_a_notification_of_another_suite_is_refused(suite: int) -> None:
    meter = sender(material=material(suite))
    for other in set(SUITES) - {suite}:
        client = receiver(Originator(SERVER_TITLE, material(other)))
        meter.send(NotifyData(octets(10), confirmed=False))
        (refused,) = client.receive(due(meter)[0], 1.0)
        assert isinstance(refused.error, DecipheringError)  # type: ignore[union-attr]
        meter.tick(10.0**6)


@suites
def test_what_is_sent_to_all_goes_under_a_broadcast_key_of_the_suite(suite: int) -> None:
    one, length = material(suite), KEY_LENGTHS[suite]
    keys = SecurityMaterial(
        suite=one.suite,
        encryption_key=one.encryption_key,
        authentication_key=one.authentication_key,
        broadcast_key=SecurityMaterial.of(
            Secret(bytes(range(0x40, 0x40 + length)), "broadcast key"), suite=suite
        ).encryption_key,
    )
    ours, theirs = settings(
        ciphered=True,
        suite=suite,
        client={"material": keys},
        server={"material": keys, "pre_established": PreEstablished(), "client_title": CLIENT_TITLE},
    )
    conversation = Talk(to_all_stations(ours), theirs)
    conversation.open()
    conversation.client.send(Set(REGISTER, octets(3), service_class=ServiceClass.UNCONFIRMED))
    apdu = conversation.client.octets_to_send()
    assert apdu[2] == 0x70 | suite
    conversation.server.receive_broadcast(apdu, 0.0)
    assert conversation.shelf.values[REGISTER.encode()] == octets(3)


# ---- compression, and its bound --------------------------------------------------------------------------------------

COMPRESSING = GENERAL.but(compression=True)


def pressed(pdu: int, *, blocks: bool, suite: int = 1, **more: Any) -> Talk:
    client = {"max_pdu_size": pdu, "general_blocks": blocks}
    return talk(ciphered=True, suite=suite, dialect=COMPRESSING, client=client, server={"max_pdu_size": pdu}, **more)


def zeros(count: int) -> bytes:
    """The answer to the first GET of an association that brings so many zeros, and compresses well."""
    invoke = a.InvokeIdAndPriority.of(1, priority=Priority.NORMAL)
    return a.GetResponseNormal(invoke, EncodedData.of(DataType.OCTET_STRING, bytes(count))).encode()


def controls(apdus: list[bytes]) -> set[int]:
    return {open_envelope(apdu).content[0] for apdu in apdus if apdu[0] == 0xDB}


@signing
def test_long_answers_travel_compressed_where_both_have_switched_it_on(suite: int) -> None:
    conversation = pressed(1000, blocks=False, suite=suite)
    value = EncodedData.of(DataType.OCTET_STRING, bytes(600))
    conversation.shelf.put(CLOCK, value)
    assert conversation.ask(Get(CLOCK)) == value
    assert 0xB0 | suite in controls(conversation.answers)
    assert len(conversation.answers[-1]) < 100


def test_nothing_is_compressed_unless_both_have_switched_it_on() -> None:
    value = EncodedData.of(DataType.OCTET_STRING, bytes(600))
    profile = a.CosemAttributeDescriptor(7, CLOCK.instance_id, 2)
    client_off = talk(ciphered=True, suite=1, dialect=COMPRESSING, client={"dialect": GENERAL})
    client_off.shelf.put(CLOCK, value)
    with pytest.raises(DecipheringError):
        client_off.ask(Get(CLOCK))
    assert client_off.ask(Set(profile, value)) is DataAccessResult.SUCCESS
    assert controls(client_off.requests) == {0x31}
    server_off = talk(ciphered=True, suite=1, dialect=COMPRESSING, server={"dialect": GENERAL})
    server_off.shelf.put(CLOCK, value)
    assert server_off.ask(Get(CLOCK)) == value
    assert controls(server_off.answers) == {0x31}
    with pytest.raises(OutcomeUnknown, match="deciphering-error"):
        server_off.ask(Set(profile, value))


@signing
@pytest.mark.parametrize("blocks", [False, True], ids=["in one", "general blocks"])
def test_what_is_compressed_expands_to_the_largest_apdu_that_is_taken(suite: int, blocks: bool) -> None:
    """In one APDU to its size; where general blocks are agreed upon to the bound of what they join to."""
    conversation = pressed(200, blocks=blocks, suite=suite)
    server = conversation.server.context
    assert server is not None
    conversation.to_client = lambda _: server.protect_apdu(zeros(1000))
    if blocks:
        assert conversation.ask(Get(REGISTER)) == EncodedData.of(DataType.OCTET_STRING, bytes(1000))
    else:
        with pytest.raises(DecipheringError, match="cannot be expanded"):
            conversation.ask(Get(REGISTER))


@pytest.mark.parametrize("blocks", [False, True], ids=["in one", "general blocks"])
@pytest.mark.parametrize(("count", "fits"), [(150, True), (1000, False), (20_000, False)])
def test_a_server_expands_requests_to_no_more_than_it_takes(blocks: bool, count: int, fits: bool) -> None:
    conversation = pressed(200, blocks=blocks, opened=False)
    conversation.open()
    client, server = conversation.client.context, conversation.server.context
    assert client is not None
    assert server is not None
    lowest = server.receive.lowest
    name = a.CosemAttributeDescriptor(7, REGISTER.instance_id, 2)
    value = EncodedData.of(DataType.OCTET_STRING, bytes(count))
    invoke = a.InvokeIdAndPriority.of(1)
    request = client.protect_apdu(a.SetRequestNormal(invoke, name, None, value).encode())
    assert open_envelope(request).content[0] == 0xB1
    conversation.server.receive(request, 0.0)
    taken = fits or blocks
    assert bool(conversation.shelf.calls) is taken
    assert server.receive.lowest == (lowest + 1 if taken else lowest)


def test_a_request_in_blocks_expands_to_the_largest_transfer_and_no_further() -> None:
    server = {"max_pdu_size": 200, "max_transfer": 5000}
    conversation = talk(ciphered=True, suite=1, dialect=COMPRESSING, client={"general_blocks": True}, server=server)
    client = conversation.client.context
    assert client is not None
    name = a.CosemAttributeDescriptor(7, REGISTER.instance_id, 2)
    invoke = a.InvokeIdAndPriority.of(1)
    for count, taken in ((4000, 1), (6000, 1)):
        value = EncodedData.of(DataType.OCTET_STRING, bytes(count))
        conversation.server.receive(client.protect_apdu(a.SetRequestNormal(invoke, name, None, value).encode()), 0.0)
        assert len(conversation.shelf.calls) == taken


def test_a_policy_of_both_versions_goes_with_every_suite() -> None:
    for policy in (SecurityPolicy(0, 3), SecurityPolicy(1, 0x6C)):
        for suite in SUITES:
            assert talk(ciphered=True, suite=suite, policy=policy).ask(Get(REGISTER)) == VALUE


def test_counters_go_on_in_a_store_that_both_openings_share() -> None:
    store, theirs = MemoryCounterStore(), MemoryCounterStore()
    for expected in (0, 1):
        shared: dict[str, Any] = {"client": {"counters": store}, "server": {"counters": theirs}}
        conversation = talk(M.HLS_ECDSA, ciphered=True, suite=2, **shared)
        assert open_envelope(conversation.requests[1]).content[0] == 0x32
        assert store.transmit_state(material(2).encryption_key.identity, CLIENT_TITLE).next >= 2 * (expected + 1)
