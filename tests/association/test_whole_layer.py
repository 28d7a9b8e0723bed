"""Client against server with whatever they agree upon, over wrapper and HDLC: what arrives is what was sent.

Machinery: whole_layer.py. ``python -m soak`` runs many more steps of the same.
"""

from __future__ import annotations

import pytest

from cosemic.association.notifications import NotifyData, NotifyEvent
from cosemic.association.requests import Access, Action, Get, GetList, Read, Set, SetList, Write
from cosemic.dialect import ResponseForm
from cosemic.security import Protection
from cosemic.values import Conformance, DataAccessResult, ServiceClass
from tests.association import whole_layer_machine
from tests.association.samples import listed, octets
from tests.association.whole_layer import MOST_KEPT, Conversation, held
from tests.association.whole_layer_oracle import NotSent, Oracle, Refused
from tests.association.whole_layer_shelf import ECHO, Device, place
from tests.association.whole_layer_terms import EVERYTHING, Side, Station, Terms, longest
from tests.association.whole_layer_wire import SENT, Wire, needed_by

FEW, MANY = 150, 3000
C = Conformance
BOTH = Protection.AUTHENTICATED | Protection.ENCRYPTED


def test_what_arrives_is_what_was_sent_or_the_refusal_that_the_terms_demand() -> None:
    assert whole_layer_machine.run(FEW, 1) >= FEW


@pytest.mark.slow
@pytest.mark.no_cover
def test_what_arrives_is_what_was_sent_for_many_steps() -> None:
    assert whole_layer_machine.run(MANY) >= MANY


@pytest.mark.parametrize("general_blocks", [False, True])
@pytest.mark.parametrize("size", [64, 128, 256, 0xFFFF])
def test_every_length_around_that_of_one_apdu(size: int, general_blocks: bool) -> None:
    side = Side(size=size)
    conversation = Conversation(None, 0, 1)
    conversation.open(Terms(client=side, server=side, protection=BOTH, general_blocks=general_blocks))
    for length in range(size - 48, size + 2, 1 if size < 1000 else 7):
        conversation.ask(Set(place(0, 1), octets(length)))
        conversation.ask(Get(place(0, 1)))
    conversation.release()


# ---- what the machine has found -------------------------------------------------------------------------------------


def test_what_is_not_answered_is_executed_however_long_its_answer_would_be() -> None:
    conversation = Conversation(None, 0, 1)
    conversation.open(Terms(client=Side(size=64)))
    unconfirmed = {"service_class": ServiceClass.UNCONFIRMED}
    values = tuple(octets(1) for _ in range(60))
    conversation.ask(SetList(listed(*(place(0, 1) for _ in values)), values, **unconfirmed))
    conversation.ask(Access(tuple(Set(place(1, 1), value) for value in values), **unconfirmed))
    conversation.ask(Access((Get(place(0, 1)), *(Action(ECHO, octets(30)) for _ in range(9))), **unconfirmed))
    conversation.ask(Get(place(1, 1)))


def test_a_server_answers_in_no_general_envelope_that_was_not_agreed_upon() -> None:
    without = Side(conformance=EVERYTHING & ~C.GENERAL_PROTECTION)
    for short_names in (False, True):
        conversation = Conversation(None, 0, 1)
        more = {"protection": BOTH, "short_names": short_names, "response_form": ResponseForm.GENERAL}
        conversation.open(Terms(client=without, **more))
        conversation.ask(Read((0x1008,)) if short_names else Get(place(0, 1)))
        conversation.ask(Write((0x1008,) * 40, (octets(1),) * 40) if short_names else GetList(listed(place(0, 1))))


@pytest.mark.parametrize("hdlc", [None, (Station(), Station(window_receive=7))])
@pytest.mark.parametrize("block_requests", [False, True])
def test_a_notification_does_not_overtake_an_answer_in_blocks(
    hdlc: tuple[Station, Station] | None, block_requests: bool
) -> None:
    side = Side(size=64)
    conversation = Conversation(hdlc, 0, 3)
    terms = Terms(client=side, server=side, protection=BOTH, general_blocks=True, block_requests=block_requests)
    conversation.open(terms)
    conversation.ask(Set(place(0, 1), octets(900)))
    for after in range(1, 6):
        notification = NotifyData(octets(100), confirmed=True, long_invoke_id=after)
        conversation.notify(notification, C.DATA_NOTIFICATION, Get(place(0, 1)), after)


@pytest.mark.parametrize("general_blocks", [False, True])
def test_a_client_without_a_limit_is_sent_no_notification_that_no_link_carries(general_blocks: bool) -> None:
    conversation = Conversation(None, 0, 1)
    conversation.open(Terms(client=Side(size=0), general_blocks=general_blocks))
    for length in (0xFFE0, 0xFFFF):
        notification = NotifyEvent(place(0, 1), octets(length))
        conversation.notify(notification, C.EVENT_NOTIFICATION, Get(place(0, 1)), 1)


# ---- the oracle, by the reference -----------------------------------------------------------------------------------


def test_the_oracle_refuses_what_was_not_agreed_upon() -> None:
    oracle = Oracle(Terms(server=Side(conformance=EVERYTHING & ~C.GET)), Device())
    assert isinstance(oracle.outcome(Get(place(0, 1))), NotSent)
    assert isinstance(oracle.outcome(Get(place(0, 1)), careless=True), Refused)
    assert oracle.outcome(Set(place(0, 1), octets(3))) is DataAccessResult.SUCCESS


def test_the_oracle_knows_how_much_fits_into_an_apdu() -> None:
    """application_layer.md 4, 6.2: tag, length, security control, counter, content, authentication tag."""
    assert longest(64, False, False) == 64
    assert longest(64, True, False) == 64 - 1 - 1 - 17
    assert longest(64, True, True) == 64 - 1 - 9 - 1 - 17
    assert longest(200, True, False) == 200 - 1 - 2 - 17
    assert longest(0, True, False) == 0xFFFF - 1 - 3 - 17


@pytest.mark.parametrize("general_blocks", [False, True])
def test_what_a_side_holds_on_to_is_seen(general_blocks: bool) -> None:
    conversation = Conversation(None, 0, 1)
    conversation.open(Terms(client=Side(size=64), general_blocks=general_blocks))
    conversation.ask(Set(place(0, 1), octets(5000)))
    conversation.ask(Get(place(0, 1)))
    assert held(conversation.server.association, conversation.device) > 5000  # a block may be asked for again
    conversation.release()
    assert held(conversation.server.association, conversation.device) < MOST_KEPT


# ---- the wire sees what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "bits"),
    [
        ("c001c10008", C.GET | C.PRIORITY_MGMT_SUPPORTED),
        ("c0024100000001", C.GET | C.BLOCK_TRANSFER_WITH_GET_OR_READ),
        ("c10541", C.SET | C.BLOCK_TRANSFER_WITH_SET_OR_WRITE | C.MULTIPLE_REFERENCES),
        ("c70241", C.ACTION | C.BLOCK_TRANSFER_WITH_ACTION),
        ("d940000001", C.ACCESS),
        ("0501040100", C.READ | C.PARAMETERIZED_ACCESS),
        ("06010701", C.WRITE | C.BLOCK_TRANSFER_WITH_SET_OR_WRITE),
        ("1602020100", C.UNCONFIRMED_WRITE | C.MULTIPLE_REFERENCES),
    ],
)
def test_the_wire_knows_which_bits_an_apdu_needs(plain: str, bits: Conformance) -> None:
    assert needed_by(bytes.fromhex(plain)) == bits


def test_the_wire_objects_to_what_is_too_long_not_agreed_in_clear_or_counted_twice() -> None:
    def saw(terms: Terms, *apdus: str) -> None:
        wire = Wire()
        wire.begin(terms)
        wire.standing = True
        for apdu in apdus:
            wire._saw(SENT, bytes.fromhex(apdu))

    get = "c001410008" + "0000010000ff" + "0200"
    protected = "c81f30" + "00000001" + "00" * 26
    saw(Terms(), get)
    saw(Terms(protection=BOTH), protected, protected.replace("00000001", "00000002"))
    with pytest.raises(AssertionError, match="to one that takes 12"):
        saw(Terms(server=Side(size=12)), get)
    with pytest.raises(AssertionError, match="not agreed upon"):
        saw(Terms(server=Side(conformance=C.SET)), get)
    with pytest.raises(AssertionError, match="in clear"):
        saw(Terms(protection=BOTH), get)
    with pytest.raises(AssertionError, match="used twice"):
        saw(Terms(protection=BOTH), protected, protected)
    blocks = Terms(general_blocks=True)
    block = "e0010001000002c001"
    with pytest.raises(AssertionError, match="twice"):
        saw(blocks, block, block)
