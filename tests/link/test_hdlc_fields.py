"""Information fields: negotiation of SNRM and UA, FRMR, LLC octets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError
from cosemic.link.hdlc import LLC_REQUEST, LLC_RESPONSE, FrameReject, HdlcParameters, split_llc

INFO = st.none() | st.integers(32, 2030)
WINDOW = st.none() | st.integers(1, 7)


@pytest.mark.parametrize(
    "field, parameters",
    [
        ("8180120501800601800704 00000001 0804 00000001", HdlcParameters(128, 128, 1, 1)),
        ("8180140502 07d0 0602 07d0 0704 00000007 0804 00000007", HdlcParameters(2000, 2000, 7, 7)),
    ],
)
def test_examples_of_the_reference_text(field: str, parameters: HdlcParameters) -> None:
    assert HdlcParameters.decode(bytes.fromhex(field)) == parameters
    assert parameters.encode() == bytes.fromhex(field)


@pytest.mark.parametrize(
    "field, parameters",
    [
        ("818000", HdlcParameters()),
        ("81", HdlcParameters()),
        ("81800c 080107 070103 06013e 050180", HdlcParameters(128, 62, 3, 7)),
        ("81800a 0502 0080 0604 00000080", HdlcParameters(128, 128)),
        ("818008 0901ff 0b00 050180", HdlcParameters(128)),
        ("818007 0103 aabbcc 0b00 81", HdlcParameters()),
        ("81f003aabbcc 8003050140", HdlcParameters(64)),
        ("8180030501 40 f003aabbcc", HdlcParameters(64)),
        ("818003050140 f0aabbcc", HdlcParameters(64)),
        ("818003050140 f0", HdlcParameters(64)),
    ],
)
def test_forms_that_meters_send(field: str, parameters: HdlcParameters) -> None:
    assert HdlcParameters.decode(bytes.fromhex(field)) == parameters


@pytest.mark.parametrize(
    "field, offset, path",
    [
        ("", 0, "parameters"),
        ("8280030501 40", 0, "parameters"),
        ("8180", 1, "parameters"),
        ("818004050140", 1, "parameters"),
        ("818003050240", 3, "parameters"),
        ("81800105", 3, "parameters"),
        ("8180020500", 4, "parameters.max_info_tx"),
        ("8180050703000001", 4, "parameters.window_tx"),
        ("818006050140050140", 6, "parameters.max_info_tx"),
    ],
)
def test_what_is_no_parameter_field_is_refused_with_the_place(field: str, offset: int, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        HdlcParameters.decode(bytes.fromhex(field))
    assert (caught.value.offset, caught.value.path) == (offset, path)


@given(st.builds(HdlcParameters, INFO, INFO, WINDOW, WINDOW))
def test_parameters_round_trip(parameters: HdlcParameters) -> None:
    assert HdlcParameters.decode(parameters.encode()) == parameters


@given(st.lists(st.sampled_from(["81", "80", "05", "06", "01", "02", "04", "00", "f0", "ff"]), max_size=16))
def test_any_octets_are_parameters_or_a_decode_error(octets: list[str]) -> None:
    for field in (bytes.fromhex("".join(octets)), bytes.fromhex("8180" + "".join(octets))):
        try:
            parameters = HdlcParameters.decode(field)
        except DecodeError:
            continue
        assert isinstance(parameters, HdlcParameters)


@pytest.mark.parametrize(
    "parameters",
    [HdlcParameters(31), HdlcParameters(None, 2031), HdlcParameters(window_tx=0), HdlcParameters(window_rx=8)],
)
def test_parameters_out_of_range_are_not_sent(parameters: HdlcParameters) -> None:
    with pytest.raises(EncodeError):
        parameters.encode()


def test_frame_reject_names_field_states_and_reasons() -> None:
    reject = FrameReject.decode(bytes.fromhex("32 5a 0c"))
    assert reject == FrameReject(0x32, 5, 2, True, False, False, True, True)
    assert reject.encode() == bytes.fromhex("32 5a 0c")


@given(st.binary(max_size=4))
def test_any_octets_are_a_frame_reject_or_a_decode_error(octets: bytes) -> None:
    if len(octets) != 3:
        with pytest.raises(DecodeError):
            FrameReject.decode(octets)
        return
    defined = bytes((octets[0], octets[1] & 0xFE, octets[2] & 0x0F))
    assert FrameReject.decode(octets).encode() == defined


@pytest.mark.parametrize("control, vs, vr", [(256, 0, 0), (0, 8, 0), (0, 0, -1)])
def test_impossible_frame_rejects_are_not_sent(control: int, vs: int, vr: int) -> None:
    with pytest.raises(EncodeError):
        FrameReject(control, vs, vr, False, True, False, False, False).encode()


def test_llc_octets_tell_who_sent() -> None:
    assert split_llc(bytes.fromhex("e6e600c001")) == (LLC_REQUEST, bytes.fromhex("c001"))
    assert split_llc(bytes.fromhex("e6e700")) == (LLC_RESPONSE, b"")
    assert split_llc(bytes.fromhex("e6e701c4")) == (None, bytes.fromhex("e6e701c4"))
    assert split_llc(b"\xe6") == (None, b"\xe6")
