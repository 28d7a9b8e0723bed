"""One meter as procedures see it: reading and writing with the meaning of values, and what was learnt of the meter.

A procedure yields steps (:mod:`cosemic.client.steps`) and is given their results; errors are raised into it. Drivers
(asyncio, blocking) run it; it never sees a socket or a clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, overload

from cosemic.association.requests import Request
from cosemic.client.answers import decoded, denied, parameters_of, returned, scaler_unit
from cosemic.client.associating import transferred
from cosemic.client.inbox import Inbox
from cosemic.client.layered import Layers, in_layers
from cosemic.client.procedures.captured import CapturedProfile
from cosemic.client.procedures.reading import read_out
from cosemic.client.recovery import STANDARD, Recovery, repeated
from cosemic.client.scaling import Readable, raw_value, scaler_of
from cosemic.client.steps import Procedure
from cosemic.client.viewing import MethodTarget as MethodTarget
from cosemic.client.viewing import Target as Target
from cosemic.client.viewing import Viewing
from cosemic.codec import DataType, EncodedData, Typed
from cosemic.errors import ActionFailed, CosemicError, DataAccessError, EncodeError, ServiceFailed
from cosemic.model import (
    AccessSelection,
    AssociationLN,
    AssociationSN,
    AttributeReference,
    ImageTransfer,
    MethodReference,
    ProfileGeneric,
    ScalerUnit,
)
from cosemic.model.common import SimpleValue
from cosemic.model.types import is_typed
from cosemic.stack import ClientStack, Poll
from cosemic.store.security_settings import SecuritySettings
from cosemic.values import DataAccessResult, Obis, Quantity

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
Sendable = EncodedData | Typed
"""A value with the type in which it is to be sent."""
_SIMPLE: Final = frozenset((int, float, str, bytes))


class Session(Viewing):
    """A meter: the association with it, and what was learnt of it (object list, scalers, columns of profiles)."""

    def __init__(
        self,
        security: SecuritySettings,
        stack: Callable[[], ClientStack],
        zone: dt.tzinfo,
        recovery: Recovery = STANDARD,
    ) -> None:
        super().__init__(security, stack, zone, recovery)
        self.load_profiles: tuple[Obis, ...] = ()
        """Those that the settings of a known meter name."""
        self.inbox = Inbox()
        """Notifications that have come and nobody has taken yet."""

    def forget(self) -> None:
        """Forget what was learnt: another meter may answer at this address."""
        super().forget()
        self.view = None
        self.scalers: dict[AttributeReference[ScalerUnit], ScalerUnit | None] = {}
        self.profiles: dict[Obis, CapturedProfile] = {}

    # ---- reading ----------------------------------------------------------------------------------------------------

    def get(
        self, target: Target, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Procedure[EncodedData]:
        """Read one attribute, or a part of it, as it was sent. layers: as of :meth:`read`. Raises DataAccessError."""
        if layers is not None:
            return (yield from in_layers(self, layers, self.get(target, selection)))
        if not isinstance(target, AttributeReference):
            target = yield from self.attribute(target)
        return (yield from self.get_attribute(target, selection))

    @overload
    def read(
        self,
        target: AttributeReference[SimpleValue],
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Procedure[Readable]: ...
    @overload
    def read(
        self, target: AttributeReference[T], selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Procedure[T]: ...
    @overload
    def read(
        self, target: str | Obis, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Procedure[Any]: ...
    def read(
        self, target: Target, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Procedure[Any]:
        """Read one attribute: a Quantity where it has scaler and unit, else what its class says it is.

        target: ``"1-0:1.8.0"`` (its class is looked up in the association view), ``"3/1-0:1.8.0*255:2"``, or a
            reference, whose type is that of the value: ``Clock("0-0:1.0.0").time``.
        selection: a part of it; see :mod:`cosemic.client.selections`.
        layers: of general protection around what is asked, ``"sign+cipher:one-pass"``; None: those of the settings
            (:mod:`cosemic.security.general.plan_text`).

        Raises DataAccessError.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.read(target, selection)))
        if selection is None:
            return (yield from self.read_many([target]))[0]
        reference = yield from self.attribute(target)
        return decoded(reference, (yield from self.get_attribute(reference, selection)))

    def read_many(self, targets: Sequence[Target], *, layers: Layers | None = None) -> Procedure[list[Any]]:
        """Read several attributes, in lists where the meter agrees to them; each as by :meth:`read`.

        Raises DataAccessError for the first that is refused.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.read_many(targets)))
        references: list[AttributeReference[Any]] = []
        for target in targets:
            references.append((yield from self.attribute(target)))  # noqa: PERF401 - a comprehension cannot yield
        values = yield from read_out(self, references)
        for value in values:
            if isinstance(value, CosemicError):
                raise value
        return values

    # ---- changes ----------------------------------------------------------------------------------------------------

    @overload
    def write(
        self,
        target: AttributeReference[SimpleValue],
        value: Readable | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Procedure[None]: ...
    @overload
    def write(
        self,
        target: AttributeReference[T],
        value: T | Sendable,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Procedure[None]: ...
    @overload
    def write(
        self,
        target: str | Obis,
        value: object,
        selection: AccessSelection | None = None,
        *,
        layers: Layers | None = None,
    ) -> Procedure[None]: ...
    def write(
        self, target: Target, value: object, selection: AccessSelection | None = None, *, layers: Layers | None = None
    ) -> Procedure[None]:
        """Write one attribute, or a part of it.

        value: as its class wants it; where a class leaves the type open, a number or text is sent in the type that the
            value has at present, which is read first; a Quantity for a register, whose scaler and unit are read too;
            ``(DataType, value)``; or EncodedData, sent as it is.
        layers: as of :meth:`read`.

        Raises EncodeError for a value that does not fit, and for a Quantity that is not a whole number in the scaler of
        the register; DataAccessError; OutcomeUnknown where no answer came.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.write(target, value, selection)))
        reference = yield from self.attribute(target)
        return (yield from self.set_attribute(reference, (yield from self.encoded(reference, value)), selection))

    def write_many(self, values: Sequence[tuple[Target, object]], *, layers: Layers | None = None) -> Procedure[None]:
        """Write several attributes, in lists where the meter agrees to them; pairs of target and value, in this order.

        All are tried: the DataAccessError for the first that is refused says in a note which others were. Raises
        EncodeError before anything is written; OutcomeUnknown where no answer came.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.write_many(values)))
        references: list[AttributeReference[Any]] = []
        octets: list[EncodedData] = []
        for target, value in values:
            reference = yield from self.attribute(target)
            references.append(reference)
            octets.append((yield from self.encoded(reference, value)))
        results = yield from self.set_many(references, octets)
        refused = [
            denied("write", reference, result)
            for reference, result in zip(references, results, strict=True)
            if result != DataAccessResult.SUCCESS
        ]
        return _raise_first(refused, len(references))

    @overload
    def call(
        self, target: MethodReference[P, R], value: P | EncodedData | None = None, *, layers: Layers | None = None
    ) -> Procedure[R]: ...
    @overload
    def call(self, target: str, value: object = None, *, layers: Layers | None = None) -> Procedure[Any]: ...
    def call(self, target: MethodTarget, value: Any = None, *, layers: Layers | None = None) -> Procedure[Any]:
        """Invoke a method; returns what it returns, None for nothing.

        value: its parameter; may be left out where it is a constant, as in ``reset``. layers: as of :meth:`read`.
        Raises ActionFailed, EncodeError; OutcomeUnknown where no answer came.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.call(target, value)))
        reference = yield from self.method(target)
        answer = yield from self.invoke(reference, parameters_of(reference, value))
        return returned(reference, answer)

    def call_many(
        self, calls: Sequence[tuple[MethodTarget, object]], *, layers: Layers | None = None
    ) -> Procedure[list[Any]]:
        """Invoke several methods, in lists where the meter agrees to them; pairs of target and parameter, in order.

        All are tried: the ActionFailed for the first that failed says in a note which others did. Raises EncodeError
        before anything is sent; OutcomeUnknown where no answer came.
        """
        if layers is not None:
            return (yield from in_layers(self, layers, self.call_many(calls)))
        references: list[MethodReference[Any, Any]] = []
        for target, _ in calls:
            references.append((yield from self.method(target)))
        parameters = [parameters_of(one, value) for one, (_, value) in zip(references, calls, strict=True)]
        answers = yield from self.invoke_many(references, parameters)
        results: list[Any] = []
        failed: list[ServiceFailed] = []
        for reference, answer in zip(references, answers, strict=True):
            try:
                results.append(returned(reference, answer))
            except (ActionFailed, DataAccessError) as error:
                failed.append(error)
        _raise_first(failed, len(references))
        return results

    def send_unconfirmed(
        self, request: Request, subject: AttributeReference[Any] | MethodReference[Any, Any]
    ) -> Procedure[None]:
        """Send what changes a subject and is not answered, as soon as the association stands."""
        self._unlearn(subject.class_id, subject.instance_id)
        yield from repeated(self.recovery.reading, self._stand)
        yield from transferred(request, self.short_names)

    def _change(
        self, request: Request, *subjects: AttributeReference[Any] | MethodReference[Any, Any]
    ) -> Procedure[Any]:
        for one in subjects:
            self._unlearn(one.class_id, one.instance_id)
        return super()._change(request, *subjects)

    def _unlearn(self, class_id: int, instance_id: Obis) -> None:
        """Forget what was learnt of an object that is about to be changed; of all, where it may be the firmware."""
        if class_id == ImageTransfer.class_id:
            self.forget_view()
            self.scalers.clear()
            self.profiles.clear()
        for known in [one for one in self.scalers if (one.class_id, one.instance_id) == (class_id, instance_id)]:
            del self.scalers[known]
            self.profiles.clear()  # their columns may have it
        if class_id == ProfileGeneric.class_id:
            self.profiles.pop(instance_id, None)
        elif class_id in (AssociationLN.class_id, AssociationSN.class_id):
            self.forget_view()

    def encoded(self, reference: AttributeReference[Any], value: Any) -> Procedure[EncodedData]:
        """Return a value as it is to be written; see :meth:`write`. Raises EncodeError."""
        if isinstance(value, EncodedData):
            return value
        if not isinstance(value, Quantity):
            try:
                if is_typed(value):
                    EncodedData.from_typed(value)  # fits its own type, before it is held against that of the attribute
                return EncodedData.from_typed(reference.encode(value))
            except EncodeError:
                if type(value) not in _SIMPLE or len(reference.attribute.type.tags()) < 2:
                    raise
                # Of several types that fit, it is the one that the present value has.
                present = yield from self.result_of(reference)
                if not isinstance(present, EncodedData) or present.type is DataType.NULL_DATA:
                    raise
            return EncodedData.of(present.type, value)
        scaler = scaler_of(reference)
        sent: EncodedData | DataAccessResult | None = None
        if scaler is not None:
            sent, found = yield from self.get_many([reference, scaler])
            self.scalers[scaler] = scaler_unit(scaler, found)
        return raw_value(reference, value, self.scalers.get(scaler) if scaler else None, sent)

    # ---- what the meter says by itself ------------------------------------------------------------------------------

    def poll(self) -> Procedure[None]:
        """Give the turn to a meter that may not send by itself (HDLC, M-Bus): what it holds back becomes notifications.

        TriggerEventNotification of IEC 62056-5-3. Raises AssociationError on links where a meter sends whenever it
        likes.
        """
        yield Poll()


def _raise_first(errors: Sequence[ServiceFailed], asked: int) -> None:
    if errors:
        first, *others = errors
        text = "".join(f"; {one}" for one in others)
        first.add_note(
            f"{asked - len(errors)} of {asked} were done; refused{text and ' too'}{text or ': this one alone'}"
        )
        raise first
