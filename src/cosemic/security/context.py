"""The security context of an association: whole APDUs in, whole APDUs out (9.2.7.2; reference, security 5, 17).

What is received is checked in this order; the first thing that is wrong ends it, and nothing has changed:

1. the tag is that of an envelope which the context can open: a dedicated one needs a dedicated key
2. security control: suite of the association, something is applied, broadcast only where there is a broadcast key and
   never with a dedicated one, compression only where the dialect has it switched on, in general envelopes, in suites 1
   and 2 and with authentication
3. system title: the peer's; the own one coming back is reflection
4. invocation counter: not below the lowest acceptable value
5. (key-info: general-ciphering only)
6. tag, in constant time
7. protection: no less than the policy demands; encryption without authentication only where the policy is exactly that
8. a compressed APDU expands to no more than the largest that is taken; the inner APDU is the one that the envelope
   names (its tag is not part of what is authenticated)
9. invocation counter: compared and stored in one step; only then is the APDU handed out

Requests and responses have their own requirements. The rights of single attributes and methods come on top: they are
known only when the APDU is read (:func:`cosemic.security.policy.check_protection`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from cosemic.dialect import STANDARD, CipheredForm, Dialect, Quirk
from cosemic.errors import ConfigurationError, DecipheringError, DecodeError, EncodeError, PolicyViolation
from cosemic.security.counters import CounterStore, MemoryCounterStore
from cosemic.security.counting import ReceiveCounter, TransmitCounter
from cosemic.security.envelopes import (
    ENVELOPES,
    GENERAL_BLOCK_TRANSFER,
    INNER_TAGS,
    PLAIN_TAGS,
    Envelope,
    open_envelope,
)
from cosemic.security.keys import Key, SecurityMaterial
from cosemic.security.lanes import CompressingSealer, ExpandingOpener, Opener, Sealer
from cosemic.security.policy import SecurityPolicy, check_protection
from cosemic.security.protection import COMPRESSION_BIT, FAILED, HEADER_LENGTH, Unprotected
from cosemic.security.suite import (
    ASSOCIATION_SUITES,
    COMPRESSED_CONTROLS,
    CONTROLS,
    SYSTEM_TITLE_LENGTH,
    Protection,
    SecurityControl,
)

REFLECTED: Final = "the system title of the peer is our own: an APDU of ours was sent back, or a title is set wrongly"
UNSIGNED: Final = "digital signatures are asked for, which the APDUs of an association are not given: leave them out"
AUTHENTICATED: Final = int(Protection.AUTHENTICATED)
ENCRYPTED: Final = int(Protection.ENCRYPTED)
BROADCAST: Final = 0x40
"""Bit of the security control that says: under the broadcast key."""
MOST_FAMILIAR: Final = 256
"""Sizes and first octets of APDUs whose front octets are kept."""
LARGEST_APDU: Final = 0xFFFF
"""Octets of the largest APDU that can be negotiated."""
Role = Literal["client", "server"]


class Familiar(NamedTuple):
    """What the octets in front of an invocation counter have told: the next APDU of this size mostly has the same.

    head: those octets. start: where the security control stands, with which they end. title: the peer's. inner_tags:
    what the envelope may hold.
    """

    head: bytes
    opener: Opener
    start: int
    title: bytes
    inner_tags: frozenset[int]


class SecurityContext:
    """Protects and unprotects the APDUs of one association.

    own_title: 8 octets. peer_title: 8 octets, or None until the AARE brings it (:meth:`set_peer_title`). material: the
    keys; a suite outside :data:`ASSOCIATION_SUITES` is refused. counters: the store that all associations with these
    keys share. send: protection of what is sent. require: least protection of what is received. dialect:
    ``ciphered_form``, ``max_counter_jump`` and ``gmac_control_without_suite`` are used.
    gmac_offered: HLS mechanism 5 is possible under the same key; then APDUs with authentication only are refused unless
    ``require`` is exactly that, for f(StoC) is the tag of such an APDU (reference, security 6).
    broadcast: what is sent goes to many, under the broadcast key, unless an envelope or a protection is named.
    expand_to: octets of the largest APDU that is taken, to which a compressed one may expand; 0: 65535. With
    ``dialect.compression`` an APDU goes out compressed where it travels in a general envelope, carries no secrets
    (:mod:`cosemic.security.compressible`) and becomes shorter.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        own_title: bytes,
        peer_title: bytes | None,
        material: SecurityMaterial,
        counters: CounterStore,
        *,
        send: Protection = Protection.AUTHENTICATED | Protection.ENCRYPTED,
        require: Protection = Protection.AUTHENTICATED | Protection.ENCRYPTED,
        dialect: Dialect = STANDARD,
        gmac_offered: bool = False,
        broadcast: bool = False,
        expand_to: int = LARGEST_APDU,
    ) -> None:
        if len(own_title) != SYSTEM_TITLE_LENGTH:
            raise ConfigurationError(f"the own system title has {len(own_title)} octets, not 8")
        if material.suite.id not in ASSOCIATION_SUITES:
            raise ConfigurationError(
                f"associations are not served in security suite {material.suite.id}: use 0, 1 or 2"
            )
        if send & Protection.SIGNED:
            raise ConfigurationError(UNSIGNED)
        self.own_title: Final = own_title
        self.peer_title: bytes | None = None
        self.material = material
        self.dialect = dialect
        self.send: Final = send
        self.require: Final = require
        self._required = int(require)
        self._default: Sealer | None = None
        self._sealers: dict[tuple[Envelope, int, bool], Sealer] = {}
        blocks = frozenset({GENERAL_BLOCK_TRANSFER} if Quirk.CIPHERED_BLOCKS in dialect.quirks else ())
        self._general_tags: Final = PLAIN_TAGS | blocks
        """What general envelopes may hold."""
        self._gmac_offered = gmac_offered
        self._broadcast: Final = broadcast
        self._expand_to = expand_to or LARGEST_APDU
        sending = self._key(False, broadcast)
        if sending is None:
            raise ConfigurationError("there is no broadcast key for what is sent to all stations: give broadcast_key")
        self._counters = counters
        self._dedicated_counters: CounterStore = MemoryCounterStore()
        self._openers: dict[tuple[bool, int], Opener] = {}
        self._familiar: dict[int, Familiar] = {}
        """By size and first octet of APDUs."""
        self._received: dict[tuple[bool, bool], ReceiveCounter] = {}
        self.transmit: TransmitCounter = counters.transmit_counter(sending.identity, own_title)
        """The counter of everything that is sent under the encryption key, HLS mechanism 5 included; or under the
        broadcast key."""
        if peer_title is not None:
            self.set_peer_title(peer_title)

    @classmethod
    def for_policy(
        cls,
        role: Role,
        policy: SecurityPolicy,
        own_title: bytes,
        peer_title: bytes | None,
        material: SecurityMaterial,
        counters: CounterStore,
        *,
        dialect: Dialect = STANDARD,
        gmac_offered: bool = False,
        expand_to: int = LARGEST_APDU,
    ) -> SecurityContext:
        """Return the context of a ``"client"`` or ``"server"`` that sends and requires what the policy demands."""
        send, require = policy.requires.request, policy.requires.response
        if role == "server":
            send, require = require, send
        return cls(
            own_title,
            peer_title,
            material,
            counters,
            send=send,
            require=require,
            dialect=dialect,
            gmac_offered=gmac_offered,
            expand_to=expand_to,
        )

    def set_peer_title(self, title: bytes) -> None:
        """Set the peer's system title, once. Raises DecipheringError for the own one, another one, or not 8 octets."""
        if title == self.own_title:
            raise DecipheringError(REFLECTED)
        if len(title) != SYSTEM_TITLE_LENGTH:
            raise DecipheringError(f"the system title of the peer has {len(title)} octets, not 8")
        if self.peer_title not in (None, title):
            raise DecipheringError("the peer uses another system title than was agreed")
        self.peer_title = title

    def set_dedicated_key(self, key: Key | None) -> None:
        """Take a fresh dedicated key into use, or None when the association ends. Its counters start anew.

        The key that is in use already keeps its counters. Raises ConfigurationError when the length is not that of the
        suite, or the key is a global one.
        """
        if key == self.material.dedicated_key:
            return
        self.material = self.material.with_dedicated_key(key)
        self._dedicated_counters = MemoryCounterStore()
        self._default = None
        self._sealers.clear()
        self._familiar.clear()
        self._openers = {place: opener for place, opener in self._openers.items() if not place[0]}
        self._received = {place: counter for place, counter in self._received.items() if not place[0]}

    def set_largest_apdu(self, octets: int) -> None:
        """Let compressed APDUs expand to so many octets from now on; 0: 65535."""
        self._expand_to = octets or LARGEST_APDU
        self._familiar.clear()
        self._openers = {
            place: opener for place, opener in self._openers.items() if not isinstance(opener, ExpandingOpener)
        }

    @property
    def envelope(self) -> Envelope:
        """The envelope of services, as the dialect wants it; with the dedicated key where there is one."""
        general = self.dialect.ciphered_form is CipheredForm.GENERAL
        return Envelope.kind(dedicated=self.material.dedicated_key is not None, general=general)

    @property
    def receive(self) -> ReceiveCounter:
        """The counter of what is received under the encryption key. Raises DecipheringError without peer title."""
        return self._opener(False, SecurityControl.of(self.material.suite.id, authenticated=True)).counter

    def protect_apdu(
        self,
        apdu: bytes,
        envelope: Envelope | None = None,
        *,
        protection: Protection | None = None,
        broadcast: bool = False,
    ) -> bytes:
        """Return an APDU in its envelope.

        envelope: that of :attr:`envelope` when None; a server mirrors ``Envelope.of(request)``; the InitiateRequest and
        -Response always travel in GLO or GENERAL_GLO. protection: :attr:`send` when None; with ``NONE`` the APDU itself
        is returned. broadcast: enciphered with the broadcast key.

        Raises EncodeError for an APDU that the envelope cannot hold, ConfigurationError for a missing key,
        CounterExhausted and InvocationCounterError.
        """
        if not apdu:
            raise EncodeError("an APDU to be protected has at least its tag")
        if envelope is None and protection is None and not broadcast:
            sealer = self._default
            if sealer is None and self.send:
                sealer = self._default = self._sealer(self.envelope, self.send, self._broadcast)
        else:
            applied = self.send if protection is None else protection
            sealer = self._sealer(envelope or self.envelope, applied, broadcast) if applied else None
        return apdu if sealer is None else sealer.seal(apdu)

    def _key(self, dedicated: bool, broadcast: bool) -> Key | None:
        """The key of one kind of APDU, None where there is none."""
        if dedicated:
            return None if broadcast else self.material.dedicated_key
        return self.material.broadcast_key if broadcast else self.material.encryption_key

    def _store(self, dedicated: bool) -> CounterStore:
        return self._dedicated_counters if dedicated else self._counters

    def _sealer(self, envelope: Envelope, protection: Protection, broadcast: bool) -> Sealer:
        """Return what APDUs of one kind are protected with, kept ready. Raises ConfigurationError without the key."""
        kept = self._sealers.get((envelope, int(protection), broadcast))
        if kept is not None:
            return kept
        if protection & Protection.SIGNED:
            raise ConfigurationError(UNSIGNED)
        material = self.material
        key = self._key(envelope.dedicated, broadcast)
        if key is None:
            raise ConfigurationError(
                f"there is no {'broadcast' if broadcast else 'dedicated'} key to protect this with"
            )
        control = CONTROLS[material.suite.id | int(protection) << 4 | (BROADCAST if broadcast else 0)]
        counter = self._store(envelope.dedicated).transmit_counter(key.identity, self.own_title)
        title, blocks = self.own_title, Quirk.CIPHERED_BLOCKS in self.dialect.quirks
        compresses = self.dialect.compression and envelope.general and control | COMPRESSION_BIT in COMPRESSED_CONTROLS
        kind = CompressingSealer if compresses else Sealer
        sealer = kind(envelope, control, key, material.authentication_key, title, counter, blocks=blocks)
        self._sealers[envelope, int(protection), broadcast] = sealer
        return sealer

    def unprotect_apdu(self, apdu: bytes, *, broadcast: bool = False) -> Unprotected:
        """Return the APDU that came, and how it was protected; see the order of checks above.

        An APDU without envelope is returned as it is where nothing is required. An exception-response or
        confirmedServiceError in clear is no exception to that: a client that wants such a hint reads it beforehand.

        broadcast: APDUs under the broadcast key are taken too. Every meter of a fleet holds that key, so that nobody
        is known by it: never for an InitiateRequest, a release or an answer, and what it carries is not answered.

        Raises DecodeError for octets that are no whole envelope or hold another APDU than it names; DecipheringError
        for a wrong title, suite, key or tag; InvocationCounterError (with the lowest acceptable value; only when title
        and suite fit); PolicyViolation. Nothing has changed then.
        """
        if not apdu:
            raise DecodeError("an APDU")
        familiar = self._familiar.get(len(apdu) << 8 | apdu[0])
        if familiar is None or not apdu.startswith(familiar.head):
            envelope = ENVELOPES.get(apdu[0])
            if envelope is None:
                check_protection(self.require, 0)
                return Unprotected(apdu, False, False, CONTROLS[0], None)
            familiar = self._recognised(apdu, envelope, broadcast)
        _, opener, start, title, inner_tags = familiar
        result = opener.open(apdu, start, title)
        if opener.refusal:
            raise PolicyViolation(opener.refusal)
        plaintext, authenticated, _, _, counter = result
        if not plaintext or plaintext[0] not in inner_tags:
            if not authenticated:
                raise DecipheringError(FAILED)
            raise DecodeError("the APDU that the tag of the envelope names", 0, "ciphered-content")
        assert counter is not None
        if authenticated:
            opener.counter.accept(counter)
        else:
            opener.counter.accept_unauthenticated(counter)
        return result

    def _recognised(self, apdu: bytes, envelope: Envelope, broadcast: bool) -> Familiar:
        """Check what can be told from the octets in front of the counter: APDUs of this size that begin so pass.

        Raises DecodeError, DecipheringError.
        """
        title, content = open_envelope(apdu)
        if len(content) < HEADER_LENGTH:
            raise DecodeError("security control and invocation counter", len(apdu), "security-header")
        control, start = content[0], len(apdu) - len(content)
        if (control & BROADCAST and not broadcast) or (control & COMPRESSION_BIT and not envelope.general):
            raise DecipheringError(FAILED)
        opener = self._openers.get((envelope.dedicated, control))
        if opener is None:
            opener = self._opener(envelope.dedicated, CONTROLS[control])
        peer_title = self.peer_title
        if title is not None and title != peer_title:
            raise DecipheringError(REFLECTED if title == self.own_title else FAILED)
        assert peer_title is not None
        tags = self._general_tags if envelope.general else frozenset((INNER_TAGS[apdu[0]],))
        familiar = Familiar(apdu[: start + 1], opener, start, peer_title, tags)
        if not control & BROADCAST:  # which is allowed or not each time
            if len(self._familiar) >= MOST_FAMILIAR:
                self._familiar.clear()
            self._familiar[len(apdu) << 8 | apdu[0]] = familiar
        return familiar

    def _opener(self, dedicated: bool, control: SecurityControl) -> Opener:
        """Check what can be told from envelope and security control alone, and remember what passed."""
        key = self._key(dedicated, control.broadcast)
        if (
            key is None
            or control.suite != self.material.suite.id
            or (control.compressed and not (self.dialect.compression and control in COMPRESSED_CONTROLS))
            or not (control.encrypted or control.authenticated)
            or self.peer_title is None
        ):
            raise DecipheringError(FAILED)
        counter = self._received.get((dedicated, control.broadcast))
        if counter is None:
            counter = self._store(dedicated).receive_counter(key.identity, self.peer_title)
            self._received[dedicated, control.broadcast] = counter
        ak, refusal = self.material.authentication_key, self._refusal(control)
        opener = Opener(control, key, ak, counter, refusal)
        if control.compressed:
            opener = ExpandingOpener(control, key, ak, counter, refusal, self._expand_to)
        self._openers[dedicated, int(control)] = opener
        return opener

    def _refusal(self, control: SecurityControl) -> str:
        """Return why APDUs with this protection are refused; nothing where they are not."""
        required = self._required
        try:
            check_protection(self.require, control.protection)
        except PolicyViolation as violation:
            return str(violation)
        if not control.authenticated and required != ENCRYPTED:
            return "encryption without authentication is accepted only where the policy is exactly that"
        if not control.encrypted and self._gmac_offered and required != AUTHENTICATED:
            return "authentication without encryption is not accepted beside HLS mechanism 5"
        return ""

    def confirm(self) -> None:
        """Tell that an authenticated answer to what was sent last has come: a proposed counter is kept from now on."""
        self.transmit.confirm()

    def propose_counter(self, value: int) -> None:
        """Take up the counter of an exception-response; see :meth:`TransmitCounter.propose`."""
        self.transmit.propose(value, self.dialect.max_counter_jump)


def is_ciphered(apdu: bytes) -> bool:
    """Tell whether an APDU is an envelope that :class:`SecurityContext` opens."""
    return bool(apdu) and apdu[0] in ENVELOPES


def system_title_of(apdu: bytes) -> bytes | None:
    """Return the originator's title that a general envelope carries, to find the context that opens it.

    None where it carries none. Raises DecodeError for octets that are no whole ciphered APDU.
    """
    return open_envelope(apdu).system_title
