"""What each request of programming mode sends, and what it makes of the answers (IEC 62056-21, 6.3.7 to 6.3.11, 6.4.7).

An exchange is a generator: it yields a message to send, and gets the answer to it, a data message or ACK. Repetition
(NAK, wrong BCC) is the client's: an exchange sees right answers only. An error message ends it in ServiceFailed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, TypeAlias

from cosemic.errors import ProtocolError, ServiceFailed
from cosemic.link.iec21.datasets import DataSet, read_datasets
from cosemic.link.iec21.messages import Command, DataMessage, Signal
from cosemic.link.iec21.requests import Execute, Password, Read, Write

Answer: TypeAlias = DataMessage | Signal
Exchange: TypeAlias = Generator[Command | Signal, Answer, Any]
IN_BLOCKS: Final = frozenset(("W3", "W4"))


def password(request: Password, _most: int) -> Exchange:
    """P1 or P2: ACK where it is right."""
    yield from _acknowledged(Command(request.command, b"(%b)" % request.password.reveal()), request.command)


def read(request: Read, most: int) -> Exchange:
    """R1 to R6: one data message, or blocks that are acknowledged one by one.

    A first data set without address is of the address that was asked for.
    """
    asked = DataSet(request.address, (request.argument,))
    found: tuple[DataSet, ...] = yield from _answered(Command(request.command, asked.encode()), request.address, most)
    if found and not found[0].address:
        found = (DataSet(request.address, found[0].values), *found[1:])
    return found


def write(request: Write, _most: int) -> Exchange:
    """W1 to W5: ACK, for each block where there are several; each has the command in front (unsure)."""
    text = DataSet(request.address, (request.value,)).encode()
    size = max(request.block_size, 1) if request.command in IN_BLOCKS else len(text)
    for start in range(0, len(text), size):
        command = Command(request.command, text[start : start + size], more=start + size < len(text))
        yield from _acknowledged(command, request.address)


def execute(request: Execute, most: int) -> Exchange:
    """E2: ACK, or a data message."""
    text = DataSet(request.address, (request.value,)).encode()
    return (yield from _answered(Command(request.command, text), request.address, most))


EXCHANGES: Final[dict[type, Callable[[Any, int], Exchange]]] = {
    Password: password,
    Read: read,
    Write: write,
    Execute: execute,
}
"""The exchange of a request; the number is of the octets that an answer may have."""


def _acknowledged(command: Command, subject: str) -> Exchange:
    answer = yield command
    if isinstance(answer, DataMessage):
        raise _refused(answer, command.command, subject) or ProtocolError(
            f"the meter answers {command.command} {subject} with data where ACK should come (IEC 62056-21, 6.5.2)"
        )


def _answered(command: Command, subject: str, most: int) -> Exchange:
    answer = yield command
    text = b""
    while isinstance(answer, DataMessage):
        if error := _refused(answer, command.command, subject):
            raise error
        text += answer.text
        if len(text) > most:
            raise ProtocolError(f"the answer to {command.command} {subject} goes on beyond {most} octets")
        if not answer.more:
            break
        answer = yield Signal.ACK
    return read_datasets(text)


def _refused(answer: DataMessage, command: str, subject: str) -> ServiceFailed | None:
    """Return the error that an error message stands for."""
    label = answer.error
    if label is None:
        return None
    digits = "".join(each for each in label if each.isdigit())
    return ServiceFailed(
        f"the meter answers {command} {subject} with ({label}): the codes are the maker's, see the manual; often a "
        "password is missing, or the address is not known",
        int(digits or 0),
        label,
        subject,
    )
