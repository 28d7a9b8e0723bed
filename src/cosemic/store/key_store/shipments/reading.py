"""Meters and keys out of a shipment file; nothing of what a cell holds is ever quoted."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosemic.errors import ConfigurationError, DecipheringError
from cosemic.security import security_suite
from cosemic.store.key_store.records import NewRecord, check_meter_name, check_system_title, checked
from cosemic.store.key_store.shipments.mapping import Column, ShipmentMapping
from cosemic.store.key_store.shipments.markup import parse_xml
from cosemic.store.key_store.shipments.transport_key import Unwrapper
from cosemic.values import Secret

MOST_OCTETS: Final = 256 << 20
"""Of a shipment file."""
MOST_METERS: Final = 500_000
MOST_VALUES: Final = 2_000_000
"""Of JSON: objects, lists and what stands in them."""
_LONGEST_CELL: Final = 1 << 16
_Cells = Callable[[str], str | None]
"""From a column to what stands there."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A meter of a shipment. where: as in ``line 7``."""

    where: str
    name: str
    system_title: bytes
    suite: int
    records: tuple[NewRecord, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A place of a shipment that cannot be imported, and why."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def read_shipment(
    path: Path, mapping: ShipmentMapping, transport_key: Unwrapper | None = None
) -> list[Shipped | Fault]:
    """Return what a shipment file holds. Raises ConfigurationError where it is not of that format at all."""
    try:
        with path.open("rb") as file:
            octets = file.read(MOST_OCTETS + 1)
    except OSError as error:
        raise ConfigurationError(f"the shipment {path} cannot be read: {error.strerror}") from None
    try:
        return list(shipped_meters(octets, mapping, transport_key))
    except ConfigurationError as error:
        raise ConfigurationError(f"the shipment {path} {error}") from None


def shipped_meters(
    octets: bytes, mapping: ShipmentMapping, transport_key: Unwrapper | None = None
) -> Iterator[Shipped | Fault]:
    """Yield each meter, or why it cannot be imported. Raises ConfigurationError where it is no such file at all.

    transport_key: opens what the mapping calls wrapped.
    """
    if len(octets) > MOST_OCTETS:
        raise ConfigurationError(f"has more than {MOST_OCTETS} octets: split it")
    if transport_key is None and any(column.wrapped for _, _, column in mapping.keys):
        raise ConfigurationError("holds wrapped keys: name the transport key (--transport-key-file)")
    for number, (where, cells) in enumerate(_READERS[mapping.format](octets, mapping)):
        if number == MOST_METERS:
            raise ConfigurationError(f"has more than {MOST_METERS} meters: split it")
        try:
            yield _shipped(where, cells, mapping, transport_key)
        except (ConfigurationError, DecipheringError) as error:
            yield Fault(where, str(error))


def _shipped(where: str, cells: _Cells, mapping: ShipmentMapping, transport_key: Unwrapper | None) -> Shipped:
    name = check_meter_name(_cell(cells, "name", mapping.name) or "")
    suite = mapping.suite
    if mapping.suite_column is not None and (text := _cell(cells, "suite", mapping.suite_column)) is not None:
        if not (text.isascii() and text.isdecimal() and len(text) <= 2):
            raise ConfigurationError("suite is no number")
        suite = security_suite(int(text)).id
    title = b""
    if mapping.system_title is not None and (text := _cell(cells, "system_title", mapping.system_title)) is not None:
        title = check_system_title(_octets("system_title", text, mapping.system_title.form))
    records = []
    for kind, label, column in mapping.keys:
        record = NewRecord(kind, Secret(b""), label)
        text = _cell(cells, record.name, column)
        if text is None:
            continue
        secret = Secret(_octets(record.name, text, column.form))
        if column.wrapped:
            assert transport_key is not None
            secret = transport_key.unwrap(secret.reveal())
        records.append(checked(NewRecord(kind, secret, label), security_suite(suite)))
    return Shipped(where, name, title, suite, tuple(records))


def _cell(cells: _Cells, name: str, column: Column) -> str | None:
    text = (cells(column.path) or "").strip()
    if not text and not column.optional:
        raise ConfigurationError(f"{name} is missing (column {column.path!r})")
    if len(text) > _LONGEST_CELL:
        raise ConfigurationError(f"{name} is longer than {_LONGEST_CELL} characters")
    return text or None


def _octets(name: str, text: str, form: str) -> bytes:
    try:
        if form == "hex":
            return bytes.fromhex(text)
        if form == "base64":
            return base64.b64decode("".join(text.split()), validate=True)
        return text.encode("ascii")
    except (ValueError, binascii.Error):
        wanted = {"hex": "hexadecimal", "base64": "base64"}.get(form, "ASCII")
        raise ConfigurationError(f"{name} is not {wanted}") from None


def _csv(octets: bytes, mapping: ShipmentMapping) -> Iterator[tuple[str, _Cells]]:
    try:
        text = octets.decode("utf-8-sig" if mapping.encoding.lower() in ("utf-8", "utf8") else mapping.encoding)
    except (UnicodeError, LookupError):
        raise ConfigurationError(f"is not in {mapping.encoding}: name the encoding in the mapping") from None
    if "\0" in text:
        raise ConfigurationError("is no CSV: it holds octets 00")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mapping.delimiter, strict=True)
    columns = [mapping.name, mapping.system_title, mapping.suite_column, *(column for _, _, column in mapping.keys)]
    try:
        heading = [cell.strip() for cell in next(rows, [])]
        for column in columns:
            if (
                column is not None
                and heading.count(column.path) != 1
                and not (column.optional and column.path not in heading)
            ):
                raise ConfigurationError(f"has no column {column.path!r}, or several: look at delimiter and mapping")
        for row in rows:
            if any(row):
                if len(row) != len(heading):
                    raise ConfigurationError(
                        f"has {len(row)} cells at line {rows.line_num} and {len(heading)} headings"
                    )
                yield f"line {rows.line_num}", dict(zip(heading, row, strict=True)).get
    except csv.Error:
        raise ConfigurationError(f"is no CSV at line {rows.line_num}") from None


def _json(octets: bytes, mapping: ShipmentMapping) -> Iterator[tuple[str, _Cells]]:
    # Each value but the first of all has one of these in front of it, in every encoding that JSON has.
    if sum(map(octets.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise ConfigurationError(f"has more than {MOST_VALUES} values: split it")
    try:
        content = json.loads(octets)
    except (ValueError, RecursionError):
        raise ConfigurationError("is no JSON") from None
    found = _inside(content, mapping.meters)
    if not isinstance(found, list):
        raise ConfigurationError(f"has no list of meters at {mapping.meters!r}: name it in the mapping as meters")
    for number, item in enumerate(found, 1):
        yield f"meter {number}", _item(item)


def _item(item: Any) -> _Cells:
    def cell(path: str) -> str | None:
        value = _inside(item, path)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None

    return cell


def _inside(value: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _xml(octets: bytes, mapping: ShipmentMapping) -> Iterator[tuple[str, _Cells]]:
    root = parse_xml(octets)
    found = root.all(mapping.meters) if mapping.meters else root.children
    if not found:
        raise ConfigurationError(f"has no elements at {mapping.meters!r} below its root: name them as meters")
    for element in found:
        yield f"line {element.line}", element.value


_READERS: Final = {"csv": _csv, "json": _json, "xml": _xml}
