"""Settings by their names: what is not known is refused, with the name that may be meant.

:func:`made` makes a dataclass from the values of a table, each as the annotation of its field says: ``int``, ``float``,
``str``, ``bool``, a tuple of one of these, or None besides.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from cosemic.errors import ConfigurationError

T = TypeVar("T")
_WORDS: Final = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def one_of(what: str, name: object, known: Iterable[str]) -> str:
    """Return a name that is known. Raises ConfigurationError."""
    names = list(known)
    if isinstance(name, str) and name in names:
        return name
    raise ConfigurationError(f"{what} is one of {', '.join(names)}, not {name!r}{_meant(name, names)}")


def check_names(what: str, given: Iterable[object], known: Iterable[str]) -> None:
    """Raise ConfigurationError for the first name that is not known."""
    names = list(known)
    for name in given:
        if name not in names:
            raise ConfigurationError(f"{what} has no {name!r}{_meant(name, names)}; it has {', '.join(names)}")


def made(kind: type[T], values: Mapping[str, Any], what: str) -> T:
    """Return an object of a dataclass from plain values. Raises ConfigurationError."""
    fields = {one.name: one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]  # kind is a dataclass
    check_names(what, values, fields)
    hints = get_type_hints(kind)
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if not optional and name not in values:
            raise ConfigurationError(f"{what} needs {name}")
    return kind(**{name: _plain(value, hints[name], f"{name} of {what}") for name, value in values.items()})


def _plain(value: Any, hint: Any, what: str) -> Any:
    """Return a plain value as an annotation wants it. Raises ConfigurationError."""
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ConfigurationError(f"{what} is a list, not {value!r}")
        return tuple(_plain(one, get_args(hint)[0], what) for one in value)
    types = [one for one in get_args(hint) or (hint,) if one is not NoneType]
    if type(value) in types:
        return value
    if float in types and type(value) is int:
        return float(value)
    raise ConfigurationError(f"{what} is {' or '.join(_WORDS[one] for one in types)}, not {value!r}")


def _meant(name: object, names: list[str]) -> str:
    near = difflib.get_close_matches(str(name), names, 1)
    return f" (is {near[0]} meant?)" if near else ""
