"""Start the program of each peer, and make results of its lines; see :mod:`interop.secure`."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from queue import Empty, Queue
from typing import Final

from interop import jvm
from interop.matrix import Result
from interop.peers import distribution
from interop.secure.outcomes import read

NAME: Final = "secure"
"""In front of each case; ``secure-pydlms`` and so on choose the cases with one peer."""
SECONDS: Final = 60
"""A program has so long for its next line: Java is built and started meanwhile."""


@dataclass(frozen=True)
class Program:
    """All cases with one peer."""

    peer: str
    version: str
    name: str


PROGRAMS: Final = (
    Program("pydlms-client", distribution("pydlms-client"), "pydlms"),
    Program("gurux-dlms", distribution("gurux-dlms"), "gurux"),
    Program("gurux.dlms.java", jvm.version("gurux.dlms"), "java"),
)


def chosen(patterns: Sequence[str]) -> list[Program]:
    """Those whose cases are among the ways to try."""
    return [one for one in PROGRAMS if any(fnmatch(f"{NAME}-{one.name}", each) or each == NAME for each in patterns)]


def _lines(process: subprocess.Popen[str], lines: Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _run(program: Program) -> Iterator[Result]:
    command = [sys.executable, "-m", "interop.secure.worker", program.name]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines: Queue[str | None] = Queue()
    said: list[str] = []
    assert process.stderr is not None
    threading.Thread(target=_lines, args=(process, lines), daemon=True).start()
    threading.Thread(target=said.extend, args=(process.stderr,), daemon=True).start()
    why = ""
    try:
        while (line := lines.get(timeout=SECONDS)) is not None:
            if line.startswith("{"):
                one = read(line)
                case = f"{NAME} {one.case}"
                yield Result(program.peer, program.version, one.role, case, one.passed, one.why, differs=one.differs)
    except Empty:
        why = f"nothing came for {SECONDS} s"
    finally:
        process.kill()
        process.wait()
    if not why and process.returncode not in (0, -9):
        why = f"the program ended with {process.returncode}: {said[-1].strip()[:160] if said else ''}"
    if why:
        yield Result(program.peer, program.version, "both", f"{NAME} all that comes after", False, why)


def results(patterns: Sequence[str]) -> Iterator[Result]:
    """Of those peers that are chosen, one after the other."""
    for program in chosen(patterns):
        yield from _run(program)
