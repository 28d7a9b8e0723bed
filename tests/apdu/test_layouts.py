"""Every layout of sections 4 and 6 to 14, and the worked examples, of the reference of the application layer."""

from __future__ import annotations

from typing import Any

import pytest

from cosemic import apdu as a
from cosemic.codec import EncodedData
from cosemic.errors import DecodeError, EncodeError
from cosemic.values import (
    ActionResult,
    Conformance,
    DataAccessResult,
    ErrorClass,
    ErrorService,
    KekId,
    KeyId,
    Obis,
    Priority,
    ServiceClass,
    ServiceError,
    StateError,
)

I = a.InvokeIdAndPriority(0xC1)  # noqa: E741  # it stands in every line
L = a.LongInvokeIdAndPriority(0x40000000)
CLOCK, CLOCK_HEX = Obis("0-0:1.0.0*255"), "0000010000ff"
TIME = a.CosemAttributeDescriptor(8, CLOCK, 2)
RESET = a.CosemMethodDescriptor(8, CLOCK, 1)
ATTRIBUTE, METHOD = f"0008 {CLOCK_HEX} 02", f"0008 {CLOCK_HEX} 01"
FIVE = EncodedData(b"\x11\x05")
NULL = EncodedData(b"\x00")
SELECTION = a.SelectiveAccessDescriptor(2, FIVE)
TWELVE = bytes.fromhex("07ea0b14050e1e0000ffc400")
BLOCK = a.DataBlockSA(True, 3, b"\xaa\xbb")
BLOCK_HEX = "01 00000003 02 aabb"
LISTED = (a.CosemAttributeDescriptorWithSelection(TIME), a.CosemAttributeDescriptorWithSelection(TIME, SELECTION))
LISTED_HEX = f"02 {ATTRIBUTE} 00 {ATTRIBUTE} 01 02 11 05"
SUCCESS, DENIED, OTHER = DataAccessResult.SUCCESS, DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OTHER_REASON
LN_BITS, SN_BITS = Conformance.from_octets(b"\x00\x7e\x1f"), Conformance.from_octets(b"\x1c\x03\x20")

LAYOUTS: dict[str, tuple[Any, str]] = {
    # section 4
    "glo": (a.ServiceSpecificCiphering(200, b"\x30\0\0\0\1"), "c8 05 3000000001"),
    "ded": (a.ServiceSpecificCiphering(0x41, b""), "41 00"),
    "general-glo": (a.GeneralGloCiphering(b"ABCDEFGH", b"\x30"), "db 08 4142434445464748 01 30"),
    "general-ded": (a.GeneralDedCiphering(b"", b"\x30"), "dc 00 01 30"),
    "general-ciphering": (
        a.GeneralCiphering(b"\1", b"ABCDEFGH", b"", b"", b"", None, b"\x30"),
        "dd 01 01 08 4142434445464748 00 00 00 00 01 30",
    ),
    "general-ciphering, identified": (
        a.GeneralCiphering(b"", b"", b"", b"", b"", a.IdentifiedKey(KeyId(1)), b""),
        "dd 00 00 00 00 00 01 00 01 00",
    ),
    "general-ciphering, wrapped": (
        a.GeneralCiphering(b"", b"", b"", b"", b"", a.WrappedKey(KekId(0), b"key"), b""),
        "dd 00 00 00 00 00 01 01 00 03 6b6579 00",
    ),
    "general-ciphering, agreed": (
        a.GeneralCiphering(b"", b"", b"", b"", b"", a.AgreedKey(b"\2", b""), b""),
        "dd 00 00 00 00 00 01 02 01 02 00 00",
    ),
    "general-signing": (
        a.GeneralSigning(b"\1", b"\2", b"\3", b"\4", b"\5", b"\6", b"\7"),
        "df" + "".join(f"010{n}" for n in range(1, 8)),
    ),
    "general-block-transfer": (
        a.GeneralBlockTransfer(a.BlockControl.of(last_block=False, streaming=True, window=5), 2, 1, b"\1\2"),
        "e0 45 0002 0001 02 0102",
    ),
    "gateway request": (a.GatewayRequest(0, b"\1\2", b"\xc0\1"), "e6 00 02 0102 c001"),
    "gateway response": (a.GatewayResponse(1, b"", b"\xc4"), "e7 01 00 c4"),
    # section 6
    "initiate-request": (a.InitiateRequest(None, True, None, 6, LN_BITS, 0x4B0), "01 00 00 00 06 5f1f0400 007e1f 04b0"),
    "initiate-request, all": (
        a.InitiateRequest(b"\xaa" * 16, False, -1, 6, LN_BITS, 0),
        f"01 01 10 {'aa' * 16} 01 00 01 ff 06 5f1f0400 007e1f 0000",
    ),
    "initiate-response": (a.InitiateResponse(None, 6, SN_BITS, 0x400, 0xFA00), "08 00 06 5f1f0400 1c0320 0400 fa00"),
    "initiate-response, quality": (a.InitiateResponse(5, 6, LN_BITS, 0, 7), "08 01 05 06 5f1f0400 007e1f 0000 0007"),
    # section 8
    "get normal": (a.GetRequestNormal(I, TIME), f"c0 01 c1 {ATTRIBUTE} 00"),
    "get normal, selected": (a.GetRequestNormal(I, TIME, SELECTION), f"c0 01 c1 {ATTRIBUTE} 01 02 11 05"),
    "get next": (a.GetRequestNext(I, 1), "c0 02 c1 00000001"),
    "get with list": (a.GetRequestWithList(I, LISTED), f"c0 03 c1 {LISTED_HEX}"),
    "get answer": (a.GetResponseNormal(I, FIVE), "c4 01 c1 00 11 05"),
    "get refused": (a.GetResponseNormal(I, DENIED), "c4 01 c1 01 03"),
    "get block": (a.GetResponseWithDatablock(I, a.DataBlockG(False, 1, b"\1\2")), "c4 02 c1 00 00000001 00 02 0102"),
    "get block refused": (a.GetResponseWithDatablock(I, a.DataBlockG(True, 2, OTHER)), "c4 02 c1 01 00000002 01 fa"),
    "get answers": (a.GetResponseWithList(I, (FIVE, DENIED)), "c4 03 c1 02 00 11 05 01 03"),
    # section 9
    "set normal": (a.SetRequestNormal(I, TIME, None, FIVE), f"c1 01 c1 {ATTRIBUTE} 00 11 05"),
    "set first block": (
        a.SetRequestWithFirstDatablock(I, TIME, SELECTION, BLOCK),
        f"c1 02 c1 {ATTRIBUTE} 01 02 11 05 {BLOCK_HEX}",
    ),
    "set block": (a.SetRequestWithDatablock(I, BLOCK), f"c1 03 c1 {BLOCK_HEX}"),
    "set list": (a.SetRequestWithList(I, LISTED, (FIVE, NULL)), f"c1 04 c1 {LISTED_HEX} 02 1105 00"),
    "set list, first block": (
        a.SetRequestWithListAndFirstDatablock(I, LISTED, BLOCK),
        f"c1 05 c1 {LISTED_HEX} {BLOCK_HEX}",
    ),
    "set answer": (a.SetResponseNormal(I, SUCCESS), "c5 01 c1 00"),
    "set acknowledged": (a.SetResponseDatablock(I, 2), "c5 02 c1 00000002"),
    "set last block": (a.SetResponseLastDatablock(I, SUCCESS, 3), "c5 03 c1 00 00000003"),
    "set last block, list": (a.SetResponseLastDatablockWithList(I, (SUCCESS, DENIED), 3), "c5 04 c1 02 00 03 00000003"),
    "set answers": (a.SetResponseWithList(I, (SUCCESS, DENIED)), "c5 05 c1 02 00 03"),
    # section 10
    "action normal": (a.ActionRequestNormal(I, RESET), f"c3 01 c1 {METHOD} 00"),
    "action normal, data": (a.ActionRequestNormal(I, RESET, FIVE), f"c3 01 c1 {METHOD} 01 11 05"),
    "action next": (a.ActionRequestNextPblock(I, 1), "c3 02 c1 00000001"),
    "action list": (a.ActionRequestWithList(I, (RESET,), (NULL,)), f"c3 03 c1 01 {METHOD} 01 00"),
    "action first block": (a.ActionRequestWithFirstPblock(I, RESET, BLOCK), f"c3 04 c1 {METHOD} {BLOCK_HEX}"),
    "action list, first block": (
        a.ActionRequestWithListAndFirstPblock(I, (RESET, RESET), BLOCK),
        f"c3 05 c1 02 {METHOD} {METHOD} {BLOCK_HEX}",
    ),
    "action block": (a.ActionRequestWithPblock(I, BLOCK), f"c3 06 c1 {BLOCK_HEX}"),
    "action answer": (
        a.ActionResponseNormal(I, a.ActionResponseWithOptionalData(ActionResult.SUCCESS)),
        "c7 01 c1 00 00",
    ),
    "action answer, data": (
        a.ActionResponseNormal(I, a.ActionResponseWithOptionalData(ActionResult.SUCCESS, FIVE)),
        "c7 01 c1 00 01 00 11 05",
    ),
    "action answer, no data": (
        a.ActionResponseNormal(I, a.ActionResponseWithOptionalData(ActionResult.OTHER_REASON, DENIED)),
        "c7 01 c1 fa 01 01 03",
    ),
    "action answer block": (a.ActionResponseWithPblock(I, BLOCK), f"c7 02 c1 {BLOCK_HEX}"),
    "action answers": (
        a.ActionResponseWithList(I, (a.ActionResponseWithOptionalData(ActionResult.SUCCESS, FIVE),) * 2),
        "c7 03 c1 02 00 01 00 1105 00 01 00 1105",
    ),
    "action acknowledged": (a.ActionResponseNextPblock(I, 1), "c7 04 c1 00000001"),
    # section 11
    "access request": (
        a.AccessRequest(
            L,
            TWELVE,
            (
                a.AccessRequestSpecification("get", TIME),
                a.AccessRequestSpecification("set", TIME),
                a.AccessRequestSpecification("action", RESET),
                a.AccessRequestSpecification("get_with_selection", a.AccessRequestWithSelection(TIME, SELECTION)),
                a.AccessRequestSpecification("set_with_selection", a.AccessRequestWithSelection(TIME, SELECTION)),
            ),
            (NULL, FIVE, NULL, NULL, FIVE),
        ),
        f"d9 40000000 0c {TWELVE.hex()} 05 01 {ATTRIBUTE} 02 {ATTRIBUTE} 03 {METHOD} 04 {ATTRIBUTE} 02 1105"
        f" 05 {ATTRIBUTE} 02 1105 05 00 1105 00 00 1105",
    ),
    "access response": (
        a.AccessResponse(
            L,
            b"",
            None,
            (FIVE, NULL, NULL),
            (
                a.AccessResponseSpecification("get", SUCCESS),
                a.AccessResponseSpecification("set", DENIED),
                a.AccessResponseSpecification("action", ActionResult.OTHER_REASON),
            ),
        ),
        "da 40000000 00 00 03 1105 00 00 03 01 00 02 03 03 fa",
    ),
    "access response, self-descriptive": (
        a.AccessResponse(L, b"", (a.AccessRequestSpecification("get", TIME),), (FIVE,), ()),
        f"da 40000000 00 01 01 01 {ATTRIBUTE} 01 1105 00",
    ),
    # section 12
    "data-notification": (a.DataNotification(L, TWELVE, FIVE), f"0f 40000000 0c {TWELVE.hex()} 1105"),
    "data-notification-confirm": (a.DataNotificationConfirm(L, b""), "10 40000000 00"),
    "event-notification": (a.EventNotificationRequest(None, TIME, FIVE), f"c2 00 {ATTRIBUTE} 1105"),
    "event-notification, time": (
        a.EventNotificationRequest(TWELVE, TIME, FIVE),
        f"c2 01 0c {TWELVE.hex()} {ATTRIBUTE} 1105",
    ),
    # section 13
    "read": (
        a.ReadRequest((0xFA00, a.ParameterizedAccess(0x100, 0, FIVE), a.BlockNumberAccess(2))),
        "05 03 02 fa00 04 0100 00 1105 05 0002",
    ),
    "read in blocks": (a.ReadRequest((a.ReadDataBlockAccess(True, 1, b"\1"),)), "05 01 06 01 0001 01 01"),
    "read answer": (
        a.ReadResponse(
            (
                a.ReadResult("data", FIVE),
                a.ReadResult("data_access_error", DENIED),
                a.ReadResult("data_block_result", a.DataBlockResult(False, 1, b"\1")),
                a.ReadResult("block_number", 2),
            )
        ),
        "0c 04 00 1105 01 03 02 00 0001 01 01 03 0002",
    ),
    "write": (
        a.WriteRequest((0x100, a.WriteDataBlockAccess(True, 1)), (FIVE, FIVE)),
        "06 02 02 0100 07 01 0001 02 1105 1105",
    ),
    "write answer": (
        a.WriteResponse(
            (a.WriteResult("success"), a.WriteResult("data_access_error", DENIED), a.WriteResult("block_number", 2))
        ),
        "0d 03 00 01 03 02 0002",
    ),
    "unconfirmed write": (a.UnconfirmedWriteRequest((0x100,), (FIVE,)), "16 01 02 0100 01 1105"),
    "information report": (a.InformationReportRequest(None, (0x108,), (FIVE,)), "18 00 01 02 0108 01 1105"),
    "information report, time": (
        a.InformationReportRequest(b"20261120143000Z", (0x108,), (FIVE,)),
        "18 01 0f 32303236313132303134333030305a 01 02 0108 01 1105",
    ),
    # section 14
    "exception": (a.ExceptionResponse(StateError(1), (ServiceError(1), None)), "d8 01 01"),
    "exception, counter": (a.ExceptionResponse(StateError(1), (ServiceError(6), 16)), "d8 01 06 00000010"),
    "confirmed service error": (a.ConfirmedServiceError(ErrorService(1), ErrorClass(6), 1), "0e 01 06 01"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_written_and_read(name: str) -> None:
    value, text = LAYOUTS[name]
    octets = bytes.fromhex(text)
    assert value.encode() == octets
    assert a.decode(octets) == value
    assert type(a.decode(octets)) is type(value)
    assert type(value).decode(octets) == value
    for end in range(len(octets)):
        if "gateway" not in name:
            with pytest.raises(DecodeError):
                a.decode(octets[:end])


def test_the_layouts_meet_every_class() -> None:
    met = {type(value) for value, _ in LAYOUTS.values()} | {a.AARQ, a.AARE, a.RLRQ, a.RLRE}
    tops = {kind for top in a.COSEM_PDU for kind in getattr(top, "by_number", {0: top}).values()}
    assert tops <= met


# Other forms of the same: accepted, and sent in the canonical form.
VARIANTS = {
    "conformance tag of one octet (6.1)": ("01 00 00 00 06 5f0400 007e1f 04b0", "initiate-request"),
    "response-allowed given (6.1)": ("01 00 01 01 00 06 5f1f0400 007e1f 04b0", "initiate-request"),
    "TRUE as FF (1.2)": ("c4 02 c1 ff 00000002 01 fa", "get block refused"),
    "length of two octets more (1.2)": ("e0 45 0002 0001 82 0002 0102", "general-block-transfer"),
    "date-time with a Data tag (12 a)": (f"0f 40000000 09 0c {TWELVE.hex()} 1105", "data-notification"),
    "time without length (12)": (f"c2 01 {TWELVE.hex()} {ATTRIBUTE} 1105", "event-notification, time"),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_other_forms_are_read_and_sent_canonically(name: str) -> None:
    text, canonical = VARIANTS[name]
    value, octets = LAYOUTS[canonical]
    assert a.decode(bytes.fromhex(text)) == value
    assert a.decode(bytes.fromhex(text)).encode() == bytes.fromhex(octets)


def test_an_information_report_may_hold_a_cosem_date_time() -> None:
    report = a.decode(bytes.fromhex(f"18 0c {TWELVE.hex()} 01 02 0108 01 1105"))
    assert report == a.InformationReportRequest(TWELVE, (0x108,), (FIVE,))
    assert a.decode(report.encode()) == report


REFUSED = {
    "bare TRUE as response-allowed (6.1)": ("01 00 ff 00 06 5f1f0400 007e1f 04b0", "response_allowed"),
    "no conformance tag": ("01 00 00 00 06 5f1f0300 007e1f 04b0", "conformance"),
    "presence flag 02": (f"c0 01 c1 {ATTRIBUTE} 02", "access_selection"),
    "alternative 02 of Get-Data-Result": ("c4 01 c1 02 00", "result"),
    "type 00": ("c0 00 c1", "get-request"),
    "type 09": ("c0 09 c1", "get-request"),
    "detailed access": ("05 01 03 0000", "variable_access_specification[0]"),
    "block of which octets are missing": ("e0 45 0002 0001 82 0002 01", "block_data"),
    "octets behind": ("c4 01 c1 01 03 00", "get-response-normal"),
    "reserved tag in Data": ("c4 01 c1 00 02 01 08", "get-response-normal.result.data[0]"),
    "counter cut off": ("d8 01 06 000000", "service_error"),
    "no service-error": ("d8 02", "service_error"),
    "more data than octets": ("0c 7f 00", "read-response.result"),
    "time of neither form": (f"c2 02 {ATTRIBUTE} 1105", "time"),
    "time cut off": ("c2 01 07ea", "time"),
    "date-time cut off": ("0f 40000000 0c 07ea", "date_time"),
    "current-time of neither form": ("18 02 01 02 0108 01 1105", "current_time"),
    "current-time cut off": ("18 0c 07ea", "current_time"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_standard_does_not_know_is_refused_where_it_stands(name: str) -> None:
    text, path = REFUSED[name]
    with pytest.raises(DecodeError) as caught:
        a.decode(bytes.fromhex(text))
    assert caught.value.path.endswith(path)


@pytest.mark.parametrize("tag", [0, 2, 0x17, 0xC6, 0xCE, 0xD6, 0xDE, 0xE1, 0xFF])
def test_tags_of_no_apdu_are_refused(tag: int) -> None:
    with pytest.raises(DecodeError, match=f"not {tag:02x}"):
        a.decode(bytes((tag,)) + bytes(10))
    with pytest.raises(DecodeError):
        a.decode(b"")
    with pytest.raises(DecodeError) as caught:
        a.ServiceSpecificCiphering.decode(bytes((tag, 0)))
    assert (caught.value.offset, caught.value.path) == (0, "service-specific-ciphering.tag")


WORKED = {
    "C001C10007 0100630100FF 02 01 02 0204 06 00000001 06 0000000A 12 0001 12 0000": (
        (1, 10, 1, 0), "access_selection",
    ),
    "C4 01 C1 00 09 0C 07EA0B14050E1E0000FFC400": (TWELVE, "result"),
    "C3 01 C1 000F 0000280000FF 01 01 09 11 10 00000001 000102030405060708090a0b": (
        bytes.fromhex("1000000001000102030405060708090a0b"),
        "method_invocation_parameters",
    ),
    "0F 40000001 00 02 02 12 0001 06 00000010": ((1, 16), "notification_body"),
    "C2 00 0001 0000600B00FF 02 11 05": (5, "attribute_value"),
}  # fmt: skip


@pytest.mark.parametrize("text", WORKED)
def test_data_of_the_worked_examples(text: str) -> None:
    value, field = WORKED[text]
    found = getattr(a.decode(bytes.fromhex(text)), field)
    found = getattr(found, "access_parameters", found)
    assert found.value() == value


def test_access_samples_of_section_11() -> None:
    request = a.decode(bytes.fromhex(
        "D9 200003EB 00 01 04 0007 0000620104FF 02 01 02 04 02 04 12 0001 09 06 00005E2C64FF 0F 02 12 0000"
        " 06 1C2AA118 06 1C374A80 01 00 01 00"
    ))  # fmt: skip
    one = request.access_request_specification[0]
    assert one.alternative == "get_with_selection"
    assert one.value.cosem_attribute_descriptor == a.CosemAttributeDescriptor(7, Obis("0-0:98.1.4*255"), 2)
    selected = one.value.access_selection.access_parameters.value()
    assert selected == ((1, Obis("0-0:94.44.100*255"), 2, 0), 0x1C2AA118, 0x1C374A80, [])
    liip = request.long_invoke_id_and_priority
    assert (liip.invoke_id, liip.break_on_error, liip.service_class) == (0x3EB, True, ServiceClass.UNCONFIRMED)
    response = a.decode(bytes.fromhex("DA 200003EB 00 00 01 00 01 02 00"))
    assert response.access_response_specification == (a.AccessResponseSpecification("set", SUCCESS),)
    clock = a.decode(bytes.fromhex("D9 40000000 00 01 01 0008 0000010000FF 02 01 00"))
    assert clock.access_request_specification == (a.AccessRequestSpecification("get", TIME),)
    answer = a.decode(bytes.fromhex(f"DA 40000000 00 00 01 09 0C {TWELVE.hex()} 01 01 00"))
    assert answer.access_response_list_of_data[0].value() == TWELVE


def test_general_block_transfer_of_section_16() -> None:
    blocks = [
        "E0 05 0001 0000 82 0002 C402", "E0 45 0002 0001 82 0002 0102", "E0 45 0003 0001 82 0002 0304",
        "E0 45 0004 0001 82 0002 0506", "E0 45 0005 0001 82 0002 0708", "E0 05 0006 0001 82 0002 090A",
        "E0 45 0007 0002 82 0002 0B0C", "E0 45 0008 0002 82 0002 0D0E", "E0 85 0009 0002 82 0001 0F",
    ]  # fmt: skip
    read = [a.decode(bytes.fromhex(text)) for text in blocks]
    assert b"".join(block.block_data for block in read) == bytes.fromhex("C402 0102030405060708090A0B0C0D0E0F")
    assert [block.block_number for block in read] == list(range(1, 10))
    assert [block.block_control.streaming for block in read] == [False, *[True] * 4, False, True, True, False]
    assert [block.block_control.last_block for block in read] == [False] * 8 + [True]
    assert {block.block_control.window for block in read} == {5}
    whole = a.decode(bytes.fromhex("E0 81 0001 0000 0D C001C100080000010000FF0200"))
    assert a.decode(whole.block_data) == a.GetRequestNormal(I, TIME)


def test_invoke_ids_are_read_as_their_parts() -> None:
    assert a.InvokeIdAndPriority.of(1) == I
    assert (I.invoke_id, I.service_class, I.priority) == (1, ServiceClass.CONFIRMED, Priority.HIGH)
    assert repr(a.InvokeIdAndPriority(0)) == "<invoke-id 0 unconfirmed normal>"
    every = a.LongInvokeIdAndPriority.of(0xABCDEF, self_descriptive=True, break_on_error=True, priority=Priority.HIGH)
    assert every == 0xF0ABCDEF
    assert (every.invoke_id, every.self_descriptive, every.break_on_error) == (0xABCDEF, True, True)
    assert every.priority is Priority.HIGH
    assert repr(L) == "<long-invoke-id 0 confirmed normal>"
    for number in range(256):
        one = a.InvokeIdAndPriority(number & 0xCF)
        assert a.InvokeIdAndPriority.of(one.invoke_id, one.service_class, one.priority) == one


def test_a_dedicated_key_is_not_printed() -> None:
    request = a.InitiateRequest(b"sixteen octets..", True, None, 6, LN_BITS, 0)
    assert "sixteen" not in repr(request)
    assert "7369" not in repr(request)
    assert "dedicated_key=None" in repr(a.InitiateRequest(None, True, None, 6, LN_BITS, 0))


def test_a_counter_goes_with_invocation_counter_error_alone() -> None:
    for error in ((ServiceError(6), None), (ServiceError(5), 1), (ServiceError(6), 1 << 32), (300, None), 5):
        with pytest.raises(EncodeError):
            a.ExceptionResponse(StateError(1), error).encode()  # type: ignore[arg-type]  # 5 is no pair


def test_times_that_look_like_another_form_are_still_read_back() -> None:
    for date_time in (b"\x0c" + bytes(8), b"\x0c" + bytes(11), b"", bytes(9)):
        notification = a.DataNotification(L, date_time, FIVE)
        assert a.decode(notification.encode()) == notification
    for time in (bytes(7), b"\x07" * 7, b"", b"\x07" * 12):
        event = a.EventNotificationRequest(time, TIME, FIVE)
        assert a.decode(event.encode()) == event


def test_conformance_blocks_seen_before_are_the_same_as_new_ones() -> None:
    for number in [*range(600), 0, 1, 599]:
        request = a.InitiateRequest(None, True, None, 6, Conformance(number), 0)
        again = a.decode(request.encode()).proposed_conformance
        assert again == number
        assert isinstance(again, Conformance)
