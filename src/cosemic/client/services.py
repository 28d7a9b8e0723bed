"""The association with one meter, and the services on it: GET, SET, ACTION, single and in lists (IEC 62056-5-3, 9.3).

Every service says what it means where the meter refuses, and follows the rules of :mod:`cosemic.client.recovery`:
reading is repeated, a change is not. A call that finds the association lost opens it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptorWithSelection,
)
from cosemic.association.layered_room import layered_room
from cosemic.association.requests import (
    Access,
    Accessed,
    Action,
    ActionList,
    Get,
    GetList,
    PassOn,
    Request,
    Set,
    SetList,
)
from cosemic.association.settings import plain_room
from cosemic.client.answers import denied, unanswered
from cosemic.client.associating import Associating, transferred
from cosemic.client.descriptors import attribute_descriptor, method_descriptor, selective_access
from cosemic.client.layered import Layers, in_layers
from cosemic.client.lists import ACCESSING, CHANGING, ENTRY, LIST_LENGTH, METHOD, READING, Form, cut, reads_by_access
from cosemic.client.recovery import repeated
from cosemic.client.steps import Procedure
from cosemic.codec import EncodedData
from cosemic.errors import (
    DataAccessError,
    DecodeError,
    ExceptionReceived,
    OutcomeUnknown,
)
from cosemic.model import AccessSelection, AttributeReference, MethodReference
from cosemic.values import Conformance, DataAccessResult, lookup

T = TypeVar("T")


class Services(Associating):
    """An association and what can be asked on it.

    stack: makes the stack of a new connection. zone: of the meter, for stamps without deviation and for naive times
    given. recovery: what is repeated.
    """

    # ---- reading ----------------------------------------------------------------------------------------------------

    def get_attribute(
        self, reference: AttributeReference[Any], selection: AccessSelection | None = None
    ) -> Procedure[EncodedData]:
        """GET one attribute, or a part of it, as it is sent. Raises DataAccessError."""
        request = Get(attribute_descriptor(reference), None if selection is None else selective_access(selection))
        return repeated(self.recovery.reading, lambda anew: self._get(request, reference, anew))

    def _get(self, request: Get, reference: AttributeReference[Any], anew: bool) -> Procedure[EncodedData]:
        if anew or not self.usable:
            yield from self._stand(anew)
        if self.settings.rights is not None:
            self.check_rights(request)
        try:
            result = yield from transferred(request, self.short_names)
        except ExceptionReceived as error:
            result = yield from self._counter_refused(request, error)
        if not isinstance(result, EncodedData):
            raise denied("read", reference, result)
        return result

    def get_many(
        self, references: Sequence[AttributeReference[Any]]
    ) -> Procedure[list[EncodedData | DataAccessResult]]:
        """GET several attributes in as few requests as the meter agrees to; a refusal stands where a value would."""
        yield from repeated(self.recovery.reading, self._stand)
        if len(references) > 1 and self.settings.rights is not None:
            return (yield from self._get_permitted(references))
        return (yield from self._get_many(references))

    def _get_permitted(
        self, references: Sequence[AttributeReference[Any]]
    ) -> Procedure[list[EncodedData | DataAccessResult]]:
        """Leave out what would be refused for its protection, so that a list is not refused for one of them."""
        permitted = [not self.lacking(Get(attribute_descriptor(one))) for one in references]
        asked = [one for one, may in zip(references, permitted, strict=True) if may]
        found = iter((yield from self._get_many(asked)) if asked else ())
        return [next(found) if may else DataAccessResult.READ_WRITE_DENIED for may in permitted]

    def _get_many(
        self, references: Sequence[AttributeReference[Any]]
    ) -> Procedure[list[EncodedData | DataAccessResult]]:
        results: list[EncodedData | DataAccessResult] = []
        by_access = reads_by_access(self.agreed, protected=self._protected)
        for part in self._lists(references, [ENTRY] * len(references), ACCESSING if by_access else READING):
            if len(part) == 1:
                results.append((yield from self.result_of(part[0])))
                continue
            names = map(attribute_descriptor, part)
            try:
                if by_access:
                    found = yield from self._accessed(tuple(map(Get, names)))
                else:
                    entries = tuple(map(CosemAttributeDescriptorWithSelection, names))
                    found = yield from repeated(self.recovery.reading, partial(self._ask, GetList(entries)))
            except DecodeError:
                # Some servers end the list at the first object that they do not have: asked singly, they answer.
                for one in part:
                    results.append((yield from self.result_of(one)))  # noqa: PERF401 - a comprehension cannot yield
                continue
            for one, result in zip(part, found, strict=True):
                again = result == DataAccessResult.TEMPORARY_FAILURE
                results.append((yield from self.result_of(one)) if again else result)
        return results

    def _accessed(self, entries: tuple[Get, ...]) -> Procedure[list[EncodedData | DataAccessResult]]:
        """Read by ACCESS; what the answer had no room for can be asked for singly, and in blocks."""
        results: list[Any] = []
        for result, data in (yield from self.access_entries(Access(entries))).results:
            if result == DataAccessResult.OTHER_REASON:
                results.append(DataAccessResult.TEMPORARY_FAILURE)
            else:
                results.append(data if result == DataAccessResult.SUCCESS else result)
        return results

    def access_entries(
        self, request: Access, *changed: AttributeReference[Any] | MethodReference[Any, Any]
    ) -> Procedure[Accessed]:
        """ACCESS; changed: what is to be set or invoked. OutcomeUnknown where there is any and no answer came."""
        if changed:
            return self._change(request, *changed)
        return repeated(self.recovery.reading, partial(self._ask, request))

    def result_of(self, reference: AttributeReference[Any]) -> Procedure[EncodedData | DataAccessResult]:
        """GET one attribute; a refusal is a result too."""
        try:
            return (yield from self.get_attribute(reference))
        except DataAccessError as error:
            return lookup(DataAccessResult)[error.code]  # type: ignore[return-value]  # an int where it has no name

    # ---- changes ----------------------------------------------------------------------------------------------------

    def set_attribute(
        self, reference: AttributeReference[Any], value: EncodedData, selection: AccessSelection | None = None
    ) -> Procedure[None]:
        """SET one attribute, or a part of it. Raises DataAccessError; OutcomeUnknown where no answer came."""
        chosen = None if selection is None else selective_access(selection)
        result = yield from self._change(Set(attribute_descriptor(reference), value, chosen), reference)
        if result != DataAccessResult.SUCCESS:
            raise denied("write", reference, result)

    def set_many(
        self, references: Sequence[AttributeReference[Any]], values: Sequence[EncodedData]
    ) -> Procedure[list[DataAccessResult]]:
        """SET several attributes in as few requests as the meter agrees to; OutcomeUnknown where no answer came."""
        yield from repeated(self.recovery.reading, self._stand)
        results: list[DataAccessResult] = []
        pairs = list(zip(references, values, strict=True))
        for part in self._lists(pairs, [ENTRY + len(value.octets) for _, value in pairs], CHANGING):
            some = tuple(reference for reference, _ in part)
            octets = tuple(value for _, value in part)
            if len(part) == 1:
                results.append((yield from self._change(Set(attribute_descriptor(some[0]), octets[0]), *some)))
            else:
                entries = tuple(CosemAttributeDescriptorWithSelection(attribute_descriptor(one)) for one in some)
                results += yield from self._change(SetList(entries, octets), *some)
        return results

    def invoke(
        self, reference: MethodReference[Any, Any], parameters: EncodedData | None
    ) -> Procedure[ActionResponseWithOptionalData]:
        """ACTION on one method; returns the answer, whatever it is. OutcomeUnknown where none came."""
        return self._change(Action(method_descriptor(reference), parameters), reference)

    def invoke_many(
        self, references: Sequence[MethodReference[Any, Any]], parameters: Sequence[EncodedData]
    ) -> Procedure[list[ActionResponseWithOptionalData]]:
        """ACTION on several methods in as few requests as the meter agrees to; OutcomeUnknown where no answer came."""
        yield from repeated(self.recovery.reading, self._stand)
        results: list[ActionResponseWithOptionalData] = []
        pairs = list(zip(references, parameters, strict=True))
        for part in self._lists(pairs, [METHOD + len(value.octets) for _, value in pairs], CHANGING):
            some = tuple(reference for reference, _ in part)
            octets = tuple(value for _, value in part)
            if len(part) == 1:
                results.append((yield from self.invoke(some[0], octets[0])))
            else:
                results += yield from self._change(ActionList(tuple(map(method_descriptor, some)), octets), *some)
        return results

    # ---- for third parties ------------------------------------------------------------------------------------------

    def pass_on(self, apdu: bytes, *, layers: Layers | None = None) -> Procedure[bytes]:
        """Hand on what a third party has protected for the meter, inside layers of our own; return what it gets back.

        apdu: general-ciphering or general-signing of one of ``brokers_for``. layers: ours; None: those of the settings.
        Only the third party knows what was asked: OutcomeUnknown where no answer came. Raises ConfigurationError,
        DecodeError for what is no such APDU; PolicyViolation, SecurityError.
        """
        ask = repeated(self.recovery.reading, partial(self._ask, PassOn(bytes(apdu))))
        octets: bytes = yield from in_layers(self, layers, ask)
        return octets

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _change(
        self, request: Request, *subjects: AttributeReference[Any] | MethodReference[Any, Any]
    ) -> Procedure[Any]:
        """Ask for a change; again only where it is known that nothing was sent."""
        try:
            return (yield from repeated(self.recovery.reading, partial(self._ask, request)))
        except OutcomeUnknown as error:
            raise unanswered(subjects, error) from error.__cause__

    def _ask(self, request: Request, anew: bool) -> Procedure[Any]:
        if anew or not self.usable:
            yield from self._stand(anew)
        if self.settings.rights is not None:
            self.check_rights(request)
        try:
            return (yield from transferred(request, self.short_names))
        except (ExceptionReceived, OutcomeUnknown) as error:
            return (yield from self._counter_refused(request, error))

    def standing(self) -> Procedure[Conformance]:
        """Have the association stand; return what was agreed. Raises what keeps it from being opened."""
        yield from repeated(self.recovery.reading, self._stand)
        return self.agreed

    def _stand(self, anew: bool) -> Procedure[None]:
        """Have the association stand: it is opened where it was lost or is of no use, or a new connection is wanted."""
        if anew or (self.recovery.reopen and not self.usable):
            yield from self.open()

    def _lists(self, items: Sequence[T], sizes: Sequence[int], form: Form) -> Iterator[Sequence[T]]:
        """Cut items into parts for one request each, of one where no lists are agreed; sizes: in octets."""
        listed = form is ACCESSING or self.agreed & Conformance.MULTIPLE_REFERENCES
        return cut(items, sizes, form, LIST_LENGTH if listed else 1, self._room(general=form is ACCESSING))

    @property
    def _protected(self) -> bool:
        return self.settings.ciphered and bool(self.settings.protection)

    def _room(self, *, general: bool) -> int:
        """Octets that a request may have, before it is protected; general: in a general envelope whatever is set."""
        opened, settings = self.opened, self.settings
        if opened is None:
            return 0
        if self.third_party is not None:
            return self.third_party.room
        general = general or settings.general
        if not self.layers and not settings.layers:
            return plain_room(opened.max_pdu_size, protected=self._protected, general=general)
        room = self.room_to_pass_on
        return plain_room(max(room, 1), protected=True, general=True) if settings.sealed_inside else room

    @property
    def room_to_pass_on(self) -> int:
        """Octets that an APDU of a third party may have in the present association; 0: no limit."""
        opened, settings = self.opened, self.settings
        plan = self.layers or settings.layers
        if opened is None or plan is None or settings.material is None:
            return 0 if opened is None else opened.max_pdu_size
        return layered_room(opened.max_pdu_size, plan.layers, settings.system_title, settings.material.suite)
