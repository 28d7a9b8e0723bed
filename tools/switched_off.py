"""Run tests with one feature switched off: a line of a module is another one while it is imported.

    python tools/switched_off.py MODULE OLD NEW TEST ...

MODULE is a module of cosemic (``association.serving.get``), in whose text OLD stands exactly once; NEW takes its place.
Nothing is written. Ends like pytest; with 70 where the feature cannot be switched off in this way.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

CANNOT = 70


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads the module from its changed text; never from compiled files, and it writes none."""

    old = ""
    new = ""

    def get_code(self, fullname: str) -> Any:
        """Compile the changed text."""
        path = self.get_filename(fullname)
        text = self.get_data(path).decode("utf-8")
        if text.count(self.old) != 1:
            print(f"{fullname} has {text.count(self.old)} times: {self.old}", file=sys.stderr)
            sys.exit(CANNOT)
        return compile(text.replace(self.old, self.new), path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Find the module where Python does, and have it loaded otherwise."""
        if fullname != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def main(arguments: Sequence[str]) -> int:
    """Run the tests."""
    module, _Loader.old, _Loader.new, *tests = arguments
    sys.meta_path.insert(0, _Finder(f"cosemic.{module}"))
    import pytest  # after the finder: what it imports has to find the changed module

    return int(
        pytest.main(["-x", "-q", "-n0", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-profile=check", *tests])
    )


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv[1:]))
