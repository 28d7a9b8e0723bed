"""Serial ports as the operating system and pyserial give them: opening, line settings, and what goes wrong.

::

    /dev/ttyUSB0, COM3          a port of this machine; taken exclusively
    socket://HOST:PORT          a serial server that passes octets on: TCP; its line is set at the server
    rfc2217://HOST:PORT         a serial server whose line is set from here (RFC 2217)

pyserial is an extra (``pip install cosemic[serial]``); it is imported when a port is opened, and nowhere else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from cosemic.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosemic.transport import wording
from cosemic.values import LineSettings, Parity

if sys.platform == "win32":
    _TERMIOS_ERRORS: tuple[type[Exception], ...] = ()
else:
    import termios

    _TERMIOS_ERRORS = (termios.error,)

Port: TypeAlias = Any
"""A port of pyserial, which declares no types."""

DEFAULT_LINE: Final = LineSettings(9600)

TICK: Final = 0.05
"""Seconds after which a read that waits looks whether it is to end. Octets are returned as soon as they come."""

READ_SIZE: Final = 65536
"""The most octets one read returns."""

_SOCKET: Final = "socket://"
_RFC2217: Final = "rfc2217://"
_PSEUDO_TERMINALS: Final = ("/dev/pts/", "/dev/ttys", "/dev/ttyp")


@dataclass(frozen=True, slots=True)
class SerialOptions:
    """What a port is besides its line.

    ``rts``, ``dtr``: how the lines Request To Send and Data Terminal Ready stand while it is open; optical heads often
    draw their power from them. ``exclusive``: whether it is kept from other programs.
    """

    rts: bool = True
    dtr: bool = True
    exclusive: bool = True


PLAIN: Final = SerialOptions()


def socket_address(name: str) -> tuple[str, int] | None:
    """Return host and port of ``socket://HOST:PORT``; None for any other name. Raises ConfigurationError."""
    if not name.startswith(_SOCKET):
        return None
    try:
        parts = urlsplit(name)
        if parts.hostname and parts.port and not parts.path.strip("/") and not parts.query:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise ConfigurationError(f"{name} is no serial server: socket://HOST:PORT")


def open_port(name: str, line: LineSettings, options: SerialOptions, timeout: float) -> Port:
    """Open a port, set as ``line`` says; what came before is dropped.

    ``timeout``: seconds that what is written may take to be accepted. Raises ConfigurationError where pyserial is
    missing or the name means nothing to it, ConnectionFailed where the port is not there, not ours, or taken.
    """
    try:
        import serial
    except ImportError as error:
        raise ConfigurationError("serial ports need pyserial: pip install cosemic[serial]") from error
    try:
        port = serial.serial_for_url(name, do_not_open=True, exclusive=options.exclusive or None, timeout=TICK)
    except ValueError as error:
        raise ConfigurationError(f"{name} is no serial port: /dev/ttyUSB0, COM3, rfc2217://HOST:PORT") from error
    if not name.startswith(_RFC2217):  # pyserial has no such time-out there
        port.write_timeout = timeout
    port.rts, port.dtr = options.rts, options.dtr
    try:
        with _as_os_error():
            # Every port has 8N1. What is asked for beside that is set afterwards, and looked at.
            for setting, value in _settings(LineSettings(line.baud)).items():
                setattr(port, setting, value)
            port.open()
        set_line(port, line)
    except BaseException as error:
        close_port(port)
        if isinstance(error, OSError):
            raise _unopened(name, line, error) from error
        raise
    return port


class PortOpening:
    """A port that a thread opens, which may take long, and that nobody may want any more once it is open.

    Arguments as of :func:`open_port`.
    """

    def __init__(self, name: str, line: LineSettings, options: SerialOptions, timeout: float) -> None:
        self._arguments = name, line, options, timeout
        self._lock = threading.Lock()
        self._port: Port | None = None
        self._abandoned = False

    def open(self) -> None:
        """In a thread: open the port. Raises what :func:`open_port` raises."""
        port = open_port(*self._arguments)
        with self._lock:
            if not self._abandoned:
                self._port = port
                return
        close_port(port)

    def take(self) -> Port:
        """Return the port that was opened."""
        with self._lock:
            port, self._port = self._port, None
        return port

    def abandon(self) -> None:
        """Close the port, now or as soon as it is open."""
        with self._lock:
            self._abandoned = True
            port, self._port = self._port, None
        if port is not None:
            close_port(port)


def write_port(port: Port, octets: bytes, most: int) -> None:
    """Hand octets to the port, ``most`` at a time (:func:`most_at_once`): each time has the time-out of its own.

    Raises TimeoutError where it does not take them in time, OSError where it has gone.
    """
    from serial import SerialTimeoutException

    try:
        with _as_os_error():
            for start in range(0, len(octets), most):
                port.write(octets[start : start + most])
    except SerialTimeoutException as error:
        raise TimeoutError("not taken in time") from error


def most_at_once(line: LineSettings, timeout: float) -> int:
    """Return how many octets leave a port in half the time that it may take to accept them, one at least."""
    return max(int(timeout / 2 / line.seconds(1)), 1)


def set_line(port: Port, line: LineSettings) -> None:
    """Set rate and character format. Raises OSError where the port does not take them."""
    with _as_os_error():
        for setting, value in _settings(line).items():
            if getattr(port, setting) != value:  # each takes a round trip to a serial server
                with _where_nothing_changes():
                    setattr(port, setting, value)
        _check_line(port, line)


def has_come(port: Port) -> bool:
    """Whether octets wait to be read. Raises OSError where the port has gone."""
    with _as_os_error():
        return bool(port.in_waiting)


def read_port(port: Port) -> bytes:
    """Return what has come, or comes within TICK; raises OSError where the port has gone."""
    with _as_os_error():
        octets = bytes(port.read(1))
        while octets and len(octets) < READ_SIZE and (waiting := port.in_waiting):
            octets += port.read(min(waiting, READ_SIZE - len(octets)))
    return octets


def drain_port(port: Port, seconds: float) -> None:
    """Wait until what was written has left the port; ``seconds``: how long that takes at the least, from now on.

    A port of this machine knows when. A serial server does not say, so that time has to do.
    """
    with _as_os_error():
        port.flush()
    if not has_descriptor(port) and seconds > 0:
        time.sleep(seconds)


def discard_output(port: Port) -> None:
    """Throw away what was written and has not left; ends a wait in :func:`drain_port`."""
    with contextlib.suppress(OSError), _as_os_error():
        port.reset_output_buffer()


def close_port(port: Port) -> None:
    """Close a port that may be open, or have gone."""
    sock = getattr(port, "_socket", None)
    with contextlib.suppress(OSError):
        port.close()
    if sock is not None:  # pyserial forgets it where the other end has gone already
        sock.close()


def has_descriptor(port: Port) -> bool:
    """Whether a port is a file of this machine that an event loop can watch."""
    return sys.platform != "win32" and isinstance(getattr(port, "fd", None), int)


def gone(peer: str, error: OSError) -> ConnectionLost:
    """Return what to say where an open port fails."""
    if error.errno in (None, errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF):
        return ConnectionLost(f"the port {peer} has gone: plug the adapter in again, then connect again")
    if error.errno == errno.EINVAL:
        return ConnectionLost(f"the port {peer}: {error.strerror}")
    return wording.broken(peer, error)


def _settings(line: LineSettings) -> dict[str, object]:
    return {
        "baudrate": line.baud,
        "bytesize": line.data_bits,
        "parity": line.parity.value,
        "stopbits": line.stop_bits,
    }


def _check_line(port: Port, line: LineSettings) -> None:
    """Look whether the port is set as asked for: drivers of adapters may pass over what they cannot do."""
    if sys.platform == "win32" or not has_descriptor(port):
        return
    flags = termios.tcgetattr(port.fd)[2]
    size = {7: termios.CS7, 8: termios.CS8}.get(line.data_bits)
    parity = bool(flags & termios.PARENB)
    if flags & termios.CSIZE == size and parity == (line.parity is not Parity.NONE):
        return
    if os.ttyname(port.fd).startswith(_PSEUDO_TERMINALS):  # they have no character format: octets pass as they are
        return
    raise OSError(errno.EINVAL, f"it does not take {line}; use another adapter")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """Tell every failure of a port as OSError: pyserial says ValueError of settings, termios has its own error."""
    try:
        yield
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error
    except _TERMIOS_ERRORS as error:
        raise OSError(*error.args) from error


@contextlib.contextmanager
def _where_nothing_changes() -> Iterator[None]:
    """Pass over EINVAL of tcsetattr: nothing of what was asked for was changed. Whether it should be is seen later."""
    try:
        yield
    except _TERMIOS_ERRORS as error:
        if error.args[0] != errno.EINVAL:
            raise


def _unopened(name: str, line: LineSettings, error: OSError) -> ConnectionFailed | ConfigurationError:
    number = error.errno
    if number in (errno.EAGAIN, errno.EBUSY):
        return ConnectionFailed(f"the port {name} is in use by another program: close that, or use another port")
    if number in (errno.EACCES, errno.EPERM):
        return ConnectionFailed(
            f"the port {name} is not open to this user: join its group (often dialout, or uucp), then log in again"
        )
    if number == errno.ENOENT:
        return ConnectionFailed(f"there is no port {name}: check the name, and whether the adapter is plugged in")
    if number == errno.EINVAL:
        return ConfigurationError(f"the port {name} does not take {line}: use another adapter, or other settings")
    return ConnectionFailed(f"the port {name} cannot be opened ({error.strerror or error})")
