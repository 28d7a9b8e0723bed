"""Lies about notifications (IEC 62056-5-3; reference, application layer 12, 16; security 5, 17).

In an association they come whenever they like; what is none, or not what the association demands, is passed over, and
disturbs no request. Outside associations (``PUSHING``) a notification is taken or refused, and confirmed; what confirms
another one, or is not protected as it has to be, confirms nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from cosemic.apdu import BlockControl, GeneralBlockTransfer
from cosemic.errors import (
    DecipheringError,
    DecodeError,
    ExceptionReceived,
    InvocationCounterError,
    PolicyViolation,
    ProtocolError,
    ResponseTimeout,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Says, Setting
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.telling import HEADER, bare, before, instead, plain, seal, wire

NOTIFICATION: Final = "0f000000010002021105" + "1106"
CONFIRMED: Final = "0f400000010002021105" + "1106"
EVENT: Final = "c20000030100010800ff021105"
_C: Final = Setting.CIPHERED
_PASSED: Final = "12, security 17: what is not what the association demands is passed over"
_LONG: Final = 10_000
_LATE: Final = 15.0

_lie: Final = partial(Lie, family=Family.NOTIFICATIONS)
_pushing: Final = partial(_lie, moment=Moment.PUSHING)


def _one_way(numbers: Sequence[int], data: bytes, *, last: int = 0) -> list[bytes]:
    return [
        GeneralBlockTransfer(
            BlockControl.of(last_block=number == last, streaming=number != last, window=0), number, 0, data
        ).encode()
        for number in numbers
    ]


def _replayed(said: Said, scene: Scene) -> Sequence[bytes]:
    """A notification twice, in the same envelope, before the answer."""
    sealed = scene.sealed(bytes.fromhex(EVENT), said)
    return [sealed, sealed, scene.another(said.plain, said)]


def _reflected(said: Said, scene: Scene) -> Sequence[bytes]:
    """A notification under the title of the client, before the answer."""
    assert said.seal is not None
    title = scene.seals.peer_title
    other = replace(said.seal, tag=0xDB, title=title, named=title)
    return [other.around(bytes.fromhex(NOTIFICATION)), said.apdu]


def _gap(said: Said, scene: Scene) -> Sequence[bytes]:
    middle = len(NOTIFICATION) // 4
    first, second = bytes.fromhex(NOTIFICATION)[:middle], bytes.fromhex(NOTIFICATION)[middle:]
    return [*_one_way((1,), first), *_one_way((3,), second, last=3), said.apdu]


def _every_second(octets: bytes) -> Sequence[tuple[float, bytes]]:
    """A notification each second, in place of the answer."""
    version, source, destination, _ = HEADER.unpack_from(octets)
    apdu = bytes.fromhex(NOTIFICATION)
    frame = HEADER.pack(version, source, destination, len(apdu)) + apdu
    return [(1.0, frame)] * 9


_IN_ASSOCIATIONS: Final = (
    _lie("notification-in-clear", "a notification in clear, in a ciphered association", _PASSED, setting=_C,
         tell=lambda said, scene: [bytes.fromhex(NOTIFICATION), said.apdu], server=Right()),
    _lie("notification-replayed", "a ciphered notification twice",
         "security 5: a counter that was used is a replay; the first of them is told",
         setting=_C, tell=_replayed, server=Right(), notifications=1, ahead=True),
    _lie("notification-reflected", "a notification under the client's own title",
         "security 17: the own title coming back is reflection", setting=_C, tell=_reflected,
         server=Fails(DecipheringError)),
    _lie("notification-cut", "a notification whose data are cut off", "20: refused; it answers nothing",
         tell=before("0f0000000100020911"), server=Right()),
    _lie("notification-cut-ciphered", "a ciphered notification whose data are cut off", "20: as notification-cut",
         setting=_C, tell=lambda said, scene: [scene.seals.general(bytes.fromhex("0f0000000100020911")),
                                               scene.another(said.plain, said)], server=Right(), ahead=True),
    _lie("notification-repeated", "a notification that asks for confirmation, twenty times",
         "12: a repetition is confirmed again, and told once", tell=before(CONFIRMED, 20), server=Right(),
         notifications=1),
    _lie("notification-for-an-answer", "a notification, and no answer", "12: it answers nothing",
         tell=plain(lambda octets, scene: bytes.fromhex(NOTIFICATION)), server=Fails(ResponseTimeout),
         notifications=1),
    _lie("notifications-in-place-of-the-answer", "a notification each second, and no answer",
         "12: they answer nothing; the response time-out runs on", pace=_every_second, server=Fails(ResponseTimeout),
         notifications=9),
    _lie("notification-blocks-gap", "a notification in blocks, one of which is missing",
         "16: a gap discards the message", tell=_gap, server=Right()),
    _lie("notification-blocks-endless", "a notification in blocks of 10,000 octets, and never the last",
         "16: discarded at a limit; memory is bounded",
         tell=lambda said, scene: [said.apdu, *_one_way(range(1, 30), bytes(_LONG))], server=Right()),
    _lie("confirmation-of-nothing", "a data-notification-confirm of what nobody has sent",
         "12: it answers nothing, and nothing answers it", tell=before("104000000100"), server=Right(), client=Right()),
    _lie("confirmation-not-agreed", "a data-notification-confirm where there are no notifications",
         "6.3: what was not agreed upon is service-not-supported", setting=Setting.NARROW, tell=bare("104000000100"),
         client=Says("d80202")),
    _lie("confirmation-in-clear-to-the-meter", "a data-notification-confirm in clear, in a ciphered association",
         "security 5: less protection than is demanded", setting=_C, tell=bare("104000000100"),
         client=Says("d80101")),
)  # fmt: skip

_BY_RECEIVERS: Final = (
    _pushing("confirmed-other", "the confirmation of another notification", "12: it names its long-invoke-id",
             tell=plain(lambda octets, scene: octets[:4] + bytes((octets[4] ^ 1,)) + octets[5:]),
             client=Fails(ResponseTimeout)),
    _pushing("confirmed-never", "no confirmation", "12: after the time-out nobody knows whether it was taken",
             tell=lambda said, scene: [], client=Fails(ResponseTimeout)),
    _pushing("confirmed-twice", "the confirmation twice", "12: a late one confirms nothing else",
             tell=wire(lambda octets, scene: [octets, octets]), client=Right()),
    _pushing("confirmed-late", "the confirmation after the time-out", "12: it confirms no other one",
             pace=lambda octets: [(_LATE, octets)], client=Fails(ResponseTimeout)),
    _pushing("confirmation-cut", "a confirmation without its date-time", "20: refused; it confirms nothing",
             tell=plain(lambda octets, scene: octets[:5]), client=Fails(ResponseTimeout)),
    _pushing("confirmation-in-clear", "a confirmation in clear of what was ciphered",
             "security 5: anybody may have sent it", setting=_C,
             tell=lambda said, scene: [said.plain], client=Fails(PolicyViolation)),
    _pushing("confirmation-replayed", "the confirmation of the notification before", "security 5: a replay",
             setting=_C, passing=1, tell=wire(lambda octets, scene: [scene.said[-1]]),
             client=Fails(InvocationCounterError)),
    _pushing("confirmation-reflected", "the notification itself, back", "security 17: reflection", setting=_C,
             tell=wire(lambda octets, scene: [scene.heard[-1]]), client=Fails(DecipheringError)),
    _pushing("push-answered-with-a-value", "a get-response to a notification", "12: it confirms nothing",
             tell=instead("c401c1001105"), client=Fails(ResponseTimeout)),
    _pushing("push-not-supported", "an exception-response to a notification", "14: the receiver does not take it",
             tell=bare("d80202"), client=Fails(ExceptionReceived)),
    _pushing("confirmations-endless", "a thousand confirmations of others", "12: none of them confirms it",
             tell=lambda said, scene: [b"\x10\x40" + number.to_bytes(3, "big") + b"\0" for number in range(100, 1100)],
             client=Fails(ResponseTimeout)),
)  # fmt: skip

_BY_SENDERS: Final = (
    _pushing("push-in-clear", "a notification in clear, where protection is demanded", "security 5: refused",
             setting=_C, tell=lambda said, scene: [said.plain], server=Fails(PolicyViolation)),
    _pushing("push-replayed", "a ciphered notification twice", "security 5: the second is a replay", setting=_C,
             tell=wire(lambda octets, scene: [octets, octets]), server=Fails(InvocationCounterError),
             notifications=1),
    _pushing("push-of-a-stranger", "a notification under a title that nobody knows", "security 17: refused",
             setting=_C, tell=seal(lambda kept, scene: replace(kept, title=bytes(8), named=bytes(8))),
             server=Fails(DecipheringError)),
    _pushing("push-reflected", "a notification under the title of the receiver", "security 17: reflection", setting=_C,
             tell=seal(lambda kept, scene: replace(kept, title=scene.seals.peer_title, named=scene.seals.peer_title)),
             server=Fails(DecipheringError)),
    _pushing("push-changed", "a notification with one bit inverted", "security 5: its tag is wrong", setting=_C,
             tell=wire(lambda octets, scene: [octets[:-1] + bytes((octets[-1] ^ 1,))]),
             server=Fails(DecipheringError)),
    _pushing("push-encrypted-only", "a notification that is not authenticated", "security 5: less than demanded",
             setting=_C, tell=seal(lambda kept, scene: replace(kept, control=0x20)), server=Fails(PolicyViolation)),
    _pushing("push-of-no-notification", "a get-response in its place", "12: it is no notification",
             tell=instead("c401c1001105"), server=Fails(ProtocolError)),
    _pushing("push-cut", "a notification whose data are cut off", "20: refused",
             tell=plain(lambda octets, scene: octets[:-1]), server=Fails(DecodeError)),
    _pushing("push-blocks-gap", "blocks, one of which is missing", "16: a gap discards the message",
             tell=wire(lambda octets, scene: [*_one_way((1, 2, 4), octets, last=4)]), server=Fails(ProtocolError)),
    _pushing("push-blocks-endless", "blocks of 10,000 octets, and never the last", "16: discarded at a limit",
             tell=wire(lambda octets, scene: _one_way(range(1, 30), bytes(_LONG))), server=Fails(ProtocolError)),
    _pushing("push-blocks-unfinished", "the first block, and nothing more", "16: dropped after a time-out",
             tell=wire(lambda octets, scene: _one_way((1,), octets)), server=Fails(ProtocolError)),
    _pushing("push-blocks-acknowledged", "a block that wants to be acknowledged", "16: window 0 in every block",
             tell=wire(lambda octets, scene: [b"\xe0\x85\0\1\0\0" + bytes((len(octets),)) + octets]),
             server=Fails(ProtocolError)),
)  # fmt: skip

NOTIFICATION_LIES: Final = (*_IN_ASSOCIATIONS, *_BY_RECEIVERS, *_BY_SENDERS)
