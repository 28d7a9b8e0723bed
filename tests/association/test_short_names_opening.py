"""Associations with short names: opened, proved, pre-established, broadcast to, reported from and released."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import State
from cosemic.association.passes import REPLY_TO_HLS_AUTHENTICATION_SN
from cosemic.association.requests import Completed, Failed, Open, Read, Release, UnconfirmedWrite, Write
from cosemic.association.server_events import Associated, Refused
from cosemic.association.settings import PreEstablished
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm
from cosemic.errors import (
    AssociationRejected,
    AuthenticationFailed,
    ConfigurationError,
    CosemicError,
    ProtocolError,
    ServiceErrorReceived,
    ServiceFailed,
)
from cosemic.security import is_ciphered
from cosemic.values import ApplicationContext, Conformance, DataAccessResult, Secret
from tests.association.samples import CLIENT_TITLE, CLOCK, REGISTER, SERVER_TITLE, VALUE, M, Talk, octets
from tests.association.short_name_samples import (
    CLOCK_SN,
    ECHO_SN,
    REGISTER_SN,
    NamedShelf,
    selected,
    served,
    sn_settings,
    sn_talk,
)

C = Conformance
HIGH = [M.HLS_MD5, M.HLS_SHA1, M.HLS_GMAC, M.HLS_SHA256, M.HLS]
BY_WRITE = {"conformance": C.READ | C.WRITE}
FORMS = ["plain", "glo", "ded", "general"]


def opened(mechanism: M, form: str = "plain", **more: Any) -> Talk:
    dialect = STANDARD.but(ciphered_form=CipheredForm.GENERAL) if form == "general" else STANDARD
    client = {"dedicated_key": form == "ded"} | more.pop("client", {})
    return sn_talk(mechanism, ciphered=form != "plain", client=client, dialect=dialect, **more)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mechanism", [M.LOWEST, M.LLS, *HIGH])
def test_every_mechanism_opens_in_every_form(mechanism: M, form: str) -> None:
    talk = opened(mechanism, form)
    assert talk.client.opened is not None
    assert talk.server.state is State.ASSOCIATED
    assert [type(event) for event in talk.server_events] == [Associated]
    assert talk.ask(Read((REGISTER_SN,))) == (VALUE,)
    assert talk.server.agreement is not None
    assert talk.server.agreement.application_context.short_names
    assert talk.ask(Release()) is None
    assert talk.server.state is State.IDLE
    talk.open()
    assert talk.ask(Write((REGISTER_SN,), (octets(3),))) == (DataAccessResult.SUCCESS,)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mechanism", HIGH)
def test_pass_3_is_written_where_parameterized_access_was_not_agreed_upon(mechanism: M, form: str) -> None:
    more = C.GENERAL_PROTECTION if form == "general" else C(0)
    talk = opened(mechanism, form, client={"conformance": C.READ | C.WRITE | more})
    assert len(talk.requests) == 3
    assert talk.server.state is State.ASSOCIATED
    assert talk.ask(Read((REGISTER_SN,))) == (VALUE,)
    # What was fetched once is not handed out again.
    assert talk.ask(Read((REPLY_TO_HLS_AUTHENTICATION_SN,))) == (DataAccessResult.OBJECT_UNDEFINED,)


def test_the_octets_of_passes_3_and_4() -> None:
    talk = sn_talk(M.HLS_SHA256)
    request, answer = a.decode(talk.requests[1]), a.decode(talk.answers[1])
    (named,) = request.variable_access_specification
    assert (named.variable_name, named.selector, named.parameter.type) == (0xFA58, 0, DataType.OCTET_STRING)
    assert talk.requests[1].hex().startswith("050104fa58000920")
    assert talk.answers[1].hex().startswith("0c01000920")
    assert answer.result[0].alternative == "data"
    written = sn_talk(M.HLS_SHA256, client=BY_WRITE)
    assert written.requests[1].hex().startswith("060102fa58010920")
    assert (written.answers[1].hex(), written.requests[2].hex()) == ("0d0100", "050102fa58")
    assert written.answers[2].hex().startswith("0c01000920")


@pytest.mark.parametrize("client", [{}, BY_WRITE])
def test_a_wrong_secret_is_refused_and_counted(client: dict[str, Any]) -> None:
    ours, theirs = sn_settings(M.HLS_SHA256, client=client)
    talk = Talk(replace(ours, secret=Secret.password(b"another one")), theirs, NamedShelf())
    with pytest.raises(AuthenticationFailed, match="read-write-denied"):
        talk.open()
    assert talk.answers[-1].hex() in ("0c010103", "0d010103")
    assert talk.server.state is State.IDLE
    assert isinstance(talk.server_events[-1], Refused)
    assert talk.server_events[-1].authentication
    assert served(talk, "0501020108") == "0e050201"
    assert talk.shelf.calls == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("0c01000903010203", AuthenticationFailed),
        ("0c0100" + "1105", AuthenticationFailed),
        ("0c010100", ProtocolError),  # success, and nothing proved
        ("0c010103", AuthenticationFailed),
        ("0c01000920" + "00" * 32, AuthenticationFailed),
    ],
)
def test_a_server_that_does_not_prove_itself_is_refused(answer: str, error: type[CosemicError]) -> None:
    talk = sn_talk(M.HLS_SHA256, opened=False)
    talk.to_client = lambda apdu: bytes.fromhex(answer) if apdu[0] == 0x0C else apdu
    with pytest.raises(error):
        talk.open()
    assert talk.client.opened is None


@pytest.mark.parametrize("request_", ["0501020108", "0601020108011105", "050202fa5802fa58", "050102fa58", "0501050001"])
def test_nothing_is_served_before_pass_3(request_: str) -> None:
    talk = sn_talk(M.HLS_SHA256, opened=False)
    talk.client.send(Open())
    talk.step()
    assert talk.server.state is State.ASSOCIATION_PENDING
    assert served(talk, request_) == f"0e{request_[:2]}0201"
    assert served(talk, "1601020108011105") == ""
    assert talk.server.state is State.ASSOCIATION_PENDING
    assert talk.shelf.calls == []


@pytest.mark.parametrize(
    "request_",
    ["050104fa58000903010203", "050104fa58001105", "060102fa58010903010203", "060102fa58011105", "060102fa580100"],
)
def test_pass_3_is_one_attempt(request_: str) -> None:
    talk = sn_talk(M.HLS_SHA256, opened=False)
    talk.client.send(Open())
    talk.step()
    assert served(talk, request_) == ("0c010103" if request_[:2] == "05" else "0d010103")
    assert talk.server.state is State.IDLE


def test_another_request_after_pass_3_by_write_forgets_the_proof() -> None:
    talk = sn_talk(M.HLS_SHA256, opened=False, client=BY_WRITE)
    talk.client.send(Open())
    talk.step()
    talk.step()
    assert talk.server.state is State.ASSOCIATED
    served(talk, "0501020108")
    assert served(talk, "050102fa58") == "0c010104"


def test_a_client_without_read_cannot_prove_itself() -> None:
    talk = sn_talk(M.HLS_SHA256, opened=False, server={"conformance": C.WRITE})
    with pytest.raises(ServiceFailed, match="read"):
        talk.open()
    assert talk.client.opened is None
    assert len(talk.requests) == 1


@pytest.mark.parametrize(
    ("vaa_name", "taken"), [(0xFA00, True), (0, True), (7, True), (0xFA08, False), (0x0100, False)]
)
def test_the_vaa_name_is_that_of_the_current_association(vaa_name: int, taken: bool) -> None:
    talk = sn_talk(opened=False)
    talk.to_client = lambda apdu: apdu[:-2] + vaa_name.to_bytes(2)
    if taken:
        talk.open()
    else:
        with pytest.raises(ProtocolError, match="vaa-name"):
            talk.open()
        assert talk.client.opened is None


def test_either_referencing_is_refused_where_it_is_not_offered() -> None:
    for short_names, context in ((True, ApplicationContext.LN), (False, ApplicationContext.SN)):
        ours, theirs = sn_settings(client={"short_names": short_names}, server={"context_names": frozenset((context,))})
        talk = Talk(ours, theirs, NamedShelf())
        with pytest.raises(AssociationRejected, match="application-context-name-not-supported"):
            talk.open()


def test_one_server_takes_both_referencings_one_after_the_other() -> None:
    both = frozenset((ApplicationContext.LN, ApplicationContext.SN))
    ours, theirs = sn_settings(server={"context_names": both})
    talk = Talk(ours, theirs, NamedShelf())
    talk.open()
    assert talk.ask(Read((REGISTER_SN,))) == (VALUE,)
    talk.ask(Release())
    talk.client = ClientAssociation(replace(ours, short_names=False))
    talk.open()
    assert a.InitiateResponse.decode(a.AARE.decode(talk.answers[-1]).user_information or b"").vaa_name == 7
    assert served(talk, "0501020108") == "d80202"
    assert served(talk, "c00141" + REGISTER.encode().hex() + "00").startswith("c4")


def test_an_aarq_with_nothing_but_services_of_logical_names_has_nothing_in_common() -> None:
    talk = sn_talk(opened=False, server={"conformance": C.GET | C.SET | C.ACTION})
    with pytest.raises(AssociationRejected, match="incompatible-conformance"):
        talk.open()


def test_nothing_is_repeated_with_short_names() -> None:
    with pytest.raises(ConfigurationError, match="invoke-id"):
        sn_settings(client={"repetitions": 1})


def test_kept_answers_do_not_take_data_for_invoke_ids() -> None:
    """A server over UDP: requests with short names have no invoke-id, and each is served."""
    talk = sn_talk(server={"keep_answers": True})
    for _ in range(3):
        assert served(talk, "0601020108011105") == "0d0100"
    assert len(talk.shelf.calls) == 3


# ---- without an opening ---------------------------------------------------------------------------------------------


def agreed(*, ciphered: bool = False, confirmed: bool = True, **beforehand: Any) -> Talk:
    both = {"pre_established": PreEstablished(confirmed=confirmed, **beforehand)}
    ours = both | ({"server_title": SERVER_TITLE} if ciphered else {})
    theirs = both | ({"client_title": CLIENT_TITLE} if ciphered else {})
    return Talk(*sn_settings(ciphered=ciphered, client=ours, server=theirs), NamedShelf())


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_a_pre_established_association_has_the_services_of_short_names(ciphered: bool) -> None:
    talk = agreed(ciphered=ciphered)
    opened_ = talk.open()
    assert talk.requests == []
    assert opened_.conformance & (C.READ | C.WRITE | C.UNCONFIRMED_WRITE) == C.READ | C.WRITE | C.UNCONFIRMED_WRITE
    assert not opened_.conformance & (C.GET | C.SET | C.ACTION | C.SELECTIVE_ACCESS)
    assert talk.ask(Read((REGISTER_SN,))) == (VALUE,)
    assert talk.ask(Read((selected(ECHO_SN, 0, VALUE),))) == (VALUE,)
    assert talk.ask(Write((CLOCK_SN,), (VALUE,))) == (DataAccessResult.SUCCESS,)
    assert is_ciphered(talk.requests[0]) is is_ciphered(talk.answers[0]) is ciphered
    assert talk.ask(Release()) is None
    assert talk.server.state is State.ASSOCIATED


def test_a_pre_established_association_has_only_what_was_agreed() -> None:
    talk = agreed(conformance=C.READ)
    talk.open()
    with pytest.raises(ServiceFailed, match="write"):
        talk.ask(Write((CLOCK_SN,), (VALUE,)))
    assert served(talk, "0601020208011105") == "0e060302"
    assert served(talk, "6200") == "0e050501"  # it is not released


def test_without_confirmed_services_only_unconfirmed_writes_are_served() -> None:
    talk = agreed(confirmed=False)
    talk.open()
    with pytest.raises(Exception, match="unconfirmed"):
        talk.ask(Read((REGISTER_SN,)))
    assert talk.ask(UnconfirmedWrite((CLOCK_SN,), (VALUE,))) is None
    assert talk.shelf.calls == [("set", (CLOCK, VALUE))]
    assert served(talk, "0501020108") == "0e050501"


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_what_is_sent_to_all_stations_is_served_and_never_answered(ciphered: bool) -> None:
    talk = sn_talk(ciphered=ciphered)
    request = bytes.fromhex("1601020208011105")
    talk.client.send(UnconfirmedWrite((CLOCK_SN,), (EncodedData(b"\x11\x05"),)))
    sent = talk.client.octets_to_send()
    talk.client.tick(talk.now)
    assert is_ciphered(sent) is ciphered
    talk.server.receive_broadcast(sent, talk.now)
    assert talk.shelf.calls == [("set", (CLOCK, EncodedData(b"\x11\x05")))]
    for other in (b"\x05" + request[1:5], b"\x06" + request[1:], request[:3], b""):
        talk.server.receive_broadcast(other, talk.now)
    assert talk.server.octets_to_send() == b""
    assert len(talk.shelf.calls) == 1


def test_an_association_that_was_opened_without_an_answer_serves_unconfirmed_writes() -> None:
    talk = sn_talk(opened=False)
    aarq = a.AARQ.decode(bytes.fromhex("601da109060760857405080102be10040e01000000065f1f04001c0320ffff"))
    initiate = a.InitiateRequest.decode(aarq.user_information or b"")
    initiate.response_allowed = False
    aarq.user_information = initiate.encode()
    assert served(talk, aarq.encode().hex()) == ""
    assert talk.server.state is State.ASSOCIATED
    assert served(talk, "1601020208011105") == ""
    assert talk.shelf.calls == [("set", (CLOCK, EncodedData(b"\x11\x05")))]
    assert served(talk, "0501020108") == "0e050501"


# ---- reports --------------------------------------------------------------------------------------------------------

REPORT = bytes.fromhex("180001020108011105")


def test_an_information_report_can_be_sent_and_is_not_taken_for_an_answer() -> None:
    """application_layer.md 19."""
    talk = sn_talk()
    talk.client.send(Read((REGISTER_SN,)))
    talk.client.tick(talk.now)
    talk.server.send(REPORT)
    assert talk.server.octets_to_send() == REPORT
    told = talk.client.receive(REPORT, talk.now)
    assert not any(isinstance(one, Completed | Failed) for one in told)
    (event,) = talk.step()
    assert isinstance(event, Completed)
    assert event.result == (VALUE,)


def test_an_information_report_is_protected_as_the_association_demands() -> None:
    for client, tag in (({}, 0x38), ({"dedicated_key": True}, 0x58)):
        talk = sn_talk(ciphered=True, client=client)
        talk.client.send(Read((REGISTER_SN,)))
        talk.client.tick(talk.now)
        talk.server.send(REPORT)
        report = talk.server.octets_to_send()
        assert report[0] == tag
        told = talk.client.receive(report, talk.now)
        assert not any(isinstance(one, Completed | Failed) for one in told)
        (event,) = talk.step()
        assert isinstance(event, Completed)
        assert event.result == (VALUE,)


# ---- errors ---------------------------------------------------------------------------------------------------------


def test_errors_of_a_server_with_short_names_are_confirmed_service_errors() -> None:
    talk = sn_talk(opened=False)
    assert served(talk, "0501020108") == "0e050201"  # vde-state-error, no-dlms-context
    assert served(talk, "0601020108011105") == "0e060201"
    assert served(talk, "2505300000000000") == "0e050201"
    assert served(talk, "c001410003") == "0e050201"
    talk = sn_talk(server={"max_pdu_size": 20})
    assert served(talk, "7f") == "0e050302"  # service-unsupported
    assert served(talk, "0501") == "0e050300"
    assert served(talk, "06010201080109" + "14" + "00" * 20) == "0e060301"  # pdu-size
    assert served(talk, "") == "0e050302"


def test_outside_an_association_the_request_tells_the_referencing() -> None:
    both = {"context_names": frozenset((ApplicationContext.LN, ApplicationContext.SN))}
    talk = sn_talk(opened=False, server=both)
    assert served(talk, "0501020108") == "0e050201"
    assert served(talk, "c00141000301000108 00ff0200".replace(" ", "")) == "d80101"
    assert served(talk, "1601020108011105") == ""


def test_what_cannot_be_deciphered_is_told_in_clear_and_what_can_is_told_protected() -> None:
    talk = sn_talk(ciphered=True, server={"conformance": C.READ})
    talk.to_server = lambda apdu: apdu[:-1] + bytes((apdu[-1] ^ 1,)) if apdu[0] == 0x25 else apdu
    with pytest.raises(ServiceErrorReceived, match="deciphering-error"):
        talk.ask(Read((REGISTER_SN,)))
    assert talk.answers[-1].hex() == "0e050006"
    talk = sn_talk(ciphered=True, server={"conformance": C.READ})
    talk.client._terms.agreed = (1 << 24) - 1
    with pytest.raises(ServiceErrorReceived, match="write, service: service-unsupported"):
        talk.ask(Write((REGISTER_SN,), (VALUE,)))
    assert talk.answers[-1][0] == 0x2E
    assert talk.shelf.calls == []


def test_a_replayed_request_is_refused_without_a_counter() -> None:
    talk = sn_talk(ciphered=True)
    talk.ask(Read((REGISTER_SN,)))
    assert served(talk, talk.requests[-1].hex()) == "0e050006"
    assert len(talk.shelf.calls) == 1
