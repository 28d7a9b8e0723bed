"""How a session of IEC 62056-21 is held: the named choices of both sides, with the standard's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from cosemic.link.iec21.characters import RATES
from cosemic.link.iec21.line import Quiet
from cosemic.link.iec21.messages import Identification, Request
from cosemic.link.iec21.reader import MAX_OCTETS

REACTION: Final = Quiet(0.2, 1.5)
"""Reaction time t_r (6.4)."""
FAST_REACTION: Final = Quiet(0.02, 1.5)
"""Of devices whose manufacturer's third letter is a small one."""
WAKE_UP_NULS: Final = bytes(66)
"""2.2 s at 300 baud; the standard has 2.1 to 2.3."""
WAKE_UP_PAUSE: Final = Quiet(1.6, 1.6)
"""The standard has 1.5 to 1.7 s."""
FAST_WAKE_UP_NULS: Final = bytes(16)
"""0.53 s at 300 baud; 0.5 to 0.6 s."""
FAST_WAKE_UP_WAIT: Final = 0.25
"""Seconds in which a meter acknowledges a fast wake-up string: t_d with room for a converter."""
FAST_WAKE_UP_STRINGS: Final = 8
"""Strings until the meter is given up; 4.5 s or more are asked for."""


class WakeUp(Enum):
    """How a battery-operated meter is woken up (annex B)."""

    NONE = "none"
    NORMAL = "normal"
    """One long string of NULs, and a pause."""
    FAST = "fast"
    """Short strings of NULs until the meter sends ACK; the session ends with B1 (unsure: not in all editions)."""


class Confirmation(Enum):
    """Where a meter in mode E repeats the option select message (makers differ)."""

    AT_SIGN_ON_RATE = "at sign-on rate"
    """At 300 baud, before it changes."""
    AT_NEW_RATE = "at new rate"
    """At the new rate, still with 7 bits and parity."""
    NONE = "none"
    """Not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """How a reader holds its sessions. Times in seconds.

    address: device address, empty where the meter stands alone on the line. wake_up: see :class:`WakeUp`.
    rates: rates by baud character, for meters that use 7, 8 or 9. most_baud: a faster meter is read at 300 baud.
    attempts: sign-ons for one request, the first included. repeats: repetitions of one message.
    response_timeout: until a message begins, from the end of the own one; t_r and some room for converters.
    inter_character_timeout: within a message. longest_message: of a whole message. max_octets: of one message or
    read-out. silence: without a request in programming mode, after which the reader signs off; None: never.
    confirmation, confirmation_timeout: what is awaited in mode E, and for how long; it is changed over then all the
    same. handover_pause: after the change in mode E. insist_on_mode_e: select HDLC only where the identification offers
    it. echo: own octets come back.
    """

    address: str = ""
    wake_up: WakeUp = WakeUp.NONE
    rates: Mapping[str, int] = field(default_factory=lambda: RATES)
    most_baud: int = 115_200
    attempts: int = 3
    repeats: int = 3
    response_timeout: float = 2.0
    inter_character_timeout: float = 1.5
    longest_message: float = 900.0
    max_octets: int = MAX_OCTETS
    silence: float | None = 60.0
    confirmation: Confirmation = Confirmation.AT_SIGN_ON_RATE
    confirmation_timeout: float = 2.0
    handover_pause: float = 0.8
    insist_on_mode_e: bool = True
    echo: bool = False

    def __post_init__(self) -> None:
        Request(self.address).encode()

    @property
    def sign_off(self) -> str:
        """The command that ends a session in programming mode."""
        return "B1" if self.wake_up is WakeUp.FAST else "B0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How a meter answers. Times in seconds.

    identification: tells the mode, see :class:`Identification`. mode_d: send at 2,400 baud of its own accord, and
    answer nothing. address: device address. wake_up: it sleeps until it is woken up so. framed: the read-out of modes A
    and B has STX, ETX and BCC.
    acknowledgement_timeout: for the option select message and the acknowledgement of a read-out (1.5 to 2.2).
    inter_character_timeout: within a message. silence: without a command in programming mode (60 to 120, unsure), after
    which it signs off; also without connection in mode E. awake: without a request after a wake-up.
    repeats: of one message. confirmation: in mode E. answers_with_address: answers in programming mode repeat the
    address that was asked for. block_size: characters of a partial block. tries: wrong passwords after which it signs
    off. max_octets: of one write in blocks. echo: own octets come back.
    """

    identification: Identification = Identification("CSM", "5", "COSEMIC")  # noqa: RUF009 - frozen
    mode_d: bool = False
    address: str = ""
    wake_up: WakeUp = WakeUp.NONE
    rates: Mapping[str, int] = field(default_factory=lambda: RATES)
    framed: bool = True
    acknowledgement_timeout: float = 2.0
    inter_character_timeout: float = 1.5
    silence: float = 60.0
    awake: float = 5.0
    repeats: int = 3
    confirmation: Confirmation = Confirmation.AT_SIGN_ON_RATE
    answers_with_address: bool = True
    block_size: int = 512
    tries: int = 3
    max_octets: int = 1 << 16
    echo: bool = False

    def __post_init__(self) -> None:
        self.identification.encode()

    @property
    def reaction(self) -> Quiet:
        """The reaction time that its identification tells."""
        return FAST_REACTION if self.identification.reacts_fast else REACTION
