"""``cosemic read``, ``objects`` and ``profile`` against a simulated meter on TCP."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main, parser
from cosemic.cli._meter import place_of
from cosemic.client.scan import Target
from cosemic.link.hdlc import HdlcSecondaryLink
from cosemic.server import serve_in_thread
from cosemic.simulator import HouseholdMeter
from cosemic.stack import OPTIONS, SCHEMES, parse_url

NOW = dt.datetime(2026, 11, 20, 12, 5, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread(HouseholdMeter(1, now=lambda: NOW)) as server:
        yield server.url(client_sap=16)


@pytest.fixture(scope="module")
def ciphered() -> Iterator[tuple[str, HouseholdMeter]]:
    meter = HouseholdMeter(2, security="hls-gmac", now=lambda: NOW)
    with serve_in_thread(meter) as server:
        yield server.url(client_sap=1), meter


@pytest.fixture
def settings(ciphered: tuple[str, HouseholdMeter], tmp_path: Path) -> dict[str, str]:
    known = ciphered[1].security
    return {
        "system_title": "434f530000000009",
        "encryption_key": known.encryption_key.reveal().hex(),
        "authentication_key": known.authentication_key.reveal().hex(),
        "counters": str(tmp_path / "counters"),
    }


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def test_read_names_the_object_and_its_unit(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    energy = HouseholdMeter(1).curve.energy(NOW.timestamp()).imported
    line = printed(capsys, "read", url, "1-0:1.8.0")
    assert line == f"1-0:1.8.0  Active energy import (+A), time integral 1  {energy / 1000:.3f} kWh\n"


def test_read_as_json_keeps_the_number_as_it_was_sent(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    volts, name = json.loads(printed(capsys, "read", url, "1-0:32.7.0", "0-0:42.0.0", "--json"))
    assert (volts["obis"], volts["unit"], volts["scaler"]) == ("1-0:32.7.0*255", "V", -1)
    assert volts["value"] == pytest.approx(volts["raw"] / 10)
    assert bytes.fromhex(name["value"]) == b"CSM0000000000001"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("3/1-0:1.8.0:scaler_unit", "scaler 0, unit Wh"),
        ("3/1-0:32.7.0:3", "scaler -1, unit V"),
        ("0-0:42.0.0", "'CSM0000000000001'"),
        ("8/0-0:1.0.0:time", "2026-11-20 13:05:00+01:00"),
        ("7/1-0:99.1.0:capture_period", "900"),
        ("7/1-0:99.1.0:capture_objects", "(class_id 3, logical_name 1-0:1.8.0*255, attribute_index 2, data_index 0)"),
    ],
)
def test_read_shows_values_of_every_kind(url: str, capsys: pytest.CaptureFixture[str], target: str, shown: str) -> None:
    assert shown in printed(capsys, "read", url, target)


def test_what_is_refused_is_told_and_the_rest_is_shown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", url, "1-0:1.8.0", "3/1-0:99.99.0"]) == 1
    streams = capsys.readouterr()
    assert "kWh" in streams.out
    assert "object-undefined (4)" in streams.err
    assert "see what `objects` lists" in streams.err
    items = json.loads(printed(capsys, "read", url, "1-0:1.8.0", "3/1-0:99.99.0", "--json", code=1))
    assert [item.get("error", {}).get("label") for item in items] == [None, "object-undefined"]


def test_objects_are_listed_with_names(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "objects", url).splitlines()
    (profile,) = [line for line in lines if "1-0:99.1.0*255" in line]
    assert re.split(r"\s{2,}", profile) == [
        "7 v1", "1-0:99.1.0*255", "Load profile with recording period 1", "Profile generic"
    ]  # fmt: skip
    items = json.loads(printed(capsys, "objects", url, "--json"))
    assert lines[-1] == f"{len(items)} objects"
    clock = next(item for item in items if item["obis"] == "0-0:1.0.0*255")
    assert (clock["class_id"], clock["class_name"], clock["name"]) == (8, "Clock", "Clock")
    assert clock["access_rights"]["attribute_access"][0]["attribute_id"] == 1


def test_a_profile_is_shown_in_the_zone_of_the_meter(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    window = ["--since", "2026-11-20T00:00", "--until", "2026-11-20T01:00", "--zone", "Europe/Berlin"]
    text = printed(capsys, "profile", url, "1-0:99.1.0", *window)
    assert "[2]  1-0:1.8.0*255    Active energy import (+A), time integral 1  kWh" in text
    assert text.count("2026-11-20 00:15:00") == 2  # the end of one interval, the start of the next
    assert text.endswith("4 rows\n")
    found: dict[str, Any] = json.loads(printed(capsys, "profile", url, "1-0:99.1.0", *window, "--json"))
    assert found["rows"][0]["interval_start"] == "2026-11-19T23:00:00+00:00"
    assert found["capture_period"] == 900
    assert len(found["rows"]) == 4


def test_a_profile_without_rows_says_so(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "profile", url, "1-0:99.1.0", "--since", "2020-01-01", "--until", "2020-01-02")
    assert text.startswith("1-0:99.1.0*255 has no rows between")


def test_keys_come_from_a_file(
    ciphered: tuple[str, HouseholdMeter], settings: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meter.json"
    file.write_text(json.dumps(settings))
    assert "kWh" in printed(capsys, "read", ciphered[0], "1-0:1.8.0", "--security", str(file))


def test_keys_come_from_the_environment(
    ciphered: tuple[str, HouseholdMeter],
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"COSEMIC_{name.upper()}", value)
    assert "kWh" in printed(capsys, "read", ciphered[0], "1-0:1.8.0")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["read", "tcp://127.0.0.1:1", "1-0:1.8.0"], 1, "refused the connection"),
        (["read", "URL", "what"], 2, "'what' is no OBIS code"),
        (["read", "serial://x", "1-0:1.8.0"], 2, "serial is no scheme: tcp://, "),
        (["read", "10.0.0.7:4059", "1-0:1.8.0"], 2, "a URL begins with its scheme: tcp://"),
        (["read", "tcp://h?password=1", "1-0:1.8.0"], 2, "never stand in a URL"),
        (["objects", "URL", "--security", "nowhere.toml"], 2, "nowhere.toml"),
        (["objects", "URL", "--security", "."], 2, "settings .: "),
        (["read", "URL", "1-0:99.99.0"], 1, "--security"),
        (["profile", "URL", "1-0:99.1.0", "--since", "yesterday"], 2, "'yesterday' is no time"),
        (["profile", "URL", "1-0:99.1.0", "--zone", "Atlantis"], 2, "'Atlantis' is no time zone"),
        (["profile", "URL", "1-0:99.9.0"], 1, "object-undefined"),
        (["profile", "URL", "1-0:99.1.0", "--since", "2026-11-20", "--until", "2026-11-19"], 2, "lies behind"),
    ],
)
def test_errors_are_one_line_in_plain_words(
    url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert main([url if word == "URL" else word for word in arguments]) == code
    streams = capsys.readouterr()
    assert words in streams.err
    assert streams.err.startswith("cosemic: ")
    assert streams.err.count("\n") == 1
    assert streams.out == ""


@pytest.mark.parametrize(
    ("scheme", "words"), [("tcp", "no answer within 0.2 s: "), ("hdlc+tcp", "127.0.0.1:PORT closed the connection: ")]
)
def test_who_gets_no_answer_at_all_is_told_of_the_scan(
    url: str, scheme: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = f"127.0.0.1:{parse_url(url).port}"
    assert main(["read", f"{scheme}://{place}?client=99&timeout=0.2", "1-0:1.8.0"]) == 1
    error, note = capsys.readouterr().err.splitlines()
    assert error.startswith(f"cosemic: {words}".replace("127.0.0.1:PORT", place))
    assert note == f"to find the link, address and client SAP that answer: cosemic scan {place}"
    assert parser().parse_args(["scan", place]).place == place


def test_a_wrong_hdlc_address_is_a_matter_for_the_scan(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_in_thread(HouseholdMeter(1), link=lambda: HdlcSecondaryLink(17)) as server:
        place = f"127.0.0.1:{server.port}"
        assert main(["read", f"hdlc+tcp://{place}?station=18&timeout=0.2", "1-0:1.8.0"]) == 1
    error, note = capsys.readouterr().err.splitlines()
    assert error.startswith("cosemic: no UA on SNRM sent 4 times")
    assert note.endswith(f": cosemic scan {place}")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tcp://10.0.0.7", "10.0.0.7:4059"),
        ("hdlc+tcp://[fe80::1]:4001?station=17", "[fe80::1]:4001"),
        ("iec21:///dev/ttyUSB0", "/dev/ttyUSB0"),
        ("hdlc://COM3", "COM3"),
        ("hdlc://./reader", "./reader"),
        ("hdlc://reader", ""),
        ("modem:///dev/ttyS0?dial=1", ""),
        ("gateway+tcp://10.0.0.7?meter=01", ""),
        ("cellar", ""),
    ],
)
def test_only_a_place_that_can_be_scanned_is_named(url: str, place: str) -> None:
    assert place_of(url) == place
    assert not place or str(Target.parse(place)) == place


def test_commands_are_the_same_for_a_meter_with_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    """But for the base names in the list of its objects."""
    meter = HouseholdMeter(1, now=lambda: NOW, referencing="both")
    with serve_in_thread(meter) as server:
        logical, short = (f"{server.url(client_sap=16)}&referencing={one}" for one in ("ln", "sn"))
        since, until = (f"{NOW - dt.timedelta(hours=hours):%Y-%m-%dT%H:%M}" for hours in (3, 0))
        for arguments in (
            ("read", "1-0:1.8.0", "1-0:32.7.0", "0-0:42.0.0"),
            ("profile", "1-0:99.1.0", "--since", since, "--until", until),
            ("write", "8/0-0:1.0.0:time_zone", "-90"),
            ("call", "9/0-0:10.0.100:execute", "1"),
            ("breaker", "disconnect"),
            ("breaker", "reconnect"),
        ):
            command, *others = arguments
            assert printed(capsys, command, logical, *others) == printed(capsys, command, short, *others) != ""
        assert "2026-11-20" in printed(capsys, "clock", short)
        table = printed(capsys, "objects", short).splitlines()
        assert table[0].split()[:3] == ["base", "name", "class"]
        assert "FA00 12 v2 0-0:40.0.0*255" in " ".join(" ".join(line.split()) for line in table)
        listed = json.loads(printed(capsys, "objects", short, "--json"))
        assert {one["obis"]: one["base_name"] for one in listed}["0-0:42.0.0*255"] == 0xFD00
        assert not any("base_name" in one for one in json.loads(printed(capsys, "objects", logical, "--json")))


def test_help_of_read_has_every_option_of_a_url(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "read", "--help")
    for name, option in OPTIONS.items():
        assert re.search(rf"^ +{name} +{re.escape(option.meaning)}$", text, re.MULTILINE)
    for scheme in SCHEMES:
        assert f"{scheme}://" in text or "+" in scheme
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize("command", ["read", "objects", "profile", "demo"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, command, "--help")
    assert f"  cosemic {command}" in text
    assert "exit codes: 0" in text
    assert "--json" in text
    assert not re.search(r" tcp://\S+\?", text.split("examples:")[1].split("\nURL ")[0])


@pytest.mark.parametrize("command", ["read", "objects", "profile"])
def test_there_is_no_argument_for_keys(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "tcp://h", "1-0:1.8.0", "--password", "secret"]) == 2
    options = printed(capsys, command, "--help").split("options:")[1].split("examples:")[0]
    assert not {"--key", "--password", "--encryption-key", "--secret"} & set(options.split())
