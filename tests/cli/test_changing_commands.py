"""The commands that change a meter, show its events, keys and completion; the trace of all of them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cosemic.association.service_provider import ServerSettings
from cosemic.cli import main
from cosemic.codec import DataType
from cosemic.errors import OutcomeUnknown
from cosemic.model import Register, ScalerUnit
from cosemic.server import (
    Admission,
    ClockObject,
    CosemObject,
    DisconnectControlObject,
    EventLog,
    ImageTransferObject,
    LogicalDevice,
    data,
    managing,
    serve_in_thread,
)
from cosemic.server.image_transfer import Image
from cosemic.server.logical_device import utc_now
from cosemic.values import Unit

PUBLIC = 16
LATE = dt.timedelta(seconds=-30)
IMAGE = bytes(range(256)) * 3
EK, AK = "0f0e0d0c0b0a09080706050403020100", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"


@dataclass
class Meter:
    """A meter with the objects that the commands change."""

    url: str
    clock: ClockObject
    switch: DisconnectControlObject
    active: list[Image]
    device: LogicalDevice


@pytest.fixture
def meter() -> Iterator[Meter]:
    device = LogicalDevice("TST0000000000001", now=lambda: utc_now() + LATE)
    clock = device.add(ClockObject(utc_offset=0, device=device))
    switch = device.add(DisconnectControlObject(device))
    active: list[Image] = []

    def activate(image: Image, at: dt.datetime) -> bool:
        active.append(image)
        return True

    device.add(ImageTransferObject(device, block_size=100, activate=activate))
    device.add(data("0-0:96.1.9", DataType.OCTET_STRING, b"attic", writable=True))
    device.add(data("0-0:96.1.8", DataType.LONG_UNSIGNED, 5, writable=True))
    register = Register("1-0:0.4.2")
    values = {"value": (DataType.LONG_UNSIGNED, 100), "scaler_unit": ScalerUnit(0, Unit(255))}
    device.add(CosemObject(register, values, writers={"scaler_unit": None}, methods={"reset": lambda *_: None}))
    EventLog(device, clock, "0-0:99.98.0")
    device.admit(Admission(client_sap=PUBLIC, settings=ServerSettings(), rights=managing()))
    with serve_in_thread(device) as server:
        yield Meter(server.url(PUBLIC), clock, switch, active, device)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code, capsys.readouterr()
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "value", "now"),
    [
        ("1/0-0:96.1.9", "text:cellar", b"cellar".hex()),
        ("1/0-0:96.1.9", "00ff", "00ff"),
        ("1/0-0:96.1.9", "123456", "123456"),  # digits alone are octets too
        ("1/0-0:96.1.9", "77696e746572", "77696e746572"),  # and no number with an exponent
        ("1/0-0:96.1.8", "77", 77),
        ("3/1-0:0.4.2:scaler_unit", '{"scaler": -2, "unit": "V"}', {"scaler": -2, "unit": 35}),
        ("3/1-0:0.4.2:scaler_unit", '[1, "A"]', {"scaler": 1, "unit": 33}),
        ("70/0-0:96.3.10:control_mode", "mode_4", 4),
    ],
)
def test_write_takes_values_as_they_are_typed_in_and_reads_back(
    meter: Meter, capsys: pytest.CaptureFixture[str], target: str, value: str, now: Any
) -> None:
    found = json.loads(printed(capsys, "write", meter.url, target, value, "--json"))
    assert found == {"target": target, "written": True, "now": now}
    assert json.loads(printed(capsys, "read", meter.url, target, "--json"))[0]["value"] == now


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["write", "URL", "1/0-0:96.1.8", "65536"], 2, "65536 is no long-unsigned"),
        (["write", "URL", "1/0-0:96.1.9", "attic"], 2, "'attic' is no octet-string: write it in hexadecimal"),
        (["write", "URL", "1/0-0:96.1.8", "5", "--type", "word"], 2, "'word' is no type"),
        (["write", "URL", "1/0-0:96.1.8", "5", "--type", "unsigned"], 1, "type-unmatched"),
        (["write", "URL", "3/1-0:0.4.2:scaler_unit", '{"scale": 1}'], 2, "scale: no field of scal_unit_type"),
        (["write", "URL", "3/1-0:0.4.2:scaler_unit", '{"scaler": 1}'], 2, "wants unit too"),
        (["write", "URL", "1/0-0:42.0.0", "00"], 1, "read-write-denied"),
        (["call", "URL", "70/0-0:96.3.10:explode"], 2, "explode"),
        (["clock", "URL", "--set", "noon"], 2, "'noon' is no time"),
        (["clock", "URL", "--synchronise", "--policy", "shift", "--boundary", "-1"], 2, "0 or more"),
        (["firmware", "URL", "--update", "FILE"], 2, "--identifier"),
        (["firmware", "URL", "--update", "nowhere.bin", "--identifier", "x"], 2, "nowhere.bin"),
        (["events", "URL", "--companion", "acme"], 2, "'acme' is no companion"),
        (["events", "URL", "--log", "0-0:99.98.9"], 1, "object-undefined"),
        (["read", "URL", "1-0:1.8.0", "--trace", "nowhere/x.pcap"], 2, "nowhere/x.pcap"),
        (["read", "shed", "1-0:1.8.0", "--meters", "METERS"], 2, "shed"),
    ],
)
def test_errors_say_what_is_wrong(
    meter: Meter, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "meters.toml").write_text('[meters.kitchen]\nurl = "tcp://h"\n')
    (tmp_path / "image").write_bytes(IMAGE)
    given = {"URL": meter.url, "METERS": str(tmp_path / "meters.toml"), "FILE": str(tmp_path / "image")}
    assert main([given.get(word, word) for word in arguments]) == code
    streams = capsys.readouterr()
    assert words in streams.err
    assert streams.err.startswith("cosemic: ")
    assert streams.out == ""


def test_call_invokes_a_method_with_its_parameter(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    assert "success" in printed(capsys, "call", meter.url, "8/0-0:1.0.0:shift_time", "--", "-5")
    assert meter.clock.offset == dt.timedelta(seconds=-5)
    found = json.loads(printed(capsys, "call", meter.url, "70/0-0:96.3.10:remote_disconnect", "--json"))
    assert found == {"target": "70/0-0:96.3.10:remote_disconnect", "called": True, "answer": None}
    assert not meter.switch.connected


def test_the_clock_is_shown_synchronised_and_set(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    assert "s behind this machine" in printed(capsys, "clock", meter.url)
    done = json.loads(printed(capsys, "clock", meter.url, "--synchronise", "--boundary", "0", "--json"))
    assert done["action"] == "shifted"
    assert done["before"]["offset"] == pytest.approx(-30, abs=1.5)
    assert abs(done["now"]["offset"]) < 1.5
    assert "nothing was done" in printed(capsys, "clock", meter.url, "--synchronise", "--boundary", "0")
    assert "was set" in printed(capsys, "clock", meter.url, "--set", "2030-06-01T12:00:00+00:00")
    assert json.loads(printed(capsys, "clock", meter.url, "--json"))["now"]["shown"].startswith("2030-06-01 12:00:0")


def test_the_supply_is_disconnected_and_reconnected(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    assert "the supply is connected" in printed(capsys, "breaker", meter.url)
    assert "the supply is disconnected" in printed(capsys, "breaker", meter.url, "disconnect")
    state = json.loads(printed(capsys, "breaker", meter.url, "reconnect", "--json"))
    assert state["output_state"] is False
    assert state["needs_button"] is True
    assert state["labels"]["control_state"] == "ready-for-reconnection"


def test_an_image_is_transferred_verified_and_activated(
    meter: Meter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "image"
    file.write_bytes(IMAGE)
    before = json.loads(printed(capsys, "firmware", meter.url, "--json"))
    assert (before["image_transfer_status"], before["label"]) == (0, "not-initiated")
    update = ("firmware", meter.url, "--update", str(file), "--identifier", "FW_2")
    done = json.loads(printed(capsys, *update, "--activate", "not", "--json"))
    assert (done["size"], done["blocks"], done["blocks_sent"]) == (len(IMAGE), 8, 8)
    assert meter.active == []
    shown = printed(capsys, *update)
    assert "FW_2" in shown
    assert [image.content for image in meter.active] == [IMAGE]
    assert json.loads(printed(capsys, "firmware", meter.url, "--json"))["image_block_size"] == 100


def test_events_have_names(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "clock", meter.url, "--set", "now")
    (log,) = json.loads(printed(capsys, "events", meter.url, "--logs", "--json"))
    assert log["obis"] == "0-0:99.98.0*255"
    events = json.loads(printed(capsys, "events", meter.url, "--json"))
    assert events
    assert all(one["name"] and one["code"] and one["time"] for one in events)
    shown = printed(capsys, "events", meter.url, "--log", "0-0:99.98.0", "--since", "2026-01-01")
    assert events[0]["name"] in shown


def test_a_trace_goes_to_the_terminal_without_plaintext_or_to_a_pcap(
    meter: Meter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", meter.url, "0-0:42.0.0", "--trace", "-"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "connected to 127.0.0.1" in lines[0]
    assert [word for line in lines for word in ("AARQ", "AARE", "GetRequestNormal") if line.endswith(word)]
    file = tmp_path / "read.pcap"
    assert main(["read", meter.url, "0-0:42.0.0", "--trace", str(file)]) == 0
    octets = file.read_bytes()
    assert octets[:4] == bytes.fromhex("d4c3b2a1")
    assert b"TST0000000000001" in octets


def test_a_known_meter_is_called_by_its_name(meter: Meter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "meters.toml"
    file.write_text(f'[meters.kitchen]\nurl = "{meter.url}"\nzone = "Europe/Berlin"\n')
    assert "TST0000000000001" in printed(capsys, "read", "kitchen", "0-0:42.0.0", "--meters", str(file))


def test_a_change_without_answer_has_an_exit_code_of_its_own(
    meter: Meter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unanswered(*_: object, **__: object) -> None:
        raise OutcomeUnknown("no answer came")

    monkeypatch.setattr("cosemic.client.BlockingMeter.call", unanswered)
    assert main(["call", meter.url, "8/0-0:1.0.0:shift_time", "5"]) == 3
    assert capsys.readouterr().err == "cosemic: no answer came\n"


def test_keys_are_shown_by_fingerprints_only_and_doubts_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.json"
    one.write_text(f'encryption_key = "{EK}"\nauthentication_key = "{AK}"\n')
    other.write_text(json.dumps({"encryption_key": EK, "password": "12345678"}))
    one.chmod(0o600)
    other.chmod(0o644)
    found = json.loads(printed(capsys, "keys", str(one), str(other), "--json", code=1))
    fingerprints = {(Path(key["file"]).name, key["name"]): key["fingerprint"] for key in found["keys"]}
    assert fingerprints["one.toml", "encryption_key"] == fingerprints["other.json", "encryption_key"]
    assert fingerprints["one.toml", "encryption_key"] != fingerprints["one.toml", "authentication_key"]
    assert fingerprints["other.json", "password"] == ""
    assert any("is the same as encryption_key" in doubt for doubt in found["warnings"])
    assert any("chmod 600" in doubt for doubt in found["warnings"])
    shown = printed(capsys, "keys", str(one)) + printed(capsys, "keys", str(other), code=1)
    assert EK not in shown
    assert "12345678" not in shown
    one.write_text('encryption_key = "000102030405060708090a0b0c0d0e0f"\n')
    assert "printed in manuals" in printed(capsys, "keys", str(one), code=1)
    one.write_text(f'suite = 2\nencryption_key = "{EK}"\nsigning_key = "{EK}{EK}"\n')
    shown = printed(capsys, "keys", str(one), code=1)
    assert "encryption_key has 16 octets, where security suite 2 needs 32" in shown
    assert "signing_key has 32 octets, where security suite 2 needs 48" in shown
    assert EK not in shown
    one.write_text(f'suite = 2\nencryption_key = "{AK}{EK}"\n')
    assert "needs" not in printed(capsys, "keys", str(one))
    one.write_text(f'suite = 7\nencryption_key = "{EK}"\n')
    assert "no security suite 7" in printed(capsys, "keys", str(one), code=1)
    one.write_text('encryption_key = "not hexadecimal"\n')
    assert main(["keys", str(one)]) == 2
    assert "not hexadecimal" not in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_takes_the_completion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "completion"
    file.write_text(printed(capsys, "completion", "bash"))
    ask = f"source {file}; COMP_WORDS=(cosemic prof); COMP_CWORD=1; _shtab_cosemic; echo ${{COMPREPLY[*]}}"
    ran = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["profile"]


@pytest.mark.parametrize("command", ["write", "call", "clock", "breaker", "firmware", "events", "keys", "completion"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, command, "--help")
    assert f"  cosemic {command}" in text
    assert "exit codes: 0" in text
    assert "--json" in text or command == "completion"


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("70/0-0:96.3.10:control_mode", "NOPE"),
        ("3/1-0:0.4.2:scaler_unit", "[1, 30, 5]"),
        ("1/0-0:96.1.9:value", '{"type": "array", "value": [1]}'),
        ("1/0-0:96.1.9:value", '{"type": [1], "value": 1}'),
        ("9" * 5000 + "/0-0:96.1.9:value", "1"),
    ],
)
def test_whatever_is_typed_in_is_a_value_or_a_wrong_call(
    target: str, value: str, meter: Meter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["write", meter.url, target, value]) == 2
    assert capsys.readouterr().err.startswith("cosemic: ")


@pytest.mark.parametrize(
    "command", [["clock", "--synchronise", "--threshold", "nan"], ["profile", "1-0:99.1.0", "--until", "0001-01-01"]]
)
def test_times_that_are_none_are_a_wrong_call(command: list[str], meter: Meter) -> None:
    assert main([command[0], meter.url, *command[1:]]) == 2


def test_what_is_known_beside_an_error_is_shown_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        error = OutcomeUnknown("no answer came")
        error.add_note("it could not be read back")
        raise error

    monkeypatch.setattr("cosemic.cli.call.meter_of", fails)
    assert main(["call", "tcp://h", "3/1-0:1.8.0:reset"]) == 3
    assert capsys.readouterr().err == "cosemic: no answer came\nit could not be read back\n"
