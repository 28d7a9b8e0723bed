"""How far a collection has come: a bar with rich, a line without, nothing where no terminal looks on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from cosemic.head_end import Progress, Stage

BAR: Final = 30
"""Characters of a bar."""
Report = Callable[[Progress], None]


@contextmanager
def progress(meters: int) -> Iterator[Report]:
    """Yield what takes the steps of a collector; shown on standard error, so that output stays clean."""
    if not sys.stderr.isatty():
        yield lambda step: None
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
    except ImportError:
        try:
            yield _line(meters)
        finally:
            print(file=sys.stderr)
        return
    columns = (TextColumn("reading meters"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rows]} rows"))
    with Bar(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=meters, rows=0)
        rows = 0

        def report(step: Progress) -> None:
            nonlocal rows
            rows += step.rows
            bar.update(task, advance=_ended(step), rows=rows)

        yield report


Count = Callable[[int, int, str], None]
"""Takes how many are done, of how many, and what is being done."""


@contextmanager
def counted(what: str, things: str) -> Iterator[Count]:
    """Yield what shows how many things are done, on standard error; nothing where no terminal looks on."""
    if not sys.stderr.isatty():
        yield lambda done, whole, now: None
        return

    def show(done: int, whole: int, now: str) -> None:
        filled = BAR * done // whole if whole else 0
        bar = f"[{'#' * filled}{'.' * (BAR - filled)}]"
        print(f"\r{what} {bar} {done}/{whole} {things}  {now:40.40}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(file=sys.stderr)


def _line(meters: int) -> Report:
    ended = rows = 0

    def report(step: Progress) -> None:
        nonlocal ended, rows
        ended, rows = ended + _ended(step), rows + step.rows
        print(f"\rreading meters: {ended} of {meters}, {rows} rows", end="", file=sys.stderr, flush=True)

    return report


def _ended(step: Progress) -> int:
    return int(step.stage in (Stage.DONE, Stage.FAILED))
