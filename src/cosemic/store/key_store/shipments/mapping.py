"""How the shipment file of a maker is laid out: a small TOML file.

::

    format = "csv"                      # csv, json or xml
    encoding = "utf-8"                  # csv only, as delimiter; json and xml say it themselves
    delimiter = ";"
    meters = "Shipment/Device"          # xml: path of the meters below the root element; json: names joined by dots,
                                        # empty where the file is the list itself; not for csv
    suite = 0                           # of meters for which no column says it

    [columns]
    name = "SerialNumber"               # csv: heading; json: names joined by dots; xml: path below the meter, with
    system_title = "SystemTitle"        # @attribute at the end where it is one: "Key[@type='GUEK']/@value"
    suite = "Suite"

    [keys]                              # kinds of records, with a label where they have one
    encryption-key = "GUEK"             # hexadecimal
    authentication-key = { column = "GAK", form = "base64" }
    kek = { column = "MK", wrapped = true }               # AES key wrap under the transport key of the shipment
    "secret:1" = { column = "LLS", form = "text" }        # as it stands there, ASCII, trimmed
    "secret:2" = { column = "HLS", form = "text", optional = true }   # meters may lack it
    signing-key = { column = "SignKey", form = "pem" }    # PKCS#8; certificates too

Names of elements are compared without their namespace.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.security import security_suite
from cosemic.store.key_store.records import RecordKind, parse_name

FORMS: Final = ("hex", "base64", "text", "pem")
FORMATS: Final = ("csv", "json", "xml")
_LONGEST: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Column:
    """Where one value stands, and how. form: of :data:`FORMS`."""

    path: str
    form: str = "hex"
    wrapped: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ShipmentMapping:
    """The layout of a shipment; see the module's text."""

    format: str
    name: Column
    keys: tuple[tuple[RecordKind, str, Column], ...]
    system_title: Column | None = None
    suite_column: Column | None = None
    suite: int = 0
    meters: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","


def read_mapping(path: Path) -> ShipmentMapping:
    """Return the mapping of a TOML file. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            octets = file.read(_LONGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"the mapping {path} cannot be read: {error.strerror}") from None
    try:
        if len(octets) > _LONGEST:
            raise ConfigurationError(f"has more than {_LONGEST} octets")
        return parse_mapping(tomllib.loads(octets.decode("utf-8")))
    except (ValueError, RecursionError) as error:  # a ConfigurationError too
        raise ConfigurationError(f"the mapping {path}: {error}") from None


def parse_mapping(content: Mapping[str, Any]) -> ShipmentMapping:
    """Return the mapping that tables of names and values stand for. Raises ConfigurationError."""
    _known(content, {"format", "encoding", "delimiter", "meters", "suite", "columns", "keys"}, "a mapping")
    kind = content.get("format")
    if kind not in FORMATS:
        raise ConfigurationError(f"format is one of {', '.join(FORMATS)}")
    columns, keys = content.get("columns"), content.get("keys")
    if not isinstance(columns, Mapping) or "name" not in columns or not isinstance(keys, Mapping) or not keys:
        raise ConfigurationError("a mapping has [columns] with at least name, and [keys]")
    _known(columns, {"name", "system_title", "suite"}, "[columns]")
    delimiter = _text(content, "delimiter", ",")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigurationError("delimiter is one character, and neither a quote nor the end of a line")
    encoding = _text(content, "encoding", "utf-8")
    try:
        "".encode(encoding)
    except (LookupError, ValueError):
        raise ConfigurationError(f"encoding {encoding!r} is not known") from None
    suite = content.get("suite", 0)
    if type(suite) is not int:
        raise ConfigurationError("suite is a number")
    return ShipmentMapping(
        format=str(kind),
        name=_column("name", columns["name"]),
        keys=tuple((*parse_name(name), _column(name, value)) for name, value in keys.items()),
        system_title=_column("system_title", columns["system_title"]) if "system_title" in columns else None,
        suite_column=_column("suite", columns["suite"]) if "suite" in columns else None,
        suite=security_suite(suite).id,
        meters=_text(content, "meters", ""),
        encoding=encoding,
        delimiter=delimiter,
    )


def _column(name: str, value: Any) -> Column:
    if isinstance(value, str):
        value = {"column": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("column"), str) or not value["column"]:
        raise ConfigurationError(f"{name} names a column")
    _known(value, {"column", "form", "wrapped", "optional"}, name)
    form, wrapped, optional = value.get("form", "hex"), value.get("wrapped", False), value.get("optional", False)
    if form not in FORMS:
        raise ConfigurationError(f"the form of {name} is one of {', '.join(FORMS)}")
    if not isinstance(wrapped, bool) or not isinstance(optional, bool):
        raise ConfigurationError(f"wrapped and optional of {name} are true or false")
    if wrapped and form in ("text", "pem"):
        raise ConfigurationError(f"{name}: what is wrapped stands there as hex or base64")
    return Column(value["column"], form, wrapped, optional)


def _known(given: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := set(given) - known:
        raise ConfigurationError(f"{', '.join(sorted(unknown))}: not known in {where}: {', '.join(sorted(known))}")


def _text(content: Mapping[str, Any], name: str, default: str) -> str:
    value = content.get(name, default)
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} is a text")
    return value
