"""UDP over real sockets: a connection on asyncio and for blocking code, a server with its peers, and many at once."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost, ResponseTimeout
from cosemic.transport import udp
from cosemic.transport.blocking_udp import BlockingUdpConnection
from cosemic.transport.contract import BlockingConnection, Receiver
from cosemic.transport.datagrams import MulticastGroup, UdpOptions, is_multicast
from cosemic.transport.udp import UdpConnection, connect_udp
from cosemic.transport.udp_server import UdpPeer, UdpServer
from tests.transport.samples import HOST, Echo, Recorder, free_port, give_up_after, has_ipv6, run

pytestmark = pytest.mark.slow

GROUP = "239.255.40.59"
linux = pytest.mark.skipif(not os.path.isdir("/proc"), reason="how ICMP comes back differs between systems")


class Whole(Recorder):
    """Keeps datagrams apart."""

    def __init__(self, connection: UdpPeer | None = None) -> None:
        super().__init__(connection)
        self.datagrams: list[bytes] = []

    def octets_received(self, octets: bytes, /) -> None:
        self.datagrams.append(octets)
        super().octets_received(octets)


class Peers:
    """The receivers that a server has made."""

    def __init__(self, kind: Callable[[UdpPeer], Recorder] = Whole) -> None:
        self.made: list[Recorder] = []
        self._kind = kind

    def __call__(self, peer: UdpPeer) -> Receiver:
        self.made.append(self._kind(peer))
        return self.made[-1]

    async def number(self, number: int) -> Recorder:
        async with asyncio.timeout(5):
            while len(self.made) < number:
                await asyncio.sleep(0.001)
        return self.made[number - 1]


def link_local() -> str | None:
    """An address of this machine that is of one link only, with its interface."""
    try:
        with open("/proc/net/if_inet6") as interfaces:
            found = [line.split() for line in interfaces]
    except OSError:
        return None
    for digits, _, _, scope, _, interface in found:
        if scope == "20":
            return f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))}%{interface}"
    return None


async def closed(connection: UdpConnection) -> None:
    connection.close()
    connection.close()
    await connection.wait_closed()


def test_each_write_is_one_datagram_and_each_is_handed_on_whole() -> None:
    async def scenario() -> None:
        async with UdpServer(Echo, HOST, 0) as server:
            receiver = Whole()
            connection = await connect_udp(HOST, server.port, receiver, timeout=5)
            assert connection.peer == f"{HOST}:{server.port}"
            for octets in (b"one", b"two", bytes(60_000)):
                connection.write(octets)
                await receiver.until(lambda octets=octets: receiver.datagrams[-1:] == [octets])  # type: ignore[misc]  # of this turn
            assert receiver.datagrams == [b"one", b"two", bytes(60_000)]
            await closed(connection)
            assert await receiver.ended() is None
            with pytest.raises(ConnectionLost, match="is closed"):
                connection.write(b"x")

    run(scenario)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_ipv6_and_names(host: str) -> None:
    async def scenario() -> None:
        async with UdpServer(Echo, None, 0) as server:
            receiver = Recorder()
            connection = await connect_udp(host, server.port, receiver, timeout=5)
            connection.write(b"six")
            await receiver.has(b"six")
            await closed(connection)

    asyncio.run(scenario())


@pytest.mark.skipif(link_local() is None, reason="no link-local address on this machine")
def test_a_link_local_address_with_its_interface() -> None:
    host = link_local()
    assert host is not None

    async def scenario() -> None:
        peers = Peers(Echo)
        async with UdpServer(peers, host, 0) as server:
            receiver = Recorder()
            connection = await connect_udp(host, server.port, receiver, timeout=5)
            assert connection.peer == f"[{host}]:{server.port}"
            connection.write(b"x")
            await receiver.has(b"x")
            await closed(connection)
            with BlockingUdpConnection(host, server.port, 5) as blocking:
                blocking.write(b"y")
                await peers.number(2)
                assert blocking.read(time.monotonic() + 5) == b"y"

    run(scenario)


@linux
def test_nobody_listens() -> None:
    async def scenario() -> None:
        receiver = Recorder()
        connection = await connect_udp(HOST, free_port(), receiver, timeout=5)
        connection.write(b"x")
        error = await receiver.ended()
        assert isinstance(error, ConnectionLost)
        assert "says that nobody listens there: check address and port" in str(error)
        with pytest.raises(ConnectionLost):
            connection.write(b"y")
        await closed(connection)

    run(scenario)


def test_a_datagram_that_is_too_long_ends_the_connection_in_a_turn_of_its_own() -> None:
    async def scenario() -> None:
        async with UdpServer(Echo, HOST, 0) as server:
            receiver = Recorder()
            connection = await connect_udp(HOST, server.port, receiver, timeout=5)
            connection.write(bytes(70_000))
            assert receiver.ends == []
            error = await receiver.ended()
            assert isinstance(error, ConnectionLost)
            assert "too many octets for one datagram" in str(error)
            await connection.wait_closed()

    run(scenario)


def test_an_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def scenario() -> None:
        with pytest.raises(ConnectionFailed, match=r"no address .* spelling"):
            await connect_udp("meter.example", 4059, Recorder(), timeout=5)

    asyncio.run(scenario())
    with pytest.raises(ConnectionFailed, match=r"no address .* spelling"):
        BlockingUdpConnection("meter.example", 4059, 5)


@pytest.mark.parametrize("turns", range(5))
def test_connecting_can_be_cancelled_at_any_moment(turns: int) -> None:
    async def scenario() -> None:
        attempt = asyncio.create_task(connect_udp(HOST, 4059, Recorder(), timeout=5))
        for _ in range(turns):
            await asyncio.sleep(0)
        attempt.cancel()
        try:
            await closed(await attempt)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    run(scenario)


def test_what_the_system_does_not_take_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MOST_WAITING", 100)

    class Full:
        def __init__(self) -> None:
            self.sent: list[bytes] = []

        def get_write_buffer_size(self) -> int:
            return sum(map(len, self.sent))

        def sendto(self, octets: bytes, address: object = None) -> None:
            self.sent.append(octets)

    full = Full()
    for _ in range(10):
        udp.send_datagram(full, bytes(40))  # type: ignore[arg-type]  # as much of a transport as is used
    assert len(full.sent) == 2


def blocking_pair(use: Callable[[BlockingUdpConnection, socket.socket], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HOST, 0))
        with BlockingUdpConnection(HOST, peer.getsockname()[1], 5) as connection:
            use(connection, peer)


def test_blocking_code_sends_and_reads_datagrams() -> None:
    def use(connection: BlockingUdpConnection, peer: socket.socket) -> None:
        face: BlockingConnection = connection
        face.write(b"one")
        face.write(b"two")
        octets, address = peer.recvfrom(100)
        assert (octets, peer.recv(100)) == (b"one", b"two")
        for octets in (b"answer", b"", b"more"):
            peer.sendto(octets, address)
        assert face.read(time.monotonic() + 5) == b"answer"
        assert face.read(time.monotonic() + 5) == b"more"
        peer.sendto(b"", address)
        for ahead in (-1.0, 0.0, 0.02):
            with pytest.raises(ResponseTimeout):
                face.read(time.monotonic() + ahead)
        peer.sendto(b"late", address)
        time.sleep(0.01)
        assert face.read(time.monotonic() - 1) == b"late"
        connection.close()
        with pytest.raises(ConnectionLost, match="is closed"):
            face.write(b"x")

    blocking_pair(use)


@linux
def test_blocking_code_is_told_that_nobody_listens() -> None:
    with BlockingUdpConnection(HOST, free_port(), 5) as connection:
        connection.write(b"x")
        with pytest.raises(ConnectionLost, match="says that nobody listens there"):
            connection.read(time.monotonic() + 5)
        with pytest.raises(ConnectionLost, match="is closed"):
            connection.read()


def test_each_peer_of_a_server_has_its_own_receiver() -> None:
    async def scenario() -> None:
        peers = Peers(Echo)
        async with UdpServer(peers, HOST, 0) as server:
            receivers = [Recorder(), Recorder()]
            connections = [await connect_udp(HOST, server.port, receiver, timeout=5) for receiver in receivers]
            for number, connection in enumerate(connections):
                connection.write(bytes((number,)))
            for number, receiver in enumerate(receivers):
                await receiver.has(bytes((number,)))
            connections[0].write(b"again")
            await receivers[0].has(b"\x00again")
            assert len(peers.made) == len(server.connections) == 2
            assert {peer.peer for peer in server.connections} != {f"{HOST}:{server.port}"}
            for connection in connections:
                await closed(connection)
        assert [await made.ended() for made in peers.made] == [None, None]
        assert server.connections == frozenset()

    run(scenario)


def test_peers_are_bounded_and_those_under_way_are_kept() -> None:
    async def scenario() -> None:
        peers = Peers(Echo)
        async with UdpServer(peers, HOST, 0, max_peers=2) as server:
            receivers = [Recorder() for _ in range(3)]
            connections = [await connect_udp(HOST, server.port, receiver, timeout=5) for receiver in receivers]
            for connection, receiver in zip(connections[:2], receivers, strict=False):
                connection.write(b"x")
                await receiver.has(b"x")
            connections[2].write(b"one too many")
            connections[0].write(b"y")
            await receivers[0].has(b"xy")
            assert len(peers.made) == 2
            assert receivers[2].octets == b""
            next(iter(server.connections)).close()
            connections[2].write(b"now")
            await receivers[2].has(b"now")
            for connection in connections:
                await closed(connection)

    run(scenario)


def test_idle_peers_are_let_go_and_may_come_again() -> None:
    async def scenario() -> None:
        peers = Peers(Echo)
        async with UdpServer(peers, HOST, 0, idle_timeout=0.03) as server:
            receiver = Recorder()
            connection = await connect_udp(HOST, server.port, receiver, timeout=5)
            connection.write(b"x")
            first = await peers.number(1)
            assert await first.ended() is None
            assert server.connections == frozenset()
            assert isinstance(first.connection, UdpPeer)
            with pytest.raises(ConnectionLost, match="is closed"):
                first.connection.write(b"late")
            connection.write(b"y")
            await peers.number(2)
            await receiver.has(b"xy")
            await closed(connection)

    run(scenario)


def test_a_peer_that_is_heard_is_not_let_go() -> None:
    async def scenario() -> None:
        peers = Peers(Echo)
        async with UdpServer(peers, HOST, 0, idle_timeout=0.2) as server:
            receivers = [Recorder(), Recorder()]
            talking, silent = [await connect_udp(HOST, server.port, each, timeout=5) for each in receivers]
            talking.write(b"x")
            (talker,) = [await peers.number(1)]
            silent.write(b"x")
            idle = await peers.number(2)
            async with asyncio.timeout(5):
                while not idle.ends:
                    talking.write(b"x")
                    await asyncio.sleep(0.02)
            assert talker.ends == []
            for connection in (talking, silent):
                await closed(connection)

    run(scenario)


def test_a_receiver_that_fails_ends_its_peer_only() -> None:
    problems: list[object] = []

    class Failing(Whole):
        def octets_received(self, octets: bytes, /) -> None:
            raise LookupError("a mistake of the receiver")

    def refuse(peer: UdpPeer) -> Receiver:
        if len(made) == 1:
            raise LookupError("a mistake of the factory")
        made.append(Failing(peer))
        return made[-1]

    made: list[Failing] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context["exception"]))
        async with UdpServer(refuse, HOST, 0) as server:
            for number in (1, 2):
                connection = await connect_udp(HOST, server.port, Recorder(), timeout=5)
                connection.write(b"x")
                while len(problems) < number:
                    await asyncio.sleep(0.001)
                await closed(connection)
            assert isinstance(await made[0].ended(), ConnectionLost)
            assert server.connections == frozenset()

    asyncio.run(scenario(), debug=True)
    assert [type(problem) for problem in problems] == [LookupError, LookupError]


def test_an_answer_that_cannot_be_sent_ends_its_peer_only() -> None:
    class TooLong(Whole):
        def octets_received(self, octets: bytes, /) -> None:
            assert self.connection is not None
            self.connection.write(bytes(70_000) if octets == b"long" else octets)

    async def scenario() -> None:
        peers = Peers(TooLong)
        async with UdpServer(peers, HOST, 0) as server:
            receivers = [Recorder(), Recorder()]
            one, other = [await connect_udp(HOST, server.port, each, timeout=5) for each in receivers]
            other.write(b"x")
            await receivers[1].has(b"x")
            one.write(b"long")
            assert isinstance(await (await peers.number(2)).ended(), ConnectionLost)
            other.write(b"y")
            await receivers[1].has(b"xy")
            for connection in (one, other):
                await closed(connection)

    run(scenario)


def test_an_address_that_is_taken() -> None:
    async def scenario() -> None:
        async with UdpServer(Echo, HOST, 0) as server:
            with pytest.raises(ConfigurationError, match="choose another port"):
                await UdpServer(Echo, HOST, server.port).start()

    run(scenario)


@pytest.mark.parametrize("turns", range(6))
def test_starting_can_be_cancelled_at_any_moment(turns: int) -> None:
    async def scenario() -> None:
        server = UdpServer(Echo, None, 0)
        await give_up_after(turns, server.start())
        await server.close()
        await server.close()
        await asyncio.sleep(0)

    run(scenario)


def groups() -> list[tuple[str, str]]:
    found = [(GROUP, HOST)]
    local = link_local()
    if local is not None:
        found.append(("ff02::4059", local.partition("%")[2]))
    return found


@linux
@pytest.mark.parametrize(("address", "interface"), groups())
def test_multicast_reaches_those_that_have_joined(address: str, interface: str) -> None:
    async def scenario() -> None:
        joined, other = Peers(), Peers()
        group = MulticastGroup(address, interface)
        async with (
            UdpServer(joined, None, 0, groups=[group]) as server,
            UdpServer(other, None, 0, groups=[MulticastGroup("239.255.40.60", HOST)]) as stranger,
        ):
            for each in (stranger, server):
                host = f"{address}%{interface}" if ":" in address else address
                options = UdpOptions(interface=interface)
                connection = await connect_udp(host, each.port, Recorder(), timeout=5, options=options)
                connection.write(b"to all")
                await closed(connection)
            await (await joined.number(1)).has(b"to all")
            await asyncio.sleep(0.01)
            assert other.made == []

    run(scenario)


@linux
def test_blocking_code_sends_multicast() -> None:
    async def scenario() -> None:
        peers = Peers()
        async with UdpServer(peers, None, 0, groups=[MulticastGroup(GROUP, HOST)]) as server:
            with BlockingUdpConnection(GROUP, server.port, 5, UdpOptions(interface=HOST)) as connection:
                connection.write(b"to all")
            await (await peers.number(1)).has(b"to all")

    run(scenario)


@linux
def test_multicast_stays_on_the_own_network_unless_told_otherwise() -> None:
    with BlockingUdpConnection(GROUP, 4059, 5, UdpOptions(interface=HOST)) as connection:
        assert connection._socket is not None
        assert connection._socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 1
    with BlockingUdpConnection(GROUP, 4059, 5, UdpOptions(interface=HOST, hops=5, loop=False)) as connection:
        assert connection._socket is not None
        assert connection._socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == 5
        assert not connection._socket.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP)


@linux
def test_broadcast_is_sent_only_where_it_is_asked_for() -> None:
    async def scenario() -> None:
        peers = Peers()
        async with UdpServer(peers, None, 0) as server:
            everyone = "127.255.255.255"
            with pytest.raises(ConnectionFailed):
                await connect_udp(everyone, server.port, Recorder(), timeout=5)
            options = UdpOptions(broadcast=True)
            connection = await connect_udp(everyone, server.port, Recorder(), timeout=5, options=options)
            connection.write(b"to all")
            await (await peers.number(1)).has(b"to all")
            await closed(connection)

    run(scenario)


def test_groups_that_cannot_be_joined() -> None:
    with pytest.raises(ConfigurationError, match="no multicast address"):
        MulticastGroup("192.0.2.1")

    async def scenario(server: UdpServer, message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            await server.start()

    def starting(host: str | None, group: MulticastGroup, message: str) -> Callable[[], Awaitable[None]]:
        return lambda: scenario(UdpServer(Echo, host, 0, groups=[group]), message)

    run(starting(HOST, MulticastGroup("ff02::1"), "listen on an address of its kind"))
    run(starting(None, MulticastGroup(GROUP, "192.0.2.254"), "cannot be joined .* check the interface"))
    run(starting(None, MulticastGroup("ff02::1", "none"), "cannot be joined .* check the interface"))


def test_multicast_addresses_are_told_by_their_numbers() -> None:
    assert [host for host in (GROUP, "ff02::1%eth0", "192.0.2.1", "::1", "meter.example") if is_multicast(host)] == [
        GROUP,
        "ff02::1%eth0",
    ]
