"""The list of faults that `make seeds` puts into the server: all of them can be made."""

from __future__ import annotations

import pytest

from tools.seed_faults import ROOT, SERVER, TESTS, Fault, faults, out_of_date

LISTED = faults()
AREAS = {
    "clock", "local_time", "calendar_plan", "schedule", "scripts", "demand", "billing", "limiter", "disconnect",
    "image_transfer", "profile", "capturing", "rights", "association_object", "state", "event_log",
}  # fmt: skip


def test_every_area_of_the_server_has_faults_and_each_can_be_made() -> None:
    assert out_of_date(LISTED) == []
    assert len(LISTED) == len({(fault.module, fault.new, fault.old) for fault in LISTED}) >= 40
    assert {fault.module for fault in LISTED} >= AREAS
    assert all((ROOT / TESTS / f"test_{name}.py").exists() for fault in LISTED for name in fault.tests)


@pytest.mark.parametrize("old", ["this line is not there", "\n"])
def test_a_fault_whose_line_is_not_there_or_not_alone_is_an_error(old: str) -> None:
    fault = Fault("state", "", old, "anything", ())
    with pytest.raises(ValueError, match=r"state\.py has \d+ times"):
        fault.made_in((ROOT / SERVER / "state.py").read_text(encoding="utf-8"))
    assert len(out_of_date([fault, Fault("no_such_module", "", "a", "b", ())])) == 2
