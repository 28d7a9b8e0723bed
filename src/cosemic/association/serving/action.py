"""ACTION as a server answers (IEC 62056-5-3; reference, application layer 10, 15)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from cosemic import apdu as a
from cosemic.association.joined import join_data, join_values, responses_octets
from cosemic.association.service_provider import Access
from cosemic.association.serving.terms import LIST_ROOM, Response, Served, ServingTerms
from cosemic.association.transfers import LongAnswer, LongRequest, block_room, empty_block_sa
from cosemic.codec import EncodedData
from cosemic.dialect import ActionPblockContent
from cosemic.errors import DecodeError
from cosemic.values import ActionResult, Conformance, DataAccessResult

_C: Final = Conformance


class ActionService:
    """Serves ACTION; parameters come, and return parameters are fetched, block by block where they are long."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._action: LongRequest | None = None
        self._pblocks: LongAnswer | None = None

    def abandon(self) -> None:
        """Forget what is open in either direction."""
        self._action = self._pblocks = None

    def _act(self, request: a.ActionRequestNormal, access: Access) -> Response:
        answer = self._terms.provider.action(
            request.cosem_method_descriptor, request.method_invocation_parameters, access
        )
        return self._acted(request.invoke_id_and_priority, answer, access)

    def _acted(
        self, invoke: a.InvokeIdAndPriority, answer: a.ActionResponseWithOptionalData, access: Access
    ) -> Response:
        response = a.ActionResponseNormal(invoke, answer)
        value = answer.return_parameters
        if not isinstance(value, EncodedData) or len(response.encode()) <= self._terms.room:
            return response
        choice = b"\x00" if self._terms.dialect.action_pblock_content is ActionPblockContent.GET_DATA_RESULT else b""
        long = self._long_action(invoke, choice + value.octets, access)
        return long or a.ActionResponseNormal(invoke, _without_data(answer))

    def _act_list(self, request: a.ActionRequestWithList, access: Access) -> Response:
        self._terms.need_items(request.cosem_method_descriptor_list, request.method_invocation_parameters)
        self._terms.need_room(LIST_ROOM + 4 * len(request.cosem_method_descriptor_list), _C.BLOCK_TRANSFER_WITH_ACTION)
        answers = self._invoke(request.cosem_method_descriptor_list, request.method_invocation_parameters, access)
        return self._acted_list(request.invoke_id_and_priority, answers, access)

    def _acted_list(
        self, invoke: a.InvokeIdAndPriority, answers: tuple[a.ActionResponseWithOptionalData, ...], access: Access
    ) -> Response:
        response = a.ActionResponseWithList(invoke, answers)
        if len(response.encode()) <= self._terms.room:
            return response
        # Return parameters alone cannot tell results apart, so that a long list travels as whole responses.
        return self._long_action(invoke, responses_octets(answers), access) or a.ActionResponseWithList(
            invoke, tuple(map(_without_data, answers))
        )

    def _invoke(self, methods: tuple[Any, ...], parameters: tuple[EncodedData, ...], access: Access) -> tuple[Any, ...]:
        if len(methods) != len(parameters):
            return (_REFUSED,) * len(methods)
        items = ((method, value, access) for method, value in zip(methods, parameters, strict=True))
        return self._terms.each(items, self._terms.provider.action, _REFUSED)

    def _long_action(self, invoke: a.InvokeIdAndPriority, raw: bytes, access: Access) -> Response | None:
        room = block_room(empty_block_sa(lambda block: a.ActionResponseWithPblock(invoke, block)), self._terms.room)
        if not self._terms.agreed & Conformance.BLOCK_TRANSFER_WITH_ACTION or room < 1:
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
        if long is not None and self._terms.dialect.repeat_last_block and request.block_number == long.number - 1:
            return a.ActionResponseWithPblock(invoke, a.DataBlockSA(*long.same_block(access)))
        self._pblocks = None
        ended = long is None or long.finished
        return _denied(invoke, ActionResult.NO_LONG_ACTION_IN_PROGRESS if ended else ActionResult.LONG_ACTION_ABORTED)

    def _act_first(self, request: a.ActionRequestWithFirstPblock, access: Access) -> Response:
        invoke = request.invoke_id_and_priority
        if self._terms.checker is not None:
            result = self._terms.checker.may_act(request.cosem_method_descriptor, access.ahead())
            if result is not ActionResult.SUCCESS:
                return _denied(invoke, result)

        def finish(raw: bytes) -> Response:
            value = join_data(raw, self._terms.limits)
            return self._acted(
                invoke, self._terms.provider.action(request.cosem_method_descriptor, value, access), access
            )

        self._action = LongRequest(access, finish, False, self._terms.max_transfer)
        return self._act_block(request, access)

    def _act_list_first(self, request: a.ActionRequestWithListAndFirstPblock, access: Access) -> Response:
        self._terms.need_items(request.cosem_method_descriptor_list)
        self._terms.need_room(LIST_ROOM + 4 * len(request.cosem_method_descriptor_list), _C.BLOCK_TRANSFER_WITH_ACTION)
        invoke = request.invoke_id_and_priority

        def finish(raw: bytes) -> Response:
            values = join_values(raw, self._terms.limits)
            return self._acted_list(invoke, self._invoke(request.cosem_method_descriptor_list, values, access), access)

        self._action = LongRequest(access, finish, True, self._terms.max_transfer)
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

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.ActionRequestNormal: Served(_act, _C.ACTION),
        a.ActionRequestNextPblock: Served(_act_next, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION, begins=False),
        a.ActionRequestWithList: Served(_act_list, _C.ACTION | _C.MULTIPLE_REFERENCES),
        a.ActionRequestWithFirstPblock: Served(_act_first, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION),
        a.ActionRequestWithPblock: Served(_act_block, _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION, begins=False),
        a.ActionRequestWithListAndFirstPblock: Served(
            _act_list_first,
            _C.ACTION | _C.BLOCK_TRANSFER_WITH_ACTION | _C.MULTIPLE_REFERENCES,
        ),
    }


_REFUSED: Final = a.ActionResponseWithOptionalData(ActionResult.OTHER_REASON)


def _denied(invoke: a.InvokeIdAndPriority, result: ActionResult) -> a.ActionResponseNormal:
    """An error of an ACTION transfer."""
    return a.ActionResponseNormal(invoke, a.ActionResponseWithOptionalData(result))


def _without_data(answer: a.ActionResponseWithOptionalData) -> a.ActionResponseWithOptionalData:
    """What was executed keeps its result; only its return parameters, which do not fit, are left out."""
    if answer.return_parameters is None:
        return answer
    return a.ActionResponseWithOptionalData(answer.result, DataAccessResult.OTHER_REASON)
