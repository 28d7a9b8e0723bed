"""Messages and data sets of IEC 62056-21: octets of captures and of the reference, and what is none of them."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cosemic
from cosemic.errors import DecodeError, EncodeError
from cosemic.link.iec21 import (
    Command,
    DataMessage,
    DataSet,
    Identification,
    Mode,
    OptionSelect,
    Readout,
    Signal,
    Value,
    read_command,
    read_readout,
)
from cosemic.link.iec21.characters import block_check
from cosemic.link.iec21.datasets import data_block, read_datasets
from cosemic.link.iec21.messages import Request, read_block
from cosemic.link.iec21.reader import MAX_LINE, Damaged, Expected, MessageReader
from cosemic.values import Obis, Quantity, Unit
from tests.vectors import Record, compare, each_record, octets, record

PRINTABLE = st.text(st.sampled_from([chr(each) for each in range(0x20, 0x7F) if chr(each) not in "()/!"]), max_size=20)
DATASETS = st.builds(
    DataSet,
    PRINTABLE.filter(str.strip),
    st.lists(PRINTABLE, max_size=3).map(tuple),
)
TEXTS = st.lists(DATASETS.filter(lambda one: one.values), max_size=5).map(lambda many: data_block(many)[:-3])


@each_record("readout", "progcmd")
def test_a_captured_message_gives_what_its_record_says(record: Record) -> None:
    decoded = cosemic.decode(octets(record), kind=record["kind"])
    assert compare(record["expected"], decoded.to_dict()) == []
    assert decoded.explain()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Command("B0"), "01 423003 71"),
        (Command("R1", b"1.8.0()"), "01 523102 312e382e302829 03 5a"),
        (Command("P1", b"(00000000)"), "01 503102 28303030303030303029 03 61"),
        (Request(), "2f3f210d0a"),
        (Request("12 AB"), "2f3f3132204142210d0a"),
        (OptionSelect(0, "5", 1), "06303531 0d0a"),
        (OptionSelect(2, "5", 2), "06323532 0d0a"),
        (Identification("XXX", "5", "Ident"), "2f5858583549 64656e74 0d0a"),
        (Identification("XXX", "5", "Ident", "2"), "2f585858355c3249 64656e74 0d0a"),
        (Signal.ACK, "06"),
        (Signal.NAK, "15"),
        (DataMessage(b"(1)"), "02 283129 03" + f"{0x28 ^ 0x31 ^ 0x29 ^ 3:02x}"),
        (DataMessage(b"(1)", more=True), "02 283129 04" + f"{0x28 ^ 0x31 ^ 0x29 ^ 4:02x}"),
    ],
)
def test_messages_have_the_octets_of_the_reference(message: object, text: str) -> None:
    wire = bytes.fromhex(text)
    assert message.encode() == wire
    if isinstance(message, Command | DataMessage):
        assert read_block(wire) == message
    elif not isinstance(message, Signal):
        assert type(message).decode(wire) == message


@pytest.mark.parametrize("record_id", ["iec21-w2-command", "iec21-p0-operand"])
def test_a_captured_command_is_written_as_it_came(record_id: str) -> None:
    wire = octets(record(record_id))
    command = read_block(wire)
    assert isinstance(command, Command)
    assert command.encode() == wire


@given(st.binary(max_size=40))
def test_the_block_check_is_the_exclusive_or(some: bytes) -> None:
    assert block_check(some) == reduce(xor, some, 0)


@given(TEXTS, st.integers(0, 400), st.integers(1, 255))
def test_one_wrong_octet_in_a_block_is_always_seen(text: bytes, at: int, change: int) -> None:
    wire = bytearray(DataMessage(text).encode())
    at = 1 + at % (len(wire) - 1)
    wire[at] ^= change
    with pytest.raises(DecodeError):
        read_block(bytes(wire))


@pytest.mark.parametrize(
    ("character", "escapes", "mode"),
    [
        ("0", "", Mode.C),
        ("6", "2", Mode.C),
        ("0", "3", Mode.C),
        ("A", "", Mode.B),
        ("F", "", Mode.B),
        ("G", "", Mode.A),
        ("?", "", Mode.A),
    ],
)
def test_the_baud_character_tells_the_mode(character: str, escapes: str, mode: Mode) -> None:
    identification = Identification.decode(Identification("ABC", character, "x", escapes).encode())
    assert identification.mode is mode
    assert identification.offers_mode_e == ("2" in escapes)


def test_a_small_third_letter_tells_a_fast_meter() -> None:
    assert Identification("ABc", "5").reacts_fast
    assert not Identification("ABC", "5").reacts_fast


@pytest.mark.parametrize(
    "wrong",
    [
        Request("(1)"), Request("1" * 33), Identification("AB", "5"), Identification("ABC", "5", "a\r"),
        Identification("ABC", "5", "\\2"), OptionSelect(12, "5", 0), OptionSelect(0, "55", 0), Command("RR"),
        Command("R1", b"\x03"), DataMessage(b"a\x04"), DataSet("1.8.0", ("(",)), DataSet("1/8", ("1",)),
        DataSet("1", ("\xe9",)), DataSet("1", ("1\r\n",)),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_reader_would_understand_is_not_sent(wrong: object) -> None:
    with pytest.raises(EncodeError):
        wrong.encode()


@given(st.sampled_from((Request, Identification, OptionSelect)), st.binary(max_size=20))
def test_other_octets_are_a_decode_error(kind: type, some: bytes) -> None:
    for wire in (some, b"/" + some, b"/?" + some + b"!\r\n", b"\x06" + some + b"\r\n", b"/ABC5" + some):
        try:
            message = kind.decode(wire)
        except DecodeError:
            continue
        assert isinstance(message, kind)


@pytest.mark.parametrize("leading", ["", "0", "000"])
def test_leading_zeros_of_a_device_address_do_not_count(leading: str) -> None:
    assert Request(leading + "123").concerns("00123")
    assert Request("").concerns("00123")
    assert not Request(leading + "124").concerns("00123")


# ---- data sets -------------------------------------------------------------------------------------------------------


@given(st.lists(DATASETS.filter(lambda one: one.values), max_size=5).map(tuple))
def test_data_sets_are_read_as_they_were_written(datasets: tuple[DataSet, ...]) -> None:
    assert read_datasets(data_block(datasets)) == datasets
    assert read_datasets(b"".join(one.encode() for one in datasets)) == datasets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"6.8(0029.055*MWh)6.26(01589.28*m3)", [("6.8", ("0029.055*MWh",)), ("6.26", ("01589.28*m3",))]),
        (b"0.9.1(1)\r\n(2)\r\n!\r\n", [("0.9.1", ("1", "2"))]),
        (b"(1234567)", [("", ("1234567",))]),
        (b"", []),
    ],
)
def test_a_data_set_without_address_belongs_to_the_one_before(text: bytes, expected: list[object]) -> None:
    assert [(one.address, one.values) for one in read_datasets(text)] == expected


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("000123.4*kWh", Quantity(1234, 2, Unit.of("Wh"))),
        ("0029.055*MWh", Quantity(29055, 3, Unit.of("Wh"))),
        ("-12*kvar", Quantity(-12, 3, Unit.of("var"))),
        ("001.476*m3ph", Quantity(1476, -3, Unit.of("m³/h"))),
        ("088*C", Quantity(88, 0, Unit.of("°C"))),
        ("230.*V", Quantity(230, 0, Unit.of("V"))),
        ("7*kVArh", Quantity(7, 3, Unit.of("varh"))),
        ("00", None),
        ("013925.5*", None),
        ("088*C&082*C", None),
        ("12*furlong", None),
        ("1" * 40 + "*V", None),
    ],
)
def test_numbers_with_a_known_unit_are_quantities(text: str, quantity: Quantity | None) -> None:
    (part,) = DataSet("1.8.0", (text,)).parts
    assert part.quantity == quantity
    assert part == Value(*text.partition("*")[::2])


def test_a_read_out_gives_values_by_address() -> None:
    readout = read_readout(octets(record("iec21-siemens-wr5")))
    assert str(readout.value("6.8")) == "29055000 Wh"
    assert readout.value("6.26*01") == Quantity(156392, -2, Unit.of("m³"))
    assert readout.value("F") == "0"
    assert readout.value("1.8.0") is None
    assert readout.device is None
    assert list(readout) == list(readout.datasets)


def test_an_address_is_found_in_any_form_of_its_code() -> None:
    readout = Readout(
        "/ABC5x", (DataSet("1-1:1.8.0", ("2*kWh",)), DataSet("1.8.0*255", ("1*kWh",)), DataSet("C.1", ()))
    )
    for address in ("1.8.0", "1-0:1.8.0", "1.0.1.8.0.255", "0100010800ff"):
        assert readout.value(address) == Quantity(1, 3, Unit.of("Wh"))
    assert readout.value("C.1") is None
    assert readout.datasets[0].obis == Obis("1-1:1.8.0*255")
    assert DataSet("no code", ()).obis is None
    assert readout.device == Identification("ABC", "5", "x")
    assert Readout("/A", ()).device is None


# ---- captures --------------------------------------------------------------------------------------------------------

GOOD = DataMessage(b"1.8.0(1*kWh)\r\n!\r\n").encode()


@pytest.mark.parametrize(
    "before", [b"", b"\x00\x00\x7f", b"/?!\r\n", b"/?1!\r\n/ABC5x\r\n", b"/ABC5x\r\n", b"\x15\x06"]
)
@pytest.mark.parametrize("behind", [b"", b"\x7f", b"\x00"])
def test_noise_and_echo_around_a_read_out_are_passed_over(before: bytes, behind: bytes) -> None:
    readout = read_readout(before + GOOD + behind)
    assert readout.datasets == (DataSet("1.8.0", ("1*kWh",)),)
    assert readout.bcc_ok is True
    assert readout.identification == ("/ABC5x" if b"ABC" in before else None)


def test_mode_d_has_no_check() -> None:
    readout = read_readout(b"/ABC3x\r\n\r\n1.8.0(1*kWh)\r\n!\r\n")
    assert (readout.identification, readout.bcc, readout.bcc_computed, readout.bcc_ok) == ("/ABC3x", None, None, None)


@pytest.mark.parametrize(
    ("wrong", "offset"),
    [
        (b"", 0),
        (b"1.8.0(1)\r\n!\r\n", 0),
        (GOOD[:-1], len(GOOD) - 1),
        (GOOD[:-2], len(GOOD) - 2),
        (b"\x021.8.0(1\x03\x00", 6),
        (b"\x021.8.0(1)!x\x03\x00", 9),
        (b"/ABC5x\r\n1.8.0(1", 13),
        (b"/ABC5x\r\n1.8.0(1)", 16),
        (GOOD + b"/ABC5x\r\n", len(GOOD)),
    ],
)
def test_what_is_no_read_out_is_refused_where_it_is_wrong(wrong: bytes, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        read_readout(wrong)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\x01",
        b"\x01R1",
        b"\x01R1\x02(1)",
        b"\x01R1\x02(1)\x03",
        b"\x01R1(1)\x03\x00",
        b"\x01rr\x03\x00",
        Command("B0").encode() * 2,
    ],
)
def test_what_is_no_command_is_refused(wrong: bytes) -> None:
    with pytest.raises(DecodeError):
        read_command(wrong)


def test_a_command_with_a_wrong_check_is_shown_as_wrong() -> None:
    assert read_command(b"\x00" + Command("B0").encode()).bcc_ok
    assert not read_command(b"\x01B0\x03\x00").bcc_ok


@given(
    st.lists(st.sampled_from([*b"/()!\r\n 1*\xff\x01\x02\x03\x04R"]), max_size=30).map(bytes) | st.binary(max_size=60)
)
def test_any_octets_give_a_message_or_a_decode_error(some: bytes) -> None:
    for read in (read_readout, read_command):
        try:
            read(some)
        except DecodeError:
            continue


# ---- messages in a stream --------------------------------------------------------------------------------------------

EVERYTHING = Expected.LINE | Expected.DATA | Expected.COMMAND | Expected.SIGNAL


def found(stream: bytes, cuts: list[int], expected: Expected = EVERYTHING, **arguments: int) -> list[object]:
    reader = MessageReader(**arguments)
    reader.expected = expected
    messages = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[start:end])
        while (message := reader.next()) is not None:
            messages.append(message)
    return messages


MESSAGES = st.one_of(
    st.just(Request("1")),
    st.just(Identification("ABC", "5", "x", "2")),
    TEXTS.map(lambda text: DataMessage(text, more=len(text) % 2 == 0)),
    TEXTS.map(lambda text: Command("R1", text)),
    st.just(Command("B0")),
)


@given(st.lists(MESSAGES, max_size=6), st.data())
def test_messages_are_found_however_the_stream_is_cut_and_whatever_lies_between(
    messages: list[object], data: st.DataObject
) -> None:
    noise = st.sampled_from([b"", b"\x00\x00", b"\xff\x7f", b"\r\n"])
    stream = b"".join(data.draw(noise) + message.encode() for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert found(stream, cuts) == messages


@given(st.lists(st.sampled_from([*b"/\x01\x02\x03\x04\x06\x15!?\r\nA5\x00"]), max_size=60).map(bytes), st.data())
def test_how_any_octets_are_cut_makes_no_difference(stream: bytes, data: st.DataObject) -> None:
    expected = data.draw(st.sampled_from([EVERYTHING, Expected.LINE | Expected.DATA | Expected.TEXT, Expected.SELECT]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert found(stream, cuts, expected) == found(stream, [], expected)


@pytest.mark.parametrize("signal", list(Signal))
def test_a_signal_is_one_only_where_it_stands_alone(signal: Signal) -> None:
    reader = MessageReader()
    reader.expected = EVERYTHING
    octets = signal.encode()
    for before, behind in ((b"", b""), (b"\xff", b""), (b"", b"\x00"), (Command("B0").encode(), b"")):
        reader.reset()
        reader.feed(before + octets + behind)
        while (message := reader.next()) is not None:
            assert message == Command("B0")
        assert reader.signalled == (not behind)
        assert reader.give_up() == (None if behind else Damaged(octets[0]) if before == b"\xff" else signal)
    reader.feed(b"\xff")
    assert reader.next() is None
    reader.calm()
    reader.feed(octets)
    assert reader.next() is None
    assert reader.give_up() is signal


def test_only_what_is_expected_is_looked_for() -> None:
    stream = Identification("ABC", "5").encode() + OptionSelect(0, "5", 0).encode() + GOOD
    assert found(stream, [], Expected.NOTHING) == []
    assert found(stream, [], Expected.SELECT) == [OptionSelect(0, "5", 0)]
    assert found(stream, [], Expected.DATA) == [read_block(GOOD)]


def test_the_text_of_mode_d_ends_with_its_exclamation_mark() -> None:
    expected = Expected.LINE | Expected.DATA | Expected.TEXT
    telegram = b"/ABC3x\r\n\r\n1.8.0(a!b)\r\n!\r\n"
    assert (
        found(telegram * 2, [], expected) == [Identification("ABC", "3", "x"), DataMessage(b"1.8.0(a!b)\r\n!\r\n")] * 2
    )
    assert found(b"x" + GOOD, [], expected) == [read_block(GOOD)]


def test_a_line_is_found_behind_the_ruins_of_another() -> None:
    assert found(b"/?/\x00/ABC5x\r\n", [], Expected.LINE) == [Identification("ABC", "5", "x")]
    assert found(b"/" * MAX_LINE * 2 + b"ABC5x\r\n", [], Expected.LINE) == [Identification("ABC", "5", "x")]
    assert found(b"/A\r\n", [], Expected.LINE) == [Damaged(ord("/"))]


def test_a_message_without_end_is_given_up_at_its_bound() -> None:
    assert found(b"\x02" + b"1" * 100, [], max_octets=50) == [Damaged(2)]
    reader = MessageReader()
    reader.expected = Expected.DATA
    reader.feed(b"\x021.8" + GOOD[:-1])
    assert reader.next() is None
    assert reader.pending
    assert reader.give_up() == Damaged(2)
    reader.feed(GOOD[-1:])
    assert reader.next() == read_block(GOOD)
    assert reader.give_up() is None
    assert reader.rest() == b""
