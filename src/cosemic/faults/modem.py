"""Hayes modems and the telephone network between them, in virtual time (ITU-T V.250).

::

    network = TelephoneNetwork(time, from_called=StreamFaults(cut_at=200))
    cable = ByteStream(time, line=LineSettings(9600))
    network.modem("5551234", cable.server)
    meter = Station(AnsweringModemLink(...), cable.client)

    state of a modem      what goes on
    command               lines are read as commands; RING is told
    dialling, answering   waits for the other side; any octet takes the call back
    data                  octets pass; silence, +++, silence lead to command, with the call kept (ATO goes back)

A call is a byte stream of its own, with the rate and the faults of the network; where it is cut, both modems tell NO
CARRIER. A caller gets BUSY, NO ANSWER after ``patience``, NO CARRIER for a number that nobody has, NO DIALTONE from a
network that is out of order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from cosemic.errors import ConfigurationError, TransportError
from cosemic.faults.byte_stream import ByteStream
from cosemic.faults.command_port import CommandPort
from cosemic.faults.media import FAULTLESS, StreamFaults
from cosemic.faults.port import Port
from cosemic.faults.virtual_time import Timer, VirtualTime
from cosemic.link.contract import Octets
from cosemic.link.modem.results import Result
from cosemic.values import LineSettings

_ESCAPE: Final = b"+++"
_COMMAND: Final = re.compile(
    r"(?P<dial>D.*)|S(?P<register>\d+)=(?P<value>\d+)|(?P<name>[&\\%]?[A-Z])(?P<number>\d*)", re.IGNORECASE
)
_ACCEPTED: Final = frozenset("MLXYQ")


class TelephoneNetwork:
    """Modems by number.

    line: rate of a call. from_caller, from_called: faults of its two directions. ring_every, training: seconds between
    rings, and from the answer to CONNECT. patience: seconds that a caller waits.
    """

    def __init__(
        self,
        time: VirtualTime,
        line: LineSettings = LineSettings(9600),  # noqa: B008 - frozen
        *,
        from_caller: StreamFaults = FAULTLESS,
        from_called: StreamFaults = FAULTLESS,
        ring_every: float = 5.0,
        training: float = 3.0,
        patience: float = 50.0,
        seed: int = 0,
    ) -> None:
        self.time = time
        self.line = line
        self.from_caller = from_caller
        self.from_called = from_called
        self.ring_every = ring_every
        self.training = training
        self.patience = patience
        self.out_of_order = False
        self.calls: list[ByteStream] = []
        """All calls that came about; the caller is their ``client``."""
        self._seed = seed
        self._modems: dict[str, SimulatedModem] = {}

    def modem(self, number: str, port: Port) -> SimulatedModem:
        """Connect a modem at its end of a cable. Raises ConfigurationError for a number in use."""
        if number in self._modems:
            raise ConfigurationError(f"{number} is in use: give each modem a number of its own")
        self._modems[number] = modem = SimulatedModem(self, port)
        return modem

    def dial(self, caller: SimulatedModem, number: str) -> _Ringing | None:
        """Ring at a number; None: the caller is told why not."""
        called = self._modems.get(number)
        if self.out_of_order or called is None:
            caller.fail_after(2.0, Result.NO_DIALTONE if self.out_of_order else Result.NO_CARRIER)
        elif called.engaged:
            caller.fail_after(2.0, Result.BUSY)
        else:
            return _Ringing(self, caller, called)
        return None

    def connect(self, caller: SimulatedModem, called: SimulatedModem) -> None:
        """Let both modems hear each other."""
        call = ByteStream(
            self.time,
            line=self.line,
            from_client=self.from_caller,
            from_server=self.from_called,
            told=True,
            seed=self._seed + len(self.calls),
        )
        self.calls.append(call)
        caller.join(call.client)
        called.join(call.server)


class _Ringing:
    """A call that was not answered yet."""

    def __init__(self, network: TelephoneNetwork, caller: SimulatedModem, called: SimulatedModem) -> None:
        self._network = network
        self._caller = caller
        self._called = called
        self._rings = 0
        called.ringing = self
        self._timer = network.time.call_later(network.ring_every / 2, self._ring)
        self._patience = network.time.call_later(network.patience, self._not_answered)

    def answer(self) -> None:
        """The called modem goes off the hook."""
        self._stop()
        self._timer = self._network.time.call_later(self._network.training, self._train)

    def cancel(self) -> None:
        """One of the two gives up."""
        self._stop()
        self._called.ringing = None
        self._caller.calling = None

    def _ring(self) -> None:
        self._rings += 1
        self._timer = self._network.time.call_later(self._network.ring_every, self._ring)
        self._called.ring(self._rings)

    def _train(self) -> None:
        self.cancel()
        self._network.connect(self._caller, self._called)

    def _not_answered(self) -> None:
        self.cancel()
        self._caller.tell(Result.NO_ANSWER)

    def _stop(self) -> None:
        self._timer.cancel()
        self._patience.cancel()


class SimulatedModem(CommandPort):
    """A Hayes modem. guard: seconds of silence around +++ (register S12)."""

    def __init__(self, network: TelephoneNetwork, port: Port) -> None:
        super().__init__(port)
        self.guard = 1.0
        self.answer_after = 0
        """Register S0."""
        self.ringing: _Ringing | None = None
        self.calling: _Ringing | None = None
        self._network = network
        self._call: Port | None = None
        self._data_mode = False
        self._last_data = self.time.now
        self._escape = b""
        self._escape_timer: Timer | None = None
        self._failing: Timer | None = None
        self._simple: dict[str, Callable[[int], None]] = {
            "E": lambda number: setattr(self, "echo", bool(number)),
            "V": lambda number: setattr(self, "verbose", bool(number)),
            "Z": lambda number: self._reset(),
            "H": lambda number: self.hang_up(),
        }

    @property
    def engaged(self) -> bool:
        """Whether a call stands or is being made."""
        return any((self.ringing, self.calling, self._call, self._failing))

    # ---- what the network does --------------------------------------------------------------------------------------

    def ring(self, count: int) -> None:
        """The telephone rings."""
        self.tell(Result.RING)
        if self.answer_after and count >= self.answer_after and self.ringing is not None and not self.mute:
            self.ringing.answer()

    def join(self, call: Port) -> None:
        """A call stands."""
        self._call = call
        self._data_mode = True
        self._last_data = self.time.now
        self.tell(Result.CONNECT, self._network.line.baud)
        call.attach(_CallEnd(self))

    def fail_after(self, seconds: float, result: Result) -> None:
        """No call comes about."""
        self._failing = self.time.call_later(seconds, self._fail, result)

    def heard(self, octets: bytes) -> None:
        """Octets came over the call."""
        if self._data_mode:
            self.say(octets)

    def dropped(self) -> None:
        """The carrier is gone."""
        if self._call is not None:
            self._call = None
            self._leave_data()
            self.tell(Result.NO_CARRIER)

    def hang_up(self) -> None:
        """Go on the hook."""
        for pending in (self.calling, self.ringing):
            if pending is not None:
                pending.cancel()
        if self._failing is not None:
            self._failing.cancel()
            self._failing = None
        call, self._call = self._call, None
        self._leave_data()
        if call is not None:
            call.close()

    def _fail(self, result: Result) -> None:
        self._failing = None
        self.tell(result)

    # ---- what the cable brings --------------------------------------------------------------------------------------

    def takes_data(self) -> bool:
        """Whether a call stands in data mode, or a character takes back the one being made."""
        return self._data_mode or self.calling is not None or self._failing is not None

    def data(self, octets: bytes) -> None:
        """Pass octets to the call, but for the escape sequence."""
        if not self._data_mode:
            self.hang_up()
            self.tell(Result.NO_CARRIER)
            return
        now = self.time.now
        quiet = now - self._last_data >= self.guard
        self._last_data = now
        candidate = self._escape + octets
        if (self._escape or quiet) and _ESCAPE.startswith(candidate):
            self._escape = candidate
            if self._escape_timer is not None:
                self._escape_timer.cancel()
            self._escape_timer = self.time.call_later(self.guard, self._escaped)
            return
        self._flush()
        self._pass(octets)

    def execute(self, command: str) -> None:
        """Execute a command line."""
        if command[:2].upper() != "AT":
            return
        at, body = 0, command[2:].replace(" ", "")
        while at < len(body):
            found = _COMMAND.match(body, at)
            if found is None:
                self.tell(Result.ERROR)
                return
            at = found.end()
            if found["dial"]:
                number = re.sub(r"[^0-9+*#]", "", found["dial"])
                self.calling = self._network.dial(self, number)
                return
            if found["register"]:
                if found["register"] == "0":
                    self.answer_after = int(found["value"])
                continue
            name = found["name"].upper()
            if name == "A":
                self._answer()
                return
            if name == "O":
                self._back_to_data()
                return
            if name in self._simple:
                self._simple[name](int(found["number"] or 0))
            elif name not in _ACCEPTED and len(name) == 1:
                self.tell(Result.ERROR)
                return
        self.tell(Result.OK)

    def _answer(self) -> None:
        if self.ringing is None:
            self.tell(Result.NO_CARRIER)
        else:
            self.ringing.answer()

    def _back_to_data(self) -> None:
        if self._call is None:
            self.tell(Result.NO_CARRIER)
        else:
            self._data_mode = True
            self.tell(Result.CONNECT, self._network.line.baud)

    def _reset(self) -> None:
        self.hang_up()
        self.echo = self.verbose = True
        self.answer_after = 0

    def _escaped(self) -> None:
        if self._escape == _ESCAPE and self._data_mode:
            self._leave_data()
            self.tell(Result.OK)
        else:
            self._flush()

    def _flush(self) -> None:
        held, self._escape = self._escape, b""
        if self._escape_timer is not None:
            self._escape_timer.cancel()
            self._escape_timer = None
        self._pass(held)

    def _pass(self, octets: Octets) -> None:
        if octets and self._call is not None and not self._call.closed:
            self._call.write(bytes(octets))

    def _leave_data(self) -> None:
        self._data_mode = False
        self._escape = b""
        if self._escape_timer is not None:
            self._escape_timer.cancel()
            self._escape_timer = None


class _CallEnd:
    """A modem's end of a call."""

    def __init__(self, modem: SimulatedModem) -> None:
        self._modem = modem

    def octets_received(self, octets: bytes, /) -> None:
        self._modem.heard(octets)

    def connection_lost(self, error: TransportError | None, /) -> None:
        if error is not None:
            self._modem.dropped()
