"""The recorded octets that tests are held against, and the comparison that goes with them.

Records are the ``*.json`` files of the vectors folder, in the form of its ``README.md``; what ``expected`` means, and
how it is compared (rule 11), is ``FORMAT.md`` beside them. The folder is named by ``COSEMIC_VECTORS``, otherwise it is
``../shared/vectors`` beside the repository; reference texts likewise: ``COSEMIC_REFERENCE``, ``../shared/reference``.
A folder that a variable names must be there; where a default is missing, the tests that need it are skipped and say so.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Record = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent
NEVER_COMPARED = frozenset({"facts", "note", "error"})


def located(variable: str, name: str) -> Path:
    """Return the folder that ``variable`` names, or ``../shared/name``; the latter need not exist."""
    named = os.environ.get(variable)
    if named is None:
        return REPOSITORY.parent / "shared" / name
    folder = Path(named)
    if not folder.is_dir():
        raise pytest.UsageError(f"{variable}={named} is no folder")
    return folder


VECTORS = located("COSEMIC_VECTORS", "vectors")
REFERENCE = located("COSEMIC_REFERENCE", "reference")


def absent() -> list[str]:
    """Return one line for each folder that is not there."""
    folders = {"COSEMIC_VECTORS": VECTORS, "COSEMIC_REFERENCE": REFERENCE}
    return [f"no folder {path} (name it in {name})" for name, path in folders.items() if not path.is_dir()]


def reference(name: str) -> Path:
    """Return a file of the reference folder; skips the test, or the whole module, when there is none."""
    if not REFERENCE.is_dir():
        pytest.skip(f"no reference texts: no folder {REFERENCE}", allow_module_level=True)
    return REFERENCE / name


@cache
def book() -> dict[str, Record]:
    """Return all records by id, in the order of files and lines; empty when there is no folder."""
    files = sorted(VECTORS.glob("*.json"))
    return {each["id"]: each for file in files for each in json.loads(file.read_text(encoding="utf-8"))}


def records(*kinds: str) -> list[Record]:
    """Return the records of these kinds (of all when none is given); skips when there are no vectors at all."""
    if not book():
        pytest.skip(f"no vectors: nothing in {VECTORS}", allow_module_level=True)
    return [each for each in book().values() if not kinds or each["kind"] in kinds]


def record(name: str) -> Record:
    """Return the record with this id; an id that no file has is a mistake of the test."""
    records()
    return book()[name]


def octets(of: Record) -> bytes:
    """Return what the record is about."""
    return bytes.fromhex(of["hex"])


def keys(of: Record) -> dict[str, bytes]:
    """Return the record's keys by name, as ``cosemic.decode`` takes them."""
    return {name: bytes.fromhex(value) for name, value in (of.get("keys") or {}).items()}


def each_record(
    *kinds: str,
    where: Callable[[Record], bool] = lambda _: True,
    expected_failures: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Parametrise a test over ``record``, one case a record, named by its id.

    ``where`` chooses among the records of ``kinds``; ``expected_failures`` maps ids to the reason why they cannot pass:
    such a record must fail, and an id in it that no record has is refused.
    """
    failing = dict(expected_failures or {})
    if not book():
        missing = pytest.param(None, id="no vectors", marks=pytest.mark.skip(f"no vectors: nothing in {VECTORS}"))
        return pytest.mark.parametrize("record", [missing])
    chosen = [each for each in records(*kinds) if where(each)]
    if unknown := failing.keys() - {each["id"] for each in chosen}:
        raise pytest.UsageError(f"expected failures that no record has: {', '.join(sorted(unknown))}")
    marks = {name: [pytest.mark.xfail(reason=reason, strict=True)] for name, reason in failing.items()}
    return pytest.mark.parametrize(
        "record", [pytest.param(each, id=each["id"], marks=marks.get(each["id"], [])) for each in chosen]
    )


def compare(expected: Any, have: Any) -> list[str]:
    """Return what ``have`` lacks of ``expected``, one line a difference, by FORMAT.md rule 11; none: they agree.

    Containment: keys that only ``have`` holds do no harm, save ``error``, which must stand exactly where ``expected``
    has it. Lists agree item by item. Types count: ``True`` is not 1, and 1 is not 1.0.
    """
    return list(differences(expected, have, ""))


def differences(expected: Any, have: Any, path: str) -> Iterator[str]:
    """Yield the differences below ``path``."""
    if isinstance(expected, dict):
        if expected.keys() == {"sha256", "octets"}:
            yield from digest_differences(expected, have, path)
        elif isinstance(have, dict):
            yield from mapping_differences(expected, have, path)
        else:
            yield difference(path, "a dictionary", have)
    elif isinstance(expected, list):
        if not isinstance(have, list):
            yield difference(path, "a list", have)
        elif len(expected) != len(have):
            yield f"{path or 'top'}: expected {len(expected)} items, have {len(have)}"
        else:
            for number, (one, other) in enumerate(zip(expected, have, strict=True)):
                yield from differences(one, other, f"{path}[{number}]")
    elif type(expected) is not type(have) or not same(expected, have):
        yield difference(path, repr(expected), have)


def mapping_differences(expected: Record, have: Record, path: str) -> Iterator[str]:
    """Yield the differences of two dictionaries: what is missing, what differs, ``error`` in one of them only."""
    for key in expected.keys() - NEVER_COMPARED:
        below = f"{path}.{key}" if path else key
        if key in have:
            yield from differences(expected[key], have[key], below)
        else:
            yield f"{below}: missing"
    error = f"{path}.error" if path else "error"
    if "error" in expected and not (isinstance(have.get("error"), str) and have["error"]):
        yield difference(error, "a text", have.get("error"))
    if "error" not in expected and "error" in have:
        yield difference(error, "none", have["error"])


def digest_differences(expected: Record, have: Any, path: str) -> Iterator[str]:
    """Yield a difference unless ``have`` is hex text of so many octets with that SHA-256."""
    try:
        content = bytes.fromhex(have)
    except (TypeError, ValueError):
        yield difference(path, "hex text", have)
        return
    if len(content) != expected["octets"] or hashlib.sha256(content).hexdigest() != expected["sha256"]:
        yield difference(path, f"{expected['octets']} octets with SHA-256 {expected['sha256']}", have)


def same(expected: Any, have: Any) -> bool:
    """Whether two values of one type agree; floats within 1e-6 relative, and a NaN with any other."""
    if isinstance(expected, float):
        return math.isclose(expected, have, rel_tol=1e-6) or (math.isnan(expected) and math.isnan(have))
    return bool(expected == have)


def difference(path: str, expected: str, have: Any) -> str:
    """Return one line, short enough to be read."""
    shown = repr(have)
    return f"{path or 'top'}: expected {expected[:200]}, have {shown if len(shown) <= 200 else shown[:197] + '...'}"
