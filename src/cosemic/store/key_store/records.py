"""What a key store holds of a meter: kinds of records, their states, and what their octets have to be.

::

    kind                  label            octets
    encryption-key        -                GUEK, as long as the suite says
    authentication-key    -                GAK
    broadcast-key         -                GBEK
    kek                   -                key encryption key (master key of the meter)
    secret                client SAP       LLS password, or HLS secret of mechanisms 2, 3, 4 and 6; 1 to 256 octets
    signing-key           -                private key, kept as its scalar; given so, or as PKCS#8 that is not encrypted
    agreement-key         -                the same, for key agreement
    certificate           what it is for   DER, or PEM when given

    state       pending -> current -> previous -> forgotten
                   |          ^          |
                   forgotten  +----------+  rolled back

A record has a version, counted from 1 for each kind and label of a meter. Of all versions at most one is current and
one pending; what went before stays, until it is forgotten by order.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.errors import CertificateError, ConfigurationError, DecodeError
from cosemic.security import SecuritySuite
from cosemic.security.certificates import Certificate
from cosemic.security.certificates.pem import from_pem
from cosemic.security.certificates.pkcs8 import decrypt_key
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.values import Secret

LONGEST_NAME: Final = 64
"""Characters of names of meters and of labels."""
LONGEST_SECRET: Final = 256
_LARGEST_SAP: Final = 0xFFFF


class RecordKind(Enum):
    """Kinds of records, by the words that files and commands use."""

    ENCRYPTION_KEY = "encryption-key"
    AUTHENTICATION_KEY = "authentication-key"
    BROADCAST_KEY = "broadcast-key"
    KEK = "kek"
    SECRET = "secret"  # noqa: S105 - the name of the kind
    SIGNING_KEY = "signing-key"
    AGREEMENT_KEY = "agreement-key"
    CERTIFICATE = "certificate"

    @classmethod
    def of(cls, text: str) -> RecordKind:
        """Return the kind of that name. Raises ConfigurationError."""
        try:
            return cls(text)
        except ValueError:
            raise ConfigurationError(f"a kind of record is one of {', '.join(kind.value for kind in cls)}") from None


SYMMETRIC: Final = frozenset(
    (RecordKind.ENCRYPTION_KEY, RecordKind.AUTHENTICATION_KEY, RecordKind.BROADCAST_KEY, RecordKind.KEK)
)
PRIVATE: Final = frozenset((RecordKind.SIGNING_KEY, RecordKind.AGREEMENT_KEY))


class RecordState(Enum):
    """Where a version of a record stands."""

    PENDING = "pending"
    """On its way to the meter; not yet proven to be in use."""
    CURRENT = "current"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """A record without what it holds. fingerprint: 16 hexadecimal digits, the same each time in one store; none of a
    secret, which can be guessed."""

    kind: RecordKind
    label: str
    version: int
    state: RecordState
    added: dt.datetime
    fingerprint: str = ""

    @property
    def name(self) -> str:
        """Kind and label, as in ``secret:1``."""
        return named(self.kind, self.label)


@dataclass(frozen=True, slots=True)
class StoredMeter:
    """A meter, or another holder of keys, without them. system_title: 8 octets, or empty where it is not known."""

    name: str
    suite: SecuritySuite
    system_title: bytes
    records: tuple[RecordInfo, ...]


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record that is to be kept."""

    kind: RecordKind
    secret: Secret
    label: str = ""

    @property
    def name(self) -> str:
        """Kind and label, as in ``secret:1``."""
        return named(self.kind, self.label)


def named(kind: RecordKind, label: str) -> str:
    """Return kind and label in one word."""
    return f"{kind.value}:{label}" if label else kind.value


def parse_name(text: str) -> tuple[RecordKind, str]:
    """Return kind and label of ``secret:1`` or ``kek``. Raises ConfigurationError."""
    kind, _, label = text.partition(":")
    return RecordKind.of(kind), label


def check_meter_name(name: str) -> str:
    """Return the name of a meter: 1 to 64 printable characters. Raises ConfigurationError, which does not quote it."""
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ConfigurationError(
            f"the name of a meter is 1 to {LONGEST_NAME} printable characters without a space at either end"
        )
    return name


def check_system_title(title: bytes) -> bytes:
    """Return a system title, or nothing where it is not known. Raises ConfigurationError."""
    if len(title) not in (0, 8):
        raise ConfigurationError(f"a system title has 8 octets, not {len(title)}")
    return bytes(title)


def checked(record: NewRecord, suite: SecuritySuite) -> NewRecord:
    """Return the record as it is kept. Raises ConfigurationError, which tells nothing of what it holds."""
    kind, label, octets = record.kind, record.label, record.secret.reveal()
    if kind in SYMMETRIC and len(octets) != suite.key_length:
        raise ConfigurationError(
            f"the {kind.value} has {len(octets)} octets; security suite {suite.id} needs {suite.key_length}"
        )
    if kind is RecordKind.SECRET:
        if not (label.isascii() and label.isdecimal() and len(label) <= 5 and 0 < int(label) <= _LARGEST_SAP):
            raise ConfigurationError("a secret is that of a client: label it with the client SAP, as in secret:1")
        if not 0 < len(octets) <= LONGEST_SECRET:
            raise ConfigurationError(
                f"the secret of client {label} has {len(octets)} octets, not 1 to {LONGEST_SECRET}"
            )
        label = str(int(label))
    elif kind is RecordKind.CERTIFICATE:
        check_meter_name(label or "-")
        octets = _certificate(octets)
    elif label:
        raise ConfigurationError(f"a {kind.value} has no label")
    if kind in PRIVATE:
        octets = _scalar(octets, suite)
    return NewRecord(kind, Secret(octets, "password" if kind is RecordKind.SECRET else kind.value), label)


def _scalar(octets: bytes, suite: SecuritySuite) -> bytes:
    if len(octets) == suite.coordinate_length or suite.curve is None:
        return SoftwareSigningKey.of(octets, suite).to_secret().reveal()
    key = decrypt_key(octets, None)
    if key.public.suite_curve != suite.curve:
        raise ConfigurationError(
            f"the private key is on {key.public.suite_curve}; suite {suite.id} needs {suite.curve}"
        )
    return key.to_secret().reveal()


def _certificate(octets: bytes) -> bytes:
    try:
        if octets.lstrip().startswith(b"-----"):
            ((_, octets),) = from_pem(octets)
        return Certificate.of(octets).octets
    except (CertificateError, DecodeError, ValueError):
        raise ConfigurationError("the certificate cannot be read: give one, DER or PEM") from None
