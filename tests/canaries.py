"""Secrets that are looked for wherever they must not be: in whatever form, and in part."""

from __future__ import annotations

import base64
import gc
import re
import secrets
import traceback
import types
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import cosemic
from cosemic.security.elliptic import PublicKey, SoftwareAgreementKey, SoftwareSigningKey
from cosemic.values import Secret

PART: Final = 8
"""Octets of a secret that are enough: its first ones, and its last ones."""
VARIETY: Final = 5
"""Different octets of those first ones, and last ones, and different steps between them, that random ones have."""
SOURCES: Final = str(Path(cosemic.__file__).parent)
_NO_SECRETS: Final = ("public_key", "public_key_of", "system_title", "certificate")
"""Kinds of records of a key store that are kept as its keys are, and that everybody may see."""
_SEPARATORS: Final = re.compile(rb"0x|\\x|[\s:;,._|'\"\-]+")


class Canaries:
    """Random secrets, by what they are."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}
        self._needles: dict[str, tuple[set[bytes], set[bytes]]] = {}
        self._noted: set[bytes] = set()

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

    def note(self, kind: str, octets: bytes) -> None:
        """Look for a secret that came up in a run, where it is long and random enough to be known again."""
        if len(octets) >= PART and octets not in self._noted and _random(octets[:PART]) and _random(octets[-PART:]):
            self._noted.add(octets)
            self.add(f"{kind} {len(self._noted)}", octets)

    def found_in(self, where: bytes | str) -> list[str]:
        """Return which secrets stand there, in any form."""
        octets = where.encode("utf-8", "surrogateescape") if isinstance(where, str) else where
        joined = _SEPARATORS.sub(b"", octets).lower()
        return [
            name
            for name, (plain, hexadecimal) in self._needles.items()
            if any(each in octets for each in plain) or any(each in joined for each in hexadecimal)
        ]

    def suspects(self, said: Iterable[bytes]) -> list[bytes]:
        """Return those texts in which a secret may stand: some form of one begins there. For many secrets and texts."""
        beginnings = np.unique(
            np.frombuffer(
                b"".join(form[:8] for forms in self._needles.values() for part in forms for form in part), np.uint64
            )
        )
        texts = [one.encode("utf-8", "surrogateescape") if isinstance(one, str) else one for one in said]
        return [
            one for one in texts if _begins(one, beginnings) or _begins(_SEPARATORS.sub(b"", one).lower(), beginnings)
        ]


def _random(part: bytes) -> bool:
    """Tell a part of a secret that was drawn from one that tests count up, which stands in many places."""
    steps = {(after - before) % 256 for before, after in pairwise(part)}
    return len(set(part)) >= VARIETY <= len(steps)


def _begins(text: bytes, beginnings: np.ndarray[Any, Any]) -> bool:
    """Tell whether any eight octets of a text are among these."""
    octets = np.frombuffer(text, np.uint8)
    for start in range(0, len(octets) - 7, 1 << 18):
        windows = np.lib.stride_tricks.sliding_window_view(octets[start : start + (1 << 18) + 7], 8)
        if np.isin(np.ascontiguousarray(windows).view(np.uint64), beginnings).any():
            return True
    return False


def note_all_keys(canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every key that comes up from now on looked for: given, drawn, derived, unwrapped or agreed on."""
    make, exchange = Secret.__init__, SoftwareAgreementKey.exchange

    def made(self: Secret, octets: bytes | bytearray | memoryview, kind: str = "key") -> None:
        make(self, octets, kind)
        if not kind.endswith(_NO_SECRETS):
            canaries.note(kind, bytes(octets))

    def exchanged(self: SoftwareAgreementKey, peer: PublicKey) -> bytearray:
        z = exchange(self, peer)
        canaries.note("Z", bytes(z))
        return z

    def ciphering(key: bytes) -> AESGCM:
        canaries.note("key of a cipher", bytes(key))
        return AESGCM(key)

    monkeypatch.setattr(Secret, "__init__", made)
    monkeypatch.setattr(SoftwareAgreementKey, "exchange", exchanged)
    for module in ("security.keys", "security.sealing", "store.key_store.sealing"):
        monkeypatch.setattr(f"cosemic.{module}.AESGCM", ciphering)
    for kind in (SoftwareSigningKey, SoftwareAgreementKey):
        monkeypatch.setattr(kind, "__init__", _noting_scalars(kind.__init__))


def _noting_scalars(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Any, key: Any) -> None:
        make(self, key)
        self.to_secret()  # which is noted

    return made


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
