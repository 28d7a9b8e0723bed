"""Wireshark's opinion of a capture: how many COSEM APDUs it saw, and which of them it finds malformed.

The dissectors `dlms` (wrapper and HDLC) and `cosem` (Wireshark 4.6; distributions with 4.0 or 4.2 lack them) take TCP
port 4059 by themselves. Where the
tshark on the path has no such dissector, `COSEMIC_TSHARK` can name another one as a command line (`chroot /somewhere
tshark`); the capture goes in by standard input. It calls a calling-AP-title (A6 with an OCTET STRING) malformed, which
it is not.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from interop.capture import PORT

ONE_OCTET_ONLY = (
    "it takes every server address for one octet: in 7E A0 08 02 23 21 93, to 1/17 from 16, it sees to 1 from 17, and "
    "a control field of 21"
)


class TsharkMissing(Exception):
    """There is no tshark with a COSEM dissector; the message says what there is."""


@dataclass(frozen=True)
class Verdict:
    """Frames with a COSEM APDU, and a line for each that the dissector could not follow."""

    frames: int
    malformed: list[str]


def _run(arguments: list[str], octets: bytes = b"") -> str:
    command = shlex.split(os.environ.get("COSEMIC_TSHARK", "tshark"))
    if shutil.which(command[0]) is None:
        raise TsharkMissing(f"{command[0]} is not installed")
    done = subprocess.run(command + arguments, input=octets, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise TsharkMissing(f"tshark ended with {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}")
    return done.stdout.decode(errors="replace")


def version() -> str:
    """The version number of tshark, or nothing where there is none."""
    try:
        found = re.search(r"\d+\.\d+\.\d+", _run(["--version"]))
    except TsharkMissing:
        return ""
    return found[0] if found else ""


def examine(capture: Path) -> Verdict:
    """Dissect a capture; raises TsharkMissing."""
    protocols = [line.split("\t") for line in _run(["-G", "protocols"]).splitlines()]
    if not any(len(fields) > 2 and fields[2] == "cosem" for fields in protocols):
        raise TsharkMissing(f"tshark {version()} has no COSEM dissector")
    octets = capture.read_bytes()
    common = ["-r", "-", "-T", "fields", "-e", "frame.number", "-e", "_ws.col.info", "-e", "_ws.expert.message"]
    seen = _run([*common, "-Y", "cosem"], octets).splitlines()
    # What stays undissected on the port counts as malformed too: the dissector did not recognise an APDU there.
    malformed = f"_ws.malformed || dlms.check_sequence || (tcp.port == {PORT} && data)"
    wrong = _run([*common, "-Y", malformed], octets).splitlines()
    return Verdict(len(seen), [line.replace("\t", " ") for line in wrong])
