"""``cosemic keys show``: what certificates, requests, revocation lists and folders of authorities say.

Private keys are named, and never shown.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._table import table
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.security.certificates import (
    INDEFINITE,
    Certificate,
    CertificateRequest,
    RevocationList,
    RevocationLists,
    verify_chain,
)
from cosemic.security.certificates.pem import CERTIFICATE, LONGEST_FILE, REQUEST, REVOCATION_LIST, from_pem
from cosemic.store.authority_folder import CERTIFICATES, AuthorityFolder
from cosemic.store.security_settings import others_can_read

EXAMPLES: Final = """\
examples:
  cosemic keys show meter.pem
  cosemic keys show meter.crt --anchor lab/ca.pem --intermediate lab/meters/ca.pem --crl lab/meters/ca.crl
  cosemic keys show meter.csr lab --json

FILE is a certificate, a request, a revocation list (PEM or DER), or the folder of an authority. With --anchor,
certificates have to lead to it, now; with --crl they must not be revoked either. The ca.pem of a sub-CA has the
certificates up to the root in it, and as an anchor trusts them all, and so whatever the root has issued. Private keys
are named, and never shown.

exit codes: 0 shown; 1 one is refused or doubtful; 2 wrong arguments, or a file cannot be read
"""


def register(command: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    command.add_argument("file", nargs="+", metavar="FILE", help="PEM or DER file, or folder of an authority")
    for name, help_ in (
        ("--anchor", "certificates that are trusted, all in the file: certificates have to lead to one"),
        ("--intermediate", "certificates of CAs in between"),
        ("--crl", "revocation list of a CA: certificates must not stand in it"),
    ):
        command.add_argument(name, action="append", default=[], metavar="FILE", help=help_)
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, check and print."""
    if arguments.crl and not arguments.anchor:  # an unchecked list would look like a good one
        raise ConfigurationError(
            "revocation is looked at on the way to a certificate that is trusted: name it, --anchor"
        )
    now = dt.datetime.now(dt.UTC)
    anchors, between = _certificates(arguments.anchor), _certificates(arguments.intermediate)
    lists = _lists(arguments.crl, [*anchors, *between])
    items: list[dict[str, Any]] = []
    for name in arguments.file:
        path = Path(name)
        for found in _folder(path) if path.is_dir() else _file(path):
            if isinstance(found, Certificate):
                item = item_text(found)
                doubts = _doubts(found, anchors, between, lists, now)
            else:
                item, doubts = found
            items.append({"file": name} | item | {"warnings": doubts})
    if arguments.json:
        print_json(items)
    else:
        print("\n\n".join(_as_text(item) for item in items))
    return 1 if any(item["warnings"] for item in items) else 0


def _doubts(
    certificate: Certificate,
    anchors: list[Certificate],
    between: list[Certificate],
    lists: RevocationLists | None,
    now: dt.datetime,
) -> list[str]:
    try:
        if anchors:
            verify_chain(certificate, anchors=anchors, intermediates=between, revocation=lists, at=now)
        else:
            certificate.check_validity(now)
    except CertificateError as error:
        return [str(error)]
    return []


Found = Certificate | tuple[dict[str, Any], list[str]]


def _file(path: Path) -> Iterable[Found]:
    """What a file holds; of a private key only that it is there."""
    try:
        found = from_pem(_read(path), None)
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from None
    for label, octets in found:
        if label.endswith("PRIVATE KEY"):
            doubts = [] if label.startswith("ENCRYPTED") else ["the private key is not encrypted"]
            if others_can_read(path):
                doubts.append(f"{path} can be read by others than its owner: chmod 600 {path}")
            yield {"kind": "private key", "encrypted": label.startswith("ENCRYPTED")}, doubts
        elif label == REQUEST:
            yield item_text(CertificateRequest.of(octets)), []
        elif label == REVOCATION_LIST:
            yield list_item(RevocationList.of(octets)), []
        elif label in (CERTIFICATE, ""):
            yield Certificate.of(octets) if label else _unlabelled(path, octets)
        else:
            yield {"kind": label.lower()}, [f"a {label.lower()} is not looked at"]


def _unlabelled(path: Path, octets: bytes) -> Found:
    """DER may be any; what it is, is found out by trying."""
    reason = ""
    for read in (Certificate.of, CertificateRequest.of, RevocationList.of):
        try:
            found = read(octets)
        except CertificateError as error:
            reason = reason or str(error)
            continue
        if isinstance(found, Certificate):
            return found
        return (list_item(found) if isinstance(found, RevocationList) else item_text(found)), []
    raise CertificateError(f"{path}: {reason}")


def _folder(path: Path) -> Iterable[Found]:
    if not (path / CERTIFICATES).exists():
        raise ConfigurationError(f"{path} holds no authority: make one with cosemic keys ca create")
    folder = AuthorityFolder(path)
    yield authority_item(folder, folder.certificates()[0]), []


def authority_item(folder: AuthorityFolder, certificate: Certificate) -> dict[str, Any]:
    """Return what an authority is and has issued."""
    revoked = folder.register.revoked()
    issued = [
        {
            "serial_number": f"{each.serial_number:X}",
            "subject": _subject(each),
            "for": _use(each),
            "revoked": each.serial_number in revoked,
        }
        for each in folder.register.issued()
        if each != certificate
    ]
    return {"kind": "authority"} | item_text(certificate, "authority") | {"issued": issued}


def item_text(one: Certificate | CertificateRequest, kind: str = "certificate") -> dict[str, Any]:
    """Return what a certificate or request says."""
    title = None if one.system_title is None else one.system_title.hex().upper()
    key = {
        "system_title": title,
        "curve": one.public_key.suite_curve,
        "public_key": one.public_key.octets.hex().upper(),
    }
    if isinstance(one, CertificateRequest):
        label = None if one.type is None else one.type.label
        return {"kind": "request", "for": "ca" if one.is_authority else label} | key
    return (
        {"kind": kind, "for": _use(one), "subject": _subject(one)}
        | key
        | {
            "issuer": one.issuer_text,
            "serial_number": f"{one.serial_number:X}",
            "valid_from": one.not_before.isoformat(),
            "valid_until": None if one.not_after == INDEFINITE else one.not_after.isoformat(),
        }
    )


def list_item(one: RevocationList) -> dict[str, Any]:
    """Return what a revocation list says."""
    return {
        "kind": "revocation list",
        "issuer": one.issuer_text,
        "number": one.number,
        "this_update": one.this_update.isoformat(),
        "next_update": one.next_update.isoformat(),
        "revoked": [
            {"serial_number": f"{number:X}", "since": since.isoformat(), "reason": reason.value}
            for number, (since, reason) in one.revoked.items()
        ],
    }


def print_item(item: dict[str, Any], as_json: bool, last: str) -> None:
    """Print one item, and what comes next for a reader."""
    if as_json:
        print_json(item)
    else:
        print(f"{_as_text(item)}\n{last}")


def _as_text(item: dict[str, Any]) -> str:
    lines = []
    for field, value in item.items():
        name = field.replace("_", " ")
        if name == "warnings":
            lines += [("warning", each) for each in value]
        elif isinstance(value, list):
            lines += [(name, "none")] if not value else []
            lines += [
                (name, ", ".join(f"{key.replace('_', ' ')} {one}" for key, one in each.items())) for each in value
            ]
        elif value is None:
            lines.append((name, "without end" if name == "valid until" else "-"))
        else:
            lines.append((name, str(value)))
    return table(lines)


def _subject(certificate: Certificate) -> str:
    return certificate.subject_text or (certificate.system_title or b"").hex().upper()


def _use(certificate: Certificate) -> str:
    return "ca" if certificate.is_authority else certificate.type.label


def _certificates(paths: list[str]) -> list[Certificate]:
    return [Certificate.of(octets) for path in paths for _, octets in from_pem(_read(Path(path)), CERTIFICATE)]


def _lists(paths: list[str], issuers: list[Certificate]) -> RevocationLists | None:
    """The lists that were named; a certificate of another CA is not refused for the lack of one."""
    if not paths:
        return None
    lists = RevocationLists(required=False)
    for path in paths:
        for _, octets in from_pem(_read(Path(path)), REVOCATION_LIST):
            found = RevocationList.of(octets)
            issuer = next((each for each in issuers if each.subject == found.issuer), None)
            if issuer is None:
                raise ConfigurationError(
                    f"{path} is of {found.issuer_text}: name its certificate with --anchor or --intermediate"
                )
            lists.add(found, issuer)
    return lists


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from None
