"""Types of what is read and called, as a type checker sees them; and that both faces have the same methods."""

from __future__ import annotations

import inspect
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from cosemic.client import BlockingMeter, Meter
from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.clock import AsyncClock, ClockProcedures
from cosemic.client.steps import Now, Procedure

HERE = Path(__file__).parent
SAMPLE = HERE / "typing_sample.py"
WRONG = """
from cosemic import Clock, Meter, Register

async def wrong(meter: Meter) -> None:
    await meter.write(Clock("0-0:1.0.0").time_zone, "west")
    await meter.call(Clock("0-0:1.0.0").shift_time, "slowly")
    await meter.clock.synchronise(policy="slowly")
    await meter.clock.synchronise(colour=1)
    meter.clock.forget()
    await meter.read(Register("1-0:1.8.0"))
"""


@pytest.mark.slow
def test_a_type_checker_knows_what_a_meter_gives(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    api = pytest.importorskip("mypy.api")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    cache = pytestconfig.rootpath / ".mypy_cache" / "typed_access"
    said, errors, _ = api.run(
        ["--strict", "--no-error-summary", "--cache-dir", str(cache), "--config-file", "", str(SAMPLE), str(wrong)]
    )
    assert not errors
    found = re.findall(r"^.*?(\w+)\.py:(\d+): error", said, re.MULTILINE)
    assert {(name, int(line)) for name, line in found} == {("wrong", line) for line in range(5, 11)}, said


def public(face: Any) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(face) if not name.startswith("_")}


def test_both_meters_have_the_same_methods_with_the_same_parameters() -> None:
    one, other = public(Meter), public(BlockingMeter)
    assert one.keys() == other.keys()
    for name, member in one.items():
        assert inspect.isfunction(member) == inspect.isfunction(other[name])
        if inspect.isfunction(member):
            assert inspect.signature(member).parameters == inspect.signature(other[name]).parameters, name


GROUPS = [name for name, member in vars(Meter).items() if isinstance(member, cached_property)]


@pytest.mark.parametrize("name", GROUPS)
def test_both_faces_of_a_group_are_complete(name: str) -> None:
    meter, other = getattr(Meter.connect("tcp://h"), name), getattr(BlockingMeter.connect("tcp://h"), name)
    assert isinstance(meter, AsyncGroup)
    assert isinstance(other, BlockingGroup)
    kinds = type(meter), type(other)
    assert public(kinds[0]).keys() == public(kinds[1]).keys()
    for each in public(kinds[0]).keys() - {"run"}:
        method = getattr(kinds[0], each)
        twin = getattr(kinds[1], each)
        assert inspect.signature(method) == inspect.signature(twin)
        assert inspect.iscoroutinefunction(method)
        assert not inspect.iscoroutinefunction(twin)
        assert method.__doc__ == twin.__doc__
        assert method.__doc__
        assert "Procedure" not in str(inspect.signature(method))
    assert kinds[0].__doc__
    assert kinds[1].__doc__


def test_the_signature_of_a_method_is_that_of_its_procedure_but_for_what_it_returns() -> None:
    made = inspect.signature(AsyncClock.synchronise)
    written = inspect.signature(ClockProcedures.synchronise)
    assert made.parameters == written.parameters
    assert made.return_annotation == "Synchronised"
    assert AsyncClock.synchronise.__doc__ == ClockProcedures.synchronise.__doc__


class Counting(ProcedureGroup):
    def count(self, start: int, *, step: int = 1) -> Procedure[list[int]]:
        """Count."""
        yield Now()
        return [start, start + step, id(self.session)]


class _Face:
    """A runner that performs nothing."""

    session: Any = "a session"

    def run(self, procedure: Procedure[Any]) -> Any:
        try:
            next(procedure)
            procedure.send(None)
        except StopIteration as done:
            return done.value


def test_a_procedure_runs_on_its_group_bound_to_the_session_of_the_face() -> None:
    count = blocking(Counting.count)
    assert count(_Face(), 3, step=4) == [3, 7, id(_Face.session)]
    assert inspect.iscoroutinefunction(asynchronously(Counting.count))
    assert str(inspect.signature(count)) == "(self, start: 'int', *, step: 'int' = 1) -> 'list[int]'"
