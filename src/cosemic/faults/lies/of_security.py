"""Lies about the protection of APDUs (IEC 62056-5-3; Green Book 9.2.7; reference, security 3, 4, 5, 17).

What a client is lied to with ends in an error, and nothing of it is believed; a server answers as section 17 says::

    tag, title, key, suite, envelope wrong    D8 01 05           deciphering-error
    counter too low                           D8 01 06 counter   invocation-counter-error, with the lowest acceptable
    less protection than the policy demands   D8 01 01           operation-not-possible

Both are unprotected, so that a client takes them as hints: after any of them the association stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from cosemic.errors import (
    DecipheringError,
    DecodeError,
    ExceptionReceived,
    InvocationCounterError,
    OutcomeUnknown,
    PolicyViolation,
)
from cosemic.faults.lies.lie import Fails, Family, Lie, Moment, Right, Role, Says, Setting
from cosemic.faults.lies.scene import Said, Scene
from cosemic.faults.lies.seals import Seal
from cosemic.faults.lies.telling import another_suite, bare, control, seal, wire
from cosemic.security import Key
from cosemic.security.envelopes import DED_TAGS, GENERAL_GLO, GLO_TAGS
from cosemic.values import Secret

_lie: Final = partial(Lie, family=Family.SECURITY, setting=Setting.CIPHERED)
_dedicated: Final = partial(Lie, family=Family.SECURITY, setting=Setting.DEDICATED)
_UNDECIPHERED: Final = Says("d80105")
_COUNTER: Final = Says("d80106")
_WEAK: Final = Says("d80101")
_FRESH: Final = "security 3: a counter below the lowest acceptable one is refused, and nothing has changed (CL-07)"
_FITS: Final = "security 17: refused before anything of it is believed"
_POLICY: Final = "security 17: the protection is what the policy demands, never what arrived"
FOREIGN_TITLE: Final = b"XXX00001"
FOREIGN_KEY: Final = Key(Secret(bytes(16), "key that nobody has"))
_JUMP: Final = 1 << 24
_EARLIER: Final = 1


def _last_octet(octets: bytes, scene: Scene) -> Sequence[bytes]:
    return [octets[:-1] + bytes((octets[-1] ^ 1,))]


def _before_last(kept: Seal, scene: Scene) -> Seal:
    """Under the counter of the APDU before."""
    return replace(kept, counter=max(kept.counter - _EARLIER, 0))


def _last_counter(said: Said, scene: Scene) -> Sequence[bytes] | None:
    """FFFFFFFF in place of the counter; no tag can be right for it."""
    if said.seal is None:
        return None
    at = said.apdu.index(said.seal.counter.to_bytes(4, "big"), 2)
    return [said.apdu[:at] + b"\xff\xff\xff\xff" + said.apdu[at + 4 :]]


def _under_the_other_tag(said: Said, scene: Scene) -> Sequence[bytes] | None:
    """In the envelope of another service than the one inside."""
    if said.seal is None:
        return None
    other = {Role.SERVER: 0xC5, Role.CLIENT: 0xC1}[scene.role]
    return [replace(said.seal, tag=GLO_TAGS[other]).around(said.plain)]


def _general(title: bytes | None) -> partial[Seal]:
    """In general-glo-ciphering that names a title; None for the own one."""
    return partial(_in_general, title)


def _in_general(title: bytes | None, kept: Seal, scene: Scene) -> Seal:
    return replace(kept, tag=GENERAL_GLO, named=kept.title if title is None else title)


def _global_key(kept: Seal, scene: Scene) -> Seal:
    assert scene.seals.material is not None
    return replace(kept, key=scene.seals.material.encryption_key)


def _under_global_tag(kept: Seal, scene: Scene) -> Seal:
    plain_tag = next(plain for plain, tag in DED_TAGS.items() if tag == kept.tag)
    return replace(kept, tag=GLO_TAGS[plain_tag])


def _global(said: Said, scene: Scene) -> Sequence[bytes] | None:
    """Under the global key, in its envelope: with a counter that is far ahead of what the opening has used."""
    if said.seal is None:
        return None
    return [replace(_global_key(_under_global_tag(said.seal, scene), scene), counter=_JUMP).around(said.plain)]


SECURITY_LIES: Final = (
    _lie(
        "tag-wrong",
        "one bit of the authentication tag inverted",
        _FITS,
        tell=wire(_last_octet),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "counter-repeated",
        "the invocation counter of the APDU before",
        _FRESH,
        tell=seal(_before_last),
        server=Fails(InvocationCounterError),
        client=_COUNTER,
    ),
    _lie(
        "counter-zero",
        "invocation counter 0 again",
        _FRESH,
        tell=seal(lambda kept, scene: replace(kept, counter=0)),
        server=Fails(InvocationCounterError),
        client=_COUNTER,
    ),
    _lie(
        "counter-jump",
        "a counter that is 2^24 ahead, and goes on from there",
        "security 3: gaps are allowed",
        tell=seal(lambda kept, scene: replace(kept, counter=kept.counter + _JUMP)),
        server=Right(),
        client=Right(),
        ahead=True,
    ),
    _lie(
        "counter-last",
        "invocation counter FFFFFFFF",
        "security 3: FFFFFFFF is never accepted, and moves nothing (SEC-04)",
        tell=_last_counter,
        server=Fails(InvocationCounterError),
        client=_COUNTER,
    ),
    _lie(
        "title-in-nonce",
        "protected as by somebody with another system title",
        _FITS,
        tell=seal(lambda kept, scene: replace(kept, title=FOREIGN_TITLE)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "key-wrong",
        "another encryption key",
        _FITS,
        tell=seal(lambda kept, scene: replace(kept, key=FOREIGN_KEY)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "authentication-key-wrong",
        "another authentication key",
        _FITS,
        tell=seal(lambda kept, scene: replace(kept, authentication_key=FOREIGN_KEY)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "in-clear",
        "the APDU without protection",
        _POLICY + " (CL-06, SEC-03)",
        tell=lambda said, scene: [said.plain],
        server=Fails(PolicyViolation),
        client=_WEAK,
    ),
    _lie(
        "authenticated-only",
        "authenticated, and not encrypted",
        _POLICY,
        tell=control(0x10),
        server=Fails(PolicyViolation),
        client=_WEAK,
    ),
    _lie(
        "encrypted-only",
        "encrypted, and not authenticated",
        _POLICY + "; nothing vouches for such a counter (SEC-02, SEC-16)",
        tell=control(0x20),
        server=Fails(PolicyViolation),
        client=_WEAK,
    ),
    _lie(
        "protected-by-nothing",
        "a security control that applies nothing",
        "security 3: nothing applied is legal in general-ciphering only",
        tell=wire(lambda octets, scene: [octets[:2] + b"\0" + octets[3:]]),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "suite-other",
        "another security suite, under the keys of the right one",
        "security 17: the suite is that of the association (SEC-11)",
        tell=another_suite(),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "broadcast-key-set",
        "the bit of the broadcast key",
        "security 3: where there is a broadcast key, and for broadcast alone (SEC-10)",
        tell=control(0x70),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "compressed",
        "the bit of compression",
        "security 3: not in service-specific ciphering",
        tell=control(0xB0),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "tag-of-another-service",
        "the envelope of another service than the one inside",
        "security 5.1: the tag of the envelope names the APDU inside; it is not authenticated itself",
        tell=_under_the_other_tag,
        server=Fails(DecodeError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "protected-cut",
        "the last octet missing, and the length right",
        _FITS,
        tell=wire(lambda octets, scene: [octets[:1] + bytes((octets[1] - 1,)) + octets[2:-1]]),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "header-alone",
        "security control and half a counter",
        "security 3: a security header has five octets",
        tell=wire(lambda octets, scene: [octets[:1] + b"\x03" + octets[2:5]]),
        server=Fails(DecodeError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "reflected",
        "the last APDU of the other side, as it came",
        "security 3: what comes back was made with the own title; its counter may be refused before its tag",
        tell=wire(lambda octets, scene: [scene.heard[-1]]),
        server=Fails(DecipheringError),
        client=Says("d801.."),
    ),
    _lie(
        "general-form",
        "the same in general-glo-ciphering",
        "security 5.2: general protection was agreed upon, and carries any APDU",
        tell=seal(_general(None)),
        server=Right(),
        client=Right(),
    ),
    _lie(
        "general-foreign",
        "general-glo-ciphering that names somebody else",
        _FITS,
        tell=seal(_general(FOREIGN_TITLE)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "general-reflected",
        "general-glo-ciphering that names the other side",
        "security 3: the own title coming back is refused before any cryptography",
        tell=seal(lambda kept, scene: replace(kept, tag=GENERAL_GLO, named=scene.seals.peer_title)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _lie(
        "exception-in-clear",
        "an exception-response to a GET",
        "security 17: a hint; nothing is sent with weaker protection because of it (SEC-13)",
        tell=bare("d80105"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "exception-to-a-change",
        "an exception-response in clear to a SET, which was done",
        "security 17: a hint, which says nothing sure of the change",
        tell=bare("d80101"),
        moment=Moment.WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _lie(
        "counter-hint-last",
        "an exception-response that asks for counter FFFFFFFF",
        "security 3: never taken over; the own counter is not spoilt (CL-14)",
        tell=bare("d80106ffffffff"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "counter-hint-far",
        "an exception-response that asks for a counter 2^30 ahead",
        "security 3: the jump is limited (CL-14)",
        tell=bare("d8010640000000"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "counter-hint-near",
        "an exception-response that asks for a counter a thousand ahead",
        "security 3: anybody may have sent it; the association stands with its own counter",
        tell=bare("d8010600001000"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "counter-hint-lower",
        "an exception-response that asks for counter 0 again",
        "security 3: a counter is never used twice",
        tell=bare("d8010600000000"),
        server=Fails(ExceptionReceived),
    ),
    _lie(
        "counter-hint-to-a-change",
        "an exception-response that asks for a higher counter, to a SET",
        "14: in clear it is a hint; nobody knows what became of the change",
        tell=bare("d8010600001000"),
        moment=Moment.WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _lie(
        "answer-in-clear-to-a-change",
        "a set-response without protection",
        _POLICY + "; nobody knows what became of the change",
        tell=lambda said, scene: [said.plain],
        moment=Moment.WRITING,
        server=Fails(OutcomeUnknown),
    ),
    _dedicated(
        "dedicated-under-global-key",
        "the envelope of the dedicated key, under the global key",
        "SYMSEC_0_DedKey_N1: refused",
        tell=seal(_global_key),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _dedicated(
        "global-under-dedicated-key",
        "the envelope of the global key, under the dedicated key, with a counter that is fresh for both",
        "SYMSEC_0_DedKey_N1: refused",
        tell=seal(lambda kept, scene: replace(_under_global_tag(kept, scene), counter=_JUMP)),
        server=Fails(DecipheringError),
        client=_UNDECIPHERED,
    ),
    _dedicated(
        "global-for-dedicated",
        "the global key and its envelope, in an association with a dedicated key",
        "security 3: each has its counters; either protects as the policy demands",
        tell=_global,
        server=Right(),
        client=Right(),
        ahead=True,
    ),
)
