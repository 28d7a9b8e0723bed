"""The peer that lies: a client or meter that follows the protocol, except for one named fault.

- :mod:`~cosemic.faults.lies.lie`: what a lie is, and what has to come of it.
- ``of_*``: the lies by what they are about; :data:`LIES` are all of them, :data:`BY_NAME` by their names.
- :mod:`~cosemic.faults.lies.liar`: the liars, for virtual time and for real connections.

::

    session, link = lying_server(BY_NAME["block-repeated"], device)
    MeterStation(session, stream.server)
    ClientStation(ClientStack(settings, 16, 1), stream.client).ask(Open())
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cosemic.faults.lies.liar import LyingLink, LyingMeterServer, lying_client, lying_server
from cosemic.faults.lies.lie import (
    Closes,
    Fails,
    Family,
    Gets,
    Lie,
    Moment,
    Right,
    Role,
    Says,
    Setting,
    Silent,
    Then,
)
from cosemic.faults.lies.of_access import ACCESS_LIES
from cosemic.faults.lies.of_blocks import BLOCK_LIES
from cosemic.faults.lies.of_clients import AARQ_LIES
from cosemic.faults.lies.of_general_blocks import GENERAL_BLOCK_LIES
from cosemic.faults.lies.of_hdlc import HDLC_LIES
from cosemic.faults.lies.of_notifications import NOTIFICATION_LIES
from cosemic.faults.lies.of_openings import OPENING_LIES
from cosemic.faults.lies.of_security import SECURITY_LIES
from cosemic.faults.lies.of_servers import AARE_LIES
from cosemic.faults.lies.of_services import ANSWER_LIES, SERVICE_LIES
from cosemic.faults.lies.of_short_names import SHORT_NAME_LIES
from cosemic.faults.lies.of_time_and_size import SIZE_LIES, TIME_LIES
from cosemic.faults.lies.of_wrapper import WRAPPER_LIES

LIES: Final[tuple[Lie, ...]] = (
    *HDLC_LIES,
    *WRAPPER_LIES,
    *OPENING_LIES,
    *AARE_LIES,
    *AARQ_LIES,
    *SERVICE_LIES,
    *ANSWER_LIES,
    *BLOCK_LIES,
    *SHORT_NAME_LIES,
    *ACCESS_LIES,
    *GENERAL_BLOCK_LIES,
    *NOTIFICATION_LIES,
    *SECURITY_LIES,
    *TIME_LIES,
    *SIZE_LIES,
)
BY_NAME: Final[Mapping[str, Lie]] = MappingProxyType({lie.name: lie for lie in LIES})

__all__ = [
    "BY_NAME",
    "LIES",
    "Closes",
    "Fails",
    "Family",
    "Gets",
    "Lie",
    "LyingLink",
    "LyingMeterServer",
    "Moment",
    "Right",
    "Role",
    "Says",
    "Setting",
    "Silent",
    "Then",
    "lying_client",
    "lying_server",
]
