"""Access rights of one association to the objects of a logical device (class 15; reference, security 11).

A rule tells for each object what a client may do with it; None hides the object::

    reading()                                 every value, nothing else
    managing(requires=AUTHENTICATED)          everything that the objects serve, in authenticated messages only
    only(reading(), "0-0:42.0.0", "8/0-0:1.0.0")    these objects and no others; a class may stand in front
    first(rule, rule)                         the first rule that does not hide the object

What a version of Association LN cannot code is refused when the client is admitted; where its coding asks for more
protection than the rule does, what is shown is what holds (:func:`coded`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from cosemic.errors import ConfigurationError, EncodeError
from cosemic.security import AccessCoding, AttributeAccess, MethodAccess, Protection, Requirement, access_coding
from cosemic.server.objects import CosemObject
from cosemic.values import Obis

NO_REQUIREMENT: Final = Requirement()
NO_ATTRIBUTE_ACCESS: Final = AttributeAccess()
NO_METHOD_ACCESS: Final = MethodAccess()
_NOTHING: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class ObjectRights:
    """Rights to one object: by attribute and by method; what is not listed is not accessible."""

    attributes: Mapping[int, AttributeAccess] = field(default_factory=lambda: MappingProxyType({}))
    methods: Mapping[int, MethodAccess] = field(default_factory=lambda: MappingProxyType({}))

    def attribute(self, attribute_id: int) -> AttributeAccess:
        """Return the right to an attribute."""
        return self.attributes.get(attribute_id, NO_ATTRIBUTE_ACCESS)

    def method(self, method_id: int) -> MethodAccess:
        """Return the right to a method."""
        return self.methods.get(method_id, NO_METHOD_ACCESS)


AccessRule: TypeAlias = Callable[[CosemObject], ObjectRights | None]


def reading(requires: Requirement = NO_REQUIREMENT) -> AccessRule:
    """Return the rule that lets every value be read; ``requires``: under which protection."""
    return lambda served: _all_of(served.readable, _NOTHING, _NOTHING, requires)


def managing(requires: Requirement = NO_REQUIREMENT) -> AccessRule:
    """Return the rule that allows whatever the objects serve; ``requires``: under which protection."""
    return lambda served: _all_of(served.readable, served.writable, served.invocable, requires)


@lru_cache(maxsize=1024)
def _all_of(
    readable: frozenset[int], writable: frozenset[int], invocable: frozenset[int], requires: Requirement
) -> ObjectRights:
    """The rights to all that an object serves: the same for all objects that serve the same, in thousands of meters."""
    return ObjectRights(
        {index: AttributeAccess(index in readable, index in writable, requires) for index in readable | writable},
        {index: MethodAccess(True, requires) for index in invocable},
    )


def only(rule: AccessRule, *names: str | Obis) -> AccessRule:
    """Return the rule that holds for the named objects and hides all others.

    names: logical names, with the class in front where it matters (``"1/0-0:42.0.0"``). Raises ConfigurationError.
    """
    wanted: set[tuple[int | None, Obis]] = set()
    for name in names:
        class_id, _, code = str(name).rpartition("/")
        if class_id and not class_id.isdigit():
            raise ConfigurationError(f"{name!r} is no object: a class number may stand before the slash")
        wanted.add((int(class_id) if class_id else None, Obis(code)))

    def limited(served: CosemObject) -> ObjectRights | None:
        listed = (None, served.instance_id) in wanted or (served.class_id, served.instance_id) in wanted
        return rule(served) if listed else None

    return limited


def first(*rules: AccessRule) -> AccessRule:
    """Return the rule that asks several in turn; the first that does not hide an object decides."""

    def combined(served: CosemObject) -> ObjectRights | None:
        return next((rights for rule in rules if (rights := rule(served)) is not None), None)

    return combined


def coded(rights: ObjectRights, version: int, what: object, *, signs: bool = False) -> ObjectRights:
    """Return rights as Association LN of that version shows them: these, or the same with more protection.

    signs: general-signing is set up. Raises ConfigurationError where the version has no code that covers the protection
    asked for, and where that is a signature that nobody makes.
    """
    asked = [one.requires for one in rights.attributes.values()] + [one.requires for one in rights.methods.values()]
    if all(requires is NO_REQUIREMENT for requires in asked):
        return rights  # plain access has the same code in all versions
    coding = access_coding(version)
    signed = any((requires.request | requires.response) & Protection.SIGNED for requires in asked)
    if signed and not signs:
        raise ConfigurationError(
            f"rights to {what} ask for digital signatures, and nothing says who signs: give the association parties"
        )
    try:
        return ObjectRights(
            {index: _attribute(access, coding) for index, access in rights.attributes.items()},
            {index: _method(access, coding) for index, access in rights.methods.items()},
        )
    except EncodeError as error:
        raise ConfigurationError(f"rights to {what}, Association LN version {version}: {error}") from None


def _attribute(access: AttributeAccess, coding: AccessCoding) -> AttributeAccess:
    return AttributeAccess.decode(access.encode(coding), coding)


def _method(access: MethodAccess, coding: AccessCoding) -> MethodAccess:
    return MethodAccess.decode(access.encode(coding), coding)
