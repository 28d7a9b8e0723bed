"""docs/first-day.md: every command and every line of Python on it does what it says."""

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
    pytest.importorskip("polars")
    place, page = Place.at(tmp_path), page_with_free_ports("first-day.md", "4059")
    with place.terminal(page):
        printed = place.follow(page)
    told = "\n".join(printed)
    assert re.search(r"1-0:1\.8\.0\s+Active energy import.*kWh", told)
    assert re.search(r"\n(92|96|100) intervals, missing: \(\)|\n(92|96|100) intervals, missing: \[\]", told)
    assert re.search(r"the clock was (shifted|set)", told)
    interrupted = re.search(r"interrupted: (\d+) blocks", told)
    resumed = re.search(r"resumed_at\s+(\d+)", told)
    assert interrupted is not None
    assert resumed is not None
    assert int(resumed[1]) == int(interrupted[1]) > 0
    assert "2.0" in printed[next(n for n, one in enumerate(printed) if "resumed_at" in one) + 1]
    assert told.count("the supply is disconnected") >= 2
    assert "ready for reconnection" in told
    assert "the supply is connected" in told
    assert (place.folder / "talk.pcap").stat().st_size > 500
    assert re.search(r"\d+ entries in the event log", told)
