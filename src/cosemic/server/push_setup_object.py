"""Push setup of a device: what it sends by itself, to whom, and when (class 40, versions 0 to 3; IEC 62056-6-2, 5.3).

::

    push (method): a client, a script of a schedule or monitor  --+
    a happening of the device: alarm-raised, power-up ...       --+--> attempts --> Outbox --> receiver
                                                                         ^            |
                                                                         +-- result --+

The message is a data-notification (reference, application layer 12): the time of the meter's clock, and a structure of
the values that push_object_list names, in that order (:mod:`~cosemic.server.push.selection`). It is made when the first
attempt begins, and repeated as it is; when attempts begin says :mod:`~cosemic.server.push.attempts`. A trigger that
comes while one waits to begin is the same push; one that comes while an attempt or retries are under way makes one more
push afterwards, however many they are. What is under way outlives the process: an attempt whose result is not known
then counts as failed. From power-down to power-up nothing is sent.

What counts as delivered, and what a retry waits for::

    versions 0, 1            the lower layer has taken it
    push_operation_method 0  the same
                          1  the lower layer of the receiver has confirmed it; UDP never does
                          2  the receiver has confirmed it: the notification is confirmed, confirmation_interval seconds
                             are waited (0: 30)

With method 2 entries of whole buffers are pushed once: what is confirmed counts as sent, and so does from the beginning
what was captured up to confirmation_start_date (unsure, as the text of these attributes is not known in full).
reset gives up what is under way, and forgets what counts as sent (unsure likewise).

========================  ==============================================================================================
other-reason              push: nothing is listed. An attribute: elements that say nothing, or that the device does not
                          have; windows that are none; a destination of TCP or UDP that is none; a push client that the
                          device does not let in; protection that there is no suite or key for
read-write-denied         a new element of push_object_list that the client may not read itself
========================  ==============================================================================================

The device tells ``push-setup-refused`` (details obis, reason), ``push-attempt-failed`` (obis, reason, retries_left),
``push-failed`` (obis, reason) and ``push-delivered`` (obis, delivery).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any, Final

from cosemic.apdu import SelectiveAccessDescriptor
from cosemic.codec import EncodedData
from cosemic.dialect import STANDARD, Dialect
from cosemic.errors import ConfigurationError, DecodeError
from cosemic.model import PushSetup
from cosemic.model.protection import ProtectionParametersElement
from cosemic.model.push import (
    PushConfirmationParameters,
    PushMessage,
    PushOperationMethod,
    PushRepetitionDelay,
    PushSetupVersion0,
    PushSetupVersion1,
    PushSetupVersion2,
    SendDestinationAndMethod,
    TransportService,
    WindowElement,
)
from cosemic.security import Protection
from cosemic.security.general import GeneralProtection
from cosemic.server.clients import AdmittedClient
from cosemic.server.clock import ClockObject
from cosemic.server.clockwork import Order
from cosemic.server.kept import KeptObject, refuse, refuse_unless
from cosemic.server.logical_device import Happening, LogicalDevice
from cosemic.server.objects import AccessRefused, Situation
from cosemic.server.push.attempts import Chance
from cosemic.server.push.destination import CARRIED, LONGEST, destination_of
from cosemic.server.push.process import PushProcess
from cosemic.server.push.protection import general_of, push_protection
from cosemic.server.push.refusal import PushRefused
from cosemic.server.push.selection import PushObject, can_be
from cosemic.server.push.windows import MOST_WINDOWS, is_window
from cosemic.values import DataAccessResult, DateTime, Obis

NOWHERE: Final = SendDestinationAndMethod(TransportService.TCP, b"", PushMessage.A_XDR_APDU)
ANY_PORT: Final = Obis(bytes(6))
ANY_DATE: Final = DateTime.of()
UNCONFIRMED: Final = PushConfirmationParameters(ANY_DATE, 0)
MANAGEMENT_CLIENT: Final = 1
MOST_OBJECTS: Final = 255
GeneralFor = Callable[[AdmittedClient], GeneralProtection | None]
_VERSIONS: Final = {0: PushSetupVersion0, 1: PushSetupVersion1, 2: PushSetupVersion2, 3: PushSetup}
_FIRST_WITH_CLIENT: Final = 1
_FIRST_WITH_CONFIRMATION: Final = 2
_LIST: Final = PushSetup.push_object_list.index
_MAKES_ANEW: Final = ("push_object_list", "push_client_SAP", "push_protection_parameters", "push_operation_method")
"""What the message is made of: a retry must not show values to somebody else, or with less protection."""


class PushSetupObject(KeptObject):
    """A push setup of a device.

    device: whose values it pushes. clock: its clock. version: 0 to 3. push_object_list: in the form of the version.
    repetition_delay: seconds; from version 2 on a PushRepetitionDelay, for which seconds stand where it does not grow.
    push_client_SAP: of version 0 too, where no client can read or write it. The other arguments are the attributes of
    that name; a version without one goes by what stands here as default. triggers: names of happenings of the device
    that make it push, such as ``alarm-raised`` and ``power-up``. writable: clients with the right to may write all.
    randomness: what delays are drawn from. dialect: ``intervals_stamped_at_end`` and that of notifications. general:
    gives the general protection towards the push client, for protection parameters that need it.

    Raises ConfigurationError.
    """

    def __init__(
        self,
        device: LogicalDevice,
        clock: ClockObject,
        instance_id: Obis | str = "0-0:25.9.0",
        push_object_list: Sequence[PushObject] = (),
        send_destination_and_method: SendDestinationAndMethod = NOWHERE,
        *,
        version: int = 3,
        communication_window: Sequence[WindowElement] = (),
        randomisation_start_interval: int = 0,
        number_of_retries: int = 0,
        repetition_delay: int | PushRepetitionDelay = 0,
        port_reference: Obis = ANY_PORT,
        push_client_SAP: int = MANAGEMENT_CLIENT,  # noqa: N803 - the standard's name
        push_protection_parameters: Sequence[ProtectionParametersElement] = (),
        push_operation_method: PushOperationMethod = PushOperationMethod.UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE,
        confirmation_parameters: PushConfirmationParameters = UNCONFIRMED,
        triggers: Collection[str] = (),
        writable: bool = True,
        randomness: Chance | None = None,
        dialect: Dialect = STANDARD,
        general: GeneralFor = general_of,
    ) -> None:
        if version not in _VERSIONS:
            raise ConfigurationError(f"Push setup has versions 0 to 3, not {version}")
        if isinstance(repetition_delay, int) and version >= _FIRST_WITH_CONFIRMATION:
            repetition_delay = PushRepetitionDelay(repetition_delay, 100, repetition_delay)
        self._device = device
        self.general = general
        self._client_sap = push_client_SAP
        self._triggers = frozenset(triggers)
        values: dict[str, Any] = {
            "push_object_list": tuple(push_object_list),
            "send_destination_and_method": send_destination_and_method,
            "communication_window": tuple(communication_window),
            "randomisation_start_interval": randomisation_start_interval,
            "number_of_retries": number_of_retries,
            "repetition_delay": repetition_delay,
        }
        methods = {"push": lambda _, situation: self.push(situation.now)}
        if version >= _FIRST_WITH_CLIENT:
            values |= {
                "port_reference": port_reference,
                "push_client_SAP": push_client_SAP,
                "push_protection_parameters": tuple(push_protection_parameters),
            }
        written = tuple(values)
        if version >= _FIRST_WITH_CONFIRMATION:
            values |= {
                "push_operation_method": push_operation_method,
                "confirmation_parameters": confirmation_parameters,
            }
            written = tuple(values)
            values["last_confirmation_date_time"] = ANY_DATE
            methods["reset"] = lambda _, situation: self._reset()
        super().__init__(_VERSIONS[version](instance_id), values, writable=written if writable else (), methods=methods)
        self.process = PushProcess(self, device, clock, Random() if randomness is None else randomness, dialect)
        """What is under way."""
        device.run(self.process, Order.SUPERVISING)
        device.listeners.append(self._happened)
        device.outbox.sources.append(self)

    # ---- what it is set to, in any version --------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Version of the class."""
        return self.interface.version

    @property
    def port_reference(self) -> Obis:
        """Logical name of the port; all zero: any."""
        found: Obis = self._of(_FIRST_WITH_CLIENT, "port_reference", ANY_PORT)
        return found

    @property
    def protection_parameters(self) -> tuple[ProtectionParametersElement, ...]:
        """Layers of protection."""
        found: tuple[ProtectionParametersElement, ...] = self._of(_FIRST_WITH_CLIENT, "push_protection_parameters", ())
        return found

    @property
    def operation_method(self) -> PushOperationMethod:
        """What counts as delivered."""
        usual = PushOperationMethod.UNCONFIRMED_RETRY_ON_LOWER_LAYER_FAILURE
        return PushOperationMethod(self._of(_FIRST_WITH_CONFIRMATION, "push_operation_method", usual))

    @property
    def confirmation_parameters(self) -> PushConfirmationParameters:
        """From when on data waits for confirmation, and for how long."""
        found: PushConfirmationParameters = self._of(_FIRST_WITH_CONFIRMATION, "confirmation_parameters", UNCONFIRMED)
        return found

    @property
    def configured(self) -> bool:
        """Whether a push has somewhere to go, and something to tell."""
        return bool(self.value("push_object_list") and self.value("send_destination_and_method").destination)

    def push_client(self) -> AdmittedClient:
        """Return the client that is pushed to. Raises PushRefused where the device does not let it in."""
        sap = self._of(_FIRST_WITH_CLIENT, "push_client_SAP", self._client_sap)
        client = self._device.client(sap)
        if client is None:
            raise PushRefused(
                f"this device has no association for client {sap}: set push_client_SAP to one that it has"
            )
        return client

    def _of(self, version: int, name: str, usual: Any) -> Any:
        return self.value(name) if self.version >= version else usual

    # ---- what triggers it -------------------------------------------------------------------------------------------

    def push(self, at: dt.datetime) -> None:
        """Push what is listed. Raises AccessRefused where nothing is; StoreError."""
        refuse_unless(bool(self.value("push_object_list")))
        self.process.trigger(at)

    def _reset(self) -> None:
        self.keep("last_confirmation_date_time", ANY_DATE)
        self.process.reset()

    def _happened(self, happening: Happening) -> None:
        if happening.name in ("power-down", "power-up"):
            self.process.power(happening.name == "power-up")
        if happening.name in self._triggers and self.value("push_object_list"):
            self.process.trigger(happening.at)

    # ---- attributes -------------------------------------------------------------------------------------------------

    def check(self, name: str, value: Any, at: dt.datetime | None) -> None:
        """Refuse what could not be pushed whenever that is; see the module's table. Raises AccessRefused."""
        match name:
            case "push_object_list":
                refuse_unless(len(value) <= MOST_OBJECTS and all(map(can_be, value)))
                refuse_unless(at is None or all(map(self._is_there, value)))
            case "send_destination_and_method":
                refuse_unless(len(value.destination) <= LONGEST)
                if value.destination and value.transport_service in CARRIED and value.message == PushMessage.A_XDR_APDU:
                    self._refuse_if_refused(at, lambda: destination_of(value))
            case "communication_window":
                refuse_unless(len(value) <= MOST_WINDOWS and all(map(is_window, value)))
            case "push_client_SAP":
                refuse_unless(value > 0 and (at is None or self._device.client(value) is not None))
            case "push_protection_parameters" if at is not None:
                self._refuse_if_refused(at, lambda: self._protection(value))
            case "push_operation_method":
                refuse_unless(value in list(PushOperationMethod))
            case "confirmation_parameters":
                refuse_unless(_is_start(value.confirmation_start_date))

    def _refuse_if_refused(self, at: dt.datetime | None, look: Callable[[], object]) -> None:
        try:
            look()
        except PushRefused as refused:
            if at is not None:
                self._device.tell("push-setup-refused", at, obis=self.instance_id, reason=str(refused))
            refuse()

    def _protection(self, elements: Sequence[ProtectionParametersElement]) -> Protection:
        client = self.push_client()
        return push_protection(client, elements, self.general(client))

    def _is_there(self, pushed: PushObject) -> bool:
        try:
            served = self._device.object_for(self.push_client(), pushed.class_id, pushed.logical_name)
        except PushRefused:
            served = self._device.object(pushed.class_id, pushed.logical_name)
        return served is not None and pushed.attribute_index in (0, *served.readable)

    def write(
        self,
        attribute_id: int,
        selection: SelectiveAccessDescriptor | None,
        value: EncodedData,
        situation: Situation,
    ) -> None:
        """Write an attribute if it takes the value, and the client may read what is pushed. Raises AccessRefused."""
        if attribute_id == _LIST and attribute_id in self.writable and selection is None:
            listed = self._decode(self.interface.attributes[_LIST].type, value)
            known = {(one.class_id, one.logical_name, one.attribute_index) for one in self.value("push_object_list")}
            for one in listed:
                wanted = one.class_id, one.logical_name, one.attribute_index
                if wanted not in known and not self._may_read(situation, *wanted):
                    raise AccessRefused(DataAccessResult.READ_WRITE_DENIED)
        super().write(attribute_id, selection, value, situation)

    def _may_read(self, situation: Situation, class_id: int, name: Obis, attribute: int) -> bool:
        """Whether the client that asks may itself read what it wants pushed."""
        rights, served = self._device.rights_of(situation, class_id, name), self._device.object(class_id, name)
        if rights is None or served is None or attribute not in (0, *served.readable):
            return True  # another object asks, or there is nothing to read
        return all(rights.attribute(one).readable for one in (served.readable if attribute == 0 else (attribute,)))

    def taken(self, name: str, at: dt.datetime) -> None:
        """Go by the new value from the next attempt on."""
        if name in _MAKES_ANEW:
            self.process.make_anew()
        elif name == "communication_window":
            self.process.replan(at)

    def restore(self) -> None:
        """Take up what was written, and what is under way. Raises StoreError."""
        super().restore()
        self.process.restore()


def _is_start(stamp: DateTime) -> bool:
    """Whether a date-time is one moment, or not specified at all."""
    try:
        return stamp.is_unspecified or stamp.to_datetime(dt.UTC) is not None
    except DecodeError:
        return False
