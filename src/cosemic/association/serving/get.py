"""GET as a server answers (IEC 62056-5-3; reference, application layer 8, 15)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from cosemic import apdu as a
from cosemic.association.joined import results_octets
from cosemic.association.service_provider import Access
from cosemic.association.serving.terms import LIST_ROOM, Response, Served, ServingTerms
from cosemic.association.transfers import LongAnswer, block_room, empty_block_g
from cosemic.codec import EncodedData
from cosemic.dialect import LongGetAbort
from cosemic.values import Conformance, DataAccessResult

_C: Final = Conformance


class GetService:
    """Serves GET; a long answer is fetched block by block."""

    def __init__(self, terms: ServingTerms) -> None:
        self._terms = terms
        self._answer: LongAnswer | None = None

    def abandon(self) -> None:
        """Forget the long answer."""
        self._answer = None

    def _get(self, request: a.GetRequestNormal, access: Access) -> Response:
        result = self._terms.provider.get(request.cosem_attribute_descriptor, request.access_selection, access)
        invoke = request.invoke_id_and_priority
        response = a.GetResponseNormal(invoke, result)
        if not isinstance(result, EncodedData) or len(response.encode()) <= self._terms.room:
            return response
        long = self._long_get(invoke, result.octets, access)
        return long or a.GetResponseNormal(invoke, self._terms.result_too_long())

    def _get_list(self, request: a.GetRequestWithList, access: Access) -> Response:
        self._terms.need_items(request.attribute_descriptor_list)
        invoke = request.invoke_id_and_priority
        self._terms.need_room(
            LIST_ROOM + 2 * len(request.attribute_descriptor_list), _C.BLOCK_TRANSFER_WITH_GET_OR_READ
        )
        items = (
            (entry.cosem_attribute_descriptor, entry.access_selection, access)
            for entry in request.attribute_descriptor_list
        )
        results = self._terms.each(items, self._terms.provider.get, DataAccessResult.OTHER_REASON)
        response = a.GetResponseWithList(invoke, results)
        if len(response.encode()) <= self._terms.room:
            return response
        long = self._long_get(invoke, results_octets(results), access)
        return long or a.GetResponseWithList(invoke, (self._terms.result_too_long(),) * len(results))

    def _long_get(self, invoke: a.InvokeIdAndPriority, raw: bytes, access: Access) -> Response | None:
        room = block_room(empty_block_g(lambda block: a.GetResponseWithDatablock(invoke, block)), self._terms.room)
        if not self._terms.agreed & Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ or room < 1:
            return None
        self._answer = LongAnswer(access, raw, room)
        return a.GetResponseWithDatablock(invoke, a.DataBlockG(*self._answer.next_block(access)))

    def _get_next(self, request: a.GetRequestNext, access: Access) -> Response:
        invoke, number, long = request.invoke_id_and_priority, request.block_number, self._answer
        if long is None:
            error = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        elif number == long.number and not long.finished and long.allows(access):
            return a.GetResponseWithDatablock(invoke, a.DataBlockG(*long.next_block(access)))
        elif self._terms.dialect.repeat_last_block and number == long.number - 1 and long.allows(access):
            return a.GetResponseWithDatablock(invoke, a.DataBlockG(*long.same_block(access)))
        elif number == long.number and long.finished:
            self._answer = None
            error = DataAccessResult.NO_LONG_GET_IN_PROGRESS
        else:
            self._answer = None
            error = {
                LongGetAbort.LONG_GET_ABORTED: DataAccessResult.LONG_GET_ABORTED,
                LongGetAbort.DATA_BLOCK_NUMBER_INVALID: DataAccessResult.DATA_BLOCK_NUMBER_INVALID,
            }[self._terms.dialect.long_get_abort]
        return a.GetResponseWithDatablock(invoke, a.DataBlockG(True, number, error))

    handlers: ClassVar[dict[type[Any], Served]] = {
        a.GetRequestNormal: Served(_get, _C.GET),
        a.GetRequestNext: Served(_get_next, _C.GET | _C.BLOCK_TRANSFER_WITH_GET_OR_READ, begins=False),
        a.GetRequestWithList: Served(_get_list, _C.GET | _C.MULTIPLE_REFERENCES),
    }
