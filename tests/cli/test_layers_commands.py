"""Commands that speak in layers of general protection, alone and for a third party, against a simulated meter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosemic.cli import main
from cosemic.security.general.layout import LAYER_TAGS
from cosemic.server import serve_in_thread
from cosemic.simulator import MeterPlan, SimulatedMeter
from cosemic.simulator.settings_file import write_settings
from tests.simulator.support import NOW

ENERGY = "1-0:1.8.0"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, SimulatedMeter]]:
    plan = MeterPlan(serial=9, security="hls-ecdsa", suite=1, third_party=True, profile_days=1)
    meter = SimulatedMeter(plan, now=lambda: NOW)
    with serve_in_thread(meter) as server:
        yield server.url(client_sap=1), meter


@pytest.fixture
def files(served: tuple[str, SimulatedMeter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """URL, settings of the client without layers of its own but the broker's, settings of the third party."""
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    security = served[1].security
    write_settings(security.client_settings(), tmp_path / "meter.toml")
    write_settings(security.third_party_settings(), tmp_path / "third.toml")
    return served[0], str(tmp_path / "meter.toml"), str(tmp_path / "third.toml")


def sent(printed: str) -> set[int]:
    """Tags of the APDUs that a trace shows as sent, behind the opening."""
    tags = [int(line.split()[-1][:2], 16) for line in printed.splitlines() if " apdu " in line and "->" in line]
    return set(tags)


def test_read_write_and_call_in_the_layers_of_the_settings(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, settings, _ = files
    assert main(["read", url, ENERGY, "--security", settings, "--json"]) == 0
    (energy,) = json.loads(capsys.readouterr().out)
    assert energy["unit"] == "Wh"
    assert main(["write", url, "8/0-0:1.0.0:time_zone", "60", "--security", settings]) == 0
    assert main(["call", url, "70/0-0:96.3.10:remote_disconnect", "--security", settings]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("layers", ["sign+cipher:one-pass", "cipher:static", "cipher+sign"])
def test_layers_of_the_command_take_the_place_of_those_of_the_settings(
    files: tuple[str, str, str], layers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url, settings, _ = files
    assert main(["read", url, ENERGY, "--security", settings, "--layers", layers, "--trace", "-"]) == 0
    shown = capsys.readouterr()
    outer = 0xDF if layers.endswith("sign") else 0xDD
    assert ENERGY in shown.out
    assert f"{outer:02x}08" in shown.err.replace(" ", "").lower()
    assert outer in LAYER_TAGS


def test_a_third_party_reads_through_the_broker(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, settings, third = files
    assert main(["read", url, ENERGY, "0-0:42.0.0", "--security", settings, "--third-party", third]) == 0
    assert "kWh" in capsys.readouterr().out
    assert main(["read", url, "3/1-0:9.9.9", "--security", settings, "--third-party", third]) == 1
    assert "object-undefined" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--layers", "seal"), "a layer is one of sign, cipher, authenticate, encrypt"),
        (("--layers", "cipher:wrapped"), "key-info|forms"),
        (("--layers", "cipher:global-broadcast"), "key-info global-broadcast is not permitted"),
        (("--third-party", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_what_cannot_be_is_said(
    files: tuple[str, str, str], words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    url, settings, _ = files
    assert main(["read", url, ENERGY, "--security", settings, *words]) in (1, 2)
    error = capsys.readouterr().err
    assert re.search(says, error), error
    assert "Traceback" not in error


def test_layers_without_security_settings_are_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path))
    assert main(["read", "tcp://127.0.0.1:1", ENERGY, "--layers", "cipher"]) == 2
    assert "say server_title, and keys, in the security settings" in capsys.readouterr().err


def test_settings_of_a_third_party_hold_no_global_key(
    files: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, settings, third = files
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(Path(third).read_text() + f'encryption_key = "{"00" * 16}"\n')
    assert main(["read", url, ENERGY, "--security", settings, "--third-party", str(wrong)]) == 2
    assert "holds no global key" in capsys.readouterr().err
