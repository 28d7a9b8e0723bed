"""Serial ports for blocking code over real pseudo-terminals."""

from __future__ import annotations

import os
import socket
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost, ResponseTimeout
from cosemic.transport import serial_port
from cosemic.transport.blocking import BlockingTcpConnection
from cosemic.transport.blocking_serial import BlockingSerialConnection, open_serial_blocking
from cosemic.transport.contract import BlockingConfigurableConnection
from cosemic.transport.serial_port import SerialOptions, most_at_once, write_port
from cosemic.values import OPTICAL, LineSettings, Parity
from tests.transport.ptys import PtyPair
from tests.transport.samples import HOST

SLOW, FAST = LineSettings(300), LineSettings(19200)
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX"),
    pytest.mark.slow,
]

Pair = tuple[BlockingSerialConnection, BlockingSerialConnection, PtyPair]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with (
        PtyPair() as ptys,
        BlockingSerialConnection(ptys.paths[0], OPTICAL, 0.2) as client,
        BlockingSerialConnection(ptys.paths[1], OPTICAL, 0.2) as server,
    ):
        yield client, server, ptys


def read_all(connection: BlockingSerialConnection, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        octets += connection.read(time.monotonic() + 5)
    return octets


def test_octets_go_both_ways(pair: Pair) -> None:
    client, server, ptys = pair
    assert client.peer == ptys.paths[0]
    client.write(b"/?!\r\n")
    assert read_all(server, 5) == b"/?!\r\n"
    server.write(bytes(range(256)))
    assert read_all(client, 256) == bytes(range(256))


@pytest.mark.parametrize("ahead", [-1.0, 0.0, 0.02])
def test_a_deadline_ends_the_wait_and_keeps_the_connection(pair: Pair, ahead: float) -> None:
    client, server, _ = pair
    begun = time.monotonic()
    with pytest.raises(ResponseTimeout, match="in time"):
        client.read(begun + ahead)
    assert ahead <= time.monotonic() - begun < 2
    server.write(b"late")
    assert read_all(client, 4) == b"late"


def test_what_has_come_is_returned_even_after_the_deadline(pair: Pair) -> None:
    client, server, _ = pair
    server.write(b"ab")
    while not serial_port.has_come(client._port):
        time.sleep(0.001)
    assert client.read(time.monotonic() - 1)[:1] == b"a"


def test_set_line_changes_the_rate_and_the_stop_bits(pair: Pair) -> None:
    connection: BlockingConfigurableConnection = pair[0]
    ptys = pair[2]
    assert (ptys.baud(0), ptys.stop_bits(0)) == (300, 1)
    connection.set_line(LineSettings(9600, 8, Parity.NONE, 2))
    assert (ptys.baud(0), ptys.stop_bits(0)) == (9600, 2)
    connection.set_line(OPTICAL)
    assert (ptys.baud(0), ptys.stop_bits(0)) == (300, 1)


def test_what_is_asked_of_the_system_is_the_whole_line(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _, _ = pair
    asked: list[list[int]] = []
    really = termios.tcsetattr

    def seen(descriptor: int, when: int, attributes: list[int]) -> None:
        asked.append(attributes)
        really(descriptor, when, attributes)  # type: ignore[arg-type]  # the attributes as they came

    monkeypatch.setattr(termios, "tcsetattr", seen)
    client.set_line(LineSettings(4800, 7, Parity.ODD, 2))
    flags, speed = asked[-1][2], asked[-1][5]
    assert flags & termios.CSIZE == termios.CS7
    assert flags & termios.PARENB
    assert flags & termios.PARODD
    assert flags & termios.CSTOPB
    assert speed == termios.B4800
    client.set_line(LineSettings(9600, 8, Parity.NONE))
    flags = asked[-1][2]
    assert flags & termios.CSIZE == termios.CS8
    assert not flags & (termios.PARENB | termios.CSTOPB)


def test_the_port_is_drained_before_it_is_set(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _, ptys = pair
    rates: list[int] = []
    monkeypatch.setattr(termios, "tcdrain", lambda descriptor: rates.append(ptys.baud(0)))
    client.write(b"\x06050\r\n")
    client.set_line(FAST)
    assert rates == [300]
    assert ptys.baud(0) == 19200


def test_a_serial_server_is_given_the_time_that_octets_take(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _, _ = pair
    waits: list[float] = []
    monkeypatch.setattr(serial_port, "has_descriptor", lambda _: False)
    monkeypatch.setattr(serial_port.time, "sleep", waits.append)
    client.write(b"123456")
    client.write(b"789")
    client.set_line(FAST)
    assert waits == [pytest.approx(9 * 10 / 300, abs=0.1)]


def test_an_unplugged_adapter(pair: Pair) -> None:
    client, _, ptys = pair
    ptys.unplug(0)
    with pytest.raises(ConnectionLost, match="has gone: plug the adapter in again"):
        client.read(time.monotonic() + 5)
    with pytest.raises(ConnectionLost, match="is closed"):
        client.write(b"x")


@pytest.mark.parametrize("use", [lambda it: it.write(b"x"), lambda it: it.set_line(FAST)])
def test_an_adapter_that_was_unplugged_meanwhile(pair: Pair, use: Callable[[BlockingSerialConnection], object]) -> None:
    client, _, ptys = pair
    ptys.unplug(0)

    def use_on() -> None:
        use(client)
        client.read(time.monotonic() + 5)

    with pytest.raises(ConnectionLost, match="has gone"):
        use_on()


def test_writing_to_a_port_that_does_not_take_octets(pair: Pair) -> None:
    client, _, ptys = pair
    ptys.hold(0)
    with pytest.raises(ConnectionLost, match=r"took no octets for 0\.2 s"):
        client.write(bytes(1_000_000))
    with pytest.raises(ConnectionLost, match="is closed"):
        client.write(b"x")


@pytest.mark.parametrize(
    "use", [lambda it: it.read(), lambda it: it.write(b"x"), lambda it: it.set_line(FAST)], ids=["read", "write", "set"]
)
def test_a_closed_port_is_not_used(pair: Pair, use: Callable[[BlockingSerialConnection], object]) -> None:
    client, _, _ = pair
    client.close()
    client.close()
    with pytest.raises(ConnectionLost, match="connect again"):
        use(client)


def test_a_port_that_another_holds(pair: Pair) -> None:
    _, _, ptys = pair
    with pytest.raises(ConnectionFailed, match="is in use by another program"):
        BlockingSerialConnection(ptys.paths[0])
    BlockingSerialConnection(ptys.paths[0], options=SerialOptions(exclusive=False)).close()


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(ConnectionFailed, match="there is no port /dev/none"):
        BlockingSerialConnection("/dev/none")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="everything is open to root")
def test_a_port_of_others() -> None:
    with pytest.raises(ConnectionFailed, match="dialout"):
        BlockingSerialConnection("/dev/mem")


def test_a_file_is_no_port() -> None:
    with pytest.raises(ConnectionFailed, match="cannot be opened"):
        BlockingSerialConnection("/dev/null")


@pytest.mark.parametrize("line", [LineSettings(-1), LineSettings(9600, 9)])
def test_a_line_that_no_port_has(pair: Pair, line: LineSettings) -> None:
    client, _, ptys = pair
    with pytest.raises(ConfigurationError, match="does not take"):
        BlockingSerialConnection(ptys.paths[0], line, options=SerialOptions(exclusive=False))
    with pytest.raises(ConnectionLost):
        client.set_line(line)


def test_request_to_send_and_data_terminal_ready_stand_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    lines: list[tuple[str, bool]] = []
    monkeypatch.setattr(serial.Serial, "_update_rts_state", lambda it: lines.append(("rts", it.rts)))
    monkeypatch.setattr(serial.Serial, "_update_dtr_state", lambda it: lines.append(("dtr", it.dtr)))
    with PtyPair() as ptys:
        BlockingSerialConnection(ptys.paths[0], options=SerialOptions(rts=False, dtr=True)).close()
        assert sorted(lines) == [("dtr", True), ("rts", False)]
        lines.clear()
        BlockingSerialConnection(ptys.paths[0]).close()
        assert sorted(lines) == [("dtr", True), ("rts", True)]


def test_without_pyserial_one_word_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ConfigurationError, match=r"pip install cosemic\[serial\]"):
        open_serial_blocking("/dev/ttyUSB0")


def test_a_serial_server_that_passes_octets_on_is_tcp() -> None:
    with socket.create_server((HOST, 0)) as listener:
        connection = open_serial_blocking(f"socket://{HOST}:{listener.getsockname()[1]}")
        assert isinstance(connection, BlockingTcpConnection)
        connection.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")
def test_a_line_is_set_through_rfc_2217(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyserial's own server has the port at the far end; the ports of pyserial take half a second to open and close."""
    import serial
    from serial.rfc2217 import PortManager

    for each in ("_update_rts_state", "_update_dtr_state"):  # a pseudo-terminal has no such lines
        monkeypatch.setattr(serial.Serial, each, lambda _: None)
    with PtyPair() as ptys, socket.create_server((HOST, 0)) as listener:
        stop = threading.Event()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock, serial.serial_for_url(ptys.paths[0], timeout=0.01) as port:
                lock = threading.Lock()

                class Answer:
                    def write(self, octets: bytes) -> None:
                        with lock:
                            sock.sendall(octets)

                class Manager(PortManager):  # type: ignore[misc]  # pyserial declares no types
                    def check_modem_lines(self, force_notification: bool = False) -> None:
                        """A pseudo-terminal has none."""

                manager = Manager(port, Answer())
                sock.settimeout(0.01)
                while not stop.is_set():
                    try:
                        octets = sock.recv(1024)
                        if not octets:
                            return
                        port.write(b"".join(manager.filter(octets)))
                    except TimeoutError:
                        pass
                    came = port.read(1024)
                    if came:
                        Answer().write(b"".join(manager.escape(came)))

        server = threading.Thread(target=serve)
        server.start()
        try:
            with (
                BlockingSerialConnection(ptys.paths[1], OPTICAL) as meter,
                open_serial_blocking(f"rfc2217://{HOST}:{listener.getsockname()[1]}", line=SLOW) as reader,
            ):
                assert isinstance(reader, BlockingSerialConnection)
                assert ptys.baud(0) == 300
                reader.write(b"\x06050\r\n")
                assert read_all(meter, 6) == b"\x06050\r\n"
                begun = time.monotonic()
                reader.set_line(FAST)
                assert time.monotonic() - begun > 0.1
                assert ptys.baud(0) == 19200
                meter.write(b"answer")
                assert reader.read(time.monotonic() + 5)
        finally:
            stop.set()
            server.join()


class SlowPort:
    """A port that takes its time: an octet leaves in ``octet_time`` seconds, and there is room for 4096 that wait."""

    ROOM = 4096

    def __init__(self, octet_time: float, timeout: float) -> None:
        self.octet_time = octet_time
        self.timeout = timeout
        self.now = self.empty_at = 0.0
        self.taken = b""

    def write(self, octets: bytes) -> None:
        from serial import SerialTimeoutException

        self.empty_at = max(self.empty_at, self.now) + len(octets) * self.octet_time
        waits = self.empty_at - self.ROOM * self.octet_time - self.now
        if waits > self.timeout:
            raise SerialTimeoutException
        self.now += max(waits, 0.0)
        self.taken += octets


@pytest.mark.parametrize("baud", [300, 2400, 9600, 115_200])
def test_the_longest_burst_of_a_slow_line_does_not_run_into_the_time_out_of_the_port(baud: int) -> None:
    line = LineSettings(baud)
    burst = bytes(7 * (2030 + 18))  # window and information field of HDLC at their greatest
    port = SlowPort(line.seconds(1), 5.0)
    write_port(port, burst, most_at_once(line, 5.0))
    assert port.taken == burst
    stuck = SlowPort(1e6, 5.0)
    with pytest.raises(TimeoutError):
        write_port(stuck, burst, most_at_once(line, 5.0))
