"""The data transfer services of a server: requests to responses (reference, application layer 8 to 10, 15).

:data:`HANDLERS` maps each request to the method that serves it and the conformance bits that it needs;
:data:`SERVER_CONFORMANCE` is derived from that table.

What one request may cost is bounded, for a few octets can name the longest attribute a thousand times: of a list at
most :data:`MOST_LISTED` items are served, and none once the answers have ``max_transfer`` octets (the others end with
other-reason); a request in blocks may have ``max_transfer`` octets, and where the provider can tell ahead that it
would be refused (:class:`~cosemic.association.service_provider.RightsChecker`), it is at its first block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import Any, Final

from cosemic import apdu as a
from cosemic.association.joined import join_data, join_values, responses_octets, results_octets
from cosemic.association.service_provider import Access, RightsChecker, ServerSettings, ServiceProvider
from cosemic.association.transfers import LongAnswer, LongRequest, block_room, empty_block_g, empty_block_sa
from cosemic.codec import EncodedData
from cosemic.dialect import ActionPblockContent, LongGetAbort
from cosemic.errors import DecodeError
from cosemic.values import ActionResult, Conformance, DataAccessResult, ServiceError, StateError

Response = Any
_C = Conformance
NO_BLOCKS: Final = Conformance(0)
_LIST_ROOM: Final = 6
"""Octets of an answer with list besides its items, at the most: tag, kind, invoke-id, count."""
MOST_LISTED: Final = 256
"""Items of one list that are served."""


class Unservable(Exception):
    """A request is answered with an exception-response; nothing was executed."""

    def __init__(self, state_error: StateError, service_error: ServiceError) -> None:
        self.state_error = state_error
        self.service_error = service_error
        super().__init__(f"{state_error.label}, {service_error.label}")


class Serving:
    """Serves the requests of one association that stands.

    settings: dialect, limits and max_transfer are used. agreed: negotiated conformance. room: largest plain APDU that
    may be sent, in octets.
    """

    def __init__(self, provider: ServiceProvider, settings: ServerSettings, agreed: Conformance, room: int) -> None:
        self._provider = provider
        self._checker = provider if isinstance(provider, RightsChecker) else None
        self._max_transfer = min(settings.max_transfer, settings.limits.octets)
        self.agreed = agreed
        self._room = room
        self._dialect = settings.dialect
        self._limits = settings.limits
        self._answer: LongAnswer | None = None
        self._set: LongRequest | None = None
        self._action: LongRequest | None = None
        self._pblocks: LongAnswer | None = None

    def serve(self, request: Any, access: Access) -> Response:
        """Return the response to a request. Raises :class:`Unservable` where it was not agreed upon, or not known."""
        handler, bits = HANDLERS.get(type(request), (None, Conformance(0)))
        if _selects(request):
            bits |= Conformance.SELECTIVE_ACCESS
        if handler is None or bits & ~self.agreed:
            raise Unservable(StateError.SERVICE_UNKNOWN, ServiceError.SERVICE_NOT_SUPPORTED)
        return handler(self, request, access)

    def _need_room(self, shortest: int, blocks: Conformance = NO_BLOCKS) -> None:
        """Refuse, before anything is executed, what cannot be answered in the client's max-receive-pdu-size."""
        if shortest > self._room and not blocks & self.agreed:
            raise Unservable(StateError.SERVICE_NOT_ALLOWED, ServiceError.PDU_TOO_LONG)

    def _each(self, items: Iterable[tuple[Any, ...]], serve: Callable[..., Any], refused: Any) -> tuple[Any, ...]:
        """Serve the items of a list in turn, as far as they may go; the others are ``refused`` and not executed."""
        results: list[Any] = []
        octets = 0
        for item in items:
            if len(results) >= MOST_LISTED or octets >= self._max_transfer:
                results.append(refused)
                continue
            result = serve(*item)
            results.append(result)
            value = getattr(result, "return_parameters", result)
            octets += len(value.octets) if isinstance(value, EncodedData) else 0
        return tuple(results)

    def _begin(self) -> None:
        """A new request abandons whatever transfer is open."""
        self._answer = self._set = self._action = self._pblocks = None

    # ---- GET --------------------------------------------------------------------------------------------------------

    def _get(self, request: a.GetRequestNormal, access: Access) -> Response:
        self._begin()
        result = self._provider.get(request.cosem_attribute_descriptor, request.access_selection, access)
        invoke = request.invoke_id_and_priority
        response = a.GetResponseNormal(invoke, result)
        if not isinstance(result, EncodedData) or len(response.encode()) <= self._room:
            return response
        return self._long_get(invoke, result.octets, access) or a.GetResponseNormal(
            invoke, DataAccessResult.OTHER_REASON
        )

    def _get_list(self, request: a.GetRequestWithList, access: Access) -> Response:
        self._begin()
        invoke = request.invoke_id_and_priority
        self._need_room(_LIST_ROOM + 2 * len(request.attribute_descriptor_list), _C.BLOCK_TRANSFER_WITH_GET_OR_READ)
        items = (
            (entry.cosem_attribute_descriptor, entry.access_selection, access)
            for entry in request.attribute_descriptor_list
        )
        results = self._each(items, self._provider.get, DataAccessResult.OTHER_REASON)
        response = a.GetResponseWithList(invoke, results)
        if len(response.encode()) <= self._room:
            return response
        return self._long_get(invoke, results_octets(results), access) or a.GetResponseWithList(
            invoke, (DataAccessResult.OTHER_REASON,) * len(results)
        )

    def _long_get(self, invoke: a.InvokeIdAndPriority, raw: bytes, access: Access) -> Response | None:
        room = block_room(empty_block_g(lambda block: a.GetResponseWithDatablock(invoke, block)), self._room)
        if not self.agreed & Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ or room < 1:
            return None
        self._answer = LongAnswer(access, raw, room)
        return a.GetResponseWithDatablock(invoke, a.DataBlockG(*self._answer.next_block(access)))

    def _get_next(self, request: a.GetRequestNext, access: Access) -> Response:
        invoke, number, long = request.invoke_id_and_priority, request.block_number, self._answer
        if long is None:
            error = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        elif number == long.number and not long.finished and long.allows(access):
            return a.GetResponseWithDatablock(invoke, a.DataBlockG(*long.next_block(access)))
        elif self._dialect.repeat_last_block and number == long.number - 1 and long.allows(access):
            return a.GetResponseWithDatablock(invoke, a.DataBlockG(*long.same_block(access)))
        elif number == long.number and long.finished:
            self._answer = None
            error = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        else:
            self._answer = None
            error = {
                LongGetAbort.LONG_GET_ABORTED: DataAccessResult.LONG_GET_ABORTED,
                LongGetAbort.DATA_BLOCK_NUMBER_INVALID: DataAccessResult.DATA_BLOCK_NUMBER_INVALID,
            }[self._dialect.long_get_abort]
        return a.GetResponseWithDatablock(invoke, a.DataBlockG(True, number, error))

    # ---- SET --------------------------------------------------------------------------------------------------------

    def _set_normal(self, request: a.SetRequestNormal, access: Access) -> Response:
        self._begin()
        result = self._provider.set(request.cosem_attribute_descriptor, request.access_selection, request.value, access)
        return a.SetResponseNormal(request.invoke_id_and_priority, result)

    def _set_list(self, request: a.SetRequestWithList, access: Access) -> Response:
        self._begin()
        self._need_room(_LIST_ROOM + len(request.attribute_descriptor_list))
        results = self._write(request.attribute_descriptor_list, request.value_list, access)
        return a.SetResponseWithList(request.invoke_id_and_priority, results)

    def _write(self, attributes: tuple[Any, ...], values: tuple[EncodedData, ...], access: Access) -> tuple[Any, ...]:
        if len(attributes) != len(values):
            return (DataAccessResult.OTHER_REASON,) * len(attributes)
        items = (
            (entry.cosem_attribute_descriptor, entry.access_selection, value, access)
            for entry, value in zip(attributes, values, strict=True)
        )
        return self._each(items, self._provider.set, DataAccessResult.OTHER_REASON)

    def _set_first(self, request: a.SetRequestWithFirstDatablock, access: Access) -> Response:
        self._begin()
        if self._checker is not None:
            result = self._checker.may_set(request.cosem_attribute_descriptor, access.ahead())
            if result is not DataAccessResult.SUCCESS:
                invoke = request.invoke_id_and_priority
                return a.SetResponseLastDatablock(invoke, result, request.datablock.block_number)

        def finish(raw: bytes) -> Any:
            return self._provider.set(
                request.cosem_attribute_descriptor, request.access_selection, join_data(raw, self._limits), access
            )

        self._set = LongRequest(access, finish, False, self._max_transfer)
        return self._set_block(request, access)

    def _set_list_first(self, request: a.SetRequestWithListAndFirstDatablock, access: Access) -> Response:
        self._begin()
        self._need_room(_LIST_ROOM + 4 + len(request.attribute_descriptor_list))

        def finish(raw: bytes) -> Any:
            return self._write(request.attribute_descriptor_list, join_values(raw, self._limits), access)

        self._set = LongRequest(access, finish, True, self._max_transfer)
        return self._set_block(request, access)

    def _set_block(self, request: Any, access: Access) -> Response:
        invoke, block, long = request.invoke_id_and_priority, request.datablock, self._set
        number = block.block_number
        if long is None:
            return a.SetResponseLastDatablock(invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, number)
        if not long.take(block, access):
            self._set = None
            wrong = number != long.expected
            error = DataAccessResult.DATA_BLOCK_NUMBER_INVALID if wrong else DataAccessResult.LONG_SET_ABORTED
            return a.SetResponseLastDatablock(invoke, error, number)
        if not block.last_block:
            return a.SetResponseDatablock(invoke, number)
        self._set = None
        try:
            result = long.finish(long.raw())
        except DecodeError:
            return a.SetResponseLastDatablock(invoke, DataAccessResult.TYPE_UNMATCHED, number)
        access.require_response(long.access.response)
        if long.is_list:
            return a.SetResponseLastDatablockWithList(invoke, result, number)
        return a.SetResponseLastDatablock(invoke, result, number)

    # ---- ACTION -----------------------------------------------------------------------------------------------------

    def _act(self, request: a.ActionRequestNormal, access: Access) -> Response:
        self._begin()
        answer = self._provider.action(request.cosem_method_descriptor, request.method_invocation_parameters, access)
        return self._acted(request.invoke_id_and_priority, answer, access)

    def _acted(
        self, invoke: a.InvokeIdAndPriority, answer: a.ActionResponseWithOptionalData, access: Access
    ) -> Response:
        response = a.ActionResponseNormal(invoke, answer)
        value = answer.return_parameters
        if not isinstance(value, EncodedData) or len(response.encode()) <= self._room:
            return response
        choice = b"\x00" if self._dialect.action_pblock_content is ActionPblockContent.GET_DATA_RESULT else b""
        long = self._long_action(invoke, choice + value.octets, access)
        return long or a.ActionResponseNormal(invoke, _without_data(answer))

    def _act_list(self, request: a.ActionRequestWithList, access: Access) -> Response:
        self._begin()
        self._need_room(_LIST_ROOM + 4 * len(request.cosem_method_descriptor_list), _C.BLOCK_TRANSFER_WITH_ACTION)
        answers = self._invoke(request.cosem_method_descriptor_list, request.method_invocation_parameters, access)
        return self._acted_list(request.invoke_id_and_priority, answers, access)

    def _acted_list(
        self, invoke: a.InvokeIdAndPriority, answers: tuple[a.ActionResponseWithOptionalData, ...], access: Access
    ) -> Response:
        response = a.ActionResponseWithList(invoke, answers)
        if len(response.encode()) <= self._room:
            return response
        # Return parameters alone cannot tell results apart, so that a long list travels as whole responses.
        return self._long_action(invoke, responses_octets(answers), access) or a.ActionResponseWithList(
            invoke, tuple(map(_without_data, answers))
        )

    def _invoke(self, methods: tuple[Any, ...], parameters: tuple[EncodedData, ...], access: Access) -> tuple[Any, ...]:
        if len(methods) != len(parameters):
            return (_REFUSED,) * len(methods)
        items = ((method, value, access) for method, value in zip(methods, parameters, strict=True))
        return self._each(items, self._provider.action, _REFUSED)

    def _long_action(self, invoke: a.InvokeIdAndPriority, raw: bytes, access: Access) -> Response | None:
        room = block_room(empty_block_sa(lambda block: a.ActionResponseWithPblock(invoke, block)), self._room)
        if not self.agreed & Conformance.BLOCK_TRANSFER_WITH_ACTION or room < 1:
            return None
        self._pblocks = LongAnswer(access, raw, room)
        return a.ActionResponseWithPblock(invoke, a.DataBlockSA(*self._pblocks.next_block(access)))

    def _act_next(self, request: a.ActionRequestNextPblock, access: Access) -> Response:
        invoke, long = request.invoke_id_and_priority, self._pblocks
        if long is not None and not long.allows(access):
            self._pblocks = None
            return _denied(invoke, ActionResult.LONG_ACTION_ABORTED)
        if long is not None and request.block_number == long.number and not long.finished:
            return a.ActionResponseWithPblock(invoke, a.DataBlockSA(*long.next_block(access)))
        if long is not None and self._dialect.repeat_last_block and request.block_number == long.number - 1:
            return a.ActionResponseWithPblock(invoke, a.DataBlockSA(*long.same_block(access)))
        self._pblocks = None
        ended = long is None or long.finished
        return _denied(invoke, ActionResult.NO_LONG_ACTION_IN_PROGRESS if ended else ActionResult.LONG_ACTION_ABORTED)

    def _act_first(self, request: a.ActionRequestWithFirstPblock, access: Access) -> Response:
        self._begin()
        invoke = request.invoke_id_and_priority
        if self._checker is not None:
            result = self._checker.may_act(request.cosem_method_descriptor, access.ahead())
            if result is not ActionResult.SUCCESS:
                return _denied(invoke, result)

        def finish(raw: bytes) -> Response:
            value = join_data(raw, self._limits)
            return self._acted(invoke, self._provider.action(request.cosem_method_descriptor, value, access), access)

        self._action = LongRequest(access, finish, False, self._max_transfer)
        return self._act_block(request, access)

    def _act_list_first(self, request: a.ActionRequestWithListAndFirstPblock, access: Access) -> Response:
        self._begin()
        self._need_room(_LIST_ROOM + 4 * len(request.cosem_method_descriptor_list), _C.BLOCK_TRANSFER_WITH_ACTION)
        invoke = request.invoke_id_and_priority

        def finish(raw: bytes) -> Response:
            values = join_values(raw, self._limits)
            return self._acted_list(invoke, self._invoke(request.cosem_method_descriptor_list, values, access), access)

        self._action = LongRequest(access, finish, True, self._max_transfer)
        return self._act_block(request, access)

    def _act_block(self, request: Any, access: Access) -> Response:
        invoke, block, long = request.invoke_id_and_priority, request.pblock, self._action
        if long is None:
            return _denied(invoke, ActionResult.NO_LONG_ACTION_IN_PROGRESS)
        if not long.take(block, access):
            self._action = None
            return _denied(invoke, ActionResult.LONG_ACTION_ABORTED)
        if not block.last_block:
            return a.ActionResponseNextPblock(invoke, block.block_number)
        self._action = None
        try:
            response = long.finish(long.raw())
            access.require_response(long.access.response)
            return response
        except DecodeError:
            return _denied(invoke, ActionResult.TYPE_UNMATCHED)


_REFUSED: Final = a.ActionResponseWithOptionalData(ActionResult.OTHER_REASON)


def _denied(invoke: a.InvokeIdAndPriority, result: ActionResult) -> a.ActionResponseNormal:
    """An error of an ACTION transfer."""
    return a.ActionResponseNormal(invoke, a.ActionResponseWithOptionalData(result))


def _without_data(answer: a.ActionResponseWithOptionalData) -> a.ActionResponseWithOptionalData:
    """What was executed keeps its result; only its return parameters, which do not fit, are left out."""
    if answer.return_parameters is None:
        return answer
    return a.ActionResponseWithOptionalData(answer.result, DataAccessResult.OTHER_REASON)


def _selects(request: Any) -> bool:
    """Whether a request selects a part of an attribute."""
    if getattr(request, "access_selection", None) is not None:
        return True
    entries = getattr(request, "attribute_descriptor_list", ())
    return any(entry.access_selection is not None for entry in entries)


Handler = Callable[[Serving, Any, Access], Response]
HANDLERS: Final[dict[type[Any], tuple[Handler, Conformance]]] = {
    a.GetRequestNormal: (Serving._get, _C.GET),
    a.GetRequestNext: (Serving._get_next, _C.GET | _C.BLOCK_TRANSFER_WITH_GET_OR_READ),
    a.GetRequestWithList: (Serving._get_list, _C.GET | _C.MULTIPLE_REFERENCES),
    a.SetRequestNormal: (Serving._set_normal, _C.SET),
    a.SetRequestWithList: (Serving._set_list, _C.SET | _C.MULTIPLE_REFERENCES),
    a.SetRequestWithFirstDatablock: (Serving._set_first, _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE),
    a.SetRequestWithDatablock: (Serving._set_block, _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE),
    a.SetRequestWithListAndFirstDatablock: (
        Serving._set_list_first,
        _C.SET | _C.BLOCK_TRANSFER_WITH_SET_OR_WRITE | _C.MULTIPLE_REFERENCES,
    ),
    a.ActionRequestNormal: (Serving._act, _C.ACTION),
    a.ActionRequestNextPblock: (Serving._act_next, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION),
    a.ActionRequestWithList: (Serving._act_list, _C.ACTION | _C.MULTIPLE_REFERENCES),
    a.ActionRequestWithFirstPblock: (Serving._act_first, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION),
    a.ActionRequestWithPblock: (Serving._act_block, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION),
    a.ActionRequestWithListAndFirstPblock: (
        Serving._act_list_first,
        _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION | _C.MULTIPLE_REFERENCES,
    ),
}
SERVER_CONFORMANCE: Final = reduce(or_, (bits for _, bits in HANDLERS.values()), Conformance.SELECTIVE_ACCESS)
"""What the server can do without ciphering."""
