"""Wireshark's opinion of a capture: how many COSEM APDUs it saw, and which of them it finds malformed.

The dissectors `dlms` (wrapper and HDLC) and `cosem` (Wireshark 4.6; distributions with 4.0 or 4.2 lack them) take TCP
port 4059 by themselves. Where the
tshark on the path has no such dissector, `COSEMIC_TSHARK` can name another one as a command line (`chroot /somewhere
tshark`); the capture goes in by standard input. It calls a calling-AP-title (A6 with an OCTET STRING) malformed, which
it is not. Of :data:`TAG_ALONE` it looks at the tag and no further. Of the results of ACCESS, 01 00 01 00, it takes the
second from the second octet on, and so shows hardware-fault where success stands.
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


TAG_ALONE = frozenset((0x05, 0x06, 0x0C, 0x0D, 0x0F, 0x10, 0x18, 0xE0))
"""ReadRequest, WriteRequest and their responses, data-notification and its confirm, information-report, general block
transfer."""


class TsharkMissing(Exception):
    """There is no tshark with a COSEM dissector; the message says what there is."""


@dataclass(frozen=True)
class Verdict:
    """Frames with a COSEM APDU, how many of these are of :data:`TAG_ALONE`, and a line for each that could not be
    followed."""

    frames: int
    tag_alone: int
    malformed: list[str]

    def __str__(self) -> str:
        told = f"{self.frames} APDUs, {len(self.malformed)} malformed"
        if self.tag_alone:
            told += f"; of {self.tag_alone} it knows the tag alone"
        return told + (f": {self.malformed[0][:160]}" if self.malformed else "")


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
    seen = _run(["-r", "-", "-T", "fields", "-e", "dlms.apdu", "-Y", "cosem"], octets).splitlines()
    # What stays undissected on the port counts as malformed too: the dissector did not recognise an APDU there.
    malformed = f"_ws.malformed || dlms.check_sequence || (tcp.port == {PORT} && data)"
    wrong = _run([*common, "-Y", malformed], octets).splitlines()
    tags = [int(line.split(",")[0]) for line in seen if line]
    return Verdict(len(seen), sum(tag in TAG_ALONE for tag in tags), [line.replace("\t", " ") for line in wrong])
