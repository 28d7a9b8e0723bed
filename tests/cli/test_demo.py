"""``cosemic demo`` as a user starts it, and what it prints."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosemic.cli import main
from cosemic.cli._chart import BLOCKS, PLAIN, curve
from cosemic.cli._demo_report import DemoReport
from cosemic.cli._progress import progress
from cosemic.head_end import Progress, Stage
from cosemic.head_end.load import Load

METERS, DAYS = 6, 2
ROWS = METERS * DAYS * 96


def demo(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cosemic", "demo", "--meters", str(METERS), "--days", str(DAYS), *more]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


@pytest.mark.slow
def test_a_first_run_reads_everything_and_a_second_only_what_is_missing(tmp_path: Path) -> None:
    first = demo(tmp_path, "--json")
    assert (first.returncode, first.stderr) == (0, "")
    found: dict[str, Any] = json.loads(first.stdout)
    assert (found["rows_new"], found["rows_before"], found["rows_stored"], found["failed"]) == (ROWS, 0, ROWS, 0)
    assert {meter["security"] for meter in found["by_meter"]} == {"none", "lls", "hls-gmac"}
    assert all(meter["rows_stored"] == DAYS * 96 and meter["error"] is None for meter in found["by_meter"])
    assert all(meter["energy_import"]["unit"] == "Wh" and meter["objects"] > 10 for meter in found["by_meter"])
    assert [each["meters"] for each in found["load_curve"]] == [METERS] * 96
    assert all(each["watts"] > 0 for each in found["load_curve"])

    second = demo(tmp_path)
    assert second.returncode == 0
    assert f"{ROWS} rows were in the store already" in second.stdout
    assert second.stdout.splitlines()[-1] == '  cosemic read "tcp://127.0.0.1:4059?client=16" 1-0:1.8.0'
    again = json.loads(demo(tmp_path, "--json").stdout)
    # A quarter of an hour may have ended meanwhile.
    assert again["rows_stored"] - ROWS in (0, METERS, 2 * METERS)
    assert again["round_trips"] < found["round_trips"] + METERS
    assert again["octets"] < found["octets"] - (ROWS - 2 * METERS) * 20


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("after", [0.0, 0.5, 2.0])
def test_ctrl_c_in_a_terminal_ends_it_in_plain_words(after: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cosemic", "demo", "--meters", "300", "--store", str(tmp_path / "s.sqlite")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_until((tmp_path / "s.sqlite").exists)
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, b"")
    assert errors == b"cosemic: stopped. Run it again: it goes on where it stopped.\n"
    wait_until(lambda: not running(tmp_path))


@pytest.mark.slow
def test_simulated_meters_that_nobody_asks_for_any_more_end_silently(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cosemic.cli._fleet_process", "1", "1", "1", str(tmp_path / "counters")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(20) == 0


@pytest.mark.slow
def test_the_text_has_the_table_the_curve_and_what_to_do_next(tmp_path: Path) -> None:
    text = demo(tmp_path).stdout
    assert text.count("complete") == METERS
    assert "1000003  HLS GMAC, ciphered" in text
    assert "█" in text
    assert f"Read {ROWS} rows of load profile of {METERS} meters" in text
    assert "round trips" in text
    assert "Next: run it again" in text.splitlines()[-2]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("killed", [False, True])
def test_no_simulated_meter_outlives_the_demo(killed: bool, tmp_path: Path) -> None:
    if killed:
        command = [sys.executable, "-m", "cosemic", "demo", "--store", str(tmp_path / "s.sqlite")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: any(b"_fleet_process" in line for line in running(tmp_path)))
            process.kill()
    else:
        demo(tmp_path)
    wait_until(lambda: not running(tmp_path))


def running(folder: Path) -> list[bytes]:
    """Command lines of processes that name the folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return [line for line in lines if str(folder).encode() in line]


def wait_until(condition: Callable[[], bool], patience: float = 20.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("wrong", [["--meters", "0"], ["--days", "0"], ["--days", "400"], ["--meters", "many"]])
def test_a_wrong_call_is_told_before_anything_is_made(
    wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *wrong]) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err


def test_a_store_that_is_none_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear customer, " * 50)
    assert main(["demo", "--store", str(letter)]) == 1
    assert "letter.txt" in capsys.readouterr().err
    assert letter.read_text() == "dear customer, " * 50
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_curve_rises_with_its_values_and_has_labels_below() -> None:
    drawn = curve([0, 1, 2, 4], ["a", "", "", "b"], height=2)
    assert drawn.splitlines() == ["4 |   █", "0 | ▄██", "   a  b"]
    assert curve([0, 1, 2, 4], [""] * 4, height=1, blocks=PLAIN).splitlines()[0] == "4 | .:|"


def test_a_curve_wider_than_the_terminal_shows_means() -> None:
    drawn = curve([1, 3] * 4, ["", "x"] + [""] * 6, height=1, width=4, blocks=BLOCKS)
    assert drawn.splitlines()[0] == "2 |████"


def test_a_label_that_a_mean_hides_or_that_has_no_room_does_not_widen_the_curve() -> None:
    labels = ["", "ab", *[""] * 4, "cde", ""]
    drawn = curve([1.0] * 8, labels, height=1, width=4)
    assert drawn.splitlines() == ["1 |████", "   ab"]


@pytest.mark.parametrize(("columns", "longest"), [(10, 40), (60, 60), (80, 80), (200, 200)])
def test_the_chart_of_the_demo_fits_the_terminal(columns: int, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    start = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    load = [Load(start + n * dt.timedelta(minutes=15), 12_345.0 * n, 1) for n in range(96)]
    text = report(load).text().split("kW\n")[1].split("\n\n")[0]
    assert longest // 3 < max(map(len, text.splitlines())) <= longest
    assert ":00" in text.splitlines()[-1]


def report(load: list[Load]) -> DemoReport:
    return DemoReport(
        store="s", since=load[0].interval_start, until=load[-1].interval_start, rows_before=0, rows_stored=0,
        seconds=1, seconds_to_start=1, meters=[], load=load,
    )  # fmt: skip


def test_a_curve_of_nothing_is_empty() -> None:
    assert set(curve([], [], height=2)) <= set("10 |\n")
    assert "█" not in curve([0.0], [""])


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("with_rich", [True, False])
def test_progress_counts_meters_and_rows_on_a_terminal(with_rich: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    if with_rich:
        pytest.importorskip("rich")
    else:
        for name in [name for name in sys.modules if name.split(".")[0] == "rich"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "rich", None)
    with progress(2) as report:
        report(Progress("a", Stage.PROFILE, 96))
        report(Progress("a", Stage.DONE))
        report(Progress("b", Stage.FAILED))
    assert "reading meters" in terminal.getvalue()
    assert "96 rows" in terminal.getvalue()
    assert "2/2" in terminal.getvalue() or "2 of 2" in terminal.getvalue()


def test_progress_is_silent_where_no_terminal_looks_on(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1) as report:
        report(Progress("a", Stage.DONE, 1))
    assert capsys.readouterr() == ("", "")
