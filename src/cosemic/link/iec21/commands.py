"""What a meter makes of the commands of programming mode (IEC 62056-21, 6.3.7 to 6.3.11, 6.5.2).

=======  ==========================================================================================
command  is answered with
=======  ==========================================================================================
P1, P2   ACK where password or result is right
R1 - R6  a data message; R3, R4 and R6 in partial blocks where it is long
W1 - W5  ACK; after several partial blocks (EOT) what they join to is written; another command in between drops them
E2       ACK, or a data message
others   an error message, ``(ER01)``
=======  ==========================================================================================

Reading is free; writing and executing need the password where there is one. An error message has the label of the
ServiceFailed with which the provider declines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from cosemic.errors import DecodeError, EncodeError, ProtocolError, ServiceFailed
from cosemic.link.iec21 import provider as p
from cosemic.link.iec21.datasets import DataSet, read_datasets, write_datasets
from cosemic.link.iec21.messages import Command, DataMessage, Signal
from cosemic.link.iec21.settings import ServerSettings

Answers: TypeAlias = "list[DataMessage | Signal]"
"""The first is sent, each other one when that before it is acknowledged."""
_IN_BLOCKS: Final = ("R3", "R4", "R6")
_RESERVED: Final = ("R0", "W0")


class CommandServer:
    """Programming mode of one session. operand: that of P0."""

    def __init__(self, provider: p.DataProvider, settings: ServerSettings) -> None:
        self.operand = provider.operand()
        self._provider = provider
        self._settings = settings
        self._admitted = not provider.locked
        self._tries = 0
        self._last = ""
        self._written = b""

    def serve(self, command: Command) -> Answers:
        """Answer a command. Raises ProtocolError where the session is to be ended: too many wrong passwords."""
        if command.command != self._last:
            self._last, self._written = command.command, b""
        serve = None if command.command in _RESERVED else _SERVICES.get(command.command[0])
        try:
            if serve is None:
                raise p.declined(p.UNKNOWN_COMMAND, command.command)
            return serve(self, command)
        except (DecodeError, EncodeError):  # of what was sent, or of what is to be read
            return self._decline(p.MALFORMED)
        except ServiceFailed as error:
            return self._decline(error.label or p.UNKNOWN_COMMAND)

    def _decline(self, label: str) -> Answers:
        self._written = b""
        return [DataMessage(f"({label})".encode("ascii", "replace"))]

    def _admit(self, command: Command) -> Answers:
        value = next((value for each in command.datasets for value in each.values), "")
        if self._provider.admits(command.command, self.operand, value):
            self._admitted = True
            return [Signal.ACK]
        self._tries += 1
        if self._tries >= self._settings.tries:
            raise ProtocolError(f"{self._tries} wrong passwords (IEC 62056-21, P1): see who tries them")
        return self._decline(p.WRONG)

    def _read(self, command: Command) -> Answers:
        found = [each for asked in command.datasets for each in self._provider.read(command.command, asked)]
        return self._data(found, in_blocks=command.command in _IN_BLOCKS)

    def _write(self, command: Command) -> Answers:
        self._need_password(command)
        self._written += command.text or b""
        if len(self._written) > self._settings.max_octets:
            return self._decline(p.MALFORMED)
        if not command.more:
            written, self._written = self._written, b""
            for dataset in read_datasets(written):
                self._provider.write(command.command, dataset)
        return [Signal.ACK]

    def _execute(self, command: Command) -> Answers:
        self._need_password(command)
        found = [each for asked in command.datasets for each in self._provider.execute(command.command, asked)]
        return self._data(found, in_blocks=False) if found else [Signal.ACK]

    def _need_password(self, command: Command) -> None:
        if not self._admitted:
            raise p.declined(p.LOCKED, command.command)

    def _data(self, datasets: Sequence[DataSet], *, in_blocks: bool) -> Answers:
        if not self._settings.answers_with_address:
            datasets = [DataSet("", each.values) for each in datasets]
        text = write_datasets(datasets)
        size = self._settings.block_size if in_blocks else max(len(text), 1)
        parts = [text[start : start + size] for start in range(0, len(text), size)] or [b""]
        return [DataMessage(part, more=number < len(parts)) for number, part in enumerate(parts, 1)]


_SERVICES: Final[dict[str, Callable[[CommandServer, Command], Answers]]] = {
    "P": CommandServer._admit,
    "R": CommandServer._read,
    "W": CommandServer._write,
    "E": CommandServer._execute,
}
