"""docs/a-meters-life.md: a meter from the factory on, over TCP; each block does, and prints, what it says."""

from __future__ import annotations

import doctest
import io
import os
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from cosemic.security.key_keeper import KeyState
from tests.cli.pages import BLOCK, DOCS, Place
from tests.server.security_support import keys_of

PAGE = "a-meters-life.md"


class Reading:
    """Who reads the page, and does what it says: files, a shell, and one session of Python."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.place = Place.at(folder)
        self.session: dict[str, Any] = {"__name__": "__main__"}
        self._environment = environment
        self._printed = ""
        environment.chdir(folder)
        for name in [name for name in os.environ if name.startswith("COSEMIC_")]:
            environment.delenv(name)
        environment.setenv("COSEMIC_STATE", str(folder / "state"))

    def follow(self, kind: str, text: str, line: int) -> None:
        """Do what one block says. line: its number on the page."""
        match kind:
            case "toml":
                name = text.split("\n", 1)[0].removeprefix("# ")
                (self.place.folder / name).write_text(text, encoding="utf-8")
            case "shell":
                self._printed = "".join(map(self._run, text.splitlines()))
            case "python":
                # The lines of the page are those of a traceback.
                code = compile("\n" * line + text, PAGE, "exec")
                with redirect_stdout(io.StringIO()) as printed:
                    exec(code, self.session)
                self._printed = printed.getvalue()
            case "text":
                fits = doctest.OutputChecker().check_output(text, self._printed, doctest.ELLIPSIS)
                assert fits, f"{PAGE}, line {line}, says\n{text}\nand this was printed:\n{self._printed}"
            case _:
                raise AssertionError(f"{PAGE}, line {line}: a block of {kind}")

    def _run(self, command: str) -> str:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            value = value.strip('"')
            self.place.environment[name] = value
            self._environment.setenv(name, value)
            return ""
        return self.place.run("sh", "-c", command)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_a_meters_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    reading = Reading(tmp_path, monkeypatch)
    session = reading.session
    blocks = list(BLOCK.finditer(page))
    *blocks, last = blocks
    try:
        for block in blocks:
            reading.follow(block[1], block[2], page[: block.start()].count("\n") + 1)
        kept = session["keeper"].keys(KeyState.CURRENT)
        assert {key_id: key.reveal() for key_id, key in kept.items()}.items() <= keys_of(session["device"]).items()
        assert not session["keeper"].keys(KeyState.PENDING)
        reading.follow(last[1], last[2], page[: last.start()].count("\n") + 1)
    finally:
        session.get("running", ExitStack()).close()
