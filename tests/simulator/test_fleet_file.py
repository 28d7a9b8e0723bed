"""Fleets in TOML files: what can be said, and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosemic.codec import DataType
from cosemic.errors import ConfigurationError
from cosemic.server.logical_device import utc_now
from cosemic.simulator import (
    FaultOrder,
    FleetSettings,
    Gaps,
    MeterPlan,
    NoAnswer,
    SimulatedMeter,
    Slow,
    Time,
    load_fleet,
)
from cosemic.values import DataAccessResult, Obis
from tests.simulator.support import NOW, Local, client_of, standing

EXAMPLES = Path(__file__).parents[2] / "examples"


def loaded(folder: Path, text: str) -> FleetSettings:
    path = folder / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    return load_fleet(path)


def meter_of(folder: Path, objects: str) -> SimulatedMeter:
    """The one meter of a file, with more objects."""
    (plan,) = loaded(folder, f"[meter]\nprofile_days = 1\n{objects}").plans
    return SimulatedMeter(plan, now=standing())


def read(meter: SimulatedMeter, target: str, attribute: int = 2) -> Any:
    class_id, name = target.split("/")
    return client_of(meter).open().get(int(class_id), name, attribute)


def test_an_empty_meter_is_the_usual_one(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "[meter]")
    assert settings == FleetSettings(plans=(MeterPlan(serial=1_000_001),))
    assert settings.time() is utc_now


def test_everything_that_can_be_said_of_a_fleet_is_taken(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        seed = 3
        host = "::1"
        port = 0
        state = "s.sqlite"
        keys = "k"
        [time]
        start = 2026-03-01T00:00:00+01:00
        speed = 60
        [[meters]]
        count = 3
        customer = ["shop", "solar"]
        security = ["none", "lls"]
        zone = "Europe/Berlin"
        profile_days = 5
        capture_period = 300
        billing_periods = 1
        association_version = 2
        firmware = "9.9"
        referencing = "both"
        [[meters]]
        serial = 7
        zone = "UTC"
        [[faults]]
        fault = "slow"
        share = "50%"
        delay = 3
        every = 3600
        length = 60
        begin = 1
        [[faults]]
        fault = "no-answer"
        serials = [7]
        executes = true
        """,
    )
    common: dict[str, Any] = {
        "seed": 3, "zone": ZoneInfo("Europe/Berlin"), "profile_days": 5, "capture_period": 300, "billing_periods": 1,
        "association_version": 2, "firmware": "9.9", "referencing": "both",
    }  # fmt: skip
    assert settings == FleetSettings(
        plans=(
            MeterPlan(serial=1_000_001, customer="shop", security="none", **common),
            MeterPlan(serial=1_000_002, customer="solar", security="lls", **common),
            MeterPlan(serial=1_000_003, customer="shop", security="none", **common),
            MeterPlan(serial=7, seed=3, zone=dt.UTC),
        ),
        seed=3,
        host="::1",
        port=0,
        state=tmp_path / "s.sqlite",
        keys=tmp_path / "k",
        start=dt.datetime(2026, 2, 28, 23, tzinfo=dt.UTC),
        speed=60,
        faults=(
            FaultOrder(Slow(delay=3.0, every=3600.0, length=60.0, begin=1.0), 0.5),
            FaultOrder(NoAnswer(executes=True), serials=(7,)),
        ),
    )
    fleet = settings.fleet()
    assert [NoAnswer(executes=True) in list(site.faults) for site in fleet.sites] == [False, False, False, True]
    assert sum(Slow in map(type, site.faults) for site in fleet.sites) == 2


@pytest.mark.parametrize(("name", "meters"), [("meter.toml", 1), ("fleet.toml", 28), ("parties.toml", 2)])
def test_the_examples_are_fleets(name: str, meters: int) -> None:
    settings = load_fleet(EXAMPLES / name)
    assert len(settings.plans) == meters


def test_the_village_of_the_examples_is_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text((EXAMPLES / "fleet.toml").read_text("utf-8"), "utf-8")
    sites = load_fleet(path).fleet().sites
    assert sum(Gaps in map(type, site.faults) for site in sites) == 6
    shop = SimulatedMeter(sites[25].plan, now=standing())
    assert client_of(shop).open().get(7, "0-0:98.1.0", 2) is DataAccessResult.OBJECT_UNDEFINED


def test_kept_time_goes_on_though_nothing_is_said_of_it_any_more(tmp_path: Path) -> None:
    first = loaded(tmp_path, 'state = "s"\n[time]\nspeed = 0\nstart = 2026-03-01T00:00:00Z\n[meter]').time()
    again = loaded(tmp_path, 'state = "s"\n[meter]').time()
    assert first() == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert isinstance(again, Time)
    assert dt.timedelta(0) <= again() - first() < dt.timedelta(minutes=1)


# ---- objects ---------------------------------------------------------------------------------------------------------


def test_objects_have_values_from_data(tmp_path: Path) -> None:
    meter = meter_of(
        tmp_path,
        """
        [[meter.objects]]
        object = "1/0-0:96.13.0"
        attributes.value = { type = "octet-string", value = "text:hello" }
        writable = ["value"]
        [[meter.objects]]
        object = "3/1-0:52.7.0"
        attributes = { value = { type = "long-unsigned", value = 2310 }, scaler_unit = [-1, "V"] }
        [[meter.objects]]
        object = "40/0-1:25.9.0"
        version = 0
        [meter.objects.attributes]
        push_object_list = [[1, "0-0:96.1.0", 2, 0]]
        number_of_retries = 3
        """,
    )
    client = client_of(meter).open()
    assert client.get(1, "0-0:96.13.0", 2) == b"hello"
    assert client.set(1, "0-0:96.13.0", 2, DataType.OCTET_STRING, b"bye") is DataAccessResult.SUCCESS
    assert client.get(1, "0-0:96.13.0", 2) == b"bye"
    assert client.set(3, "1-0:52.7.0", 2, DataType.LONG_UNSIGNED, 1) is DataAccessResult.READ_WRITE_DENIED
    assert (client.get(3, "1-0:52.7.0", 2), client.get(3, "1-0:52.7.0", 3)) == (2310, (-1, 35))
    assert client.get(40, "0-1:25.9.0", 2) == [(1, Obis("0-0:96.1.0").octets, 2, 0)]
    assert client.get(40, "0-1:25.9.0", 5) is DataAccessResult.READ_WRITE_DENIED


def test_objects_have_values_from_functions_of_time(tmp_path: Path) -> None:
    meter = meter_of(
        tmp_path,
        """
        [[meter.objects]]
        object = "3/1-0:52.7.0"
        attributes.value = { type = "long", function = "sine", mean = 100, amplitude = 50, period = 3600 }
        [[meter.objects]]
        object = "3/1-0:72.7.0"
        attributes.value = { type = "float64", function = "steps", values = [1, 2.5, 4], every = 60 }
        """,
    )
    time = meter.now
    assert isinstance(time, Time)
    time.step(seconds=3600 - NOW.timestamp() % 3600)
    sine = [read(meter, "3/1-0:52.7.0")]
    steps = [read(meter, "3/1-0:72.7.0")]
    for _ in range(3):
        time.step(minutes=15)
        sine.append(read(meter, "3/1-0:52.7.0"))
        time.step(minutes=1)
        steps.append(read(meter, "3/1-0:72.7.0"))
        time.step(minutes=-1)
    assert sine == [100, 150, 100, 50]
    assert steps[:2] == [steps[0], {1: 2.5, 2.5: 4, 4: 1}[steps[0]]]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("imported", lambda curve, at: curve.imported(at)),
        ("exported", lambda curve, at: curve.exported(at)),
        ("reactive", lambda curve, at: curve.reactive(at)),
        ("imported-power", lambda curve, at: curve.power(at).imported),
        ("exported-power", lambda curve, at: curve.power(at).exported),
        ("reactive-power", lambda curve, at: curve.power(at).reactive),
        ("voltage", lambda curve, at: curve.voltage(at)),
        ("current", lambda curve, at: curve.current(at)),
        ("frequency", lambda curve, at: curve.frequency(at)),
    ],
)
def test_objects_have_values_from_the_curve(tmp_path: Path, of: str, expected: Any) -> None:
    meter = meter_of(
        tmp_path,
        f"""
        customer = "solar"
        [[meter.objects]]
        object = "3/1-0:21.7.0"
        attributes.value = {{ type = "double-long-unsigned", function = "curve", of = "{of}", factor = 2 }}
        """,
    )
    assert read(meter, "3/1-0:21.7.0") == 2 * expected(meter.curve, NOW.timestamp())


# ---- rights ----------------------------------------------------------------------------------------------------------


def test_rights_take_the_place_of_the_usual_ones(tmp_path: Path) -> None:
    (plan,) = loaded(
        tmp_path,
        """
        [meter]
        security = "lls"
        [meter.rights]
        public = { objects = "3/1-0:1.8.0", attributes = "read" }
        reading = [{ objects = "0-0:98.1.0", hidden = true }, { objects = "*", attributes = "read" }]
        """,
    ).plans
    meter = SimulatedMeter(plan, now=standing())
    assert Local(meter, 16).open().get(3, "1-0:1.8.0", 2) > 0
    client = client_of(meter).open()
    assert client.get(7, "0-0:98.1.0", 2) is DataAccessResult.OBJECT_UNDEFINED
    assert client.get(7, "1-0:99.2.0", 7) == 40


# ---- what is refused -------------------------------------------------------------------------------------------------

OBJECT = '[meter]\n[[meter.objects]]\nobject = "3/1-0:52.7.0"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"one table \[meter\]"),
        ("[meter]\n[[meters]]", r"one table \[meter\]"),
        ("meter = 3", r"\[meter\] is a table"),
        ("meters = 3", "double brackets"),
        ("[meter]\ncount = 2", "one meter"),
        ("prot = 3\n[meter]", "the file has no 'prot' .is port meant"),
        ("port = '4059'\n[meter]", "port of the file is a whole number"),
        ("seed = true\n[meter]", "seed of the file is a whole number"),
        ("[meter]\ncustomr = 'shop'", r"\[meter\] has no 'customr' .is customer meant"),
        ("[meter]\ncustomer = 'shp'", "is shop meant"),
        (
            "[meter]\nsecurity = ['lls', 'hls']",
            "security of .meter. is one of none, lls, hls-gmac, hls-ecdsa, not 'hls'",
        ),
        ("[meter]\nzone = 'Europe/Berlinn'", "no time zone"),
        ("[meter]\nzone = 3", "a text"),
        ("[[meters]]\ncount = 0", "1 meter or more"),
        ("[meter]\nprofile_days = 0", "a day or more"),
        ("[meter]\nprofile_days = 100000000", "up to 36525"),
        ("[meter]\nbilling_periods = 100000", "0 to 1200 billing periods"),
        ("[meter]\nassociation_version = 7", "versions 0 to 3"),
        ('[meter]\nreferencing = "short"', "referencing"),
        ("[meter]\n[tme]", "is time meant"),
        ("[meter]\n[time]\nspeeed = 2", "is speed meant"),
        ("[meter]\n[time]\nspeed = 'fast'", "a number"),
        ("[meter]\n[time]\nspeed = -1", "0 or more"),
        ("[meter]\n[time]\nstart = '2026'", "a date and time"),
        ("[meter]\n[time]\nstart = 2026-03-01T00:00:00", "offset from UTC"),
        ("[meter]\n[faults]", "double brackets"),
        ("[meter]\n[[faults]]", "a fault is one of"),
        ("[meter]\n[[faults]]\nfault = 'slw'", "is slow meant"),
        ("[meter]\n[[faults]]\nfault = 'slow'\ndely = 2", "number 1: fault slow has no 'dely' .is delay meant"),
        ("[meter]\n[[faults]]\nfault = 'slow'\nshare = 0.5", "10%"),
        ("[meter]\n[[faults]]\nfault = 'slow'\nserials = 7", "a list of serial numbers"),
        ("[meter]\nobjects = 3", "double brackets"),
        ("[meter]\nobjects = [3]", "object 1 of .meter. is a table"),
        ("[meter]\n[[meter.objects]]", "needs object"),
        ("[meter]\n[[meter.objects]]\nobject = '1-0:1.8.0'", "class and OBIS code"),
        ("[meter]\n[[meter.objects]]\nobject = '3/what'", "no OBIS code"),
        ("[meter]\n[[meter.objects]]\nobject = '9999/1-0:1.8.0'", "known: none"),
        ("[meter]\n[[meter.objects]]\nobject = '3/1-0:52.7.0'\nversion = 3", "known: 0"),
        ("[meter]\n[[meter.objects]]\nobject = '3/1-0:1.8.0'", "already"),
        (OBJECT + "attributs = 3", "is attributes meant"),
        (OBJECT + "attributes = 3", "its attributes are one"),
        (OBJECT + "attributes.valu = 3", "is value meant"),
        (OBJECT + "writable = ['scaler']", "is scaler_unit meant"),
        (OBJECT + "writable = ['value']", "no value to replace"),
        (OBJECT + "attributes.scaler_unit = [-1, 'Volt']", "scaler_unit of 3/1-0:52.7.0"),
        (OBJECT + "attributes.value = { type = 'long', value = 70000 }", "value of 3/1-0:52.7.0"),
        (OBJECT + "attributes.value = { type = 'lng', function = 'sine' }", "is long meant"),
        (OBJECT + "attributes.value = { type = 'long', function = 'sin' }", "is sine meant"),
        (OBJECT + "attributes.value = { type = 'long', function = 'sine' }", "needs mean"),
        (OBJECT + "attributes.value = { type = 'long', function = 'curve', of = 'import' }", "is imported meant"),
        (
            OBJECT + "attributes.value = { type = 'long', function = 'sine', mean = 1, amplitude = 1, period = 0 }",
            "more than 0 s",
        ),
        (
            OBJECT + "attributes.value = { type = 'long', function = 'sine', mean = 99999, amplitude = 1, period = 9 }",
            "value of 3/1-0:52.7.0",
        ),
        (
            OBJECT + "attributes.value = { type = 'long', function = 'sine', mean = nan, amplitude = 1, period = 9 }",
            "value of 3/1-0:52.7.0: nan is no long",
        ),
        (
            OBJECT + "attributes.value = { type = 'long', function = 'sine', mean = inf, amplitude = 1, period = 9 }",
            "value of 3/1-0:52.7.0: inf is no long",
        ),
        (OBJECT + "attributes.value = { type = 'long', function = 'steps', values = [], every = 1 }", "have values"),
        (OBJECT + "attributes.value = { type = 'long', function = 'steps', values = 3, every = 1 }", "is a list"),
        ("[meter]\n[meter.rights]\npublc = 'reading'", "is public meant"),
        ("[meter]\n[meter.rights]\npublic = 'readng'", "one of reading, managing"),
        (
            "[meter]\n[meter.rights]\npublic = { objects = '3/1-0:1.8.0', attributes = { valeu = 'read' } }",
            "valeu does not exist",
        ),
        ("[[meters]]\nserial = 3\n[[meters]]\nserial = 3", None),
        ("a = ", "is no TOML"),
    ],
)
def test_what_cannot_be_is_refused_in_words_that_name_it(tmp_path: Path, text: str, words: str | None) -> None:
    if words is None:  # as a fleet, not as a file
        with pytest.raises(ConfigurationError, match="serial number of its own"):
            loaded(tmp_path, text).fleet()
        return
    with pytest.raises(ConfigurationError, match=words) as caught:
        loaded(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "fleet.toml"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.toml cannot be read"):
        load_fleet(tmp_path / "nowhere.toml")
