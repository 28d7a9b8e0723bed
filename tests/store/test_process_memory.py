"""Processes that hold keys leave no core file and are not dumpable, where the system allows it."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cosemic import cli
from cosemic.store import process_memory
from cosemic.store.process_memory import VARIABLE, protect_memory

posix = pytest.mark.skipif(os.name != "posix", reason="core files are limited on POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")
TELL = """
import ctypes, json, os, resource, sys
dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == "linux" else None
told = {"core": resource.getrlimit(resource.RLIMIT_CORE), "dumpable": dumpable}
"""
PROTECTED = "from cosemic.store import protect_memory\ndone = protect_memory()\n" + TELL + "told['done'] = done\n"
STRANGER = """
import ctypes, json, os, resource, subprocess, sys
from cosemic.store import protect_memory

if os.geteuid() == 0:  # who may read everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)

def read_by_another_process():
    owner = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            with open(f"/proc/{owner}/environ", "rb") as file:
                file.read()
        except PermissionError:
            os._exit(7)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

told = {"before": read_by_another_process()}
protect_memory()
told["after"] = read_by_another_process()
told["child"] = subprocess.run(["/bin/sh", "-c", "echo works"], stdout=subprocess.PIPE).stdout.decode()
assert os.listdir("/proc/self/fd")
"""
COMMAND = """
from cosemic.cli import main
code = main(%s)
""" + TELL  # fmt: skip


COMMANDS = sorted(module.name for module in pkgutil.iter_modules(cli.__path__) if not module.name.startswith("_"))


def in_child(code: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run code in a fresh process, and return what it tells of itself at the end."""
    done = subprocess.run(
        [sys.executable, "-c", code + "\nprint(json.dumps(told), flush=True)", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


@posix
@pytest.mark.slow
def test_a_process_that_asks_for_it_leaves_no_core_file_and_is_not_dumpable() -> None:
    told = in_child(PROTECTED)
    assert told["core"] == [0, 0]
    assert "no core files" in told["done"]
    if sys.platform == "linux":
        assert told["done"] == ["no core files", "not dumpable"]
        assert told["dumpable"] == 0


@posix
@pytest.mark.slow
def test_debuggers_can_have_their_process() -> None:
    told, plain = in_child(PROTECTED, **{VARIABLE: "1"}), in_child(TELL)
    assert told.pop("done") == []
    assert told == plain
    assert sys.platform != "linux" or told["dumpable"] == 1


@linux
@pytest.mark.slow
def test_its_environment_cannot_be_read_by_the_same_user_and_it_can_still_work() -> None:
    told = in_child(STRANGER)
    assert told == {"before": 0, "after": 7, "child": "works\n"}


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "dumpable"),
    [
        (["decode", "C401C1001105"], 0),
        (["keys", "show", "/nowhere"], 0),
        (["read", "nowhere", "1-0:1.8.0"], 0),
        (["simulate", "/nowhere.toml"], 0),
        (["obis", "1-0:1.8.0"], 1),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_commands_that_can_hold_keys_are_not_dumpable(arguments: list[str], dumpable: int) -> None:
    told = in_child(COMMAND % "", *arguments)
    assert told["dumpable"] == dumpable
    assert dumpable or told["core"] == [0, 0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_can_hold_keys_is_protected_before_it_runs(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sys, "argv", ["cosemic", command])
    monkeypatch.setattr(process_memory, "protect_memory", lambda: done.append("protected"))
    ran = SimpleNamespace(run=lambda arguments: done.append("ran") or 0)
    monkeypatch.setattr(cli, "parser", lambda name: SimpleNamespace(parse_args=lambda words: ran))
    assert cli.main() == 0
    assert done == (["ran"] if command in ("completion", "obis") else ["protected", "ran"])


@linux
@pytest.mark.slow
def test_a_program_that_calls_a_command_keeps_its_own_ways() -> None:
    assert in_child(COMMAND % "['decode', 'C401C1001105']")["dumpable"] == 1


@linux
@pytest.mark.slow
def test_the_process_of_simulated_meters_is_not_dumpable(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cosemic.cli._fleet_process", "1", "1", "1", str(tmp_path / "counters")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        # What is not dumpable belongs to root, and says so in the owner of its folder; a root test sees limits.
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        child.stdin.close()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_a_system_that_refuses_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("ctypes.CDLL", refuse)
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert protect_memory({}) == ()


def test_another_system_than_linux_is_asked_for_core_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "setrlimit", lambda *limits: asked.append(limits))
    monkeypatch.setattr(process_memory.sys, "platform", "darwin")
    assert protect_memory({VARIABLE: "0"}) == ("no core files",)
    assert asked == [(resource.RLIMIT_CORE, (0, 0))]
    assert protect_memory({VARIABLE: "1"}) == ()
