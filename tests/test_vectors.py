"""The comparison by which everything else is judged, FORMAT.md rule 11."""

from __future__ import annotations

import copy
import functools
import hashlib
import operator
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import vectors
from tests.vectors import compare, each_record


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value that is compared and is neither dictionary nor list."""
    if isinstance(value, dict) and value.keys() != {"sha256", "octets"}:
        for key in value.keys() - {"facts", "note", "error"}:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path


def holds_digest(value: Any) -> bool:
    if isinstance(value, dict):
        return value.keys() == {"sha256", "octets"} or any(map(holds_digest, value.values()))
    return isinstance(value, list) and any(map(holds_digest, value))


@each_record(where=lambda each: each["kind"] not in ("quirk", "broken") and not holds_digest(each["expected"]))
def test_every_record_agrees_with_itself_and_with_no_single_change(record: vectors.Record) -> None:
    expected = record["expected"]
    have = copy.deepcopy(expected)
    assert compare(expected, have) == []
    paths = list(leaves(expected))
    for path in paths[:: 1 + len(paths) // 50]:
        holder = functools.reduce(operator.getitem, path[:-1], have)
        holder[path[-1]], kept = object(), holder[path[-1]]
        assert len(compare(expected, have)) == 1, path
        holder[path[-1]] = kept


@pytest.mark.parametrize(
    ("expected", "have"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "facts": [1], "note": "x"}, {"a": 1}),
        ({"a": 1, "facts": [1]}, {"a": 1, "facts": [2]}),
        ({"octets": "00", "error": "one wording"}, {"octets": "00", "error": "another"}),
        (["float64", 1.0], ["float64", 1.0000005]),
        (float("nan"), float("nan")),
        ({"a": {"sha256": hashlib.sha256(b"\x01\x02").hexdigest(), "octets": 2}}, {"a": "0102"}),
        (None, None),
    ],
)
def test_agreement(expected: Any, have: Any) -> None:
    assert compare(expected, have) == []


@pytest.mark.parametrize(
    ("expected", "have", "where"),
    [
        ({"a": 1}, {}, "a: missing"),
        ({"a": None}, {}, "a: missing"),
        ({"a": 1}, {"a": True}, "a: expected 1, have True"),
        ({"a": 1}, {"a": 1.0}, "a: expected 1, have 1.0"),
        (["float64", 1.0], ["float64", 1.000002], "[1]: expected 1.0, have 1.000002"),
        (["float64", 1.0], ["float64", 1], "[1]: expected 1.0, have 1"),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, "a: expected 2 items, have 3"),
        ({"a": {"b": [{"c": "x"}]}}, {"a": {"b": [{"c": "y"}]}}, "a.b[0].c: expected 'x', have 'y'"),
        ({"a": {"error": True}}, {"a": {}}, "a.error: expected a text, have None"),
        ({"a": {"error": True}}, {"a": {"error": ""}}, "a.error: expected a text, have ''"),
        ({"a": 1}, {"a": 1, "error": "unexpected"}, "error: expected none, have 'unexpected'"),
        ({"a": 1}, [1], "top: expected a dictionary, have [1]"),
        ([1], {"a": 1}, "top: expected a list, have {'a': 1}"),
        ({"sha256": "00", "octets": 1}, "zz", "top: expected hex text, have 'zz'"),
        ({"sha256": "00", "octets": 1}, "01", "top: expected 1 octets with SHA-256 00, have '01'"),
        ({"sha256": hashlib.sha256(b"1").hexdigest(), "octets": 2}, "31", "top: expected 2 octets with SHA-256 6b86b2"),
    ],
)
def test_difference(expected: Any, have: Any, where: str) -> None:
    (found,) = compare(expected, have)
    assert found.startswith(where)


def test_an_expected_failure_that_no_record_has_is_refused() -> None:
    vectors.records()
    with pytest.raises(pytest.UsageError, match="no-such-record"):
        each_record("apdu", expected_failures={"no-such-record": "a reason"})


def test_a_folder_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSEMIC_VECTORS", str(tmp_path))
    assert vectors.located("COSEMIC_VECTORS", "vectors") == tmp_path
    monkeypatch.setenv("COSEMIC_VECTORS", str(tmp_path / "nowhere"))
    with pytest.raises(pytest.UsageError, match="COSEMIC_VECTORS"):
        vectors.located("COSEMIC_VECTORS", "vectors")
