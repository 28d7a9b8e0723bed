"""By what a meter that calls is known again, and what is kept of those that are not.

==========================  ======================================================  ======
who it says it is           where from                                              proven
==========================  ======================================================  ======
system title                its TLS certificate                                     yes
system title                a notification that is authenticated under its keys     yes
system title                the AARE that it gives the public client                no
logical device name         read as public client (0-0:42.0.0)                      no
==========================  ======================================================  ======

Whoever dials in may say anything: what is not proven chooses the settings that are tried, and the association proves
the rest. A password of low level security would be given away to anybody who names the meter, so that it is not sent to
a meter whose identity is not proven.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosemic.association.notified import Originator
from cosemic.errors import ConfigurationError
from cosemic.store.meters import KnownMeter, known_meters
from cosemic.store.security_settings import SecuritySettings, load_security
from cosemic.values import AuthenticationMechanism

MOST_STRANGERS: Final = 256
"""Callers that were not recognised, of which a note is kept."""
_LONGEST_REASON: Final = 300
_LONGEST_NAME: Final = 64
"""Of what a stranger says of itself, octets or characters."""
Meters = str | os.PathLike[str] | Mapping[str, KnownMeter] | None
"""The file of known meters, or the meters themselves; None: the file that the environment names."""


class Identity(Enum):
    """By what a meter was recognised."""

    CERTIFICATE = "certificate"
    SYSTEM_TITLE = "system-title"
    LOGICAL_DEVICE_NAME = "logical-device-name"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A known meter that has called. proven: nobody else can have said so."""

    known: KnownMeter
    security: SecuritySettings
    by: Identity
    proven: bool


class KnownMeters:
    """Known meters, by what they are recognised by.

    Raises ConfigurationError for settings that cannot be read, and for two meters of one system title or name.
    """

    def __init__(self, meters: Meters) -> None:
        listed = meters if isinstance(meters, Mapping) else known_meters(meters)
        self._by_title: dict[bytes, tuple[KnownMeter, SecuritySettings]] = {}
        self._by_name: dict[str, tuple[KnownMeter, SecuritySettings]] = {}
        for known in listed.values():
            security = load_security(known.security, dialect=known.dialect)
            title, name = security.client.server_title, known.logical_device_name
            if title:
                _refuse_second(known, self._by_title.get(title))
                self._by_title[title] = known, security
            if name:
                _refuse_second(known, self._by_name.get(name))
                self._by_name[name] = known, security

    def of_title(self, title: bytes, by: Identity, *, proven: bool) -> Recognised | None:
        """Return the meter with a system title, None where there is none."""
        found = self._by_title.get(title)
        return None if found is None else Recognised(*found, by, proven)

    def of_name(self, name: str) -> Recognised | None:
        """Return the meter with a logical device name, None where there is none."""
        found = self._by_name.get(name)
        return None if found is None else Recognised(*found, Identity.LOGICAL_DEVICE_NAME, False)

    def again(self, recognised: Recognised) -> Recognised | None:
        """Return a meter that was recognised among other ones as it is known here, None where it is not."""
        if recognised.by is Identity.LOGICAL_DEVICE_NAME:
            return self.of_name(recognised.known.logical_device_name or "")
        title = recognised.security.client.server_title
        return None if title is None else self.of_title(title, recognised.by, proven=recognised.proven)

    def originator(self, title: bytes | None) -> Originator | None:
        """Return the keys of a meter for its notifications; None where it is not known, or has no keys."""
        found = None if title is None else self._by_title.get(title)
        client = None if found is None else found[1].client
        if title is None or client is None or client.material is None:
            return None
        require = client.protection if client.require is None else client.require
        return Originator(title, client.material, require, client.system_title or None, client.counters)


def _refuse_second(known: KnownMeter, other: tuple[KnownMeter, SecuritySettings] | None) -> None:
    if other is not None:
        raise ConfigurationError(f"{known.name!r} and {other[0].name!r} are the same meter: keep one of them")


def gives_password_away(recognised: Recognised) -> bool:
    """Whether opening the association would tell a secret to somebody who has proved nothing."""
    client = recognised.security.client
    return not recognised.proven and client.mechanism is AuthenticationMechanism.LLS


@dataclass(frozen=True, slots=True)
class Stranger:
    """A caller that was not recognised; nothing was told to it.

    peer: its address when it called last. system_title, logical_device_name: what it says of itself, where it does.
    reason: why it was kept apart. first, last: when it called, in seconds of the event loop's clock. calls: how often.
    """

    peer: str
    system_title: bytes | None
    logical_device_name: str
    reason: str
    first: float
    last: float
    calls: int = 1


class Quarantine:
    """Notes of callers that were not recognised, the latest ones; of more than ``most`` the oldest is forgotten."""

    def __init__(self, most: int = MOST_STRANGERS) -> None:
        self._most = most
        self._strangers: OrderedDict[object, Stranger] = OrderedDict()

    def __len__(self) -> int:
        return len(self._strangers)

    @property
    def strangers(self) -> tuple[Stranger, ...]:
        """All of them; who called last comes last."""
        return tuple(self._strangers.values())

    def note(self, peer: str, reason: str, now: float, *, title: bytes | None = None, name: str = "") -> None:
        """Note a call. One caller is known by its title or name, or else by its address."""
        title, name = title and title[:_LONGEST_NAME], name[:_LONGEST_NAME]
        key = title or name or peer.rpartition(":")[0] or peer
        before = self._strangers.pop(key, None)
        first, calls = (now, 1) if before is None else (before.first, before.calls + 1)
        self._strangers[key] = Stranger(peer, title, name, reason[:_LONGEST_REASON], first, now, calls)
        if len(self._strangers) > self._most:
            self._strangers.popitem(last=False)

    def forget(self, stranger: Stranger) -> None:
        """Forget one, as when it was entered among the known meters."""
        self._strangers = OrderedDict((key, one) for key, one in self._strangers.items() if one != stranger)
