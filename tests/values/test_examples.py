"""The examples in the docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from cosemic import values

MODULES = [f"{values.__name__}.{module.name}" for module in pkgutil.iter_modules(values.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_happens(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
