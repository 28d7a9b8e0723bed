"""How users name attributes and methods.

::

    1-0:1.8.0            attribute 2 of that object; its class is looked up in the association view
    3/1-0:1.8.0*255      class and object: attribute 2
    3/1-0:1.8.0*255:3    attribute 3 (or method 3)
    3/1-0:1.8.0*255:scaler_unit      by the name of the standard
    15/0-0:40.0.0*255@1:object_list  version 1 of the class (the newest where it is left out)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model import AttributeReference, InterfaceClass, MethodReference, interface_class, versions
from cosemic.values import Obis

_TARGET: Final = re.compile(
    r"(?P<class>\d{1,5})/(?P<obis>[^@/]+?)(?:@(?P<version>\d{1,3}))?(?::(?P<member>-?\d{1,3}|[A-Za-z_]\w*))?"
)
_USUAL: Final = "2"
"""The attribute that is meant where none is named: value, time, buffer."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a target names; None where it leaves it open. member: number or name of an attribute or method."""

    class_id: int | None
    instance_id: Obis
    version: int | None = None
    member: str | None = None

    def of(self, member: str) -> Named:
        """Return an attribute or method of the object."""
        return replace(self, member=member)

    def __str__(self) -> str:
        prefix = "" if self.class_id is None else f"{self.class_id}/"
        return f"{prefix}{self.instance_id}{'' if self.version is None else f'@{self.version}'}"

    def differs(self) -> bool:
        """Whether the versions of the class declare the member differently, so that the version is to be known."""
        assert self.class_id is not None
        member = self.member or _USUAL
        found = [_member(interface_class(self.class_id, version), member) for version in versions(self.class_id)]
        return len(set(found)) > 1

    def attribute_of(self, class_id: int, declared: type[InterfaceClass] | None) -> AttributeReference[Any]:
        """Return the attribute of this name; raises ConfigurationError."""
        member = self.member or _USUAL
        if not member.lstrip("-").isdigit():
            if declared is None:
                raise ConfigurationError(f"class {class_id} is not declared: name the attribute by its number")
            one = declared.attribute_named(member)
            return AttributeReference(class_id, self.instance_id, one.index, one)
        known = declared.attributes.get(int(member)) if declared else None
        if known is not None:
            return AttributeReference(class_id, self.instance_id, known.index, known)
        return AttributeReference.of(class_id, self.instance_id, int(member))

    def method_of(self, class_id: int, declared: type[InterfaceClass] | None) -> MethodReference[Any, Any]:
        """Return the method of this name; raises ConfigurationError."""
        member = self.member
        if member is None:
            raise ConfigurationError(
                f"name the method of {self.instance_id}: CLASS/OBIS:METHOD, as in 3/1-0:1.8.0:reset"
            )
        if declared is None:
            raise ConfigurationError(f"class {class_id} is not declared: it has no methods that can be called by name")
        if member.isdigit():
            one = declared.methods.get(int(member))
            if one is None:
                raise ConfigurationError(
                    f"{declared.class_name} has no method {member}: "
                    f"{', '.join(f'{index} {one.name}' for index, one in declared.methods.items()) or 'none'}"
                )
        else:
            one = declared.method_named(member)
        return MethodReference(class_id, self.instance_id, one.index, one)


def _member(declared: type[InterfaceClass] | None, member: str) -> tuple[tuple[int, str], ...]:
    """Index and type of the attribute, and of the method, that a number or name means in one version of a class."""
    attributes = declared.attributes.values() if declared else ()
    methods = declared.methods.values() if declared else ()
    return (
        *((one.index, one.type.definition()) for one in attributes if member in (str(one.index), one.name)),
        *((one.index, one.parameter.definition()) for one in methods if member in (str(one.index), one.name)),
    )


def parse(target: str | Obis) -> Named:
    """Read a target; raises ConfigurationError."""
    if not isinstance(target, str | Obis):
        raise ConfigurationError(f"{target!r} names no object: an OBIS code, or CLASS/OBIS:NUMBER, is a text")
    if isinstance(target, Obis) or "/" not in target:
        try:
            return Named(None, target if isinstance(target, Obis) else Obis(target))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{error}; with an attribute or method: 3/1-0:1.8.0:2, 3/1-0:1.8.0:value"
            ) from None
    match = _TARGET.fullmatch(target.strip())
    if match is None:
        raise ConfigurationError(f"{target!r} names no attribute or method: CLASS/OBIS:NUMBER, as in 3/1-0:1.8.0*255:2")
    text, member = match["obis"], match["member"]
    if member is not None and member.isdigit() and "." not in text:
        # 3/1-0:2 would be a code without groups C and D; there is no such object.
        raise ConfigurationError(f"{target!r}: {text!r} is no OBIS code")
    version = int(match["version"]) if match["version"] else None
    return Named(int(match["class"]), Obis(text), version, member)
