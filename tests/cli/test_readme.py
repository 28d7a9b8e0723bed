"""What README.md shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cosemic.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(code: str, folder: Path) -> str:
    environment = os.environ | {"COSEMIC_STATE": str(folder), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_examples_are_those_of_the_readme_and_of_ten_lines() -> None:
    for name, block in zip(("read_asyncio.py", "read_blocking.py"), blocks("python"), strict=True):
        assert (ROOT / "examples" / name).read_text(encoding="utf-8") == block
        assert len([line for line in block.splitlines() if line.strip()]) <= 11


@pytest.mark.slow
def test_the_asyncio_example_reads_the_energy_and_the_last_hour(tmp_path: Path) -> None:
    energy, *rows = run(blocks("python")[0], tmp_path).splitlines()
    assert re.fullmatch(r"\d+ Wh", energy)
    assert 3 <= len(rows) <= 4
    assert all(re.fullmatch(r"\S+ \d\d:\d\d:00\+00:00 0 \d+ Wh \d+ Wh", row) for row in rows)


@pytest.mark.slow
def test_the_blocking_example_lists_objects_and_reads_the_energy(tmp_path: Path) -> None:
    *objects, energy = run(blocks("python")[1], tmp_path).splitlines()
    assert "1-0:99.1.0*255 Load profile with recording period 1" in objects
    assert re.fullmatch(r"\d+\.\d{3} kWh", energy)


def test_what_decode_is_said_to_print_is_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("console")
    command, expected = block.split("\n", 1)
    words = shlex.split(command)
    assert words[:2] == ["$", "cosemic"]
    assert main(words[2:]) == 0
    assert capsys.readouterr().out.strip() == expected.strip()


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    from cosemic.store.security_settings import load_security

    (block,) = blocks("toml")
    file = tmp_path / "meter.toml"
    file.write_text(block, encoding="utf-8")
    assert load_security(file).client.ciphered
    assert (Path(os.environ["COSEMIC_STATE"]) / "counters").exists()


def test_every_command_shown_is_one_and_takes_the_arguments_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from cosemic.cli import parser

    commands = [line for line in README.splitlines() if line.startswith("cosemic ")]
    assert len(commands) == 6
    for command in commands:
        assert parser().parse_args(shlex.split(command)[1:])


def test_every_file_that_is_linked_is_there() -> None:
    assert all((ROOT / name).is_file() for name in re.findall(r"\]\(([^)]+)\)", README))
