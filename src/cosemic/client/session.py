"""What a client does with a meter, each thing written once: procedures as generators.

A procedure yields service requests of :mod:`cosemic.association.requests` and is given their results; errors are raised
into it. Drivers (asyncio, blocking) run it; it never sees a socket or a clock. What was learnt of the meter (its object
list, scalers, columns of profiles) is kept in the :class:`Session`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from typing import Any, Final, TypeVar

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemAttributeDescriptorWithSelection,
    CosemMethodDescriptor,
    SelectiveAccessDescriptor,
)
from cosemic.association.requests import Action, Get, GetList, Open, Opened, Release, Request, Set
from cosemic.association.settings import ClientSettings, plain_room
from cosemic.client.targets import attribute_target, method_target, subject
from cosemic.codec import EncodedData
from cosemic.dialect import DeviationSign
from cosemic.errors import (
    ActionFailed,
    ConfigurationError,
    CosemicError,
    DataAccessError,
    DecodeError,
    EncodeError,
    InvocationCounterError,
    ProtocolError,
    ResponseTimeout,
    ServiceFailed,
)
from cosemic.model import (
    AccessSelection,
    AssociationLN,
    AttributeReference,
    MethodReference,
    ProfileGeneric,
    Reading,
    Register,
    ScalerUnit,
    interface_class,
)
from cosemic.model.profile import LoadProfile
from cosemic.model.profile_columns import Column, clock_of, range_of, scaler_unit_of
from cosemic.security import TransmitCounter
from cosemic.stack import PUBLIC_CLIENT, ClientStack
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import ActionResult, Conformance, DataAccessResult, Obis, Quantity

T = TypeVar("T")
Procedure = Generator[Request, Any, T]
Target = str | Obis | AttributeReference[Any]

CURRENT_ASSOCIATION: Final = AssociationLN(Obis(bytes((0, 0, 40, 0, 0, 255))))
LIST_LENGTH: Final = 16
"""Attributes asked for in one request, where the meter agrees to lists, and where so many fit."""
_ENTRY: Final = 10
"""Octets of an attribute in a list, without selection."""
_ADVICE: Final = {
    DataAccessResult.READ_WRITE_DENIED: "this client has no right to it: use another client SAP or more security",
    DataAccessResult.OBJECT_UNDEFINED: "the meter has no such object: see what `objects` lists",
    DataAccessResult.OBJECT_CLASS_INCONSISTENT: "the object is of another class: see what `objects` lists",
    DataAccessResult.OBJECT_UNAVAILABLE: "the object is not there at the moment",
    DataAccessResult.TYPE_UNMATCHED: "the value has another type than the meter wants",
    DataAccessResult.SCOPE_OF_ACCESS_VIOLATED: "the meter does not take this selection or access",
    DataAccessResult.TEMPORARY_FAILURE: "try again later",
    DataAccessResult.HARDWARE_FAULT: "the meter reports a fault of its own",
}


class Session:
    """One meter as a client knows it: how to open it, and what was learnt of it.

    stack: carries the requests. zone: of the meter, for stamps without deviation and for naive times given.
    """

    def __init__(self, security: SecuritySettings, stack: ClientStack, zone: dt.tzinfo) -> None:
        self.settings: ClientSettings = security.client
        self.stack = stack
        self.zone = zone
        self.opened: Opened | None = None
        self._client_sap, self._server_sap = stack.client_sap, stack.server_sap
        self._objects: list[Any] | None = None
        self._scalers: dict[AttributeReference[ScalerUnit], ScalerUnit | None] = {}
        self._columns: dict[Obis, tuple[tuple[Column, ...], int, int]] = {}
        self._public_value: tuple[int | None] | None = None
        """What the public client read as invocation counter; None before it was asked."""
        self.asked_first = False
        """The public client was asked on this connection. Some meters close it then: connect anew, and open at once."""

    def connected_anew(self, stack: ClientStack) -> None:
        """Go on with a fresh stack, on another connection."""
        self.stack = stack

    # ---- the association --------------------------------------------------------------------------------------------

    def open(self) -> Procedure[Opened]:
        """Open the association; a counter that is not known is read through the public client first."""
        self.opened = None
        self.asked_first = False
        transmit: TransmitCounter | None = None
        trying = False
        hint: InvocationCounterError | None = None
        if self.settings.uses_counters:
            context = self.settings.context()
            assert context is not None
            transmit = context.transmit
            if not transmit.known:
                if self._public_value is None:
                    self.asked_first = True
                    self._public_value = ((yield from self._public_counter()),)
                (value,) = self._public_value
                try:
                    if value is not None:
                        # What is read may be the last value used or the next one accepted: one more fits both.
                        trying = transmit.start_from(value + 1)
                except InvocationCounterError as error:
                    hint = error  # it was tried before, in vain: the own value may be right
        try:
            opened: Opened = yield Open()
            self.opened = opened
        except CosemicError as error:
            if hint is not None:
                error.add_note(f"the invocation counter read through the public client was not used: {hint}")
            raise
        finally:
            if transmit is not None and trying and self.opened is None:
                transmit.abandon()
        return opened

    def _public_counter(self) -> Procedure[int | None]:
        """Read the invocation counter as public client; None where the meter does not show it."""
        public = ClientSettings(response_timeout=self.settings.response_timeout, dialect=self.settings.dialect)
        value: object = None
        try:
            self.stack.use(public, PUBLIC_CLIENT, self._server_sap)
            yield Open()
            try:
                found = yield Get(CosemAttributeDescriptor(1, self.settings.invocation_counter, 2))
                value = found.value() if isinstance(found, EncodedData) else None
            except (ServiceFailed, ResponseTimeout, ProtocolError, DecodeError):
                value = None
            yield Release()
        except CosemicError:
            pass  # the own value is tried; where the connection is gone, the opening says so
        self.stack.use(self.settings, self._client_sap, self._server_sap)
        return value if type(value) is int and 0 <= value < 0xFFFFFFFE else None

    def release(self) -> Procedure[None]:
        """Release the association, where one stands."""
        if self.opened is not None and self.settings.dialect.release_request:
            self.opened = None
            yield Release()
        self.opened = None

    # ---- services ---------------------------------------------------------------------------------------------------

    def get(self, target: Target, selection: AccessSelection | None = None) -> Procedure[EncodedData]:
        """Read one attribute as it is sent. Raises DataAccessError."""
        reference = target if isinstance(target, AttributeReference) else attribute_target(target)
        result = yield Get(_descriptor(reference), None if selection is None else _selective(selection))
        if not isinstance(result, EncodedData):
            raise _denied("read", reference, result)
        return result

    def _get_many(
        self, references: Sequence[AttributeReference[Any]]
    ) -> Procedure[list[EncodedData | DataAccessResult]]:
        """Read several attributes in as few requests as the meter agrees to."""
        results: list[EncodedData | DataAccessResult] = []
        agreed = self.opened.conformance if self.opened is not None else Conformance(0)
        length = min(LIST_LENGTH, self._list_room() // _ENTRY)
        if len(references) > 1 and length > 1 and agreed & Conformance.MULTIPLE_REFERENCES:
            for at in range(0, len(references), length):
                part = references[at : at + length]
                results += yield GetList(tuple(CosemAttributeDescriptorWithSelection(_descriptor(one)) for one in part))
        else:
            for one in references:
                results.append((yield Get(_descriptor(one))))
        return results

    def _list_room(self) -> int:
        """Octets that the attributes of one list may take."""
        if self.opened is None:
            return 0
        protected = self.settings.ciphered and bool(self.settings.protection)
        room = plain_room(self.opened.max_pdu_size, protected=protected, general=self.settings.general)
        return max(room - 4, 0)

    def read(self, target: Target) -> Procedure[Any]:
        """Read one attribute: a Quantity where it has a scaler and unit, else what its class says it is."""
        return (yield from self.read_many([target]))[0]

    def read_many(self, targets: Sequence[Target]) -> Procedure[list[Any]]:
        """Read several attributes, as :meth:`read` does each. Raises DataAccessError for the first that is refused."""
        references: list[AttributeReference[Any]] = []
        for target in targets:
            reference = yield from self._resolve(target)
            references += (reference,)
        scalers = [_scaler_of(reference) for reference in references]
        wanted = list(dict.fromkeys(s for s in scalers if s is not None and s not in self._scalers))
        results = yield from self._get_many([*references, *wanted])
        for reference, found in zip(wanted, results[len(references) :], strict=True):
            self._scalers[reference] = _scaler_unit(reference, found)
        values: list[Any] = []
        for one, scaler, found in zip(references, scalers, results, strict=False):
            if not isinstance(found, EncodedData):
                raise _denied("read", one, found)
            value = _decoded(one, found)
            unit = self._scalers.get(scaler) if scaler is not None else None
            if unit is not None and isinstance(value, int | float) and not isinstance(value, bool):
                value = Quantity(value, unit.scaler, unit.unit)
            values.append(value)
        return values

    def write(self, target: Target, value: object) -> Procedure[None]:
        """Write one attribute; ``value`` as its class wants it, or EncodedData. Raises DataAccessError, EncodeError."""
        reference = yield from self._resolve(target)
        octets = value if isinstance(value, EncodedData) else EncodedData.from_typed(reference.encode(value))
        result = yield Set(_descriptor(reference), octets)
        if result != DataAccessResult.SUCCESS:
            raise _denied("write", reference, result)

    def call(self, target: str | MethodReference[Any, Any], value: object = None) -> Procedure[Any]:
        """Invoke a method; returns what it returns, None for nothing. Raises ActionFailed, EncodeError."""
        reference = method_target(target) if isinstance(target, str) else target
        if isinstance(value, EncodedData):
            parameters: EncodedData | None = value
        else:
            parameters = EncodedData.from_typed(reference.encode(value))
        descriptor = CosemMethodDescriptor(reference.class_id, reference.instance_id, reference.method_id)
        answer: ActionResponseWithOptionalData = yield Action(descriptor, parameters)
        if answer.result != ActionResult.SUCCESS:
            name = getattr(answer.result, "label", str(answer.result))
            raise ActionFailed(f"{reference}: {name} ({int(answer.result)})", int(answer.result), name, str(reference))
        returned = answer.return_parameters
        if isinstance(returned, EncodedData):
            return reference.decode(returned.typed()) if reference.method.returns is not None else returned.value()
        if returned is not None and returned != DataAccessResult.SUCCESS:
            raise _denied("call", reference, returned)
        return None

    # ---- the association view ---------------------------------------------------------------------------------------

    def objects(self, refresh: bool = False) -> Procedure[list[Any]]:
        """Return the object_list of the association: class_id, version, logical_name, access_rights of each object."""
        if self._objects is None or refresh:
            data = yield from self.get(CURRENT_ASSOCIATION.object_list)
            version = _association_version(data)
            known = interface_class(15, version) or AssociationLN
            # Field meters leave selectors and rights in other forms than declared: what can be told is kept.
            self._objects = list(known.attributes[2].decode(data.typed(), Reading(seen_also=True)))
        return self._objects

    def _resolve(self, target: Target) -> Procedure[AttributeReference[Any]]:
        """Find the attribute that is meant; a bare OBIS code is looked up in the association view."""
        if isinstance(target, AttributeReference):
            return target
        if isinstance(target, str) and "/" in target:
            return attribute_target(target)
        obis, attribute = subject(target)
        for entry in (yield from self.objects()):
            if entry.logical_name == obis:
                known = interface_class(entry.class_id, entry.version)
                declared = known.attributes.get(attribute) if known else None
                if declared is not None:
                    return AttributeReference(entry.class_id, obis, attribute, declared)
                return AttributeReference.of(entry.class_id, obis, attribute)
        raise DataAccessError(
            f"{obis} is not in the association view: see what `objects` lists, give security= (--security) for more "
            f"rights, or name its class (3/{obis})",
            int(DataAccessResult.OBJECT_UNDEFINED),
            DataAccessResult.OBJECT_UNDEFINED.label,
            str(obis),
        )

    # ---- profiles ---------------------------------------------------------------------------------------------------

    def load_profile(
        self, obis: Obis | str, since: dt.datetime | str, until: dt.datetime | str
    ) -> Procedure[LoadProfile]:
        """Read the intervals of a profile that lie in [since, until), with their meaning.

        Capture objects, scalers and units are learnt by reading them, once. Naive times are in the zone of the session.
        Raises DataAccessError for what the meter refuses, DecodeError for what is not as its class declares it.
        """
        begin, end = self._moment(since), self._moment(until)
        if begin >= end:
            raise ConfigurationError(f"since ({begin}) lies behind until ({end})")
        profile = ProfileGeneric(obis)
        columns, period, sort_method = yield from self.columns(profile)
        inverted = self.settings.dialect.deviation_sign is DeviationSign.INVERTED
        selection: AccessSelection | None = None
        agreed = self.opened.conformance if self.opened is not None else Conformance(0)
        if clock_of(columns) is not None and agreed & Conformance.SELECTIVE_ACCESS:
            selection = range_of(columns, begin, end, zone=self.zone, inverted_deviation=inverted)
        buffer = yield from self.get(profile.buffer, selection)
        return LoadProfile.from_buffer(
            buffer,
            columns,
            period,
            sort_method=sort_method,
            since=begin,
            until=end,
            zone=self.zone,
            inverted_deviation=inverted,
        )

    def columns(self, profile: ProfileGeneric) -> Procedure[tuple[tuple[Column, ...], int, int]]:
        """Learn what a profile captures: its columns with scaler and unit, capture_period (s) and sort_method.

        Raises DataAccessError for what the meter refuses, DecodeError for what is not as its class declares it.
        """
        known = self._columns.get(profile.instance_id)
        if known is not None:
            return known
        about = (profile.capture_objects, profile.capture_period, profile.sort_method)
        found = yield from self._get_many(about)
        sent: list[EncodedData] = []
        for reference, result in zip(about, found, strict=True):
            if not isinstance(result, EncodedData):
                raise _denied("read", reference, result)
            sent.append(result)
        captured = _declared(profile.capture_objects, sent[0])
        period = _declared(profile.capture_period, sent[1])
        # One that is not listed says nothing, and rows that have stamps are put in order by them.
        sort_method = int(profile.sort_method.decode(sent[2].typed(), Reading(seen_also=True)))
        scalers = [scaler_unit_of(one) for one in captured]
        wanted = list(dict.fromkeys(s for s in scalers if s is not None and s not in self._scalers))
        for scaler, result in zip(wanted, (yield from self._get_many(wanted)), strict=True):
            self._scalers[scaler] = _scaler_unit(scaler, result)
        columns = tuple(
            Column(one, self._scalers[scaler] if scaler is not None else None)
            for one, scaler in zip(captured, scalers, strict=True)
        )
        self._columns[profile.instance_id] = columns, period, sort_method
        return self._columns[profile.instance_id]

    def _moment(self, moment: dt.datetime | str) -> dt.datetime:
        if isinstance(moment, str):
            try:
                moment = dt.datetime.fromisoformat(moment)
            except ValueError:
                raise ConfigurationError(f"{moment!r} is no time: 2026-11-01, 2026-11-01T06:30+01:00") from None
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=self.zone)


def _descriptor(reference: AttributeReference[Any]) -> CosemAttributeDescriptor:
    return CosemAttributeDescriptor(reference.class_id, reference.instance_id, reference.attribute_id)


def _selective(selection: AccessSelection) -> SelectiveAccessDescriptor:
    return SelectiveAccessDescriptor(selection.selector, EncodedData.from_typed(selection.parameters))


def _scaler_of(reference: AttributeReference[Any]) -> AttributeReference[ScalerUnit] | None:
    """The attribute that holds scaler and unit of a value; None where it has none."""
    if reference.class_id == Register.class_id and reference.attribute_id == Register.value.index:
        return Register(reference.instance_id).scaler_unit
    return None


def _decoded(reference: AttributeReference[Any], data: EncodedData) -> Any:
    """A value for the user: as its class declares it; as sent where a meter in the field does otherwise."""
    try:
        return reference.decode(data.typed(), Reading(seen_also=True))
    except DecodeError:
        return data.value()


def _declared(reference: AttributeReference[T], data: EncodedData) -> T:
    """A value to work with: of the declared type, or another width of it, and within the limits of the declared one.

    Raises DecodeError for anything else.
    """
    value = reference.decode(data.typed(), Reading(seen_also=True))
    try:
        reference.encode(value)
    except EncodeError as error:
        raise DecodeError(str(error), path=reference.attribute.name) from None
    return value


def _scaler_unit(reference: AttributeReference[ScalerUnit], found: EncodedData | DataAccessResult) -> ScalerUnit | None:
    """Scaler and unit, where the meter gives them; without, a value stays the number that was sent."""
    if not isinstance(found, EncodedData):
        return None
    try:
        return _declared(reference, found)
    except DecodeError:
        return None


def _association_version(object_list: EncodedData) -> int | None:
    """Version of Association LN, from its own entry in the object_list: it says how rights are coded."""
    rows = object_list.value()
    if not isinstance(rows, list):
        raise DecodeError("an array of objects", path="object_list")
    versions = [row[1] for row in rows if isinstance(row, tuple) and len(row) > 2 and row[0] == AssociationLN.class_id]
    return versions[0] if versions and versions[0] in (0, 1, 2, 3) else 1


def _denied(what: str, reference: object, result: DataAccessResult | int) -> DataAccessError:
    label = getattr(result, "label", str(int(result)))
    advice = _ADVICE.get(result) if isinstance(result, DataAccessResult) else None
    text = f"{what} of {reference}: {label} ({int(result)})" + (f" - {advice}" if advice else "")
    return DataAccessError(text, int(result), label, str(reference))
