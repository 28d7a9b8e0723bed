"""Fleets in TOML files: ``cosemic simulate fleet.toml``, or ``meter.toml`` for one meter.

::

    seed = 1                            # makes load curves and keys
    host = "127.0.0.1"
    port = 4059                         # of the first meter, the others follow; 0 takes free ones
    serial = "/dev/ttyUSB0"             # serial port of the one meter there is then, in place of host and port
    state = "fleet.sqlite"              # file that keeps what happens to them; without it all ends with the process
    keys = "keys"                       # folder for the files of security settings

    [time]
    start = 2026-03-01T00:00:00Z        # now, unless said
    speed = 60                          # simulated seconds for each second

    [[meters]]                          # or [meter] for one
    count = 20
    serial = 1000001                    # of the first, the others follow
    customer = ["household", "shop"]    # household, solar, shop; several in turn; households with and without panels
    security = "hls-gmac"               # none, lls, hls-gmac, hls-ecdsa; several in turn
    suite = 0                           # security suite of hls-gmac and hls-ecdsa: 0, 1, 2; hls-ecdsa needs 1 or 2
    zone = "Europe/Berlin"              # UTC+1 all the year, unless said
    profile_days = 14                   # depth of the load profile
    capture_period = 900                # of the load profile, seconds
    billing_periods = 3                 # closed months of before
    layers = "sign+cipher:one-pass"     # of general protection that the settings of the management client say: hls-gmac
                                        # and hls-ecdsa; none, unless said (cosemic.security.general.plan_text)
    third_party = false                 # true: there is one that this client is the broker of; suites 1 and 2
    association_version = 1             # of class 15: 0 to 3
    firmware = "1.0.0"
    referencing = "ln"                  # logical names; sn: short names; both: as the client wants it
    push = "10.0.0.1:4059"              # where registers are sent every quarter of an hour; nowhere, unless said
    link = "hdlc"                       # wrapper, hdlc, iec21, mbus: see cosemic.simulator.links
    udp = false                         # true: the wrapper on UDP
    station = 17                        # lower HDLC address, or address on the M-Bus; "serial": from the serial number
    address_octets = 4                  # the only length of the HDLC address that is answered: 1, 2 or 4

    [[meters.objects]]                  # more objects: see cosemic.simulator.data_objects
    object = "3/1-0:52.7.0"
    attributes = { value = { type = "long-unsigned", value = 2310 }, scaler_unit = [-1, "V"] }

    [meters.rights]                     # in place of the usual ones: see cosemic.server.rights_table
    public = { objects = "*", attributes = "read" }
    reading = "reading"
    management = "managing"

    [[faults]]                          # see cosemic.simulator.faults
    fault = "slow"
    share = "10%"                       # of all meters, drawn by the seed; or serials = [1000001, 1000004]
    delay = 5
    begin = 600
    length = 60
    every = 3600

Paths are relative to the file. A name that is not known is refused, with the one that may be meant.
"""

from __future__ import annotations

import datetime as dt
import tomllib
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.security import CounterStore
from cosemic.security.general import TransactionStore
from cosemic.server import MANAGEMENT_CLIENT, PUBLIC_CLIENT, AccessRule, rights_from
from cosemic.server.logical_device import utc_now
from cosemic.server.state import StateFile
from cosemic.simulator.customers import CUSTOMERS
from cosemic.simulator.data_objects import object_from
from cosemic.simulator.faults import FaultOrder, fault_from, share_from
from cosemic.simulator.fleet import Fleet
from cosemic.simulator.links import MeterLink
from cosemic.simulator.meter import SimulatedMeter
from cosemic.simulator.plan import CENTRAL_EUROPE, FIRST_SERIAL, MeterPlan, plans_of
from cosemic.simulator.security import KINDS, READING_CLIENT
from cosemic.simulator.simulated_time import Time
from cosemic.simulator.wording import check_names, made, one_of

PORT: Final = 4059
_CLIENTS: Final = {"public": PUBLIC_CLIENT, "reading": READING_CLIENT, "management": MANAGEMENT_CLIENT}
_TIMEKEEPER: Final = "simulated time"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """A fleet that is to be run; see the module's text."""

    plans: tuple[MeterPlan, ...]
    seed: int = 0
    host: str = "127.0.0.1"
    port: int = PORT
    serial: str | None = None
    state: Path | None = None
    keys: Path | None = None
    start: dt.datetime | None = None
    speed: float = 1.0
    faults: tuple[FaultOrder, ...] = ()

    def fleet(self, counters: CounterStore | None = None, transactions: TransactionStore | None = None) -> Fleet:
        """Return the fleet. Raises ConfigurationError, SecurityError, StoreError.

        counters: where its meters keep invocation counters; transactions: and transaction-ids; None leaves it to the
        fleet.
        """
        return Fleet(
            self.plans,
            host=self.host,
            base_port=self.port,
            device=self.serial,
            now=self.time(),
            state=self.state,
            faults=self.faults,
            seed=self.seed,
            counters=counters,
            transactions=transactions,
        )

    def time(self) -> Callable[[], dt.datetime]:
        """Return the time that the meters live in: that of the state goes on. Raises ConfigurationError, StoreError."""
        usual = self.start is None and self.speed == 1
        if self.state is None:
            return utc_now if usual else Time(self.start, self.speed)
        with StateFile(self.state) as file:
            memory = file.of(_TIMEKEEPER)
            return utc_now if usual and not Time.is_kept(memory) else Time.kept(memory, self.start, self.speed)


def load_fleet(path: str | Path) -> FleetSettings:
    """Return the fleet of a TOML file. Raises ConfigurationError that says what is wrong, and where."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from None
    try:
        return _settings(values, path.parent)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def zone_named(name: object) -> dt.tzinfo:
    """Return a time zone. Raises ConfigurationError."""
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(str(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"{name!r} is no time zone of this machine: Europe/Berlin, UTC ...") from None


# ---- inside ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What stands at the top of a file."""

    seed: int = 0
    host: str = "127.0.0.1"
    port: int = PORT
    serial: str | None = None
    state: str | None = None
    keys: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What is said of some meters in plain values."""

    count: int = 1
    serial: int | None = None
    suite: int = 0
    zone: str | None = None
    profile_days: int = 14
    capture_period: int = 900
    billing_periods: int = 3
    association_version: int = 1
    firmware: str = "1.0.0"
    push: str | None = None
    referencing: str = "ln"
    layers: str | None = None
    third_party: bool = False


_TABLES: Final = ("time", "meter", "meters", "faults")
_SPECIAL: Final = ("customer", "security", "objects", "rights")
_LINK: Final = tuple(MeterLink.__dataclass_fields__)


def _settings(values: dict[str, Any], beside: Path) -> FleetSettings:
    check_names("the file", values, (*_File.__dataclass_fields__, *_TABLES))
    top = made(_File, {name: value for name, value in values.items() if name not in _TABLES}, "the file")
    if ("meter" in values) is ("meters" in values):
        raise ConfigurationError("a file has one table [meter], or one or more tables [[meters]]")
    plans: tuple[MeterPlan, ...] = ()
    if "meter" in values:
        plans = _group(values["meter"], top.seed, FIRST_SERIAL, "[meter]")
        if len(plans) > 1:
            raise ConfigurationError("[meter] is one meter: [[meters]] may have a count")
    for number, group in enumerate(_list(values.get("meters", []), "meters"), 1):
        plans += _group(group, top.seed, FIRST_SERIAL + len(plans), f"[[meters]] number {number}")
    time = values.get("time", {})
    check_names("[time]", _table(time, "[time]"), ("start", "speed"))
    start, speed = time.get("start"), time.get("speed", 1)
    if start is not None and not isinstance(start, dt.datetime):
        raise ConfigurationError(f"start of [time] is a date and time: 2026-03-01T00:00:00Z, not {start!r}")
    if type(speed) not in (int, float):
        raise ConfigurationError(f"speed of [time] is a number, not {speed!r}")
    Time(start, speed)
    faults = tuple(
        _fault(one, f"[[faults]] number {number}")
        for number, one in enumerate(_list(values.get("faults", []), "faults"), 1)
    )
    return FleetSettings(
        plans=plans,
        seed=top.seed,
        host=top.host,
        port=top.port,
        serial=top.serial,
        state=None if top.state is None else beside / top.state,
        keys=None if top.keys is None else beside / top.keys,
        start=start,
        speed=speed,
        faults=faults,
    )


def _group(values: Any, seed: int, serial: int, what: str) -> tuple[MeterPlan, ...]:
    check_names(what, _table(values, what), (*_Group.__dataclass_fields__, *_SPECIAL, *_LINK))
    said = made(_Group, {name: value for name, value in values.items() if name not in (*_SPECIAL, *_LINK)}, what)
    objects = _list(values.get("objects", []), f"objects of {what}")
    plans = plans_of(
        said.count,
        seed,
        _in_turn(values.get("customer"), CUSTOMERS, f"customer of {what}") or (None,),
        _in_turn(values.get("security"), KINDS, f"security of {what}") or ("none",),
        serial if said.serial is None else said.serial,
        suite=said.suite,
        zone=CENTRAL_EUROPE if said.zone is None else zone_named(said.zone),
        profile_days=said.profile_days,
        capture_period=said.capture_period,
        billing_periods=said.billing_periods,
        association_version=said.association_version,
        firmware=said.firmware,
        push=said.push,
        referencing=said.referencing,
        layers=said.layers,
        third_party=said.third_party,
        objects=tuple(object_from(one, f"object {number} of {what}") for number, one in enumerate(objects, 1)),
        rights=_rights(values.get("rights", {}), what),
        link=made(MeterLink, {name: value for name, value in values.items() if name in _LINK}, what),
    )
    for plan in {plan.security: plan for plan in plans}.values():
        # Says now what cannot be: objects that are there already, rights to what is not.
        SimulatedMeter(replace(plan, profile_days=1, billing_periods=0))
    return plans


def _rights(values: Any, what: str) -> Mapping[int, AccessRule]:
    check_names(f"rights of {what}", _table(values, f"rights of {what}"), _CLIENTS)
    return {_CLIENTS[name]: rights_from(source) for name, source in values.items()}


def _fault(values: Any, what: str) -> FaultOrder:
    said = dict(_table(values, what))
    name, share, serials = said.pop("fault", None), said.pop("share", "100%"), said.pop("serials", [])
    if not isinstance(serials, list) or not all(isinstance(one, int) for one in serials):
        raise ConfigurationError(f"serials of {what} are a list of serial numbers, not {serials!r}")
    try:
        return FaultOrder(fault_from(name, said), share_from(str(share)), tuple(serials))
    except ConfigurationError as error:
        raise ConfigurationError(f"{what}: {error}") from None


def _in_turn(value: Any, known: Sequence[str] | Mapping[str, Any], what: str) -> tuple[str, ...]:
    named = [] if value is None else value if isinstance(value, list) else [value]
    return tuple(one_of(what, one, known) for one in named)


def _table(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what} is a table, not {value!r}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigurationError(f"{what} are tables in double brackets: [[{what.split()[0]}]]")
    return value
