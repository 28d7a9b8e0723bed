"""OBIS codes: the logical names of COSEM objects (IEC 62056-6-1; logical_name of IEC 62056-6-2).

Six octets, one for each value group::

    A medium   B channel   C quantity   D processing   E classification   F billing period
    1       -  0        :  1         .  8           .  0               *  255

Text forms that are read::

    1-0:1.8.0*255   full; A-, B:, .E and *F may each be left out; & in place of * marks a manual reset
    1.0.1.8.0.255   six decimals, as COSEM tools write them; 1-0:1.8.0.255 too
    0100010800ff    hexadecimal
    C.1.0, F.F      letters of displays in place of C and D: C 96, F 97, L 98, P 99

Each is written too: ``str``, :attr:`Obis.dotted`, ``hex()``, :meth:`Obis.reduced`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Self

from cosemic.errors import ConfigurationError, DecodeError

DISPLAY_LETTERS: Final = {"C": 96, "F": 97, "L": 98, "P": 99}
"""What displays show in place of C and D, and the values that it stands for."""
_DISPLAYED: Final = {value: letter for letter, value in DISPLAY_LETTERS.items()}
_NUMBER: Final = "[0-9]{1,3}"
_CODE: Final = re.compile(
    rf"(?:(?P<a>{_NUMBER})-)?(?:(?P<b>{_NUMBER}):)?"
    rf"(?P<c>{_NUMBER}|[CFLP])\.(?P<d>{_NUMBER}|[CFLP])"
    rf"(?:\.(?P<e>{_NUMBER})(?:\.(?P<f_dotted>{_NUMBER}))?)?(?:[*&](?P<f>{_NUMBER}))?"
)
_SIX_DECIMALS: Final = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{5}}")
_HEXADECIMAL: Final = re.compile("[0-9A-Fa-f]{12}")
_ERROR_CODES: Final = 97
_NOT_USED: Final = 255


class Obis(bytes):
    """An OBIS code: six octets that read, print, sort, compare and pickle as one value.

    It *is* its six octets (``isinstance(code, bytes)``), so it can be put on the wire as it stands and costs
    no more than they do.

    code: text in one of the forms above, or six octets.
    a: value group A where the text leaves it out (1, electricity).

    Group B is 0 where it is left out, F is 255; E is 0, but 255 for the error codes 97.d (``F.F``).
    Raises ConfigurationError for other text, DecodeError when there are not six octets. IEC 62056-6-1.

    >>> Obis("1.8.0"), Obis("1-0:1.8.0").octets.hex()
    (Obis('1-0:1.8.0*255'), '0100010800ff')
    """

    __slots__ = ()

    def __new__(cls, code: str | bytes | bytearray | memoryview, a: int = 1) -> Self:
        if isinstance(code, str):
            return bytes.__new__(cls, _groups(code, a))
        if isinstance(code, bytes | bytearray | memoryview):
            octets = bytes(code)
            if len(octets) != 6:
                raise DecodeError(f"an OBIS code of 6 octets, not {len(octets)}")
            return bytes.__new__(cls, octets)
        raise TypeError(f"an OBIS code is made from text or six octets, not from {type(code).__name__}")

    @property
    def octets(self) -> bytes:
        """The six octets A to F."""
        return bytes(self)

    @property
    def a(self) -> int:
        """Value group A: the medium; 0 abstract, 1 electricity."""
        return self[0]

    @property
    def b(self) -> int:
        """Value group B: the channel."""
        return self[1]

    @property
    def c(self) -> int:
        """Value group C: the physical or abstract quantity."""
        return self[2]

    @property
    def d(self) -> int:
        """Value group D: how the quantity is processed."""
        return self[3]

    @property
    def e(self) -> int:
        """Value group E: further classification, such as the tariff."""
        return self[4]

    @property
    def f(self) -> int:
        """Value group F: the billing period; 255 current or not used."""
        return self[5]

    @property
    def dotted(self) -> str:
        """Six decimals: ``1.0.1.8.0.255``."""
        return ".".join(map(str, self))

    def reduced(self, a: int = 1, *, letters: bool = False, manual_reset: bool = False) -> str:
        """Return the shortest text that is read as this code again: ``1.8.0``, ``7-1:3.1.0``, ``1.8.1*3``.

        a: value group A that the reader takes for granted (``Obis(text, a)``). letters: as displays have it (``C.1.0``,
        ``F.F``). manual_reset: & in place of *, of a value that was stored by a manual reset. IEC 62056-6-1.
        """
        medium, b, c, d, e, f = self
        quantity = f"{_DISPLAYED.get(c, c)}.{'F' if c == d == _ERROR_CODES else d}" if letters else f"{c}.{d}"
        return "".join(
            (
                f"{medium}-" if medium != a else "",
                f"{b}:" if b else "",
                quantity,
                f".{e}" if (c, e) != (_ERROR_CODES, _NOT_USED) else "",
                f"{'&' if manual_reset else '*'}{f}" if f != _NOT_USED else "",
            )
        )

    def __str__(self) -> str:
        a, b, c, d, e, f = self
        return f"{a}-{b}:{c}.{d}.{e}*{f}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self}')"


def _groups(text: str, a: int) -> bytes:
    """Return the six octets that a text form stands for."""
    text = text.strip()
    if _HEXADECIMAL.fullmatch(text):
        return bytes.fromhex(text)
    if _SIX_DECIMALS.fullmatch(text):
        groups = [int(group) for group in text.split(".")]
    else:
        match = _CODE.fullmatch(text)
        # F behind a full stop only in a code with A or B: four bare decimals could be any four of the six.
        if match is None or (match["f_dotted"] and (match["f"] or not (match["a"] or match["b"]))):
            raise ConfigurationError(
                f"{text[:40]!r} is no OBIS code; forms: 1-0:1.8.0*255, 1-0:1.8.0, 1.8.0, 1.0.1.8.0.255, 0100010800ff"
            )
        c, d = (DISPLAY_LETTERS.get(match[name]) or int(match[name]) for name in "cd")
        e = int(match["e"] or (_NOT_USED if c == _ERROR_CODES else 0))
        groups = [
            int(match["a"] or a),
            int(match["b"] or 0),
            c,
            d,
            e,
            int(match["f"] or match["f_dotted"] or _NOT_USED),
        ]
    try:
        return bytes(groups)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not an OBIS code: each value group is 0 to 255") from None


class _Known(dict[bytes, Obis]):
    """The codes met so far; a peer that sends ever new ones cannot make it grow beyond ``CAPACITY``."""

    CAPACITY: Final = 4096

    def __missing__(self, octets: bytes) -> Obis:
        code = Obis(octets)
        if len(self) < self.CAPACITY:
            self[code.octets] = code
        return code


obis_of: Callable[[bytes], Obis] = _Known().__getitem__
"""``Obis(octets)`` at the cost of a dictionary look-up; for decoders. ``octets`` must be six octets (``bytes``)."""
