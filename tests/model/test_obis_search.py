"""Search for OBIS codes: every code is found by its own description, and by what people say."""

from __future__ import annotations

import re
import time
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cosemic.errors import ConfigurationError
from cosemic.model import ObisMatch, ObisPattern, describe, lookup, search
from cosemic.model.obis_names import listed_objects
from cosemic.model.obis_rules import BLOCKS
from cosemic.model.obis_words import SYNONYMS, words_of
from cosemic.values import Obis
from tests.effort import examples
from tests.vectors import reference


@cache
def tables() -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(reference("obis.yaml").read_text(encoding="utf-8"), Loader=loader)
    return loaded


def first(question: str) -> ObisMatch:
    return search(question, limit=1)[0]


def codes(question: str, limit: int = 5) -> list[str]:
    return [str(one.code) for one in search(question, limit)]


# ---- everything is found ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.no_cover
def test_every_known_code_is_found_by_its_description() -> None:
    for row in tables()["known_codes"]["codes"]:
        found = search(row["description"], limit=5)
        assert found[0].description == row["description"]
        assert found[0].score == 1
        own = [one for one in found if Obis(row["code"]) in one.pattern and one.description == row["description"]]
        assert any(row["class_id"] in one.classes for one in own), row
        assert all(one.unit == row["unit"] or (one.unit is None and row["unit"] in (None, 255)) for one in own), row


@pytest.mark.slow
@pytest.mark.no_cover
def test_every_known_code_is_found_by_itself() -> None:
    for number, row in enumerate(tables()["known_codes"]["codes"]):
        code = Obis(row["code"])
        for text in (str(code), code.dotted, code.hex()) if number % 20 == 0 else (str(code),):
            found = search(text)
            assert {one.code for one in found} == {code}
            assert row["description"] in [one.description for one in found]
            assert found[0].description == describe(code)


@pytest.mark.slow
@pytest.mark.no_cover
@examples(50)
@given(st.data())
def test_every_listed_object_is_found_by_its_name(data: st.DataObject) -> None:
    row = data.draw(st.sampled_from([row for row in listed_objects() if "{d}.{e}" not in row.name]))
    code = Obis(bytes(data.draw(st.sampled_from(sorted(values))) for values in row.pattern.groups))
    name = row.describe(code).name
    if not lookup(code).known or re.search(r", F \d+|Heat: Heat", name):
        return  # a manufacturer's, a reserved period, a word that cannot be told from the medium
    assert any(code in one.pattern and one.description == name for one in search(name))


@pytest.mark.slow
@pytest.mark.no_cover
@examples(50)
@given(st.data())
def test_every_code_of_a_rule_is_found_by_its_description(data: st.DataObject) -> None:
    block = data.draw(st.sampled_from(BLOCKS))
    c, d = (data.draw(st.sampled_from(sorted(values))) for values in (block.quantities, block.processing))
    e = data.draw(st.sampled_from(sorted(block.classification(c, d, None).words)))
    # Of gas, "last billing period" is the processing too.
    f = 255 if 7 in block.media else data.draw(st.sampled_from(sorted(block.periods(d))))
    code = Obis(bytes((data.draw(st.sampled_from(block.media)), 0, c, d, e, f)))
    name = describe(code)
    found = search(name)
    assert any(code in one.pattern and one.description == name for one in found), name
    assert found[0].description == name


@pytest.mark.parametrize("medium", range(16))
def test_media_are_found_by_their_names(medium: int) -> None:
    names = {0: "abstract", 1: "electricity", 2: "DC electricity", 4: "heat cost allocator", 5: "cooling", 6: "heat",
             7: "gas", 8: "cold water", 9: "hot water", 15: "other media"}  # fmt: skip
    assert set(names) == {row["a"] for row in tables()["media"]}
    if medium in names:
        found = search(names[medium])
        assert (found[0].description.lower(), found[0].known) == (names[medium].lower(), False)
        assert found[0].pattern == ObisPattern.parse(f"{medium}.?.?.?.?.?")
        of_rules = {1: "1-0:1.7.0*255", 7: "7-0:1.0.0*255", 8: "8-0:1.0.0*255"}
        if medium in of_rules:
            assert str(found[1].code) == of_rules[medium]


def test_countries_are_found_by_their_names_with_the_objects_of_their_companions() -> None:
    for d, name in tables()["country_specific"]["d"].items():
        found = search(name, limit=100)
        assert found[0].description == f"Specific to {name}"
        assert found[0].pattern == ObisPattern.parse(f"?.b.94.{d}.?.?")
        own = [row for row in tables()["country_objects"] if f".94.{d}." in row["pattern"]]
        assert len(own) <= sum(one.known and one.code.d == d and one.code.c == 94 for one in found)


def test_ranges_of_manufacturers_are_found_by_words_and_by_codes() -> None:
    rules = tables()["manufacturer_specific"]
    spans = {
        "b": [rules["B"]],
        "c": [[int(end) for end in text.split("-")] for text in rules["C"]],
        **{group: [rules[group.upper()]] for group in "def"},
    }
    for question in ("manufacturer specific", "maker", "vendor specific"):
        patterns = [one.pattern for one in search(question)]
        for at, ranges in enumerate(spans.values(), 1):
            for span in ranges:
                for value in (span[0], span[-1]):
                    groups = [1, 0, 1, 8, 0, 255]
                    groups[at] = value
                    code = Obis(bytes(groups))
                    assert any(code in pattern for pattern in patterns[:6])
                    (found,) = search(str(code))
                    assert (found.description, found.known) == ("Electricity: manufacturer specific", False)
    assert first("0-0:96.60.0").description == "Abstract: manufacturer specific, can be displayed"
    assert first("1-70:1.8.0").description == "Electricity: utility specific"
    assert first("utility specific").pattern == ObisPattern.parse("?.65-127.?.?.?.?")
    assert first("reserved channel 210").code.b == 210
    assert first("0-0:93.7.0").description == "Abstract: consortia specific, D 7"
    assert first("1-0:94.120.0").description == "Electricity: specific to country 120"


# ---- what people ask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "code", "description"),
    [
        ("active energy import tariff 1", "1-0:1.8.1*255", "Active energy import (+A), time integral 1, rate 1"),
        ("ACTIVE Energy export T2", "1-0:2.8.2*255", "Active energy export (-A), time integral 1, rate 2"),
        ("+A", "1-0:1.8.0*255", "Active energy import (+A), time integral 1"),
        ("A-", "1-0:2.8.0*255", "Active energy export (-A), time integral 1"),
        ("kwh", "1-0:1.8.0*255", "Active energy import (+A), time integral 1"),
        ("hz", "1-0:14.7.0*255", "Supply frequency, instantaneous value"),
        ("voltage", "1-0:12.7.0*255", "Voltage any phase, instantaneous value"),
        ("voltage phase 2", "1-0:52.7.0*255", "Voltage L2, instantaneous value"),
        ("amps L1", "1-0:31.7.0*255", "Current L1, instantaneous value"),
        ("current L3 harmonic 5", "1-0:71.7.5*255", "Current L3, instantaneous value, harmonic 5"),
        ("voltage L1 THD", "1-0:32.7.124*255", "Voltage L1, instantaneous value, THD"),
        ("reactive energy q3", "1-0:7.8.0*255", "Reactive energy QIII, time integral 1"),
        ("max demand", "1-0:1.6.0*255", "Active power import (+P), maximum 1"),
        ("pf", "1-0:13.7.0*255", "Power factor, instantaneous value"),
        ("last billing period active energy import", "1-0:1.8.0*101",
         "Active energy import (+A), time integral 1, last billing period"),
        ("sag L2 occurrence", "1-0:52.32.0*255", "Voltage L2, under limit occurrence counter"),
        ("voltage under limit threshold 3 duration", "1-0:12.33.0*3",
         "Voltage any phase, under limit duration, threshold 3"),
        ("from U(L1) to I(L1)", "1-0:81.7.40*255", "Phase angle from U(L1) to I(L1), instantaneous value"),
        ("clock", "0-0:1.0.0*255", "Clock"),
        ("load profile", "1-0:99.1.0*255", "Load profile with recording period 1"),
        ("logbook events", "1-0:99.98.0*255", "Event log"),
        ("relay", "0-0:96.3.10*255", "Disconnect control"),
        ("device id 10", "0-0:96.1.9*255", "Device ID 10"),
        ("m-bus value 3", "0-0:24.2.2*255", "M-Bus value 3"),
        ("mbus client channel 4", "0-4:24.1.0*255", "M-Bus client"),
        ("ANSI standard table 130", "0-0:65.1.2*255", "ANSI standard table 130"),
        ("ANSI manufacturer pending table 127", "0-0:65.48.127*255", "ANSI manufacturer pending table 127"),
        ("gas event log", "7-0:99.98.0*255", "Event log"),
        ("gas m3", "7-0:1.0.0*255", "Gas: Forward undisturbed meter volume, index at metering conditions, current"),
        ("Gas: Forward undisturbed meter volume, maximum of index differences over measurement period 1, "
         "metering conditions, billing period 3", "7-0:1.72.0*255",
         "Gas: Forward undisturbed meter volume, maximum of index differences over measurement period 1, "
         "metering conditions, billing period 3"),
        ("gas methane CH4", "7-0:70.67.0*255", "Gas: Natural gas analysis, methane CH4"),
        ("correction factor method 3", "7-0:51.12.3*255", "Gas: Correction factor, method 3 supported"),
        ("heat energy", "6-0:1.0.0*255", "Heat: Energy, current value"),
        ("hot water flow", "9-0:2.0.0*255", "Hot water: Flow rate, current value"),
        ("wind", "15-0:11.0.0*255", "Other media: wind, C 11, D 0"),
        ("solar c 3", "15-0:3.0.0*255", "Other media: solar, C 3, D 0"),
        ("heat program version", "6-0:0.2.0*255", "Heat: Program version"),
        ("total active energy import", "1-0:1.8.0*255", "Active energy import (+A), time integral 1"),
    ],
)  # fmt: skip
def test_the_usual_code_is_the_first_answer(question: str, code: str, description: str) -> None:
    found = first(question)
    assert (str(found.code), found.description, found.score) == (code, description, 1)


def test_phases_follow_the_sum_and_unusual_processing_comes_last() -> None:
    found = codes("active energy import", limit=5)
    assert found == ["1-0:1.8.0*255", "1-0:21.8.0*255", "1-0:41.8.0*255", "1-0:61.8.0*255", "1-0:1.9.0*255"]


def test_an_answer_leaves_open_what_the_question_leaves_open() -> None:
    found = first("active energy import")
    assert str(found.pattern) == "1.b.1.8.0-63.f"
    assert (found.classes, found.unit, found.known) == ((3, 4), 30, True)
    assert str(first("active energy import tariff").pattern) == "1.b.1.8.1-63.f"
    assert str(first("active energy import tariff 3 channel 2").pattern) == "1.2.1.8.3.f"
    assert str(first("mbus value").pattern) == "0.b.24.2.e.255"


def test_quadrants_are_told_apart() -> None:
    for quadrant in ("QI", "QII", "QIII", "QIV"):
        found = [one for one in search(f"reactive energy {quadrant}", limit=100) if one.score == 1]
        assert {one.description.split(" L")[0].split(",")[0] for one in found} == {f"Reactive energy {quadrant}"}


def test_what_is_the_manufacturers_is_not_among_the_codes_of_an_object() -> None:
    found = first("association instance")
    assert str(found.pattern) == "0.0.40.0.1-127,255.255"
    assert [one.known for one in search("0-0:40.0.200")] == [False]
    assert [one.known for one in search("0-0:40.0.100-200")] == [True]


def test_a_code_that_is_a_manufacturers_by_several_groups_is_one_answer() -> None:
    assert [one.description for one in search("1-150:150.150.150*150")] == ["Electricity: manufacturer specific"]


def test_words_that_are_not_found_lower_the_score() -> None:
    found = search("active energy import nonsense")
    assert (str(found[0].code), found[0].score) == ("1-0:1.8.0*255", 0.75)
    assert search("nonsense") == ()
    assert search("nonsense gibberish import") == ()
    scores = [one.score for one in search("mbus value 3")]
    assert scores == sorted(scores, reverse=True)


def test_every_synonym_leads_to_a_word_of_the_tables() -> None:
    for said, meant in SYNONYMS.items():
        for word in meant:
            assert search(word, limit=1), word
        assert search(said, limit=1), said


def test_numbers_belong_to_the_word_before_them() -> None:
    assert words_of("Time integral 1, rate 2 (VZ=3) L 1 t4 61334-4-32") == (
        ("time", None), ("integral", 1), ("rate", 2), ("vz", 3), ("l1", None), ("rate", 4),
        ("61334", None), ("4", None), ("32", None),
    )  # fmt: skip
    assert {one.code.e for one in search("1.8 rate 7")} == {7}


# ---- codes and patterns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("1-0:1.8.0", ["1-0:1.8.0*255"]),
        ("1-?:1.8.*", ["1-0:1.8.0*255"]),
        ("1-3:1.8.2*5", ["1-3:1.8.2*5"]),
        ("1.8", ["1-0:1.8.0*255", "5-0:1.8.0*255", "6-0:1.8.0*255", "7-0:1.8.0*255", "15-0:1.8.0*255"]),
        ("1-0:1,2.8.0", ["1-0:1.8.0*255", "1-0:2.8.0*255"]),
        ("0-0:96.1.*", ["0-0:96.1.0*255", "0-0:96.1.10*255", "0-0:96.1.255*255"]),
        ("C.1.0", ["1-0:96.1.0*255", "0-0:96.1.0*255"]),
        ("0-0:21.0.0", ["0-0:21.0.0*255", "0-0:21.0.0*255"]),
        ("1-0:1.8.0 1.8.0*101", ["1-0:1.8.0*101"]),
        ("9-0:1.* volume periodical", ["9-0:1.1.0*255", *(f"9-0:1.{d}.0*255" for d in (0, 2, 3, 4))]),
        ("1-0:1.47.0", ["1-0:1.47.0*255"]),
        ("1-0:1.8.100", ["1-0:1.8.100*255"]),
        ("1.8, energy.", ["1-0:1.8.0*255", "5-0:1.8.0*255", "6-0:1.8.0*255"]),
        ("1-65:*.* energy", []),
        ("1-0:1.8.* gas", []),
    ],
)
def test_codes_with_open_groups_are_found(question: str, found: list[str]) -> None:
    assert codes(question) == found


def test_a_code_that_shares_its_meanings_has_the_most_specific_first() -> None:
    assert [one.description for one in search("0-0:21.0.0")] == [
        "General local port readout",
        "Standard readout parametrization",
    ]
    assert [(one.description, one.known) for one in search("0-0:94.91.0")] == [
        ("Cumulative tamper count", True),
        ("Abstract: specific to India", False),
    ]


def test_a_code_without_a_meaning_is_answered_so() -> None:
    (found,) = search("1-0:1.47.0")
    assert (found.description, found.known, found.classes) == ("Electricity: unknown code 1.47.0", False, ())
    assert first("1-0:1.8.100").description == "Active energy import (+A), time integral 1, E 100"


GROUPS = st.sampled_from(["?", "0", "1", "7", "8", "96", "94", "99", "0-64", "255", "32", "200", "128-199"])


@examples(25)
@given(st.tuples(*[GROUPS] * 6).map(".".join))
def test_answers_to_a_pattern_are_codes_of_it(text: str) -> None:
    pattern = ObisPattern.parse(text)
    found = search(text, limit=50)
    assert len({(one.code, one.description) for one in found}) == len(found)
    for one in found:
        assert one.pattern <= pattern
        assert one.code in one.pattern
        if one.known:
            assert one.description == describe(one.code, one.classes[0] if one.classes else None)


# ---- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "advice"),
    [
        ("", "give words"),
        ("  \n", "give words"),
        ("of the", "give words"),
        ("x" * 201, "200 characters, not 201"),
        ("1-0:300.8.0", "0 to 255"),
        ("1.8.0.255", "forms: 1-0:1.8.0"),
        ("1-0:1.8.0 7-0:3.0.0", "both 1.0.1.8.0.? and 7.0.3.0.0.?"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_with_advice(question: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(advice)):
        search(question)


@pytest.mark.parametrize(("limit", "number"), [(1, 1), (7, 7), (0, 1), (-5, 1), (10**9, 1000)])
def test_there_are_at_most_as_many_answers_as_wanted(limit: int, number: int) -> None:
    assert len(search("*.*", limit)) == number


@examples(40, deadline=None)
@given(st.text("aeglnrtvy +-.:*?0123456789L()=,\u00b3\u0661", max_size=220))
def test_any_question_has_answers_or_a_configuration_error(question: str) -> None:
    try:
        found = search(question, limit=3)
    except ConfigurationError:
        return
    assert len(found) <= 3
    assert all(one.description for one in found)


@pytest.mark.parametrize(
    "question",
    [
        "active energy import",
        "*.*",
        "electricity power average maximum instantaneous value billing period",
        "Gas: Flow rate, maximum of last averages of averaging period 1, relative to billing period 1, rate 33",
        " ".join("aeinrt"[at % 6] + "abcdefghijk"[at % 11] for at in range(60)),
    ],
)
def test_a_search_takes_no_longer_than_a_key_stroke(question: str) -> None:
    search(question)
    took = []
    for _ in range(3):
        begin = time.process_time()
        search(question)
        took.append(time.process_time() - begin)
    assert min(took) < 0.2
