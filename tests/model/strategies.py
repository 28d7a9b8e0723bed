"""Hypothesis strategies for declared types: what they take, how it reads when it comes back, and what they refuse.

``writings_of(type)`` draws pairs of a value to write and the value as it is read again. Both are the same but where the
type leaves the data type to the instance (``any``, a CHOICE): there a typed value ``(DataType, value)`` is written and
a native one read. ``values_of(type)`` draws the values to write only; ``illegal_typed_of(type)`` typed values that a
strict reading refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import EncodeError
from cosemic.model import InterfaceClass, interface_classes
from cosemic.model.association_sn import ShortName
from cosemic.model.compound import AnyType, ArrayOf, Choice, CompactArrayOf, Structure, StructureOf
from cosemic.model.enumerated import BitsOf, EnumOf
from cosemic.model.formats import Formatted
from cosemic.model.forms import StandsFor
from cosemic.model.types import Bits, Characters, CosemType, Number, Octets, Plain, Text
from cosemic.values import BitString
from tests.strategies import plain_data, plain_values, typed_data

Strategy = st.SearchStrategy[Any]
Sizes = tuple[tuple[int, int | None], ...]

_WIDE = tuple(kind for kind in DataType if kind not in (DataType.ARRAY, DataType.STRUCTURE, DataType.COMPACT_ARRAY))


def types_of(declared: type[InterfaceClass]) -> dict[str, CosemType[Any]]:
    """Every type of a class by what it is the type of: ``value``, ``reset()``, ``capture -> ``, ``buffer[1]``."""
    found = {one.name: one.type for one in declared.attributes.values()}
    for one in declared.attributes.values():
        found |= {f"{one.name}[{selector.number}]": selector.parameters for selector in one.selectors}
    for each in declared.methods.values():
        found[f"{each.name}()"] = each.parameter
        if each.returns is not None:
            found[f"{each.name}() ->"] = each.returns
    return found


def key(declared: CosemType[Any]) -> str:
    """What tells a type from others: its notation, and its Python class."""
    kind = declared.declared if isinstance(declared, StandsFor) else declared
    return f"{declared.notation()} {kind.__name__ if isinstance(kind, type) else type(kind).__name__}"


def declared_types() -> dict[str, CosemType[Any]]:
    """Each type of all classes once, by its key."""
    return {key(one): one for declared in interface_classes() for one in types_of(declared).values()}


# ---- what a type takes -----------------------------------------------------------------------------------------------


def values_of(declared: CosemType[Any]) -> Strategy:
    """Values that ``declared`` writes."""
    return writings_of(declared).map(lambda pair: pair[0])


@cache
def writings_of(declared: CosemType[Any]) -> Strategy:
    """Pairs: a value that ``declared`` writes, and the one it reads when that comes back."""
    if isinstance(declared, type) and issubclass(declared, Structure):
        return _brief(declared, _structures(declared))
    for kind, make in _WRITINGS.items():
        if isinstance(declared, kind):
            return make(declared)
    raise TypeError(f"no strategy for {declared!r}")


def _brief(declared: CosemType[Any], strategy: Strategy) -> Strategy:
    """The same strategy, with a repr that names the type and not all that it is made of."""
    return strategy if strategy.is_empty else st.just(declared).flatmap(lambda _: strategy)


def _same(values: Strategy) -> Strategy:
    return values.map(lambda value: (value, value))


def _unzipped(pairs: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return tuple(written for written, _ in pairs), tuple(read for _, read in pairs)


def _sized(sizes: Sizes, make: Callable[[int, int | None], Strategy]) -> Strategy:
    return st.one_of([make(low, high) for low, high in sizes or ((0, None),)])


def _few(low: int, high: int | None) -> dict[str, int]:
    return {"min_size": low, "max_size": low + 3 if high is None else min(high, low + 3)}


def _text(declared: Text) -> Strategy:
    characters = st.characters(max_codepoint=127 if declared.tag is DataType.VISIBLE_STRING else 0xD7FF)
    kinds: dict[type[Text], Callable[[int, int | None], Strategy]] = {
        Octets: lambda low, high: st.binary(min_size=low, max_size=20 if high is None else high),
        Characters: lambda low, high: st.text(characters, min_size=low, max_size=20 if high is None else high),
        Bits: lambda low, high: st.text("01", min_size=low, max_size=20 if high is None else high).map(BitString),
    }
    return _sized(declared.sizes, next(make for kind, make in kinds.items() if isinstance(declared, kind)))


def _enumerated(declared: EnumOf[Any]) -> Strategy:
    shared = [number for span in declared.ranges.values() for number in span]
    return st.sampled_from([*declared.listed.values(), *shared])


def _formatted(declared: Formatted[Any]) -> Strategy:
    carried = values_of(declared.carrier)
    return carried.map(lambda value: value if isinstance(value, declared.python) else declared.to_python(value))


def _array(declared: ArrayOf[Any]) -> Strategy:
    element = writings_of(declared.element)
    return _sized(declared.sizes, lambda low, high: st.lists(element, **_few(low, high)).map(_unzipped))


def _compact_array(declared: CompactArrayOf[Any]) -> Strategy:
    # All elements have one description: where the type does not fix it, one element comes several times.
    kinds = st.sampled_from([kind for kind in _WIDE if kind not in (DataType.NULL_DATA, DataType.DONT_CARE)])
    one = kinds.flatmap(lambda kind: st.tuples(st.just(kind), plain_values(kind)))
    if isinstance(declared.element, AnyType):
        element = one.filter(_repeats).map(lambda typed: (typed, _native(typed)))
    elif isinstance(declared.element, StructureOf):
        element = st.lists(one.filter(_repeats), min_size=1, max_size=3).map(
            lambda row: (tuple(row), tuple(map(_native, row)))
        )
    else:
        element = writings_of(declared.element)
    return st.tuples(element, st.integers(1, 3)).map(lambda drawn: _unzipped([drawn[0]] * drawn[1]))


def _native(typed: Typed) -> Any:
    return EncodedData.from_typed(typed).value()


def _repeats(typed: Typed) -> bool:
    """Whether the value can be compared: a NaN is no other NaN."""
    return bool(_native(typed) == _native(typed))


def _any(declared: AnyType) -> Strategy:
    return typed_data().filter(_repeats).map(lambda typed: (typed, _native(typed)))


def _choice(declared: Choice[Any]) -> Strategy:
    def offered(one: CosemType[Any]) -> Strategy:
        return writings_of(one).flatmap(
            lambda pair: st.sampled_from(
                [(one.encode(pair[0]), pair[1])] + ([pair] if _takers(declared, pair[0]) == 1 else [])
            )
        )

    return _brief(declared, st.one_of([offered(one) for one in declared.alternatives]))


def _takers(declared: Choice[Any], value: Any) -> int:
    """How many alternatives write a value."""
    takers = 0
    for one in declared.alternatives:
        try:
            one.encode(value)
        except EncodeError:
            continue
        takers += 1
    return takers


def _structures(declared: type[Structure]) -> Strategy:
    fields = declared.fields_declared
    optional = sum(item.optional for item in fields)

    def of(absent: int) -> Strategy:
        present = st.tuples(*(writings_of(item.type) for item in fields[: len(fields) - absent]))
        return present.map(_unzipped).map(
            lambda pair: (declared(*pair[0], *[None] * absent), declared(*pair[1], *[None] * absent))
        )

    return st.integers(0, optional).flatmap(of)


_WRITINGS: dict[type[Any], Callable[[Any], Strategy]] = {
    Number: lambda one: _same(st.integers(one.low, one.high)),
    Text: lambda one: _same(_text(one)),
    Plain: lambda one: _same(plain_values(one.tag).filter(lambda value: value == value)),
    Formatted: lambda one: _same(_formatted(one)),
    EnumOf: lambda one: _same(_enumerated(one)),
    BitsOf: lambda one: _same(st.integers(0, one.known).map(lambda bits: one.flags(bits & one.known))),
    ArrayOf: _array,
    CompactArrayOf: _compact_array,
    StructureOf: lambda one: st.lists(_any(AnyType()), max_size=3).map(_unzipped),
    AnyType: _any,
    Choice: _choice,
    StandsFor: lambda one: writings_of(one.declared),
}


# ---- what a type refuses ---------------------------------------------------------------------------------------------


@cache
def illegal_typed_of(declared: CosemType[Any]) -> Strategy:
    """Typed values that ``declared`` does not take: of another type, or of its type with contents beyond it.

    Empty (``is_empty``) for ``any``, which takes everything.
    """
    tags = declared.tags()
    others = [kind for kind in _WIDE if kind not in tags]
    wrong = [plain_data().filter(lambda typed: typed[0] not in tags)] if others else []
    wrong += [st.just((kind, ())) for kind in (DataType.ARRAY, DataType.STRUCTURE) if kind not in tags]
    return _brief(declared, st.one_of(wrong + _illegal_contents(declared)))


def _illegal_contents(declared: CosemType[Any]) -> list[Strategy]:
    """Values with a tag of the type."""
    if isinstance(declared, type) and issubclass(declared, Structure):
        return _illegal_structures(declared)
    for kind, make in _ILLEGAL.items():
        if isinstance(declared, kind):
            return make(declared)
    return []


def _tagged(tag: DataType, values: Strategy) -> Strategy:
    return st.tuples(st.just(tag), values)


def _beyond(declared: Number) -> list[Strategy]:
    every = Number(declared.tag)
    below = [st.integers(every.low, declared.low - 1)] if declared.low > every.low else []
    above = [st.integers(declared.high + 1, every.high)] if declared.high < every.high else []
    return [_tagged(declared.tag, numbers) for numbers in below + above]


def _misfits(sizes: Sizes) -> list[int]:
    """A size below and above each span, so far as no other span has it."""
    candidates = {low - 1 for low, _ in sizes} | {high + 1 for _, high in sizes if high is not None}
    return [
        size
        for size in sorted(candidates)
        if size >= 0 and not any(low <= size and (high is None or size <= high) for low, high in sizes)
    ]


def _illegal_text(declared: Text) -> list[Strategy]:
    unit: Any = {Octets: b"\x00", Characters: "x", Bits: "1"}[
        next(kind for kind in (Octets, Characters, Bits) if isinstance(declared, kind))
    ]
    texts = [unit * size for size in _misfits(declared.sizes)]
    return [st.just((declared.tag, BitString(one) if isinstance(declared, Bits) else one)) for one in texts]


def _illegal_array(declared: ArrayOf[Any]) -> list[Strategy]:
    element = values_of(declared.element).map(declared.element.encode)
    wrong = [_tagged(DataType.ARRAY, st.tuples(*[element] * size)) for size in _misfits(declared.sizes) if size <= 100]
    illegal = illegal_typed_of(declared.element)
    if not illegal.is_empty and not (declared.sizes and 1 in _misfits(declared.sizes)):
        wrong.append(_tagged(DataType.ARRAY, st.tuples(illegal)))
        wrong.append(_tagged(DataType.ARRAY, st.tuples(element, illegal)))
    return wrong


def _illegal_structures(declared: type[Structure]) -> list[Strategy]:
    legal = [values_of(item.type).map(item.type.encode) for item in declared.fields_declared]
    required = [item for item in declared.fields_declared if not item.optional]
    shapes = [st.tuples(*legal[: len(required) - 1]), st.tuples(*legal, st.just((DataType.NULL_DATA, None)))]
    for at, item in enumerate(declared.fields_declared):
        illegal = illegal_typed_of(item.type)
        if not illegal.is_empty:
            shapes.append(st.tuples(*legal[:at], illegal, *legal[at + 1 :]))
    return [_tagged(DataType.STRUCTURE, elements) for elements in shapes]


def _illegal_choice(declared: Choice[Any]) -> list[Strategy]:
    """Contents beyond an alternative that shares its tags with no other."""
    wrong = []
    for one in declared.alternatives:
        others = [other.tags() for other in declared.alternatives if other is not one]
        if not any(one.tags() & tags for tags in others):
            wrong += _illegal_contents(one)
    return wrong


_ILLEGAL: dict[type[Any], Callable[[Any], list[Strategy]]] = {
    ShortName: lambda one: [],
    Number: _beyond,
    Text: _illegal_text,
    Formatted: lambda one: _illegal_contents(one.carrier),
    EnumOf: lambda one: [_tagged(DataType.ENUM, st.integers(0, 255).filter(lambda number: number not in _listed(one)))],
    BitsOf: lambda one: _illegal_contents(one.carrier) + _reserved_bits(one),
    ArrayOf: _illegal_array,
    Choice: _illegal_choice,
    StandsFor: lambda one: _illegal_contents(one.declared),
}


def _listed(declared: EnumOf[Any]) -> set[int]:
    return {*declared.listed, *(number for span in declared.ranges.values() for number in span)}


def _reserved_bits(declared: BitsOf[Any]) -> list[Strategy]:
    if not isinstance(declared.carrier, Number) or declared.known == declared.carrier.high:
        return []
    numbers = st.integers(0, declared.carrier.high).filter(lambda number: bool(number & ~declared.known))
    return [_tagged(declared.carrier.tag, numbers)]
