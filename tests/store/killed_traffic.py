"""A process that sends and receives protected APDUs and is killed, again and again; and what it must never do.

::

    peer, which never dies --> fresh, replayed, late, forged APDUs --> subject, which dies --> tells the ledger

The subject is a client or a server in any suite, with its counters and transaction-ids in files: APDUs under the
global key, in general-ciphering with the global, a wrapped and an agreed key, signed ones in layers and without, and
the values of HLS mechanism 5. It tells of each APDU that it sends, and of each one that it has accepted, when that is
done. The ledger fails when a (key, title, counter) or a transaction-id is sent twice, when anything is accepted twice,
and when FFFFFFFF is used.
"""

from __future__ import annotations

import os
import random
import secrets
import select
import signal
import struct
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from enum import Enum
from typing import Any, Final

from cosemic.errors import CosemicError, CounterExhausted
from cosemic.security import (
    CounterStore,
    HlsCredentials,
    MemoryCounterStore,
    Protection,
    SecurityContext,
    SecurityMaterial,
    SoftwareAgreementKey,
    SoftwareSigningKey,
    security_suite,
)
from cosemic.security.envelopes import Envelope, open_envelope, seal_envelope
from cosemic.security.general import (
    GeneralProtection,
    KeyEstablishment,
    Layer,
    LayerPlan,
    MemoryTransactionStore,
    OwnParty,
    Party,
    TransactionStore,
    split_ciphering,
    split_signing,
)
from cosemic.security.general.layout import GENERAL_SIGNING
from cosemic.security.suite import COUNTER_LIMIT, SecurityControl
from cosemic.store import FileCounterStore, FileTransactionStore
from cosemic.store.file_port import FilePort
from cosemic.values import AuthenticationMechanism, Secret

CLIENT, SERVER = b"MMM\0\0\0\0\1", b"MMM\0\0\xbcaN"
GET: Final = bytes.fromhex("C0010000080000010000FF0200")


class Form(Enum):
    """How an APDU is protected: in glo-ciphering, or in layers, the outermost first."""

    GLO = ()
    GLOBAL = (KeyEstablishment.GLOBAL_UNICAST,)
    WRAPPED = (KeyEstablishment.WRAPPED,)
    ONE_PASS = (KeyEstablishment.ONE_PASS,)
    STATIC = (KeyEstablishment.STATIC,)
    SIGNED = (None,)
    SIGNED_IN_GLOBAL = (KeyEstablishment.GLOBAL_UNICAST, None)
    SIGNED_IN_WRAPPED = (KeyEstablishment.WRAPPED, None)
    WRAPPED_IN_SIGNED = (None, KeyEstablishment.WRAPPED)

    @property
    def counted(self) -> bool:
        """Whether a counter alone tells it from a copy; a transaction-id does of the others."""
        return self in (Form.GLO, Form.GLOBAL)

    def plan(self, recipient: bytes) -> LayerPlan:
        layers = [
            Layer(recipient=recipient, protection=Protection.SIGNED)
            if kind is None
            else Layer(recipient=recipient, key_info=kind)
            for kind in self.value
        ]
        return LayerPlan(tuple(layers))


GLO, WRAPPED, STATIC = Form.GLO, Form.WRAPPED, Form.STATIC
WITHOUT_SIGNATURES: Final = (GLO, GLO, Form.GLOBAL, WRAPPED)
"""In suite 0."""
FORMS: Final = (*WITHOUT_SIGNATURES, Form.ONE_PASS, STATIC, *list(Form)[5:])
SENT, PROVED, ACCEPTED, REFUSED, EXHAUSTED, BROKEN = b"s", b"h", b"a", b"r", b"x", b"!"
FRESH: Final = 40
"""New APDUs for one life."""
LIVES: Final = 30
"""Of one pair of keys: the ids that are remembered grow with them."""
SHARED_MEMORY: Final = "/dev/shm"
Tell = Callable[[bytes], None]


class Doubled(AssertionError):
    """What must come once came twice."""


@dataclass(frozen=True)
class Keys:
    """What both sides hold of one another."""

    material: SecurityMaterial
    agreement: dict[bytes, SoftwareAgreementKey]
    signing: dict[bytes, SoftwareSigningKey]

    @classmethod
    def drawn(cls, suite_id: int) -> Keys:
        suite = security_suite(suite_id)
        titles = (CLIENT, SERVER) if suite_id else ()
        encryption_key, authentication_key, kek = (Secret(secrets.token_bytes(suite.key_length)) for _ in range(3))
        return cls(
            SecurityMaterial.of(encryption_key, authentication_key, suite=suite_id, kek=kek),
            {title: SoftwareAgreementKey.generate(suite) for title in titles},
            {title: SoftwareSigningKey.generate(suite) for title in titles},
        )

    @property
    def forms(self) -> tuple[Form, ...]:
        """What this suite can do, the frequent ones more than once."""
        return FORMS if self.material.suite.id else WITHOUT_SIGNATURES


class Side:
    """One side, on its stores."""

    def __init__(
        self, keys: Keys, own: bytes, peer: bytes, counters: CounterStore, transactions: TransactionStore
    ) -> None:
        self.context = SecurityContext(own, peer, keys.material, counters)
        self.hls = HlsCredentials(mechanism=AuthenticationMechanism.HLS_GMAC, context=self.context)
        agreement, signing = keys.agreement.get(peer), keys.signing.get(peer)
        known = Party(
            title=peer,
            key_infos=frozenset(kind for form in keys.forms for kind in form.value if kind is not None),
            material=keys.material,
            agreement=None if agreement is None else agreement.public,
            signing=None if signing is None else signing.public,
        )
        self.general = GeneralProtection(
            OwnParty(title=own, agreement_key=keys.agreement.get(own), signing_key=keys.signing.get(own)),
            [known],
            suite=keys.material.suite,
            counters=counters,
            transactions=transactions,
        )
        self._peer = peer

    def sealed(self, form: Form, apdu: bytes = GET, transaction_id: bytes | None = None) -> bytes:
        """Return an APDU in that form."""
        if form is GLO:
            return self.context.protect_apdu(apdu)
        return self.general.protect(apdu, form.plan(self._peer), transaction_id=transaction_id)

    def take(self, octets: bytes) -> bytes:
        """Return what an APDU carries, accepted. Raises CosemicError."""
        if Envelope.of(octets) is None:
            return self.general.unprotect(octets).apdu
        return self.context.unprotect_apdu(octets).plaintext


@dataclass
class Input:
    """An APDU for the subject. label: what must not be accepted twice; several APDUs may share it."""

    octets: bytes
    label: object
    never: bool = False
    """Must not be accepted at all."""


class Seat:
    """The place of a subject: its role and files, its peer, and the ledger of all its lives."""

    def __init__(
        self, folder: str, own: bytes, draw: random.Random, *, left: int | None = None, suite: int = 1
    ) -> None:
        """left: so many counters are left under the key of the subject; None: it has not used any."""
        self.own, self.peer_title = own, SERVER if own == CLIENT else CLIENT
        self.keys = Keys.drawn(suite)
        self.draw = draw
        self.left = left
        self._counters, self._transactions = (os.path.join(folder, name) for name in ("counters", "transactions"))
        self.identity = self.keys.material.encryption_key.identity
        self.peer = Side(self.keys, self.peer_title, own, MemoryCounterStore(), MemoryTransactionStore())
        self.inputs: list[Input] = []
        self.accepted: list[int] = []
        self.labels: set[object] = set()
        self.nonces: set[tuple[bytes, bytes, int]] = set()
        self.given: set[bytes] = set()
        self.highest = -1
        self.exhausted = False
        self.kills = 0

    def prepare(self, port: FilePort | None = None) -> None:
        """Make the files: an installer has set the counter where it is nearly used up."""
        store = FileCounterStore(self._counters, port=port)
        FileTransactionStore(self._transactions, port=port)
        if self.left is not None:
            store.transmit_counter(self.identity, self.own).raise_to(COUNTER_LIMIT - self.left)

    def subject(self, port: FilePort | None, block: int, compact_lines: int) -> Side:
        """Open the files as a process does that begins."""
        counters = FileCounterStore(self._counters, block, compact_lines=compact_lines, port=port)
        transactions = FileTransactionStore(self._transactions, block, compact_lines=compact_lines, port=port)
        return Side(self.keys, self.own, self.peer_title, counters, transactions)

    # What comes to the subject

    def feed(self, fresh: int = FRESH) -> list[int]:
        """Return the inputs of one life, by number: fresh ones in order, others among them."""
        old = self.accepted[-8:] + self.draw.sample(self.accepted, min(8, len(self.accepted)))
        late = [number for number in range(max(0, len(self.inputs) - 30), len(self.inputs)) if number not in old]
        others = old + self.draw.sample(late, min(8, len(late)))
        self.draw.shuffle(others)
        fed = others[: len(others) // 2]  # at once: what the life before has accepted last must be known
        others = others[len(fed) :]
        for _ in range(fresh):
            fed += self._fresh()
            if others and self.draw.random() < 0.3:
                fed.append(others.pop())
        return fed + others

    def _fresh(self) -> list[int]:
        form, chance = self.draw.choice(self.keys.forms), self.draw.random()
        octets = self.peer.sealed(form)
        counter, transaction_id = parts(octets)
        added = [Input(octets, counter if form.counted else transaction_id)]
        if form in (WRAPPED, Form.ONE_PASS) and chance < 0.3:  # another key, but the same transaction-id
            added.append(Input(self.peer.sealed(form, GET[:-1] + b"\1", transaction_id), added[0].label))
        if form is Form.SIGNED and chance < 0.4:  # the same signature, in another layer
            wrapped = self.peer.sealed(WRAPPED if chance < 0.2 else Form.GLOBAL, octets, transaction_id)
            added.append(Input(wrapped, added[0].label))
        if form is GLO and chance < 0.2:
            added.append(Input(self._glo(COUNTER_LIMIT), None, never=True))
        if form is GLO and 0.2 < chance < 0.4:  # the holder of the key says something else with it
            added.append(Input(self._glo(counter, GET[:-1] + b"\1"), counter))
        self.inputs += added
        return list(range(len(self.inputs) - len(added), len(self.inputs)))

    def _glo(self, counter: int, apdu: bytes = GET) -> bytes:
        """Return an APDU of the peer with a counter that it would not take."""
        key, ak = self.keys.material.encryption_key, self.keys.material.authentication_key
        assert ak is not None
        control = SecurityControl.of(self.keys.material.suite.id, authenticated=True, encrypted=True)
        value = counter.to_bytes(4, "big")
        sealed = key.aead.encrypt(self.peer_title + value, apdu, ak.authenticated_data(control))
        return seal_envelope(Envelope.GLO, apdu[0], b"", control.octet + value + sealed[:-4])

    # What the subject tells

    def hear(self, told: bytes) -> None:
        """Enter one thing that the subject has told into the ledger. Raises Doubled."""
        kind, rest = told[:1], told[1:]
        if kind == SENT:
            self._sent(rest)
        elif kind == PROVED:
            self._used(self.identity, int.from_bytes(rest[1:5], "big"))
        elif kind == ACCEPTED:
            self._taken(int.from_bytes(rest, "big"))
        elif kind == EXHAUSTED:
            assert self.left is not None, "counters came to an end that had not been used"
            self.exhausted = True
        elif kind == BROKEN:
            raise AssertionError(f"the process failed by itself:\n{rest.decode()}")

    def _sent(self, octets: bytes) -> None:
        counter, transaction_id = parts(octets)
        if transaction_id:
            self._once(transaction_id, self.given, "transaction-id was given")
        if octets[0] == GENERAL_SIGNING:
            octets = split_signing(octets).content
            if octets == GET:
                return
            counter, _ = parts(octets)
        info = split_ciphering(octets).key_info if transaction_id else None
        if info is None or info.kind is KeyEstablishment.GLOBAL_UNICAST:
            self._used(self.identity, counter)
        else:  # a wrapped key, an ephemeral one, or one that follows from the transaction-id
            self._used(info.kind.name.encode() + (info.data or transaction_id), counter)

    def _used(self, key: bytes, counter: int) -> None:
        assert counter < COUNTER_LIMIT, "FFFFFFFF was used"
        assert not (key == self.identity and self.exhausted), "a counter came after the last one"
        self._once((key, self.own, counter), self.nonces, "key, title and counter were used")
        if key == self.identity:
            self.highest = max(self.highest, counter)

    def _taken(self, number: int) -> None:
        taken = self.inputs[number]
        assert not taken.never, "FFFFFFFF was accepted"
        self._once(taken.label, self.labels, "APDU was accepted")
        self.accepted.append(number)

    @staticmethod
    def _once(what: Any, before: set[Any], wording: str) -> None:
        if what in before:
            raise Doubled(f"{wording} twice: {what!r}")
        before.add(what)

    # Lives

    def live(self, side: Side, fed: list[int], tell: Tell, draw: random.Random, more: bool = False) -> None:
        """Take all inputs and send between them; ``more``: then go on sending."""
        for number in fed:
            self._act(side, tell, draw)
            try:
                side.take(self.inputs[number].octets)
            except CosemicError:
                tell(REFUSED + struct.pack(">I", number))
            else:
                tell(ACCEPTED + struct.pack(">I", number))
        while more:
            self._act(side, tell, draw)

    def _act(self, side: Side, tell: Tell, draw: random.Random) -> None:
        try:
            if draw.randrange(6) == 0:
                challenge = secrets.token_bytes(8)
                tell(PROVED + side.hls.prove(challenge, challenge[::-1], self.peer_title))
            else:
                tell(SENT + side.sealed(draw.choice(self.keys.forms)))
        except CounterExhausted:
            tell(EXHAUSTED)

    def check(self, port: FilePort | None = None) -> None:
        """Let a last life end by itself: nothing that was accepted is accepted again, and the work goes on."""
        before = len(self.accepted)
        side = self.subject(port, 2, 4)
        self.live(side, [*self.accepted, *self.feed(12)], self.hear, self.draw)
        assert len(self.accepted) > before, "nothing is accepted any more"
        if not self.exhausted:
            self.peer.take(side.sealed(GLO))


def parts(octets: bytes) -> tuple[int, bytes]:
    """Return counter and transaction-id of a protected APDU, of its outermost layer; 0 or empty where it has none."""
    if Envelope.of(octets) is not None:
        return int.from_bytes(open_envelope(octets).content[1:5], "big"), b""
    if octets[0] == GENERAL_SIGNING:
        return 0, split_signing(octets).header.transaction_id
    found = split_ciphering(octets)
    return int.from_bytes(found.content[1:5], "big"), found.header.transaction_id


class FatalPort(FilePort):
    """Kills its process, with SIGKILL, at call ``at`` (from 1) of write, fsync and rename; 0: never."""

    def __init__(self, at: int, draw: random.Random) -> None:
        self._left = at
        self._how = draw.choice(("before", "middle", "after"))

    def _call(self, do: Callable[[], Any], halfway: Callable[[], Any] = lambda: None) -> Any:
        self._left -= 1
        if self._left:
            return do()
        {"before": lambda: None, "middle": halfway, "after": do}[self._how]()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a killed process went on")

    def write(self, descriptor: int, octets: bytes) -> int:
        whole, part = super().write, octets[: len(octets) // 2]
        return int(self._call(lambda: whole(descriptor, octets), lambda: whole(descriptor, part)))

    def fsync(self, descriptor: int) -> None:
        whole = super().fsync
        self._call(lambda: whole(descriptor))

    def replace(self, source: str, target: str) -> None:
        whole = super().replace
        self._call(lambda: whole(source, target))

    def fsync_directory(self, path: str) -> None:
        whole = super().fsync_directory
        self._call(lambda: whole(path))


def killed_life(seat: Seat, processes: int, longest: float) -> None:
    """Run one life in so many processes at once, on the same files and inputs, and kill them with SIGKILL.

    longest: seconds after its first word (of one in four: after its birth) until each is killed, at the latest; one in
    three kills itself at a call of its port.
    """
    draw, fed = seat.draw, seat.feed()
    children: list[tuple[int, int]] = []
    for _ in range(processes):
        block, compact_lines = draw.choice((1, 2, 7, 64)), draw.choice((2, 20, 1000))
        at, own = (draw.randrange(1, 60) if draw.random() < 1 / 3 else 0), random.Random(draw.random())
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            for _, inherited in children:
                os.close(inherited)
            os.close(reading)
            _die_in_the_end(seat, fed, writing, block, compact_lines, FatalPort(at, own), own)
        os.close(writing)
        children.append((child, reading))
    if draw.random() < 0.75:  # the others may be killed before they have begun
        select.select([children[0][1]], [], [], 2.0)
    time.sleep(draw.uniform(0, longest))
    for child, _ in children:
        os.kill(child, signal.SIGKILL)
    for child, _ in children:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) in (-signal.SIGKILL, 1)
        seat.kills += 1
    told = [each for _, reading in children for each in _messages(reading)]
    if processes > 1:  # one of them may have values left when the other gets none
        told.sort(key=lambda each: each[:1] == EXHAUSTED)
    for each in told:
        seat.hear(each)


def _die_in_the_end(
    seat: Seat, fed: list[int], report: int, block: int, compact_lines: int, port: FilePort, draw: random.Random
) -> None:
    def tell(message: bytes) -> None:
        os.write(report, struct.pack(">H", len(message)) + message)  # short enough to be whole or not there

    try:
        seat.live(seat.subject(port, block, compact_lines), fed, tell, draw, more=True)
    except BaseException:
        with suppress(BaseException):
            tell(BROKEN + traceback.format_exc()[-400:].encode())
    os._exit(1)


def _messages(report: int) -> Iterator[bytes]:
    octets = b""
    while part := os.read(report, 1 << 16):
        octets += part
    os.close(report)
    while len(octets) > 2 and len(octets) >= 2 + (length := int.from_bytes(octets[:2], "big")):
        yield octets[2 : 2 + length]
        octets = octets[2 + length :]


@dataclass
class Tally:
    """What came of the kills."""

    kills: int = 0
    keys: int = 0
    sent: int = 0
    accepted: int = 0
    exhausted: int = 0

    def add(self, seat: Seat) -> None:
        self.keys += 1
        self.sent += len(seat.nonces)
        self.accepted += len(seat.accepted)
        self.exhausted += seat.exhausted

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.kills:,} kills under {self.keys:,} sets of keys, {self.sent:,} counters used and "
            f"{self.accepted:,} APDUs accepted, each once; "
            f"{self.exhausted} keys at their last counter"
        )


def folder_in_memory() -> str | None:
    """Return where files lie in memory, if anywhere: what a process wrote outlives its SIGKILL there, too, and an fsync
    costs nothing, so that kills come at all moments and not nearly always during an fsync."""
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def kill_processes(
    kills: int, seed: int, folder: str, longest: float = 0.02, told: Callable[[int], None] = lambda kills: None
) -> Tally:
    """Kill processes in both roles and in all suites, so many times. Raises AssertionError.

    In every third set of keys the counters come to an end, within some lives.
    """
    draw, tally = random.Random(seed), Tally()
    number = 0
    while tally.kills < kills:
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        left = draw.randrange(1, 300) if draw.random() < 1 / 3 else None
        seat = Seat(place, (CLIENT, SERVER)[number // 3 % 2], draw, left=left, suite=(1, 2, 0)[number % 3])
        seat.prepare()
        while seat.kills < min(LIVES, kills - tally.kills):
            killed_life(seat, 2 if draw.random() < 0.2 else 1, longest)
            told(tally.kills + seat.kills)
        seat.check()
        tally.kills += seat.kills
        tally.add(seat)
        number += 1
    return tally
