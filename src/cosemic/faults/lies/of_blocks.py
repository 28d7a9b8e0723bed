"""Lies about block transfer (IEC 62056-5-3; reference, application layer 15).

Numbers start at 1 and rise by 1; the last block says so. A client that reads takes no other number; a server answers
one with long-get-aborted, data-block-number-invalid or long-action-aborted, and the transfer has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from cosemic.errors import DecodeError, ExceptionReceived, OutcomeUnknown, ProtocolError
from cosemic.faults.lies.lie import Fails, Family, Gets, Lie, Moment, Says, Tell
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import instead, plain
from cosemic.values import DataAccessResult

_LAST: Final = 3
"""Where the last-block flag of a block stands."""
_ENDLESS: Final = 500
"""Octets of a block of a transfer that never ends."""
_NUMBERS: Final = "15: block numbers start at 1 and rise by 1; blocks out of order are refused (20, CL-08)"

_reading: Final = partial(Lie, family=Family.SERVICES, moment=Moment.BLOCK_READING)
_writing: Final = partial(Lie, family=Family.SERVICES, moment=Moment.BLOCK_WRITING)
_invoking: Final = partial(Lie, family=Family.SERVICES, moment=Moment.BLOCK_INVOKING)


def _numbered(at: int, change: Callable[[int], int]) -> Tell:
    """Change the number of a block, which stands there."""

    def changed(octets: bytes, scene: Scene) -> bytes:
        number = change(int.from_bytes(octets[at : at + 4], "big"))
        return octets[:at] + number.to_bytes(4, "big") + octets[at + 4 :]

    return plain(changed)


_answered: Final = partial(_numbered, 4)
"""get-response-with-datablock, set-request-with-datablock, action-request-with-pblock."""
_named: Final = partial(_numbered, 3)
"""get-request-next, set-response-datablock, action-response-next-pblock."""


def _flagged(last: bool) -> Tell:
    """Change the last-block flag of a block that has the other one."""

    def changed(octets: bytes, scene: Scene) -> bytes | None:
        if bool(octets[_LAST]) is last:
            return None
        return octets[:_LAST] + bytes((last,)) + octets[_LAST + 1 :]

    return plain(changed)


def _endless_answer(octets: bytes, scene: Scene) -> bytes:
    following = (scene.block_number + 1).to_bytes(4, "big")
    return (
        b"\xc4\x02" + bytes((scene.invoke, 0)) + following + b"\x00\x82" + _ENDLESS.to_bytes(2, "big") + bytes(_ENDLESS)
    )


def _next_block(rest: str) -> Tell:
    """The block that is due, with other contents."""
    return plain(
        lambda octets, scene: (
            b"\xc4\x02" + bytes((scene.invoke,)) + bytes.fromhex(rest.replace("NN", f"{scene.block_number + 1:08x}"))
        )
    )


def _endless_request(said: Said, scene: Scene) -> Sequence[bytes]:
    first = scene.block_number
    head = b"\xc1\x03" + bytes((scene.invoke, 0))
    content = b"\x81\x40" + bytes(64)
    blocks = [head + number.to_bytes(4, "big") + content for number in range(first, first + _ENDLESS)]
    return [scene.sealed(blocks[0], said), *(scene.another(block, said) for block in blocks[1:])]


BLOCK_LIES: Final = (
    _reading(
        "block-repeated",
        "the number of the block before; by a client, the number before that of the last block",
        _NUMBERS,
        tell=lambda said, scene: (_answered if said.plain[:1] == b"\xc4" else _named)(lambda n: n - 1)(said, scene),
        server=Fails(ProtocolError),
        client=Says("c402..0100000000010f"),
    ),
    _reading(
        "block-skipped",
        "the number after the one that is due",
        _NUMBERS,
        tell=lambda said, scene: (_answered if said.plain[:1] == b"\xc4" else _named)(lambda n: n + 1)(said, scene),
        server=Fails(ProtocolError),
        client=Says("c402..0100000002010f"),
    ),
    _reading(
        "blocks-restarted",
        "number 1 again, in the middle of a transfer",
        _NUMBERS,
        tell=_answered(lambda number: 1),
        passing=1,
        server=Fails(ProtocolError),
    ),
    _reading(
        "blocks-endless",
        "block after block, and never the last",
        "CL-08: the client stops at a limit",
        tell=plain(_endless_answer),
        times=None,
        server=Fails(ProtocolError),
    ),
    _reading(
        "block-empty",
        "a block without data that is not the last",
        "15: only the last block may be empty; such a transfer need not end",
        tell=_next_block("00NN0000"),
        server=Fails(ProtocolError),
    ),
    _reading(
        "last-block-missing",
        "a last block that says that more follow",
        "15: what is asked for behind the last is answered no-long-get-in-progress",
        tell=_flagged(last=False),
        server=Gets(DataAccessResult.NO_LONG_GET_IN_PROGRESS),
    ),
    _reading(
        "last-block-early",
        "a block in the middle that says it is the last",
        "15: the joined raw data are one Data, whole",
        tell=_flagged(last=True),
        server=Fails(DecodeError),
    ),
    _reading(
        "success-without-data",
        "data-access-result success in place of a block",
        "15: a result instead of data is an error",
        tell=_next_block("01NN0100"),
        server=Fails(ProtocolError),
    ),
    _reading(
        "value-amid-blocks",
        "a get-response-normal with a value in place of a block",
        "15: a transfer goes on with a block, or ends with an error",
        tell=instead("c401II001105"),
        server=Fails(ProtocolError),
    ),
    _reading(
        "exception-amid-blocks",
        "an exception-response in place of a block",
        "14, CL-09: it may come at any time",
        tell=instead("d80103"),
        server=Fails(ExceptionReceived),
    ),
    Lie(
        "next-of-nothing",
        "a get-request-next without a transfer",
        "15: no-long-get-in-progress, with the number received",
        family=Family.SERVICES,
        tell=instead("c002II00000007"),
        client=Says("c402..01000000070110"),
    ),
    _writing(
        "acknowledged-other",
        "the acknowledgement of another block",
        "15: the acknowledgement names the block received",
        tell=_named(lambda number: number + 1),
        server=Fails(OutcomeUnknown),
    ),
    _writing(
        "set-done-early",
        "success before the last block was sent",
        "15: nothing is written before the last block",
        tell=instead("c503II0000000002"),
        server=Fails(OutcomeUnknown),
    ),
    _writing(
        "set-block-skipped",
        "the number after the one that is due, in a SET",
        "15: data-block-number-invalid with the number received, and the transfer has ended",
        tell=_answered(lambda number: number + 1),
        client=Says("c503..1300000003"),
    ),
    _writing(
        "set-block-restarted",
        "number 1 again, in a SET",
        "15: as set-block-skipped",
        tell=_answered(lambda number: 1),
        client=Says("c503..1300000001"),
    ),
    _writing(
        "set-blocks-endless",
        "block after block of a SET, and never the last",
        "15, AL-C05: long-set-aborted; memory is bounded",
        tell=_endless_request,
        client=Says("c503..11"),
    ),
    Lie(
        "set-block-of-nothing",
        "the second block of a SET that nobody began",
        "15: no-long-set-in-progress, with the number received",
        family=Family.SERVICES,
        moment=Moment.WRITING,
        tell=instead("c103II000000000202" + "0102"),
        client=Says("c503..1200000002"),
    ),
    _invoking(
        "action-acknowledged-other",
        "the acknowledgement of another block of an ACTION",
        "15: the acknowledgement names the block received",
        tell=_named(lambda number: number + 1),
        server=Fails(OutcomeUnknown),
    ),
    _invoking(
        "action-block-skipped",
        "the number after the one that is due, in an ACTION",
        "15: long-action-aborted, also for a wrong number; nothing is invoked",
        tell=_answered(lambda number: number + 1),
        client=Says("c701..0f"),
    ),
)
