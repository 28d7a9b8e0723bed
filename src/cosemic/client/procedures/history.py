"""Profiles whose rows are made by events, not by the clock: event logs, closed billing periods."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from cosemic.client.procedures.profiles import ProfileProcedures
from cosemic.client.steps import Procedure
from cosemic.model import LoadProfile
from cosemic.values import Obis

if TYPE_CHECKING:
    from cosemic.client.session import Session

_EARLIEST: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST: Final = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def recorded(
    session: Session, obis: Obis | str, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Procedure[LoadProfile]:
    """Read the rows of a profile that are stamped in [since, until); without bounds all of them.

    since, until: naive in the zone of the meter. Raises DataAccessError, DecodeError; ConfigurationError for bounds
    that are not in order.
    """
    profiles = ProfileProcedures(session)
    if since is None and until is None:
        return profiles.load_profile_entries(obis)
    return profiles.load_profile(obis, since or _EARLIEST, until or _LATEST)
