"""``cosemic simulate`` as a user starts it, and what it prints."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main, parser
from cosemic.cli.simulate import _settings
from cosemic.errors import ConfigurationError
from cosemic.simulator import FaultOrder, FleetSettings, MeterLink, NoAnswer, Slow, firmware_image, load_fleet
from cosemic.stack import parse_url
from cosemic.transport.blocking import BlockingTcpConnection

ROOT = Path(__file__).parents[2]
COMMAND = """
import signal, sys
from cosemic.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main(sys.argv[1:]))
"""
needs_signals = pytest.mark.skipif(os.name != "posix", reason="it is ended by a signal")


@contextmanager
def started(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own."""
    command = [sys.executable, "-c", COMMAND, "simulate", *arguments]
    environment = os.environ | {"COSEMIC_STATE": str(folder / "state")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def printed_json(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    lines = ""
    while not lines.endswith("\n]\n"):
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        lines += line
    return json.loads(lines)


def printed_text(process: subprocess.Popen[str], last: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or last not in lines[-1]:
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        lines.append(line.rstrip("\n"))
    return lines


def ended(process: subprocess.Popen[str], by: signal.Signals) -> str:
    process.send_signal(by)
    assert process.wait(10) == 0
    assert process.stderr is not None
    return process.stderr.read()


def settings_of(*arguments: str) -> FleetSettings:
    return _settings(parser().parse_args(["simulate", *arguments]))


# ---- as it runs ------------------------------------------------------------------------------------------------------


@needs_signals
@pytest.mark.slow
def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    with started(
        "--meters", "2", "--port", "0", "--security", "mixed", "--keys", str(tmp_path), "--json", folder=tmp_path
    ) as process:
        found = printed_json(process)
        assert [one["security"] for one in found] == ["none", "lls"]
        for one in found:
            path = Path(one["settings"])
            values = tomllib.loads(path.read_text())
            address = parse_url(one["url"])
            assert path.stem.endswith(f"-{one['security']}-{address.port}")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert address.client_sap == values["client_sap"]
            BlockingTcpConnection(address.host, address.port, timeout=5).close()
        assert ended(process, signal.SIGINT).startswith("\nstopped: ")


@needs_signals
@pytest.mark.slow
def test_what_it_says_to_try_works_and_sigterm_ends_it_with_its_state_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("--port", "0", "--security", "hls-gmac", "--keys", ".", "--state", "meter.sqlite")
    with started(*arguments, folder=tmp_path) as process:
        lines = printed_text(process, "breaker")
        commands = [shlex.split(line)[1:] for line in lines if line.startswith("  cosemic ")]
        assert [words[0] for words in commands] == ["read", "clock", "breaker"]
        assert [main(words) for words in commands] == [0, 0, 0]
        assert ended(process, signal.SIGTERM) == (
            "stopped: the simulated meters are gone, their settings files stay, and their state in meter.sqlite\n"
        )
    assert "the supply is disconnected" in capsys.readouterr().out
    with started(*arguments, folder=tmp_path) as process:
        url, settings = printed_text(process, "breaker")[1].split()[::2]
        assert main(["breaker", url, "--security", settings]) == 0
        assert ended(process, signal.SIGTERM)
    assert "the supply is disconnected" in capsys.readouterr().out


@needs_signals
@pytest.mark.slow
def test_a_client_that_remembers_counters_goes_on_with_the_meter_of_a_later_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    image = tmp_path / "new.img"
    image.write_bytes(firmware_image("2.0.0"))
    arguments = ("--port", "0", "--security", "hls-gmac")
    for update in (True, False, True):
        with started(*arguments, folder=tmp_path) as process:
            url, settings = printed_text(process, "breaker")[1].split()[::2]
            if update:  # hundreds of requests: more than counters run ahead by themselves
                words = ["firmware", url, "--update", str(image), "--identifier", "2.0.0", "--security", settings]
                assert main(words) == 0, capsys.readouterr()
            assert main(["read", url, "1-0:1.8.0", "--security", settings]) == 0, capsys.readouterr()
            assert ended(process, signal.SIGTERM)
    assert (tmp_path / "state" / "simulator" / "counters").exists()


def test_counters_that_cannot_be_kept_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file where a folder is wanted")
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "state"))
    assert main(["simulate", "--port", "0"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cosemic: invocation counters cannot be kept in ")
    assert error.count("\n") == 1


@needs_signals
@pytest.mark.slow
def test_a_file_is_served_with_faults_from_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "meter.toml").write_text('keys = "k"\nport = 0\n[meter]\nserial = 7\n', "utf-8")
    with started("meter.toml", "--fault", "reset:after=1", "--json", folder=tmp_path) as process:
        ((url, settings),) = [(one["url"], one["settings"]) for one in printed_json(process)]
        assert (tmp_path / settings).parent.name == "k"
        assert main(["read", url, "1-0:1.8.0"]) == 1
        assert "broke" in capsys.readouterr().err
        ended(process, signal.SIGTERM)


@needs_signals
@pytest.mark.slow
def test_of_a_large_fleet_the_first_are_listed(tmp_path: Path) -> None:
    with started("--meters", "25", "--port", "0", "--security", "lls", folder=tmp_path) as process:
        lines = printed_text(process, "cosemic read")
        assert sum(line.startswith("tcp://") for line in lines) == 20
        (rest,) = [line for line in lines if line.startswith("... and 5 more, up to tcp://")]
        assert parse_url(rest.rpartition(" ")[2]).client_sap == 2
        names = sorted(path.name for path in (tmp_path / "state" / "simulator").glob("meter-*.toml"))
        assert [int(name.split("-")[1]) for name in names] == list(range(1_000_001, 1_000_026)), names
        ended(process, signal.SIGTERM)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["simulate", "--port", port, "--keys", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cosemic: cannot listen on 127.0.0.1, port")
    assert error.count("\n") == 1


# ---- what it takes ---------------------------------------------------------------------------------------------------


def test_the_suite_is_an_argument_and_that_of_signatures_is_1_unless_said() -> None:
    for words, suite in (
        (("--security", "hls-gmac"), 0),
        (("--security", "hls-gmac", "--suite", "2"), 2),
        (("--security", "hls-ecdsa"), 1),
        (("--security", "hls-ecdsa", "--suite", "2"), 2),
    ):
        (plan,) = settings_of(*words).plans
        assert (plan.security, plan.suite, plan.protection().suite) == (words[1], suite, suite)
    (plan,) = settings_of("--security", "hls-ecdsa", "--suite", "0").plans
    with pytest.raises(ConfigurationError, match="suite 1 or 2"):
        plan.protection()


def test_arguments_make_a_fleet() -> None:
    settings = settings_of(
        "--meters", "4", "--security", "mixed", "--customer", "mixed", "--zone", "Europe/Berlin", "--seed", "3",
        "--speed", "60", "--start", "2026-03-01T00:00+01:00", "--host", "::1", "--port", "7000", "--state", "s",
        "--fault", "no-answer@10%", "--fault", "slow:delay=2", "--keys", "k",
    )  # fmt: skip
    assert [plan.security for plan in settings.plans] == ["none", "lls", "hls-gmac", "none"]
    assert [plan.customer for plan in settings.plans] == ["household", "shop", "solar", "household"]
    assert {(plan.seed, str(plan.zone)) for plan in settings.plans} == {(3, "Europe/Berlin")}
    assert (settings.seed, settings.host, settings.port, settings.speed) == (3, "::1", 7000, 60)
    assert (settings.state, settings.keys) == (Path("s"), Path("k"))
    assert settings.start is not None
    assert settings.start.isoformat() == "2026-03-01T00:00:00+01:00"
    assert settings.faults == (FaultOrder(NoAnswer(), 0.1), FaultOrder(Slow(delay=2.0)))


def test_without_arguments_it_is_one_meter_on_the_usual_port() -> None:
    settings = settings_of()
    assert (len(settings.plans), settings.port, settings.host) == (1, 4059, "127.0.0.1")
    assert (settings.plans[0].security, settings.plans[0].customer) == ("none", None)


def test_arguments_say_how_the_meters_are_reached() -> None:
    assert settings_of().plans[0].link == MeterLink()
    assert settings_of("--udp").plans[0].link == MeterLink(udp=True)
    assert settings_of("--link", "hdlc", "--station", "serial").plans[0].link == MeterLink(
        link="hdlc", station="serial"
    )
    settings = settings_of("--link", "mbus", "--station", "7", "--serial", "/dev/ttyS9")
    assert (settings.plans[0].link, settings.serial) == (MeterLink(link="mbus", station=7), "/dev/ttyS9")
    (site,) = settings.fleet().sites
    assert site.url(16) == "mbus:///dev/ttyS9?client=16&server=1&station=7"


def test_what_goes_with_a_file_holds_in_its_place() -> None:
    file = str(ROOT / "examples" / "fleet.toml")
    settings = settings_of(file, "--port", "0", "--state", "other.sqlite", "--fault", "slow")
    assert settings.plans[0] == load_fleet(file).plans[0]
    assert (settings.port, settings.state) == (0, Path("other.sqlite"))
    assert settings.faults == (*load_fleet(file).faults, FaultOrder(Slow()))
    assert settings.keys == ROOT / "examples" / "fleet.keys"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["FILE", "--meters", "3", "--speed", "2"], "--meters, --speed: "),
        (["nowhere.toml"], "nowhere.toml cannot be read"),
        (["--meters", "0"], "1 meter or more"),
        (["--zone", "Atlantis"], "'Atlantis' is no time zone"),
        (["--start", "tomorrow"], "'tomorrow' is no time"),
        (["--start", "2026-03-01"], "offset from UTC"),
        (["--speed", "-1"], "speed of 0 or more"),
        (["--fault", "slw"], "is slow meant"),
        (["--port", "65536"], "beyond port 65535"),
        (["FILE", "--link", "hdlc", "--udp"], "--link, --udp: "),
        (["--serial", "/dev/ttyS9"], "name the link"),
        (["--serial", "/dev/ttyS9", "--link", "hdlc", "--meters", "2"], "one fits there"),
        (["--serial", "/dev/no-such-port", "--link", "hdlc"], "no-such-port"),
        (["--link", "hdlc", "--udp"], "UDP carries the wrapper only"),
        (["--link", "hdlc", "--serial", "/dev/ttyS9", "--port", "4001"], "no --port and no --host"),
        (["--link", "hdlc", "--serial", "/dev/ttyS9", "--host", "::1"], "no --port and no --host"),
        (["--link", "hdlc", "--station", "0x11"], "a station is a decimal number or 'serial', not '0x11'"),
        (["--push", "localhost:4060:1"], "pushes to host:port"),
        (["--state", "no/such/folder"], "no/such/folder"),
        (["--make-image", "no/such/folder"], "the image cannot be written"),
        (["--make-image", "x", "--image-version", "2 0"], "no spaces"),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(ROOT / "examples" / "meter.toml") if one == "FILE" else one for one in arguments]
    assert main(["simulate", *given]) in (1, 2)
    streams = capsys.readouterr()
    assert words in streams.err
    assert streams.err.startswith("cosemic: ")
    assert streams.err.count("\n") == 1
    assert streams.out == ""


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--help"]) == 0
    text = capsys.readouterr().out
    commands = [line for line in text.splitlines() if line.startswith("  cosemic simulate")]
    assert len(commands) >= 6
    for command in commands:
        assert parser().parse_args(shlex.split(command)[1:])
    assert "exit codes: 0" in text
    assert "counter-jump" in text


# ---- images ----------------------------------------------------------------------------------------------------------


def test_an_image_is_written_and_what_to_do_with_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "firmware.bin"
    assert main(["simulate", "--make-image", str(path), "--image-version", "4.2"]) == 0
    assert path.read_bytes() == firmware_image("4.2")
    (command,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  cosemic firmware")]
    found = parser().parse_args(shlex.split(command)[1:])
    assert (found.update, found.identifier) == (str(path), "4.2")
    assert main(["simulate", "--make-image", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "octets": 20_000, "version": "2.0.0"}
