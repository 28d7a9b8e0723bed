"""``cosemic obis``: codes described, codes found, JSON, exit codes."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.cli.obis import EXAMPLES
from cosemic.model import search
from cosemic.values import Obis

ENERGY = """\
1-0:1.8.0*255  Active energy import (+A), time integral 1
  class    3 Register, 4 Extended register
  unit     Wh
  written  1.8.0, 1.0.1.8.0.255, 0100010800ff
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["obis", *arguments]) == code
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    assert main(["obis", *arguments]) == code
    out, err = capsys.readouterr()
    assert not out
    return err


@pytest.mark.parametrize("text", ["1-0:1.8.0", "1-0:1.8.0*255", "0100010800ff", "0100010800FF", "1.0.1.8.0.255"])
def test_a_code_in_any_form_is_described(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, text) == ENERGY


def test_a_code_of_displays_has_its_letters(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "0-0:C.1.0")
    assert text.startswith("0-0:96.1.0*255  Device ID 1\n")
    assert "  written  C.1.0, 0-96.1.0, 0.0.96.1.0.255, 0000600100ff\n" in text
    assert "unit" not in text


def test_each_meaning_of_a_code_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "0-0:21.0.0")
    assert text.index("General local port readout\n  class    7 Profile generic") < text.index(
        "Standard readout parametrization\n  class    1 Data"
    )


def test_whose_a_code_is_that_is_not_the_standards_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "1-128:1.8.0").splitlines() == [
        "1-128:1.8.0*255  Electricity: manufacturer specific",
        "  written  128:1.8.0, 1.128.1.8.0.255, 0180010800ff",
    ]
    assert "unknown code 1.47.0" in printed(capsys, "1-0:1.47.0")


def test_words_need_no_quotes_and_list_codes_the_best_first(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "active", "energy", "import").splitlines()
    assert re.split("  +", lines[0]) == ["OBIS", "what it is", "class", "unit", "codes"]
    assert re.split("  +", lines[1]) == [
        "1-0:1.8.0*255", "Active energy import (+A), time integral 1", "3, 4", "Wh", "1.b.1.8.0-63.f",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:]] == [str(one.code) for one in search("active energy import")]
    assert len(printed(capsys, "active energy import", "--limit", "3").splitlines()) == 4


def test_codes_with_open_groups_are_a_list_even_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "1-?:1.8.*").splitlines()
    assert [line.split()[-1] for line in lines] == ["codes", "1.b.1.8.0-63.f"]
    assert "?.b.94.49.?.?" in printed(capsys, "germany")


def test_json_has_the_ranges_of_the_value_groups(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[dict[str, Any]] = json.loads(printed(capsys, "active energy import tariff", "--json", "--limit", "1"))
    assert found == [
        {
            "code": "1-0:1.8.1*255",
            "hex": "0100010801ff",
            "description": "Active energy import (+A), time integral 1, rate 1",
            "known": True,
            "classes": [
                {"class_id": 3, "class_name": "Register"},
                {"class_id": 4, "class_name": "Extended register"},
            ],
            "unit": {"code": 30, "symbol": "Wh"},
            "codes": "1.b.1.8.1-63.f",
            "value_groups": {
                "A": [[1, 1]], "B": [[0, 64]], "C": [[1, 1]], "D": [[8, 8]], "E": [[1, 63]],
                "F": [[0, 127], [255, 255]],
            },
            "score": 1.0,
        }
    ]  # fmt: skip
    (clock,) = json.loads(printed(capsys, "0-0:1.0.0", "--json"))
    assert (clock["unit"], clock["classes"]) == (None, [{"class_id": 8, "class_name": "Clock"}])
    assert [Obis(one["hex"]) for one in json.loads(printed(capsys, "gas", "--json"))] == [
        one.code for one in search("gas")
    ]


def test_a_class_that_is_not_declared_has_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = json.loads(printed(capsys, "0-0:25.3.0", "--json"))
    assert found["classes"] == [{"class_id": 44, "class_name": None}]
    assert "  class    44\n" in printed(capsys, "0-0:25.3.0")


def test_nothing_found_is_a_failure_and_says_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, "gibberish", code=1) == (
        "cosemic: nothing found for 'gibberish'; try fewer words, or a pattern: 1-?:1.8.*\n"
    )
    assert json.loads(printed(capsys, "gibberish", "--json", code=1)) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["1-0:300.8.0"], "0 to 255"),
        (["1.8.0.255"], "forms: 1-0:1.8.0"),
        (["of"], "give words"),
        (["x" * 201], "200 characters"),
        ([], "required"),
        (["clock", "--limit", "0"], "1 to 1000"),
        (["clock", "--limit", "1001"], "1 to 1000"),
        (["clock", "--limit", "\u0663"], "1 to 1000"),
        (["clock", "--limit", "9" * 5000], "1 to 1000"),
    ],
)
def test_a_wrong_call_is_told_with_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in complaint(capsys, *arguments, code=2)


def test_every_example_of_the_help_can_be_called(capsys: pytest.CaptureFixture[str]) -> None:
    calls = re.findall(r"^  cosemic obis (.+?)(?:   .*)?$", EXAMPLES, re.MULTILINE)
    assert len(calls) == 5
    for call in calls:
        assert printed(capsys, *shlex.split(call))
    assert main(["obis", "--help"]) == 0
    assert EXAMPLES in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "show what an OBIS code means" in capsys.readouterr().out
