"""Compression of one APDU by the packet method of ITU-T V.44, both ways (reference, security 16).

One APDU is one packet: all state starts anew, nothing is carried over. Both sides build the same table of strings that
lie in what was sent so far; a codeword stands for one of them. Fields go low-order bit first, into octets from bit 0::

    code                directly after a codeword   elsewhere   field
    ordinal             0 0                         0           character, 7 bits, 8 after a STEPUP
    codeword            1                           1           4 to 65534, 6 bits, more after a STEPUP each
    control             1                           1           0 ETM, 1 FLUSH, 2 STEPUP, 3 REINIT, wide as codewords
    string-extension    0 1                         -           length n: 1 as 1; 2 to 4 as 0 and two bits of n-1;
                                                                5 to 12 as 0000 and three bits of n-5; from 13 as 0001
                                                                and 5 to 8 bits of n-13, by the longest string

A code after an ordinal or codeword enters into the table what that stood for and one character more; a string-extension
what codeword and extension stand for. A string may lie over what is being written: so runs shrink.
"""

from __future__ import annotations

from typing import Final

from cosemic.errors import ConfigurationError, DecodeError

CODEWORDS: Final = 1024
"""Codewords with which is compressed, those of control codes included (N2)."""
MOST_CODEWORDS: Final = 65535
"""Codewords with which is expanded: as many as any sender may use."""
LONGEST_STRING: Final = 255
"""Octets of the longest string (N7), which both sides must have alike."""
FLUSH: Final = 1
STEPUP: Final = 2
REINIT: Final = 3
FIRST: Final = 4
"""The first codeword that stands for a string."""
_WIDTH: Final = 6
_CHARACTER_WIDTH: Final = 7
_FILL: Final = 24
"""Octets that are taken from a packet at once."""
_LONGEST_CODE: Final = 24
"""Bits, and more than the longest code and the first bit of the next one have."""
_CHUNK: Final = 256
"""Bits that are put into a packet at once."""


def extension_width(string_length: int) -> int:
    """Return the bits of n-13 in a long string-extension. Raises ConfigurationError unless it is 32 to 255."""
    if not 32 <= string_length <= LONGEST_STRING:
        raise ConfigurationError(f"the longest string of V.44 has 32 to 255 octets, not {string_length}")
    return 5 if string_length <= 46 else 6 if string_length <= 78 else 7 if string_length <= 142 else 8


def _check_codewords(codewords: int) -> None:
    if not 256 <= codewords <= MOST_CODEWORDS:
        raise ConfigurationError(f"V.44 has 256 to 65535 codewords, not {codewords}")


def compress(octets: bytes, *, codewords: int = CODEWORDS, string_length: int = LONGEST_STRING) -> bytes:
    """Return the packet for any octets; it may be longer than they are.

    codewords: N2, 256 to 65535; whoever expands may have more. string_length: N7, 32 to 255. Raises ConfigurationError.

    >>> compress(b"AAAAAAAA").hex()
    '82090103'
    """
    long_bits = extension_width(string_length) + 6
    _check_codewords(codewords)
    size = len(octets)
    packet = bytearray()
    bits = filled = 0
    width, character_width, character_limit, limit = _WIDTH, _CHARACTER_WIDTH, 0x80, 1 << _WIDTH
    # The strings as a tree: a node for each character alone (0 to 255), then one for each that follows.
    children: dict[int, int] = {}
    child = children.get
    codes = [0] * 256
    """Codeword of the string that ends at a node, 0 where there is none."""
    stops = [0] * FIRST
    """Position behind each string, by codeword."""
    at = 0
    previous = -1
    previous_length = 0
    directly = 0
    while at < size:
        node = octets[at]
        if previous >= 0 and previous_length < string_length and len(stops) < codewords:
            place = previous << 8 | node
            entered = child(place)
            if entered is None:
                children[place] = entered = len(codes)
                codes.append(0)
            codes[entered] = len(stops)
            stops.append(at + 1)
        best = node
        code = 0
        end = ahead = at + 1
        while ahead < size:
            further = child(node << 8 | octets[ahead])
            if further is None:
                break
            node = further
            ahead += 1
            if codes[node]:
                code, best, end = codes[node], node, ahead
        if not code:
            if best >= character_limit:
                bits |= (STEPUP << 1 | 1) << filled
                filled += width + 1
                directly, character_width, character_limit = 0, 8, 0x100
            bits |= best << 1 + directly << filled
            filled += character_width + 1 + directly
            previous, previous_length, directly, at = best, 1, 0, end
        else:
            while code >= limit:
                bits |= (STEPUP << 1 | 1) << filled
                filled += width + 1
                width += 1
                limit <<= 1
            bits |= (code << 1 | 1) << filled
            filled += width + 1
            source = stops[code]
            more = _alike(octets, source, end, min(string_length - end + at, size - end))
            previous, previous_length, directly, at = best, end - at, 1, end
            if more:
                if more == 1:
                    bits |= 0b110 << filled
                    filled += 3
                elif more < 5:
                    bits |= (more - 1 << 3 | 0b10) << filled
                    filled += 5
                elif more < 13:
                    bits |= (more - 5 << 6 | 0b10) << filled
                    filled += 9
                else:
                    bits |= (more - 13 << 6 | 0b100010) << filled
                    filled += long_bits
                at = end + more
                if len(stops) < codewords:
                    for position in range(end, at):
                        place = best << 8 | octets[position]
                        entered = child(place)
                        if entered is None:
                            children[place] = entered = len(codes)
                            codes.append(0)
                        best = entered
                    codes[best] = len(stops)
                    stops.append(at)
                previous = -1
                directly = 0
        if filled >= _CHUNK:
            packet += (bits & (1 << _CHUNK) - 1).to_bytes(_CHUNK // 8, "little")
            bits >>= _CHUNK
            filled -= _CHUNK
    bits |= (FLUSH << 1 | 1) << filled
    filled += width + 1
    packet += bits.to_bytes(filled + 7 >> 3, "little")
    return bytes(packet)


def _alike(octets: bytes, source: int, here: int, most: int) -> int:
    """Return how many octets, at most ``most``, are alike from two positions on."""
    if octets[source : source + most] == octets[here : here + most]:
        return most
    count = 0
    while octets[source + count] == octets[here + count]:
        count += 1
    return count


def decompress(
    packet: bytes, most: int, *, codewords: int = MOST_CODEWORDS, string_length: int = LONGEST_STRING
) -> bytes:
    """Return the octets that a packet stands for, ``most`` of them at most.

    codewords: N2, 256 to 65535, no less than the sender's. string_length: N7, 32 to 255, that of the sender. A packet
    ends with FLUSH and zero bits to the end of its octet. Time and memory are bounded by the octets of the packet and
    ``most``. Raises DecodeError for anything else, ConfigurationError.
    """
    long_width = extension_width(string_length)
    _check_codewords(codewords)
    widest = (codewords - 1).bit_length()
    history = bytearray()
    append = history.append
    size = len(packet)
    taken = bits = filled = 0
    width, mask, character_width, character_mask = _WIDTH, (1 << _WIDTH) - 1, _CHARACTER_WIDTH, 0x7F
    starts, stops = [0] * FIRST, [0] * FIRST
    previous = behind = -1
    """Where the string of the previous ordinal or codeword lies; what stands behind the entry of the codeword just
    read; -1 for none."""
    while True:
        if filled < _LONGEST_CODE:
            if taken < size:
                fill = packet[taken : taken + _FILL]
                bits |= int.from_bytes(fill, "little") << filled
                taken += _FILL
                filled += len(fill) * 8
            elif filled <= 0:
                raise DecodeError("the control code FLUSH at the end of a V.44 packet", size)
        if bits & 1:
            value = bits >> 1 & mask
            bits >>= width + 1
            filled -= width + 1
            if value >= FIRST:
                here = len(history)
                if previous >= 0 and here - previous < string_length and len(stops) < codewords:
                    starts.append(previous)
                    stops.append(here + 1)
                if value >= len(stops):
                    raise _wrong(f"a codeword below {len(stops)}, not {value}", size, taken, filled)
                start, behind = starts[value], stops[value]
                if here + behind - start > most:
                    raise _wrong(f"no more than {most} octets in a V.44 packet", size, taken, filled)
                history += history[start:behind]
                if behind > here:
                    append(history[start])  # the string that was entered just now
                previous = here
                continue
            behind = -1
            if value == STEPUP:
                if bits & 1:
                    width += 1
                    mask = mask << 1 | 1
                    if width > widest:
                        raise _wrong(f"codewords of no more than {widest} bits", size, taken, filled)
                elif character_width == 8:
                    raise _wrong("characters of no more than 8 bits", size, taken, filled)
                else:
                    character_width, character_mask = 8, 0xFF
            elif value == REINIT:
                width, mask, character_width, character_mask = _WIDTH, (1 << _WIDTH) - 1, _CHARACTER_WIDTH, 0x7F
                starts, stops = [0] * FIRST, [0] * FIRST
                previous = -1
            elif value == FLUSH and taken >= size and 0 <= filled < 8 and not bits:
                return bytes(history)
            else:
                raise _wrong("the control code FLUSH, and nothing after it, in a V.44 packet", size, taken, filled)
        elif behind >= 0 and bits & 2:
            if bits & 4:
                more, used = 1, 3
            elif bits & 0b11000:
                more, used = (bits >> 3 & 3) + 1, 5
            elif bits & 0b100000:
                more, used = (bits >> 6 & (1 << long_width) - 1) + 13, long_width + 6
            else:
                more, used = (bits >> 6 & 7) + 5, 9
            bits >>= used
            filled -= used
            here = len(history)
            if more > string_length - 2 or behind >= here:
                raise _wrong("a string-extension over octets that are there", size, taken, filled)
            if here + more > most:
                raise _wrong(f"no more than {most} octets in a V.44 packet", size, taken, filled)
            source = history[behind : behind + more]
            history += source
            if len(source) < more:  # into what is being written
                history += (source * (more // len(source)))[: more - len(source)]
            if here + more - previous <= string_length and len(stops) < codewords:
                starts.append(previous)
                stops.append(here + more)
            previous = behind = -1
        else:
            if behind >= 0:
                bits >>= 1
                filled -= 1
                behind = -1
            here = len(history)
            if here >= most:
                raise _wrong(f"no more than {most} octets in a V.44 packet", size, taken, filled)
            if previous >= 0 and here - previous < string_length and len(stops) < codewords:
                starts.append(previous)
                stops.append(here + 1)
            append(bits >> 1 & character_mask)
            bits >>= character_width + 1
            filled -= character_width + 1
            previous = here


def _wrong(expected: str, size: int, taken: int, filled: int) -> DecodeError:
    """Return the error with the octet up to which was read."""
    return DecodeError(expected, max(0, min(size, taken) - (max(filled, 0) + 7) // 8))
