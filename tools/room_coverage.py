"""Print branch coverage room by room, and fail when a room of the core is below the floor.

    python tools/room_coverage.py build/coverage.json

Reads the JSON report of coverage.py. A room is a folder, or a module, directly below ``cosemic/``. Coverage is that of
coverage.py itself: executed lines and taken branches of all lines and branches. For a core room below the floor each
module that falls short is named with the lines that no test reached.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

CORE = ("values", "codec", "apdu", "model", "security", "association", "link", "client", "server")
FLOOR = 95.0


@dataclass(frozen=True)
class Module:
    """One source file: its name below ``cosemic/``, what could be reached, what was, and the lines that were not."""

    name: str
    reachable: int
    reached: int
    missing: tuple[int, ...]

    @property
    def room(self) -> str:
        """The folder directly below ``cosemic/``, or the module that stands there itself."""
        return self.name.split("/")[0].removesuffix(".py")


def modules(report: dict[str, Any]) -> list[Module]:
    """Return the modules of a coverage report (its JSON format 3); lines and branches count alike."""
    found = []
    for path, entry in report["files"].items():
        _, within, name = path.replace("\\", "/").rpartition("cosemic/")
        summary = entry["summary"]
        if within:
            reachable = summary["num_statements"] + summary.get("num_branches", 0)
            reached = summary["covered_lines"] + summary.get("covered_branches", 0)
            missing = {*entry["missing_lines"], *(line for line, _ in entry.get("missing_branches", ()))}
            found.append(Module(name, reachable, reached, tuple(sorted(missing))))
    return found


def percent(of: Iterable[Module]) -> float:
    """Return the share that was reached; nothing to reach is 100."""
    listed = list(of)
    reachable = sum(each.reachable for each in listed)
    return 100.0 * sum(each.reached for each in listed) / reachable if reachable else 100.0


def ranges(lines: Sequence[int]) -> str:
    """Return line numbers as ``3-5, 9``."""
    if not lines:
        return ""
    cuts = [place for place, (one, other) in enumerate(pairwise(lines), 1) if other != one + 1]
    runs = [lines[start:end] for start, end in pairwise([0, *cuts, len(lines)])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def show(report: dict[str, Any]) -> bool:
    """Print the table; return whether every room of the core is there and reaches the floor."""
    rooms: dict[str, list[Module]] = defaultdict(list)
    for module in modules(report):
        rooms[module.room].append(module)
    below = [room for room in CORE if room not in rooms or percent(rooms[room]) < FLOOR]
    print(f"\nBranch coverage by room (core rooms: {FLOOR:g} % or better)")
    for room in (*CORE, *sorted(rooms.keys() - set(CORE))):
        share = f"{percent(rooms[room]):6.1f} %" if room in rooms else "not measured"
        print(f"  {room:<14}{share}{'  core' * (room in CORE)}{', below the floor' * (room in below)}")
    for room in below:
        for module in sorted(rooms.get(room, ()), key=lambda each: each.name):
            if percent([module]) < FLOOR:
                print(f"  {module.name}: {percent([module]):.1f} %, not reached: {ranges(module.missing)}")
    if below:
        print(f"Next: tests for {', '.join(below)}.")
    return not below


def main(arguments: Sequence[str]) -> int:
    """Show the report named on the command line."""
    (path,) = arguments
    return 0 if show(json.loads(Path(path).read_text(encoding="utf-8"))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
