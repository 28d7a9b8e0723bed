"""Access rights of an association as data: tables, as a TOML or JSON file gives them.

::

    [[rights]]
    objects = ["8/0-0:1.0.0"]                       # a class may stand in front
    attributes = { time = "read-write", "*" = "read" }
    methods = { shift_time = "access" }
    requires = ["authenticated"]                    # of request and response

    [[rights]]
    objects = ["1-0:x.8.x", "7/*"]                  # x: any value of a group; *: any object
    attributes = "read"
    request = ["authenticated", "encrypted"]

    [[rights]]
    objects = "0-0:96.50.x"
    hidden = true

The first table that names an object decides; an object that none names is not in view. Attributes and methods are named
as in the standard or numbered; ``"*"`` stands for those that are not named, and a text in place of the names for all.
What a right allows beyond what the object serves, it does not have.

==========  ================================================================================
right       ``none``, ``read``, ``write``, ``read-write`` (attributes); ``none``, ``access`` (methods); or a table:
            ``{ access = "read", request = ["encrypted"] }``, with protection of its own
protection  ``authenticated``, ``encrypted``; ``request`` and ``response`` apart, or ``requires`` for both
==========  ================================================================================

In place of the tables ``"reading"`` and ``"managing"`` stand for the rules of these names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar

from cosemic.errors import ConfigurationError
from cosemic.model import Attribute, Method
from cosemic.security import AttributeAccess, MethodAccess, Protection, Requirement
from cosemic.server.objects import CosemObject
from cosemic.server.rights import (
    NO_ATTRIBUTE_ACCESS,
    NO_METHOD_ACCESS,
    NO_REQUIREMENT,
    AccessRule,
    ObjectRights,
    managing,
    reading,
)
from cosemic.values import Obis

RightsSource: TypeAlias = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A rule by its name, one table, or several in order."""
R = TypeVar("R", AttributeAccess, MethodAccess)
_ANY: Final = "*"
_NAMED_RULES: Final = {"reading": reading, "managing": managing}
_PROTECTIONS: Final = {"authenticated": Protection.AUTHENTICATED, "encrypted": Protection.ENCRYPTED}
_PROTECTION_KEYS: Final = frozenset(("requires", "request", "response"))
_KEYS: Final = frozenset(("objects", "hidden", "attributes", "methods")) | _PROTECTION_KEYS
_ATTRIBUTE_ACCESS: Final = {
    "none": NO_ATTRIBUTE_ACCESS,
    "read": AttributeAccess(readable=True),
    "write": AttributeAccess(writable=True),
    "read-write": AttributeAccess(readable=True, writable=True),
}
_METHOD_ACCESS: Final = {"none": NO_METHOD_ACCESS, "access": MethodAccess(accessible=True)}
_OBJECTS: Final = re.compile(r"(?:(?P<class>\d{1,5})/)?(?P<code>\S+)")
_PART_OF_A_GROUP: Final = re.compile(r"[0-9x]x|x[0-9]")


def rights_from(source: RightsSource) -> AccessRule:
    """Return the rule that the tables describe.

    Raises ConfigurationError for what they cannot mean; the rule raises it for an attribute or method that the class of
    an object does not have.
    """
    if isinstance(source, str):
        if source not in _NAMED_RULES:
            raise ConfigurationError(f"rights are tables, or one of {', '.join(_NAMED_RULES)}, not {source!r}")
        return _NAMED_RULES[source]()
    given: Sequence[Any] = source if isinstance(source, Sequence) else [source]
    tables = [_Table(table) for table in given]

    def rule(served: CosemObject) -> ObjectRights | None:
        table = next((one for one in tables if one.includes(served)), None)
        return None if table is None or table.hidden else table.rights(served)

    return rule


class _Table:
    """One table: the objects that it is about, and the rights to them."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        if not isinstance(table, Mapping):
            raise ConfigurationError(f"rights are given as tables, not as {table!r}")
        _check_keys(table, _KEYS)
        self._objects = [_Objects.named(one) for one in _texts(table, "objects")]
        if not self._objects:
            raise ConfigurationError('a table of rights says which objects it is about: objects = "1-0:1.8.0", or "*"')
        self.hidden = table.get("hidden", False)
        if not isinstance(self.hidden, bool):
            raise ConfigurationError("hidden is true or false")
        requires = _requirement(table, NO_REQUIREMENT)
        self._attributes = _Rights("attribute", table.get("attributes", "none"), _ATTRIBUTE_ACCESS, requires)
        self._methods = _Rights("method", table.get("methods", "none"), _METHOD_ACCESS, requires)

    def includes(self, served: CosemObject) -> bool:
        return any(one.include(served) for one in self._objects)

    def rights(self, served: CosemObject) -> ObjectRights:
        readable, writable, invocable = served.readable, served.writable, served.invocable
        attributes = {
            index: AttributeAccess(
                right.readable and index in readable, right.writable and index in writable, right.requires
            )
            for index, right in self._attributes.to(served, served.interface.attributes)
            if (right.readable and index in readable) or (right.writable and index in writable)
        }
        methods = {
            index: right
            for index, right in self._methods.to(served, served.interface.methods)
            if right.accessible and index in invocable
        }
        return ObjectRights(attributes, methods)


@dataclass(frozen=True, slots=True)
class _Objects:
    """Objects by class (None: any) and by the octets of the logical name that ``mask`` lets count."""

    class_id: int | None
    name: Obis
    mask: int

    @classmethod
    def named(cls, text: str) -> _Objects:
        match = _OBJECTS.fullmatch(text)
        if match is None or _PART_OF_A_GROUP.search(match["code"]):
            raise ConfigurationError(f"{text!r} names no objects: OBIS code, CLASS/OBIS code, x for any group, or *")
        code = "x-x:x.x.x*x" if match["code"] == _ANY else match["code"]
        # The groups that are written as x differ between the two codes, and only they.
        zeros, ones = Obis(code.replace("x", "0")), Obis(code.replace("x", "1"))
        mask = bytes(0 if zero != one else 0xFF for zero, one in zip(zeros, ones, strict=True))
        return cls(int(match["class"]) if match["class"] else None, zeros, int.from_bytes(mask))

    def include(self, served: CosemObject) -> bool:
        differences = int.from_bytes(served.instance_id) ^ int.from_bytes(self.name)
        return self.class_id in (None, served.class_id) and not differences & self.mask


class _Rights(Generic[R]):
    """The rights to the attributes, or to the methods, of whatever objects a table names."""

    def __init__(self, what: str, written: Any, words: Mapping[str, R], requires: Requirement) -> None:
        self._what = what
        entries = written if isinstance(written, Mapping) else {_ANY: written}
        self._named: dict[str, R] = {str(name): _right(one, words, requires) for name, one in entries.items()}
        self._others: R = self._named.pop(_ANY, words["none"])

    def to(
        self, served: CosemObject, members: Mapping[int, Attribute[Any]] | Mapping[int, Method[Any, Any]]
    ) -> Iterator[tuple[int, R]]:
        """Return the right to each member by its number. Raises ConfigurationError for one that there is not."""
        unknown = set(self._named)
        for index, member in members.items():
            name = member.name if member.name in self._named else str(index)
            unknown.discard(name)
            yield index, self._named.get(name, self._others)
        if unknown:
            raise ConfigurationError(
                f"rights to {served!r}: {self._what} {', '.join(sorted(unknown))} does not exist, or is named twice"
            )


def _right(written: Any, words: Mapping[str, R], requires: Requirement) -> R:
    """A right as it is written: a word, or a table of the word and its protection."""
    if isinstance(written, Mapping):
        _check_keys(written, _PROTECTION_KEYS | {"access"})
        requires = _requirement(written, requires)
        written = written.get("access")
    if not isinstance(written, str) or written not in words:
        raise ConfigurationError(f"a right is one of {', '.join(words)}, not {written!r}")
    return replace(words[written], requires=requires)


def _requirement(table: Mapping[str, Any], otherwise: Requirement) -> Requirement:
    if not _PROTECTION_KEYS & table.keys():
        return otherwise
    both = _protection(table, "requires")
    return Requirement(both | _protection(table, "request"), both | _protection(table, "response"))


def _protection(table: Mapping[str, Any], name: str) -> Protection:
    protection = Protection.NONE
    for word in _texts(table, name):
        if word not in _PROTECTIONS:
            raise ConfigurationError(f"a protection is one of {', '.join(_PROTECTIONS)}, not {word!r}")
        protection |= _PROTECTIONS[word]
    return protection


def _texts(table: Mapping[str, Any], name: str) -> Sequence[str]:
    """One text, or a list of them; none where nothing is said."""
    written = table.get(name, ())
    texts = (written,) if isinstance(written, str) else written
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ConfigurationError(f"{name} is a text or a list of texts, not {written!r}")
    return texts


def _check_keys(table: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = table.keys() - known
    if unknown:
        raise ConfigurationError(f"{', '.join(sorted(unknown))}: no part of rights; known: {', '.join(sorted(known))}")
