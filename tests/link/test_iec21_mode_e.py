"""Mode E of IEC 62056-21: the sign-on in front of HDLC, as one link around another, on both sides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConnectionFailed, ProtocolError, ResponseTimeout
from cosemic.faults import ByteStream, Station, StreamFaults, VirtualTime
from cosemic.link.contract import ApduReceived, LinkConnected, LinkDisconnected, LinkFailed
from cosemic.link.hdlc import Control, HdlcAddress, HdlcPrimaryLink, HdlcSecondaryLink, HdlcSettings
from cosemic.link.iec21 import (
    ClientSettings,
    Confirmation,
    Identification,
    Iec21Server,
    MeterData,
    ModeEClientLink,
    ModeEServerLink,
    ServerSettings,
    WakeUp,
)
from cosemic.link.wrapper import WrapperLink
from cosemic.values import OPTICAL, LineSettings
from cosemic.values.enumerations import FrameType
from tests.effort import examples
from tests.link.hdlc_stations import flagged
from tests.link.iec21_stations import MODE_C, MODE_E, OCTET_BY_OCTET

SIGN_ON = 5 * 10 / 300 + 0.2 + len(MODE_E.encode()) * 10 / 300 + 0.2 + 6 * 10 / 300
"""Seconds until the option select message has left."""


class Pair:
    """A client's link and a meter's around HDLC stations; the meter answers each APDU with itself, backwards."""

    def __init__(
        self,
        identification: Identification = MODE_E,
        *,
        client: ClientSettings | None = None,
        from_client: StreamFaults = OCTET_BY_OCTET,
        from_server: StreamFaults = OCTET_BY_OCTET,
        inactivity: float = 120.0,
        echo: bool = False,
        seed: int = 0,
        **server: Any,
    ) -> None:
        self.time = VirtualTime()
        self.stream = ByteStream(
            self.time,
            line=OPTICAL,
            half_duplex=True,
            echo=echo,
            from_client=from_client,
            from_server=from_server,
            seed=seed,
        )
        settings = ServerSettings(identification=identification, **server)
        hdlc = HdlcSettings(octet_time=10 / 9600, inactivity_timeout=inactivity)
        self.client = ModeEClientLink(HdlcPrimaryLink(16, HdlcAddress(1, 17), hdlc), client)
        self.server = ModeEServerLink(HdlcSecondaryLink(17, settings=hdlc), Iec21Server(MeterData({}), settings))
        self.meter = Station(self.server, self.stream.server, on_event=self._answer)
        self.reader = Station(self.client, self.stream.client)
        self.meter.go_on()

    def _answer(self, event: Any) -> None:
        if isinstance(event, ApduReceived):
            self.server.send(event.apdu[::-1], source=event.destination, destination=event.source)

    def next(self, limit: float = 900.0) -> Any:
        """The reader's next event."""
        first = len(self.reader.events)
        assert self.time.run_until(lambda: len(self.reader.events) > first, limit)
        return self.reader.events[first][1]

    def connect(self) -> Any:
        """Connect; the event that comes of it."""
        self.reader.connect()
        return self.next()

    def lines(self) -> tuple[list[tuple[float, str]], ...]:
        """How the ports were set, and when."""
        return tuple(
            [(round(at - 1000.0, 3), str(line)) for at, line in port.line_changes]
            for port in (self.stream.client, self.stream.server)
        )

    def whole_session(self, apdu: bytes = b"\xc0\x01\xc1\x00") -> None:
        """Connect, exchange an APDU, disconnect."""
        assert self.connect() == LinkConnected(1, 16)
        assert self.client.connected
        assert self.server.connected
        self.reader.send(apdu)
        assert self.next() == ApduReceived(apdu[::-1], 1, 16)
        self.reader.disconnect()
        asked = self.time.now
        assert self.next() == LinkDisconnected(1, 16)
        assert self.time.now - asked < 1.0  # the UA came, and nothing was repeated
        assert not self.client.connected


@pytest.mark.parametrize("echo", [False, True])
def test_a_session_goes_from_300_7e1_to_8n1_and_back(echo: bool) -> None:
    pair = Pair(echo=echo, client=ClientSettings(echo=echo))
    for _ in range(2):
        pair.whole_session()
        pair.time.run_until_idle()
    reader, meter = pair.lines()
    assert [line for _, line in reader] == [line for _, line in meter] == ["300 7E1", *["9600 8N1", "300 7E1"] * 2]


def test_the_meter_confirms_at_300_baud_and_the_reader_waits_before_its_first_frame() -> None:
    pair = Pair()
    pair.whole_session()
    reader, meter = pair.lines()
    confirmed = SIGN_ON + 0.2 + 6 * 10 / 300
    assert reader[1] == meter[1] == (round(confirmed, 3), "9600 8N1")
    sent = pair.stream.journal.at("client")
    assert sent.startswith(MODE_E.encode() + b"\x06252\r\n\x7e")
    assert pair.stream.journal.at("server").startswith(b"/?!\r\n\x06252\r\n\x7e")
    snrm = next(at for at, who, octets in pair.stream.journal if who == "server" and octets == b"\x7e")
    assert snrm - 1000.0 == pytest.approx(confirmed + 0.8 + 10 / 9600)


def test_a_meter_that_does_not_confirm_is_followed_after_2_seconds() -> None:
    pair = Pair(confirmation=Confirmation.NONE)
    pair.whole_session()
    reader, meter = pair.lines()
    assert reader[1] == (round(SIGN_ON + 2.0, 3), "9600 8N1")
    assert meter[1] == (round(SIGN_ON, 3), "9600 8N1")


@pytest.mark.parametrize("reader", list(Confirmation))
@pytest.mark.parametrize("meter", list(Confirmation))
def test_reader_and_meter_come_together_whichever_confirmation_they_mean(
    reader: Confirmation, meter: Confirmation
) -> None:
    Pair(client=ClientSettings(confirmation=reader), confirmation=meter).whole_session()


def test_a_lower_rate_in_the_confirmation_is_taken() -> None:
    pair = Pair(from_server=StreamFaults(chunks=(1,), alter=lambda _, octets: octets.replace(b"\x06252", b"\x06232")))
    pair.reader.connect()
    pair.time.run_for(SIGN_ON + 0.5)
    assert pair.stream.client.line == LineSettings(2400)


def test_the_reader_proposes_no_more_than_it_can() -> None:
    pair = Pair(client=ClientSettings(most_baud=2400))
    pair.whole_session()
    assert [line for _, line in pair.lines()[1]] == ["300 7E1", "300 8N1", "300 7E1"]


@pytest.mark.parametrize(
    "identification", [MODE_C, Identification("ABC", "E", "x", "2"), Identification("ABC", "?", "x")]
)
def test_a_meter_without_mode_e_is_an_error_at_once(identification: Identification) -> None:
    pair = Pair(identification)
    event = pair.connect()
    assert isinstance(event, LinkFailed)
    assert isinstance(event.error, ProtocolError)
    assert "mode E" in str(event.error)


def test_a_meter_that_answers_with_its_read_out_is_told_so() -> None:
    pair = Pair(MODE_C, client=ClientSettings(insist_on_mode_e=False, confirmation_timeout=5.0))
    event = pair.connect()
    assert isinstance(event, LinkFailed)
    assert "read-out" in str(event.error)


def test_a_meter_that_confirms_something_else_is_an_error() -> None:
    pair = Pair(from_server=StreamFaults(chunks=(1,), alter=lambda _, octets: octets.replace(b"\x06252", b"\x06050")))
    assert isinstance(pair.connect().error, ProtocolError)


def test_a_missing_meter_is_an_error_after_all_attempts() -> None:
    pair = Pair(from_server=StreamFaults(frame_loss=1.0))
    event = pair.connect()
    assert isinstance(event, LinkFailed)
    assert isinstance(event.error, ResponseTimeout)
    assert pair.stream.journal.at("server") == b"/?!\r\n" * 3
    assert pair.time.now - 1000.0 < 15


def test_a_sleeping_meter_is_woken_first() -> None:
    Pair(client=ClientSettings(wake_up=WakeUp.NORMAL), wake_up=WakeUp.NORMAL).whole_session()


def test_a_meter_that_nobody_connects_to_returns_to_300_baud() -> None:
    pair = Pair(silence=30.0)
    pair.stream.client.write(b"/?!\r\n")
    pair.time.call_later(1.5, pair.stream.client.write, b"\x06252\r\n")
    pair.time.run_until_idle()
    assert pair.lines()[1][-1] == (pytest.approx(1.5 + 0.2 + 0.4 + 30.0, abs=0.01), "300 7E1")


def test_a_connection_that_is_lost_frees_the_meter_for_the_next_reader() -> None:
    pair = Pair(inactivity=20.0, silence=5.0)
    assert pair.connect() == LinkConnected(1, 16)
    pair.time.run_until(lambda: len(pair.meter.events) > 1)
    assert isinstance(pair.meter.events[-1][1], LinkDisconnected)
    pair.time.run_until_idle()
    assert pair.lines()[1][-1][1] == "300 7E1"
    another = Station(ModeEClientLink(HdlcPrimaryLink(16, HdlcAddress(1, 17))), pair.stream.client)
    another.connect()
    pair.time.run_until(lambda: another.events, 60)
    assert another.events[0][1] == LinkConnected(1, 16)


def test_disconnect_before_the_sign_on_has_come_to_its_end_gives_it_up() -> None:
    pair = Pair()
    pair.reader.connect()
    pair.client.connect()
    pair.time.run_for(0.5)
    pair.reader.disconnect()
    pair.time.run_until_idle()
    assert pair.reader.events == []
    assert pair.stream.client.line == OPTICAL
    pair.whole_session()


def test_the_server_ends_a_connection_only_where_there_is_one() -> None:
    pair = Pair()
    pair.server.connect()
    pair.meter.disconnect()
    assert not pair.server.connected
    pair.whole_session()


def test_a_repeated_snrm_leaves_the_line_to_hdlc() -> None:
    pair = Pair()
    assert pair.connect() == LinkConnected(1, 16)
    snrm = flagged(HdlcAddress(1, 17), HdlcAddress(16), Control(FrameType.SNRM))
    assert pair.server.receive(snrm, pair.time.now) == [LinkDisconnected(16, 1), LinkConnected(16, 1)]
    assert pair.server.connected
    pair.reader.send(b"\xc0\x01")
    assert pair.next() == ApduReceived(b"\x01\xc0", 1, 16)


def test_the_line_stays_with_hdlc_until_the_last_connection_has_ended() -> None:
    pair = Pair()
    assert pair.connect() == LinkConnected(1, 16)
    for type_, event in ((FrameType.SNRM, LinkConnected(32, 1)), (FrameType.DISC, LinkDisconnected(32, 1))):
        frame = flagged(HdlcAddress(1, 17), HdlcAddress(32), Control(type_))
        assert pair.server.receive(frame, pair.time.now) == [event]
    assert pair.server.connected
    pair.reader.disconnect()
    assert pair.next() == LinkDisconnected(1, 16)
    pair.time.run_until_idle()
    assert pair.stream.server.line == OPTICAL


def test_a_link_that_has_failed_does_not_sign_on_again() -> None:
    pair = Pair()
    pair.server.inner = WrapperLink(1, 16)
    event = pair.connect()
    assert isinstance(event, LinkFailed)
    assert "no UA" in str(event.error)
    with pytest.raises(ConnectionFailed, match="make a new one"):
        pair.client.connect()
    pair.time.run_until_idle()
    assert len(pair.reader.events) == 1


def test_what_comes_right_behind_the_option_select_is_the_inner_links() -> None:
    link = ModeEServerLink(WrapperLink(1, 16), Iec21Server(MeterData({}), ServerSettings(identification=MODE_E)))
    assert (link.octets_to_send(), link.line_to_set()) == (b"", OPTICAL)
    link.receive(b"/?!\r\n", 1.0)
    link.tick(1.1)
    assert link.octets_to_send() == b""
    link.tick(1.2)
    assert link.octets_to_send() == MODE_E.encode()
    link.tick(1.2)
    wpdu = bytes.fromhex("0001 0010 0001 0003 C00100")
    (event,) = link.receive(b"\x06252\r\n" + wpdu, 3.0)
    assert event == ApduReceived(bytes.fromhex("C00100"), 16, 1)
    assert link.connected
    link.send(b"\xc4", source=1, destination=16)
    assert link.octets_to_send() == b""
    link.tick(3.2)
    assert (link.octets_to_send(), link.line_to_set()) == (b"\x06252\r\n", LineSettings(9600))
    assert link.octets_to_send().endswith(b"\xc4")


@examples(40)
@given(
    st.binary(min_size=1, max_size=300),
    st.sampled_from(("client", "server")),
    st.integers(0, 2**16),
    st.sampled_from((0.0, 0.02, 0.1)),
    st.sampled_from((1, 7, 64)),
)
def test_whole_sessions_over_bad_lines_end_right_or_with_an_error(
    apdu: bytes, side: str, seed: int, corruption: float, chunk: int
) -> None:
    faults = StreamFaults(chunks=(chunk,), frame_corruption=corruption, latency=0.01, jitter=0.01)
    pair = Pair(seed=seed, **{f"from_{side}": faults})
    event = pair.connect()
    if event != LinkConnected(1, 16):
        assert isinstance(event, LinkFailed)
        return
    pair.reader.send(apdu)
    event = pair.next(2000)
    assert event == ApduReceived(apdu[::-1], 1, 16) or event.error is not None
