"""Meters with short names: the requests of procedures, which have logical names, as Read and Write (IEC 62056-5-3).

The object_list of Association SN, at FA08, is read once and kept; from then on each attribute and method is asked for
by its short name (:mod:`cosemic.model.short_names`)::

    Get, GetList            Read       a selection as parameterized access
    Set, SetList            Write      the same
    Action                  Write      of the parameters; null-data where it has none
    Action with an answer   Read       parameterized access with selector 0 and the parameters
    ActionList              Write      one request where none has an answer; else one after the other

What has no short name is not asked for: object-undefined, object-class-inconsistent where the logical name is that of
another class, read-write-denied where the object has no such attribute or method.

Other firmware may have other short names: they are forgotten when an image is activated, and with each association that
is opened after an image was transferred. What is sent without an answer to an object that has a reserved base name, as
the script table for broadcasts, needs no object_list: all stations answer nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, Final

from cosemic.apdu import (
    ActionResponseWithOptionalData,
    CosemAttributeDescriptor,
    CosemMethodDescriptor,
    ParameterizedAccess,
    SelectiveAccessDescriptor,
)
from cosemic.association.requests import (
    INVOKES,
    Action,
    ActionList,
    DataTransfer,
    Get,
    GetList,
    Read,
    Request,
    Set,
    SetList,
    UnconfirmedWrite,
    Write,
)
from cosemic.client.answers import denied
from cosemic.client.view import AccessRights, ListedObject
from cosemic.codec import DataType, EncodedData
from cosemic.errors import (
    AssociationError,
    CosemicError,
    DecodeError,
    EncodeError,
    OutcomeUnknown,
    ServiceFailed,
)
from cosemic.model import AssociationSN, ImageTransfer, Reading, interface_class, versions
from cosemic.model.access_control import AccessRightV1, AccessRightV3
from cosemic.model.association_sn import ShortName
from cosemic.model.short_names import (
    ASSOCIATION,
    RESERVED,
    Member,
    MemberKind,
    Placed,
    ShortNameMap,
    reserved_for,
)
from cosemic.values import ActionResult, Conformance, DataAccessResult, Obis, Priority, ServiceClass, lookup

Variable = int | ParameterizedAccess
_OBJECT_LIST: Final = ShortName(ASSOCIATION + AssociationSN.object_list.sn_offset)
_ACCESS_RIGHTS_LIST: Final = ShortName(ASSOCIATION + AssociationSN.access_rights_list.sn_offset)
_CURRENT: Final = AssociationSN(Obis(bytes((0, 0, 40, 0, 0, 255))))
_NO_DATA: Final = EncodedData.of(DataType.NULL_DATA)
_ALIKE: Final = (
    (Conformance.READ, Conformance.GET),
    (Conformance.WRITE, Conformance.SET | Conformance.ACTION),
    (Conformance.PARAMETERIZED_ACCESS, Conformance.SELECTIVE_ACCESS),
)


def as_with_logical_names(agreed: Conformance) -> Conformance:
    """Return what was agreed together with the services of logical names that it makes possible."""
    for own, other in _ALIKE:
        if agreed & own:
            agreed |= other
    return agreed


class ShortNames:
    """What was learnt of the short names of a meter, and how it is asked with them."""

    def __init__(self) -> None:
        self._map: ShortNameMap | None = None
        self._image_transferred = False
        self._serve: Final[dict[type[Any], Callable[[ShortNameMap, Any], Generator[Any, Any, Any]]]] = {
            Get: self._get,
            GetList: self._get_list,
            Set: self._set,
            SetList: self._set_list,
            Action: self._action,
            ActionList: self._action_list,
        }

    def forget(self) -> None:
        """Forget the short names: the next request reads them again."""
        self._map = None

    def opened_anew(self) -> None:
        """Learn that another association is opened."""
        if self._image_transferred:
            self.forget()

    def names(self) -> Generator[Any, Any, ShortNameMap]:
        """Return the objects and their short names; they are read where they are not known.

        Raises DataAccessError, DecodeError.
        """
        if self._map is None:
            (found,) = yield Read((_OBJECT_LIST,))
            if not isinstance(found, EncodedData):
                raise denied("read", _CURRENT.object_list, found)
            elements = _CURRENT.object_list.decode(found.typed(), Reading(seen_also=True))
            self._map = ShortNameMap(
                Placed(ShortName(one.base_name), one.class_id, one.version, one.logical_name) for one in elements
            )
        return self._map

    def objects(self) -> Generator[Any, Any, list[ListedObject]]:
        """Return the objects, without access rights."""
        names = yield from self.names()
        return [ListedObject(one.class_id, one.version, one.logical_name, None, one.base_name) for one in names.placed]

    def view(self) -> Generator[Any, Any, list[ListedObject]]:
        """Return the objects as an association view; access rights where the meter has and shows them."""
        names = yield from self.names()
        rights = yield from self._rights(names)
        return [replace(one, access_rights=rights.get(one.base_name)) for one in (yield from self.objects())]

    def transfer(self, request: Request) -> Generator[Any, Any, Any]:
        """Ask with short names; returns what the request itself would return. Any other request goes out as it is."""
        serve = self._serve.get(type(request))
        if serve is None or not isinstance(request, DataTransfer):
            return (yield request)
        if request.priority is not Priority.NORMAL:
            raise ServiceFailed("with short names nothing has a priority", label="priority-mgmt-supported")
        if request.service_class is ServiceClass.UNCONFIRMED:
            names = yield from self._names_without_answer(request)
            serve = self._unconfirmed
        else:
            names = yield from self.names()
        try:
            return (yield from serve(names, request))
        finally:
            self._unlearn(request)

    def _names_without_answer(self, request: Request) -> Generator[Any, Any, ShortNameMap]:
        """The short names that an unconfirmed request needs; reserved ones need not be read."""
        wanted = getattr(request, "attribute", None) or getattr(request, "method", None)
        if self._map is None and wanted is not None:
            base, known = reserved_for(wanted.class_id, wanted.instance_id), versions(wanted.class_id)
            if base is not None and len(known) == 1:
                return ShortNameMap((Placed(base, wanted.class_id, known[0], wanted.instance_id),))
        try:
            return (yield from self.names())
        except AssociationError as error:
            found = ((min(classes), name) for classes, name in RESERVED.values())
            reserved = ", ".join(f"{one}/{name}" for one, name in found if len(versions(one)) == 1)
            error.add_note(f"the short names would have to be read first, but for those that are reserved: {reserved}")
            raise

    def _unlearn(self, request: Request) -> None:
        """Forget the short names where an image was activated, whatever was answered, or nothing."""
        methods = request.methods if isinstance(request, ActionList) else (getattr(request, "method", None),)
        images = [one.method_id for one in methods if one is not None and one.class_id == ImageTransfer.class_id]
        self._image_transferred = self._image_transferred or bool(images)
        if ImageTransfer.image_activate.index in images:
            self.forget()

    # ---- what was learnt --------------------------------------------------------------------------------------------

    def _rights(self, names: ShortNameMap) -> Generator[Any, Any, dict[int | None, AccessRights]]:
        own = names.object(AssociationSN.class_id, _CURRENT.instance_id)
        version = own.version if own is not None else versions(AssociationSN.class_id)[0]
        declared = interface_class(AssociationSN.class_id, version)
        if declared is None or AssociationSN.access_rights_list.index not in declared.attributes:
            return {}
        try:
            (found,) = yield Read((_ACCESS_RIGHTS_LIST,))
            if not isinstance(found, EncodedData):
                return {}
            elements = declared.attributes[AssociationSN.access_rights_list.index].decode(
                found.typed(), Reading(seen_also=True)
            )
        except (ServiceFailed, DecodeError):
            return {}  # the objects are known without them
        form: Any = AccessRightV3 if declared.version == AssociationSN.version else AccessRightV1
        return {one.base_name: form(one.attribute_access, one.method_access) for one in elements}

    # ---- requests ---------------------------------------------------------------------------------------------------

    def _unconfirmed(self, names: ShortNameMap, request: Request) -> Generator[Any, Any, None]:
        """Write without an answer; nothing else can be asked for so. Raises DataAccessError, EncodeError."""
        if isinstance(request, Set):
            subject: object = request.attribute
            name = _attribute(names, request.attribute)
            parameters, selection = request.value, request.selection
        elif isinstance(request, Action):
            subject, selection = request.method, None
            name = _method(names, request.method)
            parameters = request.parameters or _NO_DATA
        else:
            raise EncodeError("with short names only one attribute or method at a time is sent unconfirmed")
        if isinstance(name, DataAccessResult):
            raise denied("write", subject, name)
        yield UnconfirmedWrite((_selected(name, selection),), (parameters,))

    def _get(self, names: ShortNameMap, request: Get) -> Generator[Any, Any, Any]:
        name = _attribute(names, request.attribute)
        if isinstance(name, DataAccessResult):
            return name
        (result,) = yield Read((_selected(name, request.selection),))
        return result

    def _get_list(self, names: ShortNameMap, request: GetList) -> Generator[Any, Any, Any]:
        found = [
            (_attribute(names, one.cosem_attribute_descriptor), one.access_selection) for one in request.attributes
        ]
        asked = tuple(_selected(name, part) for name, part in found if not isinstance(name, DataAccessResult))
        results = iter((yield Read(asked)) if asked else ())
        return tuple(name if isinstance(name, DataAccessResult) else next(results) for name, _ in found)

    def _set(self, names: ShortNameMap, request: Set) -> Generator[Any, Any, Any]:
        name = _attribute(names, request.attribute)
        if isinstance(name, DataAccessResult):
            return name
        (result,) = yield Write((_selected(name, request.selection),), (request.value,))
        return result

    def _set_list(self, names: ShortNameMap, request: SetList) -> Generator[Any, Any, Any]:
        found = [
            (_attribute(names, one.cosem_attribute_descriptor), one.access_selection) for one in request.attributes
        ]
        asked = [
            (_selected(name, part), value)
            for (name, part), value in zip(found, request.values, strict=True)
            if not isinstance(name, DataAccessResult)
        ]
        results = iter((yield Write(*map(tuple, zip(*asked, strict=True)))) if asked else ())
        return tuple(name if isinstance(name, DataAccessResult) else next(results) for name, _ in found)

    def _action(self, names: ShortNameMap, request: Action) -> Generator[Any, Any, ActionResponseWithOptionalData]:
        method, parameters = request.method, request.parameters or _NO_DATA
        name = _method(names, method)
        if isinstance(name, DataAccessResult):
            return _done(name)
        if not _returns(names, method):
            (result,) = yield Write((name,), (parameters,))
            answer = _done(result)
        else:
            (result,) = yield Read((ParameterizedAccess(name, INVOKES, parameters),))
            if not isinstance(result, EncodedData):
                answer = _done(result)
            else:
                answer = ActionResponseWithOptionalData(ActionResult.SUCCESS, result)
        return answer

    def _action_list(self, names: ShortNameMap, request: ActionList) -> Generator[Any, Any, Any]:
        found = [_method(names, one) for one in request.methods]
        pairs = list(zip(request.methods, request.parameters, strict=True))
        if any(_returns(names, one) for one in request.methods):
            return (yield from self._one_by_one(names, pairs))
        asked = [(name, value) for name, (_, value) in zip(found, pairs, strict=True) if type(name) is ShortName]
        results = iter((yield Write(*map(tuple, zip(*asked, strict=True)))) if asked else ())
        return tuple(_done(name if isinstance(name, DataAccessResult) else next(results)) for name in found)

    def _one_by_one(
        self, names: ShortNameMap, pairs: list[tuple[CosemMethodDescriptor, EncodedData]]
    ) -> Generator[Any, Any, Any]:
        """Methods of which some answer; once the first was invoked, an error leaves open which of them were."""
        answers: list[ActionResponseWithOptionalData] = []
        for method, parameters in pairs:
            try:
                answers.append((yield from self._action(names, Action(method, parameters))))
            except CosemicError as error:
                if not answers or isinstance(error, OutcomeUnknown):
                    raise
                raise OutcomeUnknown(f"{error} - {len(answers)} of {len(pairs)} methods were invoked") from error
        return tuple(answers)


def _attribute(names: ShortNameMap, wanted: CosemAttributeDescriptor) -> ShortName | DataAccessResult:
    return _named(names, wanted.class_id, wanted.instance_id, Member(MemberKind.ATTRIBUTE, wanted.attribute_id))


def _method(names: ShortNameMap, wanted: CosemMethodDescriptor) -> ShortName | DataAccessResult:
    placed = names.object(wanted.class_id, wanted.instance_id)
    if placed is not None and interface_class(wanted.class_id, placed.version) is None:
        raise ServiceFailed(
            f"class {wanted.class_id} version {placed.version} is not declared: where the methods of "
            f"{wanted.instance_id} stand is not known, so that none can be called by its short name"
        )
    return _named(names, wanted.class_id, wanted.instance_id, Member(MemberKind.METHOD, wanted.method_id))


def _named(names: ShortNameMap, class_id: int, logical_name: Obis, member: Member) -> ShortName | DataAccessResult:
    name = names.name_of(class_id, logical_name, member)
    if name is not None:
        return name
    if names.object(class_id, logical_name) is not None:
        return DataAccessResult.READ_WRITE_DENIED
    if any(one.logical_name == logical_name for one in names.placed):
        return DataAccessResult.OBJECT_CLASS_INCONSISTENT
    return DataAccessResult.OBJECT_UNDEFINED


def _selected(name: ShortName, selection: SelectiveAccessDescriptor | None) -> Variable:
    if selection is None:
        return name
    return ParameterizedAccess(name, selection.access_selector, selection.access_parameters)


def _returns(names: ShortNameMap, method: CosemMethodDescriptor) -> bool:
    """Whether a method returns data, in the version that the meter has."""
    placed = names.object(method.class_id, method.instance_id)
    declared = None if placed is None else interface_class(method.class_id, placed.version)
    known = None if declared is None else declared.methods.get(method.method_id)
    return known is not None and known.returns is not None


def _done(result: DataAccessResult | int) -> ActionResponseWithOptionalData:
    """The answer of a method with the result of a Read or Write: the codes mean the same."""
    return ActionResponseWithOptionalData(lookup(ActionResult)[int(result)])  # type: ignore[arg-type]  # or an int
