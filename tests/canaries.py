"""Secrets that are looked for wherever they must not be: in whatever form, and in part."""

from __future__ import annotations

import base64
import gc
import re
import secrets
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cosemic

PART: Final = 8
"""Octets of a secret that are enough: its first ones, and its last ones."""
SOURCES: Final = str(Path(cosemic.__file__).parent)
_SEPARATORS: Final = re.compile(rb"0x|\\x|[\s:;,._|'\"\-]+")


class Canaries:
    """Random secrets, by what they are."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self._needles: dict[str, tuple[set[bytes], set[bytes]]] = {}

    def key(self, name: str, length: int = 16) -> bytes:
        """Draw a key."""
        return self.add(name, secrets.token_bytes(length))

    def text(self, name: str, length: int = 16) -> str:
        """Draw a password that can be typed."""
        return self.add(name, "".join(secrets.choice("abcdefghkmnpqrstuvwxyz23456789") for _ in range(length))).decode()

    def add(self, name: str, secret: bytes | str) -> bytes:
        """Look for this secret too, of eight octets or more."""
        octets = secret.encode() if isinstance(secret, str) else secret
        assert len(octets) >= PART
        self.known[name] = octets
        parts = {octets[:PART], octets[-PART:]}
        self._needles[name] = (
            {form for part in parts for form in _forms(part)},
            {part.hex().encode() for part in parts},
        )
        return octets

    def found_in(self, where: bytes | str) -> list[str]:
        """Return which secrets stand there, in any form."""
        octets = where.encode("utf-8", "surrogateescape") if isinstance(where, str) else where
        joined = _SEPARATORS.sub(b"", octets).lower()
        return [
            name
            for name, (plain, hexadecimal) in self._needles.items()
            if any(each in octets for each in plain) or any(each in joined for each in hexadecimal)
        ]


def _forms(octets: bytes) -> Iterator[bytes]:
    """Raw, as Python shows it, as numbers, and base64 at each alignment; hexadecimal is looked for by itself."""
    yield octets
    yield repr(octets)[2:-1].encode()
    for separator in (", ", ",", " "):
        yield separator.join(map(str, octets)).encode()
    for lead in range(3):
        whole = lead + len(octets)
        # Characters that also depend on octets around are left out.
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(lead) + octets)
            yield text[-(-lead * 8 // 6) : whole * 8 // 6]


def reprs_of_live_objects() -> Iterator[tuple[str, str]]:
    """Type, and what repr and str give, of every object of ours that the collector reaches."""
    gc.collect()
    for each in gc.get_objects():
        kind = type(each)
        module = kind.__module__  # some extension types have a descriptor there
        if not isinstance(module, str) or not module.startswith("cosemic"):
            continue
        if isinstance(each, type | types.ModuleType):
            continue
        if kind.__repr__ is object.__repr__ and kind.__str__ is object.__str__:
            continue  # a name and an address
        yield f"{module}.{kind.__qualname__}", f"{_shown(each)}\n{_shown(each, str)}"


def told_by(error: BaseException) -> Iterator[tuple[str, str]]:
    """Where, and what is said, by an error as tools show it that show local variables: of frames of ours."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, None if one.__suppress_context__ else one.__context__]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        yield type(one).__name__, f"{one!r}\n{one!s}\n{getattr(one, '__notes__', '')}\n{vars(one)!r}"
        yield type(one).__name__, "".join(traceback.format_exception(one))
        for frame, line in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename.startswith(SOURCES):
                where = f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}"
                for name, value in frame.f_locals.items():
                    yield f"{type(one).__name__} at {where}, {name}", _shown(value)


def _shown(value: Any, show: Callable[[Any], str] = repr) -> str:
    try:
        return show(value)
    except Exception as failure:  # an object that is half made
        return f"{type(failure).__name__}"
