"""Asking a meter that has called who it is (IEC 62056-9-7).

As public client, which knows nothing that could be given away: by logical names, and by short ones where the meter
refuses those. What it says chooses the settings that are tried; the association proves the rest.
"""

from __future__ import annotations

from typing import Any, Final

from cosemic.client.asynchronous import AsyncDriver
from cosemic.client.called import CallerPlan
from cosemic.client.caller import Caller
from cosemic.client.recognising import Identity, KnownMeters, Recognised
from cosemic.client.recovery import Recovery
from cosemic.client.timepiece import TimeSource
from cosemic.errors import AssociationRejected
from cosemic.stack import PUBLIC_CLIENT, Address
from cosemic.store.meters import KnownMeter

_NAME: Final = "1/0-0:42.0.0*255:2"
"""Logical device name."""


class Asking:
    """Asks one caller; ``title`` and ``name`` are what it has said so far."""

    def __init__(
        self, caller: Caller, known: KnownMeters, address: Address, recovery: Recovery, now: TimeSource
    ) -> None:
        self.title: bytes | None = None
        self.name = ""
        self._caller, self._known, self._address = caller, known, address
        self._recovery, self._now = recovery, now

    async def run(self) -> Recognised | None:
        """Return the meter that it says it is, None where that is no known one. Raises CosemicError."""
        try:
            return await self._ask("ln")
        except AssociationRejected:
            if self._caller.ended:
                raise
        self._caller.take_back()
        return await self._ask("sn")

    async def _ask(self, referencing: str) -> Recognised | None:
        url = f"tcp://caller?client={PUBLIC_CLIENT}&server={self._address.server_sap or 1}&referencing={referencing}"
        if self._address.response_timeout is not None:
            url += f"&timeout={self._address.response_timeout:g}"
        plan = CallerPlan(KnownMeter("", url), self._recovery, self._now, None, self._caller)
        session = plan.session()
        driver = AsyncDriver(session, plan.connect, self._now)
        self.title = (await driver.run(session.open())).server_title
        recognised = None
        if self.title is not None:
            recognised = self._known.of_title(self.title, Identity.SYSTEM_TITLE, proven=False)
        if recognised is None:
            self.name = _text(await driver.run(session.read(_NAME)))
            recognised = self._known.of_name(self.name) if self.name else None
        await driver.run(session.release())
        return recognised


def _text(value: Any) -> str:
    """A logical device name as text, empty where it is none."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""
