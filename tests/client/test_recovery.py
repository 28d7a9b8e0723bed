"""What is repeated and what is not, by class of error; no time passes here."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.apdu import ActionResponseWithOptionalData
from cosemic.association.settings import ClientSettings
from cosemic.client import Meter
from cosemic.client.blocking import BlockingDriver
from cosemic.client.recovery import NONE, STANDARD, Recovery, Rule, repeated, rule_for
from cosemic.client.session import Session
from cosemic.client.steps import Now, Procedure, Reconnect, Step, Wait
from cosemic.client.timepiece import machine_time
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationRejected,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    CosemicError,
    DataAccessError,
    ExceptionReceived,
    NotAssociated,
    OutcomeUnknown,
    ProtocolError,
    ResponseTimeout,
    SecurityError,
    TransportError,
)
from cosemic.model import Clock, Register
from cosemic.stack import ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.transport.memory import BlockingMemoryConnection
from cosemic.values import ActionResult, Conformance, DataAccessResult, Secret
from tests.association.samples import VALUE, M, Shelf, settings
from tests.client.meters import CLIENT, ENERGY, PUBLIC, QUICK, MeterEnd, World, household, mute
from tests.transport.samples import run

REGISTER = f"3/{ENERGY}:2"
GET, GET_LIST, SET, ACTION = b"\xc0\x01", b"\xc0\x03", b"\xc1\x01", b"\xc3\x01"


class Visit(BlockingDriver):
    """A client of a world; waits are noted and pass at once. unreachable: attempts to connect that fail."""

    def __init__(
        self,
        world: World,
        recovery: Recovery = STANDARD,
        client: ClientSettings | None = None,
        sap: int = PUBLIC,
    ) -> None:
        security = SecuritySettings(client or ClientSettings())
        session = Session(security, lambda: ClientStack(security.client, sap, 1), dt.UTC, recovery)
        super().__init__(session, self._memory, machine_time)
        self.world = world
        self.waits: list[float] = []
        self.unreachable = 0

    def _memory(self) -> BlockingMemoryConnection:
        if self.unreachable:
            self.unreachable -= 1
            raise ConnectionFailed("nobody answers")
        return BlockingMemoryConnection(self.world.receiver)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Wait):
            self.waits.append(step.seconds)
            return None
        return super()._perform(step)

    def sent(self, *heads: bytes) -> list[bytes]:
        """First two octets of the requests that arrived."""
        return [apdu[:2] for apdu in self.world.received if apdu[:2] in (heads or (GET, GET_LIST, SET, ACTION))]


def opened(world: World | None = None, recovery: Recovery = STANDARD, **more: Any) -> Visit:
    visit = Visit(world or World(), recovery, **more)
    visit.run(visit.session.open())
    visit.world.received.clear()
    return visit


def cut(times: int) -> Any:
    """Close the connection instead of answering, so many times."""
    left = [times]

    def fault(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if not left[0]:
            return None
        left[0] -= 1
        end.connection.close()
        return b""

    return fault


def silent(times: int) -> Any:
    left = [times]

    def fault(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if not left[0]:
            return None
        left[0] -= 1
        return b""

    return fault


def played(procedure: Procedure[Any]) -> tuple[Any, list[float]]:
    """Run a procedure that asks nobody; returns its value, or the error that ends it, and what it waited."""
    waits: list[float] = []
    try:
        step = next(procedure)
        while True:
            if isinstance(step, Wait):
                waits.append(step.seconds)
            step = procedure.send(None)
    except StopIteration as done:
        return done.value, waits
    except CosemicError as error:
        return error, waits


# ---- reading --------------------------------------------------------------------------------------------------------


def test_a_read_that_loses_the_connection_is_repeated_on_a_new_one() -> None:
    visit = opened()
    visit.world.fault = cut(2)
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert visit.waits == [1.0, 2.0]
    assert len(visit.world.ends) == 3


def test_repetition_of_a_lost_connection_is_bounded() -> None:
    visit = opened()
    visit.world.fault = cut(99)
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.get(REGISTER))
    assert visit.waits == [1.0, 2.0]
    assert len(visit.world.ends) == 3


def test_a_read_without_answer_is_repeated_once_on_a_new_connection() -> None:
    visit = opened()
    visit.world.fault = silent(1)
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert (visit.waits, len(visit.world.ends)) == ([], 2)
    visit.world.fault = mute
    with pytest.raises(ResponseTimeout):
        visit.run(visit.session.get(REGISTER))
    assert len(visit.world.ends) == 3


def test_connecting_again_is_tried_as_often_as_the_rule_says() -> None:
    visit = opened()
    visit.world.fault = cut(1)
    visit.unreachable = 1
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert visit.waits == [1.0, 2.0]
    visit.world.fault = cut(1)
    visit.unreachable = 2
    with pytest.raises(ConnectionFailed):
        visit.run(visit.session.get(REGISTER))


def test_a_stream_that_is_no_protocol_is_tried_once_more() -> None:
    visit = opened()
    garbled = [True]
    visit.world.fault = lambda *_: b"\x7e\x7e\x7e\x7e" if garbled and garbled.pop() else None
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert len(visit.world.ends) == 2
    visit.world.fault = lambda *_: b"\x7e\x7e\x7e\x7e"
    with pytest.raises(ProtocolError):
        visit.run(visit.session.get(REGISTER))


class Busy(Shelf):
    """Answers temporary-failure so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.values = household().values
        self.times = times

    def get(self, attribute: Any, selection: Any, access: Any) -> EncodedData | DataAccessResult:
        found = super().get(attribute, selection, access)
        if not self.times:
            return found
        self.times -= 1
        return DataAccessResult.TEMPORARY_FAILURE


def test_a_temporary_failure_is_waited_for_on_the_same_connection() -> None:
    visit = opened(World(shelf=Busy(3)))
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert (visit.waits, len(visit.world.ends)) == ([1.0, 2.0, 4.0], 1)
    visit = opened(World(shelf=Busy(4)))
    with pytest.raises(DataAccessError, match="temporary-failure"):
        visit.run(visit.session.get(REGISTER))


def test_in_a_list_only_what_failed_for_the_moment_is_asked_for_again() -> None:
    visit = opened(World(shelf=Busy(1)))
    found = visit.run(visit.session.get_many([Register(ENERGY).value, Register(ENERGY).scaler_unit]))
    assert isinstance(found[1], EncodedData)
    assert found[0] == VALUE
    assert visit.sent() == [GET_LIST, GET]
    visit = opened(World(shelf=Busy(99)))
    found = visit.run(visit.session.get_many([Register(ENERGY).value, Register(ENERGY).scaler_unit]))
    assert found == [DataAccessResult.TEMPORARY_FAILURE] * 2


def test_a_list_is_repeated_where_the_connection_is_lost() -> None:
    visit = opened()
    visit.world.fault = cut(1)
    found = visit.run(visit.session.get_many([Register(ENERGY).value, Clock("0-0:7.7.7").time]))
    assert found == [VALUE, DataAccessResult.OBJECT_UNDEFINED]
    assert visit.sent() == [GET_LIST, GET_LIST]


def test_a_list_that_ends_before_its_last_result_is_asked_for_one_by_one() -> None:
    def ended(end: MeterEnd, answer: bytes, number: int) -> bytes | None:
        if answer[:2] != b"\xc4\x03":
            return None
        end.link.send(answer[:4] + b"\x01\x04", source=1, destination=PUBLIC)
        return end.link.octets_to_send()

    visit = opened()
    visit.world.fault = ended
    found = visit.run(visit.session.get_many([Register(ENERGY).value, Clock("0-0:7.7.7").time]))
    assert found == [VALUE, DataAccessResult.OBJECT_UNDEFINED]
    assert (visit.sent(), len(visit.world.ends)) == ([GET_LIST, GET, GET], 1)


def test_what_the_meter_refuses_is_not_repeated() -> None:
    visit = opened()
    with pytest.raises(DataAccessError):
        visit.run(visit.session.get("3/1-0:77.7.7:2"))
    assert (visit.sent(), visit.waits) == ([GET], [])


def test_several_reads_without_lists_are_repeated_one_by_one() -> None:
    neither = ~(Conformance.MULTIPLE_REFERENCES | Conformance.ACCESS)
    world = World({PUBLIC: settings(server={"conformance": neither})[1]})
    visit = opened(world)
    world.fault = cut(1)
    assert visit.run(visit.session.get_many([Register(ENERGY).value] * 3)) == [VALUE] * 3
    assert visit.sent() == [GET] * 4


# ---- changes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [cut, silent])
def test_a_change_without_answer_is_never_repeated_and_says_what_to_read_back(fault: Any) -> None:
    visit = opened()
    visit.world.fault = fault(1)
    with pytest.raises(OutcomeUnknown, match=r"read back Register 1-0:1\.8\.0") as caught:
        visit.run(visit.session.write(REGISTER, VALUE))
    assert isinstance(caught.value.__cause__, TransportError)
    assert "1-0:1.8.0" in caught.value.subject
    visit.run(visit.session.open())
    visit.world.fault = fault(1)
    with pytest.raises(OutcomeUnknown, match=r"call of Clock .*shift_time.*read back time, status of 0-0:1.0.0"):
        visit.run(visit.session.call(Clock("0-0:1.0.0").shift_time, 5))
    assert visit.sent() == [SET, ACTION]


def test_the_lists_of_changes_are_named_all() -> None:
    visit = opened()
    visit.world.fault = cut(1)
    with pytest.raises(OutcomeUnknown) as caught:
        visit.run(visit.session.write_many([(REGISTER, VALUE), ("1/0-0:96.1.0:2", VALUE)]))
    assert "1-0:1.8.0" in caught.value.subject
    assert "0-0:96.1.0" in caught.value.subject


def test_a_change_that_is_refused_for_the_moment_is_not_repeated() -> None:
    visit = opened()
    visit.world.shelf.set = lambda *_: DataAccessResult.TEMPORARY_FAILURE  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(DataAccessError, match="temporary-failure"):
        visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.sent() == [SET]


def test_what_to_read_back_follows_from_the_class() -> None:
    visit = opened()
    for target, named in (
        ("15/0-0:40.0.0:change_HLS_secret", "association_status"),
        ("9/0-0:10.0.0:execute", "scripts of"),
        ("17/0-0:41.0.0:connect_logical_device", "SAP_assignment_list of"),
    ):
        visit.run(visit.session.open())
        visit.world.fault = cut(1)
        with pytest.raises(OutcomeUnknown, match=named):
            visit.run(visit.session.call(target, VALUE))


# ---- after a lost connection ----------------------------------------------------------------------------------------


def lost() -> Visit:
    """A client whose connection has been lost by a change."""
    visit = opened()
    visit.world.fault = cut(1)
    with pytest.raises(OutcomeUnknown):
        visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.session.opened is None
    return visit


@pytest.mark.parametrize("change", [False, True])
def test_the_next_call_opens_the_association_again(change: bool) -> None:
    visit = lost()
    if change:
        visit.run(visit.session.write(REGISTER, VALUE))
    else:
        assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert visit.session.opened is not None
    assert len(visit.world.ends) == 2


def test_opening_again_for_a_change_is_repeated_since_nothing_was_sent() -> None:
    visit = lost()
    visit.unreachable = 2
    visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.waits == [1.0, 2.0]
    assert visit.sent() == [SET, SET]


def test_without_the_option_every_call_says_that_the_connection_is_lost() -> None:
    visit = opened(recovery=STANDARD.but(reopen=False, reading={}))
    visit.world.fault = cut(1)
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.get(REGISTER))
    for _ in range(2):
        with pytest.raises((ConnectionLost, NotAssociated)):
            visit.run(visit.session.get(REGISTER))
    assert len(visit.world.ends) == 1


def test_a_step_connects_anew_and_opens() -> None:
    visit = opened()

    def procedure() -> Any:
        agreed = yield Reconnect()
        assert agreed is visit.session.opened
        return (yield Now())

    assert visit.run(procedure()).tzinfo is not None
    assert len(visit.world.ends) == 2
    assert visit.run(visit.session.get(REGISTER)) == VALUE


def test_what_was_learnt_and_what_it_cost_outlives_a_connection() -> None:
    visit = opened()
    visit.run(visit.session.read(ENERGY))
    before = visit.session.stack.traffic.round_trips
    visit.world.fault = cut(1)
    visit.run(visit.session.get(REGISTER))
    visit.world.received.clear()
    visit.run(visit.session.read(ENERGY))
    assert visit.sent() == [GET]  # neither the view nor the scaler again
    assert visit.session.stack.traffic.round_trips == before + 4


# ---- opening --------------------------------------------------------------------------------------------------------


def test_a_refusal_that_is_transient_is_waited_for_and_another_is_not() -> None:
    refusals = [AssociationRejected("later", "rejected-transient", "no-reason-given") for _ in range(2)]

    def attempt(anew: bool) -> Any:
        yield Now()
        if refusals:
            raise refusals.pop()
        return anew

    assert played(repeated(STANDARD.opening, attempt)) == (True, [1.0, 2.0])
    final = AssociationRejected("no", "rejected-permanent", "authentication-failure")
    assert rule_for(final, STANDARD.opening) is None


def test_a_wrong_password_is_not_tried_again() -> None:
    _, theirs = settings(M.LLS)
    world = World({CLIENT: theirs})
    wrong = ClientSettings(mechanism=M.LLS, secret=Secret.password("wrong"))
    visit = Visit(world, client=wrong, sap=CLIENT)
    with pytest.raises(AssociationRejected):
        visit.run(visit.session.open())
    assert (len(world.ends), visit.waits) == (1, [])


def test_nobody_there_is_said_at_once_when_the_meter_is_opened() -> None:
    visit = Visit(World())
    visit.unreachable = 1
    with pytest.raises(ConnectionFailed):
        visit.run(visit.session.open())
    assert visit.waits == []


# ---- the rules ------------------------------------------------------------------------------------------------------

ERRORS: Sequence[CosemicError] = (
    ConnectionLost("x"),
    ResponseTimeout("x"),
    DataAccessError("x", 2, "temporary-failure"),
    DataAccessError("x", 3, "read-write-denied"),
    ExceptionReceived("x", "service-not-allowed", "operation-not-possible"),
    AssociationRejected("x", "rejected-transient", "no-reason-given"),
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_a_rule_is_found_by_label_before_class_and_by_class_before_its_bases(error: CosemicError) -> None:
    general, special, labelled = Rule((1.0,)), Rule((2.0,)), Rule((3.0,))
    rules: dict[Any, Rule] = {CosemicError: general}
    assert rule_for(error, rules) is general
    rules[type(error)] = special
    assert rule_for(error, rules) is special
    label = getattr(error, "label", "") or getattr(error, "result", "")
    if label:
        rules[label] = labelled
        assert rule_for(error, rules) is labelled


def test_the_state_error_of_an_exception_response_has_rules_too() -> None:
    rule = Rule((0.0,), reconnect=True)
    assert rule_for(ERRORS[4], {"service-not-allowed": rule}) is rule
    assert rule_for(SecurityError("x"), STANDARD.reading) is None
    assert rule_for(ConnectionLost("x"), NONE.reading) is None


def test_rules_of_ones_own_take_the_place_of_the_standard() -> None:
    patient = STANDARD.but(reading={**STANDARD.reading, ResponseTimeout: Rule((10, 30), reconnect=True)})
    visit = opened(recovery=patient)
    visit.world.fault = silent(2)
    assert visit.run(visit.session.get(REGISTER)) == VALUE
    assert visit.waits == [10, 30]
    with pytest.raises(TypeError):
        STANDARD.but(colour=1)


@given(st.lists(st.sampled_from([ConnectionLost, ResponseTimeout, ProtocolError, DataAccessError]), max_size=8))
def test_attempts_are_as_many_as_the_errors_allow_and_waits_are_those_of_their_rules(kinds: list[Any]) -> None:
    errors = [DataAccessError("x", 2, "temporary-failure") if one is DataAccessError else one("x") for one in kinds]
    attempts: list[bool] = []

    def attempt(anew: bool) -> Any:
        attempts.append(anew)
        yield Now()
        if len(attempts) <= len(errors):
            raise errors[len(attempts) - 1]
        return "done"

    outcome, waits = played(repeated(STANDARD.reading, attempt))
    allowed = {ConnectionLost: 2, ResponseTimeout: 1, ProtocolError: 1, DataAccessError: 3}
    ended = next((n for n, kind in enumerate(kinds) if n >= allowed[kind]), None)
    assert outcome == ("done" if ended is None else errors[ended])
    assert len(attempts) == (len(errors) if ended is None else ended) + 1
    assert attempts == [False, *(kind is not DataAccessError for kind in kinds)][: len(attempts)]
    pauses = {ConnectionLost: (1.0, 2.0), ResponseTimeout: (0.0,), ProtocolError: (0.0,), DataAccessError: (1, 2, 4)}
    assert waits == [wait for n, kind in enumerate(kinds[: len(attempts) - 1]) if (wait := pauses[kind][n])]


def test_a_time_source_without_zone_is_refused() -> None:
    visit = opened()
    visit._now = lambda: dt.datetime(2026, 1, 1)

    def procedure() -> Any:
        return (yield Now())

    with pytest.raises(ConfigurationError, match="aware"):
        visit.run(procedure())


def test_an_answer_that_says_no_is_an_answer() -> None:
    visit = opened()
    visit.world.shelf.action = lambda *_: ActionResponseWithOptionalData(ActionResult.TEMPORARY_FAILURE)  # type: ignore[method-assign]  # a double for one test
    with pytest.raises(CosemicError, match=r"temporary-failure \(2\) - try again later"):
        visit.run(visit.session.call(f"3/{ENERGY}:reset", EncodedData.of(DataType.INTEGER, 0)))
    assert visit.sent() == [ACTION]


def test_on_asyncio_the_steps_are_the_same() -> None:
    def procedure(session: Session) -> Any:
        yield Wait(0.001)
        before = yield Now()
        agreed = yield Reconnect()
        assert agreed is session.opened
        return before, (yield from session.get(REGISTER))

    async def scenario() -> None:
        world = World()
        url = "tcp://127.0.0.1:{}"
        async with world.server() as server, Meter.connect(url.format(server.port), recovery=QUICK) as meter:
            before, value = await meter.run(procedure(meter.session))
            assert before.tzinfo is not None
            assert value == VALUE
            await asyncio.sleep(0.01)
            assert (len(world.ends), len(world.lost)) == (2, 1)
            world.fault = cut(1)
            assert await meter.get(REGISTER) == VALUE

    run(scenario)


def test_a_wait_passes_and_one_that_is_cancelled_ends_the_procedure() -> None:
    ended: list[str] = []

    def procedure() -> Any:
        try:
            yield Wait(3600)
        finally:
            ended.append("ended")

    async def scenario() -> None:
        world = World()
        async with world.server() as server, Meter.connect(f"tcp://127.0.0.1:{server.port}") as meter:
            task = asyncio.ensure_future(meter.run(procedure()))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended == ["ended"]
            assert await meter.get(REGISTER) == VALUE

    run(scenario)
    visit = opened()

    def short() -> Any:
        yield Wait(0.001)
        return "done"

    assert BlockingDriver.run(visit, short()) == "done"
    assert BlockingDriver._perform(visit, Wait(0.001)) is None


def test_a_stack_that_lost_its_medium_before_anything_was_sent_is_not_used_again() -> None:
    visit = Visit(World())
    first = visit.session.stack
    assert visit.session.connected_anew() is first
    first.lost(ConnectionLost("x"))
    assert visit.session.connected_anew() is not first
    visit.run(visit.session.open())
    assert visit.session.opened is not None


def closed_by_the_meter(visit: Visit) -> None:
    visit.world.ends[-1].connection.close()


def test_a_connection_that_the_meter_closed_meanwhile_loses_no_change() -> None:
    visit = opened()
    closed_by_the_meter(visit)
    visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.sent() == [SET]
    assert (len(visit.world.ends), visit.waits) == (2, [1.0])
    visit = opened(recovery=NONE)
    closed_by_the_meter(visit)
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.write(REGISTER, VALUE))
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.call(f"3/{ENERGY}:reset"))
    assert visit.sent() == []


def test_no_rule_has_a_change_repeated_that_may_have_been_made() -> None:
    careless = STANDARD.but(reading={CosemicError: Rule((0.0,)), OutcomeUnknown: Rule((0.0,))})
    visit = opened(recovery=careless)
    visit.world.fault = silent(1)
    with pytest.raises(OutcomeUnknown):
        visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.sent() == [SET]


def test_what_came_late_before_a_change_does_no_harm() -> None:
    visit = opened(client=ClientSettings(), recovery=NONE)
    held: list[bytes] = []

    def late(end: MeterEnd, answer: bytes, number: int) -> bytes:
        end.link.send(answer, source=1, destination=PUBLIC)
        held.append(end.link.octets_to_send())
        return b""

    visit.world.fault = late
    with pytest.raises(ResponseTimeout):
        visit.run(visit.session.get(REGISTER))
    visit.world.fault = lambda *_: None
    visit.world.ends[-1].connection.write(held[0])
    visit.run(visit.session.write(REGISTER, VALUE))
    visit.world.ends[-1].connection.write(b"\x7e" * 8)
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.sent() == [GET, SET]


def test_a_connection_that_breaks_before_a_change_is_told() -> None:
    visit = opened(recovery=NONE)
    assert visit._connection is not None
    visit.world.ends[-1].connection.break_off()  # type: ignore[attr-defined]  # a connection in memory
    with pytest.raises(ConnectionLost):
        visit.run(visit.session.write(REGISTER, VALUE))
    assert visit.session.opened is None
