"""Known meters: a TOML file that gives meters names, so that ``Meter.connect("kitchen")`` finds them.

::

    [meters.kitchen]
    url = "tcp://192.168.1.7:4059?client=1"
    security = "kitchen.toml"            # a file beside this one; "environment"; or the settings themselves, as a table
    zone = "Europe/Berlin"               # of the meter, for its stamps without deviation; unless said UTC
    profiles = ["1-0:99.1.0"]            # its load profiles
    logical_device_name = "MMM0000000012345"   # by which it is known again when it calls
    dialect = { deviation_sign = "inverted", quirks = ["acse-short-lengths"] }   # switches that differ

    [meters.shed]
    url = "tcp://192.168.1.8?client=16"

The file is the one that is named, or that ``COSEMIC_METERS`` names, or ``meters.toml`` in the state folder. A file that
holds keys itself, and that others than its owner may read, is warned of.
"""

from __future__ import annotations

import datetime as dt
import difflib
import os
import tomllib
import warnings
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final

from cosemic.dialect import STANDARD, Dialect, Quirk
from cosemic.errors import ConfigurationError
from cosemic.store.security_settings import SECRETS, Source, others_can_read, parsed, state_folder
from cosemic.values import Obis
from cosemic.values.secret import HiddenOctets

VARIABLE: Final = "COSEMIC_METERS"
_FILES: Final = frozenset(
    (
        "counters", "transactions", "key_store", "key_store_key_file", "signing_key_file", "agreement_key_file",
        "certificate", "agreement_certificate", "server_certificate", "certificates", "trust_anchors",
        "revocation_lists", "token_pin_file",
    )
)  # fmt: skip
"""Security settings that name files."""


class ReadableKeys(UserWarning):
    """A file that holds keys can be read by others than its owner."""


@dataclass(frozen=True, slots=True)
class KnownMeter:
    """What the file says of one meter; see the module. ``zone`` is None where it says nothing."""

    name: str
    url: str
    security: Source = field(default=None, repr=False)
    zone: dt.tzinfo | None = None
    dialect: Dialect = STANDARD
    profiles: tuple[Obis, ...] = ()
    logical_device_name: str = ""


def meters_file(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the file of known meters: the one named, that of the environment, or that of the state folder."""
    return Path(path or os.environ.get(VARIABLE) or state_folder() / "meters.toml")


def known_meters(path: str | os.PathLike[str] | None = None) -> dict[str, KnownMeter]:
    """Return all meters of the file, by name. Raises ConfigurationError, which never quotes a key."""
    where = meters_file(path)
    return {name: _known_meter(where, name, values) for name, values in _tables(where).items()}


def known_meter(name: str, path: str | os.PathLike[str] | None = None) -> KnownMeter:
    """Return the meter of that name. Raises ConfigurationError, which never quotes a key."""
    where = meters_file(path)
    if not where.exists() and path is None:
        raise ConfigurationError(
            f"{name!r} is no URL (tcp://HOST:PORT?client=16&server=1), and there is no file of known meters: {where}"
        )
    tables = _tables(where)
    if name not in tables:
        near = difflib.get_close_matches(name, tables, 3) or sorted(tables)[:5]
        raise ConfigurationError(f"{name!r} is no URL, and no meter of {where}: {', '.join(near) or 'it has none'}")
    return _known_meter(where, name, tables[name])


def _tables(where: Path) -> dict[str, Any]:
    try:
        octets = HiddenOctets(where.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"known meters {where}: {error.strerror}") from None
    values = parsed(octets, tomllib.loads)
    if values is None:
        raise ConfigurationError(f"known meters {where} are no TOML")
    tables = values.pop("meters", {})
    if values or not isinstance(tables, dict):
        raise ConfigurationError(f"known meters {where}: every meter stands in a table [meters.NAME], and nothing else")
    return tables


def _known_meter(where: Path, name: str, values: Any) -> KnownMeter:
    if not isinstance(values, dict) or not isinstance(values.get("url"), str):
        raise ConfigurationError(f'meter {name!r} of {where} needs its url: url = "tcp://HOST:PORT?client=1"')
    unknown = set(values) - _READERS.keys() - {"url"}
    if unknown:
        raise ConfigurationError(
            f"{', '.join(sorted(unknown))} of meter {name!r} in {where}: known are url, {', '.join(_READERS)}"
        )
    try:
        settings = {key: _READERS[key](value, where) for key, value in values.items() if key != "url"}
    except ConfigurationError as error:
        raise ConfigurationError(f"meter {name!r} of {where}: {error}") from None
    return KnownMeter(name, str(values["url"]), **settings)


def _security(value: Any, where: Path) -> Source:
    if value == "environment":
        return "environment"
    if isinstance(value, str):
        return where.parent / str(value)
    if not isinstance(value, dict):
        raise ConfigurationError('security is the name of a file, "environment", or a table of settings')
    if SECRETS & value.keys() and others_can_read(where):
        warnings.warn(f"{where} holds keys, and others can read it: chmod 600 {where}", ReadableKeys, stacklevel=2)
    return {name: _beside(one, where) if name in _FILES else one for name, one in value.items()}


def _beside(value: Any, where: Path) -> Any:
    """Return the name of a file, or of several, that lies beside the file of known meters unless it is absolute."""
    if isinstance(value, list):
        return [_beside(one, where) for one in value]
    return where.parent / value if isinstance(value, str) and value else value


def _zone(value: Any, where: Path) -> dt.tzinfo:
    if value == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ConfigurationError(
            f"zone {str(value)!r} is no time zone of this machine: Europe/Berlin, UTC ..."
        ) from None


def _profiles(value: Any, where: Path) -> tuple[Obis, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigurationError('profiles is a list of OBIS codes: ["1-0:99.1.0"]')
    return tuple(map(Obis, value))


def _device_name(value: Any, where: Path) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 16 or not value.isascii():
        raise ConfigurationError("logical_device_name is text of 1 to 16 ASCII characters")
    return value


def _dialect(value: Any, where: Path) -> Dialect:
    if not isinstance(value, dict):
        raise ConfigurationError("dialect is a table of switches: { release_request = false }")
    known = {one.name: getattr(STANDARD, one.name) for one in fields(Dialect)}
    unknown = set(value) - known.keys()
    if unknown:
        raise ConfigurationError(f"{', '.join(sorted(unknown))}: no switch of a dialect; known: {', '.join(known)}")
    return STANDARD.but(**{name: _switch(name, one, known[name]) for name, one in value.items()})


def _switch(name: str, value: Any, standard: object) -> object:
    """A switch by the type that its standard setting has."""
    if isinstance(standard, frozenset):
        if not isinstance(value, list):
            raise ConfigurationError(f"{name} is a list: {', '.join(one.value for one in Quirk)}")
        return frozenset(_label(name, one, Quirk) for one in value)
    if isinstance(standard, Enum):
        return _label(name, value, type(standard))
    if type(value) is not type(standard):
        raise ConfigurationError(f"{name} is {'true or false' if isinstance(standard, bool) else 'a number'}")
    return value


def _label(name: str, value: Any, kind: type[Enum]) -> Enum:
    for one in kind:
        if one.value == value:
            return one
    raise ConfigurationError(f"{name} is one of {', '.join(str(one.value) for one in kind)}")


_READERS: Final[Mapping[str, Callable[[Any, Path], Any]]] = {
    "security": _security,
    "zone": _zone,
    "profiles": _profiles,
    "logical_device_name": _device_name,
    "dialect": _dialect,
}
