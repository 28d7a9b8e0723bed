"""The names of the package itself: there, and imported only when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cosemic


def test_every_name_of_the_face_is_there() -> None:
    for name in cosemic.__all__:
        assert getattr(cosemic, name) is not None
        assert name in dir(cosemic)
    with pytest.raises(AttributeError):
        _ = cosemic.no_such_name  # type: ignore[attr-defined]  # that is the point


def test_importing_the_package_imports_no_room() -> None:
    code = "import sys, cosemic; print(sorted(name for name in sys.modules if name.startswith('cosemic.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['cosemic._version']\n"
