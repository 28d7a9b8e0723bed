"""Conversations of client and server as a state machine of Hypothesis, and so many steps of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.association import whole_layer_draws as draws
from tests.association.whole_layer import Conversation
from tests.association.whole_layer_terms import Terms

STEPS_OF_ONE = 60
"""Of one conversation, about."""
_RULES_OF_ONE = 20


class WholeLayer(RuleBasedStateMachine):
    """One connection; its associations one after the other, and what is asked for in them."""

    steps = 0
    """Of all conversations."""
    told: Callable[[int], None] = staticmethod(lambda steps: None)
    """Is told of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conversation: Conversation | None = None
        self.number = 0
        self.failed = False

    @initialize(line=draws.lines, seed=st.integers(0, 0xFFFF), pieces=draws.pieces, terms=draws.terms())
    def connect(self, line: Any, seed: int, pieces: int, terms: Terms) -> None:
        self.conversation = Conversation(line, seed, pieces)
        with self.step():
            self.talk.open(terms)

    @property
    def talk(self) -> Conversation:
        assert self.conversation is not None
        return self.conversation

    def stand(self, data: st.DataObject) -> None:
        """See that an association stands; where none does, nothing can be asked for."""
        if not self.talk.associated:
            request = data.draw(draws.requests(self.talk.terms))
            with self.step():
                self.talk.ask(request)
            terms = data.draw(draws.terms().filter(lambda one: not one.refused))
            with self.step():
                self.talk.open(terms)

    @rule(data=st.data(), careless=st.booleans())
    def ask(self, data: st.DataObject, careless: bool = False) -> None:
        """careless: without a look at what was agreed."""
        self.stand(data)
        request = data.draw(draws.requests(self.talk.terms))
        with self.step():
            self.talk.ask(request, careless)

    @rule(data=st.data(), times=st.integers(1, 4))
    def ask_a_few_times(self, data: st.DataObject, times: int) -> None:
        for _ in range(times):
            self.ask(data)

    @rule(data=st.data(), after=st.integers(1, 6))
    def be_notified_in_between(self, data: st.DataObject, after: int) -> None:
        self.stand(data)
        self.number += 1
        terms = self.talk.terms
        notification, bit = data.draw(draws.notifications(terms, self.number))
        request = data.draw(draws.requests(terms))
        with self.step():
            self.talk.notify(notification, bit, request, after)

    @rule(data=st.data(), terms=draws.terms(), disconnect=st.booleans(), release=st.booleans())
    def open_another(self, data: st.DataObject, terms: Terms, disconnect: bool, release: bool) -> None:
        with self.step():
            if release:
                self.talk.release()
            self.talk.open(terms, disconnect)
        self.ask_a_few_times(data, 2)

    @rule(data=st.data())
    def let_time_pass(self, data: st.DataObject) -> None:
        self.ask(data)
        with self.step():
            self.talk.settle()

    def teardown(self) -> None:
        if self.conversation is not None and not self.failed:
            self.talk.release()

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step; after one that has failed nothing more is held against the model."""
        self.failed = True
        yield
        self.failed = False
        WholeLayer.steps += 1
        WholeLayer.told(WholeLayer.steps)


def run(
    steps: int, number: int | None = None, told: Callable[[int], None] = lambda steps: None, *, shrinks: bool = True
) -> int:
    """Run so many steps or a few more; a failure is raised with the shortest steps that Hypothesis finds.

    number: of the seed, None for others in each run. told: is told the steps so far. Returns how many there were.
    """
    WholeLayer.steps, WholeLayer.told = 0, staticmethod(told)
    batch = 0
    while WholeLayer.steps < steps:
        machine = type("WholeLayer", (WholeLayer,), {})
        if number is not None:
            machine = seed(number + batch)(machine)
        examples = max(min((steps - WholeLayer.steps) // STEPS_OF_ONE, 250), 1)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=_RULES_OF_ONE,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
                suppress_health_check=list(HealthCheck),
                print_blob=False,
                report_multiple_bugs=False,
            ),
        )
        batch += 1
    return WholeLayer.steps
