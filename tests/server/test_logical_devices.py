"""Several logical devices behind one port, each with objects and clients of its own, at SAPs that can change."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosemic import apdu as a
from cosemic.association.service_provider import ServerSettings
from cosemic.client import BlockingMeter
from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import SAPAssignment
from cosemic.model.access_control import SAPAssignmentElement
from cosemic.server import (
    Admission,
    CosemObject,
    LogicalDevice,
    MeterConnection,
    PhysicalDevice,
    data,
    managing,
    reading,
    serve_in_thread,
)
from cosemic.server.state import DeviceState, StateFile
from cosemic.values import ActionResult, DataAccessResult
from tests.server.support import NOW, Local, View
from tests.server.test_meter_server import AARQ, GET_NAME, Medium, unwrapped, wpdu

SAP_ASSIGNMENT = "0-0:41.0.0"
SERIAL = "0-0:96.1.0"
R = ActionResult


def device(name: str, sap: int, state: DeviceState | None = None) -> LogicalDevice:
    made = LogicalDevice(name, sap=sap, now=lambda: NOW, state=state)
    made.add(data(SERIAL, DataType.OCTET_STRING, name.encode(), writable=True))
    made.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
    return made


def three(path: Path | None = None) -> PhysicalDevice:
    def state(name: str) -> DeviceState | None:
        return None if path is None else StateFile(path).of(name)

    names = {"MGT": 1, "ELE": 2, "GAS": 3}
    return PhysicalDevice(*(device(name, sap, state(name)) for name, sap in names.items()))


def element(sap: int, name: str) -> EncodedData:
    return EncodedData.from_typed(SAPAssignmentElement.encode(SAPAssignmentElement(sap, name.encode())))


def connect(meter: PhysicalDevice, sap: int, name: str) -> ActionResult:
    result = View(meter.devices[0]).act(17, SAP_ASSIGNMENT, 1, element(sap, name)).result
    assert isinstance(result, ActionResult)
    return result


def assignment(meter: PhysicalDevice) -> dict[str, int]:
    found = View(meter.devices[0]).get(17, SAP_ASSIGNMENT, 2)
    elements = SAPAssignment.SAP_assignment_list.type.decode(found.typed())
    return {one.logical_device_name.decode(): one.sap for one in elements}


def test_each_logical_device_is_reached_at_its_sap_and_has_objects_of_its_own() -> None:
    meter = three()
    with serve_in_thread(meter) as server:
        for sap, name in ((1, b"MGT"), (2, b"ELE"), (3, b"GAS")):
            with BlockingMeter.connect(server.url(16, sap)) as client:
                assert client.read("1/0-0:42.0.0") == name
                client.write(f"1/{SERIAL}", (DataType.OCTET_STRING, b"written " + name))
                names = {str(one.logical_name) for one in client.objects()}
                assert (f"{SAP_ASSIGNMENT}*255" in names) == (sap == 1)
        with BlockingMeter.connect(server.url(16, 1)) as client:
            listed = client.read(f"17/{SAP_ASSIGNMENT}")
            assert [(one.sap, one.logical_device_name) for one in listed] == [(1, b"MGT"), (2, b"ELE"), (3, b"GAS")]
            assert client.read(f"1/{SERIAL}") == b"written MGT"
    for one in meter.devices:
        assert View(one).get(1, SERIAL, 2).value() == b"written " + one.name.encode()


def test_a_device_that_is_connected_to_another_sap_is_reached_there_only() -> None:
    meter = three()
    assert connect(meter, 5, "GAS") is R.SUCCESS
    assert assignment(meter) == {"MGT": 1, "ELE": 2, "GAS": 5}
    assert meter.association(16, 3) is None
    moved = meter.association(16, 5)
    assert moved is not None
    moved.receive(AARQ, 0.0)
    moved.octets_to_send()
    moved.receive(GET_NAME, 0.0)
    assert a.decode(moved.octets_to_send()).result.value() == b"GAS"
    assert View(meter.devices[2]).get(15, "0-0:40.0.0", 3).value() == (16, 5)


def test_a_disconnected_device_is_listed_and_not_reached_until_it_is_connected_again() -> None:
    meter = three()
    assert [connect(meter, 0, name) for name in ("GAS", "ELE")] == [R.SUCCESS] * 2
    assert assignment(meter) == {"MGT": 1, "ELE": 0, "GAS": 0}
    assert [meter.association(16, sap) for sap in (0, 2, 3)] == [None] * 3
    assert connect(meter, 2, "GAS") is R.SUCCESS
    assert connect(meter, 2, "GAS") is R.SUCCESS
    assert meter.association(16, 2) is not None


@pytest.mark.parametrize(
    ("sap", "name"),
    [(2, "GAS"), (1, "GAS"), (16384, "GAS"), (0xFFFF, "GAS"), (5, "H2O"), (5, ""), (5, "MGT"), (0, "MGT")],
)
def test_what_cannot_be_connected_is_refused_and_changes_nothing(sap: int, name: str) -> None:
    meter = three()
    assert connect(meter, sap, name) is R.OTHER_REASON
    assert assignment(meter) == {"MGT": 1, "ELE": 2, "GAS": 3}
    wrong = EncodedData.of(DataType.UNSIGNED, 5)
    assert View(meter.devices[0]).act(17, SAP_ASSIGNMENT, 1, wrong).result is R.TYPE_UNMATCHED


def test_the_greatest_sap_is_one() -> None:
    meter = three()
    assert connect(meter, 16383, "GAS") is R.SUCCESS
    assert meter.association(16, 16383) is not None


def test_saps_outlive_the_process_of_those_devices_that_are_still_there(tmp_path: Path) -> None:
    meter = three(tmp_path / "state")
    connect(meter, 0, "GAS")
    connect(meter, 3, "ELE")
    connect(meter, 2, "GAS")
    assert assignment(three(tmp_path / "state")) == {"MGT": 1, "ELE": 3, "GAS": 2}
    file = StateFile(tmp_path / "state")
    fewer = PhysicalDevice(device("MGT", 1, file.of("MGT")), device("H2O", 4, file.of("H2O")))
    assert assignment(fewer) == {"MGT": 1, "H2O": 4}
    with pytest.raises(ConfigurationError, match="SAP 3"):
        PhysicalDevice(*(device(name, sap, file.of(name)) for name, sap in (("MGT", 1), ("ELE", 2), ("H2O", 3))))


def test_an_association_with_a_device_that_has_moved_is_over() -> None:
    meter = three()
    medium = Medium()
    served = MeterConnection(meter, medium)
    served.octets_received(wpdu(AARQ, 16, 2) + wpdu(AARQ, 16, 3) + wpdu(GET_NAME, 16, 3))
    electricity, gas = meter.devices[1].clients[0], meter.devices[2].clients[0]
    assert (electricity.standing, gas.standing) == (1, 1)
    medium.sent = b""
    connect(meter, 5, "GAS")
    served.octets_received(wpdu(GET_NAME, 16, 3))
    assert medium.sent == b""
    assert gas.standing == 0
    connect(meter, 3, "ELE")
    # Another device is there now: it has no association, and gets one of its own.
    served.octets_received(wpdu(GET_NAME, 16, 3) + wpdu(AARQ, 16, 3) + wpdu(GET_NAME, 16, 3))
    answers = [octets for _, _, octets in unwrapped(medium.sent)]
    assert answers[0].hex() == "d80101"
    assert a.decode(answers[2]).result.value() == b"ELE"
    assert (electricity.standing, gas.standing) == (2, 0)
    connect(meter, 2, "GAS")
    medium.sent = b""
    served.octets_received(wpdu(AARQ, 16, 2) + wpdu(GET_NAME, 16, 2))
    assert a.decode(unwrapped(medium.sent)[1][2]).result.value() == b"GAS"
    assert (electricity.standing, gas.standing) == (1, 1)
    served.connection_lost(None)
    assert (electricity.standing, gas.standing) == (0, 0)


def test_an_association_that_is_gone_answers_nothing() -> None:
    meter = three()
    local = Local(meter.devices[1], 16).open()
    meter.devices[1].connect(7)
    assert local.server.gone
    local.server.receive(GET_NAME, 0.0)
    assert local.server.octets_to_send() == b""


def test_a_client_without_the_right_moves_nothing() -> None:
    meter = three()
    meter.devices[0].admit(Admission(client_sap=17, settings=ServerSettings(), rights=reading()))
    result = View(meter.devices[0], 17).act(17, SAP_ASSIGNMENT, 1, element(5, "GAS")).result
    assert result is R.READ_WRITE_DENIED
    assert assignment(meter)["GAS"] == 3


def test_a_sap_assignment_that_is_given_is_left_as_it_is() -> None:
    given = CosemObject(SAPAssignment(SAP_ASSIGNMENT), {"SAP_assignment_list": [SAPAssignmentElement(9, b"X")]})
    management = device("MGT", 1)
    management.add(given)
    meter = PhysicalDevice(management)
    assert assignment(meter) == {"X": 9}
    assert connect(meter, 5, "MGT") is R.READ_WRITE_DENIED


def test_without_a_management_logical_device_there_is_no_sap_assignment() -> None:
    meter = PhysicalDevice(device("ELE", 2))
    assert View(meter.devices[0]).get(17, SAP_ASSIGNMENT, 2) is DataAccessResult.OBJECT_UNDEFINED


def test_devices_that_cannot_be_told_apart_are_refused() -> None:
    for devices in ((), (device("A", 1), device("B", 1)), (device("A", 1), device("A", 2))):
        with pytest.raises(ConfigurationError, match="SAP and a name"):
            PhysicalDevice(*devices)


def test_devices_can_be_put_behind_another_port_after_they_were_moved() -> None:
    meter = three()
    connect(meter, 0, "ELE")
    connect(meter, 0, "GAS")
    again = PhysicalDevice(*meter.devices)
    assert connect(again, 2, "GAS") is R.SUCCESS
    assert again.association(16, 2) is not None
