"""V.44 packets: the published vectors, round trips, every code of the line, hostile packets, and a second decoder."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError, DecodeError
from cosemic.security.compression import compress, decompress
from tests.security.v44 import ETM, FLUSH, REINIT, STEPUP, Line, Refused, restated

VECTORS = {
    b"": "03",
    b"A": "8203",
    b"A" * 8: "82090103",
    b"ABCABCABCABCABCD": "82848609A18803",
    bytes.fromhex("020209060100010800FF09060100020800FF"): "0404120C020002100005FF0D45E0E201",
    bytes(300): "0009113E21760C00",
}
PROFILE = b"\xc4\x01\xc1\x00\x01\x28" + b"".join(
    bytes.fromhex(f"0204090C07EA0B15FF{hour:02X}0F00FFFFC40006{400_000 + 137 * hour:08X}1100") for hour in range(40)
)

alphabets = st.sampled_from([1, 2, 3, 16, 128, 256]).flatmap(
    lambda size: st.lists(st.integers(256 - size, 255), max_size=200).map(bytes)
)
repeated = st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=40), st.integers(1, 60))
runs = st.lists(st.tuples(st.integers(0, 255), st.integers(1, 400)), max_size=4).map(
    lambda parts: b"".join(bytes((octet,)) * count for octet, count in parts)
)
rows = st.lists(st.integers(0, 0xFFFF), max_size=40).map(
    lambda values: b"".join(bytes.fromhex(f"0203090C07EA0B15FF0A0F00FFFFC40006{value:08X}1100") for value in values)
)
texts = st.lists(st.one_of(alphabets, repeated, runs, rows, st.binary(max_size=100)), max_size=3).map(b"".join)
longest = st.sampled_from([32, 46, 47, 78, 79, 142, 143, 254, 255])


@pytest.mark.parametrize("octets", VECTORS, ids=lambda octets: f"{len(octets)} octets")
def test_vectors_are_reproduced_both_ways(octets: bytes) -> None:
    packet = bytes.fromhex(VECTORS[octets])
    assert compress(octets) == packet
    assert decompress(packet, len(octets)) == octets
    assert restated(packet, len(octets)) == octets


def test_a_hundred_thousand_zeros_become_350_octets() -> None:
    assert len(compress(bytes(100_000))) == 350


def test_profile_rows_become_much_shorter() -> None:
    assert len(compress(PROFILE)) < len(PROFILE) / 3
    assert decompress(compress(PROFILE), len(PROFILE)) == PROFILE


@given(texts, longest, st.sampled_from([256, 300, 1024, 1525, 65535]))
@example(bytes(range(256)) * 5, 255, 256)
@example(b"ab" * 3000, 32, 256)
def test_what_was_compressed_comes_back(octets: bytes, string_length: int, codewords: int) -> None:
    packet = compress(octets, codewords=codewords, string_length=string_length)
    for known in (codewords, 65535):
        assert decompress(packet, len(octets), codewords=known, string_length=string_length) == octets
        assert restated(packet, len(octets), codewords=known, longest=string_length) == octets
    if octets:
        with pytest.raises(DecodeError):
            decompress(packet, len(octets) - 1, string_length=string_length)


@given(texts, longest, st.sampled_from([256, 1024]))
def test_an_independent_implementation_reads_what_was_compressed(octets: bytes, string_length: int, n2: int) -> None:
    theirs = pytest.importorskip("pydlms.security.v44").V44Decoder(n2=65535, n7=string_length)
    packet = compress(octets, codewords=n2, string_length=string_length)
    assert theirs.decompress(packet, max_output=len(octets)) == octets


@given(texts)
def test_every_packet_that_is_cut_or_continued_is_refused(octets: bytes) -> None:
    packet = compress(octets)
    for size in range(max(0, len(packet) - 8), len(packet)):
        with pytest.raises(DecodeError):
            decompress(packet[:size], len(octets))
    for more in (b"\x00", b"\x03", packet):
        with pytest.raises(DecodeError):
            decompress(packet + more, 1 << 20)


def test_a_full_table_takes_no_more_strings_on_either_side() -> None:
    noise = b"".join((n * n * 2654435761 & 0xFFFF_FFFF).to_bytes(4, "big") for n in range(400))
    octets = noise + noise
    for codewords in (256, 1024):
        packet = compress(octets, codewords=codewords)
        largest: list[int] = []
        assert restated(packet, len(octets), codewords=codewords, seen=largest) == octets
        assert codewords - 256 < max(largest) < codewords
        assert decompress(packet, len(octets), codewords=codewords) == octets
    assert len(compress(octets, codewords=65535)) < len(compress(octets, codewords=256))


def test_two_steps_up_in_a_row_come_where_no_long_codeword_was_used_for_a_while() -> None:
    octets = bytes(range(200)) + bytes((198, 199, 7))
    packet = compress(octets)
    line = Line()
    for octet in range(128):
        line.ordinal(octet)
    line.step_up_characters()
    for octet in range(128, 200):
        line.ordinal(octet)
    line.step_up().step_up().codeword(202).ordinal(7)
    assert packet == line.packet()
    assert decompress(packet, len(octets)) == octets


# ---- Every code of the line ------------------------------------------------------------------------------------------


def read(line: Line, *, most: int = 1000, codewords: int = 65535, string_length: int = 255) -> bytes | None:
    """Return what a line stands for, None where it is refused; the second decoder says the same."""
    packet = line.packet()
    try:
        found: bytes | None = decompress(packet, most, codewords=codewords, string_length=string_length)
    except DecodeError:
        found = None
    try:
        assert restated(packet, most, codewords=codewords, longest=string_length) == found
    except Refused:
        assert found is None
    return found


@pytest.mark.parametrize("string_length", [32, 46, 47, 78, 79, 142, 143, 255])
def test_every_length_of_a_string_extension_is_read(string_length: int) -> None:
    for more in range(1, string_length - 1):
        line = Line(string_length).ordinal(0x41).codeword(4).extension(more).codeword(5)
        assert read(line, string_length=string_length) == b"A" * (3 + more + 2 + more)
    if string_length in (46, 78, 142):
        return  # one more cannot be written
    too_long = Line(string_length).ordinal(0x41).codeword(4).extension(string_length - 1)
    assert read(too_long, string_length=string_length) is None


def test_extensions_are_sent_in_the_shortest_form() -> None:
    forms = {1: "1", 2: "010", 3: "001", 4: "011", 5: "0000000", 12: "0000111", 13: "000100000000", 14: "000110000000"}
    for more, form in forms.items():
        line = Line().ordinal(0x41).codeword(4)
        line.bits += "01" + form
        line.directly = False
        assert compress(b"A" * (3 + more)) == line.packet()
        assert read(line) == b"A" * (3 + more)


def test_an_extension_goes_on_behind_the_entry_and_may_run_into_itself() -> None:
    assert read(Line().text(b"ABCDEF").codeword(4).extension(4)) == b"ABCDEF" + b"ABCDEF"
    assert read(Line().text(b"ABCDEF").codeword(4).extension(9)) == b"ABCDEF" + b"ABCDEFABCDE"
    assert read(Line().text(b"ABC").codeword(5).extension(3)) == b"ABC" + b"BCBCB"


def test_only_directly_after_a_codeword_the_second_bit_tells_an_extension() -> None:
    bits = "01" + "1" + "00001"
    after_an_ordinal = Line().text(b"AB")
    after_an_ordinal.bits += bits
    assert read(after_an_ordinal) == b"ABC"
    after_a_codeword = Line().text(b"AB").codeword(4)
    after_a_codeword.bits += bits + "000"  # an extension by one, and an ordinal
    after_a_codeword.directly = False
    assert read(after_a_codeword) == b"ABAB" + b"A" + b"\x08"


def test_a_control_code_between_brings_the_short_prefix_back() -> None:
    line = Line().text(b"AB").codeword(4).step_up_characters()
    assert line.directly is False
    assert read(line.ordinal(0xC1)) == b"ABAB\xc1"
    assert read(Line().text(b"AB").codeword(4).step_up().codeword(4)) == b"ABABAB"


def test_the_string_that_is_entered_with_a_codeword_is_the_previous_and_one_character_more() -> None:
    line = Line().text(b"AB").codeword(4)  # AB; with the codeword, BA
    assert read(line.copy().codeword(5)) == b"ABAB" + b"BA"
    assert read(line.copy().codeword(6)) == b"ABAB" + b"ABA"  # entered just now
    assert read(line.copy().codeword(7)) is None


def test_after_an_extension_nothing_is_entered_but_by_the_extension() -> None:
    line = Line().text(b"ABCD").codeword(4).extension(1)  # AB, BC, CD, DA, ABC
    assert read(line.copy().codeword(8)) == b"ABCDABC" + b"ABC"
    assert read(line.copy().codeword(9)) is None
    assert read(line.copy().ordinal(0x58).codeword(9)) == b"ABCDABCX" + b"XX"


def test_codewords_that_do_not_exist_yet_are_refused() -> None:
    assert read(Line().codeword(4)) is None
    assert read(Line().ordinal(0x41).codeword(5)) is None
    assert read(Line().ordinal(0x41).codeword(4)) == b"AAA"
    assert read(Line().ordinal(0x41).codeword(4).extension(1).codeword(6)) is None


def test_strings_longer_than_agreed_are_not_entered() -> None:
    line = Line(32).ordinal(0x41).codeword(4).extension(30).codeword(5)  # 4: two, 5: 32 octets
    assert read(line.copy(), string_length=32) == b"A" * 65
    assert read(line.copy().codeword(6), string_length=32) is None
    assert read(line.copy().extension(1).codeword(6), string_length=32) is None
    assert read(line.copy().extension(1).codeword(5), string_length=32) == b"A" * 98
    assert read(Line(33).ordinal(0x41).codeword(4).extension(30).codeword(5).codeword(6), string_length=33) == b"A" * 98


def test_strings_are_not_entered_into_a_full_table() -> None:
    line = Line()
    for octet in range(128):
        line.ordinal(octet)
    for octet in range(127):  # 126 of them make 252 strings, of 254 codes and one that has none before it
        line.ordinal(octet)
    line.step_up().step_up()
    whole = bytes(range(128)) + bytes(range(127))
    assert read(line.copy().codeword(255), codewords=256) == whole + whole[251:253]
    wider = line.copy().step_up().codeword(256)
    assert read(wider.copy(), codewords=65535) == whole + whole[252:254]
    assert read(wider.copy(), codewords=257) == whole + whole[252:254]
    assert read(wider.copy(), codewords=256) is None


def test_codewords_grow_up_to_the_width_of_the_table() -> None:
    for codewords, steps in ((256, 2), (257, 3), (1024, 4), (1525, 5), (65535, 10)):
        line = Line().ordinal(0x41)
        for _ in range(steps):
            line.step_up()
        assert read(line.copy().codeword(4), codewords=codewords) == b"AAA"
        assert read(line.copy().step_up().codeword(4), codewords=codewords) is None


def test_characters_grow_once() -> None:
    assert read(Line().step_up_characters().ordinal(0xFF)) == b"\xff"
    again = Line().step_up_characters().ordinal(1).step_up_characters()
    again.character_width = 8
    assert read(again.ordinal(2)) is None


def test_reinit_begins_anew() -> None:
    line = Line().step_up_characters().text(b"\xc1\xc2").step_up().codeword(4).control(REINIT)
    start = b"\xc1\xc2\xc1\xc2"
    assert read(line.copy()) == start
    assert read(line.copy().text(b"AB").codeword(4)) == start + b"ABAB"
    assert read(line.copy().codeword(4)) is None
    assert read(line.copy().ordinal(0x41).codeword(4)) == start + b"AAA"
    assert read(line.copy().ordinal(0x41).codeword(5)) is None
    assert read(line.copy().step_up_characters().ordinal(0xC1)) == start + b"\xc1"


def test_etm_is_refused() -> None:
    assert read(Line().ordinal(0x41).control(ETM)) is None


def test_after_flush_stand_only_zero_bits_to_the_end_of_the_octet() -> None:
    line = Line().ordinal(0x41)
    assert read(line) == b"A"
    flush = "1" + "100000"
    for after in ("1", "01"):
        packet = Line.octets_of(line.bits + flush + after)
        with pytest.raises(DecodeError):
            decompress(packet, 100)
    for packet in (b"\x82\x03\x00", b"\x82\x03\x82\x03", b"\x82", b"", b"\x82\x83"):
        with pytest.raises(DecodeError):
            decompress(packet, 100)


# ---- Hostile packets -------------------------------------------------------------------------------------------------

codes = st.one_of(
    st.tuples(st.just("ordinal"), st.integers(0, 255)),
    st.tuples(st.just("codeword"), st.integers(4, 40)),
    st.tuples(st.just("extension"), st.integers(1, 255)),
    st.tuples(st.just("control"), st.sampled_from([REINIT] * 3 + [STEPUP] * 3 + [ETM, FLUSH])),
    st.sampled_from([("step_up", None), ("step_up_characters", None)]),
)


@given(st.lists(codes, max_size=60), st.sampled_from([32, 78, 255]), st.sampled_from([256, 65535]))
def test_two_decoders_say_the_same_of_any_codes(
    written: list[tuple[str, int | None]], string_length: int, n2: int
) -> None:
    line = Line(string_length)
    for name, value in written:
        if name == "extension" and not line.directly:
            continue
        if value is None:
            getattr(line, name)()
        else:
            getattr(line, name)(value)
    read(line, most=5000, codewords=n2, string_length=string_length)


@given(st.binary(max_size=200), st.integers(0, 3000))
def test_any_octets_give_a_value_or_the_declared_error(packet: bytes, most: int) -> None:
    try:
        found = decompress(packet, most)
    except DecodeError:
        with pytest.raises(Refused):
            restated(packet, most)
    else:
        assert len(found) <= most
        assert restated(packet, most) == found


@given(texts, st.data())
def test_a_packet_with_a_flipped_bit_gives_what_the_second_decoder_gives(octets: bytes, data: st.DataObject) -> None:
    packet = bytearray(compress(octets))
    bit = data.draw(st.integers(0, len(packet) * 8 - 1))
    packet[bit // 8] ^= 1 << bit % 8
    try:
        found: bytes | None = decompress(bytes(packet), 4000)
    except DecodeError:
        found = None
    try:
        assert restated(bytes(packet), 4000) == found
    except Refused:
        assert found is None


def test_what_expands_without_end_is_stopped_at_the_limit() -> None:
    bomb = compress(bytes(1_000_000))
    assert len(bomb) < 4000
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="no more than 2048 octets"):
            decompress(bomb, 2048)
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("control", [REINIT, STEPUP])
def test_controls_that_write_nothing_cost_no_memory(control: int) -> None:
    bits = Line().control(control).bits
    packet = Line.octets_of(bits * 5_000)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decompress(packet, 1 << 26)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "limits", [{"codewords": 255}, {"codewords": 65536}, {"string_length": 31}, {"string_length": 256}]
)
def test_parameters_outside_the_recommendation_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        compress(b"", **limits)
    with pytest.raises(ConfigurationError):
        decompress(b"\x03", 10, **limits)
