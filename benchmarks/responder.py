"""A meter with prepared answers: a child process that answers as fast as a blocking socket in Python can.

TCP wrapper (IEC 62056-4-7: version, source, destination, length; two octets each). AARQ, GET and RLRQ have one answer
each; the invoke-id-and-priority of a GET is echoed. All contenders talk to one and the same responder. A few threads
wait in `accept`, so that connecting costs no start of a thread.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks import samples

Address = tuple[str, int]
THREADS = 8
RLRE = bytes.fromhex("6303800100")


def _answer(apdu: bytes) -> bytes:
    match apdu[0]:
        case 0xC0:
            return samples.GET_RESPONSE[:2] + apdu[2:3] + samples.GET_RESPONSE[3:]
        case 0x60:
            return samples.AARE
        case 0x62:
            return RLRE
    return b"\xd8\x01\x02"


def _serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    octets = b""
    while received := connection.recv(4096):
        octets += received
        while len(octets) >= 8 and len(octets) >= 8 + int.from_bytes(octets[6:8], "big"):
            end = 8 + int.from_bytes(octets[6:8], "big")
            answer = _answer(octets[8:end])
            head = octets[:2] + octets[4:6] + octets[2:4] + len(answer).to_bytes(2, "big")
            connection.sendall(head + answer)
            octets = octets[end:]


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
