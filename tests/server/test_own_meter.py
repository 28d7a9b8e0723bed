"""The meter of ``examples/own_meter.py`` as a program: a kill takes nothing from it that was answered."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cosemic import BlockingMeter
from cosemic.errors import ConnectionFailed, ConnectionLost, CosemicError
from cosemic.model import Data, SpecDayEntry, SpecialDaysTable
from cosemic.values import Date
from examples.own_meter import PASSWORD

ROOT = Path(__file__).parents[2]


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the program; yield the address of its port, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / "own_meter.py"), str(port)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = re.fullmatch(
            r"cosemic read '(tcp://\S+):\d+\?client=16&server=1' 1-0:0\.2\.0\n", process.stdout.readline()
        )
        assert shown
        try:
            yield f"{shown[1]}:{port}", process
        finally:
            process.kill()


def managing(address: str) -> BlockingMeter:
    """Return the meter as the management client names it."""
    return BlockingMeter.connect(f"{address}?client=1&server=1", {"password": PASSWORD})


@pytest.mark.slow
def test_a_killed_meter_has_kept_what_it_has_answered(tmp_path: Path) -> None:
    entry = SpecDayEntry(9, Date.of(month=5, day_of_month=1), 2)
    with running(tmp_path) as (address, process), managing(address) as meter:
        meter.calendar.insert_special_day(entry)
        meter.write(Data("0-0:96.3.2").value, 7)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises((ConnectionLost, ConnectionFailed)):
            meter.read(Data("0-0:96.3.2").value)
    with running(tmp_path) as (address, _):
        with managing(address) as meter:
            assert entry in meter.read(SpecialDaysTable("0-0:11.0.0").entries)
            assert meter.read(Data("0-0:96.3.2").value) == 7
        with BlockingMeter.connect(f"{address}?client=16&server=1") as meter:
            assert meter.read("1-0:0.2.0") == b"1.0"
            with pytest.raises(CosemicError, match="not in the association view"):
                meter.read("1-0:1.8.0")
