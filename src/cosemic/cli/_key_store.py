"""``cosemic keys store``: the encrypted file of keys: make, import, list, show, rotate, audit, forget."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final

from cosemic.cli._json import print_json
from cosemic.cli._passphrase import passphrase
from cosemic.cli._progress import counted
from cosemic.cli._table import table
from cosemic.errors import ConfigurationError, StoreError
from cosemic.store.key_store import KeyFile, KeyStore, Passphrase, StoredMeter, Unlocker
from cosemic.store.key_store.records import RecordInfo
from cosemic.store.key_store.shipments import ImportReport, TransportKey, import_shipment, read_mapping, read_shipment
from cosemic.store.key_store.unlocking import KEY_FILE_VARIABLE, PASSPHRASE_VARIABLE
from cosemic.store.security_settings import others_can_read
from cosemic.values import Secret

NEW_PASSPHRASE_VARIABLE: Final = "COSEMIC_KEY_STORE_NEW_PASSPHRASE"  # noqa: S105 - the name of the variable
TRANSPORT_KEY_VARIABLE: Final = "COSEMIC_TRANSPORT_KEY"
EXAMPLES: Final = f"""\
examples:
  cosemic keys store init meters.keys                               opened by a passphrase
  cosemic keys store init meters.keys --key-file unlock.key         opened by a key file, which is made
  cosemic keys store import meters.keys pallet.csv --mapping maker.toml --dry-run
  cosemic keys store list meters.keys
  cosemic keys store show meters.keys CSM0000000000001              fingerprints, versions, states
  cosemic keys store rotate meters.keys --new-passphrase
  cosemic keys store audit meters.keys --last 20
  cosemic keys store forget meters.keys CSM0000000000001 encryption-key       previous versions

Settings of a meter say key_store = "meters.keys" and meter = "CSM0000000000001" in place of keys. Keys never come out
as text. The passphrase comes from a file, {PASSPHRASE_VARIABLE} or a prompt; the key file from --key-file or
{KEY_FILE_VARIABLE}.

exit codes: 0 done; 1 refused, damaged, or a shipment that was not imported; 2 wrong arguments, passphrase or file
"""
MAPPING: Final = """\
The mapping of a CSV file with a heading:

  format = "csv"                        # or json, xml
  delimiter = ";"
  suite = 1                             # where no column says it
  [columns]
  name = "Serial"                       # and system_title, suite
  [keys]
  encryption-key = "GUEK"               # hexadecimal
  authentication-key = { column = "GAK", form = "base64" }        # or text, pem
  kek = { column = "MK", wrapped = true, optional = true }
  "secret:1" = { column = "LLS", form = "text" }                  # password of client 1

For JSON and XML, meters = "Shipment.Devices" or "Shipment/Device" says where the meters are, a column is a path below
a meter: keys.guek, or Key[@type='GUEK']/@value. All of it: `python -m pydoc cosemic.store.key_store.shipments.mapping`.
"""
SEVERAL: Final = 20
"""Faults that are printed one by one."""
_Subparsers = argparse._SubParsersAction


def register(commands: _Subparsers[argparse.ArgumentParser]) -> None:
    """Add the command."""
    about = "keep keys of meters in an encrypted file, with an audit"
    command = commands.add_parser(
        "store", help=about, description=f"{about.capitalize()}.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    init = _action(actions, "init", "make an empty store", _init)
    init.add_argument("--passphrase", action="store_true", help="beside --key-file: a passphrase opens it too")
    take = _action(actions, "import", "import the keys of a shipment", _import)
    take.formatter_class, take.epilog = argparse.RawDescriptionHelpFormatter, MAPPING
    take.add_argument("shipment", metavar="SHIPMENT", help="file of a meter maker: CSV, JSON or XML")
    take.add_argument("--mapping", required=True, metavar="FILE", help="how the file is laid out: TOML")
    take.add_argument(
        "--transport-key-file", metavar="FILE", help=f"key that keys are wrapped under, hex ({TRANSPORT_KEY_VARIABLE})"
    )
    take.add_argument("--renew", action="store_true", help="meters that are there get new versions of what differs")
    take.add_argument("--dry-run", action="store_true", help="only tell what would be imported")
    _action(actions, "list", "list the meters", _list)
    show = _action(actions, "show", "show what is kept of a meter, without it", _show)
    show.add_argument("meter", metavar="METER")
    rotate = _action(actions, "rotate", "renew the master key, and the passphrase where asked for", _rotate)
    rotate.add_argument("--data-keys", action="store_true", help="encrypt all records anew too")
    rotate.add_argument("--new-passphrase", action="store_true", help="change the passphrase first")
    rotate.add_argument(
        "--new-passphrase-file", metavar="FILE", help=f"the new passphrase ({NEW_PASSPHRASE_VARIABLE}, or asked for)"
    )
    audit = _action(actions, "audit", "check the whole store, and show who did what", _audit)
    audit.add_argument("--meter", metavar="METER", help="only what concerns this meter")
    audit.add_argument("--last", type=_number, metavar="N", help="only the last N entries")
    audit.add_argument("--expect", metavar="NUMBER:MAC", help="an entry that was noted earlier: is it still there?")
    forget = _action(actions, "forget", "forget previous versions of a record, one version, or a whole meter", _forget)
    forget.add_argument("meter", metavar="METER")
    forget.add_argument("record", nargs="?", metavar="RECORD", help="as `show` names it: kek, secret:1")
    forget.add_argument("--version", type=int, metavar="N", help="this version (default: all previous ones)")
    forget.add_argument("--whole-meter", action="store_true", help="the meter with all that is kept of it")


def _action(actions: _Subparsers[argparse.ArgumentParser], name: str, help_: str, run: Any) -> argparse.ArgumentParser:
    action = actions.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    action.add_argument("store", metavar="STORE", help="the file")
    action.add_argument("--key-file", metavar="FILE", help=f"key file that opens it ({KEY_FILE_VARIABLE})")
    action.add_argument(
        "--passphrase-file", metavar="FILE", help=f"file whose first line is the passphrase ({PASSPHRASE_VARIABLE})"
    )
    action.add_argument("--json", action="store_true", help="print JSON")
    action.set_defaults(run=run)
    return action


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no number")
    return int(text)


def _passphrase(arguments: argparse.Namespace, *, new: bool = False) -> Passphrase:
    what = f"the key store {arguments.store}"
    return Passphrase(passphrase(arguments.passphrase_file, what, variable=PASSPHRASE_VARIABLE, new=new))


def _key_file(arguments: argparse.Namespace) -> KeyFile | None:
    path = arguments.key_file or os.environ.get(KEY_FILE_VARIABLE)
    return KeyFile(path) if path else None


def _unlocker(arguments: argparse.Namespace) -> Unlocker:
    file = None if arguments.passphrase_file and not arguments.key_file else _key_file(arguments)
    return _passphrase(arguments) if file is None else file


def _open(arguments: argparse.Namespace) -> KeyStore:
    if not Path(arguments.store).is_file():
        raise ConfigurationError(f"there is no key store {arguments.store}: `cosemic keys store init` makes one")
    return KeyStore(arguments.store, _unlocker(arguments))


def _init(arguments: argparse.Namespace) -> int:
    if Path(arguments.store).exists() and Path(arguments.store).stat().st_size:
        raise ConfigurationError(f"{arguments.store} is there already; a key store is made in a file of its own")
    unlockers: list[Unlocker] = []
    made = ""
    if (file := _key_file(arguments)) is not None:
        if not file.path.exists():
            KeyFile.make(file.path)
            made = f"\n{file.path} opens it: keep a copy of it, and not beside the store"
        unlockers.append(file)
    if file is None or arguments.passphrase:
        unlockers.append(_passphrase(arguments, new=True))
    KeyStore.create(arguments.store, *unlockers).close()
    _say(arguments, {"store": arguments.store}, f"{arguments.store} is made, and empty{made}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    mapping = read_mapping(Path(arguments.mapping))
    shipment = Path(arguments.shipment)
    with _open(arguments) as store, counted("importing", "steps") as count:
        items = read_shipment(shipment, mapping, _transport_key(arguments))
        report = import_shipment(
            store,
            items,
            purpose=f"import of {shipment.name}",
            renew=arguments.renew,
            dry_run=arguments.dry_run,
            progress=lambda done, whole: count(done, whole, ""),
        )
    _say(arguments, _report_item(report, arguments.dry_run), _report_text(report, arguments.dry_run))
    return 1 if report.faults else 0


def _transport_key(arguments: argparse.Namespace) -> TransportKey | None:
    text = os.environ.get(TRANSPORT_KEY_VARIABLE)
    if arguments.transport_key_file is not None:
        path = Path(arguments.transport_key_file)
        try:
            if others_can_read(path):
                raise ConfigurationError(f"{path} can be read by others than its owner: chmod 600 {path}")
            text = path.read_text(encoding="ascii")
        except OSError as error:
            raise ConfigurationError(f"the transport key {path} cannot be read: {error.strerror or error}") from None
        except UnicodeError:
            raise ConfigurationError(f"the transport key {path} is not hexadecimal") from None
    return None if text is None else TransportKey(Secret.from_hex(text, "transport key"))


def _report_item(report: ImportReport, dry_run: bool) -> dict[str, Any]:
    kept = {"new": report.new, "renewed": report.renewed, "same": report.same}
    texts = {"faults": list(map(str, report.faults)), "warnings": list(map(str, report.warnings))}
    return {"imported": not dry_run and not report.faults} | kept | texts


def _report_text(report: ImportReport, dry_run: bool) -> str:
    lines = [f"warning: {each}" for each in report.warnings[:SEVERAL]]
    lines += [str(each) for each in report.faults[:SEVERAL]]
    for what, found in (("warnings", report.warnings), ("faults", report.faults)):
        if len(found) > SEVERAL:
            lines.append(f"... and {len(found) - SEVERAL} more {what}; --json shows all")
    counts = f"{report.new} new, {report.renewed} renewed, {report.same} there already"
    if report.faults:
        lines.append(f"nothing was imported: {_several(len(report.faults), 'fault')} (otherwise {counts})")
    else:
        lines.append(f"{'would import' if dry_run else 'imported'}: {counts}")
    return "\n".join(lines)


def _list(arguments: argparse.Namespace) -> int:
    with _open(arguments) as store:
        meters = store.meters()
    rows = [
        (each.name, str(each.suite.id), each.system_title.hex() or "-", " ".join(_current(each))) for each in meters
    ]
    text = table([("meter", "suite", "system title", "current records"), *rows]) if rows else "no meters"
    _say(arguments, {"meters": [_meter_item(each) for each in meters]}, text)
    return 0


def _current(meter: StoredMeter) -> list[str]:
    return [record.name for record in meter.records if record.state.value == "current"]


def _show(arguments: argparse.Namespace) -> int:
    with _open(arguments) as store:
        meter = store.meter(arguments.meter)
    rows = [tuple(str(cell or "-") for cell in _record_item(each).values()) for each in meter.records]
    head = f"{meter.name}: security suite {meter.suite.id}, system title {meter.system_title.hex() or 'not known'}\n"
    heading = ("record", "version", "state", "added", "fingerprint")
    _say(arguments, _meter_item(meter), head + (table([heading, *rows]) if rows else "no records"))
    return 0


def _meter_item(meter: StoredMeter) -> dict[str, Any]:
    records = [_record_item(each) for each in meter.records]
    return {
        "meter": meter.name, "suite": meter.suite.id, "system_title": meter.system_title.hex(), "records": records,
    }  # fmt: skip


def _record_item(record: RecordInfo) -> dict[str, Any]:
    return {
        "record": record.name, "version": record.version, "state": record.state.value,
        "added": record.added.isoformat(), "fingerprint": record.fingerprint or None,
    }  # fmt: skip


def _rotate(arguments: argparse.Namespace) -> int:
    with _open(arguments) as store:
        unlockers: list[Unlocker] = []
        for slot in store.unlocked_by():
            if slot == KeyFile.slot:
                file = _key_file(arguments)
                if file is None:
                    raise ConfigurationError(
                        f"a key file opens the store too: name it, by --key-file or {KEY_FILE_VARIABLE}"
                    )
                unlockers.append(file)
            elif not (arguments.new_passphrase or arguments.new_passphrase_file):
                unlockers.append(_passphrase(arguments))
        if arguments.new_passphrase or arguments.new_passphrase_file:
            what = f"the key store {arguments.store}, the new one"
            secret = passphrase(
                arguments.new_passphrase_file,
                what,
                variable=NEW_PASSPHRASE_VARIABLE,
                new=True,
                option="--new-passphrase-file",
            )
            unlockers.append(Passphrase(secret))
            store.set_unlocker(unlockers[-1], purpose="cosemic keys store rotate")
        with counted("rotating", "meters") as count:
            store.rotate(
                *unlockers,
                purpose="cosemic keys store rotate",
                data_keys=arguments.data_keys,
                progress=lambda done, whole: count(done, whole, ""),
            )
        number = len(store.meters())
    _say(arguments, {"rotated": number}, f"the master key is a new one, for {_several(number, 'meter')}")
    return 0


def _audit(arguments: argparse.Namespace) -> int:
    expected = _expected(arguments.expect)
    with _open(arguments) as store:
        meters, entries = store.check(), list(store.audit())
    if expected is not None and not any((each.number, each.mac.hex()) == expected for each in entries):
        raise StoreError(f"entry {expected[0]} is not the one that was noted: the store was put back, or is another")
    noted = f"{entries[-1].number}:{entries[-1].mac.hex()}" if entries else "nothing yet"
    shown = [each for each in entries if arguments.meter in (None, each.meter)]
    shown = shown if arguments.last is None else shown[max(len(shown) - arguments.last, 0) :]
    items = [
        {
            "number": each.number, "at": each.at.isoformat(timespec="seconds"), "who": each.who, "action": each.action,
            "meter": each.meter, "record": each.what, "fingerprint": each.fingerprint, "purpose": each.purpose,
        }
        for each in shown
    ]  # fmt: skip
    rows = [tuple(str(value) or "-" for value in item.values()) for item in items]
    heading = ("number", "at", "who", "action", "meter", "record", "fingerprint", "purpose")
    counts = f"{_several(meters, 'meter')} and {_several(len(entries), 'entry', 'entries')}"
    whole = f"{counts} are as they were written; to note: {noted}"
    text = f"{table([heading, *rows])}\n{whole}"
    _say(arguments, {"meters": meters, "entries": items, "note": noted}, text)
    return 0


def _expected(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, _, mac = text.partition(":")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise ConfigurationError("--expect takes what an earlier audit said to note: NUMBER:MAC")
    return int(number), mac.lower()


def _forget(arguments: argparse.Namespace) -> int:
    if arguments.whole_meter == (arguments.record is not None):
        raise ConfigurationError("name a record, or say --whole-meter")
    with _open(arguments) as store, store.change("cosemic keys store forget") as change:
        if arguments.whole_meter:
            change.remove_meter(arguments.meter)
            gone = -1
        else:
            gone = change.forget(arguments.meter, arguments.record, arguments.version)
    text = (
        f"{arguments.meter} is forgotten"
        if gone < 0
        else f"forgotten: {_several(gone, 'version')} of {arguments.record}"
    )
    _say(arguments, {"meter": arguments.meter, "versions": None if gone < 0 else gone}, text)
    return 0


def _several(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"


def _say(arguments: argparse.Namespace, item: dict[str, Any], text: str) -> None:
    if arguments.json:
        print_json(item)
    else:
        print(text)
