"""What both faces of a meter have: the session with it, and how it was named."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any, Self, TypeVar

from cosemic.association.parties import GeneralParties
from cosemic.association.requests import Opened
from cosemic.association.third_party import ThirdParty, ThirdPartySettings
from cosemic.client.layered import Layers, on_behalf_of
from cosemic.client.objects import MeterObject
from cosemic.client.plan import Plan, known
from cosemic.client.procedures.security import SecurityProcedures
from cosemic.client.recovery import STANDARD, Recovery
from cosemic.client.steps import Procedure
from cosemic.client.timepiece import TimeSource, machine_time
from cosemic.dialect import Dialect
from cosemic.errors import AssociationError
from cosemic.model import InterfaceClass
from cosemic.security.key_keeper import KeyKeeper
from cosemic.stack import Trace, Traffic
from cosemic.store.security_settings import Source
from cosemic.values import Obis

T = TypeVar("T")


class NamedMeter:
    """What both faces have: the session with one meter, and how it was named."""

    def __init__(
        self, plan: Plan, keeper: KeyKeeper | None = None, third_party: ThirdPartySettings | None = None
    ) -> None:
        self._plan = plan
        self._keeper = keeper
        self._third_party = None if third_party is None else ThirdParty(third_party)
        self._used = False
        self.session = plan.session()

    @classmethod
    def connect(
        cls,
        url: str,
        security: Source = None,
        *,
        zone: dt.tzinfo | None = None,
        dialect: Dialect | None = None,
        meters: str | os.PathLike[str] | None = None,
        recovery: Recovery = STANDARD,
        now: TimeSource = machine_time,
        trace: Trace | None = None,
        keeper: KeyKeeper | None = None,
        parties: GeneralParties | None = None,
        layers: Layers | None = None,
        third_party: ThirdPartySettings | None = None,
    ) -> Self:
        """Name a meter; it is connected and opened by ``async with`` (``with``), ``await`` or ``open``.

        url: a URL (:mod:`cosemic.stack`), or the name of a known meter (:mod:`cosemic.store.meters`), of which the
            other arguments take the place of what the file says.
        security: see :mod:`cosemic.store.security_settings`; None for a public client.
        zone: of the meter, for its stamps without deviation and for naive times; None: UTC.
        dialect: its switches; None: those of the standard.
        meters: the file of known meters.
        recovery: what is repeated, and when: :mod:`cosemic.client.recovery`.
        now: the true time, by which clocks are read and set; that of this machine unless said.
        trace: sees the octets of every layer: :mod:`cosemic.client.trace`.
        keeper: keeps the keys of this meter, which take the place of those of ``security``; a meter whose key change
            was interrupted is recovered when it is opened (:mod:`cosemic.client.procedures.key_change`).
        parties: who protects what by general-ciphering and general-signing, in place of what ``security`` says
            (:mod:`cosemic.store.party_settings`).
        layers: those of every service that names none of its own: ``"sign+cipher:one-pass"``; likewise.
        third_party: whose requests all are, once the association stands: this client is the broker, who hands them on
            (:mod:`cosemic.store.third_party_settings`).

        Raises ConfigurationError.
        """
        named = known(url, security, zone, dialect, meters)
        return cls(Plan(named, recovery, now, trace, parties=parties, layers=layers), keeper, third_party)

    @property
    def opened(self) -> Opened | None:
        """What was agreed when the association was opened; None while none stands."""
        return self.session.opened

    @property
    def traffic(self) -> Traffic:
        """What it cost since the meter was opened: round trips and octets."""
        return self.session.stack.traffic

    def __getitem__(self: Any, which: str | Obis | InterfaceClass) -> MeterObject:
        """Return an object by name, ``meter["7/0-0:99.98.0*255"]``; see :mod:`cosemic.client.objects`."""
        return MeterObject(self, which)

    def _opening(self) -> Procedure[Opened]:
        keeper = self._keeper
        return self.session.open() if keeper is None else SecurityProcedures(self.session).open_with(keeper)

    def _of_third_party(self, procedure: Procedure[T]) -> Procedure[T]:
        """Return a procedure as the third party asks for it, where there is one."""
        if self._third_party is None:
            return procedure
        return on_behalf_of(self.session, self._third_party, procedure)

    def _begin(self, driver: object | None) -> None:
        """Open the meter for the first time, or again: nothing that was learnt before holds."""
        if driver is not None:
            raise AssociationError("the meter is open already")
        if self._used:
            self.session.forget()
        self._used = True
