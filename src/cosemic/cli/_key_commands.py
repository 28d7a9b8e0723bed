"""``cosemic keys ca``, ``issue`` and ``csr``: a certification authority for laboratories, and requests to one."""

from __future__ import annotations

import argparse
import datetime as dt
import os
from pathlib import Path
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._key_show import authority_item, item_text, list_item, print_item
from cosemic.cli._passphrase import HELP, PARENT_VARIABLE, passphrase
from cosemic.errors import CertificateError, ConfigurationError
from cosemic.model.security_setup import CertificateType
from cosemic.security.certificates import INDEFINITE, Certificate, CertificateRequest, make_request
from cosemic.security.certificates.authority import REASONS, CertificateAuthority
from cosemic.security.certificates.pem import CERTIFICATE, REQUEST, from_pem, to_pem
from cosemic.security.suite import security_suite
from cosemic.store.authority_folder import AuthorityFolder
from cosemic.store.key_files import make_key_file, read_key_file, write_file
from cosemic.values import Secret

USES: Final = {
    "signature": CertificateType.DIGITAL_SIGNATURE,
    "key-agreement": CertificateType.KEY_AGREEMENT,
    "tls": CertificateType.TLS,
}
LIST_DAYS: Final = 30
CA_EXAMPLES: Final = f"""\
examples:
  cosemic keys ca create lab --name "Lab root" --suite 1
  cosemic keys ca create lab/meters --name "Lab meters" --under lab
  cosemic keys ca revoke lab/meters 5AA788F86F8832DFD3E70CE5DFB8CDB7 --reason key-compromise
  cosemic keys ca crl lab/meters --days {LIST_DAYS}
  cosemic keys show lab/meters

The private key lies in FOLDER/ca.key, encrypted with the passphrase. An authority for laboratories: it asks nobody who
somebody is. For keys of suite 2, it is of suite 2 itself.

exit codes: 0 done; 1 refused; 2 wrong arguments, passphrase or file
"""
ISSUE_EXAMPLES: Final = """\
examples:
  cosemic keys issue lab/meters meter.csr --out meter.pem
  cosemic keys issue lab/meters meter.csr --title 4D4D4D0000BC614E --for signature --days 3650 --der --out meter.crt

Key and system title are those of the request, which has to be signed by its key; nothing else of it is taken over.

exit codes: 0 done; 1 refused; 2 wrong arguments, passphrase or file
"""
CSR_EXAMPLES: Final = """\
examples:
  cosemic keys csr client.key --title 4844450000000001 --for signature --suite 1 --out client.csr
  cosemic keys csr client.key --title 4844450000000001 --for signature --json

A key file that is not there is made: a fresh key, encrypted with the passphrase, which only you can read.

exit codes: 0 done; 1 refused; 2 wrong arguments, passphrase or file
"""
Subparsers = argparse._SubParsersAction


def register(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """Add the three commands."""
    authority = add_command(subparsers, "ca", "make an authority, revoke, make revocation lists", CA_EXAMPLES)
    actions = authority.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = _action(actions, "create", "make a root, or a sub-CA of the one in another folder", _create)
    create.add_argument("--name", required=True, help="name of the CA (CN)")
    create.add_argument("--suite", type=int, choices=(1, 2), default=1, help="security suite: 1 P-256, 2 P-384")
    create.add_argument("--under", metavar="FOLDER", help="make a sub-CA of the authority in this folder")
    create.add_argument("--path-length", type=_number, metavar="N", help="CAs that may stand below it (default: any)")
    create.add_argument("--parent-passphrase-file", metavar="FILE", help="of the authority above, where it differs")
    _validity(create)
    revoke = _action(actions, "revoke", "revoke certificates, and make a new revocation list", _revoke)
    revoke.add_argument("serial", nargs="+", metavar="SERIAL", help="serial number, hexadecimal")
    revoke.add_argument("--reason", choices=sorted(REASONS), default="unspecified", help="why (default: unspecified)")
    crl = _action(actions, "crl", "make a new revocation list", _list)
    for each in (revoke, crl):
        each.add_argument("--days", type=_number, default=LIST_DAYS, metavar="N", help="until the next list comes")
        each.add_argument("--out", metavar="FILE", help="write the list here too, PEM")

    issue = add_command(subparsers, "issue", "issue a certificate for a request", ISSUE_EXAMPLES)
    issue.add_argument("folder", metavar="FOLDER", help="of the authority")
    issue.add_argument("request", metavar="REQUEST", help="certification request: PEM or DER")
    issue.add_argument("--for", dest="use", choices=tuple(USES), help="what the key is for, if the request is silent")
    issue.add_argument("--title", metavar="HEX", help="system title that the request has to name")
    _validity(issue)
    _output(issue)
    issue.set_defaults(run=_issue)

    csr = add_command(subparsers, "csr", "make a certification request", CSR_EXAMPLES)
    csr.add_argument("key", metavar="KEYFILE", help="private key; made if it is not there")
    csr.add_argument("--title", required=True, metavar="HEX", help="system title, 16 hexadecimal digits")
    csr.add_argument("--for", dest="use", required=True, choices=tuple(USES), help="what the key is for")
    csr.add_argument("--suite", type=int, choices=(1, 2), default=1, help="of a key that is made: 1 P-256, 2 P-384")
    csr.add_argument("--hardware-type", metavar="OID", help="name the device by HardwareModuleName, of this type")
    _output(csr)
    csr.set_defaults(run=_request)


def add_command(
    subparsers: Subparsers[argparse.ArgumentParser], name: str, help_: str, examples: str
) -> argparse.ArgumentParser:
    """Add a command with its help."""
    return subparsers.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _action(actions: Subparsers[argparse.ArgumentParser], name: str, help_: str, run: Any) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    action.add_argument("folder", metavar="FOLDER", help="of the authority")
    action.add_argument("--passphrase-file", metavar="FILE", help=HELP)
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(run=run)
    return action


def _validity(command: argparse.ArgumentParser) -> None:
    command.add_argument("--days", type=_number, metavar="N", help="validity from now on (default: without end)")


def _output(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", metavar="FILE", help="write it here (otherwise to standard output, PEM)")
    command.add_argument("--der", action="store_true", help="write DER, as meters take it, not PEM")
    command.add_argument("--passphrase-file", metavar="FILE", help=HELP)
    command.add_argument("--json", action="store_true", help="print JSON")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number from 0 to 100000")
    return int(text)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _ends(days: int | None, begins: dt.datetime) -> dt.datetime:
    return INDEFINITE if days is None else begins + dt.timedelta(days=days)


def _title(text: str) -> bytes:
    try:
        title = bytes.fromhex(text)
    except ValueError:
        title = b""
    if len(title) != 8:
        raise ConfigurationError(f"a system title is 16 hexadecimal digits, not {text[:40]!r}")
    return title


def _create(arguments: argparse.Namespace) -> int:
    folder, begins = AuthorityFolder(arguments.folder), _now()
    folder.check_free()
    suite, ends = security_suite(arguments.suite), _ends(arguments.days, begins)
    if arguments.under is None:
        ours = passphrase(arguments.passphrase_file, f"the new authority {folder.path}", new=True)
        made = folder.create_root(
            arguments.name, suite, ours, not_before=begins, not_after=ends, path_length=arguments.path_length
        )
    else:
        parent = AuthorityFolder(arguments.under)
        parent.certificates()  # first say that there is none
        ours = passphrase(arguments.passphrase_file, f"the new authority {folder.path}", new=True)
        made = folder.create_under(
            parent,
            _parent_passphrase(arguments),
            arguments.name,
            suite,
            ours,
            not_before=begins,
            not_after=ends,
            path_length=arguments.path_length,
        )
    print_item(
        authority_item(folder, made.certificate), arguments.json, f'Next: cosemic keys issue "{folder.path}" REQUEST'
    )
    return 0


def _parent_passphrase(arguments: argparse.Namespace) -> Secret:
    """That of the authority above: its own, or the same as ours."""
    what = f"the authority {arguments.under}"
    if arguments.parent_passphrase_file is not None or PARENT_VARIABLE in os.environ:
        option = "--parent-passphrase-file"
        return passphrase(arguments.parent_passphrase_file, what, variable=PARENT_VARIABLE, option=option)
    return passphrase(arguments.passphrase_file, what)


def _revoke(arguments: argparse.Namespace) -> int:
    serials = [_serial(text) for text in arguments.serial]
    folder = AuthorityFolder(arguments.folder)
    authority = folder.open(passphrase(arguments.passphrase_file, f"the authority {folder.path}"))
    unknown = [f"{serial:x}" for serial in serials if not folder.register.is_issued(serial)]
    if unknown:
        raise CertificateError(f"{folder.path} has not issued {', '.join(unknown)}; nothing was revoked")
    for serial in serials:
        authority.revoke(serial, _now(), REASONS[arguments.reason])
    return _save_list(arguments, folder, authority)


def _list(arguments: argparse.Namespace) -> int:
    folder = AuthorityFolder(arguments.folder)
    authority = folder.open(passphrase(arguments.passphrase_file, f"the authority {folder.path}"))
    return _save_list(arguments, folder, authority)


def _save_list(arguments: argparse.Namespace, folder: AuthorityFolder, authority: CertificateAuthority) -> int:
    begins = _now()
    made = authority.revocation_list(begins, begins + dt.timedelta(days=arguments.days))
    path = folder.save_list(made)
    if arguments.out is not None:
        write_file(Path(arguments.out), path.read_bytes())
    print_item(list_item(made), arguments.json, f"written to {arguments.out or path}")
    return 0


def _serial(text: str) -> int:
    digits = text.replace(":", "")
    if not 1 <= len(digits) <= 40 or set(digits) - set("0123456789abcdefABCDEF"):
        raise ConfigurationError(f"a serial number is hexadecimal, not {text[:40]!r}")
    return int(digits, 16)


def _issue(arguments: argparse.Namespace) -> int:
    title = None if arguments.title is None else _title(arguments.title)
    try:
        request = CertificateRequest.of(from_pem(read_file(arguments.request), REQUEST)[0][1])
    except CertificateError as error:
        raise CertificateError(f"{arguments.request}: {error}") from None
    folder = AuthorityFolder(arguments.folder)
    authority = folder.open(passphrase(arguments.passphrase_file, f"the authority {folder.path}"))
    begins = _now()
    made = authority.issue_for(
        request,
        USES.get(arguments.use),
        not_before=begins,
        not_after=_ends(arguments.days, begins),
        system_title=title,
    )
    return _write(arguments, made.octets, CERTIFICATE, made)


def _request(arguments: argparse.Namespace) -> int:
    title, path = _title(arguments.title), Path(arguments.key)
    if path.exists():
        key = read_key_file(path, passphrase(arguments.passphrase_file, f"the key {path}"))
    else:
        new = passphrase(arguments.passphrase_file, f"the new key {path}", new=True)
        key = make_key_file(path, security_suite(arguments.suite), new)
    octets = make_request(key, title, USES[arguments.use], hardware_type=arguments.hardware_type)
    return _write(arguments, octets, REQUEST, CertificateRequest.of(octets))


def _write(arguments: argparse.Namespace, octets: bytes, label: str, made: Certificate | CertificateRequest) -> int:
    pem = to_pem(octets, label)
    if arguments.out is not None:
        write_file(Path(arguments.out), octets if arguments.der else pem)
    elif arguments.der:
        raise ConfigurationError("DER goes into a file: name it with --out")
    if arguments.json:
        print_json(item_text(made) | {"pem": pem.decode("ascii"), "file": arguments.out})
    elif arguments.out is None:
        print(pem.decode("ascii"), end="")
    else:
        print_item(item_text(made), False, f"written to {arguments.out}")
    return 0


def read_file(path: str) -> bytes:
    """Return what a file holds. Raises ConfigurationError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from None
