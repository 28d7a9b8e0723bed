"""The value that a Limiter or a Register monitor looks at, and when it does (classes 71 and 21; IEC 62056-6-2, 5.5)."""

from __future__ import annotations

import datetime as dt

from cosemic.codec import Typed
from cosemic.errors import CosemicError, StoreError
from cosemic.model import ValueDefinition
from cosemic.model.types import CONTAINERS
from cosemic.server.clock import EPOCH
from cosemic.server.kept import refuse_unless
from cosemic.server.logical_device import LogicalDevice
from cosemic.server.objects import AccessRefused


def next_look(after: dt.datetime, period: dt.timedelta) -> dt.datetime:
    """Return when a value is looked at next behind a moment: at a whole number of periods since 1970."""
    return EPOCH + ((after - EPOCH) // period + 1) * period


def value_of(device: LogicalDevice, wanted: ValueDefinition, at: dt.datetime) -> Typed | None:
    """Return a value as it is; None where there is none to be had. Raises StoreError."""
    try:
        return device.read(wanted.class_id, wanted.logical_name, wanted.attribute_index, at).typed()
    except AccessRefused:
        return None
    except StoreError:
        raise
    except CosemicError:  # a value that does not fit its type must not stop time
        return None


def refuse_unless_simple(device: LogicalDevice, wanted: ValueDefinition, at: dt.datetime) -> None:
    """Raise AccessRefused for a value that cannot be compared: an array or a structure."""
    try:
        monitored = device.read(wanted.class_id, wanted.logical_name, wanted.attribute_index, at)
    except AccessRefused:
        return  # it may come to be, as when an object is added
    refuse_unless(monitored.type not in CONTAINERS)
