"""Read, Write and UnconfirmedWrite as a server answers (IEC 62056-5-3; reference, application layer 13).

::

    variable-name of an attribute         read or written
    ... with parameterized access         a part of it, by the selector of selective access
    variable-name of a method, written    invoked with the value (null-data: without parameter); its answer is dropped
    ... read with parameterized access    invoked with the parameter, whatever the selector; read is what it returns
    block-number-access                   the next block of a long answer
    read-, write-data-block-access        a block of a long request; nothing of it is executed before the last

Which object a short name belongs to is the provider's business
(:class:`~cosemic.association.service_provider.ShortNames`); without that every name is object-undefined. A method that
is only read is not invoked: it has no value, and is read-write-denied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from cosemic import apdu as a
from cosemic.association.joined_short_names import (
    Variable,
    join_variables,
    join_writes,
    plain_variables,
    results_octets,
)
from cosemic.association.service_provider import Access, ShortNames
from cosemic.association.serving.terms import LIST_ROOM, Response, Served, ServingTerms, Unservable
from cosemic.association.transfers import LongAnswer, LongRequest, block_room
from cosemic.codec import DataType, EncodedData
from cosemic.dialect import LongGetAbort, LongReadContent
from cosemic.errors import DecodeError
from cosemic.values import ActionResult, Conformance, DataAccessResult, ServiceError, StateError

_C: Final = Conformance
_R: Final = DataAccessResult
_NULL: Final = EncodedData.of(DataType.NULL_DATA)
_EMPTY_BLOCK: Final = 7
"""Octets of a ReadResponse with a block without raw data."""
_MOST_BLOCKS: Final = 0xFFFF
"""Blocks of one transfer: their numbers have 16 bits."""
_FIRST: Final = 1
_BY_CODE: Final = {one: DataAccessResult(one) for one in ActionResult if one <= 14 or one == ActionResult.OTHER_REASON}
"""The results of ACTION that mean the same where a variable is read or written."""


def continues_transfer(request: Any) -> bool:
    """Whether a request goes on with a transfer; any other begins something new."""
    for one in getattr(request, "variable_access_specification", ()):
        if isinstance(one, a.BlockNumberAccess):
            return True
        if isinstance(one, a.ReadDataBlockAccess | a.WriteDataBlockAccess):
            return one.block_number != _FIRST
    return False


def needed_by_variables(specifications: tuple[Any, ...], blocks: Conformance) -> Conformance:
    """Return the conformance bits that a request needs for what it names; blocks: that of its block transfer."""
    bits = _C.MULTIPLE_REFERENCES if len(specifications) > 1 else _C(0)
    for one in specifications:
        if isinstance(one, a.ParameterizedAccess):
            bits |= _C.PARAMETERIZED_ACCESS
        elif not isinstance(one, int):
            bits |= blocks
    return bits


class _Variables:
    """Attributes and methods by their short names, for one association."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._names = terms.provider if isinstance(terms.provider, ShortNames) else None

    def need(self, specifications: tuple[Any, ...], blocks: Conformance) -> None:
        """Refuse what was not agreed upon. Raises Unservable."""
        if needed_by_variables(specifications, blocks) & ~self._terms.agreed:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)

    def _resolve(self, variable: Variable) -> tuple[Any, a.SelectiveAccessDescriptor | None]:
        """The attribute or method that is named, None where there is none, and what comes with it."""
        if self._names is None:
            return None, None
        if not isinstance(variable, a.ParameterizedAccess):
            return self._names.resolve(variable), None
        selection = a.SelectiveAccessDescriptor(variable.selector, variable.parameter)
        return self._names.resolve(variable.variable_name), selection

    def read(self, variable: Variable, access: Access) -> EncodedData | DataAccessResult:
        """Read an attribute, or invoke a method for what it returns."""
        named, selection = self._resolve(variable)
        if named is None:
            return _R.OBJECT_UNDEFINED
        if isinstance(named, a.CosemAttributeDescriptor):
            return self._terms.provider.get(named, selection, access)
        if selection is None:
            return _R.READ_WRITE_DENIED
        answer = self._terms.provider.action(named, _parameter(selection.access_parameters), access)
        if answer.result != ActionResult.SUCCESS:
            return _as_read(answer.result)
        return _NULL if answer.return_parameters is None else answer.return_parameters

    def write(self, variable: Variable, value: EncodedData, access: Access) -> DataAccessResult:
        """Write an attribute, or invoke a method."""
        named, selection = self._resolve(variable)
        if named is None:
            return _R.OBJECT_UNDEFINED
        if isinstance(named, a.CosemAttributeDescriptor):
            return self._terms.provider.set(named, selection, value, access)
        if selection is not None:
            return _R.SCOPE_OF_ACCESS_VIOLATED
        return _as_read(self._terms.provider.action(named, _parameter(value), access).result)

    def write_all(
        self, variables: tuple[Variable, ...], values: tuple[EncodedData, ...], access: Access
    ) -> tuple[DataAccessResult, ...]:
        """Write in turn. Raises Unservable where there is not one value for each."""
        self._terms.need_items(variables, values)
        items = ((variable, value, access) for variable, value in zip(variables, values, strict=True))
        return self._terms.each(items, self.write, _R.OTHER_REASON)


class _LongRequests:
    """The requests of a service that come block by block, one at a time; nothing is executed before the last block.

    most: octets of one. finish: serves it. refuse, acknowledge: make the answers to a block, by what is wrong with it
    and by its number. none, aborted: what is wrong where no request is open, and where it is too long.
    """

    def __init__(
        self,
        most: int,
        finish: Callable[[bytes, Access], Response],
        refuse: Callable[[DataAccessResult], Response],
        acknowledge: Callable[[int], Response],
        none: DataAccessResult,
        aborted: DataAccessResult,
    ) -> None:
        self._most, self._finish = most, finish
        self._refuse, self._acknowledge = refuse, acknowledge
        self._none, self._aborted = none, aborted
        self._open: LongRequest | None = None

    def abandon(self) -> None:
        """Forget the request that is open."""
        self._open = None

    def take(self, block: a.DataBlockSA, access: Access) -> Response:
        """Take a block; return the answer to it, or to the whole request."""
        if block.block_number == _FIRST:
            self._open = LongRequest(access, lambda raw: self._finish(raw, access), True, self._most)
        long = self._open
        if long is None:
            return self._refuse(self._none)
        if not long.take(block, access):
            self._open = None
            wrong = block.block_number != long.expected
            return self._refuse(_R.DATA_BLOCK_NUMBER_INVALID if wrong else self._aborted)
        if not block.last_block:
            return self._acknowledge(block.block_number)
        self._open = None
        response = long.finish(long.raw())
        access.require_response(long.access.response)
        return response


class ReadService:
    """Serves Read; a long answer is fetched block by block, a long request comes so."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._variables = _Variables(terms)
        self._answer: LongAnswer | None = None
        self._requests = _LongRequests(
            terms.max_transfer, self._finish, _unread, _more, _R.NO_LONG_GET_IN_PROGRESS, _R.LONG_GET_ABORTED
        )

    def abandon(self) -> None:
        """Forget what is open in either direction."""
        self._answer = None
        self._requests.abandon()

    def _read(self, request: a.ReadRequest, access: Access) -> Response:
        specifications = request.variable_access_specification
        self._variables.need(specifications, _C.BLOCK_TRANSFER_WITH_GET_OR_READ)
        variables = plain_variables(specifications)
        if variables is not None:
            return self._read_all(variables, access)
        if len(specifications) == 1:
            (one,) = specifications
            if isinstance(one, a.BlockNumberAccess):
                return self._next(one.block_number, access)
            if isinstance(one, a.ReadDataBlockAccess):
                return self._requests.take(a.DataBlockSA(one.last_block, one.block_number, one.raw_data), access)
        raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)

    def _read_all(self, variables: tuple[Variable, ...], access: Access) -> Response:
        self._terms.need_items(variables)
        self._terms.need_room(LIST_ROOM + 2 * len(variables), _C.BLOCK_TRANSFER_WITH_GET_OR_READ)
        items = ((variable, access) for variable in variables)
        values = self._terms.each(items, self._variables.read, _R.OTHER_REASON)
        response = a.ReadResponse(tuple(map(_result, values)))
        if len(response.encode()) <= self._terms.room:
            return response
        return self._long(values, response.result, access) or a.ReadResponse((_error(_R.OTHER_REASON),) * len(values))

    def _long(self, values: tuple[Any, ...], results: tuple[a.ReadResult, ...], access: Access) -> Response | None:
        raw = results_octets(results)
        bare = self._terms.dialect.long_read_content is LongReadContent.DATA
        if bare and all(isinstance(value, EncodedData) for value in values):
            raw = b"".join(value.octets for value in values)
        room = block_room(_EMPTY_BLOCK, self._terms.room)
        if not self._terms.agreed & _C.BLOCK_TRANSFER_WITH_GET_OR_READ or not 0 < len(raw) <= room * _MOST_BLOCKS:
            return None
        self._answer = LongAnswer(access, raw, room)
        return _block(self._answer.next_block(access))

    def _next(self, number: int, access: Access) -> Response:
        long, dialect = self._answer, self._terms.dialect
        if long is not None and long.allows(access):
            if number == long.number and not long.finished:
                return _block(long.next_block(access))
            if dialect.repeat_last_block and number == long.number - 1:
                return _block(long.same_block(access))
        ended = long is None or (number == long.number and long.finished)
        self._answer = None
        if ended:
            error = _R.NO_LONG_GET_IN_PROGRESS
        elif dialect.long_get_abort is LongGetAbort.LONG_GET_ABORTED:
            error = _R.LONG_GET_ABORTED
        else:
            error = _R.DATA_BLOCK_NUMBER_INVALID
        return _unread(error)

    def _finish(self, raw: bytes, access: Access) -> Response:
        try:
            variables = join_variables(raw, self._terms.limits)
        except DecodeError:
            return _unread(_R.TYPE_UNMATCHED)
        self._variables.need(variables, _C.BLOCK_TRANSFER_WITH_GET_OR_READ)
        return self._read_all(variables, access)

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.ReadRequest: Served(
            _read,
            _C.READ,
            options=_C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS | _C.BLOCK_TRANSFER_WITH_GET_OR_READ,
        )
    }


class WriteService:
    """Serves Write; a long request comes block by block."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._variables = _Variables(terms)
        self._requests = _LongRequests(
            terms.max_transfer,
            self._finish,
            _unwritten,
            _more_to_write,
            _R.NO_LONG_SET_IN_PROGRESS,
            _R.LONG_SET_ABORTED,
        )

    def abandon(self) -> None:
        """Forget the long request."""
        self._requests.abandon()

    def _write(self, request: a.WriteRequest, access: Access) -> Response:
        specifications, values = request.variable_access_specification, request.list_of_data
        self._variables.need(specifications, _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        variables = plain_variables(specifications)
        if variables is not None:
            return self._write_all(variables, values, access)
        if len(specifications) == len(values) == 1 and values[0].type is DataType.OCTET_STRING:
            (one,) = specifications
            if isinstance(one, a.WriteDataBlockAccess):
                return self._requests.take(a.DataBlockSA(one.last_block, one.block_number, values[0].value()), access)
        raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)

    def _write_all(
        self, variables: tuple[Variable, ...], values: tuple[EncodedData, ...], access: Access
    ) -> a.WriteResponse:
        self._terms.need_room(LIST_ROOM + 2 * len(variables))
        return a.WriteResponse(tuple(map(_written, self._variables.write_all(variables, values, access))))

    def _finish(self, raw: bytes, access: Access) -> Response:
        try:
            variables, values = join_writes(raw, self._terms.limits)
        except DecodeError:
            return _unwritten(_R.TYPE_UNMATCHED)
        self._variables.need(variables, _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE)
        return self._write_all(variables, values, access)

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.WriteRequest: Served(
            _write,
            _C.WRITE,
            options=_C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
        )
    }


class UnconfirmedWriteService:
    """Serves UnconfirmedWrite, which is not answered."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._variables = _Variables(terms)

    def abandon(self) -> None:
        """Forget nothing: it comes in one APDU."""

    def _write(self, request: a.UnconfirmedWriteRequest, access: Access) -> Response:
        """Returns what a Write would be answered with."""
        self._variables.need(request.variable_access_specification, _C(0))
        variables = plain_variables(request.variable_access_specification)
        if variables is None:
            raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.OTHER_REASON)
        return a.WriteResponse(tuple(map(_written, self._variables.write_all(variables, request.list_of_data, access))))

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.UnconfirmedWriteRequest: Served(
            _write, _C.UNCONFIRMED_WRITE, options=_C.MULTIPLE_REFERENCES | _C.PARAMETERIZED_ACCESS
        )
    }


def _parameter(value: EncodedData) -> EncodedData | None:
    """The invocation parameter that is written: null-data stands for none."""
    return None if value.type is DataType.NULL_DATA else value


def _as_read(result: ActionResult) -> DataAccessResult:
    return _BY_CODE.get(result, _R.OTHER_REASON)


def _result(value: EncodedData | DataAccessResult) -> a.ReadResult:
    return a.ReadResult("data", value) if isinstance(value, EncodedData) else _error(value)


def _error(error: DataAccessResult) -> a.ReadResult:
    return a.ReadResult("data_access_error", error)


def _written(result: DataAccessResult) -> a.WriteResult:
    return a.WriteResult("success") if result == _R.SUCCESS else a.WriteResult("data_access_error", result)


def _unread(error: DataAccessResult) -> a.ReadResponse:
    return a.ReadResponse((_error(error),))


def _more(number: int) -> a.ReadResponse:
    return a.ReadResponse((a.ReadResult("block_number", number),))


def _unwritten(error: DataAccessResult) -> a.WriteResponse:
    return a.WriteResponse((_written(error),))


def _more_to_write(number: int) -> a.WriteResponse:
    return a.WriteResponse((a.WriteResult("block_number", number),))


def _block(block: tuple[bool, int, bytes]) -> a.ReadResponse:
    return a.ReadResponse((a.ReadResult("data_block_result", a.DataBlockResult(*block)),))
