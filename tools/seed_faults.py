"""Put faults into server and security, one at a time, and tell which test catches each.

    python tools/seed_faults.py [--only MODULE ...] [--tests NAME ...] [--jobs N]

The list is ``seeded_faults.toml``. Each fault is made in a copy of the tree, where its test, or those of its module are
run up to the first failure. Ends with 1 where a fault survives, or where one cannot be made any more: its line has
changed.

A module of the server is named alone (``clock``), any other with its room (``security/general/opening``).
"""

from __future__ import annotations

import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path("src/cosemic")
SERVER = SOURCE / "server"
TESTS = Path("tests/server")
LAST = "a_year_of_life"
"""Asked where the tests of the module have not caught a fault."""
COPIED = ("src", "tests", "examples", "pyproject.toml")
SHARED = {"COSEMIC_VECTORS": "vectors", "COSEMIC_REFERENCE": "reference"}
LONGEST = 110
"""Characters of the name of a test that are shown."""
SECONDS = 300
"""A fault that keeps the tests busy for so long is caught too."""


@dataclass(frozen=True)
class Fault:
    """One line that is wrong. tests: what should catch it, as :func:`path_of` takes it."""

    module: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file of the module."""
        return (SOURCE if "/" in self.module else SERVER) / f"{self.module}.py"

    def made_in(self, text: str) -> str:
        """Return a module with the fault. Raises ValueError where its line is not there, or not alone."""
        count = text.count(self.old)
        if count != 1 or self.old == self.new:
            raise ValueError(f"{self.module}.py has {count} times: {self.old.strip()}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """What became of a fault. caught_by: the test; None for none."""

    fault: Fault
    caught_by: str | None
    seconds: float


def faults(path: Path = ROOT / "tools" / "seeded_faults.toml") -> list[Fault]:
    """Read the list."""
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    listed = []
    for one in read["fault"]:
        test = one.pop("test", None)
        tests = read["tests"][one["module"]] if test is None else [test]
        listed.append(Fault(tests=tuple(tests), **one))
    return listed


def path_of(name: str) -> str:
    """Return what pytest is given: a file of the server is named alone, any other test by its path."""
    return name if "/" in name else str(TESTS / f"test_{name}.py")


def is_there(name: str) -> bool:
    """Tell whether there is a test of that name."""
    path, _, function = path_of(name).partition("::")
    file = ROOT / path
    return file.exists() and (not function or f"def {function.partition('[')[0]}(" in file.read_text(encoding="utf-8"))


def out_of_date(listed: Sequence[Fault]) -> list[str]:
    """Return what is wrong with faults that cannot be made."""
    wrong = []
    for fault in listed:
        try:
            fault.made_in((ROOT / fault.path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            wrong.append(f"{fault.what}: {error}")
        wrong += [f"{fault.what}: there is no test {name}" for name in fault.tests if not is_there(name)]
    return wrong


class Trees:
    """Copies of the tree, each of which is used by one at a time."""

    def __init__(self, folder: Path, count: int) -> None:
        self._free: queue.Queue[Path] = queue.Queue()
        for number in range(count):
            tree = folder / str(number)
            for name in COPIED:
                source = ROOT / name
                if source.is_dir():
                    shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, tree / name)
            self._free.put(tree)

    @contextmanager
    def one(self) -> Iterator[Path]:
        """Lend a copy."""
        tree = self._free.get()
        try:
            yield tree
        finally:
            self._free.put(tree)

    def caught(self, fault: Fault) -> Outcome:
        """Make a fault, run its tests, and take it back."""
        with self.one() as tree:
            module = tree / fault.path
            right = module.read_text(encoding="utf-8")
            module.write_text(fault.made_in(right), encoding="utf-8")
            begun = time.monotonic()
            try:
                caught_by = failing_test(tree, fault.tests)
                if caught_by is None and "/" not in fault.module and LAST not in fault.tests:
                    caught_by = failing_test(tree, [LAST])
            finally:
                module.write_text(right, encoding="utf-8")
            return Outcome(fault, caught_by, time.monotonic() - begun)


def failing_test(tree: Path, names: Sequence[str]) -> str | None:
    """Run tests up to the first failure, and return its name; None where all pass."""
    environment = dict(os.environ, PYTHONPATH=str(tree / "src"), PYTHONDONTWRITEBYTECODE="1")
    for variable, folder in SHARED.items():
        environment.setdefault(variable, str(ROOT.parent / "shared" / folder))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "--tb=no", "-p", "no:cacheprovider"]
    # One test that is named may be a slow one.
    chosen = [] if all("::" in name for name in names) else ["-m", "not slow"]
    command += [*chosen, "--hypothesis-profile=check", *map(path_of, names)]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end after {SECONDS} s"
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode == 0:
        return None
    return found[1].rpartition("/")[2][:LONGEST] if found else f"pytest ended with {done.returncode}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the faults, and print what catches them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="MODULE", help="faults in these modules or rooms only")
    parser.add_argument("--tests", nargs="+", metavar="NAME", help="by these, as in test_NAME.py, instead of their own")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at a time")
    options = parser.parse_args(arguments)
    listed = faults()
    if options.only is not None:
        listed = [one for one in listed if any(f"{one.module}/".startswith(f"{name}/") for name in options.only)]
    if options.tests:
        listed = [replace(fault, tests=tuple(options.tests)) for fault in listed]
    for line in (wrong := out_of_date(listed)):
        print(f"out of date  {line}")
    if wrong:
        print(f"{len(wrong)} faults cannot be made: bring tools/seeded_faults.toml up to date.")
        return 1
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        trees = Trees(Path(folder), options.jobs)
        with trees.one() as tree:
            names = {name for fault in listed for name in fault.tests}
            if any("/" not in fault.module for fault in listed):
                names.add(LAST)
            if (failing := failing_test(tree, sorted(names))) is not None:
                print(f"Without any fault {failing} fails: mend that first.")
                return 1
        outcomes = []
        for number, outcome in enumerate(pool.map(trees.caught, listed), 1):
            outcomes.append(outcome)
            fault = outcome.fault
            print(f"{number:3} {outcome.seconds:5.1f} s  {fault.module}: {fault.what}", flush=True)
            print(f"{'':13}{outcome.caught_by or '*** SURVIVED ***'}", flush=True)
    survived = sum(outcome.caught_by is None for outcome in outcomes)
    print(f"{len(outcomes) - survived} of {len(outcomes)} seeded faults were caught.")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
