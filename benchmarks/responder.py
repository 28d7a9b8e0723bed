"""A meter with prepared answers: a child process that answers as fast as a blocking socket in Python can.

The first octet of a connection tells what is spoken on it: the TCP wrapper (IEC 62056-4-7: version, source,
destination, length; two octets each), or HDLC (IEC 62056-46) between addresses of one octet, with a window of 1 and
APDUs in one frame. What it answers is in `answers.py`. All contenders talk to one and the same responder. It checks
nothing; WPDUs and frames are made once and kept. A few threads wait in `accept`, so that connecting costs no start of a
thread.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing.connection import Connection

from benchmarks import samples
from benchmarks.answers import answer, proposed_pdu_size

Address = tuple[str, int]
THREADS = 8
KEPT = 1 << 14
"""Answers."""
_AARQ, _ACCESS = b"\x60", b"\xd9"
_FRAMED = 118
"""Octets of an APDU in one frame of 128 octets of information, with room to spare."""
_SNRM, _DISC = 0x93, 0x53
_INFORMATION = 8
"""Where it begins in a frame: behind flag, format, addresses, control and HCS."""
_APDU = _INFORMATION + len(samples.LLC_RESPONSE)


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    octets = connection.recv(4096)
    serve = _serve_frames if octets[:1] == b"\x7e" else _serve_wrapper
    serve(connection, octets)


def _serve_wrapper(connection: socket.socket, octets: bytes) -> None:
    pdu_size = 0xFFFF
    received = octets
    while received:
        while len(octets) >= 8 and len(octets) >= (end := 8 + int.from_bytes(octets[6:8], "big")):
            apdu = octets[8:end]
            if apdu[:1] == _AARQ:
                pdu_size = proposed_pdu_size(apdu)
            # A long invoke-id does not come again soon.
            make = _wpdu.__wrapped__ if apdu[:1] == _ACCESS else _wpdu
            connection.sendall(make(octets[:6], apdu, pdu_size))
            octets = octets[end:]
        received = connection.recv(4096)
        octets += received


@lru_cache(KEPT)
def _wpdu(head: bytes, apdu: bytes, pdu_size: int) -> bytes:
    """The answer between the same SAPs, the other way."""
    found = answer(apdu, pdu_size)
    return head[:2] + head[4:6] + head[2:4] + len(found).to_bytes(2, "big") + found


@lru_cache(1024)
def _frame(control: int, information: bytes = b"") -> bytes:
    return samples.hdlc_frame(samples.CLIENT_ADDRESS, samples.METER_ADDRESS, control, information)


@lru_cache(1024)
def _information(apdu: bytes) -> bytes:
    return samples.LLC_RESPONSE + answer(apdu, _FRAMED)


def _serve_frames(connection: socket.socket, octets: bytes) -> None:
    """What stands in an I frame's control is all the state there is: its N(S) + 1 is N(R), its N(R) is N(S)."""
    expected = 0
    received = octets
    while received:
        while len(octets) > 2 and len(octets) >= (end := 2 + (int.from_bytes(octets[1:3], "big") & 0x7FF)):
            control = octets[5]
            if not control & 1:
                expected = (control + 2 & 0x0E) << 4
                information = _information(octets[_APDU : end - 3])
                connection.sendall(_frame(expected | samples.HDLC_I_FRAME & 0x10 | control >> 4 & 0x0E, information))
            elif control == _SNRM:
                connection.sendall(_frame(samples.HDLC_UA_FRAME, samples.HDLC_DEFAULTS))
            elif control == _DISC:
                connection.sendall(_frame(samples.HDLC_UA_FRAME))
            else:
                connection.sendall(_frame(expected | samples.HDLC_RR_FRAME))
            octets = octets[end:]
        received = connection.recv(4096)
        octets += received


def _accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                _serve(connection)
            except ConnectionError:
                continue


def _child(pipe: Connection) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe.send(listener.getsockname())
    for _ in range(THREADS):
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
    try:
        pipe.recv()
    except (EOFError, KeyboardInterrupt):
        return


@contextmanager
def responder() -> Iterator[Address]:
    """Run the responder in a child process; yields the address it listens on."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join(5)
        if process.is_alive():
            process.terminate()
