"""General block transfer through whole stacks: every link, and datagrams that are lost, doubled and late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from cosemic.association.requests import Action, Failed, Get, Open, Release, Set
from cosemic.association.server_blocks import ServerBlocks
from cosemic.association.settings import ClientSettings
from cosemic.dialect import STANDARD, BlockRecovery
from cosemic.errors import ConfigurationError, CosemicError
from cosemic.faults import DatagramFaults
from cosemic.link.wrapper import WrapperLink
from cosemic.server import PhysicalDevice
from cosemic.server.meter_session import MeterSession
from cosemic.simulator import HouseholdMeter
from cosemic.simulator.security import CLIENT_TITLE
from cosemic.stack import SCHEMES, ClientStack, in_blocks, over_datagrams, parse_url
from cosemic.values import Conformance, DataAccessResult
from tests.association.samples import ECHO, REGISTER, M, Shelf, octets, settings
from tests.effort import examples
from tests.stack.full_session import assert_right, household, security
from tests.stack.over_udp import HEADER, Field, ShelfDevice
from tests.stack.test_every_stack import FACES, SECURITY, converse
from tests.stack.test_over_udp import KINDS, OverUdp
from tests.stack.ways import Way, url
from tests.transport.certificates import Authority

GMAC = {"mechanism": M.HLS_GMAC, "ciphered": True}
LONG = 1 << 16
BLOCK = 0xE0


@pytest.fixture(scope="module")
def meters() -> dict[str, HouseholdMeter]:
    return {kind: household(kind) for kind in SECURITY}


@pytest.fixture(scope="module")
def certificates(meters: dict[str, HouseholdMeter], tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    titles = meters["none"].system_title, CLIENT_TITLE
    server, client = (authority.issue(title.hex().upper()).der for title in titles)
    return server, client


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_session_over_every_link(
    scheme: str,
    meters: dict[str, HouseholdMeter],
    certificates: tuple[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = SCHEMES.index(scheme)
    meter, face = meters[SECURITY[number % 2]], FACES[number // 2 % 2]
    taken = []
    receive = ServerBlocks.receive

    def counted(self: ServerBlocks, octets: bytes, **more: Any) -> bytes | None:
        taken.append(octets)
        return receive(self, octets, **more)

    monkeypatch.setattr(ServerBlocks, "receive", counted)
    way = Way(PhysicalDevice(meter), certificates=certificates, on_loop=face == "asyncio")
    where = url(scheme, "max_pdu=400", "blocks=general", "block_window=4")
    found, _ = converse(way, where, security(meter, certified="tls" in scheme), face, monkeypatch)
    assert_right(found, meter)
    assert {apdu[0] for apdu in taken} == {BLOCK}
    assert {apdu[1] & 0x3F for apdu in taken} == {4}
    assert len(taken) >= 3
    way.assert_that_nothing_is_left()


# ---- what a URL says ------------------------------------------------------------------------------------------------


def test_a_url_names_the_blocks_and_their_window() -> None:
    found = in_blocks(ClientSettings(), parse_url("tcp://meter?blocks=general&block_window=63"))
    assert (found.general_blocks, found.block_window) == (True, 63)
    assert not in_blocks(found, parse_url("tcp://meter?blocks=service")).general_blocks
    assert in_blocks(found, parse_url("tcp://meter")) is found
    for wrong in ("blocks=yes", "block_window=0", "block_window=64"):
        with pytest.raises(ConfigurationError):
            parse_url(f"tcp://meter?{wrong}")


def test_over_datagrams_blocks_are_repeated_more_often() -> None:
    address = parse_url("udp://meter?retries=2")
    assert over_datagrams(ClientSettings(), address).block_retries == 8
    assert over_datagrams(ClientSettings(block_retries=20), address).block_retries == 20


# ---- over datagrams -------------------------------------------------------------------------------------------------


def field(fault: float, seed: int, recovery: BlockRecovery, **more: Any) -> Field:
    faults = DatagramFaults(latency=0.05, jitter=0.01, loss=fault, duplication=fault, reordering=fault, held_back=0.5)
    both = {"max_pdu_size": 1024, "dialect": STANDARD.but(block_recovery=recovery)}
    client = {"general_blocks": True, "repetitions": 16, "response_timeout": 1.0}
    return Field(faults, seed=seed, client=both | client, server=both, **more)


def outcome(fault: float, seed: int, recovery: BlockRecovery = BlockRecovery.GO_BACK, **more: Any) -> bool:
    """Whether a long value was written, read and echoed right; what fails fails with a declared error."""
    made = field(fault, seed, recovery, **more)
    value = octets(LONG, seed)
    try:
        made.client.ask(Open())
        assert made.client.stack.association.opened is not None
        assert Conformance.GENERAL_BLOCK_TRANSFER in made.client.stack.association.opened.conformance
        assert made.client.ask(Set(REGISTER, value)) is DataAccessResult.SUCCESS
        assert made.client.ask(Get(REGISTER)) == value
        assert made.client.ask(Action(ECHO, octets(5000, seed))).return_parameters == octets(5000, seed)
        made.client.ask(Release())
    except CosemicError:
        return False
    assert set(made.executed().values()) == {1}
    assert [kind for kind, _ in made.shelf.calls] == ["set", "get", "action"]
    assert any(passed.octets[HEADER] == BLOCK for passed in made.network.journal)
    made.assert_that_no_counter_was_repeated()
    return True


@pytest.mark.parametrize("recovery", BlockRecovery)
@pytest.mark.parametrize("kind", [{}, GMAC], ids=["plain", "ciphered"])
def test_64_kib_both_ways_where_every_fifth_datagram_is_lost_doubled_and_late(
    kind: dict[str, Any], recovery: BlockRecovery
) -> None:
    assert [outcome(0.2, seed, recovery, **kind) for seed in range(4)] == [True] * 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", [{}, GMAC], ids=["plain", "ciphered"])
def test_of_hundreds_99_in_a_hundred_come_right(kind: dict[str, Any]) -> None:
    assert sum(outcome(0.2, seed, **kind) for seed in range(200)) >= 198
    assert all(outcome(0.05, seed, **kind) for seed in range(200))


def test_a_meter_that_keeps_nothing_is_read_right_all_the_same() -> None:
    right = 0
    for seed in range(20):
        faults = DatagramFaults(latency=0.05, jitter=0.3, loss=0.2, duplication=0.1)
        client = {"general_blocks": True, "repetitions": 8, "repeat_changes": False, "max_pdu_size": 100}
        one = Field(faults, seed=seed, client=client, server={"keep_answers": False}, **GMAC)
        value = octets(1500, seed)
        one.shelf.put(REGISTER, value)
        try:
            one.client.ask(Open())
            assert one.client.ask(Get(REGISTER)) == value
        except CosemicError:
            continue
        right += 1
    assert right >= 10


class InBlocks(OverUdp):
    """Any requests over any faults, in general blocks."""

    @initialize(
        loss=st.sampled_from([0.0, 0.1, 0.2]),
        duplication=st.sampled_from([0.0, 0.1, 0.4]),
        reordering=st.sampled_from([0.0, 0.2, 0.4]),
        latency=st.sampled_from([0.0, 0.02, 0.3]),
        jitter=st.sampled_from([0.0, 0.2]),
        repetitions=st.sampled_from([1, 3, 8]),
        kind=st.sampled_from(KINDS),
        window=st.sampled_from([1, 3, 10, 63]),
        seed=st.integers(0, 1 << 16),
    )
    def begin(  # type: ignore[override]
        self,
        loss: float,
        duplication: float,
        reordering: float,
        latency: float,
        jitter: float,
        repetitions: int,
        kind: dict[str, Any],
        window: int,
        seed: int,
    ) -> None:
        faults = DatagramFaults(
            latency=latency, jitter=jitter, loss=loss, duplication=duplication, reordering=reordering, held_back=0.7
        )
        sizes = {"max_pdu_size": 100, "block_window": window}
        client = {"repetitions": repetitions, "general_blocks": True, "block_retries": 8} | sizes
        self.field = Field(faults, seed=seed, client=client, server=sizes, **kind)
        self.serial = 0

    def ask(self, request: Any, apdus: int = 1) -> Any:
        """The result, or the error; either comes in time, of which a transfer takes more."""
        return super().ask(request, 20 * apdus)


TestInBlocks = InBlocks.TestCase
TestInBlocks.settings = examples(30, stateful_step_count=20, deadline=None)


# ---- whose time it is -----------------------------------------------------------------------------------------------


def pair() -> tuple[ClientStack, MeterSession, Shelf]:
    """A client and a meter over the wrapper, associated."""
    ours, theirs = settings(
        client={"general_blocks": True, "response_timeout": 2.0, "max_pdu_size": 100},
        server={"max_pdu_size": 100, "block_timeout": 5.0},
    )
    shelf = Shelf()
    device: Any = ShelfDevice(theirs, shelf)
    stack, session = ClientStack(ours, 16, 1), MeterSession(device, WrapperLink())
    stack.send(Open())
    stack.tick(1.0)
    session.receive(stack.octets_to_send(), 1.0)
    assert stack.receive(session.octets_to_send(), 1.0)
    return stack, session, shelf


def test_a_client_on_a_stream_asks_again_when_its_time_has_come() -> None:
    stack, session, shelf = pair()
    shelf.put(REGISTER, octets(1000))
    stack.send(Get(REGISTER))
    stack.tick(1.0)
    session.receive(stack.octets_to_send(), 1.0)
    assert stack.receive(session.octets_to_send(), 1.0) == []
    first = stack.octets_to_send()
    assert first[HEADER:].hex() == "e0880001000100"
    assert stack.deadline() == 3.0
    assert stack.tick(3.0) == []
    assert stack.octets_to_send()[HEADER:].hex() == "e0880002000100"


def test_a_whole_window_leaves_at_once() -> None:
    stack, session, _ = pair()
    stack.send(Set(REGISTER, octets(1000)))
    stack.tick(1.0)
    session.receive(stack.octets_to_send(), 1.0)
    trips = stack.traffic.round_trips
    stack.receive(session.octets_to_send(), 1.0)
    window = stack.octets_to_send()
    assert window.count(bytes.fromhex("0001001000010064")) == 8
    assert stack.traffic.round_trips == trips + 1


def test_a_meter_asks_for_what_is_missing_when_its_time_has_come() -> None:
    stack, session, _ = pair()
    assert session.deadline() is None
    stack.send(Set(REGISTER, octets(1000)))
    stack.tick(1.0)
    session.receive(stack.octets_to_send(), 1.0)
    session.octets_to_send()
    assert session.deadline() == 6.0
    session.tick(5.9)
    assert session.octets_to_send() == b""
    session.tick(6.0)
    assert session.octets_to_send()[HEADER:].hex() == "e0080002000100"


def test_an_abort_reaches_the_meter() -> None:
    stack, session, shelf = pair()
    shelf.put(REGISTER, octets(1000))
    stack.send(Get(REGISTER))
    stack.tick(1.0)
    session.receive(stack.octets_to_send(), 1.0)
    stack.receive(session.octets_to_send(), 1.0)
    stack.octets_to_send()
    (failed,) = stack.receive(bytes.fromhex("0001000100100009" + "E00500020009020102"), 1.0)
    assert isinstance(failed, Failed)
    session.receive(stack.octets_to_send(), 1.0)
    assert session.deadline() is None
