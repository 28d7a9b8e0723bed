"""docs/ways-to-a-meter.md: every command is one, every URL can be read, and every line of Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cosemic.cli import parser
from cosemic.stack import parse_url

PAGE = (Path(__file__).parents[2] / "docs" / "ways-to-a-meter.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^cosemic (.*)$", PAGE, re.MULTILINE)
URLS = re.findall(r"^\| `(\S+)` \|", PAGE, re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command: str) -> None:
    arguments = parser().parse_args(shlex.split(command))
    if "://" in getattr(arguments, "url", ""):
        assert parse_url(arguments.url)


@pytest.mark.parametrize("url", URLS)
def test_every_url_of_the_table_can_be_read(url: str) -> None:
    assert parse_url(url).scheme == url.partition(":")[0]


@pytest.mark.parametrize("block", PYTHON)
def test_every_block_of_python_runs(block: str) -> None:
    exec(compile(block, "ways-to-a-meter.md", "exec"), {})


def test_the_page_has_them() -> None:
    assert (len(COMMANDS) >= 10, len(URLS) >= 9, len(PYTHON) >= 3) == (True, True, True)
