"""COSEM interface classes as declarations (IEC 62056-6-2, 4.4 and 5; short names: IEC 62056-5-3).

A class is declared once, and that is all there is to say about it::

    class Register(InterfaceClass, class_id=3, version=0, name="Register"):
        value = attribute(2, RegisterValue, dynamic)
        scaler_unit = attribute(3, ScalerUnit, static)

        reset = method(1, ControlZero, sn_offset=0x28)

``Register.value`` is the declaration; ``Register("1-0:1.8.0").value`` refers to that attribute of one object, and is
what a service asks for. Declaring enters the class in the registry: :func:`interface_class`, :func:`versions`. A base
class without ``class_id`` holds what several versions share. A name that is taken already bears an underscore:
``version_ = attribute(8, ...)`` is the attribute ``version``.

Short names: attribute n stands at base_name + 8 (n - 1), a method at base_name + its own offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, TypeVar, overload

from cosemic.codec import Typed
from cosemic.errors import ConfigurationError, DecodeError, EncodeError
from cosemic.model.compound import Unverified
from cosemic.model.formats import LogicalName
from cosemic.model.forms import AlsoSeen, SeenAlso
from cosemic.model.types import STRICT, CosemType, Number, Reading, T
from cosemic.values import Obis

P = TypeVar("P")
R = TypeVar("R")


class Storage(Enum):
    """How an attribute gets its value."""

    STATIC = "static"
    """Set by configuration."""
    DYNAMIC = "dynamic"
    """Updated by the meter."""
    STATIC_OR_DYNAMIC = "static_or_dynamic"
    """Either, by instance."""


static: Final = Storage.STATIC
dynamic: Final = Storage.DYNAMIC
static_or_dynamic: Final = Storage.STATIC_OR_DYNAMIC


@dataclass(frozen=True, slots=True)
class Selector(Generic[P]):
    """A way of selective access to an attribute: its number, name, and the type of the access parameters."""

    number: int
    name: str
    parameters: CosemType[P]

    def select(self, parameters: P) -> AccessSelection:
        """Return the selection with these parameters; raises EncodeError."""
        return AccessSelection(self.number, self.parameters.encode(parameters))


@dataclass(frozen=True, slots=True)
class AccessSelection:
    """The access_selection of a request: number of the selector and typed parameters."""

    selector: int
    parameters: Typed


class Attribute(Generic[T]):
    """The declaration of an attribute.

    index, name: of the standard. type: of its value. storage: see :class:`Storage`. default: value of the standard.
    selectors: selective access. seen_also: other forms met in the field.
    """

    name: str = ""

    def __init__(
        self,
        index: int,
        declared: CosemType[T],
        storage: Storage,
        *,
        default: T | None = None,
        selectors: tuple[Selector[Any], ...] = (),
        seen_also: tuple[SeenAlso[T], ...] = (),
    ) -> None:
        self.index = index
        self.type: CosemType[T] = AlsoSeen(declared, *seen_also) if seen_also else declared
        self.storage = storage
        self.default = default
        self.selectors = selectors
        self.seen_also = seen_also

    @property
    def sn_offset(self) -> int:
        """What is added to the base_name of the object."""
        return 8 * (self.index - 1)

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value as Python object; raises DecodeError."""
        return self.type.decode(typed, reading)

    def selector(self, which: int | str) -> Selector[Any]:
        """Return a way of selective access by number or name; raises ConfigurationError where there is none."""
        for one in self.selectors:
            if which in (one.number, one.name):
                return one
        raise ConfigurationError(f"attribute {self.index} ({self.name}) has no selective access {which!r}")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")

    @overload
    def __get__(self, instance: None, owner: type) -> Attribute[T]: ...
    @overload
    def __get__(self, instance: InterfaceClass, owner: type) -> AttributeReference[T]: ...
    def __get__(self, instance: InterfaceClass | None, owner: type) -> Attribute[T] | AttributeReference[T]:
        if instance is None:
            return self
        return AttributeReference(instance.class_id, instance.instance_id, self.index, self)

    def __repr__(self) -> str:
        return f"<attribute {self.index} {self.name}: {self.type.notation()}>"


class Method(Generic[P, R]):
    """The declaration of a method: index and name of the standard, types of parameter and answer (None: no data).

    seen_also: other forms of the parameter met in the field.
    """

    name: str = ""

    def __init__(
        self,
        index: int,
        parameter: CosemType[P],
        returns: CosemType[R] | None,
        sn_offset: int,
        seen_also: tuple[SeenAlso[P], ...] = (),
    ) -> None:
        self.index = index
        self.parameter: CosemType[P] = AlsoSeen(parameter, *seen_also) if seen_also else parameter
        self.returns = returns
        self.sn_offset = sn_offset
        self.seen_also = seen_also

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.rstrip("_")

    @overload
    def __get__(self, instance: None, owner: type) -> Method[P, R]: ...
    @overload
    def __get__(self, instance: InterfaceClass, owner: type) -> MethodReference[P, R]: ...
    def __get__(self, instance: InterfaceClass | None, owner: type) -> Method[P, R] | MethodReference[P, R]:
        if instance is None:
            return self
        return MethodReference(instance.class_id, instance.instance_id, self.index, self)

    def __repr__(self) -> str:
        return f"<method {self.index} {self.name}({self.parameter.notation()})>"


def attribute(
    index: int,
    declared: CosemType[T],
    storage: Storage,
    *,
    default: T | None = None,
    selectors: tuple[Selector[Any], ...] = (),
    seen_also: tuple[SeenAlso[T], ...] = (),
) -> Attribute[T]:
    """Declare an attribute; see :class:`Attribute`."""
    return Attribute(index, declared, storage, default=default, selectors=selectors, seen_also=seen_also)


@overload
def method(
    index: int, parameter: CosemType[P], *, sn_offset: int, seen_also: tuple[SeenAlso[P], ...] = ()
) -> Method[P, None]: ...
@overload
def method(
    index: int,
    parameter: CosemType[P],
    *,
    sn_offset: int,
    returns: CosemType[R],
    seen_also: tuple[SeenAlso[P], ...] = (),
) -> Method[P, R]: ...
def method(
    index: int,
    parameter: CosemType[Any],
    *,
    sn_offset: int,
    returns: CosemType[Any] | None = None,
    seen_also: tuple[SeenAlso[Any], ...] = (),
) -> Method[Any, Any]:
    """Declare a method; see :class:`Method`."""
    return Method(index, parameter, returns, sn_offset, seen_also)


@dataclass(frozen=True, slots=True)
class AttributeReference(Generic[T]):
    """One attribute of one object: what GET, SET and ACCESS ask for (cosem-attribute-descriptor).

    class_id, instance_id, attribute_id are those of the descriptor; ``attribute`` is the declaration.
    """

    class_id: int
    instance_id: Obis
    attribute_id: int
    attribute: Attribute[T]

    @classmethod
    def of(cls, class_id: int, instance_id: Obis, attribute_id: int) -> AttributeReference[Any]:
        """Refer to any attribute, declared or not (negative numbers are the manufacturer's).

        The newest version of the class declares its type; where it does not, values are native.
        """
        known = interface_class(class_id)
        declared = known.attributes.get(attribute_id) if known else None
        if declared is None:
            declared = Attribute(attribute_id, Unverified, static_or_dynamic)
            declared.name = f"attribute {attribute_id}"
        return AttributeReference(class_id, instance_id, attribute_id, declared)

    def decode(self, typed: Typed, reading: Reading = STRICT) -> T:
        """Return the value as Python object; raises DecodeError with the name of the attribute as path."""
        seen = len(reading.deviations)
        try:
            value = self.attribute.decode(typed, reading)
        except DecodeError as error:
            raise error.within(self.attribute.name) from None
        reading.prefix(seen, self.attribute.name)
        return value

    def encode(self, value: T) -> Typed:
        """Return the typed value to send; raises EncodeError that names the attribute."""
        try:
            return self.attribute.type.encode(value)
        except EncodeError as error:
            raise EncodeError(f"{self}: {error}") from None

    def select(self, which: int | str, parameters: Any) -> AccessSelection:
        """Return a selective access: number or name of the selector, and a value of its type.

        Raises ConfigurationError for a selector the attribute does not have, EncodeError for wrong parameters.
        """
        return self.attribute.selector(which).select(parameters)

    def __str__(self) -> str:
        return _describe(self.class_id, self.instance_id, "attribute", self.attribute_id, self.attribute.name)


@dataclass(frozen=True, slots=True)
class MethodReference(Generic[P, R]):
    """One method of one object: what ACTION and ACCESS ask for (cosem-method-descriptor)."""

    class_id: int
    instance_id: Obis
    method_id: int
    method: Method[P, R]

    def encode(self, parameter: P | None = None) -> Typed:
        """Return the typed parameter; a constant one, as in ``reset``, may be left out. Raises EncodeError."""
        declared: CosemType[Any] = self.method.parameter
        value: Any = parameter
        if parameter is None and isinstance(declared, Number) and declared.low == declared.high:
            value = declared.low
        try:
            return declared.encode(value)
        except EncodeError as error:
            raise EncodeError(f"{self}: {error}") from None

    def decode(self, typed: Typed, reading: Reading = STRICT) -> R:
        """Return the answer as Python object; raises DecodeError, also where the method gives none."""
        if self.method.returns is None:
            raise DecodeError("no data", path=self.method.name)
        try:
            return self.method.returns.decode(typed, reading)
        except DecodeError as error:
            raise error.within(self.method.name) from None

    def __str__(self) -> str:
        return _describe(self.class_id, self.instance_id, "method", self.method_id, self.method.name)


def _describe(class_id: int, instance_id: Obis, what: str, number: int, name: str) -> str:
    known = interface_class(class_id)
    title = f"{known.class_name} " if known else f"class {class_id} "
    return f"{title}{instance_id} {what} {number}{f' ({name})' if name and name != f'{what} {number}' else ''}"


_REGISTRY: Final[dict[tuple[int, int], type[InterfaceClass]]] = {}


class InterfaceClass:
    """Base of all interface classes; an object of one is a reference to a COSEM object: ``Register("1-0:1.8.0")``.

    class_id, version, class_name: of the standard. attributes, methods: declarations by index.
    """

    class_id: ClassVar[int]
    version: ClassVar[int]
    class_name: ClassVar[str]
    attributes: ClassVar[Mapping[int, Attribute[Any]]] = MappingProxyType({})
    methods: ClassVar[Mapping[int, Method[Any, Any]]] = MappingProxyType({})

    logical_name = attribute(1, LogicalName, static)

    def __init__(self, instance_id: Obis | str) -> None:
        self.instance_id = instance_id if isinstance(instance_id, Obis) else Obis(instance_id)

    def __init_subclass__(cls, class_id: int | None = None, version: int = 0, name: str = "") -> None:
        members: list[Any] = [member for base in reversed(cls.__mro__) for member in vars(base).values()]
        attributes = {member.index: member for member in members if isinstance(member, Attribute)}
        methods = {member.index: member for member in members if isinstance(member, Method)}
        cls.attributes = MappingProxyType(dict(sorted(attributes.items())))
        cls.methods = MappingProxyType(dict(sorted(methods.items())))
        if class_id is None:
            return
        if (class_id, version) in _REGISTRY:
            raise TypeError(f"class {class_id} version {version} is declared twice")
        cls.class_id, cls.version, cls.class_name = class_id, version, name
        _REGISTRY[class_id, version] = cls

    @classmethod
    def attribute_named(cls, name: str) -> Attribute[Any]:
        """Return the declaration of an attribute by its name; raises ConfigurationError."""
        for one in cls.attributes.values():
            if one.name == name:
                return one
        raise ConfigurationError(
            f"{cls.class_name} version {cls.version} has no attribute {name!r}: "
            f"{', '.join(one.name for one in cls.attributes.values())}"
        )

    @classmethod
    def method_named(cls, name: str) -> Method[Any, Any]:
        """Return the declaration of a method by its name; raises ConfigurationError."""
        for one in cls.methods.values():
            if one.name == name:
                return one
        raise ConfigurationError(
            f"{cls.class_name} version {cls.version} has no method {name!r}: "
            f"{', '.join(one.name for one in cls.methods.values()) or 'none'}"
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, InterfaceClass):
            return type(self) is type(other) and self.instance_id == other.instance_id
        return NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), self.instance_id))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.instance_id)!r})"


def interface_class(class_id: int, version: int | None = None) -> type[InterfaceClass] | None:
    """Return the declaration of a class; without ``version`` the newest. None where it is not declared."""
    if version is None:
        known = versions(class_id)
        return _REGISTRY[class_id, known[0]] if known else None
    return _REGISTRY.get((class_id, version))


def versions(class_id: int) -> tuple[int, ...]:
    """Versions of a class that are declared, newest first."""
    return tuple(sorted((version for known, version in _REGISTRY if known == class_id), reverse=True))


def interface_classes() -> tuple[type[InterfaceClass], ...]:
    """Every declared class and version, by class_id, newest version first."""
    return tuple(_REGISTRY[key] for key in sorted(_REGISTRY, key=lambda key: (key[0], -key[1])))
