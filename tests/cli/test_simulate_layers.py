"""``cosemic simulate`` with layers, third parties and a key store: what it prints works as it stands."""

from __future__ import annotations

import shlex
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest

from cosemic.cli import main
from cosemic.errors import ConfigurationError
from tests.cli.test_simulate import ended, needs_signals, printed_json, printed_text, settings_of, started


def tried(process: subprocess.Popen[str], last: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run each command that is printed; return them."""
    commands = [line.strip() for line in printed_text(process, last) if line.startswith("  cosemic ")]
    for command in commands:
        words = shlex.split(command)[1:]
        assert main(words) == 0, (command, capsys.readouterr())
    return commands


@needs_signals
@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--security", "hls-ecdsa", "--layers", "sign+cipher:one-pass", "--third-party"),
        ("--security", "hls-gmac", "--suite", "2", "--third-party"),
    ],
    ids=["layers", "suite 2"],
)
def test_the_commands_that_are_printed_work(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "client"))
    with started("--port", "0", *arguments, folder=tmp_path) as process:
        commands = tried(process, "--third-party", capsys)
        assert commands[-1].count("third-party-1000001-") == 1
        ended(process, signal.SIGTERM)


@needs_signals
@pytest.mark.slow
def test_keys_in_a_key_store_are_changed_by_the_command_that_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / "client"))
    monkeypatch.setenv("COSEMIC_KEY_STORE_KEY_FILE", str(tmp_path / "unlock.key"))
    assert main(["keys", "store", "init", str(tmp_path / "meters.keys")]) == 0
    words = ("--port", "0", "--security", "hls-gmac", "--suite", "1", "--key-store", "meters.keys")
    kept = ("--state", "m.sqlite")
    runs: tuple[tuple[str, tuple[str, ...]], ...]
    runs = (("first", ()), ("again", ()), ("new state", kept), ("old state", kept))
    for run, state in runs:  # all but the last time the meters have the keys of their seed again
        # who remembers the counters of the seed's keys takes no new state
        monkeypatch.setenv("COSEMIC_STATE", str(tmp_path / ("another client" if state else "client")))
        with started(*words, *state, folder=tmp_path) as process:
            commands = tried(process, "keys change", capsys)
            change = shlex.split(commands[-1])[1:]
            assert main([*change, "--agree", "--json"]) == 0, run
            assert main(shlex.split(commands[0])[1:]) == 0
            ended(process, signal.SIGTERM)
    capsys.readouterr()
    other = ("--seed", "5", "--state", str(tmp_path / "m.sqlite"))
    assert main(["simulate", *words[:-2], *other]) == 1
    assert "it was started with other keys" in capsys.readouterr().err
    assert main(["keys", "store", "show", str(tmp_path / "meters.keys"), "CSM0000001000001"]) == 0
    assert "kek" in capsys.readouterr().out


@needs_signals
@pytest.mark.slow
def test_a_fleet_file_names_layers_and_third_parties(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(
        'port = 0\nkeys = "k"\n[[meters]]\ncount = 2\nsecurity = "hls-gmac"\nsuite = 1\nlayers = "cipher:static"\n'
        "third_party = true\n"
    )
    with started("fleet.toml", "--json", folder=tmp_path) as process:
        found = printed_json(process)
        assert len({one["third_party"] for one in found}) == 2
        for one in found:
            settings = tomllib.loads((tmp_path / one["settings"]).read_text())
            third = tomllib.loads((tmp_path / one["third_party"]).read_text())
            assert settings["layers"] == "cipher:static"
            assert settings["brokers_for"] == [third["system_title"]]
            assert settings["server_title"] == third["server_title"]
        ended(process, signal.SIGTERM)


def test_the_arguments_are_those_of_a_file() -> None:
    (plan,) = settings_of("--security", "hls-ecdsa", "--layers", "sign", "--third-party").plans
    assert (plan.layers, plan.third_party, plan.suite) == ("sign", True, 1)
    (plain,) = settings_of().plans
    assert (plain.layers, plain.third_party) == (None, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--security", "hls-gmac", "--layers", "sign"), "suite 0 has no signatures"),
        (("--third-party",), "suite 1 or 2"),
        (("--layers", "cipher"), "hls-gmac or hls-ecdsa"),
        (("--security", "hls-gmac", "--key-store", "nowhere.keys"), "there is no key store nowhere.keys"),
    ],
)
def test_what_cannot_be_simulated_is_said(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "--port", "0", "--keys", str(tmp_path), *words]) == 2
    assert says in capsys.readouterr().err


def test_a_file_says_its_layers_itself(tmp_path: Path) -> None:
    (tmp_path / "meter.toml").write_text("[meter]\n")
    with pytest.raises(ConfigurationError, match="--third-party"):
        settings_of(str(tmp_path / "meter.toml"), "--third-party")
