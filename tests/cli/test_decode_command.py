"""``cosemic decode``: input, keys, output, exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cosemic
from cosemic.cli import main
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
