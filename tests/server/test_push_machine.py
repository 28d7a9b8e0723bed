"""Whatever comes and goes: never outside a window, never more than the retries, and never two messages at once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosemic.codec import DataType, EncodedData
from cosemic.model.push import PushOperationMethod, PushRepetitionDelay, WindowElement
from cosemic.server.push.outbox import Delivery, Outgoing, Result
from cosemic.server.state import IN_MEMORY, StateFile
from cosemic.values import DateTime
from tests.effort import examples
from tests.server.push_support import PUSH, ZERO, Pushing
from tests.server.support import View
from tests.server.time_support import END_2026, stamp

METHODS = list(PushOperationMethod)
NEEDS = {0: Delivery.SENT, 1: Delivery.ACKNOWLEDGED, 2: Delivery.CONFIRMED}
HOURS = st.integers(0, 23)


def of_day(hour: int, minute: int) -> DateTime:
    return stamp(f"*-*-* {hour:02}:{minute:02}:00")


class PushMachine(RuleBasedStateMachine):
    """A device around the night in which daylight saving ends; the model counts attempts and knows local time."""

    @initialize(
        retries=st.integers(0, 4),
        least=st.integers(0, 600),
        growth=st.sampled_from([50, 100, 200]),
        most=st.integers(0, 4000),
        interval=st.sampled_from([0, 30, 7200]),
        method=st.sampled_from(METHODS),
        windows=st.lists(st.tuples(HOURS, HOURS), max_size=2),
        seed=st.integers(0, 99),
    )
    def begin(
        self, retries: int, least: int, growth: int, most: int, interval: int, method: Any, windows: Any, seed: int
    ) -> None:
        self.file = StateFile(IN_MEMORY)
        self.options: dict[str, Any] = {
            "number_of_retries": retries,
            "repetition_delay": PushRepetitionDelay(least, growth, most),
            "randomisation_start_interval": interval,
            "push_operation_method": method,
            "seed": seed,
        }
        self.windows = windows
        self.needed = NEEDS[method]
        self.retries = retries
        self.now = END_2026 - dt.timedelta(hours=5)
        self.open: Outgoing | None = None
        self.stale: Outgoing | None = None
        self.attempts: dict[int, int] = {}
        self.pushing = self._made()
        self.moments: list[dt.datetime] = []

    def _made(self) -> Pushing:
        windows = tuple(WindowElement(of_day(begin, 0), of_day(end, 30)) for begin, end in self.windows)
        return Pushing(self.now, self.file.of("d"), communication_window=windows, **self.options)

    def _is_open(self, at: dt.datetime) -> bool:
        """By local time, where each window is short of a whole day."""
        if not self.windows:
            return True
        shown = self.pushing.clock.time(at)
        minute = shown.hour * 60 + shown.minute
        for begin, end in self.windows:
            first, last = begin * 60, end * 60 + 30
            if first <= minute < last or (last < first and not last <= minute < first):
                return True
        return False

    @rule()
    def push(self) -> None:
        assert self.pushing.push() == "success"

    @rule(seconds=st.one_of(st.integers(1, 900), st.integers(1, 60_000)))
    def pass_time(self, seconds: int) -> None:
        self._take(self.now + dt.timedelta(seconds=seconds))

    def _take(self, until: dt.datetime) -> None:
        """Take what is sent until a moment, and hold it against the model."""
        for moment, outgoing in self.pushing.go(until):
            assert self.open is None
            # In the hour that is shown twice a window may be closed though its local time is shown: never the reverse.
            assert self._is_open(moment), self.pushing.clock.time(moment)
            number: int = outgoing.notification.long_invoke_id  # type: ignore[assignment,union-attr]
            self.attempts[number] = self.attempts.get(number, 0) + 1
            assert self.attempts[number] <= 1 + self.retries
            assert number == max(self.attempts)
            self.open = outgoing
        self.now = until

    @precondition(lambda self: self.open is not None)
    @rule(delivery=st.sampled_from(list(Delivery)))
    def answer(self, delivery: Delivery) -> None:
        assert self.open is not None
        outgoing, self.open = self.open, None
        self.pushing.names()
        self.pushing.device.outbox.finish(outgoing, Result(delivery))
        first_told = self.pushing.names()[:1]
        if delivery >= self.needed:
            assert first_told == ["push-delivered"]
        else:
            number: int = outgoing.notification.long_invoke_id  # type: ignore[assignment,union-attr]
            left = 1 + self.retries - self.attempts[number]
            assert first_told == (["push-attempt-failed"] if left else ["push-failed"])

    @rule()
    def restart(self) -> None:
        self._take(self.now)
        self.open = self.stale = None  # what became of it is not known any more
        self.pushing = self._made()

    @rule()
    def reset(self) -> None:
        self._take(self.now)
        self.stale, self.open = self.open, None
        assert View(self.pushing.device).act(40, PUSH, 2, ZERO).result.label == "success"
        assert self.pushing.setup.process.attempts is None

    @precondition(lambda self: self.stale is not None)
    @rule(delivery=st.sampled_from(list(Delivery)))
    def answer_what_was_given_up(self, delivery: Delivery) -> None:
        assert self.stale is not None
        outgoing, self.stale = self.stale, None
        before = self.pushing.setup.process.attempts
        self.pushing.names()
        self.pushing.device.outbox.finish(outgoing, Result(delivery))
        assert self.pushing.names() == []
        assert self.pushing.setup.process.attempts is before

    @rule(minutes=st.integers(-90, 90))
    def set_clock(self, minutes: int) -> None:
        self._take(self.now)
        shift = EncodedData.of(DataType.LONG, max(min(minutes * 60, 900), -900))
        assert View(self.pushing.device).act(8, "0-0:1.0.0", 6, shift).result.label == "success"

    @invariant()
    def waits_for_one_result_at_most(self) -> None:
        if hasattr(self, "pushing"):
            attempts = self.pushing.setup.process.attempts
            assert attempts is None or attempts.failed <= self.retries


TestPushMachine = PushMachine.TestCase
TestPushMachine.settings = examples(40, stateful_step_count=30, deadline=None)
