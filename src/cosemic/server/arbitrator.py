"""Arbitrator of a device (class 68; IEC 62056-6-2, 5.5): what is done when several actors ask for different actions.

::

    permissions_table      actor 1: 11    actor 2: 01        who may ask for which action
    weightings_table       actor 1: 5 2   actor 2: 0 9       what a request counts
    most_recent_requests   actor 1: 10    actor 2: 01        what each asked for last
    sum over the actors             5          9             action 2 is done; last_outcome is 2

What an actor may not ask for is left out of its request; a request of nothing withdraws the one before. The action of
the greatest sum is done at each request, again too, since what it did may have been undone meanwhile. Not known from a
text of the standard, and of our choice (unsure): actors are numbered from 1, as actions are; where sums are equal
nothing is done, and last_outcome is 0, as where no sum is greater than 0.

==================  ====================================================================================================
other-reason        request_action: no such actor, more bits than there are actions, or a request of which nothing is
                    permitted; tables: more than 255 actions or actors
==================  ====================================================================================================

The device tells ``arbitrated`` (details arbitrator, actor, outcome) before the script of the action runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from cosemic.model import ActionItem, Arbitrator, RequestAction
from cosemic.server.kept import KeptObject, refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.scripts import run_script
from cosemic.values import BitString, Obis

MOST: Final = 255
"""Actions, as many as last_outcome can name; actors, as many as request_actor can."""


class ArbitratorObject(KeptObject):
    """An arbitrator.

    device: whose scripts it runs. actions: the scripts. permissions: for each actor, one bit for each action.
    weightings: for each actor, a number for each action. writable: clients with the right to may write these three.

    Raises ConfigurationError, EncodeError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        instance_id: Obis | str,
        actions: Sequence[ActionItem],
        permissions: Sequence[BitString],
        weightings: Sequence[Sequence[int]],
        *,
        writable: bool = True,
    ) -> None:
        self._device = device
        static = {"actions": actions, "permissions_table": permissions, "weightings_table": weightings}
        dynamic = {
            "most_recent_requests_table": _nothing(len(permissions), len(actions)),
            "last_outcome": 0,
        }
        super().__init__(
            Arbitrator(instance_id),
            static | dynamic,
            writable=static if writable else (),
            methods={
                "request_action": lambda request, situation: self._request(request, situation.now),
                "reset": lambda _, situation: self.reset(situation.now),
            },
        )

    def request(self, actor: int, actions: str, at: dt.datetime) -> None:
        """Ask for actions as an actor, one ``0`` or ``1`` for each, at a moment of true time.

        Raises AccessRefused, EncodeError, StoreError.
        """
        self._request(RequestAction(actor, BitString(actions)), at)

    def reset(self, at: dt.datetime) -> None:
        """Forget all requests and the last outcome. Raises StoreError."""
        self.keep("most_recent_requests_table", _nothing(len(self._permissions), len(self._actions)))
        self.keep("last_outcome", 0)

    # ---- inside -----------------------------------------------------------------------------------------------------

    @property
    def _actions(self) -> tuple[ActionItem, ...]:
        actions: tuple[ActionItem, ...] = self.value("actions")
        return actions

    @property
    def _permissions(self) -> tuple[BitString, ...]:
        permissions: tuple[BitString, ...] = self.value("permissions_table")
        return permissions

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse more than the numbers of the class can name. Raises AccessRefused."""
        if isinstance(value, tuple):
            refuse_unless(len(value) <= MOST)

    def taken(self, name: str, at: dt.datetime) -> None:
        """Forget requests that were made for other tables."""
        self.reset(at)

    def _request(self, request: RequestAction, at: dt.datetime) -> None:
        actor, wanted, count = request.request_actor, request.request_action_list, len(self._actions)
        refuse_unless(1 <= actor <= len(self._permissions) and len(wanted) <= count)
        permitted = zip(wanted, self._permissions[actor - 1], strict=False)
        granted = BitString("".join(min(pair) for pair in permitted).ljust(count, "0"))
        refuse_unless("1" in granted or "1" not in wanted)
        requests = list(self.value("most_recent_requests_table"))
        requests[actor - 1] = granted
        outcome = self._outcome(requests)
        self.keep("most_recent_requests_table", requests)
        self.keep("last_outcome", outcome)
        if outcome:
            self._device.tell("arbitrated", at, arbitrator=self.instance_id, actor=actor, outcome=outcome)
            run_script(self._device, self._actions[outcome - 1], at)

    def _outcome(self, requests: Sequence[BitString]) -> int:
        """Return the number of the action with the greatest sum; 0 where there is no such one."""
        sums = [0] * len(self._actions)
        for weights, bits in zip(self.value("weightings_table"), requests, strict=False):
            for number, (weight, bit) in enumerate(zip(weights, bits, strict=False)):
                sums[number] += weight if bit == "1" else 0
        greatest = max(sums, default=0)
        return sums.index(greatest) + 1 if greatest and sums.count(greatest) == 1 else 0


def _nothing(actors: int, actions: int) -> list[BitString]:
    return [BitString("0" * actions)] * actors
