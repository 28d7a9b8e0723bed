"""URLs: what they say, and that wrong ones are refused without a secret in the message."""

from __future__ import annotations

import contextlib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.stack import OPTIONS, Address, Framing, Medium, link_factory, parse_url
from cosemic.values import LineSettings, Parity


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp://127.0.0.1", Address("tcp", "127.0.0.1", 4059)),
        ("tcp://meter.example:4061/", Address("tcp", "meter.example", 4061)),
        ("tcp://[::1]:1?client=1&server=0x10", Address("tcp", "::1", 1, 1, 16)),
        (
            "tcp://h?client=16&server=1&timeout=2.5&connect_timeout=1&max_pdu=0",
            Address("tcp", "h", 4059, 16, 1, 1.0, 2.5, 0),
        ),
        ("tcp://h?user=0", Address("tcp", "h", 4059, user_id=0)),
    ],
)
def test_what_a_url_says(url: str, address: Address) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize(
    ("url", "medium", "framing", "device", "said"),
    [
        ("udp://h?retries=5", Medium.UDP, Framing.WRAPPER, "", {"port": 4059, "retries": 5}),
        ("tls://h:4060?ca=ca.pem&name=m", Medium.TLS, Framing.WRAPPER, "", {"ca": "ca.pem", "server_name": "m"}),
        ("hdlc+tcp://h:1?station=17&address=4&window=7", Medium.TCP, Framing.HDLC, "", {"station": 17, "window": 7}),
        ("hdlc:///dev/ttyUSB0?baud=9600", Medium.SERIAL, Framing.HDLC, "/dev/ttyUSB0", {"baud": 9600, "port": 0}),
        ("hdlc://COM3", Medium.SERIAL, Framing.HDLC, "COM3", {}),
        ("hdlc:///COM12", Medium.SERIAL, Framing.HDLC, "COM12", {}),
        (
            "hdlc:///dev/ttyS0?line=300-7e1&echo",
            Medium.SERIAL,
            Framing.HDLC,
            "/dev/ttyS0",
            {"line": LineSettings(300, 7, Parity.EVEN), "echo": True},
        ),
        ("iec21:///dev/ttyUSB0?sign_on=12", Medium.SERIAL, Framing.IEC21, "/dev/ttyUSB0", {"sign_on": "12"}),
        ("iec21+tcp://h:1?echo", Medium.TCP, Framing.IEC21, "", {"echo": True}),
        ("modem:///dev/ttyS0?dial=0123", Medium.SERIAL, Framing.MODEM, "/dev/ttyS0", {"dial": "0123"}),
        ("mbus+tcp://h:1?station=5", Medium.TCP, Framing.MBUS, "", {"station": 5}),
        ("gateway+tcp://h?network=1&meter=0a0B", Medium.TCP, Framing.WRAPPER, "", {"gateway_device": b"\x0a\x0b"}),
        ("gateway+hdlc:///dev/x?meter=01", Medium.SERIAL, Framing.HDLC, "/dev/x", {"gateway": True}),
    ],
)
def test_a_scheme_names_medium_and_link(
    url: str, medium: Medium, framing: Framing, device: str, said: dict[str, object]
) -> None:
    address = parse_url(url)
    assert (address.medium, address.framing, address.device) == (medium, framing, device)
    assert {name: getattr(address, name) for name in said} == said


def test_a_plus_is_a_plus() -> None:
    address = parse_url("modem:///dev/ttyS0?dial=+49123&init=AT+CBST=71&client=%31")
    assert (address.dial, address.modem_init, address.client_sap) == ("+49123", "AT+CBST=71", 1)


@pytest.mark.parametrize("station", ["abc", "-1", "16384", "1.5", ""])
def test_what_is_no_station_is_told_in_words(station: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no number$|is not in 0\.\.16383$"):
        parse_url(f"hdlc:///dev/ttyS0?station={station}")


@pytest.mark.parametrize("said", ["server=65535&station=1", "server=1&station=300&address=2", "server=200&address=1"])
def test_an_hdlc_address_that_cannot_be_is_a_matter_of_the_url(said: str) -> None:
    address = parse_url(f"hdlc+tcp://h:1?{said}")
    assert address.server_sap is not None
    with pytest.raises(ConfigurationError, match="correct server="):
        link_factory(address)(16, address.server_sap)


def test_every_option_gives_a_field_of_its_own() -> None:
    names = [option.field for option in OPTIONS.values()]
    assert len(set(names)) == len(names)
    assert set(names) <= {field.name for field in fields(Address)}


@pytest.mark.parametrize(
    "url",
    [
        "hdlc+tcp://h", "hdlc://", "hdlc:///", "udp+tcp://h", "gateway+http://h", "gateway://h", "tcp://h?window=1",
        "tcp://h?dial=1", "tcp://h?retries=1", "hdlc+tcp://h:1?baud=9600", "hdlc+tcp://h:1?address=x",
        "hdlc+tcp://h:1?window=8", "hdlc+tcp://h:1?max_info=31", "hdlc:///dev/x?line=9600-9N1", "tcp://a..b",
        "hdlc:///dev/x?line=9600", "hdlc:///dev/x?line=9600-8X1", "gateway+tcp://h?meter=0", "tls://h?ca=",
        "tcp://" + "a" * 64, "hdlc+tcp://h:1?address=3", "hdlc:///dev/x?echo=perhaps", "tcp://h?network=1",
        "iec21:///dev/x?line=9600-8N1", "hdlc+tcp://h:1?echo",
    ],
)  # fmt: skip
def test_options_belong_to_what_they_apply_to(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "tcp", "tcp:", "tcp://", "tcp://:4059", "http://h", "hdlc+tcp://h", "//h", "tcp://h:0", "tcp://h:65536",
        "tcp://h:x", "tcp://[::1", "tcp://h/path", "tcp://h#fragment", "tcp://h?client", "tcp://h?client=",
        "tcp://h?client=x", "tcp://h?client=-1", "tcp://h?server=65536", "tcp://h?client=1.5", "tcp://h?timeout=0",
        "tcp://h?timeout=-1", "tcp://h?timeout=nan", "tcp://h?timeout=inf", "tcp://h?connect_timeout=0",
        "tcp://h?max_pdu=-1", "tcp://h?user=me", "tcp://h?colour=blue", "tcp://h?client=1&client=2",
    ],
)  # fmt: skip
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_url(url)


@pytest.mark.parametrize("url", ["10.0.0.7:4059", "meter.example:4059?client=1", "10.0.0.7", "/dev/ttyUSB0"])
def test_a_place_without_a_scheme_is_told_what_a_url_begins_with(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"begins with its scheme: tcp://HOST:4059\?client=16"):
        parse_url(url)


@pytest.mark.parametrize("url", ["hdlc://dev/ttyUSB0", "gateway+iec21://dev/serial/by-id/usb-1?meter=01"])
def test_a_path_that_lacks_its_slash_is_told(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a slash of its own: hdlc:///dev/ttyUSB0"):
        parse_url(url)


@pytest.mark.parametrize("url", ["hdlc://reader", "hdlc:reader", "hdlc://ports/dev/reader", "hdlc://dev"])
def test_a_port_may_be_named_from_the_folder_of_the_process(url: str) -> None:
    assert parse_url(url).device == url.removeprefix("hdlc:").removeprefix("//")


@pytest.mark.parametrize(
    "url",
    [
        "tcp://h?password=hunter2",
        "tcp://h?key=hunter2",
        "tcp://user:hunter2@h",
        "tcp://hunter2@h",
        "tcp://:4059?password=hunter2",
        "ftp://h?password=hunter2",
        "tcp://h:0?authentication_key=hunter2",
        "tcp://h:bad?password=hunter2",
        "tcp://h/x?password=hunter2",
        "tcp://h?pass=hunter2",
    ],
)
def test_secrets_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.text(max_size=40), st.text(max_size=20))
def test_any_text_is_an_address_or_a_configuration_error(url: str, query: str) -> None:
    for text in (url, f"tcp://{url}", f"tcp://h?{query}", f"tcp://h:{query}"):
        with contextlib.suppress(ConfigurationError):
            assert isinstance(parse_url(text), Address)


def test_settings_fill_in_what_the_url_leaves_open() -> None:
    address = parse_url("tcp://h?client=5")
    assert address.with_saps(client_sap=1, server_sap=2) == Address("tcp", "h", 4059, 5, 2)
    assert address.with_saps() is address
    assert parse_url("tcp://h").with_saps(client_sap=0).client_sap == 0
