"""A process that sends and receives protected APDUs and is killed, again and again; and what it must never do.

::

    peer, which never dies --> fresh, replayed, late, forged APDUs --> subject, which dies --> tells the ledger

The subject is a client or a server with its counters and transaction-ids in files: APDUs under the global key, in
general-ciphering with the global, a wrapped and an agreed key, and the values of HLS mechanism 5. It tells of each APDU
that it sends, and of each one that it has accepted, when that is done. The ledger fails when a (key, title, counter) or
a transaction-id is sent twice, when anything is accepted twice, and when FFFFFFFF is used.
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
from typing import Any, Final

from cosemic.errors import CosemicError, CounterExhausted
from cosemic.security import (
    CounterStore,
    HlsCredentials,
    MemoryCounterStore,
    SecurityContext,
    SecurityMaterial,
    SoftwareAgreementKey,
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
)
from cosemic.security.suite import COUNTER_LIMIT, SecurityControl
from cosemic.store import FileCounterStore, FileTransactionStore
from cosemic.store.file_port import FilePort
from cosemic.values import AuthenticationMechanism, Secret

SUITE: Final = security_suite(1)
CLIENT, SERVER = b"MMM\0\0\0\0\1", b"MMM\0\0\xbcaN"
GET: Final = bytes.fromhex("C0010000080000010000FF0200")
GLOBAL, WRAPPED, STATIC = KeyEstablishment.GLOBAL_UNICAST, KeyEstablishment.WRAPPED, KeyEstablishment.STATIC
FORMS: Final = frozenset({GLOBAL, WRAPPED, STATIC})
SENT, PROVED, ACCEPTED, REFUSED, EXHAUSTED, BROKEN = b"s", b"h", b"a", b"r", b"x", b"!"
FRESH: Final = 40
"""New APDUs for one life."""
LIVES: Final = 60
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

    @classmethod
    def drawn(cls) -> Keys:
        encryption_key, authentication_key, kek = (Secret(secrets.token_bytes(16)) for _ in range(3))
        agreement = {title: SoftwareAgreementKey.generate(SUITE) for title in (CLIENT, SERVER)}
        return cls(SecurityMaterial.of(encryption_key, authentication_key, suite=1, kek=kek), agreement)


class Side:
    """One side, on its stores."""

    def __init__(
        self, keys: Keys, own: bytes, peer: bytes, counters: CounterStore, transactions: TransactionStore
    ) -> None:
        self.context = SecurityContext(own, peer, keys.material, counters)
        self.hls = HlsCredentials(mechanism=AuthenticationMechanism.HLS_GMAC, context=self.context)
        known = Party(title=peer, key_infos=FORMS, material=keys.material, agreement=keys.agreement[peer].public)
        self.general = GeneralProtection(
            OwnParty(title=own, agreement_key=keys.agreement[own]),
            [known],
            suite=SUITE,
            counters=counters,
            transactions=transactions,
        )
        self._peer = peer

    def sealed(self, kind: KeyEstablishment | None, apdu: bytes = GET, transaction_id: bytes | None = None) -> bytes:
        """Return an APDU in glo-ciphering, or in general-ciphering with that key-info."""
        if kind is None:
            return self.context.protect_apdu(apdu)
        layer = Layer(recipient=self._peer, key_info=kind)
        return self.general.protect(apdu, LayerPlan((layer,)), transaction_id=transaction_id)

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

    def __init__(self, folder: str, own: bytes, draw: random.Random, *, left: int | None = None) -> None:
        """left: so many counters are left under the key of the subject; None: it has not used any."""
        self.own, self.peer_title = own, SERVER if own == CLIENT else CLIENT
        self.keys = Keys.drawn()
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
        kind = self.draw.choice((None, None, GLOBAL, WRAPPED, WRAPPED, STATIC))
        octets = self.peer.sealed(kind)
        counter, transaction_id = parts(octets)
        added = [Input(octets, (kind, transaction_id) if kind in (WRAPPED, STATIC) else counter)]
        if kind is WRAPPED and self.draw.random() < 0.3:  # another key, but the same transaction-id
            added.append(Input(self.peer.sealed(kind, GET[:-1] + b"\1", transaction_id), added[0].label))
        if kind is None and self.draw.random() < 0.2:
            added.append(Input(self._glo(COUNTER_LIMIT), None, never=True))
        if kind is None and self.draw.random() < 0.2:  # the holder of the key says something else with it
            added.append(Input(self._glo(counter, GET[:-1] + b"\1"), counter))
        self.inputs += added
        return list(range(len(self.inputs) - len(added), len(self.inputs)))

    def _glo(self, counter: int, apdu: bytes = GET) -> bytes:
        """Return an APDU of the peer with a counter that it would not take."""
        key, ak = self.keys.material.encryption_key, self.keys.material.authentication_key
        assert ak is not None
        control = SecurityControl.of(1, authenticated=True, encrypted=True)
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
        info = None if not transaction_id else split_ciphering(octets).key_info
        if info is None or info.kind is GLOBAL:
            self._used(self.identity, counter)
        elif info.kind is WRAPPED:
            self._used(info.data, counter)
        else:
            self._used(b"agreed" + transaction_id, counter)

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
        act = draw.randrange(6)
        try:
            if act == 0:
                challenge = secrets.token_bytes(8)
                tell(PROVED + side.hls.prove(challenge, challenge[::-1], self.peer_title))
            else:
                tell(SENT + side.sealed((None, None, GLOBAL, WRAPPED, STATIC)[act - 1]))
        except CounterExhausted:
            tell(EXHAUSTED)

    def check(self, port: FilePort | None = None) -> None:
        """Let a last life end by itself: nothing that was accepted is accepted again, and the work goes on."""
        before = len(self.accepted)
        side = self.subject(port, 2, 4)
        self.live(side, [*self.accepted, *self.feed(12)], self.hear, self.draw)
        assert len(self.accepted) > before, "nothing is accepted any more"
        if not self.exhausted:
            self.peer.take(side.sealed(None))


def parts(octets: bytes) -> tuple[int, bytes]:
    """Return counter and transaction-id of a ciphered APDU; empty where it has none."""
    if Envelope.of(octets) is not None:
        return int.from_bytes(open_envelope(octets).content[1:5], "big"), b""
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
    sent: int = 0
    accepted: int = 0
    exhausted: int = 0

    def add(self, seat: Seat) -> None:
        self.sent += len(seat.nonces)
        self.accepted += len(seat.accepted)
        self.exhausted += seat.exhausted

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))

    def __str__(self) -> str:
        return (
            f"{self.kills:,} kills, {self.sent:,} counters used and {self.accepted:,} APDUs accepted, each once; "
            f"{self.exhausted} keys at their last counter"
        )


def folder_in_memory() -> str | None:
    """Return where files lie in memory, if anywhere: what a process wrote outlives its SIGKILL there, too, and an fsync
    costs nothing, so that kills come at all moments and not nearly always during an fsync."""
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None


def kill_processes(
    kills: int, seed: int, folder: str, longest: float = 0.02, told: Callable[[int], None] = lambda kills: None
) -> Tally:
    """Kill processes in both roles, so many times. Raises AssertionError.

    In every third pair of keys the counters come to an end, within some lives.
    """
    draw, tally = random.Random(seed), Tally()
    number = 0
    while tally.kills < kills:
        place = os.path.join(folder, str(number))
        os.mkdir(place)
        left = draw.randrange(1, 600) if number % 3 == 2 else None
        seat = Seat(place, (CLIENT, SERVER)[number % 2], draw, left=left)
        seat.prepare()
        while seat.kills < min(LIVES, kills - tally.kills):
            killed_life(seat, 2 if draw.random() < 0.2 else 1, longest)
            told(tally.kills + seat.kills)
        seat.check()
        tally.kills += seat.kills
        tally.add(seat)
        number += 1
    return tally
