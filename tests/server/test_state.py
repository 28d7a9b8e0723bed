"""What a device has answered is kept, whatever happens to its process; what cannot be kept stops it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cosemic.apdu import CosemAttributeDescriptor
from cosemic.association.service_provider import Access, ServerSettings
from cosemic.codec import DataType, EncodedData
from cosemic.errors import StoreError
from cosemic.security import Protection
from cosemic.server import Admission, ClientView, LogicalDevice, data, managing
from cosemic.server.state import StateFile, load_json, save_json
from cosemic.values import DataAccessResult, Obis

NAME = Obis("0-0:96.1.0")


def device(file: StateFile) -> LogicalDevice:
    made = LogicalDevice("CSM0000000000001", state=file.of("CSM0000000000001"))
    made.add(data(NAME, DataType.UNSIGNED, 1, writable=True))
    made.admit(Admission(client_sap=16, settings=ServerSettings(), rights=managing()))
    return made


def view(of: LogicalDevice) -> ClientView:
    client = of.client(16)
    assert client is not None
    return ClientView(of, client)


def put(of: LogicalDevice, value: int) -> DataAccessResult:
    attribute = CosemAttributeDescriptor(1, NAME, 2)
    return view(of).set(attribute, None, EncodedData.of(DataType.UNSIGNED, value), Access(Protection(0)))


def got(of: LogicalDevice) -> object:
    found = view(of).get(CosemAttributeDescriptor(1, NAME, 2), None, Access(Protection(0)))
    return found.value() if isinstance(found, EncodedData) else found


def test_what_was_written_outlives_the_device(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        assert put(device(file), 7) is DataAccessResult.SUCCESS
    with StateFile(tmp_path / "state") as file:
        assert got(device(file)) == 7


def test_devices_and_objects_do_not_see_what_others_keep(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        save_json(file.of("A").of("1/x"), "n", [1, "a"])
        assert load_json(file.of("A").of("1/x"), "n") == [1, "a"]
        assert load_json(file.of("B").of("1/x"), "n") is None
        assert load_json(file.of("A").of("1/y"), "n") is None
        file.of("A").of("1/x").save("n", None)
        assert load_json(file.of("A").of("1/x"), "n") is None


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from cosemic.server.state import StateFile
from tests.server.test_state import device, put
file = StateFile(Path(sys.argv[1]))
meter = device(file)
assert put(meter, 9) == 0
meter.state.save("unanswered", b"1")
os.kill(os.getpid(), signal.SIGKILL)
"""
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path / "state")], check=False, timeout=60)
    assert ran.returncode < 0
    with StateFile(tmp_path / "state") as file:
        meter = device(file)
        assert got(meter) == 9
        assert meter.state is not None
        assert meter.state.load("unanswered") is None


def test_a_device_that_cannot_keep_its_state_serves_no_more(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state")
    meter = device(file)
    assert put(meter, 7) is DataAccessResult.SUCCESS
    file.connection.execute("CREATE TRIGGER full BEFORE INSERT ON state BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    assert put(meter, 8) is DataAccessResult.HARDWARE_FAULT
    file.connection.execute("DROP TRIGGER full")
    assert got(meter) is DataAccessResult.HARDWARE_FAULT
    assert put(meter, 9) is DataAccessResult.HARDWARE_FAULT
    assert got(device(file)) == 7
    file.close()


def test_a_path_that_is_no_state_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="state of devices"):
        StateFile(tmp_path / "state")


def test_threads_change_one_after_the_other(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:

        def work(number: int) -> None:
            for value in range(50):
                state = file.of(str(number))
                state.save("a", value.to_bytes(1))
                state.save("b", value.to_bytes(1))
                state.commit()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other = sqlite3.connect(tmp_path / "state")
        kept = other.execute("SELECT device, name, value FROM state ORDER BY device, name").fetchall()
        other.close()
    assert kept == [(str(n), name, b"\x31") for n in range(4) for name in "ab"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_a_state_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as file:
        put(device(file), 7)
        assert {one.stat().st_mode & 0o077 for one in tmp_path.iterdir()} == {0}


def test_a_state_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="state of devices"):
        StateFile(tmp_path / "nowhere" / "state")
