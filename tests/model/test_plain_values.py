"""Values as they are typed in: what looks like a number may be octets or bits, as its type says."""

from __future__ import annotations

import pytest

from cosemic.errors import ConfigurationError
from cosemic.model import Register
from cosemic.model.plain_values import parsed, typed_of, value_of
from cosemic.values import BitString, Date


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("octet-string", "123456", bytes.fromhex("123456")),
        ("octet-string", "12e456", bytes.fromhex("12e456")),
        ("octet-string", " 1e400000 ", bytes.fromhex("1e400000")),
        ("bit-string", "10110", BitString("10110")),
        ("date", "1008010101", Date(bytes.fromhex("1008010101"))),
        ("double-long-unsigned", "123456", 123456),
        ("float64", "12e2", 1200.0),
        ("boolean", "true", True),
    ],
)
def test_a_number_is_taken_as_its_type_says(label: str, text: str, value: object) -> None:
    assert typed_of(label, parsed(text))[1] == value


@pytest.mark.parametrize(("text", "told"), [("12e", "'12e'"), ("123", "123"), ("12e45", "12e45")])
def test_what_is_no_octets_is_told_as_it_was_written(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{told} is no octet-string: write it in hexadecimal"):
        typed_of("octet-string", parsed(text))


def test_among_several_types_a_number_is_never_octets() -> None:
    with pytest.raises(ConfigurationError, match="1234 may be double-long,") as caught:
        value_of(Register("1-0:1.8.0").value.attribute.type, parsed("1234"))
    assert "octet-string" not in str(caught.value)
