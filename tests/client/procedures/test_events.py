"""Event logs: what happened when, in words of the companion that the meter follows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from cosemic.client.procedures.events import EventProcedures
from cosemic.codec import DataType
from cosemic.errors import DataAccessError
from cosemic.model.event_names import Companion
from cosemic.server import CosemObject, managing, only
from cosemic.server.objects import data
from cosemic.values import Obis
from tests.client.procedures.bench import Bench, both_faces
from tests.client.procedures.profiles import CLOCK, Recorded, stamped
from tests.server.support import NOW, device_with

T = DataType
DAY = dt.timedelta(days=1)
CODE = (1, "0-0:96.11.0", 2)


def moment(days: int) -> dt.datetime:
    return NOW + days * DAY


def log(codes: dict[int, int], instance: str = "0-0:99.98.0", **options: Any) -> Recorded:
    """A log: day after NOW and code of each event."""
    rows = [stamped(moment(day), (T.UNSIGNED, code)) for day, code in codes.items()]
    code = f"0-0:96.11.{Obis(instance).e}"
    return Recorded(instance, [CLOCK, (1, code, 2)], rows, **options)


def events(*objects: CosemObject, **options: Any) -> tuple[Bench, EventProcedures]:
    bench = Bench(*objects, **options)
    return bench, EventProcedures(bench.session)


def test_events_have_time_code_and_name() -> None:
    bench, procedures = events(log({1: 1, 2: 2, 3: 40}))
    found = bench.run(procedures.read("0-0:99.98.0"))
    assert [(one.time, one.code, one.name) for one in found] == [
        (moment(1), 1, "Power down"),
        (moment(2), 2, "Power up"),
        (moment(3), 40, "Terminal cover removed"),
    ]
    assert {(one.log, one.log_name) for one in found} == {(Obis("0-0:99.98.0"), "Standard event log")}
    assert all(not one.details and not one.marks for one in found)


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize(
    ("since", "until", "codes"),
    [
        (None, None, [1, 2, 3, 4]),
        (moment(2), None, [2, 3, 4]),
        (None, moment(3), [1, 2]),
        (moment(2), moment(3), [2]),
        (moment(2).replace(tzinfo=None), moment(3).replace(tzinfo=None), [2]),
        (moment(9), None, []),
    ],
)
def test_events_since_and_until(selective: bool, since: Any, until: Any, codes: list[int]) -> None:
    served = log({1: 1, 2: 2, 3: 3, 4: 4}, selective=selective)
    bench, procedures = events(served)
    assert [one.code for one in bench.run(procedures.read("0-0:99.98.0", since, until))] == codes
    assert served.ranges == (selective and (since is not None or until is not None))


def test_a_code_that_is_not_known_keeps_its_number() -> None:
    bench, procedures = events(log({1: 199}))
    (found,) = bench.run(procedures.read("0-0:99.98.0"))
    assert (found.code, found.name) == (199, "Event 199")


def test_other_columns_are_details() -> None:
    rows = [stamped(NOW, (T.UNSIGNED, 65), (T.LONG_UNSIGNED, 4200))]
    bench, procedures = events(Recorded("0-0:99.98.2", [CLOCK, (1, "0-0:96.11.2", 2), (71, "0-0:17.0.0", 3)], rows))
    (found,) = bench.run(procedures.read("0-0:99.98.2"))
    assert (found.name, found.log_name) == ("Limiter threshold exceeded", "Disconnector control event log")
    assert list(found.details.values()) == [4200]
    assert "Limiter" in next(iter(found.details))


def test_a_log_without_codes_is_named_by_what_it_is_for() -> None:
    rows = [stamped(NOW, (T.DOUBLE_LONG_UNSIGNED, 240))]
    bench, procedures = events(Recorded("1-0:99.97.0", [CLOCK, (1, "0-0:96.7.19", 2)], rows))
    (found,) = bench.run(procedures.read("1-0:99.97.0"))
    assert (found.code, found.name) == (None, "Power failure")
    assert list(found.details.values()) == [240]


def test_a_code_that_is_no_number_is_a_detail() -> None:
    bench, procedures = events(Recorded("0-0:99.98.0", [CLOCK, CODE], [stamped(NOW, (T.OCTET_STRING, b"\x01"))]))
    (found,) = bench.run(procedures.read("0-0:99.98.0"))
    assert found.code is None
    assert list(found.details.values()) == [b"\x01"]


MARKERS = {
    Companion.IDIS: (),
    Companion.DSMR: ("0-1:94.31.0",),
    Companion.SMR: ("0-1:94.31.0",),
    Companion.IS_15959: ("0-0:94.91.0",),
    Companion.GOST_R_58940: ("1-0:94.7.0",),
    Companion.UNI_TS_11291: ("0-0:94.39.3",),
}


@pytest.mark.parametrize(
    ("companion", "instance", "name", "title"),
    [
        (Companion.IDIS, "0-0:99.98.4", "Overvoltage L2", "Power quality event log"),
        (Companion.DSMR, "0-0:99.98.0", "Voltage sag L1", "Standard event log"),
        (Companion.SMR, "0-0:99.98.5", "Overvoltage L1", "Power quality event log"),
        (Companion.IS_15959, "0-0:99.98.0", "Event 80", "Voltage event log"),
        (Companion.GOST_R_58940, "0-0:99.98.0", "Event 80", "Voltage event log"),
        (Companion.UNI_TS_11291, "0-0:99.98.1", "Event 80", "Metrological event log"),
    ],
)
def test_names_are_those_of_the_companion_that_the_objects_speak_for(
    companion: Companion, instance: str, name: str, title: str
) -> None:
    markers = [data(marker, T.UNSIGNED, 0) for marker in MARKERS[companion]]
    bench, procedures = events(log({1: 80}, instance), *markers)
    (found,) = bench.run(procedures.read(instance))
    assert (found.name, found.log_name) == (name, title)
    (given,) = bench.run(procedures.read(instance, companion=Companion.IDIS))
    assert given.name == "Overvoltage L2"


def test_all_logs_are_listed_and_read_in_order_of_time() -> None:
    standard, fraud = log({1: 1, 3: 2}), log({2: 40}, "0-0:99.98.1")
    failures = Recorded("1-0:99.97.0", [CLOCK, (1, "0-0:96.7.19", 2)], [stamped(moment(4), (T.UNSIGNED, 9))])
    m_bus = log({5: 160}, "0-1:24.5.0")
    load = Recorded("1-0:99.1.0", [CLOCK, (1, "0-0:96.1.0", 2)], [])
    bench, procedures = events(standard, fraud, failures, m_bus, load, data("0-0:99.98.9", T.UNSIGNED, 0))
    assert [(str(one.log), one.name) for one in bench.run(procedures.logs())] == [
        ("0-0:99.98.0*255", "Standard event log"),
        ("0-0:99.98.1*255", "Fraud event log"),
        ("1-0:99.97.0*255", "Power failure event log"),
        ("0-1:24.5.0*255", "M-Bus control log"),
    ]
    found = bench.run(procedures.read_all())
    assert [one.name for one in found] == [
        "Power down",
        "Terminal cover removed",
        "Power up",
        "Power failure",
        "Manual disconnection, M-Bus channel 1",
    ]
    assert [one.code for one in bench.run(procedures.read_all(moment(2), moment(4)))] == [40, 2]


def test_events_without_a_moment_come_first() -> None:
    nothing = ((T.OCTET_STRING, b"\xff" * 12), (T.UNSIGNED, 1))
    bench, procedures = events(Recorded("0-0:99.98.0", [CLOCK, CODE], [stamped(NOW, (T.UNSIGNED, 2)), nothing]))
    assert [one.time for one in bench.run(procedures.read_all())] == [None, NOW]


def test_the_last_event_of_each_log() -> None:
    codes = [data(f"0-0:96.11.{log}", T.UNSIGNED, code) for log, code in ((0, 18), (1, 44))]
    odd = data("0-0:96.11.7", T.OCTET_STRING, b"?")
    bench, procedures = events(*codes, odd, data("0-0:96.10.0", T.UNSIGNED, 1))
    found = bench.run(procedures.last())
    assert {str(name): (one.code, one.name, one.time) for name, one in found.items()} == {
        "0-0:96.11.0*255": (18, "Firmware activated", None),
        "0-0:96.11.1*255": (44, "Meter cover removed", None),
    }


def test_codes_of_the_last_events_count_by_their_log_in_spodes() -> None:
    bench, procedures = events(data("0-0:96.11.2", T.UNSIGNED, 3), data("0-0:96.11.4", T.UNSIGNED, 3))
    found = bench.run(procedures.last(companion=Companion.GOST_R_58940))
    assert [one.name for one in found.values()] == ["Remote disconnection", "Terminal cover seal released"]


def test_a_meter_that_shows_no_view_is_read_all_the_same() -> None:
    bench, procedures = events(log({1: 1}), rights=only(managing(), "0-0:99.98.0"))
    (found,) = bench.run(procedures.read("0-0:99.98.0"))
    assert found.name == "Power down"
    with pytest.raises(DataAccessError):
        bench.run(procedures.logs())


def test_a_log_that_is_not_there_or_refused_is_an_error() -> None:
    bench, procedures = events(log({1: 1}, selective=False))
    with pytest.raises(DataAccessError, match="object-undefined"):
        bench.run(procedures.read("0-0:99.98.3"))
    served = bench.device.object(7, "0-0:99.98.0")
    assert served is not None
    served._readers.pop(2)
    with pytest.raises(DataAccessError, match="buffer"):
        bench.run(procedures.read("0-0:99.98.0"))


def test_both_faces_read_events() -> None:
    with both_faces(device_with(log({1: 1, 2: 2}), data("0-0:96.11.0", T.UNSIGNED, 2))) as run:
        for use in (
            lambda meter: meter.events.read("0-0:99.98.0", moment(2)),
            lambda meter: meter.events.read_all(),
            lambda meter: meter.events.logs(),
            lambda meter: meter.events.last(),
        ):
            one, other = run(use)
            assert one == other
            assert one
