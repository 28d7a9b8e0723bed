"""Prove what the application layer does, and write it down as a table: ``docs/services.md``.

    python tools/service_table.py [--only TEXT ...] [--jobs N] [--check]

The rows are those of ``services.toml``: a service with its form or option, the role, clause and edition of
IEC 62056-5-3, the test that shows it, and the line that makes it so with another one that switches it off. A row counts
when its test passes as the code stands, and fails with the feature switched off. Ends with 1 where one does not.

--check: run nothing; tell whether the table was written from these rows, and whether each can be switched off.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "tools" / "services.toml"
TABLE = ROOT / "docs" / "services.md"
SECONDS = 120
_ROLES = ("client", "server", "both")
_TESTS_FAILED = 1
_HEAD = """# The application layer, row by row

Each row is a service of IEC 62056-5-3 with one of its forms or options, and the test that shows it. The table is
written by `make services` from `tools/services.toml`, which names for each row the line of code that makes it so: the
row counts because its test passes, and fails as soon as that line is switched off. Clauses are those of
IEC 62056-5-3:2016 and later; the edition is that of the Green Book with which a form came, where it is not in all.
"""


@dataclass(frozen=True)
class Row:
    """One feature in one role. test: as pytest names it. module, old, new: how it is switched off."""

    service: str
    form: str
    role: str
    clause: str
    test: str
    module: str
    old: str
    new: str = ""
    edition: str = "all"

    @property
    def title(self) -> str:
        """What it is, in one line."""
        return f"{self.service}: {self.form} ({self.role})"

    @property
    def source(self) -> Path:
        """The file in which it is switched off."""
        stem = ROOT / "src" / "cosemic" / Path(*self.module.split("."))
        return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")


def rows(path: Path = ROWS) -> list[Row]:
    """Read the rows."""
    known = {one.name for one in fields(Row)}
    read = tomllib.loads(path.read_text(encoding="utf-8"))["row"]
    for one in read:
        if unknown := set(one) - known:
            raise ValueError(f"{one}: {unknown}")
    return [Row(**one) for one in read]


def wrong_in(listed: Iterable[Row]) -> list[str]:
    """Return what is wrong with rows that cannot be proved."""
    wrong = []
    for row in listed:
        if row.role not in _ROLES:
            wrong.append(f"{row.title}: the role is one of {', '.join(_ROLES)}")
        path, _, name = row.test.partition("::")
        file, function = ROOT / path, name.partition("[")[0].rpartition("::")[2]
        if not file.exists() or function not in file.read_text(encoding="utf-8"):
            wrong.append(f"{row.title}: there is no {row.test}")
        count = row.source.read_text(encoding="utf-8").count(row.old) if row.source.exists() else 0
        if count != 1 or row.old == row.new:
            wrong.append(f"{row.title}: {row.module} has {count} times: {row.old.strip()}")
    titles = [row.title for row in listed]
    return wrong + [f"{title}: twice" for title in sorted({one for one in titles if titles.count(one) > 1})]


def _pytest(arguments: Sequence[str]) -> int:
    command = [sys.executable, *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _TESTS_FAILED  # it waits for what does not come any more
    return done.returncode


def proved(row: Row) -> str | None:
    """Return None where the row counts, else why not."""
    if _pytest(["-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--hypothesis-profile=check", row.test]):
        return "its test fails as the code stands"
    off = _pytest(["tools/switched_off.py", row.module, row.old, row.new, row.test])
    if off == _TESTS_FAILED:
        return None
    return "its test passes though it is switched off" if off == 0 else f"switched off, pytest ends with {off}"


def table(listed: Sequence[Row]) -> str:
    """Return the page."""
    lines = [_HEAD]
    for service, group in groupby(listed, key=lambda row: row.service):
        lines += [f"\n## {service}\n", "| Form or option | Role | Clause | Edition | Test |", "|---|---|---|---|---|"]
        for row in group:
            path, _, name = row.test.partition("::")
            shown = name.rpartition("::")[2].removeprefix("test_").replace("_", " ").replace("|", "\\|")
            lines.append(f"| {row.form} | {row.role} | {row.clause} | {row.edition} | [{shown}](../{path}) |")
    return "\n".join(lines) + f"\n\n{len(listed)} rows.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prove the rows, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="rows in whose title one of these stands; no table")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at a time")
    parser.add_argument("--check", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    listed = [row for row in rows() if not options.only or any(text in row.title for text in options.only)]
    for line in (wrong := wrong_in(listed)):
        print(f"out of date  {line}")
    if wrong:
        print("bring tools/services.toml up to date.")
        return 1
    if options.check:
        current = TABLE.exists() and TABLE.read_text(encoding="utf-8") == table(listed)
        print("docs/services.md is up to date" if current else "run `make services`: docs/services.md is out of date")
        return 0 if current else 1
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for number, (row, why) in enumerate(zip(listed, pool.map(proved, listed), strict=True), 1):
            failed += why is not None
            print(f"{number:3} {row.title}: {why or 'counts'}", flush=True)
    print(f"{len(listed) - failed} of {len(listed)} rows count.")
    if not failed and not options.only:
        TABLE.write_text(table(listed), encoding="utf-8")
        print("wrote docs/services.md")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
