"""Files that others may have written: key stores, journals, registers of authorities, shipments and their mappings."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import tomllib
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Final
from zlib import crc32

from cosemic.dialect import TransactionIds
from cosemic.errors import ConfigurationError, CosemicError, SecurityError, StoreError
from cosemic.security.general import Transaction
from cosemic.store.authority_folder import FolderRegister
from cosemic.store.counters import FileCounterStore
from cosemic.store.key_store import KeyFile, KeyStore, NewRecord, RecordKind
from cosemic.store.key_store.shipments import TransportKey, parse_mapping, shipped_meters
from cosemic.store.transactions import FileTransactionStore
from cosemic.values import Secret
from fuzz.mutation import disturbed, mutated
from fuzz.papers import AT, certificates, key
from fuzz.target import Target

TITLE: Final = b"CLI00001"
IDENTITY: Final = bytes(range(16))
_FOLDER: Final = tempfile.TemporaryDirectory(prefix="cosemic-fuzz-")
"""Of this process; it goes with it."""


def file(name: str, given: bytes) -> Path:
    """Return a file that holds the octets, and nothing beside it from before."""
    path = Path(_FOLDER.name) / name
    for old in path.parent.glob(f"{name}*"):
        old.unlink()
    path.write_bytes(given)
    return path


# ---- the key store --------------------------------------------------------------------------------------------------


@cache
def _unlocker() -> KeyFile:
    path = Path(_FOLDER.name) / "unlock.key"
    path.write_text("0f" * 32 + "\n", encoding="ascii")
    path.chmod(0o600)
    return KeyFile(path)


@cache
def key_stores() -> list[bytes]:
    """A store with two meters. Its secrets and salts are drawn, so that each process has another one."""
    path = Path(_FOLDER.name) / "made.keys"
    with KeyStore.create(path, _unlocker(), who="fuzz", clock=lambda: AT) as store:
        for name in ("meter 1", "meter 2"):
            with store.change("to have some") as change:
                records = [NewRecord(kind, Secret(bytes(16))) for kind in list(RecordKind)[:4]]
                records.append(NewRecord(RecordKind.SECRET, Secret(b"12345678"), "1"))
                change.add_meter(name, suite=0, system_title=name.encode()[-8:].rjust(8), records=records)
        store._file.clear_log()
    return [path.read_bytes()]


def key_store(given: bytes) -> None:
    """A file as a key store: what comes out of it was put into it."""
    with KeyStore(file("store.keys", given), _unlocker(), who="fuzz", clock=lambda: AT) as store:
        for meter in store.meters():
            assert meter.name in ("meter 1", "meter 2")
            with suppress(ConfigurationError):
                material = store.material(meter.name, purpose="fuzz")
                assert material.encryption_key.reveal() == bytes(16)
        list(store.audit())
        store.check()


def _pages(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change some octets of the file, mostly where there are any; more often than not in one place."""
    octets = bytearray(draw.choice(corpus))
    for _ in range(1 + int(draw.random() ** 3 * 8)):
        at = int(draw.random() * len(octets))
        if draw.random() < 0.8:
            for _ in range(200):  # pages are mostly empty
                if octets[at]:
                    break
                at = int(draw.random() * len(octets))
        octets[at] = int(draw.random() * 256)
    return bytes(octets[: int(draw.random() * len(octets))] if draw.random() < 0.05 else octets)


# ---- journals and registers: lines with check sums ------------------------------------------------------------------


def transactions(given: bytes) -> None:
    """A transaction store: what it says was given is not given again."""
    path = file("transactions", given)
    store = FileTransactionStore(path, most=50)
    own = store.next_own(TITLE)
    assert store.is_own(TITLE, own)
    transaction = Transaction(IDENTITY, TITLE, own, TransactionIds.REMEMBERED)
    if not store.has(transaction):
        store.accept([transaction])
    assert FileTransactionStore(path, most=50).has(transaction)
    store.forget(IDENTITY)


def counters(given: bytes) -> None:
    """A counter store: values rise."""
    path = file("counters", given)
    store = FileCounterStore(path)
    first = store.transmit_counter(IDENTITY, TITLE).next()
    receiving = store.receive_counter(IDENTITY, TITLE)
    with suppress(SecurityError):
        receiving.accept(receiving.lowest + 1)
    assert FileCounterStore(path).transmit_counter(IDENTITY, TITLE).next() > first


def register(given: bytes) -> None:
    """The register of an authority."""
    kept = FolderRegister(file("register", given))
    for each in kept.issued():
        repr(each)
    revoked = kept.revoked()
    assert all(at.tzinfo for at, _ in revoked.values())
    number = kept.next_list_number()
    assert kept.next_list_number() == number + 1
    kept.reserve_serial(7)
    assert not kept.reserve_serial(7)


@cache
def _journals(make: Callable[[Path], None]) -> list[bytes]:
    path = file("made", b"")
    path.unlink()
    make(path)
    return [path.read_bytes()]


def _make_transactions(path: Path) -> None:
    store = FileTransactionStore(path, most=50)
    for number in range(6):
        rule = TransactionIds.RISING if number % 2 else TransactionIds.REMEMBERED
        title = bytes((number % 2,)) * 8
        store.accept([Transaction(IDENTITY, title, number.to_bytes(8, "big"), rule)])
    store.next_own(TITLE)
    store.forget(bytes(16))
    store.accept([Transaction(IDENTITY[::-1], TITLE, b"\7", TransactionIds.REMEMBERED)])


def _make_counters(path: Path) -> None:
    store = FileCounterStore(path)
    transmit = store.transmit_counter(IDENTITY, TITLE)
    transmit.next()
    transmit.propose(5000, limit=1 << 20)
    transmit.next()
    store.receive_counter(IDENTITY, TITLE).accept(9)
    store.transmit_counter(IDENTITY[::-1], TITLE).next()


def _make_register(path: Path) -> None:
    from cryptography.x509 import ReasonFlags

    from cosemic.security.certificates import Certificate

    kept = FolderRegister(path)
    kept.create()
    kept.reserve_serial(1)
    kept.record(Certificate.of(certificates()[0]))
    kept.revoke(1, AT - dt.timedelta(days=1), ReasonFlags.superseded)
    kept.next_list_number()
    assert key(1) is not None


def _lines(corpus: list[bytes], draw: random.Random) -> bytes:
    """Change a line, and in general make its check sum right."""
    first, *lines = draw.choice(corpus).split(b"\n")
    lines.pop()
    for _ in range(1 + int(draw.random() * 2)):
        at = int(draw.random() * len(lines))
        match draw.randrange(6):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, draw.choice(lines))
            case _:
                body = disturbed(lines[at].partition(b" ")[2], [each.partition(b" ")[2] for each in lines], draw)
                lines[at] = b"%08x %s" % (crc32(body), body)
        if not lines:
            break
    if draw.random() < 0.2:
        return disturbed(b"\n".join([first, *lines, b""]), corpus, draw)
    return b"\n".join([first, *lines, b""])


# ---- shipments ------------------------------------------------------------------------------------------------------

_MAPPING: Final = """\
suite = 0
meters = "{meters}"
[columns]
name = "n"
system_title = {{ column = "t", optional = true }}
suite = {{ column = "s", optional = true }}
[keys]
encryption-key = "ek"
kek = {{ column = "mk", wrapped = true, form = "base64", optional = true }}
"secret:1" = {{ column = "pw", form = "text", optional = true }}
signing-key = {{ column = "sk", form = "pem", optional = true }}
"""
_XML: Final = b"<?xml version='1.0'?><r xmlns='urn:x'><m><n>1</n><ek>%s</ek><t>4d4d4d0000000001</t><pw>12</pw></m></r>"


@cache
def _shipments() -> list[bytes]:
    ek = b"00112233445566778899aabbccddeeff"
    wrapped = b"Jt4z3fRrBE93YukxvXWQ+u6Q60hVaHGY"
    return [
        b"0n,t,s,ek,mk,pw,sk\n1,4d4d4d0000000001,0,%s,%s,12345678,\n2,,,%s,,,\n" % (ek, wrapped, ek),
        b'1[{"n":"1","ek":"%s","t":"4d4d4d0000000001","pw":"12"},{"n":2,"s":1,"ek":"%s","sk":"x"}]' % (ek, ek),
        b"2" + _XML % ek,
    ]


def shipment(given: bytes) -> None:
    """A shipment in one of three forms: meters and faults, or none of it."""
    kind, meters = (("csv", ""), ("json", ""), ("xml", "m"))[(given[:1] or b"0")[0] % 3]
    content = tomllib.loads(_MAPPING.format(meters=meters)) | {"format": kind}
    for each in shipped_meters(given[1:], parse_mapping(content), TransportKey(Secret(bytes(16)))):
        str(each)


def mapping(given: bytes) -> None:
    """The mapping of a shipment, and what it makes of one."""
    try:
        content = tomllib.loads(given.decode("utf-8"))
    except (ValueError, RecursionError):
        return
    read = parse_mapping(content)
    for each in _shipments():
        with suppress(CosemicError):
            list(shipped_meters(each[1:], read, TransportKey(Secret(bytes(16)))))


@cache
def _mappings() -> list[bytes]:
    kinds = (("csv", ""), ("json", "a.b"), ("xml", "m/n[@a='b']"))
    return [f'format = "{kind}"\n{_MAPPING.format(meters=meters)}'.encode() for kind, meters in kinds]


_DAMAGED: Final = (ConfigurationError, SecurityError)
FILES: Final[dict[str, Target]] = {
    "key-store-file": Target(key_store, (ConfigurationError, StoreError), key_stores, _pages),
    "transaction-store": Target(transactions, _DAMAGED, partial(_journals, _make_transactions), _lines),
    "counter-store": Target(counters, _DAMAGED, partial(_journals, _make_counters), _lines),
    "authority-register": Target(
        register, (ConfigurationError, StoreError, SecurityError), partial(_journals, _make_register), _lines
    ),
    "shipment": Target(shipment, (ConfigurationError,), _shipments, mutated),
    "shipment-mapping": Target(mapping, (ConfigurationError,), _mappings, mutated),
}
