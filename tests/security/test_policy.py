"""Security policies and access rights: every coding, the union rule, the check."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import DecodeError, EncodeError, PolicyViolation
from cosemic.security import (
    AccessCoding,
    AttributeAccess,
    MethodAccess,
    Protection,
    Requirement,
    SecurityPolicy,
    access_coding,
    check_protection,
)

NONE, A, E, S = Protection.NONE, Protection.AUTHENTICATED, Protection.ENCRYPTED, Protection.SIGNED
PLAIN, AUTHENTICATED, BITS = AccessCoding.PLAIN, AccessCoding.AUTHENTICATED, AccessCoding.BIT_FIELD
BIT_MEANINGS = {
    0x04: Requirement(request=A),
    0x08: Requirement(request=E),
    0x10: Requirement(request=S),
    0x20: Requirement(response=A),
    0x40: Requirement(response=E),
    0x80: Requirement(response=S),
}


def test_policies_of_version_0_hold_in_both_directions() -> None:
    assert [SecurityPolicy(0, value).requires for value in range(4)] == [
        Requirement(each, each) for each in (NONE, A, E, A | E)
    ]


@pytest.mark.parametrize(("bit", "requires"), BIT_MEANINGS.items())
def test_each_bit_of_version_1_has_its_meaning(bit: int, requires: Requirement) -> None:
    assert SecurityPolicy(1, bit).requires == requires
    assert requires.bits == bit
    assert AttributeAccess.decode(bit | 3, BITS) == AttributeAccess(True, True, requires)
    assert MethodAccess.decode(bit | 1, BITS) == MethodAccess(True, requires)


@pytest.mark.parametrize(
    ("version", "value"), [(0, 4), (0, -1), (0, 0x0C), (1, 1), (1, 2), (1, 3), (1, 0x0D), (1, 256), (2, 0)]
)
def test_policies_that_a_version_does_not_have_are_refused(version: int, value: int) -> None:
    with pytest.raises(DecodeError):
        SecurityPolicy(version, value)


def test_policies_can_only_be_strengthened() -> None:
    may = {
        (old, new) for old in range(4) for new in range(4) if SecurityPolicy(0, old).may_become(SecurityPolicy(0, new))
    }
    assert may == {(old, new) for old in range(4) for new in range(4) if old & new == old}
    assert SecurityPolicy(1, 0x04).may_become(SecurityPolicy(1, 0x2C))
    assert not SecurityPolicy(1, 0x24).may_become(SecurityPolicy(1, 0x0C))
    assert not SecurityPolicy(0, 0).may_become(SecurityPolicy(1, 0xFC))


def test_coding_follows_from_class_and_version() -> None:
    assert [access_coding(version) for version in range(4)] == [PLAIN, AUTHENTICATED, AUTHENTICATED, BITS]
    assert [access_coding(version, short_names=True) for version in (2, 3, 4)] == [AUTHENTICATED, AUTHENTICATED, BITS]
    for version, short_names in ((4, False), (-1, False), (0, True), (1, True), (5, True)):
        with pytest.raises(DecodeError):
            access_coding(version, short_names=short_names)


def rights(mode: int, coding: AccessCoding) -> tuple[bool, bool, Protection]:
    access = AttributeAccess.decode(mode, coding)
    return access.readable, access.writable, access.requires.request


def test_one_number_means_different_things_in_different_versions() -> None:
    assert [rights(mode, PLAIN) for mode in range(4)] == [rights(mode, AUTHENTICATED) for mode in range(4)]
    assert [rights(mode, PLAIN)[:2] for mode in range(4)] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]
    assert [rights(mode, AUTHENTICATED) for mode in (4, 5, 6)] == [(True, False, A), (False, True, A), (True, True, A)]
    assert rights(5, BITS) == (True, False, A)
    assert rights(6, BITS) == (False, True, A)
    assert rights(4, BITS) == (False, False, A)
    assert MethodAccess.decode(2, AUTHENTICATED) == MethodAccess(True, Requirement(A, A))
    assert MethodAccess.decode(2, BITS) == MethodAccess(False)


@pytest.mark.parametrize(("coding", "modes"), [(PLAIN, range(4)), (AUTHENTICATED, range(7)), (BITS, range(256))])
def test_attribute_modes_are_read_or_refused_and_sent_again(coding: AccessCoding, modes: range) -> None:
    for mode in range(-1, 260):
        if mode in modes:
            assert AttributeAccess.decode(mode, coding).encode(coding) == mode
        else:
            with pytest.raises(DecodeError):
                AttributeAccess.decode(mode, coding)


@pytest.mark.parametrize(("coding", "modes"), [(PLAIN, range(2)), (AUTHENTICATED, range(3)), (BITS, range(256))])
def test_method_modes_are_read_or_refused_and_sent_again(coding: AccessCoding, modes: range) -> None:
    for mode in range(-1, 260):
        if mode in modes:
            assert MethodAccess.decode(mode, coding).encode(coding) == (mode if coding is not BITS else mode & 0xFD)
        else:
            with pytest.raises(DecodeError):
                MethodAccess.decode(mode, coding)


@given(st.integers(0, 255))
def test_no_coding_tells_of_less_protection_than_there_is(mode: int) -> None:
    meant = AttributeAccess.decode(mode, BITS)
    method = MethodAccess.decode(mode, BITS)
    for coding in (PLAIN, AUTHENTICATED):
        try:
            told = AttributeAccess.decode(meant.encode(coding), coding)
        except EncodeError:
            assert meant.requires != Requirement()
        else:
            assert (told.readable, told.writable) == (meant.readable, meant.writable)
            assert told.requires.covers(meant.requires) or not mode & 3
        try:
            told_method = MethodAccess.decode(method.encode(coding), coding)
        except EncodeError:
            assert method.requires != Requirement()
        else:
            assert told_method.accessible == method.accessible
            assert told_method.requires.covers(method.requires) or not mode & 1


protections = st.integers(0, 7).map(Protection)
requirements = st.builds(Requirement, protections, protections)


@given(requirements, requirements)
def test_union_asks_for_what_either_asks_for(one: Requirement, other: Requirement) -> None:
    both = one | other
    assert both.request == one.request | other.request
    assert both.response == one.response | other.response
    assert both.covers(one)
    assert both.covers(other)
    assert both.covers(Requirement())
    assert one.covers(other) == (both == one)


@given(protections, st.integers(0, 3))
def test_check_refuses_exactly_what_is_missing(required: Protection, applied: int) -> None:
    missing = int(required) & ~applied
    if not missing:
        check_protection(required, applied)
        return
    with pytest.raises(PolicyViolation) as caught:
        check_protection(required, applied, "the request")
    for each in (A, E, S):
        assert (str(each.name).lower() in str(caught.value)) == bool(missing & each)
