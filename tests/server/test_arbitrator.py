"""The arbitrator: permissions, weights and what comes of several requests (class 68)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import ActionItem, Arbitrator, RequestAction
from cosemic.server import LogicalDevice
from cosemic.server.arbitrator import ArbitratorObject
from cosemic.server.scripts import ScriptTableObject
from cosemic.values import BitString, Obis
from tests.server.running import REFUSED, START, SUCCESS, Running

ARBITRATOR = Arbitrator("0-0:96.3.20")
SCRIPTS = Obis("0-0:10.0.106")


@dataclass
class Meter:
    arbitrator: ArbitratorObject
    ran: list[int] = field(default_factory=list)


def build(
    device: LogicalDevice,
    permissions: tuple[str, ...] = ("111", "011"),
    weights: tuple[tuple[int, ...], ...] = ((5, 2, 3), (0, 9, 3)),
) -> Meter:
    count = len(permissions[0])
    arbitrator = device.add(
        ArbitratorObject(
            device,
            ARBITRATOR.instance_id,
            [ActionItem(SCRIPTS, number) for number in range(1, count + 1)],
            [BitString(bits) for bits in permissions],
            weights,
        )
    )
    meter = Meter(arbitrator)

    def noting(number: int) -> Callable[[dt.datetime], None]:
        return lambda at: meter.ran.append(number)

    device.add(ScriptTableObject(device, SCRIPTS, {number: noting(number) for number in range(1, count + 1)}))
    return meter


def ask(meter: Running[Meter], actor: int, bits: str) -> Any:
    return meter.call(ARBITRATOR.request_action, RequestAction(actor, BitString(bits)))


def test_the_action_of_the_greatest_weight_is_done() -> None:
    meter = Running(build)
    assert ask(meter, 1, "100") is SUCCESS
    assert meter.get(ARBITRATOR.last_outcome) == 1
    assert ask(meter, 2, "010") is SUCCESS
    assert meter.get(ARBITRATOR.last_outcome) == 2
    assert meter.parts.ran == [1, 2]
    assert meter.get(ARBITRATOR.most_recent_requests_table) == (BitString("100"), BitString("010"))
    assert meter.names() == ["arbitrated", "script-executed"] * 2


def test_requests_of_several_actors_add_up() -> None:
    meter = Running(build)
    assert ask(meter, 1, "101") is SUCCESS
    assert ask(meter, 2, "001") is SUCCESS
    assert meter.parts.ran == [1, 3]


def test_a_request_of_nothing_withdraws_the_one_before() -> None:
    meter = Running(build)
    assert ask(meter, 1, "100") is SUCCESS
    assert ask(meter, 2, "010") is SUCCESS
    assert ask(meter, 2, "") is SUCCESS
    assert meter.parts.ran == [1, 2, 1]
    assert ask(meter, 1, "000") is SUCCESS
    assert meter.get(ARBITRATOR.last_outcome) == 0
    assert meter.parts.ran == [1, 2, 1]


def test_what_is_not_permitted_is_left_out() -> None:
    meter = Running(build)
    assert ask(meter, 2, "101") is SUCCESS
    assert meter.get(ARBITRATOR.most_recent_requests_table)[1] == "001"
    assert ask(meter, 2, "100") is REFUSED
    assert meter.get(ARBITRATOR.most_recent_requests_table)[1] == "001"
    assert meter.parts.ran == [3]


@pytest.mark.parametrize(("actor", "bits"), [(0, "011"), (3, "011"), (1, "1000")])
def test_a_request_that_names_nothing_here_changes_nothing(actor: int, bits: str) -> None:
    meter = Running(build)
    assert ask(meter, 1, "100") is SUCCESS
    before = meter.get(ARBITRATOR.most_recent_requests_table)
    assert ask(meter, actor, bits) is REFUSED
    assert meter.get(ARBITRATOR.most_recent_requests_table) == before
    assert meter.parts.ran == [1]


def test_a_request_of_equal_weight_decides_nothing() -> None:
    meter = Running(partial(build, permissions=("11", "11"), weights=((4, 4), (0, 0))))
    assert ask(meter, 1, "11") is SUCCESS
    assert meter.get(ARBITRATOR.last_outcome) == 0
    assert ask(meter, 2, "01") is SUCCESS
    assert meter.parts.ran == []


def test_a_request_in_python_is_the_same() -> None:
    meter = Running(build)
    meter.parts.arbitrator.request(2, "010", START)
    assert meter.parts.ran == [2]


def test_reset_and_other_tables_forget_the_requests(tmp_path: Path) -> None:
    meter = Running(build, tmp_path / "state")
    assert ask(meter, 1, "100") is SUCCESS
    meter.killed()
    assert meter.get(ARBITRATOR.most_recent_requests_table) == (BitString("100"), BitString("000"))
    assert meter.get(ARBITRATOR.last_outcome) == 1
    assert meter.call(ARBITRATOR.reset) is SUCCESS
    assert meter.get(ARBITRATOR.most_recent_requests_table) == (BitString("000"), BitString("000"))
    assert meter.get(ARBITRATOR.last_outcome) == 0
    assert ask(meter, 1, "100") is SUCCESS
    assert meter.set(ARBITRATOR.permissions_table, (BitString("111"),) * 3) is SUCCESS
    assert meter.get(ARBITRATOR.most_recent_requests_table) == (BitString("000"),) * 3
    assert ask(meter, 3, "111") is SUCCESS  # it has no weights
    assert meter.get(ARBITRATOR.last_outcome) == 0


def test_tables_beyond_what_the_numbers_can_name_are_refused() -> None:
    meter = Running(build)
    assert meter.set(ARBITRATOR.actions, (ActionItem(SCRIPTS, 1),) * 256) is REFUSED
    assert meter.set(ARBITRATOR.weightings_table, ((1,),) * 256) is REFUSED
    assert meter.set(ARBITRATOR.actions, (ActionItem(SCRIPTS, 1),) * 255) is SUCCESS
    with pytest.raises(ConfigurationError):
        ArbitratorObject(LogicalDevice("TST"), "0-0:96.3.20", [ActionItem(SCRIPTS, 1)] * 256, [], [])


BITS = st.text("01", min_size=3, max_size=3)


@given(
    st.lists(st.tuples(BITS, st.tuples(*[st.integers(0, 9)] * 3)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), BITS), max_size=8),
)
def test_outcomes_are_those_of_plain_arithmetic(
    actors: list[tuple[str, tuple[int, int, int]]], requests: list[tuple[int, str]]
) -> None:
    meter = Running(
        partial(build, permissions=tuple(bits for bits, _ in actors), weights=tuple(weights for _, weights in actors))
    )
    table = [[0, 0, 0] for _ in actors]
    for number, bits in requests:
        actor = number % len(actors)
        granted = [int(one) * int(may) for one, may in zip(bits, actors[actor][0], strict=True)]
        allowed = any(granted) or "1" not in bits
        assert ask(meter, actor + 1, bits) is (SUCCESS if allowed else REFUSED)
        if allowed:
            table[actor] = granted
            sums = [sum(row[n] * actors[who][1][n] for who, row in enumerate(table)) for n in range(3)]
            best = [n + 1 for n in range(3) if sums[n] == max(sums) and sums[n]]
            assert meter.get(ARBITRATOR.last_outcome) == (best[0] if len(best) == 1 else 0)
