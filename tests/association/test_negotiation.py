"""What is negotiated when an association is opened: conformance, sizes of APDUs, dlms-version; and that it is kept."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.requests import Access, Action, ActionList, Get, GetList, Request, Set, SetList
from cosemic.association.settings import plain_room
from cosemic.dialect import STANDARD, Quirk
from cosemic.errors import (
    AssociationRejected,
    ConfigurationError,
    OutcomeUnknown,
    ProtocolError,
    ServiceFailed,
)
from cosemic.values import ActionResult, Conformance, DataAccessResult, Priority
from tests.association.samples import ECHO, MISSING, QUIET, REGISTER, VALUE, M, Talk, listed, octets, settings, talk
from tests.association.test_refusals import aarq, initiate
from tests.effort import examples

C = Conformance
LEAST = 12
BLOCKS = ~C.GENERAL_BLOCK_TRANSFER
SIZES = range(LEAST, 81)


def exchanged(conversation: Talk) -> tuple[list[bytes], list[bytes]]:
    """What was sent after the association stood."""
    return conversation.requests[1:], conversation.answers[1:]


@pytest.mark.parametrize("size", SIZES)
def test_every_answer_fits_whatever_the_client_takes(size: int) -> None:
    """conformance.md AL-C12: sizes 12 to 70, and more."""
    conversation = talk(client={"max_pdu_size": size}, server={"conformance": BLOCKS})
    conversation.shelf.put(REGISTER, octets(200))
    assert conversation.ask(Get(REGISTER)) == octets(200)
    answer = conversation.ask(Action(ECHO, octets(100)))
    assert (answer.result, answer.return_parameters) == (ActionResult.SUCCESS, octets(100))
    assert conversation.ask(GetList(listed(REGISTER, MISSING))) == (octets(200), DataAccessResult.OBJECT_UNDEFINED)
    assert max(map(len, exchanged(conversation)[1])) <= size
    assert len(conversation.answers) > 8


@pytest.mark.parametrize("size", SIZES)
def test_every_request_fits_whatever_the_server_takes(size: int) -> None:
    conversation = talk(server={"max_pdu_size": size, "conformance": BLOCKS})
    held = VALUE
    for request, least, result in (
        (Get(REGISTER), 13, None),
        (Set(REGISTER, octets(200)), 20, DataAccessResult.SUCCESS),  # in blocks of one octet
        (SetList(listed(REGISTER), (octets(300),)), 21, (DataAccessResult.SUCCESS,)),
        (Get(REGISTER), 13, None),
    ):
        before = len(conversation.requests)
        if size < least:
            with pytest.raises(ServiceFailed, match=r"APDUs of|at most"):
                conversation.ask(request)
            assert len(conversation.requests) == before
            continue
        if not isinstance(request, Get):
            held = octets(200 if isinstance(request, Set) else 300)
        assert conversation.ask(request) == (held if result is None else result)
        assert conversation.shelf.values[REGISTER.encode()] == held
    assert all(len(apdu) <= size for apdu in exchanged(conversation)[0])


@pytest.mark.parametrize("size", [*range(40, 81), 128, 300])
@pytest.mark.parametrize("form", ["client", "server"])
def test_sizes_count_the_protection(form: str, size: int) -> None:
    none = {"conformance": BLOCKS & ~C.ACCESS & ~C.GENERAL_PROTECTION}
    more: dict[str, Any] = {"client": {}, "server": {}}
    more[form]["max_pdu_size"] = size
    more["server"] |= none
    conversation = talk(ciphered=True, **more)
    conversation.shelf.put(REGISTER, octets(90))
    assert conversation.ask(Get(REGISTER)) == octets(90)
    if form == "server":
        try:
            conversation.ask(Set(REGISTER, octets(95)))
        except ServiceFailed:
            assert plain_room(size, protected=True, general=False) < 25
    sent, came = exchanged(conversation)
    assert max(map(len, came if form == "client" else sent)) <= size


@pytest.mark.parametrize("size", [*range(1, 12), -1, 65536])
def test_smaller_sizes_cannot_be_set_and_are_refused(size: int) -> None:
    for side in ("client", "server"):
        with pytest.raises(ConfigurationError, match="12 to 65535"):
            settings(**{side: {"max_pdu_size": size}})
    if 0 < size < LEAST:
        conversation = talk(opened=False)
        conversation.to_server = lambda apdu: aarq(apdu, user_information=initiate(client_max_receive_pdu_size=size))
        with pytest.raises(AssociationRejected, match="pdu-size-too-short"):
            conversation.open()
        conversation = talk(opened=False)
        conversation.to_client = lambda apdu: answered(apdu, server_max_receive_pdu_size=size)
        with pytest.raises(ProtocolError, match="fewer than the standard allows"):
            conversation.open()


@pytest.mark.parametrize("size", [0, 12, 64, 65535])
def test_each_side_is_told_the_size_of_the_other(size: int) -> None:
    conversation = talk(client={"max_pdu_size": size}, server={"max_pdu_size": 1000})
    agreement = conversation.server.agreement
    assert agreement is not None
    assert (agreement.max_send_pdu_size, agreement.max_receive_pdu_size) == (size, 1000)
    assert conversation.client.opened.max_pdu_size == 1000  # type: ignore[union-attr]


def answered(apdu: bytes, **changed: Any) -> bytes:
    made = a.AARE.decode(apdu)
    response = a.InitiateResponse.decode(made.user_information or b"")
    for name, value in changed.items():
        setattr(response, name, value)
    made.user_information = response.encode()
    return made.encode()


@pytest.mark.parametrize("version", [0, 1, 5, 6, 7, 255])
def test_the_dlms_version(version: int) -> None:
    """conformance.md APPL_OPEN_12: below 6 is refused, above is accepted with 6; a client takes 6 alone."""
    conversation = talk(opened=False)
    conversation.to_server = lambda apdu: aarq(apdu, user_information=initiate(proposed_dlms_version_number=version))
    if version < 6:
        with pytest.raises(AssociationRejected, match="dlms-version-too-low"):
            conversation.open()
    else:
        assert conversation.open().dlms_version == 6
    conversation = talk(opened=False)
    conversation.to_client = lambda apdu: answered(apdu, negotiated_dlms_version_number=version)
    if version == 6:
        conversation.open()
    else:
        with pytest.raises(ProtocolError, match=f"dlms version {version}, not 6"):
            conversation.open()


# ---- answers that are longer than the client takes ------------------------------------------------------------------


@pytest.mark.parametrize("ciphered", [False, True], ids=["plain", "ciphered"])
@pytest.mark.parametrize("over", [-1, 0, 1, 20])
def test_an_answer_that_is_too_long_is_refused(over: int, ciphered: bool) -> None:
    size = 100
    conversation = talk(ciphered=ciphered, client={"max_pdu_size": size})
    conversation.server._serving._terms.room = 0xFFFF  # type: ignore[union-attr]
    overhead = 19 if ciphered else 0  # tag, length, security control, counter, authentication tag
    conversation.shelf.put(REGISTER, octets(size + over - overhead - 6))
    if over <= 0:
        assert conversation.ask(Get(REGISTER)) == octets(size + over - overhead - 6)
    else:
        with pytest.raises(ProtocolError, match=f"APDU of {size + over} octets.*{size} at most"):
            conversation.ask(Get(REGISTER))
    assert len(conversation.answers[-1]) == size + over
    conversation.shelf.put(REGISTER, VALUE)
    assert conversation.ask(Get(REGISTER)) == VALUE  # the association stands


def test_a_quirk_takes_long_answers() -> None:
    dialect = STANDARD.but(quirks=frozenset((Quirk.LONG_ANSWERS,)))
    conversation = talk(client={"max_pdu_size": 64, "dialect": dialect})
    conversation.server._serving._terms.room = 0xFFFF  # type: ignore[union-attr]
    conversation.shelf.put(REGISTER, octets(500))
    assert conversation.ask(Get(REGISTER)) == octets(500)


def test_a_change_whose_answer_is_too_long_may_have_been_made() -> None:
    conversation = talk(client={"max_pdu_size": 64})
    conversation.to_client = lambda apdu: apdu + bytes(100)
    with pytest.raises(OutcomeUnknown, match="at most"):
        conversation.ask(Set(REGISTER, VALUE))


# ---- what was not agreed is not sent --------------------------------------------------------------------------------


def bits_of(message: Any) -> Conformance:
    """The bits that an APDU needs, by the table of conformance bits (application_layer.md 6.3)."""
    names = type(message).__name__
    if names.startswith("Access"):
        return C.ACCESS
    bits = {"G": C.GET, "S": C.SET, "A": C.ACTION}[names[0]]
    if "WithList" in names:
        bits |= C.MULTIPLE_REFERENCES
    if names == "GetRequestNext":
        bits |= C.BLOCK_TRANSFER_WITH_GET_OR_READ
    if "lock" in names:
        bits |= C.BLOCK_TRANSFER_WITH_SET_OR_WRITE if names[0] == "S" else C.BLOCK_TRANSFER_WITH_ACTION
    entries = getattr(message, "attribute_descriptor_list", ())
    selected = [getattr(message, "access_selection", None), *(one.access_selection for one in entries)]
    if any(one is not None for one in selected):
        bits |= C.SELECTIVE_ACCESS
    named = [getattr(message, "cosem_attribute_descriptor", None), *(one.cosem_attribute_descriptor for one in entries)]
    if any(one is not None and one.attribute_id == 0 for one in named):
        bits |= C.ATTRIBUTE0_SUPPORTED_WITH_GET if names[0] == "G" else C.ATTRIBUTE0_SUPPORTED_WITH_SET
    invoke = message.invoke_id_and_priority
    return bits | C.PRIORITY_MGMT_SUPPORTED if invoke.priority is Priority.HIGH else bits


PART = a.SelectiveAccessDescriptor(1, VALUE)
WHOLE = a.CosemAttributeDescriptor(REGISTER.class_id, REGISTER.instance_id, 0)
CHOSEN = (a.CosemAttributeDescriptorWithSelection(REGISTER, PART), *listed(REGISTER))
REQUESTS: tuple[Request, ...] = (
    Get(REGISTER),
    Get(REGISTER, priority=Priority.HIGH),
    Get(REGISTER, PART),
    Get(WHOLE),
    GetList(listed(REGISTER, MISSING)),
    GetList(CHOSEN),
    Set(REGISTER, VALUE),
    Set(REGISTER, VALUE, PART),
    Set(REGISTER, octets(100)),
    Set(WHOLE, VALUE),
    SetList(listed(REGISTER, REGISTER), (VALUE, VALUE)),
    SetList(listed(REGISTER, REGISTER), (octets(60), VALUE)),
    SetList(CHOSEN, (VALUE, VALUE)),
    Action(ECHO, VALUE),
    Action(ECHO, octets(100)),
    ActionList((ECHO, QUIET), (VALUE, VALUE)),
    ActionList((ECHO, QUIET), (octets(70), VALUE)),
    Access((Get(REGISTER),)),
)
SERVICES = (C.GET, C.SET, C.ACTION)


@examples(60, deadline=None)
@given(
    mask=st.integers(0, 0xFFFFFF).map(Conformance),
    least=st.sampled_from(SERVICES),
    mine=st.integers(0, 0xFFFFFF).map(Conformance),
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6),
)
def test_a_client_sends_nothing_that_was_not_agreed(
    mask: Conformance, least: Conformance, mine: Conformance, requests: list[Request]
) -> None:
    client = {"conformance": (mine | least) & BLOCKS, "max_pdu_size": 80}
    conversation = talk(client=client, server={"conformance": (mask | least) & BLOCKS, "max_pdu_size": 80})
    agreed = conversation.client.opened.conformance  # type: ignore[union-attr]
    assert not agreed & ~(mask | least) and not agreed & ~(mine | least)  # noqa: PT018
    for request in requests:
        before = len(conversation.requests)
        with suppress(ServiceFailed):
            conversation.ask(request)
        for apdu in conversation.requests[before:]:
            assert not bits_of(a.decode(apdu)) & ~agreed, a.decode(apdu)


@pytest.mark.parametrize("service", SERVICES)
def test_one_service_in_common_is_enough_and_none_is_refused(service: Conformance) -> None:
    assert talk(server={"conformance": service}).client.opened.conformance == service  # type: ignore[union-attr]
    with pytest.raises(AssociationRejected, match="incompatible-conformance"):
        talk(client={"conformance": service}, server={"conformance": (C.GET | C.SET | C.ACTION) & ~service})


def test_more_bits_than_were_proposed_are_not_believed() -> None:
    conversation = talk(opened=False, client={"conformance": C.GET})
    conversation.to_client = lambda apdu: answered(apdu, negotiated_conformance=C(0xFFFFFF))
    assert conversation.open().conformance == C.GET
    with pytest.raises(ServiceFailed, match="set"):
        conversation.ask(Set(REGISTER, VALUE))


@pytest.mark.parametrize(
    "request_",
    [
        "c0034100",
        "c1044100 00",
        "c1054100 01 00000001 00",
        "c3034100 00",
        "c3054100 01 00000001 00",
        "c1044101 000301000108 00ff0200 00",
    ],
)
def test_lists_of_nothing_and_without_a_value_for_each_are_refused(request_: str) -> None:
    """conformance.md AL-C06."""
    conversation = talk(M.LOWEST, server={"conformance": BLOCKS})
    conversation.server.receive(bytes.fromhex(request_), 0.0)
    assert conversation.server.octets_to_send() == bytes.fromhex("d80103")
    assert conversation.shelf.calls == []
    assert conversation.ask(Get(REGISTER)) == VALUE
