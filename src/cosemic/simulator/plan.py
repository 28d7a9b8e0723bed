"""How a simulated meter is made: what is said of it, as data. Meters of one plan are the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model.push import PushMessage, SendDestinationAndMethod, TransportService
from cosemic.server import AccessRule, CosemObject, rule_of
from cosemic.server.local_time import NO_DAYLIGHT_SAVING, DaylightSaving, LocalTime
from cosemic.server.push.destination import destination_of
from cosemic.server.push.refusal import PushRefused
from cosemic.simulator.customers import CUSTOMERS, DAY, FIRST_DATE, HOUSEHOLD, SLOT, SOLAR, Customer
from cosemic.simulator.links import MeterLink
from cosemic.simulator.load_curve import LoadCurve
from cosemic.simulator.security import REFERENCING, MeterSecurity
from cosemic.simulator.wording import one_of

if TYPE_CHECKING:
    from cosemic.simulator.meter import SimulatedMeter

FIRST_SERIAL: Final = 1_000_001
CENTRAL_EUROPE: Final = dt.timezone(dt.timedelta(hours=1))
"""One hour east of UTC, without daylight saving."""
_MINUTE: Final = dt.timedelta(minutes=1)
_MOST_DAYS: Final = 36_525
_MOST_PERIODS: Final = 1_200
"""Both are 100 years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterPlan:
    """What a simulated meter is like.

    serial: 0 to 9999999999999, makes name and system title. seed: makes the load curve and, with the serial number, the
    keys. customer: ``household``, ``shop`` or ``solar``; None draws one of the households. security: ``none``, ``lls``,
    ``hls-gmac``, ``hls-ecdsa``, or a :class:`MeterSecurity`. suite: security suite of the management client, 0 to 2;
    that of the MeterSecurity where there is one. zone: that of the clock, with its daylight saving. profile_days: depth
    of the load profile, up to 36525. capture_period: of the load profile, seconds. billing_periods: closed ones of
    before its start, up to 1200. association_version: of class 15, 0 to 3. firmware: version at first. objects: make
    more objects. rights: of clients by their SAP, in place of the usual ones. link: how it is reached. referencing:
    ``ln``, logical names, ``sn``, short names, or ``both``, as the client wants it. push: where it sends its registers
    to every quarter of an hour, ``host:port`` on TCP; None: nowhere, until a client says so. layers: that the settings
    of its management client say, as :mod:`cosemic.security.general.plan_text` has them; None: none. third_party: there
    is one that this client is the broker of, in suites 1 and 2.

    Raises ConfigurationError.
    """

    serial: int
    seed: int = 0
    customer: str | None = None
    security: str | MeterSecurity = "none"
    suite: int = 0
    zone: dt.tzinfo = CENTRAL_EUROPE
    profile_days: int = 14
    capture_period: int = SLOT
    billing_periods: int = 3
    association_version: int = 1
    firmware: str = "1.0.0"
    objects: tuple[Callable[[SimulatedMeter], CosemObject], ...] = ()
    rights: Mapping[int, AccessRule] = field(default_factory=dict)
    link: MeterLink = MeterLink()  # noqa: RUF009 - frozen
    push: str | None = None
    referencing: str = "ln"
    layers: str | None = None
    third_party: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.serial < 10**13:
            raise ConfigurationError(f"a serial number has up to 13 digits, not {self.serial}")
        if self.customer is not None:
            one_of("customer", self.customer, CUSTOMERS)
        one_of("referencing", self.referencing, REFERENCING)
        if not 1 <= self.profile_days <= _MOST_DAYS:
            raise ConfigurationError(f"a load profile is of a day or more, up to {_MOST_DAYS}, not {self.profile_days}")
        if not 0 <= self.billing_periods <= _MOST_PERIODS:
            raise ConfigurationError(f"a meter has 0 to {_MOST_PERIODS} billing periods, not {self.billing_periods}")
        if self.capture_period < 60 or DAY % self.capture_period:
            raise ConfigurationError(f"a capture period is 60 s or more and divides a day, not {self.capture_period}")
        if self.push is not None:
            _check_destination(self.push)
        standard, rule = clock_rule(self.zone)
        if standard % (SLOT // 60) or rule.deviation % (SLOT // 60):
            raise ConfigurationError("the local zone is a multiple of 15 minutes from UTC")

    @property
    def kind(self) -> Customer:
        """The kind of customer; of the households every third one has panels, where none is named."""
        if self.customer is not None:
            return CUSTOMERS[self.customer]
        return HOUSEHOLD if self.curve_seed % 3 else SOLAR

    @property
    def curve_seed(self) -> int:
        """What the load curve is drawn from."""
        return self.seed * 1_000_003 + self.serial

    def curve(self) -> LoadCurve:
        """Return the load curve."""
        return LoadCurve(self.curve_seed, self.kind, local_time(self.zone))

    def protection(self) -> MeterSecurity:
        """Return the security, with its keys. Raises ConfigurationError."""
        security = self.security
        if isinstance(security, MeterSecurity):
            return security
        layers, third_party = self.layers or "", self.third_party
        return MeterSecurity.of(security, self.serial, self.seed, self.suite, layers=layers, third_party=third_party)


def _check_destination(text: str) -> None:
    try:
        destination_of(SendDestinationAndMethod(TransportService.TCP, text.encode("ascii"), PushMessage.A_XDR_APDU))
    except (PushRefused, UnicodeEncodeError):
        raise ConfigurationError(f"a meter pushes to host:port, not to {text!r}") from None


def plans_of(
    count: int, seed: int, customers: Sequence[str | None], kinds: Sequence[str], first: int = FIRST_SERIAL, **said: Any
) -> tuple[MeterPlan, ...]:
    """Return the plans of some meters whose serial numbers follow each other; customers and kinds of security in turn.

    said: of all of them, as of MeterPlan. Raises ConfigurationError.
    """
    if count < 1:
        raise ConfigurationError(f"there are 1 meter or more, not {count}")
    return tuple(
        MeterPlan(
            serial=first + number,
            seed=seed,
            customer=customers[number % len(customers)],
            security=kinds[number % len(kinds)],
            **said,
        )
        for number in range(count)
    )


@lru_cache(maxsize=64)
def local_time(zone: dt.tzinfo) -> LocalTime:
    """Return local time as a clock of that zone has it; the same for all meters. Raises ConfigurationError."""
    return LocalTime(*clock_rule(zone))


@lru_cache(maxsize=64)
def clock_rule(zone: dt.tzinfo) -> tuple[int, DaylightSaving]:
    """Return minutes from UTC and daylight saving of a zone, as of a clock. Raises ConfigurationError."""
    if isinstance(zone, dt.timezone):
        return zone.utcoffset(None) // _MINUTE, NO_DAYLIGHT_SAVING
    return rule_of(zone, FIRST_DATE.year)
