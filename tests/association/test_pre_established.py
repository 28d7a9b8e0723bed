"""An association that stands without AARQ: nothing is sent to open or release it, and security is as agreed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.association.client import ClientAssociation
from cosemic.association.control import State
from cosemic.association.repeating import RepeatingClient, client_association
from cosemic.association.requests import Completed, Get, GetList, Open, Release, Set
from cosemic.association.server import ServerAssociation
from cosemic.association.settings import AGREED_BEFOREHAND, ClientSettings, PreEstablished
from cosemic.dialect import STANDARD, CipheredForm, Edition
from cosemic.errors import (
    AssociationError,
    AssociationRejected,
    ConfigurationError,
    ExceptionReceived,
    NotAssociated,
    ResponseTimeout,
    ServiceFailed,
    StoreError,
)
from cosemic.security import MemoryCounterStore, Protection, SecurityMaterial, is_ciphered
from cosemic.values import ApplicationContext, Conformance, DataAccessResult, Priority, Secret, ServiceClass
from tests.association.samples import (
    CLIENT_TITLE,
    OTHER_TITLE,
    REGISTER,
    SERVER_TITLE,
    VALUE,
    M,
    Talk,
    listed,
    octets,
    settings,
)

BEFOREHAND = PreEstablished()
UNCONFIRMED = a.InvokeIdAndPriority.of(1, ServiceClass.UNCONFIRMED, Priority.NORMAL)


def agreed(
    *, ciphered: bool = False, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
) -> Talk:
    """Both sides with the association pre-established; it was not opened by the client yet."""
    titles = ({"server_title": SERVER_TITLE}, {"client_title": CLIENT_TITLE}) if ciphered else ({}, {})
    ours = {"pre_established": BEFOREHAND} | titles[0] | (client or {})
    theirs = {"pre_established": BEFOREHAND} | titles[1] | (server or {})
    return Talk(*settings(ciphered=ciphered, client=ours, server=theirs))


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_it_is_opened_and_released_without_an_apdu(ciphered: bool) -> None:
    talk = agreed(ciphered=ciphered)
    assert talk.server.state is State.ASSOCIATED
    opened = talk.open()
    assert (opened.conformance & Conformance.GET, opened.dlms_version, opened.max_pdu_size) == (
        Conformance.GET,
        6,
        0xFFFF,
    )
    assert opened.server_title == (SERVER_TITLE if ciphered else None)
    assert talk.requests == []
    assert talk.ask(Get(REGISTER)) == VALUE
    assert is_ciphered(talk.requests[0]) is is_ciphered(talk.answers[0]) is ciphered
    assert talk.ask(Release()) is None
    assert (len(talk.requests), talk.server_events) == (1, [])
    assert talk.client.opened is None
    with pytest.raises(NotAssociated):
        talk.client.send(Get(REGISTER))
    assert talk.server.state is State.ASSOCIATED
    talk.open()
    assert talk.ask(Set(REGISTER, octets(3000))) == DataAccessResult.SUCCESS
    assert talk.ask(Get(REGISTER)) == octets(3000)


def test_long_values_travel_in_blocks_of_the_sizes_agreed() -> None:
    beforehand = PreEstablished(max_pdu_size=100)
    sizes = {"max_pdu_size": 100, "pre_established": beforehand}
    talk = agreed(ciphered=True, client=sizes, server=sizes)
    talk.open()
    assert talk.ask(Set(REGISTER, octets(500))) == DataAccessResult.SUCCESS
    assert talk.ask(Get(REGISTER)) == octets(500)
    assert max(map(len, talk.requests + talk.answers)) <= 100
    assert len(talk.requests) > 10


def test_what_was_not_agreed_is_not_asked_and_not_served() -> None:
    talk = agreed(client={"pre_established": PreEstablished(conformance=Conformance.GET)})
    assert talk.open().conformance == Conformance.GET
    with pytest.raises(ServiceFailed, match="set"):
        talk.ask(Set(REGISTER, VALUE))
    with pytest.raises(ServiceFailed):
        talk.ask(GetList(listed(REGISTER, REGISTER)))
    talk = agreed(server={"pre_established": PreEstablished(conformance=Conformance.GET)})
    talk.open()
    with pytest.raises(ServiceFailed):
        talk.ask(Set(REGISTER, VALUE))
    assert talk.shelf.calls == []
    assert not AGREED_BEFOREHAND & Conformance.MULTIPLE_REFERENCES


def test_unconfirmed_services_are_executed_and_not_answered() -> None:
    for confirmed in (True, False):
        talk = agreed(server={"pre_established": PreEstablished(confirmed=confirmed)})
        unconfirmed = a.SetRequestNormal(UNCONFIRMED, REGISTER, None, octets(3))
        assert talk.server.receive(unconfirmed.encode(), 0.0) == []
        assert talk.server.octets_to_send() == b""
        assert talk.shelf.values[REGISTER.encode()] == octets(3)
        talk.open()
        if confirmed:
            assert talk.ask(Get(REGISTER)) == octets(3)
        else:
            with pytest.raises(ExceptionReceived, match="operation-not-possible"):
                talk.ask(Get(REGISTER))


def test_what_is_sent_to_all_stations_is_served_from_the_beginning() -> None:
    talk = agreed()
    talk.server.receive_broadcast(a.SetRequestNormal(UNCONFIRMED, REGISTER, None, octets(3)).encode(), 0.0)
    assert talk.shelf.values[REGISTER.encode()] == octets(3)
    assert talk.server.octets_to_send() == b""


# ---- security -------------------------------------------------------------------------------------------------------


def test_the_policy_is_enforced() -> None:
    talk = agreed(ciphered=True)
    clear = a.SetRequestNormal(UNCONFIRMED, REGISTER, None, octets(3)).encode()
    talk.server.receive(clear, 0.0)
    refusal = talk.server.octets_to_send()
    assert (refusal[0], talk.shelf.calls) == (0xD8, [])
    authenticated = agreed(ciphered=True, client={"protection": Protection.AUTHENTICATED})
    authenticated.open()
    with pytest.raises(ExceptionReceived):
        authenticated.ask(Get(REGISTER))
    assert authenticated.shelf.calls == []


def test_a_client_with_another_key_or_title_is_not_served() -> None:
    key = Secret(bytes(range(16, 32)), "encryption key")
    other = SecurityMaterial.of(key, Secret(bytes(16), "authentication key"))
    for wrong in ({"material": other}, {"system_title": OTHER_TITLE}):
        talk = agreed(ciphered=True, client=wrong)
        talk.open()
        with pytest.raises(ExceptionReceived, match="deciphering-error"):
            talk.ask(Get(REGISTER))
        assert talk.shelf.calls == []


def test_a_server_with_another_title_is_not_believed() -> None:
    talk = agreed(ciphered=True, client={"server_title": OTHER_TITLE})
    talk.open()
    with pytest.raises(Exception, match=r"decipher|title|key"):
        talk.ask(Get(REGISTER))


def test_a_request_is_served_once_also_by_the_association_that_stands_after_a_new_connection() -> None:
    store = MemoryCounterStore()
    talk = agreed(ciphered=True, server={"counters": store})
    talk.open()
    assert talk.ask(Get(REGISTER)) == VALUE
    recorded = talk.requests[0]
    for server in (talk.server, ServerAssociation(talk.server.settings, talk.shelf)):
        server.receive(recorded, 0.0)
        answer = a.ExceptionResponse.decode(server.octets_to_send())
        assert answer.service_error[0].label == "invocation-counter-error"
    assert len(talk.shelf.calls) == 1
    assert talk.ask(Get(REGISTER)) == VALUE


def test_a_client_that_starts_again_goes_on_with_its_counters() -> None:
    ours, theirs = MemoryCounterStore(), MemoryCounterStore()
    counters: list[bytes] = []
    for _ in range(3):
        talk = agreed(ciphered=True, client={"counters": ours}, server={"counters": theirs})
        talk.open()
        assert talk.ask(Get(REGISTER)) == VALUE
        talk.ask(Release())
        counters.append(talk.requests[0][3:7])
    assert sorted(set(counters)) == counters


class Failing(MemoryCounterStore):
    """A store that cannot be read."""

    def transmit_state(self, key: bytes, title: bytes) -> Any:
        raise StoreError("the disk is gone")


def test_without_counters_nothing_stands() -> None:
    talk = agreed(ciphered=True, server={"counters": Failing()})
    assert talk.server.state is State.IDLE
    talk.open()
    with pytest.raises(ExceptionReceived, match="operation-not-possible"):
        talk.ask(Get(REGISTER))
    assert talk.shelf.calls == []


# ---- AARQ and RLRQ of others ----------------------------------------------------------------------------------------


def opener(talk: Talk) -> None:
    """Let the client open the same pair with an AARQ."""
    talk.client = client_association(replace(talk.client.settings, pre_established=None))


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
def test_an_aarq_is_refused_and_changes_nothing(ciphered: bool) -> None:
    talk = agreed(ciphered=ciphered)
    standing = talk.client
    talk.open()
    talk.shelf.put(REGISTER, octets(3))
    opener(talk)
    with pytest.raises(AssociationRejected, match="rejected-permanent"):
        talk.open()
    assert talk.server.state is State.ASSOCIATED
    talk.client = standing
    assert talk.ask(Get(REGISTER)) == octets(3)


def test_an_aarq_in_the_midst_of_a_long_answer_does_not_end_that() -> None:
    talk = agreed(client={"max_pdu_size": 100, "pre_established": BEFOREHAND}, server={"max_pdu_size": 0})
    beforehand = PreEstablished(max_pdu_size=100)
    talk.server = ServerAssociation(replace(talk.server.settings, pre_established=beforehand), talk.shelf)
    opening = ClientAssociation(ClientSettings())
    opening.send(Open())
    aarq = opening.octets_to_send()
    passed = []

    def disturb(apdu: bytes) -> bytes:
        if len(passed) == 3:
            talk.server.receive(aarq, talk.now)
            assert talk.server.octets_to_send()[0] == 0x61
        passed.append(apdu)
        return apdu

    talk.to_server = disturb
    talk.shelf.put(REGISTER, octets(1000))
    talk.open()
    assert talk.ask(Get(REGISTER)) == octets(1000)
    assert len(passed) > 10


def test_an_rlrq_does_not_release_it() -> None:
    talk = agreed()
    talk.server.receive(a.RLRQ().encode(), 0.0)
    assert talk.server.octets_to_send() == bytes.fromhex("d80101")  # as any service that is not possible
    assert talk.server.state is State.ASSOCIATED


def test_a_replaceable_one_gives_way_to_an_opening_until_its_release() -> None:
    gives_way = PreEstablished(conformance=Conformance.GET, replaceable=True)
    secret = {"secret": Secret.password(b"12345678")}
    mechanism = {"mechanism": M.LLS, **secret}
    talk = agreed(server={"pre_established": gives_way, **mechanism}, client={})
    talk.open()
    talk.ask(Release())
    opener(talk)
    with pytest.raises(AssociationRejected):
        talk.open()
    assert talk.server.state is State.ASSOCIATED
    talk.client = client_association(replace(talk.client.settings, **mechanism))
    talk.open()
    assert talk.ask(Set(REGISTER, octets(2))) == DataAccessResult.SUCCESS
    talk.ask(Release())
    assert talk.server.state is State.ASSOCIATED
    refused = a.SetRequestNormal(UNCONFIRMED, REGISTER, None, VALUE).encode()
    talk.server.receive(refused, 0.0)
    assert talk.shelf.values[REGISTER.encode()] == octets(2)  # SET is not what was agreed beforehand


def test_it_ends_with_the_lower_layer() -> None:
    talk = agreed()
    talk.server.lost()
    assert talk.server.state is State.INACTIVE
    talk.server.receive(a.SetRequestNormal(UNCONFIRMED, REGISTER, None, VALUE).encode(), 0.0)
    assert talk.shelf.calls == []


# ---- clients --------------------------------------------------------------------------------------------------------


def test_invoke_ids_go_on_for_the_server_knows_of_no_beginning() -> None:
    talk = agreed()
    for _ in range(3):
        talk.open()
        talk.ask(Get(REGISTER))
        talk.ask(Release())
    assert [request[2] & 0x0F for request in talk.requests] == [1, 2, 3]


def test_a_late_answer_from_before_is_not_taken_for_the_next_one() -> None:
    talk = agreed()
    talk.open()
    talk.to_client = lambda apdu: None
    with pytest.raises(ResponseTimeout):
        talk.ask(Get(REGISTER))
    late = talk.answers[0]
    talk.ask(Release())
    talk.open()
    talk.client.send(Get(REGISTER))
    talk.client.octets_to_send()
    assert talk.client.receive(late, talk.now) == []


def test_an_opening_that_is_cancelled_at_once_stands() -> None:
    talk = agreed()
    talk.client.send(Open())
    talk.client.cancel()
    assert talk.client.opened is not None
    assert not talk.client.busy
    assert talk.ask(Get(REGISTER)) == VALUE
    with pytest.raises(AssociationError):
        talk.client.send(Open())


def test_a_client_that_repeats_opens_at_once_too() -> None:
    talk = agreed(client={"repetitions": 2, "datagram_lifetime": 5.0})
    talk.client = client_association(talk.client.settings)
    assert isinstance(talk.client, RepeatingClient)
    lost = iter((True, False, False, False))
    talk.to_server = lambda apdu: None if next(lost) else apdu
    for _ in range(2):
        began = talk.now
        talk.client.send(Open())
        (event,) = talk.client.tick(talk.now)
        assert isinstance(event, Completed)
        assert talk.now == began
        assert talk.ask(Get(REGISTER)) == VALUE
        talk.ask(Release())
    assert len(talk.shelf.calls) == 2


@pytest.mark.parametrize(
    ("client", "words"),
    [
        ({"mechanism": M.LLS, "secret": Secret.password(b"1")}, "no authentication"),
        ({"user_id": 1}, "only an AARQ"),
        ({"pre_established": PreEstablished(replaceable=True)}, "only an AARQ"),
        ({"response_allowed": False}, "is not pre-established"),
        ({"broadcast": True}, "not confirmed"),
    ],
)
def test_what_a_client_cannot_have_agreed(client: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        agreed(client=client)


@pytest.mark.parametrize(
    "client",
    [
        {"pre_established": PreEstablished(conformance=Conformance.GET)},
        {"conformance": Conformance.GET},
        {"pre_established": None, "response_allowed": False, "conformance": Conformance.SET},
        {"edition": Edition.GREEN_BOOK_7},
    ],
    ids=["beforehand", "proposed", "unconfirmed", "edition"],
)
def test_general_envelopes_have_to_be_agreed_upon(client: dict[str, Any]) -> None:
    client = dict(client)
    dialect = STANDARD.but(ciphered_form=CipheredForm.GENERAL, edition=client.pop("edition", STANDARD.edition))
    with pytest.raises(ConfigurationError, match="general-protection is not agreed"):
        agreed(ciphered=True, client={"dialect": dialect} | client)


@pytest.mark.parametrize(
    ("client", "server", "words"),
    [
        ({"server_title": None}, {}, "titles of both"),
        ({"dedicated_key": True}, {}, "only an AARQ"),
        ({}, {"client_title": None}, "titles of both"),
        ({}, {"pre_established": PreEstablished(max_pdu_size=20)}, "nothing that is ciphered fits"),
        ({}, {"mechanism": M.HLS_GMAC}, "no authentication"),
        ({}, {"keep_answers": True}, "from opening to release"),
        ({}, {"context_names": frozenset(ApplicationContext)}, "one application context"),
    ],
)
def test_what_cannot_be_agreed_with_ciphering(client: dict[str, Any], server: dict[str, Any], words: str) -> None:
    if "context_names" in server:
        server = server | {"policy": type(settings()[1].policy)()}
    with pytest.raises(ConfigurationError, match=words):
        agreed(ciphered=True, client=client, server=server)


@pytest.mark.parametrize(
    "wrong",
    [{"conformance": Conformance(0)}, {"max_pdu_size": 11}, {"max_pdu_size": 65536}, {"dlms_version": 5}],
)
def test_what_is_no_agreement(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        PreEstablished(**wrong)
