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
from typing import Any, Final

from cosemic.errors import ConfigurationError
from cosemic.model import AttributeReference, InterfaceClass, MethodReference, interface_class
from cosemic.values import Obis

_TARGET: Final = re.compile(
    r"(?P<class>\d+)/(?P<obis>[^@/]+?)(?:@(?P<version>\d+))?(?::(?P<member>-?\d+|[A-Za-z_]\w*))?"
)


def subject(target: str | Obis) -> tuple[Obis, int]:
    """Return object and attribute of a target without class."""
    return (target if isinstance(target, Obis) else Obis(target)), 2


def _parse(target: str) -> tuple[int, Obis, type[InterfaceClass] | None, str]:
    match = _TARGET.fullmatch(target.strip())
    if match is None:
        raise ConfigurationError(f"{target!r} names no attribute or method: CLASS/OBIS:NUMBER, as in 3/1-0:1.8.0*255:2")
    class_id = int(match["class"])
    text, member = match["obis"], match["member"]
    if member is not None and member.isdigit() and "." not in text:
        # 3/1-0:2 would be a code without groups C and D; there is no such object.
        raise ConfigurationError(f"{target!r}: {text!r} is no OBIS code")
    version = int(match["version"]) if match["version"] else None
    return class_id, Obis(text), interface_class(class_id, version), member or "2"


def attribute_target(target: str | Obis) -> AttributeReference[Any]:
    """Return the attribute that a target with class names; raises ConfigurationError."""
    if isinstance(target, Obis) or "/" not in target:
        raise ConfigurationError(f"{target} needs its class in front: 3/{target}")
    class_id, obis, known, member = _parse(target)
    if not member.lstrip("-").isdigit():
        if known is None:
            raise ConfigurationError(f"class {class_id} is not declared: name the attribute by its number")
        declared = known.attribute_named(member)
        return AttributeReference(class_id, obis, declared.index, declared)
    number = int(member)
    declared_here = known.attributes.get(number) if known else None
    if declared_here is not None:
        return AttributeReference(class_id, obis, number, declared_here)
    return AttributeReference.of(class_id, obis, number)


def method_target(target: str) -> MethodReference[Any, Any]:
    """Return the method that a target with class names; raises ConfigurationError."""
    class_id, obis, known, member = _parse(target)
    if known is None:
        raise ConfigurationError(f"class {class_id} is not declared: it has no methods that can be called by name")
    if member.isdigit():
        declared = known.methods.get(int(member))
        if declared is None:
            raise ConfigurationError(
                f"{known.class_name} has no method {member}: "
                f"{', '.join(f'{index} {one.name}' for index, one in known.methods.items()) or 'none'}"
            )
    else:
        declared = known.method_named(member)
    return MethodReference(class_id, obis, declared.index, declared)
