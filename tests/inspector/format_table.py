"""The table of FORMAT.md, read out of the file, and a check of dictionaries against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import VECTORS

CIPHERED = frozenset(
    """
    initiate-request initiate-response read-request read-response write-request write-response
    confirmed-service-error unconfirmed-write-request information-report-request get-request get-response set-request
    set-response event-notification-request action-request action-response
    """.split()  # noqa: SIM905 - easier to hold against FORMAT.md
)
RANGES = {
    "integer": 8, "long": 16, "double-long": 32, "long64": 64,
    "delta-integer": 8, "delta-long": 16, "delta-double-long": 32,
}  # fmt: skip
UNSIGNED_RANGES = {
    "unsigned": 8, "long-unsigned": 16, "double-long-unsigned": 32, "long64-unsigned": 64, "enum": 8, "bcd": 8,
    "delta-unsigned": 8, "delta-long-unsigned": 16, "delta-double-long-unsigned": 32,
}  # fmt: skip
DATES = {"date-time": 12, "date": 5, "time": 4}
PLAIN = {
    "int": lambda value: type(value) is int,
    "bool": lambda value: type(value) is bool,
    "text": lambda value: type(value) is str,
    "none": lambda value: value is None,
    "hex": lambda value: type(value) is str and re.fullmatch("([0-9a-f]{2})*", value) is not None,
    "obis": lambda value: (
        type(value) is str and re.fullmatch(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}\*\d{1,3}", value) is not None
    ),
}


class Table:
    """Shapes, choices, enumerations, APDUs and kinds by name."""

    def __init__(self, path: Path) -> None:
        found = re.search(r"```format-1\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
        assert found is not None
        self.shapes: dict[str, dict[str, str]] = {}
        self.choices: dict[str, dict[str, str]] = {}
        self.enumerations: dict[str, dict[str, int]] = {}
        self.apdus: dict[str, dict[str, str]] = {}
        self.kinds: dict[str, dict[str, str]] = {}
        for line in filter(None, map(str.strip, found[1].splitlines())):
            name, separator, body = re.split(r" (=|:) ", line, maxsplit=1)
            self._add(name, separator, body)

    def _add(self, name: str, separator: str, body: str) -> None:
        if separator == ":":
            pairs = (item.split(" ", 1) for item in body.split(", "))
            self.enumerations[name] = {label: int(code) for code, label in pairs}
        elif body.startswith("<"):
            self.choices[name] = {item.split()[0]: item.split()[1] for item in body[1:-1].split("|")}
        else:
            fields: dict[str, str] = {}
            for item in body.split(", "):
                if item.startswith("+"):
                    fields |= self.shapes[item[1:]]
                else:
                    key, kind = item.split(" ")
                    fields[key] = kind
            word, _, rest = name.partition(" ")
            {"apdu": self.apdus, "kind": self.kinds}.get(word, self.shapes)[rest or name] = fields

    # ---- checks: each yields one line for each fault -----------------------------------------------------------------

    def result(self, kind: str, have: dict[str, Any]) -> Iterator[str]:
        """Check what ``to_dict`` gave for a kind."""
        if kind == "messages":
            have = dict(have, messages=[dict(message) for message in have["messages"]])
            for message in have["messages"]:
                error = message.pop("error", None)
                if (message.get("apdu") is None) != bool(error):
                    yield "messages: error and apdu, or neither"
        yield from self.shape(kind, have, self.kinds[kind])

    def shape(self, path: str, have: Any, fields: dict[str, str], head: tuple[str, ...] = ()) -> Iterator[str]:
        """Check a dictionary: exactly the keys, each of its type."""
        if not isinstance(have, dict):
            yield f"{path}: {have!r} for a dictionary"
            return
        if have.keys() != fields.keys() | set(head):
            yield f"{path}: keys {sorted(have.keys() ^ (fields.keys() | set(head)))} are missing or too many"
            return
        for key, kind in fields.items():
            yield from self.value(f"{path}.{key}", have[key], kind)

    def value(self, path: str, have: Any, kind: str) -> Iterator[str]:
        """Check a value against a type of the table."""
        if kind.endswith("?"):
            if have is None:
                return
            kind = kind[:-1]
        if kind.startswith("["):
            if not isinstance(have, list):
                yield f"{path}: {have!r} for a list"
                return
            for number, item in enumerate(have):
                yield from self.value(f"{path}[{number}]", item, kind[1:-1])
        elif kind == "Data":
            yield from data(path, have)
        elif kind == "APDU":
            yield from self.apdu(path, have)
        elif kind == "Content":
            yield from self.content(path, have)
        elif kind in self.shapes:
            yield from self.shape(path, have, self.shapes[kind])
        elif kind in self.choices:
            if not isinstance(have, dict) or len(have) != 1 or not have.keys() <= self.choices[kind].keys():
                yield f"{path}: {have!r} is no choice of {kind}"
                return
            ((key, value),) = have.items()
            yield from self.value(f"{path}.{key}", value, self.choices[kind][key])
        elif kind in self.enumerations:
            yield from self.enumeration(path, have, kind)
        elif not PLAIN[kind](have):
            yield f"{path}: {have!r} is no {kind}"

    def enumeration(self, path: str, have: Any, kind: str) -> Iterator[str]:
        """Check a name; a number may stand only where it has no name."""
        names = self.enumerations[kind]
        dotted = kind in ("Context", "Mechanism") and isinstance(have, str) and re.fullmatch(r"\d+(\.\d+)+", have)
        if type(have) is int:
            if have in names.values() and kind != "ErrorValue":
                yield f"{path}: the number {have} has a name in {kind}"
        elif have not in names and not dotted:
            yield f"{path}: {have!r} is no {kind}"

    def content(self, path: str, have: Any) -> Iterator[str]:
        """Check the content of a protected APDU."""
        if isinstance(have, dict) and have.keys() == {"octets", "error"}:
            yield from self.value(f"{path}.octets", have["octets"], "hex")
            if not isinstance(have["error"], str) or not have["error"]:
                yield f"{path}.error: {have['error']!r} is no text"
        elif isinstance(have, dict) and have.keys() == {"p1"}:
            yield from self.shape(f"{path}.p1", have["p1"], self.shapes["P1"])
        else:
            yield from self.apdu(path, have)

    def apdu(self, path: str, have: Any) -> Iterator[str]:
        """Check the dictionary of an APDU."""
        if not isinstance(have, dict) or "apdu" not in have:
            yield f"{path}: {have!r} is no APDU"
            return
        name = have["apdu"]
        form = f"{name} {have['type']}" if "type" in have else name
        prefix, _, service = name.partition("-")
        if prefix in ("glo", "ded") and service in CIPHERED:
            form = f"{prefix}-*"
        if form not in self.apdus:
            yield f"{path}: no APDU is called {form}"
            return
        head = ("apdu", "type") if "type" in have else ("apdu",)
        yield from self.shape(f"{path}<{form}>", have, self.apdus[form], head)


def data(path: str, have: Any) -> Iterator[str]:
    """Check a Data value, rule 7."""
    if not isinstance(have, list) or not have or len(have) != (1 if have[0] in ("null-data", "dont-care") else 2):
        yield f"{path}: {have!r} is no Data"
        return
    name, value = have[0], have[-1]
    if name in ("structure", "array", "compact-array"):
        for number, item in enumerate(value):
            yield from data(f"{path}[{number}]", item)
        return
    good = {
        "null-data": lambda: True,
        "dont-care": lambda: True,
        "boolean": lambda: type(value) is bool,
        "octet-string": lambda: PLAIN["hex"](value),
        "visible-string": lambda: type(value) is str,
        "utf8-string": lambda: type(value) is str,
        "bit-string": lambda: type(value) is str and set(value) <= {"0", "1"},
        "float32": lambda: type(value) is float,
        "float64": lambda: type(value) is float,
        "floating-point": lambda: type(value) is float,
    }
    if name in RANGES:
        fits = type(value) is int and -(1 << RANGES[name] - 1) <= value < 1 << RANGES[name] - 1
    elif name in UNSIGNED_RANGES:
        fits = type(value) is int and 0 <= value < 1 << UNSIGNED_RANGES[name]
    elif name in DATES:
        fits = PLAIN["hex"](value) and len(value) == 2 * DATES[name]
    else:
        fits = name in good and good[name]()
    if not fits:
        yield f"{path}: {value!r} is no {name}"


@cache
def table() -> Table:
    """Return the table of the vectors folder; skips the test when there is none."""
    path = VECTORS / "FORMAT.md"
    if not path.is_file():
        pytest.skip(f"no FORMAT.md in {VECTORS}")
    return Table(path)


def faults(kind: str, have: dict[str, Any]) -> list[str]:
    """Return what of a result is not as the table says."""
    return list(table().result(kind, have))
