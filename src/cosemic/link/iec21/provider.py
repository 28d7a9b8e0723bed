"""Where a meter of IEC 62056-21 takes its data sets from, and its passwords.

:class:`DataProvider` is what :class:`~cosemic.link.iec21.server.Iec21Server` asks; :class:`MeterData` is one made of
dictionaries. A provider declines with ServiceFailed: its ``label`` is what the error message shows, ``(ER02)``. Which
label means what is each maker's own; those of :class:`MeterData` are named below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Final, Protocol, TypeAlias

from cosemic.errors import EncodeError, ServiceFailed
from cosemic.link.iec21.datasets import DataSet
from cosemic.values import Secret

UNKNOWN_COMMAND: Final = "ER01"
UNKNOWN_ADDRESS: Final = "ER02"
NOT_WRITABLE: Final = "ER03"
LOCKED: Final = "ER04"
WRONG: Final = "ER05"
MALFORMED: Final = "ER06"

Text: TypeAlias = str | Callable[[], str]
"""``value*unit``, or what gives it."""


def declined(label: str, subject: str) -> ServiceFailed:
    """Return the error with which a provider declines."""
    return ServiceFailed(f"declined with ({label})", int(label[2:] or 0), label, subject)


class DataProvider(Protocol):
    """What a meter knows, and may do. All but ``readout`` and ``operand`` may raise ServiceFailed."""

    @property
    def locked(self) -> bool:
        """Whether writing and executing need a password."""

    def readout(self, option: int) -> Iterable[DataSet]:
        """Return the data sets of a read-out. option: that of the option select message, 0 or 6 to 9."""

    def operand(self) -> str:
        """Return the operand of P0, for the secure algorithm of P2; it may be empty."""

    def admits(self, command: str, operand: str, value: str) -> bool:
        """Whether this is the password (P1), or the result for the operand (P2). Compare in constant time."""

    def read(self, command: str, dataset: DataSet) -> Sequence[DataSet]:
        """Return what R1 to R6 ask for; ``dataset`` is as in the command."""

    def write(self, command: str, dataset: DataSet) -> None:
        """Take what W1 to W5 bring."""

    def execute(self, command: str, dataset: DataSet) -> Sequence[DataSet]:
        """Do what E2 asks for; nothing returned is answered with ACK."""


class MeterData:
    """A provider of dictionaries.

    values: text by address, or what gives it; written addresses are set in it. listed: addresses of the read-out, all
    where None. writable: addresses that may be written. actions: by address, what E2 calls with the value.
    password: for P1; None: nothing is locked. operand: for P0. verify: says whether a result of P2 is right for an
    operand; without it P2 is refused.
    """

    def __init__(
        self,
        values: MutableMapping[str, Text],
        *,
        listed: Sequence[str] | None = None,
        writable: Iterable[str] = (),
        actions: Mapping[str, Callable[[str], str | None]] | None = None,
        password: Secret | None = None,
        operand: Text = "",
        verify: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.values = values
        self._listed = listed
        self._writable = frozenset(writable)
        self._actions = dict(actions or {})
        self._password = password
        self._operand = operand
        self._verify = verify

    @property
    def locked(self) -> bool:
        """Whether there is a password, or a secure algorithm."""
        return self._password is not None or self._verify is not None

    def readout(self, option: int) -> list[DataSet]:
        """Return what is listed, whatever the option."""
        return [self._dataset(address) for address in (self.values if self._listed is None else self._listed)]

    def operand(self) -> str:
        """Return the operand."""
        return _text(self._operand)

    def admits(self, command: str, operand: str, value: str) -> bool:
        """Compare the password in constant time; hand a result of P2 to ``verify``."""
        if command == "P1":
            return self._password is not None and self._password.matches(value.encode("latin-1"))
        return self._verify is not None and self._verify(operand, value)

    def read(self, command: str, dataset: DataSet) -> list[DataSet]:
        """Return one data set; the argument and the kind of reading make no difference."""
        if dataset.address not in self.values:
            raise declined(UNKNOWN_ADDRESS, dataset.address)
        return [self._dataset(dataset.address)]

    def write(self, command: str, dataset: DataSet) -> None:
        """Set the value of an address that may be written; what could not be read out again is declined."""
        if dataset.address not in self._writable:
            raise declined(NOT_WRITABLE if dataset.address in self.values else UNKNOWN_ADDRESS, dataset.address)
        value = dataset.values[0] if dataset.values else ""
        try:
            DataSet(dataset.address, (value,)).encode()
        except EncodeError:
            raise declined(MALFORMED, dataset.address) from None
        self.values[dataset.address] = value

    def execute(self, command: str, dataset: DataSet) -> list[DataSet]:
        """Call the action; the text that it returns is the answer."""
        action = self._actions.get(dataset.address)
        if action is None:
            raise declined(UNKNOWN_ADDRESS, dataset.address)
        answer = action(dataset.values[0] if dataset.values else "")
        return [] if answer is None else [DataSet(dataset.address, (answer,))]

    def _dataset(self, address: str) -> DataSet:
        return DataSet(address, (_text(self.values[address]),))


def _text(source: Text) -> str:
    return source if isinstance(source, str) else source()
