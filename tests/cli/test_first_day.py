"""docs/first-day.md: every command and every line of Python on it does what it says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-day.md").read_text(encoding="utf-8")
PORT = "4059"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Place:
    """A folder and an environment, as a newcomer has them."""

    folder: Path
    environment: dict[str, str]

    def run(self, *words: str) -> str:
        """Run a command; return what it printed."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    scripts = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COSEMIC_")}
    environment |= {
        "PATH": f"{scripts}{os.pathsep}{environment['PATH']}",
        "COSEMIC_STATE": str(tmp_path / "state"),
        "COSEMIC_METERS": "meters.toml",
        "PYTHONIOENCODING": "utf-8",
    }
    return Place(tmp_path, environment)


@pytest.fixture
def page() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return PAGE.replace(PORT, str(free.getsockname()[1]))


@pytest.fixture
def meter(place: Place, page: str) -> Iterator[None]:
    (command,) = (text.strip() for kind, text in BLOCK.findall(page) if kind == "terminal")
    running = subprocess.Popen(
        command.split(), cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline()  # it says where it listens once it does
    yield
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=20)
    assert running.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
@pytest.mark.usefixtures("meter")
def test_the_page_is_right_from_top_to_bottom(place: Place, page: str) -> None:
    pytest.importorskip("polars")
    printed: list[str] = []
    for kind, text in BLOCK.findall(page):
        match kind:
            case "toml":
                (place.folder / "meters.toml").write_text(text, encoding="utf-8")
            case "shell":
                printed += [place.run("sh", "-c", line) for line in text.splitlines() if not line.startswith("export")]
            case "python":
                printed.append(place.run(sys.executable, "-c", text))
    told = "\n".join(printed)
    assert re.search(r"1-0:1\.8\.0\s+Active energy import.*kWh", told)
    assert re.search(r"\n(92|96|100) intervals, missing: \(\)|\n(92|96|100) intervals, missing: \[\]", told)
    assert re.search(r"the clock was (shifted|set)", told)
    interrupted = re.search(r"interrupted: (\d+) blocks", told)
    resumed = re.search(r"resumed_at\s+(\d+)", told)
    assert interrupted is not None
    assert resumed is not None
    assert int(resumed[1]) == int(interrupted[1]) > 0
    assert "2.0" in printed[next(n for n, one in enumerate(printed) if "resumed_at" in one) + 1]
    assert told.count("the supply is disconnected") >= 2
    assert "ready for reconnection" in told
    assert "the supply is connected" in told
    assert (place.folder / "talk.pcap").stat().st_size > 500
    assert re.search(r"\d+ entries in the event log", told)
