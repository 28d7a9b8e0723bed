"""Pages of docs/ as they are used: a folder, a simulated meter in a terminal of its own, and block after block."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Place:
    """A folder and an environment, as a newcomer has them."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def at(cls, folder: Path) -> Place:
        scripts = Path(sys.executable).parent
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COSEMIC_")}
        environment |= {
            "PATH": f"{scripts}{os.pathsep}{environment['PATH']}",
            "COSEMIC_STATE": str(folder / "state"),
            "COSEMIC_METERS": "meters.toml",
            "PYTHONIOENCODING": "utf-8",
        }
        return cls(folder, environment)

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

    def follow(self, page: str) -> list[str]:
        """Do what the blocks of a page say; return what each command and each program printed."""
        printed: list[str] = []
        for kind, text in BLOCK.findall(page):
            match kind:
                case "toml":
                    (self.folder / "meters.toml").write_text(text, encoding="utf-8")
                case "shell":
                    lines = (line for line in text.splitlines() if not line.startswith("export"))
                    printed += [self.run("sh", "-c", line) for line in lines]
                case "python":
                    printed.append(self.run(sys.executable, "-c", text))
        return printed

    @contextmanager
    def terminal(self, page: str) -> Iterator[None]:
        """Have the command of the page run that wants a terminal of its own; it ends by Ctrl-C."""
        (command,) = (text.strip() for kind, text in BLOCK.findall(page) if kind == "terminal")
        running = subprocess.Popen(
            command.split(), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        try:
            assert running.stdout.readline()  # it says where it listens once it does
            yield
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=20)
        assert running.returncode == 0


def page_with_free_ports(name: str, *ports: str) -> str:
    """Return a page with ports that are free in place of these."""
    text = (DOCS / name).read_text(encoding="utf-8")
    sockets = [socket.socket() for _ in ports]
    for port, free in zip(ports, sockets, strict=True):
        free.bind(("127.0.0.1", 0))
        text = text.replace(port, str(free.getsockname()[1]))
    for free in sockets:
        free.close()
    return text
