"""What ``to_dict`` gives is as the table of FORMAT.md says, for recorded and for generated telegrams."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cosemic
from cosemic import values
from tests.inspector.expected_failures import EXPECTED_FAILURES, KINDS
from tests.inspector.format_table import faults, table
from tests.inspector.generated import APDUS, DATA
from tests.vectors import Record, each_record, keys, octets, record

SOME_KEYS = {"ek": bytes(16), "ak": bytes(16), "dk": bytes(16), "gbek": bytes(16), "system_title": b"ABC12345"}


@each_record(*KINDS, where=lambda each: each["id"] not in EXPECTED_FAILURES)
def test_a_recorded_telegram_gives_a_dictionary_of_the_table(record: Record) -> None:
    have = cosemic.decode(octets(record), keys=keys(record), kind=record["kind"]).to_dict()
    assert faults(record["kind"], have) == []
    assert json.loads(json.dumps(have)) == have


@given(APDUS, st.sampled_from(({}, SOME_KEYS)))
def test_any_apdu_gives_a_dictionary_of_the_table(octets: bytes, some_keys: dict[str, bytes]) -> None:
    decoded = cosemic.decode(octets, keys=some_keys)
    assert faults("apdu", decoded.to_dict()) == []
    assert decoded.explain()


@given(DATA)
def test_any_data_gives_a_dictionary_of_the_table(octets: bytes) -> None:
    assert faults("data", cosemic.decode(octets, kind="data").to_dict()) == []


def test_a_deviation_from_the_table_is_found() -> None:
    good = cosemic.decode(octets(record("ref-access-request-selection"))).to_dict()
    for change in (
        lambda top: top["apdu"].pop("date_time"),
        lambda top: top["apdu"].update(more=1),
        lambda top: top["apdu"].update(date_time=5),
        lambda top: top["apdu"]["specifications"][0].update(get=None),
        lambda top: top["apdu"]["long_invoke_id_and_priority"].update(priority=0),
        lambda top: top["apdu"].update(apdu="access"),
    ):
        wrong = copy.deepcopy(good)
        change(wrong)
        assert faults("apdu", wrong), wrong


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Context", values.ApplicationContext), ("Mechanism", values.AuthenticationMechanism),
        ("AcseRequirement", values.AcseRequirement), ("ProtocolVersionBit", values.ProtocolVersionBit),
        *((name, getattr(values, name)) for name in (
            "DataAccessResult", "ActionResult", "ServiceClass", "Priority", "AssociationResult", "UserDiagnostic",
            "ProviderDiagnostic", "ReleaseRequestReason", "ReleaseResponseReason", "StateError", "ServiceError",
            "ErrorService", "ErrorClass", "KeyId", "KekId", "FrameType",
        )),
    ],
)  # fmt: skip
def test_names_and_codes_are_those_of_the_table(name: str, kind: type[values.Enumeration]) -> None:
    assert {member.label: int(member) for member in kind} == table().enumerations[name]
