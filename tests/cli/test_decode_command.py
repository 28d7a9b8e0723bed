"""``cosemic decode``: input, keys, output, exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import cosemic
from cosemic.cli import main
from cosemic.inspector import KINDS
from tests.vectors import keys, octets, record

RESPONSE = "C401C1001105"
CIPHERED = "gb-get-authenticated-encrypted"


@pytest.fixture(autouse=True)
def _no_keys_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("COSEMIC_"):
            monkeypatch.delenv(name)


def given_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_tree_or_json_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", RESPONSE]) == 0
    assert capsys.readouterr().out == cosemic.decode(RESPONSE).explain() + "\n"
    assert main(["decode", "--json", RESPONSE]) == 0
    assert json.loads(capsys.readouterr().out) == cosemic.decode(RESPONSE).to_dict()


@pytest.mark.parametrize("content", [RESPONSE.encode(), b"c4 01\nc1 00\n11 05\n", bytes.fromhex(RESPONSE)])
def test_files_and_standard_input_hold_text_or_octets(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "telegram"
    file.write_bytes(content)
    for arguments in ([str(file)], ["-"], []):
        given_input(monkeypatch, content)
        assert main(["decode", *arguments]) == 0
        assert capsys.readouterr().out.endswith("unsigned 5\n")


def test_kind_and_quirk_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--kind", "data", "1105"]) == 0
    assert capsys.readouterr().out == "0000    unsigned 5\n"
    assert main(["decode", "C701C10103"]) == 1
    assert main(["decode", "C701C10103", "--quirk", "action-response-bare-result"]) == 0


@pytest.mark.parametrize("form", ["toml", "json", "environment", "both"])
def test_keys_come_from_a_file_or_the_environment(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = record(CIPHERED)
    given = {name: key.hex() for name, key in keys(of).items()}
    arguments = ["decode", "--json", of["hex"]]
    if form != "environment":
        file = tmp_path / f"keys.{'json' if form == 'json' else 'toml'}"
        file.write_text(json.dumps(given) if form == "json" else "".join(f'{k} = "{v}"\n' for k, v in given.items()))
        arguments += ["--keys", str(file)]
    for name, value in given.items() if form == "environment" else [("ek", "00" * 16)] if form == "both" else []:
        monkeypatch.setenv(f"COSEMIC_{name.upper()}", value)
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == cosemic.decode(octets(of), keys=keys(of)).to_dict()


LONG = {"ek": "encryption_key", "ak": "authentication_key", "gbek": "broadcast_encryption_key", "dk": "dedicated_key"}


@pytest.mark.parametrize("form", ["toml", "environment"])
def test_security_settings_of_a_meter_are_keys_too(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of = record(CIPHERED)
    given = {LONG.get(name, name): key.hex() for name, key in keys(of).items()}
    assert {"encryption_key", "authentication_key"} <= set(given)
    arguments = ["decode", "--json", of["hex"]]
    if form == "toml":
        file = tmp_path / "meter.toml"
        lines = ['mechanism = "hls-gmac"', "client_sap = 1", "ciphered = true", "dedicated_key = false"]
        file.write_text("\n".join([*lines, *(f'{name} = "{value}"' for name, value in given.items())]))
        arguments += ["--keys", str(file)]
    for name, value in given.items() if form == "environment" else ():
        monkeypatch.setenv(f"COSEMIC_{name.upper()}", value)
    monkeypatch.setenv("COSEMIC_DEDICATED_KEY", "true")
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == cosemic.decode(octets(of), keys=keys(of)).to_dict()


def test_each_long_name_stands_for_its_key_and_other_settings_are_passed_over(tmp_path: Path) -> None:
    from cosemic.cli._keys import LONG_NAMES, PASSED_OVER, read_keys
    from cosemic.inspector.arguments import KEY_NAMES
    from cosemic.store.security_settings import NAMES

    file = tmp_path / "keys.toml"
    file.write_text("".join(f'{long} = "{short}"\n' for short, long in LONG.items()))
    assert read_keys(KEY_NAMES, str(file), {}) == {short: short for short in LONG}
    file.write_text('encryption_key = "long"\nek = "short"\n')
    assert read_keys(KEY_NAMES, str(file), {"COSEMIC_ENCRYPTION_KEY": "other"}) == {"ek": "short"}
    assert {*LONG_NAMES, *KEY_NAMES} | PASSED_OVER >= NAMES


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_as_a_file_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(RESPONSE,), daemon=True)
    writer.start()
    assert main(["decode", str(pipe)]) == 0
    writer.join(5)
    assert capsys.readouterr().out.endswith("unsigned 5\n")


def test_ctrl_c_while_a_command_is_imported_ends_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr("cosemic.cli.import_module", interrupted)
    assert main(["decode", RESPONSE]) == 1
    assert capsys.readouterr() == ("", "cosemic: stopped\n")


def test_what_is_no_telegram_exits_with_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "C401C10011"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cosemic: at octet 5 in get-response-normal.result.data:")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["decode", "no such file"],
        ["decode", "C4", "--kind", "no-such-kind"],
        ["decode", "C4", "--keys", "no-such-file.toml"],
        ["decode", "C4", "--quirk", "no-such-quirk"],
        ["decode", "C4", "--key", "ek=00"],
        ["decode", "\x00"],
        ["decode", "\udcff"],
    ],
)
def test_a_wrong_call_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("keys.toml", 'ek = "0011223344556677'),
        ("keys.toml", "ek = 11223344556677"),
        ("keys.toml", 'ek = "11223344556677"'),
        ("keys.toml", 'ke = "00112233445566778899aabbccddeeff"'),
        ("keys.json", '["11223344556677"]'),
        ("keys.json", '{"ek": "11223344556677'),
    ],
)
def test_a_wrong_key_file_is_refused_without_showing_a_key(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert main(["decode", RESPONSE, "--keys", str(file)]) == 2
    assert "2233" not in capsys.readouterr().err


def test_help_shows_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "cosemic decode C401C1001105" in shown
    assert "exit codes: 0 decoded" in shown
    assert all(re.search(rf"^  {kind} +\w", shown, re.MULTILINE) for kind in KINDS)
    assert not re.search(r"COSEMIC_\w+=", shown)


def test_a_command_is_not_kept_waiting_by_the_others() -> None:
    code = "import sys; from cosemic.cli import main; main(sys.argv[1:]); print('cosemic.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "decode", RESPONSE], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("unsigned 5\nFalse\n")


def test_without_a_command_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "decode " in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cosemic {cosemic.__version__}\n"


def test_the_package_runs_as_a_module_and_a_closed_pipe_is_no_failure() -> None:
    command = [sys.executable, "-m", "cosemic", "decode", "--kind", "data", "-"]
    many = (b"\x01\x82\x4e\x20" + bytes(20_000)).hex()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(many.encode())
        process.stdin.close()
        assert process.stdout.readline() == b"0000    array (20000)\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


# ---- output ----------------------------------------------------------------------------------------------------------


def run_with(encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, whose output has that encoding."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COSEMIC_")}
    return subprocess.run(
        [sys.executable, "-m", "cosemic", "decode", *arguments],
        env=environment | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "shown"), [("ascii", rb"'\xe9'"), ("latin-1", b"'\xe9'"), ("utf-8", "'é'".encode())]
)
def test_characters_that_the_output_cannot_hold_are_escaped(encoding: str, shown: bytes) -> None:
    done = run_with(encoding, "C401C1000A01E9")
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout
    as_json = run_with(encoding, "--json", "C401C1000A01E9")
    assert json.loads(as_json.stdout.decode(encoding))["apdu"]["result"] == {"data": ["visible-string", "é"]}


def test_json_holds_no_numbers_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    floats = "0204 177fc00000 177f800000 18fff0000000000000 173fc00000"
    assert main(["decode", "--kind", "data", "--json", floats]) == 0

    def refuse(text: str) -> None:
        raise AssertionError(text)

    found = json.loads(capsys.readouterr().out, parse_constant=refuse)["data"][1]
    assert [value for _, value in found] == ["NaN", "Infinity", "-Infinity", 1.5]
    assert main(["decode", "--help"]) == 0
    assert '"NaN", "Infinity" and "-Infinity"' in " ".join(capsys.readouterr().out.split())


def test_a_p1_telegram_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p1.txt"
    file.write_bytes(octets(record("p1-v5")))
    assert main(["decode", "--kind", "p1", str(file)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("        P1 telegram /ISk5\\2MT382-1000\n")
    assert shown.endswith("CRC 6EEE\n")
