"""The folder of a certification authority for laboratories.

::

    ca.key      private key: PKCS#8, encrypted with the passphrase, of the owner alone
    ca.pem      certificate, and behind it those of the CAs above, up to the root
    ca.crl      the newest revocation list
    register    what must not be forgotten: a line for each serial number that was drawn, certificate that was issued,
                revocation, and number of a list

::

    cosemic-authority 1
    <CRC-32> serial <hexadecimal>                     before anything is signed with it
    <CRC-32> issued <serial> <base64 of the certificate>
    <CRC-32> revoked <serial> <instant> <reason>
    <CRC-32> list <number>

Each change writes the register anew and gives it its name in one step, so that a killed process leaves the old or the
new one, whole. A line that does not check means that the file was damaged, and nothing is issued any more; the same
where it is gone. ``ca.pem`` is written last: without it, there is no authority in the folder.
"""

from __future__ import annotations

import base64
import datetime as dt
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

from cryptography.x509 import ReasonFlags

from cosemic.errors import CertificateError, ConfigurationError, StoreError
from cosemic.security.certificates.authority import CertificateAuthority, Revoked
from cosemic.security.certificates.certificate import INDEFINITE, Certificate
from cosemic.security.certificates.pem import REVOCATION_LIST, from_pem, to_pem
from cosemic.security.certificates.revocation import RevocationList
from cosemic.security.elliptic import SoftwareSigningKey
from cosemic.security.suite import SecuritySuite
from cosemic.store.file_port import FilePort
from cosemic.store.key_files import make_key_file, read_key_file, write_file
from cosemic.values import Secret

HEADER: Final = b"cosemic-authority 1\n"
LOCK_TIMEOUT: Final = 10.0
"""Seconds to wait for another process."""
KEY, CERTIFICATES, LIST, REGISTER = "ca.key", "ca.pem", "ca.crl", "register"
_FORMS: Final = {
    "serial": re.compile("[0-9a-f]{1,40}"),
    "issued": re.compile("[0-9a-f]{1,40} [A-Za-z0-9+/]+={0,2}"),
    "revoked": re.compile("[0-9a-f]{1,40} [0-9T:+-]{1,32} (?:" + "|".join(each.name for each in ReasonFlags) + ")"),
    "list": re.compile("[0-9]{1,18}"),
}
"""What stands in a line behind its kind."""


class FolderRegister:
    """The register of an authority in a file, for any number of processes; every change is durable when it returns.

    Methods raise StoreError when the file cannot be read or written, ConfigurationError when it is damaged.
    """

    def __init__(self, path: Path, *, port: FilePort | None = None, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._path = path
        self._port = port or FilePort()
        self._lock_timeout = lock_timeout

    def reserve_serial(self, serial_number: int) -> bool:
        """Enter a serial number; False when it was entered before."""
        with self._locked():
            lines = self._read()
            if any(kind == "serial" and int(rest, 16) == serial_number for kind, rest in lines):
                return False
            self._append(lines, f"serial {serial_number:x}")
            return True

    def record(self, certificate: Certificate) -> None:
        """Keep a certificate."""
        with self._locked():
            text = base64.b64encode(certificate.octets).decode("ascii")
            self._append(self._read(), f"issued {certificate.serial_number:x} {text}")

    def is_issued(self, serial_number: int) -> bool:
        """Tell whether a certificate with that serial number was kept."""
        with self._locked():
            found = [rest.partition(" ")[0] for kind, rest in self._read() if kind == "issued"]
        return f"{serial_number:x}" in found

    def issued(self) -> list[Certificate]:
        """Return all that were issued, in the order of time; of a root, its own is the first."""
        with self._locked():
            texts = [rest.partition(" ")[2] for kind, rest in self._read() if kind == "issued"]
        try:
            return [Certificate.of(base64.b64decode(text)) for text in texts]
        except CertificateError:
            raise self._damaged("holds something that is no certificate") from None

    def revoke(self, serial_number: int, at: dt.datetime, reason: ReasonFlags) -> None:
        """Enter a revocation; a second one of the same number changes nothing."""
        with self._locked():
            lines = self._read()
            if serial_number not in _revoked(lines):
                instant = at.astimezone(dt.UTC).isoformat(timespec="seconds")
                self._append(lines, f"revoked {serial_number:x} {instant} {reason.name}")

    def revoked(self) -> Revoked:
        """Return all that was revoked."""
        with self._locked():
            return _revoked(self._read())

    def next_list_number(self) -> int:
        """Return a number for a revocation list, higher than all before."""
        with self._locked():
            lines = self._read()
            number = 1 + max((int(rest) for kind, rest in lines if kind == "list"), default=0)
            self._append(lines, f"list {number}")
            return number

    def check(self) -> None:
        """Read the file, to find damage before anything is made with it."""
        with self._locked():
            self._read()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = self._port.hold(str(self._path), self._lock_timeout)
            try:
                yield
            finally:
                self._port.let_go(descriptor)
        except OSError as error:
            raise StoreError(
                f"the register {self._path} cannot be used ({error.strerror or error}); nothing can be issued until it "
                "can: see to folder and free space"
            ) from error

    def _read(self) -> list[tuple[str, str]]:
        """Return kind and rest of each line that counts."""
        try:
            descriptor = self._port.open(str(self._path), os.O_RDONLY)
        except FileNotFoundError:
            raise self._damaged("is gone") from None
        try:
            octets = self._port.read(descriptor, 0)
        finally:
            self._port.close(descriptor)
        *lines, rest = octets.removeprefix(HEADER).split(b"\n")
        if not octets.startswith(HEADER) or rest:
            raise self._damaged("does not begin or end as such a file does")
        return [self._line(number, line) for number, line in enumerate(lines, 2)]

    def _line(self, number: int, line: bytes) -> tuple[str, str]:
        try:
            check, body = line.decode("ascii").split(" ", 1)
            kind, rest = body.split(" ", 1)
            if int(check, 16) == crc32(body.encode("ascii")) and _is_sound(kind, rest):
                return kind, rest
        except ValueError:
            pass
        raise self._damaged(f"does not check in line {number}")

    def create(self) -> None:
        """Make the file, unless it is there."""
        with self._locked():
            if not self._path.exists():
                write_file(self._path, HEADER, self._port)

    def _append(self, lines: list[tuple[str, str]], body: str) -> None:
        """Write the file anew with one line more: an authority has few, and what is unfinished is gone then."""
        bodies = [*(f"{kind} {rest}" for kind, rest in lines), body]
        octets = HEADER + b"".join(f"{crc32(each.encode()):08x} {each}\n".encode() for each in bodies)
        write_file(self._path, octets, self._port)

    def _damaged(self, how: str) -> ConfigurationError:
        return ConfigurationError(
            f"the register {self._path} {how}: going on could give serial numbers twice, and forget revocations. Make "
            "a new authority, or restore a copy that holds every certificate issued"
        )


class AuthorityFolder:
    """An authority in a folder. Methods raise ConfigurationError, CertificateError and StoreError."""

    def __init__(self, path: str | os.PathLike[str], *, port: FilePort | None = None) -> None:
        self.path: Final = Path(path)
        self._port = port or FilePort()
        self.register: Final = FolderRegister(self.path / REGISTER, port=self._port)

    def create_root(
        self,
        name: str,
        suite: SecuritySuite,
        passphrase: Secret,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        path_length: int | None = None,
    ) -> CertificateAuthority:
        """Make a root of its own in the folder, with a fresh key on the curve of the suite."""
        key = self._begin(suite, passphrase)
        made = CertificateAuthority.root(
            key, name, self.register, not_before=not_before, not_after=not_after, path_length=path_length
        )
        self._finish([made.certificate])
        return made

    def create_under(
        self,
        parent: AuthorityFolder,
        parent_passphrase: Secret,
        name: str,
        suite: SecuritySuite,
        passphrase: Secret,
        *,
        not_before: dt.datetime,
        not_after: dt.datetime = INDEFINITE,
        path_length: int | None = None,
    ) -> CertificateAuthority:
        """Make a sub-CA of the authority in another folder."""
        authority = parent.open(parent_passphrase)
        key = self._begin(suite, passphrase)
        certificate = authority.issue_authority(
            key.public, name, not_before=not_before, not_after=not_after, path_length=path_length
        )
        self._finish([certificate, *parent.certificates()])
        return CertificateAuthority(key, certificate, self.register)

    def open(self, passphrase: Secret) -> CertificateAuthority:
        """Return the authority, with its key."""
        certificate = self.certificates()[0]
        key = read_key_file(self.path / KEY, passphrase)
        self.register.check()
        return CertificateAuthority(key, certificate, self.register)

    def certificates(self) -> list[Certificate]:
        """Return the certificate of the authority and those above it."""
        return [Certificate.of(octets) for _, octets in from_pem(self._read(self.path / CERTIFICATES))]

    def save_list(self, revocation_list: RevocationList) -> Path:
        """Keep a revocation list, PEM, and return where."""
        return write_file(self.path / LIST, to_pem(revocation_list.octets, REVOCATION_LIST), self._port)

    def check_free(self) -> None:
        """Raise ConfigurationError where an authority is already."""
        if (self.path / CERTIFICATES).exists():
            raise ConfigurationError(f"{self.path} holds an authority already: name another folder")

    def _begin(self, suite: SecuritySuite, passphrase: Secret) -> SoftwareSigningKey:
        """Make the folder, and a key in it; refuse where an authority is already."""
        self.check_free()
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the folder {self.path} cannot be made: {error.strerror or error}") from error
        self.register.create()
        return make_key_file(self.path / KEY, suite, passphrase, self._port)

    def _finish(self, certificates: list[Certificate]) -> None:
        write_file(self.path / CERTIFICATES, b"".join(to_pem(each.octets) for each in certificates), self._port)

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise ConfigurationError(f"{self.path} holds no authority: make one with cosemic keys ca create") from None
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_sound(kind: str, rest: str) -> bool:
    """Tell whether a line says what one of its kind does: whoever can write the file can work out a CRC too."""
    form = _FORMS.get(kind)
    if form is None or not form.fullmatch(rest):
        return False
    try:
        if kind == "issued":
            base64.b64decode(rest.partition(" ")[2], validate=True)
        return kind != "revoked" or dt.datetime.fromisoformat(rest.split(" ")[1]).tzinfo is not None
    except ValueError:
        return False


def _revoked(lines: list[tuple[str, str]]) -> dict[int, tuple[dt.datetime, ReasonFlags]]:
    found: dict[int, tuple[dt.datetime, ReasonFlags]] = {}
    for kind, rest in lines:
        if kind == "revoked":
            serial_number, instant, reason = rest.split(" ")
            found.setdefault(int(serial_number, 16), (dt.datetime.fromisoformat(instant), ReasonFlags[reason]))
    return found
