"""A shipment into a key store: checked as a whole first, then kept in portions.

A portion is one transaction, so that other processes wait only for it. Where an import is killed, what was kept is
whole, and the same import once more goes on where it ended: meters that are there with the same keys are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from cosemic.errors import ConfigurationError
from cosemic.store.key_store.change import Change
from cosemic.store.key_store.records import NewRecord, RecordKind
from cosemic.store.key_store.shipments.reading import Fault, Shipped
from cosemic.store.key_store.store import KeyStore, Progress
from cosemic.values import Secret

PORTION: Final = 200
"""Meters of one transaction."""
_OWN: Final = frozenset((RecordKind.ENCRYPTION_KEY, RecordKind.KEK, RecordKind.SIGNING_KEY, RecordKind.AGREEMENT_KEY))
"""Kinds that no two meters should share; authentication and broadcast keys often are those of a fleet."""


@dataclass(slots=True)
class ImportReport:
    """What an import did, or, as a dry run, would do.

    new, renewed, same: how many meters are new, have got new versions, and were there with these keys. faults: why
    nothing was imported. warnings: keys that several meters share.
    """

    new: int = 0
    renewed: int = 0
    same: int = 0
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def import_shipment(
    store: KeyStore,
    shipment: Iterable[Shipped | Fault],
    *,
    purpose: str,
    renew: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Keep the keys of a shipment; nothing of it where anything is wrong with it, and then ``faults`` says what.

    renew: meters that are there get new versions of what differs, and the versions before become previous; otherwise
    they are faults. dry_run: only tells. progress: takes meters done and all of them, first while checking, then while
    keeping. Raises StoreError; what was kept until then stays.
    """
    items = list(shipment)
    meters = [item for item in items if isinstance(item, Shipped)]
    report = ImportReport(faults=[item for item in items if isinstance(item, Fault)])
    _find_duplicates(meters, report)
    steps = len(meters) * (1 if dry_run else 2)
    for start in range(0, len(meters), PORTION):
        with store.view() as view:
            for meter in meters[start : start + PORTION]:
                _keep(view, meter, renew, report, write=False)
        if progress is not None:
            progress(min(start + PORTION, len(meters)), steps)
    if dry_run or report.faults:
        return report
    done = ImportReport(warnings=report.warnings)
    for start in range(0, len(meters), PORTION):
        portion = ImportReport()
        with store.change(purpose) as change:
            for meter in meters[start : start + PORTION]:
                _keep(change, meter, renew, portion, write=True)
            if portion.faults:  # another process was here between the check and now
                raise ConfigurationError(f"{portion.faults[0]}; import the rest again")
        done.new, done.renewed, done.same = (
            done.new + portion.new,
            done.renewed + portion.renewed,
            done.same + portion.same,
        )
        if progress is not None:
            progress(len(meters) + min(start + PORTION, len(meters)), steps)
    return done


def _find_duplicates(meters: Sequence[Shipped], report: ImportReport) -> None:
    names: dict[str, Shipped] = {}
    titles: dict[bytes, Shipped] = {}
    keys: dict[tuple[RecordKind, Secret], Shipped] = {}
    for meter in meters:
        if (other := names.setdefault(meter.name, meter)) is not meter:
            report.faults.append(Fault(meter.where, f"meter {meter.name} stands at {other.where} already"))
        if meter.system_title and (other := titles.setdefault(meter.system_title, meter)) is not meter:
            title = meter.system_title.hex()
            report.faults.append(Fault(meter.where, f"meter {meter.name} has the system title {title} of {other.name}"))
        for record in meter.records:
            if record.kind in _OWN and (other := keys.setdefault((record.kind, record.secret), meter)) is not meter:
                text = f"meter {meter.name} has the same {record.name} as {other.name}"
                report.warnings.append(Fault(meter.where, text))


def _keep(change: Change, meter: Shipped, renew: bool, report: ImportReport, *, write: bool) -> None:
    known = change.look(meter.name)
    if known is None:
        title = meter.system_title
        if title and (other := change.look(system_title=title)) is not None:
            report.faults.append(Fault(meter.where, f"the system title {title.hex()} is that of {other.name}"))
            return
        if write:
            change.add_meter(meter.name, suite=meter.suite, system_title=title, records=meter.records)
        report.new += 1
        return
    if known.suite.id != meter.suite or (meter.system_title and known.system_title != meter.system_title):
        text = f"meter {meter.name} is there with another suite or system title: remove it first if this is right"
        report.faults.append(Fault(meter.where, text))
        return
    other_ones = change.differing(meter.name, meter.records)
    if not other_ones:
        report.same += 1
    elif renew:
        if write:
            change.add(meter.name, other_ones)
        report.renewed += 1
    else:
        report.faults.append(Fault(meter.where, _differs(meter.name, other_ones)))


def _differs(name: str, records: Sequence[NewRecord]) -> str:
    kinds = ", ".join(record.name for record in records)
    return f"meter {name} is there with another {kinds}, or without: renew (--renew) keeps both, the new one as current"
