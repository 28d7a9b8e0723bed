"""Every type of every declared class: what is written comes back as it was; what the type does not take is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosemic.codec import EncodedData
from cosemic.errors import DecodeError
from cosemic.model import InterfaceClass, interface_classes
from cosemic.model.types import CosemType, Reading
from tests.model.strategies import declared_types, illegal_typed_of, key, types_of, writings_of

pytestmark = pytest.mark.slow

each_class = pytest.mark.parametrize(
    "declared", interface_classes(), ids=lambda declared: f"{declared.class_id}v{declared.version}"
)
each_type = pytest.mark.parametrize("declared", declared_types().values(), ids=lambda one: key(one)[:60])


@each_type
@settings(max_examples=8)
@given(st.data())
def test_what_is_written_comes_back_as_it_was(declared: CosemType[Any], data: st.DataObject) -> None:
    value, read = data.draw(writings_of(declared))
    octets = EncodedData.from_typed(declared.encode(value)).octets
    reading = Reading()
    assert declared.decode(EncodedData(octets).typed(), reading) == read
    assert reading.deviations == []


@each_type
@settings(max_examples=8)
@given(st.data())
def test_what_a_type_does_not_take_is_refused_or_reported(declared: CosemType[Any], data: st.DataObject) -> None:
    illegal = illegal_typed_of(declared)
    if illegal.is_empty:
        assert declared.notation() in ("any", "structure of any")
        return
    typed = EncodedData.from_typed(data.draw(illegal)).typed()
    with pytest.raises(DecodeError):
        declared.decode(typed)
    reading = Reading()
    try:
        declared.decode(typed, reading)
    except DecodeError:
        return
    assert reading.deviations


@each_class
def test_every_type_of_a_class_is_among_those_tried(declared: type[InterfaceClass]) -> None:
    tried = declared_types()
    for what, one in types_of(declared).items():
        assert tried[key(one)].definition() == one.definition(), what
