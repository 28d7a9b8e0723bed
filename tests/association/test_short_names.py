"""Read, Write and UnconfirmedWrite between a client and a server: what comes out is what the provider holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic import apdu as a
from cosemic.association.exchanges import client_conformance
from cosemic.association.passes import REPLY_TO_HLS_AUTHENTICATION_SN, VAA_NAME_SN
from cosemic.association.requests import Action, Get, Read, Release, Request, UnconfirmedWrite, Write
from cosemic.association.serving import server_conformance
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import STANDARD, CipheredForm, LongReadContent
from cosemic.errors import EncodeError, ServiceErrorReceived, ServiceFailed
from cosemic.model import AssociationSN, interface_class, versions
from cosemic.model.short_names import ASSOCIATION
from cosemic.security import Protection, SecurityPolicy, is_ciphered
from cosemic.values import ApplicationContext, Conformance, DataAccessResult
from tests.association.samples import (
    CLOCK,
    ECHO,
    QUIET,
    REGISTER,
    VALUE,
    M,
    Shelf,
    Talk,
    attribute,
    octets,
)
from tests.association.short_name_samples import (
    CLOCK_SN,
    DENIED_SN,
    ECHO_SN,
    MISSING_SN,
    NULL,
    QUIET_SN,
    REGISTER_SN,
    UNKNOWN,
    decoded,
    named,
    selected,
    served,
    sn_secure,
    sn_settings,
    sn_talk,
)

C = Conformance
R = DataAccessResult
SUCCESS = R.SUCCESS
EVERYTHING = Conformance((1 << 24) - 1)


# ---- the octets of the reference ------------------------------------------------------------------------------------


def test_read_and_write_have_the_octets_of_the_reference() -> None:
    """application_layer.md 13 and 19."""
    talk = sn_talk()
    assert talk.ask(Read((0x0100,))) == (R.OBJECT_UNDEFINED,)
    assert talk.ask(Read((REGISTER_SN, UNKNOWN))) == (VALUE, R.OBJECT_UNDEFINED)
    assert talk.ask(Write((REGISTER_SN,), (EncodedData.of(DataType.UNSIGNED, 5),))) == (SUCCESS,)
    assert talk.ask(UnconfirmedWrite((REGISTER_SN,), (EncodedData.of(DataType.UNSIGNED, 6),))) is None
    assert [apdu.hex() for apdu in talk.requests[1:]] == [
        "0501020100",
        "050202010802fff8",
        "0601020108011105",
        "1601020108011106",
    ]
    assert [apdu.hex() for apdu in talk.answers[1:]] == ["0c010104", "0c02000600bc614e0104", "0d0100"]
    assert talk.shelf.values[REGISTER.encode()].value() == 6


def test_a_selection_travels_as_parameterized_access() -> None:
    """The octets are those of gurux-dlms for a profile by entry."""
    entries = (
        (DataType.DOUBLE_LONG_UNSIGNED, 1),
        (DataType.DOUBLE_LONG_UNSIGNED, 4),
        (DataType.LONG_UNSIGNED, 1),
        (DataType.LONG_UNSIGNED, 0),
    )
    parameter = EncodedData.of(DataType.STRUCTURE, entries)
    talk = sn_talk()
    talk.ask(Read((selected(0x6108, 2, parameter),)))
    assert talk.requests[-1].hex() == "050104610802020406000000010600000004120001120000"
    assert talk.ask(Read((selected(REGISTER_SN, 2, parameter),))) == (VALUE,)
    assert talk.ask(Write((selected(CLOCK_SN, 1),), (VALUE,))) == (SUCCESS,)
    assert talk.shelf.selections == [a.SelectiveAccessDescriptor(2, parameter), a.SelectiveAccessDescriptor(1, NULL)]
    assert talk.shelf.calls == [("get", REGISTER), ("set", (CLOCK, VALUE))]


AARQ_SN = "601da109060760857405080102be10040e01000000065f1f04001c0320ffff"


def test_the_aarq_of_the_reference_is_accepted_for_the_current_association() -> None:
    talk = sn_talk(opened=False)
    aare = a.AARE.decode(bytes.fromhex(served(talk, AARQ_SN)))
    assert (aare.result, aare.application_context_name) == (0, ApplicationContext.SN)
    response = a.InitiateResponse.decode(aare.user_information or b"")
    assert response.vaa_name == 0xFA00
    assert response.negotiated_conformance == Conformance(0x1C0320) & server_conformance(short_names=True)
    assert response.negotiated_conformance & C.READ
    assert response.negotiated_conformance & C.MULTIPLE_REFERENCES
    assert served(talk, "0501020108") == "0c01000600bc614e"
    assert served(talk, "1601020108011107") == ""
    assert served(talk, "0501020108") == "0c01001107"


def test_the_client_opens_with_the_aarq_of_the_reference_but_for_what_it_proposes() -> None:
    talk = sn_talk(client={"conformance": Conformance(0x1C0320)})
    proposed = int(Conformance(0x1C0320) & client_conformance(short_names=True)).to_bytes(3).hex()
    assert talk.requests[0].hex() == AARQ_SN.replace("1c0320", proposed)


def test_what_is_announced_is_what_is_served_and_asked_for() -> None:
    names = [
        "read",
        "write",
        "unconfirmed-write",
        "block-transfer-with-get-or-read",
        "block-transfer-with-set-or-write",
        "multiple-references",
        "parameterized-access",
    ]
    assert [name for name in client_conformance(short_names=True).names() if name in names] == names
    assert [name for name in server_conformance(short_names=True).names() if name in names] == names
    logical = C.GET | C.SET | C.ACTION | C.SELECTIVE_ACCESS | C.BLOCK_TRANSFER_WITH_ACTION | C.ACCESS
    assert not client_conformance(short_names=True) & logical
    assert not server_conformance(short_names=True) & logical
    assert not (client_conformance() | server_conformance()) & (C.READ | C.WRITE | C.UNCONFIRMED_WRITE)


def test_the_reserved_names_are_those_of_the_model() -> None:
    assert int(ASSOCIATION) == VAA_NAME_SN
    for version in versions(AssociationSN.class_id):
        declared = interface_class(AssociationSN.class_id, version)
        assert declared is not None
        assert VAA_NAME_SN + declared.methods[8].sn_offset == REPLY_TO_HLS_AUTHENTICATION_SN


# ---- attributes and methods -----------------------------------------------------------------------------------------


def test_a_method_is_invoked_by_what_is_written_to_its_name() -> None:
    talk = sn_talk()
    assert talk.ask(Write((QUIET_SN, DENIED_SN), (VALUE, NULL))) == (SUCCESS, R.READ_WRITE_DENIED)
    assert [kind for kind, _ in talk.shelf.calls] == ["action", "action"]
    assert talk.shelf.calls[0][1] == (QUIET, VALUE)
    assert talk.shelf.calls[1][1][1] is None  # null-data stands for no parameter


@pytest.mark.parametrize("selector", [0, 1, 9])
def test_a_method_is_invoked_and_read_with_its_parameter(selector: int) -> None:
    talk = sn_talk()
    assert talk.ask(Read((selected(ECHO_SN, selector, VALUE),))) == (VALUE,)
    assert talk.ask(Read((selected(QUIET_SN, selector),))) == (NULL,)
    assert talk.ask(Read((selected(DENIED_SN, selector, VALUE),))) == (R.READ_WRITE_DENIED,)
    assert [call for kind, call in talk.shelf.calls][:2] == [(ECHO, VALUE), (QUIET, None)]


def test_a_method_that_is_only_read_is_not_invoked() -> None:
    talk = sn_talk()
    assert talk.ask(Read((ECHO_SN,))) == (R.READ_WRITE_DENIED,)
    assert talk.ask(Write((selected(ECHO_SN, 0, VALUE),), (VALUE,))) == (R.SCOPE_OF_ACCESS_VIOLATED,)
    assert talk.shelf.calls == []


def test_a_selector_of_a_parameterized_access_is_that_of_the_attribute() -> None:
    talk = sn_talk()
    part = a.SelectiveAccessDescriptor(2, VALUE)
    assert talk.ask(Read((REGISTER_SN, selected(REGISTER_SN, 2, VALUE)))) == (VALUE, VALUE)
    assert talk.ask(Write((CLOCK_SN, selected(CLOCK_SN, 2, VALUE)), (VALUE, VALUE))) == (SUCCESS, SUCCESS)
    assert talk.shelf.selections == [None, part, None, part]  # type: ignore[attr-defined]


def test_results_of_methods_that_reading_does_not_know_are_other_reason() -> None:
    class Failing(Shelf):
        result: Any = 0

        def resolve(self, short_name: int) -> Any:
            return ECHO

        def action(self, method: Any, parameters: Any, access: Any) -> Any:
            return a.ActionResponseWithOptionalData(self.result)

    shelf = Failing()
    talk = Talk(*sn_settings(), shelf)
    talk.open()
    for code in range(256):
        shelf.result = code
        known = code in R._value2member_map_ and (code <= 14 or code == 250)
        expected = R(code) if known else R.OTHER_REASON
        assert talk.ask(Write((ECHO_SN,), (VALUE,))) == (expected,)
        read = NULL if code == 0 else expected
        assert talk.ask(Read((selected(ECHO_SN, 0, VALUE),))) == (read,)


def test_lists_give_one_result_for_each_item() -> None:
    talk = sn_talk()
    mixed = (REGISTER_SN, UNKNOWN, selected(REGISTER_SN, 1), selected(ECHO_SN, 0, VALUE))
    assert talk.ask(Read(mixed)) == (VALUE, R.OBJECT_UNDEFINED, VALUE, VALUE)
    written = talk.ask(Write((CLOCK_SN, MISSING_SN, UNKNOWN, QUIET_SN), (VALUE, VALUE, VALUE, NULL)))
    assert written == (SUCCESS, R.OBJECT_UNDEFINED, R.OBJECT_UNDEFINED, SUCCESS)


def test_a_provider_without_short_names_has_no_objects() -> None:
    talk = Talk(*sn_settings(), Shelf())
    talk.open()
    assert talk.ask(Read((REGISTER_SN,))) == (R.OBJECT_UNDEFINED,)
    assert talk.ask(Write((QUIET_SN,), (VALUE,))) == (R.OBJECT_UNDEFINED,)
    assert talk.shelf.calls == []


@pytest.mark.parametrize("request_", [Read(()), Write((), ()), Write((REGISTER_SN,), ()), UnconfirmedWrite((), ())])
def test_lists_that_are_none_are_refused_before_anything_is_sent(request_: Request) -> None:
    talk = sn_talk()
    with pytest.raises(EncodeError):
        talk.ask(request_)
    assert len(talk.requests) == 1


@pytest.mark.parametrize("octets_", ["0500", "060000", "060102010800", "0602020108020208011105"])
def test_lists_that_are_none_are_refused_by_the_server(octets_: str) -> None:
    talk = sn_talk()
    assert served(talk, octets_) == f"0e{octets_[:2]}0300"
    assert talk.shelf.calls == []


# ---- UnconfirmedWrite -----------------------------------------------------------------------------------------------


def test_an_unconfirmed_write_is_executed_and_never_answered() -> None:
    talk = sn_talk()
    assert talk.ask(UnconfirmedWrite((CLOCK_SN, QUIET_SN), (VALUE, NULL))) is None
    assert not talk.client.busy
    assert talk.shelf.calls == [("set", (CLOCK, VALUE)), ("action", (QUIET, None))]
    assert len(talk.answers) == 1
    assert talk.ask(Read((CLOCK_SN,))) == (VALUE,)


@pytest.mark.parametrize(
    "wrong",
    [
        "160102fff8011105",  # unknown name
        "1601020308011105",  # refused by the provider
        "160102010800",  # no value
        "160000",
        "160107010001010900",  # a block
        "16010208",  # cut
        "16",
    ],
)
def test_an_unconfirmed_write_is_not_answered_even_with_an_error(wrong: str) -> None:
    for made in (sn_talk, lambda: sn_talk(opened=False), lambda: sn_talk(M.LLS, opened=False)):
        talk = made()
        assert served(talk, wrong) == ""
        assert not [call for call in talk.shelf.calls if call[0] != "set"]
    none = sn_talk(server={"conformance": EVERYTHING & ~C.UNCONFIRMED_WRITE})
    assert served(none, "1601020108011105") == ""
    assert none.shelf.calls == []


def test_an_unconfirmed_write_that_is_too_long_is_not_sent() -> None:
    talk = sn_talk(server={"max_pdu_size": 40})
    with pytest.raises(ServiceFailed, match=r"too long|at most"):
        talk.ask(UnconfirmedWrite((CLOCK_SN,), (octets(60),)))
    assert len(talk.requests) == 1


# ---- blocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", LongReadContent)
@pytest.mark.parametrize("size", [*range(14, 40), 64, 128, 129, 300])
def test_blocks_of_every_size_in_both_directions(size: int, content: LongReadContent) -> None:
    dialect = STANDARD.but(long_read_content=content)
    for length in (size - 10, size - 5, size, 3 * size, 127, 128, 129, 260):
        talk = sn_talk(client={"max_pdu_size": size}, server={"max_pdu_size": max(size, 16)}, dialect=dialect)
        long = octets(max(length, 0))
        assert talk.ask(Write((REGISTER_SN,), (long,))) == (SUCCESS,)
        assert talk.ask(Read((REGISTER_SN,))) == (long,)
        assert talk.ask(Read((selected(ECHO_SN, 0, long),))) == (long,)
        assert all(len(apdu) <= size for apdu in talk.answers[1:])
        assert all(len(apdu) <= max(size, 16) for apdu in talk.requests[1:])


def test_the_octets_of_a_long_read_are_those_of_the_reference() -> None:
    talk = sn_talk(client={"max_pdu_size": 12})
    talk.shelf.put(REGISTER, octets(8))
    assert talk.ask(Read((REGISTER_SN,))) == (octets(8),)
    assert [apdu.hex() for apdu in talk.requests[1:]] == ["0501020108", "0501050001", "0501050002"]
    raw = "0100" + octets(8).octets.hex()
    assert [apdu.hex() for apdu in talk.answers[1:]] == [
        "0c010200000105" + raw[:10],
        "0c010200000205" + raw[10:20],
        "0c010201000302" + raw[20:],
    ]


@pytest.mark.parametrize("content", list(LongReadContent), ids=lambda each: each.value)
def test_a_long_answer_holds_what_the_dialect_says(content: LongReadContent) -> None:
    """application_layer.md 13: the results with their count, or the bare Data; both are read."""
    talk = sn_talk(client={"max_pdu_size": 30}, dialect=STANDARD.but(long_read_content=content))
    talk.shelf.put(REGISTER, octets(60))
    assert talk.ask(Read((REGISTER_SN,))) == (octets(60),)
    first = a.ReadResponse.decode(talk.answers[1]).result[0].value.raw_data
    assert first.startswith(b"\x01\x00\x09\x3c" if content is LongReadContent.RESULTS else b"\x09\x3c")


def test_the_octets_of_a_long_write_are_those_of_the_reference() -> None:
    talk = sn_talk(server={"max_pdu_size": 16})
    assert talk.ask(Write((REGISTER_SN,), (octets(9),))) == (SUCCESS,)
    raw = "0102010801" + octets(9).octets.hex()
    assert [apdu.hex() for apdu in talk.requests[1:]] == [
        "060107000001010907" + raw[:14],
        "060107000002010907" + raw[14:28],
        "060107010003010902" + raw[28:],
    ]
    assert [apdu.hex() for apdu in talk.answers[1:]] == ["0d01020001", "0d01020002", "0d0100"]


def test_the_octets_of_a_long_read_request_are_those_of_the_reference() -> None:
    talk = sn_talk(server={"max_pdu_size": 16})
    assert talk.ask(Read((selected(ECHO_SN, 0, octets(9)),))) == (octets(9),)
    raw = "0104042000" + octets(9).octets.hex()
    assert [apdu.hex() for apdu in talk.requests[1:]] == [
        "05010600000109" + raw[:18],
        "05010601000207" + raw[18:],
    ]
    assert talk.answers[1].hex() == "0c01030001"
    assert talk.answers[2].hex() == "0c0100" + octets(9).octets.hex()


def test_a_long_list_of_results_comes_in_blocks() -> None:
    for content in LongReadContent:
        talk = sn_talk(client={"max_pdu_size": 60}, dialect=STANDARD.but(long_read_content=content))
        for number in range(6):
            talk.shelf.put(attribute(number), octets(50, number))
        names = tuple(named(number) for number in range(6))
        assert talk.ask(Read(names)) == tuple(octets(50, number) for number in range(6))
        # An error among them has no bare form.
        assert talk.ask(Read((*names, UNKNOWN))) == (*(octets(50, number) for number in range(6)), R.OBJECT_UNDEFINED)
        assert talk.answers[-1][2] == 2


def test_nothing_is_executed_before_the_last_block() -> None:
    for request in (Write((CLOCK_SN,), (octets(100),)), Read((selected(ECHO_SN, 0, octets(100)),))):
        talk = sn_talk(server={"max_pdu_size": 40})
        seen: list[int] = []
        talk.to_server = lambda apdu, seen=seen, talk=talk: (seen.append(len(talk.shelf.calls)), apdu)[1]  # type: ignore[misc]
        talk.ask(request)
        assert len(seen) > 3
        assert set(seen) == {0}
        assert len(talk.shelf.calls) == 1


def test_an_answer_that_is_too_long_without_blocks_says_other_reason() -> None:
    none = EVERYTHING & ~C.BLOCK_TRANSFER_WITH_GET_OR_READ
    talk = sn_talk(client={"max_pdu_size": 40}, server={"conformance": none})
    talk.shelf.put(REGISTER, octets(100))
    assert talk.ask(Read((REGISTER_SN,))) == (R.OTHER_REASON,)
    assert talk.ask(Read((REGISTER_SN, UNKNOWN))) == (R.OTHER_REASON,) * 2


@pytest.mark.parametrize("request_", [Read((QUIET_SN,) * 20), Write((QUIET_SN,) * 40, (NULL,) * 40)])
def test_a_list_whose_results_do_not_fit_is_refused_before_anything_is_executed(request_: Request) -> None:
    none = EVERYTHING & ~C.BLOCK_TRANSFER_WITH_GET_OR_READ
    talk = sn_talk(client={"max_pdu_size": 40}, server={"conformance": none})
    with pytest.raises(ServiceErrorReceived, match="pdu-size"):
        talk.ask(request_)
    assert talk.shelf.calls == []


# ---- what was not agreed upon ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "request_"),
    [
        (C.READ, Read((REGISTER_SN,))),
        (C.WRITE, Write((REGISTER_SN,), (VALUE,))),
        (C.UNCONFIRMED_WRITE, UnconfirmedWrite((REGISTER_SN,), (VALUE,))),
        (C.MULTIPLE_REFERENCES, Read((REGISTER_SN, CLOCK_SN))),
        (C.MULTIPLE_REFERENCES, Write((REGISTER_SN, CLOCK_SN), (VALUE, VALUE))),
        (C.MULTIPLE_REFERENCES, UnconfirmedWrite((REGISTER_SN, CLOCK_SN), (VALUE, VALUE))),
        (C.PARAMETERIZED_ACCESS, Read((selected(REGISTER_SN, 1),))),
        (C.PARAMETERIZED_ACCESS, Read((selected(ECHO_SN, 0, octets(200)),))),
        (C.PARAMETERIZED_ACCESS, Write((selected(REGISTER_SN, 1),), (VALUE,))),
        (C.PARAMETERIZED_ACCESS, Write((selected(REGISTER_SN, 1),), (octets(200),))),
        (C.PARAMETERIZED_ACCESS, UnconfirmedWrite((selected(REGISTER_SN, 1),), (VALUE,))),
        (C.BLOCK_TRANSFER_WITH_GET_OR_READ, Read((selected(ECHO_SN, 0, octets(200)),))),
        (C.BLOCK_TRANSFER_WITH_SET_OR_WRITE, Write((REGISTER_SN,), (octets(200),))),
        (C.MULTIPLE_REFERENCES, Read((REGISTER_SN,) * 60)),
        (C.MULTIPLE_REFERENCES, Write((REGISTER_SN, CLOCK_SN), (octets(100), VALUE))),
    ],
)
def test_what_was_not_agreed_upon_is_refused_here_and_there(missing: Conformance, request_: Request) -> None:
    """The client sends nothing; a client that sends it all the same is told that it is not supported."""
    name = missing.names()[0]
    talk = sn_talk(server={"conformance": EVERYTHING & ~missing, "max_pdu_size": 100})
    sent = len(talk.requests)
    with pytest.raises(ServiceFailed, match=name) as caught:
        talk.ask(request_)
    assert caught.value.label == name
    assert (len(talk.requests), talk.client.busy) == (sent, False)
    talk = sn_talk(server={"conformance": EVERYTHING & ~missing, "max_pdu_size": 100})
    talk.client._terms.agreed = int(EVERYTHING)
    if isinstance(request_, UnconfirmedWrite):
        talk.ask(request_)
    else:
        with pytest.raises(ServiceErrorReceived, match="service-unsupported"):
            talk.ask(request_)
    assert talk.shelf.calls == []


def test_services_of_logical_names_belong_to_associations_with_these() -> None:
    talk = sn_talk()
    for request in (Get(REGISTER), Action(QUIET)):
        with pytest.raises(ServiceFailed):
            talk.ask(request)
    assert len(talk.requests) == 1
    assert served(talk, "c00141" + REGISTER.encode().hex() + "00") == "0e050302"


# ---- any sequence of requests, any sizes ----------------------------------------------------------------------------

values = st.one_of(
    st.integers(0, 600).map(lambda size: octets(size, size)),
    st.just(VALUE),
    st.just(EncodedData.of(DataType.STRUCTURE, ())),
    st.lists(st.integers(0, 255), max_size=40).map(
        lambda numbers: EncodedData.of(DataType.ARRAY, tuple((DataType.UNSIGNED, n) for n in numbers))
    ),
)
places = st.integers(0, 5).map(named)
writable = st.one_of(places, st.sampled_from([QUIET_SN, DENIED_SN, MISSING_SN, UNKNOWN]))
readable = st.one_of(
    places,
    st.builds(lambda place: selected(place, 1), places),
    st.builds(lambda value: selected(ECHO_SN, 0, value), values),
    st.just(UNKNOWN),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    count = draw(st.integers(1, 6))
    if draw(st.booleans()):
        return Read(tuple(draw(readable) for _ in range(count)))
    kind = draw(st.sampled_from([Write, Write, UnconfirmedWrite]))
    made: Request = kind(tuple(draw(writable) for _ in range(count)), tuple(draw(values) for _ in range(count)))
    return made


def expected(request: Request, model: dict[int, EncodedData]) -> Any:
    """What a request gives, by the plainest of models; changes the model."""
    results: list[Any] = []
    if isinstance(request, Read):
        for one in request.variables:
            if isinstance(one, a.ParameterizedAccess):
                name, invoked = one.variable_name, one.variable_name == ECHO_SN
                results.append(one.parameter if invoked else model.get(name, R.OBJECT_UNDEFINED))
            else:
                results.append(model.get(one, R.OBJECT_UNDEFINED))
        return tuple(results)
    assert isinstance(request, Write | UnconfirmedWrite)
    for name, value in zip(request.variables, request.values, strict=True):
        assert isinstance(name, int)
        failures = {DENIED_SN: R.READ_WRITE_DENIED, MISSING_SN: R.OBJECT_UNDEFINED, UNKNOWN: R.OBJECT_UNDEFINED}
        if name not in failures and name != QUIET_SN:
            model[name] = value
        results.append(failures.get(name, SUCCESS))
    return tuple(results) if isinstance(request, Write) else None


sizes = st.one_of(st.integers(64, 200), st.sampled_from([0, 128, 300, 1024, 0xFFFF]))


@given(
    st.lists(requests(), max_size=5),
    sizes,
    sizes,
    st.sampled_from(["plain", "glo", "ded", "general"]),
    st.sampled_from(LongReadContent),
)
def test_any_sequence_gives_what_the_provider_holds_and_no_apdu_is_too_long(
    asked: list[Request], ours: int, theirs: int, form: str, content: LongReadContent
) -> None:
    dialect = STANDARD.but(long_read_content=content)
    if form == "general":
        dialect = dialect.but(ciphered_form=CipheredForm.GENERAL)
    client = {"max_pdu_size": ours, "dedicated_key": form == "ded"}
    talk = sn_talk(ciphered=form != "plain", client=client, server={"max_pdu_size": theirs}, dialect=dialect)
    model: dict[int, EncodedData] = {}
    for request in asked:
        before = len(talk.shelf.calls)
        try:
            result = talk.ask(request)
        except ServiceFailed:  # nothing cuts an unconfirmed request
            assert isinstance(request, UnconfirmedWrite)
            assert len(talk.shelf.calls) == before
            continue
        assert result == expected(request, model)
    assert all(len(apdu) <= (theirs or 0xFFFF) for apdu in talk.requests[1:])
    assert all(len(apdu) <= (ours or 0xFFFF) for apdu in talk.answers[1:])
    assert all(is_ciphered(apdu) is (form != "plain") for apdu in talk.requests[1:] + talk.answers[1:])
    talk.ask(Release())


# ---- protection -----------------------------------------------------------------------------------------------------


def test_ciphered_services_have_their_own_envelopes() -> None:
    talk = sn_secure()
    talk.ask(Read((REGISTER_SN,)))
    talk.ask(Write((REGISTER_SN,), (VALUE,)))
    talk.ask(UnconfirmedWrite((REGISTER_SN,), (VALUE,)))
    assert [apdu[0] for apdu in talk.requests[-3:]] == [0x25, 0x26, 0x36]
    assert [apdu[0] for apdu in talk.answers[-2:]] == [0x2C, 0x2D]
    dedicated = sn_secure(client={"dedicated_key": True})
    dedicated.ask(Read((REGISTER_SN,)))
    dedicated.ask(UnconfirmedWrite((REGISTER_SN,), (VALUE,)))
    assert [apdu[0] for apdu in dedicated.requests[-2:]] == [0x45, 0x56]
    assert dedicated.answers[-1][0] == 0x4C
    assert set(talk.shelf.protection + dedicated.shelf.protection) == {Protection.AUTHENTICATED | Protection.ENCRYPTED}


def test_rights_raise_the_protection_of_an_answer_and_of_all_its_blocks() -> None:
    talk = sn_talk(
        ciphered=True,
        policy=SecurityPolicy(),
        client={"protection": Protection.AUTHENTICATED, "require": Protection.NONE, "max_pdu_size": 90},
    )
    talk.shelf.put(REGISTER, octets(300))
    talk.shelf.response = Protection.AUTHENTICATED | Protection.ENCRYPTED
    assert talk.ask(Read((REGISTER_SN,))) == (octets(300),)
    controls = {apdu[2] if apdu[1] < 0x80 else apdu[3] for apdu in talk.answers[1:]}
    assert controls == {0x30}
    assert len(talk.answers) > 4


def test_a_block_is_not_handed_out_with_less_protection_than_the_whole() -> None:
    talk = sn_talk(
        ciphered=True,
        policy=SecurityPolicy(),
        client={"protection": Protection.AUTHENTICATED, "require": Protection.NONE, "max_pdu_size": 90},
    )
    talk.shelf.put(REGISTER, octets(300))
    talk.client.send(Read((REGISTER_SN,)))
    talk.client.tick(talk.now)
    talk.step()
    assert served(talk, "0501050001") == "0c01010f"
    assert served(talk, "0501050001") == "0c010110"


def test_a_long_request_has_the_least_protection_of_its_blocks() -> None:
    talk = sn_talk(
        ciphered=True,
        policy=SecurityPolicy(),
        client={"protection": Protection.AUTHENTICATED, "require": Protection.NONE},
        server={"max_pdu_size": 60},
    )
    dropped = 0

    def strip(apdu: bytes) -> bytes:
        nonlocal dropped
        dropped += 1
        assert talk.client.context is not None
        return apdu if dropped != 2 else apdu[7:-12]

    talk.to_server = strip
    assert talk.ask(Write((CLOCK_SN,), (octets(60),))) == (SUCCESS,)
    assert dropped > 2
    assert talk.shelf.protection == [Protection.NONE]


def test_a_ciphered_association_refuses_clear_requests() -> None:
    talk = sn_secure()
    assert served(talk, "0501020108") == "0e050501"
    assert served(talk, "0601020108011105") == "0e060501"
    assert served(talk, "1601020108011105") == ""
    assert talk.shelf.calls == []


def test_all_apdus_that_pass_can_be_read() -> None:
    talk = sn_talk(client={"max_pdu_size": 40}, server={"max_pdu_size": 40})
    talk.shelf.put(REGISTER, octets(100))
    talk.ask(Read((REGISTER_SN,)))
    talk.ask(Write((REGISTER_SN,), (octets(100),)))
    kinds = {type(one).__name__ for one in decoded(talk.requests[1:] + talk.answers[1:])}
    assert kinds == {"ReadRequest", "ReadResponse", "WriteRequest", "WriteResponse"}
