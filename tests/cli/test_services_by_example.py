"""docs/services-by-example.md: every command and every program on it does what it says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cli.pages import Place, page_with_free_ports


@pytest.mark.slow
@pytest.mark.usefixtures("children_uncovered")
@pytest.mark.skipif(os.name != "posix", reason="the page is for a POSIX shell")
def test_the_page_is_right_from_top_to_bottom(tmp_path: Path) -> None:
    place, page = Place.at(tmp_path), page_with_free_ports("services-by-example.md", "4059", "4060")
    with place.terminal(page):
        printed = iter(place.follow(page))
    assert re.search(r"\baccess\b.*\nlargest APDU: \d+ octets", next(printed))
    accessed = next(printed)
    assert re.search(r":time -> 20\d\d-", accessed)
    assert accessed.count("-> None") == 2
    assert "object-undefined" in accessed
    assert re.search(r"logical_name = .*\nvalue = \d+ Wh\nscaler_unit = ", next(printed))
    assert re.search(r"^base name .*\n.*^[0-9A-F]{4} +8 v0 +0-0:1\.0\.0\*255 ", next(printed), re.MULTILINE | re.DOTALL)
    assert "kWh" in next(printed)  # with short names
    assert len(next(printed).splitlines()) > 50  # in general blocks
    assert next(printed) == "b'summer'\n"
    assert "kWh" in next(printed)  # as a user
    taken = next(printed)
    assert re.findall(r"^kitchen (Clock|Register) ", taken, re.MULTILINE) == ["Clock", "Register", "Register"]
    assert "not taken" not in taken
    assert re.search(r"^kitchen called: \d+ Wh\npushed meanwhile: \(b.*, \d+, \d+\)$", next(printed), re.MULTILINE)
    assert next(printed, None) is None
