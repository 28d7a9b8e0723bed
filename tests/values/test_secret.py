"""Secrets do not slip out."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.values import Secret
from cosemic.values.secret import hidden

KEY = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
SHOW = f"from cosemic.values import Secret; print(Secret(bytes.fromhex('{KEY.hex()}')))"


@dataclass
class Settings:
    key: Secret


def test_reveal_gives_the_octets() -> None:
    assert Secret(KEY).reveal() == Secret(bytearray(KEY)).reveal() == Secret(memoryview(KEY)).reveal() == KEY
    assert Secret.from_hex(KEY.hex(" ").upper()).reveal() == KEY
    assert Secret.password("12345678").reveal() == Secret.password(b"12345678").reveal() == b"12345678"
    assert Secret(b"").reveal() == b""


@given(st.binary(min_size=8, max_size=40))
def test_no_text_form_holds_the_octets(octets: bytes) -> None:
    secret = Secret(octets, "authentication key")
    for text in (repr(secret), str(secret), f"{secret}", repr(Settings(secret)), repr([secret])):
        assert octets.hex() not in text.lower()
        assert repr(octets)[2:-1] not in text
        assert "authentication key" in text


def test_fingerprints_tell_keys_of_one_process_apart() -> None:
    assert Secret(KEY).fingerprint == Secret(KEY).fingerprint
    assert Secret(KEY).fingerprint != Secret(KEY[::-1]).fingerprint
    assert Secret(KEY).fingerprint in repr(Secret(KEY))
    assert len(Secret(KEY).fingerprint) == 8


def test_fingerprints_differ_from_process_to_process() -> None:
    shown = {
        subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True).stdout for _ in "12"
    }
    assert len(shown | {f"{Secret(KEY)}\n"}) == 3


def test_of_a_password_nothing_is_shown() -> None:
    one, other = Secret.password("12345678"), Secret.password("another")
    assert repr(one) == repr(other) == "<Secret password>"
    assert one.fingerprint == ""


def test_an_exception_does_not_carry_a_key() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        Secret.from_hex("00112233445566778899aabbccddeefg", "encryption key")
    assert "encryption key" in str(wrong.value)
    assert "00112233" not in repr(wrong.value)
    with pytest.raises(ConfigurationError, match="ASCII") as password:
        Secret.password("pässwörd")
    assert "pässwörd" not in repr(password.value)
    assert wrong.value.__context__ is None
    assert password.value.__context__ is None


@pytest.mark.parametrize("text", ["0", "0g", "000", "0x00"])
def test_text_that_is_no_hex_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="hexadecimal"):
        Secret.from_hex(text)


def test_a_log_line_shows_the_fingerprint_only(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("key %s", Secret(KEY))
    assert Secret(KEY).fingerprint in caplog.text
    assert KEY.hex() not in caplog.text


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(Settings(Secret(KEY)), protocol)
    with pytest.raises(TypeError, match="pickled"):
        Secret(KEY).__getstate__()


def test_a_secret_is_no_container_of_its_octets() -> None:
    secret = Secret(KEY)
    openers: list[Callable[[Any], object]] = [bytes, list, len, memoryview, vars, iter, int]
    for opened in openers:
        with pytest.raises(TypeError):
            opened(secret)
    with pytest.raises(TypeError):
        Secret("text")  # type: ignore[arg-type]  # the point of the test


def test_a_secret_cannot_be_changed_and_copies_are_itself() -> None:
    secret = Secret(KEY)
    for name in ("kind", "_Secret__octets", "note"):
        with pytest.raises(AttributeError):
            setattr(secret, name, b"")
    with pytest.raises(AttributeError):
        del secret.kind
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert asdict(Settings(secret))["key"] is secret


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_equality_is_that_of_the_octets(a: bytes, b: bytes) -> None:
    assert (Secret(a) == Secret(b)) == (a == b) == Secret(a).matches(b)
    assert Secret(a) == Secret(a, "other")
    assert hash(Secret(a)) == hash(Secret(a, "other"))
    assert Secret(a) != a


def test_its_octets_are_overwritten_when_nobody_holds_it_any_more() -> None:
    secret = Secret(KEY)
    kept: Any = secret._Secret__octets  # type: ignore[attr-defined]  # the point of the test
    revealed, copied = secret.reveal(), copy.deepcopy(secret)
    del secret
    assert kept == KEY
    del copied
    assert kept == bytes(len(KEY))
    assert revealed == KEY


def test_what_is_hidden_is_used_as_it_is_and_not_shown() -> None:
    plain = {"name": "value", "key": KEY, "list": ["value", 7], "more": {"key": bytearray(KEY)}, "on": True}
    table: Any = hidden(plain)
    shown = repr(table)
    for said in ("'value'", KEY.hex(), repr(KEY)[2:-1]):
        assert said not in shown
    assert table == plain
    joined = table["key"] + b"1"
    assert joined == KEY + b"1"
    assert "hidden" in repr(joined) == str(joined)
    assert f"{table['name']}" == str(table["name"]) == "value"
    assert hidden(Secret(KEY)) == Secret(KEY)
