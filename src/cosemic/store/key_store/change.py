"""Changes of what a key store holds, several in one transaction; each stands in the audit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Final

from cosemic.errors import ConfigurationError, StoreError
from cosemic.security import security_suite
from cosemic.store.key_store.records import (
    NewRecord,
    RecordInfo,
    RecordKind,
    RecordState,
    StoredMeter,
    check_meter_name,
    check_system_title,
    checked,
    named,
    parse_name,
)
from cosemic.store.key_store.session import Entry, Place, Session
from cosemic.values import Secret

PENDING, CURRENT, PREVIOUS = (state.value for state in RecordState)


class Change:
    """One transaction; :meth:`~cosemic.store.key_store.store.KeyStore.change` gives it.

    Methods raise ConfigurationError for what cannot be, and StoreError; then nothing of the transaction is kept.
    """

    def __init__(self, session: Session, who: str, purpose: str, clock: Callable[[], dt.datetime]) -> None:
        self._session = session
        self._who: Final = who
        self._purpose: Final = purpose
        self._clock = clock

    def add_meter(
        self, name: str, *, suite: int = 0, system_title: bytes = b"", records: Sequence[NewRecord] = ()
    ) -> None:
        """Enter a meter, or another holder of keys, with its first records."""
        check_meter_name(name)
        title = check_system_title(system_title)
        security_suite(suite)
        if self._session.find(name=name) is not None:
            raise ConfigurationError(f"the key store has a meter {name} already")
        if title and (other := self._session.find(title=title)) is not None:
            raise ConfigurationError(f"the key store has a meter with system title {title.hex()} already: {other.name}")
        entry = self._session.make(name, title, suite)
        self._note("add meter", name)
        self._add(entry, records, CURRENT)

    def add(self, meter: str, records: Sequence[NewRecord], *, pending: bool = False) -> None:
        """Keep records: as current ones, what was current becomes previous; or as pending ones.

        Pending are keys on their way to the meter: keep them before they are sent, :meth:`promote` them when the meter
        has shown that it uses them. Refused where there is a pending one already.
        """
        self._add(self.entry(meter), records, PENDING if pending else CURRENT)

    def _add(self, entry: Entry, records: Sequence[NewRecord], state: str) -> None:
        added = self._clock().astimezone(dt.UTC).isoformat(timespec="seconds")
        suite = security_suite(entry.suite)
        for record in records:
            record = checked(record, suite)
            kind, label, octets = record.kind.value, record.label, record.secret.reveal()
            versions = self._versions(entry, kind, label)
            if state == PENDING and PENDING in versions.values():
                raise ConfigurationError(
                    f"{record.name} of {entry.name} is pending already: promote or forget that one first"
                )
            if state == CURRENT:
                self._retire(entry, kind, label)
            place = kind, label, max(versions, default=0) + 1
            self._session.put(entry, place, state, added, octets)
            self._note(f"add {state}", entry.name, place, octets)

    def promote(self, meter: str, names: Collection[str] | None = None) -> None:
        """Make pending records current, and current ones previous: those named (``kek``, ``secret:1``), or all."""
        entry = self.entry(meter)
        wanted = [place for place, row in entry.rows.items() if row.state == PENDING and _is_meant(place, names)]
        _all_found(wanted, names, f"pending record of {meter}")
        for place in wanted:
            self._retire(entry, *place[:2])
            self._set(entry, place, CURRENT, "promote")

    def roll_back(self, meter: str, names: Collection[str]) -> None:
        """Make of each named record the newest previous version current; the one that was current becomes previous."""
        entry = self.entry(meter)
        wanted = {}
        for place, row in sorted(entry.rows.items(), key=lambda each: each[0]):
            if row.state == PREVIOUS and _is_meant(place, names):
                wanted[place[:2]] = place
        _all_found(list(wanted.values()), names, f"previous version of a record of {meter}")
        for place in wanted.values():
            self._retire(entry, *place[:2])
            self._set(entry, place, CURRENT, "roll back")

    def forget(self, meter: str, name: str, version: int | None = None) -> int:
        """Take out a version, or, with None, all previous ones, of a record; returns how many. Not the current one."""
        entry = self.entry(meter)
        kind, label = parse_name(name)
        versions = self._versions(entry, kind.value, label)
        if version is not None and version not in versions:
            raise ConfigurationError(f"{meter} has no version {version} of {name}")
        if version is not None and versions[version] == CURRENT:
            raise ConfigurationError(f"version {version} of {name} is current: add or promote another one first")
        gone = [each for each, state in versions.items() if each == version or (version is None and state == PREVIOUS)]
        for each in gone:
            place = kind.value, label, each
            octets = self._session.take(entry, place)
            self._session.drop(entry, place)
            self._note("forget", meter, place, octets)
        return len(gone)

    def remove_meter(self, meter: str) -> None:
        """Take out a meter with all its records and its data key."""
        self._session.remove(self.entry(meter))
        self._note("remove meter", meter)

    def look(self, name: str = "", system_title: bytes = b"") -> StoredMeter | None:
        """Return what is known of a meter, by name or system title; None where there is none."""
        entry = self._session.find(name=name, title=system_title)
        return None if entry is None else self.info(entry)

    def differing(self, meter: str, records: Sequence[NewRecord]) -> list[NewRecord]:
        """Return those of the records that the meter has not as current ones. Raises ConfigurationError."""
        entry = self.entry(meter)
        return [record for record in records if not self._has(entry, checked(record, security_suite(entry.suite)))]

    def _has(self, entry: Entry, record: NewRecord) -> bool:
        place = self.place(entry, record.kind.value, record.label, CURRENT)
        return place is not None and record.secret == Secret(self._session.take(entry, place))

    def entry(self, name: str) -> Entry:
        """Return a meter. Raises ConfigurationError where there is none, StoreError where one was taken out."""
        entry = self._session.find(name=name)
        if entry is None:
            self._session.check_all()
            raise ConfigurationError(f"the key store has no meter {name}: `cosemic keys store list` shows all")
        return entry

    def use(self, entry: Entry, place: Place) -> bytes:
        """Return the octets of a record, whose use stands in the audit."""
        octets = self._session.take(entry, place)
        self._note("use", entry.name, place, octets)
        return octets

    def place(self, entry: Entry, kind: str, label: str, state: str) -> Place | None:
        """Return where the version in that state is; None where there is none."""
        found = [version for version, each in self._versions(entry, kind, label).items() if each == state]
        return (kind, label, max(found)) if found else None

    def info(self, entry: Entry, *, fingerprints: bool = False) -> StoredMeter:
        """Return what a meter has, without it. Raises StoreError."""
        try:
            records = tuple(
                RecordInfo(
                    RecordKind(place[0]), *place[1:], RecordState(row.state), dt.datetime.fromisoformat(row.added),
                    self._session.fingerprint(place[0], self._session.take(entry, place)) if fingerprints else "",
                )
                for place, row in sorted(entry.rows.items(), key=lambda each: each[0])
            )  # fmt: skip
            return StoredMeter(entry.name, security_suite(entry.suite), entry.title, records)
        except (ValueError, KeyError):
            raise StoreError("the key store holds what this version does not know: use the newer one") from None

    def note(self, action: str, meter: str = "") -> None:
        """Enter into the audit what was done."""
        self._note(action, meter)

    def _versions(self, entry: Entry, kind: str, label: str) -> dict[int, str]:
        return {place[2]: row.state for place, row in entry.rows.items() if place[:2] == (kind, label)}

    def _retire(self, entry: Entry, kind: str, label: str) -> None:
        for version, state in self._versions(entry, kind, label).items():
            if state == CURRENT:
                self._session.set_state(entry, (kind, label, version), PREVIOUS)

    def _set(self, entry: Entry, place: Place, state: str, action: str) -> None:
        self._session.set_state(entry, place, state)
        self._note(action, entry.name, place, self._session.take(entry, place))

    def _note(self, action: str, meter: str, place: Place | None = None, octets: bytes = b"") -> None:
        what, fingerprint = "", ""
        if place is not None:
            what = f"{named(RecordKind(place[0]), place[1])}/{place[2]}"
            fingerprint = self._session.fingerprint(place[0], octets)
        session = self._session
        session.audit.append(session.head, self._clock(), self._who, self._purpose, action, meter, what, fingerprint)


def _is_meant(place: Place, names: Collection[str] | None) -> bool:
    return names is None or named(RecordKind(place[0]), place[1]) in names


def _all_found(places: list[Place], names: Collection[str] | None, what: str) -> None:
    missing = set(names or ()) - {named(RecordKind(place[0]), place[1]) for place in places}
    if missing or not places:
        raise ConfigurationError(f"there is no {what}" + (f": {', '.join(sorted(missing))}" if missing else ""))
