"""``cosemic scan`` as a user calls it, and what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main, parser
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import serve_in_thread
from cosemic.simulator import HouseholdMeter
from tests.cli.test_simulate import COMMAND, needs_signals


@contextmanager
def served(security: str = "none", **options: Any) -> Iterator[str]:
    """A meter; yields HOST:PORT."""
    with serve_in_thread(HouseholdMeter(7, security=security, profile_days=1), **options) as server:
        yield f"127.0.0.1:{server.port}"


def station() -> HdlcSecondaryLink:
    return HdlcSecondaryLink(1007, sizes=(4,))


def scan(*arguments: str) -> int:
    return main(["scan", *arguments, "--quick", "--patience", "0.4"])


def test_it_prints_the_url_that_works_and_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    with served("lls", link=station) as place:
        assert scan(place, "--serial-number", "7", "--clients", "16,2") == 0
        lines = capsys.readouterr().out.splitlines()
        url = f"hdlc+tcp://{place}?client=16&server=1&station=1007"
        assert lines[0] == f"open       {url}  (CSM0000000000007)"
        assert lines[2] == f"protected  {url.replace('client=16', 'client=2')}"
        assert lines[3].startswith("           found, but it wants a password or keys: add --security; ")
        assert lines[-1] == f'Next: cosemic objects "{url}"'
        assert main(shlex.split(lines[-1].removeprefix("Next: "))[1:]) == 0
    assert "Clock" in capsys.readouterr().out


def test_where_everything_is_protected_the_next_command_has_security(capsys: pytest.CaptureFixture[str]) -> None:
    with served("hls-gmac") as place:
        assert scan(place, "--clients", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith('client=1&server=1" --security meter.toml')


def test_json_has_all_that_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    with served("lls") as place:
        assert scan(place, "--clients", "0x10,2,5", "--json") == 0
    streams = capsys.readouterr()
    found = json.loads(streams.out)
    assert (found["place"], found["complete"], found["hints"]) == (place, True, [])
    assert found["url"] == f"tcp://{place}?client=16&server=1"
    assert [(one["verdict"], one["client"], one["answer"]) for one in found["findings"]] == [
        ("open", 16, "AARE accepted"),
        ("protected", 2, "AARE refused"),
    ]
    assert found["findings"][0]["name"] == "CSM0000000000007"
    assert streams.err.splitlines()[0].startswith(f"scanning {place}, ")


def test_nothing_found_is_exit_code_1_and_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert scan(f"127.0.0.1:{port}") == 1
    streams = capsys.readouterr()
    assert "refused the connection" in streams.out
    assert "no meter was found" in streams.err.splitlines()[-1]
    assert "--thorough" in streams.err.splitlines()[-1]
    assert "see that host and port are right" in streams.err.splitlines()[-1]  # power and wiring come later


@pytest.mark.slow
def test_the_trace_shows_and_keeps_every_octet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scan.pcap"
    with served(link=station) as place:
        assert scan(place, "--serial-number", "7", "--clients", "16", "--trace", "-") == 0
        shown = capsys.readouterr().err
        assert scan(place, "--serial-number", "7", "--clients", "16", "--trace", str(path)) == 0
    assert "-> medium     9  7ea0070321930f017e" in shown  # SNRM, reference transports 3.1
    assert "AARQ" in shown
    assert struct.unpack("<I", path.read_bytes()[:4]) == (0xA1B2C3D4,)
    assert bytes.fromhex("7ea0070321930f017e") in path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tcp://10.0.0.7"], "no URL"),
        (["hdlc:///dev/ttyUSB0"], "the place alone"),
        (["10.0.0.7/x"], "no place to scan"),
        (["10.0.0.7:4059", "--ports", "4001"], "10.0.0.7:4059 says which one it is"),
        (["/dev/ttyUSB0", "--ports", "4001"], "ports are for a host alone"),
        (["10.0.0.7:0"], "names no port"),
        (["10.0.0.7", "--clients", "x"], "no list of numbers"),
        (["10.0.0.7", "--clients", "0"], "1 to 65535"),
        (["10.0.0.7", "--ports", "70000"], "1 to 65535"),
        (["10.0.0.7", "--serial-number", "A7"], "serial number"),
        (["10.0.0.7", "--patience", "0"], "above 0 s"),
        (["10.0.0.7", "--quick", "--thorough"], "not allowed with"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_sent(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scan", *arguments]) == 2
    streams = capsys.readouterr()
    assert words in streams.err
    assert streams.out == ""


def test_a_port_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "/dev/no-such-port"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("cosemic: there is no port /dev/no-such-port")


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--help"]) == 0
    text = capsys.readouterr().out
    commands = [line for line in text.splitlines() if line.startswith("  cosemic scan")]
    assert len(commands) >= 5
    for command in commands:
        assert parser().parse_args(shlex.split(command)[1:])
    assert "exit codes: 0" in text
    assert "No password and no key is tried" in text


@needs_signals
@pytest.mark.slow
def test_what_was_found_is_shown_when_it_is_interrupted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-c", COMMAND, "scan", f"127.0.0.1:{silent.getsockname()[1]}", "--json"]
        environment = os.environ | {"COSEMIC_STATE": str(tmp_path)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                assert process.stderr is not None
                assert process.stderr.readline().startswith("scanning ")
                silent.accept()[0].close()  # the first call is on its way, or has been closed
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=10)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
    assert process.returncode == 1
    found = json.loads(out)
    assert (found["complete"], found["url"], found["findings"]) == (False, None, [])
