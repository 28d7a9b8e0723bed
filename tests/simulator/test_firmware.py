"""Images to try updates with, and the firmware that a simulated meter shows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cosemic.codec import DataType, EncodedData
from cosemic.errors import ConfigurationError
from cosemic.model import ImageTransferStatus
from cosemic.server.state import StateFile
from cosemic.simulator import Fleet, MeterPlan, SimulatedMeter, firmware_image
from tests.simulator.clients import beside, opened
from tests.simulator.support import NOW, client_of, meter_at, standing, value


def test_an_image_holds_its_version_and_its_proof() -> None:
    image = firmware_image("2.0.1", octets=500)
    assert len(image) == 500
    assert image.startswith(b"COSEMIC FIRMWARE 2.0.1\n")
    assert image[-32:] == hashlib.sha256(image[:-32]).digest()
    assert image == firmware_image("2.0.1", octets=500) != firmware_image("2.0.2", octets=500)
    assert len(firmware_image("1")) == 20_000


@pytest.mark.parametrize(
    ("version", "octets", "words"),
    [
        ("", 500, "1 to 32"),
        ("2 0", 500, "no spaces"),
        ("é", 500, "ASCII"),
        ("2" * 33, 500, "1 to 32"),
        ("2.0", 10, "53"),
    ],
)
def test_images_that_cannot_be_are_refused(version: str, octets: int, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        firmware_image(version, octets)


def transferred(meter: SimulatedMeter, image: bytes) -> ImageTransferStatus:
    """Transfer, verify and activate an image by hand."""
    client = client_of(meter).open()
    announced = (DataType.STRUCTURE, ((DataType.OCTET_STRING, b"x"), (DataType.DOUBLE_LONG_UNSIGNED, len(image))))
    client.act(18, "0-0:44.0.0", 1, EncodedData.from_typed(announced))
    for number in range(-(-len(image) // 200)):
        block = image[200 * number : 200 * (number + 1)]
        typed = (DataType.STRUCTURE, ((DataType.DOUBLE_LONG_UNSIGNED, number), (DataType.OCTET_STRING, block)))
        client.act(18, "0-0:44.0.0", 2, EncodedData.from_typed(typed))
    for method in (3, 4):
        client.act(18, "0-0:44.0.0", method, EncodedData.of(DataType.INTEGER, 0))
    return meter.firmware.transfer.status


def test_an_image_becomes_the_firmware_when_it_is_activated() -> None:
    meter, _ = meter_at(firmware="1.2.3")
    image = firmware_image("2.0.0", octets=900)
    assert value(meter, 1, "1-0:0.2.0") == b"1.2.3"
    before = value(meter, 1, "1-0:0.2.8")
    assert transferred(meter, image) is ImageTransferStatus.ACTIVATION_SUCCESSFUL
    assert value(meter, 1, "1-0:0.2.0") == b"2.0.0"
    assert value(meter, 1, "1-0:0.2.8") == image[-32:] != before


@pytest.mark.parametrize("spoilt", ["proof", "head"])
def test_an_image_that_is_not_right_fails_its_verification(spoilt: str) -> None:
    meter, _ = meter_at()
    image = bytearray(firmware_image("2.0.0", octets=900))
    image[100] ^= spoilt == "proof"
    if spoilt == "head":
        image[0] ^= 1
        image[-32:] = hashlib.sha256(image[:-32]).digest()
    assert transferred(meter, bytes(image)) is ImageTransferStatus.VERIFICATION_FAILED
    assert value(meter, 1, "1-0:0.2.0") == b"1.0.0"


def test_the_firmware_outlives_the_process(tmp_path: Path) -> None:
    def meter(file: StateFile) -> SimulatedMeter:
        plan = MeterPlan(serial=1, profile_days=1, billing_periods=0)
        return SimulatedMeter(plan, now=standing(), state=file.of("x"))

    with StateFile(tmp_path / "state") as file:
        transferred(meter(file), firmware_image("2.0.0", octets=300))
    with StateFile(tmp_path / "state") as file:
        again = meter(file)
        assert (again.firmware.version, again.firmware.signature) == ("2.0.0", firmware_image("2.0.0", 300)[-32:])


def test_a_client_updates_the_firmware_and_reads_it_back() -> None:
    fleet = Fleet.of(1, kinds=("hls-gmac",), now=standing(NOW), profile_days=1)

    def work() -> None:
        with opened(fleet.endpoints[0]) as meter:
            meter.firmware.update(firmware_image("2.1", octets=1_500), "FW_2.1")
            assert meter.read("1-0:0.2.0") == b"2.1"
            assert "Firmware activated" in [event.name for event in meter.events.read("0-0:99.98.0")]

    beside(fleet, work)
