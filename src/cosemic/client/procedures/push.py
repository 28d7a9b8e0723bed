"""What a meter sends by itself: the set-up of its pushes, and a push by hand (Push setup, class 40, versions 0 to 3).

What is given is put into the form of the version that the meter has: an object to push has a restriction from version 1
on and columns from version 2 on; a delay grows from version 2 on. What a version does not know is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosemic.client.faces import AsyncGroup, BlockingGroup, ProcedureGroup, asynchronously, blocking
from cosemic.client.procedures.changing import stamp, written
from cosemic.client.procedures.reading import as_viewed, read_as
from cosemic.client.steps import Procedure
from cosemic.errors import ConfigurationError
from cosemic.model import AttributeReference, CaptureObjectDefinition, InterfaceClass, PushSetup
from cosemic.model.push import (
    PushConfirmationParameters,
    PushMessage,
    PushObjectDefinition,
    PushOperationMethod,
    PushRepetitionDelay,
    RestrictedObjectDefinition,
    RestrictionElement,
    RestrictionType,
    SendDestinationAndMethod,
    TransportService,
    WindowElement,
)
from cosemic.values import DateTime, Obis

PUSH_SETUP: Final = Obis("0-0:25.9.0")
ALL_ENTRIES: Final = RestrictionElement(RestrictionType.NONE, None)
PushObject = CaptureObjectDefinition | RestrictedObjectDefinition | PushObjectDefinition
Window = WindowElement | tuple[dt.datetime, dt.datetime]
"""A window in time; begin and end, naive in the meter's own time, or with wildcards as a WindowElement."""


@dataclass(frozen=True, slots=True)
class PushState:
    """A push setup; what its version lacks, or the meter keeps to itself, is None or empty. Times in seconds."""

    push_object_list: tuple[PushObject, ...]
    send_destination_and_method: SendDestinationAndMethod
    communication_window: tuple[WindowElement, ...]
    randomisation_start_interval: int
    number_of_retries: int
    repetition_delay: int | PushRepetitionDelay
    port_reference: Obis | None = None
    push_client_SAP: int | None = None  # noqa: N815 - the standard's name
    push_protection_parameters: tuple[Any, ...] = ()
    push_operation_method: PushOperationMethod | int | None = None
    confirmation_parameters: PushConfirmationParameters | None = None
    last_confirmation_date_time: DateTime | None = None


class PushProcedures(ProcedureGroup):
    """Push setups of a meter; each has an ``obis`` of its own (0-1:25.9.0 ...).

    What is not answered is read back: ChangeNotMade or OutcomeUnknown tell what is known.
    """

    def read(self, *, obis: Obis | str = PUSH_SETUP) -> Procedure[PushState]:
        """Read a push setup, in the version that the association view says.

        Raises DataAccessError, DecodeError. Push setup, IEC 62056-6-2, 5.3.
        """
        return (yield from read_as(self.session, PushState, (yield from as_viewed(self.session, PushSetup, obis))))

    def set_objects(
        self, objects: Sequence[PushObject | AttributeReference[Any]], *, obis: Obis | str = PUSH_SETUP
    ) -> Procedure[None]:
        """Set what is pushed; nothing stops the push.

        Raises ConfigurationError for a restriction or columns that the version of the meter does not know; EncodeError,
        DataAccessError, ChangeNotMade, OutcomeUnknown. Push setup, IEC 62056-6-2, 5.3.
        """
        setup = yield from as_viewed(self.session, PushSetup, obis)
        elements = tuple(_in_version(one, setup) for one in objects)
        yield from self._write(setup, "push_object_list", elements)

    def set_destination(
        self,
        destination: str | bytes,
        transport_service: TransportService | int = TransportService.TCP,
        message: PushMessage | int = PushMessage.A_XDR_APDU,
        *,
        obis: Obis | str = PUSH_SETUP,
    ) -> Procedure[None]:
        """Set where it is pushed to, as the transport service wants it written (``10.0.0.1:4059``), and how.

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Push setup, IEC 62056-6-2, 5.3.
        """
        octets = destination.encode() if isinstance(destination, str) else destination
        value = SendDestinationAndMethod(transport_service, octets, message)
        yield from self._write(PushSetup(obis), "send_destination_and_method", value)

    def set_windows(self, windows: Sequence[Window], *, obis: Obis | str = PUSH_SETUP) -> Procedure[None]:
        """Set when it may be pushed; no windows: always.

        Raises ConfigurationError for a window that ends before it begins; EncodeError, DataAccessError, ChangeNotMade,
        OutcomeUnknown. Push setup, IEC 62056-6-2, 5.3.
        """
        yield from self._write(PushSetup(obis), "communication_window", tuple(map(self._window, windows)))

    def set_randomisation(self, seconds: int, *, obis: Obis | str = PUSH_SETUP) -> Procedure[None]:
        """Set the interval in which the push starts at a random moment.

        Raises EncodeError, DataAccessError, ChangeNotMade, OutcomeUnknown. Push setup, IEC 62056-6-2, 5.3.
        """
        yield from self._write(PushSetup(obis), "randomisation_start_interval", seconds)

    def set_retries(
        self, number: int, delay: int | PushRepetitionDelay | None = None, *, obis: Obis | str = PUSH_SETUP
    ) -> Procedure[None]:
        """Set how often a push that fails is repeated, and after how many seconds; None leaves the delay as it is.

        delay: from version 2 on a PushRepetitionDelay, for which seconds stand where it does not grow.

        Raises ConfigurationError for a growing delay before version 2; EncodeError, DataAccessError, ChangeNotMade,
        OutcomeUnknown. Push setup, IEC 62056-6-2, 5.3.
        """
        setup = yield from as_viewed(self.session, PushSetup, obis)
        value: int | PushRepetitionDelay | None = delay
        if isinstance(delay, int) and setup.version >= _WITH_COLUMNS:
            value = PushRepetitionDelay(delay, 100, delay)
        elif isinstance(delay, PushRepetitionDelay) and setup.version < _WITH_COLUMNS:
            raise _unknown(setup, "a delay that grows")
        yield from self._write(setup, "number_of_retries", number)
        if value is not None:
            yield from self._write(setup, "repetition_delay", value)

    def push(self, *, obis: Obis | str = PUSH_SETUP) -> Procedure[None]:
        """Have the meter push now.

        Raises ActionFailed; OutcomeUnknown where no answer came: what arrives at the destination tells. Push setup,
        IEC 62056-6-2, 5.3.
        """
        setup = yield from as_viewed(self.session, PushSetup, obis)
        yield from self.session.call(setup.push)

    def _write(self, setup: InterfaceClass, name: str, value: object) -> Procedure[None]:
        attribute = setup.attribute_named(name)
        reference = AttributeReference(setup.class_id, setup.instance_id, attribute.index, attribute)
        yield from written(self.session, reference, value)

    def _window(self, window: Window) -> WindowElement:
        if isinstance(window, WindowElement):
            return window
        begin, end = window
        if (begin.tzinfo is None) != (end.tzinfo is None) or begin >= end:
            raise ConfigurationError(f"{begin} to {end} is no window: both with a time zone or without, in order")
        return WindowElement(stamp(self.session, begin), stamp(self.session, end))


_WITH_RESTRICTION: Final = 1
_WITH_COLUMNS: Final = 2


def _in_version(pushed: PushObject | AttributeReference[Any], setup: InterfaceClass) -> PushObject:
    """Return an object to push in the form of the version. Raises ConfigurationError for what it cannot say."""
    if isinstance(pushed, AttributeReference):
        pushed = CaptureObjectDefinition(pushed.class_id, pushed.instance_id, pushed.attribute_id, 0)
    which = pushed.class_id, pushed.logical_name, pushed.attribute_index, pushed.data_index
    restriction: RestrictionElement = getattr(pushed, "restriction", ALL_ENTRIES)
    columns: tuple[CaptureObjectDefinition, ...] = getattr(pushed, "columns", ())
    if setup.version >= _WITH_COLUMNS:
        return PushObjectDefinition(*which, restriction, columns)
    if columns:
        raise _unknown(setup, "columns of a buffer")
    if setup.version >= _WITH_RESTRICTION:
        return RestrictedObjectDefinition(*which, restriction)
    if restriction.restriction_type != RestrictionType.NONE:
        raise _unknown(setup, "a restriction of a buffer")
    return CaptureObjectDefinition(*which)


def _unknown(setup: InterfaceClass, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{setup.instance_id} is of version {setup.version} of {setup.class_name}: without {what}"
    )


class AsyncPush(AsyncGroup):
    """Push setups of a meter, on asyncio."""

    read = asynchronously(PushProcedures.read)
    set_objects = asynchronously(PushProcedures.set_objects)
    set_destination = asynchronously(PushProcedures.set_destination)
    set_windows = asynchronously(PushProcedures.set_windows)
    set_randomisation = asynchronously(PushProcedures.set_randomisation)
    set_retries = asynchronously(PushProcedures.set_retries)
    push = asynchronously(PushProcedures.push)


class BlockingPush(BlockingGroup):
    """Push setups of a meter, for blocking code."""

    read = blocking(PushProcedures.read)
    set_objects = blocking(PushProcedures.set_objects)
    set_destination = blocking(PushProcedures.set_destination)
    set_windows = blocking(PushProcedures.set_windows)
    set_randomisation = blocking(PushProcedures.set_randomisation)
    set_retries = blocking(PushProcedures.set_retries)
    push = blocking(PushProcedures.push)
