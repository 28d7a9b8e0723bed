"""Known meters: what the file says, and that wrong files are told with the name of the meter and without a key."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import tomllib
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosemic.dialect import STANDARD, DeviationSign, Quirk
from cosemic.errors import ConfigurationError
from cosemic.store import KnownMeter, known_meter, known_meters
from cosemic.store.meters import ReadableKeys, meters_file
from cosemic.store.security_settings import load_security
from cosemic.values import Obis

KEY = "000102030405060708090A0B0C0D0E0F"
FULL = f"""
[meters.kitchen]
url = "tcp://192.168.1.7:4059?client=1"
security = "kitchen.toml"
zone = "Europe/Berlin"
profiles = ["1-0:99.1.0", "1-0:99.2.0"]
dialect = {{ deviation_sign = "inverted", quirks = ["acse-short-lengths"], max_counter_jump = 7 }}

[meters.shed]
url = "tcp://192.168.1.8"
security = "environment"

[meters."cellar 2"]
url = "tcp://192.168.1.9"
zone = "UTC"
[meters."cellar 2".security]
encryption_key = "{KEY}"
authentication_key = "{KEY}"
system_title = "4D4D4D0000000001"
counters = "own"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "meters.toml"
    where.write_text(FULL)
    where.chmod(0o600)
    return where


def test_what_the_file_says(path: Path) -> None:
    kitchen, shed, cellar = known_meters(path).values()
    assert kitchen == KnownMeter(
        "kitchen",
        "tcp://192.168.1.7:4059?client=1",
        path.parent / "kitchen.toml",
        zoneinfo.ZoneInfo("Europe/Berlin"),
        STANDARD.but(
            deviation_sign=DeviationSign.INVERTED,
            quirks=frozenset((Quirk.ACSE_SHORT_LENGTHS,)),
            max_counter_jump=7,
        ),
        (Obis("1-0:99.1.0"), Obis("1-0:99.2.0")),
    )
    assert shed == KnownMeter("shed", "tcp://192.168.1.8", "environment")
    assert (cellar.zone, cellar.name) == (dt.UTC, "cellar 2")
    assert known_meter("shed", path) == shed


def test_settings_in_the_file_are_those_of_a_file_beside_it(path: Path) -> None:
    cellar = known_meter("cellar 2", path)
    client = load_security(cellar.security).client
    assert client.material is not None
    assert client.material.encryption_key.reveal() == bytes.fromhex(KEY)
    assert isinstance(cellar.security, dict)
    assert cellar.security["counters"] == path.parent / "own"
    assert KEY not in repr(cellar)
    assert KEY not in str(cellar)


def test_the_file_is_the_one_named_or_that_of_the_environment_or_of_the_state_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("COSEMIC_METERS", raising=False)
    assert meters_file() == tmp_path / "state" / "meters.toml"
    with pytest.raises(
        ConfigurationError, match=r"'shed' is no URL \(tcp://HOST.*no file of known meters.*meters.toml"
    ):
        known_meter("shed")
    monkeypatch.setenv("COSEMIC_METERS", str(path))
    assert known_meter("shed").url == "tcp://192.168.1.8"
    assert meters_file("other.toml") == Path("other.toml")
    with pytest.raises(ConfigurationError, match="No such file"):
        known_meter("shed", tmp_path / "none.toml")


def test_a_name_that_is_not_there_is_told_with_those_that_are_like_it(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'kitchn' is no URL, and no meter of .*: kitchen$"):
        known_meter("kitchn", path)
    with pytest.raises(ConfigurationError, match="cellar 2, kitchen, shed"):
        known_meter("zzz", path)
    path.write_text("")
    with pytest.raises(ConfigurationError, match="it has none"):
        known_meter("kitchen", path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url = 'tcp://h'", r"every meter stands in a table \[meters.NAME\]"),
        ("meters = 5", "every meter stands"),
        ("[meters]\nm = 5", "'m' .* needs its url"),
        ("[meters.m]", "'m' .* needs its url"),
        ("[meters.m]\nurl = 5", "needs its url"),
        ("[meters.m]\nurl = 'tcp://h'\ncolour = 'red'", "colour of meter 'm'.*known are url, security, zone"),
        ("[meters.m]\nurl = 'tcp://h'\nzone = 'Mars/Olympus'", "'m' .*Mars/Olympus.* no time zone"),
        ("[meters.m]\nurl = 'tcp://h'\nzone = '../etc'", "no time zone"),
        ("[meters.m]\nurl = 'tcp://h'\nzone = 1", "no time zone"),
        ("[meters.m]\nurl = 'tcp://h'\nsecurity = 1", "security is the name of a file"),
        ("[meters.m]\nurl = 'tcp://h'\nprofiles = '1-0:99.1.0'", "list of OBIS codes"),
        ("[meters.m]\nurl = 'tcp://h'\nprofiles = [1]", "list of OBIS codes"),
        ("[meters.m]\nurl = 'tcp://h'\nprofiles = ['one']", "'m'"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = 'IDIS'", "a table of switches"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { colour = 1 }", "colour: no switch.*known: edition"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { release_request = 1 }", "release_request is true or false"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { max_counter_jump = true }", "max_counter_jump is a number"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { ciphered_form = 'any' }", "one of service-specific, general"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { quirks = 'all' }", "quirks is a list"),
        ("[meters.m]\nurl = 'tcp://h'\ndialect = { quirks = ['all'] }", "quirks is one of"),
        ("[meters.m", "are no TOML"),
        ("\0", "are no TOML"),
    ],
)
def test_what_is_wrong_is_said(path: Path, text: str, said: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        known_meter("m", path)


def test_another_meter_that_is_wrong_does_no_harm(path: Path) -> None:
    path.write_text("[meters.good]\nurl = 'tcp://h'\n[meters.bad]\ncolour = 'red'")
    assert known_meter("good", path).url == "tcp://h"
    with pytest.raises(ConfigurationError):
        known_meters(path)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_keys_in_a_file_that_others_can_read_are_warned_of(path: Path) -> None:
    path.chmod(0o640)
    assert known_meter("kitchen", path).name == "kitchen"  # its keys are elsewhere
    with pytest.warns(ReadableKeys, match="chmod 600"):
        known_meter("cellar 2", path)
    path.write_text("[meters.m]\nurl = 'tcp://h'\nsecurity = { mechanism = 'lowest' }")
    assert known_meter("m", path).security == {"mechanism": "lowest"}


def test_a_wrong_file_never_shows_a_key(path: Path) -> None:
    path.write_text(FULL.replace("url =", "colour ="))
    for name in ("kitchen", "cellar 2"):
        with pytest.raises(ConfigurationError) as caught:
            known_meter(name, path)
        assert KEY not in str(caught.value)
    path.write_text(FULL.replace('"own"', '"own'))
    with pytest.raises(ConfigurationError) as caught:
        known_meter("shed", path)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def toml(value: Any) -> str:
    """A value as TOML has it; what it cannot have as an empty table."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(one):08x}" for one in value if not 0xD800 <= ord(one) < 0xE000) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    entries = (value or {}).items()
    return f"{{{', '.join(f'{toml(name)} = {toml(one)}' for name, one in entries)}}}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["url", "security", "zone", "profiles", "dialect"]), VALUES)
def test_any_setting_is_one_or_a_configuration_error(path: Path, name: str, value: Any) -> None:
    url = "" if name == "url" else 'url = "tcp://h"'
    path.write_text(f"[meters.m]\n{url}\n{name} = {toml(value)}", "utf-8")
    tomllib.loads(path.read_text("utf-8"))
    with contextlib.suppress(ConfigurationError):
        assert isinstance(known_meter("m", path), KnownMeter)
