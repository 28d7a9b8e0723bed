"""TLS with certificates on both sides over real sockets, on asyncio and for blocking code: who gets in, and who not."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from cosemic.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    ResponseTimeout,
)
from cosemic.security.tls_identity import check_certified_title
from cosemic.transport import handshakes, tcp
from cosemic.transport.blocking import BlockingTcpConnection, BlockingTcpListener
from cosemic.transport.contract import CertifiedConnection, Receiver
from cosemic.transport.tcp import TcpConnection, TcpServer, connect
from cosemic.transport.tls import tls_context
from cosemic.values import Secret
from tests.transport.certificates import HEAD_END_TITLE, METER_TITLE, NOW, Authority, Identity
from tests.transport.samples import HOST, Echo, Recorder, give_up_after, run

pytestmark = pytest.mark.slow

LOCAL = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("meter.example")])


@dataclass
class Pki:
    authority: Authority
    meter: Identity
    head_end: Identity

    def server(self, identity: Identity | None = None) -> ssl.SSLContext:
        return tls_context(server=True, trusted=self.authority.file, certificate=(identity or self.meter).both)

    def client(self, identity: Identity | None = None, check_host: bool = False) -> ssl.SSLContext:
        own = (identity or self.head_end).both
        return tls_context(trusted=self.authority.file, certificate=own, check_host=check_host)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    authority = Authority(tmp_path_factory.mktemp("pki"))
    meter = authority.issue(METER_TITLE.hex().upper(), alternative=LOCAL)
    return Pki(authority, meter, authority.issue(HEAD_END_TITLE.hex().upper()))


@dataclass
class Refused:
    """What a server says of those who do not get in."""

    errors: list[CosemicError] = field(default_factory=list)

    async def one(self) -> CosemicError:
        async with asyncio.timeout(5):
            while not self.errors:
                await asyncio.sleep(0.001)
        (error,) = self.errors
        return error


def test_octets_go_both_ways_and_each_side_knows_the_other(pki: Pki) -> None:
    async def scenario() -> None:
        accepted: list[Echo] = []

        def accept(connection: TcpConnection) -> Receiver:
            accepted.append(Echo(connection))
            check_certified_title(connection.peer_certificate, HEAD_END_TITLE)
            return accepted[-1]

        async with TcpServer(accept, HOST, 0, tls=pki.server()) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5, tls=pki.client(check_host=True))
            certified: CertifiedConnection = connection
            assert certified.peer_certificate == pki.meter.der
            check_certified_title(connection.peer_certificate, METER_TITLE)
            with pytest.raises(AuthenticationFailed, match="not of 4844450000000001"):
                check_certified_title(connection.peer_certificate, HEAD_END_TITLE)
            large = bytes(range(256)) * 4096
            connection.write(b"one")
            connection.write(large)
            await receiver.has(b"one" + large)
            connection.close()
            assert await receiver.ended() is None
            assert isinstance(await accepted[0].ended(), ConnectionLost)

    run(scenario)


def test_blocking_code_talks_to_blocking_code(pki: Pki) -> None:
    with BlockingTcpListener(HOST, 0, tls=pki.server()) as listener:
        done = threading.Thread(target=echo_once, args=(listener,))
        done.start()
        with BlockingTcpConnection(HOST, listener.port, 5, tls=pki.client(check_host=True)) as connection:
            assert connection.peer_certificate == pki.meter.der
            with pytest.raises(ResponseTimeout):
                connection.read(time.monotonic() + 0.02)
            with pytest.raises(ResponseTimeout):
                connection.read(time.monotonic() - 1)
            large = bytes(range(256)) * 1000
            connection.write(large)
            received = b""
            while len(received) < len(large):
                received += connection.read(time.monotonic() + 5)
            assert received == large
        assert connection.peer_certificate is None
        done.join()


def echo_once(listener: BlockingTcpListener) -> None:
    with listener.accept(time.monotonic() + 5) as connection:
        assert connection.peer_certificate is not None
        while octets := connection.read(time.monotonic() + 5):
            connection.write(octets)


def test_a_connection_without_tls_shows_no_certificate(pki: Pki) -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0) as server:
            connection = await connect(HOST, server.port, Recorder(), timeout=5)
            assert connection.peer_certificate is None
            connection.close()
            await connection.wait_closed()

    run(scenario)
    with pytest.raises(AuthenticationFailed, match="connect with TLS"):
        check_certified_title(None, METER_TITLE)


Faces = Callable[[Pki, ssl.SSLContext, int, "str | None"], None]


def on_asyncio(pki: Pki, context: ssl.SSLContext, port: int, server_name: str | None) -> None:
    async def scenario() -> None:
        await connect(HOST, port, Recorder(), timeout=5, tls=context, server_name=server_name)

    run(scenario)


def blocking(pki: Pki, context: ssl.SSLContext, port: int, server_name: str | None) -> None:
    BlockingTcpConnection(HOST, port, 5, tls=context, server_name=server_name)


@pytest.fixture(params=[on_asyncio, blocking], ids=["asyncio", "blocking"])
def connecting(request: pytest.FixtureRequest) -> Faces:
    face: Faces = request.param
    return face


class ServerInThread:
    """Answers handshakes in a thread, one after the other; keeps what went wrong."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.errors: list[CosemicError] = []
        self._listener = BlockingTcpListener(HOST, 0, tls=context, timeout=5)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> ServerInThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    @property
    def port(self) -> int:
        return self._listener.port

    def _serve(self) -> None:
        try:
            with self._listener.accept(time.monotonic() + 5) as connection:
                connection.read(time.monotonic() + 5)
        except CosemicError as error:
            self.errors.append(error)


def bad_servers(pki: Pki) -> dict[str, tuple[Identity, str]]:
    stranger = Authority(pki.authority.folder, "stranger")
    past = NOW - dt.timedelta(days=2)
    title = METER_TITLE.hex()
    clients_only = (x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH,)
    return {
        "expired": (pki.authority.issue(title, begins=past, alternative=LOCAL), "has expired"),
        "early": (pki.authority.issue(title, begins=NOW + dt.timedelta(days=1)), "is not valid yet"),
        "unknown CA": (stranger.issue(title, alternative=LOCAL), "issuer is not known: add the certificates of its CA"),
        "usage": (pki.authority.issue(title, usages=clients_only), "not made for this side of TLS"),
    }


@pytest.mark.parametrize("fault", ["expired", "early", "unknown CA", "usage"])
def test_a_server_whose_certificate_is_not_good(pki: Pki, connecting: Faces, fault: str) -> None:
    identity, advice = bad_servers(pki)[fault]
    with (
        ServerInThread(pki.server(identity)) as server,
        pytest.raises(AuthenticationFailed, match=rf"the certificate of {HOST}:\d+ is refused: .*{advice}"),
    ):
        connecting(pki, pki.client(), server.port, None)
    (told,) = server.errors
    assert isinstance(told, ConnectionFailed)


def test_a_server_with_another_name(pki: Pki, connecting: Faces) -> None:
    with (
        ServerInThread(pki.server()) as server,
        pytest.raises(AuthenticationFailed, match="it names another host: connect by the name that stands in it"),
    ):
        connecting(pki, pki.client(check_host=True), server.port, "other.example")
    with (
        ServerInThread(pki.server(pki.head_end)) as server,
        pytest.raises(AuthenticationFailed, match="it names another address"),
    ):
        connecting(pki, pki.client(check_host=True), server.port, None)


def test_the_name_in_the_certificate_may_be_given(pki: Pki) -> None:
    with ServerInThread(pki.server()) as server:
        context = pki.client(check_host=True)
        BlockingTcpConnection(HOST, server.port, 5, tls=context, server_name="meter.example").close()
    assert server.errors == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_without_a_certificate_is_told_so(pki: Pki, version: ssl.TLSVersion) -> None:
    naked = tls_context(trusted=pki.authority.file, check_host=False)
    naked.maximum_version = version

    async def scenario() -> None:
        refused, accepted = Refused(), list[Recorder]()
        receiver = Recorder()
        async with TcpServer(Echo, HOST, 0, tls=pki.server(), refused=refused.errors.append) as server:
            told: CosemicError | None
            try:
                await connect(HOST, server.port, receiver, timeout=5, tls=naked)
                told = await receiver.ended()
            except ConnectionFailed as error:
                told = error
            assert "certificate" in str(told)
            assert "give" in str(told)
            error = await refused.one()
            assert isinstance(error, ConnectionFailed)
            assert "it showed no certificate: both sides have to" in str(error)
            assert accepted == []
            assert server.connections == frozenset()

    run(scenario)


def test_blocking_code_is_told_that_a_certificate_is_demanded(pki: Pki) -> None:
    naked = tls_context(trusted=pki.authority.file, check_host=False)
    with ServerInThread(pki.server()) as server, BlockingTcpConnection(HOST, server.port, 5, tls=naked) as connection:
        with pytest.raises(ConnectionLost, match="demands a certificate from this side: give certificate and key"):
            connection.read(time.monotonic() + 5)
        with pytest.raises(ConnectionLost, match="is closed"):
            connection.write(b"x")
    assert "it showed no certificate" in str(server.errors[0])


def test_a_client_whose_certificate_is_not_good_does_not_get_in(pki: Pki) -> None:
    stranger = Authority(pki.authority.folder, "stranger").issue("head-end")

    async def scenario() -> None:
        refused, made = Refused(), list[Recorder]()

        def accept(connection: TcpConnection) -> Receiver:
            made.append(Recorder(connection))
            return made[-1]

        async with TcpServer(accept, HOST, 0, tls=pki.server(), refused=refused.errors.append) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5, tls=pki.client(stranger))
            connection.write(b"too early")
            error = await receiver.ended()
            assert isinstance(error, ConnectionLost)
            told = await refused.one()
            assert isinstance(told, AuthenticationFailed)
            assert "its issuer is not known" in str(told)
            assert made == []

    run(scenario)


def test_a_server_that_speaks_no_tls(pki: Pki, connecting: Faces) -> None:
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(b"220 not TLS at all\r\n")
                sock.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConnectionFailed, match="what it sends is no TLS: check the port"):
            connecting(pki, pki.client(), listener.getsockname()[1], None)
        thread.join()


def test_a_server_that_hangs_up_in_the_handshake(pki: Pki, connecting: Faces) -> None:
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ConnectionFailed, match="ended the handshake; check that it speaks TLS"):
            connecting(pki, pki.client(), listener.getsockname()[1], None)
        thread.join()


def test_a_server_that_says_nothing(pki: Pki) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConnectionFailed, match="it took too long"):
            BlockingTcpConnection(HOST, port, 0.05, tls=pki.client())

        async def scenario() -> None:
            with pytest.raises(ConnectionFailed, match="it took too long"):
                await connect(HOST, port, Recorder(), timeout=0.05, tls=pki.client())

        run(scenario)


def test_nothing_older_than_tls_1_2_is_spoken(pki: Pki) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLS"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with ServerInThread(pki.server()) as server, pytest.raises(ConnectionFailed):
        BlockingTcpConnection(HOST, server.port, 5, tls=old)
    assert "TLS 1.2 is the least" in str(server.errors[0])


def test_a_context_fails_closed(pki: Pki) -> None:
    for context in (pki.server(), pki.client(), tls_context(trusted=pki.authority.file)):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_TICKET
        suites = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
        assert suites
        assert all("GCM" in suite or "CHACHA20" in suite for suite in suites)
        assert all(suite.startswith("ECDHE") for suite in suites)
    assert tls_context(trusted=pki.authority.file).check_hostname
    assert not pki.client(check_host=False).check_hostname


def test_files_that_are_wrong_are_named(pki: Pki, tmp_path: Path) -> None:
    trusted, other = pki.authority.file, pki.authority.issue("other")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    locked = other.key_file_with(serialization.BestAvailableEncryption(b"open sesame"))
    with pytest.raises(ConfigurationError, match=r"absent\.pem cannot be read .* check the path"):
        tls_context(trusted=tmp_path / "absent.pem")
    with pytest.raises(ConfigurationError, match=r"nonsense\.pem holds no trusted certificates"):
        tls_context(trusted=nonsense)
    with pytest.raises(ConfigurationError, match="TLS needs the own certificate"):
        tls_context(server=True, trusted=trusted)
    with pytest.raises(ConfigurationError, match="TLS needs the own certificate"):
        tls_context(trusted=trusted, key=pki.meter.key_file)
    with pytest.raises(ConfigurationError, match=r"absent\.pem cannot be read"):
        tls_context(trusted=trusted, certificate=tmp_path / "absent.pem")
    with pytest.raises(ConfigurationError, match=r"nonsense\.pem: there is no PEM certificate"):
        tls_context(trusted=trusted, certificate=nonsense)
    with pytest.raises(ConfigurationError, match="the key does not belong to the certificate"):
        tls_context(trusted=trusted, certificate=pki.meter.certificate_file, key=pki.head_end.key_file)
    with pytest.raises(ConfigurationError, match="is encrypted: give its password"):
        tls_context(trusted=trusted, certificate=other.certificate_file, key=locked)
    with pytest.raises(ConfigurationError, match="the password does not open the key") as caught:
        tls_context(trusted=trusted, certificate=other.certificate_file, key=locked, password=Secret(b"sesame"))
    assert "sesame" not in str(caught.value)
    tls_context(trusted=trusted, certificate=other.certificate_file, key=locked, password=Secret(b"open sesame"))


@pytest.mark.parametrize("turns", range(0, 24, 2))
def test_connecting_can_be_cancelled_at_any_moment(pki: Pki, turns: int) -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0, tls=pki.server()) as server:
            await give_up_after(turns, connect(HOST, server.port, Recorder(), timeout=5, tls=pki.client()))

    run(scenario)


@pytest.mark.parametrize("turns", range(0, 24, 2))
def test_a_server_may_close_at_any_moment_of_a_handshake(pki: Pki, turns: int) -> None:
    async def scenario() -> None:
        server = TcpServer(Echo, HOST, 0, tls=pki.server())
        await server.start()
        receiver = Recorder()
        attempt = asyncio.create_task(connect(HOST, server.port, receiver, timeout=5, tls=pki.client()))
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.close()
        try:
            connection = await attempt
        except ConnectionFailed:
            return
        assert isinstance(await receiver.ended(), ConnectionLost)
        await connection.wait_closed()

    run(scenario)


def test_a_server_that_closes_does_not_wait_for_a_client_that_says_nothing(pki: Pki) -> None:
    async def scenario() -> None:
        server = TcpServer(Echo, HOST, 0, tls=pki.server())
        await server.start()
        with socket.create_connection((HOST, server.port)) as silent:
            while not server._handshakes._tasks:
                await asyncio.sleep(0)
            async with asyncio.timeout(2):
                await server.close()
                silent.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""

    run(scenario)


def test_a_client_that_says_nothing_is_let_go(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_TIME", 0.02)

    async def scenario() -> None:
        refused = Refused()
        async with TcpServer(Echo, HOST, 0, tls=pki.server(), refused=refused.errors.append) as server:
            with socket.create_connection((HOST, server.port)) as silent:
                assert "it took too long" in str(await refused.one())
                silent.setblocking(False)
                async with asyncio.timeout(5):
                    assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""

    run(scenario)


def test_handshakes_under_way_are_bounded(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshakes, "MOST_HANDSHAKES", 2)

    async def scenario() -> None:
        refused = Refused()
        async with TcpServer(Echo, HOST, 0, tls=pki.server(), refused=refused.errors.append) as server:
            silent = [socket.create_connection((HOST, server.port)) for _ in range(3)]
            assert "was turned away" in str(await refused.one())
            for sock in silent:
                sock.close()

    run(scenario)


def test_a_receiver_that_cannot_be_made_ends_its_connection_only(pki: Pki) -> None:
    problems: list[object] = []

    def refuse(connection: TcpConnection) -> Receiver:
        raise LookupError("a mistake of the factory")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context["exception"]))
        async with TcpServer(refuse, HOST, 0, tls=pki.server()) as server:
            receiver = Recorder()
            await connect(HOST, server.port, receiver, timeout=5, tls=pki.client())
            assert isinstance(await receiver.ended(), ConnectionLost)
            assert server.connections == frozenset()

    asyncio.run(scenario(), debug=True)
    assert [type(problem) for problem in problems] == [LookupError]


def test_what_is_sent_with_the_end_of_the_handshake_is_not_lost(pki: Pki) -> None:
    async def scenario() -> None:
        async with TcpServer(Echo, HOST, 0, tls=pki.server()) as server:
            for _ in range(10):
                receiver = Recorder()
                connection = await connect(HOST, server.port, receiver, timeout=5, tls=pki.client())
                connection.write(b"at once")
                await receiver.has(b"at once")
                connection.close()
                await connection.wait_closed()

    run(scenario)


def test_closing_does_not_wait_for_ever_for_a_peer_that_does_not_read(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "CLOSE_TIME", 0.05)

    async def scenario() -> None:
        accepted: list[TcpConnection] = []

        def accept(connection: TcpConnection) -> Receiver:
            assert connection._transport is not None
            connection._transport.pause_reading()
            accepted.append(connection)
            return Recorder(connection)

        async with TcpServer(accept, HOST, 0, tls=pki.server()) as server:
            receiver = Recorder()
            connection = await connect(HOST, server.port, receiver, timeout=5, tls=pki.client())
            while not accepted:
                await asyncio.sleep(0)
            connection.write(bytes(15_000_000))
            connection.close()
            assert await receiver.ended() is None
            accepted[0].reset()

    run(scenario)
