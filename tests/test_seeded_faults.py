"""The list of faults that `make seeds` puts into server and security: all of them can be made."""

from __future__ import annotations

import pytest

from tools.seed_faults import ROOT, SERVER, Fault, faults, is_there, out_of_date, path_of

LISTED = faults()
AREAS = {
    "clock", "local_time", "calendar_plan", "schedule", "scripts", "demand", "billing", "limiter", "disconnect",
    "image_transfer", "profile", "capturing", "rights", "association_object", "state", "event_log",
    "security/general/opening", "security/general/transactions", "security/data_opening", "security/key_agreement",
    "security/certificates/chain", "security/certificates/revocation", "store/key_store/session", "store/transactions",
    "association/server_layers", "association/client_layers", "association/known_rights",
    "server/security_setup_object", "server/security_keys", "server/data_protection_object",
}  # fmt: skip


def test_every_area_has_faults_and_each_can_be_made() -> None:
    assert out_of_date(LISTED) == []
    assert len(LISTED) == len({(fault.module, fault.new, fault.old) for fault in LISTED}) >= 40
    assert {fault.module for fault in LISTED} >= AREAS
    assert all(is_there(name) for fault in LISTED for name in fault.tests)


def test_a_test_is_named_by_its_file_or_by_path_and_function() -> None:
    assert path_of("clock") == "tests/server/test_clock.py"
    assert is_there("clock")
    assert is_there("tests/test_seeded_faults.py::test_a_test_is_named_by_its_file_or_by_path_and_function")
    assert not is_there("no_such_thing")
    assert not is_there("tests/test_seeded_faults.py::test_that_is_not_there")
    fault = Fault("clock", "", "class ", "", ("no_such_thing",))
    assert "there is no test no_such_thing" in out_of_date([fault])[-1]


@pytest.mark.parametrize("old", ["this line is not there", "\n"])
def test_a_fault_whose_line_is_not_there_or_not_alone_is_an_error(old: str) -> None:
    fault = Fault("state", "", old, "anything", ())
    with pytest.raises(ValueError, match=r"state\.py has \d+ times"):
        fault.made_in((ROOT / SERVER / "state.py").read_text(encoding="utf-8"))
    assert len(out_of_date([fault, Fault("no_such_module", "", "a", "b", ())])) == 2
