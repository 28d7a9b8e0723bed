"""What has to come of a request: a plain model of all services, written from the reference (7 to 16), not the code.

An outcome is the result, :class:`NotSent` where the client has to refuse before anything is sent, or :class:`Refused`
where the server has to, before anything is executed. All changes are made to a shelf of the oracle's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cosemic.apdu import CosemAttributeDescriptor, ParameterizedAccess, SelectiveAccessDescriptor
from cosemic.association.requests import (
    Access,
    Action,
    ActionList,
    Get,
    GetList,
    Read,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.codec import DataType, EncodedData
from cosemic.values import ActionResult, Conformance, DataAccessResult, Priority, ServiceClass
from tests.association.whole_layer_shelf import NULL, Device
from tests.association.whole_layer_terms import INFINITE, Terms, length_octets

C = Conformance
R = DataAccessResult
GET_BLOCKS, SET_BLOCKS = C.BLOCK_TRANSFER_WITH_GET_OR_READ, C.BLOCK_TRANSFER_WITH_SET_OR_WRITE
ACTION_BLOCKS = C.BLOCK_TRANSFER_WITH_ACTION
OF_ALL_GET, OF_ALL_SET = C.ATTRIBUTE0_SUPPORTED_WITH_GET, C.ATTRIBUTE0_SUPPORTED_WITH_SET
NO_BLOCKS = C(0)
HEAD = 3
"""Tag, kind, invoke-id."""
REFERENCE = 9
"""An attribute, or a method."""
LIST_ROOM = 6
"""What the server keeps for an answer with list beside its items."""


@dataclass
class NotSent(Exception):
    """The client refuses: this is not agreed upon, or too long."""

    why: str


@dataclass
class Refused(Exception):
    """The server refuses, with exception-response or confirmedServiceError."""

    label: str


def optional(selection: Any) -> int:
    """Octets of an optional selection."""
    return 1 if selection is None else 2 + len(selection.access_parameters.octets)


def total(values: Any) -> int:
    return sum(len(value.octets) for value in values)


class Oracle:
    """Says what has to come of each request in an association with these terms.

    careless: the client does not look at what was agreed.
    """

    def __init__(self, terms: Terms, device: Device) -> None:
        self.terms = terms
        self.device = device
        self.agreed = terms.agreed
        self.careless = False
        self._unagreed = False
        self._answered = True

    def outcome(self, request: Any, careless: bool = False) -> Any:
        """The result, None for an unconfirmed request, or an exception, which is returned."""
        self.careless, self._unagreed = careless, False
        service_class = getattr(request, "service_class", ServiceClass.CONFIRMED)
        unconfirmed = service_class is ServiceClass.UNCONFIRMED or isinstance(request, UnconfirmedWrite)
        self._answered = not unconfirmed
        try:
            if getattr(request, "priority", Priority.NORMAL) is Priority.HIGH and not careless:
                self._need(C.PRIORITY_MGMT_SUPPORTED)
            result = getattr(self, f"_{type(request).__name__.lower()}")(request)
        except NotSent as refused:
            return refused
        except Refused as refused:
            return None if unconfirmed else refused
        return None if unconfirmed else result

    # ---- rules ------------------------------------------------------------------------------------------------------

    def _need(self, bits: Conformance) -> None:
        missing = bits & ~self.agreed
        if missing and not self.careless:
            raise NotSent(f"{missing.names()} not agreed upon")
        self._unagreed = self._unagreed or bool(missing)

    def _need_for(self, attribute: CosemAttributeDescriptor, selection: Any, bit: Conformance) -> None:
        if not attribute.attribute_id:
            self._need(bit)
            if selection is not None:
                raise NotSent("attribute 0 in part")

    def _travels(self, octets: int, blocks: Conformance | None = None, header: int = 0, room: int = 0) -> None:
        """A request of so many octets, or in blocks of which the first has a header of so many."""
        room = room or self.terms.request_room
        if octets > room:
            if blocks is None:
                raise NotSent("too long")
            self._need(blocks)
            if not self._answered:
                raise NotSent("unconfirmed, in blocks")
            if room - header < 1:
                raise NotSent("too long even in blocks")
        if self._unagreed:
            raise Refused("service-not-supported")

    @property
    def _room(self) -> int:
        """Octets of an answer; nothing limits what nobody sees."""
        return self.terms.answer_room if self._answered else INFINITE

    def _too_long(self) -> Refused:
        return Refused("pdu-too-long" if self.terms.says_too_long else "other-reason")

    def _answerable(self, shortest: int, blocks: Conformance = NO_BLOCKS) -> None:
        """Nothing is executed whose bare results cannot be told."""
        if shortest > self._room and not self.agreed & blocks:
            raise self._too_long()

    def _told(self, octets: int, blocks: Conformance) -> bool:
        return octets <= self._room or bool(self.agreed & blocks)

    # ---- logical names ----------------------------------------------------------------------------------------------

    def _get(self, request: Get) -> Any:
        self._need(C.GET | (C.SELECTIVE_ACCESS if request.selection else C(0)))
        self._need_for(request.attribute, request.selection, OF_ALL_GET)
        self._travels(HEAD + REFERENCE + optional(request.selection))
        value = self.device.get(request.attribute, request.selection)
        if not isinstance(value, EncodedData) or self._told(HEAD + 1 + len(value.octets), GET_BLOCKS):
            return value
        if self.terms.says_too_long:
            raise self._too_long()
        return R.OTHER_REASON

    def _getlist(self, request: GetList) -> Any:
        entries = [(one.cosem_attribute_descriptor, one.access_selection) for one in request.attributes]
        self._need_list(C.GET, entries, OF_ALL_GET)
        self._travels(HEAD + 1 + sum(REFERENCE + optional(selection) for _, selection in entries))
        self._answerable(LIST_ROOM + 2 * len(entries), GET_BLOCKS)
        values = [self.device.get(*entry) for entry in entries]
        octets = sum(1 + len(one.octets) if isinstance(one, EncodedData) else 2 for one in values)
        if self._told(HEAD + 1 + octets, GET_BLOCKS):
            return values
        if self.terms.says_too_long:
            raise self._too_long()
        return [R.OTHER_REASON] * len(values)

    def _set(self, request: Set) -> Any:
        self._need(C.SET | (C.SELECTIVE_ACCESS if request.selection else C(0)))
        self._need_for(request.attribute, request.selection, OF_ALL_SET)
        header = HEAD + REFERENCE + optional(request.selection)
        self._travels(header + len(request.value.octets), SET_BLOCKS, header + 6)
        return self.device.set(request.attribute, request.selection, request.value)

    def _setlist(self, request: SetList) -> Any:
        entries = [(one.cosem_attribute_descriptor, one.access_selection) for one in request.attributes]
        self._need_list(C.SET, entries, OF_ALL_SET)
        header = HEAD + 1 + sum(REFERENCE + optional(selection) for _, selection in entries)
        octets = header + 1 + total(request.values)
        self._travels(octets, SET_BLOCKS, header + 6)
        in_blocks = octets > self.terms.request_room
        self._answerable(LIST_ROOM + len(entries) + 4 * in_blocks)
        return [self.device.set(*entry, value) for entry, value in zip(entries, request.values, strict=True)]

    def _need_list(self, service: Conformance, entries: list[Any], of_all: Conformance) -> None:
        self._need(service | C.MULTIPLE_REFERENCES)
        for attribute, selection in entries:
            self._need(C.SELECTIVE_ACCESS if selection else C(0))
            self._need_for(attribute, selection, of_all)

    def _action(self, request: Action) -> Any:
        self._need(C.ACTION)
        octets = len(request.parameters.octets) if request.parameters is not None else 0
        self._travels(HEAD + REFERENCE + 1 + octets, ACTION_BLOCKS, HEAD + REFERENCE + 6)
        answer = self._acted(request.method, request.parameters)
        fits = self._told(HEAD + _acted_octets(answer), ACTION_BLOCKS)
        return answer if fits else _without_data(answer)

    def _actionlist(self, request: ActionList) -> Any:
        self._need(C.ACTION | C.MULTIPLE_REFERENCES)
        count = len(request.methods)
        header = HEAD + 1 + REFERENCE * count
        self._travels(header + 1 + total(request.parameters), ACTION_BLOCKS, header + 6)
        self._answerable(LIST_ROOM + 4 * count, ACTION_BLOCKS)
        answers = [self._acted(*each) for each in zip(request.methods, request.parameters, strict=True)]
        fits = self._told(HEAD + 1 + sum(map(_acted_octets, answers)), ACTION_BLOCKS)
        return answers if fits else list(map(_without_data, answers))

    def _acted(self, method: Any, parameters: EncodedData | None) -> tuple[ActionResult, Any]:
        answer = self.device.action(method, parameters)
        return answer.result, answer.return_parameters

    def _access(self, request: Access) -> Any:
        self._need(C.ACCESS | (C.GENERAL_PROTECTION if self.terms.ciphered else C(0)))
        specified = data = 0
        for entry in request.entries:
            specified += 1 + REFERENCE
            if isinstance(entry, Action):
                data += len((entry.parameters or NULL).octets)
                continue
            self._need_for(entry.attribute, entry.selection, OF_ALL_GET if isinstance(entry, Get) else OF_ALL_SET)
            specified += optional(entry.selection) - 1
            data += len(entry.value.octets) if isinstance(entry, Set) else 1
        count = len(request.entries)
        octets = 1 + 4 + 1 + len(request.date_time) + 1 + specified + 1 + data
        self._travels(octets, room=self.terms.access_room)
        stamp = 1 + (12 if request.date_time else 0)
        echo = 1 + (1 + specified if request.self_descriptive else 0)
        shortest = 1 + 4 + stamp + echo + 1 + count + 1 + 2 * count
        self._answerable(shortest)
        free = self._room - shortest
        results: list[tuple[Any, EncodedData]] = []
        for entry in request.entries:
            result, value = self._entry(entry)
            more = len(value.octets) - 1
            if more > free:
                value, more = NULL, 0
                if isinstance(entry, Get):
                    result = R.OTHER_REASON
            free -= more
            results.append((result, value))
            if request.break_on_error and result != 0:
                break
        for entry in request.entries[len(results) :]:
            missing = ActionResult.OTHER_REASON if isinstance(entry, Action) else R.OTHER_REASON
            results.append((missing, NULL))
        return results

    def _entry(self, entry: Get | Set | Action) -> tuple[Any, EncodedData]:
        if isinstance(entry, Get):
            value = self.device.get(entry.attribute, entry.selection)
            return (R.SUCCESS, value) if isinstance(value, EncodedData) else (value, NULL)
        if isinstance(entry, Set):
            return self.device.set(entry.attribute, entry.selection, entry.value), NULL
        result, returned = self._acted(entry.method, entry.parameters or NULL)
        return result, NULL if returned is None else returned

    # ---- short names ------------------------------------------------------------------------------------------------

    def _read(self, request: Read) -> Any:
        self._need(C.READ)
        octets = self._variables(request.variables)
        self._travels(2 + octets, GET_BLOCKS, 7)
        count = len(request.variables)
        self._answerable(LIST_ROOM + 2 * count, GET_BLOCKS)
        values = [self._variable(one) for one in request.variables]
        octets = sum(1 + len(one.octets) if isinstance(one, EncodedData) else 2 for one in values)
        return values if self._told(2 + octets, GET_BLOCKS) else [R.OTHER_REASON] * count

    def _write(self, request: Write) -> Any:
        self._need(C.WRITE)
        octets = self._variables(request.variables) + 1 + total(request.values)
        self._travels(2 + octets, SET_BLOCKS, 9)
        self._answerable(LIST_ROOM + 2 * len(request.variables))
        return [self._written(*each) for each in zip(request.variables, request.values, strict=True)]

    def _unconfirmedwrite(self, request: UnconfirmedWrite) -> Any:
        self._need(C.UNCONFIRMED_WRITE)
        self._travels(2 + self._variables(request.variables) + 1 + total(request.values))
        return [self._written(*each) for each in zip(request.variables, request.values, strict=True)]

    def _variables(self, variables: tuple[Any, ...]) -> int:
        """Octets of the variables."""
        octets = 0
        for one in variables:
            octets += 3
            if isinstance(one, ParameterizedAccess):
                self._need(C.PARAMETERIZED_ACCESS)
                octets += 1 + len(one.parameter.octets)
        self._need(C.MULTIPLE_REFERENCES if len(variables) > 1 else C(0))
        return octets

    def _named(self, variable: Any) -> tuple[Any, Any]:
        if isinstance(variable, ParameterizedAccess):
            return self.device.resolve(variable.variable_name), selected(variable)
        return self.device.resolve(variable), None

    def _variable(self, variable: Any) -> Any:
        named, selection = self._named(variable)
        if named is None:
            return R.OBJECT_UNDEFINED
        if isinstance(named, CosemAttributeDescriptor):
            return self.device.get(named, selection)
        if selection is None:
            return R.READ_WRITE_DENIED
        result, returned = self._acted(named, _parameter(selection.access_parameters))
        return R(int(result)) if result else NULL if returned is None else returned

    def _written(self, variable: Any, value: EncodedData) -> Any:
        named, selection = self._named(variable)
        if named is None:
            return R.OBJECT_UNDEFINED
        if isinstance(named, CosemAttributeDescriptor):
            return self.device.set(named, selection, value)
        if selection is not None:
            return R.SCOPE_OF_ACCESS_VIOLATED
        return R(int(self._acted(named, _parameter(value))[0]))


def selected(variable: ParameterizedAccess) -> SelectiveAccessDescriptor:
    return SelectiveAccessDescriptor(variable.selector, variable.parameter)


def _parameter(value: EncodedData) -> EncodedData | None:
    return None if value.type is DataType.NULL_DATA else value


def _acted_octets(answer: tuple[ActionResult, Any]) -> int:
    """Result, and optional Get-Data-Result."""
    return 2 if answer[1] is None else 3 + len(answer[1].octets)


def _without_data(answer: tuple[ActionResult, Any]) -> tuple[ActionResult, Any]:
    return answer if answer[1] is None else (answer[0], R.OTHER_REASON)


__all__ = ["NotSent", "Oracle", "Refused", "length_octets"]
